//! One life of apexd: the real core, with jobs that the player carries out in whatever order.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::mpsc;

use super::machine::{WORLD, now};
use super::random::Random;
use crate::domain::id::AssignmentId;
use crate::engine::asker::Askers;
use crate::engine::core::{Answer, Core, Event};
use crate::engine::handle::{Command, Shared};
use crate::engine::job::{Done, Job, Move, Past, Record};
use crate::engine::schedule::{self, Looked};
use crate::engine::spawn::NotStartable;
use crate::engine::{Error, Guardian, Handle, Settings};
use crate::link::Spawn;
use crate::output::Outputs;
use crate::store::memory::Memory;
use crate::store::task::{Claim, Finished};
use crate::store::{self, TaskStore};
use uuid::Uuid;

/// Somebody outside who waits for an answer.
pub(super) type Waiting = Pin<Box<dyn Future<Output = ()>>>;

/// Somebody who waits was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How far a job is.
#[derive(Debug)]
pub(super) enum UnderWay {
    Begun(Job),
    Over(Done),
}

impl UnderWay {
    /// It looks up what a start needs.
    pub(super) fn is_preparing(&self) -> bool {
        matches!(self, Self::Begun(Job::Prepare(_)) | Self::Over(Done::Prepared { .. }))
    }
}

pub(super) struct Apexd {
    pub(super) core: Core,
    pub(super) shared: Arc<Shared>,
    pub(super) handle: Handle,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) waiting_commands: VecDeque<Command>,
    pub(super) askers: Askers,
    pub(super) jobs: Vec<UnderWay>,
    pub(super) waiting: Vec<Waiting>,
}

impl Apexd {
    pub(super) fn new(store: Arc<Memory>, settings: Settings, guardian: Guardian, trusted: bool) -> Self {
        let core = Core::new(guardian.id, guardian.boot, settings.clone(), trusted);
        let outputs = Outputs::new("/nowhere".into());
        let places = ("/nowhere".into(), "/nowhere/daemon.sock".into());
        let shared = Arc::new(Shared::new(store, outputs, settings, WORLD, guardian, places, trusted));
        let (sender, commands) = mpsc::channel(64);
        let handle = Handle::new(shared.clone(), sender);
        let (waiting_commands, askers, jobs, waiting) = Default::default();
        Self { core, shared, handle, commands, waiting_commands, askers, jobs, waiting }
    }

    /// Begins something that is asked from outside, and goes on with it as far as it goes now.
    pub(super) fn ask(&mut self, asked: impl Future<Output = ()> + 'static) {
        self.waiting.push(Box::pin(asked));
        self.go_on();
    }

    /// Lets those go on who wait outside.
    pub(super) fn go_on(&mut self) {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            self.waiting.retain_mut(|asked| asked.as_mut().poll(&mut context).is_pending());
            // One of them may have made room for another.
            if !woken.0.swap(false, Ordering::Relaxed) {
                break;
            }
        }
        while let Ok(command) = self.commands.try_recv() {
            self.waiting_commands.push_back(command);
        }
    }

    pub(super) fn answer(&mut self, asker: crate::engine::core::Ticket, answer: Answer) {
        self.askers.answer(asker, answer);
        self.go_on();
    }

    /// Returns whether somebody woke the loop.
    pub(super) fn is_woken(&mut self) -> bool {
        let notified = std::pin::pin!(self.shared.wake.notified());
        notified.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    pub(super) fn next_command(&mut self) -> Option<Event> {
        let command = self.waiting_commands.pop_front()?;
        Some(self.askers.take(command, &self.shared))
    }
}

/// Returns what a future comes to that never waits.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory never waits"),
    }
}

fn full() -> store::Error {
    store::Error::Full { path: "/apex.db".into(), source: "the disk is full".into() }
}

/// Carries jobs out on the store.
pub(super) struct Hands<'a> {
    pub(super) store: &'a Memory,
    pub(super) random: &'a mut Random,
    /// The disk is full, now and then.
    pub(super) trouble: bool,
    /// How many claims were made.
    pub(super) claims: &'a mut u128,
}

