//! What can be typed after `progress`.

use clap::Args;

use crate::cli::args::value;
use crate::domain::id::TaskId;

/// Says how far a task is.
///
/// Typed in a task, it is that task which is told of; elsewhere --task names one. What is left out stays as the same attempt told it
/// before. Prints nothing, unless --json asks for it. It can be called as often as one likes: what comes within half a second of the
/// last is kept for a moment, the newest in the place of the one before, and stored before the task's end is. It never starts a
/// daemon. `apex ls`, `apex task show`, `apex status` and `apex events` show it, with the time that is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex progress 40 --total 200
  apex progress 41 --message 'linking'
  apex progress 62.5%
  apex progress 3/7
  apex progress --done
  apex progress 80% --task 12 --wait")]
pub struct Progress {
    /// How much is done: a number, a percentage like 40%, or 40/200
    #[arg(
        value_name = "DONE",
        value_parser = value::done,
        required_unless_present_any = ["total", "message", "all_done"]
    )]
    pub done: Option<value::Done>,
    /// Of how much
    #[arg(long, value_name = "N")]
    pub total: Option<u64>,
    /// What it is about just now, for people; an empty one takes the one before away
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// All of it is done, however much that is
    #[arg(long = "done", conflicts_with = "done")]
    pub all_done: bool,
    /// Of this task, instead of the one it is typed in
    #[arg(long, value_name = "ID")]
    pub task: Option<TaskId>,
    /// Stay until it, or a newer one, is stored for good
    #[arg(long)]
    pub wait: bool,
}
