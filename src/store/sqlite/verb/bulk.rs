//! Adding many tasks together.
//!
//! What a single add does for each task is done once for all of them where that makes no difference: the counters, which
//! triggers keep otherwise; the changes, which are made of the rows; statements, numbers and what many tasks have in
//! common.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, OptionalExtension, params};

use crate::domain::change::ChangeKind;
use crate::domain::dependency::{Want, standing, wants};
use crate::domain::id::{Seq, TaskId, TaskUuid};
use crate::domain::task::{BulkTask, Environment, Limit, State};
use crate::fault::crash_point;
use crate::store::Error;
use crate::store::sqlite::code::{Columns, int, limits};
use crate::store::sqlite::verb::{Part, StoredEdge, Undone};
use crate::store::sqlite::{read, write};
use crate::store::task::{AddMany, AddedMany};
use crate::store::transition::{self, Adding};

impl Part<'_> {
    pub(in crate::store::sqlite) fn add_many(&mut self, many: &AddMany) -> Result<AddedMany, Undone> {
        let mut added = AddedMany { untrusted: many.untrusted, ..AddedMany::default() };
        for (uuid, id) in self.added_as(many.uuid)? {
            added.push(uuid.place().into(), id, true);
        }
        if !added.runs.is_empty() {
            return Ok(added);
        }
        // Only this connection is without triggers, and only as long as nothing else is done with it.
        self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        let inserted = self.insert_many(many, &mut added);
        self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
        inserted?;
        crash_point("apexd.add.written");
        Ok(added)
    }

    /// Returns the tasks that were added together under a name, in the order of their places.
    fn added_as(&self, name: TaskUuid) -> rusqlite::Result<Vec<(TaskUuid, TaskId)>> {
        let (first, last) = (name.at(0), name.at(u32::MAX));
        let mut known =
            self.db.prepare_cached("SELECT uuid, id FROM task WHERE uuid BETWEEN ?1 AND ?2 ORDER BY uuid")?;
        let known = known.query_map([first.0.as_bytes(), last.0.as_bytes()], |row| {
            let mut c = Columns::new(row);
            Ok((TaskUuid(c.cell()?), c.cell()?))
        })?;
        known.collect()
    }

    fn insert_many(&mut self, many: &AddMany, added: &mut AddedMany) -> Result<(), Undone> {
        let mut inserting = Inserting::begin(self, many)?;
        for (place, task) in (0..).zip((many.tasks)()) {
            let task = task.map_err(Error::Source)?;
            let line = task.line;
            inserting.insert(self, task, place, added).map_err(|undone| match undone {
                Undone::Refused(source) => Error::Line { line, source: source.into() }.into(),
                failed @ Undone::Failed(_) => failed,
            })?;
        }
        let Inserting { first, next, counts, ended, .. } = inserting;
        for ((queue, state), n) in counts {
            let sql = "INSERT INTO counter (queue, state, n) VALUES (?1, ?2, ?3)
                ON CONFLICT (queue, state) DO UPDATE SET n = n + ?3";
            self.db.prepare_cached(sql)?.execute(params![queue, state.as_str(), int(n)])?;
        }
        // What ends at once was skipped, which is neither a success nor a failure.
        self.db.prepare_cached("UPDATE total SET processed = processed + ?1")?.execute([int(ended)])?;
        if next > first {
            let sql = "INSERT INTO change (at, kind, task, to_state, by, reason)
                SELECT ?1, ?2, id, state, ?3, CASE WHEN state = ?4 THEN reason END
                FROM task WHERE id BETWEEN ?5 AND ?6 ORDER BY id";
            let (kind, skipped) = (ChangeKind::Added.as_str(), State::Skipped.as_str());
            let by = many.by.to_string();
            self.db.prepare_cached(sql)?.execute(params![many.now.0, kind, by, skipped, int(first), int(next - 1)])?;
            self.last = Some(Seq(u64::try_from(self.db.last_insert_rowid()).unwrap_or(0)));
        }
        Ok(())
    }
}

