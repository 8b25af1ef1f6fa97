//! In which order a hook is run for what has happened: a decision without looking at anything.
//!
//! What happened to one task is one after the other. What happened to different tasks may be beside one another, as far as more than one
//! may run at once, so that a slow hook of one task delays no other's. How far the hook came is then more than one number: all up to a
//! change have run, and some after it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::change::Change;
use crate::domain::id::Seq;

/// So many changes are known at a time for which something is to be run, or has run while one before them runs still.
const AHEAD_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Runs,
    Ran,
}

/// What is to be run, and how far that came.
#[derive(Debug)]
pub(super) struct Order {
    /// So many may run at once.
    at_once: usize,
    /// The last change that was looked at.
    looked_at: Seq,
    jobs: BTreeMap<Seq, (Change, State)>,
    /// What had run before all that comes before it, when this began.
    ran_before: BTreeSet<Seq>,
}

impl Order {
    /// All up to `cursor` have run, and `ran` after it.
    pub(super) fn new(at_once: usize, cursor: Seq, ran: BTreeSet<Seq>) -> Self {
        Self { at_once: at_once.max(1), looked_at: cursor, jobs: BTreeMap::new(), ran_before: ran }
    }

    /// Returns the last change that was looked at.
    pub(super) fn looked_at(&self) -> Seq {
        self.looked_at
    }

    /// Returns whether a further change can be looked at.
    pub(super) fn has_room(&self) -> bool {
        self.jobs.len() < AHEAD_MAX
    }

    /// Returns whether nothing is to be run for a change, because that was done already.
    pub(super) fn has_run(&self, seq: Seq) -> bool {
        self.ran_before.contains(&seq)
    }

    /// Takes in a change for which something is to be run.
    pub(super) fn take_in(&mut self, change: Change) {
        self.looked_at = change.seq;
        self.jobs.insert(change.seq, (change, State::Waits));
    }

    /// There is nothing to be run for what comes up to a change.
    pub(super) fn pass(&mut self, until: Seq) {
        self.looked_at = self.looked_at.max(until);
    }

    /// Returns the change for which something is to be run next, as which it counts then; `None` if nothing may be.
    pub(super) fn next(&mut self) -> Option<Change> {
        if self.jobs.values().filter(|(_, state)| *state == State::Runs).count() >= self.at_once {
            return None;
        }
        let mut before = BTreeSet::new();
        for (change, state) in self.jobs.values_mut() {
            // What happened to no task is in one line as well.
            let is_first = *state == State::Ran || before.insert(change.task);
            if *state == State::Waits && is_first {
                *state = State::Runs;
                return Some(change.clone());
            }
        }
        None
    }

    /// Something was run. Returns up to which change all have run now, and whether this one is after that.
    pub(super) fn ran(&mut self, seq: Seq) -> (Seq, Option<Seq>) {
        if let Some((_, state)) = self.jobs.get_mut(&seq) {
            *state = State::Ran;
        }
        while let Some(first) = self.jobs.first_entry()
            && first.get().1 == State::Ran
        {
            first.remove();
        }
        let until = self.until();
        (until, Some(seq).filter(|seq| *seq > until))
    }

    /// Something was not run after all, and waits again.
    pub(super) fn put_back(&mut self, seq: Seq) {
        if let Some((_, state)) = self.jobs.get_mut(&seq) {
            *state = State::Waits;
        }
    }

    /// Returns up to which change all have run.
    pub(super) fn until(&self) -> Seq {
        self.jobs.first_key_value().map_or(self.looked_at, |(first, _)| Seq(first.0.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::TaskId;
    use crate::view::samples;

    fn change(seq: u64, task: u64) -> Change {
        Change { seq: Seq(seq), task: TaskId::new(task), ..samples::started() }
    }

    fn order(at_once: usize, changes: &[(u64, u64)]) -> Order {
        let mut order = Order::new(at_once, Seq(10), BTreeSet::new());
        changes.iter().for_each(|(seq, task)| order.take_in(change(*seq, *task)));
        order
    }

    fn next(order: &mut Order) -> Option<u64> {
        order.next().map(|change| change.seq.0)
    }

    #[test]
    fn one_at_a_time_is_in_the_order_of_the_changes() {
        let mut order = order(1, &[(11, 1), (13, 2), (14, 1)]);
        order.pass(Seq(20));
        assert_eq!((next(&mut order), next(&mut order), order.until()), (Some(11), None, Seq(10)));
        assert_eq!(order.ran(Seq(11)), (Seq(12), None), "there is nothing for 12");
        assert_eq!((next(&mut order), order.ran(Seq(13))), (Some(13), (Seq(13), None)));
        assert_eq!((next(&mut order), order.ran(Seq(14))), (Some(14), (Seq(20), None)));
        assert_eq!((next(&mut order), order.looked_at()), (None, Seq(20)));
    }

    #[test]
    fn a_slow_one_delays_only_what_happens_to_the_same_task() {
        let mut order = order(2, &[(11, 1), (12, 1), (13, 2), (14, 3)]);
        assert_eq!((next(&mut order), next(&mut order), next(&mut order)), (Some(11), Some(13), None));
        assert_eq!(order.ran(Seq(13)), (Seq(10), Some(Seq(13))), "11 runs still");
        assert_eq!((next(&mut order), order.ran(Seq(14))), (Some(14), (Seq(10), Some(Seq(14)))));
        assert_eq!(next(&mut order), None, "12 is of the same task");
        assert_eq!(order.ran(Seq(11)), (Seq(11), None));
        assert_eq!((next(&mut order), order.ran(Seq(12))), (Some(12), (Seq(14), None)));
    }

    #[test]
    fn what_was_not_run_waits_again() {
        let mut order = order(2, &[(11, 1), (12, 1)]);
        assert_eq!(next(&mut order), Some(11));
        order.put_back(Seq(11));
        assert_eq!((next(&mut order), order.until()), (Some(11), Seq(10)));
    }

    #[test]
    fn there_is_an_end_to_how_far_it_looks_ahead() {
        let mut order = order(4, &[]);
        for seq in 0..AHEAD_MAX as u64 {
            assert!(order.has_room());
            order.take_in(change(11 + seq, seq + 1));
        }
        assert!(!order.has_room());
        assert_eq!((next(&mut order), next(&mut order)), (Some(11), Some(12)));
        order.ran(Seq(12));
        assert!(!order.has_room(), "the first one runs still");
        order.ran(Seq(11));
        assert!(order.has_room());
    }

    #[test]
    fn what_had_run_before_is_not_run_again() {
        let order = Order::new(4, Seq(10), [Seq(13)].into());
        assert!(order.has_run(Seq(13)) && !order.has_run(Seq(12)));
    }
}
