//! What can be typed about a project and about the program itself.

use clap::Args;

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
pub struct Trust {}

/// Says what is wrong, and what to do about it.
///
/// Looks at permissions, files, settings, the daemon, the database, room on the disk, limits, the clock and the unit that
/// starts the daemon. Exits with 1 if something is wrong; a warning alone is no reason to. Never starts the daemon, and
/// changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Examples:\n  apex doctor\n  apex -q doctor        only what is not as it should be")]
pub struct Doctor {}

/// Prints the versions of the program, the wire, the JSON and the database.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Version {}

/// Shows the whole project on one screen.
///
/// Whether the daemon runs, how many slots are used, what runs, what waits and what failed last. Never starts the
/// daemon.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Status {}

/// Prints the completions of a shell.
///
/// A script for bash, zsh, fish, elvish or PowerShell, to be put where the shell looks for it. In the first three it completes tasks,
/// names, labels, queues and schedules as well, as they stand in the project: of tasks those to which the command can do
/// something. It starts no daemon, and answers within 50 ms or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  source <(apex completions bash)                (in this shell alone)
  apex completions bash > ~/.local/share/bash-completion/completions/apex
  apex completions zsh > ~/.zfunc/_apex          (a directory in $fpath)
  apex completions fish > ~/.config/fish/completions/apex.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}
