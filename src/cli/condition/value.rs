//! What is compared, and the values it is compared with.

use jiff::Zoned;

use crate::cli::condition::Fault;
use crate::cli::time;
use crate::domain::condition::{Comparison, Term};
use crate::domain::field::{Field, Kind, Value};
use crate::domain::outcome::SignalName;
use crate::domain::task::State;
use crate::units;

/// What can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A field as it is stored.
    Field(Field),
    /// How long ago it was added.
    Age,
}

impl Subject {
    /// Returns what a word stands for; keys of the JSON are taken for their fields.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let field = match word {
            "age" => return Some(Self::Age),
            "created_at" => Field::Created,
            "updated_at" => Field::Updated,
            "started_at" => Field::Started,
            "ended_at" => Field::Ended,
            "run_at" => Field::Due,
            "attempts" => Field::Attempt,
            "exit" => Field::ExitCode,
            "time" => Field::Duration,
            word => Field::from_word(word)?,
        };
        Some(Self::Field(field))
    }

    /// Returns the field that it is about.
    pub(super) fn field(&self) -> Field {
        match self {
            Self::Field(field) => field.clone(),
            Self::Age => Field::Created,
        }
    }

    pub(super) fn is_instant(&self) -> bool {
        matches!(self, Self::Field(field) if field.kind() == Kind::Instant)
    }

    /// Refuses what is not compared in this way. Nothing ever happened in exactly that millisecond, nor took exactly so long.
    pub(super) fn check(&self, how: Comparison) -> Result<(), Fault> {
        let kind = match self {
            Self::Age => Kind::Length,
            Self::Field(field) => field.kind(),
        };
        let is_vague = matches!(kind, Kind::Instant | Kind::Length) && how == Comparison::Equal;
        if how.suits(kind) && !is_vague {
            return Ok(());
        }
        let with = match kind {
            Kind::Text => "`=`, `!=`, `~` and `!~`",
            Kind::State => "`=` and `!=`",
            Kind::Number | Kind::Signal => "`=`, `!=`, `<`, `<=`, `>` and `>=`",
            Kind::Instant | Kind::Length => "`<`, `<=`, `>` and `>=`",
        };
        Err(Fault::Operator(self.field(), with))
    }
}

/// Reads a value and returns the comparison with it.
pub(super) fn test(subject: &Subject, how: Comparison, text: &str, now: &Zoned) -> Result<Term, Fault> {
    let field = match subject {
        Subject::Age => return older_or_younger(how, text, now),
        Subject::Field(field) => field.clone(),
    };
    let value = match field.kind() {
        Kind::Text => Value::Text(text.to_owned()),
        Kind::State => {
            let state = State::from_word(text).filter(|state| state.shown() == *state);
            Value::Text(state.ok_or_else(|| Fault::State(text.to_owned()))?.as_str().to_owned())
        }
        Kind::Number => Value::Number(text.parse().map_err(|_| Fault::Number(text.to_owned()))?),
        Kind::Signal => Value::Number(SignalName::parse(text).ok_or(Fault::Signal)?.0.into()),
        Kind::Length => Value::Number(length(text)?),
        Kind::Instant => Value::Number(instant(&field, text, now)?),
    };
    Ok(Term::Test { field, how, value })
}

fn length(text: &str) -> Result<i64, Fault> {
    let length = units::parse_duration(text).map_err(Fault::Length)?;
    Ok(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
}

/// A length of time alone could be read as `ago`, or as the age that it would be: in opposite ways.
fn instant(field: &Field, text: &str, now: &Zoned) -> Result<i64, Fault> {
    if units::parse_duration(text).is_ok() {
        return Err(Fault::BareLength(field.clone(), text.to_owned()));
    }
    let past = time::parse_past(text, now);
    let at = match field {
        Field::Due => time::parse_future(text, now).or_else(|error| past.map_err(|_| error)),
        _ => past,
    };
    at.map(|at| at.0).map_err(Fault::Time)
}

/// What is older was added before.
fn older_or_younger(how: Comparison, text: &str, now: &Zoned) -> Result<Term, Fault> {
    let how = match how {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        how @ (Comparison::Equal | Comparison::Matches) => how,
    };
    let at = now.timestamp().as_millisecond().saturating_sub(length(text)?);
    Ok(Term::Test { field: Field::Created, how, value: Value::Number(at) })
}
