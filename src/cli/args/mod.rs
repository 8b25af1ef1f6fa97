//! What can be typed, and what it means.
//!
//! Every command is a struct whose docs are its help. Only the one that was typed is built: a command line is parsed
//! for each task that is added, and building all of them takes longer than asking the daemon. That is why the commands
//! stand in tables (`Verb`) instead of an enum that clap derives.

use std::ffi::OsString;

use clap::{ArgMatches, Args, FromArgMatches};

pub mod config;
pub mod daemon;
pub mod event;
pub mod global;
pub mod queue;
pub mod steer;
pub mod task;
pub mod terms;
pub mod value;

#[cfg(test)]
mod pages;
#[cfg(test)]
mod tests;

pub use global::Globals;

/// A command, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `init`
    Init(Init),
    /// `version`
    Version,
    /// `status`, or nothing at all.
    Status,
    /// `trust`
    Trust,
    /// `completions`
    Completions(Completions),
    /// `run`
    Run(task::Run),
    /// `task add`
    Add(task::Add),
    /// `task list`
    List(task::List),
    /// `task show`
    Show(task::Show),
    /// `task logs`
    Logs(task::Logs),
    /// `task wait`
    Wait(task::Wait),
    /// `task cancel`
    Cancel(task::Cancel),
    /// `task kill`
    Kill(task::Kill),
    /// `task release`
    Release(task::Release),
    /// `task hold`
    Hold(steer::Hold),
    /// `task pause`
    Pause(steer::Pause),
    /// `task resume`
    Resume(steer::Resume),
    /// `task retry`
    Retry(steer::Retry),
    /// `task rm`
    Remove(steer::Remove),
    /// `task why`
    Why(steer::Why),
    /// `queue list`
    QueueList,
    /// `queue add`
    QueueAdd(queue::Add),
    /// `queue set`
    QueueSet(queue::Set),
    /// `queue pause`
    QueuePause(queue::Pause),
    /// `queue resume`
    QueueResume(queue::Resume),
    /// `queue rm`
    QueueRemove(queue::Remove),
    /// `events`
    Events(event::Events),
    /// `config show`
    ConfigShow(config::Show),
    /// `config check`
    ConfigCheck,
    /// `config edit`
    ConfigEdit,
    /// `daemon start`
    DaemonStart(daemon::Start),
    /// `daemon stop`
    DaemonStop(daemon::Stop),
    /// `daemon restart`
    DaemonRestart,
    /// `daemon reload`
    DaemonReload,
    /// `daemon status`
    DaemonStatus,
    /// `daemon logs`
    DaemonLogs(daemon::Logs),
    /// `daemon metrics`
    DaemonMetrics,
    /// `daemon run`
    DaemonRun(daemon::Run),
    /// `daemon install`
    DaemonInstall(daemon::Install),
    /// `daemon uninstall`
    DaemonUninstall,
}

/// Makes a project of a directory.
///
/// Creates `.apex/` with a commented `config.toml`. Tasks added anywhere below it belong to this project and run
/// through its own daemon. A project that is there already is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex init\n  apex init ~/src/website")]
pub struct Init {
    /// The directory; the working directory if none is named
    #[arg(value_name = "DIR")]
    pub directory: Option<std::path::PathBuf>,
}

/// Accepts a project that came from elsewhere.
///
/// A project that was cloned, copied or moved runs nothing of what it brought along until its new owner says so: its
/// tasks are held. Look at them with `apex ls --all` before. Never starts the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex trust\n  apex -C ~/src/copy trust")]
struct Trust {}

/// Prints the versions of the program, the wire, the JSON and the database.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
struct Version {}

/// Shows the whole project on one screen.
///
/// Whether the daemon runs, how many slots are used, what runs, what waits and what failed last. Never starts the
/// daemon.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
struct Status {}

/// Prints the completions of a shell.
///
/// A script for bash, zsh, fish, elvish or PowerShell, to be put where the shell looks for it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  apex completions bash > ~/.local/share/bash-completion/completions/apex
  apex completions zsh > ~/.zfunc/_apex          (a directory in $fpath)
  apex completions fish > ~/.config/fish/completions/apex.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

/// What was typed, in the words of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Flags that go with every command.
    pub globals: Globals,
    /// The command.
    pub command: Command,
}

type Build = fn(clap::Command) -> clap::Command;
type Read = fn(&ArgMatches, &[OsString]) -> Result<Command, clap::Error>;

/// One command: its word, its line in the list of commands, how it is built and how it is read.
struct Verb {
    word: &'static str,
    about: &'static str,
    build: Build,
    read: Read,
}

