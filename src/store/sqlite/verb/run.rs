//! From the claim of a task to the end of the attempt.

use rusqlite::params;

use crate::domain::attempt::Stream;
use crate::domain::id::AssignmentId;
use crate::fault::crash_point;
use crate::store::Error;
use crate::store::sqlite::read::{self, Stored};
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::sqlite::write;
use crate::store::task::{Finish, Finished, InFlight, Renew, Start, Unclaim};
use crate::store::transition;

impl Part<'_> {
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
}
