//! Conditions and orders in SQL. Whatever a user typed is bound; the text holds nothing but words of ours.
//!
//! Every comparison is true or false and never NULL, and none of them is one that an index could be used for: which index is
//! walked is decided in `list`, and a condition only looks at the tasks on the way.

use rusqlite::types::Value;

use crate::domain::condition::{Comparison, Condition, Term};
use crate::domain::field::{self, Field, Sort};
use crate::domain::task::State;
use crate::domain::time::Timestamp;

/// A piece of SQL over the task `t`, and what is bound in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Piece {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl From<&str> for Piece {
    fn from(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }
}

/// Returns what is true of the tasks that a condition holds for.
pub(super) fn condition(condition: &Condition) -> Piece {
    let mut piece = Piece::default();
    piece.term(&condition.term, condition.at);
    piece
}

/// Returns what tasks are put in order by.
pub(super) fn key(sort: &Sort) -> Piece {
    let mut piece = Piece::default();
    match sort.by {
        // In the order of the states, and not in that of their words.
        Field::State => {
            piece.sql.push_str("CASE t.state");
            for state in State::ALL {
                piece.sql.push_str(&format!(" WHEN '{}' THEN {}", state.as_str(), field::rank(state)));
            }
            piece.sql.push_str(" END");
        }
        _ => piece.field(&sort.by, sort.at),
    }
    piece
}

impl Piece {
    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    fn bind(&mut self, value: Value) {
        self.sql.push('?');
        self.values.push(value);
    }

    fn term(&mut self, term: &Term, at: Timestamp) {
        match term {
            Term::All(terms) => self.joined(terms, " AND ", "1", at),
            Term::Any(terms) => self.joined(terms, " OR ", "0", at),
            Term::Not(term) => {
                self.push("NOT ");
                self.term(term, at);
            }
            Term::Has(field) => {
                self.push("(");
                self.field(field, at);
                self.push(" IS NOT NULL)");
            }
            Term::Test { field, how, value } => self.test(field, *how, value, at),
        }
    }

    fn joined(&mut self, terms: &[Term], word: &str, none: &str, at: Timestamp) {
        self.push("(");
        for (place, term) in terms.iter().enumerate() {
            if place > 0 {
                self.push(word);
            }
            self.term(term, at);
        }
        if terms.is_empty() {
            self.push(none);
        }
        self.push(")");
    }

    fn test(&mut self, field: &Field, how: Comparison, value: &field::Value, at: Timestamp) {
        let value = match value {
            field::Value::Number(number) => Value::Integer(*number),
            field::Value::Text(text) => Value::Text(text.clone()),
        };
        let operator = match how {
            Comparison::Equal => {
                self.push("(");
                self.field(field, at);
                self.push(" IS ");
                self.bind(value);
                return self.push(")");
            }
            Comparison::Less => " < ",
            Comparison::LessOrEqual => " <= ",
            Comparison::Greater => " > ",
            Comparison::GreaterOrEqual => " >= ",
            Comparison::Matches => " GLOB ",
        };
        self.push("coalesce(");
        self.field(field, at);
        self.push(operator);
        self.bind(value);
        self.push(", 0)");
    }

    /// Appends the value of a field, NULL where a task has none.
    fn field(&mut self, field: &Field, at: Timestamp) {
        let plain = match field {
            Field::Id => "+t.id",
            Field::State => "CASE t.state WHEN 'starting' THEN 'running' ELSE t.state END",
            Field::Queue => "(SELECT q.name FROM queue q WHERE q.id = t.queue)",
            Field::Name => "+t.name",
            Field::Label(key) => {
                self.push("(SELECT l.value FROM label l WHERE l.task = t.id AND l.key = ");
                self.bind(Value::Text(key.clone()));
                ")"
            }
            Field::Priority => "+t.priority",
            Field::ExitCode => "+t.exit_code",
            Field::Signal => "+t.exit_signal",
            Field::ReasonCode => "+t.reason_code",
            Field::Reason => "+t.reason",
            Field::Key => "+t.key",
            Field::Schedule => "+t.schedule",
            Field::Parent => "+t.parent",
            Field::Slot => "+t.slot",
            Field::Attempt => "+t.attempt",
            Field::Failures => "+t.failures",
            Field::Created => "+t.created_at",
            Field::Updated => "+t.updated_at",
            Field::Due => "+t.run_at",
            Field::Started => "+t.started_at",
            Field::Ended => "+t.ended_at",
            Field::Duration => {
                self.push(
                    "max(0, CASE WHEN t.ended_at IS NOT NULL THEN t.ended_at WHEN t.state = 'starting' OR t.state = 'running'
                    OR t.state = 'paused' THEN ",
                );
                self.bind(Value::Integer(at.0));
                " END - t.started_at)"
            }
        };
        self.push(plain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_bound_and_never_in_the_text() {
        let evil = "x' OR 1=1 --";
        let term = Term::All(vec![
            Term::Has(Field::Label(evil.to_owned())),
            Term::Not(Box::new(Term::Test {
                field: Field::Name,
                how: Comparison::Matches,
                value: field::Value::Text(evil.to_owned()),
            })),
        ]);
        let piece = condition(&Condition { at: Timestamp(7), term });
        assert!(!piece.sql.contains("1=1"), "{}", piece.sql);
        assert_eq!(piece.sql.matches('?').count(), piece.values.len());
        assert_eq!(piece.values, vec![Value::Text(evil.to_owned()); 2]);
    }
}
