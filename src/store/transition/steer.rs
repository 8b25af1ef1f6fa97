//! What people ask for: each either changes a task or is refused because of how it stands.

use crate::domain::attempt::Attempt;
use crate::domain::change::{Actor, ChangeKind};
use crate::domain::dependency::Standing;
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::outcome::ReasonCode;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::store::task::{Cancel, Cancelled, Pause, PerTask, Refused, Steer};
use crate::store::transition::wait::state_of;
use crate::store::transition::{Note, Subject};

/// Cancels a task, or records the wish. `current` is its claim that has not ended, if there is one.
pub(in crate::store) fn cancel(
    task: &mut Task,
    cancel_reason: &mut Option<String>,
    current: Option<AssignmentId>,
    cancel: &Cancel,
) -> Result<(Cancelled, Option<Note>), Refused> {
    let from = task.state;
    let note = |task: &Task, kind| {
        Note::of(task, kind, Some(from), cancel.now, cancel.by.clone()).because(cancel.reason.clone())
    };
    match current {
        _ if from.is_ended() => Err(refused(task)),
        Some(assignment) => {
            if task.cancel_requested_at.is_some() {
                return Ok((Cancelled::Asked(assignment), None));
            }
            task.cancel_requested_at = Some(cancel.now);
            task.updated_at = cancel.now;
            cancel_reason.clone_from(&cancel.reason);
            let note = note(task, ChangeKind::CancelRequested).attempt(task.attempt);
            Ok((Cancelled::Asked(assignment), Some(note)))
        }
        None => {
            task.cancel_requested_at = Some(cancel.now);
            cancel_reason.clone_from(&cancel.reason);
            end_as_cancelled(task, cancel.reason.clone(), cancel.now);
            Ok((Cancelled::Ended, Some(note(task, ChangeKind::Cancelled))))
        }
    }
}

/// Keeps a waiting task back. Nothing changes for one that is held by a person; one that waits for the project to be
/// accepted is held by them from then on.
pub(in crate::store) fn hold(task: &mut Task, steer: &Steer) -> Result<Option<Note>, Refused> {
    let from = task.state;
    if from == State::Held {
        if task.reason_code != Some(ReasonCode::Untrusted) {
            return Ok(None);
        }
        wait_as(task, State::Held, steer.now);
        return Ok(Some(note(task, ChangeKind::Held, from, steer)));
    }
    if !from.is_waiting() && from != State::Queued {
        return Err(refused(task));
    }
    wait_as(task, State::Held, steer.now);
    Ok(Some(note(task, ChangeKind::Held, from, steer)))
}

/// Lets a held task go.
pub(in crate::store) fn release(task: &mut Task, standing: Standing, steer: &Steer) -> Result<Note, Refused> {
    let from = task.state;
    if from != State::Held {
        return Err(refused(task));
    }
    let to = state_of(task, standing, steer.now);
    wait_as(task, to, steer.now);
    Ok(note(task, ChangeKind::Released, from, steer))
}

/// Records that the processes of a running attempt are to stand still. Nothing changes for one that does already.
pub(in crate::store) fn pause(
    task: &mut Task,
    attempt: Option<&mut Attempt>,
    pause: &Pause,
) -> Result<(AssignmentId, Option<Note>), Refused> {
    let from = task.state;
    match attempt {
        Some(attempt) if from == State::Paused => Ok((attempt.assignment, None)),
        Some(attempt) if from == State::Running && task.cancel_requested_at.is_none() => {
            attempt.state = State::Paused;
            attempt.paused_at = Some(pause.at);
            task.state = State::Paused;
            task.updated_at = pause.now;
            let note = Note::of(task, ChangeKind::Paused, Some(from), pause.now, pause.by.clone());
            Ok((attempt.assignment, Some(note.attempt(attempt.number))))
        }
        _ => Err(refused(task)),
    }
}

/// Records that the processes of a paused attempt go on.
pub(in crate::store) fn resume(
    task: &mut Task,
    attempt: Option<&mut Attempt>,
    pause: &Pause,
) -> Result<(AssignmentId, Option<Note>), Refused> {
    let from = task.state;
    match attempt {
        Some(attempt) if from == State::Paused => {
            attempt.state = State::Running;
            if let Some(since) = attempt.paused_at.take() {
                attempt.paused_for += since.until(pause.at);
            }
            task.state = State::Running;
            task.updated_at = pause.now;
            let note = Note::of(task, ChangeKind::Resumed, Some(from), pause.now, pause.by.clone());
            Ok((attempt.assignment, Some(note.attempt(attempt.number))))
        }
        _ => Err(refused(task)),
    }
}

/// Begins a task anew that has ended, counted afresh.
pub(in crate::store) fn retry(
    task: &mut Task,
    cancel_reason: &mut Option<String>,
    standing: Standing,
    steer: &Steer,
) -> Result<Note, Refused> {
    let from = task.state;
    if !from.is_ended() {
        return Err(refused(task));
    }
    if let Standing::Broken(on) = standing {
        return Err(Refused::Dependency(on));
    }
    task.failures = 0;
    task.cancel_requested_at = None;
    *cancel_reason = None;
    (task.started_at, task.ended_at, task.exit) = (None, None, None);
    task.slot = None;
    if task.attempt > 0 {
        // It had its time; what stands there now is when its last further attempt was due.
        task.spec.run_at = None;
    }
    let to = state_of(task, standing, steer.now);
    wait_as(task, to, steer.now);
    Ok(note(task, ChangeKind::Retried, from, steer))
}

/// Returns tasks in the order in which they were added: what depends on another one was added after it.
pub(in crate::store) fn causes_first(ids: &[TaskId]) -> Vec<TaskId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

/// Returns answers that were given for `ids` by their number in the order of `ids`.
pub(in crate::store) fn in_order_of<T>(ids: &[TaskId], answers: PerTask<T>) -> PerTask<T> {
    if ids.is_sorted() {
        return answers;
    }
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_key(|at| ids[*at]);
    let mut answers: Vec<_> = order.into_iter().zip(answers).collect();
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Returns the change that forgetting a task is.
pub(in crate::store) fn removed(task: &Task, steer: &Steer) -> Result<Note, Refused> {
    if !task.state.is_ended() {
        return Err(refused(task));
    }
    let (from, by) = (Some(task.state), steer.by.clone());
    let (kind, subject) = (ChangeKind::Removed, Subject::Removed(task.id, task.spec.queue.clone()));
    Ok(Note { at: steer.now, kind, subject, attempt: None, from, to: None, by, reason: None, progress: None })
}

pub(super) fn end_as_cancelled(task: &mut Task, reason: Option<String>, now: Timestamp) {
    task.state = State::Cancelled;
    task.reason_code = Some(ReasonCode::Cancelled);
    task.reason = Some(reason.unwrap_or_else(|| "cancelled while it waited".to_owned()));
    task.slot = None;
    task.ended_at = Some(now);
    task.updated_at = now;
}

/// Lets a task wait in `state` without a reason of its own.
pub(super) fn wait_as(task: &mut Task, state: State, now: Timestamp) {
    task.state = state;
    task.reason_code = None;
    task.reason = None;
    task.updated_at = now;
}

fn refused(task: &Task) -> Refused {
    Refused::State(Box::new(task.clone()))
}

fn note(task: &Task, kind: ChangeKind, from: State, steer: &Steer) -> Note {
    let by: Actor = steer.by.clone();
    Note::of(task, kind, Some(from), steer.now, by)
}
