//! A project among all of a user's.

use serde::Serialize;

/// A project as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectView {
    /// Its directory.
    pub project: String,
    /// `running`, `stopped`, `gone` or `unreadable`.
    pub state: &'static str,
    /// Of the guardian.
    pub pid: Option<u32>,
    /// Tasks that hold a slot, or held one when the daemon was last seen.
    pub running: Option<u64>,
    /// Tasks that wait for a slot.
    pub queued: Option<u64>,
    /// Tasks that wait for something else.
    pub waiting: Option<u64>,
    /// Tasks that failed, timed out, were lost or interrupted, and are kept.
    pub failed: Option<u64>,
    /// Why it cannot be read.
    pub reason: Option<String>,
}
