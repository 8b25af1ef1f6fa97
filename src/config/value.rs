//! Values: how they are given, how they are checked, and how they are written down again.

use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use crate::config::error::Fault;
use crate::config::{Leftovers, Level};
use crate::domain::text::neutralize;
use crate::units;

/// The value of a setting, in the form in which a file has it. As text it is without quotation marks around a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string; lengths of time and sizes are strings, too.
    Text(String),
    /// A whole number.
    Number(u32),
    /// `true` or `false`.
    Flag(bool),
    /// Strings.
    List(Vec<String>),
}

impl Value {
    /// Returns the value as TOML, in which nothing steers a terminal.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(texts) => {
                f.write_char('[')?;
                for (index, text) in texts.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{}", quoted(text))?;
                }
                f.write_char(']')
            }
        }
    }
}

/// Returns a TOML string. All that [`neutralize`] writes is an escape of TOML, too.
///
/// Source: TOML 1.0, "String".
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", neutralize(&text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A value before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    /// Of a type that no key takes, by its name; a number too large for `Number` is one.
    Other(&'static str),
}

impl Given {
    fn found(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Flag(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Other(what) => what,
        }
    }
}

/// What a key takes; tells how the text of an environment variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    List,
}

impl Kind {
    /// Reads the text of a variable; text that does not fit stays text, so that the key refuses it by type.
    pub(super) fn read(self, text: &str) -> Given {
        let word = || Given::Text(text.to_owned());
        match self {
            Self::Text => word(),
            Self::Number => text.trim().parse().map_or_else(|_| word(), Given::Number),
            Self::Flag => match text.trim() {
                "true" | "1" | "yes" | "on" => Given::Flag(true),
                "false" | "0" | "no" | "off" => Given::Flag(false),
                _ => word(),
            },
            Self::List => {
                Given::List(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
        }
    }
}

/// A value that was checked once can be given again.
impl From<Value> for Given {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Number(number) => Self::Number(i64::from(number)),
            Value::Flag(flag) => Self::Flag(flag),
            Value::List(texts) => Self::List(texts),
        }
    }
}

pub(super) fn mismatch<T>(expected: &'static str, value: &Given) -> Result<T, Fault> {
    Err(Fault::Type { expected, found: value.found() })
}

pub(super) fn flag(value: &Given) -> Result<bool, Fault> {
    match value {
        Given::Flag(flag) => Ok(*flag),
        other => mismatch("`true` or `false`", other),
    }
}

pub(super) fn number(value: &Given, least: u32, greatest: u32) -> Result<u32, Fault> {
    match value {
        Given::Number(number) => u32::try_from(*number)
            .ok()
            .filter(|number| (least..=greatest).contains(number))
            .ok_or_else(|| range(number.to_string(), least.to_string(), greatest.to_string())),
        other => mismatch("a whole number such as `3`", other),
    }
}

pub(super) fn duration(value: &Given, least: Duration, greatest: Duration) -> Result<Duration, Fault> {
    match value {
        Given::Text(text) => {
            let duration = units::parse_duration(text).map_err(Fault::Unit)?;
            if (least..=greatest).contains(&duration) {
                return Ok(duration);
            }
            Err(range(text.clone(), units::format_duration(least), units::format_duration(greatest)))
        }
        Given::Number(number) => Err(Fault::Unit(units::Error::DurationWithoutUnit(number.to_string()))),
        other => mismatch("a duration such as `\"5s\"`", other),
    }
}

pub(super) fn size(value: &Given, least: u64, greatest: u64) -> Result<u64, Fault> {
    match value {
        Given::Text(text) => {
            let size = units::parse_size(text).map_err(Fault::Unit)?;
            if (least..=greatest).contains(&size) {
                return Ok(size);
            }
            Err(range(text.clone(), units::format_size(least), units::format_size(greatest)))
        }
        Given::Number(number) => Err(Fault::Unit(units::Error::SizeWithoutUnit(number.to_string()))),
        other => mismatch("a size such as `\"10MiB\"`", other),
    }
}

fn range(value: String, least: String, greatest: String) -> Fault {
    Fault::Range { value, least, greatest }
}

pub(super) fn level(value: &Given) -> Result<Level, Fault> {
    const WORDS: &str = "`error`, `warn`, `info`, `debug`, `trace`";
    match value {
        Given::Text(text) => Level::from_word(text).ok_or_else(|| Fault::Word { value: text.clone(), words: WORDS }),
        other => mismatch("a level such as `\"info\"`", other),
    }
}

pub(super) fn leftovers(value: &Given) -> Result<Leftovers, Fault> {
    match value {
        Given::Text(text) if text == "kill" => Ok(Leftovers::Kill),
        Given::Text(text) if text == "leave" => Ok(Leftovers::Leave),
        Given::Text(text) => Err(Fault::Word { value: text.clone(), words: "`kill`, `leave`" }),
        other => mismatch("`\"kill\"` or `\"leave\"`", other),
    }
}

/// Returns the text that a key takes; `expected` is what it should be, with an example.
pub(super) fn text<'v>(value: &'v Given, expected: &'static str) -> Result<&'v str, Fault> {
    match value {
        Given::Text(text) => Ok(text),
        other => mismatch(expected, other),
    }
}

/// Returns the list of texts that a key takes.
pub(super) fn texts<'v>(value: &'v Given, expected: &'static str) -> Result<&'v [String], Fault> {
    match value {
        Given::List(texts) => Ok(texts),
        other => mismatch(expected, other),
    }
}

pub(super) fn patterns(value: &Given) -> Result<Vec<String>, Fault> {
    match value {
        Given::List(patterns) => {
            for pattern in patterns {
                globset::Glob::new(pattern).map_err(|source| Fault::Pattern { value: pattern.clone(), source })?;
            }
            Ok(patterns.clone())
        }
        other => mismatch("a list of patterns such as `[\"*_TOKEN\"]`", other),
    }
}
