//! Values: how they are given, how they are checked, and how they are written down again.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use crate::config::error::Fault;
use crate::config::{Leftovers, Level};
use crate::domain::resource::{Amount, Capacity};
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
    /// Whole numbers.
    Numbers(Vec<u32>),
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
            Self::Numbers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                write!(f, "[{}]", numbers.join(", "))
            }
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
    Numbers(Vec<i64>),
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
            Self::Numbers(_) => "a list of numbers",
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
            Value::Numbers(numbers) => Self::Numbers(numbers.into_iter().map(i64::from).collect()),
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

/// The most pieces of a resource, and the highest number of one.
const PIECES_MAX: u32 = 1_000_000;

/// Reads how much there is of a resource: a number, a size, or the numbers of its pieces.
pub(super) fn capacity(value: &Given) -> Result<Capacity, Fault> {
    match value {
        Given::Text(text) if !text.trim().is_empty() && text.trim().bytes().all(|byte| byte.is_ascii_digit()) => {
            mismatch("a number without quotation marks, or a size with a unit such as `\"24GiB\"`", value)
        }
        Given::Text(_) => size(value, 0, 1 << 60).map(|bytes| Capacity::Amount(Amount::Bytes(bytes))),
        Given::Number(_) => number(value, 0, u32::MAX).map(|count| Capacity::Amount(Amount::Count(u64::from(count)))),
        Given::Numbers(numbers) => {
            let mut pieces = BTreeSet::new();
            for piece in numbers {
                let piece = number(&Given::Number(*piece), 0, PIECES_MAX)?;
                if !pieces.insert(piece) {
                    return Err(Fault::Twice(piece.to_string()));
                }
            }
            Ok(Capacity::Indices(pieces))
        }
        // Written `[]`.
        Given::List(texts) if texts.is_empty() => Ok(Capacity::Indices(BTreeSet::new())),
        other => mismatch("a number such as `2`, a size such as `\"24GiB\"`, or a list such as `[0, 1]`", other),
    }
}

/// Reads the names of variables: one, or several.
pub(super) fn variables(value: &Given) -> Result<Vec<String>, Fault> {
    let names = match value {
        Given::Text(name) => std::slice::from_ref(name),
        Given::List(names) => names.as_slice(),
        other => {
            return mismatch("the name of a variable such as `\"CUDA_VISIBLE_DEVICES\"`, or a list of them", other);
        }
    };
    for name in names {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || name.starts_with(|c: char| c.is_ascii_digit()) || name.starts_with("APEX_") {
            return Err(Fault::Variable(name.clone()));
        }
    }
    Ok(names.to_vec())
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
