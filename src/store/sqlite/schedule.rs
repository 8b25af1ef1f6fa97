//! Rows of schedules: read, written, and mended when a database is recovered.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::id::TaskId;
use crate::domain::schedule::{Cron, Schedule, SchedulePause, When};
use crate::domain::task::TaskSpec;
use crate::domain::time::Timestamp;
use crate::store::schedule::AddSchedule;
use crate::store::sqlite::code::{Columns, join, limits, ms};
use crate::store::sqlite::spec::{self, Values};

/// Looks up the newest task of a schedule; those of an earlier one of its name are none of its own.
const NEWEST: &str = "SELECT max(t.id) FROM task t WHERE t.schedule = s.name AND t.id > s.after_task";

/// The statement that reads schedules, with what comes after it.
pub(super) fn select(rest: &str) -> String {
    let spec = spec::columns_of("s");
    format!(
        "SELECT s.name, s.created_at, s.cron, s.every, s.at, s.time_zone, s.missed, s.overlap, s.paused_at, s.paused_reason,
        s.next_at, s.last_at, s.last_task, ({NEWEST}), q.name, s.priority, s.key, s.task_name, s.labels, e.names, {spec}
        FROM schedule s JOIN queue q ON q.id = s.queue JOIN environment e ON e.id = s.environment {rest}"
    )
}

/// Returns all schedules, by name.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<Schedule>> {
    let mut all = db.prepare_cached(&select("ORDER BY s.name"))?;
    all.query_map([], schedule_of)?.collect()
}

/// Returns a schedule.
pub(super) fn named(db: &Connection, name: &str) -> rusqlite::Result<Option<Schedule>> {
    db.prepare_cached(&select("WHERE s.name = ?1"))?.query_row([name], schedule_of).optional()
}

/// Returns the schedule in a row.
pub(super) fn in_row(db: &Connection, row: i64) -> rusqlite::Result<Option<Schedule>> {
    db.prepare_cached(&select("WHERE s.id = ?1"))?.query_row([row], schedule_of).optional()
}

/// Returns each schedule, as far as it can be read.
pub(super) fn each(db: &Connection) -> rusqlite::Result<Vec<(String, rusqlite::Result<Schedule>)>> {
    let mut names = db.prepare("SELECT name FROM schedule ORDER BY name")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let read = |name: String| {
        // One that is not found has lost something that every schedule has.
        let schedule = named(db, &name).and_then(|schedule| schedule.ok_or(rusqlite::Error::QueryReturnedNoRows));
        (name, schedule)
    };
    Ok(names.into_iter().map(read).collect())
}

fn schedule_of(row: &Row<'_>) -> rusqlite::Result<Schedule> {
    let mut c = Columns::new(row);
    let name = c.plain()?;
    let created_at = c.cell()?;
    let (cron, every, at) = (c.maybe::<Cron>()?, c.maybe::<Duration>()?, c.maybe::<Timestamp>()?);
    let when = match (cron, every, at) {
        (Some(cron), None, None) => When::Cron(cron),
        (None, Some(every), None) => When::Every(every),
        (None, None, Some(at)) => When::At(at),
        _ => return Err(c.unreadable()),
    };
    let time_zone = c.plain()?;
    let (missed, overlap) = (c.cell()?, c.cell()?);
    let (paused_at, reason) = (c.maybe()?, c.plain()?);
    let (next_at, last_at) = (c.maybe()?, c.maybe()?);
    let (last_task, newest_task) = (c.maybe()?, c.maybe()?);
    let mut spec = TaskSpec::command(Vec::new(), PathBuf::new());
    spec.queue = c.plain()?;
    spec.priority = c.plain()?;
    spec.key = c.plain()?;
    spec.name = c.plain()?;
    spec.labels = c.cell::<BTreeMap<String, String>>()?;
    let env_names = c.cell()?;
    spec::read(&mut c, &mut spec)?;
    let pause = paused_at.map(|at| SchedulePause { at, reason });
    Ok(Schedule {
        name,
        when,
        time_zone,
        missed,
        overlap,
        spec,
        env_names,
        pause,
        next_at,
        last_at,
        last_task,
        newest_task,
        created_at,
    })
}

