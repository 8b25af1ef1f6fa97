//! How far tasks say they are.

use rusqlite::params;

use crate::domain::progress::{NotTold, Progress};
use crate::fault::crash_point;
use crate::store::sqlite::code;
use crate::store::sqlite::read;
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::task::TellProgress;
use crate::store::transition;

impl Part<'_> {
    pub(in crate::store::sqlite) fn tell_progress(
        &mut self,
        tell: &TellProgress,
    ) -> Result<Result<Progress, NotTold>, Undone> {
        let Some(stored) = read::task(self.db, tell.tell.id)? else { return Ok(Err(NotTold::NotFound)) };
        let mut task = stored.task;
        let note = match transition::progressed(&mut task, tell) {
            Ok(note) => note,
            Err(refused) => return Ok(Err(refused)),
        };
        let progress = task.told.ok_or_else(|| self.damaged("a progress"))?;
        let sql = "UPDATE task SET progress = ?2, updated_at = ?3 WHERE id = ?1";
        let row = params![task.id.as_i64(), code::progress(&progress), task.updated_at.0];
        self.db.prepare_cached(sql)?.execute(row)?;
        self.note(note)?;
        crash_point("apexd.progress.written");
        Ok(Ok(progress))
    }
}
