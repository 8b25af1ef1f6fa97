//! From the add of a task to the end of its attempts.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::attempt::Attempt;
use crate::domain::backoff;
use crate::domain::change::{Actor, ChangeKind};
use crate::domain::dependency::Standing;
use crate::domain::id::{AssignmentId, AttemptNumber, TaskId, TaskUuid};
use crate::domain::outcome::{self, Next, ReasonCode, RetryFacts};
use crate::domain::place;
use crate::domain::resource::Granted;
use crate::domain::task::{State, Task, TaskSpec};
use crate::domain::time::Timestamp;
use crate::store::task::{Add, Claim, Finish, Start, Unclaim};
use crate::store::transition::steer::end_as_cancelled;
use crate::store::transition::wait::{hold_untrusted, skip, state_of};
use crate::store::transition::{Note, Subject, in_order};

/// Makes the task that an add makes, as number `id`. `standing` is what its dependencies come to, `broken_state` the
/// state of the one that will not do what was wanted.
///
/// `schedule` is the one that it is a task of.
pub(in crate::store) fn added(
    id: TaskId,
    add: &Add,
    schedule: Option<&str>,
    standing: Standing,
    broken_state: Option<State>,
) -> Task {
    let new = &add.task;
    let added = Adding {
        uuid: new.uuid,
        spec: new.spec.clone(),
        env_names: new.env.names().into(),
        hold: new.hold,
        parent: new.parent,
        schedule: schedule.map(str::to_owned),
        now: add.now,
        untrusted: add.untrusted,
    };
    made(id, added, standing, broken_state)
}

/// What [`made`] makes a task of.
#[derive(Debug)]
pub(in crate::store) struct Adding {
    pub(in crate::store) uuid: TaskUuid,
    pub(in crate::store) spec: TaskSpec,
    pub(in crate::store) env_names: Arc<[String]>,
    pub(in crate::store) hold: bool,
    pub(in crate::store) parent: Option<TaskId>,
    pub(in crate::store) schedule: Option<String>,
    pub(in crate::store) now: Timestamp,
    pub(in crate::store) untrusted: bool,
}

/// The same as [`added`], of parts.
pub(in crate::store) fn made(id: TaskId, new: Adding, standing: Standing, broken_state: Option<State>) -> Task {
    let now = new.now;
    let mut task = Task {
        id,
        uuid: new.uuid,
        spec: new.spec,
        env_names: new.env_names,
        state: State::Held,
        reason_code: None,
        reason: None,
        position: place::of_number(id),
        parent: new.parent,
        schedule: new.schedule,
        created_at: now,
        updated_at: now,
        attempt: 0,
        failures: 0,
        slot: None,
        cancel_requested_at: None,
        started_at: None,
        ended_at: None,
        exit: None,
        told: None,
        expected: None,
        time_left: None,
        attempts: Vec::new(),
    };
    match standing {
        // Kept back, whatever became of what it depends on: released, it is skipped.
        _ if new.hold => {}
        Standing::Broken(on) => skip(&mut task, on, broken_state, now),
        standing => {
            task.state = state_of(&task, standing, now);
            if new.untrusted {
                hold_untrusted(&mut task);
            }
        }
    }
    task
}

/// Returns the change that an add is.
pub(in crate::store) fn add_note(task: &Task, add: &Add) -> Note {
    let reason = (task.state == State::Skipped).then(|| task.reason.clone()).flatten();
    Note::of(task, ChangeKind::Added, None, add.now, add.by.clone()).because(reason)
}

/// Takes a queued task.
pub(in crate::store) fn claim(
    task: &mut Task,
    claim: &Claim,
    assignment: AssignmentId,
    slot: u32,
    granted: Granted,
) -> (Attempt, Note) {
    let from = task.state;
    task.state = State::Starting;
    task.attempt += 1;
    task.slot = Some(slot);
    task.updated_at = claim.now;
    task.reason_code = None;
    task.reason = None;
    task.started_at = None;
    task.exit = None;
    let attempt = Attempt {
        number: task.attempt,
        assignment,
        owner: claim.owner,
        state: State::Starting,
        claimed_at: claim.now,
        lease_until: claim.lease_until,
        slot,
        granted,
        identity: None,
        started_at: None,
        ended_at: None,
        exit: None,
        reason_code: None,
        reason: None,
        usage: None,
        paused_at: None,
        paused_for: Duration::ZERO,
        outputs: Vec::new(),
    };
    let note = daemon_note(task, ChangeKind::Claimed, from, claim.now).attempt(task.attempt);
    (attempt, note)
}

/// Records a process; `None` if one is recorded already.
pub(in crate::store) fn start(task: &mut Task, attempt: &mut Attempt, start: &Start) -> Option<Note> {
    if attempt.state != State::Starting {
        return None;
    }
    let from = task.state;
    attempt.state = State::Running;
    attempt.identity = Some(start.identity);
    attempt.started_at = Some(start.at);
    task.state = State::Running;
    task.started_at = Some(start.at);
    task.updated_at = start.at;
    Some(daemon_note(task, ChangeKind::Started, from, start.at).attempt(attempt.number))
}

