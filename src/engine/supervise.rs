//! Attempts that are under way: what happens to each goes into its machine, and what the machine answers is performed.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::domain::adoption::Child;
use crate::domain::attempt::{Attempt, Effect, Event, Leftovers, Machine, UNREACHABLE_AFTER};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::identity::ProcessIdentity;
use crate::domain::outcome::{Exit, Outcome, ReasonCode, StopCause};
use crate::domain::task::{State, Task};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::engine::Error;
use crate::engine::core::{self, Answer, Core, Ticket, Watched};
use crate::engine::error::with_causes;
use crate::engine::handle::is_passing;
use crate::engine::job::{Done, Job, Move, Record};
use crate::engine::lend::Holding;
use crate::engine::spawn::{self, NotStartable};
use crate::engine::timer::Target;
use crate::fault;
use crate::link::{Order, Scope, Spawn, SpawnStep};
use crate::store;
use crate::store::task::{Finished, Start, Unclaim};

/// After the machine had no room for a process, nothing is claimed for so long; twice as long each further time.
const ROOM_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The longest that nothing is claimed for want of room.
const ROOM_AGAIN_AFTER_MAX: Duration = Duration::from_secs(5);
/// How long to wait before the store is offered again what it could not take.
const STORE_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Why a claim is given back that was cancelled before its start was ordered.
pub(super) const CANCELLED: &str = "it was cancelled before it was started";
/// Why a claim is given back that could have been started.
pub(super) const ABOUT_TO_END: &str = "the daemon was about to end";
/// How often a process that nobody is the parent of is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who waits for the answer to a signal. Answers come in the order of the orders.
#[derive(Debug)]
enum Asker {
    Machine,
    Stop(Ticket),
    Kill(Ticket),
}

/// One attempt that is under way.
#[derive(Debug)]
pub(super) struct Supervised {
    task: Task,
    attempt: Attempt,
    machine: Machine,
    process: Option<(ProcessIdentity, Timestamp)>,
    askers: VecDeque<Asker>,
    /// What its start needs is still being looked up: nothing of it exists. That can take for ever, on the disk of a
    /// machine that is gone.
    is_preparing: bool,
    /// Why it could not be started, for the log and the feed.
    refused: Option<String>,
    /// The guardian that started it is gone, so nobody can stop it.
    is_orphan: bool,
    /// The store could not take its end when it was last offered.
    is_unrecorded: bool,
    /// It was killed, and is there all the same.
    is_beyond_reach: bool,
}

impl Supervised {
    pub(super) fn new(task: Task, attempt: Attempt, machine: Machine) -> Self {
        let process = attempt.identity.zip(attempt.started_at);
        let askers = VecDeque::new();
        Self {
            task,
            attempt,
            machine,
            process,
            askers,
            is_preparing: false,
            refused: None,
            is_orphan: false,
            is_unrecorded: false,
            is_beyond_reach: false,
        }
    }

    /// Begins one that is to be started.
    pub(super) fn preparing(task: Task, attempt: Attempt, machine: Machine) -> Self {
        Self { is_preparing: true, ..Self::new(task, attempt, machine) }
    }

    /// Takes over an attempt whose guardian is gone.
    pub(super) fn orphan(task: Task, attempt: Attempt, machine: Machine) -> Self {
        Self { is_orphan: true, ..Self::new(task, attempt, machine) }
    }

    /// Returns whether a drain waits for its end. What nobody can stop, or end, is left running; an end that cannot be
    /// stored is left to the guardian, which writes it down for the next apexd.
    pub(super) fn holds_up_a_drain(&self) -> bool {
        !self.is_orphan && !self.is_unrecorded && !self.is_beyond_reach
    }

    /// Returns its task.
    pub(super) fn task_id(&self) -> TaskId {
        self.task.id
    }

