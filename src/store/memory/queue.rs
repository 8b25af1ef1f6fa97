//! Queues.

use std::collections::BTreeMap;

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::queue::{Queue, QueuePause};
use crate::domain::task::{DEFAULT_QUEUE, State};
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::memory::Tables;
use crate::store::queue::{PauseQueues, PerQueue, QueueCount, QueueRefused, SetQueue, SteerQueues, WeighQueue};
use crate::store::transition::{Note, slots_in_words, weight_in_words};

/// What is stored about a queue.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) slots: u32,
    pub(super) weight: Option<u32>,
    configured: Option<u32>,
    configured_weight: Option<u32>,
    pub(super) pause: Option<QueuePause>,
}

impl Tables {
    pub(super) fn all_queues(&self) -> Vec<Queue> {
        let whole = |(name, queue): (&String, &Stored)| Queue {
            name: name.clone(),
            slots: queue.slots,
            weight: queue.weight,
            pause: queue.pause.clone(),
            active: self.count(name, State::is_active),
            queued: self.count(name, |state| state == State::Queued),
            waiting: self.count(name, State::is_waiting),
        };
        self.queues.iter().map(whole).collect()
    }

    pub(super) fn queue_counts(&self) -> Vec<QueueCount> {
        let mut counts = BTreeMap::new();
        for entry in self.tasks.values() {
            *counts.entry((entry.task.spec.queue.clone(), entry.task.state)).or_insert(0) += 1;
        }
        counts.into_iter().map(|((queue, state), n)| (queue, state, n)).collect()
    }

    pub(super) fn add_queue(&mut self, add: &SetQueue) -> Result<Queue, Error> {
        if self.queues.contains_key(&add.name) {
            return Err(Error::QueueExists(add.name.clone()));
        }
        self.queues.insert(add.name.clone(), Stored { slots: add.slots, ..Stored::default() });
        self.note(Note::of_queue(&add.name, ChangeKind::QueueAdded, add.now, add.by.clone()));
        self.queue(&add.name)
    }

    pub(super) fn set_queue(&mut self, set: &SetQueue) -> Result<Queue, Error> {
        let queue = self.queues.get_mut(&set.name).ok_or_else(|| Error::NoSuchQueue(set.name.clone()))?;
        if std::mem::replace(&mut queue.slots, set.slots) != set.slots {
            let note = Note::of_queue(&set.name, ChangeKind::QueueChanged, set.now, set.by.clone());
            self.note(note.because(Some(slots_in_words(set.slots))));
        }
        self.queue(&set.name)
    }

    pub(super) fn weigh_queue(&mut self, weigh: &WeighQueue) -> Result<Queue, Error> {
        let queue = self.queues.get_mut(&weigh.name).ok_or_else(|| Error::NoSuchQueue(weigh.name.clone()))?;
        if std::mem::replace(&mut queue.weight, weigh.weight) != weigh.weight {
            let note = Note::of_queue(&weigh.name, ChangeKind::QueueChanged, weigh.now, weigh.by.clone());
            self.note(note.because(Some(weight_in_words(weigh.weight))));
        }
        self.queue(&weigh.name)
    }

    pub(super) fn configure_weights(&mut self, weights: &BTreeMap<String, u32>, now: Timestamp) {
        for (name, weight) in weights {
            if !self.queues.contains_key(name) {
                self.queues.insert(name.clone(), Stored::default());
                self.note(Note::of_queue(name, ChangeKind::QueueAdded, now, Actor::Daemon));
            }
            let Some(queue) = self.queues.get_mut(name) else { continue };
            let is_news = queue.configured_weight.replace(*weight) != Some(*weight);
            if is_news && queue.weight.replace(*weight) != Some(*weight) {
                let note = Note::of_queue(name, ChangeKind::QueueChanged, now, Actor::Daemon);
                self.note(note.because(Some(weight_in_words(Some(*weight)))));
            }
        }
        let mut notes = Vec::new();
        for (name, queue) in self.queues.iter_mut().filter(|(name, _)| !weights.contains_key(*name)) {
            let configured = queue.configured_weight.take();
            if configured.is_some() && configured == queue.weight {
                queue.weight = None;
                let note = Note::of_queue(name, ChangeKind::QueueChanged, now, Actor::Daemon);
                notes.push(note.because(Some(weight_in_words(None))));
            }
        }
        notes.into_iter().for_each(|note| self.note(note));
    }

    pub(super) fn pause_queues(&mut self, pause: &PauseQueues) -> PerQueue {
        let mut answers = Vec::with_capacity(pause.names.len());
        for name in &pause.names {
            let Some(queue) = self.queues.get_mut(name) else {
                answers.push((name.clone(), Err(QueueRefused::NotFound)));
                continue;
            };
            let at = queue.pause.as_ref().map_or(pause.now, |pause| pause.at);
            let new = Some(QueuePause { at, reason: pause.reason.clone(), until: pause.until });
            if queue.pause != new {
                queue.pause = new;
                let note = Note::of_queue(name, ChangeKind::QueuePaused, pause.now, pause.by.clone());
                self.note(note.because(pause.reason.clone()));
            }
            answers.push((name.clone(), Ok(())));
        }
        answers
    }

