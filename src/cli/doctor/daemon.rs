//! The daemon: whether it answers, and what one that is gone has left.

use std::path::Path;
use std::time::Duration;

use crate::cli::doctor::files::in_the_way;
use crate::cli::doctor::{Check, Entry, Facts};
use crate::units::format_duration;

/// What somebody who asked the daemon was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// How it stands.
    Status {
        /// The guardian's pid.
        guardian: u32,
        /// Its version.
        version: String,
        /// It is about to end.
        is_draining: bool,
    },
    /// Nothing.
    Silence(Duration),
    /// Nobody was there.
    Nobody,
    /// The socket cannot be used, and what can be done about it.
    Refused(String, Option<String>),
}

/// The daemon, and what a daemon leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// What it said.
    pub answer: Answer,
    /// Whether the project's lock is held: guardian or apexd live.
    pub is_locked: bool,
    /// The process that holds the lock.
    pub guardian: Option<u32>,
    /// The pid in the pid file, whoever that is.
    pub named: Option<u32>,
    /// The pid file or the socket is there.
    pub left: Vec<&'static str>,
    /// Those of its processes that were stopped by a signal.
    pub stopped: Vec<u32>,
    /// Why the last one gave up.
    pub failed: Option<String>,
}

const NAME: &str = "daemon";

pub(super) fn standing(facts: &Facts) -> Vec<Check> {
    let daemon = &facts.daemon;
    let pid = daemon.guardian.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    // What it writes itself, and does not write over.
    let is_its_own =
        |entry: &Entry| ["daemon.pid", "daemon.sock", "daemon.lock"].iter().any(|name| entry.path == Path::new(name));
    let is_blocked = facts.entries.iter().any(|entry| is_its_own(entry) && in_the_way(entry).is_some());
    let check = match (&daemon.answer, &daemon.failed) {
        (Answer::Status { guardian, is_draining: true, .. }, _) => Check::warning(
            NAME,
            format!("it drains (pid {guardian}): it ends, and takes no new task"),
            "wait for its end with `apex daemon stop`",
        ),
        (Answer::Status { guardian, .. }, _) if daemon.named != Some(*guardian) => Check::warning(
            NAME,
            format!("it runs (pid {guardian}), but `.apex/daemon.pid` does not name it"),
            "make that anew with `apex daemon stop`, then `apex daemon start`",
        ),
        (Answer::Status { guardian, .. }, _) => Check::fine(NAME, format!("it runs (pid {guardian})")),
        (Answer::Silence(_), _) if !daemon.stopped.is_empty() => {
            let pids: Vec<String> = daemon.stopped.iter().map(u32::to_string).collect();
            let pids = pids.join(" ");
            Check::wrong(
                NAME,
                format!("it was stopped by a signal and answers nobody (pid {pids})"),
                format!("let it go on with `kill -CONT {pids}`"),
            )
        }
        (Answer::Silence(after), _) => Check::wrong(
            NAME,
            format!("it runs{pid} and does not answer within {}", format_duration(*after)),
            "see what it does with `apex daemon logs`; end it with `apex daemon stop --force`",
        ),
        (Answer::Refused(why, hint), _) => Check::wrong(
            NAME,
            why,
            hint.clone().unwrap_or_else(|| "see what it says with `apex daemon logs`".to_owned()),
        ),
        (Answer::Nobody, Some(why)) => Check::wrong(
            NAME,
            format!("it gave up: {why}"),
            if daemon.is_locked {
                format!("mend that, then `apex daemon start`; what still runs is guarded{pid}")
            } else {
                "mend that, then `apex daemon start`".to_owned()
            },
        ),
        (Answer::Nobody, None) if daemon.is_locked => Check::wrong(
            NAME,
            format!("it lives{pid}, but nobody listens on `.apex/daemon.sock`: that was removed or replaced"),
            if is_blocked {
                "end it with `apex daemon stop`, and move away what is in the way before the next start"
            } else {
                "end it with `apex daemon stop`; the next start makes the socket anew"
            },
        ),
        (Answer::Nobody, None) if is_blocked => Check::warning(
            NAME,
            "it does not run, and cannot be started while something is in its way",
            "move that away first: see what is said of the files",
        ),
        (Answer::Nobody, None) if !daemon.left.is_empty() => Check::warning(
            NAME,
            format!("it does not run; one that was killed left `.apex/{}`", daemon.left.join("` and `.apex/")),
            "nothing needs to be done: the next `apex daemon start` makes that anew",
        ),
        (Answer::Nobody, None) => Check::fine(NAME, "it does not run; a command that needs it starts it"),
    };
    vec![check]
}

pub(super) fn version(facts: &Facts) -> Check {
    const NAME: &str = "version";
    let own = facts.version;
    match &facts.daemon.answer {
        Answer::Status { version, .. } if version == own => {
            Check::fine(NAME, format!("program and daemon are of version {own}"))
        }
        Answer::Status { version, .. } if crate::cli::session::is_older(version, own) => Check::warning(
            NAME,
            format!("the daemon is of version {version}, this program of {own}"),
            "replace the daemon with `apex daemon restart`",
        ),
        Answer::Status { version, .. } => Check::warning(
            NAME,
            format!("the daemon is of version {version}, this program of {own}"),
            "use the newer program, or put this one in the daemon's place with `apex daemon restart`",
        ),
        _ => Check::fine(NAME, format!("this program is of version {own}")),
    }
}
