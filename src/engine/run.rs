//! The loop: wait for what happens, have it decided, perform what follows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::domain::id::AssignmentId;
use crate::engine::adopt::Known;
use crate::engine::asker::Askers;
use crate::engine::core::{Answer, Core, Effect, Event, Now, Watched};
use crate::engine::handle::{Closing, Command, Handle, Shared};
use crate::engine::input;
use crate::engine::job::{self, Done, Job, Move, Past, Preparation};
use crate::engine::prepare::{self, Prepared};
use crate::engine::{Error, Setup, World, turn};
use crate::fault::{crash_point, is_sabotaged};
use crate::link::machine::Alarm;
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
    jobs: JoinSet<Vec<Done>>,
    /// What is being stored of attempts on their way: one turn at a time.
    turn: JoinSet<Vec<Done>>,
    /// What the next turn will store.
    next_turn: Vec<Move>,
    /// What looks up what starts need. Nobody waits for it in the end: it may hang on a disk that does not answer.
    preparing: JoinSet<()>,
    /// How that is told.
    prepared: Channel<Prepared>,
    /// Until then the loop looks up nothing itself.
    elsewhere_until: Option<Instant>,
    askers: Askers,
    alarm: Box<dyn Alarm>,
    /// Who watches the output of attempts that have a limit; they end with this.
    watches: HashMap<AssignmentId, AbortOnDropHandle<()>>,
    /// How they tell that a limit was reached.
    overflows: Channel<Overflow>,
}

type Channel<T> = (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>);

/// So many starts are looked up by the loop itself before others get their turn.
const LOOKED_UP_MAX: usize = 16;
/// If one took longer than this, others look up what starts need for a while: the disk is busy, or about to fail.
const LOOK_UP_WITHIN: Duration = Duration::from_millis(5);
/// For so long.
const ELSEWHERE_FOR: Duration = Duration::from_secs(60);

/// So much that has happened is taken in before anything is performed that follows from it.
const EVENTS_MAX: usize = 256;

/// An attempt that has written too much, and how much.
type Overflow = (AssignmentId, u64);

impl Engine {
    /// Takes up what was under way when the last apexd ended, and is then ready to run.
    ///
    /// Errors: the store's; nothing is served before the past is settled.
    pub async fn start(setup: Setup) -> Result<(Engine, Handle), Error> {
        let core = Core::new(setup.guardian.id, setup.guardian.boot, setup.settings.clone(), setup.trusted);
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
            turn: JoinSet::new(),
            next_turn: Vec::new(),
            preparing: JoinSet::new(),
            prepared: mpsc::unbounded_channel(),
            elsewhere_until: None,
            askers: Askers::default(),
            alarm: setup.alarm,
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
        let effects = engine.core.adopt(shared.world.time(), known);
        let kept = effects.iter().filter_map(|effect| match effect {
            Effect::Past(Past::Ended(record)) if record.is_kept => Some(&**record),
            _ => None,
        });
        input::end_all(&shared, kept).await;
        for effect in effects {
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
                && self.is_idle()
            {
                // Nobody is there any more who would do it later.
                self.shared.save_progress(None).await;
                if let Some(asker) = self.core.replace_asker() {
                    self.askers.answer(asker, Answer::Done);
                }
                return ended;
            }
            let mut events = self.next_events().await;
            let mut effects = Vec::new();
            let mut taken = 0;
            // What has happened by now is taken in together: what follows from it can then be stored together.
            loop {
                taken += events.len();
                for event in events {
                    effects.extend(self.core.take(self.shared.world.time(), event));
                }
                // Nothing is fetched that is not taken in.
                match if taken < EVENTS_MAX { self.events_at_hand() } else { None } {
                    Some(more) => events = more,
                    None => break,
                }
            }
            effects.extend(self.core.rest(self.shared.world.time()));
            self.follow(effects);
        }
    }

