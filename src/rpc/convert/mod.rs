//! Between the generated types and the domain: `to_proto` cannot fail, `from_proto` checks.
//!
//! The same functions serve both ends. What comes from a client is checked in the words of the domain, so that a
//! client in another language is told the same as a user of ours; what comes from a daemon is checked because it may be
//! of another version. Values that a later version may have added are left out where that does no harm.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::domain::condition::InvalidCondition;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::{InvalidTaskId, TaskId};
use crate::domain::progress::InvalidProgress;
use crate::domain::schedule::{InvalidCron, InvalidSchedule};
use crate::domain::task::InvalidSpec;

pub(super) mod attempt;
pub(super) mod bulk;
pub(super) mod condition;
pub(super) mod daemon;
pub(super) mod edit;
pub(super) mod event;
pub(super) mod input;
pub(super) mod progress;
pub(super) mod prune;
pub(super) mod query;
pub(super) mod queue;
pub(super) mod schedule;
pub(super) mod selection;
pub(super) mod setting;
pub(super) mod task;
mod window;

#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;

/// Why a message is not what it says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A value of an enum that nobody here knows.
    #[error("`{field}` has the unknown value `{value}`")]
    Unknown {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: i32,
    },
    /// A text that should be a UUID.
    #[error("`{field}` is `{value}`, not a UUID")]
    Uuid {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
    },
    /// A number that should be a signal.
    #[error("`{0}` is not a signal (a number from 1 to 64)")]
    Signal(i32),
    /// A hash of the wrong length.
    #[error("a SHA-256 of {0} bytes, not 32")]
    Hash(usize),
    /// A range of ids that would be empty.
    #[error("the range `{0}-{1}` ends before it begins")]
    Backwards(u64, u64),
    /// A word that should be a field of a task.
    #[error("`{0}` is not a field of a task")]
    Field(String),
    /// The domain does not accept it as a condition.
    #[error(transparent)]
    Condition(#[from] InvalidCondition),
    /// A number that should be a task's.
    #[error(transparent)]
    TaskId(#[from] InvalidTaskId),
    /// The domain does not accept it.
    #[error(transparent)]
    Spec(#[from] InvalidSpec),
    /// The domain does not accept it as a schedule.
    #[error(transparent)]
    Schedule(#[from] InvalidSchedule),
    /// The domain does not accept it as a progress.
    #[error(transparent)]
    Progress(#[from] InvalidProgress),
}

impl From<InvalidCron> for Error {
    fn from(wrong: InvalidCron) -> Self {
        Self::Schedule(wrong.into())
    }
}

impl Error {
    /// Returns the failure as the daemon tells it to whoever sent the message.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(ErrorKind::Invalid, self.to_string());
        match self {
            Self::TaskId(InvalidTaskId(id)) => problem.with_id(id),
            _ => problem,
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, Error>;

pub(super) fn task_id(id: u64) -> Result<TaskId> {
    TaskId::new(id).ok_or_else(|| InvalidTaskId(id.to_string()).into())
}

pub(super) fn task_ids(ids: &[u64]) -> Result<Vec<TaskId>> {
    ids.iter().map(|id| task_id(*id)).collect()
}

pub(super) fn plain_ids(ids: &[TaskId]) -> Vec<u64> {
    ids.iter().map(|id| id.get()).collect()
}

pub(super) fn uuid(field: &'static str, text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::Uuid { field, value: text.to_owned() })
}

pub(super) fn signal(number: i32) -> Result<i32> {
    (1..=64).contains(&number).then_some(number).ok_or(Error::Signal(number))
}

/// Whole milliseconds; what is longer than the field holds, some 600 million years, is cut.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}

fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}
