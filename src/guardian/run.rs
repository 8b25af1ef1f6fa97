//! The loop: wait, look what happened, act.

use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signalfd::SignalFd;
use nix::sys::stat::{Mode, umask};
use uuid::Uuid;

use crate::domain::backoff::Restarts;
use crate::domain::identity::{BootId, GuardianId};
use crate::domain::time::{Moment, Timestamp};
use crate::guardian::alone::Alone;
use crate::guardian::apexd::Apexd;
use crate::guardian::hold::Hold;
use crate::guardian::log::{Level, Log};
use crate::guardian::poll::{Poll, Source};
use crate::guardian::readiness::Readiness;
use crate::guardian::spawn::Spawner;
use crate::guardian::succession::Check;
use crate::guardian::supervisor::Supervisor;
use crate::guardian::table::Table;
use crate::guardian::{EXIT_GAVE_UP, Error, Options, processes, scope, signals};
use crate::link::cgroup;
use crate::link::machine::{Stat, boot_id, boottime_now, wall_now};

/// How long the guardian leaves between SIGTERM and SIGKILL before apexd has told it.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How long an apexd may take to say hello once the daemon is to stop.
pub(super) const HELLO_WITHIN: Duration = Duration::from_secs(2);

/// Becomes the guardian, and returns its exit code when it ends: 0 if it was asked to stop, 78 if apexd could not be
/// started.
///
/// To be called from a process with one thread, which should end afterwards: working directory, umask, signal mask and
/// limits are changed. Lines for the daemon's log go to standard error too if that is a terminal.
///
/// Errors: why it could not begin; nothing is left behind then. [`Error::AlreadyRunning`] if another daemon has the
/// lock. [`Error::exit_code`] is the code to end with.
pub fn run_foreground(options: Options) -> Result<i32, Error> {
    let echo = io::stderr().is_terminal();
    run(options, Readiness::default(), echo)
}

