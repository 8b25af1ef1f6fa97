//! What can be typed after `daemon`.

use std::time::Duration;

use clap::Args;

use crate::cli::args::value;
use crate::config::Level;
use crate::domain::time::Timestamp;

/// Settings of the daemon that hold until it is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Overrides {
    /// How many tasks may run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_concurrent: Option<u32>,
    /// How often to look for ready tasks when nothing else happens
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub poll_interval: Option<Duration>,
}

/// Starts the daemon in the background.
///
/// Returns when the daemon answers. Where one runs already this says so and is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex daemon start\n  apex daemon start --max-concurrent 8")]
pub struct Start {
    /// Settings that hold until it is stopped.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// Runs the daemon in the foreground, for systemd and launchd.
///
/// Ends when it is told to by SIGTERM or `apex daemon stop`. Where one runs already this exits with 78.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Run {
    /// Settings that hold until it is stopped.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// Stops the daemon when its running tasks have ended.
///
/// No further task is started. Running tasks get the grace period, then SIGTERM, and `kill_grace` later SIGKILL.
/// Returns when all of it is gone. A second Ctrl-C stops the waiting, not the daemon's end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex daemon stop\n  apex daemon stop --grace 5m\n  apex daemon stop --force")]
pub struct Stop {
    /// How long running tasks may go on
    #[arg(long, value_name = "DURATION", value_parser = value::duration, conflicts_with = "force")]
    pub grace: Option<Duration>,
    /// Do not wait for running tasks
    #[arg(long)]
    pub force: bool,
}

/// Replaces the daemon by this program while running tasks go on.
///
/// Where none runs, one is started.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Restart {}

/// Lets the daemon read its configuration again.
///
/// Tells what has changed, and what of it needs `apex daemon restart`. A configuration that is wrong changes nothing, and
/// this exits with 1. Flags and environment of the daemon's start hold on. SIGHUP to the daemon does the same.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Reload {}

/// Tells how the daemon stands.
///
/// Exits with 0 if it runs and with 3 if it does not. Never starts it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Status {}

/// Installs the daemon of this project as a service of this user.
///
/// Writes a systemd user unit (on macOS a launchd agent) that runs this very program. Starts nothing unless told to.
/// Installing again brings the unit up to date.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex daemon install --enable --now\n  apex -C ~/src/website daemon install")]
pub struct Install {
    /// Start the daemon at login from now on
    #[arg(long)]
    pub enable: bool,
    /// Start the daemon now, as this service
    #[arg(long)]
    pub now: bool,
}

/// Removes what `daemon install` wrote.
///
/// The daemon is not started at login any more. One that runs goes on until it is stopped, and its tasks with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Uninstall {}

/// Prints the daemon's own log.
///
/// Reads the files, across rotations, whether a daemon runs or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(
    after_help = "Examples:\n  apex daemon logs -n 50\n  apex daemon logs -f --level warn\n  apex daemon logs --since '10m ago'"
)]
pub struct Logs {
    /// Go on with what is written later, also by the next daemon
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<u64>,
    /// Only lines since then: `10m ago`, `17:30`, `yesterday 9am`, `2026-01-15T10:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = value::past)]
    pub since: Option<Timestamp>,
    /// Only lines of this level and of more severe ones: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", value_parser = value::level)]
    pub level: Option<Level>,
}

/// Prints what is measured, as Prometheus reads it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex daemon metrics > /var/lib/node_exporter/apex.prom")]
pub struct Metrics {}
