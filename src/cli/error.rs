//! What went wrong, as it is told: one form for people, one for programs, and the exit code.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::config;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::schedule::InvalidSchedule;
use crate::domain::task::InvalidSpec;
use crate::domain::text::neutralize;
use crate::exit::{self, Exit};
use crate::guardian;
use crate::paths;
use crate::rpc::client;
use crate::store;

/// Why a command came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is told.
    pub problem: Problem,
    /// What led to it, the nearest first.
    pub causes: Vec<String>,
    /// What was typed, and below it a line that points at the place that is wrong.
    pub pointer: Option<Box<[String; 2]>>,
    /// How the program ends.
    pub exit: Exit,
    /// Nobody reads what is printed any more. Nothing is told then.
    pub reader_is_gone: bool,
}

impl Failure {
    /// Makes a failure that ends the program as its kind says.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::from(Problem::new(kind, message))
    }

    /// Makes the failure of a command line that was understood and makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message).with_exit(Exit::Usage)
    }

    /// Makes the failure of something tried on a file.
    pub fn io(message: impl Into<String>, source: &io::Error) -> Self {
        let mut failure = Self::new(paths::kind_of(source), message);
        failure.causes.push(source.to_string());
        failure.exit = Exit::Refused;
        failure
    }

    /// Changes how the program ends.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Adds the next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.problem = self.problem.with_hint(hint);
        self
    }

    /// Puts what was being done in front: what failed until now becomes the cause.
    #[must_use]
    pub fn while_doing(mut self, message: impl Into<String>) -> Self {
        let cause = std::mem::replace(&mut self.problem.message, message.into());
        self.causes.insert(0, cause);
        self
    }

    /// Ends the program as a command does that otherwise passes a task's exit code on.
    #[must_use]
    pub fn broken(self) -> Self {
        self.with_exit(Exit::Broken)
    }

    /// Returns the failure as one problem, with its causes in the message.
    pub fn as_problem(&self) -> Problem {
        let mut problem = self.problem.clone();
        for cause in &self.causes {
            problem.message.push_str(": ");
            problem.message.push_str(cause);
        }
        problem
    }

    /// Returns the failure in words, without colour: the error, its causes, the next step, a line each, no line end.
    /// A line end in one of them makes no line of its own, which could pass for a hint.
    pub fn in_words(&self) -> String {
        let mut text = format!("error: {}", neutralize(&self.problem.message));
        for cause in &self.causes {
            write!(text, "\n  caused by: {}", neutralize(cause)).expect("writing to a String cannot fail");
        }
        for line in self.pointer.iter().flat_map(|lines| lines.iter()) {
            write!(text, "\n    {}", neutralize(line)).expect("writing to a String cannot fail");
        }
        if let Some(hint) = &self.problem.hint {
            write!(text, "\n  hint: {}", neutralize(hint)).expect("writing to a String cannot fail");
        }
        text
    }

    /// Takes up an error of another room, with its causes as far as they say something new.
    fn of(error: &(dyn StdError + 'static), kind: ErrorKind) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        failure.causes = causes(error);
        failure
    }
}

/// Returns what led to `error`. A cause whose words are in the message before it already is passed over.
fn causes(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut told = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !told.contains(&words) {
            causes.push(words.clone());
            told = words;
        }
        next = cause.source();
    }
    causes
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = exit::for_problem(problem.kind, true);
        Self { problem, causes: Vec::new(), pointer: None, exit, reader_is_gone: false }
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let problem = error.problem();
        let exit = exit::for_problem(problem.kind, error.answered());
        // What the transport says of a broken connection helps nobody who did not write it.
        let causes = match &error {
            client::Error::Broken { .. } | client::Error::NotRunning { .. } => Vec::new(),
            error => causes(error),
        };
        Self { problem, causes, pointer: None, exit, reader_is_gone: false }
    }
}

