//! What can be typed after `schedule`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::args::task::{TaskFlags, Words};
use crate::cli::args::terms::{Hooks, Limits, Tries, Waits};
use crate::cli::args::value;
use crate::domain::resource::Amount;
use crate::domain::schedule::{Cron, Missed, Overlap};

/// Lists schedules.
///
/// When each is due next, and what it runs.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct List {}

/// Shows everything about a schedule, with its next five times.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex schedule show nightly\n  apex schedule show nightly --json")]
pub struct Show {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// When a schedule is due; one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
#[group(required = true, multiple = false, id = "times")]
pub struct Times {
    /// By a cron line: minute, hour, day of the month, month, day of the week; or @daily and the like
    #[arg(long, value_name = "LINE", value_parser = value::cron, group = "times")]
    pub cron: Option<Cron>,
    /// Again and again after this time, at least 1s
    #[arg(long, value_name = "DURATION", value_parser = value::duration, group = "times")]
    pub every: Option<Duration>,
    /// Once: `in 10m`, `17:30`, `tomorrow 9am`, `2026-01-15T10:30:00Z`
    #[arg(long, value_name = "TIME", group = "times")]
    pub at: Option<String>,
}

/// Adds a schedule, which adds tasks by itself.
///
/// Its tasks run with the working directory, the environment, the umask and the soft limits that hold here, as with
/// `apex task add`. They are tasks like any other, and named as the schedule is unless --name says otherwise; `apex ls --schedule
/// NAME` lists them. Each time fires once, whatever crashes in between.
///
/// A cron line has five fields: minute, hour, day of the month, month and day of the week; each `*`, a number, a range, a step
/// through one (`*/15`, `9-17/2`), or a list of such with commas; months and days of the week may be named (`jan`, `mon-fri`), and
/// 7 is Sunday as well as 0. If both days are named, one of them is enough, unless one begins with `*`. Or one of @yearly,
/// @annually, @monthly, @weekly, @daily, @midnight, @hourly. It is read on the clock of --tz. When that clock is set for
/// summer, a time that is skipped fires once right after the gap; when it is set back, a time that comes twice fires once, the first
/// time. A line whose minute or hour begins with `*` goes on in real time instead: it fires in each minute of the clock that it
/// names, twice if that comes twice, and makes nothing up for one that is skipped.
///
/// --missed says what becomes of times at which nobody was there (the daemon was down, the machine slept, the clock was set
/// forward): `skip` adds nothing, `once` one task for all of them, `all` one for each, the latest 100. A time is missed if a later one
/// has come as well, or if it is come to more than a minute late. Times that pass while a schedule is paused are never made
/// up for. A clock that is set back brings no time again.
///
/// --overlap says what happens when it is due and a task of it has not ended: `skip` adds none, `queue` adds one all the same,
/// `cancel-running` cancels those that have not ended and adds one that runs when they are gone. Tasks that `--missed all` adds
/// together do not stand in one another's way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex schedule add nightly --cron '30 3 * * *' -- ./backup.sh
  apex schedule add report --cron '0 9 * * mon-fri' --tz Europe/Vienna -Q slow -- ./report.sh
  apex schedule add poll --every 10m --overlap queue --timeout 5m -- ./poll.sh
  apex schedule add sync --every 1h --missed skip 'git fetch && make'
  apex schedule add once --at 'tomorrow 9am' -- ./deploy.sh")]
pub struct Add {
    /// The schedule's name
    #[arg(value_name = "NAME", value_parser = value::schedule)]
    pub schedule: String,
    /// When it is due.
    #[command(flatten)]
    pub times: Times,
    /// The time zone whose clock counts, as `Europe/Vienna` [default: that of this machine, by its name]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// What becomes of times at which nobody was there: skip, once or all [default: once]
    #[arg(long, value_name = "POLICY", value_parser = value::missed)]
    pub missed: Option<Missed>,
    /// When a task of it has not ended: skip, queue or cancel-running [default: skip]
    #[arg(long, value_name = "POLICY", value_parser = value::overlap)]
    pub overlap: Option<Overlap>,
    /// Add nothing until `apex schedule resume`
    #[arg(long)]
    pub paused: bool,
    /// A name for its tasks, instead of its own
    #[arg(short, long, value_parser = value::name)]
    pub name: Option<String>,
    /// A label for people and filters
    #[arg(short, long = "label", value_name = "KEY[=VALUE]", value_delimiter = ',', value_parser = value::label)]
    pub labels: Vec<(String, Option<String>)>,
    /// The queue in which its tasks wait for a slot, instead of `default`
    #[arg(short = 'Q', long, value_name = "QUEUE", value_parser = value::queue)]
    pub queue: Option<String>,
    /// Run them only when so much of these resources is free, as in `gpu=1,mem=8GiB`
    #[arg(long = "need", value_name = "NAME=AMOUNT", value_delimiter = ',', value_parser = value::need)]
    pub needs: Vec<(String, Amount)>,
    /// Higher ones run first
    #[arg(short, long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub priority: i32,
    /// The directory to run them in, instead of the working directory
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
    /// What they read: a file, `-` for what is read here now, or `open` for what `apex task send` gives them while they run
    #[arg(long, value_name = "FILE|-|open")]
    pub stdin: Option<PathBuf>,
    /// Keep standard output and standard error apart
    #[arg(long)]
    pub split_output: bool,
    /// While a task with this key has not ended, add none
    #[arg(long, value_parser = value::key)]
    pub key: Option<String>,
    /// How often they are tried.
    #[command(flatten)]
    pub tries: Tries,
    /// How they are ended.
    #[command(flatten)]
    pub limits: Limits,
    /// What is run when something happens to them.
    #[command(flatten)]
    pub hooks: Hooks,
    /// The command.
    #[command(flatten)]
    pub words: Words,
}

impl Add {
    /// Returns what was typed of its tasks, as of a task that is added at once.
    pub fn task(&self) -> TaskFlags {
        TaskFlags {
            name: Some(self.name.clone().unwrap_or_else(|| self.schedule.clone())),
            labels: self.labels.clone(),
            priority: self.priority,
            cwd: self.cwd.clone(),
            env: self.env.clone(),
            env_files: self.env_files.clone(),
            clean_env: self.clean_env,
            stdin: self.stdin.clone(),
            pty: false,
            split_output: self.split_output,
            key: self.key.clone(),
            waits: Waits { queue: self.queue.clone(), needs: self.needs.clone(), ..Waits::default() },
            tries: self.tries.clone(),
            limits: self.limits.clone(),
            hooks: self.hooks.clone(),
            words: self.words.clone(),
        }
    }
}

/// Adds a task of a schedule now.
///
/// Whether it is paused, and whatever of it runs. Its times stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex schedule run-now nightly")]
pub struct RunNow {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Lets schedules add nothing.
///
/// Tasks that are there already run.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex schedule pause nightly")]
pub struct Pause {
    /// The schedules' names
    #[arg(value_name = "NAME", required = true, value_delimiter = ',')]
    pub names: Vec<String>,
}

/// Lets paused schedules add tasks again.
///
/// From the first of their times that is to come: for those that passed meanwhile there is no task, whatever --missed said.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex schedule resume nightly")]
pub struct Resume {
    /// The schedules' names
    #[arg(value_name = "NAME", required = true, value_delimiter = ',')]
    pub names: Vec<String>,
}

/// Changes a schedule.
///
/// In the editor that VISUAL or EDITOR names, or key by key. The keys are `cron`, `every` or `at`, which is one of three; `tz`,
/// `missed`, `overlap`; and of its tasks those of `apex task edit` but for what a task waits for: `argv` or `shell`, `cwd`, `name`,
/// `labels`, `queue`, `priority`, `retries`, `retry_delay`, `retry_backoff`, `retry_max_delay`, `retry_on`, `on_interrupt`, `timeout`,
/// `output_limit`, `nice`, `cpus`, `rlimits`, `memory`, `cpu_limit`, `kill_signal`, `kill_grace`, `stdin`, `split_output`, `key`, `needs`,
/// `hooks`; with --set and --unset also `labels.NAME`, `needs.NAME`, `hooks.EVENT` and `env.NAME`. Values of the environment are in no
/// file.
///
/// The tasks it has added stay what they are. If its times are changed it goes on with the first of the new ones that is to come: a
/// time that has fired does not fire again, and `every` counts from when the schedule was added. One that is paused stays paused. If anything
/// is wrong, or somebody else has changed it meanwhile, nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex schedule edit nightly
  apex schedule edit nightly --set 'cron=30 4 * * *' --set tz=Europe/Vienna
  apex schedule edit poll --set every=5m --set missed=skip --set priority=5
  apex schedule edit poll --set 'argv=[\"./poll.sh\", \"--all\"]' --unset timeout --set env.RUST_LOG=debug")]
pub struct Edit {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Set this, without an editor
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::setting)]
    pub set: Vec<(String, String)>,
    /// Take this away, without an editor
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
}

/// Removes schedules.
///
/// Their tasks stay, also those that wait.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex schedule rm nightly")]
pub struct Remove {
    /// The schedules' names
    #[arg(value_name = "NAME", required = true, value_delimiter = ',')]
    pub names: Vec<String>,
}
