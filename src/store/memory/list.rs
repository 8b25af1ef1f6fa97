//! The verbs that only read.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use crate::domain::task::{Stdin, Task};
use crate::store::filter::matches;
use crate::store::memory::{Entry, Tables};
use crate::store::task::{Counts, Ended, Prune, TaskFilter, TaskPage};

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
            if let Some(sort) = &filter.sort {
                tasks.sort_by(|a, b| sort.compare(a, b));
                tasks.truncate(limit as usize);
            } else if filter.next_first {
                tasks.sort_by_key(|task| (Reverse(task.spec.priority), task.position, task.id));
                tasks.truncate(limit as usize);
                tasks.sort_by_key(|task| task.id);
            } else if filter.oldest_first {
                tasks.truncate(limit as usize);
            } else {
                tasks.drain(..surplus);
            }
        }
        if let Some(sort) = &filter.sort {
            tasks.sort_by(|a, b| sort.compare(a, b));
        }
        TaskPage { tasks: tasks.into_iter().map(|task| self.with_expected(task.clone())).collect(), cut }
    }

    pub(super) fn ended(&self, prune: &Prune, limit: usize) -> Vec<Ended> {
        let tasks = self.tasks.values().map(|entry| &entry.task);
        let in_states = tasks.filter(|task| prune.states.is_empty() || prune.states.contains(&task.state));
        let mut ended: Vec<Ended> = in_states.filter_map(|task| Some((task.ended_at?, task.id))).collect();
        ended.sort_unstable_by(|a, b| b.cmp(a));
        if prune.below.is_none() {
            ended.drain(..usize::try_from(prune.keep).unwrap_or(usize::MAX).min(ended.len()));
        }
        ended.retain(|ended| prune.below.is_none_or(|below| *ended < below));
        ended.retain(|(at, _)| prune.until.is_none_or(|until| *at <= until));
        ended.truncate(limit);
        ended
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
