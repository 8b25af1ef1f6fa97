//! What can be told of a task in one value: what conditions are about, and what lists are put in order by.

use std::cmp::Ordering;
use std::fmt;

use crate::domain::outcome::{ExitStatus, ReasonCode};
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;

/// One thing that is known, or not known, of a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Its number.
    Id,
    /// Where it stands, as people see it.
    State,
    /// The queue it is in.
    Queue,
    /// Its name.
    Name,
    /// The value of its label with this key.
    Label(String),
    /// Its priority.
    Priority,
    /// The code its last attempt ended with.
    ExitCode,
    /// The signal that ended its last attempt.
    Signal,
    /// Why it stands as it does, for programs.
    ReasonCode,
    /// The same, for people.
    Reason,
    /// Its key.
    Key,
    /// The schedule that it is a task of.
    Schedule,
    /// The task that added it.
    Parent,
    /// Its slot.
    Slot,
    /// How often it was executed.
    Attempt,
    /// How many of those count as failures.
    Failures,
    /// When it was added.
    Created,
    /// When anything about it changed last.
    Updated,
    /// Before which time it is not to run.
    Due,
    /// When its current or last attempt started.
    Started,
    /// When it ended.
    Ended,
    /// How long its last attempt took, or has taken so far, in milliseconds.
    Duration,
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Number,
    /// Text.
    Text,
    /// Words for states.
    State,
    /// Numbers of signals.
    Signal,
    /// Milliseconds since 1970.
    Instant,
    /// Milliseconds.
    Length,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Of numbers, signals, instants and lengths of time.
    Number(i64),
    /// Of text and states.
    Text(String),
}

const LABEL: &str = "label.";

impl Field {
    /// Every field but the labels, which are as many as there are keys.
    pub const PLAIN: [Field; 21] = [
        Self::Id,
        Self::State,
        Self::Queue,
        Self::Name,
        Self::Priority,
        Self::ExitCode,
        Self::Signal,
        Self::ReasonCode,
        Self::Reason,
        Self::Key,
        Self::Schedule,
        Self::Parent,
        Self::Slot,
        Self::Attempt,
        Self::Failures,
        Self::Created,
        Self::Updated,
        Self::Due,
        Self::Started,
        Self::Ended,
        Self::Duration,
    ];

