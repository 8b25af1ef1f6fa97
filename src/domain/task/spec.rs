//! What is asked: a command, and how it is to be run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::hook::{InvalidHook, TaskHooks, check_task_hooks};
use crate::domain::id::TaskId;
use crate::domain::outcome::ExitStatus;
use crate::domain::resource::{InvalidResource, Needs};
use crate::domain::time::Timestamp;

/// What follows when apex itself cut a task off, or lost sight of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnInterrupt {
    /// It stays `interrupted` or `lost`.
    Stop,
    /// It goes back to the queue.
    Rerun,
}

/// How the delay before a further attempt grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backoff {
    /// The same each time.
    Fixed,
    /// Doubled each time.
    Exponential,
}

/// How often and when a task that failed is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many attempts may fail before the task has failed; at least 1.
    pub max_attempts: u32,
    /// Delay before the second attempt.
    pub delay: Duration,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The longest delay.
    pub max_delay: Duration,
    /// Only these exit codes are tried again; empty for all.
    pub on_codes: Vec<i32>,
    /// What follows `interrupted` and `lost`.
    pub on_interrupt: OnInterrupt,
}

impl RetryPolicy {
    /// Returns how many attempts may fail, given how the last one ended.
    ///
    /// Shape: `max_attempts`; 1, which leaves no further one, if only some exit codes are tried again and it did not end
    /// with one of them. An end by a signal has no exit code.
    pub fn attempts_after(&self, exit: Option<ExitStatus>) -> u32 {
        let again = match exit {
            _ if self.on_codes.is_empty() => true,
            Some(ExitStatus::Code(code)) => self.on_codes.contains(&code),
            Some(ExitStatus::Signal(_)) | None => false,
        };
        if again { self.max_attempts } else { 1 }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            delay: Duration::from_secs(1),
            backoff: Backoff::Exponential,
            max_delay: Duration::from_secs(300),
            on_codes: Vec::new(),
            on_interrupt: OnInterrupt::Stop,
        }
    }
}

/// A resource of a process that setrlimit(2) limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Size of the address space.
    As,
    /// Size of a core file.
    Core,
    /// Seconds of processor time.
    Cpu,
    /// Size of the data segment.
    Data,
    /// Size of a file.
    Fsize,
    /// Locked memory.
    Memlock,
    /// Open descriptors.
    Nofile,
    /// Processes of the user.
    Nproc,
    /// Size of the stack.
    Stack,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Resource; 9] = [
        Self::As,
        Self::Core,
        Self::Cpu,
        Self::Data,
        Self::Fsize,
        Self::Memlock,
        Self::Nofile,
        Self::Nproc,
        Self::Stack,
    ];

    /// Returns the word used on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::As => "as",
            Self::Core => "core",
            Self::Cpu => "cpu",
            Self::Data => "data",
            Self::Fsize => "fsize",
            Self::Memlock => "memlock",
            Self::Nofile => "nofile",
            Self::Nproc => "nproc",
            Self::Stack => "stack",
        }
    }

    /// Returns the resource for a word; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.as_str() == word)
    }
}

/// A soft limit as it was in force where the task was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// How much, in the units of setrlimit(2); `None` is no limit.
    pub soft: Option<u64>,
}

/// Where a task's standard input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stdin {
    /// Nothing to read.
    #[default]
    Empty,
    /// A file of the user's, absolute, opened when the attempt starts.
    File(PathBuf),
    /// What a client uploaded before the add; the name is the upload's id.
    Upload(uuid::Uuid),
    /// Stays open for `task send`.
    Open,
    /// A terminal, which output goes to as well; for `task attach`, and for `task send`.
    Terminal,
}

impl Stdin {
    /// Returns whether somebody has to keep it open while an attempt runs.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Open | Self::Terminal)
    }
}

