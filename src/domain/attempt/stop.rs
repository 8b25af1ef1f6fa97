//! The end that is made of an attempt: a signal, some time, and a kill.

use std::time::Duration;

use crate::domain::outcome::StopCause;
use crate::domain::time::Moment;

/// How long after SIGKILL a session is looked at. What is still there then is beyond our reach: it belongs to another
/// user, or hangs in the kernel.
pub const UNREACHABLE_AFTER: Duration = Duration::from_secs(5);
/// An attempt is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) cause: StopCause,
    /// Set once the first signal was sent.
    pub(super) kill_at: Option<Moment>,
    pub(super) killed: bool,
    /// It was asked to end, and did not by itself: what left its session goes as well.
    pub(super) everything: bool,
    /// So many answers are still to come to signals that were sent before.
    pub(super) answers_before: u32,
    /// A signal of it has met a process.
    pub(super) has_met: bool,
}

impl Stop {
    pub(super) fn new(cause: StopCause, answers_before: u32) -> Self {
        Self { cause, kill_at: None, killed: false, everything: true, answers_before, has_met: false }
    }

    /// Takes in the answer to a signal.
    pub(super) fn note_answer(&mut self, empty: bool) {
        match self.answers_before {
            0 => self.has_met |= !empty,
            more => self.answers_before = more - 1,
        }
    }

    /// Returns the cause that an end has which comes now. What had ended by itself before the time limit or the drain got
    /// to it was not cut off: it would be tried again although it had succeeded.
    pub(super) fn cause_of_end(&self) -> Option<StopCause> {
        (self.kill_at.is_some() && (self.has_met || self.cause == StopCause::Cancel)).then_some(self.cause)
    }

    /// Everything was done that can be done, and had its time.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.killed && self.kill_at.is_some_and(|at| now >= at + UNREACHABLE_AFTER)
    }
}
