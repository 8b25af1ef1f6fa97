//! Why there is no guardian.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::error::ErrorKind;
use crate::guardian::daemonize::CrateError;
use crate::guardian::{EXIT_FAULT, EXIT_GAVE_UP};
use crate::units::format_duration;

/// The guardian could not begin, or did not come to be ready.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon serves the project.
    #[error("a daemon is already running for `{root}`{}", of_pid(*.pid))]
    AlreadyRunning {
        /// The project's root.
        root: PathBuf,
        /// The other guardian's pid, if its file could be read.
        pid: Option<u32>,
    },
    /// The lock could not be opened or taken, for another reason than that it is held.
    #[error("cannot lock `{path}`")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The project's `.apex` is not what it was when it was found, or not as it should be.
    #[error(transparent)]
    Place(#[from] crate::paths::Error),
    /// Something else has the name of a file of ours. It was not touched, nor what it leads to.
    #[error("`{path}` is in the way: it is {found}, not {wanted}; move it with `mv {path} {path}.old`")]
    InTheWay {
        /// Its path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What is expected there.
        wanted: &'static str,
    },
    /// The listening socket could not be made.
    #[error("cannot listen on `{path}`")]
    Listen {
        /// The socket's path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be written or removed.
    #[error("cannot write `{path}`")]
    Write {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system refused something that every process may do.
    #[error("cannot set up {what}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// [`daemonize`](crate::guardian::daemonize) was called when the process had more than one thread; a fork keeps only
    /// the calling one, and what the others had locked stays locked.
    #[error("cannot go to the background from a process with {threads} threads")]
    Threads {
        /// How many.
        threads: usize,
    },
    /// The process could not be put into the background.
    #[error("cannot go to the background")]
    Daemonize(#[source] CrateError),
    /// The daemon ended before it was ready.
    #[error("the daemon did not start: {reason}")]
    NotStarted {
        /// Why, in the daemon's own words.
        reason: String,
    },
    /// The daemon was not ready in time, and was told to stop.
    #[error("the daemon was not ready within {} and was stopped; see `{log}`", format_duration(*.within))]
    NotReady {
        /// How long was waited.
        within: Duration,
        /// The daemon's log.
        log: PathBuf,
    },
}

fn of_pid(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

impl Error {
    /// Returns what sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::AlreadyRunning { .. } | Self::InTheWay { .. } => ErrorKind::Conflict,
            Self::Place(error) => error.kind(),
            Self::Lock { source, .. } | Self::Listen { source, .. } | Self::Write { source, .. } => of_io(source),
            Self::System { .. } | Self::Daemonize(_) => ErrorKind::Exhausted,
            Self::Threads { .. } => ErrorKind::Internal,
            Self::NotStarted { .. } | Self::NotReady { .. } => ErrorKind::Unavailable,
        }
    }

    /// Returns the exit code of a process whose main purpose was to be the guardian: 78 where starting it again would
    /// not help, 70 where it may.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::AlreadyRunning { .. } | Self::InTheWay { .. } | Self::Place(_) => EXIT_GAVE_UP,
            _ => EXIT_FAULT,
        }
    }
}

fn of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory => ErrorKind::Exhausted,
        _ => ErrorKind::Internal,
    }
}
