//! The verbs that change something, each inside the transaction of the writer.

use std::cmp::Reverse;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::attempt::Stream;
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::queue::lowest_free_slot;
use crate::domain::task::Task;
use crate::store::Error;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::read::{self, Stored, StoredAttempt};
use crate::store::sqlite::{fault, write};
use crate::store::task::{
    Add, Added, Cancel, Cancelled, Claim, Claimed, Finish, Finished, PerTask, Refused, Release, Start, Unclaim,
};
use crate::store::transition::{self, Note};

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
}

impl Part<'_> {
    fn note(&mut self, note: &Note) -> rusqlite::Result<()> {
        self.last = Some(write::change(self.db, note)?);
        Ok(())
    }

    fn damaged(&self, what: &str) -> Undone {
        Undone::Refused(fault::damaged(self.path, what))
    }

    pub(super) fn add(&mut self, add: &Add) -> Result<Added, Undone> {
        let new = &add.task;
        let sql = "SELECT id FROM task WHERE uuid = ?1";
        let known = self.db.prepare_cached(sql)?.query_row([new.uuid.0.as_bytes()], |row| Columns::new(row).cell());
        if let Some(id) = known.optional()?
            && let Some(task) = read::whole_task(self.db, id)?
        {
            return Ok(Added { task, created: false });
        }
        let sql = "SELECT id FROM queue WHERE name = ?1";
        let queue = self.db.prepare_cached(sql)?.query_row([&new.spec.queue], |row| row.get::<_, i64>(0)).optional()?;
        let Some(queue) = queue else { return Err(Error::NoSuchQueue(new.spec.queue.clone()).into()) };
        // AUTOINCREMENT takes the number after this one; naming it beforehand saves writing the position apart.
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'task'";
        let last: u64 = self.db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0);
        let id = TaskId::new(last + 1).ok_or_else(|| self.damaged("the last number of a task"))?;
        let task = transition::added(id, new, add.now);
        let environment = write::environment(self.db, &new.env)?;
        write::new_task(self.db, &task, queue, environment)?;
        self.note(&transition::add_note(&task, add))?;
        Ok(Added { task, created: true })
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Result<Vec<Claimed>, Undone> {
        let mut ready = Vec::new();
        let mut queues = self.db.prepare_cached("SELECT id FROM queue")?;
        let queues: Vec<i64> = queues.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for queue in queues {
            let mut first = self.db.prepare_cached(READY)?;
            let most = i64::try_from(claim.assignments.len()).unwrap_or(i64::MAX);
            let mut rows = first.query(params![queue, most])?;
            while let Some(row) = rows.next()? {
                let mut c = Columns::new(row);
                let (priority, position, id): (i32, i64, TaskId) = (c.plain()?, c.plain()?, c.cell()?);
                ready.push((Reverse(priority), position, id, queue));
            }
        }
        ready.sort_unstable();
        let mut claimed = Vec::new();
        for ((_, _, id, queue), assignment) in ready.into_iter().zip(&claim.assignments) {
            let mut slots = self.db.prepare_cached(SLOTS)?;
            let slots: Vec<u32> = slots.query_map([queue], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let stored = read::task(self.db, id)?.ok_or_else(|| self.damaged("index `task_ready`"))?;
            let Stored { mut task, cancel_reason } = stored;
            let env = read::environment(self.db, id)?.ok_or_else(|| self.damaged("table `environment`"))?;
            let (attempt, note) = transition::claim(&mut task, claim, *assignment, lowest_free_slot(&slots));
            write::task(self.db, &task, cancel_reason.as_deref())?;
            write::new_attempt(self.db, id, &attempt, claim.boot)?;
            self.note(&note)?;
            claimed.push(Claimed { task, attempt, env });
        }
        Ok(claimed)
    }

    pub(super) fn start(&mut self, start: &Start) -> Result<(), Undone> {
        let mut of = self.current(start.assignment)?;
        if of.attempt.ended_at.is_some() {
            return Err(Error::Stale(start.assignment).into());
        }
        let Stored { mut task, cancel_reason } = self.task_of(&of)?;
        if let Some(note) = transition::start(&mut task, &mut of.attempt, start) {
            write::task(self.db, &task, cancel_reason.as_deref())?;
            write::attempt(self.db, of.row, &of.attempt)?;
            self.note(&note)?;
        }
        Ok(())
    }

    pub(super) fn unclaim(&mut self, unclaim: &Unclaim) -> Result<(), Undone> {
        let of = self.current(unclaim.assignment)?;
        if of.attempt.ended_at.is_some() {
            return Err(Error::Stale(unclaim.assignment).into());
        }
        let Stored { mut task, cancel_reason } = self.task_of(&of)?;
        write::forget_attempt(self.db, of.row)?;
        let previous = read::last_attempt(self.db, task.id)?.map(|stored| stored.attempt);
        let notes = transition::unclaim(&mut task, cancel_reason.as_deref(), previous.as_ref(), unclaim);
        write::task(self.db, &task, cancel_reason.as_deref())?;
        for note in notes {
            self.note(&note)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, finish: &Finish) -> Result<Finished, Undone> {
        let mut of = self.current(finish.assignment)?;
        let Stored { mut task, cancel_reason } = self.task_of(&of)?;
        if of.attempt.ended_at.is_some() {
            return Ok(Finished { task, recorded: false });
        }
        let notes = transition::finish(&mut task, &mut of.attempt, cancel_reason.as_deref(), finish);
        write::task(self.db, &task, cancel_reason.as_deref())?;
        write::attempt(self.db, of.row, &of.attempt)?;
        write::outputs(self.db, of.row, &of.attempt.outputs)?;
        for note in &notes {
            self.note(note)?;
        }
        Ok(Finished { task, recorded: true })
    }

    pub(super) fn cancel(&mut self, cancel: &Cancel) -> Result<PerTask<Cancelled>, Undone> {
        let mut answers = Vec::with_capacity(cancel.ids.len());
        for id in &cancel.ids {
            let answer = match read::task(self.db, *id)? {
                None => Err(Refused::NotFound),
                Some(Stored { mut task, mut cancel_reason }) => {
                    let current = self.open_claim(&task)?;
                    match transition::cancel(&mut task, &mut cancel_reason, current, cancel) {
                        Err(refused) => Err(refused),
                        Ok((answer, note)) => {
                            if let Some(note) = note {
                                write::task(self.db, &task, cancel_reason.as_deref())?;
                                self.note(&note)?;
                            }
                            Ok(answer)
                        }
                    }
                }
            };
            answers.push((*id, answer));
        }
        Ok(answers)
    }

    pub(super) fn release(&mut self, release: &Release) -> Result<PerTask<()>, Undone> {
        let mut answers = Vec::with_capacity(release.ids.len());
        for id in &release.ids {
            let answer = match read::task(self.db, *id)? {
                None => Err(Refused::NotFound),
                Some(Stored { mut task, cancel_reason }) => match transition::release(&mut task, release) {
                    Err(refused) => Err(refused),
                    Ok(note) => {
                        write::task(self.db, &task, cancel_reason.as_deref())?;
                        self.note(&note)?;
                        Ok(())
                    }
                },
            };
            answers.push((*id, answer));
        }
        Ok(answers)
    }

    pub(super) fn keep_hash(&mut self, claim: AssignmentId, stream: Stream, sha256: &[u8; 32]) -> Result<(), Undone> {
        let Some(of) = read::attempt(self.db, claim)? else { return Ok(()) };
        if of.attempt.ended_at.is_some() && write::hash(self.db, of.row, stream, sha256)? {
            let state = self.task_of(&of)?.task.state;
            let now = transition::system_now();
            self.note(&transition::hashed(of.task, state, of.attempt.number, now))?;
        }
        Ok(())
    }

    /// Returns the attempt of a claim, ended or not.
    fn current(&self, claim: AssignmentId) -> Result<StoredAttempt, Undone> {
        read::attempt(self.db, claim)?.ok_or_else(|| Error::Stale(claim).into())
    }

    fn task_of(&self, of: &StoredAttempt) -> Result<Stored, Undone> {
        read::task(self.db, of.task)?.ok_or_else(|| self.damaged("an attempt without its task"))
    }

    /// Returns the claim of a task that has not ended.
    fn open_claim(&self, task: &Task) -> Result<Option<AssignmentId>, Undone> {
        if !task.state.is_active() {
            return Ok(None);
        }
        let last = read::last_attempt(self.db, task.id)?.filter(|last| last.attempt.ended_at.is_none());
        let last = last.ok_or_else(|| self.damaged("an active task without its attempt"))?;
        Ok(Some(last.attempt.assignment))
    }
}

/// The first tasks that are ready in a queue: read off the partial index, in its order.
pub(super) const READY: &str = "SELECT priority, position, id FROM task WHERE queue = ?1 AND state = 'queued'
    ORDER BY priority DESC, position, id LIMIT ?2";

/// The slots that are taken in a queue.
pub(super) const SLOTS: &str = "SELECT slot FROM task WHERE queue = ?1 AND state IN ('starting', 'running', 'paused')";
