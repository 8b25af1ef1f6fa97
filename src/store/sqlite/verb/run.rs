//! From the claim of a task to the end of the attempt.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::params;

use crate::domain::attempt::Stream;
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::queue::{free_in_queue, lowest_free_slot};
use crate::domain::task::State;
use crate::fault::crash_point;
use crate::store::Error;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::read::{self, Stored};
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::sqlite::write;
use crate::store::task::{Claim, Claimed, Finish, Finished, InFlight, Renew, Start, Unclaim};
use crate::store::transition;

impl Part<'_> {
    pub(in crate::store::sqlite) fn claim(&mut self, claim: &Claim) -> Result<Vec<Claimed>, Undone> {
        let mut assignments = claim.assignments.as_slice();
        for attempt in &claim.after {
            if self.db.prepare_cached(OPEN)?.exists([attempt.0.as_bytes()])? {
                assignments = assignments.split_last().map_or(&[], |(_, rest)| rest);
            }
        }
        let mut ready = Vec::new();
        let mut open = self.db.prepare_cached("SELECT id, slots FROM queue WHERE gone = 0 AND paused_at IS NULL")?;
        let mut open: Vec<(i64, u32)> =
            open.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        for name in &claim.shut {
            let shut = self.queue_id(name)?;
            open.retain(|(queue, _)| Some(*queue) != shut);
        }
        for (queue, slots) in open {
            let taken = if slots == 0 { 0 } else { self.slots(queue)?.len() };
            let most = free_in_queue(slots, taken).min(assignments.len());
            let mut first = self.db.prepare_cached(READY)?;
            let mut rows = first.query(params![queue, i64::try_from(most).unwrap_or(i64::MAX)])?;
            while let Some(row) = rows.next()? {
                let mut c = Columns::new(row);
                let (priority, position, id): (i32, i64, TaskId) = (c.plain()?, c.plain()?, c.cell()?);
                ready.push((Reverse(priority), position, id, queue));
            }
        }
        ready.sort_unstable();
        let (mut claimed, mut held) = (Vec::new(), false);
        let mut taken: HashMap<i64, Vec<u32>> = HashMap::new();
        for ((_, _, id, queue), assignment) in ready.into_iter().zip(assignments) {
            let slots = match taken.entry(queue) {
                Entry::Occupied(slots) => slots.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.slots(queue)?),
            };
            let Some(stored) = self.task_or_hold(id, State::Queued, claim.now)? else {
                held = true;
                continue;
            };
            let Stored { mut task, cancel_reason } = stored;
            let env = read::environment(self.db, id)?.ok_or_else(|| self.damaged("table `environment`"))?;
            let (attempt, note) = transition::claim(&mut task, claim, *assignment, lowest_free_slot(slots));
            slots.push(attempt.slot);
            write::task(self.db, &task, cancel_reason.as_deref())?;
            write::new_attempt(self.db, id, &attempt, claim.boot)?;
            self.note(note)?;
            claimed.push(Claimed { task, attempt, env });
            crash_point("apexd.claim.written");
        }
        // What it stood in front of has its turn now.
        if held && claimed.is_empty() { self.claim(claim) } else { Ok(claimed) }
    }

    pub(in crate::store::sqlite) fn start(&mut self, start: &Start) -> Result<(), Undone> {
        let mut of = self.current(start.assignment)?;
        if of.attempt.ended_at.is_some() {
            return Err(Error::Stale(start.assignment).into());
        }
        let Stored { mut task, cancel_reason } = self.task_of(&of)?;
        if let Some(note) = transition::start(&mut task, &mut of.attempt, start) {
            write::task(self.db, &task, cancel_reason.as_deref())?;
            write::attempt(self.db, of.row, &of.attempt)?;
            self.note(note)?;
            crash_point("apexd.start.written");
        }
        Ok(())
    }

    pub(in crate::store::sqlite) fn unclaim(&mut self, unclaim: &Unclaim) -> Result<(), Undone> {
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
            self.note(note)?;
        }
        crash_point("apexd.unclaim.written");
        if task.state.is_ended() {
            self.settle_soon(task.id)?;
            self.settle(unclaim.now)?;
        }
        Ok(())
    }

    pub(in crate::store::sqlite) fn finish(&mut self, finish: &Finish) -> Result<Finished, Undone> {
        let mut of = self.current(finish.assignment)?;
        let Stored { mut task, cancel_reason } = self.task_of(&of)?;
        if of.attempt.ended_at.is_some() {
            return Ok(Finished { task, recorded: false, unsettled: false });
        }
        let notes = transition::finish(&mut task, &mut of.attempt, cancel_reason.as_deref(), finish);
        write::task(self.db, &task, cancel_reason.as_deref())?;
        write::attempt(self.db, of.row, &of.attempt)?;
        write::outputs(self.db, of.row, &of.attempt.outputs)?;
        for note in notes {
            self.note(note)?;
        }
        let unsettled = if task.state.is_ended() {
            self.settle_soon(task.id)?;
            self.settle(finish.now)?
        } else {
            false
        };
        crash_point("apexd.finish.written");
        Ok(Finished { task, recorded: true, unsettled })
    }

    pub(in crate::store::sqlite) fn keep_hash(
        &mut self,
        claim: AssignmentId,
        stream: Stream,
        sha256: &[u8; 32],
    ) -> Result<(), Undone> {
        let Some(of) = read::attempt(self.db, claim)? else { return Ok(()) };
        if of.attempt.ended_at.is_some() && write::hash(self.db, of.row, stream, sha256)? {
            let state = self.task_of(&of)?.task.state;
            let now = transition::system_now();
            self.note(transition::hashed(of.task, state, of.attempt.number, now))?;
        }
        Ok(())
    }

    pub(in crate::store::sqlite) fn renew(&mut self, renew: &Renew) -> Result<Vec<InFlight>, Undone> {
        let sql = "UPDATE attempt SET lease_until = ?2 WHERE ended_at IS NULL AND owner = ?1 AND lease_until < ?2";
        self.db.prepare_cached(sql)?.execute(params![renew.owner.0.as_bytes(), renew.lease_until.0])?;
        let in_flight = read::in_flight(self.db)?.into_iter();
        Ok(in_flight.filter(|flight| flight.attempt.lease_until < renew.now).collect())
    }

    /// Returns the slots that are taken in a queue.
    fn slots(&self, queue: i64) -> rusqlite::Result<Vec<u32>> {
        self.db.prepare_cached(SLOTS)?.query_map([queue], |row| row.get(0))?.collect()
    }
}

/// The first tasks that are ready in a queue: read off the partial index, in its order.
pub(in crate::store::sqlite) const READY: &str =
    "SELECT priority, position, id FROM task WHERE queue = ?1 AND state = 'queued'
    ORDER BY priority DESC, position, id LIMIT ?2";

/// Whether an attempt has not ended.
const OPEN: &str = "SELECT 1 FROM attempt WHERE assignment = ?1 AND ended_at IS NULL";

/// The slots that are taken in a queue.
pub(in crate::store::sqlite) const SLOTS: &str = "SELECT slot FROM task INDEXED BY task_active
    WHERE queue = ?1 AND (state = 'starting' OR state = 'running' OR state = 'paused')";
