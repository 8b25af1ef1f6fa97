//! What can be wrong with a configuration, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::domain::error::ErrorKind;
use crate::domain::hook::InvalidHook;
use crate::domain::queue::InvalidQueueName;
use crate::domain::resource::InvalidResource;
use crate::domain::window::InvalidWindow;
use crate::units;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File {
        /// Which one.
        path: PathBuf,
        /// In which line, from 1.
        line: usize,
    },
    /// In an environment variable of this name.
    Variable(String),
    /// In a flag of the command line, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "`{}`, line {line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable `{name}`"),
            Self::Flag(name) => write!(f, "flag `{name}`"),
        }
    }
}

/// Why a value does not fit its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is of another type.
    #[error("expected {expected}, found {found}")]
    Type {
        /// With an example.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// It cannot be read as what it should be.
    #[error(transparent)]
    Unit(units::Error),
    /// It is below the least or above the greatest value.
    #[error("`{value}` is not between {least} and {greatest}")]
    Range {
        /// What stands there.
        value: String,
        /// The least that is allowed.
        least: String,
        /// The greatest that is allowed.
        greatest: String,
    },
    /// No queue can be named so.
    #[error(transparent)]
    Queue(InvalidQueueName),
    /// No resource can be named so.
    #[error(transparent)]
    Resource(InvalidResource),
    /// Something is there twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// No variable can be named so, or it is one of apex's own.
    #[error(
        "`{0}` cannot be the name of a variable; it needs letters, digits and `_`, and not `APEX_` at its beginning"
    )]
    Variable(String),
    /// There is no such resource.
    #[error("there is no resource `{name}`; say how much there is with `[resources] {name} = …`")]
    NoResource {
        /// What it would be.
        name: String,
    },
    /// It is told by the same variable as another one.
    #[error("resource `{other}` is told by variable `{variable}` already")]
    SameVariable {
        /// The other one.
        other: String,
        /// The variable.
        variable: String,
    },
    /// It makes no window, or not one beside the others.
    #[error(transparent)]
    Window(InvalidWindow),
    /// No hook can be like that.
    #[error(transparent)]
    Hook(InvalidHook),
    /// It is none of the words.
    #[error("`{value}` is not one of {words}")]
    Word {
        /// What stands there.
        value: String,
        /// The words, with commas.
        words: &'static str,
    },
    /// It is not a pattern.
    #[error("`{value}` is not a pattern of names")]
    Pattern {
        /// What stands there.
        value: String,
        /// Why.
        source: globset::Error,
    },
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is there and cannot be read.
    #[error("cannot read the configuration `{}`", .path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where reading it had to stop.
        place: Place,
        /// What was expected there.
        message: String,
    },
    /// There is no such section or key.
    #[error("{place}: unknown {what} `{name}`; the nearest is `{nearest}`")]
    Unknown {
        /// Where it stands.
        place: Place,
        /// `section` or `key`.
        what: &'static str,
        /// What stands there, with its section.
        name: String,
        /// The most similar one there is, with its section.
        nearest: String,
    },
    /// The value does not fit.
    #[error("{place}: wrong value for `{key}`: {fault}")]
    Value {
        /// Where it stands.
        place: Place,
        /// With its section: `daemon.poll_interval`.
        key: String,
        /// Why. Boxed, because errors are carried through many hands.
        fault: Box<Fault>,
    },
}

impl Error {
    /// Returns where it stands; `None` for a file that cannot be read.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Read { .. } => None,
            Self::Syntax { place, .. } | Self::Unknown { place, .. } | Self::Value { place, .. } => Some(place),
        }
    }

    /// Returns what sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::Invalid,
        }
    }
}