/// Commands that begin with themselves. The last five are short forms of commands of [`TASK`].
const TOP: [Verb; 12] = [
    Verb {
        word: "init",
        about: "Makes a project of a directory",
        build: Init::augment_args,
        read: |matches, _| Init::from_arg_matches(matches).map(Command::Init),
    },
    Verb {
        word: "run",
        about: "Adds a task and follows it: its output, then its exit code",
        build: task::Run::augment_args,
        read: |matches, raw| {
            let mut run = task::Run::from_arg_matches(matches)?;
            run.add.words.find_separator(raw);
            Ok(Command::Run(run))
        },
    },
    Verb {
        word: "status",
        about: "Shows the whole project on one screen",
        build: Status::augment_args,
        read: |_, _| Ok(Command::Status),
    },
    Verb {
        word: "events",
        about: "Prints every change of a task or a queue, in order",
        build: event::Events::augment_args,
        read: |matches, _| event::Events::from_arg_matches(matches).map(Command::Events),
    },
    Verb {
        word: "trust",
        about: "Accepts a project that came from elsewhere",
        build: Trust::augment_args,
        read: |_, _| Ok(Command::Trust),
    },
    Verb {
        word: "version",
        about: "Prints the versions of the program, the wire, the JSON and the database",
        build: Version::augment_args,
        read: |_, _| Ok(Command::Version),
    },
    Verb {
        word: "completions",
        about: "Prints the completions of a shell",
        build: Completions::augment_args,
        read: |matches, _| Completions::from_arg_matches(matches).map(Command::Completions),
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
    build: task::Add::augment_args,
    read: |matches, raw| {
        let mut add = task::Add::from_arg_matches(matches)?;
        add.task.words.find_separator(raw);
        Ok(Command::Add(add))
    },
};

const LIST: Verb = Verb {
    word: "list",
    about: "Lists tasks",
    build: task::List::augment_args,
    read: |matches, _| task::List::from_arg_matches(matches).map(Command::List),
};

const LOGS: Verb = Verb {
    word: "logs",
    about: "Prints what tasks wrote",
    build: task::Logs::augment_args,
    read: |matches, _| task::Logs::from_arg_matches(matches).map(Command::Logs),
};

const WAIT: Verb = Verb {
    word: "wait",
    about: "Waits until tasks have ended",
    build: task::Wait::augment_args,
    read: |matches, _| task::Wait::from_arg_matches(matches).map(Command::Wait),
};

const CANCEL: Verb = Verb {
    word: "cancel",
    about: "Cancels tasks",
    build: task::Cancel::augment_args,
    read: |matches, _| task::Cancel::from_arg_matches(matches).map(Command::Cancel),
};

/// Commands that begin with `task`.
const TASK: [Verb; 14] = [
    ADD,
    LIST,
    Verb {
        word: "show",
        about: "Shows everything about a task",
        build: task::Show::augment_args,
        read: |matches, _| task::Show::from_arg_matches(matches).map(Command::Show),
    },
    LOGS,
    WAIT,
    CANCEL,
    Verb {
        word: "kill",
        about: "Sends a signal to all processes of tasks",
        build: task::Kill::augment_args,
        read: |matches, _| task::Kill::from_arg_matches(matches).map(Command::Kill),
    },
    Verb {
        word: "release",
        about: "Lets held tasks go",
        build: task::Release::augment_args,
        read: |matches, _| task::Release::from_arg_matches(matches).map(Command::Release),
    },
    Verb {
        word: "hold",
        about: "Keeps waiting tasks back until they are released",
        build: steer::Hold::augment_args,
        read: |matches, _| steer::Hold::from_arg_matches(matches).map(Command::Hold),
    },
    Verb {
        word: "pause",
        about: "Stops all processes of running tasks",
        build: steer::Pause::augment_args,
        read: |matches, _| steer::Pause::from_arg_matches(matches).map(Command::Pause),
    },
    Verb {
        word: "resume",
        about: "Lets the processes of paused tasks go on",
        build: steer::Resume::augment_args,
        read: |matches, _| steer::Resume::from_arg_matches(matches).map(Command::Resume),
    },
    Verb {
        word: "retry",
        about: "Runs tasks again that have ended",
        build: steer::Retry::augment_args,
        read: |matches, _| steer::Retry::from_arg_matches(matches).map(Command::Retry),
    },
    Verb {
        word: "rm",
        about: "Removes tasks that have ended, with all they wrote",
        build: steer::Remove::augment_args,
        read: |matches, _| steer::Remove::from_arg_matches(matches).map(Command::Remove),
    },
    Verb {
        word: "why",
        about: "Says what a task waits for",
        build: steer::Why::augment_args,
        read: |matches, _| steer::Why::from_arg_matches(matches).map(Command::Why),
    },
];

/// Commands that begin with `queue`.
const QUEUE: [Verb; 6] = [
    Verb { word: "list", about: "Lists queues", build: queue::List::augment_args, read: |_, _| Ok(Command::QueueList) },
    Verb {
        word: "add",
        about: "Makes a queue",
        build: queue::Add::augment_args,
        read: |matches, _| queue::Add::from_arg_matches(matches).map(Command::QueueAdd),
    },
    Verb {
        word: "set",
        about: "Gives a queue another number of slots",
        build: queue::Set::augment_args,
        read: |matches, _| queue::Set::from_arg_matches(matches).map(Command::QueueSet),
    },
    Verb {
        word: "pause",
        about: "Starts nothing of queues any more",
        build: queue::Pause::augment_args,
        read: |matches, _| queue::Pause::from_arg_matches(matches).map(Command::QueuePause),
    },
    Verb {
        word: "resume",
        about: "Lets tasks of paused queues be started again",
        build: queue::Resume::augment_args,
        read: |matches, _| queue::Resume::from_arg_matches(matches).map(Command::QueueResume),
    },
    Verb {
        word: "rm",
        about: "Removes queues",
        build: queue::Remove::augment_args,
        read: |matches, _| queue::Remove::from_arg_matches(matches).map(Command::QueueRemove),
    },
];

/// Commands that begin with `daemon`.
const DAEMON: [Verb; 10] = [
    Verb {
        word: "start",
        about: "Starts the daemon in the background",
        build: daemon::Start::augment_args,
        read: |matches, _| daemon::Start::from_arg_matches(matches).map(Command::DaemonStart),
    },
    Verb {
        word: "stop",
        about: "Stops the daemon when its running tasks have ended",
        build: daemon::Stop::augment_args,
        read: |matches, _| daemon::Stop::from_arg_matches(matches).map(Command::DaemonStop),
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
        read: |matches, _| daemon::Logs::from_arg_matches(matches).map(Command::DaemonLogs),
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
        read: |matches, _| daemon::Run::from_arg_matches(matches).map(Command::DaemonRun),
    },
    Verb {
        word: "install",
        about: "Installs the daemon of this project as a service of this user",
        build: daemon::Install::augment_args,
        read: |matches, _| daemon::Install::from_arg_matches(matches).map(Command::DaemonInstall),
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
        read: |matches, _| config::Show::from_arg_matches(matches).map(Command::ConfigShow),
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

const AFTER_HELP: &str = "\
Examples:
  apex init                        make a project of the working directory
  apex add -- cargo test           add a task and go on
  apex run -- cargo test           add a task, see its output, get its exit code
  apex ls                          what runs, what waits, what has ended
  apex logs -f 12                  follow the output of task 12

The daemon is started when it is needed. Without a command: `apex status`.
`apex help COMMAND` tells more about a command.";

/// Builds the command line of apex; what comes after a command's word is built when it was typed.
pub fn command() -> clap::Command {
    let group = |word: &'static str, about: &'static str, verbs: &[Verb]| {
        clap::Command::new(word)
            .about(about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(verbs.iter().map(Verb::command))
    };
    let root = clap::Command::new("apex")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(AFTER_HELP)
        .disable_help_subcommand(true)
        .max_term_width(100);
    // After the flags, whose own text, though there is none, would take its place.
    Globals::augment_args(root)
        .about("Queues commands, runs each of them once, keeps its output and its exit code")
        .subcommands(TOP.iter().map(Verb::command))
        .subcommand(group("task", "Adds, lists and steers tasks", &TASK))
        .subcommand(group("queue", "Lists and steers queues", &QUEUE))
        .subcommand(group("daemon", "Starts, stops and watches the daemon", &DAEMON))
        .subcommand(group("config", "Shows, checks and changes the settings", &CONFIG))
}

impl Verb {
    fn command(&self) -> clap::Command {
        clap::Command::new(self.word).about(self.about).defer(self.build)
    }
}

/// Reads a command line.
///
/// Shape: `raw` begins with the name of the program.
/// Errors: clap's, which also carry help and version texts.
pub fn parse(raw: &[OsString]) -> Result<Typed, clap::Error> {
    // `help COMMAND` is `COMMAND --help`: clap's own would build every command to show one.
    let asked = match raw {
        [name, word, rest @ ..] if word == "help" => {
            [std::slice::from_ref(name), rest, &[OsString::from("--help")]].concat()
        }
        _ => raw.to_vec(),
    };
    let matches = command().try_get_matches_from(asked)?;
    // Flags that may come after the command are copied to every level by clap.
    let globals = Globals::from_arg_matches(&matches)?;
    let command = match matches.subcommand() {
        None => Command::Status,
        Some(("task", inner)) => read(&TASK, inner, raw)?,
        Some(("queue", inner)) => read(&QUEUE, inner, raw)?,
        Some(("daemon", inner)) => read(&DAEMON, inner, raw)?,
        Some(("config", inner)) => read(&CONFIG, inner, raw)?,
        Some(_) => read(&TOP, &matches, raw)?,
    };
    Ok(Typed { globals, command })
}

fn read(verbs: &[Verb], matches: &ArgMatches, raw: &[OsString]) -> Result<Command, clap::Error> {
    let found = matches
        .subcommand()
        .and_then(|(word, inner)| verbs.iter().find(|verb| verb.word == word).map(|verb| (verb, inner)));
    match found {
        Some((verb, inner)) => (verb.read)(inner, raw),
        None => Err(command().error(clap::error::ErrorKind::MissingSubcommand, "a command is missing")),
    }
}
