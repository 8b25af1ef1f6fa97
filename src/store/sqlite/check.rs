//! Reads a whole database, and tells what is wrong: by the rules of SQLite, and by our own.

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::ffi::OsString;

use crate::domain::id::TaskId;
use crate::domain::task::Environment;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::{read, schedule};

/// How many findings of a sort are told; the rest is counted.
const TOLD_MAX: usize = 20;

/// What must never be found, and how it is said. Each query returns what identifies a row.
const RULES: &[(&str, &str)] = &[
    (
        "a counter is not what it counts: queue and state",
        "SELECT queue || ' ' || state FROM (
            SELECT queue, state, n FROM counter WHERE n <> 0
            UNION ALL SELECT queue, state, -count(*) FROM task GROUP BY queue, state)
        GROUP BY queue, state HAVING sum(n) <> 0",
    ),
    (
        "more tasks have ended than were counted",
        "SELECT processed FROM total WHERE processed < (SELECT count(*) FROM task WHERE ended_at IS NOT NULL)
            OR processed < succeeded + failed",
    ),
    (
        "a task has a time of its end and has not ended, or the other way round: task",
        "SELECT id FROM task WHERE (ended_at IS NULL) = (state IN ('succeeded', 'failed', 'timed_out', 'cancelled',
            'skipped', 'interrupted', 'lost'))",
    ),
    (
        "a task has a process and no attempt that goes on, or several: task",
        "SELECT id FROM task WHERE state IN ('starting', 'running', 'paused')
            AND (SELECT count(*) FROM attempt a WHERE a.task = task.id AND a.ended_at IS NULL) <> 1",
    ),
    (
        "an attempt goes on and its task does not: task",
        "SELECT task FROM attempt a WHERE a.ended_at IS NULL AND NOT EXISTS
            (SELECT 1 FROM task t WHERE t.id = a.task AND t.state IN ('starting', 'running', 'paused'))",
    ),
    (
        "a dependency does not stand as the other task does: task",
        "SELECT d.task FROM dependency d JOIN task t ON t.id = d.on_task
        WHERE NOT EXISTS (SELECT 1 FROM unsettled u WHERE u.task = d.on_task) AND d.edge <> CASE
            WHEN t.ended_at IS NULL THEN 'waits'
            WHEN d.kind = 'after_any' OR t.state = 'succeeded' THEN 'met'
            ELSE 'broken' END",
    ),
    (
        "a task waits for one that is not there: task",
        "SELECT d.task FROM dependency d WHERE d.edge = 'waits' AND NOT EXISTS
            (SELECT 1 FROM task t WHERE t.id = d.on_task)",
    ),
    (
        "an environment that nothing has: environment",
        "SELECT id FROM environment e WHERE NOT EXISTS (SELECT 1 FROM task WHERE environment = e.id)
            AND NOT EXISTS (SELECT 1 FROM schedule WHERE environment = e.id)",
    ),
    (
        "a schedule is paused and due, or due by no rule or by several: schedule",
        "SELECT name FROM schedule WHERE (paused_at IS NOT NULL AND next_at IS NOT NULL)
            OR (cron IS NOT NULL) + (every IS NOT NULL) + (at IS NOT NULL) <> 1",
    ),
    (
        "a number may be given twice: table",
        "SELECT 'task' WHERE (SELECT max(id) FROM task) > ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'task'), 0)
        UNION ALL SELECT 'change' WHERE
            (SELECT max(seq) FROM change) > ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0)",
    ),
];

