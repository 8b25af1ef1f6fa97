//! The promises about tasks.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::attempt::Stream;
use crate::domain::hook::HookEvent;
use crate::domain::id::{AssignmentId, TaskId, TaskUuid};
use crate::domain::outcome::{ExitStatus, Outcome, ReasonCode, StopCause};
use crate::domain::queue::POSITION_STEP;
use crate::domain::resource::Needs;
use crate::domain::task::{
    Backoff, Environment, Limit, NewTask, OnInterrupt, Resource, RetryPolicy, State, Stdin, Task, TaskSpec,
};
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::conformance::world::{BOOT, BY, OWNER, World};
use crate::store::queue::SetQueue;
use crate::store::task::{Add, Cancelled, Counts, Refused, Start, Steer, Step, Stepped, TaskFilter};

/// Everything there is to give, nothing at its default, and no string that is text.
pub(crate) fn full_task(uuid: TaskUuid) -> NewTask {
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    NewTask {
        uuid,
        spec: TaskSpec {
            argv: vec![bytes(b"/bin/\xff"), bytes(b""), bytes(b"a\nb")],
            shell: false,
            cwd: bytes(b"/home/\xfe").into(),
            name: Some("nightly".to_owned()),
            labels: [("team".to_owned(), "x".to_owned()), ("bare".to_owned(), String::new())].into(),
            queue: "default".to_owned(),
            priority: -3,
            umask: 0o027,
            limits: vec![
                Limit { resource: Resource::Nofile, soft: Some(u64::MAX) },
                Limit { resource: Resource::Core, soft: None },
            ],
            stdin: Stdin::File(bytes(b"/in/\xfd").into()),
            split_output: true,
            retry: RetryPolicy {
                max_attempts: 4,
                delay: Duration::from_millis(1_500),
                backoff: Backoff::Fixed,
                max_delay: Duration::from_secs(60),
                on_codes: vec![75, 3],
                on_interrupt: OnInterrupt::Rerun,
            },
            timeout: Some(Duration::from_secs(3_600)),
            output_limit: Some(10 << 20),
            kill_signal: Some(2),
            kill_grace: Some(Duration::from_millis(250)),
            key: Some("nightly-build".to_owned()),
            run_at: Some(Timestamp(i64::MAX)),
            after: vec![TaskId::new(9).unwrap(), TaskId::new(2).unwrap()],
            after_any: vec![TaskId::new(5).unwrap()],
            hooks: [(HookEvent::Start, "echo a\nb".to_owned()), (HookEvent::Failure, "./tell.sh".to_owned())].into(),
            needs: Needs::parse("gpu=2,mem=3GiB").unwrap(),
        },
        env: Environment(vec![("Z".into(), "1".into()), (bytes(b"\xffA"), bytes(b"\xfb")), ("A".into(), "".into())]),
        hold: true,
        parent: TaskId::new(77),
    }
}

pub(crate) async fn an_added_task_is_there_as_it_was_given(world: &World) {
    // Those that it depends on.
    for _ in 0..9 {
        world.queued_task().await;
    }
    for stdin in
        [None, Some(Stdin::Upload(Uuid::from_u128(5))), Some(Stdin::Open), Some(Stdin::Terminal), Some(Stdin::Empty)]
    {
        let mut new = full_task(world.new_task().uuid);
        new.spec.stdin = stdin.unwrap_or(new.spec.stdin);
        // While one has a key, no other one can.
        new.spec.key = new.spec.key.map(|key| format!("{key}-{}", new.uuid));
        let now = world.now();
        let added = world.store.add(Add { task: new.clone(), by: BY, now, untrusted: false }).await.unwrap();
        assert!(added.created);
        let task = world.task(added.task.id).await;
        assert_eq!(task, added.task);
        assert_eq!(task.spec, new.spec);
        assert_eq!((task.uuid, task.parent, task.state), (new.uuid, new.parent, State::Held));
        assert_eq!((task.created_at, task.updated_at), (now, now));
        assert_eq!(task.env_names[..], ["Z", "\u{fffd}A", "A"]);
        assert_eq!(world.store.environment(task.id).await.unwrap(), Some(new.env));
    }
    let unknown = TaskId::new(99).unwrap();
    assert_eq!(world.store.task(unknown).await.unwrap(), None);
    assert_eq!(world.store.environment(unknown).await.unwrap(), None);
}

