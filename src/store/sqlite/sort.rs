//! Lists in an order that was asked for: each walk brings the first of its own, and what they bring is put in order.
//!
//! By their numbers, by their states and by when they ended tasks are found on indexes, and so are the few that have a label or
//! a name. For anything else all that match are looked at, of which no more are kept than are wanted.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::domain::field::{Field, Sort};
use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::condition::{self, Piece};
use crate::store::sqlite::list;
use crate::store::task::TaskFilter;

/// Returns the ids of the tasks that match, in that order, and whether a limit left some out.
pub(super) fn ids(db: &Connection, filter: &TaskFilter, sort: &Sort) -> rusqlite::Result<(Vec<TaskId>, bool)> {
    let filter = &filter.narrowed();
    let key = condition::key(sort);
    let mut found: Vec<(Option<Key>, TaskId)> = Vec::new();
    let mut cut = false;
    for query in list::queries(filter, list::lead(db, filter)?.as_ref()) {
        let sql = query.sql.replacen("SELECT t.id", &format!("SELECT t.id, {}", key.sql), 1);
        let mut statement = db.prepare(&sql)?;
        let values = key.values.iter().chain(&query.values);
        let rows = statement.query_map(params_from_iter(values), |row| {
            let mut columns = Columns::new(row);
            let id = columns.cell()?;
            Ok((Key::of(columns.plain()?), id))
        })?;
        let before = found.len();
        for row in rows {
            found.push(row?);
        }
        if let Some(most) = query.most
            && found.len() - before > most
        {
            cut = true;
            found.truncate(before + most);
        }
    }
    found.sort_unstable_by(|a, b| sort.order((a.0.as_ref(), a.1), (b.0.as_ref(), b.1)));
    if let Some(limit) = filter.limit.filter(|limit| found.len() > *limit as usize) {
        cut = true;
        found.truncate(limit as usize);
    }
    Ok((found.into_iter().map(|(_, id)| id).collect(), cut))
}

/// What stands in a column, in SQLite's order of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}

impl Key {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(Self::Number(number)),
            Value::Text(text) => Some(Self::Text(text)),
            // Nothing of ours is of another sort.
            Value::Null | Value::Real(_) | Value::Blob(_) => None,
        }
    }
}

/// Returns the order of a walk over tasks of this state, or over all.
pub(super) fn order(sort: &Sort, state: Option<State>) -> Piece {
    let direction = if sort.descending { "DESC" } else { "ASC" };
    // What is the same for all of them does not put them in order, and an index does that by their numbers.
    let is_same = match (&sort.by, state) {
        (Field::Id, _) | (Field::State, Some(_)) => true,
        (Field::Ended, Some(state)) => !state.is_ended(),
        _ => false,
    };
    if is_same {
        return Piece { sql: format!("t.id {direction}"), values: Vec::new() };
    }
    let Piece { sql, values } = condition::key(sort);
    Piece { sql: format!("{sql} {direction} NULLS LAST, t.id {direction}"), values }
}
