//! Lists of tasks. Which ids are on the list is found on indexes, from the newest down and no further than asked for;
//! the tasks themselves are then read one by one.
//!
//! The index of the states begins with the queue, so a list over all queues walks it once for each queue that has such
//! tasks, of which the counters tell. A label or a name that few tasks have leads by itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Statement, params, params_from_iter};

use crate::domain::field::Field;
use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::condition::Piece;
use crate::store::sqlite::{condition, read, sort};
use crate::store::task::{Ended, Prune, TaskFilter, TaskPage};

/// So many tasks with the same label or name are few: all of them are looked at.
const FEW: i64 = 1_000;

/// Returns the tasks that match.
pub(super) fn tasks(db: &Connection, filter: &TaskFilter) -> rusqlite::Result<TaskPage> {
    let (found, cut) = match &filter.sort {
        Some(order) => sort::ids(db, filter, order)?,
        None => ids(db, filter).map(|(found, cut)| (found.into_iter().collect(), cut))?,
    };
    let mut page = TaskPage { tasks: Vec::with_capacity(found.len()), cut };
    for id in found {
        let Some(read::Stored { mut task, .. }) = read::task(db, id)? else { continue };
        task.expected = read::expected(db, &task)?;
        page.tasks.push(task);
    }
    Ok(page)
}

/// Returns the ids of the tasks that match, and whether a limit left some out.
pub(super) fn ids(db: &Connection, filter: &TaskFilter) -> rusqlite::Result<(BTreeSet<TaskId>, bool)> {
    let filter = &filter.narrowed();
    let mut found = BTreeSet::new();
    let mut cut = false;
    for query in queries(filter, lead(db, filter)?.as_ref()) {
        let read = |statement: &mut Statement<'_>| -> rusqlite::Result<Vec<TaskId>> {
            let ids = statement.query_map(params_from_iter(&query.values), |row| Columns::new(row).cell())?;
            ids.collect()
        };
        // A condition hardly comes twice, and would take the place of a statement that does.
        let mut ids = match filter.condition {
            Some(_) => read(&mut db.prepare(&query.sql)?)?,
            None => read(&mut *db.prepare_cached(&query.sql)?)?,
        };
        if query.most.is_some_and(|most| ids.len() > most) {
            cut = true;
            ids.truncate(query.most.unwrap_or(ids.len()));
        }
        found.extend(ids);
    }
    if let Some(limit) = filter.limit {
        while found.len() > limit as usize {
            if filter.oldest_first {
                found.pop_last()
            } else {
                found.pop_first()
            };
            cut = true;
        }
    }
    Ok((found, cut))
}

/// Returns which tasks have ended that are to be forgotten, those that ended last first.
pub(super) fn ended(db: &Connection, prune: &Prune, limit: usize) -> rusqlite::Result<Vec<Ended>> {
    let of = |row: &rusqlite::Row<'_>| {
        let mut c = Columns::new(row);
        Ok((c.cell()?, c.cell()?))
    };
    let mut below = prune.below.map_or((i64::MAX, i64::MAX), |(at, id)| (at.0, id.as_i64()));
    let skipped = if prune.below.is_none() { prune.keep } else { 0 };
    if skipped > 0 {
        let last = i64::try_from(skipped - 1).unwrap_or(i64::MAX);
        let sql = format!("{} LIMIT 1 OFFSET ?4", ended_sql(&prune.states));
        let kept = db.prepare_cached(&sql)?.query_row(params![below.0, below.1, i64::MAX, last], of).optional()?;
        // As many as are to be kept, or fewer.
        let Some((at, id)): Option<Ended> = kept else { return Ok(Vec::new()) };
        below = (at.0, id.as_i64());
    }
    let until = prune.until.map_or(i64::MAX, |until| until.0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = db.prepare_cached(&format!("{} LIMIT ?4", ended_sql(&prune.states)))?;
    found.query_map(params![below.0, below.1, until, limit], of)?.collect()
}

/// Returns the walk over what has ended, from the last one on.
pub(super) fn ended_sql(states: &[State]) -> String {
    let words: Vec<String> = states.iter().map(|state| format!("'{}'", state.as_str())).collect();
    let states = if words.is_empty() { String::new() } else { format!(" AND +state IN ({})", words.join(", ")) };
    format!(
        "SELECT ended_at, id FROM task INDEXED BY task_ended WHERE ended_at IS NOT NULL AND (ended_at, id) < (?1, ?2)
        AND ended_at <= ?3{states} ORDER BY ended_at DESC, id DESC"
    )
}

