//! What a store promises about hooks.

use std::collections::{BTreeMap, BTreeSet};

pub use crate::domain::hook::{HookFailed, HookRan};
use crate::domain::id::{Seq, TaskId};
use crate::store::Reply;

/// What a store does for hooks: it remembers how far each came.
pub trait HookStore {
    /// Returns how far each hook came.
    fn hook_cursors(&self) -> Reply<'_, BTreeMap<String, Seq>>;

    /// Returns the changes after the cursor of the hooks of tasks for which those have run, while one before is under way.
    fn hooks_ahead(&self) -> Reply<'_, BTreeSet<Seq>>;

    /// Returns those of some tasks that hooks of their own are still to be run for.
    fn hooks_to_come(&self, ids: Vec<TaskId>) -> Reply<'_, Vec<TaskId>>;

    /// Takes note of which hooks there are from now on, by name, and which of them are told when a queue is empty: that is recorded only
    /// if one is. One that is new begins after the last change; what is remembered of others is forgotten. Those of tasks
    /// ([`crate::domain::hook::OF_TASKS`]) are there as long as a task or a schedule has some. Returns how far each came.
    fn set_hooks(&self, hooks: Vec<(String, bool)>) -> Reply<'_, BTreeMap<String, Seq>>;

    /// Moves a hook on, and tells what went wrong with it, in one transaction. Nothing is done for one that is not there any more.
    fn hook_ran(&self, ran: HookRan) -> Reply<'_, ()>;
}
