//! The verbs that only read.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use crate::domain::task::{Stdin, Task};
use crate::store::glob;
use crate::store::memory::{Entry, Tables};
use crate::store::task::{Counts, TaskFilter, TaskPage};

impl Tables {
    pub(super) fn list(&self, filter: &TaskFilter) -> TaskPage {
        let matching = self.tasks.values().map(|entry| &entry.task).filter(|task| matches(filter, task));
        let mut tasks: Vec<&Task> = matching.collect();
        let mut cut = false;
        let asks_for_ended = filter.states.iter().all(|state| state.is_ended());
        if let (true, Some(recent)) = (asks_for_ended, filter.recent) {
            let mut ended: Vec<_> = tasks.iter().filter_map(|task| Some((task.ended_at?, task.id))).collect();
            ended.sort_unstable();
            let surplus = ended.len().saturating_sub(recent as usize);
            let left_out: BTreeSet<_> = ended.drain(..surplus).map(|(_, id)| id).collect();
            cut = surplus > 0;
            tasks.retain(|task| !left_out.contains(&task.id));
        }
        if let Some(limit) = filter.limit {
            let surplus = tasks.len().saturating_sub(limit as usize);
            cut |= surplus > 0;
            if filter.next_first {
                tasks.sort_by_key(|task| (Reverse(task.spec.priority), task.position, task.id));
                tasks.truncate(limit as usize);
                tasks.sort_by_key(|task| task.id);
            } else {
                tasks.drain(..surplus);
            }
        }
        TaskPage { tasks: tasks.into_iter().cloned().collect(), cut }
    }

    pub(super) fn uploads(&self) -> HashSet<Uuid> {
        let named = |entry: &Entry| match entry.task.spec.stdin {
            Stdin::Upload(upload) => Some(upload),
            _ => None,
        };
        let of_schedule = |stored: &super::schedule::Stored| match stored.schedule.spec.stdin {
            Stdin::Upload(upload) => Some(upload),
            _ => None,
        };
        self.tasks.values().filter_map(named).chain(self.schedules.values().filter_map(of_schedule)).collect()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts =
            Counts { processed: self.processed, succeeded: self.succeeded, failed: self.failed, ..Counts::default() };
        for entry in self.tasks.values() {
            *counts.by_state.entry(entry.task.state).or_default() += 1;
        }
        counts
    }
}

fn matches(filter: &TaskFilter, task: &Task) -> bool {
    let spec = &task.spec;
    let labelled = |(key, value): &(String, Option<String>)| {
        spec.labels.get(key).is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
    };
    filter.below.is_none_or(|below| task.id < below)
        && (filter.states.is_empty() || filter.states.contains(&task.state))
        && filter.queue.as_ref().is_none_or(|queue| *queue == spec.queue)
        && filter.schedule.as_ref().is_none_or(|schedule| task.schedule.as_ref() == Some(schedule))
        && filter.labels.iter().all(labelled)
        && filter.name.as_ref().is_none_or(|glob| spec.name.as_ref().is_some_and(|name| glob::matches(glob, name)))
}
