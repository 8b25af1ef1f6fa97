//! What can be typed after `task` to steer tasks that are there.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use crate::cli::args::value;
use crate::cli::args::which::Which;
use crate::cli::keys::{DETACH_KEYS, Keys};
use crate::domain::id::TaskId;
use crate::domain::selection::{RETRIED, Selection};
use crate::domain::task::State;

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

/// Changes what a task is to do that has not started.
///
/// In the editor that VISUAL or EDITOR names, or key by key. The keys are those of the lines of `apex task add --from`: `argv` or
/// `shell`, `cwd`, `name`, `labels`, `queue`, `priority`, `at`, `after`, `after_any`, `retries`, `retry_delay`, `retry_backoff`,
/// `retry_max_delay`, `retry_on`, `on_interrupt`, `timeout`, `output_limit`, `nice`, `cpus`, `rlimits`, `memory`, `cpu_limit`, `kill_signal`,
/// `kill_grace`, `stdin`, `split_output`, `key`, `needs`, `hooks`; with --set and --unset also `labels.NAME`, `needs.NAME`, `hooks.EVENT` and `env.NAME`.
/// Values of the environment are in no file.
/// A task that has started, now or before, is refused, and if anything is wrong nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task edit 12
  apex task edit 12 --set priority=5 --set queue=slow
  apex task edit 12 --set 'argv=[\"cargo\", \"test\"]' --unset timeout
  apex task edit 12 --set env.RUST_LOG=debug --set labels.team=core")]
pub struct Edit {
    /// The task's number
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// Set this, without an editor
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::setting)]
    pub set: Vec<(String, String)>,
    /// Take this away, without an editor
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
}

/// Puts a waiting task to another place.
///
/// Among those that wait in its queue with its priority; the others keep their order, and all keep their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(
    after_help = "Examples:\n  apex task move 12 --top\n  apex task move 12 --before 7",
    group = clap::ArgGroup::new("place").required(true)
)]
pub struct Move {
    /// The task's number
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// In front of all others
    #[arg(long, group = "place")]
    pub top: bool,
    /// In front of this one
    #[arg(long, value_name = "ID", group = "place")]
    pub before: Option<TaskId>,
}

/// Gives a running task something to read.
///
/// For tasks added with `--stdin open`, whose standard input stays open until --eof; each attempt begins with an empty one. To
/// the terminal of a task added with --pty it is as if it was typed, --eof being Ctrl-D. A text is a line: its end is added. With `-` what is read here is sent as it is, byte by byte. What the task does not read
/// waits in its pipe (64 KiB). When that is full this waits for the task, as long as --deadline says, and then tells how much
/// was taken. What a task is to read from its beginning is given with `apex task add --stdin FILE`: before it runs nothing can
/// be sent.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task send 12 yes
  apex task send 12 'print(6 * 7)'
  apex task send 12 --eof
  gzip -dc data.gz | apex task send 12 - --eof")]
pub struct Send {
    /// The task's number
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// A line, or `-` for what is read here
    #[arg(value_name = "TEXT|-")]
    pub text: Option<OsString>,
    /// Then its input ends
    #[arg(long)]
    pub eof: bool,
}

/// Shows the terminal of a task here, and types what is typed here.
///
/// For tasks added with --pty. What is on its screen is drawn, then all goes through as it is, Ctrl-C included. Several may be
/// attached at once; the terminal is as large as that of whoever came or changed its size last. The keys that detach leave the
/// task running, with exit code 75, and so does a terminal that is closed; when the task ends this exits with its code. Keys
/// are `ctrl-x` and single characters, in a row with commas, or `none`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task attach 12
  apex task attach 12 --detach-keys ctrl-p,ctrl-q")]
pub struct Attach {
    /// The task's number
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// What to type to leave it running
    #[arg(long, value_name = "KEYS", default_value = DETACH_KEYS, value_parser = value::keys)]
    pub detach_keys: Keys,
}

/// Removes what has ended, with all it wrote.
///
/// All of it, unless a flag says otherwise; what several flags say holds together. What something that waits depends on stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task prune --older-than 7d
  apex task prune --keep 100
  apex task prune --state succeeded,cancelled --older-than 1h")]
pub struct Prune {
    /// Only what ended longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub older_than: Option<Duration>,
    /// Not the N that ended last; with --state, of those in these states
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub keep: u64,
    /// Only what ended in this state
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = value::ended_state)]
    pub states: Vec<State>,
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
