//! The verbs that change something, each inside the transaction of the writer.
//!
//! Here stands what they share, and the add; then `bulk` (many adds in one), `claim`, `run` (from there to the end), `wait`
//! (what waits for the clock or for others), `steer` (what people ask for), `place`, `edit`, `progress`, `hook`, `queue` and `schedule`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::dependency::{Edge, Standing, Want, standing, wants};
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::fault::crash_point;
use crate::store::Error;
use crate::store::filter::is_meant;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::read::{self, Stored, StoredAttempt};
use crate::store::sqlite::{fault, write};
use crate::store::task::{Add, Added, Only, PerTask, Refused};
use crate::store::transition::{self, Note, Subject};

mod bulk;
mod claim;
mod edit;
mod expire;
mod hook;
mod place;
mod progress;
mod queue;
mod run;
mod schedule;
mod steer;
mod wait;

#[cfg(test)]
pub(super) use claim::{NEEDY, NEXT_NEEDS, READY, SLOTS};
#[cfg(test)]
pub(super) use expire::EXPIRED;
#[cfg(test)]
pub(super) use place::LAST;
#[cfg(test)]
pub(super) use schedule::OVERLAP;
pub(super) use steer::litter;
#[cfg(test)]
pub(super) use wait::{BROKEN, DEPENDANTS, DUE, NEXT_SCHEDULE, WAITS};

/// Why a verb was undone.
pub(super) enum Undone {
    /// The store refuses it.
    Refused(Error),
    /// The database failed.
    Failed(rusqlite::Error),
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Undone {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// The part of a transaction that belongs to one verb.
pub(super) struct Part<'a> {
    pub(super) db: &'a Connection,
    pub(super) path: &'a Path,
    /// The number of the last change that was appended in this part.
    pub(super) last: Option<Seq>,
    /// It is recorded when a queue is empty: a hook is for that.
    pub(super) empties: &'a AtomicBool,
}

impl Part<'_> {
    fn note(&mut self, note: Note) -> rusqlite::Result<()> {
        self.last = Some(write::change(self.db, &note)?);
        if self.empties.load(Ordering::Relaxed)
            && let Some(id) = note.ends()
        {
            self.note_empty(id, note.at)?;
        }
        Ok(())
    }

    fn damaged(&self, what: &str) -> Undone {
        Undone::Refused(fault::damaged(self.path, what))
    }

