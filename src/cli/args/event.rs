//! What can be typed after `events`.

use clap::Args;

/// Prints every change of a task, a queue or a schedule, in order.
///
/// From the first one that is kept, or with -f from now on. Every change has a number that never repeats: who goes on
/// with --since from the last one seen misses nothing, or is told of a gap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex events -f\n  apex events --since 1200 --json")]
pub struct Events {
    /// Go on with what happens, until the daemon is stopped
    #[arg(short, long)]
    pub follow: bool,
    /// Only changes after the one of this number
    #[arg(long, value_name = "SEQ")]
    pub since: Option<u64>,
}
