//! What people ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::domain::attempt::Attempt;
use crate::domain::change::{Actor, Change};
use crate::domain::dependency::{Edge, Standing};
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::task::{State, Task};
use crate::store::filter::is_meant;
use crate::store::memory::{Entry, Tables};
use crate::store::task::{Cancel, Cancelled, Expire, Expired, Only, Pause, PerTask, Refused, Steer};
use crate::store::transition::{self, EXPIRE_MAX, FORGET_MAX, Note};

/// What a pause or a resume makes of a task and its attempt.
type PauseOf = fn(&mut Task, Option<&mut Attempt>, &Pause) -> Result<(AssignmentId, Option<Note>), Refused>;

impl Tables {
    /// Does something to each of some tasks, appends the changes and answers for each.
    fn each<T>(
        &mut self,
        ids: &[TaskId],
        only: &Only,
        mut verb: impl FnMut(&mut Entry) -> Result<(T, Option<Note>), Refused>,
    ) -> PerTask<T> {
        let mut answers = Vec::with_capacity(ids.len());
        for id in ids {
            let answer = self.tasks.get_mut(id).ok_or(Refused::NotFound);
            let meant =
                answer.and_then(|entry| if is_meant(only, &entry.task) { Ok(entry) } else { Err(Refused::NotMeant) });
            let answer = meant.and_then(&mut verb);
            let answer = answer.map(|(answer, note)| {
                note.into_iter().for_each(|note| self.note(note));
                answer
            });
            answers.push((*id, answer));
        }
        answers
    }

    pub(super) fn cancel(&mut self, cancel: &Cancel) -> PerTask<Cancelled> {
        let mut answers = Vec::with_capacity(cancel.ids.len());
        for id in &cancel.ids {
            let answer = self.each(&[*id], &cancel.only, |entry| {
                let open = entry.attempts.last().filter(|(attempt, _)| attempt.ended_at.is_none());
                let current = open.map(|(attempt, _)| attempt.assignment);
                transition::cancel(&mut entry.task, &mut entry.cancel_reason, current, cancel)
            });
            if let [(id, Ok(Cancelled::Ended))] = answer.as_slice() {
                self.total(State::Cancelled);
                self.settle_soon(*id);
            }
            answers.extend(answer);
        }
        self.settle(cancel.now);
        answers
    }

    pub(super) fn hold(&mut self, hold: &Steer) -> PerTask<()> {
        self.each(&hold.ids, &hold.only, |entry| transition::hold(&mut entry.task, hold).map(|note| ((), note)))
    }

    pub(super) fn release(&mut self, release: &Steer) -> PerTask<()> {
        let mut broken = Vec::new();
        let answers = self.each(&release.ids, &release.only, |entry| {
            let standing = entry.standing();
            let note = transition::release(&mut entry.task, standing, release)?;
            broken.push(standing);
            Ok(((), Some(note)))
        });
        self.tell_again(broken);
        self.settle(release.now);
        answers
    }

    /// Has the dependants of tasks told again because of which others, just let go, cannot run.
    pub(super) fn tell_again(&mut self, standings: Vec<Standing>) {
        for standing in standings {
            if let Standing::Broken(on) = standing {
                self.settle_soon(on);
            }
        }
    }

    pub(super) fn pause(&mut self, pause: &Pause) -> PerTask<AssignmentId> {
        self.pause_as(pause, transition::pause)
    }

    pub(super) fn resume(&mut self, resume: &Pause) -> PerTask<AssignmentId> {
        self.pause_as(resume, transition::resume)
    }

    fn pause_as(&mut self, pause: &Pause, change: PauseOf) -> PerTask<AssignmentId> {
        self.each(&pause.ids, &pause.only, |entry| {
            let open = entry.attempts.last_mut().map(|(attempt, _)| attempt);
            change(&mut entry.task, open.filter(|attempt| attempt.ended_at.is_none()), pause)
        })
    }

