//! How the resources stand, as it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::dispatch::reserves_at;
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::resource::{Amount, Capacity, Free, Granted, Needs, Pools};
use crate::domain::time::Timestamp;

/// How all of them stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Each of them, by name.
    pub all: Vec<ResourceState>,
    /// Tasks that are ready and wait for some of it, by number.
    pub waiting: Vec<ResourceWait>,
}

/// How a resource stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceState {
    /// Its name.
    pub name: String,
    /// How much there is.
    pub total: Amount,
    /// How much of it tasks hold; more than there is, where there was more once.
    pub held: u64,
    /// Of pieces that are told apart: which there are, and which nobody holds.
    pub pieces: Option<(Vec<u32>, Vec<u32>)>,
}

impl ResourceState {
    /// Returns how much nobody holds.
    pub fn free(&self) -> Amount {
        let left = self.total.get().saturating_sub(self.held);
        let left = self.pieces.as_ref().map_or(left, |(_, free)| left.min(free.len() as u64));
        Amount::new(left, self.total.is_size())
    }
}

/// A task that waits for a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceWait {
    /// Which.
    pub task: TaskId,
    /// Since when.
    pub since: Timestamp,
    /// From when on others pass it only where they do not stand in its way.
    pub reserves_at: Timestamp,
}

impl Resources {
    /// Tells how they stand.
    pub fn of(
        pools: &Pools,
        held: &[(TaskId, AssignmentId, Granted)],
        short: &BTreeMap<TaskId, Timestamp>,
        reserve_after: Duration,
    ) -> Self {
        let free = Free::of(pools, held.iter().map(|(.., granted)| granted));
        let state = |(name, pool): (&String, &crate::domain::resource::Pool)| {
            let pieces = match &pool.capacity {
                Capacity::Amount(_) => None,
                Capacity::Indices(all) => {
                    let free = free.indices(name).into_iter().flatten().copied().collect();
                    Some((all.iter().copied().collect(), free))
                }
            };
            ResourceState { name: name.clone(), total: pool.total(), held: free.held(name), pieces }
        };
        let wait = |(task, since): (&TaskId, &Timestamp)| ResourceWait {
            task: *task,
            since: *since,
            reserves_at: reserves_at(*since, reserve_after),
        };
        Self { all: pools.0.iter().map(state).collect(), waiting: short.iter().map(wait).collect() }
    }

    /// Returns a resource.
    pub fn named(&self, name: &str) -> Option<&ResourceState> {
        self.all.iter().find(|resource| resource.name == name)
    }

    /// Returns what of its needs a task has to wait for, as far as it can be told: what it needs, and how that stands. One
    /// that there is not, not so much of, or not as what is asked for, is never there.
    pub fn wanting<'a>(&'a self, needs: &'a Needs) -> Vec<(&'a str, Amount, Option<&'a ResourceState>)> {
        let wanting = |(name, need): (&'a String, &Amount)| {
            let state = self.named(name);
            let is_there =
                |state: &ResourceState| state.total.is_size() == need.is_size() && state.free().get() >= need.get();
            (!state.is_some_and(is_there)).then_some((name.as_str(), *need, state))
        };
        needs.0.iter().filter_map(wanting).collect()
    }
}
