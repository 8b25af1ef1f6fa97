//! How far tasks are, and how long they take.

use crate::domain::progress::{NotTold, Progress, RUNS_LOOKED_AT, RUNS_MAX, expected};
use crate::domain::task::{State, Task};
use crate::store::memory::Tables;
use crate::store::task::TellProgress;
use crate::store::transition;

impl Tables {
    pub(super) fn tell_progress(&mut self, tell: &TellProgress) -> Result<Progress, NotTold> {
        let entry = self.tasks.get_mut(&tell.tell.id).ok_or(NotTold::NotFound)?;
        let note = transition::progressed(&mut entry.task, tell)?;
        let progress = entry.task.told.clone();
        self.note(note);
        progress.ok_or(NotTold::NotFound)
    }

    /// Adds what is expected of a task that has a process.
    pub(super) fn with_expected(&self, mut task: Task) -> Task {
        if !task.state.is_active() || task.spec.name.is_none() {
            return task;
        }
        let earlier = self.tasks.range(..task.id).rev().map(|(_, entry)| &entry.task);
        let named = earlier.filter(|other| other.spec.name == task.spec.name).take(RUNS_LOOKED_AT);
        let runs = named.filter(|other| other.state == State::Succeeded);
        let runs = runs.filter_map(|other| Some(other.ended_at?.since(other.started_at?)));
        task.expected = expected(runs.take(RUNS_MAX).collect());
        task
    }
}
