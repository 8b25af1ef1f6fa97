//! Saves from a damaged database what can be read, row by row, into a new one. The damaged one is kept.
//!
//! A tree with a damaged page is read from its beginning and from its end as far as that goes, and number by number in
//! between. What is saved keeps its number; what belongs to something that is lost is mended so that nothing waits for ever
//! and nothing runs that is not whole.

mod image;
mod taking;
mod written;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use uuid::Uuid;

use crate::domain::hook::OF_TASKS;
use crate::domain::id::{Seq, TaskId};
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::sqlite::guard::{self, beside};
use crate::store::sqlite::recover::image::Image;
use crate::store::sqlite::recover::taking::Taking;
use crate::store::sqlite::schema::{self, MIGRATIONS};
use crate::store::sqlite::{check, fault, read, schedule};

/// What was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Where the damaged database is now; what had not been merged into it is beside it, in `<kept>-wal`.
    pub kept: PathBuf,
    /// How many tasks were saved.
    pub tasks: u64,
    /// How many tasks there had been, if that can be told.
    pub had: Option<u64>,
    /// What was lost or mended, for people; nothing, if everything was saved.
    pub losses: Vec<String>,
}

/// Saves what can be read of the database at `path` into a new one in its place; `None` if there is none, or it is sound.
///
/// Shape: nobody else may have the database open. The damaged files are kept as `<path>.damaged-<ms>` and
/// `<path>.damaged-<ms>-wal`. No number is given again that a task has had, as far as the database or the names of the files
/// in `output/` beside it tell.
/// Errors: [`Error::Newer`], [`Error::Foreign`], [`Error::NotAFile`]: nothing was changed; [`Error::Full`], [`Error::Io`]:
/// nothing was changed, or everything is there under its old and its new name. Blocks the thread.
pub fn recover(path: &Path, now: Timestamp) -> Result<Option<Recovered>, Error> {
    let path = guard::resolve(path)?;
    if is_sound(&path)? {
        return Ok(None);
    }
    let new = beside(&path, ".recovered");
    schema::remove(&new)?;
    schema::create(&new, now, MIGRATIONS, Uuid::new_v4())?;
    let fault = |error| fault::of("write", &new, error);
    let db = schema::connect(&new).map_err(fault)?;
    let mut salvage = Salvage { new: &db, losses: Vec::new() };
    let image = Image::of(&path)?;
    // It is not opened but read: a database that SQLite does not even take for one has nothing to give.
    let had = match connect_tolerant(image.path()) {
        Ok(old) => salvage.all(&old).map_err(fault)?,
        Err(error) => {
            salvage.losses.push(format!("nothing can be read: {error}"));
            None
        }
    };
    drop(image);
    salvage.mend(now).map_err(fault)?;
    salvage.number_on(written::highest(&path.with_file_name("output"))).map_err(fault)?;
    let tasks = db.query_row("SELECT count(*) FROM task", [], |row| row.get(0)).map_err(fault)?;
    let losses = salvage.losses;
    // All of it is in the file itself, and the file is on the disk, before it takes the other one's place.
    db.close().map_err(|(_, error)| fault(error))?;
    let kept = beside(&path, &format!(".damaged-{}", now.0));
    exchange(&new, &path, &kept)?;
    Ok(Some(Recovered { kept, tasks, had, losses }))
}

/// Opens a connection that reads what is there, whatever of the schema or of the file is missing.
///
/// Source: `lockBtree` in SQLite's btree.c takes a file that is shorter than its header says for damaged as a whole, unless
/// `writable_schema` is set, and so it is with one entry of the schema that is damaged. The connection cannot write all the
/// same.
fn connect_tolerant(path: &Path) -> rusqlite::Result<Connection> {
    let db = guard::connect_reading(path, fs::symlink_metadata(beside(path, "-wal")).is_err())?;
    db.execute_batch("PRAGMA writable_schema = ON")?;
    Ok(db)
}

