//! What can be asked about tasks, and the answers.

use std::collections::BTreeMap;

use crate::domain::condition::{Comparison, Condition, Term};
use crate::domain::field::{Field, Sort, Value};
use crate::domain::hook::HookEvent;
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;

/// What came of an add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The task as it stands.
    pub task: Task,
    /// Whether this call made it; false if one with its uuid was there already, or one with its key that has not ended,
    /// which is then unchanged.
    pub created: bool,
}

/// What came of adding many tasks together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddedMany {
    /// Their ids, in the order in which they were named.
    pub runs: Vec<Run>,
    /// The project came from elsewhere and nobody has accepted it yet: they are held for that.
    pub untrusted: bool,
}

/// Ids that follow one another, of tasks that were named one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The place of the first one, from 0.
    pub place: u64,
    /// Its id.
    pub first: TaskId,
    /// How many there are.
    pub count: u64,
    /// Whether they were made; false if there were tasks with their keys already, which are then unchanged.
    pub created: bool,
}

impl Run {
    /// Returns the ids.
    pub fn ids(self) -> impl Iterator<Item = TaskId> {
        (0..self.count).filter_map(move |n| TaskId::new(self.first.get() + n))
    }
}

impl AddedMany {
    /// Appends the id of the task at `place`.
    pub fn push(&mut self, place: u64, id: TaskId, created: bool) {
        match self.runs.last_mut() {
            Some(run)
                if run.created == created
                    && run.place + run.count == place
                    && run.first.get() + run.count == id.get() =>
            {
                run.count += 1;
            }
            _ => self.runs.push(Run { place, first: id, count: 1, created }),
        }
    }

    /// Returns the id of the task at `place`; `None` if there is none.
    pub fn id(&self, place: u64) -> Option<TaskId> {
        let at = self.runs.partition_point(|run| run.place <= place).checked_sub(1)?;
        let run = self.runs.get(at)?;
        let offset = place - run.place;
        (offset < run.count).then(|| TaskId::new(run.first.get() + offset)).flatten()
    }
}

/// What came of a cancel for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was waiting and has now ended.
    Ended,
    /// It has a process, or is about to: the request is recorded, and the claim named here is to be stopped. Asking
    /// again answers the same and changes nothing.
    Asked(AssignmentId),
}

/// Why a verb did nothing to one of several tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no such task.
    NotFound,
    /// It is not in a state that allows this; here it is, as it stands, without its attempts.
    State(Box<Task>),
    /// It was skipped, and still would be: this one of those it depends on did not succeed.
    Dependency(TaskId),
    /// The same, and that one is forgotten: it cannot be tried again.
    Forgotten(TaskId),
    /// Others that wait depend on it; this is the first of them.
    Needed(TaskId),
    /// Its own hook for this has not run yet.
    Hook(HookEvent),
    /// It is not, or not any more, one of those that were meant.
    NotMeant,
}

/// Why a verb did nothing to one of several queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueRefused {
    /// There is no such queue.
    NotFound,
    /// So many of its tasks have not ended.
    InUse(u64),
    /// The default queue is always there.
    Default,
    /// This schedule adds tasks to it.
    Scheduled(String),
}

/// An answer for each queue named, in the order in which they were named.
pub type PerQueue<E = QueueRefused> = Vec<(String, Result<(), E>)>;

/// There is no such schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchSchedule;

/// An answer for each schedule named, in the order in which they were named.
pub type PerSchedule<E = NoSuchSchedule> = Vec<(String, Result<(), E>)>;

/// An answer for each task named, in the order in which they were named.
pub type PerTask<T, E = Refused> = Vec<(TaskId, Result<T, E>)>;

