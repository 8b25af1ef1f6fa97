//! What decides: everything that is under way, and what follows from whatever happens to it.
//!
//! [`Core`] is fed what happened ([`Event`]), with the time it happened at, and answers what must be done ([`Effect`]). It
//! touches nothing and waits for nothing: orders, jobs and answers are values, and what a job came to is an event. So a
//! whole life of it, crashes included, can be played from a seed. [`crate::engine::run`] is what it lives in.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::domain::drain::{self, Drain};
use crate::domain::id::{AssignmentId, AttemptNumber, TaskId};
use crate::domain::identity::{BootId, GuardianId};
use crate::domain::time::{Moment, Timestamp};
use crate::domain::window::Standing;
use crate::engine::Settings;
use crate::engine::handle::Pulse;
use crate::engine::job::{Done, Job, Past};
use crate::engine::lend::Waits;
use crate::engine::retain::Retention;
use crate::engine::run::Ended;
use crate::engine::supervise::Supervised;
use crate::engine::timer::{Target, Timers};
use crate::engine::wait::Waiting;
use crate::fault::is_sabotaged;
use crate::link::{Fact, Order};

/// The time that an event is taken in at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// By the wall clock.
    pub(super) wall: Timestamp,
    /// By the clock that deadlines go by.
    pub(super) moment: Moment,
}

/// Stands for somebody who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(pub(super) u64);

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    /// The guardian told something.
    Fact(Fact),
    /// The guardian is gone.
    GuardianGone,
    /// A cancel was stored: stop the attempt.
    Stop { assignment: AssignmentId, asker: Ticket },
    /// Stop the processes of an attempt, or let them go on.
    Pause { assignment: AssignmentId, pause: bool, asker: Ticket },
    /// Send a signal to the processes of a task.
    Signal { task: TaskId, signal: i32, asker: Ticket },
    /// Begin to drain, or be more urgent about it.
    Drain { grace: Option<Duration>, received: &'static str },
    /// End, so that this binary takes over. Answered when nothing is under way any more.
    Replace { binary: PathBuf, asker: Ticket },
    /// Somebody waits inside an attempt.
    Lend { attempt: AssignmentId, wait: u64 },
    /// A wait is over: answered when the attempt has again what it lent.
    TakeBack { wait: u64, asker: Ticket },
    /// Whoever waited has gone away.
    WaitIsOver { wait: u64 },
    /// Follow these settings from now on.
    Apply { settings: Settings, asker: Ticket },
    /// A job has come to its end.
    Done(Done),
    /// A job ended without one.
    JobFailed,
    /// An attempt has written so many bytes, which is as many as it may, or more.
    Overflowed { assignment: AssignmentId, bytes: u64 },
    /// There may be more to be done.
    Woken(Wake),
    /// The moment of [`Core::next_wake`] has come.
    TimeHasCome,
}

/// What there may be to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wake {
    /// The project is one's own.
    pub(super) trusted: bool,
    /// Something waits for the clock that did not before.
    pub(super) clock_changed: bool,
    /// Tasks that depend on others are to be told.
    pub(super) unsettled: bool,
}

/// What must be done, in order.
#[derive(Debug)]
pub(super) enum Effect {
    /// Sent to the guardian.
    Order(Order),
    /// Begun, and its end told.
    Job(Job),
    /// What a start needs is wanted no more: the job that looks it up is not waited for, and is to change nothing.
    Abandon(AssignmentId),
    /// Done before anything else goes on: only at the start.
    Past(Past),
    /// Told to whoever waits.
    Reply(Ticket, Answer),
    /// From now on it is noticed when an attempt writes more than it may.
    WatchOutput(Watched),
    /// No longer.
    LeaveOutput(AssignmentId),
    /// Files of removed tasks are deleted. Nobody is told, and nobody waits for it in the end.
    Tidy,
}

/// An attempt whose output has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) assignment: AssignmentId,
    pub(super) id: TaskId,
    pub(super) number: AttemptNumber,
    pub(super) split_output: bool,
    /// In bytes.
    pub(super) limit: u64,
}

impl Watched {
    /// Returns how much is too much even of one that was asked to end, and takes its time: then it is killed.
    pub(super) fn bound(&self) -> u64 {
        self.limit.saturating_add(self.limit.max(1 << 20))
    }
}

/// What somebody is told who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was done.
    Done,
    /// It is not done, and never will be.
    Never,
    /// A signal came to this errno, 0 if it was sent; `None` if there is no process.
    Signalled(Option<i32>),
}

