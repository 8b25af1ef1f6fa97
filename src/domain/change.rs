//! Recorded facts: what changed, when, and by whom. The feed of changes is what everything that follows or waits reads.

use std::fmt;

use crate::domain::id::{AttemptNumber, Seq, TaskId};
use crate::domain::progress::Progress;
use crate::domain::task::State;
use crate::domain::time::Timestamp;

/// Who caused a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A command line, by its pid.
    Cli(u32),
    /// A task that called apex.
    Task(TaskId),
    /// A schedule, by its name.
    Schedule(String),
    /// The daemon itself.
    Daemon,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cli(pid) => write!(f, "cli:{pid}"),
            Self::Task(id) => write!(f, "task:{id}"),
            Self::Schedule(name) => write!(f, "schedule:{name}"),
            Self::Daemon => f.write_str("daemon"),
        }
    }
}

impl Actor {
    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "daemon").then_some(Self::Daemon),
            Some(("cli", pid)) => pid.parse().ok().map(Self::Cli),
            Some(("task", id)) => id.parse().ok().map(Self::Task),
            Some(("schedule", name)) => Some(Self::Schedule(name.to_owned())),
            Some(_) => None,
        }
    }
}

/// What sort of change it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A task was added.
    Added,
    /// A held task was let go.
    Released,
    /// A waiting task was kept back.
    Held,
    /// What a task waited for by the clock has come.
    Due,
    /// All that a task waited for has come about.
    Unblocked,
    /// A task that was skipped waits again: what it depends on is tried again.
    Blocked,
    /// Something that a task depends on did not succeed.
    Skipped,
    /// A task was taken by a daemon and got a slot.
    Claimed,
    /// A claim was given back: nothing was started.
    Unclaimed,
    /// Its process runs.
    Started,
    /// Its processes were stopped.
    Paused,
    /// Its processes go on.
    Resumed,
    /// It said how far it is.
    Progressed,
    /// An attempt ended, and with it perhaps the task.
    Ended,
    /// Somebody asked for a running task to be cancelled.
    CancelRequested,
    /// A waiting task was cancelled.
    Cancelled,
    /// A task that had ended begins anew.
    Retried,
    /// A waiting task was put to another place among those of its queue and priority.
    Moved,
    /// What a waiting task is to do, or how, is another thing than before.
    Edited,
    /// A task that had ended was forgotten.
    Removed,
    /// The hash of an output was computed.
    Hashed,
    /// A queue was made.
    QueueAdded,
    /// A queue has another number of slots.
    QueueChanged,
    /// Nothing of a queue is started any more.
    QueuePaused,
    /// Tasks of a queue are started again.
    QueueResumed,
    /// A queue is gone.
    QueueRemoved,
    /// Nothing of a queue is left that runs or waits; recorded only if a hook is for it.
    QueueEmptied,
    /// A schedule was added.
    ScheduleAdded,
    /// A schedule was due and added no task.
    ScheduleSkipped,
    /// A schedule adds nothing any more.
    SchedulePaused,
    /// A schedule adds tasks again.
    ScheduleResumed,
    /// A schedule is due at other times than before, or its tasks do something else.
    ScheduleEdited,
    /// A schedule is gone.
    ScheduleRemoved,
    /// A hook that was run for a task or a queue failed.
    HookFailed,
}

impl ChangeKind {
    /// Every kind.
    pub const ALL: [ChangeKind; 34] = [
        Self::Added,
        Self::Released,
        Self::Held,
        Self::Due,
        Self::Unblocked,
        Self::Blocked,
        Self::Skipped,
        Self::Claimed,
        Self::Unclaimed,
        Self::Started,
        Self::Paused,
        Self::Resumed,
        Self::Progressed,
        Self::Ended,
        Self::CancelRequested,
        Self::Cancelled,
        Self::Retried,
        Self::Moved,
        Self::Edited,
        Self::Removed,
        Self::Hashed,
        Self::QueueAdded,
        Self::QueueChanged,
        Self::QueuePaused,
        Self::QueueResumed,
        Self::QueueRemoved,
        Self::QueueEmptied,
        Self::ScheduleAdded,
        Self::ScheduleSkipped,
        Self::SchedulePaused,
        Self::ScheduleResumed,
        Self::ScheduleEdited,
        Self::ScheduleRemoved,
        Self::HookFailed,
    ];

