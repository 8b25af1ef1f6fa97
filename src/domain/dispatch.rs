//! Who is started next, of those that are ready: which of them, and what each is granted.
//!
//! The order is that of priority, then position, then number. A task for which there is not enough of a resource is
//! passed by those after it that fit. So that no big one waits for ever while small ones go by, one that has waited
//! `reserve_after` for a resource *reserves*:
//!
//! > Beside a task that reserves, another one that comes after it starts only if all that have been started since, come
//! > after it too and still run, the other one and the task itself fit into all there is: of every resource that
//! > both need, and of the slots.
//!
//! So what passes never stands in its way: as soon as those have ended that ran when it began to reserve, and those that come
//! before it (which may have to wait in the same way), it starts. Several may reserve at once, and what passes must fit beside each of them. It reserves until it
//! starts, also while its queue is full or another one keeps it from starting, which are of those only. One that could not
//! start if it were alone reserves nothing.
//!
//! With weights, the queues that have tasks of the same priority take turns: next is the one with the fewest running for
//! its weight. One that reserves then comes before all others of its priority, so that no turn of another queue can put it off.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use crate::domain::id::TaskId;
use crate::domain::resource::{Free, Grant, Granted, Needs, Pools};
use crate::domain::time::Timestamp;

#[cfg(test)]
mod tests;

/// What decides who comes first: lower ones do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Higher first.
    pub priority: Reverse<i32>,
    /// Lower first.
    pub position: i64,
    /// Lower first.
    pub id: TaskId,
}

/// How a queue stands of which tasks may start. Queues are named by their place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// How many of its tasks may hold a slot at once; 0 is no limit of its own.
    pub slots: u32,
    /// How many do.
    pub active: usize,
    /// Its share, beside that of others; `None` if nobody gave it one, which is that of 1.
    pub weight: Option<u32>,
}

/// Tasks of one queue that need the same, in their order: as many as can be started, and those that reserve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The place of the queue.
    pub lane: usize,
    /// What each of them needs.
    pub needs: Needs,
    /// The tasks.
    pub tasks: Vec<Rank>,
}

/// A task that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Where it stood when it waited.
    pub rank: Rank,
    /// The place of its queue; `None` if nothing of that is started.
    pub lane: Option<usize>,
    /// When it was taken.
    pub claimed_at: Timestamp,
    /// What it holds.
    pub granted: Granted,
}

/// What is to be divided up, and by which terms.
#[derive(Debug, Clone)]
pub struct Room<'a> {
    /// How many tasks may hold a slot at once.
    pub slots: usize,
    /// How many more may be started.
    pub free_slots: usize,
    /// The queues of which tasks may start.
    pub lanes: Vec<Lane>,
    /// What there is.
    pub pools: &'a Pools,
    /// What nobody holds of it.
    pub free: Free,
    /// Since when tasks have waited for a resource.
    pub short: &'a BTreeMap<TaskId, Timestamp>,
    /// How long a task waits for a resource before it reserves.
    pub reserve_after: Duration,
    /// Tasks that hold a slot. Only those matter that were taken since one began to reserve.
    pub runners: Vec<Runner>,
    /// When.
    pub now: Timestamp,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Who starts, in this order: the place of the line, which task, and what it is granted.
    pub taken: Vec<(usize, TaskId, Granted)>,
    /// Who was found to wait for a resource now.
    pub short: Vec<TaskId>,
}

/// Returns when a task began to reserve, or will, that has waited for a resource since then.
pub fn reserves_at(since: Timestamp, reserve_after: Duration) -> Timestamp {
    since + reserve_after
}

