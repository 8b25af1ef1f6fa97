//! The promises about what waits: for its time, for other tasks, for somebody to accept the project.

use std::time::Duration;

use crate::domain::change::ChangeKind;
use crate::domain::id::TaskId;
use crate::domain::outcome::{ReasonCode, StopCause};
use crate::domain::task::{NewTask, RetryPolicy, State, Task};
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::conformance::world::{BY, OWNER, World};
use crate::store::task::{Add, Due, Renew, Steer};

fn after(ids: &[TaskId]) -> impl FnOnce(&mut NewTask) {
    let ids = ids.to_vec();
    move |task| task.spec.after = ids
}

async fn due(world: &World, now: i64) -> Due {
    world.store.due(Timestamp(now)).await.unwrap()
}

pub(crate) async fn what_is_due_becomes_ready_and_the_next_time_is_told(world: &World) {
    let at = |at| move |task: &mut NewTask| task.spec.run_at = Some(Timestamp(at));
    let (early, late) = (i64::MAX - 10, i64::MAX - 5);
    let second = world.add(at(late)).await.id;
    let first = world.add(at(early)).await.id;
    assert_eq!(due(world, early - 1).await, Due { woken: 0, next: Some(Timestamp(early)), schedule: None });
    assert_eq!(world.claim(9).await, []);
    assert_eq!(due(world, early).await, Due { woken: 1, next: Some(Timestamp(late)), schedule: None });
    assert_eq!((world.state(first).await, world.state(second).await), (State::Queued, State::Scheduled));
    assert_eq!(due(world, i64::MAX).await, Due { woken: 1, next: None, schedule: None });
    assert_eq!(world.claim(9).await.len(), 2);
}

pub(crate) async fn a_further_attempt_is_due_like_anything_else(world: &World) {
    let retry = RetryPolicy { max_attempts: 2, delay: Duration::from_secs(60), ..RetryPolicy::default() };
    let id = world.add(|task| task.spec.retry = retry).await.id;
    world.run(1).await;
    let at = world.task(id).await.spec.run_at.unwrap();
    assert_eq!(due(world, at.0 - 1).await, Due { woken: 0, next: Some(at), schedule: None });
    assert_eq!(due(world, at.0).await, Due { woken: 1, next: None, schedule: None });
    let task = world.run(0).await;
    assert_eq!((task.state, task.attempt, task.failures), (State::Succeeded, 2, 1));
}

pub(crate) async fn a_task_is_ready_when_all_it_depends_on_has_succeeded(world: &World) {
    let first = world.queued_task().await;
    let second = world.queued_task().await;
    let both = world.add(after(&[first, second])).await;
    assert_eq!((both.state, &both.spec.after), (State::Blocked, &vec![first, second]));
    world.run(0).await;
    assert_eq!(world.state(both.id).await, State::Blocked);
    world.run(0).await;
    assert_eq!(world.state(both.id).await, State::Queued);
    let last = world.changes().await.pop().unwrap();
    assert_eq!((last.kind, last.task), (ChangeKind::Unblocked, Some(both.id)));
    let at_once = world.add(after(&[first])).await;
    assert_eq!(at_once.state, State::Queued, "it has succeeded already");
}

pub(crate) async fn what_depends_on_a_failure_is_skipped_down_the_chain(world: &World) {
    let build = world.queued_task().await;
    let test = world.add(after(&[build])).await.id;
    let package = world.add(after(&[test])).await.id;
    let report = world.add(|task| task.spec.after_any = vec![test]).await.id;
    world.run(3).await;
    let task = world.task(test).await;
    assert_eq!((task.state, task.reason_code), (State::Skipped, Some(ReasonCode::Dependency)));
    assert_eq!(task.reason.as_deref(), Some("task 1 failed"));
    assert_eq!((task.attempt, task.ended_at.is_some()), (0, true));
    let task = world.task(package).await;
    assert_eq!((task.state, task.reason.as_deref()), (State::Skipped, Some("task 2 was skipped")));
    assert_eq!(world.state(report).await, State::Queued, "however it ended");
    let at_once = world.add(after(&[test])).await;
    assert_eq!((at_once.state, at_once.reason.as_deref()), (State::Skipped, Some("task 2 was skipped")));
    assert_eq!(world.store.counts().await.unwrap().processed, 4);
}

pub(crate) async fn what_was_skipped_waits_again_when_its_cause_is_retried(world: &World) {
    let build = world.queued_task().await;
    let test = world.add(after(&[build])).await.id;
    let package = world.add(after(&[test])).await.id;
    world.run(1).await;
    assert_eq!(world.retry(&[build]).await, [(build, Ok(()))]);
    assert_eq!((world.state(test).await, world.state(package).await), (State::Blocked, State::Blocked));
    let task = world.task(test).await;
    assert_eq!((task.reason_code, task.reason, task.ended_at), (None, None, None));
    for id in [build, test, package] {
        let ran = world.run(0).await;
        assert_eq!((ran.id, ran.state), (id, State::Succeeded));
    }
}