    /// Returns the word for the field; of a label that of all labels.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::State => "state",
            Self::Queue => "queue",
            Self::Name => "name",
            Self::Label(_) => "label",
            Self::Priority => "priority",
            Self::ExitCode => "exit_code",
            Self::Signal => "signal",
            Self::ReasonCode => "reason_code",
            Self::Reason => "reason",
            Self::Key => "key",
            Self::Schedule => "schedule",
            Self::Parent => "parent",
            Self::Slot => "slot",
            Self::Attempt => "attempt",
            Self::Failures => "failures",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Due => "due",
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Duration => "duration",
        }
    }

    /// Returns the field for a word; `None` for what is none. `label.KEY` is the label with that key.
    pub fn from_word(word: &str) -> Option<Self> {
        if let Some(key) = word.strip_prefix(LABEL) {
            return (!key.is_empty()).then(|| Self::Label(key.to_owned()));
        }
        Self::PLAIN.into_iter().find(|field| field.word() == word)
    }

    /// Returns what its values are.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Id | Self::Priority | Self::ExitCode | Self::Parent | Self::Slot | Self::Attempt | Self::Failures => {
                Kind::Number
            }
            Self::Signal => Kind::Signal,
            Self::State => Kind::State,
            Self::Queue
            | Self::Name
            | Self::Label(_)
            | Self::ReasonCode
            | Self::Reason
            | Self::Key
            | Self::Schedule => Kind::Text,
            Self::Created | Self::Updated | Self::Due | Self::Started | Self::Ended => Kind::Instant,
            Self::Duration => Kind::Length,
        }
    }

    /// Returns the value for a task; `None` if it has none. What has not ended lasts until `at`.
    pub fn of(&self, task: &Task, at: Timestamp) -> Option<Value> {
        let spec = &task.spec;
        let text = |text: &Option<String>| text.clone().map(Value::Text);
        let instant = |instant: Option<Timestamp>| instant.map(|instant| Value::Number(instant.0));
        let number = |number: u32| Some(Value::Number(number.into()));
        match self {
            Self::Id => Some(Value::Number(task.id.as_i64())),
            Self::State => Some(Value::Text(task.state.shown().as_str().to_owned())),
            Self::Queue => Some(Value::Text(spec.queue.clone())),
            Self::Name => text(&spec.name),
            Self::Label(key) => spec.labels.get(key).cloned().map(Value::Text),
            Self::Priority => Some(Value::Number(spec.priority.into())),
            Self::ExitCode => match task.exit? {
                ExitStatus::Code(code) => Some(Value::Number(code.into())),
                ExitStatus::Signal(_) => None,
            },
            Self::Signal => match task.exit? {
                ExitStatus::Signal(signal) => Some(Value::Number(signal.into())),
                ExitStatus::Code(_) => None,
            },
            Self::ReasonCode => task.reason_code.map(|code: ReasonCode| Value::Text(code.as_str().to_owned())),
            Self::Reason => text(&task.reason),
            Self::Key => text(&spec.key),
            Self::Schedule => text(&task.schedule),
            Self::Parent => task.parent.map(|parent| Value::Number(parent.as_i64())),
            Self::Slot => task.slot.and_then(number),
            Self::Attempt => number(task.attempt),
            Self::Failures => number(task.failures),
            Self::Created => instant(Some(task.created_at)),
            Self::Updated => instant(Some(task.updated_at)),
            Self::Due => instant(spec.run_at),
            Self::Started => instant(task.started_at),
            Self::Ended => instant(task.ended_at),
            Self::Duration => {
                // One that is tried again later is not running now.
                let until = task.ended_at.or_else(|| task.state.is_active().then_some(at))?;
                Some(Value::Number(until.0.saturating_sub(task.started_at?.0).max(0)))
            }
        }
    }

    /// Returns what a task is put in order by: its value, but for states their order and not that of their words.
    fn rank(&self, task: &Task, at: Timestamp) -> Option<Value> {
        match self {
            Self::State => Some(Value::Number(rank(task.state))),
            field => field.of(task, at),
        }
    }
}

/// Returns the place of a state among all that people see.
pub fn rank(state: State) -> i64 {
    let place = State::ALL.into_iter().position(|known| known == state.shown());
    place.and_then(|place| i64::try_from(place).ok()).unwrap_or(i64::MAX)
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(key) => write!(f, "{LABEL}{key}"),
            field => f.write_str(field.word()),
        }
    }
}

/// An order of tasks: by a field, and then by their numbers. What has no value comes last either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: Field,
    /// The greatest first.
    pub descending: bool,
    /// The moment it is asked at: what has not ended lasts until then.
    pub at: Timestamp,
}

impl Sort {
    /// Returns which of two tasks comes first.
    pub fn compare(&self, a: &Task, b: &Task) -> Ordering {
        self.order((self.by.rank(a, self.at), a.id), (self.by.rank(b, self.at), b.id))
    }

    /// Returns which of two comes first, by their values and then by what else tells them apart.
    pub fn order<V: Ord, T: Ord>(&self, a: (Option<V>, T), b: (Option<V>, T)) -> Ordering {
        let turned = |order: Ordering| if self.descending { order.reverse() } else { order };
        match (a.0, b.0) {
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (one, other) => turned(one.cmp(&other).then_with(|| a.1.cmp(&b.1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_known_by_its_word() {
        for field in Field::PLAIN.into_iter().chain([Field::Label("team".to_owned())]) {
            assert_eq!(Field::from_word(&field.to_string()), Some(field));
        }
        for wrong in ["", "label", "label.", "Id", "exit"] {
            assert_eq!(Field::from_word(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_has_no_value_comes_last_either_way() {
        let order = |descending| {
            let sort = Sort { by: Field::Name, descending, at: Timestamp(0) };
            let mut pairs = [(None, 1), (Some("b"), 2), (Some("a"), 3), (Some("b"), 4), (None, 5)];
            pairs.sort_by(|a, b| sort.order(*a, *b));
            pairs.map(|(_, id)| id)
        };
        assert_eq!(order(false), [3, 2, 4, 1, 5]);
        assert_eq!(order(true), [4, 2, 3, 5, 1]);
    }
}
