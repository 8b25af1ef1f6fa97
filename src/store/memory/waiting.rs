//! What waits for the clock, for other tasks, or for somebody to accept the project.

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::dependency::{Standing, standing};
use crate::domain::id::TaskId;
use crate::domain::outcome::ReasonCode;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::store::memory::{Entry, Tables};
use crate::store::task::Due;
use crate::store::transition::{self, Note, SETTLE_MAX};

impl Entry {
    pub(super) fn standing(&self) -> Standing {
        standing(self.edges.iter().map(|(_, on, edge)| (*on, *edge)))
    }
}

impl Tables {
    pub(super) fn due(&mut self, now: Timestamp) -> Due {
        let waits = |entry: &Entry| matches!(entry.task.state, State::Scheduled | State::Retrying);
        let at = |entry: &Entry| entry.task.spec.run_at.filter(|_| waits(entry)).map(|at| (at, entry.task.id));
        let mut due: Vec<_> = self.tasks.values().filter_map(at).filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        let mut woken = 0;
        for (_, id) in due.into_iter().take(SETTLE_MAX) {
            let note = self.tasks.get_mut(&id).and_then(|entry| transition::due(&mut entry.task, now));
            woken += usize::from(note.is_some());
            note.into_iter().for_each(|note| self.note(note));
        }
        let over = |pause: &crate::domain::queue::QueuePause| pause.until.is_some_and(|until| until <= now);
        let over: Vec<String> = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.pause.as_ref().is_some_and(over))
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            if let Some(queue) = self.queues.get_mut(&name) {
                queue.pause = None;
            }
            self.wait_anew(&name);
            self.note(Note::of_queue(&name, ChangeKind::QueueResumed, now, Actor::Daemon));
            woken += 1;
        }
        let tasks = self.tasks.values().filter_map(at).map(|(at, _)| at);
        let queues = self.queues.values().filter_map(|queue| queue.pause.as_ref()?.until);
        let schedule = self.schedules.values().filter_map(|stored| stored.schedule.next_at).min();
        Due { woken, next: tasks.chain(queues).min(), schedule }
    }

    /// Puts a task that has ended or begun anew on the list of those whose dependants are to be told, if it has any.
    pub(super) fn settle_soon(&mut self, id: TaskId) {
        if self.dependants(id, None).next().is_some() {
            self.unsettled.retain(|(other, _)| *other != id);
            self.unsettled.push_back((id, None));
        }
    }

    /// Tells dependants, at most so many. Returns whether there are more.
    pub(super) fn settle(&mut self, now: Timestamp) -> bool {
        let mut left = SETTLE_MAX;
        loop {
            let Some((id, told)) = self.unsettled.front().copied() else { return false };
            if left == 0 {
                return true;
            }
            let dependants: Vec<TaskId> = self.dependants(id, told).take(left).collect();
            for dependant in &dependants {
                self.tell(*dependant, id, now);
            }
            let at = self.unsettled.iter().position(|(other, _)| *other == id);
            match (dependants.last(), at) {
                (Some(last), Some(at)) if dependants.len() == left => self.unsettled[at].1 = Some(*last),
                (_, Some(at)) => drop(self.unsettled.remove(at)),
                (_, None) => {}
            }
            left -= dependants.len();
        }
    }

    fn dependants(&self, id: TaskId, after: Option<TaskId>) -> impl Iterator<Item = TaskId> {
        let depends = move |entry: &&Entry| entry.edges.iter().any(|(_, on, _)| *on == id);
        let later = move |entry: &&Entry| after.is_none_or(|after| entry.task.id > after);
        self.tasks.values().filter(later).filter(depends).map(|entry| entry.task.id)
    }

    fn tell(&mut self, dependant: TaskId, on: TaskId, now: Timestamp) {
        let Some(state) = self.tasks.get(&on).map(|entry| entry.task.state) else { return };
        let Some(entry) = self.tasks.get_mut(&dependant) else { return };
        for (want, other, edge) in &mut entry.edges {
            if *other == on {
                *edge = want.of(state);
            }
        }
        let standing = entry.standing();
        let broken_state = self.broken_state(standing);
        let Some(entry) = self.tasks.get_mut(&dependant) else { return };
        let was_ended = entry.task.state.is_ended();
        if let Some(note) = transition::settle(&mut entry.task, standing, broken_state, now) {
            let is = entry.task.state;
            let queue = entry.task.spec.queue.clone();
            if !was_ended {
                self.total(is);
            }
            self.note(note);
            if was_ended != is.is_ended() {
                self.settle_soon(dependant);
            }
            if was_ended {
                self.bring_queue_back(&queue, Actor::Daemon, now);
            }
        }
    }

    /// Returns the state of the task because of which another one cannot run.
    pub(super) fn broken_state(&self, standing: Standing) -> Option<State> {
        match standing {
            Standing::Broken(on) => self.tasks.get(&on).map(|entry| entry.task.state),
            Standing::Ready | Standing::Waits => None,
        }
    }

    pub(super) fn distrust(&mut self, now: Timestamp) -> usize {
        let waiting = transition::DISTRUSTED.into_iter().flat_map(|state| {
            self.tasks.values().map(|entry| &entry.task).filter(move |task| task.state == state).map(|task| task.id)
        });
        let waiting = waiting.take(SETTLE_MAX).collect();
        self.for_all(waiting, |entry| transition::distrust(&mut entry.task, now))
    }

    pub(super) fn trust(&mut self, now: Timestamp) -> usize {
        let mut broken = Vec::new();
        let untrusted = |task: &&Task| task.state == State::Held && task.reason_code == Some(ReasonCode::Untrusted);
        let held = self.tasks.values().map(|entry| &entry.task).filter(untrusted).map(|task| task.id);
        let held = held.take(SETTLE_MAX).collect();
        let changed = self.for_all(held, |entry| {
            let standing = entry.standing();
            let note = transition::trust(&mut entry.task, standing, now)?;
            broken.push(standing);
            Some(note)
        });
        self.tell_again(broken);
        changed
    }

    fn for_all(&mut self, ids: Vec<TaskId>, mut change: impl FnMut(&mut Entry) -> Option<Note>) -> usize {
        let changed = ids.into_iter().filter_map(|id| self.tasks.get_mut(&id).and_then(&mut change));
        let notes: Vec<Note> = changed.collect();
        let changed = notes.len();
        notes.into_iter().for_each(|note| self.note(note));
        changed
    }
}
