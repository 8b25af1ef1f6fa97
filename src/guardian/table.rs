//! The processes that the guardian holds: running ones, and ended ones that nobody has told it to forget.
//!
//! What apexd does not know yet is a mark on the entry, not a message in a queue: however long apexd does not read,
//! the table does not grow by it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use nix::libc;
use nix::sys::resource::{Resource, getrlimit};

use crate::domain::adoption::Child;
use crate::domain::id::AssignmentId;
use crate::domain::outcome::Exit;
use crate::domain::time::Moment;
use crate::fault::{self, crash_point};
use crate::guardian::cgroup::Cgroups;
use crate::guardian::foreign::{self, Foreign};
use crate::guardian::keep;
use crate::guardian::kin::{Kin, Origin, Process};
use crate::guardian::poll::{Poll, Source};
use crate::guardian::processes::{self, Meant, Seen, Sessions};
use crate::guardian::spawn::{Failed, Spawner};
use crate::guardian::starting::{Progress, Starting};
use crate::link::handover::Heir;
use crate::link::machine::{Stat, boottime_now, present_tick, ticks_now, wall_now};
use crate::link::{Fact, Scope, Spawn, SpawnStep};

/// So many descriptors stay free whatever is started: three to go through `/proc` and signal what is found there, one
/// for the log, one for the next apexd beyond those of the last, and some to spare.
const FREE_FDS_MIN: usize = 8;

/// The guardian has fewer descriptors than this that do not belong to a task; of those there are two at most for each: one
/// for the process, one for the news of its start. Only beyond that it is tried whether some are free.
const OWN_FDS_MAX: usize = 64;

/// So many ended processes are held for an apexd that does not say that their ends are stored: each takes up a pid, of
/// which others need some too. Nothing more is started then.
const ENDED_MAX: usize = if cfg!(test) { 32 } else { 4096 };

#[derive(Debug)]
struct Held {
    child: Child,
    /// So many were started before it.
    number: u64,
    /// Closed when the exit has been seen: every open one makes each further fork dearer, a zombie does not.
    pidfd: Option<OwnedFd>,
    /// The guardian itself has asked it to end, see [`Table::stop_all`].
    stopped: bool,
    /// It is being ended with all that belongs to it, what left its session included.
    everything: bool,
    /// Its program does not run yet, as far as is known.
    starting: Option<Starting>,
    start_untold: bool,
    exit_untold: bool,
    /// It stands in [`Table::news`], where each stands at most once.
    in_news: bool,
    /// Another guardian started it.
    foreign: Option<Foreign>,
}

impl Held {
    fn is_gone(&self) -> bool {
        self.foreign.as_ref().is_some_and(|foreign| foreign.gone)
    }
}

/// All held processes.
#[derive(Debug, Default)]
pub(super) struct Table {
    held: HashMap<AssignmentId, Held>,
    by_pid: HashMap<u32, AssignmentId>,
    /// Those with something untold; some may be forgotten or told meanwhile.
    news: VecDeque<AssignmentId>,
    /// Those that a new apexd has not been told of yet.
    roll_call: Vec<AssignmentId>,
    /// Those that an earlier guardian may have started.
    doubtful: Vec<AssignmentId>,
    /// Of these the ones that a new apexd has not been told of yet.
    doubtful_untold: Vec<AssignmentId>,
    /// Those whose end the kernel would not promise to tell, for want of memory: looked at with every SIGCHLD.
    unwatched: Vec<u32>,
    /// Those whose start is under way, or was when this was last looked at.
    starting: Vec<AssignmentId>,
    /// How many have not ended.
    running: usize,
    /// How many were ever started.
    spawned: u64,
    /// The control groups of the tasks, where there are any.
    cgroups: Cgroups,
    /// What started up to then may come from a process that is forgotten, in clock ticks since boot.
    murky_until: u64,
    /// The keepers that live, or were not reaped yet.
    keepers: HashSet<u32>,
}

