//! The machine that is played: its clocks, its processes and the guardian.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use nix::libc;
use uuid::Uuid;

use super::random::Random;
use crate::domain::adoption::{Child, LastWords};
use crate::domain::attempt::UNREACHABLE_AFTER;
use crate::domain::id::AssignmentId;
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::{Exit, ExitStatus};
use crate::domain::time::{Moment, Timestamp};
use crate::engine::World;
use crate::engine::core::Now;
use crate::link::{Fact, Order, SpawnStep};

thread_local! {
    static NOW: Cell<Now> = const { Cell::new(BEGINNING) };
    static ALIVE: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

const BEGINNING: Now = Now { wall: Timestamp(1_700_000_000_000), moment: Moment(60_000) };

/// What the engine may ask of the machine.
pub(super) const WORLD: World = World {
    now: || NOW.get().wall,
    moment: || NOW.get().moment,
    is_alive: |identity| ALIVE.with_borrow(|alive| alive.contains(&identity.pid)),
    started: |identity: ProcessIdentity| Some(Moment(identity.start_ticks)),
};

pub(super) fn now() -> Now {
    NOW.get()
}

/// One process of a session.
#[derive(Debug, Clone)]
struct Member {
    alive: bool,
    /// SIGSTOP has stopped it.
    stopped: bool,
    /// A signal that it gets when it goes on.
    pending: Option<i32>,
    /// It ends so, in a moment.
    dying: Option<ExitStatus>,
    /// It takes no notice of signals that may be caught.
    stubborn: bool,
}

/// The session of one attempt.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) started: Moment,
    /// The first one is the one that the guardian started.
    members: Vec<Member>,
    pub(super) exit: Option<ExitStatus>,
    pub(super) ended: Option<Moment>,
    /// When the first signal was sent that asked it to end.
    pub(super) told: Option<Moment>,
    /// The same by the last apexd that did so, and which one that was.
    pub(super) told_last: Option<Moment>,
    told_by: u32,
    /// When the first SIGKILL was ordered.
    killed: Option<Moment>,
    /// How long it stood still, and since when it does.
    pub(super) still: Duration,
    still_since: Option<Moment>,
    /// How long signals that stop it or let it go on were under way.
    pub(super) lag: Duration,
    pub(super) guardian: GuardianId,
}

impl Process {
    pub(super) fn is_alive(&self) -> bool {
        self.members[0].alive
    }

    /// Returns whether it should have been gone for long: everything was done that can be done.
    pub(super) fn is_beyond_reach(&self, now: Moment) -> bool {
        self.killed.is_some_and(|killed| now >= killed + UNREACHABLE_AFTER)
    }

    /// Returns whether anything of its session is alive.
    pub(super) fn has_session(&self) -> bool {
        self.members.iter().any(|member| member.alive)
    }

    /// Returns whether all that is alive stands still, or nothing does.
    pub(super) fn stands_still(&self) -> Option<bool> {
        let mut alive = self.members.iter().filter(|member| member.alive);
        let first = alive.next()?.stopped;
        alive.all(|member| member.stopped == first).then_some(first)
    }

    fn signal(&mut self, signal: i32, sent: Moment) -> i32 {
        if !self.has_session() {
            return libc::ESRCH;
        }
        let now = now().moment;
        match signal {
            0 => return 0,
            libc::SIGSTOP if self.still_since.is_none() => self.still_since = Some(now),
            libc::SIGKILL => {
                self.killed.get_or_insert(sent);
            }
            libc::SIGCONT => self.still += self.still_since.take().map_or(Duration::ZERO, |since| since.until(now)),
            _ => {}
        }
        if matches!(signal, libc::SIGSTOP | libc::SIGCONT) {
            self.lag += sent.until(now);
        }
        for member in self.members.iter_mut().filter(|member| member.alive) {
            match signal {
                libc::SIGKILL => member.dying = Some(ExitStatus::Signal(signal)),
                libc::SIGSTOP => member.stopped = true,
                libc::SIGCONT => {
                    member.stopped = false;
                    if member.pending.is_some() {
                        member.dying = member.dying.or(member.pending.take().map(ExitStatus::Signal));
                    }
                }
                _ if member.stubborn => {}
                _ if member.stopped => member.pending = Some(signal),
                _ => member.dying = member.dying.or(Some(ExitStatus::Signal(signal))),
            }
        }
        0
    }
}

/// The guardian's own memory of a process.
#[derive(Debug, Clone)]
struct Held {
    child: Child,
    stopped: bool,
}

