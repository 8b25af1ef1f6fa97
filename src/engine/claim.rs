//! Taking tasks that are ready, as long as there are free slots.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::domain::attempt::{Machine, Policy};
use crate::domain::id::AssignmentId;
use crate::domain::queue;
use crate::domain::task::TaskSpec;
use crate::engine::core::{Core, Now};
use crate::engine::error::with_causes;
use crate::engine::handle::is_passing;
use crate::engine::job::{Job, Move, Preparation};
use crate::engine::supervise::{ABOUT_TO_END, CANCELLED, Supervised};
use crate::engine::timer::Target;
use crate::engine::wait::LEASE;
use crate::store;
use crate::store::task::{Claimed, Terms};

/// Most tasks that are taken at once: more are taken by the next claim, and others get their turn in between.
const CLAIM_MAX: usize = 256;
/// How long to wait after a claim that failed.
const CLAIM_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Core {
    /// Ready tasks are to be looked for.
    pub(super) fn claim(&mut self) {
        self.claim_wanted = true;
    }

    /// Looks for ready tasks, unless there is no room. There is room already where the end of an attempt is on its way to
    /// the store, as far as it has come there when the tasks are taken.
    pub(super) fn claim_now(&mut self) {
        if self.is_closing() {
            return;
        }
        // Whoever accepts the project wakes the loop.
        if !self.trusted {
            return;
        }
        let Now { wall: now, moment } = self.now;
        if self.claim_not_before.is_some_and(|at| moment < at) {
            return;
        }
        self.claim_not_before = None;
        self.last_poll_at = Some(now);
        let after: Vec<AssignmentId> = self.recording.iter().copied().collect();
        let lent = self.lent();
        let taken = (self.attempts.len() + self.releasing.len()).saturating_sub(after.len() + lent.len());
        let slots = self.windows.max_concurrent(self.settings.max_concurrent);
        let room = queue::free_slots(slots, taken);
        if room == 0 {
            return;
        }
        let room = room.min(CLAIM_MAX);
        self.claiming = true;
        let (owner, boot, lease_until) = (self.owner, self.boot, now + LEASE);
        let (shut, pools) = (self.windows.paused(), Arc::clone(&self.settings.pools));
        let terms = Terms { slots, pools, reserve_after: self.settings.reserve_after, lent };
        self.job(Job::Move(Move::Claim { room, after, shut, owner, boot, now, lease_until, terms }));
    }

    /// Takes in what a claim brought.
    pub(super) fn claimed(&mut self, claimed: Result<Vec<Claimed>, store::Error>, asked: usize) {
        match claimed {
            // Nothing is started any more.
            Ok(claimed) if self.is_closing() => {
                self.claiming = false;
                for Claimed { attempt, .. } in claimed {
                    self.release(attempt.assignment, ABOUT_TO_END.to_owned());
                }
            }
            Ok(claimed) => {
                let all_there_was = claimed.len() < asked;
                if claimed.is_empty() {
                    self.held_up = None;
                }
                // What is given back at once must not lead to another claim before all of these are counted.
                for claimed in claimed {
                    self.begin(claimed);
                }
                self.claiming = false;
                if !all_there_was {
                    self.claim();
                }
            }
            Err(error) => {
                let reason = with_causes(&error);
                if !is_passing(error.kind()) {
                    error!("Cannot take tasks: {reason}");
                } else if self.held_up.as_ref() != Some(&reason) {
                    // Said once, not every time it is tried again.
                    warn!("Cannot take tasks at the moment: {reason}");
                }
                self.claiming = false;
                self.held_up = Some(reason);
                let again = self.now.moment + CLAIM_AGAIN_AFTER;
                self.claim_not_before = Some(again);
                self.wake_at(again, Target::Claim);
            }
        }
        self.early_stops.clear();
        self.take_back();
        self.attempts_changed();
    }

    /// Begins to supervise an attempt and prepares its start.
    fn begin(&mut self, claimed: Claimed) {
        let Claimed { task, attempt, env } = claimed;
        let assignment = attempt.assignment;
        info!("Starting task {}", task.id);
        let machine = Machine::starting(self.policy(&task.spec));
        let (id, number, slot, spec) = (task.id, attempt.number, attempt.slot, task.spec.clone());
        let granted = attempt.granted.clone();
        self.supervise(Supervised::preparing(task, attempt, machine));
        if self.early_stops.remove(&assignment) {
            self.give_back(assignment, CANCELLED);
            return;
        }
        self.job(Job::Prepare(Box::new(Preparation { id, number, slot, granted, assignment, spec, env })));
    }

    /// Returns how the attempts of a task are ended: as it says itself, or as the settings say.
    pub(super) fn policy(&self, spec: &TaskSpec) -> Policy {
        Policy {
            signal: spec.kill_signal.unwrap_or(nix::libc::SIGTERM),
            grace: spec.kill_grace.unwrap_or(self.settings.kill_grace),
            timeout: spec.timeout,
            leftovers: self.settings.leftovers,
        }
    }
}