/// What a signal is for: sessions, and all that belongs to some tasks.
struct Belonging<'a, S, E> {
    kin: Kin<'a>,
    cgroups: &'a Cgroups,
    /// The tasks in whose control groups everything is meant.
    grouped: Vec<AssignmentId>,
    is_session_meant: S,
    is_everything_meant: E,
}

impl<S: Fn(u32) -> bool, E: Fn(AssignmentId) -> bool> Meant for Belonging<'_, S, E> {
    const BY_MARKS: bool = true;

    fn among<'p>(&self, processes: &'p [Process]) -> Vec<&'p Process> {
        let mut meant = self.kin.members(processes, &self.is_everything_meant);
        let known: HashSet<u32> = meant.iter().map(|process| process.pid).collect();
        let in_groups: HashSet<u32> = self.grouped.iter().flat_map(|task| self.cgroups.members(*task)).collect();
        let others = processes
            .iter()
            .filter(|process| (self.is_session_meant)(process.stat.session) || in_groups.contains(&process.pid));
        meant.extend(others.filter(|process| !known.contains(&process.pid)));
        meant
    }
}

impl Table {
    /// Starts a process, unless the assignment is known already; in both cases its start is told (again).
    pub(super) fn spawn(&mut self, poll: &Poll, spawner: &mut Spawner, spawn: &Spawn) -> Result<(), Failed> {
        let assignment = spawn.assignment;
        if let Some(held) = self.held.get_mut(&assignment) {
            // What is just being started is told as soon as there is something to tell.
            if held.starting.as_ref().is_none_or(|starting| starting.tell_at.is_none()) {
                held.start_untold = true;
                held.exit_untold = held.child.exit.is_some();
                self.note_news(assignment);
            }
            return Ok(());
        }
        if self.held.len() - self.running >= ENDED_MAX {
            return Err(Failed { step: SpawnStep::Fork, errno: libc::EAGAIN });
        }
        let reserve = self.reserve(poll)?;
        // First, so that it is there when the task is.
        let keeper = spawn.keep.as_ref().map(|keep| keep::start(spawner, keep, &spawn.stdout)).transpose()?;
        self.keepers.extend(keeper.as_ref().map(|keeper| keeper.pid));
        let limits = &spawn.confinement;
        let group = if limits.needs_group() {
            Some(self.cgroups.make_limited(assignment, limits)?)
        } else {
            self.cgroups.make(assignment)
        };
        let tick = present_tick();
        let given = keeper.as_ref().map(keep::Company::given);
        let started = spawner.start_task(spawn, group, given);
        let (started, news) = started.inspect_err(|_| self.cgroups.remove(assignment))?;
        drop(keeper);
        crash_point("guardian.spawn.done");
        drop(reserve);
        let started_at = wall_now();
        let start_ticks = if present_tick() == tick {
            tick
        } else {
            // A start time of 0 is no process's: one that could not be read is never mistaken for another process.
            Stat::of(started.pid).map_or(0, |stat| stat.start_ticks)
        };
        if poll.add(&started.pidfd, Source::Task(started.pid)).is_err() {
            self.unwatched.push(started.pid);
        }
        // If nobody tells how the start goes it counts as done.
        let starting = news.map(|news| Starting::new(news, boottime_now()));
        let starting = starting.filter(|starting| poll.add(starting, Source::Start(started.pid)).is_ok());
        let is_starting = starting.is_some();
        let child = Child { assignment, pid: started.pid, start_ticks, started_at, exit: None };
        let held = Held {
            child,
            number: self.spawned,
            pidfd: Some(started.pidfd),
            stopped: false,
            everything: false,
            starting,
            start_untold: !is_starting,
            exit_untold: false,
            in_news: false,
            foreign: None,
        };
        self.held.insert(assignment, held);
        self.by_pid.insert(started.pid, assignment);
        self.running += 1;
        self.spawned += 1;
        crash_point("guardian.spawn.held");
        if is_starting {
            self.starting.push(assignment);
        } else {
            self.note_news(assignment);
        }
        Ok(())
    }

