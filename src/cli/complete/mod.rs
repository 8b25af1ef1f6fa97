//! What can be typed next: `apex __complete SHELL TYPE -- WORDS…`, which the scripts of `apex completions` call. The answer is the same to all of them.
//!
//! It reads the store as `status` does without a daemon, changes nothing, starts nothing, and says nothing but what can be typed.
//! Whatever goes wrong, and whatever would take too long, is an empty answer: nobody who presses a key wants to read why.
//!
//! Shape of the answer: a line that says what else may stand there, of which the shell knows more, then a line for each word, and after a tab what it is.
//! The line is `none`; `command N`: what follows the first N words is a command to run; or `files P` or `directories P`: a path, behind what stands
//! before it in the same word (`--cwd=`), which may be nothing.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap_complete::engine::{self, CompletionCandidate};

use crate::cli::args::{self, value};
use crate::cli::complete::known::{Known, Told};
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
    let words = rest[at + 1..].to_vec();
    let (reply, answer) = mpsc::channel();
    // Never waited for: what takes too long ends with the program.
    thread::spawn(move || {
        let known = Known::of(&words);
        reply.send(answer_to(words, &known))
    });
    if let Ok(answer) = answer.recv_timeout(PATIENCE) {
        let text = answer.in_words();
        // Whoever asked may have gone.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
    Some(Exit::Done.code())
}

/// What stands where the cursor is, and is completed better by the shell itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Other {
    /// Nothing.
    #[default]
    None,
    /// A command of somebody else's, which begins with this word.
    Command(usize),
    /// A path, behind this in the same word.
    Files(String),
    /// The path of a directory, behind this in the same word.
    Directories(String),
}

/// What can stand where the cursor is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Answer {
    other: Other,
    /// Words, and what they are; none where the shell knows more.
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
    let other = other(&words, &known.take());
    if other != Other::None {
        return Answer { other, words: Vec::new() };
    }
    let words = found.iter().filter_map(|candidate| {
        let word = candidate.get_value().to_str()?.to_owned();
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default().to_owned();
        // What would steer the terminal cannot be typed either.
        (!word.chars().any(is_unsafe)).then_some((word, help))
    });
    Answer { other, words: words.collect() }
}

/// Returns what the last of `words` is to the shell, as far as it was `told` of it: what a path has begun with is not all of a word.
fn other(words: &[OsString], told: &Told) -> Other {
    let current = words.last().map(|word| word.to_string_lossy()).unwrap_or_default();
    let (typed, is_directory) = match told {
        Told::Nothing => return Other::None,
        Told::Command if current.starts_with('-') => return Other::None,
        Told::Command => return begin_of_command(words).map_or(Other::None, Other::Command),
        Told::File(typed) => (typed, false),
        Told::Directory(typed) => (typed, true),
    };
    let before = current.strip_suffix(typed.as_str()).unwrap_or_default().to_owned();
    match before.is_empty() && current.starts_with('-') {
        // It may become a flag.
        true => Other::None,
        false if is_directory => Other::Directories(before),
        false => Other::Files(before),
    }
}

/// Returns which of the words is the first one of a command to run, in whose words the last one is.
fn begin_of_command(words: &[OsString]) -> Option<usize> {
    let known = Known::default();
    let mut command = args::whole(|group, command| attach::attached(group, command, &known));
    let mut begins = |at: &usize| {
        let _ = engine::complete(&mut command, words[..=*at].to_vec(), *at, None);
        known.take() == Told::Command && !words[*at].to_string_lossy().starts_with('-')
    };
    (1..words.len()).find(|at| begins(at))
}

impl Answer {
    fn in_words(&self) -> String {
        let mut text = match &self.other {
            Other::None => "none\n".to_owned(),
            Other::Command(at) => format!("command {at}\n"),
            Other::Files(before) => format!("files {}\n", neutralize(before)),
            Other::Directories(before) => format!("directories {}\n", neutralize(before)),
        };
        for (word, help) in &self.words {
            text.push_str(&format!("{word}\t{}\n", cut(&neutralize(help), WIDTH_MAX)));
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
