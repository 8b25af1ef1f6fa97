//! Which task a process belongs to: a decision over what was seen, without looking at anything.
//!
//! A process belongs to a task if it, or one of its ancestors, is in the session of the task's first process or carries
//! the task's mark ([`MARK`](crate::link::MARK)). One that has neither, because it made a session of its own, lost its
//! parents and cleared its environment, came to the guardian, who is the reaper of all orphans: it belongs to a task if
//! no other can have made it. What is not certain is left alone: a foreign process is worse to lose than one of ours.

use std::collections::{HashMap, HashSet};

use crate::domain::id::AssignmentId;
use crate::link::machine::Stat;

/// A live process of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) stat: Stat,
    /// The mark in its environment, if that was read and there is one.
    pub(super) mark: Option<AssignmentId>,
}

/// A held process, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) assignment: AssignmentId,
    /// When it started, 0 if that is not known.
    pub(super) start_ticks: u64,
}

/// What the guardian knows about who made whom.
#[derive(Debug)]
pub(super) struct Kin<'a> {
    pub(super) guardian: u32,
    pub(super) apexd: Option<u32>,
    /// Other processes that the guardian started for itself: keepers.
    pub(super) keepers: &'a HashSet<u32>,
    /// The first process of each held task, which is also the id of its session.
    pub(super) leaders: &'a HashMap<u32, AssignmentId>,
    /// All held tasks.
    pub(super) origins: &'a [Origin],
    /// What started up to then may come from a task that is forgotten, in clock ticks since boot.
    pub(super) murky_until: u64,
}

