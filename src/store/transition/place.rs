//! Moving a task to another place among those of its queue and priority.

use crate::domain::change::ChangeKind;
use crate::domain::place::{NotMoved, is_placed};
use crate::domain::task::Task;
use crate::store::task::Move;
use crate::store::transition::Note;

/// Refuses what makes no sense: `before` is the task that it is to come before, if it is one.
pub(in crate::store) fn may_move(task: &Task, before: Option<&Task>) -> Result<(), NotMoved> {
    if !is_placed(task.state) {
        return Err(NotMoved::State(Box::new(task.clone())));
    }
    match before {
        None => Ok(()),
        Some(before) if before.id == task.id => Err(NotMoved::Itself),
        Some(before) if !is_placed(before.state) => Err(NotMoved::Passed(Box::new(before.clone()))),
        Some(before) if (&before.spec.queue, before.spec.priority) != (&task.spec.queue, task.spec.priority) => {
            Err(NotMoved::Apart(Box::new(before.clone())))
        }
        Some(_) => Ok(()),
    }
}

/// Puts a task at its new place.
pub(in crate::store) fn moved(task: &mut Task, position: i64, wish: &Move) -> Note {
    task.position = position;
    task.updated_at = wish.now;
    Note::of(task, ChangeKind::Moved, Some(task.state), wish.now, wish.by.clone())
}
