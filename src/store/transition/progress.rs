//! What a task says of how far it is.

use crate::domain::change::ChangeKind;
use crate::domain::progress::NotTold;
use crate::domain::task::Task;
use crate::store::task::TellProgress;
use crate::store::transition::Note;

/// Takes what is told of a task that has a process.
pub(in crate::store) fn progressed(task: &mut Task, tell: &TellProgress) -> Result<Note, NotTold> {
    let wish = &tell.tell;
    if !task.state.is_active() {
        return Err(NotTold::NotRunning(Box::new(task.clone())));
    }
    if wish.attempt.is_some_and(|attempt| attempt != task.attempt) {
        return Err(NotTold::Late(task.attempt));
    }
    let progress = wish.told.after(task.told.as_ref(), task.attempt, tell.at).map_err(NotTold::Invalid)?;
    task.told = Some(progress.clone());
    task.updated_at = task.updated_at.max(tell.at);
    let note = Note::of(task, ChangeKind::Progressed, Some(task.state), tell.at, tell.by.clone());
    Ok(Note { progress: Some(Box::new(progress)), ..note.attempt(task.attempt) })
}
