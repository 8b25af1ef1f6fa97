//! How far hooks came.

use std::collections::BTreeMap;

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::hook::{HookEvent, OF_TASKS};
use crate::domain::id::{Seq, TaskId};
use crate::domain::task::TaskSpec;
use crate::domain::time::Timestamp;
use crate::store::hook::HookRan;
use crate::store::memory::Tables;
use crate::store::transition::{self, Came, Note, ToCome};

impl Tables {
    pub(super) fn set_hooks(&mut self, hooks: &[(String, bool)]) -> BTreeMap<String, Seq> {
        let tasks = self.tasks.values().any(|entry| !entry.task.spec.hooks.is_empty());
        let has_own = tasks || self.schedules.values().any(|stored| !stored.schedule.spec.hooks.is_empty());
        let is_known = |name: &String| hooks.iter().any(|(known, _)| known == name);
        self.hooks.retain(|name, _| if name == OF_TASKS { has_own } else { is_known(name) });
        if !has_own {
            self.hooks_ahead.clear();
        }
        for (name, _) in hooks {
            self.hooks.entry(name.clone()).or_insert(self.last);
        }
        self.empties = hooks.iter().any(|(_, empties)| *empties);
        self.hooks.clone()
    }

    pub(super) fn hook_ran(&mut self, ran: &HookRan) {
        let Some(cursor) = self.hooks.get_mut(&ran.hook) else { return };
        *cursor = (*cursor).max(ran.until);
        if ran.hook == OF_TASKS {
            self.hooks_ahead.extend(ran.ahead);
            self.hooks_ahead.retain(|seq| *seq > ran.until);
        }
        if let Some(Err(failed)) = &ran.run {
            let state = failed.task.and_then(|id| self.tasks.get(&id)).map(|entry| entry.task.state);
            self.note(transition::hook_failed(failed, state, ran.now));
        }
    }

    /// Returns the event of a task that a hook of its own is still to be run for.
    pub(super) fn hook_to_come(&self, id: TaskId) -> Option<HookEvent> {
        let came = Came { cursor: *self.hooks.get(OF_TASKS)?, ahead: self.hooks_ahead.clone() };
        let hooks = &self.tasks.get(&id)?.task.spec.hooks;
        if hooks.is_empty() {
            return None;
        }
        let mut to_come = ToCome::default();
        for change in self.changes.iter().rev().take_while(|change| change.seq > came.cursor) {
            if change.task == Some(id) {
                to_come.take_in((id, change.seq), hooks, change.kind, change.from, change.to);
            }
        }
        to_come.of(id, &came)
    }

    /// Remembers from where on the hooks of tasks are to be followed, if this is the first that has some.
    pub(super) fn follow_hooks_of(&mut self, spec: &TaskSpec) {
        if !spec.hooks.is_empty() {
            self.hooks.entry(OF_TASKS.to_owned()).or_insert(self.last);
        }
    }

    /// Records that the queue of a task that has just ended is empty, if it is.
    pub(super) fn note_empty(&mut self, id: TaskId, at: Timestamp) {
        let Some(queue) = self.tasks.get(&id).map(|entry| entry.task.spec.queue.clone()) else { return };
        let mut of_queue = self.tasks.values().filter(|entry| entry.task.spec.queue == queue);
        if of_queue.all(|entry| entry.task.state.is_ended()) {
            self.note(Note::of_queue(&queue, ChangeKind::QueueEmptied, at, Actor::Daemon));
        }
    }
}