/// Decides about every attempt that is under way.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) now: Now,
    pub(super) settings: Settings,
    pub(super) owner: GuardianId,
    pub(super) boot: BootId,
    pub(super) trusted: bool,
    pub(super) attempts: BTreeMap<AssignmentId, Supervised>,
    pub(super) by_task: BTreeMap<TaskId, AssignmentId>,
    /// Stops asked for claims that were not told yet.
    pub(super) early_stops: HashSet<AssignmentId>,
    /// Claims that are being given back: they keep their slots until that is stored.
    pub(super) releasing: BTreeSet<AssignmentId>,
    /// Those who wait inside attempts.
    pub(super) waits: Waits,
    drain: Drain,
    pub(super) timers: Timers,
    pub(super) claiming: bool,
    /// Tasks may be ready. They are claimed when everything that has happened by now is taken in, see [`Core::rest`].
    pub(super) claim_wanted: bool,
    /// Attempts whose end is on its way to the store.
    pub(super) recording: BTreeSet<AssignmentId>,
    /// No claims before this: the machine had no room for another process.
    pub(super) claim_not_before: Option<Moment>,
    /// How often in a row the machine had no room for another process.
    pub(super) refusals: u32,
    pub(super) waiting: Waiting,
    /// Which time windows are open.
    pub(super) windows: Standing,
    pub(super) retention: Retention,
    pub(super) last_poll_at: Option<Timestamp>,
    /// What the machine lacked when something was last to be started.
    pub(super) held_up: Option<String>,
    ended: Option<Ended>,
    replace_asker: Option<Ticket>,
    /// So many requests to stop the guardian has told of.
    pub(super) stop_requests: u32,
    /// Until then a drain that an earlier apexd began leaves running tasks alone.
    pub(super) grace_until: Option<Moment>,
    effects: Vec<Effect>,
}

impl Core {
    /// Makes one that knows of nothing yet; [`Core::adopt`] comes next, then [`Core::open`].
    pub(super) fn new(owner: GuardianId, boot: BootId, settings: Settings, trusted: bool) -> Self {
        Self {
            now: Now { wall: Timestamp(0), moment: Moment(0) },
            settings,
            owner,
            boot,
            trusted,
            attempts: BTreeMap::new(),
            by_task: BTreeMap::new(),
            early_stops: HashSet::new(),
            releasing: BTreeSet::new(),
            waits: Waits::default(),
            drain: Drain::default(),
            timers: Timers::default(),
            claiming: false,
            claim_wanted: false,
            recording: BTreeSet::new(),
            claim_not_before: None,
            refusals: 0,
            waiting: Waiting::default(),
            windows: Standing::default(),
            retention: Retention::default(),
            last_poll_at: None,
            held_up: None,
            ended: None,
            replace_asker: None,
            stop_requests: 0,
            grace_until: None,
            effects: Vec::new(),
        }
    }

    /// Begins the regular work, once the past is settled.
    pub(super) fn open(&mut self, now: Now) -> Vec<Effect> {
        self.now = now;
        // What is left of the grace that runs already.
        let grace = self.grace_until.take().map(|until| now.moment.until(until));
        for _ in 0..self.stop_requests {
            self.drain_asked(grace, "SIGTERM");
        }
        for target in [Target::Poll, Target::Due, Target::Settle, Target::Renew] {
            self.wake_at(now.moment, target);
        }
        self.look_at_windows();
        self.effect(Effect::Tidy);
        self.expire();
        std::mem::take(&mut self.effects)
    }

    /// Takes in one event when nothing else has happened by now, and returns what must be done, in order.
    #[cfg(test)]
    pub(super) fn step(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let mut effects = self.take(now, event);
        effects.extend(self.rest(now));
        effects
    }

    /// Returns what must be done when there is nothing left that has happened.
    pub(super) fn rest(&mut self, now: Now) -> Vec<Effect> {
        self.now = now;
        if self.claim_wanted && !self.claiming {
            self.claim_wanted = false;
            self.claim_now();
        }
        std::mem::take(&mut self.effects)
    }

    /// Takes in one of several events that have happened by now, and returns what must be done, in order. After the last
    /// one comes [`Core::rest`].
    pub(super) fn take(&mut self, now: Now, event: Event) -> Vec<Effect> {
        self.now = now;
        match event {
            Event::Fact(fact) => self.fact(fact),
            Event::GuardianGone => {
                error!("The guardian is gone; nothing can be started any more");
                self.end(Ended::GuardianGone);
            }
            Event::Stop { assignment, asker } => self.stop_asked(assignment, asker),
            Event::Pause { assignment, pause, asker } => self.pause_asked(assignment, pause, asker),
            Event::Signal { task, signal, asker } => self.signal_asked(task, signal, asker),
            Event::Drain { grace, received } => {
                self.order(Order::Draining);
                self.drain_asked(grace, received);
            }
            Event::Replace { binary, asker } => self.replace_asked(binary, asker),
            Event::Lend { attempt, wait } => self.lend_asked(attempt, wait),
            Event::TakeBack { wait, asker } => self.take_back_asked(wait, asker),
            Event::WaitIsOver { wait } => self.wait_is_over(wait),
            Event::Apply { settings, asker } => {
                self.apply(settings);
                self.reply(asker, Answer::Done);
            }
            Event::Done(done) => self.done(done),
            Event::JobFailed => self.end(Ended::Fault),
            Event::Overflowed { assignment, bytes } => self.overflowed(assignment, bytes),
            Event::Woken(wake) => self.woken(wake),
            Event::TimeHasCome => self.times_that_have_come(),
        }
        std::mem::take(&mut self.effects)
    }

