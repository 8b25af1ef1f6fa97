//! Moving a task to another place among those of its queue and priority.

use crate::domain::id::TaskId;
use crate::domain::place::{self, NotMoved, Place};
use crate::domain::queue::POSITION_STEP;
use crate::domain::task::{State, Task};
use crate::store::memory::{Entry, Tables};
use crate::store::task::Move;
use crate::store::transition;

impl Tables {
    pub(super) fn move_task(&mut self, wish: &Move) -> Result<Task, NotMoved> {
        let task = |id: TaskId| self.tasks.get(&id).map(|entry| entry.task.clone()).ok_or(NotMoved::NotFound(id));
        let mut moved = task(wish.id)?;
        let before = match wish.to {
            Place::Top => None,
            Place::Before(id) => Some(task(id)?),
        };
        transition::may_move(&moved, before.as_ref())?;
        let position = match before {
            Some(before) => self.place_before(before.id, before.position, &moved),
            None => match self.first(&moved) {
                Some((first, at)) if at < moved.position => self.place_before(first, at, &moved),
                _ => return Ok(moved),
            },
        };
        let note = transition::moved(&mut moved, position, wish);
        self.entry(wish.id, |entry| entry.task = moved.clone());
        self.note(note);
        Ok(moved)
    }

    fn entry(&mut self, id: TaskId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.tasks.get_mut(&id) {
            change(entry);
        }
    }

    /// Returns the others of the line of a task that were moved and have not ended, in their order.
    fn moved(&self, mover: &Task) -> Vec<(i64, TaskId)> {
        let of_line = |task: &&Task| {
            (&task.spec.queue, task.spec.priority) == (&mover.spec.queue, mover.spec.priority)
                && !task.state.is_ended()
                && task.position != place::of_number(task.id)
                && task.id != mover.id
        };
        let tasks = self.tasks.values().map(|entry| &entry.task).filter(of_line);
        let mut moved: Vec<_> = tasks.map(|task| (task.position, task.id)).collect();
        moved.sort_unstable();
        moved
    }

    fn place_before(&mut self, before: TaskId, at: i64, mover: &Task) -> i64 {
        let floor = place::floor(at);
        let mut moved = self.moved(mover);
        moved.retain(|(position, _)| *position > floor && *position < floor.saturating_add(POSITION_STEP));
        let last = moved.iter().rfind(|(position, _)| *position < at).map(|(position, _)| *position);
        if let Some(position) = place::between(last.unwrap_or(floor), at) {
            return position;
        }
        let mut order: Vec<TaskId> = moved.into_iter().map(|(_, id)| id).collect();
        let own = order.iter().position(|id| *id == before).unwrap_or(order.len());
        order.insert(own, mover.id);
        let mut position = at;
        let places: Vec<i64> = place::spread(floor, order.len()).collect();
        for (id, place) in order.into_iter().zip(places) {
            if id == mover.id {
                position = place;
            } else {
                self.entry(id, |entry| entry.task.position = place);
            }
        }
        position
    }

    fn first(&self, mover: &Task) -> Option<(TaskId, i64)> {
        let mut found = self.moved(mover);
        for task in self.tasks.values().map(|entry| &entry.task) {
            if task.spec.queue != mover.spec.queue || task.id == mover.id {
                continue;
            }
            if task.state == State::Queued && task.spec.priority == mover.spec.priority {
                found.push((task.position, task.id));
            } else if task.state.is_waiting() {
                found.push((place::of_number(task.id), task.id));
            }
        }
        found.into_iter().min().map(|(at, id)| (id, at))
    }
}
