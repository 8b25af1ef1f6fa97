//! Attempts that are under way: what happens to each goes into its machine, and what the machine answers is performed.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::domain::adoption::Child;
use crate::domain::attempt::{Attempt, Effect, Event, Leftovers, Machine};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::identity::ProcessIdentity;
use crate::domain::outcome::{Exit, Outcome, ReasonCode, StopCause};
use crate::domain::task::{State, Task};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::engine::handle::is_passing;
use crate::engine::run::{Done, Engine, Target};
use crate::engine::spawn::{self, NotStartable};
use crate::engine::{Error, jitter};
use crate::link::{Order, Scope, SpawnStep};
use crate::store::task::{Finish, Finished, Start, Unclaim};
use crate::store::{self};

/// After the machine had no room for a process, nothing is claimed for so long; twice as long each further time.
const ROOM_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The longest that nothing is claimed for want of room.
const ROOM_AGAIN_AFTER_MAX: Duration = Duration::from_secs(5);
/// How long to wait before the store is offered again what it could not take.
const STORE_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Why a claim is given back that could have been started.
pub(super) const ABOUT_TO_END: &str = "the daemon was about to end";
/// How often a process that nobody is the parent of is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who waits for the answer to a signal. Answers come in the order of the orders.
enum Asker {
    Machine,
    Stop(oneshot::Sender<()>),
    Kill(oneshot::Sender<Option<i32>>),
}

/// One attempt that is under way.
pub(super) struct Supervised {
    task: Task,
    attempt: Attempt,
    machine: Machine,
    process: Option<(ProcessIdentity, Timestamp)>,
    askers: VecDeque<Asker>,
    /// Why it could not be started, for the log and the feed.
    refused: Option<String>,
    /// The guardian that started it is gone, so nobody can stop it.
    is_orphan: bool,
    /// The store could not take its end when it was last offered.
    is_unrecorded: bool,
}

impl Supervised {
    pub(super) fn new(task: Task, attempt: Attempt, machine: Machine) -> Self {
        let process = attempt.identity.zip(attempt.started_at);
        let askers = VecDeque::new();
        Self { task, attempt, machine, process, askers, refused: None, is_orphan: false, is_unrecorded: false }
    }

    /// Takes over an attempt whose guardian is gone.
    pub(super) fn orphan(task: Task, attempt: Attempt, machine: Machine) -> Self {
        Self { is_orphan: true, ..Self::new(task, attempt, machine) }
    }

    /// Returns whether a drain waits for its end. What nobody can stop is left running; an end that cannot be stored is
    /// left to the guardian, which writes it down for the next apexd.
    pub(super) fn holds_up_a_drain(&self) -> bool {
        !self.is_orphan && !self.is_unrecorded
    }

    /// Follows another setting for what a normal end leaves behind.
    pub(super) fn set_leftovers(&mut self, leftovers: Leftovers) {
        self.machine.set_leftovers(leftovers);
    }

    /// Follows another setting, unless its task has one of its own.
    pub(super) fn set_kill_grace(&mut self, kill_grace: Duration) {
        self.machine.set_grace(self.task.spec.kill_grace.unwrap_or(kill_grace));
    }
}

impl Engine {
    /// Takes an attempt under supervision.
    pub(super) fn supervise(&mut self, supervised: Supervised) {
        let assignment = supervised.attempt.assignment;
        self.by_task.insert(supervised.task.id, assignment);
        self.attempts.insert(assignment, supervised);
        self.attempts_changed();
    }

    /// Feeds one event to an attempt's machine and performs what it answers. Unknown attempts have ended.
    pub(super) fn feed(&mut self, assignment: AssignmentId, event: Event) {
        let now = self.moment();
        let Some(supervised) = self.attempts.get_mut(&assignment) else { return };
        for effect in supervised.machine.step(now, event) {
            self.perform(assignment, effect);
        }
    }

