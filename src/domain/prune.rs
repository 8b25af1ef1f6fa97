//! Forgetting what has ended, as a person asks for it.

use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::domain::time::Timestamp;

/// Which tasks are to be forgotten. All conditions hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prune {
    /// Ended in any of these states; in any if empty.
    pub states: Vec<State>,
    /// Ended at that time or before.
    pub until: Option<Timestamp>,
    /// Of those in the states, not the ones that ended last.
    pub keep: u64,
    /// Only those that ended before that one: where to go on.
    pub below: Option<Ended>,
}

/// When a task ended, and which: what orders those that have.
pub type Ended = (Timestamp, TaskId);

/// What came of it for one page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// So many are gone.
    pub removed: u64,
    /// So many are kept, because something that waits depends on them.
    pub needed: u64,
    /// So many are kept, because hooks of their own have not run yet.
    pub hooks: u64,
    /// There may be more: where to go on.
    pub next: Option<Ended>,
}