/// Returns who starts now.
pub fn choose(room: Room<'_>, lines: &[Line]) -> Choice {
    let mut choice = Choice::default();
    let mut dispatch = Dispatch::new(room);
    let mut heads: Vec<BinaryHeap<Reverse<Head>>> = dispatch.room.lanes.iter().map(|_| BinaryHeap::new()).collect();
    let push = |heads: &mut Vec<BinaryHeap<_>>, dispatch: &Dispatch<'_>, line: usize, task: usize| {
        let of = &lines[line];
        if let (Some(heads), Some(rank)) = (heads.get_mut(of.lane), of.tasks.get(task)) {
            heads.push(Reverse(dispatch.head(*rank, line, task)));
        }
    };
    (0..lines.len()).for_each(|line| push(&mut heads, &dispatch, line, 0));
    while dispatch.room.free_slots > 0 {
        let Some(lane) = dispatch.next(&heads) else { break };
        let Some(Reverse(Head { rank, line, task, .. })) = heads[lane].pop() else { break };
        match dispatch.verdict(rank, &lines[line]) {
            Verdict::Take(granted) => {
                choice.taken.push((line, rank.id, granted));
                push(&mut heads, &dispatch, line, task + 1);
            }
            verdict => {
                if verdict == Verdict::Short && !dispatch.room.short.contains_key(&rank.id) {
                    choice.short.push(rank.id);
                }
                dispatch.reserve(rank, &lines[line]);
                // There will not be more for those behind it: of them only those matter that reserve.
                let behind = lines[line].tasks.iter().enumerate().skip(task + 1);
                let reserving = |(_, rank): &(usize, &Rank)| dispatch.reserving_since(rank.id).is_some();
                if let Some((next, _)) = behind.clone().find(reserving) {
                    push(&mut heads, &dispatch, line, next);
                }
            }
        }
    }
    choice
}

/// The first task of a line. What comes first is least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    priority: Reverse<i32>,
    /// Only where queues take turns, which those that reserve do not wait for.
    takes_turns: bool,
    rank: Rank,
    line: usize,
    /// Its place in the line.
    task: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Take(Granted),
    /// There is not enough of a resource.
    Short,
    /// Its queue is full, it can never start, or it would stand in the way of one that reserves.
    Waits,
}

/// A task that reserves, and what has passed it.
struct Reserver<'a> {
    needs: &'a Needs,
    lane: usize,
    rank: Rank,
    /// What was started since, and still runs: of slots, of slots of its queue, and of what it needs.
    slots: usize,
    in_lane: usize,
    passed: BTreeMap<&'a str, u64>,
}

struct Dispatch<'a> {
    room: Room<'a>,
    by_weight: bool,
    reservers: Vec<Reserver<'a>>,
}

impl<'a> Dispatch<'a> {
    fn new(room: Room<'a>) -> Self {
        Self { by_weight: room.lanes.iter().any(|lane| lane.weight.is_some()), room, reservers: Vec::new() }
    }

    fn head(&self, rank: Rank, line: usize, task: usize) -> Head {
        let takes_turns = self.by_weight && self.reserving_since(rank.id).is_none();
        Head { priority: rank.priority, takes_turns, rank, line, task }
    }

    /// Returns the queue whose first task is next.
    fn next(&self, heads: &[BinaryHeap<Reverse<Head>>]) -> Option<usize> {
        let first = |(lane, heads): (usize, &BinaryHeap<Reverse<Head>>)| heads.peek().map(|head| (lane, head.0));
        let heads = heads.iter().enumerate().filter_map(first);
        heads.min_by(|a, b| self.compare(*a, *b)).map(|(lane, _)| lane)
    }

    fn compare(&self, (lane_a, a): (usize, Head), (lane_b, b): (usize, Head)) -> Ordering {
        let by_class = a.priority.cmp(&b.priority).then(a.takes_turns.cmp(&b.takes_turns));
        let by_share = || if a.takes_turns && lane_a != lane_b { self.share(lane_a, lane_b) } else { Ordering::Equal };
        by_class.then_with(by_share).then_with(|| a.cmp(&b))
    }

    /// Compares what one more of either queue would be for its weight.
    fn share(&self, a: usize, b: usize) -> Ordering {
        let of = |lane: usize| {
            let lane = self.room.lanes.get(lane);
            let active = lane.map_or(0, |lane| lane.active as u64);
            (active.saturating_add(1), u64::from(lane.and_then(|lane| lane.weight).unwrap_or(1).max(1)))
        };
        let ((a, weight_a), (b, weight_b)) = (of(a), of(b));
        a.saturating_mul(weight_b).cmp(&b.saturating_mul(weight_a))
    }

