//! A database that is damaged, foreign or in the way: it is refused by name, nothing of it is changed, and what can be read
//! is saved when somebody asks for that.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use apex::domain::id::TaskId;
use apex::domain::time::Timestamp;
use apex::store::sqlite::{self, open_reader, recover};
use apex::store::task::TaskFilter;
use apex::store::{Store, TaskStore};
use nix::sys::signal::Signal;

use crate::powercut::Dice;
use crate::support::{World, long, signal};
use crate::wire::add_many;

pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// The files of a database, by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Returns what of a directory belongs to the database, but for what is shared in memory and the room that is kept back.
pub fn files(directory: &Path) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("apex.db") && !name.ends_with("-shm") && !name.ends_with("-reserve") {
            files.insert(name, fs::read(entry.path()).unwrap_or_default());
        }
    }
    files
}

pub fn put(directory: &Path, files: &Files) {
    for (name, content) in files {
        fs::write(directory.join(name), content).unwrap();
    }
}

/// A database with tasks in every sort of state: as a clean stop leaves it, and as it is found after everybody was killed.
pub fn lived() -> (Files, Files) {
    let world = World::started();
    world.apex(["queue", "add", "gpu", "--slots", "1"]).expect(0);
    let failed = world.add_with(&["--name", "build", "--label", "team=x"], "exit 3");
    world.ended(failed);
    world.add_with(&["--after", &failed.to_string()], "true");
    world.add_with(&["--hold", "--env", "TOKEN=secret"], "true");
    world.add_with(&["-Q", "gpu", "--in", "9h"], "true");
    let last = add_many(&world, "true", 300);
    world.ended(last);
    let running = world.add("exec sleep 600");
    world.until_state(running, "running");
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    signal(guardian, Signal::SIGSTOP);
    signal(apexd, Signal::SIGSTOP);
    let crashed = files(&world.dot_apex());
    signal(apexd, Signal::SIGCONT);
    signal(guardian, Signal::SIGCONT);
    world.apex(["daemon", "stop", "--force"]).expect(0);
    world.until_empty();
    let closed = files(&world.dot_apex());
    assert_eq!((closed.len(), crashed.len()), (1, 2), "{:?}", crashed.keys());
    (closed, crashed)
}

/// Does some harm, and tells what.
fn harm(files: &mut Files, dice: &mut Dice) -> String {
    let names: Vec<String> = files.keys().cloned().collect();
    let name = names[dice.below(names.len())].clone();
    let content = files.get_mut(&name).unwrap();
    let at = dice.below(content.len());
    match dice.below(5) {
        0 => {
            let bits = 1 + dice.below(8);
            for _ in 0..bits {
                let at = dice.below(content.len());
                content[at] ^= 1 << dice.below(8);
            }
            format!("{bits} bits of {name}")
        }
        1 => {
            let end = (at + 1 + dice.below(10_000)).min(content.len());
            content[at..end].fill(0);
            format!("zeroes in {name}, {at}..{end}")
        }
        2 => {
            let end = (at + 1 + dice.below(10_000)).min(content.len());
            content[at..end].iter_mut().for_each(|byte| *byte = u8::try_from(dice.below(256)).unwrap());
            format!("garbage in {name}, {at}..{end}")
        }
        3 => {
            content.truncate(at);
            format!("{name} cut off after {at}")
        }
        _ => {
            // A page that belongs somewhere else.
            let (from, to) = (at / 4096 * 4096, dice.below(content.len()) / 4096 * 4096);
            let page = content[from..(from + 4096).min(content.len())].to_vec();
            let end = (to + page.len()).min(content.len());
            content[to..end].copy_from_slice(&page[..end - to]);
            format!("a page of {name} from {from} to {to}")
        }
    }
}

#[test]
fn no_damage_is_followed_by_more_and_what_can_be_read_is_saved() {
    let (closed, crashed) = lived();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut saved, mut refused, mut had) = (0, 0, 0);
    for seed in 0..u64::from(30 * long()) {
        let mut dice = Dice::new(seed + 1);
        let mut spoilt = if dice.below(3) == 0 { crashed.clone() } else { closed.clone() };
        let what = format!("{seed}: {}", harm(&mut spoilt, &mut dice));
        let place = tempfile::tempdir().unwrap();
        put(place.path(), &spoilt);
        let db = place.path().join("apex.db");
        runtime.block_on(async {
            match sqlite::open(&db, NOW) {
                Err(error) => {
                    let told = error.to_string();
                    assert!(
                        told.contains("apex.db") && (told.contains("move") || told.contains("apex ")),
                        "{what}: {told}"
                    );
                    assert!(files(place.path()) == spoilt, "{what}: something was changed");
                    refused += 1;
                }
                Ok(opened) => {
                    assert!(!opened.created, "{what}: made anew");
                    // Whatever comes of it: an answer, or an error.
                    let _ = opened.store.tasks(TaskFilter::default()).await;
                    let _ = opened.store.check().await;
                    let _ = opened.store.close().await;
                }
            }
        });
        let place = tempfile::tempdir().unwrap();
        put(place.path(), &spoilt);
        let db = place.path().join("apex.db");
        let Some(recovered) = recover(&db, NOW).unwrap_or_else(|error| panic!("{what}: {error:?}")) else { continue };
        let after = files(place.path());
        for (name, content) in &spoilt {
            let kept = name.replace("apex.db", recovered.kept.file_name().unwrap().to_str().unwrap());
            assert!(after.get(&kept) == Some(content), "{what}: `{kept}` is not what was there");
        }
        let findings = open_reader(&db).unwrap().unwrap().findings().unwrap();
        assert!(findings.is_empty(), "{what}: {findings:?}");
        runtime.block_on(async {
            let store = sqlite::open(&db, NOW).unwrap().store;
            store.settle(NOW).await.unwrap();
            let tasks = store.tasks(TaskFilter::default()).await.unwrap().tasks;
            assert_eq!(tasks.len() as u64, recovered.tasks, "{what}");
            let beyond: Vec<TaskId> = tasks.iter().map(|task| task.id).filter(|id| id.as_i64() > 305).collect();
            assert!(beyond.is_empty(), "{what}: {beyond:?}");
            store.close().await.unwrap();
        });
        (saved, had) = (saved + recovered.tasks, had + 305);
    }
    assert!(refused > 0, "nothing was ever refused");
    assert!(saved * 2 > had, "only {saved} of {had} tasks were saved");
}
