//! apexd's lives: starting it, seeing it end, deciding what follows.

use std::fs;
use std::io::Read as _;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::libc;
use nix::sys::statvfs::statvfs;

use crate::domain::backoff::{EXIT_DRAINED, EXIT_REPLACE, Life as Lived, Restarts, Verdict};
use crate::domain::outcome::{ExitStatus, SignalName};
use crate::domain::time::Moment;
use crate::fault::crash_point;
use crate::guardian::hold::{remove, replace_file};
use crate::guardian::log::Level;
use crate::guardian::peer::Peer;
use crate::guardian::poll::Source;
use crate::guardian::processes;
use crate::guardian::run::{Guardian, HELLO_WITHIN};
use crate::guardian::spawn::{Failed, Plan, Started};
use crate::guardian::succession::way_back;
use crate::guardian::watch::Watch;
use crate::link::machine::boottime_now;
use crate::link::{LINK_FD, LISTEN_FD, LOCK_FD, SpawnStep};

/// How long an apexd that has closed its link may take to end: it has a database to close.
pub(super) const END_WITHIN: Duration = Duration::from_secs(10);

/// When a start that failed for want of memory, processes or descriptors is tried again.
const EXHAUSTED_DELAY: Duration = Duration::from_secs(1);

/// After so many deaths of apexd while the daemon was to stop, the guardian stops the tasks itself.
const DEATHS_IN_STOP_MAX: u32 = 3;

/// Where apexd is in its lives.
#[derive(Debug)]
pub(super) enum Apexd {
    /// It runs, or has ended and was not looked at yet.
    Alive(Box<Life>),
    /// It is to be started.
    Waiting {
        /// Then.
        until: Moment,
    },
    /// It is not started any more.
    GivenUp,
}

impl Apexd {
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Alive(life) => Some(life.pid),
            Self::Waiting { .. } | Self::GivenUp => None,
        }
    }
}

/// One run of apexd.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    /// The link, as long as it holds.
    pub(super) peer: Option<Peer>,
    pub(super) since: Moment,
    /// It has said hello.
    pub(super) greeted: bool,
    /// It answers requests.
    pub(super) ready: bool,
    /// What it is to be told when there is room, in this order.
    pub(super) due: Due,
    /// By then it must have ended, or it is killed.
    pub(super) end_by: Option<Moment>,
    /// The watch over it, if it is one that answers when it is asked.
    pub(super) watch: Option<Watch>,
}

/// What apexd is to be told besides how its tasks are.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) welcome: bool,
    pub(super) terms: bool,
    pub(super) keeps: bool,
    pub(super) complete: bool,
    pub(super) terminate: bool,
    pub(super) reload: bool,
    pub(super) ask: bool,
}

impl Guardian {
    /// Starts apexd.
    pub(super) fn start_apexd(&mut self, now: Moment) {
        if self.is_stopping() {
            // Counted from the first attempt, also if that one fails.
            self.hello_by.get_or_insert(now + HELLO_WITHIN);
        }
        match self.spawn_apexd() {
            Ok((Started { pid, pidfd }, peer)) => {
                self.starts += 1;
                // Without these two nothing of it would ever be heard. They fail only for want of kernel memory, and
                // then it is killed and its end found by the deadline.
                let watched = self.poll.add(&pidfd, Source::Apexd).and(self.poll.add(peer.socket(), Source::Link));
                let due = Due::default();
                let peer = Some(peer);
                let life =
                    Life { pid, pidfd, peer, since: now, greeted: false, ready: false, due, end_by: None, watch: None };
                self.apexd = Apexd::Alive(Box::new(life));
                crash_point("guardian.apexd.started");
                if watched.is_err() {
                    self.kill_apexd();
                    self.lose_apexd();
                    self.apexd = Apexd::Waiting { until: now + EXHAUSTED_DELAY };
                }
            }
            Err(Failed { step: SpawnStep::Fork, errno }) => {
                let ms = EXHAUSTED_DELAY.as_millis();
                let why = nix::errno::Errno::from_raw(errno).desc();
                self.log.line(Level::Error, &format!("cannot start apexd: {why}; trying again in {ms} ms"));
                self.apexd = Apexd::Waiting { until: now + EXHAUSTED_DELAY };
            }
            Err(Failed { errno, .. }) => {
                let why = nix::errno::Errno::from_raw(errno).desc();
                let binary = self.binary.display();
                self.log.line(Level::Error, &format!("cannot execute apexd `{binary}`: {why}"));
                // The shell's code for a program that cannot be executed.
                self.decide(Lived { ready: false, lived: Duration::ZERO, exit: ExitStatus::Code(126) }, 0);
            }
        }
    }

