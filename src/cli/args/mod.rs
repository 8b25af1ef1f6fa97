//! What can be typed, and what it means.
//!
//! Every command is a struct whose docs are its help. Only the one that was typed is built, and all of them only where
//! that does not do: a command line is parsed for each task that is added, and building all of them takes longer than
//! asking the daemon. That is why the commands stand in tables (`verb`) instead of an enum that clap derives.

use std::borrow::Cow;
use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, FromArgMatches};

mod command;
pub mod config;
pub mod confine;
pub mod daemon;
pub mod db;
pub mod event;
pub mod global;
pub mod look;
pub mod progress;
pub mod project;
pub mod queue;
pub mod schedule;
pub mod steer;
pub mod task;
pub mod terms;
pub mod value;
mod verb;
pub mod which;

#[cfg(test)]
mod pages;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use global::Globals;

use verb::{GROUPS, TOP, Verb};

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
    let groups = GROUPS.iter().map(|group| group.command(group.verbs));
    bare().subcommands(TOP.iter().map(Verb::command)).subcommands(groups)
}

/// Builds the command line with all that can be typed, each command as `change` makes it, the whole one included, which has the flags
/// that go with every command. It gets the word of the group, which is empty where there is none.
pub fn whole(change: impl Fn(&str, clap::Command) -> clap::Command) -> clap::Command {
    let built = |group: &str, verb: &Verb| change(group, (verb.build)(clap::Command::new(verb.word).about(verb.about)));
    let groups = GROUPS.iter().map(|group| {
        let empty = group.command(&[]);
        empty.subcommands(group.verbs.iter().map(|verb| built(group.word, verb)))
    });
    change("", bare()).subcommands(TOP.iter().map(|verb| built("", verb))).subcommands(groups)
}

/// Builds the command line without any command.
fn bare() -> clap::Command {
    let root = clap::Command::new("apex")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(AFTER_HELP)
        .disable_help_subcommand(true)
        .max_term_width(100);
    // After the flags, whose own text, though there is none, would take its place.
    Globals::augment_args(root).about("Queues commands, runs each of them once, keeps its output and its exit code")
}

/// Returns the command that seems to be typed, and the line without the word of its group.
fn seemingly(raw: &[OsString]) -> Option<(&'static Verb, Cow<'_, [OsString]>)> {
    let at = first_word(raw)?;
    let find = |verbs: &'static [Verb], word: &OsString| verbs.iter().find(|verb| word == verb.word);
    if let Some(verb) = find(&TOP, &raw[at]) {
        return Some((verb, Cow::Borrowed(raw)));
    }
    let group = GROUPS.iter().find(|group| raw[at] == group.word)?;
    let verb = find(group.verbs, raw.get(at + 1)?)?;
    Some((verb, Cow::Owned([&raw[..at], &raw[at + 1..]].concat())))
}

/// Reads a command line with nothing but the one command that seems to be typed; `None` if that does not do.
///
/// The flags that go with every command are copied to each that there is, and to each word that leads to it, which takes
/// longer than everything else about most command lines.
fn parse_lean(raw: &[OsString]) -> Option<Result<Typed, clap::Error>> {
    let (verb, line) = match seemingly(raw) {
        Some((verb, line)) => (Some(verb), line),
        None => (None, Cow::Borrowed(raw)),
    };
    let mut command = bare().subcommands(verb.map(Verb::command));
    let matches = command.try_get_matches_from_mut(line.iter());
    // Hundreds of pieces of memory are not worth being given back by a program that is about to end.
    std::mem::forget(command);
    let mut matches = match matches {
        Ok(matches) => matches,
        Err(version) if version.kind() == ErrorKind::DisplayVersion => return Some(Err(version)),
        Err(_) => return None,
    };
    let found = verb.zip(matches.remove_subcommand());
    Some(typed(matches, found.map(|(verb, (_, inner))| (verb, inner)), raw))
}

/// Reads a command line.
///
/// Shape: `raw` begins with the name of the program.
/// Errors: clap's, which also carry help and version texts.
pub fn parse(raw: &[OsString]) -> Result<Typed, clap::Error> {
    // What the one command takes as right, all of them together would read in the same way. What is wrong with a line is
    // found among all of them.
    parse_lean(raw).unwrap_or_else(|| parse_whole(raw))
}

/// Reads a command line with all commands.
fn parse_whole(raw: &[OsString]) -> Result<Typed, clap::Error> {
    let mut matches = command().try_get_matches_from(without_help(raw))?;
    let named = |verbs: &'static [Verb], found: Option<(String, ArgMatches)>| {
        let (word, inner) = found?;
        verbs.iter().find(|verb| verb.word == word).map(|verb| (verb, inner))
    };
    let group = matches.subcommand_name().and_then(|word| GROUPS.iter().find(|group| group.word == word));
    let found = match (group, matches.remove_subcommand()) {
        (Some(group), Some((_, mut inner))) => named(group.verbs, inner.remove_subcommand()),
        (_, found) => named(&TOP, found),
    };
    typed(matches, found, raw)
}

/// Makes `COMMAND --help` of `help COMMAND`: clap's own would build every command to show one.
fn without_help(raw: &[OsString]) -> Vec<OsString> {
    match first_word(raw).map(|at| (&raw[..at], &raw[at..])) {
        Some((before, [word, rest @ ..])) if word == "help" => [before, rest, &[OsString::from("--help")]].concat(),
        _ => raw.to_vec(),
    }
}

fn typed(mut matches: ArgMatches, found: Option<(&Verb, ArgMatches)>, raw: &[OsString]) -> Result<Typed, clap::Error> {
    // Flags that may come after the command are copied to every level by clap.
    let globals = Globals::from_arg_matches_mut(&mut matches)?;
    let command = match found {
        Some((verb, mut inner)) => (verb.read)(&mut inner, raw)?,
        None => Command::Status,
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