/// Which tasks to list. All conditions hold together; an empty one holds always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Any of these states. If empty: every state, or see `recent`.
    pub states: Vec<State>,
    /// In this queue.
    pub queue: Option<String>,
    /// Of this schedule.
    pub schedule: Option<String>,
    /// Has all these labels, with the value if one is given.
    pub labels: Vec<(String, Option<String>)>,
    /// Its name matches this glob (`*`, `?`, `[…]`; tasks without a name never match).
    pub name: Option<String>,
    /// Of the ended tasks only this many, those that ended last. Holds where no states are given, or only ended ones.
    pub recent: Option<u32>,
    /// At most so many; the newest (highest ids) are kept.
    pub limit: Option<u32>,
    /// Only those with a lower id: what comes after a page in which the lowest was this one.
    pub below: Option<TaskId>,
    /// Only those with a higher id.
    pub above: Option<TaskId>,
    /// Only those that ended at that time or before.
    pub ended_until: Option<Timestamp>,
    /// Only those for which this holds.
    pub condition: Option<Condition>,
    /// Not the newest are kept but those that come first in this order, and in this order.
    pub sort: Option<Sort>,
    /// Not the newest are kept but the oldest.
    pub oldest_first: bool,
    /// Not the newest are kept but those that are started first: by priority, position and id.
    pub next_first: bool,
}

impl TaskFilter {
    /// Returns the same filter, with what its condition says in terms of the other fields said there as well: that is what
    /// indexes know of.
    #[must_use]
    pub fn narrowed(&self) -> Self {
        let mut narrowed = self.clone();
        let Some(condition) = &self.condition else { return narrowed };
        if narrowed.states.is_empty() && !narrowed.next_first {
            // Of several that ended the last ones are only looked for where nothing else is asked for.
            let states = condition.states().unwrap_or_default();
            if narrowed.recent.is_none() || states.iter().all(|state| state.is_ended()) {
                narrowed.states = states;
            }
        }
        for part in condition.parts() {
            match part {
                Term::Has(Field::Label(key)) => narrowed.labels.push((key.clone(), None)),
                Term::Test { field, how, value: Value::Text(text) } => match (field, how) {
                    (Field::Queue, Comparison::Equal) => {
                        narrowed.queue.get_or_insert_with(|| text.clone());
                    }
                    (Field::Schedule, Comparison::Equal) => {
                        narrowed.schedule.get_or_insert_with(|| text.clone());
                    }
                    (Field::Label(key), Comparison::Equal) => narrowed.labels.push((key.clone(), Some(text.clone()))),
                    (Field::Name, Comparison::Equal) => {
                        narrowed.name.get_or_insert_with(|| literally(text));
                    }
                    (Field::Name, Comparison::Matches) => {
                        narrowed.name.get_or_insert_with(|| text.clone());
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        narrowed
    }
}

/// Returns the glob that matches this text and nothing else.
fn literally(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '*' | '?' | '[') { format!("[{c}]") } else { c.to_string() }).collect()
}

/// A list of tasks, by ascending id or as it was asked for, without their attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Whether `limit` or `recent` left some out.
    pub cut: bool,
}

/// How many tasks there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks in each state; states without tasks may be absent.
    pub by_state: BTreeMap<State, u64>,
    /// Tasks that ended since the project began, those removed since included. A task that was retried by hand and ends
    /// again counts again.
    pub processed: u64,
    /// Of these, those that succeeded.
    pub succeeded: u64,
    /// Of these, those that failed or timed out.
    pub failed: u64,
}

impl Counts {
    /// Returns how many tasks are in `state`.
    pub fn of(&self, state: State) -> u64 {
        self.by_state.get(&state).copied().unwrap_or(0)
    }

    /// Returns how many tasks are in a state that `kind` holds for.
    pub fn sum(&self, kind: impl Fn(State) -> bool) -> u64 {
        self.by_state.iter().filter(|(state, _)| kind(**state)).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_follow_one_another_are_one_run() {
        let id = |n| TaskId::new(n).unwrap();
        let mut added = AddedMany::default();
        for (place, (n, created)) in [(5, true), (6, true), (2, false), (7, true), (7, false)].into_iter().enumerate() {
            added.push(place as u64, id(n), created);
        }
        let runs: Vec<_> = added.runs.iter().map(|run| (run.place, run.first.get(), run.count, run.created)).collect();
        assert_eq!(runs, [(0, 5, 2, true), (2, 2, 1, false), (3, 7, 1, true), (4, 7, 1, false)]);
        let ids: Vec<_> = (0..6).map(|place| added.id(place).map(TaskId::get)).collect();
        assert_eq!(ids, [Some(5), Some(6), Some(2), Some(7), Some(7), None]);
        assert_eq!(added.runs[0].ids().collect::<Vec<_>>(), [id(5), id(6)]);
        assert_eq!(AddedMany::default().id(0), None);
    }
}
