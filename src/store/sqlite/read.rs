//! Reading tasks, attempts and changes from a connection.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::domain::attempt::{Attempt, Output};
use crate::domain::change::Change;
use crate::domain::id::{AssignmentId, Seq, TaskId, TaskUuid};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::Usage;
use crate::domain::progress;
use crate::domain::queue::{Queue, QueuePause};
use crate::domain::resource::Granted;
use crate::domain::task::{Environment, State, Task, TaskSpec};
use crate::domain::time::{Moment, Timestamp};
use crate::store::queue::QueueCount;
use crate::store::sqlite::code::{Columns, int};
use crate::store::sqlite::{fault, spec};
use crate::store::task::{Counts, Holdings, InFlight};

static TASK: LazyLock<String> = LazyLock::new(|| {
    let spec = spec::columns_of("t");
    format!(
        "SELECT t.id, t.uuid, t.state, q.name, t.priority, t.position, t.attempt, t.failures, t.slot, t.reason_code, t.reason,
        t.cancel_requested_at, t.cancel_reason, t.created_at, t.updated_at, t.started_at, t.ended_at, t.exit_code,
        t.exit_signal, t.run_at, t.key, t.parent, t.name, e.names, {spec}, t.schedule, t.progress
        FROM task t JOIN queue q ON q.id = t.queue JOIN environment e ON e.id = t.environment WHERE t.id = ?1"
    )
});

/// A task without its attempts, and what is stored beside it.
pub(super) struct Stored {
    pub(super) task: Task,
    pub(super) cancel_reason: Option<String>,
}

/// An attempt, and what is stored beside it.
pub(super) struct StoredAttempt {
    pub(super) row: i64,
    pub(super) task: TaskId,
    pub(super) boot: BootId,
    pub(super) attempt: Attempt,
}

/// Returns a task without its attempts.
pub(super) fn task(db: &Connection, id: TaskId) -> rusqlite::Result<Option<Stored>> {
    let row = db.prepare_cached(&TASK)?.query_row([id.as_i64()], task_of).optional()?;
    let Some(mut stored) = row else { return Ok(None) };
    stored.task.spec.labels = labels(db, id)?;
    let mut waits = db.prepare_cached("SELECT kind, on_task FROM dependency WHERE task = ?1 ORDER BY kind, place")?;
    let mut rows = waits.query([id.as_i64()])?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::new(row);
        match columns.plain::<String>()?.as_str() {
            "after" => stored.task.spec.after.push(columns.cell()?),
            "after_any" => stored.task.spec.after_any.push(columns.cell()?),
            _ => return Err(columns.unreadable()),
        }
    }
    Ok(Some(stored))
}

