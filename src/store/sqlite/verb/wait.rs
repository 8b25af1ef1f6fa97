//! What waits for the clock, for other tasks, or for somebody to accept the project.

use rusqlite::{OptionalExtension, params};

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::dependency::{self, Standing, Turn, Want};
use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::fault::crash_point;
use crate::store::sqlite::code::{Columns, int};
use crate::store::sqlite::read::{self, Stored};
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::task::Due;
use crate::store::transition::{self, Note, SETTLE_MAX, slots_in_words};

impl Part<'_> {
    pub(in crate::store::sqlite) fn due(&mut self, now: Timestamp) -> Result<Due, Undone> {
        let mut due = self.db.prepare_cached(DUE)?;
        let ids: Vec<TaskId> = due
            .query_map(params![now.0, int(SETTLE_MAX as u64)], |row| Columns::new(row).cell())?
            .collect::<Result<_, _>>()?;
        let mut woken = 0;
        for id in ids {
            let from = read::state(self.db, id)?.unwrap_or(State::Scheduled);
            let Some(stored) = self.task_or_hold(id, from, now)? else { continue };
            let Stored { mut task, cancel_reason } = stored;
            if let Some(note) = transition::due(&mut task, now) {
                self.put(&task, cancel_reason.as_deref(), note)?;
                crash_point("apexd.due.written");
                woken += 1;
            }
        }
        let mut over = self.db.prepare_cached("SELECT name FROM queue WHERE paused_until <= ?1 ORDER BY name")?;
        let over: Vec<String> = over.query_map([now.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for name in over {
            self.let_go_on(&name)?;
            self.note(Note::of_queue(&name, ChangeKind::QueueResumed, now, Actor::Daemon))?;
            woken += 1;
        }
        let next = self.db.prepare_cached(NEXT)?.query_row([], |row| Columns::new(row).maybe())?;
        let schedule = self.db.prepare_cached(NEXT_SCHEDULE)?.query_row([], |row| Columns::new(row).maybe())?;
        Ok(Due { woken, next, schedule })
    }

    /// Puts a task that has ended or begun anew on the list of those whose dependants are to be told, if it has any.
    pub(super) fn settle_soon(&mut self, id: TaskId) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO unsettled (task, told)
            SELECT ?1, 0 WHERE EXISTS (SELECT 1 FROM dependency WHERE on_task = ?1)";
        self.db.prepare_cached(sql)?.execute([id.as_i64()])?;
        Ok(())
    }

    /// Has the dependants of the task told again because of which another one, just let go, cannot run: that one is
    /// skipped then.
    pub(super) fn tell_again(&mut self, standing: Standing) -> rusqlite::Result<()> {
        if let Standing::Broken(on) = standing { self.settle_soon(on) } else { Ok(()) }
    }

    /// Brings back the queue of a task that is to run again, if the queue was removed since.
    pub(super) fn bring_queue_back(&mut self, id: TaskId, by: Actor, now: Timestamp) -> rusqlite::Result<()> {
        let back = "UPDATE queue SET gone = 0 WHERE gone = 1 AND id = (SELECT queue FROM task WHERE id = ?1)
            RETURNING name, slots";
        let back = self.db.prepare_cached(back)?.query_row([id.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)));
        let back: Option<(String, u32)> = back.optional()?;
        if let Some((name, slots)) = back {
            let note = Note::of_queue(&name, ChangeKind::QueueAdded, now, by);
            self.note(note.because(Some(slots_in_words(slots))))?;
        }
        Ok(())
    }

    /// Tells dependants, at most so many. Returns whether there are more.
    ///
    /// Shape: one that cannot be read keeps nobody from ending: it is left out, and the log names it.
    pub(in crate::store::sqlite) fn settle(&mut self, now: Timestamp) -> Result<bool, Undone> {
        if self.first_unsettled()?.is_none() {
            return Ok(false);
        }
        match self.undoing(|part| part.settle_as(now, false)) {
            Err(undone) => {
                self.damage(undone)?;
                // Once more, and now each in a savepoint of its own.
                self.settle_as(now, true)
            }
            settled => settled,
        }
    }

    /// Returns the first task whose dependants are to be told, and up to which of them that was done.
    fn first_unsettled(&self) -> rusqlite::Result<Option<(TaskId, i64)>> {
        let sql = "SELECT task, told FROM unsettled ORDER BY seq LIMIT 1";
        let first = self.db.prepare_cached(sql)?.query_row([], |row| {
            let mut c = Columns::new(row);
            Ok((c.cell::<TaskId>()?, c.plain::<i64>()?))
        });
        first.optional()
    }

    fn settle_as(&mut self, now: Timestamp, careful: bool) -> Result<bool, Undone> {
        let mut left = SETTLE_MAX;
        loop {
            let Some((id, told)) = self.first_unsettled()? else { return Ok(false) };
            if left == 0 {
                return Ok(true);
            }
            let mut dependants = self.db.prepare_cached(DEPENDANTS)?;
            let dependants: Vec<TaskId> = dependants
                .query_map(params![id.as_i64(), told, int(left as u64)], |row| Columns::new(row).cell())?
                .collect::<Result<_, _>>()?;
            let state = read::state(self.db, id)?;
            for dependant in &dependants {
                if !careful {
                    self.tell(*dependant, id, state, now)?;
                } else if let Err(undone) = self.undoing(|part| part.tell(*dependant, id, state, now)) {
                    let damage = self.damage(undone)?;
                    tracing::error!("Cannot tell task {dependant} that task {id} has ended: {damage}");
                }
            }
            match dependants.last() {
                Some(last) if dependants.len() == left => {
                    let sql = "UPDATE unsettled SET told = ?2 WHERE task = ?1";
                    self.db.prepare_cached(sql)?.execute([id.as_i64(), last.as_i64()])?;
                }
                _ => {
                    self.db.prepare_cached("DELETE FROM unsettled WHERE task = ?1")?.execute([id.as_i64()])?;
                }
            }
            left -= dependants.len();
        }
    }

    /// Tells a task how one that it depends on stands.
    fn tell(&mut self, dependant: TaskId, on: TaskId, state: Option<State>, now: Timestamp) -> Result<(), Undone> {
        let Some(state) = state else { return Ok(()) };
        for want in Want::ALL {
            let sql = "UPDATE dependency SET edge = ?4 WHERE task = ?1 AND kind = ?2 AND on_task = ?3 AND edge <> ?4";
            let edge = want.of(state).as_str();
            self.db.prepare_cached(sql)?.execute(params![dependant.as_i64(), want.as_str(), on.as_i64(), edge])?;
        }
        let Some(state) = read::state(self.db, dependant)? else { return Ok(()) };
        let standing = self.standing(dependant)?;
        // Whoever waits for ten thousand is told ten thousand times, and only read when that changes something.
        if dependency::turn(state, standing) == Turn::Stay {
            return Ok(());
        }
        let Some(Stored { mut task, cancel_reason }) = read::task(self.db, dependant)? else { return Ok(()) };
        let broken_state = self.broken_state(standing)?;
        let was_ended = task.state.is_ended();
        if let Some(note) = transition::settle(&mut task, standing, broken_state, now) {
            self.put(&task, cancel_reason.as_deref(), note)?;
            crash_point("apexd.dependant.told");
            if was_ended != task.state.is_ended() {
                self.settle_soon(dependant)?;
            }
            if was_ended {
                self.bring_queue_back(dependant, Actor::Daemon, now)?;
            }
        }
        Ok(())
    }

    pub(in crate::store::sqlite) fn distrust(&mut self, now: Timestamp) -> Result<usize, Undone> {
        let mut ids = Vec::new();
        for state in transition::DISTRUSTED {
            let sql = "SELECT t.id FROM queue q CROSS JOIN task t ON t.id IN
                (SELECT id FROM task WHERE queue = q.id AND state = ?1 ORDER BY id LIMIT ?2) ORDER BY t.id LIMIT ?2";
            let mut of_state = self.db.prepare_cached(sql)?;
            let left = int(SETTLE_MAX.saturating_sub(ids.len()) as u64);
            for id in of_state.query_map(params![state.as_str(), left], |row| Columns::new(row).cell())? {
                ids.push(id?);
            }
        }
        self.for_all(ids, |_, task| Ok(transition::distrust(task, now)))
    }

    pub(in crate::store::sqlite) fn trust(&mut self, now: Timestamp) -> Result<usize, Undone> {
        let sql = "SELECT t.id FROM queue q CROSS JOIN task t ON t.id IN
            (SELECT id FROM task WHERE queue = q.id AND state = 'held' AND reason_code = 'untrusted' ORDER BY id LIMIT ?1)
            ORDER BY t.id LIMIT ?1";
        let mut held = self.db.prepare_cached(sql)?;
        let held = held.query_map([int(SETTLE_MAX as u64)], |row| Columns::new(row).cell())?;
        let held = held.collect::<Result<_, _>>()?;
        self.for_all(held, |part, task| {
            let standing = part.standing(task.id)?;
            let note = transition::trust(task, standing, now);
            if note.is_some() {
                part.tell_again(standing)?;
            }
            Ok(note)
        })
    }

    fn for_all(
        &mut self,
        ids: Vec<TaskId>,
        mut change: impl FnMut(&mut Self, &mut crate::domain::task::Task) -> Result<Option<Note>, Undone>,
    ) -> Result<usize, Undone> {
        let mut changed = 0;
        for id in ids {
            let Some(Stored { mut task, cancel_reason }) = read::task(self.db, id)? else { continue };
            if let Some(note) = change(self, &mut task)? {
                self.put(&task, cancel_reason.as_deref(), note)?;
                changed += 1;
            }
        }
        Ok(changed)
    }
}