/// Returns what is wrong; nothing, if it is sound.
///
/// Errors: something that cannot be read at all, and that SQLite's own check had nothing to say about.
pub(super) fn findings(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let found = faults(db, "PRAGMA integrity_check(20)")?;
    if !found.is_empty() {
        // What is counted over a broken tree says nothing.
        return Ok(found);
    }
    let mut findings = Vec::new();
    let mut keys = db.prepare("PRAGMA foreign_key_check")?;
    let mut rows = keys.query([])?;
    let mut broken = Vec::new();
    while let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        broken.push(format!("table `{table}` names a row of `{parent}` that is not there"));
    }
    tell(&mut findings, broken);
    for (what, sql) in RULES {
        tell(&mut findings, words(db, sql)?.into_iter().map(|row| format!("{what} {row}")).collect());
    }
    tell(&mut findings, unreadable(db)?);
    let garbled = match garbled_environments(db) {
        Ok(garbled) => garbled.iter().map(|id| format!("environment {id} is not as it was stored")).collect(),
        // The schema itself may be damaged in a way that SQLite does not see: in the name of a column.
        Err(error) => vec![format!("the environments cannot be understood: {error}")],
    };
    tell(&mut findings, garbled);
    Ok(findings)
}

/// Returns what one of SQLite's own checks finds, a line each; nothing, if it is sound.
pub(super) fn faults(db: &Connection, pragma: &str) -> rusqlite::Result<Vec<String>> {
    let found = words(db, pragma)?;
    if found == ["ok"] {
        return Ok(Vec::new());
    }
    // What is wrong with the trees comes as one text of many lines, under a heading that names the only database there is.
    let lines = found.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with("*** in database "));
    Ok(lines.map(str::to_owned).collect())
}

/// Returns the environments that are not as they were stored.
pub(super) fn garbled_environments(db: &Connection) -> rusqlite::Result<Vec<i64>> {
    // 0 stands for one that was lost.
    let mut ids = db.prepare("SELECT id FROM environment WHERE id > 0")?;
    let ids = ids.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut environment = db.prepare("SELECT names, content, sha256, content FROM environment WHERE id = ?1")?;
    let mut is_whole = |id: &i64| {
        environment.query_row([id], |row| {
            let mut c = Columns::new(row);
            let (_, _) = (c.cell::<Vec<OsString>>()?, c.cell::<Environment>()?);
            let (sha256, content) = (c.plain::<Vec<u8>>()?, c.plain::<Vec<u8>>()?);
            Ok(sha256 == Sha256::digest(&content)[..])
        })
    };
    Ok(ids.into_iter().filter(|id| !is_whole(id).unwrap_or(false)).collect())
}

/// Returns what is sound for SQLite and means nothing to us.
fn unreadable(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut ids = db.prepare("SELECT id FROM task ORDER BY id")?;
    let ids: Vec<TaskId> = ids.query_map([], |row| Columns::new(row).cell())?.collect::<Result<_, _>>()?;
    let mut unreadable = Vec::new();
    for id in ids {
        let read = read::whole_task(db, id).and_then(|_| read::environment(db, id));
        if let Err(error) = read {
            unreadable.push(format!("task {id} cannot be understood: {error}"));
        }
    }
    for (name, schedule) in schedule::each(db)? {
        if let Err(error) = schedule {
            unreadable.push(format!("schedule `{name}` cannot be understood: {error}"));
        }
    }
    let changes = db.query_row("SELECT ifnull(min(seq), 0) - 1, ifnull(max(seq), 0) FROM change", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut since = crate::domain::id::Seq(u64::try_from(changes.0).unwrap_or(0));
    loop {
        match read::changes(db, since, 1_000) {
            Ok(page) => match page.last() {
                Some(last) => since = last.seq,
                None => return Ok(unreadable),
            },
            Err(error) => {
                unreadable.push(format!("a change after {} cannot be understood: {error}", since.0));
                return Ok(unreadable);
            }
        }
    }
}

fn words(db: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut words = db.prepare(sql)?;
    let words = words.query_map([], |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
        })
    })?;
    words.collect()
}

fn tell(findings: &mut Vec<String>, found: Vec<String>) {
    let more = found.len().saturating_sub(TOLD_MAX);
    findings.extend(found.into_iter().take(TOLD_MAX));
    if more > 0 {
        findings.push(format!("and {more} more of that sort"));
    }
}