/// A condition that few tasks meet, and that is found on an index: in terms of the ids.
#[derive(Debug, Clone)]
pub(super) struct Lead {
    /// A query for ids.
    sql: &'static str,
    values: Vec<Value>,
}

/// Returns the condition of the filter that few meet, if there is one.
pub(super) fn lead(db: &Connection, filter: &TaskFilter) -> rusqlite::Result<Option<Lead>> {
    for lead in leads(filter) {
        let sql = format!("SELECT count(*) FROM ({} LIMIT {})", lead.sql, FEW + 1);
        let count: i64 = db.prepare_cached(&sql)?.query_row(params_from_iter(&lead.values), |row| row.get(0))?;
        if count <= FEW {
            return Ok(Some(lead));
        }
    }
    Ok(None)
}

/// Returns the conditions of the filter that an index knows of, the one with the fewest to look at first.
pub(super) fn leads(filter: &TaskFilter) -> Vec<Lead> {
    let label = |(key, value): &(String, Option<String>)| {
        let (key, value) = (Value::Text(key.clone()), value.clone().map(Value::Text));
        let sql = match value {
            Some(_) => "SELECT task FROM label WHERE key = ? AND value = ?",
            None => "SELECT task FROM label INDEXED BY label_value WHERE key = ?",
        };
        Lead { sql, values: [key].into_iter().chain(value).collect() }
    };
    let name = filter.name.as_ref().map(|name| Lead {
        sql: "SELECT id FROM task INDEXED BY task_name WHERE name IS NOT NULL AND name GLOB ?",
        values: vec![Value::Text(name.clone())],
    });
    let schedule = filter.schedule.as_ref().map(|schedule| Lead {
        sql: "SELECT id FROM task INDEXED BY task_schedule WHERE schedule IS NOT NULL AND schedule = ?",
        values: vec![Value::Text(schedule.clone())],
    });
    // What ended last is else looked for among what ended in all queues.
    let queue = filter.queue.as_ref().filter(|_| filter.recent.is_some()).map(|queue| Lead {
        sql: "SELECT id FROM task INDEXED BY task_listed WHERE queue = (SELECT id FROM queue WHERE name = ?)",
        values: vec![Value::Text(queue.clone())],
    });
    filter.labels.iter().map(label).chain(name).chain(schedule).chain(queue).collect()
}

/// One walk over one index. It returns one id more than wanted, so that a cut is noticed.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    pub(super) most: Option<usize>,
}

/// Returns the walks that together find what the filter asks for.
pub(super) fn queries(filter: &TaskFilter, lead: Option<&Lead>) -> Vec<Query> {
    let limit = filter.limit.map(|limit| limit as usize);
    let ended = |state: &State| state.is_ended();
    let sorted_by = filter.sort.as_ref().map(|sort| &sort.by);
    match (filter.states.as_slice(), filter.recent) {
        _ if filter.next_first && sorted_by.is_none() => vec![next_first(filter, limit)],
        (states, _) if lead.is_none() && sorted_by == Some(&Field::Due) && are_timed(states) => {
            vec![by_time(filter, limit)]
        }
        ([], None) if lead.is_none() && sorted_by == Some(&Field::State) => of_states(filter, &State::ALL, lead, limit),
        ([], None) if lead.is_none() && sorted_by == Some(&Field::Ended) => {
            let mut queries = of_states(filter, &open(), lead, limit);
            queries.push(by_end(filter, limit));
            queries
        }
        ([], None) if filter.queue.is_none() || lead.is_some() => vec![newest(filter, &[], lead, limit)],
        ([], None) => of_states(filter, &State::ALL, lead, limit),
        ([], Some(recent)) => {
            let mut queries = of_states(filter, &open(), lead, limit);
            queries.push(last_ended(filter, &[], lead, recent as usize));
            queries
        }
        (states, Some(recent)) if states.iter().all(ended) => vec![last_ended(filter, states, lead, recent as usize)],
        (states, _) => of_states(filter, states, lead, limit),
    }
}

fn open() -> Vec<State> {
    State::ALL.into_iter().filter(|state| !state.is_ended()).collect()
}

/// One walk for each state, or one over those few that are led to.
fn of_states(filter: &TaskFilter, states: &[State], lead: Option<&Lead>, most: Option<usize>) -> Vec<Query> {
    if lead.is_some() {
        return vec![newest(filter, states, lead, most)];
    }
    let states: BTreeSet<&State> = states.iter().collect();
    states.into_iter().map(|state| of_state(filter, *state, most)).collect()
}

