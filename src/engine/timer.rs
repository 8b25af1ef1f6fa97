//! The moments that are waited for, and what comes then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::domain::drain;
use crate::domain::id::AssignmentId;
use crate::domain::time::Moment;
use crate::engine::core::Core;
use crate::fault;

/// What a moment was waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// The next regular look for ready tasks. There is always exactly one.
    Poll,
    /// A further look, because one failed or came to nothing.
    Claim,
    Drain,
    /// Something becomes due.
    Due,
    /// A time window opens or closes.
    Window,
    /// Tasks that depend on others are told, because it failed.
    Settle,
    /// Claims are renewed.
    Renew,
    /// What is kept no longer is forgotten.
    Expire,
    Attempt(AssignmentId),
    Watch(AssignmentId),
    Start(AssignmentId),
    Release(AssignmentId, String),
}

/// Every moment that is waited for, in one heap.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Moment, Target)>>);

impl Timers {
    /// Returns the first of them.
    pub(super) fn next(&self) -> Option<Moment> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    fn take_due(&mut self, now: Moment) -> Option<Target> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, target))| target)
    }
}

impl Core {
    pub(super) fn wake_at(&mut self, at: Moment, target: Target) {
        self.timers.0.push(Reverse((at, target)));
    }

    pub(super) fn times_that_have_come(&mut self) {
        let now = self.now.moment;
        while let Some(target) = self.timers.take_due(now) {
            match target {
                Target::Poll => {
                    self.claim();
                    self.notice_clock();
                    self.wake_at(now + self.poll_interval(), Target::Poll);
                }
                Target::Claim => self.claim(),
                Target::Due => self.look_at_clock(),
                Target::Window => self.look_at_windows(),
                Target::Settle => self.settle(),
                Target::Renew => self.renew(),
                Target::Expire => self.expire(),
                Target::Drain => self.drain_step(drain::Event::Tick),
                Target::Attempt(assignment) => self.tick(assignment),
                Target::Watch(assignment) => self.look_after(assignment),
                Target::Start(assignment) => self.record_start(assignment),
                Target::Release(assignment, reason) => self.release(assignment, reason),
            }
        }
    }

    /// Waits for the next regular look from now on, by another interval than before.
    pub(super) fn poll_anew(&mut self) {
        self.wake_only_at(Some(self.now.moment + self.poll_interval()), Target::Poll);
    }

    /// Waits for a moment, or for none, instead of those that were waited for with the same target.
    pub(super) fn wake_only_at(&mut self, at: Option<Moment>, target: Target) {
        self.timers.0.retain(|entry| entry.0.1 != target);
        if let Some(at) = at {
            self.wake_at(at, target);
        }
    }

    fn poll_interval(&self) -> Duration {
        // Sabotaged, it looks all the time instead of waiting to be woken.
        if fault::is_sabotaged(16) { Duration::from_millis(10) } else { self.settings.poll_interval }
    }

    /// Takes moments out that were waited for by attempts which have ended since: a time limit of a day must not leave its
    /// entry behind for a day.
    pub(super) fn thin_timers(&mut self) {
        const SPARE: usize = 64;
        if self.timers.0.len() <= 4 * self.attempts.len() + SPARE {
            return;
        }
        let attempts = &self.attempts;
        self.timers.0.retain(|Reverse((_, target))| match target {
            Target::Attempt(assignment) | Target::Watch(assignment) | Target::Start(assignment) => {
                attempts.contains_key(assignment)
            }
            _ => true,
        });
    }
}

#[cfg(test)]
mod tests {

    use uuid::Uuid;

    use super::*;
    use crate::domain::attempt::Leftovers;
    use crate::domain::identity::{BootId, GuardianId};
    use crate::engine::Settings;

    #[test]
    fn moments_of_tasks_that_have_ended_are_not_kept() {
        let settings = Settings {
            max_concurrent: 1,
            poll_interval: Duration::from_secs(5),
            grace: Duration::ZERO,
            kill_grace: Duration::ZERO,
            leftovers: Leftovers::Kill,
            keep_for: None,
            pools: std::sync::Arc::default(),
            reserve_after: Duration::from_secs(30),
            windows: crate::domain::window::Windows::none(),
        };
        let mut core = Core::new(GuardianId(Uuid::nil()), BootId(Uuid::nil()), settings, true);
        core.wake_at(Moment(9), Target::Poll);
        for n in 0..10_000 {
            core.wake_at(Moment(u64::MAX), Target::Attempt(AssignmentId(Uuid::from_u128(n))));
            core.thin_timers();
        }
        assert!(core.timers.0.len() <= 65, "{}", core.timers.0.len());
        assert_eq!(core.next_wake(), Some(Moment(9)), "what is no attempt's own stays");
    }
}
