//! What became of the attempts that were under way when apexd started: the store's memory is compared with the
//! processes that the guardian holds.
//!
//! This is not a special recovery: apexd always starts like this, and on a first start there is nothing to compare.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::id::AssignmentId;
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::{Exit, ReasonCode, StopCause};
use crate::domain::time::Timestamp;

/// A process that the guardian started and has not forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// The claim it belongs to.
    pub assignment: AssignmentId,
    /// Its pid, which is also the id of its session.
    pub pid: u32,
    /// When it started, in clock ticks since boot: with the pid and the boot id, its identity.
    ///
    /// Source: proc_pid_stat(5), field 22.
    pub start_ticks: u64,
    /// When it started, by the wall clock.
    pub started_at: Timestamp,
    /// How it ended, if it has.
    pub exit: Option<Exit>,
}

/// An attempt that the store has as claimed and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay {
    /// The claim.
    pub assignment: AssignmentId,
    /// The guardian that was there when it was claimed.
    pub owner: GuardianId,
    /// The run of the machine in which it was claimed.
    pub boot: BootId,
    /// Its process; `None` if the start was never recorded.
    pub identity: Option<ProcessIdentity>,
}

/// What a guardian wrote down before it ended without an apexd: everything it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// Which guardian.
    pub guardian: GuardianId,
    /// All its processes; each has ended.
    pub children: Vec<Child>,
}

/// Who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Here<'a> {
    /// The guardian of this apexd.
    pub guardian: GuardianId,
    /// The present run of the machine.
    pub boot: BootId,
    /// Claims that a guardian before may have started, which was killed before it could say so.
    pub doubtful: &'a [AssignmentId],
}

/// What to do about one assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Its process is held by the guardian: go on with it, running or ended.
    Adopt(Child),
    /// It ended while no apexd was there, and the guardian that saw it is gone.
    Ended(Child),
    /// It was provably never started: back to the queue, and no attempt.
    NeverStarted(AssignmentId),
    /// Its process lives on without a guardian: wait for its end, which nobody will see.
    Watch(AssignmentId, ProcessIdentity),
    /// It is gone, and nobody saw how it ended.
    Lost(AssignmentId, ReasonCode),
    /// The guardian holds a process of an attempt that is already stored as ended: only to be reaped.
    Forget(AssignmentId),
    /// The guardian holds a live process that the store does not know. It is not signalled.
    Stranger(Child),
}

impl Decision {
    /// Returns which claim it is about.
    pub fn assignment(&self) -> AssignmentId {
        match self {
            Self::Adopt(child) | Self::Ended(child) | Self::Stranger(child) => child.assignment,
            Self::NeverStarted(assignment)
            | Self::Watch(assignment, _)
            | Self::Lost(assignment, _)
            | Self::Forget(assignment) => *assignment,
        }
    }
}

/// Decides about everything that the store or the guardian knows.
///
/// Shape: one decision for each assignment, the store's in its order, then what only the guardian knows. `is_alive`
/// answers whether that very process still exists.
pub fn reconcile(
    here: Here<'_>,
    under_way: &[UnderWay],
    held: &[Child],
    last_words: &[LastWords],
    is_alive: impl Fn(ProcessIdentity) -> bool,
) -> Vec<Decision> {
    let held_by_assignment: HashMap<_, _> = held.iter().map(|child| (child.assignment, *child)).collect();
    let mut decisions = Vec::with_capacity(under_way.len());
    for attempt in under_way {
        let words = last_words.iter().find(|words| words.guardian == attempt.owner);
        let told = words.and_then(|words| words.children.iter().find(|child| child.assignment == attempt.assignment));
        decisions.push(if let Some(child) = held_by_assignment.get(&attempt.assignment) {
            Decision::Adopt(*child)
        } else if let Some(child) = told {
            Decision::Ended(*child)
        } else {
            decide_unknown(here, attempt, words.is_some(), &is_alive)
        });
    }
    let stored: std::collections::HashSet<_> = under_way.iter().map(|attempt| attempt.assignment).collect();
    for child in held.iter().filter(|child| !stored.contains(&child.assignment)) {
        decisions.push(match child.exit {
            Some(_) => Decision::Forget(child.assignment),
            None => Decision::Stranger(*child),
        });
    }
    decisions
}

