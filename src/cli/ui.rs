//! The terminal: the one place through which anything is printed.
//!
//! Data goes to standard output, everything else to standard error. Text is neutralized where it is put together, in
//! [`crate::cli::render`]; what is printed here is printed as it is.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::args::Globals;
use crate::cli::args::global::Color;
use crate::cli::error::Failure;
use crate::cli::progress::Line;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::view::error::ErrorView;
use crate::view::json;

/// How what happens is told.
#[derive(Debug, Clone)]
pub struct Ui {
    /// Data is printed as JSON.
    pub json: bool,
    /// Only data and failures are printed.
    pub quiet: bool,
    /// 0, or how much more than usual is said.
    pub verbose: u8,
    color: ColorChoice,
    line: Line,
}

/// Where something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Target {
    /// Returns whether it is a terminal.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

impl Ui {
    /// Makes the ui that the flags ask for.
    pub fn new(globals: &Globals) -> Self {
        let color = match globals.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { json: globals.json, quiet: globals.quiet, verbose: globals.verbose, color, line: Line::default() }
    }

    /// Returns the line that says what is waited for. Whatever is printed takes it away first.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// Returns whether colours may be used on `target`.
    pub fn has_color(&self, target: Target) -> bool {
        let choice = match (self.color, target) {
            (ColorChoice::Auto, Target::Stdout) => AutoStream::choice(&io::stdout()),
            (ColorChoice::Auto, Target::Stderr) => AutoStream::choice(&io::stderr()),
            (choice, _) => choice,
        };
        choice != ColorChoice::Never
    }

    /// Returns how many columns a line on standard output may have: `COLUMNS`, else the terminal's width; `None` for no
    /// limit.
    pub fn width(&self) -> Option<usize> {
        let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
        asked.filter(|columns| *columns > 0).or_else(terminal_width)
    }

    /// Returns how many lines the terminal shows that standard output is: `LINES`, else what it says itself; `None` for none.
    pub fn rows(&self) -> Option<usize> {
        if !Target::Stdout.is_terminal() {
            return None;
        }
        let asked = std::env::var("LINES").ok().and_then(|lines| lines.trim().parse().ok());
        let asked = asked.filter(|lines| *lines > 0);
        asked.or_else(|| crate::cli::terminal::size().map(|size| usize::from(size.rows)))
    }

    /// Prints data: text that may hold colours, without its last line end.
    pub fn data(&self, text: &str) -> Result<(), Failure> {
        self.line.clear();
        let mut line = String::with_capacity(text.len() + 1);
        line.push_str(text);
        line.push('\n');
        let mut stdout = AutoStream::new(io::stdout().lock(), self.color);
        written(stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()))
    }

    /// Prints data as one line of JSON.
    pub fn json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Failure> {
        let line = json::line(value)
            .map_err(|error| Failure::new(ErrorKind::Internal, format!("cannot write JSON: {error}")))?;
        self.bytes(Target::Stdout, format!("{line}\n").as_bytes())
    }

    /// Prints bytes as they are.
    pub fn bytes(&self, target: Target, bytes: &[u8]) -> Result<(), Failure> {
        self.line.clear();
        match target {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                written(stdout.write_all(bytes).and_then(|()| stdout.flush()))
            }
            Target::Stderr => written(io::stderr().lock().write_all(bytes)),
        }
    }

    /// Says what happened. Quiet and JSON have no use for it.
    pub fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.say(text);
        }
    }

    /// Says what has to be known also where JSON is printed.
    pub fn remark(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Says what only somebody who looks closely wants to know.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.say(&neutralize(text));
        }
    }

    /// Says what may not be as it should be; quiet does not silence it.
    pub fn warn(&self, text: &str) {
        self.say(&format!("{WARNING}warning:{WARNING:#} {}", neutralize(text)));
    }

    /// Says what went wrong with one of several things, on one line.
    pub fn fail_one(&self, problem: &Problem) {
        if self.json {
            self.say_error(problem);
        } else {
            self.say(&format!("{ERROR}error:{ERROR:#} {}", neutralize(&problem.message)));
        }
    }

    /// Says why the command came to nothing.
    pub fn fail(&self, failure: &Failure) {
        if failure.reader_is_gone {
            return;
        }
        if self.json {
            return self.say_error(&failure.as_problem());
        }
        self.fail_in_words(&failure.in_words());
    }

    /// Says what went wrong in these words, which begin with `error:`.
    fn fail_in_words(&self, words: &str) {
        let mut lines = words.lines().map(neutralize);
        let first = lines.next().unwrap_or_default();
        let first = first.strip_prefix("error:").unwrap_or(&first);
        let rest: String = lines.map(|line| format!("\n{line}")).collect();
        self.say(&format!("{ERROR}error:{ERROR:#}{first}{rest}"));
    }

    /// Returns whether somebody is there who can be asked.
    pub fn can_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && Target::Stderr.is_terminal()
    }

    /// Asks a question to which an empty answer is yes, and returns whether it was answered so. The end of the input is
    /// no answer, and no yes.
    pub fn ask(&self, question: &str) -> bool {
        let mut stderr = AutoStream::new(io::stderr().lock(), self.color);
        let _ = write!(stderr, "{} [Y/n] ", neutralize(question)).and_then(|()| stderr.flush());
        let mut line = String::new();
        io::stdin().read_line(&mut line).is_ok_and(|bytes| bytes > 0) && is_yes(&line)
    }

    fn say_error(&self, problem: &Problem) {
        if let Ok(line) = json::line(&ErrorView::of(problem)) {
            self.say(&line);
        }
    }

    fn say(&self, text: &str) {
        self.line.clear();
        let mut stderr = AutoStream::new(io::stderr().lock(), self.color);
        // Where nobody listens there is nobody to tell.
        let _ = stderr.write_all(format!("{text}\n").as_bytes());
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes")
}

/// Turns what writing to standard output came to into a failure; one whose reader is gone is told to nobody.
pub fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| unwritten(&error))
}

/// Returns the failure of a write to standard output.
pub fn unwritten(error: &io::Error) -> Failure {
    let mut failure = Failure::io("cannot write the output", error).with_exit(Exit::Refused);
    failure.reader_is_gone = error.kind() == io::ErrorKind::BrokenPipe;
    failure
}

/// Ends this process as one that wrote to a pipe that nobody reads.
pub fn end_as_by_sigpipe() -> i32 {
    use nix::sys::signal::{SigHandler, Signal, raise, signal};
    // SAFETY: the default action is no handler, so nothing can be called at a bad moment.
    let reset = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    if reset.is_ok() {
        // Does not return, unless the signal is blocked.
        let _ = raise(Signal::SIGPIPE);
    }
    128 + Signal::SIGPIPE as i32
}

/// Source: ioctl_tty(2).
fn terminal_width() -> Option<usize> {
    let mut size = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ fills in the structure it is given, which lives until the call returns.
    let result = unsafe { nix::libc::ioctl(nix::libc::STDOUT_FILENO, nix::libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_answer_is_yes_and_anything_unknown_no() {
        for (line, yes) in
            [("\n", true), ("y\n", true), ("YES", true), ("n\n", false), ("no\n", false), ("yn\n", false)]
        {
            assert_eq!(is_yes(line), yes, "{line:?}");
        }
    }
}
