//! What is done to schedules, and by them.

use rusqlite::{OptionalExtension, params};

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::schedule::{Overlap, Schedule};
use crate::domain::task::Environment;
use crate::domain::time::Timestamp;
use crate::fault::crash_point;
use crate::store::Error;
use crate::store::schedule::{
    AddSchedule, EditSchedule, Fire, Fired, NoSuchSchedule, PauseSchedules, PerSchedule, RemoveSchedules,
    ResumeSchedules, RunSchedule, ScheduleNotEdited, Which,
};
use crate::store::sqlite::code::{Columns, int};
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::sqlite::{schedule, write};
use crate::store::task::{Added, Cancelled};
use crate::store::transition::{self, Note};

impl Part<'_> {
    pub(in crate::store::sqlite) fn add_schedule(&mut self, add: &AddSchedule) -> Result<Schedule, Undone> {
        let new = &add.schedule;
        if self.row_of(&new.name)?.is_some() {
            return Err(Error::ScheduleExists(new.name.clone()).into());
        }
        let queue = self.queue_of(&new.spec.queue)?;
        let environment = write::environment(self.db, &new.env)?;
        schedule::insert(self.db, add, queue, environment)?;
        self.follow_hooks_of(&new.spec)?;
        self.note(Note::of_schedule(&new.name, ChangeKind::ScheduleAdded, add.now, add.by.clone()))?;
        self.schedule(&new.name)
    }

    /// Returns schedules that are due. One that cannot be read keeps no other one from its turn: it is paused.
    pub(in crate::store::sqlite) fn due_schedules(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Schedule>, Undone> {
        let sql = "SELECT id, name, paused_at IS NOT NULL FROM schedule INDEXED BY schedule_due
            WHERE next_at IS NOT NULL AND next_at <= ?1 ORDER BY next_at, name LIMIT ?2";
        let mut due = self.db.prepare_cached(sql)?;
        let due =
            due.query_map(params![now.0, int(limit as u64)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let due: Vec<(i64, String, bool)> = due.collect::<Result<_, _>>()?;
        let mut schedules = Vec::with_capacity(due.len());
        // By their rows: the index of the names may be what is damaged.
        for (row, name, is_paused) in due {
            let read = match is_paused {
                true => Err(self.damaged("a schedule that is paused and due")),
                false => schedule::in_row(self.db, row).map_err(Undone::from).and_then(|found| self.whole(found)),
            };
            match read {
                Ok(schedule) => schedules.push(schedule),
                Err(undone) => self.put_aside(row, &name, undone, now)?,
            }
        }
        Ok(schedules)
    }

    pub(in crate::store::sqlite) fn fire(&mut self, fires: &[Fire], now: Timestamp) -> Result<Vec<Fired>, Undone> {
        let mut fired = Vec::with_capacity(fires.len());
        for fire in fires {
            match self.undoing(|part| part.fire_one(fire, now)) {
                Ok(one) => fired.push(one),
                Err(undone) => {
                    if let Some(row) = self.row_of(&fire.schedule.name)? {
                        self.put_aside(row, &fire.schedule.name, undone, now)?;
                    }
                    fired.push(Fired::default());
                }
            }
        }
        crash_point("apexd.fire.written");
        Ok(fired)
    }

    fn fire_one(&mut self, fire: &Fire, now: Timestamp) -> Result<Fired, Undone> {
        let Which { name, created_at } = &fire.schedule;
        let sql = "SELECT 1 FROM schedule WHERE name = ?1 AND created_at = ?2 AND next_at = ?3 AND paused_at IS NULL";
        if !self.db.prepare_cached(sql)?.exists(params![name, created_at.0, fire.cursor.0])? {
            return Ok(Fired::default());
        }
        let schedule = self.schedule(name)?;
        if (&schedule.when, &schedule.time_zone) != (&fire.rule.0, &fire.rule.1) {
            return Ok(Fired::default());
        }
        let skipped = |part: &mut Self, reason| {
            part.note(transition::schedule_note(name, ChangeKind::ScheduleSkipped, now, reason))
        };
        if let Some(left_out) = fire.left_out {
            skipped(self, transition::missed(left_out))?;
        }
        let (mut fired, mut last) = (Fired::default(), None);
        let mut after_any = Vec::new();
        let in_the_way = match schedule.overlap {
            Overlap::Skip if !fire.times.is_empty() => self.unended_of(name, 1)?.pop(),
            Overlap::CancelRunning if !fire.times.is_empty() => {
                (after_any, fired.stops) = self.make_room(name, now)?;
                None
            }
            _ => None,
        };
        if let Some(id) = in_the_way {
            skipped(self, transition::waits_for(id))?;
        } else {
            let env = self.environment_of(name)?;
            for (at, uuid) in &fire.times {
                let by = Actor::Schedule(name.clone());
                let add = transition::task_of(&schedule, env.clone(), *uuid, after_any.clone(), by, now);
                let Added { task, created } = self.add_of(&add, Some(name))?;
                if created {
                    fired.tasks.push(task.id);
                    last = Some((*at, task.id));
                } else {
                    skipped(self, transition::waits_for(task.id))?;
                }
            }
        }
        schedule::go_on(self.db, name, fire.next, last)?;
        Ok(fired)
    }

    /// Cancels the tasks of a schedule that have not ended. Returns those that have a process, and their claims.
    fn make_room(&mut self, name: &str, now: Timestamp) -> Result<(Vec<TaskId>, Vec<AssignmentId>), Undone> {
        let unended = self.unended_of(name, usize::MAX)?;
        let answers = self.cancel(&transition::cancel_of(name, unended, now))?;
        let asked = answers.into_iter().filter_map(|(id, answer)| match answer {
            Ok(Cancelled::Asked(claim)) => Some((id, claim)),
            _ => None,
        });
        Ok(asked.unzip())
    }

    pub(in crate::store::sqlite) fn run_schedule(&mut self, run: &RunSchedule) -> Result<Added, Undone> {
        if self.row_of(&run.name)?.is_none() {
            return Err(Error::NoSuchSchedule(run.name.clone()).into());
        }
        let schedule = self.schedule(&run.name)?;
        let env = self.environment_of(&run.name)?;
        let mut add = transition::task_of(&schedule, env, run.uuid, Vec::new(), run.by.clone(), run.now);
        add.untrusted = run.untrusted;
        self.add_of(&add, Some(&run.name))
    }

    pub(in crate::store::sqlite) fn pause_schedules(&mut self, pause: &PauseSchedules) -> Result<PerSchedule, Undone> {
        self.each_schedule(&pause.names, |part, name, row| {
            let sql = "UPDATE schedule SET paused_at = ?2, paused_reason = ?3, next_at = NULL
                WHERE id = ?1 AND paused_at IS NULL";
            if part.db.prepare_cached(sql)?.execute(params![row, pause.now.0, pause.reason])? > 0 {
                let note = Note::of_schedule(name, ChangeKind::SchedulePaused, pause.now, pause.by.clone());
                part.note(note.because(pause.reason.clone()))?;
            }
            Ok(())
        })
    }

    pub(in crate::store::sqlite) fn resume_schedules(
        &mut self,
        resume: &ResumeSchedules,
    ) -> Result<PerSchedule, Undone> {
        let mut answers = Vec::with_capacity(resume.schedules.len());
        for (Which { name, created_at }, next) in &resume.schedules {
            let sql = "SELECT 1 FROM schedule WHERE name = ?1 AND created_at = ?2";
            if !self.db.prepare_cached(sql)?.exists(params![name, created_at.0])? {
                answers.push((name.clone(), Err(NoSuchSchedule)));
                continue;
            }
            let sql = "UPDATE schedule SET paused_at = NULL, paused_reason = NULL, next_at = ?2
                WHERE name = ?1 AND paused_at IS NOT NULL";
            if self.db.prepare_cached(sql)?.execute(params![name, next.map(|at| at.0)])? > 0 {
                let by = resume.by.clone();
                self.note(Note::of_schedule(name, ChangeKind::ScheduleResumed, resume.now, by))?;
            }
            answers.push((name.clone(), Ok(())));
        }
        Ok(answers)
    }

    pub(in crate::store::sqlite) fn edit_schedule(
        &mut self,
        wish: &EditSchedule,
    ) -> Result<Result<Schedule, ScheduleNotEdited>, Undone> {
        let edit = &wish.edit;
        let Some(row) = self.row_of(&edit.name)? else { return Ok(Err(ScheduleNotEdited::NotFound)) };
        let mut schedule = self.schedule(&edit.name)?;
        let next_at = match transition::edit_of_schedule(wish, &schedule) {
            Ok(next_at) => next_at,
            Err(refused) => return Ok(Err(refused)),
        };
        if edit.is_empty() {
            return Ok(Ok(schedule));
        }
        let queue = self.queue_of(&edit.terms.spec.queue)?;
        let mut env_names = schedule.env_names.clone();
        if !edit.set_env.0.is_empty() || !edit.unset_env.is_empty() {
            let env = edit.environment(&self.environment_of(&edit.name)?);
            env_names = env.names().into();
            let new = write::environment(self.db, &env)?;
            let sql = "SELECT environment FROM schedule WHERE id = ?1";
            let old: i64 = self.db.prepare_cached(sql)?.query_row([row], |row| row.get(0))?;
            let sql = "UPDATE schedule SET environment = ?2 WHERE id = ?1";
            self.db.prepare_cached(sql)?.execute(params![row, new])?;
            self.forget_environment(old)?;
        }
        transition::edited_schedule(&mut schedule, &edit.terms, env_names, next_at);
        schedule::change(self.db, row, &schedule, queue)?;
        self.follow_hooks_of(&schedule.spec)?;
        self.note(Note::of_schedule(&edit.name, ChangeKind::ScheduleEdited, wish.now, wish.by.clone()))?;
        Ok(Ok(schedule))
    }

    pub(in crate::store::sqlite) fn remove_schedules(
        &mut self,
        remove: &RemoveSchedules,
    ) -> Result<PerSchedule, Undone> {
        self.each_schedule(&remove.names, |part, name, row| {
            let sql = "DELETE FROM schedule WHERE id = ?1 RETURNING environment";
            let environment: i64 = part.db.prepare_cached(sql)?.query_row([row], |row| row.get(0))?;
            part.forget_environment(environment)?;
            part.note(Note::of_schedule(name, ChangeKind::ScheduleRemoved, remove.now, remove.by.clone()))?;
            Ok(())
        })
    }

    /// Does something to each of some schedules, and answers for each.
    fn each_schedule(
        &mut self,
        names: &[String],
        mut verb: impl FnMut(&mut Self, &str, i64) -> Result<(), Undone>,
    ) -> Result<PerSchedule, Undone> {
        let mut answers = Vec::with_capacity(names.len());
        for name in names {
            let answer = match self.row_of(name)? {
                Some(row) => Ok(verb(self, name, row)?),
                None => Err(NoSuchSchedule),
            };
            answers.push((name.clone(), answer));
        }
        Ok(answers)
    }

    /// Pauses a schedule that cannot go on because of what is stored about it, so that it keeps no other one from its turn;
    /// the log says so.
    ///
    /// Errors: what else is the matter.
    fn put_aside(&mut self, row: i64, name: &str, undone: Undone, now: Timestamp) -> Result<(), Undone> {
        let (reason, error) = match undone {
            Undone::Refused(error @ Error::NoSuchQueue(_)) => (error.to_string(), error),
            undone => (transition::ASIDE.to_owned(), self.damage(undone)?),
        };
        tracing::error!("Cannot go on with schedule {name}, which is paused: {error}");
        let sql = "UPDATE schedule SET paused_at = ?2, paused_reason = ?3, next_at = NULL WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![row, now.0, reason])?;
        self.note(transition::schedule_note(name, ChangeKind::SchedulePaused, now, reason))?;
        Ok(())
    }

    fn row_of(&self, name: &str) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT id FROM schedule WHERE name = ?1";
        self.db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()
    }

    /// Returns a schedule that is there.
    fn schedule(&self, name: &str) -> Result<Schedule, Undone> {
        self.whole(schedule::named(self.db, name)?)
    }

    fn whole(&self, found: Option<Schedule>) -> Result<Schedule, Undone> {
        found.ok_or_else(|| self.damaged("a schedule without its queue or environment"))
    }

    fn environment_of(&self, name: &str) -> rusqlite::Result<Environment> {
        let sql = "SELECT e.content FROM schedule s JOIN environment e ON e.id = s.environment WHERE s.name = ?1";
        self.db.prepare_cached(sql)?.query_row([name], |row| Columns::new(row).cell())
    }

    /// Returns the first tasks of a schedule that have not ended.
    fn unended_of(&self, name: &str, most: usize) -> rusqlite::Result<Vec<TaskId>> {
        let mut unended = self.db.prepare_cached(OVERLAP)?;
        unended.query_map(params![name, int(most as u64)], |row| Columns::new(row).cell())?.collect()
    }
}

/// The tasks of a schedule that have not ended.
pub(in crate::store::sqlite) const OVERLAP: &str = "SELECT id FROM task INDEXED BY task_overlap
    WHERE schedule IS NOT NULL AND schedule = ?1 AND ended_at IS NULL
    AND id > (SELECT after_task FROM schedule WHERE name = ?1) ORDER BY id LIMIT ?2";
