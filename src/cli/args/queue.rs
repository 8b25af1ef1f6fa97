//! What can be typed after `queue`.

use clap::Args;

use crate::cli::args::value;
use crate::domain::time::Timestamp;

/// Lists queues.
///
/// How many slots each has, how many of its tasks run, are ready, and wait for something else.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct List {}

/// Makes a queue.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex queue add gpu --slots 2\n  apex add -Q gpu -- ./train.sh")]
pub struct Add {
    /// The queue's name
    #[arg(value_name = "NAME", value_parser = value::queue)]
    pub name: String,
    /// How many of its tasks may run at once; 0 leaves that to the daemon's limit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub slots: u32,
}

/// Gives a queue another number of slots.
///
/// What runs goes on, also where it is more than that.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex queue set gpu --slots 4")]
pub struct Set {
    /// The queue's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How many of its tasks may run at once; 0 leaves that to the daemon's limit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub slots: u32,
}

/// Starts nothing of queues any more.
///
/// What runs goes on, and what is added waits. A queue that is paused already gets the new reason and end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex queue pause gpu --reason 'new driver' --wait
  apex queue pause default --until 'tomorrow 9am'")]
pub struct Pause {
    /// The queues' names
    #[arg(value_name = "NAME", required = true, value_delimiter = ',')]
    pub names: Vec<String>,
    /// Stay until nothing of them runs
    #[arg(long)]
    pub wait: bool,
    /// Why, for people
    #[arg(long)]
    pub reason: Option<String>,
    /// Go on by itself then: `in 10m`, `17:30`, `tomorrow 9am`, `2026-01-15T10:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = value::future)]
    pub until: Option<Timestamp>,
}

/// Lets tasks of paused queues be started again.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex queue resume gpu")]
pub struct Resume {
    /// The queues' names
    #[arg(value_name = "NAME", required = true, value_delimiter = ',')]
    pub names: Vec<String>,
}

/// Removes queues.
///
/// Refused for the default one, and while a task of theirs has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex queue rm gpu")]
pub struct Remove {
    /// The queues' names
    #[arg(value_name = "NAME", required = true, value_delimiter = ',')]
    pub names: Vec<String>,
}
