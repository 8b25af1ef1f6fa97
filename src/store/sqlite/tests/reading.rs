use std::fs;

use crate::domain::id::{Seq, TaskId};
use crate::store::sqlite::tests::Place;
use crate::store::sqlite::{Reader, open_reader};
use crate::store::task::TaskFilter;
use crate::store::{Error, Store, TaskStore};

fn ids(reader: &mut Reader) -> Vec<u64> {
    let page = reader.tasks(&TaskFilter::default()).unwrap();
    page.tasks.iter().map(|task| task.id.get()).collect()
}

#[test]
fn where_there_is_no_database_none_is_made() {
    let place = Place::new();
    assert!(open_reader(&place.db()).unwrap().is_none());
    assert!(open_reader(&place.dir.path().join("nowhere/apex.db")).unwrap().is_none());
    fs::write(place.db(), "").unwrap();
    assert!(open_reader(&place.db()).unwrap().is_none());
    assert_eq!(place.files(), [("apex.db".to_owned(), Vec::new())]);
}

#[tokio::test]
async fn after_a_stop_everything_is_read_and_nothing_left_behind() {
    let place = Place::used().await;
    let before = place.files();
    let mut reader = open_reader(&place.db()).unwrap().unwrap();
    assert_eq!(ids(&mut reader), [1, 2, 3]);
    assert_eq!(reader.task(TaskId::new(1).unwrap()).unwrap().unwrap().attempts.len(), 1);
    assert_eq!(reader.counts().unwrap().processed, 1);
    assert_eq!(reader.last_seq().unwrap(), Seq(6));
    assert_eq!(reader.changes(Seq(4), 9).unwrap().len(), 2);
    assert!(place.files() == before);
    drop(reader);
    assert!(place.files() == before);
}

#[tokio::test]
async fn after_a_crash_what_was_not_merged_is_read_too() {
    let place = Place::new();
    let (store, world) = place.open();
    world.queued_task().await;
    let crashed = place.crashed();
    store.close().await.unwrap();
    let before = crashed.files();
    let mut reader = open_reader(&crashed.db()).unwrap().unwrap();
    assert_eq!(ids(&mut reader), [1]);
    drop(reader);
    let after: Vec<_> = crashed.files().into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect();
    assert!(after == before, "a reader writes nothing");
}

#[tokio::test]
async fn a_daemon_that_runs_is_not_disturbed() {
    let place = Place::new();
    let (store, world) = place.open();
    world.queued_task().await;
    let mut reader = open_reader(&place.db()).unwrap().unwrap();
    assert_eq!(ids(&mut reader), [1]);
    world.queued_task().await;
    assert_eq!(ids(&mut reader), [1, 2]);
    drop(reader);
    world.queued_task().await;
    store.close().await.unwrap();
    assert_eq!(place.names(), ["apex.db"]);
}

#[tokio::test]
async fn a_daemon_that_starts_meanwhile_is_noticed() {
    let place = Place::used().await;
    let mut reader = open_reader(&place.db()).unwrap().unwrap();
    assert_eq!(ids(&mut reader).len(), 3);
    let (store, world) = place.open();
    world.queued_task().await;
    assert_eq!(ids(&mut reader).len(), 4);
    store.close().await.unwrap();
    let mut reader = open_reader(&place.db()).unwrap().unwrap();
    let (store, world) = place.open();
    world.queued_task().await;
    store.close().await.unwrap();
    assert_eq!(ids(&mut reader).len(), 5, "started and stopped between two looks");
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let place = Place::used().await;
    let mut reader = open_reader(&place.db()).unwrap().unwrap();
    assert!(reader.read(|db| db.execute("DELETE FROM task", [])).is_err());
}

#[tokio::test]
async fn a_long_read_is_broken_off_by_closing() {
    let place = Place::new();
    let (store, _) = place.open();
    let (started, running) = tokio::sync::oneshot::channel();
    let endless = store.read(move |db| {
        started.send(()).unwrap();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        db.query_row(endless, [], |row| row.get::<_, i64>(0))
    });
    let close = async {
        running.await.unwrap();
        store.close().await
    };
    let (answer, closed) = tokio::join!(endless, close);
    assert!(matches!(answer, Err(Error::Closed)), "{answer:?}");
    closed.unwrap();
    assert!(matches!(store.counts().await, Err(Error::Closed)));
}