pub(crate) async fn what_a_task_waits_for_decides_its_first_state(world: &World) {
    assert_eq!(world.add(|_| ()).await.state, State::Queued);
    assert_eq!(world.add(|task| task.hold = true).await.state, State::Held);
    assert_eq!(world.add(|task| task.spec.run_at = Some(Timestamp(i64::MAX))).await.state, State::Scheduled);
    assert_eq!(world.add(|task| task.spec.after = vec![TaskId::new(1).unwrap()]).await.state, State::Blocked);
    assert_eq!(world.claim(9).await.len(), 1, "only what is queued is ready");
}

pub(crate) async fn adding_twice_adds_once(world: &World) {
    let task = world.new_task();
    let first = world.added(task.clone()).await;
    world.run(0).await;
    let mut other = task;
    other.spec.name = Some("changed".to_owned());
    let second = world.added(other).await;
    assert!(first.created && !second.created);
    assert_eq!(second.task, world.task(first.task.id).await, "it is told as it stands, with its attempts");
    assert_eq!((second.task.attempts.len(), second.task.spec.name), (1, None));
    assert_eq!(world.list(TaskFilter::default()).await.0.len(), 1);
}

pub(crate) async fn while_a_task_has_a_key_no_other_one_is_added_with_it(world: &World) {
    let keyed = |key: &str| {
        let mut task = world.new_task();
        task.spec.key = Some(key.to_owned());
        task
    };
    let first = world.added(keyed("nightly")).await;
    assert!(first.created);
    let again = world.added(keyed("nightly")).await;
    assert_eq!((again.created, &again.task), (false, &first.task), "it is the answer, unchanged");
    assert!(world.added(keyed("Nightly")).await.created, "another key");
    assert!(world.added(world.new_task()).await.created, "no key");
    let claim = world.claimed().await.attempt.assignment;
    world.start(claim).await;
    let again = world.added(keyed("nightly")).await;
    assert_eq!((again.created, again.task.state), (false, State::Running));
    world.finish(claim, world.code(1)).await;

    let next = world.added(keyed("nightly")).await;
    assert!(next.created, "the first one has ended");
    world.retry(&[first.task.id]).await;
    let again = world.added(keyed("nightly")).await;
    assert_eq!((again.created, again.task.id), (false, first.task.id), "of two, the oldest");
    let mut unknown = keyed("nightly");
    unknown.spec.queue = "gpu".to_owned();
    assert!(!world.added(unknown).await.created, "nothing is asked of what is not added");
}

pub(crate) async fn an_unknown_queue_is_refused(world: &World) {
    let mut task = world.new_task();
    task.spec.queue = "gpu".to_owned();
    let refused = world.store.add(Add { task, by: BY, now: world.now(), untrusted: false }).await.unwrap_err();
    assert!(matches!(&refused, Error::NoSuchQueue(queue) if queue == "gpu"), "{refused:?}");
    assert_eq!(world.queued_task().await.get(), 1, "a refused add uses no number");
}

pub(crate) async fn ids_and_positions_ascend(world: &World) {
    for id in 1..=3 {
        let task = world.add(|_| ()).await;
        assert_eq!((task.id.get(), task.position), (id, i64::try_from(id).unwrap() * POSITION_STEP));
    }
}

pub(crate) async fn claims_go_by_priority_then_position(world: &World) {
    for priority in [0, 5, -1, 5, i32::MAX] {
        world.add(|task| task.spec.priority = priority).await;
    }
    let order: Vec<u64> = world.claim(9).await.iter().map(|claimed| claimed.task.id.get()).collect();
    assert_eq!(order, [5, 2, 4, 1, 3]);
}

pub(crate) async fn a_claim_takes_at_most_as_many_as_it_has_names_for(world: &World) {
    for _ in 0..3 {
        world.queued_task().await;
    }
    assert_eq!(world.claim(0).await, []);
    assert_eq!(world.claim(2).await.len(), 2);
    assert_eq!(world.claim(2).await.len(), 1);
    assert_eq!(world.claim(2).await, []);
}

pub(crate) async fn a_claim_takes_less_as_long_as_attempts_have_not_ended(world: &World) {
    for _ in 0..6 {
        world.queued_task().await;
    }
    let running: Vec<AssignmentId> = world.claim(2).await.iter().map(|claimed| claimed.attempt.assignment).collect();
    let claim = |most| {
        let mut claim = world.claim_of(most);
        claim.after.clone_from(&running);
        // One that nobody knows holds nothing up.
        claim.after.push(AssignmentId(Uuid::nil()));
        claim
    };
    let count = async |claim| world.store.claim(claim).await.unwrap().len();
    assert_eq!(count(claim(1)).await, 0);
    assert_eq!(count(claim(3)).await, 1);
    world.finish(running[0], world.code(0)).await;
    assert_eq!(count(claim(2)).await, 1);
    let together = vec![Step::Finish(Box::new(world.end(running[1], world.code(0)))), Step::Claim(claim(1))];
    let stepped = world.store.steps(together).await;
    assert!(matches!(&stepped[1], Stepped::Claimed(Ok(claimed)) if claimed.len() == 1), "{stepped:?}");
}

