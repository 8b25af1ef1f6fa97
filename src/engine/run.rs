//! The loop: wait for what happens, have it decided, perform what follows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::domain::id::AssignmentId;
use crate::engine::adopt::Known;
use crate::engine::asker::Askers;
use crate::engine::core::{Answer, Core, Effect, Event, Now, Watched};
use crate::engine::handle::{Closing, Command, Handle, Shared};
use crate::engine::job::{self, Done, Job};
use crate::engine::{Error, Setup, World};
use crate::fault::{crash_point, is_sabotaged};
use crate::link::{Fact, Order};

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

/// What decides, and the hands that it has.
pub struct Engine {
    core: Core,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    orders: Box<dyn Fn(Order) + Send + Sync>,
    facts: mpsc::Receiver<Fact>,
    jobs: JoinSet<Done>,
    /// What looks up what starts need. Nobody waits for it in the end: it may hang on a disk that does not answer.
    preparing: JoinSet<Done>,
    askers: Askers,
    /// Who watches the output of attempts that have a limit; they end with this.
    watches: HashMap<AssignmentId, AbortOnDropHandle<()>>,
    /// How they tell that a limit was reached.
    overflows: (mpsc::UnboundedSender<Overflow>, mpsc::UnboundedReceiver<Overflow>),
}

/// An attempt that has written too much, and how much.
type Overflow = (AssignmentId, u64);

impl Engine {
    /// Takes up what was under way when the last apexd ended, and is then ready to run.
    ///
    /// Errors: the store's; nothing is served before the past is settled.
    pub async fn start(setup: Setup) -> Result<(Engine, Handle), Error> {
        let core = Core::new(setup.guardian.id, setup.guardian.boot, setup.settings, setup.trusted);
        let Setup { store, outputs, settings, world, guardian, project, socket, trusted, .. } = setup;
        let shared = Arc::new(Shared::new(store, outputs, settings, world, guardian, (project, socket), trusted));
        let (sender, commands) = mpsc::channel(64);
        let mut engine = Engine {
            core,
            shared: shared.clone(),
            commands,
            orders: setup.orders,
            facts: setup.facts,
            jobs: JoinSet::new(),
            preparing: JoinSet::new(),
            askers: Askers::default(),
            watches: HashMap::new(),
            overflows: mpsc::unbounded_channel(),
        };
        let in_flight = shared.store.in_flight().await?;
        let guardian = &shared.guardian;
        let known = Known {
            in_flight,
            children: if is_sabotaged(3) { &[] } else { &guardian.children },
            last_words: &setup.last_words,
            doubtful: &guardian.doubtful,
            stop_requests: guardian.stop_requests,
            grace_until: guardian.grace_until,
            world: shared.world,
        };
        for effect in engine.core.adopt(shared.world.time(), known) {
            crash_point("apexd.past.decided");
            match effect {
                Effect::Past(past) => job::settle_past(&shared, past).await?,
                effect => engine.perform(effect),
            }
        }
        crash_point("apexd.past.settled");
        accept_or_hold(&shared, trusted).await?;
        let effects = engine.core.open(shared.world.time());
        engine.follow(effects);
        Ok((engine, Handle::new(shared, sender)))
    }

    /// Runs until the engine has ended, and returns why. Everything that was recorded is stored then.
    ///
    /// # Cancel safety
    /// Not cancel-safe: jobs that are under way would be lost.
    pub async fn run(mut self) -> Ended {
        loop {
            if let Some(ended) = self.core.ended()
                && self.jobs.is_empty()
            {
                if let Some(asker) = self.core.replace_asker() {
                    self.askers.answer(asker, Answer::Done);
                }
                return ended;
            }
            let event = self.next_event().await;
            let effects = self.core.step(self.shared.world.time(), event);
            self.follow(effects);
        }
    }

    async fn next_event(&mut self) -> Event {
        let pause = self.core.next_wake().map(|at| (self.shared.world.moment)().until(at));
        let ending = self.core.ended().is_some();
        tokio::select! {
            // What has happened comes before what is asked, and both before what is due.
            biased;
            fact = self.facts.recv(), if !ending => self.told(fact),
            Some(done) = self.jobs.join_next(), if !self.jobs.is_empty() => came_to(done),
            Some(done) = self.preparing.join_next(), if !ending && !self.preparing.is_empty() => self.prepared(done),
            Some((assignment, bytes)) = self.overflows.1.recv(), if !ending => Event::Overflowed { assignment, bytes },
            Some(command) = self.commands.recv() => self.askers.take(command, &self.shared),
            () = self.shared.wake.notified(), if !ending => Event::Woken(self.shared.take_wake()),
            () = tokio::time::sleep(pause.unwrap_or(Duration::from_secs(3600))), if !ending => Event::TimeHasCome,
        }
    }

