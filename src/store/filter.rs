//! Whether a task is what a filter asks for, looked at by itself: for backends that are not SQLite, and for verbs that are to
//! change a task only as long as it is.

use crate::domain::condition::{Comparison, Term};
use crate::domain::field::Value;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::store::glob;
use crate::store::task::{Only, TaskFilter};

/// Returns whether all conditions of a filter hold for a task. How many are wanted, and in which order, does not matter.
pub(super) fn matches(filter: &TaskFilter, task: &Task) -> bool {
    let spec = &task.spec;
    let labelled = |(key, value): &(String, Option<String>)| {
        spec.labels.get(key).is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
    };
    filter.below.is_none_or(|below| task.id < below)
        && filter.above.is_none_or(|above| task.id > above)
        && filter.ended_until.is_none_or(|until| task.ended_at.is_some_and(|at| at <= until))
        && (filter.states.is_empty() || filter.states.contains(&task.state))
        && filter.queue.as_ref().is_none_or(|queue| *queue == spec.queue)
        && filter.schedule.as_ref().is_none_or(|schedule| task.schedule.as_ref() == Some(schedule))
        && filter.labels.iter().all(labelled)
        && filter.name.as_ref().is_none_or(|glob| spec.name.as_ref().is_some_and(|name| glob::matches(glob, name)))
        && filter.condition.as_ref().is_none_or(|condition| holds(&condition.term, task, condition.at))
}

/// Returns whether a part of a condition holds for a task.
fn holds(term: &Term, task: &Task, at: Timestamp) -> bool {
    match term {
        Term::All(terms) => terms.iter().all(|term| holds(term, task, at)),
        Term::Any(terms) => terms.iter().any(|term| holds(term, task, at)),
        Term::Not(term) => !holds(term, task, at),
        Term::Has(field) => field.of(task, at).is_some(),
        Term::Test { field, how, value } => field.of(task, at).is_some_and(|found| compares(&found, *how, value)),
    }
}

fn compares(found: &Value, how: Comparison, with: &Value) -> bool {
    match how {
        Comparison::Equal => found == with,
        Comparison::Less => found < with,
        Comparison::LessOrEqual => found <= with,
        Comparison::Greater => found > with,
        Comparison::GreaterOrEqual => found >= with,
        Comparison::Matches => match (found, with) {
            (Value::Text(text), Value::Text(glob)) => glob::matches(glob, text),
            _ => false,
        },
    }
}

/// Returns whether a task is what a verb is to be done to.
pub(super) fn is_meant(only: &Only, task: &Task) -> bool {
    only.as_ref().is_none_or(|filter| matches(filter, task))
}
