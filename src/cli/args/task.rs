//! What can be typed after `task`, and `run`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::args::terms::{Hooks, Limits, Tries, Waits};
use crate::cli::args::value::{self, Filter};
use crate::cli::args::which::Which;
use crate::cli::keys::{DETACH_KEYS, Keys};
use crate::cli::render::column::Column;
use crate::domain::field::Sort;
use crate::domain::selection::Named;
use crate::domain::task::State;

/// The words of a command to run, and whether they came after `--`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Words {
    /// The command. After `--`, or in several words, it is run as it is; a single word without `--` is a shell line
    #[arg(id = "command", value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub argv: Vec<OsString>,
    /// The command came after `--`.
    #[arg(skip)]
    pub separated: bool,
}

impl Words {
    /// Finds out from the command line as it was typed whether the words came after `--`.
    ///
    /// Shape: the words are its end. No flag of apex takes `--` as its value, so one right before them is the separator.
    pub fn find_separator(&mut self, raw: &[OsString]) {
        let before = raw.len().checked_sub(self.argv.len() + 1).and_then(|index| raw.get(index));
        self.separated = before.is_some_and(|word| word == "--");
    }

    /// Returns whether the command is a line for `/bin/sh -c`.
    pub fn is_shell_line(&self) -> bool {
        !self.separated && self.argv.len() == 1
    }
}

/// What is to be run, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct TaskFlags {
    /// A name for people and filters
    #[arg(short, long, value_parser = value::name)]
    pub name: Option<String>,
    /// A label for people and filters
    #[arg(short, long = "label", value_name = "KEY[=VALUE]", value_delimiter = ',', value_parser = value::label)]
    pub labels: Vec<(String, Option<String>)>,
    /// Higher ones run first
    #[arg(short, long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub priority: i32,
    /// The directory to run it in, instead of the working directory
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Set a variable; KEY alone takes its value over, also with --clean-env
    #[arg(long = "env", value_name = "KEY[=VALUE]")]
    pub env: Vec<OsString>,
    /// Set the variables in this file: a KEY=VALUE a line
    #[arg(long = "env-file", value_name = "FILE")]
    pub env_files: Vec<PathBuf>,
    /// Do not take the environment over
    #[arg(long)]
    pub clean_env: bool,
    /// What it reads: a file, `-` for what is read here now, or `open` for what `apex task send` gives it while it runs
    #[arg(long, value_name = "FILE|-|open")]
    pub stdin: Option<PathBuf>,
    /// Give it a terminal, to attach to with `apex task attach`
    #[arg(long, conflicts_with_all = ["stdin", "split_output"])]
    pub pty: bool,
    /// Keep standard output and standard error apart
    #[arg(long)]
    pub split_output: bool,
    /// While a task with this key has not ended, add nothing and answer with that task
    #[arg(long, value_parser = value::key)]
    pub key: Option<String>,
    /// What it waits for.
    #[command(flatten)]
    pub waits: Waits,
    /// How often it is tried.
    #[command(flatten)]
    pub tries: Tries,
    /// How it is ended.
    #[command(flatten)]
    pub limits: Limits,
    /// What is run when something happens to it.
    #[command(flatten)]
    pub hooks: Hooks,
    /// The command.
    #[command(flatten)]
    pub words: Words,
}

/// Adds a task.
///
/// It runs with the working directory, the environment, the umask and the soft limits that hold here; variables named
/// APEX_* are not taken over. Values of the environment are shown by `apex task show --show-env` alone.
///
/// With --from many tasks are added, all of them or none, and an error names its line. Each line is a JSON object with `argv`
/// (an array) or `shell` (a string), and with any of: `ref`, `name`, `labels` (an object), `queue`, `priority`, `after`,
/// `after_any` (ids, or refs of lines before it), `at`, `in`, `hold`, `retries`, `retry_delay`, `retry_backoff`,
/// `retry_max_delay`, `retry_on`, `on_interrupt`, `timeout`, `output_limit`, `nice`, `cpus`, `rlimits`, `memory`,
/// `cpu_limit`, `kill_signal`, `kill_grace`, `cwd`, `env` (an
/// object), `stdin` (a file, `open`, or `terminal` for --pty), `split_output`, `key`, `needs` (an object), `hooks` (an object). Values are as with the flags
/// of the same names. What a line leaves out is as the flags beside --from say; labels, variables and needs of both hold. With --json the
/// tasks are printed as an array, with
/// -q their numbers, a line each, in the order of the lines. Other adds wait while so many are stored at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task add -- cargo test --workspace
  apex task add 'make && make check'
  apex task add -n nightly -p -5 --env RUST_LOG=debug -- ./backup.sh
  apex task add --after 12 --retries 3 --timeout 1h -- ./deploy.sh
  apex task add --at 'tomorrow 9am' -Q slow -- ./report.sh
  apex task add --need gpu=1,mem=8GiB -- ./train.sh
  apex task add --key nightly -- ./backup.sh
  apex task add --wait -- ./deploy.sh
  apex task add --on-failure './tell.sh --loud' -- ./backup.sh
  apex task add --stdin open -- python3 -i
  apex task add --pty -- htop
  apex task add --from jobs.jsonl -Q slow
  seq 9 | sed 's/.*/{\"argv\": [\"echo\", \"&\"]}/' | apex task add --from -")]
