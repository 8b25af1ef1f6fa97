//! How tasks went.

use std::time::Duration;

use serde::Serialize;

use crate::domain::stats::{By, Group, Spread, Tally};

/// How some tasks went, as programs see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatsView {
    by: Option<&'static str>,
    key: Option<String>,
    count: u64,
    succeeded: u64,
    failed: u64,
    success_rate: Option<f64>,
    waiting_p50_ms: Option<u64>,
    waiting_p95_ms: Option<u64>,
    running_p50_ms: Option<u64>,
    running_p95_ms: Option<u64>,
}

impl StatsView {
    /// Returns the view of a group. `success_rate` is from 0 to 1.
    pub fn of(by: &By, group: &Group) -> Self {
        let Tally { count, succeeded, failed, .. } = group.tally;
        let ms = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let percentile = |spread: &Spread, percent| spread.percentile(percent).map(ms);
        Self {
            by: match by {
                By::All => None,
                By::Name => Some("name"),
                By::Queue => Some("queue"),
                By::Schedule => Some("schedule"),
                By::Label(_) => Some("label"),
            },
            key: group.key.clone(),
            count,
            succeeded,
            failed,
            success_rate: group.tally.success_rate(),
            waiting_p50_ms: percentile(&group.tally.waiting, 50),
            waiting_p95_ms: percentile(&group.tally.waiting, 95),
            running_p50_ms: percentile(&group.tally.running, 50),
            running_p95_ms: percentile(&group.tally.running, 95),
        }
    }

    /// Returns the view of no tasks.
    pub fn empty(by: &By) -> Self {
        Self::of(by, &Group { key: None, tally: Tally::default() })
    }
}
