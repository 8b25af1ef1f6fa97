//! Which tasks are meant: by number, by range, by what they have in common.

use std::str::FromStr;

use crate::domain::condition::Condition;
use crate::domain::id::TaskId;
use crate::domain::query::Cancelled;
use crate::domain::task::State;

/// Numbers of tasks from one to another, both included. Those that there are not are no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The lowest.
    pub first: TaskId,
    /// The highest; not below the lowest.
    pub last: TaskId,
}

impl Span {
    /// All tasks.
    pub fn all() -> Self {
        let bound = |n| TaskId::new(n).expect("within the bounds of ids");
        Self { first: bound(1), last: bound(i64::MAX.unsigned_abs()) }
    }
}

/// What was typed names no tasks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// Neither a number nor two.
    #[error("`{0}` is not a task id (a number from 1), and no range of them")]
    Form(String),
    /// It would be empty.
    #[error("the range `{0}` ends before it begins")]
    Backwards(String),
}

/// Tasks as they are typed: `3`, or `3-7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A single one.
    One(TaskId),
    /// From one to another.
    Range(Span),
}

impl FromStr for Named {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let id = |part: &str| part.parse::<TaskId>().map_err(|_| InvalidSpan::Form(text.to_owned()));
        let Some((first, last)) = text.split_once('-') else { return id(text).map(Self::One) };
        let span = Span { first: id(first)?, last: id(last)? };
        if span.last < span.first {
            return Err(InvalidSpan::Backwards(text.to_owned()));
        }
        Ok(Self::Range(span))
    }
}

/// Which tasks are meant. Without conditions those that are named; with conditions those for which all of them hold, of those
/// named if some are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Named one by one.
    pub ids: Vec<TaskId>,
    /// Named by ranges.
    pub spans: Vec<Span>,
    /// In any of these states; in any state if empty.
    pub states: Vec<State>,
    /// In this queue.
    pub queue: Option<String>,
    /// With all these labels, with the value if one is given.
    pub labels: Vec<(String, Option<String>)>,
    /// With a name that matches this glob.
    pub name: Option<String>,
    /// For which this holds.
    pub condition: Option<Condition>,
}

impl Selection {
    /// Makes the selection of what was named, without conditions.
    pub fn named(named: &[Named]) -> Self {
        let mut selection = Self::default();
        for named in named {
            match named {
                Named::One(id) => selection.ids.push(*id),
                Named::Range(span) => selection.spans.push(*span),
            }
        }
        selection
    }

    /// Returns whether there is more to it than being named.
    pub fn has_conditions(&self) -> bool {
        !self.states.is_empty()
            || self.queue.is_some()
            || !self.labels.is_empty()
            || self.name.is_some()
            || self.condition.is_some()
    }

    /// Returns the ids if all that are meant are named one by one.
    pub fn plain_ids(&self) -> Option<&[TaskId]> {
        (self.spans.is_empty() && !self.has_conditions()).then_some(&self.ids)
    }

    /// Returns the ids that have to be there: those named one by one, ascending, if nothing else is to hold for them.
    pub fn required(&self) -> Vec<TaskId> {
        let mut ids = if self.has_conditions() { Vec::new() } else { self.ids.clone() };
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Returns between which ids to look for the others: ascending, none of them touching another.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans = self.spans.clone();
        if self.has_conditions() {
            spans.extend(self.ids.iter().map(|id| Span { first: *id, last: *id }));
            if spans.is_empty() {
                spans.push(Span::all());
            }
        }
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.first.get() <= last.last.get().saturating_add(1) => {
                    last.last = last.last.max(span.last);
                }
                _ => merged.push(span),
            }
        }
        merged
    }
}

/// What is to be done to the tasks of a selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Cancels them.
    Cancel {
        /// Why, for people.
        reason: Option<String>,
    },
    /// Sends a signal to all their processes.
    Kill {
        /// The signal's number.
        signal: i32,
    },
    /// Lets them go.
    Release,
    /// Keeps them back.
    Hold,
    /// Stops their processes.
    Pause,
    /// Lets their processes go on.
    Resume,
    /// Begins them anew.
    Retry,
    /// Forgets them.
    Remove,
}

impl Deed {
    /// Returns the word for it, as it is typed.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Cancel { .. } => "cancel",
            Self::Kill { .. } => "kill",
            Self::Release => "release",
            Self::Hold => "hold",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Remove => "rm",
        }
    }

    /// Returns whether it is done to tasks in a state that were not named, but chosen by conditions. `chosen` are the states
    /// that were asked for.
    pub fn suits(&self, state: State, chosen: &[State]) -> bool {
        match self {
            Self::Cancel { .. } => !state.is_ended(),
            Self::Kill { .. } => matches!(state, State::Running | State::Paused),
            Self::Release => state == State::Held,
            Self::Hold => state.is_waiting() || state == State::Queued,
            Self::Pause => matches!(state, State::Starting | State::Running),
            Self::Resume => state == State::Paused,
            // Nobody wants all to be done once more that has succeeded, unless it is said.
            Self::Retry if chosen.is_empty() => RETRIED.contains(&state),
            Self::Retry | Self::Remove => state.is_ended(),
        }
    }

    /// Returns whether tasks that were added first come first. What depends on another task was added after it: it is begun
    /// anew after it, and cancelled before it.
    pub fn is_oldest_first(&self) -> bool {
        matches!(self, Self::Retry)
    }
}

