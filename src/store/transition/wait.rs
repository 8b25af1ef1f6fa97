//! What waits: for its time, for other tasks, for somebody to accept the project.

use crate::domain::change::ChangeKind;
use crate::domain::dependency::{self, Standing, Turn};
use crate::domain::id::TaskId;
use crate::domain::outcome::ReasonCode;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::store::transition::Note;
use crate::store::transition::run::daemon_note;
use crate::store::transition::steer::wait_as;

/// How many tasks are told in one transaction that one they depend on has ended, or begins anew; the rest is told by
/// the next ones, and others get their turn in between.
pub(in crate::store) const SETTLE_MAX: usize = 256;

/// How many tasks that have ended are forgotten in one transaction.
pub(in crate::store) const EXPIRE_MAX: usize = 128;
/// How many changes are forgotten in one transaction.
pub(in crate::store) const FORGET_MAX: usize = 2_048;

/// Returns where a task waits that nobody holds.
pub(super) fn state_of(task: &Task, standing: Standing, now: Timestamp) -> State {
    match standing {
        Standing::Ready => task.state_ready(now),
        // One that is broken is skipped at once: the stores have it told again.
        Standing::Waits | Standing::Broken(_) => State::Blocked,
    }
}

/// Makes a task ready whose time has come; `None` for one that does not wait for it.
pub(in crate::store) fn due(task: &mut Task, now: Timestamp) -> Option<Note> {
    let from = task.state;
    if !matches!(from, State::Scheduled | State::Retrying) {
        return None;
    }
    wait_as(task, State::Queued, now);
    Some(daemon_note(task, ChangeKind::Due, from, now))
}

/// Does what the dependencies of a task, which now come to `standing`, make of it; `None` if that is nothing.
/// `broken_state` is the state of the one that will not do what was wanted.
pub(in crate::store) fn settle(
    task: &mut Task,
    standing: Standing,
    broken_state: Option<State>,
    now: Timestamp,
) -> Option<Note> {
    let from = task.state;
    let kind = match dependency::turn(from, standing) {
        Turn::Stay => return None,
        Turn::Skip(on) => {
            skip(task, on, broken_state, now);
            ChangeKind::Skipped
        }
        Turn::Unblock => {
            let to = task.state_ready(now);
            begin_again(task, to, now);
            ChangeKind::Unblocked
        }
        Turn::Block => {
            begin_again(task, State::Blocked, now);
            ChangeKind::Blocked
        }
    };
    let reason = task.reason.clone();
    Some(daemon_note(task, kind, from, now).because(reason))
}

fn begin_again(task: &mut Task, state: State, now: Timestamp) {
    task.ended_at = None;
    wait_as(task, state, now);
}

/// Ends a task because of one that it depends on.
pub(super) fn skip(task: &mut Task, on: TaskId, broken_state: Option<State>, now: Timestamp) {
    task.state = State::Skipped;
    task.reason_code = Some(ReasonCode::Dependency);
    task.reason = Some(ended_in(on, broken_state));
    task.slot = None;
    task.ended_at = Some(now);
    task.updated_at = now;
}

/// Tells how a task ended that did not succeed: `task 3 failed`. The state is `None` if it is forgotten.
fn ended_in(on: TaskId, state: Option<State>) -> String {
    let how = match state {
        Some(State::Failed) => "failed",
        Some(State::TimedOut) => "timed out",
        Some(State::Cancelled) => "was cancelled",
        Some(State::Skipped) => "was skipped",
        Some(State::Interrupted) => "was interrupted",
        Some(State::Lost) => "was lost",
        _ => "did not succeed",
    };
    format!("task {on} {how}")
}

/// What is held when a project came from elsewhere, in the order in which it is.
pub(in crate::store) const DISTRUSTED: [State; 4] = [State::Queued, State::Retrying, State::Scheduled, State::Blocked];

/// Holds a task that came with a project which nobody has accepted; `None` if it is held already, runs or has ended.
pub(in crate::store) fn distrust(task: &mut Task, now: Timestamp) -> Option<Note> {
    let from = task.state;
    if from == State::Held || !(from.is_waiting() || from == State::Queued) {
        return None;
    }
    hold_untrusted(task);
    task.updated_at = now;
    Some(daemon_note(task, ChangeKind::Held, from, now).because(task.reason.clone()))
}

pub(super) fn hold_untrusted(task: &mut Task) {
    task.state = State::Held;
    task.reason_code = Some(ReasonCode::Untrusted);
    task.reason = Some("the project came from elsewhere and was not accepted yet".to_owned());
}

/// Lets a task go that was held by [`distrust`]; `None` for any other.
pub(in crate::store) fn trust(task: &mut Task, standing: Standing, now: Timestamp) -> Option<Note> {
    let from = task.state;
    if from != State::Held || task.reason_code != Some(ReasonCode::Untrusted) {
        return None;
    }
    let to = state_of(task, standing, now);
    wait_as(task, to, now);
    Some(daemon_note(task, ChangeKind::Released, from, now))
}
