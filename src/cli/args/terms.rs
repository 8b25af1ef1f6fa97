//! The terms on which a task is run: what it waits for, how often it is tried, how it is ended.

use std::time::Duration;

use clap::Args;

use crate::cli::args::value;
use crate::domain::hook::{HookEvent, TaskHooks};
use crate::domain::id::TaskId;
use crate::domain::resource::Amount;
use crate::domain::task::{Backoff, OnInterrupt};
use crate::domain::time::Timestamp;

/// What a task waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Waits {
    /// The queue to wait in for a slot, instead of `default`
    #[arg(short = 'Q', long, value_name = "QUEUE", value_parser = value::queue)]
    pub queue: Option<String>,
    /// Run it when these tasks have succeeded; if one does not, it is skipped
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub after: Vec<TaskId>,
    /// Run it when these tasks have ended, however
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub after_any: Vec<TaskId>,
    /// Not before then: `17:30`, `tomorrow 9am`, `monday 9am`, `2026-01-15T10:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = value::future, conflicts_with = "delay")]
    pub at: Option<Timestamp>,
    /// Not before this time has passed
    #[arg(id = "delay", long = "in", value_name = "DURATION", value_parser = value::duration)]
    pub delay: Option<Duration>,
    /// Run it only when so much of these resources is free, as in `gpu=1,mem=8GiB`: it has them while it runs
    #[arg(long = "need", value_name = "NAME=AMOUNT", value_delimiter = ',', value_parser = value::need)]
    pub needs: Vec<(String, Amount)>,
    /// Keep it back until `apex task release`
    #[arg(long)]
    pub hold: bool,
}

/// How often a task is tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Tries {
    /// Try it so many times more when it fails or times out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub retries: Option<u32>,
    /// Wait so long before the first further attempt [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub retry_delay: Option<Duration>,
    /// How that grows with each failure: fixed, or exponential, which doubles it, with jitter [default: exponential]
    #[arg(long, value_name = "HOW", value_parser = value::backoff)]
    pub retry_backoff: Option<Backoff>,
    /// Never wait longer than this before a further attempt [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub retry_max_delay: Option<Duration>,
    /// Try only these exit codes again
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(1..=255))]
    pub retry_on: Vec<i32>,
    /// When it was interrupted or lost: stop, or rerun it [default: stop; rerun with retries]
    #[arg(long, value_name = "WHAT", value_parser = value::on_interrupt)]
    pub on_interrupt: Option<OnInterrupt>,
}

/// How a task is ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Limits {
    /// End an attempt that runs longer than this; `0s` for no limit
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub timeout: Option<Duration>,
    /// End an attempt that writes more than this, as in `100MiB`; `0B` for no limit
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    pub output_limit: Option<u64>,
    /// Ask it to end by this signal [default: TERM]
    #[arg(long, value_name = "SIGNAL", value_parser = value::signal)]
    pub kill_signal: Option<i32>,
    /// Kill it when it has not ended so long after that
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub kill_grace: Option<Duration>,
}

/// What is run when something happens to a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Hooks {
    /// Run this line for the shell, with the event as JSON on its input, when that happens: start, success, failure, retry or end
    #[arg(id = "hook", long = "hook", value_name = "EVENT=COMMAND", value_parser = value::hook)]
    pub hooks: Vec<(HookEvent, String)>,
    /// The same as --hook success=COMMAND
    #[arg(long, value_name = "COMMAND")]
    pub on_success: Option<String>,
    /// The same as --hook failure=COMMAND
    #[arg(long, value_name = "COMMAND")]
    pub on_failure: Option<String>,
}

impl Hooks {
    /// Returns what was typed for each event.
    ///
    /// Errors: the event that was named twice.
    pub fn all(&self) -> Result<TaskHooks, HookEvent> {
        let of = |event, line: &Option<String>| line.clone().map(|line| (event, line));
        let short =
            of(HookEvent::Success, &self.on_success).into_iter().chain(of(HookEvent::Failure, &self.on_failure));
        let mut all = TaskHooks::new();
        for (event, line) in self.hooks.iter().cloned().chain(short) {
            if all.insert(event, line).is_some() {
                return Err(event);
            }
        }
        Ok(all)
    }
}