/// The guardian.
#[derive(Debug)]
pub(super) struct Guardian {
    pub(super) id: GuardianId,
    held: BTreeMap<AssignmentId, Held>,
    /// Sent and not yet carried out, with the moment it was sent at.
    pub(super) orders: VecDeque<(Moment, Order)>,
    /// Told and not yet heard.
    pub(super) facts: VecDeque<Fact>,
    pub(super) stops: u32,
    pub(super) draining: bool,
    pub(super) starts: u32,
    /// An apexd may have stored claims in its name.
    pub(super) may_own_claims: bool,
}

impl Guardian {
    pub(super) fn children(&self) -> Vec<Child> {
        self.held.values().map(|held| held.child).collect()
    }

    pub(super) fn stop_requests(&self) -> u32 {
        self.stops.max(u32::from(self.draining))
    }
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) processes: BTreeMap<AssignmentId, Process>,
    pub(super) guardian: Option<Guardian>,
    pub(super) words: Vec<LastWords>,
    pub(super) boot: BootId,
    /// No process can be made.
    pub(super) scarce: bool,
    numbers: u32,
}

impl Machine {
    pub(super) fn new() -> Self {
        NOW.set(BEGINNING);
        ALIVE.with_borrow_mut(BTreeSet::clear);
        let boot = BootId(Uuid::from_u128(1));
        let (processes, words) = (BTreeMap::new(), Vec::new());
        Self { processes, guardian: None, words, boot, scarce: false, numbers: 0 }
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn pass(&self, time: Duration) {
        let Now { wall, moment } = now();
        NOW.set(Now { wall: wall + time, moment: moment + time });
    }

    /// Sets the wall clock; a machine that sleeps looks the same.
    pub(super) fn set_wall(&self, by_ms: i64) {
        let Now { wall, moment } = now();
        NOW.set(Now { wall: Timestamp(wall.0 + by_ms), moment });
    }

    pub(super) fn start_guardian(&mut self) {
        let id = GuardianId(Uuid::from_u128(u128::from(self.number()) << 32));
        self.guardian = Some(Guardian {
            id,
            held: BTreeMap::new(),
            orders: VecDeque::new(),
            facts: VecDeque::new(),
            stops: 0,
            draining: false,
            starts: 0,
            may_own_claims: false,
        });
    }

    /// Everything dies, and another run of the machine begins.
    pub(super) fn reboot(&mut self) {
        self.guardian = None;
        for process in self.processes.values_mut() {
            for member in &mut process.members {
                member.alive = false;
            }
        }
        ALIVE.with_borrow_mut(BTreeSet::clear);
        self.boot = BootId(Uuid::from_u128(u128::from(self.number()) << 64));
        NOW.set(Now { moment: Moment(5_000), ..now() });
    }

    /// Carries out one order that has arrived.
    pub(super) fn carry_out(&mut self, sent: Moment, order: Order, random: &mut Random) {
        match order {
            Order::Spawn(spawn) => self.spawn(spawn.assignment, random),
            Order::Signal { assignment, signal, .. } => {
                let Some(guardian) = &mut self.guardian else { return };
                let process = self.processes.get_mut(&assignment).filter(|_| guardian.held.contains_key(&assignment));
                let errno = process.map_or(libc::ESRCH, |process| {
                    if !matches!(signal, 0 | libc::SIGCONT | libc::SIGSTOP | libc::SIGUSR1) {
                        process.told.get_or_insert(sent);
                        if process.told_by != guardian.starts {
                            (process.told_by, process.told_last) = (guardian.starts, Some(sent));
                        }
                    }
                    process.signal(signal, sent)
                });
                guardian.facts.push_back(Fact::Signalled { assignment, signal, errno });
            }
            statement => self.note(&statement),
        }
    }

    /// Takes in an order that says what is.
    pub(super) fn note(&mut self, order: &Order) {
        let Some(guardian) = &mut self.guardian else { return };
        match order {
            Order::Forget { assignment } => drop(guardian.held.remove(assignment)),
            Order::Draining => guardian.draining = true,
            Order::Spawn(_) => guardian.may_own_claims = true,
            _ => {}
        }
    }

    fn spawn(&mut self, assignment: AssignmentId, random: &mut Random) {
        let pid = self.number();
        let Some(guardian) = &mut self.guardian else { return };
        guardian.may_own_claims = true;
        if let Some(held) = guardian.held.get(&assignment) {
            guardian.facts.push_back(Fact::Spawned(held.child));
            return;
        }
        if self.scarce || random.percent(2) {
            let (step, errno) = (SpawnStep::Fork, libc::EAGAIN);
            guardian.facts.push_back(Fact::NotSpawned { assignment, step, errno });
            return;
        }
        if random.percent(3) {
            let (step, errno) = (SpawnStep::Exec, libc::ENOENT);
            guardian.facts.push_back(Fact::NotSpawned { assignment, step, errno });
            return;
        }
        let Now { wall, moment } = now();
        let child = Child { assignment, pid, start_ticks: moment.0, started_at: wall, exit: None };
        guardian.held.insert(assignment, Held { child, stopped: false });
        guardian.facts.push_back(Fact::Spawned(child));
        let others = if random.percent(25) { 1 + random.index(2) } else { 0 };
        let members = (0..=others).map(|_| Member {
            alive: true,
            stopped: false,
            pending: None,
            dying: None,
            stubborn: random.percent(25),
        });
        let process = Process {
            pid,
            started: moment,
            members: members.collect(),
            exit: None,
            ended: None,
            told: None,
            told_last: None,
            told_by: 0,
            killed: None,
            still: Duration::ZERO,
            still_since: None,
            lag: Duration::ZERO,
            guardian: guardian.id,
        };
        self.processes.insert(assignment, process);
        ALIVE.with_borrow_mut(|alive| alive.insert(pid));
    }

    /// Lets a session's first process end by itself, in a moment, unless it stands still.
    pub(super) fn end_by_itself(&mut self, assignment: AssignmentId, status: ExitStatus) {
        let Some(process) = self.processes.get_mut(&assignment) else { return };
        let member = &mut process.members[0];
        if member.alive && !member.stopped {
            member.dying = member.dying.or(Some(status));
        }
    }

    /// A person lets those go on that nobody else can reach, because their guardian is gone.
    pub(super) fn rouse_orphans(&mut self) {
        let guardian = self.guardian.as_ref().map(|guardian| guardian.id);
        for process in self.processes.values_mut().filter(|process| Some(process.guardian) != guardian) {
            process.signal(libc::SIGCONT, now().moment);
        }
    }

    /// Lets what a session left behind end by itself.
    pub(super) fn end_others(&mut self, assignment: AssignmentId) {
        let Some(process) = self.processes.get_mut(&assignment) else { return };
        for member in process.members[1..].iter_mut().filter(|member| !member.stopped) {
            member.dying = Some(ExitStatus::Code(0));
        }
    }

    /// Returns the sessions in which somebody is about to end.
    pub(super) fn dying(&self) -> Vec<AssignmentId> {
        let is_dying = |process: &Process| process.members.iter().any(|one| one.alive && one.dying.is_some());
        self.processes.iter().filter(|(_, process)| is_dying(process)).map(|(assignment, _)| *assignment).collect()
    }

    /// Returns the sessions in which somebody is alive.
    pub(super) fn alive(&self) -> Vec<AssignmentId> {
        self.processes.iter().filter(|(_, process)| process.has_session()).map(|(id, _)| *id).collect()
    }

    /// Lets those end who are about to. The guardian sees it, if it is the parent.
    pub(super) fn die(&mut self, assignment: AssignmentId) {
        let Some(process) = self.processes.get_mut(&assignment) else { return };
        let Now { wall, moment } = now();
        let was_alive = process.is_alive();
        for (place, member) in process.members.iter_mut().enumerate() {
            if let Some(status) = member.dying.take().filter(|_| member.alive) {
                member.alive = false;
                if place == 0 {
                    process.exit = Some(status);
                    process.ended = Some(moment);
                }
            }
        }
        if !was_alive || process.is_alive() {
            return;
        }
        ALIVE.with_borrow_mut(|alive| alive.remove(&process.pid));
        let Some(status) = process.exit else { return };
        let leftovers = process.has_session();
        let Some(guardian) = &mut self.guardian else { return };
        let Some(held) = guardian.held.get_mut(&assignment) else { return };
        let stopped = held.stopped || process.told.is_some();
        let exit = Exit { status, usage: None, at: wall, leftovers, stopped };
        held.child.exit = Some(exit);
        guardian.facts.push_back(Fact::Exited { assignment, exit });
    }

    /// The guardian ends: all its tasks are killed, and what nobody has been told is written down.
    pub(super) fn end_guardian(&mut self, has_drained: bool) {
        let Some(guardian) = &mut self.guardian else { return };
        let held: Vec<AssignmentId> = guardian.held.keys().copied().collect();
        guardian.held.values_mut().for_each(|held| held.stopped = true);
        for assignment in held {
            if let Some(process) = self.processes.get_mut(&assignment) {
                process.told.get_or_insert(now().moment);
                process.signal(libc::SIGKILL, now().moment);
            }
            self.die(assignment);
        }
        let Some(guardian) = self.guardian.take() else { return };
        let children = guardian.children();
        if (children.is_empty() && has_drained) || !guardian.may_own_claims {
            return;
        }
        self.words.push(LastWords { guardian: guardian.id, children });
    }
}
