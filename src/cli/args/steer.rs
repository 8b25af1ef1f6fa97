//! What can be typed after `task` to steer tasks that are there.

use clap::Args;

use crate::domain::id::TaskId;

/// Keeps waiting tasks back until they are released.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task hold 12\n  apex task hold 12 13")]
pub struct Hold {
    /// The tasks' numbers
    #[arg(value_name = "ID", required = true, value_delimiter = ',')]
    pub ids: Vec<TaskId>,
}

/// Stops all processes in the sessions of running tasks.
///
/// They keep their slots, and their time limits stand still until `apex task resume`. What has made a session of its own, as
/// with `setsid`, goes on.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task pause 12\n  apex task pause 12 13")]
pub struct Pause {
    /// The tasks' numbers
    #[arg(value_name = "ID", required = true, value_delimiter = ',')]
    pub ids: Vec<TaskId>,
}

/// Lets the processes of paused tasks go on.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task resume 12\n  apex task resume 12 13")]
pub struct Resume {
    /// The tasks' numbers
    #[arg(value_name = "ID", required = true, value_delimiter = ',')]
    pub ids: Vec<TaskId>,
}

/// Runs tasks again that have ended.
///
/// They keep their numbers, and their failures are counted afresh. What was skipped because of them waits again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task retry 12\n  apex task retry --failed")]
pub struct Retry {
    /// The tasks' numbers
    #[arg(value_name = "ID", required_unless_present = "failed", value_delimiter = ',')]
    pub ids: Vec<TaskId>,
    /// All that failed, timed out, were lost or interrupted
    #[arg(long, conflicts_with = "ids")]
    pub failed: bool,
}

/// Removes tasks that have ended, with all they wrote.
///
/// Refused while something that waits depends on them.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task rm 12\n  apex task rm 12 13")]
pub struct Remove {
    /// The tasks' numbers
    #[arg(value_name = "ID", required = true, value_delimiter = ',')]
    pub ids: Vec<TaskId>,
}

/// Says what a task waits for.
///
/// One sentence; of a task that does not wait, how it stands or ended.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task why 12")]
pub struct Why {
    /// The task's number
    #[arg(value_name = "ID")]
    pub id: TaskId,
}
