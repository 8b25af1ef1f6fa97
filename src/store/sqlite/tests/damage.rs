use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::domain::id::Seq;
use crate::domain::resource::Needs;
use crate::domain::schedule::Overlap;
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::store::conformance::resource::pools;
use crate::store::conformance::schedule::{adding, new_schedule};
use crate::store::sqlite::tests::{NOW, Place};
use crate::store::sqlite::{SCHEMA, open, open_reader};
use crate::store::task::{Claim, Terms};
use crate::store::{ChangeStore, Error, ScheduleStore, Store, TaskStore};

/// Spoils a database, and expects that it is refused and left as it was, by the daemon and by a reader.
async fn refused(spoil: impl FnOnce(&Path)) -> Error {
    let place = Place::used().await;
    spoil(&place.db());
    refused_at(&place)
}

fn refused_at(place: &Place) -> Error {
    let before = place.files();
    let error = open(&place.db(), NOW).unwrap_err();
    assert_eq!(place.files().len(), before.len(), "{:?}", place.names());
    assert!(place.files() == before, "a byte was changed");
    error
}

fn patch(path: &Path, at: usize, bytes: &[u8]) {
    let mut content = fs::read(path).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(path, content).unwrap();
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let error = refused(|db| patch(db, 60, &99_u32.to_be_bytes())).await;
    assert!(matches!(error, Error::Newer { found: 99, known: SCHEMA, .. }), "{error:?}");
    assert!(error.to_string().contains("written by a newer apex"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_that_is_still_in_the_write_ahead_log_is_refused() {
    let place = Place::new();
    let (store, world) = place.open();
    world.queued_task().await;
    store.on_writer(|db| db.pragma_update(None, "user_version", 99).unwrap()).await;
    let crashed = place.crashed();
    store.close().await.unwrap();
    let before = crashed.files();
    let error = open(&crashed.db(), NOW).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 99, .. }), "{error:?}");
    let after: Vec<_> = crashed.files().into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect();
    assert!(after == before, "a byte was changed");
}

