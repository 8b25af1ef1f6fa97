//! The promises about the feed of changes.

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::id::Seq;
use crate::domain::outcome::StopCause;
use crate::domain::task::State;
use crate::store::Error;
use crate::store::conformance::world::{BY, World};
use crate::store::task::{Steer, TaskFilter};

pub(crate) async fn every_verb_appends_its_changes(world: &World) {
    let held = world.add(|task| task.hold = true).await.id;
    world.store.release(Steer { ids: vec![held], only: None, by: BY, now: world.now() }).await.unwrap();
    let claim = world.claimed().await.attempt.assignment;
    world.store.unclaim(world.unclaim(claim)).await.unwrap();
    let claim = world.claimed().await.attempt.assignment;
    world.start(claim).await;
    world.cancel(&[held], Some("wrong branch")).await;
    world.finish(claim, world.stopped(StopCause::Cancel)).await;
    let waiting = world.queued_task().await;
    world.cancel(&[waiting], None).await;

    use ChangeKind as Did;
    use State::{Held, Queued, Running, Starting};
    let changes = world.changes().await;
    let told: Vec<_> = changes.iter().map(|change| (change.kind, change.from, change.to, change.attempt)).collect();
    assert_eq!(
        told,
        [
            (Did::Added, None, Some(Held), None),
            (Did::Released, Some(Held), Some(Queued), None),
            (Did::Claimed, Some(Queued), Some(Starting), Some(1)),
            (Did::Unclaimed, Some(Starting), Some(Queued), Some(1)),
            (Did::Claimed, Some(Queued), Some(Starting), Some(1)),
            (Did::Started, Some(Starting), Some(Running), Some(1)),
            (Did::CancelRequested, Some(Running), Some(Running), Some(1)),
            (Did::Ended, Some(Running), Some(State::Cancelled), Some(1)),
            (Did::Added, None, Some(Queued), None),
            (Did::Cancelled, Some(Queued), Some(State::Cancelled), None),
        ]
    );
    let asked = &changes[6];
    assert_eq!((asked.by.clone(), asked.reason.as_deref()), (BY, Some("wrong branch")));
    assert_eq!((changes[7].by.clone(), changes[7].reason.as_deref()), (Actor::Daemon, Some("wrong branch")));
    assert_eq!(changes[3].reason.as_deref(), Some("no descriptors left"));
    let numbers: Vec<u64> = changes.iter().map(|change| change.seq.0).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<u64>>());
}

pub(crate) async fn a_verb_that_changes_nothing_appends_nothing(world: &World) {
    let task = world.new_task();
    world.added(task.clone()).await;
    world.added(task).await;
    let claim = world.claimed().await;
    assert_eq!(world.claim(3).await, []);
    let assignment = claim.attempt.assignment;
    world.start(assignment).await;
    world.start(assignment).await;
    world.cancel(&[claim.task.id], None).await;
    world.cancel(&[claim.task.id], Some("again")).await;
    world.finish(assignment, world.code(0)).await;
    world.finish(assignment, world.code(1)).await;
    world.cancel(&[claim.task.id], None).await;
    assert_eq!(world.changes().await.len(), 5, "added, claimed, started, cancel requested, ended");
}

pub(crate) async fn changes_are_read_from_a_cursor(world: &World) {
    for _ in 0..5 {
        world.queued_task().await;
    }
    let from = async |since, limit| {
        let changes = world.store.changes(Seq(since), limit).await.unwrap();
        changes.iter().map(|change| change.seq.0).collect::<Vec<u64>>()
    };
    assert_eq!(from(0, 2).await, [1, 2]);
    assert_eq!(from(2, 2).await, [3, 4]);
    assert_eq!(from(4, 2).await, [5]);
    assert_eq!(from(5, 2).await, [0; 0]);
    assert_eq!(from(u64::MAX, usize::MAX).await, [0; 0]);
}

pub(crate) async fn watchers_see_the_last_change(world: &World) {
    let mut watch = world.store.watch();
    assert_eq!(*watch.borrow_and_update(), Seq(0));
    let id = world.queued_task().await;
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow_and_update(), Seq(1));
    world.store.task(id).await.unwrap();
    assert!(!watch.has_changed().unwrap(), "reading changes nothing");
    world.cancel(&[id], None).await;
    assert_eq!(*watch.borrow_and_update(), Seq(2), "what was answered was told");
}

pub(crate) async fn a_closed_store_does_nothing(world: &World) {
    let id = world.queued_task().await;
    world.store.close().await.unwrap();
    world.store.close().await.unwrap();
    assert!(matches!(world.store.task(id).await, Err(Error::Closed)));
    assert!(matches!(world.store.tasks(TaskFilter::default()).await, Err(Error::Closed)));
    let add = crate::store::task::Add { task: world.new_task(), by: BY, now: world.now(), untrusted: false };
    assert!(matches!(world.store.add(add).await, Err(Error::Closed)));
}