/// What is to be done and how, without the environment: the values in it are kept apart and shown to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// The program and its arguments; of a shell line the single element is the line.
    pub argv: Vec<OsString>,
    /// `argv` is one line for `/bin/sh -c`.
    pub shell: bool,
    /// Working directory, absolute.
    pub cwd: PathBuf,
    /// For people and filters.
    pub name: Option<String>,
    /// For people and filters.
    pub labels: BTreeMap<String, String>,
    /// The queue's name.
    pub queue: String,
    /// Higher first.
    pub priority: i32,
    /// File mode creation mask.
    pub umask: u32,
    /// Soft limits.
    pub limits: Vec<Limit>,
    /// Standard input.
    pub stdin: Stdin,
    /// Standard output and standard error go to two files.
    pub split_output: bool,
    /// Further attempts.
    pub retry: RetryPolicy,
    /// Longest run of an attempt.
    pub timeout: Option<Duration>,
    /// How much an attempt may write, in bytes.
    pub output_limit: Option<u64>,
    /// The signal by which it is asked to stop; SIGTERM if there is none.
    pub kill_signal: Option<i32>,
    /// Time between that signal and SIGKILL; the daemon's setting if there is none.
    pub kill_grace: Option<Duration>,
    /// While a task with this key has not ended, no second one is added.
    pub key: Option<String>,
    /// Not before.
    pub run_at: Option<Timestamp>,
    /// Runs when all of these have succeeded.
    pub after: Vec<TaskId>,
    /// Runs when all of these have ended.
    pub after_any: Vec<TaskId>,
    /// What is run when something happens to it.
    pub hooks: TaskHooks,
    /// What it needs of the resources that there are, while it runs.
    pub needs: Needs,
}

/// The queue a task is in when none is named.
pub const DEFAULT_QUEUE: &str = "default";

impl TaskSpec {
    /// Makes the spec of a command with everything else at its default.
    pub fn command(argv: Vec<OsString>, cwd: PathBuf) -> Self {
        Self {
            argv,
            shell: false,
            cwd,
            name: None,
            labels: BTreeMap::new(),
            queue: DEFAULT_QUEUE.to_owned(),
            priority: 0,
            umask: 0o077,
            limits: Vec::new(),
            stdin: Stdin::Empty,
            split_output: false,
            retry: RetryPolicy::default(),
            timeout: None,
            output_limit: None,
            kill_signal: None,
            kill_grace: None,
            key: None,
            run_at: None,
            after: Vec::new(),
            after_any: Vec::new(),
            hooks: TaskHooks::new(),
            needs: Needs::default(),
        }
    }

    /// Checks what can be checked without looking at anything else. Client and daemon both do, in the same words.
    pub fn check(&self) -> Result<(), InvalidSpec> {
        if self.argv.first().is_none_or(|program| program.is_empty()) {
            return Err(InvalidSpec::NoCommand);
        }
        if self.shell && self.argv.len() != 1 {
            return Err(InvalidSpec::ShellArguments(self.argv.len()));
        }
        let nul = |text: &OsString| text.as_encoded_bytes().contains(&0);
        if let Some(index) = self.argv.iter().position(nul) {
            return Err(InvalidSpec::NulInArgument(index));
        }
        if let Some(index) = self.argv.iter().position(|argument| argument.len() > STRING_BYTES_MAX) {
            return Err(InvalidSpec::LongArgument(index));
        }
        if !self.cwd.is_absolute() || self.cwd.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(InvalidSpec::Cwd(self.cwd.clone()));
        }
        if let Stdin::File(path) = &self.stdin
            && (!path.is_absolute() || path.as_os_str().as_encoded_bytes().contains(&0))
        {
            return Err(InvalidSpec::StdinPath(path.clone()));
        }
        if self.stdin == Stdin::Terminal && self.split_output {
            return Err(InvalidSpec::SplitTerminal);
        }
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        for key in self.labels.keys() {
            check_label_key(key)?;
        }
        if let Some(key) = &self.key {
            check_key(key)?;
        }
        if self.retry.max_attempts == 0 {
            return Err(InvalidSpec::NoAttempts);
        }
        if self.umask > 0o777 {
            return Err(InvalidSpec::Umask(self.umask));
        }
        check_task_hooks(&self.hooks)?;
        self.needs.check()?;
        Ok(())
    }
}

/// Longest argument, and longest environment variable with its name, in bytes: what Linux takes, less the NUL at the end.
///
/// Source: execve(2), "Limits on size of arguments and environment".
pub const STRING_BYTES_MAX: usize = 32 * 4096 - 1;

/// Longest name of a task, longest key of a task and longest key of a label, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Checks the name of a task: at least one character that is not a digit, comma or dash, so that no name can be read
/// as an id or a range of ids.
pub fn check_name(name: &str) -> Result<(), InvalidSpec> {
    let reads_as_ids = name.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '-');
    if reads_as_ids || name.len() > NAME_BYTES_MAX {
        return Err(InvalidSpec::Name(name.to_owned()));
    }
    Ok(())
}