    pub(super) fn retry(&mut self, retry: &Steer) -> PerTask<()> {
        let mut answers = Vec::with_capacity(retry.ids.len());
        for id in &transition::causes_first(&retry.ids) {
            let mut queue = None;
            let answer = self.each(&[*id], &retry.only, |entry| {
                let standing = entry.standing();
                let note = transition::retry(&mut entry.task, &mut entry.cancel_reason, standing, retry)?;
                queue = Some(entry.task.spec.queue.clone());
                Ok(((), Some(note)))
            });
            let forgotten = |on: &TaskId| !self.tasks.contains_key(on);
            let answer = answer.into_iter().map(|(id, answer)| match answer {
                Err(Refused::Dependency(on)) if forgotten(&on) => (id, Err(Refused::Forgotten(on))),
                answer => (id, answer),
            });
            let answer: PerTask<()> = answer.collect();
            if let Some(queue) = queue {
                self.bring_queue_back(&queue, retry.by.clone(), retry.now);
                self.settle_soon(*id);
                let edges = self.tasks.values_mut().flat_map(|entry| &mut entry.edges);
                edges.filter(|(_, on, _)| on == id).for_each(|(_, _, edge)| *edge = Edge::Waits);
            }
            answers.extend(answer);
        }
        self.settle(retry.now);
        transition::in_order_of(&retry.ids, answers)
    }

    pub(super) fn remove(&mut self, remove: &Steer) -> PerTask<()> {
        while self.settle(remove.now) {}
        let mut answers = Vec::with_capacity(remove.ids.len());
        for id in &remove.ids {
            answers.push((*id, self.remove_one(*id, remove)));
        }
        answers
    }

    fn remove_one(&mut self, id: TaskId, remove: &Steer) -> Result<(), Refused> {
        let entry = self.tasks.get(&id).ok_or(Refused::NotFound)?;
        if !is_meant(&remove.only, &entry.task) {
            return Err(Refused::NotMeant);
        }
        let note = transition::removed(&entry.task, remove)?;
        if let Some(waiting) = self.first_waiting_for(id) {
            return Err(Refused::Needed(waiting));
        }
        if let Some(event) = self.hook_to_come(id) {
            return Err(Refused::Hook(event));
        }
        let Some(entry) = self.tasks.remove(&id) else { return Err(Refused::NotFound) };
        self.uuids.remove(&entry.task.uuid);
        self.unsettled.retain(|(other, _)| *other != id);
        for (attempt, _) in entry.attempts {
            self.claims.remove(&attempt.assignment);
            self.litter.extend(attempt.outputs.into_iter().map(|output| output.path));
        }
        self.note(note);
        Ok(())
    }

    pub(super) fn expire(&mut self, expire: Expire) -> Expired {
        if self.settle(expire.now) {
            return Expired { more: true, ..Expired::default() };
        }
        let mut over: Vec<_> = self
            .tasks
            .values()
            .filter_map(|entry| Some((entry.task.ended_at.filter(|at| *at <= expire.until)?, entry.task.id)))
            .filter(|(_, id)| self.first_waiting_for(*id).is_none() && self.hook_to_come(*id).is_none())
            .collect();
        over.sort_unstable();
        over.truncate(EXPIRE_MAX);
        let steer = Steer { ids: Vec::new(), only: None, by: Actor::Daemon, now: expire.now };
        let tasks = over.iter().filter(|(_, id)| self.remove_one(*id, &steer).is_ok()).count();
        // What a hook has not come to is kept for it.
        let seen = self.hooks.values().min().copied().unwrap_or(Seq(u64::MAX));
        let is_over = |change: &&Change| change.at <= expire.until && change.seq <= seen;
        let changes = self.changes.iter().take(FORGET_MAX).take_while(is_over).count();
        self.changes.drain(..changes);
        let more = over.len() == EXPIRE_MAX || changes == FORGET_MAX;
        let ended = self.tasks.values().filter_map(|entry| entry.task.ended_at);
        let oldest = ended.chain(self.changes.first().map(|change| change.at)).min();
        Expired { tasks, changes, more, oldest }
    }

    fn first_waiting_for(&self, id: TaskId) -> Option<TaskId> {
        let waits = |entry: &&Entry| matches!(entry.task.state, State::Blocked | State::Held);
        let depends = |entry: &Entry| entry.edges.iter().any(|(_, on, _)| *on == id);
        self.tasks.values().filter(waits).find(|entry| depends(entry)).map(|entry| entry.task.id)
    }

    pub(super) fn litter(&self, after: Option<&Path>, limit: usize) -> Vec<PathBuf> {
        let by_bytes = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
        let after = after.map(by_bytes);
        let left = self.litter.iter().map(|path| (by_bytes(path), path));
        let left: BTreeMap<_, _> = left.filter(|(bytes, _)| after.as_ref().is_none_or(|after| bytes > after)).collect();
        left.into_values().take(limit).cloned().collect()
    }

    pub(super) fn tidied(&mut self, paths: &[PathBuf]) {
        let gone: BTreeSet<&PathBuf> = paths.iter().collect();
        self.litter.retain(|path| !gone.contains(path));
    }
}
