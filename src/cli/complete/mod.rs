//! What can be typed next: `apex __complete SHELL TYPE -- WORDS…`, which the scripts of `apex completions` call.
//!
//! It reads the store as `status` does without a daemon, changes nothing, starts nothing, and says nothing but what can be typed.
//! Whatever goes wrong, and whatever would take too long, is an empty answer: nobody who presses a key wants to read why.
//!
//! Shape of the answer: a line that says what else may stand there (`command`: the words of a command to run; or `none`), then a line for each word, and
//! after a tab what it is.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap_complete::engine::{self, CompletionCandidate};

use crate::cli::args::{self, value};
use crate::cli::complete::known::Known;
use crate::cli::render::table::cut;
use crate::domain::text::{is_unsafe, neutralize};
use crate::exit::Exit;

mod attach;
mod known;
mod script;
#[cfg(test)]
mod tests;

pub use script::script;

/// The word by which the scripts call it.
const WORD: &str = "__complete";

/// Nobody waits longer. A build with debug assertions is slow, and run where much else runs.
const PATIENCE: Duration = if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_millis(50) };

/// Widest description.
const WIDTH_MAX: usize = 60;

/// Answers a shell, if it is one that asks.
pub fn dispatch(raw: &[OsString]) -> Option<i32> {
    let [_, word, rest @ ..] = raw else { return None };
    if word != WORD {
        return None;
    }
    let at = rest.iter().position(|word| word == "--")?;
    let shell = rest.first().map(|shell| shell.to_string_lossy().into_owned()).unwrap_or_default();
    let lists = rest.get(1).is_some_and(|kind| ["33", "63", "64"].contains(&kind.to_string_lossy().as_ref()));
    let words = rest[at + 1..].to_vec();
    let (reply, answer) = mpsc::channel();
    // Never waited for: what takes too long ends with the program.
    thread::spawn(move || {
        let known = Known::of(&words);
        reply.send(answer_to(words, &known))
    });
    if let Ok(answer) = answer.recv_timeout(PATIENCE) {
        let text = answer.in_words(&shell, lists);
        // Whoever asked may have gone.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
    Some(Exit::Done.code())
}

/// What can stand where the cursor is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Answer {
    /// A command of somebody else's, whose own completion knows more.
    is_command: bool,
    /// Words, and what they are.
    words: Vec<(String, String)>,
}

/// Returns what the last of `words` may become.
fn answer_to(words: Vec<OsString>, known: &Known) -> Answer {
    let Some(current) = words.last().cloned() else { return Answer::default() };
    let mut command = args::whole(|group, command| attach::attached(group, command, known));
    let found = engine::complete(&mut command, words.clone(), words.len() - 1, std::env::current_dir().ok().as_deref());
    let is_flag = |candidate: &CompletionCandidate| candidate.get_value().to_string_lossy().starts_with('-');
    let mut found = found.unwrap_or_default();
    if !current.to_string_lossy().starts_with('-') && found.iter().any(|candidate| !is_flag(candidate)) {
        // Whoever wants a flag types its dash.
        found.retain(|candidate| !is_flag(candidate));
    }
    let is_command = known.is_command() && !current.to_string_lossy().starts_with('-');
    let words = found.iter().filter_map(|candidate| {
        let word = candidate.get_value().to_str()?.to_owned();
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default().to_owned();
        // What would steer the terminal cannot be typed either.
        (!word.chars().any(is_unsafe)).then_some((word, help))
    });
    Answer { is_command, words: if is_command { Vec::new() } else { words.collect() } }
}

impl Answer {
    fn in_words(&self, shell: &str, lists: bool) -> String {
        let mut text = String::from(if self.is_command { "command\n" } else { "none\n" });
        let widest = self.words.iter().map(|(word, _)| word.chars().count()).max().unwrap_or_default();
        for (word, help) in &self.words {
            let help = cut(&neutralize(help), WIDTH_MAX);
            let line = match shell {
                // It shows nothing but the words; where it only lists them, each may say what it is.
                "bash" if lists && self.words.len() > 1 && !help.is_empty() => format!("{word:widest$}  ({help})"),
                "bash" => word.clone(),
                _ => format!("{word}\t{help}"),
            };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

/// Returns the words for states, for whoever types one.
fn states(current: &OsStr, is_ended: bool) -> Vec<CompletionCandidate> {
    let states = crate::domain::task::State::ALL.into_iter();
    let words =
        states.filter(|state| state.shown() == *state && (!is_ended || state.is_ended())).map(|state| state.as_str());
    beginning(current, words.map(|word| (word.to_owned(), String::new())))
}

/// Returns those words that begin with what was typed.
fn beginning(current: &OsStr, words: impl Iterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    let begins = words.filter(|(word, _)| word.starts_with(typed.as_ref()));
    let candidate = |(place, (word, help)): (usize, (String, String))| {
        let help = (!help.is_empty()).then(|| help.into());
        CompletionCandidate::new(word).help(help).display_order(Some(place))
    };
    begins.enumerate().map(candidate).collect()
}

/// Returns what lists are put in order by.
fn sorts(current: &OsStr) -> Vec<CompletionCandidate> {
    let both = |word: &'static str| [word.to_owned(), format!("{word}:desc")];
    let words = value::sorts().into_iter().filter(|word| !word.contains('.')).flat_map(both);
    beginning(current, words.map(|word| (word, String::new())))
}
