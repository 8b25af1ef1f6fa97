//! Changing what a task is to do.

use std::sync::Arc;

use crate::domain::dependency::{Edge, Standing, Want, standing, wants};
use crate::domain::edit::NotEdited;
use crate::domain::id::TaskId;
use crate::domain::task::{Environment, Task};
use crate::store::Error;
use crate::store::memory::{Entry, Tables};
use crate::store::task::EditTask;
use crate::store::transition;

impl Tables {
    pub(super) fn edit(&mut self, wish: &EditTask) -> Result<Result<Task, NotEdited>, Error> {
        let (edit, id) = (&wish.edit, wish.edit.id);
        let Some(entry) = self.tasks.get(&id) else { return Ok(Err(NotEdited::NotFound)) };
        if let Err(refused) = edit.check(&entry.task) {
            return Ok(Err(refused));
        }
        if edit.is_empty() {
            return Ok(Ok(entry.task.clone()));
        }
        let spec = &edit.spec;
        if let Some(key) = spec.key.as_ref().filter(|key| entry.task.spec.key.as_ref() != Some(key))
            && let Some(other) = self.of_key(key)
        {
            return Ok(Err(NotEdited::KeyTaken(other.task.id)));
        }
        if spec.queue != entry.task.spec.queue && !self.queues.contains_key(&spec.queue) {
            return Err(Error::NoSuchQueue(spec.queue.clone()));
        }
        let mut edges = entry.edges.clone();
        if (&spec.after, &spec.after_any) != (&entry.task.spec.after, &entry.task.spec.after_any) {
            edges.clear();
            for (want, on) in wants(spec) {
                let known = entry.edges.iter().find(|(known, other, _)| (*known, *other) == (want, on));
                let edge = match self.tasks.get(&on) {
                    Some(other) => want.of(other.task.state),
                    None => known.map(|(_, _, edge)| *edge).ok_or(Error::NoSuchTask(on))?,
                };
                edges.push((want, on, edge));
            }
        }
        let standing = standing(edges.iter().map(|(_, on, edge)| (*on, *edge)));
        let env = Arc::new(edit.environment(&entry.env));
        let note = self.tasks.get_mut(&id).map(|entry| change(entry, wish, edges, env, standing));
        note.into_iter().for_each(|note| self.note(note));
        self.tell_again(vec![standing]);
        self.settle(wish.now);
        Ok(self.tasks.get(&id).map(Entry::whole).ok_or(NotEdited::NotFound))
    }
}

fn change(
    entry: &mut Entry,
    wish: &EditTask,
    edges: Vec<(Want, TaskId, Edge)>,
    env: Arc<Environment>,
    standing: Standing,
) -> transition::Note {
    let names = env.names().into();
    (entry.edges, entry.env) = (edges, env);
    transition::edited(&mut entry.task, &wish.edit, names, standing, wish.by.clone(), wish.now)
}
