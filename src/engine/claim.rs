//! Taking tasks that are ready, as long as there are free slots.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use uuid::Uuid;

use crate::domain::attempt::{Machine, Policy};
use crate::domain::id::AssignmentId;
use crate::domain::queue;
use crate::domain::task::TaskSpec;
use crate::engine::handle::{Shared, is_passing};
use crate::engine::run::{Done, Engine, Target};
use crate::engine::spawn;
use crate::engine::supervise::{ABOUT_TO_END, Supervised};
use crate::engine::wait::LEASE;
use crate::store;
use crate::store::task::{Claim, Claimed};

/// Most tasks that are taken at once: more are taken by the next claim, and others get their turn in between.
const CLAIM_MAX: usize = 256;
/// How long to wait after a claim that failed.
const CLAIM_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Engine {
    /// Looks for ready tasks, unless there is no room or somebody is looking already.
    pub(super) fn claim(&mut self) {
        if self.is_closing() {
            return;
        }
        if self.claiming {
            self.claim_again = true;
            return;
        }
        // Whoever accepts the project wakes the loop.
        if !self.shared.trusted.try_read().is_ok_and(|trusted| *trusted) {
            return;
        }
        let moment = self.moment();
        if self.claim_not_before.is_some_and(|at| moment < at) {
            return;
        }
        self.claim_not_before = None;
        let now = (self.shared.world.now)();
        self.shared.set_pulse(|pulse| pulse.last_poll_at = Some(now));
        let room = queue::free_slots(self.shared.settings().max_concurrent, self.attempts.len());
        if room == 0 {
            return;
        }
        let room = room.min(CLAIM_MAX);
        let assignments = (0..room).map(|_| AssignmentId(Uuid::now_v7())).collect();
        let guardian = &self.shared.guardian;
        let (owner, boot) = (guardian.id, guardian.boot);
        let claim = Claim { owner, boot, assignments, now, lease_until: now + LEASE };
        self.claiming = true;
        self.claim_again = false;
        let store = self.shared.store.clone();
        self.jobs.spawn(async move { Done::Claimed { claimed: store.claim(claim).await, asked: room } });
    }

    /// Takes in what a claim brought.
    pub(super) fn claimed(&mut self, claimed: Result<Vec<Claimed>, store::Error>, asked: usize) {
        self.claiming = false;
        match claimed {
            // Nothing is started any more.
            Ok(claimed) if self.is_closing() => {
                for Claimed { attempt, .. } in claimed {
                    self.release(attempt.assignment, ABOUT_TO_END.to_owned());
                }
            }
            Ok(claimed) => {
                let all_there_was = claimed.len() < asked;
                for claimed in claimed {
                    self.begin(claimed);
                }
                if !all_there_was || self.claim_again {
                    self.claim();
                }
            }
            Err(error) => {
                if is_passing(error.kind()) {
                    warn!(%error, "Cannot take tasks at the moment");
                } else {
                    tracing::error!(%error, "Cannot take tasks");
                }
                let again = self.moment() + CLAIM_AGAIN_AFTER;
                self.claim_not_before = Some(again);
                self.wake_at(again, Target::Claim);
            }
        }
        self.early_stops.clear();
        self.attempts_changed();
    }

    /// Begins to supervise an attempt and prepares its start.
    fn begin(&mut self, claimed: Claimed) {
        let Claimed { task, attempt, env } = claimed;
        let assignment = attempt.assignment;
        info!("Starting task {}", task.id);
        let machine = Machine::starting(policy(&self.shared, &task.spec));
        let (spec, id, number, slot) = (task.spec.clone(), task.id, attempt.number, attempt.slot);
        self.supervise(Supervised::new(task, attempt, machine));
        if self.early_stops.remove(&assignment) {
            self.stop_attempt(assignment, crate::domain::outcome::StopCause::Cancel);
        }
        let shared = Arc::clone(&self.shared);
        self.jobs.spawn_blocking(move || {
            let facts = spawn::Facts { id, number, slot, assignment, spec: &spec, env: &env };
            let order = spawn::prepare(&shared, &facts).map(Box::new);
            Done::Prepared { assignment, order }
        });
    }
}

/// Returns how the attempts of a task are ended: as it says itself, or as the settings say.
pub(super) fn policy(shared: &Shared, spec: &TaskSpec) -> Policy {
    Policy {
        signal: spec.kill_signal.unwrap_or(nix::libc::SIGTERM),
        grace: spec.kill_grace.unwrap_or(shared.settings().kill_grace),
        timeout: spec.timeout,
        leftovers: shared.settings().leftovers,
    }
}
