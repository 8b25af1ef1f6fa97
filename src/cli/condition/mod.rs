//! Conditions as they are typed: `state=failed and queue=gpu and duration>10m`.
//!
//! What is typed is taken apart (`token`), put together (`parse`), and each value is read as its field asks for it (`value`).
//! Times are those of whoever types, so all of that happens here, and the daemon gets a [`Condition`].

use std::ops::Range;

use jiff::Zoned;
use unicode_width::UnicodeWidthStr as _;

use crate::cli::time;
use crate::cli::usage::nearest;
use crate::domain::condition::{Condition, TESTS_MAX};
use crate::domain::field::Field;
use crate::domain::task::State;
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::units;

mod parse;
#[cfg(test)]
mod tests;
mod token;
mod value;

/// Reads a condition, as seen from `now` and its time zone.
///
/// Shape: comparisons (`FIELD`, an operator, a value; `FIELD` alone is that there is one), `not`, `and`, `or` in this order of
/// strength, and parentheses. Operators are `=`, `!=`, `<`, `<=`, `>`, `>=`, `~` and `!~`; what stands in quotes is taken as it is.
/// Errors: anything else, with its place.
pub fn parse(text: &str, now: &Zoned) -> Result<Condition, Error> {
    let term = parse::term(text, now)?;
    let at = Timestamp(now.timestamp().as_millisecond());
    Ok(Condition { at, term })
}

/// Why a text is no condition, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{fault}", self.place())]
pub struct Error {
    text: String,
    at: Range<usize>,
    fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("there is nothing in it")]
    Empty,
    #[error("the quote `{0}` is not closed")]
    Quote(char),
    #[error("`{0}` is no operator")]
    Sign(char),
    #[error("the parenthesis is not closed")]
    Unclosed,
    #[error("no parenthesis was opened here")]
    Unopened,
    #[error("a field is missing")]
    FieldMissing,
    #[error("`{0}` is not a field; fields are {all}", all = fields())]
    Field(String),
    #[error("a value for `{0}` is missing")]
    ValueMissing(Field),
    #[error("only `and`, `or` or the end can follow here")]
    Surplus,
    #[error("`{0}` is not compared like this, but with {1}")]
    Operator(Field, &'static str),
    #[error("several values are compared with `=` and `!=`")]
    Several,
    #[error("`{0}` is no state; states are {all}", all = states())]
    State(String),
    #[error("`{0}` is not a whole number")]
    Number(String),
    #[error("signals are named like `TERM` or `SIGTERM`, or have a number from 1 to 64")]
    Signal,
    #[error("`{1}` is a length of time, and `{0}` an instant")]
    BareLength(Field, String),
    #[error(transparent)]
    Length(units::Error),
    #[error(transparent)]
    Time(time::Error),
    #[error("more than {TESTS_MAX} comparisons are too many")]
    TooMany,
    #[error("these are too many layers of parentheses")]
    TooDeep,
}

impl Error {
    pub(super) fn new(text: &str, at: Range<usize>, fault: Fault) -> Self {
        Self { text: text.to_owned(), at, fault }
    }

    /// An empty text has no places.
    fn place(&self) -> String {
        if self.text.trim().is_empty() { String::new() } else { format!("at column {}: ", self.at.start + 1) }
    }

    /// Returns the condition and a line below it that points at the place, both harmless.
    pub fn pointer(&self) -> Option<[String; 2]> {
        if self.text.trim().is_empty() {
            return None;
        }
        let part = |range: Range<usize>| -> String {
            let chars: String = self.text.chars().skip(range.start).take(range.len()).collect();
            neutralize(&chars).into_owned()
        };
        let before = part(0..self.at.start).width();
        let below = part(self.at.clone()).width().max(1);
        Some([neutralize(&self.text).into_owned(), format!("{}{}", " ".repeat(before), "^".repeat(below))])
    }

    /// Returns what could have been typed instead.
    pub fn hint(&self) -> Option<String> {
        Some(match &self.fault {
            Fault::Empty => "write it like `--filter 'state=failed and duration>10m'`".to_owned(),
            Fault::Quote(_) | Fault::TooMany | Fault::TooDeep => return None,
            Fault::Sign('!') => "write `not` in front, or `!=` and `!~` between field and value".to_owned(),
            Fault::Sign('&') => "write `and`".to_owned(),
            Fault::Sign(_) => "write `or`".to_owned(),
            Fault::Unclosed => "close it with `)`".to_owned(),
            Fault::Unopened => "leave it out, or put it in quotes if it belongs to a value".to_owned(),
            Fault::FieldMissing => "write it like `state=failed`".to_owned(),
            Fault::Field(typed) => {
                let typed = typed.to_lowercase();
                let words = Field::PLAIN.iter().map(Field::word).chain(["age"]);
                match nearest(&typed, words) {
                    _ if typed.starts_with("label") => "write it like `label.team=core`".to_owned(),
                    Some(word) => format!("did you mean `{word}`"),
                    None => "labels are `label.KEY`".to_owned(),
                }
            }
            Fault::ValueMissing(field) => {
                format!("`{field}` alone asks whether there is one; a word like `and` goes in quotes")
            }
            Fault::Surplus => "put a value of several words in quotes".to_owned(),
            Fault::Operator(..) | Fault::Several => return None,
            Fault::State(typed) => {
                let states = State::ALL.into_iter().filter(|state| state.shown() == *state).map(State::as_str);
                format!("write it like `state={}`", nearest(&typed.to_lowercase(), states).unwrap_or("failed"))
            }
            Fault::Number(_) => "write it like `5`".to_owned(),
            Fault::Signal => "write it like `TERM`".to_owned(),
            Fault::BareLength(Field::Due, length) => format!("write it like `due<'in {length}'`"),
            Fault::BareLength(Field::Created, length) => {
                format!("write it like `created>'{length} ago'`, or `age<{length}`, which is the same")
            }
            Fault::BareLength(field, length) => format!("write it like `{field}>'{length} ago'`"),
            Fault::Length(_) => "write it like `10m` or `1h30m`".to_owned(),
            Fault::Time(time::Error::UnknownFuture(_)) => "write it like `'in 10m'`".to_owned(),
            Fault::Time(_) => "write it like `'10m ago'`".to_owned(),
        })
    }
}

fn fields() -> String {
    let words: Vec<&str> = Field::PLAIN.iter().map(Field::word).chain(["age", "label.KEY"]).collect();
    words.join(", ")
}

fn states() -> String {
    let words: Vec<&str> = State::ALL.iter().filter(|state| state.shown() == **state).map(|s| s.as_str()).collect();
    words.join(", ")
}
