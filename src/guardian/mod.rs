//! The parent of apexd and of every task: it keeps alive, and knows nothing.
//!
//! One thread, no runtime, no database, nothing that can fail for want of what it does not hold already: wait for an
//! event, look what it is, act. It starts apexd and starts it again; it starts tasks on apexd's word,
//! and keeps each one that has ended as a zombie until apexd says that the outcome is stored, so that the kernel is the
//! journal. It never waits for apexd: what apexd has not been told yet is a mark on the entry in question.
//!
//! Linux only: pidfds, `clone`, epoll, signalfd, `/proc`; kernel 5.9 or later.
//!
//! Deliberately absent: configuration, task ids, outcomes, retries. All of it would have to survive a crash of apexd in
//! memory, and be replaced with it.
//!
//! Reading order: `run` (the loop) → `apexd` (its lives) → `orders` (what it asks) → `table` (what is held) → `spawn`
//! and `processes` (the system calls; `kin` decides who belongs to whom, by `cgroup` if it can, `starting` is for
//! what may hang, which [`mounts`](crate::link::mounts) tells, `keep` for tasks whose input stays open) → `alone` (the end without an apexd) → `succession` (one guardian after the other) and `foreign` (the
//! processes of one that was killed) → `hold` (lock, socket, pid file) → `supervisor` (what systemd is told) and `scope`
//! (what it is asked for). `watch`
//! finds out that apexd hangs.

mod alone;
mod apexd;
mod cgroup;
mod daemonize;
mod error;
mod foreign;
mod hold;
mod keep;
mod kin;
mod log;
mod orders;
mod peer;
mod poll;
mod processes;
mod readiness;
mod run;
mod scope;
mod signals;
mod spawn;
mod starting;
mod succession;
mod supervisor;
mod table;
#[cfg(test)]
mod tests;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::paths::Project;

pub use daemonize::{Started, daemonize};
pub use error::Error;
pub use hold::pid_in;
pub use run::run_foreground;
pub use succession::{CHECK, RESUME, check, resume, succeed};

/// The guardian's exit code when it did all it was asked to: stopped, and nothing is left.
pub const EXIT_DONE: i32 = 0;
/// The guardian's exit code when it broke off for a fault of its own or of the system.
pub const EXIT_FAULT: i32 = 70;
/// The guardian's exit code when starting it again would not help: another one is there, or apexd could not be started.
pub const EXIT_GAVE_UP: i32 = 78;

/// How long [`daemonize`] waits for the daemon to be ready, unless told otherwise.
pub const READY_WITHIN: Duration = Duration::from_secs(15);

/// Where the guardian's things are. All paths are absolute; the guardian's own working directory is `/`.
#[derive(Debug, Clone)]
pub struct Places {
    /// The project's root, for messages.
    pub root: PathBuf,
    /// The project's `.apex`, which exists and belongs to this user.
    pub dir: PathBuf,
    /// Held with flock(2) as long as guardian or apexd live; the file stays for ever. The guardian locks `dir` too, in
    /// case somebody removes the file.
    pub lock: PathBuf,
    /// The guardian's pid and a newline, while it lives.
    pub pid_file: PathBuf,
    /// The listening socket, in `dir`. May be longer than a socket's address.
    pub socket: PathBuf,
    /// The daemon's log, to which the guardian appends lines of its own.
    pub log: PathBuf,
    /// Why the daemon gave up: written by apexd before it exits with 78, else by the guardian.
    pub failed: PathBuf,
    /// The last words; [`crate::link::last_words`].
    pub exits: PathBuf,
}

impl Places {
    /// Returns where the guardian's things are in a project.
    pub fn of(project: &Project) -> Self {
        Self {
            root: project.root().to_owned(),
            dir: project.data().to_owned(),
            lock: project.lock_file(),
            pid_file: project.pid_file(),
            socket: project.socket(),
            log: project.log_file(),
            failed: project.failed_file(),
            exits: project.exits_file(),
        }
    }
}

/// The variable by which a unit says, with the value `yes`, that its control group was delegated to it. It is for the
/// guardian alone.
pub const DELEGATED: &str = "APEX_DELEGATED";

/// What the guardian is told once.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its things are.
    pub places: Places,
    /// The program that is started as apexd, with the name `apexd` as `argv[0]`.
    pub binary: PathBuf,
    /// apexd's further arguments.
    pub apexd_args: Vec<OsString>,
    /// How long [`daemonize`] waits for [`Order::Ready`](crate::link::Order::Ready).
    pub ready_within: Duration,
    /// How long apexd may leave everybody without an answer before it is aborted and another one started.
    pub patience: Duration,
    /// Leave the login session of whoever starts it, where that is possible: for a daemon in the background.
    pub leave_session: bool,
    /// The socket of the supervisor that started this very process, as `NOTIFY_SOCKET` names it: it is told when the
    /// daemon is ready and when it stops. `None` for a daemon in the background: the variable would be another's.
    ///
    /// Source: sd_notify(3).
    pub notify: Option<OsString>,
    /// The unit that started this very process says that its control group was delegated to it, see
    /// [`DELEGATED`].
    pub delegated: bool,
}

impl Options {
    /// The running program itself, by a name that always means it.
    pub(crate) fn own_program() -> PathBuf {
        PathBuf::from("/proc/self/exe")
    }

    /// Returns options that start the running program itself as apexd, without arguments.
    ///
    /// Source: proc_pid_exe(5): the link works also when the file was replaced or removed meanwhile.
    pub fn new(places: Places) -> Self {
        let (binary, apexd_args, patience) = (Self::own_program(), Vec::new(), patience());
        let ready_within = READY_WITHIN;
        Self {
            places,
            binary,
            apexd_args,
            ready_within,
            patience,
            leave_session: false,
            notify: None,
            delegated: false,
        }
    }
}

/// Returns how long apexd may hang. In a build with debug assertions it can be said in the environment, in milliseconds.
fn patience() -> Duration {
    let said = std::env::var("APEX_PATIENCE_MS").ok().filter(|_| cfg!(debug_assertions));
    said.and_then(|ms| ms.parse().ok()).map_or(watch::PATIENCE, Duration::from_millis)
}
