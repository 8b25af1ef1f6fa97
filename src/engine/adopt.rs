//! How every start begins: what the store remembers as under way is compared with what the guardian holds.

use std::collections::HashMap;
use std::time::Duration;

use tracing::{info, warn};

use crate::domain::adoption::{self, Child, Decision, Here, LastWords, UnderWay};
use crate::domain::attempt::{Clock, Event, Machine, Policy};
use crate::domain::id::AssignmentId;
use crate::domain::identity::ProcessIdentity;
use crate::domain::outcome::{Outcome, StopCause};
use crate::domain::task::State;
use crate::domain::time::{Moment, Timestamp};
use crate::engine::World;
use crate::engine::core::{Core, Effect, Now};
use crate::engine::job::{Past, Record};
use crate::engine::supervise::Supervised;
use crate::engine::timer::Target;
use crate::link::Order;
use crate::store::task::{InFlight, Unclaim};

/// What is known about the past.
pub(super) struct Known<'a> {
    /// What the store has as under way.
    pub(super) in_flight: Vec<InFlight>,
    /// What the guardian holds.
    pub(super) children: &'a [Child],
    /// What earlier guardians wrote down.
    pub(super) last_words: &'a [LastWords],
    /// Claims that an earlier guardian may have started.
    pub(super) doubtful: &'a [AssignmentId],
    /// How often the guardian was asked to stop.
    pub(super) stop_requests: u32,
    /// Until then a drain that was begun leaves running tasks alone.
    pub(super) grace_until: Option<Moment>,
    /// What can be asked of the machine.
    pub(super) world: World,
}

impl Core {
    /// Settles the past: what ended is recorded, what never started goes back to the queue, what runs is taken over.
    pub(super) fn adopt(&mut self, now: Now, known: Known<'_>) -> Vec<Effect> {
        self.now = now;
        self.stop_requests = known.stop_requests;
        self.grace_until = known.grace_until;
        self.order(Order::Policy { kill_grace: self.settings.kill_grace });
        let under_way: Vec<UnderWay> = known
            .in_flight
            .iter()
            .map(|entry| UnderWay {
                assignment: entry.attempt.assignment,
                owner: entry.attempt.owner,
                boot: entry.boot,
                identity: entry.attempt.identity,
            })
            .collect();
        let Known { children, last_words, doubtful, world, .. } = known;
        let here = Here { guardian: self.owner, boot: self.boot, doubtful };
        let decisions = adoption::reconcile(here, &under_way, children, last_words, world.is_alive);
        let mut entries: HashMap<AssignmentId, InFlight> =
            known.in_flight.into_iter().map(|entry| (entry.attempt.assignment, entry)).collect();
        for decision in decisions {
            let entry = entries.remove(&decision.assignment());
            self.decided(decision, entry, world);
        }
        // All of them are settled by now, in the order in which this is done.
        for assignment in doubtful {
            self.order(Order::Forget { assignment: *assignment });
        }
        self.take_effects()
    }

    fn decided(&mut self, decision: Decision, entry: Option<InFlight>, world: World) {
        let now = self.now.wall;
        match (decision, entry) {
            (Decision::Adopt(child), Some(entry)) => self.take_over(entry, child, world),
            (Decision::Ended(child), Some(entry)) => self.record_end(&entry, child),
            (Decision::NeverStarted(assignment), Some(entry)) => {
                info!("Task {} was claimed but not started; it goes back to the queue", entry.task.id);
                let reason = "it was claimed but not started when the daemon ended".to_owned();
                self.past(Past::NeverStarted(Unclaim { assignment, reason, now }));
            }
            (Decision::Watch(assignment, _), Some(entry)) => {
                warn!("Task {} runs on without a guardian; how it ends will not be known", entry.task.id);
                // Nobody can signal it, so there is nothing to be timed.
                let policy = Policy { timeout: None, ..self.policy(&entry.task.spec) };
                let machine = Machine::running(policy, Clock::default());
                self.supervise(Supervised::orphan(entry.task, entry.attempt, machine));
                self.wake_at(self.now.moment, Target::Watch(assignment));
            }
            (Decision::Lost(_, code), Some(entry)) => self.past_end(&entry, Outcome::lost(code, now), None),
            (Decision::Forget(assignment), _) => self.order(Order::Forget { assignment }),
            (Decision::Stranger(child), _) => {
                warn!("The guardian holds a process that no task knows; it is left alone, pid={}", child.pid);
            }
            // Every other decision is about something that the store has.
            (_, None) => {}
        }
    }

