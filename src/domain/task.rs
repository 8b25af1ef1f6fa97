//! Tasks: what is asked ([`TaskSpec`]), and how it stands ([`Task`], [`State`]).

use std::sync::Arc;
use std::time::Duration;

use crate::domain::attempt::Attempt;
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::outcome::{ExitStatus, ReasonCode};
use crate::domain::progress::Progress;
use crate::domain::time::Timestamp;

mod bulk;
mod confinement;
mod spec;
mod state;

pub use bulk::{BULK_MAX, BulkTask};
pub use confinement::{CPU_MILLIS_MAX, CPU_MILLIS_MIN, CPUS_MAX, Confinement, CpuSet, MEMORY_MIN, Rlimit};
pub use spec::{
    Backoff, DEFAULT_QUEUE, Environment, InvalidSpec, Limit, NAME_BYTES_MAX, OnInterrupt, Resource, RetryPolicy, Stdin,
    TaskSpec, check_key, check_label_key, check_name,
};
pub use state::State;

#[cfg(test)]
mod tests;

/// A task as it is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Made by the client.
    pub uuid: TaskUuid,
    /// What is to be done.
    pub spec: TaskSpec,
    /// The environment to run it in.
    pub env: Environment,
    /// Not eligible until it is released.
    pub hold: bool,
    /// The task inside which it was added.
    pub parent: Option<TaskId>,
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number in the project.
    pub id: TaskId,
    /// The client's name for it.
    pub uuid: TaskUuid,
    /// What is to be done.
    pub spec: TaskSpec,
    /// Names of the variables in its environment.
    pub env_names: Arc<[String]>,
    /// Where it stands.
    pub state: State,
    /// Why, for programs.
    pub reason_code: Option<ReasonCode>,
    /// Why, for people.
    pub reason: Option<String>,
    /// Place among tasks of the same priority; lower first.
    pub position: i64,
    /// The task inside which it was added.
    pub parent: Option<TaskId>,
    /// The schedule that it is a task of.
    pub schedule: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
    /// How often it was executed.
    pub attempt: u32,
    /// How many of those count against `max_attempts`.
    pub failures: u32,
    /// Lowest number in its queue that was free when it was claimed.
    pub slot: Option<u32>,
    /// When somebody asked for it to be cancelled.
    pub cancel_requested_at: Option<Timestamp>,
    /// When its current or last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How its last attempt ended.
    pub exit: Option<ExitStatus>,
    /// What it said last of how far it is; see [`Task::progress`].
    pub told: Option<Progress>,
    /// How long it takes as a whole, as earlier runs of its name went; known of one that has a process and was looked at.
    pub expected: Option<Duration>,
    /// How much longer it runs, as of when it was looked at.
    pub time_left: Option<Duration>,
    /// Its executions, oldest first. Empty in lists.
    pub attempts: Vec<Attempt>,
}

impl Task {
    /// Returns where it waits when neither other tasks nor people keep it back: until its time has come, as one that is
    /// tried again or as one that has not run yet; then for a slot.
    pub fn state_ready(&self, now: Timestamp) -> State {
        match self.spec.run_at {
            Some(at) if at > now && self.failures > 0 => State::Retrying,
            Some(at) if at > now => State::Scheduled,
            _ => State::Queued,
        }
    }

    /// Returns the command as a person would type it; for display only.
    pub fn command_line(&self) -> String {
        self.spec.command_line()
    }
}

impl TaskSpec {
    /// Returns the command as a person would type it; for display only.
    pub fn command_line(&self) -> String {
        if self.shell {
            return self.argv.first().map(|line| line.to_string_lossy().into_owned()).unwrap_or_default();
        }
        let words: Vec<String> = self.argv.iter().map(|word| quote(&word.to_string_lossy())).collect();
        words.join(" ")
    }
}

/// Returns `word` as a POSIX shell would need it written: as it is if it holds only plain characters, else in single
/// quotes.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