/// The order of a walk over tasks of this state, or over all: by the ids, unless another one was asked for.
fn order(filter: &TaskFilter, state: Option<State>) -> Piece {
    match &filter.sort {
        Some(order) => sort::order(order, state),
        None if filter.oldest_first => "t.id".into(),
        None => "t.id DESC".into(),
    }
}

/// The newest of a state: queue by queue, each no further than asked for.
fn of_state(filter: &TaskFilter, state: State, most: Option<usize>) -> Query {
    let order = order(filter, Some(state));
    let state = Value::Text(state.as_str().to_owned());
    if let Some(queue) = &filter.queue {
        let mut query =
            Query::new("SELECT t.id FROM task t WHERE t.queue = (SELECT id FROM queue WHERE name = ?)", most);
        query.value(queue.clone());
        return query.and("t.state = ?", [state]).narrowed(filter).ordered(&order);
    }
    let inner = Query::new("SELECT t.id FROM task t WHERE t.queue = c.queue AND t.state = c.state", most);
    by_queue(inner.narrowed(filter).ordered(&order), &order, state)
}

/// Asks for each queue that has tasks of the state, `c`, and puts the answers together; `inner` is in that order.
fn by_queue(inner: Query, order: &Piece, state: Value) -> Query {
    let most = inner.most;
    let sql = format!(
        "SELECT t.id FROM counter c CROSS JOIN task t ON t.id IN ({}) WHERE c.state = ? AND c.n > 0",
        inner.sql
    );
    let mut query = Query { sql, values: inner.values, most };
    query.values.push(state);
    query.ordered(order)
}

/// The newest, one by one.
fn newest(filter: &TaskFilter, states: &[State], lead: Option<&Lead>, most: Option<usize>) -> Query {
    let query = Query::new("SELECT t.id FROM task t WHERE 1", most).led(lead).of_any(states);
    query.queued_in(filter).narrowed(filter).ordered(&order(filter, None))
}

/// Those that ended last.
fn last_ended(filter: &TaskFilter, states: &[State], lead: Option<&Lead>, most: usize) -> Query {
    // Where something leads, the order is no walk.
    let plus = if lead.is_some() { "+" } else { "" };
    let sql = format!("SELECT t.id FROM task t WHERE {plus}t.ended_at IS NOT NULL");
    let query = Query::new(&sql, Some(most)).led(lead).of_any(states).queued_in(filter).narrowed(filter);
    query.ordered(&Piece::from(format!("{plus}t.ended_at DESC, t.id DESC").as_str()))
}

/// All that have ended, in the order in which they did, or the other way round.
fn by_end(filter: &TaskFilter, most: Option<usize>) -> Query {
    let direction = if filter.sort.as_ref().is_some_and(|sort| sort.descending) { "DESC" } else { "ASC" };
    let query = Query::new("SELECT t.id FROM task t WHERE t.ended_at IS NOT NULL", most).queued_in(filter);
    query.narrowed(filter).ordered(&Piece::from(format!("t.ended_at {direction}, t.id {direction}").as_str()))
}

/// Waits for a time: there is an index of those.
fn are_timed(states: &[State]) -> bool {
    !states.is_empty() && states.iter().all(|state| matches!(state, State::Scheduled | State::Retrying))
}

/// Those that wait for a time, in the order of it, or the other way round.
fn by_time(filter: &TaskFilter, most: Option<usize>) -> Query {
    let direction = if filter.sort.as_ref().is_some_and(|sort| sort.descending) { "DESC" } else { "ASC" };
    // Word for word the condition of the index.
    let sql = "SELECT t.id FROM task t INDEXED BY task_due WHERE t.state IN ('scheduled', 'retrying')";
    let query = Query::new(sql, most).of_any(&filter.states).queued_in(filter).narrowed(filter);
    query.ordered(&Piece::from(format!("t.run_at {direction}, t.id {direction}").as_str()))
}

