//! Adding many tasks together.

use std::collections::HashSet;

use crate::domain::dependency::wants;
use crate::domain::id::TaskUuid;
use crate::domain::task::{BulkTask, NewTask};
use crate::store::Error;
use crate::store::memory::Tables;
use crate::store::task::{Add, AddMany, AddedMany};

impl Tables {
    pub(super) fn add_many(&mut self, add: &AddMany) -> Result<AddedMany, Error> {
        let mut added = AddedMany { untrusted: add.untrusted, ..AddedMany::default() };
        let mut known: Vec<(TaskUuid, _)> =
            self.uuids.iter().filter(|(uuid, _)| uuid.at(0) == add.uuid.at(0)).map(|(uuid, id)| (*uuid, *id)).collect();
        if !known.is_empty() {
            known.sort_unstable();
            known.iter().for_each(|(uuid, id)| added.push(uuid.place().into(), *id, true));
            return Ok(added);
        }
        let tasks: Vec<BulkTask> = (add.tasks)().collect::<Result<_, _>>().map_err(Error::Source)?;
        // Nothing of what is added here makes a later one impossible, so all of them can be checked beforehand.
        let mut keys = HashSet::new();
        for task in &tasks {
            if task.spec.key.as_ref().is_some_and(|key| !keys.insert(key)) {
                continue;
            }
            self.can_add(task).map_err(|source| Error::Line { line: task.line, source: source.into() })?;
        }
        for (place, task) in (0_u32..).zip(tasks) {
            let BulkTask { mut spec, env, hold, after_places, after_any_places, .. } = task;
            spec.after.extend(after_places.iter().filter_map(|place| added.id(*place)));
            spec.after_any.extend(after_any_places.iter().filter_map(|place| added.id(*place)));
            let (uuid, env) = (add.uuid.at(place), add.env.with(&env));
            let task = NewTask { uuid, spec, env, hold, parent: add.parent };
            let one = self.add(&Add { task, by: add.by.clone(), now: add.now, untrusted: add.untrusted })?;
            added.push(place.into(), one.task.id, one.created);
        }
        Ok(added)
    }

    fn can_add(&self, task: &BulkTask) -> Result<(), Error> {
        if task.spec.key.as_ref().is_some_and(|key| self.of_key(key).is_some()) {
            return Ok(());
        }
        if !self.queues.contains_key(&task.spec.queue) {
            return Err(Error::NoSuchQueue(task.spec.queue.clone()));
        }
        match wants(&task.spec).find(|(_, on)| !self.tasks.contains_key(on)) {
            Some((_, on)) => Err(Error::NoSuchTask(on)),
            None => Ok(()),
        }
    }
}
