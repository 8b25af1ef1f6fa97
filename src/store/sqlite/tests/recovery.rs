//! What is saved of a database that was cut off or written over.

use std::collections::BTreeMap;
use std::fs;

use crate::domain::hook::{HookEvent, OF_TASKS};
use crate::domain::id::Seq;
use crate::domain::task::State;
use crate::store::sqlite::tests::{NOW, Place};
use crate::store::sqlite::{Recovered, open, open_reader, recover};
use crate::store::task::TaskFilter;
use crate::store::{Store, TaskStore};

/// How many tasks there are: enough for the table to have many pages.
const TASKS: u64 = 600;

async fn filled() -> Place {
    let place = Place::new();
    let (store, world) = place.open();
    for _ in 0..TASKS {
        world.queued_task().await;
    }
    store.close().await.unwrap();
    place
}

/// Recovers what was made of the database, and expects that the original is kept and the new one is sound.
fn recovered(place: &Place, content: &[u8]) -> Recovered {
    fs::write(place.db(), content).unwrap();
    let recovered = recover(&place.db(), NOW).unwrap().unwrap();
    assert!(fs::read(&recovered.kept).unwrap() == content, "the damaged one is kept as it was");
    assert_eq!(open_reader(&place.db()).unwrap().unwrap().findings().unwrap(), [""; 0]);
    let kept = recovered.kept.file_name().unwrap().to_str().unwrap();
    assert_eq!(place.names(), ["apex.db", kept], "nothing else is left");
    fs::remove_file(&recovered.kept).unwrap();
    recovered
}

#[tokio::test]
async fn what_is_left_of_a_truncated_database_is_saved() {
    let place = filled().await;
    let sound = fs::read(place.db()).unwrap();
    let pages = sound.len() / 4096;
    assert!(pages > 70, "{pages}");
    assert_eq!(recovered(&place, &sound[..sound.len() - 4096]).had, Some(TASKS));
    assert!(recovered(&place, &sound[..sound.len() - 4096]).tasks >= TASKS - 60);
    let most = recovered(&place, &sound[..(pages * 2 / 3) * 4096 + 1000]).tasks;
    assert!((20..TASKS).contains(&most), "{most}");
}

#[tokio::test]
async fn what_lost_its_environment_is_held() {
    // One that cannot be read, and one that can: `PATH=/tmp` instead of `PATH=/bin`.
    for garble in ["x'05000000'", "x'0400000050415448040000002F746D70'"] {
        let place = Place::new();
        let (store, world) = place.open();
        let id = world.queued_task().await;
        let sql = format!("UPDATE environment SET content = {garble}");
        store.on_writer(move |db| db.execute_batch(&sql).unwrap()).await;
        store.close().await.unwrap();
        let sound = fs::read(place.db()).unwrap();
        let saved = recovered(&place, &sound);
        assert_eq!((saved.tasks, saved.losses.len()), (1, 1), "{:?}", saved.losses);
        let (store, world) = place.open();
        let task = world.task(id).await;
        assert_eq!((task.state, task.reason.as_deref()), (State::Held, Some("its environment was lost")));
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_column_that_lost_its_name_hides_nothing() {
    let place = filled().await;
    let mut content = fs::read(place.db()).unwrap();
    let column = b"names BLOB NOT NULL,\n    content BLOB";
    let at = content.windows(column.len()).position(|found| found == column).unwrap();
    content[at + column.len() - 6] ^= 1;
    assert_eq!(recovered(&place, &content).had, Some(TASKS));
}

/// Returns where the number of a row stands that contains `bytes`: behind its length, in a leaf of a table.
///
/// Source: sqlite.org/fileformat2.html, "B-tree Pages".
fn number_of_row(content: &[u8], number: u64, bytes: &[u8]) -> usize {
    let varint = |at: usize| {
        let size = 1 + content[at..].iter().position(|byte| byte & 0x80 == 0).unwrap();
        (at + size, content[at..at + size].iter().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)))
    };
    let leaves = (4096..content.len()).step_by(4096).filter(|page| content[*page] == 0x0d);
    let cells = leaves.flat_map(|page| {
        let word = move |at: usize| usize::from(u16::from_be_bytes([content[page + at], content[page + at + 1]]));
        (0..word(3)).map(move |cell| page + word(8 + 2 * cell))
    });
    let found = cells.filter_map(|cell| {
        let (at, _) = varint(cell);
        let row = &content[at..at + 200.min(content.len() - at)];
        (varint(at).1 == number && row.windows(bytes.len()).any(|found| found == bytes)).then_some(at)
    });
    let found: Vec<usize> = found.collect();
    assert_eq!(found.len(), 1);
    found[0]
}

