//! The promises about what people ask for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::change::ChangeKind;
use crate::domain::id::{Seq, TaskId};
use crate::domain::outcome::{ReasonCode, StopCause};
use crate::domain::task::{NewTask, RetryPolicy, State};
use crate::domain::time::{Moment, Timestamp};
use crate::store::conformance::world::{BY, World};
use crate::store::task::{Cancel, Expire, Pause, Refused, Steer, TaskFilter};

fn unknown() -> TaskId {
    TaskId::new(99).unwrap()
}

fn steer(world: &World, ids: &[TaskId]) -> Steer {
    Steer { ids: ids.to_vec(), only: None, by: BY, now: world.now() }
}

pub(crate) async fn whatever_waits_is_held_and_goes_back_where_it_was(world: &World) {
    let queued = world.queued_task().await;
    let scheduled = world.add(|task| task.spec.run_at = Some(Timestamp(i64::MAX))).await.id;
    let blocked = world.add(|task| task.spec.after = vec![queued]).await.id;
    let retry = RetryPolicy { max_attempts: 2, delay: Duration::from_secs(9), ..RetryPolicy::default() };
    let retrying = |task: &mut NewTask| {
        task.spec.priority = 1;
        task.spec.retry = retry;
    };
    let retrying = world.add(retrying).await.id;
    world.run(1).await;
    let all = [queued, scheduled, blocked, retrying];
    let held = world.store.hold(steer(world, &all)).await.unwrap();
    assert!(held.iter().all(|(_, answer)| *answer == Ok(())), "{held:?}");
    let again = world.store.hold(steer(world, &[queued])).await.unwrap();
    assert_eq!(again, [(queued, Ok(()))]);
    assert_eq!(world.changes().await.iter().filter(|change| change.kind == ChangeKind::Held).count(), 4);
    for id in all {
        assert_eq!((world.state(id).await, world.task(id).await.reason), (State::Held, None));
    }
    assert_eq!(world.claim(9).await, []);
    world.store.release(steer(world, &all)).await.unwrap();
    let mut states = Vec::new();
    for id in all {
        states.push(world.state(id).await);
    }
    assert_eq!(states, [State::Queued, State::Scheduled, State::Blocked, State::Retrying]);
}

pub(crate) async fn what_runs_or_has_ended_is_not_held(world: &World) {
    let running = world.running_task().await.task.id;
    let ended = world.queued_task().await;
    world.run(0).await;
    let answers = world.store.hold(steer(world, &[running, unknown(), ended])).await.unwrap();
    assert!(matches!(&answers[0].1, Err(Refused::State(task)) if task.state == State::Running));
    assert_eq!(answers[1].1, Err(Refused::NotFound));
    assert!(matches!(&answers[2].1, Err(Refused::State(task)) if task.state == State::Succeeded));
}

pub(crate) async fn a_pause_is_recorded_with_the_time_it_took(world: &World) {
    let claim = world.running_task().await;
    let (id, assignment) = (claim.task.id, claim.attempt.assignment);
    let pause = |at| Pause { ids: vec![id], only: None, by: BY, now: world.now(), at: Moment(at) };
    assert_eq!(world.store.pause(pause(1_000)).await.unwrap(), [(id, Ok(assignment))]);
    assert_eq!(world.store.pause(pause(2_000)).await.unwrap(), [(id, Ok(assignment))], "it stands still already");
    let task = world.task(id).await;
    assert_eq!((task.state, task.attempts[0].state), (State::Paused, State::Paused));
    assert_eq!(task.attempts[0].paused_at, Some(Moment(1_000)));
    assert_eq!(world.store.resume(pause(1_700)).await.unwrap(), [(id, Ok(assignment))]);
    world.store.pause(pause(5_000)).await.unwrap();
    world.store.resume(pause(5_300)).await.unwrap();
    let task = world.task(id).await;
    assert_eq!((task.state, task.attempts[0].state), (State::Running, State::Running));
    assert_eq!((task.attempts[0].paused_at, task.attempts[0].paused_for), (None, Duration::from_millis(1_000)));
    let refused = world.store.resume(pause(6_000)).await.unwrap();
    assert!(matches!(&refused[0].1, Err(Refused::State(task)) if task.state == State::Running));
    world.store.pause(pause(7_000)).await.unwrap();
    let ended = world.finish(assignment, world.stopped(StopCause::Cancel)).await.task;
    assert_eq!((ended.state, world.task(id).await.attempts[0].paused_at), (State::Cancelled, None));
    let refused = world.store.pause(pause(8_000)).await.unwrap();
    assert!(matches!(&refused[0].1, Err(Refused::State(task)) if task.state == State::Cancelled));
}

