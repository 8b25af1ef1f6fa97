//! What can be typed to look at how tasks went, and at all projects.

use std::time::Duration;

use clap::Args;

use crate::cli::args::value;
use crate::domain::stats::By;

/// Tells how tasks went: how many, how many of them well, how long they waited and ran.
///
/// Of the tasks that have ended and are still kept. SUCCESS is the part that succeeded of those that did, failed, timed out, were
/// lost or interrupted; what was cancelled or skipped counts in COUNT alone. A task waits from when it was added, or from its time
/// (--at, --in, the delay of a retry) if that came later, until its last attempt starts; it runs until that ends. p50 and p95 are
/// what half of them, and 95 of 100, do not exceed, to within 1.6 %.
///
/// Read from the task store, which needs no daemon and holds none up. A million tasks take some seconds.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex stats
  apex stats --by name --since 7d
  apex stats --by label:team --json")]
pub struct Stats {
    /// By name, queue, schedule or label:KEY
    #[arg(long, value_name = "WHAT", value_parser = value::by, default_value = "all", hide_default_value = true)]
    pub by: By,
    /// Only what ended within this time
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub since: Option<Duration>,
    /// At most so many groups, those with the most tasks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), default_value_t = 50)]
    pub limit: u32,
}

/// Shows what runs.
///
/// In this project, or with --all-projects how many tasks run, wait and have failed in every project of this user. Never starts a
/// daemon. A project whose directory is gone is shown as gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex ps\n  apex ps --all-projects\n  apex ps --all-projects --json")]
pub struct Ps {
    /// Every project of this user
    #[arg(short, long)]
    pub all_projects: bool,
}
