//! What is kept no longer: tasks that ended long ago, and changes that were recorded long ago.

use crate::domain::change::Actor;
use crate::domain::id::TaskId;
use crate::domain::time::Timestamp;
use crate::store::sqlite::code::{Columns, int};
use crate::store::sqlite::pending::Pending;
use crate::store::sqlite::read;
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::task::{Expire, Expired, Steer};
use crate::store::transition::{self, EXPIRE_MAX, FORGET_MAX};

impl Part<'_> {
    pub(in crate::store::sqlite) fn expire(&mut self, expire: Expire, pending: &Pending) -> Result<Expired, Undone> {
        // Whoever depends on one of them is to know how it ended before it is forgotten.
        if self.settle(expire.now)? {
            return Ok(Expired { more: true, ..Expired::default() });
        }
        let over = self.expired(expire.until, pending)?;
        let steer = Steer { ids: Vec::new(), only: None, by: Actor::Daemon, now: expire.now };
        let mut tasks = 0;
        for id in &over {
            let stored = read::task(self.db, *id)?.ok_or_else(|| self.damaged("index `task_ended`"))?;
            // One of them may be waited for by another one of them only as long as that one waits.
            if let Ok(note) = transition::removed(&stored.task, &steer) {
                self.forget(*id, note)?;
                tasks += 1;
            }
        }
        let changes = self.forget_changes(expire.until)?;
        let more = over.len() == EXPIRE_MAX || changes == FORGET_MAX;
        let sql = "SELECT min(at) FROM (SELECT min(ended_at) AS at FROM task WHERE ended_at IS NOT NULL
            UNION ALL SELECT at FROM (SELECT at FROM change ORDER BY seq LIMIT 1))";
        let oldest = self.db.prepare_cached(sql)?.query_row([], |row| Columns::new(row).maybe())?;
        Ok(Expired { tasks, changes, more, oldest })
    }

    /// Returns the first of those that ended until then. Those that stay for their hooks do not stand in front of the others for ever.
    fn expired(&self, until: Timestamp, pending: &Pending) -> rusqlite::Result<Vec<TaskId>> {
        let to_come = pending.now(self.db)?;
        let mut ended = self.db.prepare_cached(EXPIRED)?;
        let mut rows = ended.query([until.0])?;
        let mut over = Vec::new();
        while let Some(row) = rows.next()?
            && over.len() < EXPIRE_MAX
        {
            let id = Columns::new(row).cell()?;
            if to_come.of(id).is_none() {
                over.push(id);
            }
        }
        Ok(over)
    }

    /// Forgets the oldest changes up to the first that is kept, so that none is missing in between. What a hook has not come to is kept
    /// for it.
    fn forget_changes(&self, until: Timestamp) -> rusqlite::Result<usize> {
        let cursors = read::hook_cursors(self.db)?;
        let seen = cursors.into_values().min().map_or(i64::MAX, |seen| int(seen.0));
        let mut first = self.db.prepare_cached("SELECT seq, at FROM change ORDER BY seq LIMIT ?1")?;
        let mut rows = first.query([int(FORGET_MAX as u64)])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
            if at > until.0 || seq > seen {
                break;
            }
            last = Some(seq);
        }
        match last {
            Some(last) => self.db.prepare_cached("DELETE FROM change WHERE seq <= ?1")?.execute([last]),
            None => Ok(0),
        }
    }
}

/// The tasks that ended first, without those that something which waits depends on.
pub(in crate::store::sqlite) const EXPIRED: &str = "SELECT id FROM task t INDEXED BY task_ended
    WHERE ended_at IS NOT NULL AND ended_at <= ?1 AND NOT EXISTS (SELECT 1 FROM dependency d JOIN task w ON w.id = d.task
        WHERE d.on_task = t.id AND w.state IN ('blocked', 'held'))
    ORDER BY ended_at, id";