    fn spawn_apexd(&self) -> Result<(Started, Peer), Failed> {
        let exhausted = |error: std::io::Error| Failed {
            step: SpawnStep::Fork,
            errno: error.raw_os_error().unwrap_or(libc::EMFILE),
        };
        let (peer, theirs) = Peer::pair().map_err(exhausted)?;
        let mut fds = vec![(theirs.as_raw_fd(), LINK_FD), (self.hold.lock().as_raw_fd(), LOCK_FD)];
        fds.extend(self.hold.listener().map(|listener| (listener.as_raw_fd(), LISTEN_FD)));
        let plan = Plan::for_apexd(&self.binary, &self.options.apexd_args, fds)?;
        Ok((self.spawner.start(&plan)?, peer))
    }

    /// Looks whether apexd has ended, and if so decides what follows.
    pub(super) fn look_at_apexd(&mut self) {
        let Apexd::Alive(life) = &self.apexd else { return };
        let Ok(Some((exit, _))) = processes::take(&life.pidfd) else { return };
        let (pid, since, greeted) = (life.pid, life.since, life.greeted);
        crash_point("guardian.apexd.ended");
        // What it said last counts where it says what is; what it wanted done is for the next one to want again.
        self.read_last_orders();
        let ready = self.lose_apexd();
        // One that was told to stop when it was only just starting need not have come to serving.
        let is_obedient = greeted && self.is_stopping() && exit == ExitStatus::Code(EXIT_DRAINED);
        self.decide(Lived { ready: ready || is_obedient, lived: since.until(boottime_now()), exit }, pid);
    }

    /// Forgets the present apexd; returns whether it had been ready.
    fn lose_apexd(&mut self) -> bool {
        match std::mem::replace(&mut self.apexd, Apexd::Waiting { until: boottime_now() }) {
            Apexd::Alive(life) => {
                self.poll.remove(&life.pidfd);
                if let Some(peer) = &life.peer {
                    self.poll.remove(peer.socket());
                }
                if let Some(listener) = self.hold.listener() {
                    self.poll.remove(listener);
                }
                self.hello_by = None;
                life.ready
            }
            Apexd::Waiting { .. } | Apexd::GivenUp => false,
        }
    }

    fn decide(&mut self, lived: Lived, pid: u32) {
        let now = boottime_now();
        if self.alone.is_some() {
            self.apexd = Apexd::GivenUp;
            return;
        }
        let is_replaced = lived.ready && lived.exit == ExitStatus::Code(EXIT_REPLACE);
        let mut program = None;
        if is_replaced && let Some(binary) = self.replacement.take() {
            program = Some(binary.clone());
            self.previous = Some(std::mem::replace(&mut self.binary, binary));
        } else if !lived.ready
            && let Some(previous) = self.previous.take()
        {
            let (new, old) = (self.binary.display().to_string(), previous.display());
            let how = how(lived.exit);
            let message = format!("the new apexd {how} before it was ready; going back to `{old}` binary={new}");
            self.log.line(Level::Error, &message);
            self.binary = previous;
            self.restarts = Restarts::default();
            self.apexd = Apexd::Waiting { until: now };
            return;
        }
        match self.restarts.after(lived) {
            Verdict::Drained => self.stop_drained(now),
            Verdict::Start(delay) => {
                self.await_start(lived.exit, delay, pid, now);
                if let Some(program) = program.filter(|_| !self.is_stopping()) {
                    self.begin_check(program, now);
                }
            }
            // It had served before, and what it lacks now comes back without anybody telling the guardian.
            Verdict::GiveUp { exit, .. } if self.may_own_claims && is_full(&self.options.places.dir) => {
                self.await_start(exit, EXHAUSTED_DELAY, pid, now);
            }
            Verdict::GiveUp { starts, exit } => self.give_up(starts, exit, now),
        }
    }