/// Returns why a process was stopped that ended while no apexd was there, if it was: for a person who had cancelled it, for
/// its time limit, else for a drain. `cancelled` is when that was asked for, `ran` how long it had run, pauses left out.
pub fn cause_of_end(
    exit: &Exit,
    is_draining: bool,
    cancelled: Option<Timestamp>,
    timeout: Option<Duration>,
    ran: Duration,
) -> Option<StopCause> {
    // The wall clock may have been set back in between.
    if cancelled.is_some_and(|asked| exit.stopped || exit.at >= asked) {
        return Some(StopCause::Cancel);
    }
    // What nobody drained was over, although the wall clock, which was set back, says that it ran for less.
    let is_over = timeout.is_some_and(|limit| ran >= limit || !is_draining);
    // How it ended says nothing: many programs end in order when they are asked to.
    exit.stopped.then_some(if is_over { StopCause::Timeout } else { StopCause::Drain })
}

/// Decides about an attempt whose process nobody names.
fn decide_unknown(
    here: Here<'_>,
    attempt: &UnderWay,
    owner_told_all: bool,
    is_alive: &impl Fn(ProcessIdentity) -> bool,
) -> Decision {
    let assignment = attempt.assignment;
    // A guardian forgets a process only after its outcome was stored. So one that is there, or that wrote down all it
    // held, and does not name the assignment never started it. If the store knows its process all the same, the store
    // is not the one that the outcome was written to (a copy was put back), and it must not run a second time.
    let is_doubtful = here.doubtful.contains(&assignment);
    if (attempt.owner == here.guardian || owner_told_all) && attempt.identity.is_none() && !is_doubtful {
        return Decision::NeverStarted(assignment);
    }
    if attempt.boot != here.boot {
        return Decision::Lost(assignment, ReasonCode::Reboot);
    }
    match attempt.identity {
        Some(identity) if is_alive(identity) => Decision::Watch(assignment, identity),
        _ => Decision::Lost(assignment, ReasonCode::GuardianLost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::ExitStatus;
    use uuid::Uuid;

    fn id(n: u128) -> AssignmentId {
        AssignmentId(Uuid::from_u128(n))
    }

    const HERE: Here<'static> =
        Here { guardian: GuardianId(Uuid::from_u128(1)), boot: BootId(Uuid::from_u128(2)), doubtful: &[] };
    const OTHER_GUARDIAN: GuardianId = GuardianId(Uuid::from_u128(3));
    const OTHER_BOOT: BootId = BootId(Uuid::from_u128(4));

    fn child(n: u128, ended: bool) -> Child {
        let status = ExitStatus::Code(3);
        let exit = ended.then_some(Exit { status, usage: None, at: Timestamp(9), leftovers: false, stopped: false });
        Child { assignment: id(n), pid: 100, start_ticks: 5, started_at: Timestamp(1), exit }
    }

    fn under_way(owner: GuardianId, boot: BootId, started: bool) -> UnderWay {
        let identity = started.then_some(ProcessIdentity { boot, pid: 100, start_ticks: 5 });
        UnderWay { assignment: id(7), owner, boot, identity }
    }

    #[test]
    fn what_was_asked_to_stop_did_not_end_by_itself() {
        let exit = |stopped| Exit { stopped, ..child(7, true).exit.unwrap() };
        let (limit, ran) = (Duration::from_secs(60), Duration::from_secs(61));
        for (stopped, cancelled, limit, expected) in [
            (false, None, None, None),
            (false, None, Some(limit), None),
            (false, Some(9), None, Some(StopCause::Cancel)),
            (false, Some(10), None, None),
            (true, Some(9), Some(limit), Some(StopCause::Cancel)),
            (true, Some(10), None, Some(StopCause::Cancel)),
            (true, None, Some(limit), Some(StopCause::Timeout)),
            (true, None, Some(limit * 2), Some(StopCause::Drain)),
            (true, None, None, Some(StopCause::Drain)),
        ] {
            assert_eq!(
                cause_of_end(&exit(stopped), true, cancelled.map(Timestamp), limit, ran),
                expected,
                "{stopped} {cancelled:?} {limit:?}"
            );
        }
    }

    #[test]
    fn without_a_drain_it_was_the_time_limit() {
        let exit = Exit { stopped: true, ..child(7, true).exit.unwrap() };
        let limit = Some(Duration::from_secs(60));
        let cause = |is_draining| cause_of_end(&exit, is_draining, None, limit, Duration::ZERO);
        assert_eq!((cause(true), cause(false)), (Some(StopCause::Drain), Some(StopCause::Timeout)));
    }

    /// Every combination of who claimed, in which boot, whether the start was recorded, who names the process and
    /// whether it is alive.
    #[test]
    fn every_combination_is_decided_on_purpose() {
        for owner_is_here in [true, false] {
            for same_boot in [true, false] {
                for started in [true, false] {
                    for held in [None, Some(false), Some(true)] {
                        for words in [None, Some(false), Some(true)] {
                            for alive in [true, false] {
                                let owner = if owner_is_here { HERE.guardian } else { OTHER_GUARDIAN };
                                let boot = if same_boot { HERE.boot } else { OTHER_BOOT };
                                let attempt = under_way(owner, boot, started);
                                let held: Vec<_> = held.map(|ended| child(7, ended)).into_iter().collect();
                                let told: Vec<_> = words
                                    .map(|named| LastWords {
                                        guardian: owner,
                                        children: if named { vec![child(7, true)] } else { Vec::new() },
                                    })
                                    .into_iter()
                                    .collect();
                                let decided = reconcile(HERE, &[attempt], &held, &told, |_| alive);
                                let expected = match (held.first(), words) {
                                    (Some(child), _) => Decision::Adopt(*child),
                                    (None, Some(true)) => Decision::Ended(child(7, true)),
                                    (None, Some(false)) if !started => Decision::NeverStarted(id(7)),
                                    (None, None) if owner_is_here && !started => Decision::NeverStarted(id(7)),
                                    (None, _) if !same_boot => Decision::Lost(id(7), ReasonCode::Reboot),
                                    (None, _) if started && alive => Decision::Watch(id(7), attempt.identity.unwrap()),
                                    (None, _) => Decision::Lost(id(7), ReasonCode::GuardianLost),
                                };
                                assert_eq!(decided, [expected]);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_only_the_guardian_knows_is_reaped_or_left_alone_never_signalled() {
        let decided = reconcile(HERE, &[], &[child(1, true), child(2, false)], &[], |_| true);
        assert_eq!(decided, [Decision::Forget(id(1)), Decision::Stranger(child(2, false))]);
    }

    #[test]
    fn what_may_have_been_started_is_not_started_again() {
        let attempt = under_way(HERE.guardian, HERE.boot, false);
        let doubtful = [id(7)];
        let decided = reconcile(Here { doubtful: &doubtful, ..HERE }, &[attempt], &[], &[], |_| false);
        assert_eq!(decided, [Decision::Lost(id(7), ReasonCode::GuardianLost)]);
        let other = [id(8)];
        let decided = reconcile(Here { doubtful: &other, ..HERE }, &[attempt], &[], &[], |_| false);
        assert_eq!(decided, [Decision::NeverStarted(id(7))]);
    }

    #[test]
    fn the_last_words_of_another_guardian_say_nothing_about_ours() {
        let words = LastWords { guardian: OTHER_GUARDIAN, children: vec![child(7, true)] };
        let attempt = under_way(HERE.guardian, HERE.boot, false);
        assert_eq!(reconcile(HERE, &[attempt], &[], &[words], |_| true), [Decision::NeverStarted(id(7))]);
    }
}