/// The states in which tasks ended that are begun anew without being named.
pub const RETRIED: [State; 4] = [State::Failed, State::TimedOut, State::Lost, State::Interrupted];

/// What came of one task: for a cancel how it was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It is done.
    Whole,
    /// It has a process, which was asked to stop.
    Asked,
}

impl From<Cancelled> for Done {
    fn from(cancelled: Cancelled) -> Self {
        match cancelled {
            Cancelled::Ended => Self::Whole,
            Cancelled::Asked(_) => Self::Asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> TaskId {
        TaskId::new(n).unwrap()
    }

    fn span(first: u64, last: u64) -> Span {
        Span { first: id(first), last: id(last) }
    }

    #[test]
    fn a_number_is_one_task_and_two_are_a_range() {
        assert_eq!("3".parse(), Ok(Named::One(id(3))));
        assert_eq!("3-7".parse(), Ok(Named::Range(span(3, 7))));
        assert_eq!("3-3".parse(), Ok(Named::Range(span(3, 3))));
        assert_eq!("1-9223372036854775807".parse(), Ok(Named::Range(Span::all())));
        assert_eq!("7-3".parse::<Named>(), Err(InvalidSpan::Backwards("7-3".to_owned())));
        for wrong in ["", "-", "5-", "-5", "0", "0-4", "4-0", "1-2-3", "a-b", "1 - 2", "1..3", "1-9223372036854775808"]
        {
            assert_eq!(wrong.parse::<Named>(), Err(InvalidSpan::Form(wrong.to_owned())), "{wrong:?}");
        }
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let spans = |spans: &[(u64, u64)]| {
            let spans = spans.iter().map(|(first, last)| span(*first, *last)).collect();
            Selection { spans, ..Selection::default() }.spans()
        };
        assert_eq!(spans(&[(4, 6), (1, 2), (3, 3)]), [span(1, 6)]);
        assert_eq!(spans(&[(1, 9), (2, 3), (11, 12)]), [span(1, 9), span(11, 12)]);
        assert_eq!(spans(&[(1, i64::MAX as u64), (5, 6)]), [Span::all()]);
        assert!(spans(&[]).is_empty());
    }

    #[test]
    fn what_is_named_has_to_be_there_unless_it_is_only_one_of_those_to_choose_from() {
        let mut selection = Selection::named(&["7", "3-4", "7", "2"].map(|text| text.parse().unwrap()));
        assert_eq!(selection.required(), [id(2), id(7)]);
        assert_eq!(selection.spans(), [span(3, 4)]);
        assert_eq!((selection.has_conditions(), selection.plain_ids()), (false, None));
        selection.queue = Some("slow".to_owned());
        assert_eq!(selection.required(), []);
        assert_eq!(selection.spans(), [span(2, 4), span(7, 7)]);
        (selection.ids, selection.spans) = (Vec::new(), Vec::new());
        assert_eq!(selection.spans(), [Span::all()], "all of the queue");
        let plain = Selection::named(&[Named::One(id(7)), Named::One(id(2))]);
        assert_eq!(plain.plain_ids(), Some(&[id(7), id(2)][..]));
    }

    #[test]
    fn deeds_suit_what_they_can_be_done_to() {
        let suits = |deed: &Deed, chosen: &[State]| -> Vec<&str> {
            State::ALL.into_iter().filter(|state| deed.suits(*state, chosen)).map(State::as_str).collect()
        };
        assert_eq!(suits(&Deed::Pause, &[]), ["starting", "running"]);
        assert_eq!(suits(&Deed::Resume, &[]), ["paused"]);
        assert_eq!(suits(&Deed::Release, &[]), ["held"]);
        assert_eq!(suits(&Deed::Kill { signal: 9 }, &[]), ["running", "paused"]);
        assert_eq!(suits(&Deed::Hold, &[]), ["scheduled", "blocked", "held", "queued", "retrying"]);
        let ended = ["succeeded", "failed", "timed_out", "cancelled", "skipped", "interrupted", "lost"];
        assert_eq!(suits(&Deed::Remove, &[]), ended);
        assert_eq!(suits(&Deed::Retry, &[State::Succeeded]), ended, "of these, what was asked for");
        assert_eq!(suits(&Deed::Retry, &[]), ["failed", "timed_out", "interrupted", "lost"]);
        assert_eq!(suits(&Deed::Cancel { reason: None }, &[]).len() + ended.len(), State::ALL.len());
    }
}