/// Those that are started first.
fn next_first(filter: &TaskFilter, most: Option<usize>) -> Query {
    let order = Piece::from("t.priority DESC, t.position, t.id");
    if filter.states == [State::Queued] {
        // Word for word the conditions of the indexes of those that are ready.
        let ready = |queue: &str, index: &str, needs: &str| {
            let sql = format!(
                "SELECT t.id FROM task t INDEXED BY {index} WHERE t.queue = {queue} AND t.state = 'queued' AND t.needs {needs}"
            );
            let query = Query::new(&sql, most);
            let queue = filter.queue.iter().filter(|_| queue.contains('?'));
            queue.fold(query, |query, name| query.and_value(name)).narrowed(filter).ordered(&order)
        };
        let both = |queue: &str| ready(queue, "task_ready", "= ''").or(ready(queue, "task_ready_needy", "> ''"));
        if filter.queue.is_none() {
            return by_queue(both("c.queue"), &order, Value::Text(State::Queued.as_str().to_owned()));
        }
        let inner = both("(SELECT id FROM queue WHERE name = ?)");
        let sql = format!("SELECT t.id FROM task t WHERE t.id IN ({})", inner.sql);
        return Query { sql, ..inner }.ordered(&order);
    }
    let words: Vec<String> = filter.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
    let states = match words.as_slice() {
        [] => "1".to_owned(),
        [state] => format!("t.state = {state}"),
        // Only together they say which tasks come first.
        states => format!("t.state IN ({})", states.join(", ")),
    };
    let mut query = Query::new(&format!("SELECT t.id FROM task t WHERE {states}"), most);
    if let Some(queue) = &filter.queue {
        query.sql.push_str(" AND t.queue = (SELECT id FROM queue WHERE name = ?)");
        query.value(queue.clone());
    }
    query.narrowed(filter).ordered(&order)
}

impl Query {
    fn new(sql: &str, most: Option<usize>) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new(), most }
    }

    fn value(&mut self, text: String) {
        self.values.push(Value::Text(text));
    }

    fn and_value(mut self, text: &str) -> Self {
        self.value(text.to_owned());
        self
    }

    /// Finds what either of two finds, each of them as far as it goes.
    fn or(self, other: Self) -> Self {
        let sql = format!("SELECT id FROM ({}) UNION ALL SELECT id FROM ({})", self.sql, other.sql);
        Self { sql, values: [self.values, other.values].concat(), most: self.most }
    }

    fn and(mut self, condition: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
        self
    }

    /// Only those that this condition leads to.
    fn led(self, lead: Option<&Lead>) -> Self {
        match lead {
            Some(Lead { sql, values }) => self.and(&format!("t.id IN ({sql})"), values.iter().cloned()),
            None => self,
        }
    }

    /// Only in one of these states; if there are none, in any. The unary plus keeps the planner from a walk in another
    /// order than the one wanted.
    fn of_any(self, states: &[State]) -> Self {
        let words: Vec<String> = states.iter().map(|state| format!("'{}'", state.as_str())).collect();
        if words.is_empty() { self } else { self.and(&format!("+t.state IN ({})", words.join(", ")), []) }
    }

    fn queued_in(self, filter: &TaskFilter) -> Self {
        match &filter.queue {
            Some(queue) => self.and("+t.queue = (SELECT id FROM queue WHERE name = ?)", [Value::Text(queue.clone())]),
            None => self,
        }
    }

    /// Adds what is looked at task by task.
    fn narrowed(mut self, filter: &TaskFilter) -> Self {
        if let Some(below) = filter.below {
            self = self.and("t.id < ?", [Value::Integer(below.as_i64())]);
        }
        if let Some(above) = filter.above {
            self = self.and("t.id > ?", [Value::Integer(above.as_i64())]);
        }
        if let Some(until) = filter.ended_until {
            self = self.and("+t.ended_at <= ?", [Value::Integer(until.0)]);
        }
        if let Some(name) = &filter.name {
            self = self.and("+t.name GLOB ?", [Value::Text(name.clone())]);
        }
        if let Some(schedule) = &filter.schedule {
            self = self.and("+t.schedule = ?", [Value::Text(schedule.clone())]);
        }
        for (key, value) in &filter.labels {
            self =
                self.and("EXISTS (SELECT 1 FROM label l WHERE l.task = t.id AND l.key = ?", [Value::Text(key.clone())]);
            if let Some(value) = value {
                self = self.and("l.value = ?", [Value::Text(value.clone())]);
            }
            self.sql.push(')');
        }
        if let Some(condition) = &filter.condition {
            let piece = condition::condition(condition);
            self = self.and(&piece.sql, piece.values);
        }
        self
    }

    fn ordered(mut self, order: &Piece) -> Self {
        if let Some(most) = self.most {
            let most = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
            // Writing to a string does not fail.
            let _ = write!(self.sql, " ORDER BY {} LIMIT ?", order.sql);
            self.values.extend(order.values.iter().cloned());
            self.values.push(Value::Integer(most));
        }
        self
    }
}
