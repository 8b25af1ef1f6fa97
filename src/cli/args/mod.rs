//! What can be typed, and what it means.
//!
//! Every command is a struct whose docs are its help. Only the one that was typed is built: a command line is parsed
//! for each task that is added, and building all of them takes longer than asking the daemon. That is why the commands
//! stand in tables (`verb`) instead of an enum that clap derives.

use std::ffi::OsString;

use clap::{ArgMatches, Args, FromArgMatches};

mod command;
pub mod config;
pub mod daemon;
pub mod db;
pub mod event;
pub mod global;
pub mod project;
pub mod queue;
pub mod steer;
pub mod task;
pub mod terms;
pub mod value;
mod verb;

#[cfg(test)]
mod pages;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use global::Globals;

use verb::{CONFIG, DAEMON, DB, QUEUE, TASK, TOP, Verb};

/// What was typed, in the words of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Flags that go with every command.
    pub globals: Globals,
    /// The command.
    pub command: Command,
}

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
        .subcommand(group("db", "Checks, copies and saves the task store", &DB))
}

/// Reads a command line.
///
/// Shape: `raw` begins with the name of the program.
/// Errors: clap's, which also carry help and version texts.
pub fn parse(raw: &[OsString]) -> Result<Typed, clap::Error> {
    // `help COMMAND` is `COMMAND --help`: clap's own would build every command to show one.
    let asked = match first_word(raw).map(|at| (&raw[..at], &raw[at..])) {
        Some((before, [word, rest @ ..])) if word == "help" => [before, rest, &[OsString::from("--help")]].concat(),
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
        Some(("db", inner)) => read(&DB, inner, raw)?,
        Some(_) => read(&TOP, &matches, raw)?,
    };
    Ok(Typed { globals, command })
}

/// Returns where the first word stands that is neither the program's name nor one of the flags that go with every
/// command.
fn first_word(raw: &[OsString]) -> Option<usize> {
    const WITH_VALUE: [&str; 4] = ["-C", "--project", "--color", "--deadline"];
    let mut at = 1;
    while let Some(word) = raw.get(at).map(|word| word.to_string_lossy()) {
        match word.as_ref() {
            "--" => return None,
            word if WITH_VALUE.contains(&word) => at += 2,
            word if word.starts_with('-') => at += 1,
            _ => return Some(at),
        }
    }
    None
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