impl Kin<'_> {
    /// Returns which of the processes belong to the tasks in question, in the given order.
    pub(super) fn members<'p>(
        &self,
        processes: &'p [Process],
        is_meant: impl Fn(AssignmentId) -> bool,
    ) -> Vec<&'p Process> {
        let by_pid: HashMap<u32, &Process> = processes.iter().map(|process| (process.pid, process)).collect();
        let is_old_stranger =
            |process: &Process| self.is_stranger(process) && process.stat.start_ticks <= self.murky_until;
        let is_murky = processes.iter().any(is_old_stranger);
        // What was decided about a process holds for all that descend from it, unless they are meant by themselves.
        let mut decided: HashMap<u32, bool> = HashMap::new();
        let mut path = Vec::new();
        let mut members = Vec::new();
        for process in processes {
            path.clear();
            let mut at = process;
            let belongs = loop {
                if let Some(known) = decided.get(&at.pid) {
                    break *known;
                }
                if at.pid == self.guardian || self.is_own(at.pid) {
                    break false;
                }
                path.push(at.pid);
                if self.own_tasks(at).into_iter().flatten().any(&is_meant) {
                    break true;
                }
                if at.stat.parent == self.guardian {
                    break !is_murky && self.sole_origin(at).is_some_and(&is_meant);
                }
                match by_pid.get(&at.stat.parent) {
                    // A parent is never younger: else its pid was used again while this was being looked at.
                    Some(parent) if parent.stat.start_ticks <= at.stat.start_ticks && path.len() <= by_pid.len() => {
                        at = parent;
                    }
                    _ => break false,
                }
            };
            decided.extend(path.iter().map(|pid| (*pid, belongs)));
            if belongs {
                members.push(process);
            }
        }
        members
    }

    fn is_own(&self, pid: u32) -> bool {
        Some(pid) == self.apexd || self.keepers.contains(&pid)
    }

    /// The tasks that a process says itself it belongs to.
    fn own_tasks(&self, process: &Process) -> [Option<AssignmentId>; 2] {
        [self.leaders.get(&process.stat.session).copied(), process.mark]
    }

    /// Returns whether a process came to the guardian from somewhere, and nothing about it says from where.
    fn is_stranger(&self, process: &Process) -> bool {
        process.stat.parent == self.guardian
            && !self.is_own(process.pid)
            && !self.leaders.contains_key(&process.stat.session)
    }

    /// Returns the only task that can have made this orphan, if there is just one.
    fn sole_origin(&self, orphan: &Process) -> Option<AssignmentId> {
        let born = orphan.stat.start_ticks;
        if !self.is_stranger(orphan) || born <= self.murky_until {
            return None;
        }
        let mut candidates = self.origins.iter().filter(|origin| origin.start_ticks <= born);
        let first = candidates.next()?;
        candidates.next().is_none().then_some(first.assignment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(n: u128) -> AssignmentId {
        AssignmentId(Uuid::from_u128(n))
    }

    fn process(pid: u32, parent: u32, session: u32, start_ticks: u64, mark: Option<u128>) -> Process {
        Process { pid, stat: Stat { zombie: false, parent, session, start_ticks }, mark: mark.map(id) }
    }

    const GUARDIAN: u32 = 10;
    const APEXD: u32 = 11;
    const KEEPER: u32 = 12;

    /// Task 1 is process 20 since tick 200, task 2 process 30 since tick 300; all that started up to tick `murky_until`
    /// may come from another task.
    fn members(processes: &[Process], meant: u128, tasks: u128, murky_until: u64) -> Vec<u32> {
        let leaders: HashMap<u32, AssignmentId> =
            (1..=tasks).map(|n| (u32::try_from(10 + 10 * n).unwrap(), id(n))).collect();
        let origins: Vec<Origin> = (1..=tasks)
            .map(|n| Origin { assignment: id(n), start_ticks: 100 + 100 * u64::try_from(n).unwrap() })
            .collect();
        let keepers = HashSet::from([KEEPER]);
        let kin = Kin {
            guardian: GUARDIAN,
            apexd: Some(APEXD),
            keepers: &keepers,
            leaders: &leaders,
            origins: &origins,
            murky_until,
        };
        kin.members(processes, |assignment| assignment == id(meant)).iter().map(|process| process.pid).collect()
    }

    #[test]
    fn the_session_the_mark_and_the_descent_each_suffice() {
        let processes = [
            process(GUARDIAN, 1, 10, 100, None),
            process(APEXD, GUARDIAN, 11, 110, None),
            process(20, GUARDIAN, 20, 200, Some(1)),
            process(21, 20, 20, 210, None),
            process(22, 21, 22, 220, None),
            process(23, GUARDIAN, 20, 230, None),
            process(24, GUARDIAN, 24, 310, Some(1)),
            process(25, 24, 25, 320, None),
            process(26, 1, 26, 330, Some(1)),
            process(30, GUARDIAN, 30, 300, Some(2)),
            process(31, 30, 31, 340, None),
            process(40, 1, 40, 350, None),
            process(41, APEXD, 41, 360, None),
        ];
        assert_eq!(members(&processes, 1, 2, 0), [20, 21, 22, 23, 24, 25, 26]);
        assert_eq!(members(&processes, 2, 2, 0), [30, 31]);
        assert_eq!(members(&processes, 3, 2, 0), [0_u32; 0]);
    }

    #[test]
    fn the_mark_of_another_task_further_down_hides_nothing() {
        let processes = [
            process(20, GUARDIAN, 20, 200, Some(1)),
            process(21, 20, 21, 210, Some(7)),
            process(22, 21, 22, 220, Some(8)),
        ];
        assert_eq!(members(&processes, 1, 1, 0), [20, 21, 22]);
    }

    #[test]
    fn an_orphan_without_a_trace_belongs_to_the_only_task_that_can_have_made_it() {
        let orphan = process(50, GUARDIAN, 50, 250, None);
        let child = process(51, 50, 51, 260, None);
        let later = process(52, GUARDIAN, 52, 300, None);
        assert_eq!(members(&[orphan, child], 1, 1, 0), [50, 51]);
        assert_eq!(members(&[orphan, child], 1, 2, 0), [50, 51], "the second task came later");
        assert_eq!(members(&[later], 1, 2, 0), [0_u32; 0], "it may be of either");
        assert_eq!(members(&[later], 2, 2, 0), [0_u32; 0]);
        assert_eq!(members(&[orphan], 1, 1, 250), [0_u32; 0], "it may be of one that is forgotten");
        let stranger = process(45, GUARDIAN, 45, 150, None);
        assert_eq!(members(&[stranger, orphan], 1, 1, 160), [0_u32; 0], "or of what that one left behind");
        let older = process(46, GUARDIAN, 46, 190, None);
        assert_eq!(members(&[older], 1, 1, 0), [0_u32; 0], "it was there before the task");
    }

    #[test]
    fn a_keeper_is_no_orphan() {
        let keeper = process(KEEPER, GUARDIAN, KEEPER, 250, None);
        let orphan = process(50, GUARDIAN, 50, 260, None);
        assert_eq!(members(&[keeper, orphan], 1, 1, 0), [50]);
        assert_eq!(members(&[keeper, orphan], 1, 1, 255), [50], "it makes nothing uncertain");
    }

    #[test]
    fn a_parent_that_is_younger_than_its_child_is_another_process() {
        let processes = [process(20, GUARDIAN, 20, 200, Some(1)), process(60, 20, 60, 150, None)];
        assert_eq!(members(&processes, 1, 1, 0), [20]);
    }

    #[test]
    fn a_circle_ends() {
        let processes = [process(60, 61, 60, 150, None), process(61, 60, 61, 150, None)];
        assert_eq!(members(&processes, 1, 1, 0), [0_u32; 0]);
    }
}