/// Checks the key of a label: not empty, no `=`, no comma.
pub fn check_label_key(key: &str) -> Result<(), InvalidSpec> {
    if key.is_empty() || key.contains(['=', ',']) || key.len() > NAME_BYTES_MAX {
        return Err(InvalidSpec::LabelKey(key.to_owned()));
    }
    Ok(())
}

/// Checks the key of a task: not empty.
pub fn check_key(key: &str) -> Result<(), InvalidSpec> {
    if key.is_empty() || key.len() > NAME_BYTES_MAX {
        return Err(InvalidSpec::Key(key.to_owned()));
    }
    Ok(())
}

/// Why a spec cannot be a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    /// There is nothing to run.
    #[error("no command to run")]
    NoCommand,
    /// A shell line is a single argument.
    #[error("a shell line is one argument, not {0}")]
    ShellArguments(usize),
    /// The operating system ends arguments at NUL.
    #[error("argument {0} contains a NUL byte")]
    NulInArgument(usize),
    /// No process can be given an argument that long.
    #[error("argument {0} is longer than the {STRING_BYTES_MAX} bytes that the system takes; put it into a file")]
    LongArgument(usize),
    /// No process can be given a variable that long.
    #[error("environment variable `{0}` is longer than the {STRING_BYTES_MAX} bytes that the system takes")]
    LongVariable(String),
    /// The working directory does not mean the same everywhere.
    #[error("working directory `{}` is not an absolute path", .0.display())]
    Cwd(PathBuf),
    /// The input file does not mean the same everywhere.
    #[error("input file `{}` is not an absolute path", .0.display())]
    StdinPath(PathBuf),
    /// What is written to a terminal goes one way.
    #[error("a task with a terminal has one output: `split_output` cannot be had with it")]
    SplitTerminal,
    /// The name could be taken for ids, or is too long.
    #[error("name `{0}` needs at least one character that is not a digit, comma or dash, and at most 255 bytes")]
    Name(String),
    /// A label needs a key that can be typed in a filter.
    #[error("label `{0}` needs a key without `=` and comma, of 1 to 255 bytes")]
    LabelKey(String),
    /// The key is none, or is too long.
    #[error("key `{0}` needs 1 to 255 bytes")]
    Key(String),
    /// It would wait for itself, or for one after it.
    #[error("a task can only wait for those before it")]
    Later,
    /// More tasks than can be added together.
    #[error("at most {} tasks can be added together", super::BULK_MAX)]
    Many,
    /// It would never run.
    #[error("a task needs at least 1 attempt, not 0")]
    NoAttempts,
    /// A hook that cannot be one.
    #[error(transparent)]
    Hook(#[from] InvalidHook),
    /// Not a file mode creation mask.
    #[error("umask {0:o} is not between 0 and 777")]
    Umask(u32),
    /// What is needed cannot be.
    #[error(transparent)]
    Needs(#[from] InvalidResource),
    /// An environment variable cannot be passed on.
    #[error("environment variable `{0}` has an empty name, or a `=` or NUL byte where none may be")]
    EnvName(String),
}

/// Names and values of a task's environment, in order. Values are shown nowhere.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment(pub Vec<(OsString, OsString)>);

impl Environment {
    /// Returns the names, in order, lossily where they are not UTF-8.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
    }

    /// Returns the environment with the variables of `over` set over it: one that is there keeps its place.
    #[must_use]
    pub fn with(&self, over: &Self) -> Self {
        let mut variables = self.0.clone();
        for (name, value) in &over.0 {
            match variables.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1.clone_from(value),
                None => variables.push((name.clone(), value.clone())),
            }
        }
        Self(variables)
    }

    /// Checks that every variable can be handed to a process.
    pub fn check(&self) -> Result<(), InvalidSpec> {
        for (name, value) in &self.0 {
            let bytes = name.as_encoded_bytes();
            if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) || value.as_encoded_bytes().contains(&0)
            {
                return Err(InvalidSpec::EnvName(name.to_string_lossy().into_owned()));
            }
            if name.len() + "=".len() + value.len() > STRING_BYTES_MAX {
                return Err(InvalidSpec::LongVariable(name.to_string_lossy().into_owned()));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Environment").field(&self.names()).finish()
    }
}
