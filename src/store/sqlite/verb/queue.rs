//! What is done to queues.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::queue::Queue;
use crate::domain::task::DEFAULT_QUEUE;
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::queue::{PauseQueues, PerQueue, QueueRefused, SetQueue, SteerQueues, WeighQueue};
use crate::store::sqlite::read;
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::transition::{Note, slots_in_words, weight_in_words};

impl Part<'_> {
    pub(in crate::store::sqlite) fn add_queue(&mut self, add: &SetQueue) -> Result<Queue, Undone> {
        if self.queue_id(&add.name)?.is_some() {
            return Err(Error::QueueExists(add.name.clone()).into());
        }
        self.make_queue(&add.name, add.slots)?;
        self.note(Note::of_queue(&add.name, ChangeKind::QueueAdded, add.now, add.by.clone()))?;
        self.queue(&add.name)
    }

    pub(in crate::store::sqlite) fn set_queue(&mut self, set: &SetQueue) -> Result<Queue, Undone> {
        let Some(id) = self.queue_id(&set.name)? else { return Err(Error::NoSuchQueue(set.name.clone()).into()) };
        let sql = "UPDATE queue SET slots = ?2 WHERE id = ?1 AND slots <> ?2";
        if self.db.prepare_cached(sql)?.execute(params![id, set.slots])? > 0 {
            let note = Note::of_queue(&set.name, ChangeKind::QueueChanged, set.now, set.by.clone());
            self.note(note.because(Some(slots_in_words(set.slots))))?;
        }
        self.queue(&set.name)
    }

    pub(in crate::store::sqlite) fn weigh_queue(&mut self, weigh: &WeighQueue) -> Result<Queue, Undone> {
        let Some(id) = self.queue_id(&weigh.name)? else { return Err(Error::NoSuchQueue(weigh.name.clone()).into()) };
        let sql = "UPDATE queue SET weight = ?2 WHERE id = ?1 AND weight IS NOT ?2";
        if self.db.prepare_cached(sql)?.execute(params![id, weigh.weight])? > 0 {
            let note = Note::of_queue(&weigh.name, ChangeKind::QueueChanged, weigh.now, weigh.by.clone());
            self.note(note.because(Some(weight_in_words(weigh.weight))))?;
        }
        self.queue(&weigh.name)
    }

    pub(in crate::store::sqlite) fn configure_weights(
        &mut self,
        weights: &BTreeMap<String, u32>,
        now: Timestamp,
    ) -> Result<(), Undone> {
        for (name, weight) in weights {
            if self.queue_id(name)?.is_none() {
                self.make_queue(name, 0)?;
                self.note(Note::of_queue(name, ChangeKind::QueueAdded, now, Actor::Daemon))?;
            }
            let sql = "UPDATE queue SET weight = ?2
                WHERE name = ?1 AND configured_weight IS NOT ?2 AND weight IS NOT ?2";
            if self.db.prepare_cached(sql)?.execute(params![name, weight])? > 0 {
                let note = Note::of_queue(name, ChangeKind::QueueChanged, now, Actor::Daemon);
                self.note(note.because(Some(weight_in_words(Some(*weight)))))?;
            }
            let sql = "UPDATE queue SET configured_weight = ?2 WHERE name = ?1 AND configured_weight IS NOT ?2";
            self.db.prepare_cached(sql)?.execute(params![name, weight])?;
        }
        // What it says no longer holds no longer, unless people have said otherwise since.
        let sql =
            "SELECT id, name, weight IS configured_weight FROM queue WHERE configured_weight IS NOT NULL ORDER BY name";
        let mut known = self.db.prepare_cached(sql)?;
        let known = known.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let known: Vec<(i64, String, bool)> = known.collect::<Result<_, _>>()?;
        for (id, name, follows) in known.into_iter().filter(|(_, name, _)| !weights.contains_key(name)) {
            let sql = "UPDATE queue SET configured_weight = NULL, weight = iif(?2, NULL, weight) WHERE id = ?1";
            self.db.prepare_cached(sql)?.execute(params![id, follows])?;
            if follows {
                let note = Note::of_queue(&name, ChangeKind::QueueChanged, now, Actor::Daemon);
                self.note(note.because(Some(weight_in_words(None))))?;
            }
        }
        Ok(())
    }

    pub(in crate::store::sqlite) fn pause_queues(&mut self, pause: &PauseQueues) -> Result<PerQueue, Undone> {
        let mut answers = Vec::with_capacity(pause.names.len());
        for name in &pause.names {
            let Some(id) = self.queue_id(name)? else {
                answers.push((name.clone(), Err(QueueRefused::NotFound)));
                continue;
            };
            let sql = "UPDATE queue SET paused_at = ifnull(paused_at, ?2), paused_reason = ?3, paused_until = ?4
                WHERE id = ?1 AND (paused_at IS NULL OR paused_reason IS NOT ?3 OR paused_until IS NOT ?4)";
            let until = pause.until.map(|until| until.0);
            if self.db.prepare_cached(sql)?.execute(params![id, pause.now.0, pause.reason, until])? > 0 {
                let note = Note::of_queue(name, ChangeKind::QueuePaused, pause.now, pause.by.clone());
                self.note(note.because(pause.reason.clone()))?;
            }
            answers.push((name.clone(), Ok(())));
        }
        Ok(answers)
    }

    pub(in crate::store::sqlite) fn resume_queues(&mut self, resume: &SteerQueues) -> Result<PerQueue, Undone> {
        let mut answers = Vec::with_capacity(resume.names.len());
        for name in &resume.names {
            let known = self.queue_id(name)?.is_some();
            if known && self.let_go_on(name)? {
                self.note(Note::of_queue(name, ChangeKind::QueueResumed, resume.now, resume.by.clone()))?;
            }
            answers.push((name.clone(), if known { Ok(()) } else { Err(QueueRefused::NotFound) }));
        }
        Ok(answers)
    }

    pub(in crate::store::sqlite) fn remove_queues(&mut self, remove: &SteerQueues) -> Result<PerQueue, Undone> {
        let mut answers = Vec::with_capacity(remove.names.len());
        for name in &remove.names {
            let answer = match self.queue_id(name)? {
                None => Err(QueueRefused::NotFound),
                Some(_) if name == DEFAULT_QUEUE => Err(QueueRefused::Default),
                Some(id) => match read::unended_in(self.db, id)? {
                    0 => read::schedule_into(self.db, id)?.map_or(Ok(id), |name| Err(QueueRefused::Scheduled(name))),
                    tasks => Err(QueueRefused::InUse(tasks)),
                },
            };
            if let Ok(id) = answer {
                // The row stays: what has ended names it, and to delete it SQLite would look through all tasks. Whoever makes it anew says its slots anew; a task that is tried again brings it back with those it had.
                let sql = "UPDATE queue SET gone = 1, configured = NULL, weight = NULL, configured_weight = NULL, paused_at = NULL,
                    paused_reason = NULL, paused_until = NULL WHERE id = ?1";
                self.db.prepare_cached(sql)?.execute([id])?;
                self.note(Note::of_queue(name, ChangeKind::QueueRemoved, remove.now, remove.by.clone()))?;
            }
            answers.push((name.clone(), answer.map(|_| ())));
        }
        Ok(answers)
    }

    pub(in crate::store::sqlite) fn configure_queues(
        &mut self,
        slots: &BTreeMap<String, u32>,
        now: Timestamp,
    ) -> Result<(), Undone> {
        for (name, slots) in slots {
            let kind = match self.queue_id(name)? {
                None => {
                    self.make_queue(name, *slots)?;
                    Some(ChangeKind::QueueAdded)
                }
                Some(id) => {
                    let sql = "UPDATE queue SET slots = ?2 WHERE id = ?1 AND configured IS NOT ?2 AND slots <> ?2";
                    let changed = self.db.prepare_cached(sql)?.execute(params![id, slots])? > 0;
                    changed.then_some(ChangeKind::QueueChanged)
                }
            };
            let sql = "UPDATE queue SET configured = ?2 WHERE name = ?1 AND configured IS NOT ?2";
            self.db.prepare_cached(sql)?.execute(params![name, slots])?;
            if let Some(kind) = kind {
                let note = Note::of_queue(name, kind, now, Actor::Daemon);
                self.note(note.because(Some(slots_in_words(*slots))))?;
            }
        }
        self.deconfigure_queues(slots, now)
    }

    /// Takes back what the configuration said of queues that it no longer names, unless people have said otherwise since.
    fn deconfigure_queues(&mut self, named: &BTreeMap<String, u32>, now: Timestamp) -> Result<(), Undone> {
        let sql =
            "SELECT id, name, slots = configured AND slots <> 0 FROM queue WHERE configured IS NOT NULL ORDER BY name";
        let mut known = self.db.prepare_cached(sql)?;
        let known = known.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let known: Vec<(i64, String, bool)> = known.collect::<Result<_, _>>()?;
        for (id, name, follows) in known.into_iter().filter(|(_, name, _)| !named.contains_key(name)) {
            let sql = "UPDATE queue SET configured = NULL, slots = iif(?2, 0, slots) WHERE id = ?1";
            self.db.prepare_cached(sql)?.execute(params![id, follows])?;
            if follows {
                let note = Note::of_queue(&name, ChangeKind::QueueChanged, now, Actor::Daemon);
                self.note(note.because(Some(slots_in_words(0))))?;
            }
        }
        Ok(())
    }

    /// Ends the pause of a queue; returns whether there was one.
    pub(super) fn let_go_on(&self, name: &str) -> rusqlite::Result<bool> {
        let sql = "UPDATE queue SET paused_at = NULL, paused_reason = NULL, paused_until = NULL
            WHERE name = ?1 AND paused_at IS NOT NULL";
        let was_paused = self.db.prepare_cached(sql)?.execute([name])? > 0;
        if was_paused {
            // Whoever waits for a resource in it begins anew: meanwhile it did not wait for that.
            let sql = "DELETE FROM short WHERE task IN
                (SELECT s.task FROM short s JOIN task t ON t.id = s.task JOIN queue q ON q.id = t.queue WHERE q.name = ?1)";
            self.db.prepare_cached(sql)?.execute([name])?;
        }
        Ok(was_paused)
    }

    fn make_queue(&self, name: &str, slots: u32) -> rusqlite::Result<()> {
        let sql = "INSERT INTO queue (name, slots) VALUES (?1, ?2)
            ON CONFLICT (name) DO UPDATE SET gone = 0, slots = ?2";
        self.db.prepare_cached(sql)?.execute(params![name, slots])?;
        Ok(())
    }

    pub(super) fn queue_id(&self, name: &str) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT id FROM queue WHERE name = ?1 AND gone = 0";
        self.db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()
    }

    fn queue(&self, name: &str) -> Result<Queue, Undone> {
        let all = read::queues(self.db)?;
        let found = all.into_iter().find(|queue| queue.name == name);
        found.ok_or_else(|| Error::NoSuchQueue(name.to_owned()).into())
    }
}