/// What is kept from one task to the next.
struct Inserting<'a> {
    many: &'a AddMany,
    statement: CachedStatement<'a>,
    /// The number of the first task, and of the next one.
    first: u64,
    next: u64,
    queues: HashMap<String, i64>,
    /// The environment that was stored last, by what was set over the common one.
    environment: Option<(Environment, i64)>,
    /// The soft limits that were written last.
    limits: (Vec<Limit>, String),
    /// How many tasks were made, by queue and state.
    counts: HashMap<(i64, State), u64>,
    ended: u64,
}

impl<'a> Inserting<'a> {
    fn begin(part: &Part<'a>, many: &'a AddMany) -> Result<Self, Undone> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'task'";
        let last: u64 = part.db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0);
        Ok(Self {
            many,
            statement: write::inserting(part.db)?,
            first: last + 1,
            next: last + 1,
            queues: HashMap::new(),
            environment: None,
            limits: Default::default(),
            counts: HashMap::new(),
            ended: 0,
        })
    }

    fn insert(&mut self, part: &Part<'_>, task: BulkTask, place: u64, added: &mut AddedMany) -> Result<(), Undone> {
        let BulkTask { spec, env, hold, after_places, after_any_places, .. } = task;
        if let Some(key) = &spec.key
            && let Some(id) = part.of_key(key)?
        {
            added.push(place, id, false);
            return Ok(());
        }
        let mut spec = spec;
        spec.after.extend(after_places.iter().filter_map(|place| added.id(*place)));
        spec.after_any.extend(after_any_places.iter().filter_map(|place| added.id(*place)));
        let queue = self.queue(part, &spec.queue)?;
        let mut edges: Vec<StoredEdge> = Vec::new();
        for (want, on) in wants(&spec) {
            let state = read::state(part.db, on)?.ok_or(Error::NoSuchTask(on))?;
            edges.push((want, on, Want::of(want, state)));
        }
        let standing = standing(edges.iter().map(|(_, on, edge)| (*on, *edge)));
        let broken_state = part.broken_state(standing)?;
        let id = TaskId::new(self.next).ok_or_else(|| part.damaged("the last number of a task"))?;
        let many = self.many;
        let number = u32::try_from(place).map_err(|_| part.damaged("the number of tasks"))?;
        let adding = Adding {
            uuid: many.uuid.at(number),
            spec,
            env_names: Arc::default(),
            hold,
            parent: many.parent,
            schedule: None,
            now: many.now,
            untrusted: many.untrusted,
        };
        let task = transition::made(id, adding, standing, broken_state);
        let environment = self.environment(part, env)?;
        if self.limits.0 != task.spec.limits {
            self.limits = (task.spec.limits.clone(), limits(&task.spec.limits));
        }
        part.follow_hooks_of(&task.spec)?;
        write::insert(&mut self.statement, &task, queue, environment, &self.limits.1)?;
        write::labels(part.db, &task)?;
        write::edges(part.db, id, &edges)?;
        if task.reason.is_some() {
            write::task(part.db, &task, None)?;
        }
        *self.counts.entry((queue, task.state)).or_default() += 1;
        self.ended += u64::from(task.state.is_ended());
        self.next += 1;
        added.push(place, id, true);
        Ok(())
    }

    fn queue(&mut self, part: &Part<'_>, name: &str) -> Result<i64, Undone> {
        if let Some(queue) = self.queues.get(name) {
            return Ok(*queue);
        }
        let queue = part.queue_of(name)?;
        self.queues.insert(name.to_owned(), queue);
        Ok(queue)
    }

    fn environment(&mut self, part: &Part<'_>, over: Environment) -> Result<i64, Undone> {
        if let Some((last, id)) = &self.environment
            && *last == over
        {
            return Ok(*id);
        }
        let id = write::environment(part.db, &self.many.env.with(&over))?;
        self.environment = Some((over, id));
        Ok(id)
    }
}
