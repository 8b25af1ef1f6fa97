use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use crate::domain::id::AssignmentId;
use crate::store::conformance::world::BY;
use crate::store::sqlite::tests::{NOW, Place};
use crate::store::task::{Add, Step, Stepped};
use crate::store::{ChangeStore, Error, Store, TaskStore};

/// Keeps the writer busy until the sender is dropped, so that what comes meanwhile waits together.
async fn held_up(store: &crate::store::sqlite::Sqlite) -> std::sync::mpsc::Sender<()> {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (here, arrived) = tokio::sync::oneshot::channel();
    let look = Box::new(move |_: &mut rusqlite::Connection| {
        here.send(()).unwrap();
        let _ = wait.recv();
    });
    store.writes.send(crate::store::sqlite::writer::Message::Probe(look)).await.ok().unwrap();
    arrived.await.unwrap();
    go
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let place = Place::new();
    let (store, world) = place.open();
    let before = store.commits.load(Ordering::Relaxed);
    let go = held_up(&store).await;
    let mut adds = JoinSet::new();
    for _ in 0..500 {
        let (store, task) = (Arc::clone(&store), world.new_task());
        adds.spawn(async move { store.add(Add { task, by: BY, now: NOW, untrusted: false }).await.unwrap().task.id });
    }
    // All of them are in the queue once the runtime has nothing else to do.
    while store.writes.capacity() > crate::store::sqlite::WAITING_MAX - 500 {
        tokio::task::yield_now().await;
    }
    drop(go);
    let mut ids: Vec<_> = adds.join_all().await;
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 500);
    let commits = store.commits.load(Ordering::Relaxed) - before;
    assert_eq!(commits, 2, "256 and the rest");
    store.close().await.unwrap();
}

#[tokio::test]
async fn one_that_is_refused_leaves_the_others_alone() {
    let place = Place::new();
    let (store, world) = place.open();
    let go = held_up(&store).await;
    let stale = AssignmentId(uuid::Uuid::nil());
    let mut wrong = world.new_task();
    wrong.spec.queue = "gpu".to_owned();
    let first = Add { task: world.new_task(), by: BY, now: NOW, untrusted: false };
    let second = Add { task: wrong, by: BY, now: NOW, untrusted: false };
    let third = Add { task: world.new_task(), by: BY, now: NOW, untrusted: false };
    let together = async {
        tokio::join!(
            store.add(first),
            store.add(second),
            store.unclaim(world.unclaim(stale)),
            store.add(third),
            async {
                drop(go);
            }
        )
    };
    let (first, second, unclaim, third, ()) = together.await;
    assert!(matches!(second, Err(Error::NoSuchQueue(_))));
    assert!(matches!(unclaim, Err(Error::Stale(_))));
    assert_eq!((first.unwrap().task.id.get(), third.unwrap().task.id.get()), (1, 2));
    assert_eq!(world.changes().await.len(), 2);
    store.close().await.unwrap();
}

#[tokio::test]
async fn one_that_fails_half_way_is_undone_alone() {
    let place = Place::new();
    let (store, world) = place.open();
    // The task itself is stored when this happens.
    let spoil = "CREATE TRIGGER spoil BEFORE INSERT ON label BEGIN SELECT RAISE(ABORT, 'spoilt'); END";
    store.on_writer(move |db| db.execute_batch(spoil).unwrap()).await;
    let go = held_up(&store).await;
    let mut spoilt = world.new_task();
    spoilt.spec.labels.insert("team".to_owned(), "x".to_owned());
    let add = |task| store.add(Add { task, by: BY, now: NOW, untrusted: false });
    let (first, spoilt, last) = (add(world.new_task()), add(spoilt), add(world.new_task()));
    let (first, spoilt, last, ()) = tokio::join!(first, spoilt, last, async { drop(go) });
    assert!(matches!(spoilt, Err(Error::Sqlite { .. })), "{spoilt:?}");
    assert_eq!((first.unwrap().task.id.get(), last.unwrap().task.id.get()), (1, 2));
    assert_eq!((world.changes().await.len(), store.watch().borrow().0), (2, 2));
    store.close().await.unwrap();
}

#[tokio::test]
async fn steps_are_committed_together() {
    let place = Place::new();
    let (store, world) = place.open();
    for _ in 0..3 {
        world.queued_task().await;
    }
    let claimed = world.claim(2).await;
    let before = store.commits.load(Ordering::Relaxed);
    let steps = vec![
        Step::Start(world.start_of(claimed[0].attempt.assignment)),
        Step::Unclaim(world.unclaim(claimed[1].attempt.assignment)),
        Step::Start(world.start_of(AssignmentId(uuid::Uuid::nil()))),
        Step::Claim(world.claim_of(5)),
    ];
    let stepped = store.steps(steps).await;
    assert_eq!(store.commits.load(Ordering::Relaxed) - before, 1);
    assert!(matches!(&stepped[3], Stepped::Claimed(Ok(claimed)) if claimed.len() == 2), "{stepped:?}");
    store.close().await.unwrap();
    let stepped = store.steps(vec![Step::Claim(world.claim_of(5))]).await;
    assert!(matches!(&stepped[..], [Stepped::Claimed(Err(Error::Closed))]), "{stepped:?}");
}

#[tokio::test]
async fn a_commit_that_fails_undoes_all_and_tells_everybody() {
    let place = Place::new();
    let (store, world) = place.open();
    world.queued_task().await;
    // A reference that is only looked at by COMMIT makes it fail.
    let spoil = "CREATE TABLE pledge (task INTEGER REFERENCES task (id) DEFERRABLE INITIALLY DEFERRED) STRICT;
        CREATE TRIGGER spoil AFTER INSERT ON task WHEN new.name = 'spoilt' BEGIN INSERT INTO pledge VALUES (9999); END";
    store.on_writer(move |db| db.execute_batch(spoil).unwrap()).await;
    let go = held_up(&store).await;
    let mut spoilt = world.new_task();
    spoilt.spec.name = Some("spoilt".to_owned());
    let good = Add { task: world.new_task(), by: BY, now: NOW, untrusted: false };
    let bad = Add { task: spoilt, by: BY, now: NOW, untrusted: false };
    let (good, bad, ()) = tokio::join!(store.add(good), store.add(bad), async { drop(go) });
    assert!(matches!((good, bad), (Err(Error::Sqlite { .. }), Err(Error::Sqlite { .. }))));
    assert_eq!(store.tasks(Default::default()).await.unwrap().tasks.len(), 1);
    assert_eq!((world.changes().await.len(), store.watch().borrow().0), (1, 1));
    assert_eq!(world.queued_task().await.get(), 2, "the next one is stored, and no number is missing");
    store.close().await.unwrap();
}

#[tokio::test]
async fn closing_does_what_waits_first() {
    let place = Place::new();
    let (store, world) = place.open();
    let go = held_up(&store).await;
    let add = Add { task: world.new_task(), by: BY, now: NOW, untrusted: false };
    let (added, closed, ()) = tokio::join!(store.add(add), store.close(), async { drop(go) });
    closed.unwrap();
    assert!(added.unwrap().created);
    assert_eq!(place.names(), ["apex.db"]);
    let (store, world) = place.open();
    assert_eq!(world.claim(2).await.len(), 1);
    store.close().await.unwrap();
}
