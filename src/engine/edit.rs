//! Changing what a task is to do, as long as it has not started.

use std::sync::atomic::Ordering;

use crate::domain::change::Actor;
use crate::domain::edit::Edit;
use crate::domain::task::{Stdin, Task};
use crate::engine::{Error, Handle};
use crate::store::task::EditTask;

impl Handle {
    /// Changes what a task is to do. Whether it has started is decided by the store.
    ///
    /// Errors: [`Error::Spec`], [`Error::Started`], [`Error::EditedMeanwhile`], [`Error::KeyTaken`], [`Error::Later`], or the
    /// store's.
    pub async fn edit(&self, mut edit: Edit, by: Actor) -> Result<Task, Error> {
        edit.set_env.0.retain(|(name, _)| !(self.is_kept_out)(name));
        edit.spec.check()?;
        edit.set_env.check()?;
        if edit.spec.needs != edit.base.needs {
            self.refuse_what_never_fits(&edit.spec)?;
        }
        let is_other = edit.spec.stdin != edit.base.stdin;
        if is_other && matches!(edit.spec.stdin, Stdin::Upload(_)) {
            return Err(Error::OtherInput(edit.id));
        }
        let (id, has_hooks) = (edit.id, !edit.spec.hooks.is_empty());
        let wish = EditTask { edit, by, now: (self.shared.world.now)() };
        let task = self.shared.store.edit(wish).await?.map_err(|refused| Error::not_edited(id, refused))?;
        self.shared.unsettled.store(true, Ordering::Release);
        self.follow_tasks(has_hooks);
        self.clock_changed();
        Ok(task)
    }
}
