//! How a daemon stands, as it tells it itself.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::query::Counts;
use crate::domain::time::Timestamp;

/// A running daemon's account of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonStatus {
    /// apexd's pid.
    pub pid: u32,
    /// The guardian's pid, which is the one in `daemon.pid`.
    pub guardian_pid: u32,
    /// How often apexd was started again.
    pub restarts: u32,
    /// Version of apexd.
    pub version: String,
    /// When the guardian started.
    pub started_at: Timestamp,
    /// How long ago that is.
    pub uptime: Duration,
    /// The project's root directory.
    pub project: PathBuf,
    /// How many tasks may run at once.
    pub max_concurrent: u32,
    /// How many tasks hold a slot now.
    pub active: u32,
    /// All counts from the store.
    pub counts: Counts,
    /// When ready tasks were last looked for.
    pub last_poll_at: Option<Timestamp>,
    /// It takes no new work and is about to end.
    pub draining: bool,
}
