//! Schedules.

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::id::TaskId;
use crate::domain::schedule::{Overlap, Schedule, SchedulePause};
use crate::domain::task::Environment;
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::memory::Tables;
use crate::store::schedule::{
    AddSchedule, EditSchedule, Fire, Fired, NoSuchSchedule, PauseSchedules, PerSchedule, RemoveSchedules,
    ResumeSchedules, RunSchedule, ScheduleNotEdited, Which,
};
use crate::store::task::{Added, Cancelled};
use crate::store::transition::{self, Note};

/// What is stored about a schedule.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) schedule: Schedule,
    env: Environment,
    /// How many tasks there had been when it was added: those are none of its own.
    after: u64,
}

impl Tables {
    pub(super) fn all_schedules(&self) -> Vec<Schedule> {
        self.schedules.values().map(|stored| self.told(stored)).collect()
    }

    pub(super) fn schedule_named(&self, name: &str) -> Option<Schedule> {
        self.schedules.get(name).map(|stored| self.told(stored))
    }

    /// Returns a schedule with the newest of its tasks.
    fn told(&self, stored: &Stored) -> Schedule {
        let newest_task = self.tasks_of(stored).last();
        Schedule { newest_task, ..stored.schedule.clone() }
    }

    fn tasks_of(&self, stored: &Stored) -> impl Iterator<Item = TaskId> {
        let tasks = self.tasks.values().map(|entry| &entry.task).filter(|task| task.id.get() > stored.after);
        tasks.filter(|task| task.schedule.as_ref() == Some(&stored.schedule.name)).map(|task| task.id)
    }

    pub(super) fn due_schedules(&self, now: Timestamp, limit: usize) -> Vec<Schedule> {
        let at = |stored: &&Stored| stored.schedule.next_at.filter(|at| *at <= now).is_some();
        let mut due: Vec<Schedule> = self.schedules.values().filter(at).map(|stored| self.told(stored)).collect();
        due.sort_by_key(|schedule| schedule.next_at);
        due.truncate(limit);
        due
    }

    pub(super) fn add_schedule(&mut self, add: &AddSchedule) -> Result<Schedule, Error> {
        let new = &add.schedule;
        if self.schedules.contains_key(&new.name) {
            return Err(Error::ScheduleExists(new.name.clone()));
        }
        if !self.queues.contains_key(&new.spec.queue) {
            return Err(Error::NoSuchQueue(new.spec.queue.clone()));
        }
        let schedule = Schedule {
            name: new.name.clone(),
            when: new.when.clone(),
            time_zone: new.time_zone.clone(),
            missed: new.missed,
            overlap: new.overlap,
            spec: new.spec.clone(),
            env_names: new.env.names().into(),
            pause: new.paused.then_some(SchedulePause { at: add.now, reason: None }),
            next_at: Some(add.next_at).filter(|_| !new.paused),
            last_at: None,
            last_task: None,
            newest_task: None,
            created_at: add.now,
        };
        let stored = Stored { schedule: schedule.clone(), env: new.env.clone(), after: self.added };
        self.follow_hooks_of(&new.spec);
        self.schedules.insert(new.name.clone(), stored);
        self.note(Note::of_schedule(&new.name, ChangeKind::ScheduleAdded, add.now, add.by.clone()));
        Ok(schedule)
    }

    pub(super) fn fire(&mut self, fires: &[Fire], now: Timestamp) -> Vec<Fired> {
        fires.iter().map(|fire| self.fire_one(fire, now)).collect()
    }

    fn fire_one(&mut self, fire: &Fire, now: Timestamp) -> Fired {
        let Which { name, created_at } = &fire.schedule;
        let meant = |stored: &&Stored| {
            let schedule = &stored.schedule;
            let is_same = schedule.created_at == *created_at && schedule.next_at == Some(fire.cursor);
            is_same && (&schedule.when, &schedule.time_zone) == (&fire.rule.0, &fire.rule.1)
        };
        let Some(Stored { schedule, env, .. }) = self.schedules.get(name).filter(meant).cloned() else {
            return Fired::default();
        };
        let skipped = |tables: &mut Self, reason| {
            tables.note(transition::schedule_note(name, ChangeKind::ScheduleSkipped, now, reason));
        };
        if let Some(left_out) = fire.left_out {
            skipped(self, transition::missed(left_out));
        }
        let (mut fired, mut last) = (Fired::default(), None);
        let mut after_any = Vec::new();
        let in_the_way = match schedule.overlap {
            Overlap::Skip if !fire.times.is_empty() => self.unended_of(name).first().copied(),
            Overlap::CancelRunning if !fire.times.is_empty() => {
                let cancel = transition::cancel_of(name, self.unended_of(name), now);
                let asked = self.cancel(&cancel).into_iter().filter_map(|(id, answer)| match answer {
                    Ok(Cancelled::Asked(claim)) => Some((id, claim)),
                    _ => None,
                });
                (after_any, fired.stops) = asked.unzip();
                None
            }
            _ => None,
        };
        if let Some(id) = in_the_way {
            skipped(self, transition::waits_for(id));
        } else {
            for (at, uuid) in &fire.times {
                let by = Actor::Schedule(name.clone());
                let add = transition::task_of(&schedule, env.clone(), *uuid, after_any.clone(), by, now);
                match self.add_of(&add, Some(name)) {
                    Ok(Added { task, created: true }) => {
                        fired.tasks.push(task.id);
                        last = Some((*at, task.id));
                    }
                    Ok(Added { task, .. }) => skipped(self, transition::waits_for(task.id)),
                    // Its queue stays as long as it is there, and what it waits for was found just now.
                    Err(_) => {}
                }
            }
        }
        if let Some(stored) = self.schedules.get_mut(name) {
            stored.schedule.next_at = fire.next;
            if let Some((at, task)) = last {
                (stored.schedule.last_at, stored.schedule.last_task) = (Some(at), Some(task));
            }
        }
        fired
    }