pub struct Add {
    /// The task.
    #[command(flatten)]
    pub task: TaskFlags,
    /// Add the tasks in this file, a JSON object a line, all of them or none; `-` for what is read here now
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["command", "key", "wait", "follow"])]
    pub from: Option<PathBuf>,
    /// Stay until it has ended, and exit with its code
    #[arg(long)]
    pub wait: bool,
    /// Stay until it has ended, print its output, and exit with its code
    #[arg(long)]
    pub follow: bool,
}

/// Adds a task and follows it: its output, then its exit code.
///
/// Ctrl-C cancels the task, a second one kills it. A lost connection or a closed terminal leaves it running. With --json as
/// well the output is the task's own and nothing else.
///
/// With --pty, on a terminal, this is what `apex task attach` does: what is typed goes to the task, Ctrl-C included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex run -- cargo test
  apex run --detach-after 10m -- ./long.sh
  apex run --pty -- vi notes.txt")]
pub struct Run {
    /// The task.
    #[command(flatten)]
    pub add: TaskFlags,
    /// Leave it running after this time and exit with 75
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub detach_after: Option<Duration>,
    /// With --pty: the keys that leave it running, as with `apex task attach`
    #[arg(long, value_name = "KEYS", default_value = DETACH_KEYS, hide_default_value = true, value_parser = value::keys)]
    pub detach_keys: Keys,
}

/// Lists tasks.
///
/// What has not ended, and of what has the latest; with --filter all that match.
///
/// Fields are id, state, queue, name, label.KEY, priority, exit_code, signal, reason_code, reason, key, schedule, parent, slot,
/// attempt, failures; the times created, updated, due, started and ended; duration, of the last attempt, and age, since it was
/// added.
///
/// A --filter is made of comparisons: a field, one of = != < <= > >= ~ !~, and a value. `~` is for text and takes a glob (`*`, `?`,
/// `[…]`); with `=` and `!=` there may be several values, with commas. A field alone asks whether there is one. Lengths of time are
/// written like 10m, times like `'10m ago'`, `'yesterday 9am'` or 2026-01-15T10:30:00Z. What a task does not have is neither equal to,
/// nor less or more than anything. `not`, `and`, `or` put comparisons together, in this order of strength, and parentheses group
/// them. A value with blanks, commas or signs in it goes in quotes.
///
/// With --sort what has no value comes last. By id, state and ended it takes no longer with many tasks; by another field all
/// that match are looked at, which takes some seconds for a million.
///
/// With --watch a terminal shows nothing else meanwhile; elsewhere the list is printed anew each time that it is another one.
///
/// Columns are the fields, and exit, when, command, needs, labels, cwd, after and uuid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task list
  apex task list --state failed,timed_out
  apex task list --all --name 'build*' --label team=core
  apex task list --filter 'state=failed and queue=gpu and duration>10m'
  apex task list --filter 'not label.batch and (exit_code=1,2 or ended<yesterday)'
  apex task list --all --sort duration:desc --limit 10 --columns id,name,duration,command
  apex task list --watch --state running,queued")]
pub struct List {
    /// Only tasks in this state
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = value::state)]
    pub states: Vec<State>,
    /// Only tasks of this queue
    #[arg(short = 'Q', long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Only tasks of this schedule
    #[arg(long, value_name = "NAME")]
    pub schedule: Option<String>,
    /// Only tasks with this label
    #[arg(short, long = "label", value_name = "KEY[=VALUE]", value_delimiter = ',', value_parser = value::label)]
    pub labels: Vec<(String, Option<String>)>,
    /// Only tasks whose name matches: `*`, `?`, `[…]`
    #[arg(short, long, value_name = "GLOB")]
    pub name: Option<String>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// All that have ended, too
    #[arg(short, long)]
    pub all: bool,
    /// Only tasks for which this holds, such as `state=failed and duration>10m`; see below
    #[arg(long, value_name = "CONDITION", value_parser = value::filter)]
    pub filter: Option<Filter>,
    /// Which columns, in this order; see below
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', value_parser = value::column)]
    pub columns: Vec<Column>,
    /// In the order of a field, and with `:desc` the greatest first; see below
    #[arg(long, value_name = "FIELD[:desc]", value_parser = value::sort)]
    pub sort: Option<Sort>,
    /// Show it again whenever something changes, but not more often than this; until Ctrl-C
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "200ms", value_parser = value::duration)]
    pub watch: Option<Duration>,
}

