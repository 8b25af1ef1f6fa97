//! What is told of hooks.

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::hook::HookFailed;
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::store::transition::{Note, Subject};

/// Makes the note of a hook that failed, about what it was run for; `state` is that of the task, which stays as it is.
pub(in crate::store) fn hook_failed(failed: &HookFailed, state: Option<State>, at: Timestamp) -> Note {
    let subject = match failed.task {
        Some(id) => Subject::Task(id),
        None => Subject::Queue(failed.queue.clone().unwrap_or_default()),
    };
    let (kind, by, reason) = (ChangeKind::HookFailed, Actor::Daemon, Some(failed.reason.clone()));
    Note { at, kind, subject, attempt: failed.attempt, from: state, to: state, by, reason, progress: None }
}