pub(crate) async fn a_paused_task_keeps_its_slot(world: &World) {
    let claim = world.running_task().await;
    let pause = Pause { ids: vec![claim.task.id], only: None, by: BY, now: world.now(), at: Moment(5) };
    world.store.pause(pause).await.unwrap();
    world.queued_task().await;
    assert_eq!(world.claimed().await.attempt.slot, 1);
}

pub(crate) async fn what_has_ended_begins_anew_counted_afresh(world: &World) {
    let retry = RetryPolicy { max_attempts: 2, delay: Duration::ZERO, ..RetryPolicy::default() };
    let id = world.add(|task| task.spec.retry = retry).await.id;
    world.run(1).await;
    world.store.due(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(world.run(1).await.state, State::Failed);
    assert_eq!(world.retry(&[id]).await, [(id, Ok(()))]);
    let task = world.task(id).await;
    assert_eq!((task.state, task.attempt, task.failures), (State::Queued, 2, 0));
    assert_eq!((task.ended_at, task.reason_code, task.spec.run_at), (None, None, None));
    assert_eq!(world.run(1).await.state, State::Retrying, "it may fail once again");
    world.store.due(Timestamp(i64::MAX)).await.unwrap();
    let task = world.run(0).await;
    assert_eq!((task.state, task.attempt, task.failures), (State::Succeeded, 4, 1));
    let numbers: Vec<u32> = world.task(id).await.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

pub(crate) async fn a_cancelled_task_can_be_retried_and_forgets_the_cancel(world: &World) {
    let late = world.add(|task| task.spec.run_at = Some(Timestamp(i64::MAX))).await.id;
    world.cancel(&[late], Some("not now")).await;
    world.retry(&[late]).await;
    let task = world.task(late).await;
    assert_eq!((task.state, task.cancel_requested_at, task.reason), (State::Scheduled, None, None));
    world.store.due(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(world.run(0).await.state, State::Succeeded);
}

pub(crate) async fn what_has_not_ended_or_would_be_skipped_is_not_retried(world: &World) {
    let build = world.queued_task().await;
    let test = world.add(|task| task.spec.after = vec![build]).await.id;
    let refused = world.retry(&[build, unknown()]).await;
    assert!(matches!(&refused[0].1, Err(Refused::State(task)) if task.state == State::Queued));
    assert_eq!(refused[1].1, Err(Refused::NotFound));
    world.run(1).await;
    assert_eq!(world.retry(&[test]).await, [(test, Err(Refused::Dependency(build)))]);
    assert_eq!(world.state(test).await, State::Skipped);
}

pub(crate) async fn what_fails_with_its_cause_is_retried_with_it_in_any_order(world: &World) {
    let cause = world.queued_task().await;
    let id = world.add(|task| task.spec.after = vec![cause]).await.id;
    world.run(0).await;
    world.run(1).await;
    for order in [[cause, id], [id, cause]] {
        world.retry(&[cause]).await;
        world.run(1).await;
        let answers = world.retry(&order).await;
        assert_eq!(answers, order.map(|id| (id, Ok(()))));
        assert_eq!((world.state(cause).await, world.state(id).await), (State::Queued, State::Blocked));
        world.run(0).await;
        assert_eq!(world.run(1).await.id, id);
    }
}

pub(crate) async fn a_retried_task_has_no_end_and_no_start(world: &World) {
    let id = world.queued_task().await;
    world.run(1).await;
    world.retry(&[id]).await;
    let task = world.task(id).await;
    assert_eq!((task.started_at, task.ended_at, task.exit), (None, None, None));
    assert!(task.attempts[0].exit.is_some(), "the attempt keeps it");
}

pub(crate) async fn a_release_skips_what_waits_for_a_task_that_has_failed_since(world: &World) {
    let cause = world.queued_task().await;
    let id = world.add(|task| task.spec.after = vec![cause]).await.id;
    world.run(0).await;
    assert_eq!(world.state(id).await, State::Queued);
    world.store.hold(steer(world, &[id])).await.unwrap();
    world.retry(&[cause]).await;
    world.run(1).await;
    world.store.release(steer(world, &[id])).await.unwrap();
    assert_eq!(world.state(id).await, State::Skipped);
}

pub(crate) async fn a_removed_task_is_gone_with_all_it_had(world: &World) {
    let shared = world.queued_task().await;
    let own = world.add(|task| task.env.0.push(("OWN".into(), "planted".into()))).await;
    world.run(0).await;
    world.run(0).await;
    let uuid = own.uuid;
    let answers = world.store.remove(steer(world, &[own.id, unknown()])).await.unwrap();
    assert_eq!(answers, [(own.id, Ok(())), (unknown(), Err(Refused::NotFound))]);
    assert_eq!(world.store.task(own.id).await.unwrap(), None);
    assert_eq!(world.store.environment(own.id).await.unwrap(), None);
    assert!(world.store.environment(shared).await.unwrap().is_some());
    let counts = world.store.counts().await.unwrap();
    assert_eq!((counts.of(State::Succeeded), counts.processed), (1, 2), "it was there");
    let last = world.changes().await.pop().unwrap();
    assert_eq!(
        (last.kind, last.task, last.from, last.to),
        (ChangeKind::Removed, Some(own.id), Some(State::Succeeded), None)
    );
    let again = world.add(|task| task.uuid = uuid).await.id;
    assert_eq!(again.get(), 3, "no number is used again");
}

pub(crate) async fn files_of_removed_tasks_are_told_until_they_are_deleted(world: &World) {
    let id = world.queued_task().await;
    world.run(0).await;
    assert!(world.store.litter(None, 9).await.unwrap().is_empty());
    world.store.remove(steer(world, &[id])).await.unwrap();
    let litter = world.store.litter(None, 9).await.unwrap();
    assert_eq!(litter, [PathBuf::from("output/0/1.1.log")]);
    assert!(world.store.litter(None, 0).await.unwrap().is_empty());
    assert!(world.store.litter(Some(litter[0].clone()), 9).await.unwrap().is_empty(), "nothing comes after it");
    assert_eq!(world.store.litter(Some("output/0/1".into()), 9).await.unwrap(), litter);
    world.store.tidied(litter).await.unwrap();
    assert!(world.store.litter(None, 9).await.unwrap().is_empty());
}

pub(crate) async fn what_has_not_ended_or_is_waited_for_is_not_removed(world: &World) {
    let failed = world.queued_task().await;
    world.run(1).await;
    let waiting = world.queued_task().await;
    let blocked = world.add(|task| task.spec.after = vec![waiting]).await.id;
    let remove = async |id| world.store.remove(steer(world, &[id])).await.unwrap().remove(0).1;
    assert!(matches!(remove(waiting).await, Err(Refused::State(task)) if task.state == State::Queued));
    world.store.hold(steer(world, &[blocked])).await.unwrap();
    world.run(0).await;
    assert_eq!(remove(waiting).await, Err(Refused::Needed(blocked)));
    world.store.release(steer(world, &[blocked])).await.unwrap();
    assert_eq!(remove(waiting).await, Ok(()), "nothing waits for it any more");
    assert_eq!(world.run(0).await.id, blocked);
    assert_eq!(remove(failed).await, Ok(()));
    let removal = world.changes().await.pop().unwrap();
    assert_eq!(
        (removal.kind, removal.task, removal.queue.as_deref()),
        (ChangeKind::Removed, Some(failed), Some("default"))
    );
    let skipped = world.add(|task| task.spec.priority = 0).await.id;
    assert_eq!(skipped.get(), 4);
    assert_eq!(world.task(blocked).await.spec.after, [waiting], "what it was is still told");
}

pub(crate) async fn a_skipped_task_whose_cause_is_gone_stays_skipped(world: &World) {
    let build = world.queued_task().await;
    let test = world.add(|task| task.spec.after = vec![build]).await.id;
    world.run(1).await;
    world.store.remove(steer(world, &[build])).await.unwrap();
    assert_eq!(world.retry(&[test]).await, [(test, Err(Refused::Forgotten(build)))]);
    let task = world.task(test).await;
    assert_eq!((task.state, task.reason_code), (State::Skipped, Some(ReasonCode::Dependency)));
}

pub(crate) async fn what_ended_long_ago_is_forgotten_with_what_was_recorded(world: &World) {
    for _ in 0..300 {
        let id = world.queued_task().await;
        world.cancel(&[id], None).await;
    }
    let needed = world.queued_task().await;
    let waiting = world.add(|task| (task.spec.after, task.hold) = (vec![needed], true)).await.id;
    let ended = world.run(0).await.ended_at.unwrap();
    let counts = world.store.counts().await.unwrap();
    let last = *world.store.watch().borrow();
    let expire = async |until| world.store.expire(Expire { until, now: world.now() }).await.unwrap();

    let nothing = expire(Timestamp(0)).await;
    assert_eq!((nothing.tasks, nothing.changes, nothing.more), (0, 0, false));
    let oldest = nothing.oldest.unwrap();
    assert!(oldest < ended, "what comes next is known");
    let until = world.now();
    let mut pieces = Vec::new();
    loop {
        let piece = expire(until).await;
        pieces.push(piece.tasks);
        if !piece.more {
            assert!(piece.oldest.is_some_and(|left| left > oldest));
            break;
        }
    }
    assert_eq!(pieces.iter().sum::<usize>(), 300, "{pieces:?}");
    assert!(pieces.iter().all(|piece| *piece <= 128), "in pieces: {pieces:?}");
    let (left, _) = world.list(TaskFilter::default()).await;
    assert_eq!(left, [needed.get(), waiting.get()], "what is waited for stays");
    let after = world.store.counts().await.unwrap();
    assert_eq!((after.processed, after.succeeded), (counts.processed, counts.succeeded), "since the project began");
    let changes = world.changes().await;
    assert!(changes.iter().all(|change| change.seq > last && change.kind == ChangeKind::Removed), "{changes:?}");
    assert_eq!(world.store.oldest().await.unwrap(), changes.first().map(|change| change.seq));

    world.cancel(&[waiting], None).await;
    let until = world.now();
    while expire(until).await.more {}
    assert!(world.list(TaskFilter::default()).await.0.is_empty());
    let until = world.now();
    while expire(until).await.more {}
    assert_eq!(world.store.oldest().await.unwrap(), None, "nothing is left");
    let told = *world.store.watch().borrow();
    world.queued_task().await;
    assert_eq!(world.store.oldest().await.unwrap(), Some(Seq(told.0 + 1)), "and numbers go on");
}

pub(crate) async fn what_is_not_what_was_meant_is_left_as_it_is(world: &World) {
    let (one, other) = (world.queued_task().await, world.add(|task| task.spec.name = Some("x".to_owned())).await.id);
    let only = |filter: TaskFilter| Some(Arc::new(filter));
    let named = TaskFilter { name: Some("x".to_owned()), ..TaskFilter::default() };
    let queued = TaskFilter { states: vec![State::Queued], ..TaskFilter::default() };
    let hold = Steer { only: only(named.clone()), ..steer(world, &[one, other]) };
    assert_eq!(world.store.hold(hold).await.unwrap(), [(one, Err(Refused::NotMeant)), (other, Ok(()))]);
    assert_eq!((world.state(one).await, world.state(other).await), (State::Queued, State::Held));
    let held = TaskFilter { states: vec![State::Held], ..named };
    let release = Steer { only: only(queued.clone()), ..steer(world, &[other, unknown()]) };
    let refused = [(other, Err(Refused::NotMeant)), (unknown(), Err(Refused::NotFound))];
    assert_eq!(world.store.release(release).await.unwrap(), refused);
    let cancel = Cancel { ids: vec![one, other], only: only(held), reason: None, by: BY, now: world.now() };
    let answers = world.store.cancel(cancel).await.unwrap();
    assert_eq!((&answers[0].1, answers[1].1.is_ok()), (&Err(Refused::NotMeant), true));
    for retry in [true, false] {
        let steer = Steer { only: only(queued.clone()), ..steer(world, &[other]) };
        let answers = if retry { world.store.retry(steer).await } else { world.store.remove(steer).await };
        assert_eq!(answers.unwrap(), [(other, Err(Refused::NotMeant))]);
    }
    let claim = world.claimed().await;
    world.start(claim.attempt.assignment).await;
    let pause = Pause { ids: vec![one], only: only(queued), by: BY, now: world.now(), at: Moment(1) };
    assert_eq!(world.store.pause(pause).await.unwrap(), [(one, Err(Refused::NotMeant))]);
}
