//! What people ask for.

use rusqlite::params;

use crate::domain::attempt::Attempt;
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::task::Task;
use crate::fault::{self, crash_point};
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::pending::{self, Pending};
use crate::store::sqlite::read::{self, Stored};
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::sqlite::write;
use crate::store::task::{Cancel, Cancelled, Pause, PerTask, Refused, Steer};
use crate::store::transition::{self, Note};

/// What a pause or a resume makes of a task and its attempt.
type PauseOf = fn(&mut Task, Option<&mut Attempt>, &Pause) -> Result<(AssignmentId, Option<Note>), Refused>;

impl Part<'_> {
    pub(in crate::store::sqlite) fn cancel(&mut self, cancel: &Cancel) -> Result<PerTask<Cancelled>, Undone> {
        let answers = self.each(&cancel.ids, &cancel.only, |part, Stored { mut task, mut cancel_reason }| {
            let current = part.open_claim(&task)?;
            let (answer, note) = match transition::cancel(&mut task, &mut cancel_reason, current, cancel) {
                Ok(done) => done,
                Err(refused) => return Ok(Err(refused)),
            };
            if let Some(note) = note {
                part.put(&task, cancel_reason.as_deref(), note)?;
            }
            if answer == Cancelled::Ended {
                part.settle_soon(task.id)?;
            }
            Ok(Ok(answer))
        })?;
        self.settle(cancel.now)?;
        crash_point("apexd.cancel.written");
        Ok(answers)
    }

    pub(in crate::store::sqlite) fn hold(&mut self, hold: &Steer) -> Result<PerTask<()>, Undone> {
        self.each(&hold.ids, &hold.only, |part, Stored { mut task, cancel_reason }| {
            match transition::hold(&mut task, hold) {
                Ok(Some(note)) => part.put(&task, cancel_reason.as_deref(), note)?,
                Ok(None) => {}
                Err(refused) => return Ok(Err(refused)),
            }
            Ok(Ok(()))
        })
    }

    pub(in crate::store::sqlite) fn release(&mut self, release: &Steer) -> Result<PerTask<()>, Undone> {
        let answers = self.each(&release.ids, &release.only, |part, Stored { mut task, cancel_reason }| {
            let standing = part.standing(task.id)?;
            match transition::release(&mut task, standing, release) {
                Ok(note) => part.put(&task, cancel_reason.as_deref(), note)?,
                Err(refused) => return Ok(Err(refused)),
            }
            part.tell_again(standing)?;
            Ok(Ok(()))
        })?;
        self.settle(release.now)?;
        Ok(answers)
    }

    pub(in crate::store::sqlite) fn pause(&mut self, pause: &Pause) -> Result<PerTask<AssignmentId>, Undone> {
        self.pause_as(pause, transition::pause)
    }

    pub(in crate::store::sqlite) fn resume(&mut self, resume: &Pause) -> Result<PerTask<AssignmentId>, Undone> {
        self.pause_as(resume, transition::resume)
    }

    fn pause_as(&mut self, pause: &Pause, change: PauseOf) -> Result<PerTask<AssignmentId>, Undone> {
        self.each(&pause.ids, &pause.only, |part, Stored { mut task, cancel_reason }| {
            let mut of = part.open_attempt(&task)?;
            match change(&mut task, of.as_mut().map(|of| &mut of.attempt), pause) {
                Ok((assignment, note)) => {
                    if let (Some(note), Some(of)) = (note, of) {
                        write::attempt(part.db, of.row, &of.attempt)?;
                        part.put(&task, cancel_reason.as_deref(), note)?;
                        crash_point("apexd.pause.written");
                    }
                    Ok(Ok(assignment))
                }
                Err(refused) => Ok(Err(refused)),
            }
        })
    }

    pub(in crate::store::sqlite) fn retry(&mut self, retry: &Steer) -> Result<PerTask<()>, Undone> {
        let answers = self.each(
            &transition::causes_first(&retry.ids),
            &retry.only,
            |part, Stored { mut task, mut cancel_reason }| {
                let standing = part.standing(task.id)?;
                match transition::retry(&mut task, &mut cancel_reason, standing, retry) {
                    Ok(note) => part.put(&task, cancel_reason.as_deref(), note)?,
                    Err(Refused::Dependency(on)) if read::state(part.db, on)?.is_none() => {
                        return Ok(Err(Refused::Forgotten(on)));
                    }
                    Err(refused) => return Ok(Err(refused)),
                }
                part.bring_queue_back(task.id, retry.by.clone(), retry.now)?;
                part.settle_soon(task.id)?;
                // Another one of the same command may depend on it.
                let waits = "UPDATE dependency SET edge = 'waits' WHERE on_task = ?1";
                part.db.prepare_cached(waits)?.execute([task.id.as_i64()])?;
                Ok(Ok(()))
            },
        )?;
        self.settle(retry.now)?;
        Ok(transition::in_order_of(&retry.ids, answers))
    }

    pub(in crate::store::sqlite) fn remove(
        &mut self,
        remove: &Steer,
        pending: &Pending,
    ) -> Result<PerTask<()>, Undone> {
        // Whoever depends on one of them is to know how it ended before it is forgotten.
        while self.settle(remove.now)? {}
        // Looked up once, and only if one of them has hooks.
        let mut to_come: Option<pending::Now<'_>> = None;
        self.each(&remove.ids, &remove.only, |part, Stored { task, .. }| {
            let note = match transition::removed(&task, remove) {
                Ok(note) => note,
                Err(refused) => return Ok(Err(refused)),
            };
            if let Some(waiting) = read::first_waiting_for(part.db, task.id)? {
                return Ok(Err(Refused::Needed(waiting)));
            }
            if !task.spec.hooks.is_empty() {
                let to_come = match &mut to_come {
                    Some(known) => known,
                    unknown => unknown.insert(pending.now(part.db)?),
                };
                if let Some(event) = to_come.of(task.id) {
                    return Ok(Err(Refused::Hook(event)));
                }
            }
            part.forget(task.id, note)?;
            Ok(Ok(()))
        })
    }

    /// Forgets a task with all that belongs to it; its files go to the litter.
    pub(super) fn forget(&mut self, id: TaskId, note: Note) -> rusqlite::Result<()> {
        let id = id.as_i64();
        let litter = "INSERT OR IGNORE INTO litter (path)
            SELECT o.path FROM output o JOIN attempt a ON a.id = o.attempt WHERE a.task = ?1";
        self.db.prepare_cached(litter)?.execute([id])?;
        let sql = "SELECT environment FROM task WHERE id = ?1";
        let environment: i64 = self.db.prepare_cached(sql)?.query_row([id], |row| row.get(0))?;
        for sql in ["DELETE FROM unsettled WHERE task = ?1", "DELETE FROM task WHERE id = ?1"] {
            self.db.prepare_cached(sql)?.execute([id])?;
        }
        self.forget_environment(environment)?;
        self.note(note)
    }

    /// Forgets an environment that nothing has any more.
    pub(super) fn forget_environment(&mut self, environment: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM environment WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM task WHERE environment = ?1)
            AND NOT EXISTS (SELECT 1 FROM schedule WHERE environment = ?1)";
        if !fault::is_sabotaged(15) {
            self.db.prepare_cached(sql)?.execute([environment])?;
        }
        Ok(())
    }

    pub(in crate::store::sqlite) fn tidied(&mut self, paths: &[std::path::PathBuf]) -> Result<(), Undone> {
        use std::os::unix::ffi::OsStrExt as _;
        for path in paths {
            let sql = "DELETE FROM litter WHERE path = ?1";
            self.db.prepare_cached(sql)?.execute(params![path.as_os_str().as_bytes()])?;
        }
        Ok(())
    }

    /// Returns the claim of a task that has not ended.
    fn open_claim(&self, task: &Task) -> Result<Option<AssignmentId>, Undone> {
        Ok(self.open_attempt(task)?.map(|of| of.attempt.assignment))
    }

    /// Returns the attempt of a task that has not ended.
    fn open_attempt(&self, task: &Task) -> Result<Option<read::StoredAttempt>, Undone> {
        if !task.state.is_active() {
            return Ok(None);
        }
        let last = read::last_attempt(self.db, task.id)?.filter(|last| last.attempt.ended_at.is_none());
        last.map(Some).ok_or_else(|| self.damaged("an active task without its attempt"))
    }
}

/// Files that are still to be deleted, those after `after`.
pub(in crate::store::sqlite) fn litter(
    db: &rusqlite::Connection,
    after: Option<&std::path::Path>,
    limit: usize,
) -> rusqlite::Result<Vec<std::path::PathBuf>> {
    use std::os::unix::ffi::OsStrExt as _;
    // No path is empty.
    let after = after.map_or(&b""[..], |path| path.as_os_str().as_bytes());
    let mut litter = db.prepare_cached("SELECT path FROM litter WHERE path > ?1 ORDER BY path LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    litter.query_map(params![after, limit], |row| Columns::new(row).cell())?.collect()
}
