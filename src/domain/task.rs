//! What is asked: a command, how it is to be run, and the state it is in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::attempt::Attempt;
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::outcome::{ExitStatus, ReasonCode};
use crate::domain::time::Timestamp;

/// Where a task stands.
///
/// Who enters and who leaves each state stands at its variant; [`State::may_become`] is the whole table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits for its time. Entered at add, left to `queued` by the clock.
    Scheduled,
    /// Waits for other tasks. Entered at add or by a retry up the chain, left to `queued` or `skipped` when they end.
    Blocked,
    /// Waits for `release` or `trust`. Entered at add or by `hold`.
    Held,
    /// Ready; waits for a slot or for its queue to be resumed.
    Queued,
    /// Claimed, its process not yet known to run. Shown as `running`. Left within moments.
    Starting,
    /// Has a process.
    Running,
    /// Has a process that is stopped, and keeps its slot.
    Paused,
    /// Failed, waits for its next attempt.
    Retrying,
    /// Ended by itself with code 0.
    Succeeded,
    /// Ended by itself in any other way, or could not be started.
    Failed,
    /// Ended by its time limit.
    TimedOut,
    /// Ended by a person or a program, before or while it ran.
    Cancelled,
    /// Never ran: something it depends on did not succeed.
    Skipped,
    /// Cut off by apex itself; how it ended is known.
    Interrupted,
    /// Nobody can say how it ended.
    Lost,
}

impl State {
    /// Every state, in the order in which a task may pass through them.
    pub const ALL: [State; 15] = [
        Self::Scheduled,
        Self::Blocked,
        Self::Held,
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Skipped,
        Self::Interrupted,
        Self::Lost,
    ];

    /// Returns the word for the state, as the store keeps it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
        }
    }

    /// Returns the state for a word; `None` for what is no state.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Returns the state that people and scripts see: `starting` is an inner matter and shows as `running`.
    pub fn shown(self) -> Self {
        match self {
            Self::Starting => Self::Running,
            other => other,
        }
    }

    /// Has ended; only `retry` starts it again.
    pub fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::TimedOut
                | Self::Cancelled
                | Self::Skipped
                | Self::Interrupted
                | Self::Lost
        )
    }

    /// Holds a slot: it is being started or has a process.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }

    /// Waits for something other than a slot.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Scheduled | Self::Blocked | Self::Held | Self::Retrying)
    }

    /// Returns whether a task may go from `self` to `to`.
    pub fn may_become(self, to: State) -> bool {
        use State::*;
        match self {
            Scheduled | Blocked => {
                matches!(to, Scheduled | Blocked | Held | Queued | Cancelled | Skipped) && to != self
            }
            Held => matches!(to, Scheduled | Blocked | Queued | Cancelled | Skipped),
            Queued => matches!(to, Held | Starting | Cancelled),
            // Back to queued: it was provably not started. Lost: the guardian died in between.
            Starting => matches!(
                to,
                Queued | Running | Succeeded | Failed | TimedOut | Cancelled | Interrupted | Lost | Retrying
            ),
            Running => {
                matches!(
                    to,
                    Paused | Queued | Retrying | Succeeded | Failed | TimedOut | Cancelled | Interrupted | Lost
                )
            }
            Paused => matches!(
                to,
                Running | Queued | Retrying | Succeeded | Failed | TimedOut | Cancelled | Interrupted | Lost
            ),
            Retrying => matches!(to, Queued | Held | Cancelled),
            // A retry by hand: the same task, counted afresh.
            Succeeded | Failed | TimedOut | Cancelled | Skipped | Interrupted | Lost => {
                matches!(to, Queued | Scheduled | Blocked | Held)
            }
        }
    }
}

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
            kill_signal: None,
            kill_grace: None,
            key: None,
            run_at: None,
            after: Vec::new(),
            after_any: Vec::new(),
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
        if !self.cwd.is_absolute() || self.cwd.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(InvalidSpec::Cwd(self.cwd.clone()));
        }
        if let Stdin::File(path) = &self.stdin
            && (!path.is_absolute() || path.as_os_str().as_encoded_bytes().contains(&0))
        {
            return Err(InvalidSpec::StdinPath(path.clone()));
        }
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        for key in self.labels.keys() {
            check_label_key(key)?;
        }
        if self.retry.max_attempts == 0 {
            return Err(InvalidSpec::NoAttempts);
        }
        if self.umask > 0o777 {
            return Err(InvalidSpec::Umask(self.umask));
        }
        Ok(())
    }
}