#[tokio::test]
async fn a_task_with_the_number_of_another_takes_its_place_from_nobody() {
    let place = filled().await;
    let (store, _) = place.open();
    let tasks = store.tasks(TaskFilter::default()).await.unwrap().tasks;
    store.close().await.unwrap();
    let sound = fs::read(place.db()).unwrap();
    let spoilt = tasks.iter().find(|task| task.id.get() == 150).unwrap();
    let at = number_of_row(&sound, 150, spoilt.uuid.0.as_bytes());
    // 150 is written as 81 16: it becomes 8214, 158 and 146.
    for (at, bit) in [(at, 0x40), (at + 1, 0x08), (at + 1, 0x04)] {
        let mut content = sound.clone();
        content[at] ^= bit;
        assert_eq!(recovered(&place, &content).tasks, TASKS - 1);
        let (store, _) = place.open();
        for task in store.tasks(TaskFilter::default()).await.unwrap().tasks {
            assert!(tasks.iter().any(|known| (known.id, known.uuid) == (task.id, task.uuid)), "{}", task.id);
        }
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_header_that_was_written_over_hides_nothing() {
    let place = filled().await;
    let sound = fs::read(place.db()).unwrap();
    let garbled = |at: usize, bytes: &[u8]| {
        let mut content = sound.clone();
        content[at..at + bytes.len()].copy_from_slice(bytes);
        content
    };
    for (at, bytes) in [
        (0, &[0xA5; 16][..]),
        (0, &[0; 60]),
        (16, &[0x02, 0x00]),
        (18, &[9; 6]),
        (28, &10_000_u32.to_be_bytes()),
        (28, &9_u32.to_be_bytes()),
        (44, &[0xff; 4]),
        (56, &2_u32.to_be_bytes()),
    ] {
        let saved = recovered(&place, &garbled(at, bytes));
        assert_eq!((saved.tasks, saved.had), (TASKS, Some(TASKS)), "{at} {bytes:?}: {:?}", saved.losses);
    }
}

#[tokio::test]
async fn what_was_not_merged_is_read_with_a_header_that_was_written_over() {
    let place = Place::used().await;
    let (store, world) = place.open();
    world.queued_task().await;
    let crashed = place.crashed();
    store.close().await.unwrap();
    let mut content = fs::read(crashed.db()).unwrap();
    content[..16].fill(0);
    fs::write(crashed.db(), content).unwrap();
    let saved = recover(&crashed.db(), NOW).unwrap().unwrap();
    assert_eq!((saved.tasks, saved.had), (4, Some(4)), "{:?}", saved.losses);
}

#[tokio::test]
async fn hooks_go_on_where_it_was_lost_how_far_they_came() {
    let place = Place::new();
    let (store, world) = place.open();
    world.add(|task| task.spec.hooks = [(HookEvent::End, "true".to_owned())].into()).await;
    let sql = "DELETE FROM change; DELETE FROM sqlite_sequence WHERE name = 'change'; DELETE FROM hook;
        INSERT INTO hook (name, cursor, empties) VALUES ('a', 40, 0), ('b', 9223372036854775807, 0)";
    store.on_writer(move |db| db.execute_batch(sql).unwrap()).await;
    store.close().await.unwrap();
    let mut content = fs::read(place.db()).unwrap();
    content[..16].fill(0);
    let losses = recovered(&place, &content).losses;
    assert!(losses.iter().any(|loss| loss.contains("hooks of tasks")), "{losses:?}");
    let (store, world) = place.open();
    let cursors = BTreeMap::from([OF_TASKS, "a"].map(|name| (name.to_owned(), Seq(40))));
    assert_eq!(world.store.hook_cursors().await.unwrap(), cursors);
    world.queued_task().await;
    assert!(world.changes().await.iter().all(|change| change.seq > Seq(40)), "none is numbered as if it had been told");
    store.close().await.unwrap();
}

#[tokio::test]
async fn no_number_is_given_again_of_which_there_is_output() {
    let place = Place::used().await;
    let output = place.dir.path().join("output/2");
    fs::create_dir_all(&output).unwrap();
    fs::write(output.join("2041.1.log"), "of a task that was lost").unwrap();
    fs::write(place.db(), vec![0xA5; 20_000]).unwrap();
    let saved = recover(&place.db(), NOW).unwrap().unwrap();
    assert_eq!(saved.tasks, 0);
    assert!(saved.losses.iter().any(|loss| loss.contains("from 2042 on")), "{:?}", saved.losses);
    let (store, world) = place.open();
    assert_eq!(world.queued_task().await.get(), 2042);
    assert_eq!(store.tasks(TaskFilter::default()).await.unwrap().tasks.len(), 1);
    store.close().await.unwrap();
    open(&place.db(), NOW).unwrap().store.close().await.unwrap();
}
