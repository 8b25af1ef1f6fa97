//! How a daemon stands, as it tells it itself.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::id::TaskId;
use crate::domain::query::Counts;
use crate::domain::queue::Queue;
use crate::domain::resource::Resources;
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::domain::window::Standing;

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
    /// How many tasks may run at once, whatever windows say.
    pub max_concurrent: u32,
    /// How many tasks hold a slot now.
    pub active: u32,
    /// All counts from the store.
    pub counts: Counts,
    /// When ready tasks were last looked for.
    pub last_poll_at: Option<Timestamp>,
    /// It takes no new work and is about to end.
    pub draining: bool,
    /// The project came from elsewhere and nobody has accepted it yet: nothing of it is run.
    pub untrusted: bool,
    /// What the machine lacks, because of which nothing is started at the moment.
    pub held_up: Option<String>,
    /// How the resources stand.
    pub resources: Resources,
    /// Tasks that wait for others, and lend their slot and what they were granted meanwhile.
    pub lending: Vec<TaskId>,
    /// Which time windows are open.
    pub windows: Standing,
}

impl DaemonStatus {
    /// Returns how many slots are used: those that are lent are not.
    pub fn used(&self) -> u32 {
        self.active.saturating_sub(u32::try_from(self.lending.len()).unwrap_or(u32::MAX))
    }

    /// Returns how many tasks may run at once now.
    pub fn slots(&self) -> u32 {
        self.windows.max_concurrent(self.max_concurrent)
    }
}

/// What is measured about a daemon and its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// How the daemon stands; `counts.by_state` has every task that is stored.
    pub status: DaemonStatus,
    /// The queues, with how many tasks of each wait.
    pub queues: Vec<Queue>,
    /// How many tasks wait, by queue and state; those that are queued included.
    pub waiting: Vec<(String, State, u64)>,
    /// How long attempts took that ended since apexd started.
    pub run_time: RunTime,
}

/// Upper bounds of the counted lengths of time, in milliseconds; longer ones are counted in the sum alone.
pub const RUN_TIME_BOUNDS_MS: [u64; 12] =
    [10, 100, 1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 43_200_000, 86_400_000];

/// How often something took how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunTime {
    /// How many took at most the bound at the same place of [`RUN_TIME_BOUNDS_MS`], and more than the one before it.
    pub buckets: [u64; RUN_TIME_BOUNDS_MS.len()],
    /// How many there were, longer ones included.
    pub count: u64,
    /// All of them together, in milliseconds.
    pub sum_ms: u64,
}

impl RunTime {
    /// Counts one more.
    pub fn observe(&mut self, length: Duration) {
        let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        if let Some(place) = RUN_TIME_BOUNDS_MS.iter().position(|bound| ms <= *bound) {
            self.buckets[place] += 1;
        }
        self.count += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_is_counted_once_below_its_bound() {
        let mut run_time = RunTime::default();
        for ms in [0, 10, 11, 1_000, 86_400_001] {
            run_time.observe(Duration::from_millis(ms));
        }
        assert_eq!(run_time.buckets, [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((run_time.count, run_time.sum_ms), (5, 86_401_022));
    }
}
