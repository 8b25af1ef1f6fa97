//! What can go wrong with what was asked of the engine.

use std::io;
use std::path::PathBuf;

use crate::domain::edit::NotEdited;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::hook::HookEvent;
use crate::domain::id::{AttemptNumber, TaskId};
use crate::domain::outcome::SignalName;
use crate::domain::place::NotMoved;
use crate::domain::progress::{InvalidProgress, NotTold};
use crate::domain::query::Refused;
use crate::domain::queue::InvalidQueueName;
use crate::domain::resource::Unmet;
use crate::domain::schedule::InvalidSchedule;
use crate::domain::task::{DEFAULT_QUEUE, InvalidSpec, State, Task};
use crate::output;
use crate::process;
use crate::store;

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The task makes no sense.
    #[error(transparent)]
    Spec(#[from] InvalidSpec),
    /// The task needs more of a resource than there is.
    #[error("{0}")]
    Unmet(Unmet),
    /// One of many tasks that were to be added together cannot be.
    #[error("line {line}: {source}")]
    Line {
        /// The line it was read from.
        line: u64,
        /// Why.
        source: Box<Error>,
    },
    /// There is no such task.
    #[error("no task `{0}`")]
    NoSuchTask(TaskId),
    /// A task is not, or not any more, one of those that were meant.
    #[error("task `{0}` is not as it was to be")]
    NotMeant(TaskId),
    /// No work is taken any more.
    #[error("the daemon is draining")]
    Draining,
    /// The daemon ended before it could answer.
    #[error("the daemon was stopped")]
    Stopped,
    /// A task that has ended cannot be cancelled.
    #[error("cannot cancel task `{}`: it has already ended as `{}`", .0.id, .0.state.shown().as_str())]
    AlreadyEnded(Box<Task>),
    /// A task is not in a state that allows this.
    #[error("cannot {verb} task `{}`: {}, not {wanted}", .task.id, standing(.task))]
    Wrong {
        /// What was to be done.
        verb: &'static str,
        /// How it would have to stand.
        wanted: &'static str,
        /// The task.
        task: Box<Task>,
    },
    /// A task that is begun anew would be skipped at once.
    #[error("cannot retry task `{id}`: task `{on}`, on which it depends, did not succeed")]
    WouldBeSkipped {
        /// The task.
        id: TaskId,
        /// The one it depends on.
        on: TaskId,
    },
    /// The same, and the other one cannot be tried again.
    #[error("cannot retry task `{id}`: task `{on}`, on which it depends, did not succeed and was removed")]
    NeverToRun {
        /// The task.
        id: TaskId,
        /// The one it depended on.
        on: TaskId,
    },
    /// A task cannot be forgotten while others wait for it.
    #[error("cannot remove task `{id}`: task `{waiting}` waits and depends on it")]
    Needed {
        /// The task.
        id: TaskId,
        /// One that waits.
        waiting: TaskId,
    },
    /// What a task has of hooks is forgotten with it, so each must have run before.
    #[error("cannot remove task `{id}`: its hook for `{}` has not run yet", .event.as_str())]
    HookToCome {
        /// The task.
        id: TaskId,
        /// What it is for.
        event: HookEvent,
    },
    /// A task can be changed only until it starts.
    #[error("cannot edit task `{}`: {}", .0.id, has_started(.0))]
    Started(Box<Task>),
    /// Somebody else was faster.
    #[error("cannot edit task `{0}`: somebody else has changed it in the meantime")]
    EditedMeanwhile(TaskId),
    /// A key is that of one task at a time.
    #[error("cannot edit task `{id}`: task `{other}` has the same key, and has not ended")]
    KeyTaken {
        /// The task.
        id: TaskId,
        /// The one that has it.
        other: TaskId,
    },
    /// No two tasks may wait for one another.
    #[error("cannot edit task `{id}`: it can only wait for tasks that were added before it, which task `{on}` was not")]
    Later {
        /// The task.
        id: TaskId,
        /// The other one.
        on: TaskId,
    },
    /// Only what the daemon has of it can be fed to a task.
    #[error("cannot edit task `{0}`: what it reads can be a file, nothing, or what it was")]
    OtherInput(TaskId),
    /// A task cannot come before another one.
    #[error("cannot move task `{id}` before task `{}`: {why}", .before.id)]
    NotBefore {
        /// The task.
        id: TaskId,
        /// The other one.
        before: Box<Task>,
        /// Why.
        why: String,
    },
    /// A task cannot come before itself.
    #[error("cannot move task `{0}` before itself")]
    BeforeItself(TaskId),
    /// The project came from elsewhere.
    #[error("this project came from elsewhere, and nothing of it is run until you accept it")]
    Untrusted,
    /// That the project was accepted cannot be remembered.
    #[error(transparent)]
    NotEntered(Problem),
    /// The name of a queue cannot be one.
    #[error(transparent)]
    QueueName(#[from] InvalidQueueName),
    /// A queue cannot be removed while it has tasks to run.
    #[error("cannot remove queue `{name}`: {tasks} of its tasks have not ended")]
    QueueInUse {
        /// Its name.
        name: String,
        /// How many tasks.
        tasks: u64,
    },
    /// A queue cannot be removed while a schedule adds tasks to it.
    #[error("cannot remove queue `{name}`: schedule `{schedule}` adds its tasks to it")]
    QueueScheduled {
        /// Its name.
        name: String,
        /// The first such schedule.
        schedule: String,
    },
    /// The schedule makes no sense.
    #[error(transparent)]
    Schedule(#[from] InvalidSchedule),
    /// Somebody else was faster.
    #[error("cannot edit schedule `{0}`: somebody else has changed it in the meantime")]
    ScheduleEditedMeanwhile(String),
    /// There is no such schedule.
    #[error("no schedule `{name}`")]
    NoSuchSchedule {
        /// The name that was asked for.
        name: String,
        /// One that is there and may be meant.
        nearest: Option<String>,
    },
    /// What is told of how far a task is makes no sense.
    #[error(transparent)]
    Progress(#[from] InvalidProgress),
    /// What is told of a task is of an attempt that is over.
    #[error(
        "cannot take the progress of task `{id}`: it is that of attempt {attempt}, and attempt {current} is the present one"
    )]
    Late {
        /// The task.
        id: TaskId,
        /// The attempt that was named.
        attempt: AttemptNumber,
        /// The one that runs.
        current: AttemptNumber,
    },
    /// The default queue is always there.
    #[error("cannot remove queue `{DEFAULT_QUEUE}`: it is always there")]
    DefaultQueue,
    /// Only a process can be signalled.
    #[error("cannot send {} to task `{id}`: it is `{}` and has no process", SignalName(*.signal), .state.shown().as_str())]
    NoProcess {
        /// Which task.
        id: TaskId,
        /// The signal's number.
        signal: i32,
        /// Where the task stands.
        state: State,
    },
    /// Its process has outlived the guardian that started it: it may be looked at, and belongs to nobody.
    #[error(
        "cannot {verb} task `{id}`: it has outlived the daemon that started it, and apex can only watch its process (pid {pid})"
    )]
    Outlived {
        /// What was to be done.
        verb: &'static str,
        /// Which task.
        id: TaskId,
        /// Its first process.
        pid: u32,
    },
    /// What a task reads was settled when it was added.
    #[error("cannot send anything to task `{id}`: its standard input was not left open when it was added")]
    NotKept {
        /// Which task.
        id: TaskId,
    },
    /// Only what runs can read.
    #[error("cannot send anything to task `{}`: {}, not running", .0.id, standing(.0))]
    NotRunning(Box<Task>),
    /// Nothing more can be read.
    #[error("cannot send anything to task `{id}`: its standard input was closed")]
    InputClosed {
        /// Which task.
        id: TaskId,
    },
    /// A keeper lets in so many at a time.
    #[error("cannot send anything to task `{id}`: too many others are sending to it at the moment")]
    Crowded {
        /// Which task.
        id: TaskId,
    },
    /// Only a terminal has a size, and can be attached to.
    #[error("task `{id}` has no terminal")]
    NoTerminal {
        /// Which task.
        id: TaskId,
    },
    /// Whoever keeps an input open does not answer as it should.
    #[error("cannot send anything to task `{id}`")]
    Keeper {
        /// Which task.
        id: TaskId,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The operating system refused a signal.
    #[error("cannot send {} to task `{id}`", SignalName(*.signal))]
    Signal {
        /// Which task.
        id: TaskId,
        /// The signal's number.
        signal: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The binary that is to take over does not work.
    #[error("`{}` cannot take over: {reason}", .binary.display())]
    Binary {
        /// Its path.
        binary: PathBuf,
        /// What it did, or did not do.
        reason: String,
    },
    /// The configuration could not be read again.
    #[error(transparent)]
    Configuration(Problem),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The files could not be read or written.
    #[error(transparent)]
    Output(#[from] output::Error),
    /// What a task is to use no more than cannot be seen to here.
    #[error(transparent)]
    Unavailable(#[from] process::Unavailable),
}

/// Returns what an error says, and why, and why that.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What to do when a disk is full.
const ROOM: &str = "free some space on the disk that holds it; what is stored and what runs is kept, and work goes on by \
                    itself then";

impl Error {
    /// Returns the kind that callers see.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Spec(_)
            | Self::Unmet(_)
            | Self::Schedule(_)
            | Self::Progress(_)
            | Self::BeforeItself(_)
            | Self::Later { .. }
            | Self::OtherInput(_)
            | Self::QueueName(_)
            | Self::Binary { .. } => ErrorKind::Invalid,
            Self::NoSuchTask(_) | Self::NoSuchSchedule { .. } => ErrorKind::NotFound,
            Self::Line { source, .. } => source.kind(),
            Self::Draining | Self::Stopped => ErrorKind::Unavailable,
            Self::AlreadyEnded(_)
            | Self::NotMeant(_)
            | Self::Wrong { .. }
            | Self::WouldBeSkipped { .. }
            | Self::NeverToRun { .. }
            | Self::Needed { .. }
            | Self::HookToCome { .. }
            | Self::Late { .. }
            | Self::NotBefore { .. }
            | Self::Started(_)
            | Self::EditedMeanwhile(_)
            | Self::ScheduleEditedMeanwhile(_)
            | Self::KeyTaken { .. }
            | Self::Untrusted
            | Self::QueueInUse { .. }
            | Self::QueueScheduled { .. }
            | Self::DefaultQueue
            | Self::NoProcess { .. }
            | Self::NotKept { .. }
            | Self::NotRunning(_)
            | Self::InputClosed { .. }
            | Self::NoTerminal { .. }
            | Self::Outlived { .. } => ErrorKind::Conflict,
            Self::Crowded { .. } => ErrorKind::Exhausted,
            // It was stopped, or has no processor to run on.
            Self::Keeper { source, .. } if source.kind() == io::ErrorKind::TimedOut => ErrorKind::Exhausted,
            Self::Signal { .. } | Self::Keeper { .. } => ErrorKind::Internal,
            Self::Configuration(problem) | Self::NotEntered(problem) => problem.kind,
            Self::Store(error) => error.kind(),
            Self::Output(error) => error.kind(),
            Self::Unavailable(_) => ErrorKind::Invalid,
        }
    }

    /// Returns the failure as it is told to whoever asked: the causes are part of the message.
    pub fn problem(&self) -> Problem {
        if let Self::NoSuchTask(id) = self {
            return Problem::no_such_task(id);
        }
        if let Self::Line { line, source } = self {
            let mut problem = source.problem();
            problem.message = format!("line {line}: {}", problem.message);
            return problem;
        }
        if let Self::Configuration(problem) | Self::NotEntered(problem) = self {
            return problem.clone();
        }
        let problem = Problem::new(self.kind(), with_causes(self));
        match self {
            Self::Unmet(unmet) => problem.with_hint(unmet.hint()).with_id(unmet.name()),
            Self::AlreadyEnded(task) => {
                problem.with_hint(format!("see how it ended with `apex task show {}`", task.id)).with_id(task.id)
            }
            Self::Wrong { task, .. } if task.state == State::Starting => {
                problem.with_hint("try again in a moment".to_owned()).with_id(task.id)
            }
            Self::Wrong { task, .. } => {
                problem.with_hint(format!("see how it stands with `apex task show {}`", task.id)).with_id(task.id)
            }
            Self::WouldBeSkipped { id, on } => {
                problem.with_hint(format!("try that one again with `apex task retry {on}`")).with_id(id)
            }
            Self::NeverToRun { id, .. } => problem.with_hint("add it again without that dependency").with_id(id),
            Self::Needed { id, waiting } => {
                problem.with_hint(format!("cancel that one first with `apex task cancel {waiting}`")).with_id(id)
            }
            Self::HookToCome { id, .. } => problem
                .with_hint("try again when it has run; in a project from elsewhere hooks run after `apex trust`")
                .with_id(id),
            Self::NotBefore { id, before, .. } => {
                problem.with_hint(format!("see how that one stands with `apex task show {}`", before.id)).with_id(id)
            }
            Self::Started(task) => {
                problem.with_hint(format!("see how it stands with `apex task show {}`", task.id)).with_id(task.id)
            }
            Self::EditedMeanwhile(id) => {
                problem.with_hint(format!("look at it once more with `apex task edit {id}`")).with_id(id)
            }
            Self::KeyTaken { id, other } => {
                problem.with_hint(format!("see that one with `apex task show {other}`")).with_id(id)
            }
            Self::Later { id, .. } | Self::OtherInput(id) => problem.with_id(id),
            Self::Late { id, .. } => {
                problem.with_hint(format!("see how it stands with `apex task show {id}`")).with_id(id)
            }
            Self::BeforeItself(id) => problem.with_id(id),
            Self::Untrusted => problem.with_hint("look at it with `apex ls`, then accept it with `apex trust`"),
            Self::QueueInUse { name, .. } => {
                problem.with_hint(format!("see them with `apex ls --queue {name}`")).with_id(name)
            }
            Self::QueueScheduled { name, schedule } => {
                problem.with_hint(format!("remove that one first with `apex schedule rm {schedule}`")).with_id(name)
            }
            Self::ScheduleEditedMeanwhile(name) => {
                problem.with_hint(format!("look at it once more with `apex schedule edit {name}`")).with_id(name)
            }
            Self::NoSuchSchedule { name, nearest: Some(nearest) } => {
                problem.with_hint(format!("did you mean `{nearest}`?")).with_id(name)
            }
            Self::NoSuchSchedule { name, nearest: None } => {
                problem.with_hint("see what there is with `apex schedule list`").with_id(name)
            }
            Self::Schedule(InvalidSchedule::TimeZone(zone)) => {
                problem.with_hint("name one of the IANA database, as in `--tz Europe/Vienna`").with_id(zone)
            }
            Self::Store(store::Error::ScheduleExists(name)) => {
                let hint = format!("take another name, or remove that one first with `apex schedule rm {name}`");
                problem.with_hint(hint).with_id(name)
            }
            Self::Store(store::Error::NoSuchQueue(name)) => {
                let hint = format!("see what there is with `apex queue list`, or make it with `apex queue add {name}`");
                problem.with_hint(hint).with_id(name)
            }
            Self::Store(store::Error::QueueExists(name)) => {
                problem.with_hint(format!("change it with `apex queue set {name} --slots N`")).with_id(name)
            }
            Self::Store(store::Error::Full { .. }) => problem.with_hint(ROOM),
            Self::Output(error) if error.kind() == ErrorKind::Exhausted => problem.with_hint(ROOM),
            Self::Store(store::Error::NoSuchTask(id)) => {
                problem.with_hint("see what there is with `apex task list --all`").with_id(id)
            }
            Self::NoProcess { id, .. } => {
                problem.with_hint(format!("see how it stands with `apex task show {id}`")).with_id(id)
            }
            Self::Outlived { verb: "end", id, pid } => problem
                .with_hint(format!(
                    "end it yourself with `kill {pid}`: that it is cancelled is stored, and it is not run again"
                ))
                .with_id(id),
            Self::Outlived { id, pid, .. } => {
                problem.with_hint(format!("signal it yourself, as with `kill {pid}`")).with_id(id)
            }
            Self::NotKept { id } => problem
                .with_hint("add it with `--stdin open` or `--pty` to send it something while it runs")
                .with_id(id),
            Self::NotRunning(task) if task.state.is_ended() => {
                problem.with_hint(format!("see how it ended with `apex task show {}`", task.id)).with_id(task.id)
            }
            Self::NotRunning(task) => problem
                .with_hint(format!("wait until it runs with `apex task wait --state running {}`", task.id))
                .with_id(task.id),
            Self::InputClosed { id } => {
                problem.with_hint(format!("see how it stands with `apex task show {id}`")).with_id(id)
            }
            Self::NoTerminal { id } => problem
                .with_hint(format!("see what it writes with `apex logs -f {id}`; add one with `--pty` to attach to it"))
                .with_id(id),
            Self::Crowded { id } => problem.with_hint("try again in a moment").with_id(id),
            Self::Keeper { id, source } if source.kind() == io::ErrorKind::TimedOut => problem
                .with_hint(
                    "try again; if somebody has stopped its process, let it go on with `pkill -CONT apex-keeper`",
                )
                .with_id(id),
            Self::Signal { id, .. } | Self::Keeper { id, .. } => problem.with_id(id),
            Self::Unavailable(error) => problem.with_hint(error.hint()),
            Self::Draining => problem.with_hint("start it again with `apex daemon start` when it has stopped"),
            _ => problem,
        }
    }

    pub(super) fn cancel_refused(id: TaskId, refused: Refused) -> Self {
        match refused {
            Refused::State(task) => Self::AlreadyEnded(task),
            Refused::NotMeant => Self::NotMeant(id),
            _ => Self::NoSuchTask(id),
        }
    }

    pub(super) fn not_edited(id: TaskId, refused: NotEdited) -> Self {
        match refused {
            NotEdited::NotFound => Self::NoSuchTask(id),
            NotEdited::Started(task) => Self::Started(task),
            NotEdited::Changed => Self::EditedMeanwhile(id),
            NotEdited::KeyTaken(other) => Self::KeyTaken { id, other },
            NotEdited::Later(on) => Self::Later { id, on },
        }
    }

    /// `attempt` is the one that was named, if one was.
    pub(super) fn not_told(id: TaskId, attempt: Option<AttemptNumber>, refused: NotTold) -> Self {
        match refused {
            NotTold::NotFound => Self::NoSuchTask(id),
            NotTold::NotRunning(task) => Self::Wrong { verb: "take the progress of", wanted: "running", task },
            NotTold::Late(current) => Self::Late { id, attempt: attempt.unwrap_or(current), current },
            NotTold::Invalid(wrong) => Self::Progress(wrong),
        }
    }

    pub(super) fn not_moved(id: TaskId, refused: NotMoved) -> Self {
        let not_before = |before: Box<Task>, why| Self::NotBefore { id, before, why };
        match refused {
            NotMoved::NotFound(id) => Self::NoSuchTask(id),
            NotMoved::State(task) => Self::Wrong { verb: "move", wanted: "waiting", task },
            NotMoved::Passed(before) => {
                let why = format!("{}, not waiting", standing(&before));
                not_before(before, why)
            }
            NotMoved::Apart(before) => {
                let why = format!("it has priority {} in queue `{}`", before.spec.priority, before.spec.queue);
                not_before(before, why)
            }
            NotMoved::Itself => Self::BeforeItself(id),
        }
    }

    pub(super) fn refused(id: TaskId, verb: &'static str, wanted: &'static str, refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NoSuchTask(id),
            Refused::State(task) => Self::Wrong { verb, wanted, task },
            Refused::Dependency(on) => Self::WouldBeSkipped { id, on },
            Refused::Forgotten(on) => Self::NeverToRun { id, on },
            Refused::Needed(waiting) => Self::Needed { id, waiting },
            Refused::Hook(event) => Self::HookToCome { id, event },
            Refused::NotMeant => Self::NotMeant(id),
        }
    }
}

/// Says why a task cannot be changed any more.
fn has_started(task: &Task) -> String {
    match task.state {
        state if state.is_ended() => format!("it has ended as `{}`", state.as_str()),
        state if state.is_active() => "it has started".to_owned(),
        _ => "it has been started before".to_owned(),
    }
}

fn standing(task: &Task) -> String {
    match task.state {
        // It shows as running, but has no process yet.
        State::Starting => "it is just being started".to_owned(),
        // It shows as running, but is not to go on.
        State::Running if task.cancel_requested_at.is_some() => "it is being cancelled".to_owned(),
        state => format!("it is `{}`", state.shown().as_str()),
    }
}