/// Takes a claim back: the task stands as `previous`, its last attempt before, left it. Nothing is claimed whose cancel
/// was asked for, so such a task ends here.
pub(in crate::store) fn unclaim(
    task: &mut Task,
    cancel_reason: Option<&str>,
    previous: Option<&Attempt>,
    unclaim: &Unclaim,
) -> Vec<Note> {
    let from = task.state;
    let number = task.attempt;
    task.state = State::Queued;
    task.attempt = task.attempt.saturating_sub(1);
    task.slot = None;
    task.updated_at = unclaim.now;
    task.started_at = previous.and_then(|attempt| attempt.started_at);
    task.exit = previous.and_then(|attempt| attempt.exit);
    task.reason_code = previous.and_then(|attempt| attempt.reason_code);
    task.reason = previous.and_then(|attempt| attempt.reason.clone());
    let reason = Some(unclaim.reason.clone());
    let mut notes = vec![daemon_note(task, ChangeKind::Unclaimed, from, unclaim.now).attempt(number).because(reason)];
    if task.cancel_requested_at.is_some() {
        let reason = cancel_reason.map(str::to_owned);
        end_as_cancelled(task, reason.clone(), unclaim.now);
        notes.push(daemon_note(task, ChangeKind::Cancelled, State::Queued, unclaim.now).because(reason));
    }
    notes
}

/// Records the end of an attempt that has not ended, and moves its task on. A start that was never recorded is recorded
/// with it, so that the feed tells of both.
pub(in crate::store) fn finish(
    task: &mut Task,
    attempt: &mut Attempt,
    cancel_reason: Option<&str>,
    finish: &Finish,
) -> Vec<Note> {
    let mut notes = Vec::with_capacity(2);
    if let Some((identity, at)) = finish.started {
        notes.extend(start(task, attempt, &Start { assignment: finish.assignment, identity, at }));
    }
    let from = task.state;
    let outcome = &finish.outcome;
    attempt.state = outcome.state;
    attempt.ended_at = Some(outcome.ended_at);
    attempt.exit = outcome.exit;
    attempt.reason_code = outcome.reason_code;
    attempt.reason = outcome.reason.clone();
    attempt.usage = outcome.usage;
    attempt.paused_at = None;
    attempt.outputs = in_order(finish.outputs.clone());

    let facts = RetryFacts {
        max_attempts: task.spec.retry.attempts_after(outcome.exit),
        failures: task.failures,
        on_interrupt: task.spec.retry.on_interrupt,
        cancel_requested: task.cancel_requested_at.is_some(),
    };
    if outcome::counts_as_failure(outcome.state) {
        task.failures += 1;
    }
    task.updated_at = finish.now;
    task.started_at = attempt.started_at;
    task.exit = outcome.exit;
    task.reason_code = outcome.reason_code;
    task.reason = outcome.reason.clone();
    match outcome::next(outcome.state, facts) {
        Next::End => {
            task.state = outcome.state;
            task.ended_at = Some(outcome.ended_at);
            if outcome.state == State::Cancelled
                && let Some(reason) = cancel_reason
            {
                task.reason = Some(reason.to_owned());
            }
        }
        Next::EndCancelled => {
            task.state = State::Cancelled;
            task.ended_at = Some(outcome.ended_at);
            task.reason_code = Some(ReasonCode::Cancelled);
            task.reason = Some(cancel_reason.unwrap_or("cancelled").to_owned());
        }
        Next::Retry => {
            task.state = State::Retrying;
            task.slot = None;
            let delay = backoff::retry_delay(&task.spec.retry, task.failures, finish.jitter);
            task.spec.run_at = Some(finish.now + delay);
        }
        Next::Requeue => {
            task.state = State::Queued;
            task.slot = None;
        }
    }
    let note = daemon_note(task, ChangeKind::Ended, from, finish.now).attempt(attempt.number);
    notes.push(note.because(task.reason.clone()));
    notes
}

/// Returns the change that a computed hash is: the task itself stays as it is.
pub(in crate::store) fn hashed(id: TaskId, state: State, attempt: AttemptNumber, at: Timestamp) -> Note {
    let subject = Subject::Task(id);
    let (from, to) = (Some(state), Some(state));
    let kind = ChangeKind::Hashed;
    Note { at, kind, subject, attempt: Some(attempt), from, to, by: Actor::Daemon, reason: None, progress: None }
}

/// Makes the note of something that the daemon did to a task by itself.
pub(super) fn daemon_note(task: &Task, kind: ChangeKind, from: State, at: Timestamp) -> Note {
    Note::of(task, kind, Some(from), at, Actor::Daemon)
}
