//! Hooks: commands that are run when something has happened, and what counts as something.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::domain::change::{Change, ChangeKind};
use crate::domain::id::{AttemptNumber, Seq, TaskId};
use crate::domain::queue::Queue;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;

/// How long a hook may take that has no limit of its own.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that one may take.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
/// Longest name of a hook, in bytes.
pub const HOOK_NAME_BYTES_MAX: usize = 64;
/// Longest command of a hook of a task, in bytes.
pub const HOOK_COMMAND_BYTES_MAX: usize = 4_096;

/// What a hook is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// The process of an attempt runs.
    Start,
    /// A task ended with code 0.
    Success,
    /// A task failed for good, ran into its time limit, or nobody knows how it ended.
    Failure,
    /// An attempt failed, and there will be another one.
    Retry,
    /// A task ended, however: one that was cancelled, skipped or cut off as well.
    End,
    /// Nothing of a queue is left that runs or waits.
    QueueEmpty,
}

impl HookEvent {
    /// Every event.
    pub const ALL: [HookEvent; 6] =
        [Self::Start, Self::Success, Self::Failure, Self::Retry, Self::End, Self::QueueEmpty];
    /// Those of a task.
    pub const OF_TASK: [HookEvent; 5] = [Self::Start, Self::Success, Self::Failure, Self::Retry, Self::End];

    /// Returns the word used in the configuration, in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Retry => "retry",
            Self::End => "end",
            Self::QueueEmpty => "queue_empty",
        }
    }

    /// Returns the event for a word; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }

    /// Returns whether a change is one of these.
    pub fn is(self, change: &Change) -> bool {
        self.is_of(change.kind, change.from, change.to)
    }

    /// Returns whether a change of this kind, from and to these states, is one of these.
    pub fn is_of(self, kind: ChangeKind, from: Option<State>, to: Option<State>) -> bool {
        let ended = kind == ChangeKind::Ended;
        let has_ended = |state: Option<State>| state.is_some_and(State::is_ended);
        match self {
            Self::Start => kind == ChangeKind::Started,
            Self::Success => ended && to == Some(State::Succeeded),
            Self::Failure => ended && matches!(to, Some(State::Failed | State::TimedOut | State::Lost)),
            Self::Retry => ended && to == Some(State::Retrying),
            Self::End => has_ended(to) && !has_ended(from),
            Self::QueueEmpty => kind == ChangeKind::QueueEmptied,
        }
    }
}

/// What a hook does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It runs a program with these arguments, as they are.
    Run(Vec<OsString>),
    /// It runs a line for `/bin/sh -c`.
    Line(String),
    /// It shows a notification on the desktop.
    Notify,
}

/// A hook of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What it is known by: under this name is remembered how far it came.
    pub name: String,
    /// For what it is run; at least one.
    pub on: Vec<HookEvent>,
    /// What it does.
    pub deed: Deed,
    /// Only for what happens in these queues; in all if empty.
    pub queues: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

impl Hook {
    /// Returns the first of its events that a change is.
    pub fn event_of(&self, change: &Change) -> Option<HookEvent> {
        self.on.iter().copied().find(|event| event.is(change))
    }

    /// Returns whether it is for what happens in a queue; one that is not known is none of those it names.
    pub fn is_for(&self, queue: Option<&str>) -> bool {
        self.queues.is_empty() || queue.is_some_and(|queue| self.queues.iter().any(|known| known == queue))
    }
}

/// The hooks of a task: a line for the shell for each event.
pub type TaskHooks = BTreeMap<HookEvent, String>;

/// Why something cannot be a hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHook {
    /// Its name cannot be one.
    #[error("hook name `{0}` needs 1 to 64 bytes of letters, digits, `.`, `_` and `-`, and no `-` at its beginning")]
    Name(String),
    /// There is no such event.
    #[error("`{0}` is no event of a task; those are start, success, failure, retry, end")]
    Event(String),
    /// It has no name.
    #[error("a hook needs a name, as in `name = \"tell\"`")]
    Nameless,
    /// There are two of a name.
    #[error("there are two hooks `{0}` in this file")]
    Twice(String),
    /// It is for nothing.
    #[error("a hook needs at least one event, as in `on = [\"failure\"]`")]
    Never,
    /// It does nothing.
    #[error("a hook needs something to run, as in `command = [\"./tell.sh\"]`, or `notify = true`")]
    Nothing,
    /// It does two things.
    #[error("a hook runs a `command` or says `notify = true`, not both")]
    Both,
    /// There is nothing to run, or too much.
    #[error("the command of a hook needs 1 to {HOOK_COMMAND_BYTES_MAX} bytes, without NUL")]
    Command,
}

/// Checks the name of a hook.
pub fn check_hook_name(name: &str) -> Result<(), InvalidHook> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let good =
        !name.is_empty() && name.len() <= HOOK_NAME_BYTES_MAX && name.chars().all(fits) && !name.starts_with('-');
    if good { Ok(()) } else { Err(InvalidHook::Name(name.to_owned())) }
}

/// Checks the hooks of a task.
pub fn check_task_hooks(hooks: &TaskHooks) -> Result<(), InvalidHook> {
    for (event, command) in hooks {
        if !HookEvent::OF_TASK.contains(event) {
            return Err(InvalidHook::Event(event.as_str().to_owned()));
        }
        if command.trim().is_empty() || command.len() > HOOK_COMMAND_BYTES_MAX || command.contains('\0') {
            return Err(InvalidHook::Command);
        }
    }
    Ok(())
}

