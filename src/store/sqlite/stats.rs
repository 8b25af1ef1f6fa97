//! How tasks that have ended went. Each group is gone through by itself, along an index, and forgotten but for its tally.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::domain::stats::{By, Ended, Group, Groups, Tally};
use crate::domain::time::Timestamp;
use crate::store::sqlite::code::Columns;

/// What is read of a task; its group before it.
const WHAT: &str = "t.state, t.created_at, t.run_at, t.started_at, t.ended_at";

/// Returns how what ended since then went, the `most` largest groups.
pub(super) fn groups(db: &Connection, by: &By, since: Timestamp, most: usize) -> rusqlite::Result<Groups> {
    let mut groups = Groups::default();
    let since = Value::Integer(since.0);
    let text = |text: &str| Value::Text(text.to_owned());
    match by {
        By::All => {
            let sql = format!("SELECT NULL, {WHAT} FROM task t WHERE t.ended_at IS NOT NULL AND t.ended_at >= ?");
            walk(db, &sql, &[since], most, &mut groups)?;
        }
        By::Queue => {
            let mut all = db.prepare("SELECT id, name FROM queue ORDER BY name")?;
            let queues = all.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
            let queues: Vec<(i64, String)> = queues.collect::<Result<_, _>>()?;
            let sql =
                format!("SELECT ?, {WHAT} FROM task t INDEXED BY task_listed WHERE t.queue = ? AND +t.ended_at >= ?");
            for (id, name) in queues {
                walk(db, &sql, &[text(&name), Value::Integer(id), since.clone()], most, &mut groups)?;
            }
        }
        By::Name | By::Schedule => {
            let (column, index) = if *by == By::Name { ("name", "task_name") } else { ("schedule", "task_schedule") };
            let sql = format!(
                "SELECT t.{column}, {WHAT} FROM task t INDEXED BY {index} WHERE t.{column} IS NOT NULL AND +t.ended_at >= ?
                ORDER BY t.{column}"
            );
            walk(db, &sql, std::slice::from_ref(&since), most, &mut groups)?;
            let rest = format!(
                "SELECT NULL, {WHAT} FROM task t WHERE t.ended_at >= ? AND t.ended_at IS NOT NULL AND +t.{column} IS NULL"
            );
            walk(db, &rest, &[since], most, &mut groups)?;
        }
        By::Label(key) => {
            let sql = format!(
                "SELECT l.value, {WHAT} FROM label l INDEXED BY label_value CROSS JOIN task t ON t.id = l.task
                WHERE l.key = ? AND +t.ended_at >= ? ORDER BY l.value"
            );
            walk(db, &sql, &[text(key), since.clone()], most, &mut groups)?;
            let rest = format!(
                "SELECT NULL, {WHAT} FROM task t WHERE t.ended_at >= ? AND t.ended_at IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM label l WHERE l.task = t.id AND l.key = ?)"
            );
            walk(db, &rest, &[since, text(key)], most, &mut groups)?;
        }
    }
    Ok(groups)
}

/// Goes through tasks whose groups come one after the other.
fn walk(db: &Connection, sql: &str, values: &[Value], most: usize, groups: &mut Groups) -> rusqlite::Result<()> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut group = Group { key: None, tally: Tally::default() };
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        if key != group.key.as_deref() {
            let key = key.map(str::to_owned);
            groups.push(std::mem::replace(&mut group, Group { key, tally: Tally::default() }), most);
        }
        group.tally.add(ended(row)?);
    }
    groups.push(group, most);
    Ok(())
}

fn ended(row: &Row<'_>) -> rusqlite::Result<Ended> {
    let mut columns = Columns::new(row);
    let _: Value = columns.plain()?;
    let state = columns.cell()?;
    let (created, due) = (columns.cell::<Timestamp>()?, columns.maybe::<Timestamp>()?);
    let (started, ended) = (columns.maybe::<Timestamp>()?, columns.maybe::<Timestamp>()?);
    // Before its time it did not wait for anybody.
    let ready = due.map_or(created, |due| due.max(created));
    Ok(Ended {
        state,
        waiting: started.map(|started| started.since(ready)),
        running: started.zip(ended).map(|(started, ended)| ended.since(started)),
    })
}