    /// It is over: see [`Cgroups::hand_back`].
    pub(super) fn hand_back(&self) {
        self.cgroups.hand_back();
    }

    /// Takes up the descriptors that must be free, to be dropped as soon as the process runs: without any its start time
    /// could not be read, nor its session be found when it is to be ended.
    ///
    /// Errors: [`SpawnStep::Fork`] if there are fewer.
    fn reserve(&self, poll: &Poll) -> Result<Vec<OwnedFd>, Failed> {
        // The limit is asked for each time: prlimit(1) may change it from outside.
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
        let most_in_use = 2 * self.running + OWN_FDS_MAX;
        if u64::try_from(most_in_use).is_ok_and(|most| most < soft) {
            return Ok(Vec::new());
        }
        let reserve: io::Result<_> = (0..FREE_FDS_MIN).map(|_| poll.as_fd().try_clone_to_owned()).collect();
        reserve.map_err(|error| Failed { step: SpawnStep::Fork, errno: error.raw_os_error().unwrap_or(libc::EMFILE) })
    }

    /// Takes over a process from the guardian before; `pidfd` is its descriptor if it came with one. One that runs is
    /// to be looked at afterwards: it may have ended in between.
    pub(super) fn inherit(&mut self, poll: &Poll, heir: &Heir, pidfd: Option<OwnedFd>) {
        let Heir { child, stopped, everything, foreign, pidfd: _ } = *heir;
        let assignment = child.assignment;
        let mut held = Held {
            child,
            number: self.spawned,
            pidfd: None,
            stopped,
            everything,
            starting: None,
            start_untold: false,
            exit_untold: false,
            in_news: false,
            foreign: foreign.then(Foreign::default),
        };
        if child.exit.is_none() {
            // The pid of our own child means that child until we reap it.
            let open = || if foreign { foreign::open(&child) } else { processes::open(child.pid).ok() };
            held.pidfd = pidfd.or_else(open);
            match (&held.pidfd, &mut held.foreign) {
                (Some(pidfd), _) => {
                    if poll.add(pidfd, Source::Task(child.pid)).is_err() {
                        self.unwatched.push(child.pid);
                    }
                    self.by_pid.insert(child.pid, assignment);
                    self.running += 1;
                }
                (None, Some(foreign)) => {
                    foreign.gone = true;
                    held.exit_untold = true;
                }
                // Not for want of a process: it is our child. Looked at through its pid whenever a child has ended.
                (None, None) => {
                    self.by_pid.insert(child.pid, assignment);
                    self.unwatched.push(child.pid);
                    self.running += 1;
                }
            }
        } else if !foreign {
            self.by_pid.insert(child.pid, assignment);
        }
        let is_news = held.exit_untold;
        self.held.insert(assignment, held);
        self.spawned += 1;
        if is_news {
            self.note_news(assignment);
        }
    }

    /// Takes over the keepers of the guardian before, whose children are this one's.
    pub(super) fn inherit_keepers(&mut self, keepers: impl IntoIterator<Item = u32>) {
        self.keepers.extend(keepers);
    }

    /// Returns the keepers that live, or were not reaped yet.
    pub(super) fn keepers(&self) -> &HashSet<u32> {
        &self.keepers
    }

    /// A keeper was reaped.
    pub(super) fn keeper_ended(&mut self, pid: u32) {
        self.keepers.remove(&pid);
    }

    /// Takes over what may have been started, and up to when what is nobody's was.
    pub(super) fn inherit_doubts(&mut self, doubtful: Vec<AssignmentId>, murky_until: u64) {
        (self.doubtful, self.murky_until) = (doubtful, murky_until);
    }

    /// Returns up to when what was started may come from a process that is forgotten.
    pub(super) fn murky_until(&self) -> u64 {
        self.murky_until
    }