    /// Returns when [`Event::TimeHasCome`] is due.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// Returns why it has ended, if it has. Jobs may be under way still, and are to be told.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Returns who is told when nothing is under way any more.
    pub(super) fn replace_asker(&self) -> Option<Ticket> {
        self.replace_asker
    }

    /// Returns how it stands.
    pub(super) fn pulse(&self) -> Pulse {
        Pulse {
            active: self.attempts.len(),
            last_poll_at: self.last_poll_at,
            held_up: self.held_up.clone(),
            lending: self.lending(),
        }
    }

    /// No work is taken any more.
    pub(super) fn is_draining(&self) -> bool {
        self.drain.is_draining()
    }

    /// Takes no new work: it drains, or is about to end.
    pub(super) fn is_closing(&self) -> bool {
        self.ended.is_some() || (self.drain.is_draining() && !is_sabotaged(5))
    }

    fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::Terminate { requests } => self.terminate_told(requests),
            Fact::Spawned(child) => self.spawned(child),
            Fact::NotSpawned { assignment, step, errno } => self.not_spawned(assignment, step, errno),
            Fact::Exited { assignment, exit } => self.exited(assignment, exit),
            Fact::Signalled { assignment, signal: _, errno } => self.signalled(assignment, errno),
            // Whoever reads the configuration is told elsewhere.
            Fact::Reload => {}
            Fact::Ask => self.order(Order::Present),
            Fact::Gone { assignment, at } => self.vanished(assignment, at),
            Fact::Welcome { .. }
            | Fact::Terms { .. }
            | Fact::Keeps
            | Fact::Child(_)
            | Fact::Doubtful { .. }
            | Fact::Complete => {
                warn!("The guardian introduced itself twice");
            }
        }
    }

    /// The guardian was asked to stop, perhaps several times since it last said so.
    fn terminate_told(&mut self, requests: u32) {
        // The guardian waits for a word that this was heard.
        self.order(Order::Draining);
        let untold = requests.saturating_sub(self.stop_requests).max(1);
        self.stop_requests = requests;
        for _ in 0..untold {
            self.drain_asked(None, "SIGTERM");
        }
    }

    fn replace_asked(&mut self, binary: PathBuf, asker: Ticket) {
        if self.is_closing() {
            self.reply(asker, Answer::Never);
            return;
        }
        info!("Handing over to `{}`...", binary.display());
        self.order(Order::Replace { binary });
        self.replace_asker = Some(asker);
        self.end(Ended::Replace);
    }

    /// Begins to drain, or is more urgent about it.
    fn drain_asked(&mut self, grace: Option<Duration>, received: &str) {
        let grace = grace.unwrap_or(self.settings.grace);
        let again = self.drain.is_draining();
        let waiting = self.waited_for();
        match (again, waiting) {
            (true, _) => info!("Received {received} again, waiting no longer"),
            (false, 0) => info!("Received {received}, initiating graceful shutdown..."),
            (false, _) => {
                info!("Received {received}, initiating graceful shutdown...");
                info!("Waiting for {waiting} task(s) to complete...");
            }
        }
        // For the next apexd, if this one does not live to the end of it.
        let until = if again { self.now.moment } else { self.now.moment + grace };
        self.order(Order::Grace { until });
        self.drain_step(drain::Event::Left(self.left()));
        self.drain_step(drain::Event::Asked { grace });
    }

    pub(super) fn drain_step(&mut self, event: drain::Event) {
        for effect in self.drain.step(self.now.moment, event) {
            match effect {
                // Whoever is asked for work looks at `is_draining`.
                drain::Effect::RefuseWork => self.give_back_what_is_prepared(),
                drain::Effect::WakeAt(at) => self.wake_at(at, Target::Drain),
                drain::Effect::StopAttempts => self.stop_all(),
                drain::Effect::KillAttempts => self.kill_all(),
                drain::Effect::Close => self.end(Ended::Drained),
            }
        }
    }

    /// A drain waits for another number of attempts.
    pub(super) fn attempts_changed(&mut self) {
        if self.drain.is_draining() {
            self.drain_step(drain::Event::Left(self.left()));
        }
    }

    /// Returns how much a drain has to wait for.
    fn left(&self) -> usize {
        // What a claim under way brings must still be given back.
        self.waited_for() + usize::from(self.claiming)
    }

    fn waited_for(&self) -> usize {
        self.attempts.values().filter(|supervised| supervised.holds_up_a_drain()).count()
    }

    fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
    }

    pub(super) fn order(&mut self, order: Order) {
        self.effects.push(Effect::Order(order));
    }

    pub(super) fn job(&mut self, job: Job) {
        self.effects.push(Effect::Job(job));
    }

    pub(super) fn abandon(&mut self, assignment: AssignmentId) {
        self.effects.push(Effect::Abandon(assignment));
    }

    pub(super) fn past(&mut self, past: Past) {
        self.effects.push(Effect::Past(past));
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn reply(&mut self, asker: Ticket, answer: Answer) {
        self.effects.push(Effect::Reply(asker, answer));
    }

    /// Returns what must be done since this was last asked.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}
