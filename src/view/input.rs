//! What a running task was sent.

use serde::Serialize;

use crate::domain::id::TaskId;

/// The answer of `task send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentView {
    id: u64,
    bytes: u64,
    eof: bool,
}

impl SentView {
    /// Returns the view of `bytes` bytes that task `id` has taken, and of the end of its input.
    pub fn of(id: TaskId, bytes: u64, eof: bool) -> Self {
        Self { id: id.get(), bytes, eof }
    }
}
