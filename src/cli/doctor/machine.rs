//! The machine: room, limits, the clock.

use std::path::PathBuf;

use crate::cli::doctor::{Check, Facts, quoted};
use crate::cli::render::{bytes, rough};
use crate::domain::time::Timestamp;
use crate::view::time::rfc3339;

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Its size in bytes.
    pub bytes: u64,
    /// Bytes that are free for this user.
    pub bytes_free: u64,
    /// How many files it can hold; 0 if it does not say.
    pub files: u64,
    /// How many more this user can make.
    pub files_free: u64,
    /// Nothing can be written to it.
    pub is_read_only: bool,
}

/// What a process may have; `None` for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Open files.
    pub descriptors: Option<u64>,
    /// How many more processes the user may have.
    pub processes_left: Option<u64>,
}

/// Where temporary files go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Temporary {
    /// The directory.
    pub path: PathBuf,
    /// Why nothing can be put there.
    pub fault: Option<String>,
}

/// Less than this part of the space, in per cent, is little, …
const FREE_PERCENT_MIN: u64 = 5;
/// … unless it is more than this.
const FREE_BYTES_ENOUGH: u64 = 1 << 30;
/// With less than this the database cannot work.
const FREE_BYTES_LEAST: u64 = 16 << 20;
/// So many files are enough, whatever part of all they are; with fewer than the second number nothing goes on.
const FREE_FILES: (u64, u64) = (10_000, 100);

/// What guardian and apexd each need, and how much more for a task that runs: its output, its process, its clients.
const DESCRIPTORS: (u64, u64) = (128, 8);
/// The same of processes and threads; a task is seldom only one.
const PROCESSES: (u64, u64) = (32, 4);

/// apex is not older than this: a clock that says so is wrong. 2026-01-01.
const CLOCK_MIN: Timestamp = Timestamp(1_767_225_600_000);
/// By how much the clock may be behind what was stored.
const BEHIND_MAX: std::time::Duration = std::time::Duration::from_secs(60);

/// File systems behind which there is a network: there SQLite's log cannot be shared, and a socket works on one machine
/// only. Those that end in a dot are families.
const NETWORK: [&str; 16] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "afs",
    "ceph",
    "lustre",
    "gpfs",
    "glusterfs",
    "beegfs",
    "ncpfs",
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.glusterfs",
];

pub(super) fn output(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "output";
    let wrong = |(path, why): &(PathBuf, String)| {
        Check::wrong(
            NAME,
            format!("nothing can be written into `{}`: {why}", path.display()),
            format!("see who may with `ls -ld {}`", quoted(path)),
        )
    };
    let checks: Vec<Check> = facts.not_writable.iter().map(wrong).collect();
    if checks.is_empty() { vec![Check::fine(NAME, "what tasks write has a place")] } else { checks }
}

pub(super) fn disk(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "disk";
    let Some(space) = facts.space else {
        return vec![Check::warning(NAME, "how much room is left cannot be told", "see with `df .apex`")];
    };
    let free = format!("{} of {} are free", bytes(space.bytes_free), bytes(space.bytes));
    if space.is_read_only {
        let hint = "make it writable, or use a project elsewhere";
        return vec![Check::wrong(NAME, "the file system of `.apex` is read-only", hint)];
    }
    let mut checks = Vec::new();
    let make_room = "make room: `apex task rm` removes ended tasks with all they wrote";
    if space.bytes_free < FREE_BYTES_LEAST {
        checks.push(Check::wrong(NAME, format!("there is no room left: {free}"), make_room));
    } else if space.bytes_free < FREE_BYTES_ENOUGH.min(space.bytes / 100 * FREE_PERCENT_MIN) {
        checks.push(Check::warning(NAME, format!("there is little room left: {free}"), make_room));
    }
    // A file system that makes them as they are needed says 0.
    if space.files > 0 && space.files_free < FREE_FILES.0.min(space.files / 100 * FREE_PERCENT_MIN) {
        let message = format!("only {} more files can be made, whatever room there is", space.files_free);
        let make = if space.files_free < FREE_FILES.1 { Check::wrong } else { Check::warning };
        checks.push(make(NAME, message, make_room));
    }
    if checks.is_empty() { vec![Check::fine(NAME, free)] } else { checks }
}

pub(super) fn filesystem(facts: &Facts) -> Check {
    const NAME: &str = "filesystem";
    let data = facts.data.display();
    match facts.filesystem.as_deref() {
        Some(kind) if NETWORK.contains(&kind) => Check::wrong(
            NAME,
            format!("`{data}` is on a network file system ({kind}), where the database can be damaged"),
            "let `XDG_STATE_HOME` name a directory on a local disk",
        ),
        Some(kind) => Check::fine(NAME, format!("`{data}` is on a local one ({kind})")),
        None => Check::fine(NAME, "what kind it is cannot be told"),
    }
}

pub(super) fn limits(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "limits";
    let tasks = u64::from(facts.max_concurrent);
    let mut checks = Vec::new();
    let needed = DESCRIPTORS.0 + DESCRIPTORS.1 * tasks;
    if let Some(limit) = facts.limits.descriptors.filter(|limit| *limit < needed) {
        checks.push(Check::warning(
            NAME,
            format!("{limit} open files are few for {tasks} tasks at once (`ulimit -n`)"),
            format!("start the daemon with more: `ulimit -n {needed} && apex daemon start`"),
        ));
    }
    let needed = PROCESSES.0 + PROCESSES.1 * tasks;
    if let Some(left) = facts.limits.processes_left.filter(|left| *left < needed) {
        checks.push(Check::warning(
            NAME,
            format!(
                "only {left} more processes are allowed to you, which is few for {tasks} tasks at once (`ulimit -u`)"
            ),
            "start the daemon with a higher `ulimit -u`, or lower `max_concurrent` with `apex config edit`",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::fine(NAME, format!("open files and processes suffice for {tasks} tasks at once")));
    }
    checks
}

pub(super) fn clock(facts: &Facts) -> Check {
    const NAME: &str = "clock";
    let hint = "set the clock (`timedatectl` says how it stands)";
    if facts.now < CLOCK_MIN {
        return Check::wrong(NAME, format!("the clock says {}, which has passed", rfc3339(facts.now)), hint);
    }
    let newest = facts.database.as_ref().ok().and_then(|database| database.as_ref()?.newest);
    match newest.map(|newest| newest.since(facts.now)) {
        Some(behind) if behind > BEHIND_MAX => Check::warning(
            NAME,
            format!("the clock is {} behind the newest event: it was set back, or was ahead then", rough(behind)),
            hint,
        ),
        _ => Check::fine(NAME, "it can be right"),
    }
}

pub(super) fn temporary(facts: &Facts) -> Check {
    const NAME: &str = "temporary";
    let path = facts.temporary.path.display();
    match &facts.temporary.fault {
        None => Check::fine(NAME, format!("`{path}` takes temporary files")),
        Some(why) => Check::warning(
            NAME,
            format!("tasks may fail for want of temporary files: `{path}`: {why}"),
            "name a directory of yours in `TMPDIR`, and add tasks with it",
        ),
    }
}