    fn prepared(&self, done: Result<Done, JoinError>) -> Event {
        if let Ok(Done::Prepared { assignment, .. }) = &done {
            self.shared.is_prepared(*assignment);
        }
        came_to(done)
    }

    fn told(&self, fact: Option<Fact>) -> Event {
        match &fact {
            Some(Fact::Reload) => self.shared.reload_asked.notify_one(),
            Some(Fact::Spawned(_)) => crash_point("apexd.spawn.told"),
            Some(Fact::Exited { .. }) => crash_point("apexd.exit.told"),
            _ => {}
        }
        fact.map_or(Event::GuardianGone, Event::Fact)
    }

    /// Shows how the core stands now, and does what it wants done.
    fn follow(&mut self, effects: Vec<Effect>) {
        // Before the guardian is told that it was heard.
        self.shared.show(&self.core);
        for effect in effects {
            self.perform(effect);
        }
        if let Some(ended) = self.core.ended() {
            // Where the guardian is gone, this process takes its place, and another apexd comes.
            let comes_back = matches!(ended, Ended::Replace | Ended::GuardianGone);
            let closing = if comes_back { Closing::Restarting } else { Closing::Stopping };
            self.shared.closing.send_if_modified(|shown| std::mem::replace(shown, closing) != closing);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Order(order) => self.order(order),
            Effect::Job(job @ Job::Prepare(_)) => {
                drop(self.preparing.spawn(job::perform(Arc::clone(&self.shared), job)));
            }
            Effect::Abandon(assignment) => self.shared.abandon(assignment),
            Effect::Job(job) => drop(self.jobs.spawn(job::perform(Arc::clone(&self.shared), job))),
            Effect::Reply(asker, answer) => self.askers.answer(asker, answer),
            Effect::Tidy => drop(tidy(&self.shared)),
            Effect::WatchOutput(watched) => self.watch(watched),
            Effect::LeaveOutput(assignment) => drop(self.watches.remove(&assignment)),
            Effect::Past(past) => warn!("Nobody waits for the past any more: {past:?}"),
        }
    }

    fn order(&self, order: Order) {
        let point = match &order {
            Order::Spawn(_) => "apexd.spawn.ordered",
            Order::Signal { .. } => "apexd.signal.ordered",
            Order::Forget { .. } => "apexd.forget.ordered",
            Order::Replace { .. } => "apexd.replace.ordered",
            Order::Draining => "apexd.drain.begun",
            _ => return (self.orders)(order),
        };
        (self.orders)(order);
        crash_point(point);
    }

    /// Tells when an attempt reaches its limit, and again when it goes far beyond.
    fn watch(&mut self, watched: Watched) {
        let (outputs, told) = (self.shared.outputs.clone(), self.overflows.0.clone());
        let watching = async move {
            for limit in [watched.limit, watched.bound()] {
                let bytes = outputs.reaches(watched.id, watched.number, watched.split_output, limit).await;
                // Nobody hears it when the engine has ended.
                let _ = told.send((watched.assignment, bytes));
            }
        };
        self.watches.insert(watched.assignment, AbortOnDropHandle::new(tokio::spawn(watching)));
    }
}

/// Begins to delete the files of removed tasks. What is left when this process ends is found by the next one.
pub(super) fn tidy(shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    tokio::spawn(async move { job::tidy(&shared).await })
}

fn came_to(done: Result<Done, JoinError>) -> Event {
    match done {
        Ok(done) => Event::Done(done),
        Err(error) => {
            error!(%error, "A job of the engine failed");
            Event::JobFailed
        }
    }
}

/// Lets go what was held because the project came from elsewhere, or holds what waits.
async fn accept_or_hold(shared: &Shared, trusted: bool) -> Result<(), Error> {
    let now = (shared.world.now)();
    let mut changed = 0;
    loop {
        match if trusted { shared.store.trust(now).await? } else { shared.store.distrust(now).await? } {
            0 => break,
            some => changed += some,
        }
    }
    match (trusted, changed) {
        (true, 0) => {}
        (true, n) => info!("The project was accepted; {n} task(s) go on"),
        (false, _) => warn!("The project came from elsewhere; nothing of it is run until `apex trust`"),
    }
    Ok(())
}

impl World {
    pub(super) fn time(&self) -> Now {
        Now { wall: (self.now)(), moment: (self.moment)() }
    }
}