pub(crate) async fn slots_are_the_lowest_that_are_free(world: &World) {
    for _ in 0..5 {
        world.queued_task().await;
    }
    let first = world.claim(3).await;
    assert_eq!(first.iter().map(|claimed| claimed.task.slot).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    world.finish(first[1].attempt.assignment, world.code(0)).await;
    let more = world.claim(2).await;
    assert_eq!(more.iter().map(|claimed| claimed.attempt.slot).collect::<Vec<_>>(), [1, 3]);
}

pub(crate) async fn a_claimed_task_carries_its_environment(world: &World) {
    let task = world.add(|task| task.env.0.push(("SECRET".into(), "planted".into()))).await;
    let claimed = world.claimed().await;
    assert_eq!(Some(&*claimed.env), world.store.environment(task.id).await.unwrap().as_ref());
    assert_eq!(claimed.env.0.len(), 2);
    assert_eq!((claimed.task.state, claimed.task.attempt, claimed.task.slot), (State::Starting, 1, Some(0)));
    let attempt = &claimed.attempt;
    assert_eq!((attempt.number, attempt.owner, attempt.state, attempt.slot), (1, OWNER, State::Starting, 0));
    assert_eq!(Timestamp(attempt.claimed_at.0 + 60_000), attempt.lease_until);
    assert_eq!(world.task(task.id).await.attempts, [claimed.attempt]);
}

pub(crate) async fn a_start_is_recorded_once(world: &World) {
    world.queued_task().await;
    let claim = world.claimed().await;
    let assignment = claim.attempt.assignment;
    let start = Start { assignment, identity: world.process(assignment), at: Timestamp(5) };
    world.store.start(start.clone()).await.unwrap();
    world.store.start(Start { at: Timestamp(9), ..start.clone() }).await.unwrap();
    let task = world.task(claim.task.id).await;
    assert_eq!((task.state, task.started_at, task.updated_at), (State::Running, Some(Timestamp(5)), Timestamp(5)));
    let attempt = &task.attempts[0];
    assert_eq!((attempt.state, attempt.identity), (State::Running, Some(start.identity)));
    assert_eq!(attempt.started_at, Some(Timestamp(5)));
    world.finish(assignment, world.code(0)).await;
    assert!(matches!(world.store.start(start).await, Err(Error::Stale(stale)) if stale == assignment));
}

pub(crate) async fn a_claim_that_was_given_back_is_no_attempt(world: &World) {
    let id = world.queued_task().await;
    let before = world.task(id).await;
    let claim = world.claimed().await.attempt.assignment;
    world.store.unclaim(world.unclaim(claim)).await.unwrap();
    let after = world.task(id).await;
    assert_eq!(after, Task { updated_at: after.updated_at, ..before });
    assert!(matches!(world.store.unclaim(world.unclaim(claim)).await, Err(Error::Stale(_))));
    assert_eq!(world.claimed().await.attempt.number, 1);
}

pub(crate) async fn a_claim_that_was_given_back_leaves_the_last_attempt_as_it_was(world: &World) {
    let retry = RetryPolicy { on_interrupt: OnInterrupt::Rerun, ..RetryPolicy::default() };
    let id = world.add(|task| task.spec.retry = retry).await.id;
    let claim = world.claimed().await.attempt.assignment;
    world.start(claim).await;
    let before = world.finish(claim, world.stopped(StopCause::Drain)).await.task;
    assert_eq!((before.state, before.reason_code), (State::Queued, Some(ReasonCode::Drain)));
    let claimed = world.claimed().await;
    assert_eq!((claimed.task.reason_code, claimed.task.exit, claimed.task.started_at), (None, None, None));
    world.store.unclaim(world.unclaim(claimed.attempt.assignment)).await.unwrap();
    let after = world.task(id).await;
    assert_eq!(Task { attempts: Vec::new(), updated_at: before.updated_at, ..after }, before);
}

pub(crate) async fn an_end_is_recorded_once(world: &World) {
    let claim = world.running_task().await;
    let assignment = claim.attempt.assignment;
    let end = world.end(assignment, world.code(3));
    let first = world.store.finish(end.clone()).await.unwrap();
    assert!(first.recorded);
    let second = world.finish(assignment, world.code(0)).await;
    assert_eq!((second.recorded, &second.task), (false, &first.task));
    let task = world.task(claim.task.id).await;
    assert_eq!((task.state, task.failures, task.attempt), (State::Failed, 1, 1));
    assert_eq!((task.reason_code, task.reason.as_deref()), (Some(ReasonCode::Exit), Some("exit code 3")));
    assert_eq!((task.exit, task.ended_at), (Some(ExitStatus::Code(3)), Some(end.outcome.ended_at)));
    let attempt = &task.attempts[0];
    assert_eq!((attempt.state, attempt.exit, attempt.usage), (State::Failed, end.outcome.exit, end.outcome.usage));
    assert_eq!((&attempt.outputs, attempt.reason.as_deref()), (&end.outputs, Some("exit code 3")));
    assert_eq!(world.claim(1).await, [], "it does not run again");
}

pub(crate) async fn an_end_without_a_start_records_the_process(world: &World) {
    let id = world.queued_task().await;
    let claim = world.claimed().await.attempt.assignment;
    let started = Some((world.process(claim), Timestamp(8)));
    let end = world.end(claim, world.code(0));
    world.store.finish(crate::store::task::Finish { started, ..end }).await.unwrap();
    let task = world.task(id).await;
    assert_eq!((task.state, task.started_at), (State::Succeeded, Some(Timestamp(8))));
    assert_eq!(task.attempts[0].identity, Some(world.process(claim)));
    assert_eq!(task.attempts[0].started_at, Some(Timestamp(8)));
}

pub(crate) async fn a_failed_task_is_tried_again_until_its_attempts_are_used_up(world: &World) {
    let retry = RetryPolicy { max_attempts: 2, delay: Duration::from_secs(8), ..RetryPolicy::default() };
    let id = world.add(|task| task.spec.retry = retry).await.id;
    let claim = world.claimed().await.attempt.assignment;
    world.start(claim).await;
    let mut end = world.end(claim, world.code(1));
    end.jitter = 0.75;
    let task = world.store.finish(end.clone()).await.unwrap().task;
    assert_eq!((task.state, task.failures, task.ended_at, task.slot), (State::Retrying, 1, None, None));
    assert_eq!(task.spec.run_at, Some(end.now + Duration::from_secs(6)));
    assert_eq!(Task { attempts: Vec::new(), ..world.task(id).await }, task);
    assert_eq!(world.claim(1).await, [], "it waits for its time");
    assert_eq!(world.cancel(&[id], None).await, [(id, Ok(Cancelled::Ended))]);
}

pub(crate) async fn only_the_codes_asked_for_are_tried_again(world: &World) {
    let retry = RetryPolicy { max_attempts: 9, on_codes: vec![75], ..RetryPolicy::default() };
    for (code, state) in [(75, State::Retrying), (1, State::Failed), (0, State::Succeeded)] {
        world.add(|task| task.spec.retry = retry.clone()).await;
        assert_eq!(world.run(code).await.state, state, "{code}");
    }
}

pub(crate) async fn what_was_cut_off_goes_back_to_the_queue_if_it_asked_for_that(world: &World) {
    for (on_interrupt, state) in [(OnInterrupt::Stop, State::Lost), (OnInterrupt::Rerun, State::Queued)] {
        let id = world.add(|task| task.spec.retry.on_interrupt = on_interrupt).await.id;
        let claim = world.claimed().await.attempt.assignment;
        world.start(claim).await;
        let task = world.finish(claim, Outcome::lost(ReasonCode::Reboot, world.now())).await.task;
        assert_eq!((task.state, task.failures, task.attempt), (state, 0, 1));
        assert_eq!(world.task(id).await.attempts[0].state, State::Lost);
    }
    let again = world.claimed().await;
    assert_eq!((again.attempt.number, again.task.failures), (2, 0));
}

pub(crate) async fn several_steps_are_answered_each_on_its_own(world: &World) {
    for _ in 0..4 {
        world.queued_task().await;
    }
    let claims: Vec<AssignmentId> = world.claim(3).await.iter().map(|claimed| claimed.attempt.assignment).collect();
    let steps = vec![
        Step::Start(world.start_of(claims[0])),
        Step::Start(world.start_of(AssignmentId(Uuid::nil()))),
        Step::Finish(Box::new(world.end(claims[1], world.code(3)))),
        Step::Unclaim(world.unclaim(claims[2])),
        Step::Claim(world.claim_of(9)),
    ];
    let stepped = world.store.steps(steps).await;
    let [
        Stepped::Started(Ok(())),
        Stepped::Started(Err(Error::Stale(_))),
        Stepped::Finished(Ok(finished)),
        Stepped::Unclaimed(Ok(())),
        Stepped::Claimed(Ok(claimed)),
    ] = &stepped[..]
    else {
        panic!("{stepped:?}");
    };
    assert_eq!((finished.task.id.get(), finished.task.state), (2, State::Failed));
    let claimed: Vec<u64> = claimed.iter().map(|claimed| claimed.task.id.get()).collect();
    assert_eq!(claimed, [3, 4], "what was given back is ready again");
    assert_eq!(world.task(TaskId::new(1).unwrap()).await.state, State::Running);
}

pub(crate) async fn unknown_claims_are_stale(world: &World) {
    let unknown = AssignmentId(Uuid::from_u128(1 << 100));
    let start = Start { assignment: unknown, identity: world.process(unknown), at: Timestamp(1) };
    assert!(matches!(world.store.start(start).await, Err(Error::Stale(claim)) if claim == unknown));
    assert!(matches!(world.store.unclaim(world.unclaim(unknown)).await, Err(Error::Stale(_))));
    assert!(matches!(world.store.finish(world.end(unknown, world.code(0))).await, Err(Error::Stale(_))));
    let claim = world.running_task().await.attempt.assignment;
    world.store.unclaim(world.unclaim(claim)).await.unwrap();
    assert!(matches!(world.store.finish(world.end(claim, world.code(0))).await, Err(Error::Stale(_))));
}

pub(crate) async fn a_waiting_task_is_cancelled_at_once(world: &World) {
    let ids = [
        world.queued_task().await,
        world.add(|task| task.hold = true).await.id,
        world.add(|task| task.spec.run_at = Some(Timestamp(i64::MAX))).await.id,
        world.add(|task| task.spec.after = vec![TaskId::new(1).unwrap()]).await.id,
    ];
    let answers = world.cancel(&ids, Some("not needed")).await;
    assert!(answers.iter().all(|(_, answer)| *answer == Ok(Cancelled::Ended)), "{answers:?}");
    for id in ids {
        let task = world.task(id).await;
        assert_eq!((task.state, task.reason_code), (State::Cancelled, Some(ReasonCode::Cancelled)));
        assert_eq!(task.reason.as_deref(), Some("not needed"));
        assert_eq!((task.ended_at, task.ended_at), (Some(task.updated_at), task.cancel_requested_at));
    }
    assert_eq!(world.claim(9).await, []);
}

pub(crate) async fn a_running_task_is_asked_once(world: &World) {
    let claim = world.running_task().await;
    let (id, assignment) = (claim.task.id, claim.attempt.assignment);
    assert_eq!(world.cancel(&[id], Some("first")).await, [(id, Ok(Cancelled::Asked(assignment)))]);
    let asked = world.task(id).await;
    assert_eq!(asked.state, State::Running);
    assert!(asked.cancel_requested_at.is_some());
    assert_eq!(world.cancel(&[id], Some("second")).await, [(id, Ok(Cancelled::Asked(assignment)))]);
    assert_eq!(world.task(id).await, asked);
}

pub(crate) async fn a_cancelled_task_says_why(world: &World) {
    for (given, told) in [(Some("wrong branch"), "wrong branch"), (None, "cancelled")] {
        let claim = world.running_task().await;
        world.cancel(&[claim.task.id], given).await;
        let task = world.finish(claim.attempt.assignment, world.stopped(StopCause::Cancel)).await.task;
        assert_eq!((task.state, task.reason_code), (State::Cancelled, Some(ReasonCode::Cancelled)));
        assert_eq!(task.reason.as_deref(), Some(told));
    }
}

pub(crate) async fn a_cancel_wins_over_a_further_attempt(world: &World) {
    let retry = RetryPolicy { max_attempts: 5, on_interrupt: OnInterrupt::Rerun, ..RetryPolicy::default() };
    for lost in [false, true] {
        let id = world.add(|task| task.spec.retry = retry.clone()).await.id;
        let claim = world.claimed().await.attempt.assignment;
        world.cancel(&[id], None).await;
        let outcome = if lost { Outcome::lost(ReasonCode::GuardianLost, world.now()) } else { world.code(1) };
        let task = world.finish(claim, outcome).await.task;
        assert_eq!((task.state, task.reason_code), (State::Cancelled, Some(ReasonCode::Cancelled)));
    }
    assert_eq!(world.claim(9).await, []);
    let claim = world.running_task().await;
    world.cancel(&[claim.task.id], None).await;
    let task = world.finish(claim.attempt.assignment, world.code(0)).await.task;
    assert_eq!(task.state, State::Succeeded, "it was faster");
}

pub(crate) async fn a_claim_given_back_after_a_cancel_ends_the_task(world: &World) {
    let id = world.queued_task().await;
    let claim = world.claimed().await.attempt.assignment;
    world.cancel(&[id], Some("too late")).await;
    world.store.unclaim(world.unclaim(claim)).await.unwrap();
    let task = world.task(id).await;
    assert_eq!((task.state, task.attempt, task.slot), (State::Cancelled, 0, None));
    assert_eq!(task.reason.as_deref(), Some("too late"));
    assert_eq!(world.claim(1).await, []);
    assert_eq!(world.store.counts().await.unwrap().processed, 1);
}

pub(crate) async fn what_ended_cannot_be_cancelled(world: &World) {
    let first = world.queued_task().await;
    let ended = world.run(0).await;
    let unknown = TaskId::new(99).unwrap();
    let second = world.queued_task().await;
    let answers = world.cancel(&[unknown, first, second, second], None).await;
    assert_eq!(answers[0], (unknown, Err(Refused::NotFound)));
    assert_eq!(answers[1], (first, Err(Refused::State(Box::new(ended)))));
    assert_eq!(answers[2], (second, Ok(Cancelled::Ended)));
    assert!(matches!(&answers[3].1, Err(Refused::State(task)) if task.state == State::Cancelled));
    assert_eq!(world.state(first).await, State::Succeeded);
}

pub(crate) async fn only_what_is_held_is_released(world: &World) {
    let held = world.add(|task| task.hold = true).await.id;
    let late = |task: &mut NewTask| {
        task.hold = true;
        task.spec.run_at = Some(Timestamp(i64::MAX));
    };
    let late = world.add(late).await.id;
    let queued = world.queued_task().await;
    let unknown = TaskId::new(99).unwrap();
    let ids = vec![held, unknown, queued, late, held];
    let answers = world.store.release(Steer { ids, only: None, by: BY, now: world.now() }).await.unwrap();
    assert_eq!(answers[0], (held, Ok(())));
    assert_eq!(answers[1], (unknown, Err(Refused::NotFound)));
    assert!(matches!(&answers[2].1, Err(Refused::State(task)) if task.id == queued));
    assert_eq!(answers[3], (late, Ok(())));
    assert!(matches!(&answers[4].1, Err(Refused::State(task)) if task.state == State::Queued));
    assert_eq!(world.state(late).await, State::Scheduled);
    assert_eq!(world.claim(9).await.len(), 2);
}

pub(crate) async fn what_is_in_flight_is_told_in_the_order_of_the_claims(world: &World) {
    for priority in 0..4 {
        world.add(|task| task.spec.priority = priority).await;
    }
    let claims = world.claim(3).await;
    world.start(claims[0].attempt.assignment).await;
    world.finish(claims[1].attempt.assignment, world.code(0)).await;
    world.claim(1).await;
    let flights = world.store.in_flight().await.unwrap();
    let told: Vec<_> = flights.iter().map(|flight| (flight.task.id.get(), flight.attempt.state)).collect();
    assert_eq!(told, [(4, State::Running), (2, State::Starting), (1, State::Starting)]);
    assert!(flights.iter().all(|flight| flight.boot == BOOT && flight.task.attempts.is_empty()));
    assert_eq!(flights[0].attempt, world.task(flights[0].task.id).await.attempts[0]);
}

pub(crate) async fn hashes_are_kept_once(world: &World) {
    let claim = world.running_task().await;
    let (id, assignment) = (claim.task.id, claim.attempt.assignment);
    let keep = async |stream, hash| world.store.keep_hash(assignment, stream, [hash; 32]).await.unwrap();
    keep(Stream::Merged, 1).await;
    world.finish(assignment, world.code(0)).await;
    let before = world.task(id).await;
    assert_eq!(before.attempts[0].outputs[0].sha256, None, "it had not ended");
    keep(Stream::Stderr, 2).await;
    keep(Stream::Merged, 3).await;
    keep(Stream::Merged, 4).await;
    world.store.keep_hash(world.assignment(), Stream::Merged, [5; 32]).await.unwrap();
    let after = world.task(id).await;
    assert_eq!(after.attempts[0].outputs[0].sha256, Some([3; 32]));
    assert_eq!(after.updated_at, before.updated_at, "the task itself is as it was");
    let last = world.changes().await.pop().unwrap();
    assert_eq!((last.seq.0, last.kind.as_str(), last.attempt), (5, "task.hashed", Some(1)));
}

pub(crate) async fn uploads_that_tasks_name_are_told(world: &World) {
    assert!(world.store.uploads().await.unwrap().is_empty());
    let uploads = [Uuid::from_u128(5), Uuid::from_u128(6)];
    for stdin in [Stdin::Empty, Stdin::Upload(uploads[0]), Stdin::File("/in".into()), Stdin::Upload(uploads[1])] {
        world.add(|task| task.spec.stdin = stdin).await;
    }
    assert_eq!(world.store.uploads().await.unwrap(), uploads.into_iter().collect());
}

pub(crate) async fn counts_follow_every_change(world: &World) {
    assert_eq!(world.store.counts().await.unwrap(), Counts::default());
    for code in [0, 1, 0] {
        world.queued_task().await;
        world.run(code).await;
    }
    let claim = world.running_task().await;
    world.finish(claim.attempt.assignment, world.stopped(StopCause::Timeout)).await;
    let waiting = world.queued_task().await;
    world.cancel(&[waiting], None).await;
    world.running_task().await;
    world.queued_task().await;
    world.add(|task| task.hold = true).await;
    let by_state = [
        (State::Held, 1),
        (State::Queued, 1),
        (State::Running, 1),
        (State::Succeeded, 2),
        (State::Failed, 1),
        (State::TimedOut, 1),
        (State::Cancelled, 1),
    ];
    let expected = Counts { by_state: by_state.into(), processed: 5, succeeded: 2, failed: 2 };
    assert_eq!(world.store.counts().await.unwrap(), expected);
}

pub(crate) async fn lists_are_filtered(world: &World) {
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    world.add(|task| task.spec.name = Some("build-a".to_owned())).await;
    world.add(|task| task.spec.labels = labels(&[("team", "x"), ("slow", "")])).await;
    world.add(|task| task.spec.labels = labels(&[("team", "y")])).await;
    world.add(|task| task.hold = true).await;
    world.run(0).await;
    let all = TaskFilter::default;
    let label = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    let ids = async |filter| world.list(filter).await;
    assert_eq!(ids(all()).await, (vec![1, 2, 3, 4], false));
    assert_eq!(ids(TaskFilter { states: vec![State::Queued], ..all() }).await, (vec![2, 3], false));
    let states = vec![State::Held, State::Succeeded, State::Held];
    assert_eq!(ids(TaskFilter { states, ..all() }).await, (vec![1, 4], false));
    assert_eq!(ids(TaskFilter { queue: Some("default".into()), ..all() }).await.0.len(), 4);
    assert_eq!(ids(TaskFilter { queue: Some("gpu".into()), ..all() }).await.0.len(), 0);
    assert_eq!(ids(TaskFilter { labels: vec![label("team", None)], ..all() }).await.0, [2, 3]);
    assert_eq!(ids(TaskFilter { labels: vec![label("team", Some("x"))], ..all() }).await.0, [2]);
    let both = vec![label("team", None), label("slow", None)];
    assert_eq!(ids(TaskFilter { labels: both, ..all() }).await.0, [2]);
    assert_eq!(ids(TaskFilter { name: Some("build-*".into()), ..all() }).await.0, [1]);
    assert_eq!(ids(TaskFilter { name: Some("*".into()), ..all() }).await.0, [1]);
    let none = TaskFilter { name: Some("build-*".into()), states: vec![State::Queued], ..all() };
    assert_eq!(ids(none).await.0.len(), 0);
}

pub(crate) async fn lists_keep_the_newest(world: &World) {
    for _ in 0..5 {
        world.queued_task().await;
    }
    let limited = |limit| TaskFilter { limit: Some(limit), ..TaskFilter::default() };
    assert_eq!(world.list(limited(2)).await, (vec![4, 5], true));
    assert_eq!(world.list(limited(5)).await, (vec![1, 2, 3, 4, 5], false));
    assert_eq!(world.list(limited(0)).await, (vec![], true));
    let next = |limit| TaskFilter { next_first: true, ..limited(limit) };
    assert_eq!(world.list(next(2)).await, (vec![1, 2], true), "those that start first, not the newest");
    assert_eq!(world.list(next(9)).await, (vec![1, 2, 3, 4, 5], false));
    let states = TaskFilter { states: vec![State::Queued, State::Held], ..limited(3) };
    assert_eq!(world.list(states).await, (vec![3, 4, 5], true));
}

pub(crate) async fn recent_keeps_what_ended_last(world: &World) {
    for priority in 0..4 {
        world.add(|task| task.spec.priority = priority).await;
    }
    for _ in 0..3 {
        // The highest priority first: 4, 3, 2 end in this order.
        world.run(0).await;
    }
    let recent = |recent| TaskFilter { recent: Some(recent), ..TaskFilter::default() };
    assert_eq!(world.list(recent(1)).await, (vec![1, 2], true));
    assert_eq!(world.list(recent(2)).await, (vec![1, 2, 3], true));
    assert_eq!(world.list(recent(3)).await, (vec![1, 2, 3, 4], false));
    assert_eq!(world.list(recent(0)).await, (vec![1], true));
    assert_eq!(world.list(TaskFilter { limit: Some(2), ..recent(3) }).await, (vec![3, 4], true));
    let ended = |states: &[State]| TaskFilter { states: states.to_vec(), ..recent(1) };
    assert_eq!(world.list(ended(&[State::Succeeded])).await, (vec![2], true));
    assert_eq!(world.list(ended(&[State::Failed])).await, (vec![], false));
    let all = ended(&[State::Succeeded, State::Queued]);
    assert_eq!(world.list(all).await, (vec![1, 2, 3, 4], false), "with others among the states, all of them");
}

pub(crate) async fn lists_over_queues_names_and_labels_keep_the_newest(world: &World) {
    for number in 0..6 {
        let queue = if number % 2 == 0 { "even" } else { "odd" };
        if number < 2 {
            let (name, by, now) = (queue.to_owned(), BY, world.now());
            world.store.add_queue(SetQueue { name, slots: 1, by, now }).await.unwrap();
        }
        world
            .add(|task| {
                task.spec.queue = queue.to_owned();
                task.spec.name = Some(format!("name-{number}"));
                task.spec.labels.insert("third".to_owned(), (number % 3).to_string());
            })
            .await;
    }
    let all = || TaskFilter { limit: Some(2), ..TaskFilter::default() };
    let queued = || TaskFilter { states: vec![State::Queued], ..all() };
    let even = |filter| TaskFilter { queue: Some("even".to_owned()), ..filter };
    assert_eq!(world.list(queued()).await, (vec![5, 6], true));
    assert_eq!(world.list(even(queued())).await, (vec![3, 5], true));
    assert_eq!(world.list(even(all())).await, (vec![3, 5], true));
    assert_eq!(world.list(TaskFilter { below: TaskId::new(4), ..queued() }).await, (vec![2, 3], true));
    assert_eq!(world.list(TaskFilter { name: Some("name-[0-3]".to_owned()), ..queued() }).await, (vec![3, 4], true));
    assert_eq!(world.list(even(TaskFilter { name: Some("*-4".to_owned()), ..all() })).await, (vec![5], false));
    let first = TaskFilter { labels: vec![("third".to_owned(), Some("0".to_owned()))], ..all() };
    assert_eq!(world.list(first.clone()).await, (vec![1, 4], false));
    assert_eq!(world.list(even(first)).await, (vec![1], false));
    let labelled = TaskFilter { labels: vec![("third".to_owned(), None)], recent: Some(3), ..all() };
    assert_eq!(world.list(labelled).await, (vec![5, 6], true));
    assert_eq!(world.list(TaskFilter { next_first: true, ..queued() }).await, (vec![1, 2], true));
}

pub(crate) async fn lists_go_on_below_the_lowest(world: &World) {
    for _ in 0..5 {
        world.queued_task().await;
    }
    let below = |id| TaskFilter { limit: Some(2), below: TaskId::new(id), ..TaskFilter::default() };
    assert_eq!(world.list(below(9)).await, (vec![4, 5], true));
    assert_eq!(world.list(below(4)).await, (vec![2, 3], true));
    assert_eq!(world.list(below(2)).await, (vec![1], false));
    let queued = TaskFilter { states: vec![State::Queued], ..below(3) };
    assert_eq!(world.list(queued).await, (vec![1, 2], false));
}

pub(crate) async fn lists_keep_the_oldest_between_two_ids(world: &World) {
    for n in 0..6 {
        world.add(|task| task.hold = n % 2 == 1).await;
    }
    let between = |above, below| TaskFilter {
        above: TaskId::new(above),
        below: TaskId::new(below),
        limit: Some(2),
        oldest_first: true,
        ..TaskFilter::default()
    };
    assert_eq!(world.list(between(0, 0)).await, (vec![1, 2], true));
    assert_eq!(world.list(between(2, 6)).await, (vec![3, 4], true));
    assert_eq!(world.list(between(3, 6)).await, (vec![4, 5], false));
    assert_eq!(world.list(TaskFilter { oldest_first: false, ..between(1, 6) }).await, (vec![4, 5], true));
    let queued = TaskFilter { states: vec![State::Queued], ..between(1, 0) };
    assert_eq!(world.list(queued.clone()).await, (vec![3, 5], false));
    let both = TaskFilter { states: vec![State::Queued, State::Held], ..between(1, 0) };
    assert_eq!(world.list(both.clone()).await, (vec![2, 3], true));
    for filter in [queued, both] {
        let (ids, _) = world.list(filter.clone()).await;
        let selected = world.store.select(filter).await.unwrap();
        assert_eq!(selected.into_iter().map(TaskId::get).collect::<Vec<_>>(), ids);
    }
}