impl Hands<'_> {
    fn on_store<T>(&mut self, verb: impl FnOnce(&Memory) -> store::Reply<'_, T>) -> Result<T, store::Error> {
        if self.trouble && self.random.percent(60) { Err(full()) } else { ready(verb(self.store)) }
    }

    pub(super) fn carry_out(&mut self, job: Job) -> Done {
        match job {
            Job::Move(Move::Claim { room, after, shut, owner, boot, now, lease_until, terms }) => {
                let assignments = (0..room).map(|_| self.assignment()).collect();
                let claim = Claim { owner, boot, assignments, after, shut, now, lease_until, terms };
                Done::Claimed { claimed: self.on_store(|store| store.claim(claim)), asked: room }
            }
            Job::Prepare(preparation) => {
                let assignment = preparation.assignment;
                let order = match self.random.below(100) {
                    0 => Err(NotStartable::Refused { reason: "no room for files".to_owned() }),
                    1 => Err(NotStartable::Failed { code: 127, reason: "no such program".to_owned() }),
                    _ => Ok(Box::new(order(assignment))),
                };
                Done::Prepared { assignment, order }
            }
            Job::Move(Move::Start(start)) => {
                let assignment = start.assignment;
                Done::Started { assignment, started: self.on_store(|store| store.start(start)) }
            }
            Job::Move(Move::Unclaim(unclaim)) => {
                let (assignment, reason) = (unclaim.assignment, unclaim.reason.clone());
                Done::Released { assignment, released: self.on_store(|store| store.unclaim(unclaim)), reason }
            }
            Job::Move(Move::Record(record)) | Job::Last(record) => {
                let assignment = record.assignment;
                Done::Recorded { assignment, finished: self.finish(*record).map(Box::new) }
            }
            Job::Due { now, fire } => {
                let failed = (self.trouble && self.random.percent(60)).then(full);
                Done::LookedAtClock(match failed {
                    Some(error) => Looked { woken: 0, due: Err(error), stops: Vec::new(), unsettled: false },
                    None => ready(schedule::look(self.store, now, || fire)),
                })
            }
            Job::Settle { now } => Done::Settled { more: self.on_store(|store| store.settle(now)) },
            Job::Renew(renew) => Done::Renewed { expired: self.on_store(|store| store.renew(renew)) },
            Job::Sweep(record) => Done::Swept { swept: self.finish(*record).map(|finished| finished.unsettled) },
            Job::Expire(expire) => Done::Expired { expired: self.on_store(|store| store.expire(expire)) },
            Job::Look { assignment, identity } => Done::Looked { assignment, alive: (WORLD.is_alive)(identity) },
        }
    }

    pub(super) fn settle_past(&mut self, past: Past) -> Result<(), Error> {
        match past {
            Past::NeverStarted(unclaim) => self.on_store(|store| store.unclaim(unclaim))?,
            Past::Ended(record) => drop(self.finish(*record)?),
        }
        Ok(())
    }

    fn finish(&mut self, record: Record) -> Result<Finished, Error> {
        let finish = record.into_finish(Vec::new(), self.random.jitter());
        Ok(self.on_store(|store| store.finish(finish))?)
    }

    fn assignment(&mut self) -> AssignmentId {
        *self.claims += 1;
        AssignmentId(Uuid::from_u128(*self.claims))
    }
}

fn order(assignment: AssignmentId) -> Spawn {
    Spawn {
        assignment,
        program: "/bin/true".into(),
        argv: Vec::new(),
        env: Vec::new(),
        cwd: "/".into(),
        umask: 0,
        limits: Vec::new(),
        stdin: None,
        stdout: "/dev/null".into(),
        stderr: None,
        keep: None,
    }
}

/// Makes what the guardian says of itself.
pub(super) fn greeting(guardian: &super::machine::Guardian, boot: crate::domain::identity::BootId) -> Guardian {
    Guardian {
        id: guardian.id,
        pid: 1,
        started_at: now().wall,
        restarts: guardian.starts,
        stop_requests: guardian.stop_requests(),
        grace_until: None,
        doubtful: Vec::new(),
        children: guardian.children(),
        boot,
        keeps: true,
    }
}
