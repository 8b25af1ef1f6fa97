//! What is told of hooks.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::hook::{HookEvent, HookFailed, TaskHooks};
use crate::domain::id::{Seq, TaskId};
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::store::transition::{Note, Subject};

/// Events of tasks that hooks of their own are for, each with the number of its change, whether or not they have run since.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct ToCome(BTreeMap<(TaskId, Seq), HookEvent>);

impl ToCome {
    /// Takes in a change to a task that has these hooks.
    pub(in crate::store) fn take_in(
        &mut self,
        (id, seq): (TaskId, Seq),
        hooks: &TaskHooks,
        kind: ChangeKind,
        from: Option<State>,
        to: Option<State>,
    ) {
        if let Some(event) = hooks.keys().find(|event| event.is_of(kind, from, to)) {
            self.0.insert((id, seq), *event);
        }
    }

    /// Forgets those for which the hooks have run.
    pub(in crate::store) fn forget_over(&mut self, came: &Came) {
        self.0.retain(|(_, seq), _| !came.is_over(*seq));
    }

    /// Returns the first event of a task that a hook of its own is still to be run for. It cannot be forgotten before: nobody would
    /// know any more what was to be run.
    pub(in crate::store) fn of(&self, id: TaskId, came: &Came) -> Option<HookEvent> {
        let of_task = self.0.range((id, Seq(0))..=(id, Seq(u64::MAX)));
        of_task.filter(|((_, seq), _)| !came.is_over(*seq)).map(|(_, event)| *event).min()
    }
}

/// How far the hooks of tasks came.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Came {
    /// They have run for all up to this change.
    pub(in crate::store) cursor: Seq,
    /// And for these after it.
    pub(in crate::store) ahead: BTreeSet<Seq>,
}

impl Came {
    fn is_over(&self, seq: Seq) -> bool {
        seq <= self.cursor || self.ahead.contains(&seq)
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
