//! Writing rows.

use std::os::unix::ffi::OsStrExt;
use std::sync::LazyLock;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::domain::attempt::{Attempt, Output, Stream};
use crate::domain::dependency::Want;
use crate::domain::id::{Seq, TaskId};
use crate::domain::identity::BootId;
use crate::domain::task::{Environment, Task};
use crate::store::sqlite::code::{exit, int, join, limits, ms, progress};
use crate::store::sqlite::spec::{self, Values};
use crate::store::sqlite::verb::StoredEdge;
use crate::store::transition::{Note, Subject};

/// Stores an environment unless it is there, and returns its number.
pub(super) fn environment(db: &Connection, env: &Environment) -> rusqlite::Result<i64> {
    let content = join(env.0.iter().flat_map(|(name, value)| [name.as_os_str(), value.as_os_str()]));
    let sha256: [u8; 32] = Sha256::digest(&content).into();
    let known =
        db.prepare_cached("SELECT id FROM environment WHERE sha256 = ?1")?.query_row([&sha256], |row| row.get(0));
    if let Some(id) = known.optional()? {
        return Ok(id);
    }
    let names = join(env.0.iter().map(|(name, _)| name.as_os_str()));
    db.prepare_cached("INSERT INTO environment (sha256, names, content) VALUES (?1, ?2, ?3)")?
        .insert(params![sha256, names, content])
}

/// Stores a task that is not there yet.
pub(super) fn new_task(db: &Connection, task: &Task, queue: i64, environment: i64) -> rusqlite::Result<()> {
    insert(&mut inserting(db)?, task, queue, environment, &limits(&task.spec.limits))?;
    labels(db, task)
}

/// Returns the statement for [`insert`].
pub(super) fn inserting(db: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        let columns = [
            "id",
            "uuid",
            "state",
            "queue",
            "priority",
            "position",
            "attempt",
            "failures",
            "created_at",
            "updated_at",
            "run_at",
            "key",
            "parent",
            "name",
            "environment",
            "schedule",
        ];
        spec::insert("task", &columns, &[])
    });
    db.prepare_cached(&SQL)
}

/// Stores a task that is not there yet, without its labels. `limits` are its soft limits, as [`limits()`] writes them.
pub(super) fn insert(
    statement: &mut CachedStatement<'_>,
    task: &Task,
    queue: i64,
    environment: i64,
    limits: &str,
) -> rusqlite::Result<()> {
    let spec = &task.spec;
    let mut values = Values::of(statement);
    values
        .bind(task.id.as_i64())?
        .bind(task.uuid.0.as_bytes())?
        .bind(task.state.as_str())?
        .bind(queue)?
        .bind(spec.priority)?
        .bind(task.position)?
        .bind(task.attempt)?
        .bind(task.failures)?
        .bind(task.created_at.0)?
        .bind(task.updated_at.0)?
        .bind(spec.run_at.map(|at| at.0))?
        .bind(&spec.key)?
        .bind(task.parent.map(TaskId::as_i64))?
        .bind(&spec.name)?
        .bind(environment)?
        .bind(&task.schedule)?;
    spec::bind(&mut values, spec, limits)?;
    values.execute()?;
    Ok(())
}

/// Stores the labels of a task that was just stored.
pub(super) fn labels(db: &Connection, task: &Task) -> rusqlite::Result<()> {
    for (key, value) in &task.spec.labels {
        db.prepare_cached("INSERT INTO label (task, key, value) VALUES (?1, ?2, ?3)")?.execute(params![
            task.id.as_i64(),
            key,
            value
        ])?;
    }
    Ok(())
}

/// Stores what a task depends on, in the order in which it was named, and how that stands.
pub(super) fn edges(db: &Connection, task: TaskId, edges: &[StoredEdge]) -> rusqlite::Result<()> {
    let mut place = [0_i64; Want::ALL.len()];
    for (want, on, edge) in edges {
        let place = &mut place[usize::from(*want != Want::ALL[0])];
        db.prepare_cached("INSERT INTO dependency (task, kind, place, on_task, edge) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![task.as_i64(), want.as_str(), *place, on.as_i64(), edge.as_str()])?;
        *place += 1;
    }
    Ok(())
}

/// Writes what a task is to do, which changes only before it has started; without its queue, labels, dependencies and time.
pub(super) fn spec(db: &Connection, task: &Task) -> rusqlite::Result<()> {
    static SQL: LazyLock<String> = LazyLock::new(|| spec::update("task", &["priority", "key", "name"]));
    let spec = &task.spec;
    let mut statement = db.prepare_cached(&SQL)?;
    let mut values = Values::of(&mut statement);
    values.bind(spec.priority)?.bind(&spec.key)?.bind(&spec.name)?;
    spec::bind(&mut values, spec, &limits(&spec.limits))?;
    values.bind(task.id.as_i64())?;
    values.execute()?;
    Ok(())
}

/// Writes what may change about a task.
pub(super) fn task(db: &Connection, task: &Task, cancel_reason: Option<&str>) -> rusqlite::Result<()> {
    let (code, signal) = exit(task.exit);
    db.prepare_cached(
        "UPDATE task SET state = ?2, attempt = ?3, failures = ?4, slot = ?5, reason_code = ?6, reason = ?7,
        cancel_requested_at = ?8, cancel_reason = ?9, updated_at = ?10, started_at = ?11, ended_at = ?12, exit_code = ?13,
        exit_signal = ?14, run_at = ?15 WHERE id = ?1",
    )?
    .execute(params![
        task.id.as_i64(),
        task.state.as_str(),
        task.attempt,
        task.failures,
        task.slot,
        task.reason_code.map(|code| code.as_str()),
        task.reason,
        task.cancel_requested_at.map(|at| at.0),
        cancel_reason,
        task.updated_at.0,
        task.started_at.map(|at| at.0),
        task.ended_at.map(|at| at.0),
        code,
        signal,
        task.spec.run_at.map(|at| at.0),
    ])?;
    Ok(())
}

/// Stores an attempt that was just claimed.
pub(super) fn new_attempt(db: &Connection, task: TaskId, attempt: &Attempt, boot: BootId) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO attempt (task, number, assignment, owner, boot, state, claimed_at, lease_until, slot, granted)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        task.as_i64(),
        attempt.number,
        attempt.assignment.0.as_bytes(),
        attempt.owner.0.as_bytes(),
        boot.0.as_bytes(),
        attempt.state.as_str(),
        attempt.claimed_at.0,
        attempt.lease_until.0,
        attempt.slot,
        Some(&attempt.granted).filter(|granted| !granted.is_empty()).map(ToString::to_string),
    ])?;
    Ok(())
}