    /// Does something that is undone as a whole if it fails, and nothing else with it.
    fn undoing<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, Undone>) -> Result<T, Undone> {
        let run = |sql| self.db.prepare_cached(sql)?.execute([]);
        run("SAVEPOINT piece")?;
        let last = self.last;
        let done = act(self);
        if done.is_err() {
            if self.db.is_autocommit() {
                // The whole transaction is gone, and the writer finds that out by itself.
                return done;
            }
            self.last = last;
            self.db.prepare_cached("ROLLBACK TO piece")?.execute([])?;
        }
        self.db.prepare_cached("RELEASE piece")?.execute([])?;
        done
    }

    /// Returns a task that is about to move on; `None` if it cannot be read: then it is held, so that it keeps no other one
    /// from its turn, and the log says so.
    fn task_or_hold(&mut self, id: TaskId, from: State, now: Timestamp) -> Result<Option<Stored>, Undone> {
        let read = read::task(self.db, id).map_err(Undone::from);
        let undone = match read {
            Ok(Some(stored)) => return Ok(Some(stored)),
            Ok(None) => return Err(self.damaged("an index of table `task`")),
            Err(undone) => undone,
        };
        let damage = self.damage(undone)?;
        tracing::error!("Cannot go on with task {id}, which is held: {damage}");
        let reason = "what is stored about it cannot be read";
        let sql = "UPDATE task SET state = 'held', reason_code = NULL, reason = ?2, updated_at = ?3 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![id.as_i64(), reason, now.0])?;
        let (subject, by) = (Subject::Task(id), Actor::Daemon);
        let (from, to, reason) = (Some(from), Some(State::Held), Some(reason.to_owned()));
        let kind = ChangeKind::Held;
        self.note(Note { at: now, kind, subject, attempt: None, from, to, by, reason, progress: None })?;
        Ok(None)
    }

    /// Returns what is damaged if that is why something was undone.
    ///
    /// Errors: what else it was.
    fn damage(&self, undone: Undone) -> Result<Error, Undone> {
        match undone {
            // Said as it is: the writer asks whether the transaction is still there.
            Undone::Failed(error) if self.db.is_autocommit() => Err(Undone::Failed(error)),
            Undone::Failed(error) => match fault::of(fault::WRITE, self.path, error) {
                damage @ Error::Damaged { .. } => Ok(damage),
                other => Err(other.into()),
            },
            Undone::Refused(damage @ Error::Damaged { .. }) => Ok(damage),
            refused => Err(refused),
        }
    }

    pub(super) fn add(&mut self, add: &Add) -> Result<Added, Undone> {
        self.add_of(add, None)
    }

    /// Adds a task of a schedule, or one of none.
    fn add_of(&mut self, add: &Add, schedule: Option<&str>) -> Result<Added, Undone> {
        let new = &add.task;
        let sql = "SELECT id FROM task WHERE uuid = ?1";
        let known = self.db.prepare_cached(sql)?.query_row([new.uuid.0.as_bytes()], |row| Columns::new(row).cell());
        let mut known: Option<TaskId> = known.optional()?;
        if known.is_none()
            && let Some(key) = &new.spec.key
        {
            known = self.of_key(key)?;
        }
        if let Some(id) = known
            && let Some(task) = read::whole_task(self.db, id)?
        {
            return Ok(Added { task, created: false });
        }
        let queue = self.queue_of(&new.spec.queue)?;
        let mut edges = Vec::new();
        for (want, on) in wants(&new.spec) {
            let state = read::state(self.db, on)?.ok_or(Error::NoSuchTask(on))?;
            edges.push((want, on, want.of(state)));
        }
        let standing = standing(edges.iter().map(|(_, on, edge)| (*on, *edge)));
        let broken_state = self.broken_state(standing)?;
        // AUTOINCREMENT takes the number after this one; naming it beforehand saves writing the position apart.
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'task'";
        let last: u64 = self.db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0);
        let id = TaskId::new(last + 1).ok_or_else(|| self.damaged("the last number of a task"))?;
        let task = transition::added(id, add, schedule, standing, broken_state);
        let environment = write::environment(self.db, &new.env)?;
        write::new_task(self.db, &task, queue, environment)?;
        write::edges(self.db, id, &edges)?;
        if task.reason.is_some() {
            write::task(self.db, &task, None)?;
        }
        self.follow_hooks_of(&task.spec)?;
        self.note(transition::add_note(&task, add))?;
        crash_point("apexd.add.written");
        Ok(Added { task, created: true })
    }

    /// Returns the number of the queue of a name.
    fn queue_of(&self, name: &str) -> Result<i64, Undone> {
        let sql = "SELECT id FROM queue WHERE name = ?1 AND gone = 0";
        let queue = self.db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
        queue.ok_or_else(|| Error::NoSuchQueue(name.to_owned()).into())
    }

    /// Returns the task with a key that has not ended.
    fn of_key(&self, key: &str) -> rusqlite::Result<Option<TaskId>> {
        self.db.prepare_cached(OF_KEY)?.query_row([key], |row| Columns::new(row).cell()).optional()
    }

    /// Does something to each of some tasks, and answers for each; those that there are not are refused.
    fn each<T>(
        &mut self,
        ids: &[TaskId],
        only: &Only,
        mut verb: impl FnMut(&mut Self, Stored) -> Result<Result<T, Refused>, Undone>,
    ) -> Result<PerTask<T>, Undone> {
        let mut answers = Vec::with_capacity(ids.len());
        for id in ids {
            let answer = match read::task(self.db, *id)? {
                None => Err(Refused::NotFound),
                Some(Stored { task, .. }) if !is_meant(only, &task) => Err(Refused::NotMeant),
                Some(stored) => verb(self, stored)?,
            };
            answers.push((*id, answer));
        }
        Ok(answers)
    }

    /// Writes a task that was changed, with the change.
    fn put(&mut self, task: &Task, cancel_reason: Option<&str>, note: Note) -> Result<(), Undone> {
        write::task(self.db, task, cancel_reason)?;
        self.note(note)?;
        Ok(())
    }

    /// Returns what the dependencies of a task come to.
    fn standing(&self, id: TaskId) -> Result<Standing, Undone> {
        let broken = self.db.prepare_cached(wait::BROKEN)?.query_row([id.as_i64()], |row| Columns::new(row).cell());
        if let Some(on) = broken.optional()? {
            return Ok(Standing::Broken(on));
        }
        let waits = self.db.prepare_cached(wait::WAITS)?.exists([id.as_i64()])?;
        Ok(if waits { Standing::Waits } else { Standing::Ready })
    }

    /// Returns the state of the task because of which another one cannot run.
    fn broken_state(&self, standing: Standing) -> Result<Option<State>, Undone> {
        match standing {
            Standing::Broken(on) => Ok(read::state(self.db, on)?),
            Standing::Ready | Standing::Waits => Ok(None),
        }
    }

    /// Returns the attempt of a claim, ended or not.
    fn current(&self, claim: AssignmentId) -> Result<StoredAttempt, Undone> {
        read::attempt(self.db, claim)?.ok_or_else(|| Error::Stale(claim).into())
    }

    fn task_of(&self, of: &StoredAttempt) -> Result<Stored, Undone> {
        read::task(self.db, of.task)?.ok_or_else(|| self.damaged("an attempt without its task"))
    }
}

/// The task with a key that has not ended.
pub(super) const OF_KEY: &str = "SELECT id FROM task WHERE key = ?1 AND ended_at IS NULL ORDER BY id LIMIT 1";

/// A dependency as it is stored: what is wanted, of which task, and how that stands.
pub(super) type StoredEdge = (Want, TaskId, Edge);
