//! Changing what a task is to do.

use std::sync::Arc;

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::dependency::Standing;
use crate::domain::edit::Edit;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::store::transition::Note;
use crate::store::transition::wait::state_of;

/// Makes of a task what was asked for. What nobody holds waits as it would if it had been added like this.
pub(in crate::store) fn edited(
    task: &mut Task,
    edit: &Edit,
    env_names: Arc<[String]>,
    standing: Standing,
    by: Actor,
    now: Timestamp,
) -> Note {
    let from = task.state;
    task.spec = edit.spec.clone();
    task.env_names = env_names;
    task.updated_at = now;
    if from != State::Held {
        task.state = state_of(task, standing, now);
    }
    Note::of(task, ChangeKind::Edited, Some(from), now, by)
}