pub(crate) async fn what_has_two_causes_stays_skipped_until_both_are_retried(world: &World) {
    let causes = [world.queued_task().await, world.queued_task().await];
    let skipped = world.add(after(&causes)).await.id;
    world.run(1).await;
    world.run(1).await;
    world.retry(&causes[..1]).await;
    assert_eq!(world.state(skipped).await, State::Skipped);
    world.retry(&causes[1..]).await;
    assert_eq!(world.state(skipped).await, State::Blocked);
}

pub(crate) async fn what_is_held_is_skipped_when_it_is_released(world: &World) {
    let build = world.queued_task().await;
    let held = |task: &mut NewTask| {
        task.hold = true;
        task.spec.after = vec![build];
    };
    let id = world.add(held).await.id;
    let cancelled = world.add(after(&[build])).await.id;
    world.cancel(&[cancelled], None).await;
    world.run(1).await;
    let late = world.add(held).await.id;
    let states = [world.state(id).await, world.state(late).await, world.state(cancelled).await];
    assert_eq!(states, [State::Held, State::Held, State::Cancelled]);
    world.retry(&[build]).await;
    assert_eq!(world.state(id).await, State::Held, "a hold outlives what it depends on");
    world.run(1).await;
    let release = Steer { ids: vec![id, late], only: None, by: BY, now: world.now() };
    world.store.release(release).await.unwrap();
    assert_eq!((world.state(id).await, world.state(late).await), (State::Skipped, State::Skipped));
    assert_eq!(world.task(id).await.reason.as_deref(), Some("task 1 failed"));
}

pub(crate) async fn a_cancel_before_the_start_is_told_to_those_that_depend_on_it(world: &World) {
    let cause = world.queued_task().await;
    let claimed = world.claim(1).await;
    let skipped = world.add(after(&[cause])).await.id;
    let goes_on = world.add(|task| task.spec.after_any = vec![cause]).await.id;
    world.cancel(&[cause], None).await;
    world.store.unclaim(world.unclaim(claimed[0].attempt.assignment)).await.unwrap();
    assert_eq!(world.state(cause).await, State::Cancelled);
    assert_eq!((world.state(skipped).await, world.state(goes_on).await), (State::Skipped, State::Queued));
}

pub(crate) async fn a_cancel_is_a_failure_for_those_that_depend_on_it(world: &World) {
    let waiting = world.queued_task().await;
    let first = world.add(after(&[waiting])).await.id;
    world.cancel(&[waiting], None).await;
    assert_eq!(world.task(first).await.reason.as_deref(), Some("task 1 was cancelled"));
    let claim = world.running_task().await;
    let second = world.add(after(&[claim.task.id])).await.id;
    world.cancel(&[claim.task.id], None).await;
    assert_eq!(world.state(second).await, State::Blocked, "it has not ended yet");
    world.finish(claim.attempt.assignment, world.stopped(StopCause::Cancel)).await;
    assert_eq!(world.state(second).await, State::Skipped);
}

pub(crate) async fn a_task_can_only_depend_on_one_that_is_there(world: &World) {
    world.queued_task().await;
    for on in [2, 99] {
        let mut task = world.new_task();
        after(&[TaskId::new(on).unwrap()])(&mut task);
        let add = Add { task, by: BY, now: world.now(), untrusted: false };
        let refused = world.store.add(add).await;
        assert!(matches!(refused, Err(Error::NoSuchTask(id)) if id.get() == on), "not even on itself: {refused:?}");
    }
    assert_eq!(world.queued_task().await.get(), 2);
}

pub(crate) async fn a_dependency_and_a_time_are_both_waited_for(world: &World) {
    let first = world.queued_task().await;
    let both = |task: &mut NewTask| {
        task.spec.after = vec![first];
        task.spec.run_at = Some(Timestamp(i64::MAX));
    };
    let both = world.add(both).await.id;
    assert_eq!(due(world, i64::MAX).await.next, None, "it does not wait for its time yet");
    world.run(0).await;
    assert_eq!(world.state(both).await, State::Scheduled);
    due(world, i64::MAX).await;
    assert_eq!(world.state(both).await, State::Queued);
}

