//! The verbs that change something.

use std::sync::Arc;

use crate::domain::attempt::Stream;
use crate::domain::dependency::{standing, wants};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::task::State;
use crate::store::Error;
use crate::store::memory::{Entry, Tables};
use crate::store::task::{Add, Added, Finish, Finished, InFlight, Renew, Start, Unclaim};
use crate::store::transition;

impl Tables {
    pub(super) fn add(&mut self, add: &Add) -> Result<Added, Error> {
        self.add_of(add, None)
    }

    /// Adds a task of a schedule, or one of none.
    pub(super) fn add_of(&mut self, add: &Add, schedule: Option<&str>) -> Result<Added, Error> {
        if let Some(entry) = self.uuids.get(&add.task.uuid).and_then(|id| self.tasks.get(id)) {
            return Ok(Added { task: self.with_expected(entry.whole()), created: false });
        }
        let spec = &add.task.spec;
        if let Some(entry) = spec.key.as_ref().and_then(|key| self.of_key(key)) {
            return Ok(Added { task: self.with_expected(entry.whole()), created: false });
        }
        if !self.queues.contains_key(&spec.queue) {
            return Err(Error::NoSuchQueue(spec.queue.clone()));
        }
        let mut edges = Vec::new();
        for (want, on) in wants(spec) {
            let state = self.tasks.get(&on).ok_or(Error::NoSuchTask(on))?.task.state;
            edges.push((want, on, want.of(state)));
        }
        let standing = standing(edges.iter().map(|(_, on, edge)| (*on, *edge)));
        self.added += 1;
        let id = TaskId::new(self.added).expect("memory ends before the numbers do");
        let task = transition::added(id, add, schedule, standing, self.broken_state(standing));
        self.follow_hooks_of(&task.spec);
        self.note(transition::add_note(&task, add));
        self.total(task.state);
        self.uuids.insert(task.uuid, id);
        let (env, attempts) = (Arc::new(add.task.env.clone()), Vec::new());
        self.tasks.insert(id, Entry { task: task.clone(), env, cancel_reason: None, edges, attempts });
        Ok(Added { task, created: true })
    }

    /// Returns the task with a key that has not ended.
    pub(super) fn of_key(&self, key: &str) -> Option<&Entry> {
        let has_key = |entry: &&Entry| entry.task.spec.key.as_deref() == Some(key);
        self.tasks.values().filter(has_key).find(|entry| !entry.task.state.is_ended())
    }

    pub(super) fn start(&mut self, start: &Start) -> Result<(), Error> {
        let entry = self.current(start.assignment)?;
        let (attempt, _) = entry.attempts.last_mut().expect("a claimed task has an attempt");
        if attempt.assignment != start.assignment || attempt.ended_at.is_some() {
            return Err(Error::Stale(start.assignment));
        }
        if let Some(note) = transition::start(&mut entry.task, attempt, start) {
            self.note(note);
        }
        Ok(())
    }

    pub(super) fn unclaim(&mut self, unclaim: &Unclaim) -> Result<(), Error> {
        let entry = self.current(unclaim.assignment)?;
        let (attempt, _) = entry.attempts.last().expect("a claimed task has an attempt");
        if attempt.assignment != unclaim.assignment || attempt.ended_at.is_some() {
            return Err(Error::Stale(unclaim.assignment));
        }
        entry.attempts.pop();
        let previous = entry.attempts.last().map(|(attempt, _)| attempt);
        let notes = transition::unclaim(&mut entry.task, entry.cancel_reason.as_deref(), previous, unclaim);
        let (id, state) = (entry.task.id, entry.task.state);
        self.claims.remove(&unclaim.assignment);
        self.closed_claim(unclaim.assignment);
        self.total(state);
        for note in notes {
            self.note(note);
        }
        if state.is_ended() {
            self.settle_soon(id);
            self.settle(unclaim.now);
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, finish: &Finish) -> Result<Finished, Error> {
        let entry = self.current(finish.assignment)?;
        let attempt = entry.attempts.iter_mut().find(|(attempt, _)| attempt.assignment == finish.assignment);
        let (attempt, _) = attempt.expect("a claim is forgotten together with its attempt");
        if attempt.ended_at.is_some() {
            return Ok(Finished { task: entry.task.clone(), recorded: false, unsettled: false });
        }
        let notes = transition::finish(&mut entry.task, attempt, entry.cancel_reason.as_deref(), finish);
        let task = entry.task.clone();
        self.closed_claim(finish.assignment);
        self.total(task.state);
        notes.into_iter().for_each(|note| self.note(note));
        let unsettled = if task.state.is_ended() {
            self.settle_soon(task.id);
            self.settle(finish.now)
        } else {
            false
        };
        Ok(Finished { task, recorded: true, unsettled })
    }

    pub(super) fn in_flight(&self) -> Vec<InFlight> {
        let entries = self.open.values().filter_map(|claim| self.claims.get(claim)).filter_map(|id| self.tasks.get(id));
        let last = |entry: &Entry| {
            let (attempt, boot) = entry.attempts.last()?;
            Some(InFlight { task: entry.task.clone(), attempt: attempt.clone(), boot: *boot })
        };
        entries.filter_map(last).collect()
    }

    pub(super) fn renew(&mut self, renew: &Renew) -> Vec<InFlight> {
        let attempts = self.tasks.values_mut().flat_map(|entry| &mut entry.attempts).map(|(attempt, _)| attempt);
        for attempt in attempts.filter(|attempt| attempt.ended_at.is_none() && attempt.owner == renew.owner) {
            attempt.lease_until = attempt.lease_until.max(renew.lease_until);
        }
        let mut flights = self.in_flight();
        flights.retain(|flight| flight.attempt.lease_until < renew.now);
        flights
    }

    pub(super) fn keep_hash(&mut self, assignment: AssignmentId, stream: Stream, sha256: [u8; 32]) {
        let Ok(entry) = self.current(assignment) else { return };
        let (id, state) = (entry.task.id, entry.task.state);
        let mut attempts = entry.attempts.iter_mut().map(|(attempt, _)| attempt);
        let Some(attempt) = attempts.find(|attempt| attempt.assignment == assignment) else { return };
        let number = attempt.number;
        if attempt.ended_at.is_none() {
            return;
        }
        if let Some(output) =
            attempt.outputs.iter_mut().find(|output| output.stream == stream && output.sha256.is_none())
        {
            output.sha256 = Some(sha256);
            self.note(transition::hashed(id, state, number, transition::system_now()));
        }
    }

    /// Returns the entry of the task that a claim, ended or not, was made of.
    fn current(&mut self, claim: AssignmentId) -> Result<&mut Entry, Error> {
        self.claims.get(&claim).and_then(|id| self.tasks.get_mut(id)).ok_or(Error::Stale(claim))
    }

    fn closed_claim(&mut self, claim: AssignmentId) {
        self.open.retain(|_, open| *open != claim);
    }

    /// Counts a task that has just gone into `state`.
    pub(super) fn total(&mut self, state: State) {
        if state.is_ended() {
            self.processed += 1;
            self.succeeded += u64::from(state == State::Succeeded);
            self.failed += u64::from(matches!(state, State::Failed | State::TimedOut));
        }
    }
}