/// What waits for the clock and is due, the earliest first.
pub(in crate::store::sqlite) const DUE: &str =
    "SELECT id FROM task INDEXED BY task_due WHERE state IN ('scheduled', 'retrying') AND run_at <= ?1
    ORDER BY run_at, id LIMIT ?2";

/// When the next one is due.
const NEXT: &str = "SELECT min(at) FROM (
    SELECT min(run_at) AS at FROM task INDEXED BY task_due WHERE state IN ('scheduled', 'retrying')
    UNION ALL SELECT min(paused_until) FROM queue)";

/// When the first schedule is due.
pub(in crate::store::sqlite) const NEXT_SCHEDULE: &str =
    "SELECT min(next_at) FROM schedule INDEXED BY schedule_due WHERE next_at IS NOT NULL";

/// The tasks after `?2` that depend on one, by their number.
pub(in crate::store::sqlite) const DEPENDANTS: &str =
    "SELECT DISTINCT task FROM dependency WHERE on_task = ?1 AND task > ?2 ORDER BY task LIMIT ?3";

/// The first dependency of a task, as they were named, that will not do what was wanted.
pub(in crate::store::sqlite) const BROKEN: &str = "SELECT on_task FROM dependency INDEXED BY dependency_open
    WHERE task = ?1 AND edge <> 'met' AND edge = 'broken' ORDER BY kind, place LIMIT 1";

/// A dependency of a task that has not ended.
pub(in crate::store::sqlite) const WAITS: &str = "SELECT 1 FROM dependency INDEXED BY dependency_open
    WHERE task = ?1 AND edge <> 'met' AND edge = 'waits' LIMIT 1";