/// Something that has happened and that a hook is run for.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// What the hook is known by; `*task` for one of the task itself, which is no name that another one can have.
    pub hook: String,
    /// As what it counts.
    pub event: HookEvent,
    /// What has happened.
    pub change: Change,
    /// The task that it happened to, as it stands when the hook is run; `None` if it is gone, or there is none.
    pub task: Option<Task>,
    /// The queue that it happened to; of a task, its queue by name alone.
    pub queue: Option<Queue>,
}

/// That a hook was run, or that there was nothing to run it for, up to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRan {
    /// Which one, by the name in the store.
    pub hook: String,
    /// Up to which change all were.
    pub until: Seq,
    /// One after that for which it was run as well, while one before it runs still.
    pub ahead: Option<Seq>,
    /// What came of running it for the last one; `None` if there was nothing to run.
    pub run: Option<Result<(), HookFailed>>,
    /// When.
    pub now: Timestamp,
}

/// What went wrong with a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFailed {
    /// The task that it was run for.
    pub task: Option<TaskId>,
    /// The queue that it was run for, if it was none of a task.
    pub queue: Option<String>,
    /// The attempt that it was about.
    pub attempt: Option<AttemptNumber>,
    /// In words, for people.
    pub reason: String,
}

/// Under this name is remembered how far the hooks of tasks came. No hook of the configuration can have it.
pub const OF_TASKS: &str = "*tasks";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    fn change(kind: ChangeKind, from: Option<State>, to: Option<State>) -> Change {
        Change { kind, from, to, ..samples::started() }
    }

    fn events(kind: ChangeKind, from: Option<State>, to: Option<State>) -> Vec<&'static str> {
        let change = change(kind, from, to);
        HookEvent::ALL.into_iter().filter(|event| event.is(&change)).map(HookEvent::as_str).collect()
    }

    #[test]
    fn every_end_is_one_and_no_other_change_is() {
        use ChangeKind as Kind;
        let running = Some(State::Running);
        assert_eq!(events(Kind::Started, Some(State::Starting), running), ["start"]);
        for (to, expected) in [
            (State::Succeeded, &["success", "end"][..]),
            (State::Failed, &["failure", "end"]),
            (State::TimedOut, &["failure", "end"]),
            (State::Lost, &["failure", "end"]),
            (State::Cancelled, &["end"]),
            (State::Interrupted, &["end"]),
            (State::Retrying, &["retry"]),
            (State::Queued, &[]),
        ] {
            assert_eq!(events(Kind::Ended, running, Some(to)), expected, "{to:?}");
        }
        assert_eq!(events(Kind::Cancelled, Some(State::Held), Some(State::Cancelled)), ["end"]);
        assert_eq!(events(Kind::Skipped, Some(State::Blocked), Some(State::Skipped)), ["end"]);
        assert_eq!(events(Kind::Added, None, Some(State::Skipped)), ["end"]);
        assert_eq!(events(Kind::QueueEmptied, None, None), ["queue_empty"]);
        let failed = Some(State::Failed);
        for (kind, to) in [(Kind::Hashed, failed), (Kind::HookFailed, failed), (Kind::Removed, None)] {
            assert_eq!(events(kind, failed, to), [""; 0], "{kind:?}");
        }
        assert_eq!(events(Kind::HookFailed, running, running), [""; 0], "it calls for no hook of its own");
    }

    #[test]
    fn a_hook_is_for_its_queues_or_for_all() {
        let mut hook = Hook {
            name: "tell".to_owned(),
            on: vec![HookEvent::Failure, HookEvent::End],
            deed: Deed::Notify,
            queues: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
        };
        assert!(hook.is_for(Some("gpu")) && hook.is_for(None));
        hook.queues = vec!["gpu".to_owned()];
        assert!(hook.is_for(Some("gpu")) && !hook.is_for(Some("cpu")) && !hook.is_for(None));
        let failed = change(ChangeKind::Ended, Some(State::Running), Some(State::Failed));
        assert_eq!(hook.event_of(&failed), Some(HookEvent::Failure), "once, however many of its events it is");
        assert_eq!(hook.event_of(&samples::started()), None);
    }

    #[test]
    fn names_and_commands_are_checked() {
        for good in ["tell", "a.b_c-1"] {
            assert_eq!(check_hook_name(good), Ok(()));
        }
        for wrong in ["", "-x", "a b", "*tasks", &"x".repeat(65)] {
            assert_eq!(check_hook_name(wrong), Err(InvalidHook::Name(wrong.to_owned())));
        }
        let of = |event, command: &str| check_task_hooks(&[(event, command.to_owned())].into());
        assert_eq!(of(HookEvent::End, "./tell.sh"), Ok(()));
        assert_eq!(of(HookEvent::End, "  "), Err(InvalidHook::Command));
        assert_eq!(of(HookEvent::QueueEmpty, "x"), Err(InvalidHook::Event("queue_empty".to_owned())));
        for event in HookEvent::ALL {
            assert_eq!(HookEvent::from_word(event.as_str()), Some(event));
        }
    }
}