    fn reserving_since(&self, id: TaskId) -> Option<Timestamp> {
        let since = *self.room.short.get(&id)?;
        Some(reserves_at(since, self.room.reserve_after)).filter(|at| *at <= self.room.now)
    }

    fn verdict(&mut self, rank: Rank, line: &'a Line) -> Verdict {
        let Some(lane) = self.room.lanes.get(line.lane).copied() else { return Verdict::Waits };
        let is_full = lane.slots > 0 && lane.active >= lane.slots as usize;
        if is_full || self.room.pools.check(&line.needs).is_err() {
            return Verdict::Waits;
        }
        if !self.room.free.fits(&line.needs) {
            return Verdict::Short;
        }
        if !self.reservers.iter().all(|reserver| self.fits_beside(reserver, line)) {
            return Verdict::Waits;
        }
        let Some(granted) = self.room.free.take(&line.needs) else { return Verdict::Waits };
        self.room.free_slots -= 1;
        self.room.lanes[line.lane].active += 1;
        let runner = Runner { rank, lane: Some(line.lane), claimed_at: self.room.now, granted: granted.clone() };
        self.reservers.iter_mut().for_each(|reserver| reserver.is_passed_by(&runner));
        if self.by_weight {
            // One of another queue that reserves may come only now.
            self.room.runners.push(runner);
        }
        Verdict::Take(granted)
    }

    /// Has a task that does not start reserve what it needs, if its time for that has come, and it could ever start.
    fn reserve(&mut self, rank: Rank, line: &'a Line) {
        if let Some(since) = self.reserving_since(rank.id)
            && self.room.pools.check(&line.needs).is_ok()
        {
            let reserver = self.reserver(rank, line, since);
            self.reservers.push(reserver);
        }
    }

    fn reserver(&self, rank: Rank, line: &'a Line, since: Timestamp) -> Reserver<'a> {
        let passed = line.needs.0.keys().map(|name| (name.as_str(), 0)).collect();
        let mut reserver = Reserver { needs: &line.needs, lane: line.lane, rank, slots: 0, in_lane: 0, passed };
        for runner in self.room.runners.iter().filter(|runner| runner.claimed_at >= since) {
            if self.comes_after(runner, &reserver) {
                reserver.is_passed_by(runner);
            }
        }
        reserver
    }

    /// Returns whether a task that runs comes after one that reserves.
    fn comes_after(&self, runner: &Runner, reserver: &Reserver<'_>) -> bool {
        if self.by_weight && runner.lane != Some(reserver.lane) {
            return runner.rank.priority >= reserver.rank.priority;
        }
        runner.rank > reserver.rank
    }

    fn fits_beside(&self, reserver: &Reserver<'_>, line: &Line) -> bool {
        // Itself, and the one that reserves.
        if reserver.slots + 2 > self.room.slots {
            return false;
        }
        let limit = self.room.lanes.get(reserver.lane).map_or(0, |lane| lane.slots as usize);
        if line.lane == reserver.lane && limit > 0 && reserver.in_lane + 2 > limit {
            return false;
        }
        line.needs.0.iter().all(|(name, need)| {
            let Some(reserved) = reserver.needs.0.get(name) else { return true };
            let passed = reserver.passed.get(name.as_str()).copied().unwrap_or(0);
            passed.saturating_add(need.get()).saturating_add(reserved.get()) <= self.room.pools.total(name)
        })
    }
}

impl Reserver<'_> {
    fn is_passed_by(&mut self, runner: &Runner) {
        self.slots += 1;
        self.in_lane += usize::from(runner.lane == Some(self.lane));
        for (name, passed) in &mut self.passed {
            *passed = passed.saturating_add(runner.granted.0.get(*name).map_or(0, Grant::number));
        }
    }
}