pub(crate) async fn many_dependants_are_told_in_pieces(world: &World) {
    let build = world.queued_task().await;
    for _ in 0..600 {
        world.add(after(&[build])).await;
    }
    let last = world.add(after(&[TaskId::new(601).unwrap()])).await.id;
    let claim = world.claimed().await.attempt.assignment;
    let finished = world.finish(claim, world.code(1)).await;
    assert!(finished.unsettled);
    let skipped = async || world.store.counts().await.unwrap().of(State::Skipped);
    let mut told = skipped().await;
    assert!(told > 0 && told < 600, "{told}");
    let mut pieces = 0;
    while world.store.settle(world.now()).await.unwrap() {
        let now = skipped().await;
        assert!(now > told);
        (told, pieces) = (now, pieces + 1);
    }
    assert!(pieces > 0);
    assert_eq!((skipped().await, world.state(last).await), (601, State::Skipped));
    assert!(!world.store.settle(world.now()).await.unwrap(), "nothing is left");

    // And all of it backwards, while the first pieces are on their way.
    world.retry(&[build]).await;
    while world.store.settle(world.now()).await.unwrap() {}
    assert_eq!(world.store.counts().await.unwrap().of(State::Blocked), 601);
}

pub(crate) async fn a_cause_that_changes_while_it_is_told_is_told_as_it_stands_last(world: &World) {
    let build = world.queued_task().await;
    for _ in 0..600 {
        world.add(after(&[build])).await;
    }
    let claim = world.claimed().await.attempt.assignment;
    assert!(world.finish(claim, world.code(1)).await.unsettled);
    world.retry(&[build]).await;
    world.run(0).await;
    while world.store.settle(world.now()).await.unwrap() {}
    assert_eq!(world.store.counts().await.unwrap().of(State::Queued), 600);
}

pub(crate) async fn nothing_of_an_untrusted_project_is_ready(world: &World) {
    let queued = world.queued_task().await;
    let waits = world.add(after(&[queued])).await.id;
    let by_hand = world.add(|task| task.hold = true).await.id;
    assert_eq!(world.store.distrust(world.now()).await.unwrap(), 2);
    assert_eq!(world.store.distrust(world.now()).await.unwrap(), 0, "once");
    let task = world.task(queued).await;
    assert_eq!((task.state, task.reason_code), (State::Held, Some(ReasonCode::Untrusted)));
    let add = Add { task: world.new_task(), by: BY, now: world.now(), untrusted: true };
    let added = world.store.add(add).await.unwrap().task;
    assert_eq!((added.state, added.reason_code), (State::Held, Some(ReasonCode::Untrusted)));
    let kept =
        world.store.add(Add { task: world.new_task(), by: BY, now: world.now(), untrusted: true }).await.unwrap();
    let hold = Steer { ids: vec![kept.task.id], only: None, by: BY, now: world.now() };
    world.store.hold(hold).await.unwrap();
    assert_eq!(world.claim(9).await, []);
    assert_eq!(world.store.trust(world.now()).await.unwrap(), 3);
    let states = [queued, waits, by_hand, added.id, kept.task.id];
    let mut stand = Vec::new();
    for id in states {
        stand.push((world.state(id).await, world.task(id).await.reason_code));
    }
    assert_eq!(
        stand.iter().map(|(state, _)| *state).collect::<Vec<_>>(),
        [State::Queued, State::Blocked, State::Held, State::Queued, State::Held]
    );
    assert!(stand.iter().all(|(_, code)| code.is_none()));
}

pub(crate) async fn claims_are_renewed_by_their_owner_and_expire_for_others(world: &World) {
    let claim = world.running_task().await;
    let lease = claim.attempt.lease_until;
    let renew = |owner, now, until| Renew { owner, now: Timestamp(now), lease_until: Timestamp(until) };
    let other = crate::domain::identity::GuardianId(uuid::Uuid::from_u128(9));
    let expired = async |renew| world.store.renew(renew).await.unwrap();
    assert_eq!(expired(renew(other, lease.0, lease.0 + 5)).await, []);
    let found = expired(renew(other, lease.0 + 1, lease.0 + 5)).await;
    assert_eq!(found.iter().map(|flight| flight.task.id).collect::<Vec<_>>(), [claim.task.id]);
    assert_eq!(expired(renew(OWNER, lease.0 + 1, lease.0 + 500)).await, []);
    assert_eq!(expired(renew(other, lease.0 + 1, lease.0 + 5)).await, []);
    let renewed: Task = world.task(claim.task.id).await;
    assert_eq!(renewed.attempts[0].lease_until, Timestamp(lease.0 + 500));
}

pub(crate) async fn many_tasks_are_accepted_in_pieces(world: &World) {
    for _ in 0..300 {
        world.queued_task().await;
    }
    let all = async |trust: bool| {
        let now = world.now();
        let mut pieces = Vec::new();
        loop {
            let changed = if trust { world.store.trust(now).await } else { world.store.distrust(now).await };
            pieces.push(changed.unwrap());
            if pieces.ends_with(&[0]) {
                return pieces;
            }
        }
    };
    assert_eq!(all(false).await, [256, 44, 0]);
    assert_eq!(world.store.counts().await.unwrap().of(State::Held), 300);
    assert_eq!(all(true).await, [256, 44, 0]);
    assert_eq!(world.store.counts().await.unwrap().of(State::Queued), 300);
}