/// The same; `readiness` is told how the start went, `echo` says whether lines go to standard error too.
pub(super) fn run(options: Options, mut readiness: Readiness, echo: bool) -> Result<i32, Error> {
    readiness.pid(std::process::id());
    let begun = Guardian::begin(options, echo);
    match begun {
        Ok(mut guardian) => {
            guardian.readiness = readiness;
            guardian.guard()
        }
        Err(error) => {
            match &error {
                Error::AlreadyRunning { pid, .. } => readiness.already_running(*pid),
                error => readiness.failed(&with_causes(error)),
            }
            Err(error)
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Everything the guardian knows.
#[derive(Debug)]
pub(super) struct Guardian {
    pub(super) options: Options,
    pub(super) id: GuardianId,
    pub(super) boot: BootId,
    pub(super) started_at: Timestamp,
    pub(super) log: Log,
    pub(super) readiness: Readiness,
    pub(super) supervisor: Supervisor,
    pub(super) hold: Hold,
    pub(super) poll: Poll,
    pub(super) signals: SignalFd,
    pub(super) spawner: Spawner,
    pub(super) table: Table,
    pub(super) apexd: Apexd,
    /// The soft limit of descriptors that tasks get, if it is not our own.
    pub(super) nofile: Option<u64>,
    /// Descriptors that are only kept open, for a way back to an earlier program.
    pub(super) kept: Vec<OwnedFd>,
    /// Another program is being asked whether it can be the guardian.
    pub(super) check: Option<Check>,
    /// Until then a drain leaves running tasks alone.
    pub(super) grace_until: Option<Moment>,
    /// Children that nobody here has started, and how many tasks had been started when each was found.
    orphans: HashMap<u32, u64>,
    /// How apexd's starts went.
    pub(super) restarts: Restarts,
    /// How many times apexd was started.
    pub(super) starts: u32,
    /// What apexd is, once it was replaced.
    pub(super) binary: PathBuf,
    /// What it was before, until the new one has come to be ready.
    pub(super) previous: Option<PathBuf>,
    /// What it is to be next.
    pub(super) replacement: Option<PathBuf>,
    pub(super) kill_grace: Duration,
    /// How often the guardian was asked to stop.
    pub(super) stops: u32,
    /// An apexd said that it drains.
    pub(super) draining: bool,
    /// How many apexds died while the daemon was to stop.
    pub(super) deaths_in_stop: u32,
    /// By then apexd must have said hello, or that it drains if it was there when that was asked, or the guardian does
    /// without.
    pub(super) hello_by: Option<Moment>,
    /// An apexd may have stored claims in this guardian's name.
    pub(super) may_own_claims: bool,
    /// An apexd has ended because all was done.
    pub(super) has_drained: bool,
    /// The guardian stops the tasks itself.
    pub(super) alone: Option<Alone>,
    /// The exit code, when it is over.
    pub(super) end: Option<i32>,
}

/// What a guardian needs and may not get.
#[derive(Debug)]
pub(super) struct Parts {
    poll: Poll,
    spawner: Spawner,
    boot: BootId,
}

impl Parts {
    /// Makes them, and makes this process one that can guard.
    pub(super) fn make(signals: &SignalFd, nofile: Option<u64>) -> Result<Self, Error> {
        let system = |what| move |source: io::Error| Error::System { what, source };
        // Environments of tasks pass through its memory: they are not for a core file, nor for whoever may look into a
        // process. Tasks begin with exec, which takes this back.
        let _ = prctl::set_dumpable(false);
        // Without it orphans of tasks would go to init, where nobody finds them. The name is for ps(1).
        prctl::set_child_subreaper(true).map_err(|errno| system("the reaping of orphans")(errno.into()))?;
        let _ = prctl::set_name(c"apex-guardian");
        // So that no mount is kept busy.
        std::env::set_current_dir("/").map_err(system("the working directory"))?;
        let poll = Poll::new().map_err(system("epoll"))?;
        poll.add(signals, Source::Signals).map_err(system("epoll"))?;
        let spawner = Spawner::new(nofile).map_err(system("memory for starting processes"))?;
        let boot = boot_id().map_err(system("the boot id"))?;
        Ok(Self { poll, spawner, boot })
    }
}

impl Guardian {
    fn begin(options: Options, echo: bool) -> Result<Self, Error> {
        let system = |what| move |source: io::Error| Error::System { what, source };
        umask(Mode::S_IRWXG | Mode::S_IRWXO);
        // Before there is anything to leave behind: a request to stop that comes now is read by the loop.
        let signals = signals::listen().map_err(system("signals"))?;
        // Then the lock: whoever does not get it has changed nothing.
        let hold = Hold::take(&options.places)?;
        let mut guard = Release(Some(hold));
        let nofile = raise_nofile();
        let parts = Parts::make(&signals, nofile)?;
        let hold = guard.0.take().expect("it was put in above");
        let mut guardian = Self::assemble(options, hold, signals, nofile, parts);
        guardian.log = Log::new(guardian.options.places.log.clone(), echo);
        // Before anything is started, which would be left behind.
        let scope = if guardian.options.leave_session { scope::enter() } else { None };
        if let Some(scope) = &scope {
            let text = format!("in a scope of its own, apart from the login session scope={scope}");
            guardian.log.line(Level::Info, &text);
        }
        // Such a scope is made with delegation.
        if (guardian.options.delegated || scope.is_some())
            && let Err(error) = cgroup::mark()
        {
            let text = format!("no memory or processor time can be limited: cannot mark the control group: {error}");
            guardian.log.line(Level::Warn, &text);
        }
        Ok(guardian)
    }

    /// Makes the guardian around what is held.
    pub(super) fn assemble(options: Options, hold: Hold, signals: SignalFd, nofile: Option<u64>, parts: Parts) -> Self {
        let Parts { poll, spawner, boot } = parts;
        let echo = io::stderr().is_terminal();
        Self {
            id: GuardianId(Uuid::new_v4()),
            boot,
            started_at: wall_now(),
            log: Log::new(options.places.log.clone(), echo),
            readiness: Readiness::default(),
            supervisor: Supervisor::new(options.notify.as_deref()),
            hold,
            poll,
            signals,
            spawner,
            table: Table::default(),
            apexd: Apexd::Waiting { until: boottime_now() },
            nofile,
            kept: Vec::new(),
            check: None,
            grace_until: None,
            orphans: HashMap::new(),
            restarts: Restarts::default(),
            starts: 0,
            binary: options.binary.clone(),
            previous: None,
            replacement: None,
            kill_grace: KILL_GRACE,
            stops: 0,
            draining: false,
            deaths_in_stop: 0,
            hello_by: None,
            may_own_claims: false,
            has_drained: false,
            alone: None,
            end: None,
            options,
        }
    }

    /// Guards until it is over, and returns the exit code.
    pub(super) fn guard(&mut self) -> Result<i32, Error> {
        let mut ready = Vec::new();
        loop {
            self.act_on_time(boottime_now());
            self.pump();
            if let Some(code) = self.end {
                self.table.hand_back();
                self.hold.release();
                return Ok(code);
            }
            let timeout = self.next_deadline().map(|deadline| boottime_now().until(deadline));
            // It cannot fail with a valid descriptor; if it does, there is no way to go on guarding.
            self.poll.wait(timeout, &mut ready).map_err(|source| Error::System { what: "waiting", source })?;
            self.act_on(&ready);
            ready.clear();
        }
    }

    fn act_on(&mut self, ready: &[Source]) {
        let mut ended = Vec::new();
        let mut child_ended = false;
        for source in ready {
            match *source {
                Source::Signals => child_ended |= self.read_signals(),
                Source::Link => self.read_link(),
                Source::Client => self.stir_apexd(),
                Source::Start(pid) => self.look_at_start(pid),
                Source::Task(pid) => {
                    // One whose start has failed was never there.
                    self.look_at_start(pid);
                    if self.table.look(&self.poll, pid) {
                        ended.push(pid);
                    }
                }
                Source::Apexd | Source::Check => {}
            }
        }
        if child_ended {
            let unwatched = self.table.unwatched().into_iter();
            ended.extend(unwatched.filter(|pid| self.table.look(&self.poll, *pid)));
        }
        if child_ended || !ended.is_empty() {
            self.look_at_orphans(&ended);
        }
        if ready.contains(&Source::Check) {
            self.look_at_check(boottime_now());
        }
        // Last, so that what apexd said before its end is known.
        if ready.contains(&Source::Apexd) {
            self.look_at_apexd();
        }
    }

    /// Reaps orphans that have ended, and finds out whether the tasks in `ended` left live ones behind.
    pub(super) fn look_at_orphans(&mut self, ended: &[u32]) {
        let own = self.own_child();
        let is_orphan = |pid: &u32| !self.table.holds(*pid) && Some(*pid) != own;
        let spawned = self.table.spawned();
        let (mut orphans, mut ended_orphans, mut newest) = (HashMap::new(), Vec::new(), 0);
        let mut ended_keepers = Vec::new();
        for pid in processes::children().into_iter().filter(is_orphan) {
            if self.table.keepers().contains(&pid) {
                if processes::reap(pid) {
                    ended_keepers.push(pid);
                }
                continue;
            }
            let since = self.orphans.get(&pid).copied().unwrap_or(spawned);
            newest = newest.max(since);
            let start_ticks = Stat::of(pid).map_or(0, |stat| stat.start_ticks);
            if processes::reap(pid) {
                ended_orphans.push(start_ticks);
            } else {
                orphans.insert(pid, since);
            }
        }
        self.orphans = orphans;
        ended_keepers.into_iter().for_each(|pid| self.table.keeper_ended(pid));
        for start_ticks in ended_orphans {
            self.table.note_end_of_orphan(start_ticks);
        }
        if !ended.is_empty() {
            // When a process ends, its children come here before its end is told. So a task that ended can have left
            // something only if a stranger has come since it was started; else the costly look at all processes is
            // saved, although something that left its session long ago may live here for ever.
            let is_clean = ended.iter().all(|pid| self.table.is_started_after(*pid, newest));
            let sessions = if is_clean { HashSet::new() } else { processes::live_sessions() };
            self.table.settle(ended, &sessions);
        }
    }

    /// Returns the child that is no task: apexd, or between two of them a program that is being asked something.
    pub(super) fn own_child(&self) -> Option<u32> {
        self.apexd.pid().or_else(|| self.check.as_ref().map(|check| check.pid))
    }

    /// Returns whether a child has ended.
    fn read_signals(&mut self) -> bool {
        let mut child_ended = false;
        while let Ok(Some(signal)) = self.signals.read_signal() {
            match i32::try_from(signal.ssi_signo) {
                Ok(libc::SIGCHLD) => child_ended = true,
                Ok(libc::SIGHUP) => self.tell_reload(),
                _ => self.ask_to_stop(),
            }
        }
        child_ended
    }

    /// Does what is due by now.
    fn act_on_time(&mut self, now: Moment) {
        self.supervisor.retry(now);
        self.table.tell_slow_starts(now);
        self.watch_apexd();
        if self.is_stopping() {
            let by = self.supervisor.patience(self.grace_until, self.kill_grace, now);
            self.supervisor.stopping(self.table.running(), now, by);
        }
        if self.end.is_some() {
            return;
        }
        if let Some(mut alone) = self.alone.take() {
            self.end = self.step_alone(&mut alone, now);
            self.alone = Some(alone);
            return;
        }
        if self.hello_by.is_some_and(|by| by <= now) {
            self.log.line(Level::Warn, "apexd does not answer; stopping the tasks without it");
            self.stop_alone(now);
            return;
        }
        if self.check.as_ref().is_some_and(|check| check.by() <= now) {
            self.look_at_check(now);
        }
        match &mut self.apexd {
            Apexd::Waiting { until } if *until <= now => self.start_apexd(now),
            Apexd::Alive(life) if life.end_by.is_some_and(|by| by <= now) => {
                life.end_by = None;
                processes::send(&life.pidfd, libc::SIGKILL);
            }
            Apexd::GivenUp if self.table.running() == 0 => self.end = Some(self.finish(EXIT_GAVE_UP)),
            _ => {}
        }
    }

    /// Returns when [`Self::act_on_time`] has something to do, if nothing else happens.
    fn next_deadline(&self) -> Option<Moment> {
        let of_supervisor = self.supervisor.next_deadline(self.is_stopping());
        let of_supervisor =
            [of_supervisor, self.table.next_slow_start(), self.next_watch()].into_iter().flatten().min();
        if let Some(alone) = &self.alone {
            return [Some(alone.next_look()), of_supervisor].into_iter().flatten().min();
        }
        let of_apexd = match &self.apexd {
            Apexd::Waiting { until } => Some(*until),
            Apexd::Alive(life) => life.end_by,
            Apexd::GivenUp if self.table.running() == 0 => Some(Moment(0)),
            Apexd::GivenUp => None,
        };
        [of_apexd, self.hello_by, of_supervisor].into_iter().flatten().min()
    }
}

/// Gives back what was taken if the guardian cannot begin after all.
struct Release(Option<Hold>);

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(hold) = &mut self.0 {
            hold.release();
        }
    }
}

/// Raises our own limit of descriptors as far as it goes, one being needed for each running task. Returns what it was,
/// which is what tasks get.
fn raise_nofile() -> Option<libc::rlim_t> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok()?;
    Some(soft)
}
