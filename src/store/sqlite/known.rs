//! Names and labels that begin in some way, for whoever is typing them: each found by one step on an index from the one before,
//! however many tasks have it. And what became of hooks, for whoever looks through everything.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::time::Timestamp;
use crate::store::sqlite::code::Columns;

/// Returns the names of tasks that begin so, in their order, at most `limit`.
pub(super) fn names(db: &Connection, beginning: &str, limit: usize) -> rusqlite::Result<Vec<String>> {
    let first =
        "SELECT name FROM task INDEXED BY task_name WHERE name IS NOT NULL AND name >= ?1 ORDER BY name LIMIT 1";
    let next = "SELECT name FROM task INDEXED BY task_name WHERE name IS NOT NULL AND name > ?1 ORDER BY name LIMIT 1";
    let mut found: Vec<String> = Vec::new();
    let mut at = db.prepare(first)?.query_row([beginning], |row| row.get(0)).optional()?;
    let mut step = db.prepare(next)?;
    while let Some(name) = at.take().filter(|name: &String| name.starts_with(beginning) && found.len() < limit) {
        at = step.query_row([&name], |row| row.get(0)).optional()?;
        found.push(name);
    }
    Ok(found)
}

/// Returns the labels, key and value, whose keys begin so, in their order, at most `limit`; with a value those of that key whose
/// values begin so.
pub(super) fn labels(
    db: &Connection,
    key: &str,
    value: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<(String, String)>> {
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let is_meant = |found: &(String, String)| match value {
        Some(value) => found.0 == key && found.1.starts_with(value),
        None => found.0.starts_with(key),
    };
    let mut found = Vec::new();
    let mut at = db.prepare(FIRST_LABEL)?.query_row(params![key, value.unwrap_or_default()], pair).optional()?;
    let (mut value_after, mut key_after) = (db.prepare(NEXT_VALUE)?, db.prepare(NEXT_KEY)?);
    while let Some(label) = at.take().filter(|label| is_meant(label) && found.len() < limit) {
        at = value_after.query_row(params![label.0, label.1], pair).optional()?;
        if at.is_none() {
            at = key_after.query_row([&label.0], pair).optional()?;
        }
        found.push(label);
    }
    Ok(found)
}

/// The first label from a key and a value on.
const FIRST_LABEL: &str =
    "SELECT key, value FROM label INDEXED BY label_value WHERE (key, value) >= (?1, ?2) ORDER BY key, value LIMIT 1";

/// The label with the same key and the next value. Both at once, `(key, value) > (?1, ?2)`, would begin at the value itself,
/// and go through all tasks that have it.
pub(super) const NEXT_VALUE: &str =
    "SELECT key, value FROM label INDEXED BY label_value WHERE key = ?1 AND value > ?2 ORDER BY value LIMIT 1";

/// The first label with the next key.
pub(super) const NEXT_KEY: &str =
    "SELECT key, value FROM label INDEXED BY label_value WHERE key > ?1 ORDER BY key, value LIMIT 1";

/// Returns the hooks of the configuration that failed when they were run last, by name: when, and what is told of it. One that failed
/// so long ago that the change is kept no longer is none of them.
pub(super) fn failed_hooks(db: &Connection) -> rusqlite::Result<Vec<(String, Timestamp, String)>> {
    let sql = "SELECT substr(h.name, length('*failed:') + 1), c.at, c.reason
        FROM hook h JOIN change c ON c.seq = h.cursor AND c.kind = 'hook.failed'
        WHERE h.name > '*failed:' AND h.name < '*failed;' ORDER BY h.name";
    let mut failed = db.prepare(sql)?;
    let failed = failed.query_map([], |row| {
        let mut c = Columns::new(row);
        Ok((c.plain()?, c.cell()?, c.plain()?))
    })?;
    failed.collect()
}
