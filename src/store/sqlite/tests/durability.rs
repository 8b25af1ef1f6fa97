use std::os::unix::fs::PermissionsExt;

use crate::domain::error::ErrorKind;
use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::store::conformance::world::BY;
use crate::store::sqlite::open;
use crate::store::sqlite::tests::{NOW, Place, mode};
use crate::store::task::Add;
use crate::store::{ChangeStore, Error, Store, TaskStore};

#[tokio::test]
async fn every_commit_is_synced() {
    let (store, _) = Place::new().open();
    let pragmas = store
        .on_writer(|db| {
            let pragma =
                |name| db.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
            ["journal_mode", "synchronous", "foreign_keys", "trusted_schema", "secure_delete", "cell_size_check"]
                .map(pragma)
        })
        .await;
    let shown = pragmas.map(|value| match value {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    });
    assert_eq!(shown, ["wal", "2", "1", "0", "1", "1"]);
}

#[tokio::test]
async fn what_was_answered_survives_a_crash_the_next_instant() {
    let place = Place::new();
    let (store, world) = place.open();
    let ran = world.queued_task().await;
    world.run(3).await;
    let last = world.add(|task| task.spec.name = Some("last".to_owned())).await;
    let crashed = place.crashed();
    store.close().await.unwrap();

    let opened = open(&crashed.db(), NOW).unwrap();
    assert!(opened.unclean);
    opened.store.check().await.unwrap();
    assert_eq!(opened.store.task(last.id).await.unwrap(), Some(last));
    assert_eq!(opened.store.task(ran).await.unwrap().unwrap().state, State::Failed);
    opened.store.close().await.unwrap();
    assert!(!open(&crashed.db(), NOW).unwrap().unclean, "it was closed");
}

#[tokio::test]
async fn a_close_leaves_the_database_alone() {
    let place = Place::used().await;
    assert_eq!(place.names(), ["apex.db"]);
    let opened = open(&place.db(), NOW).unwrap();
    assert!(!opened.unclean && opened.backup.is_none());
    assert_eq!(opened.store.tasks(Default::default()).await.unwrap().tasks.len(), 3);
    assert_eq!(opened.store.watch().borrow().0, 6, "the feed goes on where it ended");
    opened.store.close().await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_dropped_closes_too() {
    let place = Place::new();
    let (store, world) = place.open();
    world.queued_task().await;
    let mut closed = store.closed.clone();
    drop((store, world));
    // The writer says that it has closed, or is gone with its end of the channel right after.
    let _ = closed.changed().await;
    assert_eq!(place.names(), ["apex.db"]);
}

#[tokio::test]
async fn only_the_last_to_open_may_write() {
    let place = Place::new();
    let (old, old_world) = place.open();
    let id = old_world.queued_task().await;
    let (new, new_world) = place.open();
    let add = Add { task: old_world.new_task(), by: BY, now: NOW, untrusted: false };
    assert!(matches!(old.add(add).await, Err(Error::Fenced)));
    let end = old_world.end(old_world.assignment(), old_world.code(0));
    assert!(matches!(old.finish(end).await, Err(Error::Fenced)));
    assert_eq!(old.task(id).await.unwrap().map(|task| task.id), Some(id), "it may read");
    assert_eq!(new_world.claimed().await.task.id, id);
    old.close().await.unwrap();
    new_world.queued_task().await;
    new.close().await.unwrap();
}

#[tokio::test]
async fn nobody_else_may_read_the_database() {
    let place = Place::new();
    let (store, world) = place.open();
    world.queued_task().await;
    for name in place.names() {
        assert_eq!(mode(&place.dir.path().join(&name)), 0o600, "{name}");
    }
    store.close().await.unwrap();
    std::fs::set_permissions(place.db(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (store, _) = place.open();
    assert_eq!(mode(&place.db()), 0o600);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_new_work_and_keeps_what_is_there() {
    let place = Place::new();
    let (store, world) = place.open();
    let claim = world.running_task().await;
    let full = |db: &mut rusqlite::Connection| {
        let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        db.pragma_query_value(None, "max_page_count", |_| Ok(())).unwrap();
        db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    store.on_writer(full).await;
    let mut added = Vec::new();
    let refused = loop {
        let mut task = world.new_task();
        task.env.0.push((format!("V{}", added.len()).into(), "x".repeat(3_000).into()));
        match store.add(Add { task, by: BY, now: NOW, untrusted: false }).await {
            Ok(answer) => added.push(answer.task),
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, Error::Full { path, .. } if path.ends_with("apex.db")), "{refused:?}");
    assert_eq!(refused.kind(), ErrorKind::Exhausted);
    let seen = store.watch().borrow().0;
    assert_eq!(seen, u64::try_from(added.len()).unwrap() + 3, "what was undone was told to nobody");

    let unlimited = |db: &mut rusqlite::Connection| {
        db.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
    };
    store.on_writer(unlimited).await;
    let next = world.queued_task().await;
    assert_eq!(next.get(), u64::try_from(added.len()).unwrap() + 2, "a refused add used no number");
    for task in added {
        assert_eq!(store.task(task.id).await.unwrap(), Some(task));
    }
    assert!(world.finish(claim.attempt.assignment, world.code(0)).await.recorded);
    store.check().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_environment_is_stored_once_and_nowhere_else() {
    let place = Place::new();
    let (store, world) = place.open();
    for _ in 0..3 {
        world.add(|task| task.env.0.push(("TOKEN".into(), "planted-secret".into()))).await;
        world.run(1).await;
    }
    world.add(|task| task.env.0.push(("TOKEN".into(), "other".into()))).await;
    let found = store
        .on_writer(|db| {
            let mut tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
            let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            let mut found = Vec::new();
            for table in tables {
                let mut rows = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
                let columns = rows.column_count();
                let mut rows = rows.query([]).unwrap();
                while let Some(row) = rows.next().unwrap() {
                    for column in 0..columns {
                        let value = row.get_ref(column).unwrap();
                        let bytes = value.as_bytes().unwrap_or_default();
                        if bytes.windows(14).any(|window| window == b"planted-secret") {
                            found.push((table.clone(), row.as_ref().column_name(column).unwrap().to_owned()));
                        }
                    }
                }
            }
            found
        })
        .await;
    assert_eq!(found, [("environment".to_owned(), "content".to_owned())]);
    let rows = store.on_writer(|db| db.query_row("SELECT count(*) FROM environment", [], |row| row.get::<_, i64>(0)));
    assert_eq!(rows.await.unwrap(), 2);
    let shown = format!("{:?}", store.task(TaskId::new(1).unwrap()).await.unwrap());
    assert!(shown.contains("TOKEN") && !shown.contains("planted-secret"));
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_write_ahead_log_stays_within_bounds() {
    let place = Place::new();
    let (store, world) = place.open();
    store.on_writer(|db| db.execute_batch("PRAGMA synchronous = OFF").unwrap()).await;
    for _ in 0..60 {
        // 400 kB each: 24 MB altogether.
        let mut task = world.new_task();
        task.env.0.push(("BIG".into(), "x".repeat(400_000).into()));
        task.env.0.push(("N".into(), task.uuid.to_string().into()));
        world.added(task).await;
    }
    let bytes = std::fs::metadata(place.dir.path().join("apex.db-wal")).unwrap().len();
    assert!(bytes < 8 << 20, "{bytes} bytes");
    store.close().await.unwrap();
}