/// Returns whether there is nothing to be saved.
fn is_sound(path: &Path) -> Result<bool, Error> {
    match super::open_reader(path) {
        Ok(None) => return Ok(true),
        Err(Error::Older { .. }) => {
            // Its tables are not the present ones; whether it is whole can be told all the same.
            let still = fs::symlink_metadata(beside(path, "-wal")).is_err();
            let whole = guard::connect_reading(path, still)
                .and_then(|db| db.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0)));
            return Ok(whole.is_ok_and(|whole| whole == "ok"));
        }
        Ok(Some(mut reader)) => match reader.findings() {
            Ok(findings) => return Ok(findings.is_empty()),
            Err(Error::Damaged { .. } | Error::NotADatabase { .. }) => {}
            Err(error) => return Err(error),
        },
        // One that cannot be read has a word of its own for that.
        Err(Error::Damaged { .. } | Error::NotADatabase { .. } | Error::Orphan { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(false)
}

/// Puts the new database in the place of the damaged one, which is kept with all that belongs to it.
fn exchange(new: &Path, path: &Path, kept: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { operation: "keep", path: path.to_owned(), source };
    let link = |from: &Path, to: &Path| match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        linked => linked,
    };
    let (wal, directory) = (beside(path, "-wal"), path.parent().unwrap_or(path));
    link(path, kept).map_err(io)?;
    link(&wal, &beside(kept, "-wal")).map_err(io)?;
    schema::sync(directory).map_err(io)?;
    // The old log first: the new database must never be found beside it.
    schema::remove(&wal)?;
    schema::remove(&beside(path, "-shm"))?;
    schema::sync(directory).map_err(io)?;
    schema::publish(new, path)
}

/// What numbers the rows of a table.
#[derive(Clone, Copy)]
enum Key {
    /// A number of their own, by this name.
    Number(&'static str),
    /// That of what they belong to: this column, of this table.
    Of(&'static str, &'static str),
    /// Nothing that can be counted up.
    None,
}

/// The tables, what others belong to first. The counters are not among them: they are counted anew.
const TABLES: &[(&str, Key)] = &[
    ("meta", Key::Number("id")),
    ("queue", Key::Number("id")),
    ("environment", Key::Number("id")),
    ("schedule", Key::Number("id")),
    ("task", Key::Number("id")),
    ("label", Key::Of("task", "task")),
    ("dependency", Key::Of("task", "task")),
    ("attempt", Key::Number("id")),
    ("output", Key::Of("attempt", "attempt")),
    ("change", Key::Number("seq")),
    ("litter", Key::None),
    ("hook", Key::None),
    ("total", Key::Number("id")),
];

/// Returns the version since which there is a table, as far as that matters.
fn since(table: &str) -> u32 {
    match table {
        "schedule" => 7,
        "hook" => 10,
        _ => 0,
    }
}

struct Salvage<'a> {
    new: &'a Connection,
    losses: Vec<String>,
}

