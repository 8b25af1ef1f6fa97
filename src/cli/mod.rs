//! The terminal: what is typed becomes what is meant, and what came of it becomes text or JSON.
//!
//! Reading order: [`args`] (what can be typed) → [`session`] (project, patience) → [`connect`] (the daemon) →
//! [`command`] (one file per command; [`condition`] reads filters) → [`render`] (what people see) → [`ui`] (the one place that prints) → [`error`]
//! (what went wrong, and the exit code). Programs get [`crate::view`] instead of `render`.
//!
//! Deliberately absent: decisions about tasks, which are the daemon's, and threads, but for the one that reads
//! a file of tasks while they are sent, and the one that looks for what can be typed next ([`complete`]) while a shell waits.

pub mod apexd;
pub mod args;
pub mod bulk;
pub mod caller;
pub mod command;
pub mod complete;
pub mod condition;
pub mod connect;
pub mod doctor;
pub mod edit;
pub mod editor;
pub mod environment;
pub mod error;
pub mod harmless;
pub mod keys;
pub mod migration;
pub mod page;
pub mod progress;
pub mod reader;
pub mod render;
pub mod screen;
pub mod session;
pub mod terminal;
pub mod time;
pub mod ui;
pub mod unit;
pub mod usage;

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind as ClapErrorKind;

use crate::cli::args::global::Color;
use crate::cli::args::{Globals, Typed};
use crate::cli::ui::Ui;
use crate::exit::Exit;

/// Runs the command line `raw`, the name of the program first, and returns the exit code.
///
/// Shape: called as `apexd`, whatever follows is what follows `apex daemon run`. `serve` runs apexd itself, in the
/// process that the guardian started for it.
pub fn main(raw: Vec<OsString>, serve: apexd::Serve) -> i32 {
    if let Some(code) = apexd::dispatch(&raw, serve) {
        return code;
    }
    if let Some(code) = complete::dispatch(&raw) {
        return code;
    }
    let typed = match args::parse(&as_apex(raw.clone())) {
        Ok(typed) => typed,
        Err(error) => return told_by_clap(&raw, &error),
    };
    let Typed { globals, command } = typed;
    let ui = Ui::new(&globals);
    match command::run(&globals, command) {
        Ok(code) => code,
        Err(failure) if failure.reader_is_gone => ui::end_as_by_sigpipe(),
        Err(failure) => {
            ui.fail(&failure);
            failure.exit.code()
        }
    }
}

/// Puts `daemon run` in front of what follows the name `apexd`, unless only the version is asked for.
fn as_apex(mut raw: Vec<OsString>) -> Vec<OsString> {
    let called = raw.first().and_then(|name| Path::new(name).file_name()).is_some_and(|name| name == "apexd");
    if called && raw.get(1).is_some_and(|word| word == "--version" || word == "-V") {
        // `daemon run` has no version of its own.
        raw[0] = "apex".into();
    } else if called {
        raw.splice(0..1, ["apex", "daemon", "run"].map(OsString::from));
    }
    raw
}

/// Prints what clap has to say: help, version, or what is wrong with the command line.
fn told_by_clap(raw: &[OsString], error: &clap::Error) -> i32 {
    // The command line could not be read, but how to tell so is still said in it.
    let json = raw.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let ui = Ui::new(&Globals { json, color: Color::in_words(raw), ..Globals::default() });
    let help = error.render().ansi().to_string();
    if !error.use_stderr() {
        return match ui.data(help.trim_end()) {
            Ok(()) => Exit::Done.code(),
            Err(failure) if failure.reader_is_gone => ui::end_as_by_sigpipe(),
            Err(failure) => {
                ui.fail(&failure);
                failure.exit.code()
            }
        };
    }
    if error.kind() == ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        ui.remark(help.trim_end());
    } else {
        ui.fail(&usage::failure(raw, error));
    }
    Exit::Usage.code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_apexd_stands_for_daemon_run() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(as_apex(words(&["/usr/bin/apexd", "-g"])), words(&["apex", "daemon", "run", "-g"]));
        assert_eq!(as_apex(words(&["/usr/bin/apexd", "--version"])), words(&["apex", "--version"]));
        assert_eq!(as_apex(words(&["/usr/bin/apex", "apexd"])), words(&["/usr/bin/apex", "apexd"]));
        assert_eq!(as_apex(Vec::new()), Vec::<OsString>::new());
    }
}
