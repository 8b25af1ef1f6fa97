//! Tasks that wait for other tasks.
//!
//! Each thing that a task depends on is an *edge*, and each edge knows how it stands; what becomes of the task follows
//! from its edges alone. A task may only name tasks that were added before it, so nothing ever goes in a circle.

use crate::domain::id::TaskId;
use crate::domain::task::{State, TaskSpec};

/// What a task wants of one that it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// It has succeeded (`after`).
    Success,
    /// It has ended, however (`after_any`).
    End,
}

impl Want {
    /// Both.
    pub const ALL: [Want; 2] = [Self::Success, Self::End];

    /// Returns the word used in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "after",
            Self::End => "after_any",
        }
    }

    /// Returns the want for a word; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|want| want.as_str() == word)
    }

    /// Returns how an edge stands whose task is in `state`.
    pub fn of(self, state: State) -> Edge {
        match (self, state.is_ended()) {
            (_, false) => Edge::Waits,
            (Self::Success, true) if state != State::Succeeded => Edge::Broken,
            (Self::Success | Self::End, true) => Edge::Met,
        }
    }
}

/// How one dependency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edge {
    /// The other task has not ended.
    Waits,
    /// What was wanted has come about.
    Met,
    /// It cannot come about any more, unless the other task is tried again.
    Broken,
}

impl Edge {
    /// All three.
    pub const ALL: [Edge; 3] = [Self::Waits, Self::Met, Self::Broken];

    /// Returns the word used in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Met => "met",
            Self::Broken => "broken",
        }
    }

    /// Returns the edge for a word; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|edge| edge.as_str() == word)
    }
}

/// What a task's dependencies come to, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is left to wait for.
    Ready,
    /// At least one other task has not ended.
    Waits,
    /// At least one will not do what was wanted; this one says which, the first that was named.
    Broken(TaskId),
}

/// Returns what `edges`, in the order in which they were named, come to.
pub fn standing(edges: impl IntoIterator<Item = (TaskId, Edge)>) -> Standing {
    let mut standing = Standing::Ready;
    for (on, edge) in edges {
        match edge {
            Edge::Broken => return Standing::Broken(on),
            Edge::Waits => standing = Standing::Waits,
            Edge::Met => {}
        }
    }
    standing
}

/// Returns what a spec depends on: `after` first, then `after_any`, each in the order in which it was named.
pub fn wants(spec: &TaskSpec) -> impl Iterator<Item = (Want, TaskId)> {
    let of = |want| move |id: &TaskId| (want, *id);
    spec.after.iter().map(of(Want::Success)).chain(spec.after_any.iter().map(of(Want::End)))
}

/// What becomes of a task when a task that it depends on has ended, or begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: it stays as it is.
    Stay,
    /// It waits no longer for others, perhaps for its time.
    Unblock,
    /// It waits again.
    Block,
    /// It ends as skipped, because of this one.
    Skip(TaskId),
}

/// Decides what becomes of a task in `state` whose dependencies come to `standing`.
///
/// Shape: only what waits for others or was skipped is ever moved; what is ready already, runs, or has ended otherwise
/// stays, and so does what a person holds: it is skipped when it is released, for a skip would forget the hold.
pub fn turn(state: State, standing: Standing) -> Turn {
    match (state, standing) {
        (State::Blocked, Standing::Broken(on)) => Turn::Skip(on),
        (State::Blocked | State::Skipped, Standing::Ready) => Turn::Unblock,
        (State::Skipped, Standing::Waits) => Turn::Block,
        _ => Turn::Stay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> TaskId {
        TaskId::new(n).unwrap()
    }

    #[test]
    fn an_edge_follows_the_state_of_the_other_task() {
        for state in State::ALL {
            let expected = match state {
                State::Succeeded => (Edge::Met, Edge::Met),
                state if state.is_ended() => (Edge::Broken, Edge::Met),
                _ => (Edge::Waits, Edge::Waits),
            };
            assert_eq!((Want::Success.of(state), Want::End.of(state)), expected, "{state:?}");
        }
    }

    #[test]
    fn the_first_broken_edge_decides_then_any_that_waits() {
        use Edge::{Broken, Met, Waits};
        assert_eq!(standing([]), Standing::Ready);
        assert_eq!(standing([(id(1), Met), (id(2), Met)]), Standing::Ready);
        assert_eq!(standing([(id(1), Met), (id(2), Waits)]), Standing::Waits);
        assert_eq!(standing([(id(1), Waits), (id(2), Broken), (id(3), Broken)]), Standing::Broken(id(2)));
    }

    #[test]
    fn every_state_and_standing_is_decided_on_purpose() {
        for state in State::ALL {
            let of = |standing| turn(state, standing);
            let got = (of(Standing::Ready), of(Standing::Waits), of(Standing::Broken(id(7))));
            let expected = match state {
                State::Blocked => (Turn::Unblock, Turn::Stay, Turn::Skip(id(7))),
                State::Skipped => (Turn::Unblock, Turn::Block, Turn::Stay),
                _ => (Turn::Stay, Turn::Stay, Turn::Stay),
            };
            assert_eq!(got, expected, "{state:?}");
        }
    }

    #[test]
    fn every_want_and_edge_has_its_own_word() {
        assert!(Want::ALL.into_iter().all(|want| Want::from_word(want.as_str()) == Some(want)));
        assert!(Edge::ALL.into_iter().all(|edge| Edge::from_word(edge.as_str()) == Some(edge)));
        assert_eq!((Want::from_word("before"), Edge::from_word("open")), (None, None));
    }
}