    /// Looks after a process that an earlier guardian started, unless it is known already. It is to be looked at
    /// afterwards.
    pub(super) fn adopt(&mut self, poll: &Poll, child: Child) {
        if self.held.contains_key(&child.assignment) {
            return;
        }
        let child = Child { exit: None, ..child };
        self.inherit(poll, &Heir { child, stopped: false, everything: false, foreign: true, pidfd: None }, None);
    }

    /// Returns what goes over to the next guardian. Descriptors stay this one's.
    pub(super) fn heirs(&self) -> (Vec<Heir>, Vec<AssignmentId>) {
        let heir = |held: &Held| {
            let foreign = held.foreign.is_some();
            let pidfd = held.pidfd.as_ref().filter(|_| foreign).map(|pidfd| pidfd.as_raw_fd());
            Heir { child: held.child, stopped: held.stopped, everything: held.everything, foreign, pidfd }
        };
        let mut held: Vec<&Held> = self.held.values().collect();
        held.sort_by_key(|held| held.number);
        (held.into_iter().map(heir).collect(), self.doubtful.clone())
    }

    /// Looks how the start of the process `pid` goes. Returns why it failed, if it has before it was told; nothing is
    /// held of it then.
    pub(super) fn look_at_start(&mut self, poll: &Poll, pid: u32) -> Option<(AssignmentId, Failed)> {
        let assignment = *self.by_pid.get(&pid)?;
        let held = self.held.get_mut(&assignment)?;
        let progress = held.starting.as_ref()?.look();
        if progress == Progress::UnderWay {
            return None;
        }
        let starting = held.starting.take()?;
        poll.remove(&starting);
        self.starting.retain(|starting| *starting != assignment);
        match progress {
            // It ends by itself, with a code that says it.
            _ if starting.tell_at.is_none() => None,
            Progress::Failed(failed) => {
                let held = self.held.remove(&assignment)?;
                if let Some(pidfd) = &held.pidfd {
                    poll.remove(pidfd);
                }
                self.by_pid.remove(&pid);
                self.unwatched.retain(|unwatched| *unwatched != pid);
                self.running -= 1;
                // One that is throttled may take its time to end, and nobody waits for that: then it is reaped like an orphan.
                if !processes::reap(pid) {
                    held.pidfd.as_ref().map(|pidfd| processes::send(pidfd, libc::SIGKILL));
                }
                self.cgroups.remove(assignment);
                Some((assignment, failed))
            }
            Progress::Over | Progress::UnderWay => {
                held.start_untold = true;
                self.note_news(assignment);
                None
            }
        }
    }

    /// Tells those starts that take long as done.
    pub(super) fn tell_slow_starts(&mut self, now: Moment) {
        for assignment in self.starting.clone() {
            let starting = self.held.get_mut(&assignment).and_then(|held| held.starting.as_mut());
            if starting.is_some_and(|starting| starting.tell_at.take_if(|at| *at <= now).is_some()) {
                if let Some(held) = self.held.get_mut(&assignment) {
                    held.start_untold = true;
                }
                self.note_news(assignment);
            }
        }
    }

    /// Returns when [`Self::tell_slow_starts`] has something to do.
    pub(super) fn next_slow_start(&self) -> Option<Moment> {
        let starting = self.starting.iter().filter_map(|assignment| self.held.get(assignment)?.starting.as_ref());
        starting.filter_map(|starting| starting.tell_at).min()
    }