impl Salvage<'_> {
    /// Takes over what can be read, and returns how many tasks there had been.
    fn all(&mut self, old: &Connection) -> rusqlite::Result<Option<u64>> {
        let had = old.query_row("SELECT sum(n) FROM counter", [], |row| row.get(0)).ok();
        // What belongs to something that is lost is sorted out afterwards.
        self.new.execute_batch(
            "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE; DELETE FROM meta; DELETE FROM queue;
            DELETE FROM total",
        )?;
        for (table, key) in TABLES {
            self.table(old, table, *key)?;
        }
        for table in ["task", "change"] {
            // A table that never had a row has no entry yet.
            let sql = "INSERT INTO sqlite_sequence (name, seq)
                SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)";
            self.new.execute(sql, [table])?;
            let sql = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
            self.new.execute(sql, (table, last_number(old, table).unwrap_or(0)))?;
        }
        self.new.execute_batch("COMMIT; PRAGMA foreign_keys = ON")?;
        Ok(had)
    }

    fn table(&mut self, old: &Connection, table: &str, key: Key) -> rusqlite::Result<()> {
        let there = columns(self.new, table)?;
        let known = match columns(old, table) {
            Ok(known) if !known.is_empty() => known,
            // One that is older than the table never had it.
            _ if version(old).is_some_and(|version| version < since(table)) => return Ok(()),
            _ => {
                self.losses.push(format!("table `{table}` cannot be read"));
                return Ok(());
            }
        };
        let shared: Vec<String> = there.into_iter().filter(|column| known.contains(column)).collect();
        let names = shared.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let marks = vec!["?"; shared.len()].join(", ");
        let mut taking = Taking {
            old,
            insert: self.new.prepare(&format!("INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"))?,
            select: format!("SELECT {names} FROM {table}"),
            names: shared,
            highest: last_number(old, table),
            refused: 0,
        };
        let is_whole = match key {
            Key::Number(number) => taking.numbered(number)?,
            Key::Of(column, owner) => {
                let sql = format!("SELECT id FROM {owner} ORDER BY id");
                let mut owners = self.new.prepare(&sql)?;
                let owners: Vec<i64> = owners.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                taking.owned(column, &owners)?
            }
            Key::None => taking.some("ORDER BY 1", &[])?,
        };
        if !is_whole || taking.refused > 0 {
            self.losses.push(format!("not all of table `{table}` could be read"));
        }
        Ok(())
    }

    /// Makes what was saved agree with itself.
    fn mend(&mut self, now: Timestamp) -> rusqlite::Result<()> {
        self.new.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE")?;
        let did = |sql: &str| self.new.execute(sql, []);
        did("INSERT OR IGNORE INTO queue (id, name) VALUES (1, 'default')")?;
        did("INSERT OR IGNORE INTO total (id, processed, succeeded, failed) VALUES (1, 0, 0, 0)")?;
        let sql = "INSERT OR IGNORE INTO meta (id, epoch, created_at, opened_at) VALUES (1, 0, ?1, ?1)";
        self.new.execute(sql, [now.0])?;
        let mut losses = Vec::new();
        let mut lost = |n: usize, what: &str| {
            if n > 0 {
                losses.push(format!("{n} task(s) {what}"));
            }
        };
        let broken: Vec<TaskId> = {
            let mut ids = self.new.prepare("SELECT id FROM task")?;
            let ids = ids.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
            ids.into_iter().filter_map(|id| TaskId::new(u64::try_from(id).ok()?)).collect()
        };
        lost(
            did("UPDATE task SET queue = 1 WHERE queue NOT IN (SELECT id FROM queue)")?,
            "lost their queue, and are in the default one",
        );
        for environment in check::garbled_environments(self.new)? {
            self.new.execute("DELETE FROM environment WHERE id = ?1", [environment])?;
        }
        // Nothing is to run without what it was given.
        let without = "environment NOT IN (SELECT id FROM environment)";
        if did(&format!("UPDATE task SET environment = 0 WHERE {without}"))? > 0 {
            did("INSERT INTO environment (id, sha256, names, content) VALUES (0, x'', x'', x'')")?;
            let sql = "UPDATE task SET state = 'held', reason_code = NULL, reason = 'its environment was lost'
                WHERE environment = 0 AND state IN ('scheduled', 'blocked', 'queued', 'retrying')";
            lost(did(sql)?, "that wait lost their environment, and are held");
        }
        let schedules = schedule::mend(self.new, now)?;
        let mut unreadable = 0;
        for id in broken {
            if read::whole_task(self.new, id).is_err() {
                unreadable += self.new.execute("DELETE FROM task WHERE id = ?1", [id.as_i64()])?;
            }
        }
        lost(unreadable, "cannot be understood, and are gone");
        let changes = drop_unreadable_changes(self.new)?;
        for sql in [
            "DELETE FROM label WHERE task NOT IN (SELECT id FROM task)",
            "DELETE FROM dependency WHERE task NOT IN (SELECT id FROM task)",
            "DELETE FROM attempt WHERE task NOT IN (SELECT id FROM task)",
            "DELETE FROM output WHERE attempt NOT IN (SELECT id FROM attempt)",
            "DELETE FROM environment WHERE id NOT IN (SELECT environment FROM task UNION SELECT environment FROM schedule)",
            "UPDATE attempt SET state = 'lost', ended_at = claimed_at WHERE ended_at IS NULL AND task NOT IN
                (SELECT id FROM task WHERE state IN ('starting', 'running', 'paused'))",
        ] {
            did(sql)?;
        }
        let sql = "UPDATE task SET state = 'lost', reason_code = 'guardian_lost', slot = NULL, ended_at = ?1,
            reason = 'what was stored about its last attempt was lost'
            WHERE state IN ('starting', 'running', 'paused') AND id NOT IN (SELECT task FROM attempt WHERE ended_at IS NULL)";
        lost(self.new.execute(sql, [now.0])?, "ran, and nothing is left of that");
        let sql = "UPDATE task SET state = 'held', reason_code = NULL, reason = 'a task that it depended on was lost'
            WHERE ended_at IS NULL AND id IN (SELECT task FROM dependency WHERE edge = 'waits'
            AND on_task NOT IN (SELECT id FROM task))";
        lost(did(sql)?, "waited for one that was lost, and are held");
        for sql in [
            "UPDATE dependency SET edge = 'met' WHERE edge = 'waits' AND on_task NOT IN (SELECT id FROM task)",
            "UPDATE dependency SET edge = (SELECT CASE WHEN t.ended_at IS NULL THEN 'waits'
                WHEN kind = 'after_any' OR t.state = 'succeeded' THEN 'met' ELSE 'broken' END
                FROM task t WHERE t.id = on_task) WHERE on_task IN (SELECT id FROM task)",
            // Whoever waits is told once more how those stand that it waits for.
            "DELETE FROM unsettled",
            "INSERT INTO unsettled (task, told) SELECT DISTINCT on_task, 0 FROM dependency
                WHERE on_task IN (SELECT id FROM task) ORDER BY on_task",
            "UPDATE total SET succeeded = max(succeeded, (SELECT count(*) FROM task WHERE state = 'succeeded')),
                failed = max(failed, (SELECT count(*) FROM task WHERE state IN ('failed', 'timed_out')))",
            "UPDATE total SET processed = max(processed, succeeded + failed,
                (SELECT count(*) FROM task WHERE ended_at IS NOT NULL))",
            "DELETE FROM counter",
            "INSERT INTO counter (queue, state, n) SELECT queue, state, count(*) FROM task GROUP BY queue, state",
            "UPDATE sqlite_sequence SET seq = max(seq, ifnull((SELECT max(task) FROM change), 0),
                ifnull((SELECT max(task) FROM attempt), 0), ifnull((SELECT max(on_task) FROM dependency), 0))
                WHERE name = 'task'",
            // A hook that is ahead of the changes would miss those to come. None came as far as no change was ever numbered.
            "DELETE FROM hook WHERE cursor NOT BETWEEN 0 AND 1 << 53",
            "INSERT INTO sqlite_sequence (name, seq)
                SELECT 'change', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'change')",
            "UPDATE sqlite_sequence SET seq = max(seq, ifnull((SELECT max(cursor) FROM hook), 0)) WHERE name = 'change'",
        ] {
            did(sql)?;
        }
        let sql = "INSERT OR IGNORE INTO hook (name, cursor, empties)
            SELECT ?1, (SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0
            WHERE EXISTS (SELECT 1 FROM task WHERE hooks IS NOT NULL)
            OR EXISTS (SELECT 1 FROM schedule WHERE hooks IS NOT NULL)";
        let hooks = self.new.execute(sql, [OF_TASKS])?;
        self.new.execute_batch("COMMIT; PRAGMA foreign_keys = ON")?;
        self.losses.extend(losses);
        self.losses.extend(schedules);
        if hooks > 0 {
            let lost = "how far the hooks of tasks came was lost: they are run for what happens from now on";
            self.losses.push(lost.to_owned());
        }
        if changes > 0 {
            self.losses.push(format!("{changes} change(s) cannot be understood, and are gone"));
        }
        self.losses.extend(check::findings(self.new)?);
        Ok(())
    }

    /// Has the next tasks get numbers above `written`: what a lost task wrote is still there under its number, and a new
    /// one of that number would write over it.
    fn number_on(&mut self, written: Option<TaskId>) -> rusqlite::Result<()> {
        let Some(written) = written else { return Ok(()) };
        let last = last_number(self.new, "task");
        if last.is_some_and(|last| last >= written.as_i64()) {
            return Ok(());
        }
        let sql = match last {
            Some(_) => "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'task'",
            None => "INSERT INTO sqlite_sequence (name, seq) VALUES ('task', ?1)",
        };
        self.new.execute(sql, [written.as_i64()])?;
        let next = written.as_i64().saturating_add(1);
        self.losses.push(format!(
            "what tasks wrote that were lost is still in `output`: new tasks are numbered from {next} on"
        ));
        Ok(())
    }
}

fn version(db: &Connection) -> Option<u32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0)).ok()
}

/// Returns the last number that a table gave to a row, if that can be told.
fn last_number(db: &Connection, table: &str) -> Option<i64> {
    db.query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1", [table], |row| row.get(0)).ok()
}

/// Deletes what of the feed nobody can read, and returns how much that was.
fn drop_unreadable_changes(db: &Connection) -> rusqlite::Result<usize> {
    let (mut since, mut limit, mut dropped) = (Seq(0), 1_000, 0);
    loop {
        match read::changes(db, since, limit) {
            Ok(page) => match page.last() {
                Some(last) => (since, limit) = (last.seq, 1_000),
                None => return Ok(dropped),
            },
            Err(_) if limit == 1 => {
                let sql = "DELETE FROM change WHERE seq = (SELECT min(seq) FROM change WHERE seq > ?1)";
                dropped += db.execute(sql, [i64::try_from(since.0).unwrap_or(i64::MAX)])?;
            }
            Err(_) => limit = 1,
        }
    }
}

fn columns(db: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1)")?;
    columns.query_map([table], |row| row.get(0))?.collect()
}