    /// Returns the word used in JSON, on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "task.added",
            Self::Released => "task.released",
            Self::Held => "task.held",
            Self::Due => "task.due",
            Self::Unblocked => "task.unblocked",
            Self::Blocked => "task.blocked",
            Self::Skipped => "task.skipped",
            Self::Claimed => "task.claimed",
            Self::Unclaimed => "task.unclaimed",
            Self::Started => "task.started",
            Self::Paused => "task.paused",
            Self::Resumed => "task.resumed",
            Self::Progressed => "task.progress",
            Self::Ended => "task.ended",
            Self::CancelRequested => "task.cancel_requested",
            Self::Cancelled => "task.cancelled",
            Self::Retried => "task.retried",
            Self::Moved => "task.moved",
            Self::Edited => "task.edited",
            Self::Removed => "task.removed",
            Self::Hashed => "task.hashed",
            Self::QueueAdded => "queue.added",
            Self::QueueChanged => "queue.changed",
            Self::QueuePaused => "queue.paused",
            Self::QueueResumed => "queue.resumed",
            Self::QueueRemoved => "queue.removed",
            Self::QueueEmptied => "queue.emptied",
            Self::ScheduleAdded => "schedule.added",
            Self::ScheduleSkipped => "schedule.skipped",
            Self::SchedulePaused => "schedule.paused",
            Self::ScheduleResumed => "schedule.resumed",
            Self::ScheduleEdited => "schedule.edited",
            Self::ScheduleRemoved => "schedule.removed",
            Self::HookFailed => "hook.failed",
        }
    }

    /// Returns the kind for a word; `None` for one that a later version may have added.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Part of the feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes, oldest first.
    pub changes: Vec<Change>,
    /// Changes between the cursor and the first of these were forgotten; the number of the last of them.
    pub gap: Option<Seq>,
}

/// One recorded fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// What sort of change.
    pub kind: ChangeKind,
    /// Of which task; `None` if it is about a queue or a schedule.
    pub task: Option<TaskId>,
    /// Of which queue, if it is about one and not about a task; and where a task was that is gone.
    pub queue: Option<String>,
    /// Of which schedule, if it is about one and not about a task.
    pub schedule: Option<String>,
    /// Of which attempt, if it was about one.
    pub attempt: Option<AttemptNumber>,
    /// The state before; `None` for a task that was just added, for queues and for schedules.
    pub from: Option<State>,
    /// The state after; `None` for a task that is gone, for queues and for schedules.
    pub to: Option<State>,
    /// Who caused it.
    pub by: Actor,
    /// Why, for people.
    pub reason: Option<String>,
    /// How far the attempt said it is, if that is what changed.
    pub progress: Option<Progress>,
}

impl Change {
    /// Returns the states before and after as events show them.
    ///
    /// Shape: a task is `queued` until its process runs. So a claim is no move, a start goes from `queued` to `running`,
    /// and each change of a task begins in the state in which the one before it ended.
    pub fn states_shown(&self) -> (Option<State>, Option<State>) {
        let shown = |state| if state == State::Starting { State::Queued } else { state };
        (self.from.map(shown), self.to.map(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_read_as_they_are_written() {
        let actors =
            [Actor::Cli(4711), Actor::Task(TaskId::new(12).unwrap()), Actor::Schedule("a:b".into()), Actor::Daemon];
        for actor in actors {
            assert_eq!(Actor::parse(&actor.to_string()), Some(actor));
        }
        for wrong in ["", "cli", "cli:x", "task:0", "robot:1"] {
            assert_eq!(Actor::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn every_kind_has_its_own_word() {
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeKind::from_word(kind.as_str()), Some(kind));
        }
    }
}