    /// Nothing is being stored.
    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.turn.is_empty() && self.next_turn.is_empty()
    }

    async fn next_events(&mut self) -> Vec<Event> {
        let next_wake = self.core.next_wake();
        let ending = self.core.ended().is_some();
        tokio::select! {
            // What has happened comes before what is asked, and both before what is due.
            biased;
            fact = self.facts.recv(), if !ending => vec![self.told(fact)],
            Some(done) = self.turn.join_next(), if !self.turn.is_empty() => came_to(done),
            Some(done) = self.jobs.join_next(), if !self.jobs.is_empty() => came_to(done),
            Some(done) = self.prepared.1.recv(), if !ending => self.prepared(done),
            Some((assignment, bytes)) = self.overflows.1.recv(), if !ending => vec![Event::Overflowed { assignment, bytes }],
            Some(command) = self.commands.recv() => vec![self.askers.take(command, &self.shared)],
            () = self.shared.wake.notified(), if !ending => vec![Event::Woken(self.shared.take_wake())],
            () = self.alarm.until(next_wake), if !ending => vec![Event::TimeHasCome],
        }
    }

    /// Returns what has happened as well, if anything has.
    fn events_at_hand(&mut self) -> Option<Vec<Event>> {
        let ending = self.core.ended().is_some();
        if !ending && let Ok(fact) = self.facts.try_recv() {
            return Some(vec![self.told(Some(fact))]);
        }
        if let Some(done) = self.turn.try_join_next().or_else(|| self.jobs.try_join_next()) {
            return Some(came_to(done));
        }
        if !ending && let Ok(done) = self.prepared.1.try_recv() {
            return Some(self.prepared(done));
        }
        self.commands.try_recv().ok().map(|command| vec![self.askers.take(command, &self.shared)])
    }

    fn prepared(&self, prepared: Prepared) -> Vec<Event> {
        if let Ok(Done::Prepared { assignment, .. }) = &prepared {
            self.shared.is_prepared(*assignment);
        }
        came_to(prepared.map(|done| vec![done]))
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
        let mut preparations = Vec::new();
        let mut here = LOOKED_UP_MAX;
        for effect in effects {
            match effect {
                // Where its output is to be finished on a disk that may not answer, nobody else waits for it.
                Effect::Job(Job::Move(Move::Record(record))) if !self.shared.finishes_at_once() => {
                    self.perform(Effect::Job(Job::Move(Move::Record(record))));
                }
                Effect::Job(Job::Move(one)) => turn::push(&mut self.next_turn, one),
                Effect::Job(Job::Prepare(preparation)) if here > 0 && self.looks_up_here(&preparation) => {
                    here -= 1;
                    let began = Instant::now();
                    // Quicker than waking another thread for it. It is taken in with what has happened meanwhile.
                    let _ = self.prepared.0.send(Ok(prepare::one(&self.shared, &preparation)));
                    if began.elapsed() > LOOK_UP_WITHIN {
                        self.elsewhere_until = Some(Instant::now() + ELSEWHERE_FOR);
                    }
                }
                Effect::Job(Job::Prepare(preparation)) => preparations.push(*preparation),
                effect => self.perform(effect),
            }
        }
        if self.turn.is_empty() && !self.next_turn.is_empty() {
            let turn = std::mem::take(&mut self.next_turn);
            self.turn.spawn(turn::perform(Arc::clone(&self.shared), turn));
        }
        // Those that are over have told what they came to.
        while self.preparing.try_join_next().is_some() {}
        if !preparations.is_empty() {
            self.preparing.spawn(prepare::all(Arc::clone(&self.shared), preparations, self.prepared.0.clone()));
        }
        if let Some(ended) = self.core.ended() {
            // Where the guardian is gone, this process takes its place, and another apexd comes.
            let comes_back = matches!(ended, Ended::Replace | Ended::GuardianGone);
            let closing = if comes_back { Closing::Restarting } else { Closing::Stopping };
            self.shared.closing.send_if_modified(|shown| std::mem::replace(shown, closing) != closing);
        }
    }

    /// Returns whether the loop itself looks up what a start needs.
    fn looks_up_here(&self, preparation: &Preparation) -> bool {
        let is_slow = self.elsewhere_until.is_some_and(|until| Instant::now() < until);
        !is_slow && prepare::answers_at_once(&self.shared, preparation)
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Order(order) => self.order(order),
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

fn came_to(done: Result<Vec<Done>, JoinError>) -> Vec<Event> {
    match done {
        Ok(done) => done.into_iter().map(Event::Done).collect(),
        Err(error) => {
            error!(%error, "A job of the engine failed");
            vec![Event::JobFailed]
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