impl TaskSpec {
    /// Returns the state of a task that nobody holds and that has not run yet.
    pub fn state_unheld(&self, now: Timestamp) -> State {
        if !self.after.is_empty() || !self.after_any.is_empty() {
            State::Blocked
        } else if self.run_at.is_some_and(|at| at > now) {
            State::Scheduled
        } else {
            State::Queued
        }
    }
}

/// Longest name of a task and longest key of a label, in bytes.
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
    /// The working directory does not mean the same everywhere.
    #[error("working directory `{}` is not an absolute path", .0.display())]
    Cwd(PathBuf),
    /// The input file does not mean the same everywhere.
    #[error("input file `{}` is not an absolute path", .0.display())]
    StdinPath(PathBuf),
    /// The name could be taken for ids, or is too long.
    #[error("name `{0}` needs at least one character that is not a digit, comma or dash, and at most 255 bytes")]
    Name(String),
    /// A label needs a key that can be typed in a filter.
    #[error("label `{0}` needs a key without `=` and comma, of 1 to 255 bytes")]
    LabelKey(String),
    /// It would never run.
    #[error("a task needs at least 1 attempt, not 0")]
    NoAttempts,
    /// Not a file mode creation mask.
    #[error("umask {0:o} is not between 0 and 777")]
    Umask(u32),
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

    /// Checks that every variable can be handed to a process.
    pub fn check(&self) -> Result<(), InvalidSpec> {
        for (name, value) in &self.0 {
            let bytes = name.as_encoded_bytes();
            if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) || value.as_encoded_bytes().contains(&0)
            {
                return Err(InvalidSpec::EnvName(name.to_string_lossy().into_owned()));
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

/// A task as it is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Made by the client.
    pub uuid: TaskUuid,
    /// What is to be done.
    pub spec: TaskSpec,
    /// The environment to run it in.
    pub env: Environment,
    /// Not eligible until it is released.
    pub hold: bool,
    /// The task inside which it was added.
    pub parent: Option<TaskId>,
}

impl NewTask {
    /// Returns the state in which the task begins.
    pub fn initial_state(&self, now: Timestamp) -> State {
        if self.hold { State::Held } else { self.spec.state_unheld(now) }
    }
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number in the project.
    pub id: TaskId,
    /// The client's name for it.
    pub uuid: TaskUuid,
    /// What is to be done.
    pub spec: TaskSpec,
    /// Names of the variables in its environment.
    pub env_names: Vec<String>,
    /// Where it stands.
    pub state: State,
    /// Why, for programs.
    pub reason_code: Option<ReasonCode>,
    /// Why, for people.
    pub reason: Option<String>,
    /// Place among tasks of the same priority; lower first.
    pub position: i64,
    /// The task inside which it was added.
    pub parent: Option<TaskId>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
    /// How often it was executed.
    pub attempt: u32,
    /// How many of those count against `max_attempts`.
    pub failures: u32,
    /// Lowest number in its queue that was free when it was claimed.
    pub slot: Option<u32>,
    /// When somebody asked for it to be cancelled.
    pub cancel_requested_at: Option<Timestamp>,
    /// When its current or last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How its last attempt ended.
    pub exit: Option<ExitStatus>,
    /// Its executions, oldest first. Empty in lists.
    pub attempts: Vec<Attempt>,
}

impl Task {
    /// Returns the command as a person would type it; for display only.
    pub fn command_line(&self) -> String {
        if self.spec.shell {
            return self.spec.argv.first().map(|line| line.to_string_lossy().into_owned()).unwrap_or_default();
        }
        let words: Vec<String> = self.spec.argv.iter().map(|word| quote(&word.to_string_lossy())).collect();
        words.join(" ")
    }
}

/// Returns `word` as a POSIX shell would need it written: as it is if it holds only plain characters, else in single
/// quotes.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> TaskSpec {
        TaskSpec::command(vec!["true".into()], "/".into())
    }

    #[test]
    fn every_state_has_its_own_word() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.as_str()), Some(state));
        }
        assert_eq!(State::from_word("done"), None);
    }

    #[test]
    fn a_state_is_ended_active_waiting_or_queued_and_only_one_of_them() {
        for state in State::ALL {
            let kinds = [state.is_ended(), state.is_active(), state.is_waiting(), state == State::Queued];
            assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1, "{state:?}");
        }
    }

    #[test]
    fn no_state_becomes_itself_and_what_ended_only_starts_over() {
        for from in State::ALL {
            assert!(!from.may_become(from), "{from:?}");
            for to in State::ALL {
                if from.is_ended() && from.may_become(to) {
                    assert!(to.is_waiting() || to == State::Queued, "{from:?} to {to:?}");
                }
                if to == State::Starting && from.may_become(to) {
                    assert_eq!(from, State::Queued, "only what is queued is claimed");
                }
                if to == State::Running && from.may_become(to) {
                    assert!(from.is_active(), "{from:?} to {to:?}");
                }
            }
        }
    }

    #[test]
    fn every_state_can_be_reached_and_every_state_leads_to_an_end() {
        for state in State::ALL {
            let reached = State::ALL.into_iter().any(|from| from.may_become(state));
            assert!(reached, "nothing leads to {state:?}");
            let mut seen = vec![state];
            let mut open = vec![state];
            while let Some(from) = open.pop() {
                for to in State::ALL.into_iter().filter(|to| from.may_become(*to)) {
                    if !seen.contains(&to) {
                        seen.push(to);
                        open.push(to);
                    }
                }
            }
            assert!(seen.iter().any(|state| state.is_ended()), "{state:?} never ends");
        }
    }

    #[test]
    fn specs_that_cannot_run_are_refused_by_name() {
        assert_eq!(spec().check(), Ok(()));
        let check = |change: fn(&mut TaskSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.check().unwrap_err()
        };
        assert_eq!(check(|spec| spec.argv.clear()), InvalidSpec::NoCommand);
        assert_eq!(check(|spec| spec.argv = vec!["".into()]), InvalidSpec::NoCommand);
        assert_eq!(check(|spec| spec.argv.push("a\0b".into())), InvalidSpec::NulInArgument(1));
        assert_eq!(check(|spec| spec.cwd = "here".into()), InvalidSpec::Cwd("here".into()));
        assert_eq!(check(|spec| spec.retry.max_attempts = 0), InvalidSpec::NoAttempts);
        assert_eq!(check(|spec| spec.umask = 0o1000), InvalidSpec::Umask(0o1000));
        let two_lines = |spec: &mut TaskSpec| {
            spec.shell = true;
            spec.argv.push("x".into());
        };
        assert_eq!(check(two_lines), InvalidSpec::ShellArguments(2));
    }

    #[test]
    fn a_name_cannot_be_read_as_ids() {
        for name in ["build", "3d", "7-up", "ä", " "] {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
        for name in ["", "12", "3-7", "1,2", "-"] {
            assert_eq!(check_name(name), Err(InvalidSpec::Name(name.to_owned())), "{name:?}");
        }
    }

    #[test]
    fn environment_values_are_not_in_its_debug_form() {
        let env = Environment(vec![("TOKEN".into(), "planted-secret".into())]);
        let shown = format!("{env:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("planted-secret"), "{shown}");
        for wrong in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")] {
            assert!(Environment(vec![(wrong.0.into(), wrong.1.into())]).check().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn where_a_task_begins() {
        let task = |change: fn(&mut NewTask)| {
            let mut task = NewTask {
                uuid: TaskUuid(uuid::Uuid::nil()),
                spec: spec(),
                env: Environment::default(),
                hold: false,
                parent: None,
            };
            change(&mut task);
            task.initial_state(Timestamp(10))
        };
        assert_eq!(task(|_| ()), State::Queued);
        assert_eq!(task(|task| task.hold = true), State::Held);
        assert_eq!(task(|task| task.spec.run_at = Some(Timestamp(11))), State::Scheduled);
        assert_eq!(task(|task| task.spec.run_at = Some(Timestamp(10))), State::Queued);
        assert_eq!(task(|task| task.spec.after = vec![TaskId::new(1).unwrap()]), State::Blocked);
    }

    #[test]
    fn only_the_exit_codes_asked_for_are_tried_again() {
        let all = RetryPolicy { max_attempts: 3, ..RetryPolicy::default() };
        let some = RetryPolicy { on_codes: vec![75, 3], ..all.clone() };
        for exit in [None, Some(ExitStatus::Code(1)), Some(ExitStatus::Signal(9))] {
            assert_eq!((all.attempts_after(exit), some.attempts_after(exit)), (3, 1), "{exit:?}");
        }
        assert_eq!(some.attempts_after(Some(ExitStatus::Code(3))), 3);
    }

    #[test]
    fn commands_are_shown_as_they_could_be_typed() {
        assert_eq!(quote("cargo"), "cargo");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), "'it'\\''s'");
        assert_eq!(quote(""), "''");
    }
}