    /// Returns what it holds.
    pub(super) fn holding(&self) -> Holding<'_> {
        Holding { queue: &self.task.spec.queue, slot: self.attempt.slot, granted: &self.attempt.granted }
    }

    /// Returns what is to be watched about its output, if that has a limit.
    fn watched(&self) -> Option<Watched> {
        let (id, number) = (self.task.id, self.attempt.number);
        let (assignment, split_output) = (self.attempt.assignment, self.task.spec.split_output);
        self.task.spec.output_limit.map(|limit| Watched { assignment, id, number, split_output, limit })
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

impl Core {
    /// Takes an attempt under supervision.
    pub(super) fn supervise(&mut self, supervised: Supervised) {
        let assignment = supervised.attempt.assignment;
        self.by_task.insert(supervised.task.id, assignment);
        self.attempts.insert(assignment, supervised);
        self.attempts_changed();
    }

    /// Feeds one event to an attempt's machine and performs what it answers. Unknown attempts have ended.
    pub(super) fn feed(&mut self, assignment: AssignmentId, event: Event) {
        let now = self.now.moment;
        let Some(supervised) = self.attempts.get_mut(&assignment) else { return };
        for effect in supervised.machine.step(now, event) {
            self.perform(assignment, effect);
        }
    }

    fn perform(&mut self, assignment: AssignmentId, effect: Effect) {
        match effect {
            Effect::Signal(signal) => {
                self.signal(assignment, signal, Asker::Machine);
                if signal == nix::libc::SIGKILL {
                    self.wake_at(self.now.moment + UNREACHABLE_AFTER, Target::Attempt(assignment));
                }
            }
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
            Done::Prepared { assignment, order } => self.prepared(assignment, order),
            // Ended before the start was written, or written with the end: the end says when it started.
            Done::Started { started: Ok(()) | Err(store::Error::Stale(_)), .. } => {}
            Done::Started { assignment, started: Err(error) } => {
                warn!(%error, "Cannot record yet that a task started");
                self.wake_at(self.now.moment + STORE_AGAIN_AFTER, Target::Start(assignment));
            }
            Done::Recorded { assignment, finished } => self.recorded(assignment, finished),
            Done::LookedAtClock(looked) => self.looked_at_clock(looked),
            Done::Settled { more } => self.settled(more),
            Done::Renewed { expired } => self.renewed(expired),
            Done::Swept { swept } => self.swept(swept),
            Done::Looked { assignment, alive } => self.looked_after(assignment, alive),
            Done::Expired { expired } => self.expired(expired),
            // Given back after it was cancelled, it has ended, and there may be many who wait for it.
            Done::Released { assignment, released: Ok(()) | Err(store::Error::Stale(_)), .. } => {
                self.releasing.remove(&assignment);
                self.take_back();
                self.settle();
            }
            Done::Released { assignment, released: Err(error), reason } => {
                warn!(%error, "Cannot give a task back to the queue yet");
                self.wake_at(self.now.moment + STORE_AGAIN_AFTER, Target::Release(assignment, reason));
            }
        }
    }

    fn prepared(&mut self, assignment: AssignmentId, order: Result<Box<Spawn>, NotStartable>) {
        let is_closing = self.is_closing();
        // One that is not known was given back because this took too long.
        let Some(supervised) = self.attempts.get_mut(&assignment) else { return };
        match order {
            Ok(_) if is_closing => self.give_back(assignment, ABOUT_TO_END),
            Ok(spawn) => {
                supervised.is_preparing = false;
                self.order(Order::Spawn(spawn));
            }
            Err(failure) => self.not_startable(assignment, failure),
        }
    }

    pub(super) fn spawned(&mut self, child: Child) {
        let boot = self.boot;
        self.refusals = 0;
        self.held_up = None;
        if let Some(supervised) = self.attempts.get_mut(&child.assignment) {
            let identity = ProcessIdentity { boot, pid: child.pid, start_ticks: child.start_ticks };
            supervised.process = Some((identity, child.started_at));
            if let (Some(watched), None) = (supervised.watched(), child.exit) {
                self.effect(core::Effect::WatchOutput(watched));
            }
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
            self.held_up = Some(reason.clone());
            self.wait_for_room();
        }
        let at = self.now.wall;
        self.feed(assignment, failure.into_event(at));
    }

    /// Claims nothing for a while. Those that were refused together count as one.
    fn wait_for_room(&mut self) {
        let now = self.now.moment;
        if self.claim_not_before.is_some_and(|at| now < at) {
            return;
        }
        let pause = ROOM_AGAIN_AFTER.saturating_mul(1 << self.refusals.min(8)).min(ROOM_AGAIN_AFTER_MAX);
        self.refusals += 1;
        self.claim_not_before = Some(now + pause);
        self.wake_at(now + pause, Target::Claim);
    }

    /// Gives back a claim whose start was not ordered.
    pub(super) fn give_back(&mut self, assignment: AssignmentId, reason: &str) {
        if let Some(supervised) = self.attempts.get_mut(&assignment) {
            supervised.refused = Some(reason.to_owned());
            if supervised.is_preparing {
                self.abandon(assignment);
            }
        }
        self.feed(assignment, Event::Refused);
    }

    /// Gives back every claim whose start was not ordered yet: nobody waits for a disk that may not answer.
    pub(super) fn give_back_what_is_prepared(&mut self) {
        let is_preparing =
            |(assignment, supervised): (&AssignmentId, &Supervised)| supervised.is_preparing.then_some(*assignment);
        for assignment in self.attempts.iter().filter_map(is_preparing).collect::<Vec<_>>() {
            self.give_back(assignment, ABOUT_TO_END);
        }
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
            Some(Asker::Stop(asker)) => self.reply(asker, Answer::Done),
            Some(Asker::Kill(asker)) => self.reply(asker, Answer::Signalled(Some(errno))),
            None => warn!("A signal was answered that nobody sent"),
        }
    }

    fn signal(&mut self, assignment: AssignmentId, signal: i32, asker: Asker) {
        match self.attempts.get_mut(&assignment) {
            Some(supervised) => {
                supervised.askers.push_back(asker);
                let scope = if supervised.machine.ends_everything() { Scope::Everything } else { Scope::Session };
                self.order(Order::Signal { assignment, signal, scope });
            }
            None => self.has_no_process(asker),
        }
    }

    /// Tells whoever waits for a signal that what it was for has ended.
    fn has_no_process(&mut self, asker: Asker) {
        match asker {
            Asker::Machine => {}
            Asker::Stop(asker) => self.reply(asker, Answer::Done),
            Asker::Kill(asker) => self.reply(asker, Answer::Signalled(None)),
        }
    }

    /// A cancel was stored: stops the attempt, and answers when the signal was sent.
    pub(super) fn stop_asked(&mut self, assignment: AssignmentId, asker: Ticket) {
        if self.stop_cancelled(assignment) {
            // Signal 0 only asks; its answer comes after those of the signals sent before it.
            self.signal(assignment, 0, Asker::Stop(asker));
        } else {
            self.reply(asker, Answer::Done);
        }
    }

    /// Stops an attempt whose task was cancelled, as soon as it is there; returns whether it has a process.
    pub(super) fn stop_cancelled(&mut self, assignment: AssignmentId) -> bool {
        match self.attempts.get(&assignment) {
            Some(supervised) if supervised.is_preparing => {
                self.give_back(assignment, CANCELLED);
                false
            }
            Some(_) => {
                self.stop_attempt(assignment, StopCause::Cancel);
                true
            }
            None => {
                if self.claiming {
                    self.early_stops.insert(assignment);
                }
                false
            }
        }
    }

    /// Stops the processes of an attempt or lets them go on, and answers when the signal was sent.
    pub(super) fn pause_asked(&mut self, assignment: AssignmentId, pause: bool, asker: Ticket) {
        self.feed(assignment, if pause { Event::PauseAsked } else { Event::ResumeAsked });
        self.signal(assignment, 0, Asker::Stop(asker));
    }

    pub(super) fn stop_attempt(&mut self, assignment: AssignmentId, cause: StopCause) {
        self.feed(assignment, Event::StopAsked(cause));
    }

    /// It has written as much as it may: it is asked to end, and killed when it goes on all the same.
    pub(super) fn overflowed(&mut self, assignment: AssignmentId, bytes: u64) {
        let Some(watched) = self.attempts.get(&assignment).and_then(Supervised::watched) else { return };
        info!("Task {} has written {bytes} bytes, of the {} that it may", watched.id, watched.limit);
        self.stop_attempt(assignment, StopCause::OutputLimit(watched.limit));
        if bytes >= watched.bound() {
            self.feed(assignment, Event::KillAsked);
        }
    }

    /// An attempt that has ended was stopped by an apexd before this one.
    pub(super) fn was_stopped(&mut self, assignment: AssignmentId, cause: StopCause) {
        let now = self.now.moment;
        if let Some(supervised) = self.attempts.get_mut(&assignment) {
            supervised.machine.was_stopped(cause, now);
        }
    }

    /// Sends a signal that a person asked for.
    pub(super) fn signal_asked(&mut self, task: TaskId, signal: i32, asker: Ticket) {
        match self.by_task.get(&task) {
            Some(assignment) => self.signal(*assignment, signal, Asker::Kill(asker)),
            None => self.has_no_process(Asker::Kill(asker)),
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
        let now = self.now.moment;
        if let Some(supervised) = self.attempts.get_mut(&assignment)
            && supervised.machine.is_beyond_reach(now)
            && !supervised.is_beyond_reach
        {
            warn!("Task {} was killed and does not end: it hangs in the kernel", supervised.task.id);
            supervised.is_beyond_reach = true;
            self.attempts_changed();
        }
    }

    /// Looks whether a process that nobody is the parent of is still there.
    pub(super) fn look_after(&mut self, assignment: AssignmentId) {
        let Some(supervised) = self.attempts.get(&assignment) else { return };
        match supervised.process {
            Some((identity, _)) => self.job(Job::Look { assignment, identity }),
            None => self.looked_after(assignment, false),
        }
    }

    fn looked_after(&mut self, assignment: AssignmentId, alive: bool) {
        if alive {
            self.wake_at(self.now.moment + LOOK_EVERY, Target::Watch(assignment));
        } else {
            let at = self.now.wall;
            self.feed(assignment, Event::Vanished { code: ReasonCode::GuardianLost, at });
        }
    }

    /// The guardian was not the parent of a process that has ended, and cannot tell how.
    pub(super) fn vanished(&mut self, assignment: AssignmentId, at: Timestamp) {
        if self.attempts.contains_key(&assignment) {
            self.feed(assignment, Event::Vanished { code: ReasonCode::GuardianLost, at });
        } else {
            self.order(Order::Forget { assignment });
        }
    }

    pub(super) fn record_start(&mut self, assignment: AssignmentId) {
        let Some((identity, at)) = self.attempts.get(&assignment).and_then(|supervised| supervised.process) else {
            return;
        };
        // An end that overtakes the start carries it along, so nothing depends on the order of the two jobs.
        self.job(Job::Move(Move::Start(Start { assignment, identity, at })));
    }

    pub(super) fn release(&mut self, assignment: AssignmentId, reason: String) {
        self.releasing.insert(assignment);
        let now = self.now.wall;
        self.job(Job::Move(Move::Unclaim(Unclaim { assignment, reason, now })));
    }

    /// Finishes the output and stores how the attempt ended.
    fn record(&mut self, assignment: AssignmentId, outcome: Outcome) {
        let Some(supervised) = self.attempts.get(&assignment) else { return };
        let (task, number, started) = (&supervised.task, supervised.attempt.number, supervised.process);
        let (id, split_output, now) = (task.id, task.spec.split_output, self.now.wall);
        let is_kept = task.spec.stdin.is_kept();
        self.recording.insert(assignment);
        self.claim();
        let record = Box::new(Record { id, number, split_output, is_kept, assignment, outcome, started, now });
        self.job(if is_kept { Job::Last(record) } else { Job::Move(Move::Record(record)) });
    }

    fn recorded(&mut self, assignment: AssignmentId, finished: Result<Box<Finished>, Error>) {
        self.recording.remove(&assignment);
        match finished {
            Ok(finished) => {
                self.feed(assignment, Event::Recorded);
                if finished.unsettled {
                    self.settle();
                }
                // It may wait for its next attempt, or have let go what waits for its own time.
                if finished.task.state == State::Retrying || finished.task.state.is_ended() {
                    self.look_at_clock();
                }
                self.expire_some_time();
            }
            Err(Error::Store(store::Error::Stale(_))) => {
                error!(%assignment, "The store no longer knows an attempt that was running; its end is not recorded");
                self.feed(assignment, Event::Recorded);
            }
            Err(error) => {
                // Sabotaged, it is let go although nobody has written down how it ended.
                let is_kept = !fault::is_sabotaged(9);
                self.feed(assignment, if is_kept { Event::NotRecorded } else { Event::Recorded });
                if let Some(supervised) = self.attempts.get_mut(&assignment) {
                    let (id, reason) = (supervised.task.id, with_causes(&error));
                    if !is_passing(error.kind()) {
                        error!("Cannot record the end of task {id}: {reason}");
                    } else if !supervised.is_unrecorded {
                        // Said once, not every time it is offered again.
                        warn!("Cannot record the end of task {id} yet: {reason}");
                    }
                    supervised.is_unrecorded = true;
                }
                self.attempts_changed();
            }
        }
    }

    fn forget(&mut self, assignment: AssignmentId) {
        self.order(Order::Forget { assignment });
        if let Some(supervised) = self.attempts.remove(&assignment) {
            let id = supervised.task.id;
            if supervised.watched().is_some() {
                self.effect(core::Effect::LeaveOutput(assignment));
            }
            // It may have gone back to the queue with its end, and be claimed again before that end was heard of.
            if self.by_task.get(&id) == Some(&assignment) {
                self.by_task.remove(&id);
            }
            supervised.askers.into_iter().for_each(|asker| self.has_no_process(asker));
        }
        self.lends_no_more(assignment);
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