/// Stores a schedule that is not there yet.
pub(super) fn insert(db: &Connection, add: &AddSchedule, queue: i64, environment: i64) -> rusqlite::Result<()> {
    let (new, spec) = (&add.schedule, &add.schedule.spec);
    let (cron, every, at) = times(&new.when);
    let columns = [
        "name",
        "created_at",
        "cron",
        "every",
        "at",
        "time_zone",
        "missed",
        "overlap",
        "next_at",
        "paused_at",
        "queue",
        "priority",
        "key",
        "task_name",
        "labels",
        "environment",
    ];
    let after = ("after_task", "(SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'task')");
    let mut statement = db.prepare_cached(&spec::insert("schedule", &columns, &[after]))?;
    let mut values = Values::of(&mut statement);
    values
        .bind(&new.name)?
        .bind(add.now.0)?
        .bind(cron)?
        .bind(every)?
        .bind(at)?
        .bind(&new.time_zone)?
        .bind(new.missed.as_str())?
        .bind(new.overlap.as_str())?
        .bind(Some(add.next_at.0).filter(|_| !new.paused))?
        .bind(new.paused.then_some(add.now.0))?
        .bind(queue)?
        .bind(spec.priority)?
        .bind(&spec.key)?
        .bind(&spec.name)?
        .bind(labels(spec))?
        .bind(environment)?;
    spec::bind(&mut values, spec, &limits(&spec.limits))?;
    values.execute()?;
    Ok(())
}

/// Stores what was changed of a schedule, whose queue is in the row `queue`. When it fired last stays.
pub(super) fn change(db: &Connection, row: i64, schedule: &Schedule, queue: i64) -> rusqlite::Result<()> {
    let spec = &schedule.spec;
    let (cron, every, at) = times(&schedule.when);
    let columns = [
        "cron",
        "every",
        "at",
        "time_zone",
        "missed",
        "overlap",
        "next_at",
        "queue",
        "priority",
        "key",
        "task_name",
        "labels",
    ];
    let mut statement = db.prepare_cached(&spec::update("schedule", &columns))?;
    let mut values = Values::of(&mut statement);
    values
        .bind(cron)?
        .bind(every)?
        .bind(at)?
        .bind(&schedule.time_zone)?
        .bind(schedule.missed.as_str())?
        .bind(schedule.overlap.as_str())?
        .bind(schedule.next_at.map(|at| at.0))?
        .bind(queue)?
        .bind(spec.priority)?
        .bind(&spec.key)?
        .bind(&spec.name)?
        .bind(labels(spec))?;
    spec::bind(&mut values, spec, &limits(&spec.limits))?;
    values.bind(row)?;
    values.execute()?;
    Ok(())
}

/// Returns the cells of `cron`, `every` and `at`.
fn times(when: &When) -> (Option<&str>, Option<i64>, Option<i64>) {
    match when {
        When::Cron(cron) => (Some(cron.as_str()), None, None),
        When::Every(every) => (None, Some(ms(*every)), None),
        When::At(at) => (None, None, Some(at.0)),
    }
}

fn labels(spec: &TaskSpec) -> Vec<u8> {
    join(spec.labels.iter().flat_map(|(key, value)| [OsStr::new(key), OsStr::new(value)]))
}

/// Moves the cursor of a schedule on; `fired` is the last time for which it added a task, and that task.
pub(super) fn go_on(
    db: &Connection,
    name: &str,
    next: Option<Timestamp>,
    fired: Option<(Timestamp, TaskId)>,
) -> rusqlite::Result<()> {
    let sql = "UPDATE schedule SET next_at = ?2, last_at = ifnull(?3, last_at), last_task = ifnull(?4, last_task)
        WHERE name = ?1";
    let (at, task) = fired.unzip();
    let (next, at, task) = (next.map(|at| at.0), at.map(|at| at.0), task.map(TaskId::as_i64));
    db.prepare_cached(sql)?.execute(params![name, next, at, task])?;
    Ok(())
}

/// Makes the schedules of a recovered database agree with what there is besides, and tells what was lost or changed.
/// Nothing is to run that is not whole.
pub(super) fn mend(db: &Connection, now: Timestamp) -> rusqlite::Result<Vec<String>> {
    let mut told = Vec::new();
    let mut lost = |n: usize, what: &str| {
        if n > 0 {
            told.push(format!("{n} schedule(s) {what}"));
        }
    };
    let sql = "UPDATE schedule SET queue = 1 WHERE queue NOT IN (SELECT id FROM queue WHERE gone = 0)";
    lost(db.execute(sql, [])?, "lost their queue, and add to the default one");
    let sql = "UPDATE schedule SET environment = 0, next_at = NULL, paused_at = ifnull(paused_at, ?1),
        paused_reason = 'its environment was lost' WHERE environment NOT IN (SELECT id FROM environment)";
    let without = db.execute(sql, [now.0])?;
    if without > 0 {
        let sql = "INSERT OR IGNORE INTO environment (id, sha256, names, content) VALUES (0, x'', x'', x'')";
        db.execute(sql, [])?;
    }
    lost(without, "lost their environment, and are paused");
    db.execute("UPDATE schedule SET next_at = NULL WHERE paused_at IS NOT NULL", [])?;
    let mut unreadable = 0;
    for (name, schedule) in each(db)? {
        if schedule.is_err() {
            unreadable += db.execute("DELETE FROM schedule WHERE name = ?1", [name])?;
        }
    }
    lost(unreadable, "cannot be understood, and are gone");
    Ok(told)
}
