//! What waits for the clock or for other tasks, and claims that have to be renewed.

use std::time::Duration;

use tracing::{info, warn};

use crate::domain::outcome::{Outcome, ReasonCode};
use crate::domain::time::Moment;
use crate::engine::Error;
use crate::engine::core::{Core, Wake};
use crate::engine::job::{Job, Record, tell};
use crate::engine::schedule::Looked;
use crate::engine::timer::Target;
use crate::fault::is_sabotaged;
use crate::store;
use crate::store::task::{Due, InFlight, Renew};

/// How long a claim holds if its owner says nothing more. What this apexd claimed is settled whenever one starts; the
/// time matters for claims of others.
pub(super) const LEASE: Duration = Duration::from_secs(24 * 3600);
/// How often claims are renewed, and those of others looked at.
const RENEW_EVERY: Duration = Duration::from_secs(6 * 3600);
/// How long to wait before the store is asked again what it could not do.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How far the wall clock may drift from the other one before somebody must have set it.
const DRIFT_MAX: Duration = Duration::from_secs(1);

/// The work that is under way for what waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    looking: bool,
    look_again: bool,
    settling: bool,
    settle_again: bool,
    /// When it is tried again, because it failed.
    settle_at: Option<Moment>,
    /// That the clock could not be looked at was told, and has not changed since.
    is_told: bool,
    /// When the clock is looked at next.
    next: Option<Moment>,
    /// The wall clock, in milliseconds, when the other one stood at 0.
    offset: Option<i64>,
}

impl Core {
    /// Does what a handle said there is to do.
    pub(super) fn woken(&mut self, wake: Wake) {
        // What was accepted stays so.
        self.trusted |= wake.trusted;
        self.claim();
        self.expire_some_time();
        if wake.clock_changed {
            self.look_at_clock();
            self.look_at_windows();
        }
        if wake.unsettled {
            self.settle();
        }
    }

    /// Makes ready what is due, and finds out when the next one is.
    pub(super) fn look_at_clock(&mut self) {
        if self.ended().is_some() {
            return;
        }
        if self.waiting.looking {
            self.waiting.look_again = true;
            return;
        }
        (self.waiting.looking, self.waiting.look_again) = (true, false);
        let fire = self.fires();
        self.job(Job::Due { now: self.now.wall, fire });
    }

    /// Looks at the clock if somebody has set it, or the machine has slept: what waits for a time of the wall clock waits
    /// by the other one, which did not move along.
    pub(super) fn notice_clock(&mut self) {
        if is_sabotaged(17) {
            return;
        }
        let wall = self.now.wall.0;
        let offset = wall.saturating_sub(i64::try_from(self.now.moment.0).unwrap_or(i64::MAX));
        let drift = self.waiting.offset.map_or(0, |before| before.abs_diff(offset));
        if u128::from(drift) > DRIFT_MAX.as_millis() {
            info!("The wall clock was set, or the machine slept: it has moved by {drift} ms");
            self.waiting.next = None;
            self.look_at_clock();
            self.look_at_windows();
        }
        self.waiting.offset = Some(offset);
    }

    /// Schedules may add tasks.
    fn fires(&self) -> bool {
        self.trusted && !self.is_closing()
    }

    pub(super) fn looked_at_clock(&mut self, looked: Looked) {
        self.waiting.looking = false;
        let now = self.now.wall;
        for assignment in looked.stops {
            self.stop_cancelled(assignment);
        }
        if looked.unsettled {
            self.settle();
        }
        if looked.woken > 0 {
            self.claim();
        }
        match looked.due {
            Ok(Due { next, schedule, .. }) => {
                self.waiting.is_told = false;
                let next = next.into_iter().chain(schedule.filter(|_| self.fires())).min();
                match next {
                    Some(next) if next <= now => self.look_at_clock(),
                    Some(next) => self.look_at_clock_at(self.now.moment + next.since(now)),
                    None => {}
                }
            }
            Err(error) => {
                // A disk that is full may be so for days.
                if !std::mem::replace(&mut self.waiting.is_told, true) {
                    tell("Cannot make ready what is due", &error);
                }
                self.look_at_clock_at(self.now.moment + AGAIN_AFTER);
            }
        }
        if self.waiting.look_again {
            self.look_at_clock();
        }
    }

    fn look_at_clock_at(&mut self, at: Moment) {
        let now = self.now.moment;
        if self.waiting.next.is_none_or(|next| next <= now || at < next) {
            self.waiting.next = Some(at);
            self.wake_at(at, Target::Due);
        }
    }

    /// Tells those that depend on what has ended or begun anew.
    pub(super) fn settle(&mut self) {
        if self.ended().is_some() {
            return;
        }
        if self.waiting.settling {
            self.waiting.settle_again = true;
            return;
        }
        (self.waiting.settling, self.waiting.settle_again) = (true, false);
        self.job(Job::Settle { now: self.now.wall });
    }

    pub(super) fn settled(&mut self, more: Result<bool, store::Error>) {
        self.waiting.settling = false;
        // What was told may be ready now, or wait for its time.
        self.claim();
        match more {
            Ok(true) => self.settle(),
            Ok(false) => self.look_at_clock(),
            Err(error) => {
                tell("Cannot tell tasks what they depend on", &error);
                // However many want it: one more try at a time.
                let now = self.now.moment;
                if self.waiting.settle_at.is_none_or(|at| at <= now) {
                    let at = now + AGAIN_AFTER;
                    self.waiting.settle_at = Some(at);
                    self.wake_at(at, Target::Settle);
                }
            }
        }
        if self.waiting.settle_again {
            self.settle();
        }
    }

    /// Renews the claims of this daemon and sweeps those of others whose time is over.
    pub(super) fn renew(&mut self) {
        self.wake_at(self.now.moment + RENEW_EVERY, Target::Renew);
        let now = self.now.wall;
        self.job(Job::Renew(Renew { owner: self.owner, now, lease_until: now + LEASE }));
    }

    pub(super) fn renewed(&mut self, expired: Result<Vec<InFlight>, store::Error>) {
        match expired {
            Ok(expired) => {
                let others =
                    expired.into_iter().filter(|flight| !self.attempts.contains_key(&flight.attempt.assignment));
                for flight in others.collect::<Vec<_>>() {
                    self.sweep(flight);
                }
            }
            Err(error) => tell("Cannot renew the claims", &error),
        }
    }

    /// Records that nobody knows how an attempt ended whose owner has not been heard of for so long.
    fn sweep(&mut self, flight: InFlight) {
        let now = self.now.wall;
        let record = Record {
            id: flight.task.id,
            number: flight.attempt.number,
            split_output: flight.task.spec.split_output,
            is_kept: flight.task.spec.stdin.is_kept(),
            assignment: flight.attempt.assignment,
            outcome: Outcome::lost(ReasonCode::GuardianLost, now),
            started: None,
            now,
        };
        self.job(Job::Sweep(Box::new(record)));
    }

    pub(super) fn swept(&mut self, swept: Result<bool, Error>) {
        match swept {
            Ok(true) => self.settle(),
            Ok(false) => self.claim(),
            Err(error) => warn!(%error, "Cannot record that a claim has expired; it is looked at again later"),
        }
    }
}