    /// Goes on with an attempt whose process the guardian holds.
    fn take_over(&mut self, entry: InFlight, child: Child, world: World) {
        let InFlight { task, attempt, .. } = entry;
        let assignment = child.assignment;
        let mut policy = self.policy(&task.spec);
        info!("Taking over task {}, pid={}", task.id, child.pid);
        let identity = ProcessIdentity { boot: self.boot, pid: child.pid, start_ticks: child.start_ticks };
        // If it is not known a time limit begins anew: too late is better than at once.
        let started = (world.started)(identity).unwrap_or(self.now.moment);
        // It may have been told to stop by an apexd that did not live to record that.
        let stopped = child.exit.and_then(|exit| {
            let pause = attempt.paused_at.map_or(Duration::ZERO, |at| at.until(self.now.moment));
            let paused = attempt.paused_for + pause.saturating_sub(self.now.wall.since(exit.at));
            // However far the wall clock was set in between, it has not run for longer than since it started.
            let ran = exit.at.since(child.started_at).min(started.until(self.now.moment)).saturating_sub(paused);
            adoption::cause_of_end(&exit, self.stop_requests > 0, task.cancel_requested_at, policy.timeout, ran)
        });
        let is_cancelled = task.cancel_requested_at.is_some() && child.exit.is_none();
        // What has ended does not reach its limit by the time that has passed since.
        policy.timeout = policy.timeout.filter(|_| child.exit.is_none());
        let clock = Clock::of(started, attempt.paused_for, attempt.paused_at, self.now.moment);
        let is_paused = attempt.state == State::Paused;
        // A start that was not recorded is recorded now.
        let machine = match attempt.state {
            State::Starting => Machine::starting(policy).with_clock(clock),
            _ => Machine::running(policy, clock),
        };
        self.supervise(Supervised::new(task, attempt, machine));
        self.spawned(Child { exit: None, ..child });
        if let Some(cause) = stopped {
            self.was_stopped(assignment, cause);
        } else if is_cancelled {
            // With its whole grace: it may never have got the signal, and the wall clock cannot tell how long ago that was.
            self.stop_attempt(assignment, StopCause::Cancel);
        }
        match child.exit {
            Some(exit) => self.feed(assignment, Event::Exited(exit)),
            // The one that stored the pause may not have lived to send the signal.
            None if is_paused => self.feed(assignment, Event::PauseAsked),
            None => self.feed(assignment, Event::Tick),
        }
    }

    /// Records an end that a guardian saw which is itself gone.
    fn record_end(&mut self, entry: &InFlight, child: Child) {
        let Some(exit) = child.exit else { return };
        let ran = exit.at.since(child.started_at).saturating_sub(entry.attempt.paused_for);
        let cause = adoption::cause_of_end(&exit, true, entry.task.cancel_requested_at, entry.task.spec.timeout, ran);
        let identity = ProcessIdentity { boot: entry.boot, pid: child.pid, start_ticks: child.start_ticks };
        let outcome = Outcome::of_exit(exit.status, cause, exit.usage, exit.at);
        self.past_end(entry, outcome, Some((identity, child.started_at)));
    }

    fn past_end(&mut self, entry: &InFlight, outcome: Outcome, started: Option<(ProcessIdentity, Timestamp)>) {
        self.past(Past::Ended(Box::new(Record {
            id: entry.task.id,
            number: entry.attempt.number,
            split_output: entry.task.spec.split_output,
            is_kept: entry.task.spec.stdin.is_kept(),
            assignment: entry.attempt.assignment,
            outcome,
            started,
            now: self.now.wall,
        })));
    }
}
