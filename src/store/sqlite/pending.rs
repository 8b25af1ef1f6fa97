//! What hooks of tasks have not come to. There may be much of it, so it is read beside the writer, and each change only once: the
//! writer has to look at no more than what came since.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use crate::domain::hook::{HookEvent, OF_TASKS};
use crate::domain::id::{Seq, TaskId};
use crate::store::sqlite::code::{Columns, int};
use crate::store::sqlite::read;
use crate::store::transition::{Came, ToCome};

/// As far as it was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    until: Seq,
    to_come: ToCome,
}

impl Pending {
    /// Reads what came since, and forgets what is over.
    pub(super) fn read_on(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let Some(came) = came(db)? else {
            *self = Self::default();
            return Ok(());
        };
        self.to_come.forget_over(&came);
        take_in(&mut self.to_come, db, self.until.max(came.cursor))?;
        self.until = read::last_seq(db)?;
        Ok(())
    }

    /// Returns what there is at this moment, what came since included.
    pub(super) fn now<'a>(&'a self, db: &Connection) -> rusqlite::Result<Now<'a>> {
        let mut since = ToCome::default();
        let came = came(db)?;
        if let Some(came) = &came {
            take_in(&mut since, db, self.until.max(came.cursor))?;
        }
        Ok(Now { read: &self.to_come, since, came })
    }
}

/// What hooks of tasks have not come to at a moment.
pub(super) struct Now<'a> {
    read: &'a ToCome,
    since: ToCome,
    /// `None` if no task has any.
    came: Option<Came>,
}

impl Now<'_> {
    /// Returns the first event of a task that a hook of its own is still to be run for.
    pub(super) fn of(&self, id: TaskId) -> Option<HookEvent> {
        let came = self.came.as_ref()?;
        self.read.of(id, came).into_iter().chain(self.since.of(id, came)).min()
    }
}

/// Returns how far the hooks of tasks came; `None` if no task has any.
fn came(db: &Connection) -> rusqlite::Result<Option<Came>> {
    let sql = "SELECT cursor FROM hook WHERE name = ?1";
    let cursor: Option<u64> = db.prepare_cached(sql)?.query_row([OF_TASKS], |row| row.get(0)).optional()?;
    let Some(cursor) = cursor else { return Ok(None) };
    let ahead: BTreeSet<Seq> = read::hooks_ahead(db)?;
    Ok(Some(Came { cursor: Seq(cursor), ahead }))
}

fn take_in(to_come: &mut ToCome, db: &Connection, after: Seq) -> rusqlite::Result<()> {
    let mut changes = db.prepare_cached(TO_COME)?;
    let mut rows = changes.query([int(after.0)])?;
    while let Some(row) = rows.next()? {
        let mut c = Columns::new(row);
        let seq = Seq(c.plain()?);
        // One that cannot be read is none that a hook could be run for.
        if let (Ok(id), Ok(kind), Ok(from), Ok(to), Ok(hooks)) = (c.cell(), c.cell(), c.maybe(), c.maybe(), c.cell()) {
            to_come.take_in((id, seq), &hooks, kind, from, to);
        }
    }
    Ok(())
}

/// The changes after one to tasks that have hooks.
pub(super) const TO_COME: &str = "SELECT c.seq, c.task, c.kind, c.from_state, c.to_state, t.hooks
    FROM change c CROSS JOIN task t INDEXED BY task_hooks ON t.id = c.task WHERE c.seq > ?1 AND t.hooks IS NOT NULL";
