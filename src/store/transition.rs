//! What a verb makes of a task: plain functions over values, the same for every backend. The backends load, call one of
//! these, and write what came of it.

use crate::domain::attempt::{Attempt, Output, Stream};
use crate::domain::backoff;
use crate::domain::change::{Actor, Change, ChangeKind};
use crate::domain::id::{AssignmentId, AttemptNumber, Seq, TaskId};
use crate::domain::outcome::{self, Next, ReasonCode, RetryFacts};
use crate::domain::queue::POSITION_STEP;
use crate::domain::task::{NewTask, State, Task};
use crate::domain::time::Timestamp;
use crate::store::task::{Add, Cancel, Cancelled, Claim, Finish, Refused, Release, Start, Unclaim};

/// A change without its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) at: Timestamp,
    pub(super) kind: ChangeKind,
    pub(super) task: TaskId,
    pub(super) attempt: Option<AttemptNumber>,
    pub(super) from: Option<State>,
    pub(super) to: State,
    pub(super) by: Actor,
    pub(super) reason: Option<String>,
}

impl Note {
    pub(super) fn numbered(self, seq: Seq) -> Change {
        let Self { at, kind, task, attempt, from, to, by, reason } = self;
        Change { seq, at, kind, task, attempt, from, to, by, reason }
    }
}

/// Makes the task that an add makes, as number `id`.
pub(super) fn added(id: TaskId, new: &NewTask, now: Timestamp) -> Task {
    Task {
        id,
        uuid: new.uuid,
        spec: new.spec.clone(),
        env_names: new.env.names(),
        state: new.initial_state(now),
        reason_code: None,
        reason: None,
        position: id.as_i64().saturating_mul(POSITION_STEP),
        parent: new.parent,
        created_at: now,
        updated_at: now,
        attempt: 0,
        failures: 0,
        slot: None,
        cancel_requested_at: None,
        started_at: None,
        ended_at: None,
        exit: None,
        attempts: Vec::new(),
    }
}

/// Returns the change that an add is.
pub(super) fn add_note(task: &Task, add: &Add) -> Note {
    Note {
        at: add.now,
        kind: ChangeKind::Added,
        task: task.id,
        attempt: None,
        from: None,
        to: task.state,
        by: add.by.clone(),
        reason: None,
    }
}

/// Takes a queued task.
pub(super) fn claim(task: &mut Task, claim: &Claim, assignment: AssignmentId, slot: u32) -> (Attempt, Note) {
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
        identity: None,
        started_at: None,
        ended_at: None,
        exit: None,
        reason_code: None,
        reason: None,
        usage: None,
        outputs: Vec::new(),
    };
    let note = by_daemon(task, ChangeKind::Claimed, Some(task.attempt), from, claim.now, None);
    (attempt, note)
}

/// Records a process; `None` if one is recorded already.
pub(super) fn start(task: &mut Task, attempt: &mut Attempt, start: &Start) -> Option<Note> {
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
    Some(by_daemon(task, ChangeKind::Started, Some(attempt.number), from, start.at, None))
}

/// Takes a claim back: the task stands as `previous`, its last attempt before, left it. Nothing is claimed whose cancel
/// was asked for, so such a task ends here.
pub(super) fn unclaim(
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
    let mut notes = vec![by_daemon(task, ChangeKind::Unclaimed, Some(number), from, unclaim.now, reason)];
    if task.cancel_requested_at.is_some() {
        let reason = cancel_reason.map(str::to_owned);
        end_as_cancelled(task, reason.clone(), unclaim.now);
        notes.push(by_daemon(task, ChangeKind::Cancelled, None, State::Queued, unclaim.now, reason));
    }
    notes
}

/// Records the end of an attempt that has not ended, and moves its task on. A start that was never recorded is recorded
/// with it, so that the feed tells of both.
pub(super) fn finish(
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
    notes.push(by_daemon(task, ChangeKind::Ended, Some(attempt.number), from, finish.now, task.reason.clone()));
    notes
}

/// Cancels a task, or records the wish. `current` is its claim that has not ended, if there is one.
pub(super) fn cancel(
    task: &mut Task,
    cancel_reason: &mut Option<String>,
    current: Option<AssignmentId>,
    cancel: &Cancel,
) -> Result<(Cancelled, Option<Note>), Refused> {
    let from = task.state;
    let note = |task: &Task, kind, attempt| Note {
        at: cancel.now,
        kind,
        task: task.id,
        attempt,
        from: Some(from),
        to: task.state,
        by: cancel.by.clone(),
        reason: cancel.reason.clone(),
    };
    match current {
        _ if from.is_ended() => Err(Refused::State(Box::new(task.clone()))),
        Some(assignment) => {
            if task.cancel_requested_at.is_some() {
                return Ok((Cancelled::Asked(assignment), None));
            }
            task.cancel_requested_at = Some(cancel.now);
            task.updated_at = cancel.now;
            cancel_reason.clone_from(&cancel.reason);
            let note = note(task, ChangeKind::CancelRequested, Some(task.attempt));
            Ok((Cancelled::Asked(assignment), Some(note)))
        }
        None => {
            task.cancel_requested_at = Some(cancel.now);
            cancel_reason.clone_from(&cancel.reason);
            end_as_cancelled(task, cancel.reason.clone(), cancel.now);
            let note = note(task, ChangeKind::Cancelled, None);
            Ok((Cancelled::Ended, Some(note)))
        }
    }
}

/// Lets a held task go.
pub(super) fn release(task: &mut Task, release: &Release) -> Result<Note, Refused> {
    let from = task.state;
    if from != State::Held {
        return Err(Refused::State(Box::new(task.clone())));
    }
    task.state = task.spec.state_unheld(release.now);
    task.reason_code = None;
    task.reason = None;
    task.updated_at = release.now;
    Ok(Note {
        at: release.now,
        kind: ChangeKind::Released,
        task: task.id,
        attempt: None,
        from: Some(from),
        to: task.state,
        by: release.by.clone(),
        reason: None,
    })
}

/// Returns the change that a computed hash is: the task itself stays as it is.
pub(super) fn hashed(task: TaskId, state: State, attempt: AttemptNumber, at: Timestamp) -> Note {
    Note {
        at,
        kind: ChangeKind::Hashed,
        task,
        attempt: Some(attempt),
        from: Some(state),
        to: state,
        by: Actor::Daemon,
        reason: None,
    }
}

/// Returns the system's clock; only for verbs that are not told the time.
pub(super) fn system_now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Sorts outputs as [`Stream::ALL`] does; of two for one stream the first stands.
pub(super) fn in_order(mut outputs: Vec<Output>) -> Vec<Output> {
    let place = |output: &Output| Stream::ALL.iter().position(|stream| *stream == output.stream);
    outputs.sort_by_key(place);
    outputs.dedup_by_key(|output| output.stream);
    outputs
}

fn end_as_cancelled(task: &mut Task, reason: Option<String>, now: Timestamp) {
    task.state = State::Cancelled;
    task.reason_code = Some(ReasonCode::Cancelled);
    task.reason = Some(reason.unwrap_or_else(|| "cancelled while it waited".to_owned()));
    task.slot = None;
    task.ended_at = Some(now);
    task.updated_at = now;
}

fn by_daemon(
    task: &Task,
    kind: ChangeKind,
    attempt: Option<AttemptNumber>,
    from: State,
    at: Timestamp,
    reason: Option<String>,
) -> Note {
    Note { at, kind, task: task.id, attempt, from: Some(from), to: task.state, by: Actor::Daemon, reason }
}