    /// Looks at the process `pid` and notes how it ended, if it has. Returns whether it has ended just now; then
    /// [`Self::settle`] must follow.
    pub(super) fn look(&mut self, poll: &Poll, pid: u32) -> bool {
        let Some(held) = self.by_pid.get(&pid).and_then(|assignment| self.held.get_mut(assignment)) else {
            return false;
        };
        if held.child.exit.is_some() {
            return false;
        }
        if held.pidfd.is_none() && held.foreign.is_none() {
            held.pidfd = processes::open(pid).ok();
        }
        let Some(pidfd) = &held.pidfd else { return false };
        let (status, usage) = if let Some(foreign) = &mut held.foreign {
            match foreign::look(pidfd, &held.child) {
                foreign::Seen::Running => return false,
                foreign::Seen::Ended(status) => (Some(status), None),
                foreign::Seen::Gone => {
                    foreign.gone = true;
                    (None, None)
                }
            }
        } else {
            let Ok(ended) = processes::peek(pidfd) else {
                // Not a child any more, which cannot be; but a descriptor that stays ready would keep the loop spinning.
                poll.remove(pidfd);
                return false;
            };
            let Some((status, usage)) = ended else { return false };
            (Some(status), Some(usage))
        };
        crash_point("guardian.exit.seen");
        poll.remove(pidfd);
        self.unwatched.retain(|unwatched| *unwatched != pid);
        held.pidfd = None;
        let stopped = held.stopped || held.everything;
        held.child.exit = status.map(|status| Exit { status, usage, at: wall_now(), leftovers: false, stopped });
        self.running -= 1;
        true
    }

    /// Notes which of the processes that have just ended leave others in their session behind, and lets the ends be
    /// told.
    pub(super) fn settle(&mut self, ended: &[u32], live_sessions: &HashSet<u32>) {
        for pid in ended {
            let Some(assignment) = self.by_pid.get(pid).copied() else { continue };
            let Some(held) = self.held.get_mut(&assignment) else { continue };
            let leftovers = match &mut held.foreign {
                Some(foreign) => {
                    // From now on its pid may become that of a child of ours.
                    self.by_pid.remove(pid);
                    foreign.leader_ended(&held.child)
                }
                None => live_sessions.contains(pid),
            };
            if let Some(exit) = &mut held.child.exit {
                exit.leftovers = leftovers;
            } else if !held.is_gone() {
                continue;
            }
            held.exit_untold = true;
            crash_point("guardian.exit.noted");
            self.note_news(assignment);
        }
    }

    /// Sends a signal and returns 0 or why it could not be sent, as errno(3). `recent` is for [`processes::signal`].
    pub(super) fn signal(
        &mut self,
        assignment: AssignmentId,
        signal: i32,
        scope: Scope,
        apexd: Option<u32>,
        recent: &mut Option<Seen>,
    ) -> i32 {
        let Some(held) = self.held.get_mut(&assignment) else { return libc::ESRCH };
        let leader = held.child.pid;
        // Running or zombie, the entry of a child of ours pins the pid, so nobody else's session can have this id.
        let is_pinned = match (&mut held.foreign, &held.pidfd) {
            (Some(foreign), None) => foreign.keeps_session(&held.child),
            _ => true,
        };
        match scope {
            Scope::Leader => held.pidfd.as_ref().map_or(libc::ESRCH, |pidfd| processes::send(pidfd, signal)),
            Scope::Everything if !fault::is_sabotaged(6) => {
                held.everything |= !matches!(signal, 0 | libc::SIGCONT | libc::SIGSTOP);
                // What another guardian's child leaves behind does not come here.
                let comes_here = held.child.exit.is_some() && held.foreign.is_none();
                if comes_here && !self.has_strangers(apexd) && !self.cgroups.is_populated(assignment) {
                    return libc::ESRCH;
                }
                let all_at_once = signal == libc::SIGKILL && self.cgroups.kill(assignment);
                let origins = self.origins();
                let is_everything_meant = |other| other == assignment;
                let meant = Belonging {
                    kin: self.kin(&origins, apexd),
                    cgroups: &self.cgroups,
                    grouped: vec![assignment],
                    is_session_meant: |session| is_pinned && session == leader,
                    is_everything_meant,
                };
                let errno = processes::signal(&meant, signal, recent);
                if all_at_once { 0 } else { errno }
            }
            Scope::Session | Scope::Everything => {
                processes::signal(&Sessions(|session| is_pinned && session == leader), signal, recent)
            }
        }
    }

