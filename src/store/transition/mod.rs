//! What a verb makes of a task: plain functions over values, the same for every backend. The backends load, call one of
//! these, and write what came of it.
//!
//! Reading order: `run` (from the add to the end) → `wait` (what waits for time or for others) → `steer` (what people
//! ask for) → `schedule`.

use crate::domain::attempt::{Output, Stream};
use crate::domain::change::{Actor, Change, ChangeKind};
use crate::domain::id::{AttemptNumber, Seq, TaskId};
use crate::domain::progress::Progress;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;

mod edit;
mod hook;
mod place;
mod progress;
mod run;
mod schedule;
mod steer;
#[cfg(test)]
mod table;
mod wait;

pub(super) use edit::edited;
pub(super) use hook::{Came, ToCome, hook_failed};
pub(super) use place::{may_move, moved};
pub(super) use progress::progressed;
pub(super) use run::{Adding, add_note, added, claim, finish, hashed, made, start, unclaim};
pub(super) use schedule::{
    ASIDE, cancel_of, edit_of_schedule, edited_schedule, missed, schedule_note, task_of, waits_for,
};
pub(super) use steer::{cancel, causes_first, hold, in_order_of, pause, release, removed, resume, retry};
pub(super) use wait::{DISTRUSTED, EXPIRE_MAX, FORGET_MAX, SETTLE_MAX, distrust, due, settle, trust};

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Task(TaskId),
    /// A task that is gone with this, and its queue, which nobody could look up any more.
    Removed(TaskId, String),
    Queue(String),
    Schedule(String),
}

/// A change without its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) at: Timestamp,
    pub(super) kind: ChangeKind,
    pub(super) subject: Subject,
    pub(super) attempt: Option<AttemptNumber>,
    pub(super) from: Option<State>,
    pub(super) to: Option<State>,
    pub(super) by: Actor,
    pub(super) reason: Option<String>,
    /// How far an attempt said it is; apart, because almost no change has one.
    pub(super) progress: Option<Box<Progress>>,
}

impl Note {
    /// Makes the note of a change to a task, which was in state `from` and stands as it is now.
    pub(super) fn of(task: &Task, kind: ChangeKind, from: Option<State>, at: Timestamp, by: Actor) -> Self {
        let to = Some(task.state);
        let subject = Subject::Task(task.id);
        Self { at, kind, subject, attempt: None, from, to, by, reason: None, progress: None }
    }

    /// Makes the note of a change to a queue.
    pub(super) fn of_queue(name: &str, kind: ChangeKind, at: Timestamp, by: Actor) -> Self {
        let subject = Subject::Queue(name.to_owned());
        Self { at, kind, subject, attempt: None, from: None, to: None, by, reason: None, progress: None }
    }

    /// Makes the note of a change to a schedule.
    pub(super) fn of_schedule(name: &str, kind: ChangeKind, at: Timestamp, by: Actor) -> Self {
        Self { subject: Subject::Schedule(name.to_owned()), ..Self::of_queue(name, kind, at, by) }
    }

    /// Names the attempt it is about.
    pub(super) fn attempt(self, number: AttemptNumber) -> Self {
        Self { attempt: Some(number), ..self }
    }

    /// Says why.
    pub(super) fn because(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    /// Returns the task that has ended by this.
    pub(super) fn ends(&self) -> Option<TaskId> {
        let was_open = self.from.is_some_and(|from| !from.is_ended());
        match self.subject {
            Subject::Task(id) if was_open && self.to.is_some_and(State::is_ended) => Some(id),
            _ => None,
        }
    }

    pub(super) fn numbered(self, seq: Seq) -> Change {
        let Self { at, kind, subject, attempt, from, to, by, reason, progress } = self;
        let (task, queue, schedule) = match subject {
            Subject::Task(id) => (Some(id), None, None),
            Subject::Removed(id, queue) => (Some(id), Some(queue), None),
            Subject::Queue(name) => (None, Some(name), None),
            Subject::Schedule(name) => (None, None, Some(name)),
        };
        let progress = progress.map(|progress| *progress);
        Change { seq, at, kind, task, queue, schedule, attempt, from, to, by, reason, progress }
    }
}

/// Returns the system's clock; only for verbs that are not told the time.
pub(super) fn system_now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Says how many slots a queue has.
pub(super) fn slots_in_words(slots: u32) -> String {
    match slots {
        0 => "no limit of its own".to_owned(),
        1 => "1 slot".to_owned(),
        n => format!("{n} slots"),
    }
}

/// Says what weight a queue has.
pub(super) fn weight_in_words(weight: Option<u32>) -> String {
    weight.map_or_else(|| "no weight of its own".to_owned(), |weight| format!("weight {weight}"))
}

/// Sorts outputs as [`Stream::ALL`] does; of two for one stream the first stands.
pub(super) fn in_order(mut outputs: Vec<Output>) -> Vec<Output> {
    let place = |output: &Output| Stream::ALL.iter().position(|stream| *stream == output.stream);
    outputs.sort_by_key(place);
    outputs.dedup_by_key(|output| output.stream);
    outputs
}