    fn await_start(&mut self, exit: ExitStatus, delay: Duration, pid: u32, now: Moment) {
        self.apexd = Apexd::Waiting { until: now + delay };
        let restarts = self.starts;
        if exit == ExitStatus::Code(EXIT_REPLACE) && delay.is_zero() {
            let binary = self.binary.display();
            self.log.line(Level::Info, &format!("starting another apexd binary={binary} restarts={restarts}"));
            return;
        }
        let how = how(exit);
        let ms = delay.as_millis();
        let message = format!("apexd {how}; starting it again in {ms} ms pid={pid} restarts={restarts}");
        self.log.line(Level::Warn, &message);
        if self.is_stopping() {
            self.deaths_in_stop += 1;
            if self.deaths_in_stop >= DEATHS_IN_STOP_MAX {
                self.stop_alone(now);
            }
        }
    }

    fn give_up(&mut self, starts: u32, exit: ExitStatus, now: Moment) {
        self.apexd = Apexd::GivenUp;
        let failed = &self.options.places.failed;
        let reason = first_line(failed).unwrap_or_else(|| {
            let times = if starts == 1 { "once".to_owned() } else { format!("{starts} times in a row") };
            let log = self.options.places.log.display();
            // apexd had no room to leave its reason then, nor had the log.
            let dir = &self.options.places.dir;
            let disk = if is_full(dir) { format!(": the disk of `{}` is full", dir.display()) } else { String::new() };
            format!("apexd {} before it was ready ({times}){disk}; see `{log}`", how(exit))
        });
        if !failed.exists() {
            // The reason is in the log all the same.
            let _ = replace_file(&self.options.places.dir, failed, format!("{reason}\n").as_bytes());
        }
        self.log.line(Level::Error, &format!("giving up: {reason}"));
        self.hold.close_listener();
        if self.is_stopping() {
            self.stop_alone(now);
        }
        if self.table.running() == 0 && self.alone.is_none() {
            // Before whoever waits is told, so that nothing is left when they look.
            self.end = Some(self.finish(crate::guardian::EXIT_GAVE_UP));
            self.hold.release();
        }
        self.readiness.failed(&reason);
        self.supervisor.gave_up(&reason, now);
    }

    /// Begins anew with apexd after having given up, unless everything is being ended.
    pub(super) fn try_again(&mut self) {
        if self.alone.is_some() || self.is_stopping() {
            return;
        }
        if let Err(error) = self.hold.make() {
            self.log.line(Level::Error, &format!("cannot try again: {error}"));
            return;
        }
        self.log.line(Level::Info, "trying again to start apexd");
        self.restarts = Restarts::default();
        self.apexd = Apexd::Waiting { until: boottime_now() };
    }

    /// apexd answers requests.
    pub(super) fn note_ready(&mut self) {
        if let Apexd::Alive(life) = &mut self.apexd {
            life.ready = true;
        }
        self.previous = None;
        // What went back to an earlier program needs the way to it for as long as it is what apexd is.
        self.kept.retain(|fd| self.binary == way_back(fd.as_raw_fd()));
        self.may_own_claims = true;
        // Of an earlier start that failed for a passing reason.
        let _ = remove(&self.options.places.failed);
        self.readiness.ready();
        // One that came only to go on with a drain is not what was waited for.
        if !self.is_stopping() {
            self.supervisor.ready(std::process::id(), boottime_now());
        }
    }

    /// Ends apexd at once.
    pub(super) fn kill_apexd(&self) {
        if let Apexd::Alive(life) = &self.apexd {
            processes::send(&life.pidfd, libc::SIGKILL);
        }
    }
}

/// Returns whether so little is left of a directory's disk that apexd cannot start.
fn is_full(directory: &std::path::Path) -> bool {
    const LITTLE: u64 = 256 << 10;
    statvfs(directory).is_ok_and(|disk| disk.blocks_available().saturating_mul(disk.fragment_size()) < LITTLE)
}

fn how(exit: ExitStatus) -> String {
    match exit {
        ExitStatus::Code(code) => format!("ended with exit code {code}"),
        ExitStatus::Signal(signal) => format!("ended by {}", SignalName(signal)),
    }
}

/// Returns the first line of a small text file; `None` if there is none.
fn first_line(path: &std::path::Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(4096).read_to_end(&mut bytes).ok()?;
    let line = String::from_utf8_lossy(&bytes).lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
