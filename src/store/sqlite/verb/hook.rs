//! How far hooks came.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use rusqlite::{OptionalExtension, params};

use crate::domain::change::ChangeKind;
use crate::domain::hook::OF_TASKS;
use crate::domain::id::{Seq, TaskId};
use crate::domain::task::TaskSpec;
use crate::domain::time::Timestamp;
use crate::fault::crash_point;
use crate::store::hook::HookRan;
use crate::store::sqlite::code::int;
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::sqlite::{fault, read, write};
use crate::store::transition::{self, Note};

impl Part<'_> {
    pub(in crate::store::sqlite) fn set_hooks(
        &mut self,
        hooks: &[(String, bool)],
    ) -> Result<BTreeMap<String, Seq>, Undone> {
        let last = int(read::last_seq(self.db)?.0);
        for name in read::hook_cursors(self.db)?.into_keys() {
            if name != OF_TASKS && hooks.iter().all(|(known, _)| *known != name) {
                let sql = "DELETE FROM hook WHERE name = ?1 OR name = '*failed:' || ?1";
                self.db.prepare_cached(sql)?.execute([name])?;
            }
        }
        let of_tasks = "DELETE FROM hook WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM task WHERE hooks IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM schedule WHERE hooks IS NOT NULL)";
        if self.db.prepare_cached(of_tasks)?.execute([OF_TASKS])? > 0 {
            self.forget_hooks_ahead(i64::MAX)?;
        }
        for (name, empties) in hooks {
            let sql = "INSERT INTO hook (name, cursor, empties) VALUES (?1, ?2, ?3)
                ON CONFLICT (name) DO UPDATE SET empties = ?3";
            self.db.prepare_cached(sql)?.execute(params![name, last, empties])?;
        }
        self.empties.store(hooks.iter().any(|(_, empties)| *empties), Ordering::Relaxed);
        Ok(read::hook_cursors(self.db)?)
    }

    pub(in crate::store::sqlite) fn hook_ran(&mut self, ran: &HookRan) -> Result<(), Undone> {
        let sql = "UPDATE hook SET cursor = max(cursor, ?2) WHERE name = ?1";
        if self.db.prepare_cached(sql)?.execute(params![ran.hook, int(ran.until.0)])? == 0 {
            return Ok(());
        }
        if ran.hook == OF_TASKS {
            if let Some(ahead) = ran.ahead {
                let sql = "INSERT OR IGNORE INTO hook (name, cursor, empties) VALUES (?1 || ':' || ?2, ?2, 0)";
                self.db.prepare_cached(sql)?.execute(params![OF_TASKS, int(ahead.0)])?;
            }
            self.forget_hooks_ahead(int(ran.until.0))?;
        }
        if let Some(Err(failed)) = &ran.run {
            let state = match failed.task {
                // One that cannot be read is not told; the hook goes on all the same.
                Some(id) => match read::state(self.db, id) {
                    Err(error) if fault::is_unreadable(&error) => None,
                    state => state?,
                },
                None => None,
            };
            self.note(transition::hook_failed(failed, state, ran.now))?;
        }
        if ran.hook != OF_TASKS
            && let Some(run) = &ran.run
        {
            self.remember_failure(&ran.hook, self.last.filter(|_| run.is_err()))?;
        }
        crash_point("apexd.hook.written");
        Ok(())
    }

    /// Remembers which change tells that a hook of the configuration failed when it was run last, or that it did not.
    fn remember_failure(&self, hook: &str, told: Option<Seq>) -> rusqlite::Result<()> {
        match told {
            Some(seq) => {
                let sql = "INSERT OR REPLACE INTO hook (name, cursor, empties) VALUES ('*failed:' || ?1, ?2, 0)";
                self.db.prepare_cached(sql)?.execute(params![hook, int(seq.0)])?;
            }
            None => {
                self.db.prepare_cached("DELETE FROM hook WHERE name = '*failed:' || ?1")?.execute([hook])?;
            }
        }
        Ok(())
    }

    /// Forgets that hooks of tasks have run for changes up to one, which all have now.
    fn forget_hooks_ahead(&self, until: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM hook WHERE name > '*tasks:' AND name < '*tasks;' AND cursor <= ?1";
        self.db.prepare_cached(sql)?.execute([until])?;
        Ok(())
    }

    /// Remembers from where on the hooks of tasks are to be followed, if this is the first that has some.
    pub(super) fn follow_hooks_of(&self, spec: &TaskSpec) -> rusqlite::Result<()> {
        if spec.hooks.is_empty() {
            return Ok(());
        }
        let last = int(read::last_seq(self.db)?.0);
        let sql = "INSERT OR IGNORE INTO hook (name, cursor, empties) VALUES (?1, ?2, 0)";
        self.db.prepare_cached(sql)?.execute(params![OF_TASKS, last])?;
        Ok(())
    }

    /// Records that the queue of a task that has just ended is empty, if it is.
    pub(super) fn note_empty(&mut self, id: TaskId, at: Timestamp) -> rusqlite::Result<()> {
        let sql = "SELECT q.id, q.name FROM task t JOIN queue q ON q.id = t.queue WHERE t.id = ?1";
        let queue = self.db.prepare_cached(sql)?.query_row([id.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((queue, name)): Option<(i64, String)> = queue.optional()? else { return Ok(()) };
        if read::unended_in(self.db, queue)? == 0 {
            let note = Note::of_queue(&name, ChangeKind::QueueEmptied, at, crate::domain::change::Actor::Daemon);
            self.last = Some(write::change(self.db, &note)?);
        }
        Ok(())
    }
}