#[tokio::test]
async fn the_database_of_another_program_is_refused() {
    let error = refused(|db| patch(db, 68, &7_u32.to_be_bytes())).await;
    assert!(matches!(error, Error::Foreign { application_id: 7, .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    for content in [b"notes\n".to_vec(), vec![b'x'; 5_000], b"SQLite format 3\0".to_vec()] {
        let error = refused(|db| fs::write(db, &content).unwrap()).await;
        assert!(matches!(error, Error::NotADatabase { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_truncated_database_is_refused() {
    for pages in [1, 2, 10] {
        let error = refused(|db| {
            let content = fs::read(db).unwrap();
            fs::write(db, &content[..pages * 4096]).unwrap();
        });
        let error = error.await;
        assert!(matches!(error, Error::Damaged { .. }), "{pages}: {error:?}");
    }
}

#[tokio::test]
async fn a_garbled_header_is_refused() {
    let error = refused(|db| patch(db, 100, &[0xff; 64])).await;
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_zeroed_root_page_is_refused_whichever_it_is() {
    let place = Place::used().await;
    let roots = {
        let db = rusqlite::Connection::open(place.db()).unwrap();
        let mut roots = db.prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0").unwrap();
        let roots = roots.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        roots.collect::<Result<Vec<(String, usize)>, _>>().unwrap()
    };
    let sound = fs::read(place.db()).unwrap();
    assert!(roots.len() > 20, "{roots:?}");
    for (name, page) in roots {
        for garbage in [[0; 4096], [0xA5; 4096]] {
            patch(&place.db(), (page - 1) * 4096, &garbage);
            let before = place.files();
            let error = open(&place.db(), NOW).expect_err(&name);
            assert!(matches!(&error, Error::Damaged { what, .. } if what.contains(&name)), "{name}: {error:?}");
            assert!(place.files() == before, "a byte was changed");
            fs::write(place.db(), &sound).unwrap();
        }
    }
    open(&place.db(), NOW).unwrap().store.close().await.unwrap();
}

#[tokio::test]
async fn damage_deep_inside_is_found_by_the_check() {
    let place = Place::used().await;
    let (store, _) = place.open();
    store.check().await.unwrap();
    // A row of the index that has no row in the table.
    let spoil = "PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON;
        CREATE TABLE twin (a INTEGER) STRICT;
        UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'change') WHERE name = 'twin';";
    store.on_writer(move |db| db.execute_batch(spoil).unwrap()).await;
    store.close().await.unwrap();
    let (store, _) = place.open();
    let error = store.check().await.unwrap_err();
    assert!(matches!(&error, Error::Damaged { what, .. } if !what.is_empty()), "{error:?}");
    store.close().await.unwrap();
}

#[tokio::test]
async fn links_and_directories_are_refused() {
    let place = Place::used().await;
    let link = place.dir.path().join("link.db");
    symlink(place.db(), &link).unwrap();
    for path in [&link, &place.dir.path().join("gone.db")] {
        if path != &link {
            symlink("/nowhere/at/all", path).unwrap();
        }
        assert!(matches!(open(path, NOW), Err(Error::NotAFile { .. })));
        assert!(matches!(open_reader(path), Err(Error::NotAFile { .. })));
    }
    let directory = place.dir.path().join("directory.db");
    fs::create_dir(&directory).unwrap();
    assert!(matches!(open(&directory, NOW), Err(Error::NotAFile { .. })));
    let above = place.dir.path().join("above");
    symlink(place.dir.path(), &above).unwrap();
    open(&above.join("apex.db"), NOW).unwrap().store.close().await.unwrap();
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let place = Place::new();
    fs::write(place.db(), "").unwrap();
    let (store, world) = place.open();
    world.queued_task().await;
    store.close().await.unwrap();
    assert_eq!(place.names(), ["apex.db"]);
}

#[tokio::test]
async fn a_write_ahead_log_without_its_database_is_not_destroyed() {
    let place = Place::new();
    let (store, world) = place.open();
    world.queued_task().await;
    let crashed = place.crashed();
    store.close().await.unwrap();
    fs::remove_file(crashed.db()).unwrap();
    let error = refused_at(&crashed);
    assert!(matches!(error, Error::Orphan { .. }), "{error:?}");
}

#[tokio::test]
async fn half_a_database_from_an_interrupted_start_is_no_obstacle() {
    let place = Place::new();
    fs::write(place.dir.path().join("apex.db.new"), "half").unwrap();
    let (store, _) = place.open();
    store.close().await.unwrap();
    assert_eq!(place.names(), ["apex.db"]);
}

#[tokio::test]
async fn one_task_that_cannot_be_read_keeps_no_other_from_ending() {
    let place = Place::new();
    let (store, world) = place.open();
    let cause = world.queued_task().await;
    let damaged = world.add(|task| task.spec.after = vec![cause]).await.id;
    let sound = world.add(|task| task.spec.after = vec![cause]).await.id;
    let spoil = "UPDATE task SET limits = 'nonsense' WHERE id = 2";
    store.on_writer(move |db| db.execute(spoil, []).unwrap()).await;
    assert_eq!(damaged.get(), 2);
    world.run(0).await;
    assert_eq!(world.state(cause).await, State::Succeeded);
    assert_eq!(world.state(sound).await, State::Queued);
    assert!(matches!(store.task(damaged).await, Err(Error::Damaged { .. })));
    assert!(!store.settle(NOW).await.unwrap(), "it is not tried for ever");
    assert_eq!(world.run(0).await.id, sound);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_task_that_cannot_be_read_is_held_and_the_next_one_has_its_turn() {
    let place = Place::new();
    let (store, world) = place.open();
    let damaged = world.queued_task().await;
    let due = world.add(|task| task.spec.run_at = Some(Timestamp(NOW.0 + 60_000))).await.id;
    let sound = world.queued_task().await;
    let spoil = "UPDATE task SET limits = 'nonsense' WHERE id < 3";
    store.on_writer(move |db| db.execute(spoil, []).unwrap()).await;
    assert_eq!(world.claimed().await.task.id, sound);
    assert_eq!(store.due(Timestamp(NOW.0 + 600_000)).await.unwrap().woken, 0);
    let held: Vec<_> = world.changes().await.into_iter().filter(|change| change.to == Some(State::Held)).collect();
    assert_eq!(held.iter().map(|change| change.task).collect::<Vec<_>>(), [Some(damaged), Some(due)]);
    assert_eq!(store.counts().await.unwrap().of(State::Held), 2);
    store.check().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_schedule_that_is_paused_and_due_is_put_aside_and_stands_in_nobodys_way() {
    let place = Place::new();
    let (store, world) = place.open();
    for name in ["a", "b"] {
        store.add_schedule(adding(new_schedule(name, Overlap::Skip), world.now())).await.unwrap();
    }
    store
        .on_writer(|db| {
            db.execute("UPDATE schedule SET paused_at = 1, time_zone = 'Mars' WHERE name = 'a'", []).unwrap()
        })
        .await;
    let late = Timestamp(i64::MAX);
    let due = store.due_schedules(late, 9).await.unwrap();
    assert_eq!(due.iter().map(|schedule| schedule.name.as_str()).collect::<Vec<_>>(), ["b"]);
    let aside = store.schedule("a".to_owned()).await.unwrap().unwrap();
    assert_eq!(
        (aside.next_at, aside.pause.unwrap().reason.as_deref()),
        (None, Some("what is stored about it cannot be read"))
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_change_that_cannot_be_read_keeps_nobody_from_what_comes_after() {
    let place = Place::new();
    let (store, world) = place.open();
    world.queued_task().await;
    world.run(0).await;
    let all = world.changes().await;
    assert_eq!(all.len(), 4);
    for (column, nonsense) in [("kind", "'nonsense'"), ("task", "-1"), ("by", "''")] {
        let spoil = format!("UPDATE change SET {column} = {nonsense} WHERE seq = 2");
        store.on_writer(move |db| db.execute(&spoil, []).unwrap()).await;
        let seqs: Vec<u64> = store.changes(Seq(0), 2).await.unwrap().iter().map(|change| change.seq.0).collect();
        assert_eq!(seqs, [1, 3], "{column}: as many as were asked for");
        assert_eq!(store.changes(Seq(1), 9).await.unwrap(), all[2..]);
    }
    store.on_writer(|db| db.execute("UPDATE change SET kind = 'nonsense' WHERE seq = 4", []).unwrap()).await;
    assert_eq!(store.changes(Seq(3), 9).await.unwrap(), []);
    let next = world.queued_task().await;
    assert_eq!(store.changes(Seq(3), 9).await.unwrap()[0].task, Some(next));
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_an_attempt_holds_that_cannot_be_read_holds_no_other_task_up_and_is_not_granted_twice() {
    let place = Place::new();
    let (store, world) = place.open();
    let claim = async |most: usize| {
        let terms = Terms { pools: pools(), ..Terms::default() };
        store.claim(Claim { terms, ..world.claim_of(most) }).await.unwrap()
    };
    let add = async |needs: &str| world.add(|task| task.spec.needs = Needs::parse(needs).unwrap()).await.id;
    let damaged = add("gpu=1,mem=3B").await;
    let first = claim(1).await.remove(0).attempt;
    assert_eq!(first.granted.to_string(), "gpu=#0,mem=3B");
    store.on_writer(|db| db.execute("UPDATE attempt SET granted = 'nonsense'", []).unwrap()).await;
    assert_eq!(store.holdings().await.unwrap().held, [], "nobody knows");
    assert_eq!(store.in_flight().await.unwrap().len(), 1);
    let (gpu, mem, plain) = (add("gpu=1").await, add("mem=7B").await, world.queued_task().await);
    let claimed: Vec<_> = claim(9).await.into_iter().map(|claimed| claimed.task.id).collect();
    assert_eq!(claimed, [mem, plain], "which piece it has is not known");
    assert_eq!(store.holdings().await.unwrap().held[0].2.to_string(), "gpu=#0+1,mem=3B");
    world.start(first.assignment).await;
    world.finish(first.assignment, world.code(0)).await;
    assert_eq!(world.state(damaged).await, State::Succeeded);
    assert_eq!(claim(9).await[0].task.id, gpu);
    store.close().await.unwrap();
}
