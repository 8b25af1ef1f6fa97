//! What went.

use serde::Serialize;

use crate::domain::prune::Pruned;

/// The answer of `task prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PruneView {
    removed: u64,
    needed: u64,
    hooks: u64,
}

impl PruneView {
    /// Returns the view of what came of it.
    pub fn of(pruned: &Pruned) -> Self {
        Self { removed: pruned.removed, needed: pruned.needed, hooks: pruned.hooks }
    }
}
