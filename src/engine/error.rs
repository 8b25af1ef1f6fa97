//! What can go wrong with what was asked of the engine.

use std::io;
use std::path::PathBuf;

use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::outcome::SignalName;
use crate::domain::query::Refused;
use crate::domain::task::{InvalidSpec, State, Task};
use crate::output;
use crate::store;

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The task makes no sense.
    #[error(transparent)]
    Spec(#[from] InvalidSpec),
    /// The data model has it, but nothing acts on it yet: taken, the task would wait for ever.
    #[error("this daemon cannot run tasks with {0} yet")]
    NotYet(&'static str),
    /// There is no such task.
    #[error("no task `{0}`")]
    NoSuchTask(TaskId),
    /// No work is taken any more.
    #[error("the daemon is draining")]
    Draining,
    /// The daemon ended before it could answer.
    #[error("the daemon was stopped")]
    Stopped,
    /// A task that has ended cannot be cancelled.
    #[error("cannot cancel task `{}`: it has already ended as `{}`", .0.id, .0.state.shown().as_str())]
    AlreadyEnded(Box<Task>),
    /// Only held tasks can be released.
    #[error("cannot release task `{}`: it is `{}`, not `held`", .0.id, .0.state.shown().as_str())]
    NotHeld(Box<Task>),
    /// Only a process can be signalled.
    #[error("cannot send {} to task `{id}`: it is `{}` and has no process", SignalName(*.signal), .state.shown().as_str())]
    NoProcess {
        /// Which task.
        id: TaskId,
        /// The signal's number.
        signal: i32,
        /// Where the task stands.
        state: State,
    },
    /// The operating system refused a signal.
    #[error("cannot send {} to task `{id}`", SignalName(*.signal))]
    Signal {
        /// Which task.
        id: TaskId,
        /// The signal's number.
        signal: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The binary that is to take over does not work.
    #[error("`{}` cannot take over: {reason}", .binary.display())]
    Binary {
        /// Its path.
        binary: PathBuf,
        /// What it did, or did not do.
        reason: String,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The files could not be read or written.
    #[error(transparent)]
    Output(#[from] output::Error),
}

impl Error {
    /// Returns the kind that callers see.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Spec(_) | Self::NotYet(_) | Self::Binary { .. } => ErrorKind::Invalid,
            Self::NoSuchTask(_) => ErrorKind::NotFound,
            Self::Draining | Self::Stopped => ErrorKind::Unavailable,
            Self::AlreadyEnded(_) | Self::NotHeld(_) | Self::NoProcess { .. } => ErrorKind::Conflict,
            Self::Signal { .. } => ErrorKind::Internal,
            Self::Store(error) => error.kind(),
            Self::Output(error) => error.kind(),
        }
    }

    /// Returns the failure as it is told to whoever asked: the causes are part of the message.
    pub fn problem(&self) -> Problem {
        if let Self::NoSuchTask(id) = self {
            return Problem::no_such_task(id);
        }
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        let problem = Problem::new(self.kind(), message);
        match self {
            Self::AlreadyEnded(task) => {
                problem.with_hint(format!("see how it ended with `apex task show {}`", task.id)).with_id(task.id)
            }
            Self::NotHeld(task) => problem.with_id(task.id),
            Self::NoProcess { id, .. } | Self::Signal { id, .. } => problem.with_id(id),
            Self::Draining => problem.with_hint("start it again with `apex daemon start` when it has stopped"),
            _ => problem,
        }
    }

    pub(super) fn cancel_refused(id: TaskId, refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NoSuchTask(id),
            Refused::State(task) => Self::AlreadyEnded(task),
        }
    }

    pub(super) fn release_refused(id: TaskId, refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NoSuchTask(id),
            Refused::State(task) => Self::NotHeld(task),
        }
    }
}
