//! Taking tasks that are ready.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::domain::dispatch::{Lane, Line, Rank, Room, Runner, choose};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::queue::lowest_free_slot;
use crate::domain::resource::{Free, Granted, Needs};
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::store::memory::Tables;
use crate::store::task::{Claim, Claimed, Holdings};
use crate::store::transition;

impl Tables {
    pub(super) fn claim(&mut self, claim: &Claim) -> Vec<Claimed> {
        let is_open = |attempt: &&AssignmentId| self.open.values().any(|open| open == *attempt);
        let most = claim.assignments.len().saturating_sub(claim.after.iter().filter(is_open).count());
        let terms = &claim.terms;
        let lending: HashSet<TaskId> = terms.lent.iter().filter_map(|lent| self.claims.get(lent)).copied().collect();
        let queues: Vec<(&String, Lane)> = self
            .queues
            .iter()
            .filter(|(name, queue)| queue.pause.is_none() && !claim.shut.contains(name))
            .map(|(name, queue)| {
                let active = self.slots(name, &lending).len();
                (name, Lane { slots: queue.slots, active, weight: queue.weight })
            })
            .collect();
        let has_pools = !terms.pools.is_empty();
        let mut lines: BTreeMap<(usize, Needs), Vec<Rank>> = BTreeMap::new();
        for task in self.tasks.values().map(|entry| &entry.task).filter(|task| task.state == State::Queued) {
            let lane = queues.iter().position(|(name, _)| **name == task.spec.queue);
            if let Some(lane) = lane.filter(|_| has_pools || task.spec.needs.is_empty()) {
                lines.entry((lane, task.spec.needs.clone())).or_default().push(rank(task));
            }
        }
        let lines: Vec<Line> = lines
            .into_iter()
            .map(|((lane, needs), mut tasks)| {
                tasks.sort_unstable();
                Line { lane, needs, tasks }
            })
            .collect();
        let mut short = BTreeMap::new();
        if has_pools {
            // Since a time to come: the clock was set back.
            self.short.values_mut().for_each(|(since, _)| *since = claim.now.min(*since));
            short = self.waiting_for_resources();
            self.short.retain(|id, _| short.contains_key(id));
        }
        let held: Vec<Granted> =
            self.held(|attempt| terms.lent.contains(attempt)).into_iter().map(|held| held.2).collect();
        let choice = choose(
            Room {
                slots: terms.slots as usize,
                free_slots: most,
                lanes: queues.iter().map(|(_, lane)| *lane).collect(),
                pools: &terms.pools,
                free: Free::of(&terms.pools, &held),
                short: &short,
                reserve_after: terms.reserve_after,
                runners: self.runners(&queues, &lending),
                now: claim.now,
            },
            &lines,
        );
        for id in choice.short {
            if let Some(entry) = self.tasks.get(&id) {
                self.short.insert(id, (claim.now, entry.task.updated_at));
            }
        }
        let taken = choice.taken.into_iter().zip(&claim.assignments);
        taken.map(|((_, id, granted), assignment)| self.take(id, granted, *assignment, claim, &lending)).collect()
    }

    fn take(
        &mut self,
        id: TaskId,
        granted: Granted,
        assignment: AssignmentId,
        claim: &Claim,
        lending: &HashSet<TaskId>,
    ) -> Claimed {
        self.short.remove(&id);
        let queue = self.tasks.get(&id).map(|entry| entry.task.spec.queue.clone()).unwrap_or_default();
        let slot = lowest_free_slot(&self.slots(&queue, lending));
        let entry = self.tasks.get_mut(&id).expect("it was found in the same call");
        let (attempt, note) = transition::claim(&mut entry.task, claim, assignment, slot, granted);
        entry.attempts.push((attempt.clone(), claim.boot));
        let claimed = Claimed { task: entry.task.clone(), attempt, env: Arc::clone(&entry.env) };
        self.claims.insert(assignment, id);
        self.claimed += 1;
        self.open.insert(self.claimed, assignment);
        self.note(note);
        claimed
    }

    /// Returns the slots that are taken in a queue.
    fn slots(&self, queue: &str, lending: &HashSet<TaskId>) -> Vec<u32> {
        let tasks = self.tasks.values().map(|entry| &entry.task);
        let of = tasks.filter(|task| task.state.is_active() && task.spec.queue == queue && !lending.contains(&task.id));
        of.filter_map(|task| task.slot).collect()
    }

    fn runners(&self, queues: &[(&String, Lane)], lending: &HashSet<TaskId>) -> Vec<Runner> {
        let active = self.tasks.values().filter(|entry| entry.task.state.is_active());
        let runner = |entry: &crate::store::memory::Entry| {
            let (attempt, _) = entry.attempts.last()?;
            let lane = queues.iter().position(|(name, _)| **name == entry.task.spec.queue);
            let (claimed_at, granted) = (attempt.claimed_at, attempt.granted.clone());
            Some(Runner { rank: rank(&entry.task), lane, claimed_at, granted })
        };
        active.filter(|entry| !lending.contains(&entry.task.id)).filter_map(runner).collect()
    }

    /// Returns what attempts hold that have not ended, oldest claim first, but for some.
    fn held(&self, without: impl Fn(&AssignmentId) -> bool) -> Vec<(TaskId, AssignmentId, Granted)> {
        let open = self.open.values().filter(|claim| !without(claim));
        let held = open.filter_map(|claim| {
            let id = *self.claims.get(claim)?;
            let (attempt, _) = self.tasks.get(&id)?.attempts.last()?;
            Some((id, *claim, attempt.granted.clone()))
        });
        held.filter(|(.., granted)| !granted.is_empty()).collect()
    }

    /// Returns the tasks that wait for a resource; what changed since then does not any more.
    fn waiting_for_resources(&self) -> BTreeMap<TaskId, Timestamp> {
        let waits = |(id, (since, seen)): (&TaskId, &(Timestamp, Timestamp))| {
            let task = &self.tasks.get(id)?.task;
            (task.state == State::Queued && task.updated_at == *seen).then_some((*id, *since))
        };
        self.short.iter().filter_map(waits).collect()
    }

    pub(super) fn holdings(&self) -> Holdings {
        Holdings { held: self.held(|_| false), short: self.waiting_for_resources() }
    }
}

fn rank(task: &Task) -> Rank {
    Rank { priority: std::cmp::Reverse(task.spec.priority), position: task.position, id: task.id }
}
