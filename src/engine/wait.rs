//! What waits for the clock or for other tasks, claims that have to be renewed, and files to be deleted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::domain::outcome::{Outcome, ReasonCode};
use crate::domain::time::Moment;
use crate::engine::handle::{Shared, is_passing};
use crate::engine::run::{Done, Engine, Target};
use crate::engine::supervise::tell_end;
use crate::engine::{Error, jitter};
use crate::store::task::{Due, Finish, InFlight, Renew};
use crate::store::{self};

/// How long a claim holds if its owner says nothing more. What this apexd claimed is settled whenever one starts; the
/// time matters for claims of others.
pub(super) const LEASE: Duration = Duration::from_secs(24 * 3600);
/// How often claims are renewed, and those of others looked at.
const RENEW_EVERY: Duration = Duration::from_secs(6 * 3600);
/// How long to wait before the store is asked again what it could not do.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How far the wall clock may drift from the other one before somebody must have set it.
const DRIFT_MAX: Duration = Duration::from_secs(1);
/// How many files of removed tasks are deleted at a time.
const TIDY_MAX: usize = 256;

/// The work that is under way for what waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    looking: bool,
    look_again: bool,
    settling: bool,
    settle_again: bool,
    /// When the clock is looked at next.
    next: Option<Moment>,
    /// The wall clock, in milliseconds, when the other one stood at 0.
    offset: Option<i64>,
}

impl Engine {
    /// Does what a handle said there is to do.
    pub(super) fn woken(&mut self) {
        self.claim();
        if self.shared.clock_changed.swap(false, Ordering::AcqRel) {
            self.look_at_clock();
        }
        if self.shared.unsettled.swap(false, Ordering::AcqRel) {
            self.settle();
        }
    }

    /// Makes ready what is due, and finds out when the next one is.
    pub(super) fn look_at_clock(&mut self) {
        if self.is_ending() {
            return;
        }
        if self.waiting.looking {
            self.waiting.look_again = true;
            return;
        }
        (self.waiting.looking, self.waiting.look_again) = (true, false);
        let (store, now) = (self.shared.store.clone(), (self.shared.world.now)());
        self.jobs.spawn(async move { Done::LookedAtClock { due: store.due(now).await } });
    }

    /// Looks at the clock if somebody has set it.
    pub(super) fn notice_clock(&mut self) {
        let wall = (self.shared.world.now)().0;
        let offset = wall.saturating_sub(i64::try_from(self.moment().0).unwrap_or(i64::MAX));
        let drift = self.waiting.offset.map_or(0, |before| before.abs_diff(offset));
        if u128::from(drift) > DRIFT_MAX.as_millis() {
            info!("The wall clock was set, by {drift} ms");
            self.waiting.next = None;
            self.look_at_clock();
        }
        self.waiting.offset = Some(offset);
    }

    pub(super) fn looked_at_clock(&mut self, due: Result<Due, store::Error>) {
        self.waiting.looking = false;
        let now = (self.shared.world.now)();
        match due {
            Ok(Due { woken, next }) => {
                if woken > 0 {
                    self.claim();
                }
                match next {
                    Some(next) if next <= now => self.look_at_clock(),
                    Some(next) => self.look_at_clock_at(self.moment() + next.since(now)),
                    None => {}
                }
            }
            Err(error) => {
                tell("Cannot make ready what is due", &error);
                self.look_at_clock_at(self.moment() + AGAIN_AFTER);
            }
        }
        if self.waiting.look_again {
            self.look_at_clock();
        }
    }

    fn look_at_clock_at(&mut self, at: Moment) {
        let now = self.moment();
        if self.waiting.next.is_none_or(|next| next <= now || at < next) {
            self.waiting.next = Some(at);
            self.wake_at(at, Target::Due);
        }
    }

    /// Tells those that depend on what has ended or begun anew.
    pub(super) fn settle(&mut self) {
        if self.is_ending() {
            return;
        }
        if self.waiting.settling {
            self.waiting.settle_again = true;
            return;
        }
        (self.waiting.settling, self.waiting.settle_again) = (true, false);
        let (store, now) = (self.shared.store.clone(), (self.shared.world.now)());
        self.jobs.spawn(async move { Done::Settled { more: store.settle(now).await } });
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
                self.wake_at(self.moment() + AGAIN_AFTER, Target::Settle);
            }
        }
        if self.waiting.settle_again {
            self.settle();
        }
    }

    /// Renews the claims of this daemon and sweeps those of others whose time is over.
    pub(super) fn renew(&mut self) {
        self.wake_at(self.moment() + RENEW_EVERY, Target::Renew);
        let (store, now) = (self.shared.store.clone(), (self.shared.world.now)());
        let renew = Renew { owner: self.shared.guardian.id, now, lease_until: now + LEASE };
        self.jobs.spawn(async move { Done::Renewed { expired: store.renew(renew).await } });
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
        let shared = Arc::clone(&self.shared);
        self.jobs.spawn(async move { Done::Swept { swept: sweep(&shared, &flight).await } });
    }

    pub(super) fn swept(&mut self, swept: Result<bool, Error>) {
        match swept {
            Ok(true) => self.settle(),
            Ok(false) => self.claim(),
            Err(error) => warn!(%error, "Cannot record that a claim has expired; it is looked at again later"),
        }
    }
}

/// Returns whether tasks that depend on it are still to be told.
async fn sweep(shared: &Shared, flight: &InFlight) -> Result<bool, Error> {
    let (id, number, split) = (flight.task.id, flight.attempt.number, flight.task.spec.split_output);
    let outputs = shared.outputs.seal(id, number, split)?;
    let now = (shared.world.now)();
    let outcome = Outcome::lost(ReasonCode::GuardianLost, now);
    let assignment = flight.attempt.assignment;
    let finish = Finish { assignment, outcome, outputs, started: None, jitter: jitter(), now };
    let finished = shared.store.finish(finish).await?;
    tell_end(&finished.task);
    Ok(finished.unsettled)
}

/// Deletes the files of removed tasks. What cannot be deleted now is tried again by the next one.
pub(super) async fn tidy(shared: &Shared) {
    loop {
        let litter = match shared.store.litter(TIDY_MAX).await {
            Ok(litter) if litter.is_empty() => return,
            Ok(litter) => litter,
            Err(error) => return tell("Cannot tell which files are to be deleted", &error),
        };
        let (outputs, asked) = (shared.outputs.clone(), litter.len());
        let delete = move || litter.into_iter().filter(|path| outputs.remove(path)).collect::<Vec<PathBuf>>();
        let Ok(gone) = tokio::task::spawn_blocking(delete).await else { return };
        let stuck = gone.len() < asked;
        if let Err(error) = shared.store.tidied(gone).await {
            return tell("Cannot note that files were deleted", &error);
        }
        if stuck {
            return;
        }
    }
}

fn tell(what: &str, error: &store::Error) {
    if matches!(error, store::Error::Closed) {
        return;
    }
    if is_passing(error.kind()) {
        warn!(%error, "{what} at the moment");
    } else {
        error!(%error, "{what}");
    }
}
