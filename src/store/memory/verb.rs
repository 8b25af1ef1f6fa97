//! The verbs that change something.

use std::cmp::Reverse;

use crate::domain::attempt::Stream;
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::queue::lowest_free_slot;
use crate::domain::task::{DEFAULT_QUEUE, State};
use crate::store::Error;
use crate::store::memory::{Entry, Tables};
use crate::store::task::{
    Add, Added, Cancel, Cancelled, Claim, Claimed, Finish, Finished, InFlight, PerTask, Refused, Release, Start,
    Unclaim,
};
use crate::store::transition;

impl Tables {
    pub(super) fn add(&mut self, add: &Add) -> Result<Added, Error> {
        if let Some(entry) = self.uuids.get(&add.task.uuid).and_then(|id| self.tasks.get(id)) {
            return Ok(Added { task: entry.whole(), created: false });
        }
        if add.task.spec.queue != DEFAULT_QUEUE {
            return Err(Error::NoSuchQueue(add.task.spec.queue.clone()));
        }
        let next = self.tasks.last_key_value().map_or(1, |(id, _)| id.get() + 1);
        let id = TaskId::new(next).expect("memory ends before the numbers do");
        let task = transition::added(id, &add.task, add.now);
        self.note(transition::add_note(&task, add));
        self.uuids.insert(task.uuid, id);
        let entry = Entry { task: task.clone(), env: add.task.env.clone(), cancel_reason: None, attempts: Vec::new() };
        self.tasks.insert(id, entry);
        Ok(Added { task, created: true })
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Vec<Claimed> {
        let mut ready: Vec<_> = self
            .tasks
            .values()
            .filter(|entry| entry.task.state == State::Queued)
            .map(|entry| (Reverse(entry.task.spec.priority), entry.task.position, entry.task.id))
            .collect();
        ready.sort_unstable();
        let mut claimed = Vec::new();
        for ((_, _, id), assignment) in ready.into_iter().zip(&claim.assignments) {
            let slots: Vec<u32> = self
                .tasks
                .values()
                .filter(|entry| entry.task.state.is_active())
                .filter_map(|entry| entry.task.slot)
                .collect();
            let entry = self.tasks.get_mut(&id).expect("it was found above");
            let (attempt, note) = transition::claim(&mut entry.task, claim, *assignment, lowest_free_slot(&slots));
            entry.attempts.push((attempt.clone(), claim.boot));
            claimed.push(Claimed { task: entry.task.clone(), attempt, env: entry.env.clone() });
            self.claims.insert(*assignment, id);
            self.claimed += 1;
            self.open.insert(self.claimed, *assignment);
            self.note(note);
        }
        claimed
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
        let ended = entry.task.state;
        self.claims.remove(&unclaim.assignment);
        self.closed_claim(unclaim.assignment);
        self.total(ended);
        for note in notes {
            self.note(note);
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, finish: &Finish) -> Result<Finished, Error> {
        let entry = self.current(finish.assignment)?;
        let attempt = entry.attempts.iter_mut().find(|(attempt, _)| attempt.assignment == finish.assignment);
        let (attempt, _) = attempt.expect("a claim is forgotten together with its attempt");
        if attempt.ended_at.is_some() {
            return Ok(Finished { task: entry.task.clone(), recorded: false });
        }
        let notes = transition::finish(&mut entry.task, attempt, entry.cancel_reason.as_deref(), finish);
        let task = entry.task.clone();
        self.closed_claim(finish.assignment);
        self.total(task.state);
        notes.into_iter().for_each(|note| self.note(note));
        Ok(Finished { task, recorded: true })
    }

    pub(super) fn cancel(&mut self, cancel: &Cancel) -> PerTask<Cancelled> {
        let mut answers = Vec::with_capacity(cancel.ids.len());
        for id in &cancel.ids {
            let answer = match self.tasks.get_mut(id) {
                None => Err(Refused::NotFound),
                Some(Entry { task, cancel_reason, attempts, .. }) => {
                    let open = attempts.last().filter(|(attempt, _)| attempt.ended_at.is_none());
                    let current = open.map(|(attempt, _)| attempt.assignment);
                    transition::cancel(task, cancel_reason, current, cancel).map(|(answer, note)| {
                        if let Some(note) = note {
                            self.total(note.to);
                            self.note(note);
                        }
                        answer
                    })
                }
            };
            answers.push((*id, answer));
        }
        answers
    }

    pub(super) fn release(&mut self, release: &Release) -> PerTask<()> {
        let mut answers = Vec::with_capacity(release.ids.len());
        for id in &release.ids {
            let answer = match self.tasks.get_mut(id) {
                None => Err(Refused::NotFound),
                Some(entry) => transition::release(&mut entry.task, release).map(|note| self.note(note)),
            };
            answers.push((*id, answer));
        }
        answers
    }

    pub(super) fn in_flight(&self) -> Vec<InFlight> {
        let entries = self.open.values().filter_map(|claim| self.claims.get(claim)).filter_map(|id| self.tasks.get(id));
        let last = |entry: &Entry| {
            let (attempt, boot) = entry.attempts.last()?;
            Some(InFlight { task: entry.task.clone(), attempt: attempt.clone(), boot: *boot })
        };
        entries.filter_map(last).collect()
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
    fn total(&mut self, state: State) {
        if state.is_ended() {
            self.processed += 1;
            self.succeeded += u64::from(state == State::Succeeded);
            self.failed += u64::from(matches!(state, State::Failed | State::TimedOut));
        }
    }
}