fn labels(db: &Connection, id: TaskId) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut labels = db.prepare_cached("SELECT key, value FROM label WHERE task = ?1")?;
    labels.query_map([id.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Returns a task with its attempts.
pub(super) fn whole_task(db: &Connection, id: TaskId) -> rusqlite::Result<Option<Task>> {
    let Some(Stored { mut task, .. }) = self::task(db, id)? else { return Ok(None) };
    let mut attempts = db.prepare_cached(&format!("SELECT {ATTEMPT} FROM attempt WHERE task = ?1 ORDER BY number"))?;
    let rows: Vec<StoredAttempt> = attempts.query_map([id.as_i64()], attempt_of)?.collect::<Result<_, _>>()?;
    for StoredAttempt { row, mut attempt, .. } in rows {
        attempt.outputs = outputs(db, row)?;
        task.attempts.push(attempt);
    }
    task.expected = expected(db, &task)?;
    Ok(Some(task))
}

/// Returns how long a task takes that has a process and a name, as earlier runs of that name went.
pub(super) fn expected(db: &Connection, task: &Task) -> rusqlite::Result<Option<Duration>> {
    let Some(name) = task.spec.name.as_ref().filter(|_| task.state.is_active()) else { return Ok(None) };
    let mut runs = db.prepare_cached(RUNS)?;
    let limits = (int(progress::RUNS_LOOKED_AT as u64), int(progress::RUNS_MAX as u64));
    let runs = runs.query_map(params![name, task.id.as_i64(), limits.0, limits.1], |row| {
        let mut c = Columns::new(row);
        let (started, ended): (Timestamp, Timestamp) = (c.cell()?, c.cell()?);
        Ok(ended.since(started))
    })?;
    Ok(progress::expected(runs.collect::<Result<_, _>>()?))
}

/// The last runs of a name that succeeded, among so many that were added last before a task. Two limits: however many of the
/// name there are, few are looked at.
pub(super) const RUNS: &str = "SELECT started_at, ended_at FROM
    (SELECT id, state, started_at, ended_at FROM task INDEXED BY task_name
        WHERE name IS NOT NULL AND name = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3)
    WHERE state = 'succeeded' AND started_at IS NOT NULL AND ended_at IS NOT NULL ORDER BY id DESC LIMIT ?4";

fn task_of(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let mut c = Columns::new(row);
    let id = c.cell()?;
    let uuid = TaskUuid(c.cell()?);
    let state = c.cell()?;
    let mut spec = TaskSpec::command(Vec::new(), PathBuf::new());
    spec.queue = c.plain()?;
    spec.priority = c.plain()?;
    let position = c.plain()?;
    let attempt = c.plain()?;
    let failures = c.plain()?;
    let slot = c.plain()?;
    let reason_code = c.maybe()?;
    let reason = c.plain()?;
    let cancel_requested_at = c.maybe()?;
    let cancel_reason = c.plain()?;
    let created_at = c.cell()?;
    let updated_at = c.cell()?;
    let started_at = c.maybe()?;
    let ended_at = c.maybe()?;
    let exit = c.exit()?;
    spec.run_at = c.maybe()?;
    spec.key = c.plain()?;
    let parent = c.maybe()?;
    spec.name = c.plain()?;
    let env_names = c.cell()?;
    spec::read(&mut c, &mut spec)?;
    let schedule = c.plain()?;
    let told = c.maybe()?;
    let task = Task {
        id,
        uuid,
        spec,
        env_names,
        state,
        reason_code,
        reason,
        position,
        parent,
        schedule,
        created_at,
        updated_at,
        attempt,
        failures,
        slot,
        cancel_requested_at,
        started_at,
        ended_at,
        exit,
        told,
        expected: None,
        time_left: None,
        attempts: Vec::new(),
    };
    Ok(Stored { task, cancel_reason })
}

const ATTEMPT: &str =
    "id, task, boot, number, assignment, owner, state, claimed_at, lease_until, slot, pid, start_ticks,
    process_boot, started_at, ended_at, exit_code, exit_signal, reason_code, reason, max_rss_bytes, user_ms, system_ms,
    paused_at, paused_for, granted";

fn attempt_of(row: &Row<'_>) -> rusqlite::Result<StoredAttempt> {
    let mut c = Columns::new(row);
    let row = c.plain()?;
    let task = c.cell()?;
    let boot = BootId(c.cell()?);
    let mut attempt = Attempt {
        number: c.plain()?,
        assignment: AssignmentId(c.cell()?),
        owner: GuardianId(c.cell()?),
        state: c.cell()?,
        claimed_at: c.cell()?,
        lease_until: c.cell()?,
        slot: c.plain()?,
        granted: Granted::default(),
        identity: None,
        started_at: None,
        ended_at: None,
        exit: None,
        reason_code: None,
        reason: None,
        usage: None,
        paused_at: None,
        paused_for: Duration::ZERO,
        outputs: Vec::new(),
    };
    let (pid, ticks, process_boot) = (c.plain::<Option<u32>>()?, c.plain::<Option<u64>>()?, c.maybe()?);
    if let (Some(pid), Some(start_ticks), Some(boot)) = (pid, ticks, process_boot) {
        attempt.identity = Some(ProcessIdentity { boot: BootId(boot), pid, start_ticks });
    }
    attempt.started_at = c.maybe()?;
    attempt.ended_at = c.maybe()?;
    attempt.exit = c.exit()?;
    attempt.reason_code = c.maybe()?;
    attempt.reason = c.plain()?;
    let (rss, user, system) = (c.plain::<Option<u64>>()?, c.plain::<Option<u64>>()?, c.plain::<Option<u64>>()?);
    if let (Some(max_rss_bytes), Some(user_ms), Some(system_ms)) = (rss, user, system) {
        attempt.usage = Some(Usage { max_rss_bytes, user_ms, system_ms });
    }
    attempt.paused_at = c.plain::<Option<u64>>()?.map(Moment);
    attempt.paused_for = c.cell()?;
    // What cannot be read must not keep the attempt from its end; the next claim sees to what it holds.
    attempt.granted = granted(&mut c)?.unwrap_or_default();
    Ok(StoredAttempt { row, task, boot, attempt })
}

/// Returns the attempt of a claim, without its outputs.
pub(super) fn attempt(db: &Connection, claim: AssignmentId) -> rusqlite::Result<Option<StoredAttempt>> {
    let mut attempt = db.prepare_cached(&format!("SELECT {ATTEMPT} FROM attempt WHERE assignment = ?1"))?;
    attempt.query_row([claim.0.as_bytes()], attempt_of).optional()
}

/// Returns the last attempt of a task, without its outputs.
pub(super) fn last_attempt(db: &Connection, id: TaskId) -> rusqlite::Result<Option<StoredAttempt>> {
    let sql = format!("SELECT {ATTEMPT} FROM attempt WHERE task = ?1 ORDER BY number DESC LIMIT 1");
    db.prepare_cached(&sql)?.query_row([id.as_i64()], attempt_of).optional()
}

fn outputs(db: &Connection, attempt: i64) -> rusqlite::Result<Vec<Output>> {
    let mut outputs = db.prepare_cached("SELECT stream, path, bytes, sha256 FROM output WHERE attempt = ?1")?;
    let output = |row: &Row<'_>| {
        let mut c = Columns::new(row);
        Ok(Output { stream: c.cell()?, path: c.cell()?, bytes: c.plain()?, sha256: c.plain()? })
    };
    let outputs = outputs.query_map([attempt], output)?.collect::<Result<_, _>>()?;
    Ok(crate::store::transition::in_order(outputs))
}

/// Returns the environment of a task.
pub(super) fn environment(db: &Connection, id: TaskId) -> rusqlite::Result<Option<Arc<Environment>>> {
    let sql = "SELECT e.content FROM task t JOIN environment e ON e.id = t.environment WHERE t.id = ?1";
    db.prepare_cached(sql)?.query_row([id.as_i64()], |row| Columns::new(row).cell()).optional()
}

/// Returns what was claimed and has not ended, oldest claim first.
pub(super) fn in_flight(db: &Connection) -> rusqlite::Result<Vec<InFlight>> {
    let mut open = db.prepare_cached(&in_flight_sql())?;
    let attempts: Vec<StoredAttempt> = open.query_map([], attempt_of)?.collect::<Result<_, _>>()?;
    let mut flights = Vec::with_capacity(attempts.len());
    for StoredAttempt { task, boot, attempt, .. } in attempts {
        if let Some(Stored { task, .. }) = self::task(db, task)? {
            flights.push(InFlight { task, attempt, boot });
        }
    }
    Ok(flights)
}

/// What an attempt holds.
pub(super) struct Held {
    pub(super) row: i64,
    pub(super) task: TaskId,
    pub(super) assignment: AssignmentId,
    /// `None` if that cannot be read.
    pub(super) granted: Option<Granted>,
}

/// Returns what attempts hold that have not ended, oldest claim first.
pub(super) fn held(db: &Connection) -> rusqlite::Result<Vec<Held>> {
    let sql =
        "SELECT id, task, assignment, granted FROM attempt WHERE granted IS NOT NULL AND ended_at IS NULL ORDER BY id";
    let mut held = db.prepare_cached(sql)?;
    let held = held.query_map([], |row| {
        let mut c = Columns::new(row);
        let (row, task, assignment) = (c.plain()?, c.cell()?, AssignmentId(c.cell()?));
        Ok(Held { row, task, assignment, granted: granted(&mut c)? })
    })?;
    held.collect()
}

/// Returns what stands in the next column of what was granted; `None` if that cannot be read.
fn granted(c: &mut Columns<'_, '_>) -> rusqlite::Result<Option<Granted>> {
    match c.maybe() {
        Ok(granted) => Ok(Some(granted.unwrap_or_default())),
        Err(error) if fault::is_unreadable(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Since when tasks wait for a resource, and which were taken for such that do not any more: what changed since then tells.
type Short = (BTreeMap<TaskId, Timestamp>, Vec<TaskId>);

/// Returns the tasks that wait for a resource.
pub(super) fn short(db: &Connection) -> rusqlite::Result<Short> {
    let sql = "SELECT s.task, s.since, t.state = 'queued' AND t.updated_at = s.seen
        FROM short s JOIN task t ON t.id = s.task";
    let mut known = db.prepare_cached(sql)?;
    let mut rows = known.query([])?;
    let (mut short, mut stale) = (BTreeMap::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let mut c = Columns::new(row);
        let (id, since, waits): (TaskId, Timestamp, bool) = (c.cell()?, c.cell()?, c.plain()?);
        if waits {
            short.insert(id, since);
        } else {
            stale.push(id);
        }
    }
    Ok((short, stale))
}

/// Returns who holds what, and who waits for it.
pub(super) fn holdings(db: &Connection) -> rusqlite::Result<Holdings> {
    let held = held(db)?.into_iter().filter_map(|held| Some((held.task, held.assignment, held.granted?)));
    Ok(Holdings { held: held.collect(), short: short(db)?.0 })
}

pub(super) fn in_flight_sql() -> String {
    format!("SELECT {ATTEMPT} FROM attempt WHERE ended_at IS NULL ORDER BY id")
}

/// Returns the uploads that tasks and schedules name.
pub(super) fn uploads(db: &Connection) -> rusqlite::Result<HashSet<Uuid>> {
    let mut named = db.prepare(
        "SELECT stdin_upload FROM task WHERE stdin_upload IS NOT NULL
        UNION SELECT stdin_upload FROM schedule WHERE stdin_upload IS NOT NULL",
    )?;
    named.query_map([], |row| Columns::new(row).cell())?.collect()
}

/// Returns how many tasks there are.
pub(super) fn counts(db: &Connection) -> rusqlite::Result<Counts> {
    let mut counter = db.prepare_cached("SELECT state, sum(n) FROM counter GROUP BY state HAVING sum(n) > 0")?;
    let by_state = counter.query_map([], |row| {
        let mut c = Columns::new(row);
        Ok((c.cell()?, c.plain()?))
    })?;
    let by_state = by_state.collect::<Result<_, _>>()?;
    let mut total = db.prepare_cached("SELECT processed, succeeded, failed FROM total WHERE id = 1")?;
    total.query_row([], |row| {
        Ok(Counts { by_state, processed: row.get(0)?, succeeded: row.get(1)?, failed: row.get(2)? })
    })
}

/// The changes after one, oldest first.
const CHANGES: &str = "SELECT seq, at, kind, task, queue, attempt, from_state, to_state, by, reason, schedule, progress
    FROM change WHERE seq > ?1 ORDER BY seq";

/// Returns the changes after `since`, oldest first, at most `limit`.
pub(super) fn changes(db: &Connection, since: Seq, limit: usize) -> rusqlite::Result<Vec<Change>> {
    let mut changes = db.prepare_cached(CHANGES)?;
    changes.query_map([int(since.0)], change_of)?.take(limit).collect()
}

/// Returns the same, but for those that cannot be read, of which the log tells: one would keep everybody who follows from
/// coming further, for ever.
pub(super) fn readable_changes(db: &Connection, since: Seq, limit: usize) -> rusqlite::Result<Vec<Change>> {
    let mut changes = db.prepare_cached(CHANGES)?;
    let mut rows = changes.query([int(since.0)])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        match change_of(row) {
            Ok(change) => found.push(change),
            Err(error) if fault::is_unreadable(&error) => {
                let seq: i64 = row.get(0)?;
                tracing::error!(seq, "A change cannot be read, and is passed over: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn change_of(row: &Row<'_>) -> rusqlite::Result<Change> {
    let mut c = Columns::new(row);
    Ok(Change {
        seq: Seq(c.plain()?),
        at: c.cell()?,
        kind: c.cell()?,
        task: c.maybe()?,
        queue: c.plain()?,
        attempt: c.plain()?,
        from: c.maybe()?,
        to: c.maybe()?,
        by: c.cell()?,
        reason: c.plain()?,
        schedule: c.plain()?,
        progress: c.maybe()?,
    })
}

/// Returns the number of the oldest change.
pub(super) fn oldest(db: &Connection) -> rusqlite::Result<Option<Seq>> {
    db.prepare_cached("SELECT min(seq) FROM change")?.query_row([], |row| Ok(row.get::<_, Option<u64>>(0)?.map(Seq)))
}

/// Returns the state of a task.
pub(super) fn state(db: &Connection, id: TaskId) -> rusqlite::Result<Option<State>> {
    let mut state = db.prepare_cached("SELECT state FROM task WHERE id = ?1")?;
    state.query_row([id.as_i64()], |row| Columns::new(row).cell()).optional()
}

/// Returns the first task that waits and depends on this one.
pub(super) fn first_waiting_for(db: &Connection, id: TaskId) -> rusqlite::Result<Option<TaskId>> {
    let sql = "SELECT d.task FROM dependency d JOIN task t ON t.id = d.task
        WHERE d.on_task = ?1 AND t.state IN ('blocked', 'held') ORDER BY d.task LIMIT 1";
    db.prepare_cached(sql)?.query_row([id.as_i64()], |row| Columns::new(row).cell()).optional()
}

/// Returns how many tasks of a queue have not ended.
pub(super) fn unended_in(db: &Connection, queue: i64) -> rusqlite::Result<u64> {
    let mut counter = db.prepare_cached("SELECT state, n FROM counter WHERE queue = ?1 AND n > 0")?;
    let counts = counter.query_map([queue], |row| {
        let mut c = Columns::new(row);
        Ok((c.cell::<State>()?, c.plain::<u64>()?))
    })?;
    counts.filter(|count| !matches!(count, Ok((state, _)) if state.is_ended())).map(|count| Ok(count?.1)).sum()
}

/// Returns the first schedule, by name, that adds its tasks to a queue.
pub(super) fn schedule_into(db: &Connection, queue: i64) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name FROM schedule WHERE queue = ?1 ORDER BY name LIMIT 1";
    db.prepare_cached(sql)?.query_row([queue], |row| row.get(0)).optional()
}

/// Returns all queues, by name.
pub(super) fn queues(db: &Connection) -> rusqlite::Result<Vec<Queue>> {
    let mut all = db.prepare_cached(
        "SELECT id, name, slots, weight, paused_at, paused_reason, paused_until FROM queue WHERE gone = 0 ORDER BY name",
    )?;
    let mut rows = all.query([])?;
    let mut queues = Vec::new();
    while let Some(row) = rows.next()? {
        let mut c = Columns::new(row);
        let id: i64 = c.plain()?;
        let mut queue = Queue { name: c.plain()?, slots: c.plain()?, weight: c.plain()?, ..Queue::default() };
        let (at, reason, until) = (c.maybe()?, c.plain()?, c.maybe()?);
        queue.pause = at.map(|at| QueuePause { at, reason, until });
        let mut counter = db.prepare_cached("SELECT state, n FROM counter WHERE queue = ?1 AND n > 0")?;
        let mut counts = counter.query([id])?;
        while let Some(row) = counts.next()? {
            let mut c = Columns::new(row);
            let (state, n): (State, u64) = (c.cell()?, c.plain()?);
            match state {
                State::Queued => queue.queued += n,
                state if state.is_active() => queue.active += n,
                state if state.is_waiting() => queue.waiting += n,
                _ => {}
            }
        }
        queues.push(queue);
    }
    Ok(queues)
}

/// Returns how many tasks each queue has in each state.
pub(super) fn queue_counts(db: &Connection) -> rusqlite::Result<Vec<QueueCount>> {
    let sql = "SELECT q.name, c.state, c.n FROM counter c JOIN queue q ON q.id = c.queue WHERE c.n > 0";
    let mut counts = db.prepare_cached(sql)?;
    let counts = counts.query_map([], |row| {
        let mut c = Columns::new(row);
        Ok((c.plain()?, c.cell()?, c.plain()?))
    })?;
    let mut counts: Vec<QueueCount> = counts.collect::<Result<_, _>>()?;
    counts.sort_unstable();
    Ok(counts)
}

/// Returns the number of the last change, also of one that was deleted since.
pub(super) fn last_seq(db: &Connection) -> rusqlite::Result<Seq> {
    let mut last = db.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'change'")?;
    Ok(Seq(last.query_row([], |row| row.get(0)).optional()?.unwrap_or(0)))
}

/// Returns how far each hook came. What else is remembered of hooks are rows beside theirs, with names that no hook can have:
/// `*tasks:4711` that those of tasks have run for that change already, `*failed:tell` which change tells that the last run failed.
pub(super) fn hook_cursors(db: &Connection) -> rusqlite::Result<BTreeMap<String, Seq>> {
    let sql = "SELECT name, cursor FROM hook WHERE instr(name, ':') = 0";
    db.prepare_cached(sql)?.query_map([], |row| Ok((row.get(0)?, Seq(row.get(1)?))))?.collect()
}

/// Returns the changes after the cursor of the hooks of tasks for which they have run.
pub(super) fn hooks_ahead(db: &Connection) -> rusqlite::Result<BTreeSet<Seq>> {
    let sql = "SELECT cursor FROM hook WHERE name > '*tasks:' AND name < '*tasks;'";
    db.prepare_cached(sql)?.query_map([], |row| Ok(Seq(row.get(0)?)))?.collect()
}

/// Returns whether a hook is told when a queue is empty.
pub(super) fn tells_empties(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT EXISTS (SELECT 1 FROM hook WHERE empties <> 0)", [], |row| row.get(0))
}