/// Writes what may change about an attempt, without its outputs.
pub(super) fn attempt(db: &Connection, row: i64, attempt: &Attempt) -> rusqlite::Result<()> {
    let (code, signal) = exit(attempt.exit);
    let identity = attempt.identity.as_ref();
    db.prepare_cached(
        "UPDATE attempt SET state = ?2, pid = ?3, start_ticks = ?4, process_boot = ?5, started_at = ?6, ended_at = ?7,
        exit_code = ?8, exit_signal = ?9, reason_code = ?10, reason = ?11, max_rss_bytes = ?12, user_ms = ?13,
        system_ms = ?14, paused_at = ?15, paused_for = ?16 WHERE id = ?1",
    )?
    .execute(params![
        row,
        attempt.state.as_str(),
        identity.map(|process| process.pid),
        identity.map(|process| int(process.start_ticks)),
        identity.map(|process| *process.boot.0.as_bytes()),
        attempt.started_at.map(|at| at.0),
        attempt.ended_at.map(|at| at.0),
        code,
        signal,
        attempt.reason_code.map(|code| code.as_str()),
        attempt.reason,
        attempt.usage.map(|usage| int(usage.max_rss_bytes)),
        attempt.usage.map(|usage| int(usage.user_ms)),
        attempt.usage.map(|usage| int(usage.system_ms)),
        attempt.paused_at.map(|at| int(at.0)),
        ms(attempt.paused_for),
    ])?;
    Ok(())
}

/// Takes an attempt back that was none.
pub(super) fn forget_attempt(db: &Connection, row: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM attempt WHERE id = ?1")?.execute([row])?;
    Ok(())
}

/// Stores what an attempt wrote.
pub(super) fn outputs(db: &Connection, attempt: i64, outputs: &[Output]) -> rusqlite::Result<()> {
    for output in outputs {
        db.prepare_cached("INSERT INTO output (attempt, stream, path, bytes, sha256) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                attempt,
                output.stream.as_str(),
                output.path.as_os_str().as_bytes(),
                int(output.bytes),
                output.sha256,
            ])?;
    }
    Ok(())
}

/// Stores the hash of an output; `false` if there is no such output or its hash is known.
pub(super) fn hash(db: &Connection, attempt: i64, stream: Stream, sha256: &[u8; 32]) -> rusqlite::Result<bool> {
    let sql = "UPDATE output SET sha256 = ?3 WHERE attempt = ?1 AND stream = ?2 AND sha256 IS NULL";
    Ok(db.prepare_cached(sql)?.execute(params![attempt, stream.as_str(), sha256])? > 0)
}

/// Appends a change and returns its number.
pub(super) fn change(db: &Connection, note: &Note) -> rusqlite::Result<Seq> {
    let (task, queue, schedule) = match &note.subject {
        Subject::Task(id) => (Some(id.as_i64()), None, None),
        Subject::Removed(id, queue) => (Some(id.as_i64()), Some(queue), None),
        Subject::Queue(name) => (None, Some(name), None),
        Subject::Schedule(name) => (None, None, Some(name)),
    };
    let row = db
        .prepare_cached(
            "INSERT INTO change (at, kind, task, queue, attempt, from_state, to_state, by, reason, schedule, progress)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .insert(params![
            note.at.0,
            note.kind.as_str(),
            task,
            queue,
            note.attempt,
            note.from.map(|state| state.as_str()),
            note.to.map(|state| state.as_str()),
            note.by.to_string(),
            note.reason,
            schedule,
            note.progress.as_deref().map(progress),
        ])?;
    Ok(Seq(u64::try_from(row).unwrap_or(0)))
}
