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
    /// Its share where queues take turns; 0 is none of its own
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub weight: u32,
}

/// Gives a queue another number of slots, or another weight.
///
/// What runs goes on, also where it is more than that. As soon as any queue has a weight, those that have tasks of the same
/// priority take turns, each as often as its weight says (1 where there is none); else the order is that of the tasks.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(
    after_help = "Examples:\n  apex queue set gpu --slots 4\n  apex queue set nightly --weight 1\n  apex queue set urgent --weight 3",
    group = clap::ArgGroup::new("what").required(true).multiple(true)
)]
pub struct Set {
    /// The queue's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How many of its tasks may run at once; 0 leaves that to the daemon's limit
    #[arg(long, value_name = "N", group = "what", value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub slots: Option<u32>,
    /// Its share where queues take turns; 0 is none of its own
    #[arg(long, value_name = "N", group = "what", value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub weight: Option<u32>,
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
