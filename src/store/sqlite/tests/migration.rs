use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::attempt::Stream;
use crate::domain::id::TaskUuid;
use crate::domain::outcome::StopCause;
use crate::domain::resource::Needs;
use crate::domain::task::{OnInterrupt, RetryPolicy};
use crate::domain::time::Timestamp;
use crate::store::conformance::model::dump;
use crate::store::conformance::task::full_task;
use crate::store::conformance::world::World;
use crate::store::memory::Memory;
use crate::store::sqlite::open::open_with;
use crate::store::sqlite::tests::{NOW, Place, mode};
use crate::store::sqlite::{SCHEMA, open, open_reader, schema};
use crate::store::{Error, Store, TaskStore};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema-1.db")
}

/// A life that leaves something in every table. It must stay as it is: the fixture was made by it, except that the first
/// task depended on tasks which did not exist, as was possible then.
async fn life(store: Arc<dyn Store>) -> Arc<dyn Store> {
    let world = World::of(store);
    let mut first = full_task(TaskUuid(uuid::Uuid::from_u128(1)));
    (first.spec.after, first.spec.after_any) = (Vec::new(), Vec::new());
    // There was none then.
    (first.spec.output_limit, first.spec.hooks) = (None, Default::default());
    first.spec.needs = Needs::default();
    world.added(first).await;
    let retry = RetryPolicy { max_attempts: 3, on_interrupt: OnInterrupt::Rerun, ..RetryPolicy::default() };
    for _ in 0..4 {
        world.add(|task| task.spec.retry = retry.clone()).await;
    }
    world.run(0).await;
    world.run(1).await;
    let claim = world.claimed().await.attempt.assignment;
    world.finish(claim, world.stopped(StopCause::Drain)).await;
    world.store.keep_hash(claim, Stream::Merged, [7; 32]).await.unwrap();
    let asked = world.running_task().await;
    world.cancel(&[asked.task.id], Some("wrong branch")).await;
    let waiting = world.add(|task| task.spec.run_at = Some(Timestamp(i64::MAX))).await.id;
    world.cancel(&[waiting], None).await;
    world.claimed().await;
    world.queued_task().await;
    world.store
}

#[tokio::test]
async fn a_database_of_the_first_schema_opens_with_all_that_is_in_it() {
    let place = Place::new();
    fs::copy(fixture(), place.db()).unwrap();
    let opened = open(&place.db(), NOW).unwrap();
    assert_eq!(opened.backup.is_some(), SCHEMA > 1);
    let ours = life(Arc::new(Memory::new())).await;
    let (found, mut expected) = (dump(&*opened.store).await, dump(&*ours).await);
    let dependencies = "after: [TaskId(9), TaskId(2)], after_any: [TaskId(5)]";
    expected[0] = expected[0].replace("after: [], after_any: []", dependencies);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    opened.store.check().await.unwrap();
    opened.store.close().await.unwrap();
}

/// Makes the fixture of the first schema where `APEX_FIXTURES` names a directory for it, else in a temporary one.
#[tokio::test]
async fn the_fixture_can_be_made_again() {
    let place = Place::new();
    let (store, _) = place.open();
    life(Arc::clone(&store) as Arc<dyn Store>).await;
    store.close().await.unwrap();
    assert_eq!(place.names(), ["apex.db"]);
    if let (Some(target), 1) = (std::env::var_os("APEX_FIXTURES"), SCHEMA) {
        fs::copy(place.db(), Path::new(&target).join("schema-1.db")).unwrap();
    }
}

const FIRST: &str = schema::MIGRATIONS[0];
const KNOWN: usize = schema::MIGRATIONS.len();
const TWO_MORE: schema::Migrations = &{
    let mut all = [""; KNOWN + 2];
    let mut at = 0;
    while at < KNOWN {
        all[at] = schema::MIGRATIONS[at];
        at += 1;
    }
    all[KNOWN] = "ALTER TABLE task ADD COLUMN note TEXT; UPDATE task SET note = 'old';";
    all[KNOWN + 1] = "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT; INSERT INTO extra SELECT id FROM task;";
    all
};
const SECOND_BROKEN: schema::Migrations =
    &[FIRST, "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT; UPDATE nowhere SET x = 1;"];

#[tokio::test]
async fn an_older_database_is_copied_and_then_migrated() {
    let place = Place::new();
    fs::copy(fixture(), place.db()).unwrap();
    let opened = open_with(&place.db(), NOW, TWO_MORE, |_| {}).unwrap();
    let backup = opened.backup.clone().unwrap();
    assert!(backup.ends_with("apex.db.backup-1"), "{}", backup.display());
    assert_eq!(mode(&backup), 0o600);
    let migrated = opened.store.on_writer(|db| {
        let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let notes: u32 = db.query_row("SELECT count(*) FROM task WHERE note = 'old'", [], |row| row.get(0)).unwrap();
        let extra: u32 = db.query_row("SELECT count(*) FROM extra", [], |row| row.get(0)).unwrap();
        (version, notes, extra)
    });
    assert_eq!(migrated.await, (SCHEMA + 2, 8, 8));
    let kept = dump(&*opened.store).await;
    opened.store.close().await.unwrap();

    let again = open_with(&place.db(), NOW, TWO_MORE, |_| {}).unwrap();
    assert_eq!(again.backup, None, "once");
    again.store.close().await.unwrap();
    let newer = open(&place.db(), NOW);
    assert!(matches!(newer, Err(Error::Newer { found, known: SCHEMA, .. }) if found == SCHEMA + 2), "{newer:?}");
    assert!(matches!(open_reader(&place.db()), Err(Error::Newer { .. })));

    let before = open(&backup, NOW).unwrap();
    assert_eq!(dump(&*before.store).await, kept, "the copy is a whole database of the old schema");
    before.store.close().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_database_as_it_was() {
    let place = Place::new();
    fs::copy(fixture(), place.db()).unwrap();
    for further in ["", ".1"] {
        let error = open_with(&place.db(), NOW, SECOND_BROKEN, |_| {}).unwrap_err();
        assert!(matches!(error, Error::Sqlite { operation: "migrate", .. }), "{error:?}");
        assert!(place.dir.path().join(format!("apex.db.backup-1{further}")).exists());
    }
    let opened = open(&place.db(), NOW).unwrap();
    assert_eq!(opened.store.counts().await.unwrap().by_state.values().sum::<u64>(), 8);
    let extra = opened.store.on_writer(|db| db.query_row("SELECT 1 FROM extra", [], |_| Ok(())).is_ok());
    assert!(!extra.await);
    opened.store.close().await.unwrap();
}

#[tokio::test]
async fn a_new_database_goes_through_every_migration() {
    let place = Place::new();
    let opened = open_with(&place.db(), NOW, TWO_MORE, |_| {}).unwrap();
    assert_eq!(opened.backup, None);
    let world = World::of(Arc::clone(&opened.store) as Arc<dyn Store>);
    world.queued_task().await;
    assert_eq!(opened.store.counts().await.unwrap().by_state.len(), 1);
    opened.store.close().await.unwrap();
}
