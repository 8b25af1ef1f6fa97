//! What can go wrong between a client and its daemon.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tonic::{Code, Status};

use crate::domain::error::{ErrorKind, Problem};
use crate::rpc::{convert, socket, status};
use crate::units::format_duration;

/// Why a call came to nothing, or to a refusal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no socket, or nobody listens on it: no daemon runs.
    #[error("the daemon is not running")]
    NotRunning {
        /// Where it would listen.
        socket: PathBuf,
        /// What connect(2) said.
        #[source]
        source: io::Error,
    },
    /// Somebody else's process listens on the socket. Nothing was sent to it.
    #[error("socket `{}` belongs to a process of user {uid}, not of user {expected}", .socket.display())]
    Foreign {
        /// The socket.
        socket: PathBuf,
        /// Whose it is.
        uid: u32,
        /// Whose it should be: the caller's effective user.
        expected: u32,
    },
    /// Something that is no socket stands in its place. It was neither followed nor touched.
    #[error("`{}` is in the way: it is no socket", .socket.display())]
    InTheWay {
        /// Where the daemon would listen.
        socket: PathBuf,
    },
    /// The socket is there and cannot be used.
    #[error("cannot connect to the daemon through `{}`: {source}", .socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing came back in time. What was asked may have been done all the same.
    #[error("the daemon does not answer within {}", format_duration(*.after))]
    NoAnswer {
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection ended before the answer was there. What was asked may have been done all the same.
    #[error("the connection to the daemon broke")]
    Broken {
        /// What the transport said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is not what this version understands.
    #[error("cannot read the daemon's answer: {source}")]
    Answer {
        /// What is wrong with it.
        #[source]
        source: convert::Error,
    },
    /// What was to be sent to the daemon could not be read.
    #[error("cannot read standard input: {source}")]
    Input {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The daemon answered, and the answer is no.
    #[error(transparent)]
    Answered(#[from] Problem),
}

impl Error {
    /// Returns the kind that scripts see.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotRunning { .. } | Self::NoAnswer { .. } | Self::Broken { .. } => ErrorKind::Unavailable,
            Self::Foreign { .. } => ErrorKind::Denied,
            Self::InTheWay { .. } => ErrorKind::Conflict,
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            Self::Connect { .. } => ErrorKind::Unavailable,
            Self::Answer { .. } => ErrorKind::Internal,
            Self::Input { .. } => ErrorKind::Invalid,
            Self::Answered(problem) => problem.kind,
        }
    }

    /// Returns whether a daemon was there and answered. If not, nobody knows what became of the request, and commands
    /// end with exit code 3.
    pub fn answered(&self) -> bool {
        matches!(self, Self::Answered(_) | Self::Answer { .. } | Self::Input { .. })
    }

    /// Returns whether the daemon was stopped while it was listened to: it said so, or takes no connections any more.
    pub fn is_end_of_daemon(&self) -> bool {
        match self {
            Self::Answered(problem) => problem.kind == ErrorKind::Unavailable,
            Self::NotRunning { .. } => true,
            _ => false,
        }
    }

    /// Returns the failure as it is told to the user.
    pub fn problem(&self) -> Problem {
        let problem = || Problem::new(self.kind(), self.to_string());
        match self {
            Self::NotRunning { .. } => problem().with_hint("start it with `apex daemon start`"),
            Self::Foreign { .. } => {
                problem().with_hint("nothing was sent to it; run apex as the user whom the project belongs to")
            }
            Self::InTheWay { socket } => {
                let path = socket.display();
                problem().with_hint(format!("move it away with `mv '{path}' '{path}.old'`"))
            }
            Self::Connect { .. } => problem().with_hint("see what the daemon says with `apex daemon logs`"),
            Self::NoAnswer { .. } => problem().with_hint(
                "it may be stopped (`kill -CONT` lets it go on) or busy: allow more time with `--deadline`, or see \
                 `apex daemon logs`",
            ),
            Self::Broken { .. } => problem().with_hint("see what happened with `apex daemon logs`, then try again"),
            Self::Answer { .. } => problem().with_hint("use the same version for both: `apex daemon restart`"),
            Self::Input { .. } => problem(),
            Self::Answered(problem) => problem.clone(),
        }
    }

    /// Returns whether coming back may help: the connection broke, and that was not the daemon's answer.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }

    /// Reads what a call ended with. `after` is the deadline that the call had.
    pub(super) fn from_status(status: Status, after: Duration) -> Self {
        if let Some(problem) = status::to_problem(&status) {
            return Self::Answered(problem);
        }
        if let Some(error) = connect_error(&status) {
            return error.into();
        }
        let told = |kind| Self::Answered(Problem::new(kind, status.message().to_lowercase()));
        match status.code() {
            Code::DeadlineExceeded => Self::NoAnswer { after },
            // What tonic makes of a grpc-timeout that is over, on either side.
            Code::Cancelled if status.message() == "Timeout expired" => Self::NoAnswer { after },
            Code::Unimplemented => Self::Answered(
                Problem::new(ErrorKind::Conflict, "the daemon is older than this command and does not know it")
                    .with_hint("replace it by this version with `apex daemon restart`"),
            ),
            Code::InvalidArgument | Code::OutOfRange => told(ErrorKind::Invalid),
            Code::NotFound => told(ErrorKind::NotFound),
            Code::FailedPrecondition | Code::AlreadyExists => told(ErrorKind::Conflict),
            // Said by the transport, which has a cause, and not by a handler.
            Code::ResourceExhausted if std::error::Error::source(&status).is_some() => Self::Answered(
                Problem::new(ErrorKind::Exhausted, "the daemon has as many connections as it may")
                    .with_hint("end some that are kept open, as by `apex logs -f`, then try again"),
            ),
            Code::ResourceExhausted => told(ErrorKind::Exhausted),
            Code::PermissionDenied | Code::Unauthenticated => told(ErrorKind::Denied),
            _ => Self::Broken { source: Box::new(status) },
        }
    }
}

impl From<socket::Error> for Error {
    fn from(error: socket::Error) -> Self {
        match error {
            socket::Error::NobodyThere { socket, source } => Self::NotRunning { socket, source },
            socket::Error::Foreign { socket, uid, expected } => Self::Foreign { socket, uid, expected },
            socket::Error::InTheWay { socket } => Self::InTheWay { socket },
            socket::Error::Connect { socket, source } => Self::Connect { socket, source },
        }
    }
}

impl From<convert::Error> for Error {
    fn from(source: convert::Error) -> Self {
        Self::Answer { source }
    }
}

/// Finds what the connector said among the causes of a status.
fn connect_error(status: &Status) -> Option<socket::Error> {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<socket::Error>() {
            return Some(found.copy());
        }
        cause = error.source();
    }
    None
}
