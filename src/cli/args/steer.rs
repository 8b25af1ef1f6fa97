//! What can be typed after `task` to steer tasks that are there.

use clap::Args;

use crate::cli::args::which::Which;
use crate::domain::id::TaskId;
use crate::domain::selection::{RETRIED, Selection};

/// Keeps waiting tasks back until they are released.
///
/// Tasks can be chosen as with `apex task cancel`: of these, those that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task hold 12\n  apex task hold 12-15\n  apex task hold --queue slow")]
pub struct Hold {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
}

/// Stops all processes in the sessions of running tasks.
///
/// They keep their slots, and their time limits stand still until `apex task resume`. What has made a session of its own, as
/// with `setsid`, goes on. Tasks can be chosen as with `apex task cancel`: of these, those that run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task pause 12\n  apex task pause 12-15\n  apex task pause --queue slow")]
pub struct Pause {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
}

/// Lets the processes of paused tasks go on.
///
/// Tasks can be chosen as with `apex task cancel`: of these, those that are paused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task resume 12\n  apex task resume 12-15\n  apex task resume --queue slow")]
pub struct Resume {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
}

/// Runs tasks again that have ended.
///
/// They keep their numbers, and their failures are counted afresh. What was skipped because of them waits again. Tasks can be
/// chosen as with `apex task cancel`: of these, those that failed, timed out, were lost or interrupted, unless --state says others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task retry 12
  apex task retry --failed
  apex task retry --queue slow --state cancelled")]
pub struct Retry {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
    /// All that failed, timed out, were lost or interrupted
    #[arg(long, conflicts_with_all = ["ids", "states"])]
    pub failed: bool,
}

impl Retry {
    /// Returns what is meant; `None` if that is all that failed.
    pub fn selection(&self) -> Option<Selection> {
        let mut selection = self.which.selection();
        if self.failed {
            if !selection.has_conditions() {
                return None;
            }
            selection.states = RETRIED.to_vec();
        }
        Some(selection)
    }
}

/// Removes tasks that have ended, with all they wrote.
///
/// Refused while something that waits depends on them. Tasks can be chosen as with `apex task cancel`: of these, those that have
/// ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task rm 12\n  apex task rm 12-15\n  apex task rm --label batch=7")]
pub struct Remove {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
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