/// Shows everything about tasks.
///
/// With ranges, and chosen by their state, queue, labels and name, as with `apex task cancel`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(
    after_help = "Examples:\n  apex task show 12\n  apex task show 12 --json\n  apex task show 12-15 --state failed"
)]
pub struct Show {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
    /// Print the values of its environment, too
    #[arg(long)]
    pub show_env: bool,
}

/// Prints what tasks wrote.
///
/// Into a pipe or a file: every byte as it was written. On a terminal what could steer it is shown as text; colours
/// stay. With several tasks each line begins with the name or the number of its task. They can be named by ranges, and chosen by
/// their state, queue, labels and name, as with `apex task cancel`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task logs 12
  apex task logs -f 12
  apex task logs -f 12-14
  apex task logs --label batch=7 --state failed
  apex task logs 12 -n 20 --stderr")]
pub struct Logs {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
    /// Go on until the tasks end; exit with the task's code, with several with 0 if all succeeded
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<u32>,
    /// Of this attempt instead of the last one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,
    /// Only standard output, of a task with --split-output
    #[arg(long, conflicts_with = "stderr")]
    pub stdout: bool,
    /// Only standard error, of a task with --split-output
    #[arg(long)]
    pub stderr: bool,
    /// Every byte as it was written, also on a terminal
    #[arg(long)]
    pub raw: bool,
}

/// Waits until tasks have ended.
///
/// With a single task this exits with the task's own code, with several with 0 if all succeeded and else with 1. Ranges, and
/// tasks chosen by queue, label and name, are several, however many that are; those that have ended count like all others. If
/// there are none it exits with 4. A single task that there is not is one of apex's own failures, which are 125 where the code of a
/// task is passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task wait 12
  apex task wait 12-14 --timeout 1h
  apex task wait --label batch=7
  apex task wait 12 --state running")]
pub struct Wait {
    /// The tasks' numbers, and ranges of them like 3-7
    #[arg(
        id = "ids",
        value_name = "ID",
        value_delimiter = ',',
        required_unless_present_any = ["queue", "labels", "name", "filter"]
    )]
    pub named: Vec<Named>,
    /// Tasks of this queue
    #[arg(short = 'Q', long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Tasks with this label
    #[arg(short, long = "label", value_name = "KEY[=VALUE]", value_delimiter = ',', value_parser = value::label)]
    pub labels: Vec<(String, Option<String>)>,
    /// Tasks whose name matches: `*`, `?`, `[…]`
    #[arg(long, value_name = "GLOB")]
    pub name: Option<String>,
    /// Tasks for which this holds, as in `apex task list --filter`
    #[arg(long, value_name = "CONDITION", value_parser = value::filter)]
    pub filter: Option<Filter>,
    /// Give up after this time, and exit with 75
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub timeout: Option<Duration>,
    /// Wait only until the tasks are in this state
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = value::state)]
    pub states: Vec<State>,
}

/// Cancels tasks.
///
/// What waits ends at once. What runs gets SIGTERM, and SIGKILL after its grace period.
///
/// Tasks are named by their numbers, by ranges of them, or chosen by their state, queue, labels and name: those for which all of
/// that holds, of those named if some are. Numbers in a range that no task has are passed over. What was chosen and does not
/// stand so that the command could do something to it is left alone. If no task is meant, this exits with 4; if there was
/// nothing to be done to those that are, with 0. Many are changed some at a time, so that nobody has to wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex task cancel 12
  apex task cancel 12,14-20 --reason 'wrong branch' --wait
  apex task cancel --queue slow --state queued
  apex task cancel 100-200 --label batch=7
  apex task cancel --filter 'state=queued and age>2d'")]
pub struct Cancel {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
    /// Why, for people
    #[arg(long)]
    pub reason: Option<String>,
    /// Stay until they have ended
    #[arg(long)]
    pub wait: bool,
}

/// Sends a signal to all processes of tasks.
///
/// Nothing else changes: a task that is killed this way has failed, and may be tried again. Tasks can be chosen as with
/// `apex task cancel`: of these, those that have a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(
    after_help = "Examples:\n  apex task kill 12\n  apex task kill --signal HUP 12\n  apex task kill -s USR1 --name 'server*'"
)]
pub struct Kill {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
    /// The signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = value::signal)]
    pub signal: i32,
}

/// Lets held tasks go.
///
/// Tasks can be chosen as with `apex task cancel`: of these, those that are held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex task release 12\n  apex task release --label batch=7")]
pub struct Release {
    /// Which tasks.
    #[command(flatten)]
    pub which: Which,
}
