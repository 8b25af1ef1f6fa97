//! Conditions on tasks, and orders of them.

use crate::domain::condition::{Comparison, Condition, Term};
use crate::domain::field::{Field, Sort, Value};
use crate::domain::time::Timestamp;
use crate::rpc::convert::{Error, Result};
use crate::rpc::proto;
use crate::rpc::proto::term::What;
use crate::rpc::proto::test::Value as Wire;

pub(in crate::rpc) fn to_proto(condition: &Condition) -> proto::Condition {
    proto::Condition { at_ms: condition.at.0, term: Some(term_to_proto(&condition.term)) }
}

/// Errors: it is larger than a condition may be, or compares what cannot be compared.
pub(in crate::rpc) fn from_proto(condition: proto::Condition) -> Result<Condition> {
    let term = term_from_proto(condition.term.ok_or(Error::Missing("term"))?)?;
    Ok(Condition { at: Timestamp(condition.at_ms), term }.checked()?)
}

pub(in crate::rpc) fn sort_to_proto(sort: &Sort) -> proto::SortOrder {
    proto::SortOrder { by: sort.by.to_string(), descending: sort.descending, at_ms: sort.at.0 }
}

pub(in crate::rpc) fn sort_from_proto(sort: proto::SortOrder) -> Result<Sort> {
    Ok(Sort { by: field(&sort.by)?, descending: sort.descending, at: Timestamp(sort.at_ms) })
}

fn field(word: &str) -> Result<Field> {
    Field::from_word(word).ok_or_else(|| Error::Field(word.to_owned()))
}

fn term_to_proto(term: &Term) -> proto::Term {
    let several = |terms: &[Term]| proto::Terms { terms: terms.iter().map(term_to_proto).collect() };
    let what = match term {
        Term::All(terms) => What::All(several(terms)),
        Term::Any(terms) => What::Any(several(terms)),
        Term::Not(term) => What::Not(Box::new(term_to_proto(term))),
        Term::Has(field) => What::Has(field.to_string()),
        Term::Test { field, how, value } => {
            let value = match value {
                Value::Number(number) => Wire::Number(*number),
                Value::Text(text) => Wire::Text(text.clone()),
            };
            let how = comparison_to_proto(*how).into();
            What::Test(proto::Test { field: field.to_string(), how, value: Some(value) })
        }
    };
    proto::Term { what: Some(what) }
}

/// Nested no deeper than the decoder lets pass.
fn term_from_proto(term: proto::Term) -> Result<Term> {
    let several = |terms: proto::Terms| terms.terms.into_iter().map(term_from_proto).collect::<Result<Vec<Term>>>();
    Ok(match term.what.ok_or(Error::Missing("term"))? {
        What::All(terms) => Term::All(several(terms)?),
        What::Any(terms) => Term::Any(several(terms)?),
        What::Not(term) => Term::Not(Box::new(term_from_proto(*term)?)),
        What::Has(word) => Term::Has(field(&word)?),
        What::Test(test) => Term::Test {
            field: field(&test.field)?,
            how: comparison_from_proto(test.how)?,
            value: match test.value.ok_or(Error::Missing("value"))? {
                Wire::Number(number) => Value::Number(number),
                Wire::Text(text) => Value::Text(text),
            },
        },
    })
}

fn comparison_to_proto(how: Comparison) -> proto::Comparison {
    use proto::Comparison as Wire;
    match how {
        Comparison::Equal => Wire::Equal,
        Comparison::Less => Wire::Less,
        Comparison::LessOrEqual => Wire::LessOrEqual,
        Comparison::Greater => Wire::Greater,
        Comparison::GreaterOrEqual => Wire::GreaterOrEqual,
        Comparison::Matches => Wire::Matches,
    }
}

fn comparison_from_proto(how: i32) -> Result<Comparison> {
    use proto::Comparison as Wire;
    Ok(match Wire::try_from(how) {
        Ok(Wire::Equal) => Comparison::Equal,
        Ok(Wire::Less) => Comparison::Less,
        Ok(Wire::LessOrEqual) => Comparison::LessOrEqual,
        Ok(Wire::Greater) => Comparison::Greater,
        Ok(Wire::GreaterOrEqual) => Comparison::GreaterOrEqual,
        Ok(Wire::Matches) => Comparison::Matches,
        Ok(Wire::Unspecified) => return Err(Error::Missing("how")),
        Err(_) => return Err(Error::Unknown { field: "how", value: how }),
    })
}
