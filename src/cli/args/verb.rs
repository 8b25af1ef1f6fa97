//! The tables of commands: one line each, built when it was typed.

use std::ffi::OsString;

use clap::{ArgMatches, Args, FromArgMatches};

use crate::cli::args::{Command, config, daemon, db, event, look, progress, project, queue, schedule, steer, task};

type Build = fn(clap::Command) -> clap::Command;
/// Takes what was typed out of the matches: reading alone would copy all of them first.
type Read = fn(&mut ArgMatches, &[OsString]) -> Result<Command, clap::Error>;

/// One command: its word, its line in the list of commands, how it is built and how it is read.
pub(super) struct Verb {
    pub(super) word: &'static str,
    pub(super) about: &'static str,
    pub(super) build: Build,
    pub(super) read: Read,
}

impl Verb {
    /// Returns the command without its flags, which are added when it was typed.
    pub(super) fn command(&self) -> clap::Command {
        clap::Command::new(self.word).about(self.about).defer(self.build)
    }
}

/// Commands that begin with the same word.
pub(super) struct Group {
    pub(super) word: &'static str,
    about: &'static str,
    pub(super) verbs: &'static [Verb],
}

impl Group {
    /// Returns the command with these of its verbs.
    pub(super) fn command(&self, verbs: &[Verb]) -> clap::Command {
        clap::Command::new(self.word)
            .about(self.about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(verbs.iter().map(Verb::command))
    }
}

/// The groups, in the order in which they are listed.
pub(super) static GROUPS: [Group; 6] = [
    Group { word: "task", about: "Adds, lists and steers tasks", verbs: &TASK },
    Group { word: "queue", about: "Lists and steers queues", verbs: &QUEUE },
    Group {
        word: "schedule",
        about: "Adds, lists and steers schedules, which add tasks by themselves",
        verbs: &SCHEDULE,
    },
    Group { word: "daemon", about: "Starts, stops and watches the daemon", verbs: &DAEMON },
    Group { word: "config", about: "Shows, checks and changes the settings", verbs: &CONFIG },
    Group { word: "db", about: "Checks, copies and saves the task store", verbs: &DB },
];

/// Commands that begin with themselves. The last five are short forms of commands of [`TASK`].
pub(super) static TOP: [Verb; 16] = [
    Verb {
        word: "init",
        about: "Makes a project of a directory",
        build: project::Init::augment_args,
        read: |matches, _| project::Init::from_arg_matches_mut(matches).map(Command::Init),
    },
    Verb {
        word: "run",
        about: "Adds a task and follows it: its output, then its exit code",
        build: task::Run::augment_args,
        read: |matches, raw| {
            let mut run = task::Run::from_arg_matches_mut(matches)?;
            run.add.words.find_separator(raw);
            Ok(Command::Run(run))
        },
    },
    Verb {
        word: "status",
        about: "Shows the whole project on one screen",
        build: project::Status::augment_args,
        read: |_, _| Ok(Command::Status),
    },
    Verb {
        word: "stats",
        about: "Tells how tasks went: how many, how many of them well, how long they waited and ran",
        build: look::Stats::augment_args,
        read: |matches, _| look::Stats::from_arg_matches_mut(matches).map(Command::Stats),
    },
    Verb {
        word: "ps",
        about: "Shows what runs",
        build: look::Ps::augment_args,
        read: |matches, _| look::Ps::from_arg_matches_mut(matches).map(Command::Ps),
    },
    Verb {
        word: "events",
        about: "Prints every change of a task, a queue or a schedule, in order",
        build: event::Events::augment_args,
        read: |matches, _| event::Events::from_arg_matches_mut(matches).map(Command::Events),
    },
    Verb {
        word: "progress",
        about: "Says how far a task is",
        build: progress::Progress::augment_args,
        read: |matches, _| progress::Progress::from_arg_matches_mut(matches).map(Command::Progress),
    },
    Verb {
        word: "trust",
        about: "Accepts a project that came from elsewhere",
        build: project::Trust::augment_args,
        read: |_, _| Ok(Command::Trust),
    },
    Verb {
        word: "doctor",
        about: "Says what is wrong, and what to do about it",
        build: project::Doctor::augment_args,
        read: |_, _| Ok(Command::Doctor),
    },
    Verb {
        word: "version",
        about: "Prints the versions of the program, the wire, the JSON and the database",
        build: project::Version::augment_args,
        read: |_, _| Ok(Command::Version),
    },
    Verb {
        word: "completions",
        about: "Prints the completions of a shell",
        build: project::Completions::augment_args,
        read: |matches, _| project::Completions::from_arg_matches_mut(matches).map(Command::Completions),
    },
    ADD,
    Verb { word: "ls", ..LIST },
    LOGS,
    WAIT,
    CANCEL,
];

const ADD: Verb = Verb {
    word: "add",
    about: "Adds a task",
    build: |command| {
        // With many tasks in a file there is none to be typed.
        task::Add::augment_args(command)
            .mut_arg("command", |words| words.required(false).required_unless_present("from"))
    },
    read: |matches, raw| {
        let mut add = task::Add::from_arg_matches_mut(matches)?;
        add.task.words.find_separator(raw);
        Ok(Command::Add(add))
    },
};

const LIST: Verb = Verb {
    word: "list",
    about: "Lists tasks",
    build: task::List::augment_args,
    read: |matches, _| task::List::from_arg_matches_mut(matches).map(Command::List),
};

const LOGS: Verb = Verb {
    word: "logs",
    about: "Prints what tasks wrote",
    build: task::Logs::augment_args,
    read: |matches, _| task::Logs::from_arg_matches_mut(matches).map(Command::Logs),
};

const WAIT: Verb = Verb {
    word: "wait",
    about: "Waits until tasks have ended",
    build: task::Wait::augment_args,
    read: |matches, _| task::Wait::from_arg_matches_mut(matches).map(Command::Wait),
};

const CANCEL: Verb = Verb {
    word: "cancel",
    about: "Cancels tasks",
    build: task::Cancel::augment_args,
    read: |matches, _| task::Cancel::from_arg_matches_mut(matches).map(Command::Cancel),
};

/// Commands that begin with `task`.
const TASK: [Verb; 19] = [
    ADD,
    LIST,
    Verb {
        word: "show",
        about: "Shows everything about tasks",
        build: task::Show::augment_args,
        read: |matches, _| task::Show::from_arg_matches_mut(matches).map(Command::Show),
    },
    LOGS,
    WAIT,
    CANCEL,
    Verb {
        word: "kill",
        about: "Sends a signal to all processes of tasks",
        build: task::Kill::augment_args,
        read: |matches, _| task::Kill::from_arg_matches_mut(matches).map(Command::Kill),
    },
    Verb {
        word: "release",
        about: "Lets held tasks go",
        build: task::Release::augment_args,
        read: |matches, _| task::Release::from_arg_matches_mut(matches).map(Command::Release),
    },
    Verb {
        word: "hold",
        about: "Keeps waiting tasks back until they are released",
        build: steer::Hold::augment_args,
        read: |matches, _| steer::Hold::from_arg_matches_mut(matches).map(Command::Hold),
    },
    Verb {
        word: "pause",
        about: "Stops all processes in the sessions of running tasks",
        build: steer::Pause::augment_args,
        read: |matches, _| steer::Pause::from_arg_matches_mut(matches).map(Command::Pause),
    },
    Verb {
        word: "resume",
        about: "Lets the processes of paused tasks go on",
        build: steer::Resume::augment_args,
        read: |matches, _| steer::Resume::from_arg_matches_mut(matches).map(Command::Resume),
    },
    Verb {
        word: "retry",
        about: "Runs tasks again that have ended",
        build: |command| {
            steer::Retry::augment_args(command).mut_arg("ids", |ids| ids.required_unless_present("failed"))
        },
        read: |matches, _| steer::Retry::from_arg_matches_mut(matches).map(Command::Retry),
    },
    Verb {
        word: "rm",
        about: "Removes tasks that have ended, with all they wrote",
        build: steer::Remove::augment_args,
        read: |matches, _| steer::Remove::from_arg_matches_mut(matches).map(Command::Remove),
    },
    Verb {
        word: "edit",
        about: "Changes what a task is to do that has not started",
        build: steer::Edit::augment_args,
        read: |matches, _| steer::Edit::from_arg_matches_mut(matches).map(Command::Edit),
    },
    Verb {
        word: "move",
        about: "Puts a waiting task to another place",
        build: steer::Move::augment_args,
        read: |matches, _| steer::Move::from_arg_matches_mut(matches).map(Command::Move),
    },
    Verb {
        word: "send",
        about: "Gives a running task something to read",
        build: steer::Send::augment_args,
        read: |matches, _| steer::Send::from_arg_matches_mut(matches).map(Command::Send),
    },
    Verb {
        word: "attach",
        about: "Shows the terminal of a task here, and types what is typed here",
        build: steer::Attach::augment_args,
        read: |matches, _| steer::Attach::from_arg_matches_mut(matches).map(Command::Attach),
    },
    Verb {
        word: "prune",
        about: "Removes what has ended, with all it wrote",
        build: steer::Prune::augment_args,
        read: |matches, _| steer::Prune::from_arg_matches_mut(matches).map(Command::Prune),
    },
    Verb {
        word: "why",
        about: "Says what a task waits for",
        build: steer::Why::augment_args,
        read: |matches, _| steer::Why::from_arg_matches_mut(matches).map(Command::Why),
    },
];

/// Commands that begin with `queue`.
const QUEUE: [Verb; 6] = [
    Verb { word: "list", about: "Lists queues", build: queue::List::augment_args, read: |_, _| Ok(Command::QueueList) },
    Verb {
        word: "add",
        about: "Makes a queue",
        build: queue::Add::augment_args,
        read: |matches, _| queue::Add::from_arg_matches_mut(matches).map(Command::QueueAdd),
    },
    Verb {
        word: "set",
        about: "Gives a queue another number of slots, or another weight",
        build: queue::Set::augment_args,
        read: |matches, _| queue::Set::from_arg_matches_mut(matches).map(Command::QueueSet),
    },
    Verb {
        word: "pause",
        about: "Starts nothing of queues any more",
        build: queue::Pause::augment_args,
        read: |matches, _| queue::Pause::from_arg_matches_mut(matches).map(Command::QueuePause),
    },
    Verb {
        word: "resume",
        about: "Lets tasks of paused queues be started again",
        build: queue::Resume::augment_args,
        read: |matches, _| queue::Resume::from_arg_matches_mut(matches).map(Command::QueueResume),
    },
    Verb {
        word: "rm",
        about: "Removes queues",
        build: queue::Remove::augment_args,
        read: |matches, _| queue::Remove::from_arg_matches_mut(matches).map(Command::QueueRemove),
    },
];

/// Commands that begin with `schedule`.
const SCHEDULE: [Verb; 8] = [
    Verb {
        word: "add",
        about: "Adds a schedule, which adds tasks by itself",
        build: schedule::Add::augment_args,
        read: |matches, raw| {
            let mut add = schedule::Add::from_arg_matches_mut(matches)?;
            add.words.find_separator(raw);
            Ok(Command::ScheduleAdd(Box::new(add)))
        },
    },
    Verb {
        word: "list",
        about: "Lists schedules",
        build: schedule::List::augment_args,
        read: |_, _| Ok(Command::ScheduleList),
    },
    Verb {
        word: "show",
        about: "Shows everything about a schedule, with its next five times",
        build: schedule::Show::augment_args,
        read: |matches, _| schedule::Show::from_arg_matches_mut(matches).map(Command::ScheduleShow),
    },
    Verb {
        word: "run-now",
        about: "Adds a task of a schedule now",
        build: schedule::RunNow::augment_args,
        read: |matches, _| schedule::RunNow::from_arg_matches_mut(matches).map(Command::ScheduleRunNow),
    },
    Verb {
        word: "pause",
        about: "Lets schedules add nothing",
        build: schedule::Pause::augment_args,
        read: |matches, _| schedule::Pause::from_arg_matches_mut(matches).map(Command::SchedulePause),
    },
    Verb {
        word: "resume",
        about: "Lets paused schedules add tasks again",
        build: schedule::Resume::augment_args,
        read: |matches, _| schedule::Resume::from_arg_matches_mut(matches).map(Command::ScheduleResume),
    },
    Verb {
        word: "edit",
        about: "Changes a schedule",
        build: schedule::Edit::augment_args,
        read: |matches, _| schedule::Edit::from_arg_matches_mut(matches).map(Command::ScheduleEdit),
    },
    Verb {
        word: "rm",
        about: "Removes schedules",
        build: schedule::Remove::augment_args,
        read: |matches, _| schedule::Remove::from_arg_matches_mut(matches).map(Command::ScheduleRemove),
    },
];

/// Commands that begin with `daemon`.
const DAEMON: [Verb; 10] = [
    Verb {
        word: "start",
        about: "Starts the daemon in the background",
        build: daemon::Start::augment_args,
        read: |matches, _| daemon::Start::from_arg_matches_mut(matches).map(Command::DaemonStart),
    },
    Verb {
        word: "stop",
        about: "Stops the daemon when its running tasks have ended",
        build: daemon::Stop::augment_args,
        read: |matches, _| daemon::Stop::from_arg_matches_mut(matches).map(Command::DaemonStop),
    },
    Verb {
        word: "restart",
        about: "Replaces the daemon by this program while running tasks go on",
        build: daemon::Restart::augment_args,
        read: |_, _| Ok(Command::DaemonRestart),
    },
    Verb {
        word: "reload",
        about: "Lets the daemon read its configuration again",
        build: daemon::Reload::augment_args,
        read: |_, _| Ok(Command::DaemonReload),
    },
    Verb {
        word: "status",
        about: "Tells how the daemon stands",
        build: daemon::Status::augment_args,
        read: |_, _| Ok(Command::DaemonStatus),
    },
    Verb {
        word: "logs",
        about: "Prints the daemon's own log",
        build: daemon::Logs::augment_args,
        read: |matches, _| daemon::Logs::from_arg_matches_mut(matches).map(Command::DaemonLogs),
    },
    Verb {
        word: "metrics",
        about: "Prints what is measured, as Prometheus reads it",
        build: daemon::Metrics::augment_args,
        read: |_, _| Ok(Command::DaemonMetrics),
    },
    Verb {
        word: "run",
        about: "Runs the daemon in the foreground, for systemd and launchd",
        build: daemon::Run::augment_args,
        read: |matches, _| daemon::Run::from_arg_matches_mut(matches).map(Command::DaemonRun),
    },
    Verb {
        word: "install",
        about: "Installs the daemon of this project as a service of this user",
        build: daemon::Install::augment_args,
        read: |matches, _| daemon::Install::from_arg_matches_mut(matches).map(Command::DaemonInstall),
    },
    Verb {
        word: "uninstall",
        about: "Removes what `daemon install` wrote",
        build: daemon::Uninstall::augment_args,
        read: |_, _| Ok(Command::DaemonUninstall),
    },
];

/// Commands that begin with `config`.
const CONFIG: [Verb; 3] = [
    Verb {
        word: "show",
        about: "Shows the settings in force",
        build: config::Show::augment_args,
        read: |matches, _| config::Show::from_arg_matches_mut(matches).map(Command::ConfigShow),
    },
    Verb {
        word: "check",
        about: "Checks the settings",
        build: config::Check::augment_args,
        read: |_, _| Ok(Command::ConfigCheck),
    },
    Verb {
        word: "edit",
        about: "Changes the project's settings in an editor",
        build: config::Edit::augment_args,
        read: |_, _| Ok(Command::ConfigEdit),
    },
];

/// Commands that begin with `db`.
const DB: [Verb; 3] = [
    Verb {
        word: "check",
        about: "Reads the whole task store and tells whether it is sound",
        build: db::Check::augment_args,
        read: |_, _| Ok(Command::DbCheck),
    },
    Verb {
        word: "backup",
        about: "Copies the task store, also while the daemon runs",
        build: db::Backup::augment_args,
        read: |matches, _| db::Backup::from_arg_matches_mut(matches).map(Command::DbBackup),
    },
    Verb {
        word: "recover",
        about: "Saves what can be read of a damaged task store",
        build: db::Recover::augment_args,
        read: |_, _| Ok(Command::DbRecover),
    },
];