    fn perform(&mut self, assignment: AssignmentId, effect: Effect) {
        match effect {
            Effect::Signal(signal) => self.signal(assignment, signal, Asker::Machine),
            Effect::RecordStart => self.record_start(assignment),
            Effect::Release => {
                let reason = self.attempts.get_mut(&assignment).and_then(|supervised| supervised.refused.take());
                self.release(assignment, reason.unwrap_or_default());
            }
            Effect::Record(outcome) => self.record(assignment, outcome),
            Effect::Forget => self.forget(assignment),
            Effect::WakeAt(at) => self.wake_at(at, Target::Attempt(assignment)),
        }
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Claimed { claimed, asked } => self.claimed(claimed, asked),
            Done::Prepared { assignment, order: Ok(_) } if self.is_closing() => self.give_back(assignment),
            // Whoever stopped it before it began is heard when it runs.
            Done::Prepared { order: Ok(spawn), .. } => self.order(Order::Spawn(spawn)),
            Done::Prepared { assignment, order: Err(failure) } => self.not_startable(assignment, failure),
            // Ended before the start was written, or written with the end: the end says when it started.
            Done::Started { started: Ok(()) | Err(store::Error::Stale(_)), .. } => {}
            Done::Started { assignment, started: Err(error) } => {
                warn!(%error, "Cannot record yet that a task started");
                self.wake_at(self.moment() + STORE_AGAIN_AFTER, Target::Start(assignment));
            }
            Done::Recorded { assignment, finished } => self.recorded(assignment, finished),
            Done::LookedAtClock { due } => self.looked_at_clock(due),
            Done::Settled { more } => self.settled(more),
            Done::Renewed { expired } => self.renewed(expired),
            Done::Swept { swept } => self.swept(swept),
            Done::Tidied => {}
            // Given back after it was cancelled, it has ended, and there may be many who wait for it.
            Done::Released { released: Ok(()) | Err(store::Error::Stale(_)), .. } => self.settle(),
            Done::Released { assignment, released: Err(error), reason } => {
                warn!(%error, "Cannot give a task back to the queue yet");
                self.wake_at(self.moment() + STORE_AGAIN_AFTER, Target::Release(assignment, reason));
            }
        }
    }

    pub(super) fn spawned(&mut self, child: Child) {
        let boot = self.shared.guardian.boot;
        self.refusals = 0;
        if let Some(supervised) = self.attempts.get_mut(&child.assignment) {
            let identity = ProcessIdentity { boot, pid: child.pid, start_ticks: child.start_ticks };
            supervised.process = Some((identity, child.started_at));
            self.feed(child.assignment, Event::Started);
        }
        if let Some(exit) = child.exit {
            self.exited(child.assignment, exit);
        }
    }

    pub(super) fn not_spawned(&mut self, assignment: AssignmentId, step: SpawnStep, errno: i32) {
        if let Some(supervised) = self.attempts.get(&assignment) {
            let failure = spawn::explain(&supervised.task.spec, step, errno);
            self.not_startable(assignment, failure);
        }
    }

    fn not_startable(&mut self, assignment: AssignmentId, failure: NotStartable) {
        if let NotStartable::Refused { reason } = &failure {
            if let Some(supervised) = self.attempts.get_mut(&assignment) {
                warn!("Cannot start task {} at the moment: {}", supervised.task.id, neutralize(reason));
                supervised.refused = Some(reason.clone());
            }
            self.wait_for_room();
        }
        let at = (self.shared.world.now)();
        self.feed(assignment, failure.into_event(at));
    }

    /// Claims nothing for a while. Those that were refused together count as one.
    fn wait_for_room(&mut self) {
        let now = self.moment();
        if self.claim_not_before.is_some_and(|at| now < at) {
            return;
        }
        let pause = ROOM_AGAIN_AFTER.saturating_mul(1 << self.refusals.min(8)).min(ROOM_AGAIN_AFTER_MAX);
        self.refusals += 1;
        self.claim_not_before = Some(now + pause);
        self.wake_at(now + pause, Target::Claim);
    }

    /// Gives back a claim that could have been started.
    fn give_back(&mut self, assignment: AssignmentId) {
        if let Some(supervised) = self.attempts.get_mut(&assignment) {
            supervised.refused = Some(ABOUT_TO_END.to_owned());
        }
        self.feed(assignment, Event::Refused);
    }

    pub(super) fn exited(&mut self, assignment: AssignmentId, exit: Exit) {
        if self.attempts.contains_key(&assignment) {
            self.feed(assignment, Event::Exited(exit));
        } else {
            // Its outcome was stored by an apexd that did not live to say so.
            self.order(Order::Forget { assignment });
        }
    }

    pub(super) fn signalled(&mut self, assignment: AssignmentId, errno: i32) {
        let Some(supervised) = self.attempts.get_mut(&assignment) else { return };
        match supervised.askers.pop_front() {
            Some(Asker::Machine) => {
                let empty = errno == nix::libc::ESRCH;
                self.feed(assignment, Event::Swept { empty });
            }
            Some(Asker::Stop(reply)) => {
                let _ = reply.send(());
            }
            Some(Asker::Kill(reply)) => {
                let _ = reply.send(Some(errno));
            }
            None => warn!("A signal was answered that nobody sent"),
        }
    }

    fn signal(&mut self, assignment: AssignmentId, signal: i32, asker: Asker) {
        if let Some(supervised) = self.attempts.get_mut(&assignment) {
            supervised.askers.push_back(asker);
            self.order(Order::Signal { assignment, signal, scope: Scope::Session });
        }
    }

    /// A cancel was stored: stops the attempt, and answers when the signal was sent.
    pub(super) fn stop_asked(&mut self, assignment: AssignmentId, reply: oneshot::Sender<()>) {
        if !self.attempts.contains_key(&assignment) {
            if self.claiming {
                self.early_stops.insert(assignment);
            }
            return;
        }
        self.stop_attempt(assignment, StopCause::Cancel);
        // Signal 0 only asks; its answer comes after those of the signals sent before it.
        self.signal(assignment, 0, Asker::Stop(reply));
    }

    /// Stops the processes of an attempt or lets them go on, and answers when the signal was sent.
    pub(super) fn pause_asked(&mut self, assignment: AssignmentId, pause: bool, reply: oneshot::Sender<()>) {
        self.feed(assignment, if pause { Event::PauseAsked } else { Event::ResumeAsked });
        self.signal(assignment, 0, Asker::Stop(reply));
    }

    pub(super) fn stop_attempt(&mut self, assignment: AssignmentId, cause: StopCause) {
        self.feed(assignment, Event::StopAsked(cause));
    }

    /// Sends a signal that a person asked for.
    pub(super) fn signal_asked(&mut self, task: TaskId, signal: i32, reply: oneshot::Sender<Option<i32>>) {
        match self.by_task.get(&task) {
            Some(assignment) => self.signal(*assignment, signal, Asker::Kill(reply)),
            None => {
                let _ = reply.send(None);
            }
        }
    }

    pub(super) fn stop_all(&mut self) {
        for assignment in self.attempts.keys().copied().collect::<Vec<_>>() {
            self.stop_attempt(assignment, StopCause::Drain);
        }
    }

    pub(super) fn kill_all(&mut self) {
        for assignment in self.attempts.keys().copied().collect::<Vec<_>>() {
            self.feed(assignment, Event::KillAsked);
        }
    }

    pub(super) fn tick(&mut self, assignment: AssignmentId) {
        self.feed(assignment, Event::Tick);
    }

    /// Looks whether a process that nobody is the parent of is still there.
    pub(super) fn look_after(&mut self, assignment: AssignmentId) {
        let Some(supervised) = self.attempts.get(&assignment) else { return };
        let alive = supervised.process.is_some_and(|(identity, _)| (self.shared.world.is_alive)(identity));
        if alive {
            self.wake_at(self.moment() + LOOK_EVERY, Target::Watch(assignment));
        } else {
            let at = (self.shared.world.now)();
            self.feed(assignment, Event::Vanished { code: ReasonCode::GuardianLost, at });
        }
    }

    pub(super) fn record_start(&mut self, assignment: AssignmentId) {
        let Some((identity, at)) = self.attempts.get(&assignment).and_then(|supervised| supervised.process) else {
            return;
        };
        // An end that overtakes the start carries it along, so nothing depends on the order of the two jobs.
        let store = self.shared.store.clone();
        self.jobs.spawn(async move {
            let started = store.start(Start { assignment, identity, at }).await;
            Done::Started { assignment, started }
        });
    }

    pub(super) fn release(&mut self, assignment: AssignmentId, reason: String) {
        let store = self.shared.store.clone();
        let now = (self.shared.world.now)();
        self.jobs.spawn(async move {
            let released = store.unclaim(Unclaim { assignment, reason: reason.clone(), now }).await;
            Done::Released { assignment, released, reason }
        });
    }

    /// Finishes the output and stores how the attempt ended.
    fn record(&mut self, assignment: AssignmentId, outcome: Outcome) {
        let Some(supervised) = self.attempts.get(&assignment) else { return };
        let (id, number) = (supervised.task.id, supervised.attempt.number);
        let (split, started) = (supervised.task.spec.split_output, supervised.process);
        let (store, outputs) = (self.shared.store.clone(), self.shared.outputs.clone());
        let now = (self.shared.world.now)();
        self.jobs.spawn(async move {
            let sealed = tokio::task::spawn_blocking(move || outputs.seal(id, number, split)).await;
            let finished = match sealed {
                Ok(Ok(outputs)) => {
                    let finish = Finish { assignment, outcome, outputs, started, jitter: jitter(), now };
                    store.finish(finish).await.map(Box::new).map_err(Error::from)
                }
                Ok(Err(error)) => Err(Error::from(error)),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            };
            Done::Recorded { assignment, finished }
        });
    }

    fn recorded(&mut self, assignment: AssignmentId, finished: Result<Box<Finished>, Error>) {
        match finished {
            Ok(finished) => {
                tell_end(&finished.task);
                self.measure(&finished);
                self.feed(assignment, Event::Recorded);
                if finished.unsettled {
                    self.settle();
                }
                // It may wait for its next attempt, or have let go what waits for its own time.
                if finished.task.state == State::Retrying || finished.task.state.is_ended() {
                    self.look_at_clock();
                }
            }
            Err(Error::Store(store::Error::Stale(_))) => {
                error!(%assignment, "The store no longer knows an attempt that was running; its end is not recorded");
                self.feed(assignment, Event::Recorded);
            }
            Err(error) => {
                if is_passing(error.kind()) {
                    warn!(%error, "Cannot record the end of a task yet");
                } else {
                    error!(%error, "Cannot record the end of a task");
                }
                self.feed(assignment, Event::NotRecorded);
                if let Some(supervised) = self.attempts.get_mut(&assignment) {
                    supervised.is_unrecorded = true;
                }
                self.attempts_changed();
            }
        }
    }

    fn measure(&self, finished: &Finished) {
        if let (true, Some(started)) = (finished.recorded, finished.task.started_at) {
            let length = finished.task.ended_at.unwrap_or(finished.task.updated_at).since(started);
            self.shared.run_time.lock().unwrap_or_else(PoisonError::into_inner).observe(length);
        }
    }

    fn forget(&mut self, assignment: AssignmentId) {
        self.order(Order::Forget { assignment });
        if let Some(supervised) = self.attempts.remove(&assignment) {
            let id = supervised.task.id;
            // It may have gone back to the queue with its end, and be claimed again before that end was heard of.
            if self.by_task.get(&id) == Some(&assignment) {
                self.by_task.remove(&id);
            }
        }
        self.thin_timers();
        self.attempts_changed();
        self.claim();
    }
}

/// Writes the line by which an operator sees how a task ended.
pub(super) fn tell_end(task: &Task) {
    let seconds = match (task.started_at, task.ended_at.or(Some(task.updated_at))) {
        (Some(from), Some(to)) => to.since(from).as_secs_f64(),
        _ => 0.0,
    };
    let reason = neutralize(task.reason.as_deref().unwrap_or("no reason given"));
    match task.state {
        State::Succeeded => info!("Task {} completed ({seconds:.1}s)", task.id),
        State::Queued | State::Retrying => info!("Task {} will run again: {reason} ({seconds:.1}s)", task.id),
        state => info!("Task {} {}: {reason} ({seconds:.1}s)", task.id, state.as_str().replace('_', " ")),
    }
}
