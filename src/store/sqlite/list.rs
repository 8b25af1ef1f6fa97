//! Lists of tasks. Which ids are on the list is found on indexes, from the newest down and no further than asked for;
//! the tasks themselves are then read one by one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::read;
use crate::store::task::{TaskFilter, TaskPage};

/// Returns the tasks that match.
pub(super) fn tasks(db: &Connection, filter: &TaskFilter) -> rusqlite::Result<TaskPage> {
    let mut found = BTreeSet::new();
    let mut cut = false;
    for query in queries(filter) {
        let mut statement = db.prepare_cached(&query.sql)?;
        let ids = statement.query_map(params_from_iter(&query.values), |row| Columns::new(row).cell())?;
        let mut ids: Vec<TaskId> = ids.collect::<Result<_, _>>()?;
        if query.most.is_some_and(|most| ids.len() > most) {
            cut = true;
            ids.truncate(query.most.unwrap_or(ids.len()));
        }
        found.extend(ids);
    }
    if let Some(limit) = filter.limit {
        while found.len() > limit as usize {
            found.pop_first();
            cut = true;
        }
    }
    let mut page = TaskPage { tasks: Vec::with_capacity(found.len()), cut };
    for id in found {
        page.tasks.extend(read::task(db, id)?.map(|stored| stored.task));
    }
    Ok(page)
}

/// One walk over one index. It returns one id more than wanted, so that a cut is noticed.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    most: Option<usize>,
}

/// Returns the walks that together find what the filter asks for.
pub(super) fn queries(filter: &TaskFilter) -> Vec<Query> {
    let limit = filter.limit.map(|limit| limit as usize);
    if filter.next_first {
        return vec![next_first(filter, limit)];
    }
    match (filter.states.as_slice(), filter.recent) {
        ([], None) => vec![query(filter, "", None, "id DESC", limit)],
        ([], Some(recent)) => {
            let open = State::ALL.into_iter().filter(|state| !state.is_ended());
            let ended =
                query(filter, "t.ended_at IS NOT NULL AND ", None, "ended_at DESC, id DESC", Some(recent as usize));
            open.map(|state| of_state(filter, state, limit)).chain([ended]).collect()
        }
        (states, _) => {
            let states: BTreeSet<State> = states.iter().copied().collect();
            states.into_iter().map(|state| of_state(filter, state, limit)).collect()
        }
    }
}

/// One walk for all states: only together they say which tasks come first.
fn next_first(filter: &TaskFilter, limit: Option<usize>) -> Query {
    const ORDER: &str = "priority DESC, position, id";
    let words: Vec<String> = filter.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
    let states = match words.as_slice() {
        [] => String::new(),
        // Word for word the condition of the index of those that are ready.
        [state] => format!("t.state = {state} AND "),
        states => format!("t.state IN ({}) AND ", states.join(", ")),
    };
    query(filter, &states, None, ORDER, limit)
}

fn of_state(filter: &TaskFilter, state: State, limit: Option<usize>) -> Query {
    query(filter, "t.state = ? AND ", Some(Value::Text(state.as_str().to_owned())), "id DESC", limit)
}

fn query(filter: &TaskFilter, first: &str, value: Option<Value>, order: &str, most: Option<usize>) -> Query {
    let mut sql = format!("SELECT t.id FROM task t WHERE {first}1");
    let mut values: Vec<Value> = value.into_iter().collect();
    if let Some(queue) = &filter.queue {
        // The unary plus keeps the planner from a walk in another order than the one wanted.
        let plus = if filter.next_first { "" } else { "+" };
        write!(sql, " AND {plus}t.queue = (SELECT id FROM queue WHERE name = ?)")
            .expect("writing to a String cannot fail");
        values.push(Value::Text(queue.clone()));
    }
    if let Some(below) = filter.below {
        sql.push_str(" AND t.id < ?");
        values.push(Value::Integer(below.as_i64()));
    }
    if let Some(name) = &filter.name {
        sql.push_str(" AND t.name GLOB ?");
        values.push(Value::Text(name.clone()));
    }
    for (key, value) in &filter.labels {
        sql.push_str(" AND EXISTS (SELECT 1 FROM label l WHERE l.task = t.id AND l.key = ?");
        values.push(Value::Text(key.clone()));
        if let Some(value) = value {
            sql.push_str(" AND l.value = ?");
            values.push(Value::Text(value.clone()));
        }
        sql.push(')');
    }
    sql.push_str(" ORDER BY ");
    sql.push_str(order);
    if let Some(most) = most {
        sql.push_str(" LIMIT ?");
        values.push(Value::Integer(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)));
    }
    Query { sql, values, most }
}