    /// Returns whether this process has children that nobody here has started: what is left of a task whose first
    /// process has ended comes here, or has a parent that did.
    fn has_strangers(&self, apexd: Option<u32>) -> bool {
        let is_own = |pid: &u32| self.holds(*pid) || Some(*pid) == apexd || self.keepers.contains(pid);
        processes::children().iter().any(|pid| !is_own(pid))
    }

    /// Sends a signal that ends to all held processes and what belongs to them; of those that had ended by themselves
    /// only to the session. From now on their ends are the guardian's doing.
    pub(super) fn stop_all(&mut self, signal: i32, apexd: Option<u32>) {
        for held in self.held.values_mut() {
            held.stopped = true;
            held.everything |= held.child.exit.is_none();
        }
        if signal == libc::SIGKILL {
            for assignment in self.ending() {
                self.cgroups.kill(assignment);
            }
        }
        let origins = self.origins();
        let meant = self.all_that_ends(&origins, apexd);
        let mut recent = None;
        processes::signal(&meant, signal, &mut recent);
        if signal != libc::SIGKILL {
            // A stopped process would never see it.
            processes::signal(&meant, libc::SIGCONT, &mut recent);
        }
    }

    /// Returns whether anything is left of what [`Self::stop_all`] ends.
    pub(super) fn has_leftovers(&self, apexd: Option<u32>) -> bool {
        let origins = self.origins();
        !self.is_empty() && processes::is_any(&self.all_that_ends(&origins, apexd))
    }

    fn all_that_ends<'a>(&'a self, origins: &'a [Origin], apexd: Option<u32>) -> impl Meant + 'a {
        let is_left = |held: &&Held| held.foreign.as_ref().is_some_and(|foreign| foreign.has_left(&held.child));
        let left: HashSet<u32> = self.held.values().filter(is_left).map(|held| held.child.pid).collect();
        Belonging {
            kin: self.kin(origins, apexd),
            cgroups: &self.cgroups,
            grouped: self.ending().collect(),
            is_session_meant: move |session| self.by_pid.contains_key(&session) || left.contains(&session),
            is_everything_meant: |assignment| {
                self.held.get(&assignment).is_some_and(|held| held.everything) && !fault::is_sabotaged(6)
            },
        }
    }

    /// The tasks that are being ended with all that belongs to them.
    fn ending(&self) -> impl Iterator<Item = AssignmentId> {
        let ending = self.held.values().filter(|held| held.everything && !fault::is_sabotaged(6));
        ending.map(|held| held.child.assignment)
    }

    fn kin<'a>(&'a self, origins: &'a [Origin], apexd: Option<u32>) -> Kin<'a> {
        let (guardian, murky_until) = (std::process::id(), self.murky_until);
        Kin { guardian, apexd, keepers: &self.keepers, leaders: &self.by_pid, origins, murky_until }
    }

    fn origins(&self) -> Vec<Origin> {
        let origin = |held: &Held| Origin { assignment: held.child.assignment, start_ticks: held.child.start_ticks };
        self.held.values().map(origin).collect()
    }

    /// An orphan that started at `start_ticks` has ended. If it was of a task that is forgotten, what it may have made
    /// meanwhile is nobody's.
    pub(super) fn note_end_of_orphan(&mut self, start_ticks: u64) {
        if start_ticks <= self.murky_until {
            self.murky_until = ticks_now();
        }
    }

    /// Reaps an ended process and forgets it. One that has not ended is kept: nothing of it can be committed.
    pub(super) fn forget(&mut self, assignment: AssignmentId) {
        self.doubtful.retain(|doubtful| *doubtful != assignment);
        if self.held.get(&assignment).is_none_or(|held| held.child.exit.is_none() && !held.is_gone()) {
            return;
        }
        self.cgroups.remove(assignment);
        if let Some(held) = self.held.remove(&assignment)
            && held.foreign.is_none()
        {
            crash_point("guardian.forget.ordered");
            processes::reap(held.child.pid);
            crash_point("guardian.reaped");
            self.by_pid.remove(&held.child.pid);
            self.murky_until = ticks_now();
        }
        if self.held.is_empty() {
            self.held.shrink_to(64);
            self.by_pid.shrink_to(64);
            self.news = VecDeque::new();
        }
    }

