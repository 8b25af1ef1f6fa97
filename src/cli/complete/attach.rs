//! Which values each argument can have. What an id may be depends on what is done to it.

use std::ffi::OsStr;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::cli::complete::known::{Known, Told};
use crate::cli::complete::{beginning, sorts, states};
use crate::cli::render::column;
use crate::config::Level;
use crate::domain::hook::HookEvent;
use crate::domain::schedule::{Missed, Overlap};
use crate::domain::selection::Deed;
use crate::domain::task::{Resource, State};

/// What an argument stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Tasks in one of these states; in any if there are none.
    Tasks(Vec<State>),
    /// Names of tasks.
    Names,
    Labels,
    Queues,
    Schedules,
    States,
    EndedStates,
    Columns,
    By,
    Sorts,
    Signals,
    /// The words of a command to run.
    Command,
    Files,
    Directories,
    /// One of these, of which nothing more is to be said.
    Words(Vec<String>),
}

/// Returns the command with what its arguments may be.
pub(super) fn attached(group: &str, command: clap::Command, known: &Known) -> clap::Command {
    let word = command.get_name().to_owned();
    let ids: Vec<String> = command.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    // All of them, because one that is changed goes behind the others, and words are told apart by their order.
    ids.iter().fold(command, |command, id| {
        let what = what(group, &word, id);
        let known = known.clone();
        command.mut_arg(id, |arg| match what {
            None => arg,
            Some(what) => arg.add(ArgValueCompleter::new(move |current: &OsStr| candidates(&what, &known, current))),
        })
    })
}

/// Returns what an argument of a command stands for; `None` if nobody can know.
pub(super) fn what(group: &str, word: &str, id: &str) -> Option<What> {
    Some(match (group, word, id) {
        (_, _, "ids" | "id") => What::Tasks(suitable(word)),
        (_, "progress", "task") => What::Tasks(vec![State::Running, State::Paused]),
        (_, _, "before") => What::Tasks(suitable("move")),
        (_, _, "after" | "after_any") => What::Tasks(open()),
        ("queue", "add", _) | ("schedule", "add", "schedule" | "name") | (_, "add" | "run", "name") => return None,
        ("queue", _, "name" | "names") => What::Queues,
        ("schedule", _, "name" | "names") => What::Schedules,
        (_, _, "queue") => What::Queues,
        (_, _, "schedule") => What::Schedules,
        (_, _, "name") => What::Names,
        (_, _, "labels") => What::Labels,
        (_, "prune", "states") => What::EndedStates,
        (_, _, "states") => What::States,
        (_, "stats", "by") => What::By,
        (_, _, "columns") => What::Columns,
        (_, _, "sort") => What::Sorts,
        (_, _, "signal" | "kill_signal") => What::Signals,
        (_, _, "command") => What::Command,
        (_, _, "cwd" | "project" | "directory") => What::Directories,
        (_, _, "from" | "stdin" | "env_files" | "file") => What::Files,
        (_, _, "on_interrupt") => What::Words(words(["stop", "rerun"])),
        (_, _, "retry_backoff") => What::Words(words(["fixed", "exponential"])),
        (_, _, "missed") => What::Words(words(Missed::ALL.map(Missed::as_str))),
        (_, _, "overlap") => What::Words(words(Overlap::ALL.map(Overlap::as_str))),
        (_, _, "level") => What::Words(words(Level::ALL.map(Level::as_str))),
        (_, _, "rlimits") => What::Words(Resource::ALL.map(|limit| format!("{}=", limit.as_str())).to_vec()),
        (_, _, "hook") => What::Words(HookEvent::OF_TASK.map(|event| format!("{}=", event.as_str())).to_vec()),
        _ => return None,
    })
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn open() -> Vec<State> {
    State::ALL.into_iter().filter(|state| !state.is_ended()).collect()
}

/// Returns the states in which something can be done to a task by this command.
fn suitable(word: &str) -> Vec<State> {
    let of = |deed: Deed| State::ALL.into_iter().filter(|state| deed.suits(*state, &[])).collect();
    match word {
        "cancel" => of(Deed::Cancel { reason: None }),
        "kill" => of(Deed::Kill { signal: 9 }),
        "release" => of(Deed::Release),
        "hold" => of(Deed::Hold),
        "pause" => of(Deed::Pause),
        "resume" => of(Deed::Resume),
        "retry" => of(Deed::Retry),
        "rm" => of(Deed::Remove),
        "edit" | "move" => of(Deed::Hold),
        "send" | "attach" => vec![State::Running, State::Paused],
        "wait" => open(),
        // Those that have written something.
        "logs" => {
            let wrote = |state: &State| state.is_active() || state.is_ended() || *state == State::Retrying;
            State::ALL.into_iter().filter(|state| wrote(state) && *state != State::Skipped).collect()
        }
        _ => Vec::new(),
    }
}

fn candidates(what: &What, known: &Known, current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    match what {
        What::Tasks(states) => {
            // Of a range the end: `3-` and what follows.
            let (before, number) =
                typed.rsplit_once('-').map_or((String::new(), &*typed), |(first, last)| (format!("{first}-"), last));
            let tasks = known.tasks(states, number);
            let words = tasks.into_iter().map(|(id, help)| (format!("{before}{id}"), help));
            beginning(current, words)
        }
        What::Names => beginning(current, known.names(&typed).into_iter().map(|name| (name, String::new()))),
        What::Labels => beginning(current, known.labels(&typed).into_iter().map(|label| (label, String::new()))),
        What::Queues => beginning(current, known.queues().into_iter()),
        What::Schedules => beginning(current, known.schedules().into_iter()),
        What::States => states(current, false),
        What::EndedStates => states(current, true),
        What::Columns => {
            let words = column::words().into_iter().filter(|word| !word.contains('.'));
            beginning(current, words.map(|word| (word.to_owned(), String::new())))
        }
        What::By => {
            let words = ["name", "queue", "schedule", "label:"];
            beginning(current, words.into_iter().map(|word| (word.to_owned(), String::new())))
        }
        What::Sorts => sorts(current),
        What::Signals => {
            let named = (1..32).map(|signal| crate::domain::outcome::SignalName(signal).to_string());
            beginning(current, named.filter_map(|name| Some((name.strip_prefix("SIG")?.to_owned(), String::new()))))
        }
        What::Words(words) => beginning(current, words.iter().map(|word| (word.clone(), String::new()))),
        What::Command => {
            known.tell(Told::Command);
            Vec::new()
        }
        What::Files => {
            known.tell(Told::File(typed.into_owned()));
            Vec::new()
        }
        What::Directories => {
            known.tell(Told::Directory(typed.into_owned()));
            Vec::new()
        }
    }
}
