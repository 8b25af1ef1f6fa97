//! What is told of hooks.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::hook::{HookEvent, HookFailed};
use crate::domain::id::TaskId;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::store::transition::{Note, Subject};

/// Events of tasks that their own hooks have not been run for.
#[derive(Debug, Default)]
pub(in crate::store) struct ToCome(BTreeMap<TaskId, BTreeSet<HookEvent>>);

impl ToCome {
    /// Takes in a change that the hooks of tasks have not come to.
    pub(in crate::store) fn take_in(&mut self, id: TaskId, kind: ChangeKind, from: Option<State>, to: Option<State>) {
        for event in HookEvent::OF_TASK.into_iter().filter(|event| event.is_of(kind, from, to)) {
            self.0.entry(id).or_default().insert(event);
        }
    }

    /// Returns the first event of a task that a hook of its own is still to be run for. It cannot be forgotten before: nobody would
    /// know any more what was to be run.
    pub(in crate::store) fn of(&self, task: &Task) -> Option<HookEvent> {
        let events = self.0.get(&task.id)?;
        task.spec.hooks.keys().find(|event| events.contains(event)).copied()
    }

    /// Returns how many tasks something has happened to.
    pub(in crate::store) fn tasks(&self) -> usize {
        self.0.len()
    }
}

/// Makes the note of a hook that failed, about what it was run for; `state` is that of the task, which stays as it is.
pub(in crate::store) fn hook_failed(failed: &HookFailed, state: Option<State>, at: Timestamp) -> Note {
    let subject = match failed.task {
        Some(id) => Subject::Task(id),
        None => Subject::Queue(failed.queue.clone().unwrap_or_default()),
    };
    let (kind, by, reason) = (ChangeKind::HookFailed, Actor::Daemon, Some(failed.reason.clone()));
    Note { at, kind, subject, attempt: failed.attempt, from: state, to: state, by, reason, progress: None }
}
