//! The loop: wait for what happens, decide, perform.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::domain::drain::{self, Drain};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::time::Moment;
use crate::engine::handle::{Closing, Command, Handle, Pulse, Shared};
use crate::engine::hash::Hashing;
use crate::engine::reload::Reload;
use crate::engine::spawn::NotStartable;
use crate::engine::supervise::Supervised;
use crate::engine::wait::{self, Waiting};
use crate::engine::{Error, Setup, adopt};
use crate::link::{Fact, Order, Spawn};
use crate::store;
use crate::store::task::{Claimed, Due, Finished, InFlight};

/// Why the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything was drained.
    Drained,
    /// Another binary is to take over.
    Replace,
    /// The guardian is gone: nothing can be started or reaped any more.
    GuardianGone,
    /// A fault of the engine itself; starting again takes up what was under way.
    Fault,
}

/// What a job came to.
pub(super) enum Done {
    Claimed { claimed: Result<Vec<Claimed>, store::Error>, asked: usize },
    Prepared { assignment: AssignmentId, order: Result<Box<Spawn>, NotStartable> },
    Started { assignment: AssignmentId, started: Result<(), store::Error> },
    Recorded { assignment: AssignmentId, finished: Result<Box<Finished>, Error> },
    Released { assignment: AssignmentId, released: Result<(), store::Error>, reason: String },
    LookedAtClock { due: Result<Due, store::Error> },
    Settled { more: Result<bool, store::Error> },
    Renewed { expired: Result<Vec<InFlight>, store::Error> },
    Swept { swept: Result<bool, Error> },
    Tidied,
}

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
    /// Tasks that depend on others are told, because it failed.
    Settle,
    /// Claims are renewed.
    Renew,
    Attempt(AssignmentId),
    Watch(AssignmentId),
    Start(AssignmentId),
    Release(AssignmentId, String),
}

enum Event {
    Fact(Option<Fact>),
    Command(Command),
    Done(Done),
    JobFailed(tokio::task::JoinError),
    Woken,
    TimeHasCome,
}

/// Owns every attempt that is under way.
pub struct Engine {
    pub(super) shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    orders: Box<dyn Fn(Order) + Send + Sync>,
    facts: mpsc::Receiver<Fact>,
    pub(super) attempts: HashMap<AssignmentId, Supervised>,
    pub(super) by_task: HashMap<TaskId, AssignmentId>,
    /// Stops asked for claims that the loop has not been handed yet.
    pub(super) early_stops: HashSet<AssignmentId>,
    drain: Drain,
    pub(super) timers: BinaryHeap<Reverse<(Moment, Target)>>,
    pub(super) jobs: JoinSet<Done>,
    pub(super) claiming: bool,
    /// More may be ready than the claim under way looked at.
    pub(super) claim_again: bool,
    /// No claims before this: the machine had no room for another process.
    pub(super) claim_not_before: Option<Moment>,
    /// How often in a row the machine had no room for another process.
    pub(super) refusals: u32,
    pub(super) waiting: Waiting,
    ending: Option<Ended>,
    replace_reply: Option<oneshot::Sender<()>>,
    /// So many requests to stop the guardian has told of.
    stop_requests: u32,
}