    fn unended_of(&self, name: &str) -> Vec<TaskId> {
        let tasks = self.schedules.get(name).into_iter().flat_map(|stored| self.tasks_of(stored));
        tasks.filter(|id| self.tasks.get(id).is_some_and(|entry| !entry.task.state.is_ended())).collect()
    }

    pub(super) fn run_schedule(&mut self, run: &RunSchedule) -> Result<Added, Error> {
        let stored = self.schedules.get(&run.name).cloned();
        let Stored { schedule, env, .. } = stored.ok_or_else(|| Error::NoSuchSchedule(run.name.clone()))?;
        let mut add = transition::task_of(&schedule, env, run.uuid, Vec::new(), run.by.clone(), run.now);
        add.untrusted = run.untrusted;
        self.add_of(&add, Some(&run.name))
    }

    pub(super) fn pause_schedules(&mut self, pause: &PauseSchedules) -> PerSchedule {
        let mut answers = Vec::with_capacity(pause.names.len());
        for name in &pause.names {
            let Some(Stored { schedule, .. }) = self.schedules.get_mut(name) else {
                answers.push((name.clone(), Err(NoSuchSchedule)));
                continue;
            };
            if schedule.pause.is_none() {
                schedule.pause = Some(SchedulePause { at: pause.now, reason: pause.reason.clone() });
                schedule.next_at = None;
                let note = Note::of_schedule(name, ChangeKind::SchedulePaused, pause.now, pause.by.clone());
                self.note(note.because(pause.reason.clone()));
            }
            answers.push((name.clone(), Ok(())));
        }
        answers
    }

    pub(super) fn resume_schedules(&mut self, resume: &ResumeSchedules) -> PerSchedule {
        let mut answers = Vec::with_capacity(resume.schedules.len());
        for (Which { name, created_at }, next) in &resume.schedules {
            let stored = self.schedules.get_mut(name).filter(|stored| stored.schedule.created_at == *created_at);
            let Some(Stored { schedule, .. }) = stored else {
                answers.push((name.clone(), Err(NoSuchSchedule)));
                continue;
            };
            if schedule.pause.take().is_some() {
                schedule.next_at = *next;
                self.note(Note::of_schedule(name, ChangeKind::ScheduleResumed, resume.now, resume.by.clone()));
            }
            answers.push((name.clone(), Ok(())));
        }
        answers
    }

    pub(super) fn edit_schedule(&mut self, wish: &EditSchedule) -> Result<Result<Schedule, ScheduleNotEdited>, Error> {
        let edit = &wish.edit;
        let Some(stored) = self.schedules.get(&edit.name) else { return Ok(Err(ScheduleNotEdited::NotFound)) };
        let next_at = match transition::edit_of_schedule(wish, &stored.schedule) {
            Ok(next_at) => next_at,
            Err(refused) => return Ok(Err(refused)),
        };
        if !edit.is_empty() {
            let queue = &edit.terms.spec.queue;
            if *queue != edit.base.spec.queue && !self.queues.contains_key(queue) {
                return Err(Error::NoSuchQueue(queue.clone()));
            }
            self.follow_hooks_of(&edit.terms.spec);
            if let Some(Stored { schedule, env, .. }) = self.schedules.get_mut(&edit.name) {
                *env = edit.environment(env);
                let env_names = env.names().into();
                transition::edited_schedule(schedule, &edit.terms, env_names, next_at);
            }
            self.note(Note::of_schedule(&edit.name, ChangeKind::ScheduleEdited, wish.now, wish.by.clone()));
        }
        Ok(self.schedule_named(&edit.name).ok_or(ScheduleNotEdited::NotFound))
    }

    pub(super) fn remove_schedules(&mut self, remove: &RemoveSchedules) -> PerSchedule {
        let mut answers = Vec::with_capacity(remove.names.len());
        for name in &remove.names {
            let answer = self.schedules.remove(name).map(|_| ()).ok_or(NoSuchSchedule);
            if answer.is_ok() {
                self.note(Note::of_schedule(name, ChangeKind::ScheduleRemoved, remove.now, remove.by.clone()));
            }
            answers.push((name.clone(), answer));
        }
        answers
    }
}
