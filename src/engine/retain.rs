//! What is kept no longer: tasks that ended long ago with all they wrote, and changes that were recorded long ago.

use std::time::Duration;

use tracing::info;

use crate::domain::time::{Moment, Timestamp};
use crate::engine::core::{Core, Effect};
use crate::engine::job::{Job, tell};
use crate::engine::timer::Target;
use crate::store;
use crate::store::task::{Expire, Expired};

/// How often is looked at most; a tenth of the time for which things are kept, if that is less.
const OFTEN: Duration = Duration::from_secs(3600);
/// How long to wait before the store is asked again what it could not do.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// How far forgetting has come.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// A piece is under way.
    busy: bool,
    /// When the next piece is due; `None` if nothing is there that will ever be.
    next: Option<Moment>,
    /// So many tasks were forgotten since that was last said.
    forgotten: usize,
}

impl Core {
    /// Forgets what is kept no longer, a piece of it.
    pub(super) fn expire(&mut self) {
        let Some(keep_for) = self.settings.keep_for else { return };
        // What is about to end leaves it to the next one.
        if self.retention.busy || self.is_closing() {
            return;
        }
        if self.retention.next.is_some_and(|next| next > self.now.moment) {
            return;
        }
        (self.retention.busy, self.retention.next) = (true, None);
        let now = self.now.wall;
        let kept = i64::try_from(keep_for.as_millis()).unwrap_or(i64::MAX);
        self.job(Job::Expire(Expire { until: Timestamp(now.0.saturating_sub(kept)), now }));
    }

    pub(super) fn expired(&mut self, expired: Result<Expired, store::Error>) {
        self.retention.busy = false;
        let Some(keep_for) = self.settings.keep_for else { return };
        match expired {
            Ok(Expired { tasks, more, oldest, .. }) => {
                self.retention.forgotten += tasks;
                if tasks > 0 {
                    self.effect(Effect::Tidy);
                }
                if more {
                    // Others come in between: each piece is a job of its own.
                    return self.expire();
                }
                match std::mem::take(&mut self.retention.forgotten) {
                    0 => {}
                    n => info!("{n} task(s) ended so long ago that they are kept no longer"),
                }
                if let Some(oldest) = oldest {
                    let left = (oldest + keep_for).since(self.now.wall);
                    self.expire_in(left.max(OFTEN.min(keep_for / 10)));
                }
            }
            Err(error) => {
                tell("Cannot forget what is kept no longer", &error);
                self.expire_in(AGAIN_AFTER);
            }
        }
    }

    /// Something has ended or was recorded: if nothing of that sort was there before, it is the first to be forgotten.
    pub(super) fn expire_some_time(&mut self) {
        if let (false, None, Some(keep_for)) = (self.retention.busy, self.retention.next, self.settings.keep_for) {
            self.expire_in(keep_for);
        }
    }

    /// Keeps things for another length of time than before.
    pub(super) fn expire_anew(&mut self) {
        self.retention.next = None;
        self.expire();
    }

    fn expire_in(&mut self, pause: Duration) {
        // A millisecond more: what is due at that time is then due for certain.
        let at = self.now.moment + pause + Duration::from_millis(1);
        self.retention.next = Some(at);
        self.wake_at(at, Target::Expire);
    }
}