impl Engine {
    /// Takes up what was under way when the last apexd ended, and is then ready to run.
    ///
    /// Errors: the store's; nothing is served before the past is settled.
    pub async fn start(setup: Setup) -> Result<(Engine, Handle), Error> {
        let (closing, _) = watch::channel(Closing::Open);
        let stop_requests = setup.guardian.stop_requests;
        let shared = Arc::new(Shared {
            store: setup.store,
            outputs: setup.outputs,
            settings: setup.settings.into(),
            world: setup.world,
            guardian: setup.guardian,
            project: setup.project,
            socket: setup.socket,
            wake: tokio::sync::Notify::new(),
            reload_asked: tokio::sync::Notify::new(),
            draining: false.into(),
            hashing: Hashing::default(),
            clock_changed: false.into(),
            unsettled: false.into(),
            trusted: tokio::sync::RwLock::new(setup.trusted),
            pausing: tokio::sync::Mutex::default(),
            run_time: std::sync::Mutex::default(),
            pulse: std::sync::Mutex::new(Pulse::default()),
            closing,
        });
        let (sender, commands) = mpsc::channel(64);
        let mut engine = Engine {
            shared: shared.clone(),
            commands,
            orders: setup.orders,
            facts: setup.facts,
            attempts: HashMap::new(),
            by_task: HashMap::new(),
            early_stops: HashSet::new(),
            drain: Drain::default(),
            timers: BinaryHeap::new(),
            jobs: JoinSet::new(),
            claiming: false,
            claim_again: false,
            claim_not_before: None,
            refusals: 0,
            waiting: Waiting::default(),
            ending: None,
            replace_reply: None,
            stop_requests,
        };
        engine.order(Order::Policy { kill_grace: shared.settings().kill_grace });
        adopt::settle(&mut engine, &setup.last_words).await?;
        adopt::accept_or_hold(&engine, setup.trusted).await?;
        for _ in 0..stop_requests {
            engine.drain_asked(None, "SIGTERM");
        }
        engine.wake_at(engine.moment(), Target::Poll);
        engine.wake_at(engine.moment(), Target::Due);
        engine.wake_at(engine.moment(), Target::Settle);
        engine.wake_at(engine.moment(), Target::Renew);
        let tidied = shared.clone();
        engine.jobs.spawn(async move {
            wait::tidy(&tidied).await;
            Done::Tidied
        });
        let reload = Arc::new(Reload::default());
        Ok((engine, Handle { shared, commands: sender, is_kept_out: Arc::new(|_| false), reload }))
    }

    /// Runs until the engine has ended, and returns why. Everything that was recorded is stored then.
    ///
    /// # Cancel safety
    /// Not cancel-safe: jobs that are under way would be lost.
    pub async fn run(mut self) -> Ended {
        loop {
            if let Some(ended) = self.ending
                && self.jobs.is_empty()
            {
                if let Some(reply) = self.replace_reply.take() {
                    // Whoever asked may have gone away.
                    let _ = reply.send(());
                }
                return ended;
            }
            let event = self.next_event().await;
            self.handle(event);
        }
    }

    async fn next_event(&mut self) -> Event {
        let pause = self.timers.peek().map(|Reverse((at, _))| self.moment().until(*at));
        let ending = self.ending.is_some();
        tokio::select! {
            // What has happened comes before what is asked, and both before what is due.
            biased;
            fact = self.facts.recv(), if !ending => Event::Fact(fact),
            Some(done) = self.jobs.join_next(), if !self.jobs.is_empty() => match done {
                Ok(done) => Event::Done(done),
                Err(error) => Event::JobFailed(error),
            },
            Some(command) = self.commands.recv() => Event::Command(command),
            () = self.shared.wake.notified(), if !ending => Event::Woken,
            () = tokio::time::sleep(pause.unwrap_or(Duration::from_secs(3600))), if !ending => Event::TimeHasCome,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Fact(Some(fact)) => self.fact(fact),
            Event::Fact(None) => {
                error!("The guardian is gone; nothing can be started any more");
                self.end(Ended::GuardianGone);
            }
            Event::Command(command) => self.command(command),
            Event::Done(done) => self.done(done),
            Event::JobFailed(error) => {
                error!(%error, "A job of the engine failed");
                self.end(Ended::Fault);
            }
            Event::Woken => self.woken(),
            Event::TimeHasCome => self.times_that_have_come(),
        }
    }

    fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::Terminate { requests } => self.terminate_told(requests),
            Fact::Spawned(child) => self.spawned(child),
            Fact::NotSpawned { assignment, step, errno } => self.not_spawned(assignment, step, errno),
            Fact::Exited { assignment, exit } => self.exited(assignment, exit),
            Fact::Signalled { assignment, signal: _, errno } => self.signalled(assignment, errno),
            Fact::Reload => self.shared.reload_asked.notify_one(),
            Fact::Welcome { .. } | Fact::Child(_) | Fact::Complete => {
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

    fn command(&mut self, command: Command) {
        match command {
            Command::Stop { assignment, reply } => self.stop_asked(assignment, reply),
            Command::Pause { assignment, pause, reply } => self.pause_asked(assignment, pause, reply),
            Command::Signal { task, signal, reply } => self.signal_asked(task, signal, reply),
            Command::Drain { grace, received } => {
                self.order(Order::Draining);
                self.drain_asked(grace, received);
            }
            Command::Replace { binary, reply } => self.replace_asked(binary, reply),
            Command::Apply { settings, reply } => self.apply(settings, reply),
        }
    }

    fn replace_asked(&mut self, binary: PathBuf, reply: oneshot::Sender<()>) {
        if self.ending.is_some() || self.drain.is_draining() {
            return;
        }
        info!("Handing over to `{}`...", binary.display());
        self.order(Order::Replace { binary });
        self.replace_reply = Some(reply);
        self.end(Ended::Replace);
    }

    /// Begins to drain, or is more urgent about it.
    fn drain_asked(&mut self, grace: Option<Duration>, received: &str) {
        let grace = grace.unwrap_or(self.shared.settings().grace);
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
        self.drain_step(drain::Event::Left(self.left()));
        self.drain_step(drain::Event::Asked { grace });
    }

    fn drain_step(&mut self, event: drain::Event) {
        for effect in self.drain.step(self.moment(), event) {
            match effect {
                drain::Effect::RefuseWork => self.shared.draining.store(true, Ordering::Release),
                drain::Effect::WakeAt(at) => self.wake_at(at, Target::Drain),
                drain::Effect::StopAttempts => self.stop_all(),
                drain::Effect::KillAttempts => self.kill_all(),
                drain::Effect::Close => self.end(Ended::Drained),
            }
        }
    }

    /// Tells everybody who counts attempts that their number has changed.
    pub(super) fn attempts_changed(&mut self) {
        let active = self.attempts.len();
        self.shared.set_pulse(|pulse| pulse.active = active);
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
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(ended);
        let closing = if ended == Ended::Replace { Closing::Restarting } else { Closing::Stopping };
        self.shared.closing.send_replace(closing);
    }

    fn times_that_have_come(&mut self) {
        let now = self.moment();
        while let Some(Reverse((at, _))) = self.timers.peek()
            && *at <= now
        {
            let Some(Reverse((_, target))) = self.timers.pop() else { return };
            match target {
                Target::Poll => {
                    self.claim();
                    self.notice_clock();
                    self.wake_at(now + self.shared.settings().poll_interval, Target::Poll);
                }
                Target::Claim => self.claim(),
                Target::Due => self.look_at_clock(),
                Target::Settle => self.settle(),
                Target::Renew => self.renew(),
                Target::Drain => self.drain_step(drain::Event::Tick),
                Target::Attempt(assignment) => self.tick(assignment),
                Target::Watch(assignment) => self.look_after(assignment),
                Target::Start(assignment) => self.record_start(assignment),
                Target::Release(assignment, reason) => self.release(assignment, reason),
            }
        }
    }

    pub(super) fn wake_at(&mut self, at: Moment, target: Target) {
        self.timers.push(Reverse((at, target)));
    }

    /// Takes moments out that were waited for by attempts which have ended since: a time limit of a day must not leave its
    /// entry behind for a day.
    pub(super) fn thin_timers(&mut self) {
        const SPARE: usize = 64;
        if self.timers.len() <= 4 * self.attempts.len() + SPARE {
            return;
        }
        let attempts = &self.attempts;
        self.timers.retain(|Reverse((_, target))| match target {
            Target::Attempt(assignment) | Target::Watch(assignment) | Target::Start(assignment) => {
                attempts.contains_key(assignment)
            }
            _ => true,
        });
    }

    pub(super) fn order(&self, order: Order) {
        (self.orders)(order);
    }

    pub(super) fn moment(&self) -> Moment {
        (self.shared.world.moment)()
    }

    /// It is about to end.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Takes no new work: it drains, or is about to end.
    pub(super) fn is_closing(&self) -> bool {
        self.ending.is_some() || self.drain.is_draining()
    }
}