impl From<paths::Error> for Failure {
    fn from(error: paths::Error) -> Self {
        let mut failure = Self::of(&error, error.kind());
        failure.problem.hint = error.hint();
        // What is not found here is no task: 4 would say so.
        failure.with_exit(Exit::Refused)
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        let is_flag = matches!(&error, config::Error::Value { place: config::Place::Flag(_), .. });
        let mut failure = Self::of(&error, error.kind()).with_exit(if is_flag { Exit::Usage } else { Exit::Refused });
        let is_project = |path: &Path| path.parent().and_then(Path::file_name) == Some(".apex".as_ref());
        failure.problem.hint = match error.place() {
            Some(config::Place::File { path, .. }) if is_project(path) => Some(
                "mend it with `apex config edit`, then see whether all is right with `apex config check`".to_owned(),
            ),
            Some(config::Place::File { .. } | config::Place::Variable(_)) => {
                Some("mend it there, then see whether all is right with `apex config check`".to_owned())
            }
            Some(config::Place::Flag(_)) | None => None,
        };
        failure
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::of(&error, error.kind()).with_exit(Exit::Refused)
    }
}

impl From<guardian::Error> for Failure {
    fn from(error: guardian::Error) -> Self {
        Self::of(&error, error.kind()).with_exit(Exit::Unreachable)
    }
}

impl From<InvalidSpec> for Failure {
    fn from(error: InvalidSpec) -> Self {
        Self::usage(error.to_string())
    }
}

/// What to do where a time zone is not known, or has no name.
pub const NAME_A_ZONE: &str = "name one of the IANA database, as in `--tz Europe/Vienna`";

impl From<InvalidSchedule> for Failure {
    fn from(error: InvalidSchedule) -> Self {
        let failure = Self::usage(error.to_string());
        match error {
            InvalidSchedule::TimeZone(_) => failure.with_hint(NAME_A_ZONE),
            InvalidSchedule::Passed => failure.with_hint("write it like `--at 'tomorrow 9am'`"),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_causes_and_hint_stand_below_one_another() {
        let failure = Failure::from(
            Problem::new(ErrorKind::Conflict, "it finished 3 minutes ago with exit code 0")
                .with_hint("see its output with `apex logs 42`"),
        )
        .while_doing("cannot cancel task `42`");
        insta::assert_snapshot!(failure.in_words(), @r#"
        error: cannot cancel task `42`
          caused by: it finished 3 minutes ago with exit code 0
          hint: see its output with `apex logs 42`
        "#);
        assert_eq!(failure.as_problem().message, "cannot cancel task `42`: it finished 3 minutes ago with exit code 0");
    }

    #[test]
    fn a_line_end_in_a_value_forges_no_hint() {
        let failure = Failure::new(ErrorKind::NotFound, "no directory `x\n  hint: try this`").with_hint("a\u{1b}b");
        assert_eq!(failure.in_words(), "error: no directory `x\\n  hint: try this`\n  hint: a\\u001bb");
    }

    #[test]
    fn what_the_message_says_already_is_no_cause() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open `x`: {source}")]
        struct Outer {
            source: io::Error,
        }
        let inner = io::Error::other("it is on fire");
        assert_eq!(causes(&Outer { source: inner }), Vec::<String>::new());
    }

    #[test]
    fn the_kind_decides_the_exit_code_unless_nobody_answered() {
        let exit_of = |kind| Failure::new(kind, "x").exit;
        assert_eq!(exit_of(ErrorKind::NotFound), Exit::NotFound);
        assert_eq!(exit_of(ErrorKind::Unavailable), Exit::Refused, "a daemon that drains has answered");
        let silent = client::Error::NoAnswer { after: std::time::Duration::from_secs(1) };
        assert_eq!(Failure::from(silent).exit, Exit::Unreachable);
        assert_eq!(Failure::from(InvalidSpec::NoCommand).exit, Exit::Usage);
        let gone = paths::Error::NotAProject { root: "/x".into() };
        assert_eq!(Failure::from(gone).exit, Exit::Refused);
        assert_eq!(Failure::new(ErrorKind::NotFound, "x").broken().exit, Exit::Broken);
    }
}