    /// Begins to tell everything, for an apexd that knows nothing.
    pub(super) fn begin_roll_call(&mut self) {
        self.news.clear();
        for held in self.held.values_mut() {
            (held.start_untold, held.exit_untold, held.in_news) = (false, false, false);
        }
        self.roll_call = self.held.keys().copied().collect();
        self.doubtful_untold.clone_from(&self.doubtful);
    }

    /// Returns the next assignment of the roll call that may have been started.
    pub(super) fn next_doubt(&mut self) -> Option<AssignmentId> {
        self.doubtful_untold.pop()
    }

    /// Returns the next process of the roll call.
    pub(super) fn next_of_roll_call(&mut self) -> Option<Child> {
        while let Some(assignment) = self.roll_call.pop() {
            if let Some(held) = self.held.get_mut(&assignment) {
                // That one is gone without a trace is news: the roll call knows only those that run or have ended.
                (held.start_untold, held.exit_untold) = (false, held.is_gone());
                if let Some(starting) = &mut held.starting {
                    starting.tell_at = None;
                }
                let (child, is_news) = (held.child, held.exit_untold);
                if is_news {
                    self.note_news(assignment);
                }
                crash_point("guardian.roll_call.under_way");
                return Some(child);
            }
        }
        self.roll_call = Vec::new();
        None
    }

    /// Returns the next thing that apexd does not know: of each process the start before the end.
    pub(super) fn next_news(&mut self) -> Option<Fact> {
        while let Some(assignment) = self.news.front() {
            if let Some(held) = self.held.get_mut(assignment) {
                if held.start_untold {
                    held.start_untold = false;
                    return Some(Fact::Spawned(Child { exit: None, ..held.child }));
                }
                held.in_news = false;
                let untold = std::mem::take(&mut held.exit_untold);
                if untold && held.is_gone() {
                    let assignment = *assignment;
                    self.news.pop_front();
                    return Some(Fact::Gone { assignment, at: wall_now() });
                }
                if let Some(exit) = held.child.exit.filter(|_| untold) {
                    let assignment = *assignment;
                    self.news.pop_front();
                    if fault::is_sabotaged(2) {
                        self.forget(assignment);
                    }
                    return Some(Fact::Exited { assignment, exit });
                }
            }
            self.news.pop_front();
        }
        None
    }

    /// Returns how many processes have not ended.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Returns whether no process is held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Returns whether the process `pid` is held.
    pub(super) fn holds(&self, pid: u32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// Returns how many processes were ever started.
    pub(super) fn spawned(&self) -> u64 {
        self.spawned
    }

    /// Returns whether the held process `pid` was started when `count` others had been.
    pub(super) fn is_started_after(&self, pid: u32, count: u64) -> bool {
        let held = self.by_pid.get(&pid).and_then(|assignment| self.held.get(assignment));
        // What another's child leaves behind does not come to us.
        held.is_some_and(|held| held.number >= count && held.foreign.is_none())
    }

    /// Returns the pids of those that must be looked at when a child has ended, because nothing else tells.
    pub(super) fn unwatched(&self) -> Vec<u32> {
        self.unwatched.clone()
    }

    /// Returns everything that is held, in the order in which it was started.
    pub(super) fn children(&self) -> Vec<Child> {
        let mut children: Vec<Child> = self.held.values().map(|held| held.child).collect();
        children.sort_by_key(|child| (child.started_at, child.start_ticks, child.pid));
        children
    }

    fn note_news(&mut self, assignment: AssignmentId) {
        if let Some(held) = self.held.get_mut(&assignment)
            && !held.in_news
        {
            held.in_news = true;
            self.news.push_back(assignment);
        }
    }
}