    pub(super) fn resume_queues(&mut self, resume: &SteerQueues) -> PerQueue {
        let mut answers = Vec::with_capacity(resume.names.len());
        for name in &resume.names {
            let answer = match self.queues.get_mut(name) {
                None => Err(QueueRefused::NotFound),
                Some(queue) => {
                    if queue.pause.take().is_some() {
                        self.wait_anew(name);
                        self.note(Note::of_queue(name, ChangeKind::QueueResumed, resume.now, resume.by.clone()));
                    }
                    Ok(())
                }
            };
            answers.push((name.clone(), answer));
        }
        answers
    }

    pub(super) fn remove_queues(&mut self, remove: &SteerQueues) -> PerQueue {
        let mut answers = Vec::with_capacity(remove.names.len());
        for name in &remove.names {
            let answer = match self.count(name, |state| !state.is_ended()) {
                _ if !self.queues.contains_key(name) => Err(QueueRefused::NotFound),
                _ if name == DEFAULT_QUEUE => Err(QueueRefused::Default),
                0 if self.scheduled_into(name).is_some() => {
                    Err(QueueRefused::Scheduled(self.scheduled_into(name).unwrap_or_default()))
                }
                0 => {
                    let slots = self.queues.remove(name).map_or(0, |queue| queue.slots);
                    self.gone.insert(name.clone(), slots);
                    self.note(Note::of_queue(name, ChangeKind::QueueRemoved, remove.now, remove.by.clone()));
                    Ok(())
                }
                tasks => Err(QueueRefused::InUse(tasks)),
            };
            answers.push((name.clone(), answer));
        }
        answers
    }

    /// Whoever waits for a resource in a queue that was paused begins anew: meanwhile it did not wait for that.
    pub(super) fn wait_anew(&mut self, queue: &str) {
        let tasks = &self.tasks;
        self.short.retain(|id, _| tasks.get(id).is_some_and(|entry| entry.task.spec.queue != queue));
    }

    /// Brings back the queue of a task that is to run again, if the queue was removed since.
    pub(super) fn bring_queue_back(&mut self, name: &str, by: Actor, now: Timestamp) {
        if !self.queues.contains_key(name) {
            let slots = self.gone.get(name).copied().unwrap_or(0);
            self.queues.insert(name.to_owned(), Stored { slots, ..Stored::default() });
            self.note(Note::of_queue(name, ChangeKind::QueueAdded, now, by).because(Some(slots_in_words(slots))));
        }
    }

    pub(super) fn configure_queues(&mut self, slots: &BTreeMap<String, u32>, now: Timestamp) {
        let mut notes = Vec::new();
        for (name, slots) in slots {
            let kind = match self.queues.get_mut(name) {
                None => {
                    let queue = Stored { slots: *slots, configured: Some(*slots), ..Stored::default() };
                    self.queues.insert(name.clone(), queue);
                    Some(ChangeKind::QueueAdded)
                }
                Some(queue) => {
                    let is_news = queue.configured.replace(*slots) != Some(*slots);
                    let changed = is_news && std::mem::replace(&mut queue.slots, *slots) != *slots;
                    changed.then_some(ChangeKind::QueueChanged)
                }
            };
            if let Some(kind) = kind {
                let note = Note::of_queue(name, kind, now, Actor::Daemon);
                notes.push(note.because(Some(slots_in_words(*slots))));
            }
        }
        for (name, queue) in self.queues.iter_mut().filter(|(name, _)| !slots.contains_key(*name)) {
            let configured = queue.configured.take();
            if configured == Some(queue.slots) && std::mem::take(&mut queue.slots) != 0 {
                let note = Note::of_queue(name, ChangeKind::QueueChanged, now, Actor::Daemon);
                notes.push(note.because(Some(slots_in_words(0))));
            }
        }
        notes.into_iter().for_each(|note| self.note(note));
    }

    fn queue(&self, name: &str) -> Result<Queue, Error> {
        let found = self.all_queues().into_iter().find(|queue| queue.name == name);
        found.ok_or_else(|| Error::NoSuchQueue(name.to_owned()))
    }

    /// Returns the first schedule, by name, that adds its tasks to a queue.
    fn scheduled_into(&self, queue: &str) -> Option<String> {
        let mut schedules = self.schedules.values().map(|stored| &stored.schedule);
        schedules.find(|schedule| schedule.spec.queue == queue).map(|schedule| schedule.name.clone())
    }

    fn count(&self, queue: &str, wanted: impl Fn(State) -> bool) -> u64 {
        let of = |task: &crate::domain::task::Task| task.spec.queue == queue && wanted(task.state);
        self.tasks.values().filter(|entry| of(&entry.task)).count() as u64
    }
}
