//! Schedules: what may be asked of them, and what is done when they are due.
//!
//! When they are due is worked out here, with the time zones of this machine; the store adds the tasks and moves the
//! cursor on, in one transaction and only if the cursor still stands where it was looked at. So whatever dies in between,
//! a time fires once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing::{error, info};
use uuid::Uuid;

use crate::domain::change::Actor;
use crate::domain::id::{AssignmentId, TaskUuid};
use crate::domain::query::{Added, PerSchedule};
use crate::domain::schedule::{
    InvalidSchedule, Look, NewSchedule, Overlap, Schedule, ScheduleEdit, ScheduleNotEdited, Timetable, When,
};
use crate::domain::task::{State, Stdin};
use crate::domain::time::Timestamp;
use crate::engine::handle::{Shared, refuse_what_cannot_be_had};
use crate::engine::{Error, Handle};
use crate::fault::crash_point;
use crate::store::schedule as verb;
use crate::store::schedule::{Fire, Which};
use crate::store::task::Due;
use crate::store::{self, Store};

/// So many schedules that are due are gone through in one transaction.
const FIRE_MAX: usize = 64;

/// How long schedules are left alone that are due and do not go on.
const STUCK_FOR: Duration = Duration::from_secs(60);

/// How far a clock may be set back for the times in between not to come again when a schedule is resumed.
const BACK_MAX: Duration = Duration::from_hours(24);

/// What came of a look at the clock.
#[derive(Debug)]
pub(super) struct Looked {
    /// How many tasks are ready now, those of schedules among them, also if it could not be gone on with after that.
    pub(super) woken: usize,
    /// When the next look is due.
    pub(super) due: Result<Due, store::Error>,
    /// The claims of tasks that are to be stopped because their schedule is due again.
    pub(super) stops: Vec<AssignmentId>,
    /// Tasks were cancelled, on which others may depend.
    pub(super) unsettled: bool,
}

/// Makes ready what is due, and has schedules add their tasks as long as `fires` holds.
pub(super) async fn look(store: &dyn Store, now: Timestamp, fires: impl Fn() -> bool) -> Looked {
    let mut looked = Looked { woken: 0, due: Ok(Due::default()), stops: Vec::new(), unsettled: false };
    let mut before = None;
    looked.due = loop {
        let due = match store.due(now).await {
            Ok(due) => due,
            Err(error) => break Err(error),
        };
        looked.woken += due.woken;
        if due.schedule.is_none_or(|at| at > now) || !fires() {
            break Ok(due);
        }
        match fire(store, now, &mut looked).await {
            // What has fired is due later, and what cannot go on is paused. If that is not so the store is damaged.
            Ok(fired) if before.as_ref() == Some(&fired.due) => {
                error!("Schedules are due that cannot go on: see what `apex db check` finds");
                break Ok(Due { schedule: Some(now + STUCK_FOR), ..due });
            }
            Ok(fired) => {
                looked.woken += fired.added;
                before = Some(fired.due);
            }
            Err(error) => break Err(error),
        }
    };
    looked
}

/// What was due, and how many tasks that added.
struct FiredAll {
    due: Vec<(Which, Option<Timestamp>, (When, String))>,
    added: usize,
}

/// Has the schedules fire that are due.
async fn fire(store: &dyn Store, now: Timestamp, looked: &mut Looked) -> Result<FiredAll, store::Error> {
    let mut fires = Vec::new();
    let schedules = store.due_schedules(now, FIRE_MAX).await?;
    let rule = |schedule: &Schedule| (schedule.when.clone(), schedule.time_zone.clone());
    let due = schedules.iter().map(|schedule| (Which::of(schedule), schedule.next_at, rule(schedule))).collect();
    for schedule in schedules {
        let Some(cursor) = schedule.next_at else { continue };
        let table = match timetable(&schedule) {
            Ok(table) => table,
            Err(wrong) => {
                // Nobody can tell when it would be due.
                error!("Cannot go on with schedule {}, which is paused: {wrong}", schedule.name);
                let (names, reason) = (vec![schedule.name], Some(wrong.to_string()));
                store.pause_schedules(verb::PauseSchedules { names, reason, by: Actor::Daemon, now }).await?;
                continue;
            }
        };
        let Look { fire, left_out, next } = table.look(schedule.missed, cursor, now);
        looked.unsettled |= schedule.overlap == Overlap::CancelRunning;
        let times = fire.into_iter().map(|at| (at, TaskUuid(Uuid::now_v7()))).collect();
        fires.push(Fire { schedule: Which::of(&schedule), cursor, rule: rule(&schedule), times, left_out, next });
    }
    if fires.is_empty() {
        return Ok(FiredAll { due, added: 0 });
    }
    let names: Vec<String> = fires.iter().map(|fire| fire.schedule.name.clone()).collect();
    let fired = store.fire(fires, now).await?;
    crash_point("apexd.fire.committed");
    let mut added = 0;
    for (name, fired) in names.into_iter().zip(fired) {
        for id in &fired.tasks {
            info!("Schedule {name} added task {id}");
        }
        added += fired.tasks.len();
        looked.stops.extend(fired.stops);
    }
    Ok(FiredAll { due, added })
}

/// Returns when a schedule is due.
fn timetable(schedule: &Schedule) -> Result<Timetable, InvalidSchedule> {
    let zone = zone(&schedule.time_zone)?;
    Ok(Timetable { when: schedule.when.clone(), zone, since: schedule.created_at })
}

/// Returns after when the next time of a schedule is to be that a person lets go on.
fn to_come(schedule: &Schedule, now: Timestamp) -> Timestamp {
    // A clock that was set back brings no time again for which there was a task already.
    // One that was far ahead is not waited for: whoever asks wants it to go on.
    let last = schedule.last_at.filter(|last| last.since(now) < BACK_MAX);
    last.map_or(now, |last| last.max(now))
}

fn zone(name: &str) -> Result<TimeZone, InvalidSchedule> {
    TimeZone::get(name).map_err(|_| InvalidSchedule::TimeZone(name.to_owned()))
}

impl Shared {
    /// Returns whether schedules may add tasks, as far as it is known outside of the loop.
    pub(super) fn fires(&self) -> bool {
        !self.draining.load(Ordering::Acquire)
    }
}

impl Handle {
    /// Returns all schedules, by name.
    pub async fn schedules(&self) -> Result<Vec<Schedule>, Error> {
        Ok(self.shared.store.schedules().await?)
    }

    /// Returns a schedule.
    pub async fn schedule(&self, name: &str) -> Result<Schedule, Error> {
        match self.shared.store.schedule(name.to_owned()).await? {
            Some(schedule) => Ok(schedule),
            None => Err(self.no_such_schedule(name).await),
        }
    }

    /// Adds a schedule. It is due for the first time at the first of its times that comes after now.
    ///
    /// Errors: [`Error::Draining`]; [`Error::Schedule`], also if it would never be due; one of its name is there.
    pub async fn add_schedule(&self, mut new: NewSchedule, by: Actor) -> Result<Schedule, Error> {
        self.refuse_if_draining()?;
        new.env.0.retain(|(name, _)| !(self.is_kept_out)(name));
        new.check()?;
        self.refuse_what_never_fits(&new.spec)?;
        refuse_what_cannot_be_had(&new.spec)?;
        if let Stdin::Upload(upload) = new.spec.stdin {
            self.shared.outputs.check_upload(upload)?;
        }
        let now = (self.shared.world.now)();
        let table = Timetable { when: new.when.clone(), zone: zone(&new.time_zone)?, since: now };
        let next_at = table.first(now)?;
        let has_hooks = !new.spec.hooks.is_empty();
        let schedule = self.shared.store.add_schedule(verb::AddSchedule { schedule: new, next_at, by, now }).await?;
        self.follow_tasks(has_hooks);
        self.clock_changed();
        Ok(schedule)
    }

    /// Adds a task of a schedule at once, whether it is paused, and whatever of it runs. Its times stay as they are.
    pub async fn run_schedule(&self, name: String, uuid: TaskUuid, by: Actor) -> Result<Added, Error> {
        self.refuse_if_draining()?;
        let trusted = self.shared.trusted.read().await;
        let now = (self.shared.world.now)();
        let run = verb::RunSchedule { name, uuid, by, now, untrusted: !*trusted };
        let added = self.shared.store.run_schedule(run).await;
        drop(trusted);
        let added = match added {
            Err(store::Error::NoSuchSchedule(name)) => return Err(self.no_such_schedule(&name).await),
            added => added?,
        };
        if added.task.state == State::Queued {
            self.shared.wake.notify_one();
        }
        Ok(added)
    }

    /// Lets schedules add nothing until they are resumed. Fine for one that is paused.
    pub async fn pause_schedules(&self, names: Vec<String>, by: Actor) -> Result<PerSchedule<Error>, Error> {
        let now = (self.shared.world.now)();
        let answers = self.shared.store.pause_schedules(verb::PauseSchedules { names, reason: None, by, now }).await?;
        self.refusals_of_schedules(answers).await
    }

    /// Lets paused schedules add tasks again, from the first of their times that comes after now; for those in between
    /// there is no task. Fine for one that is not paused.
    pub async fn resume_schedules(&self, names: Vec<String>, by: Actor) -> Result<PerSchedule<Error>, Error> {
        let now = (self.shared.world.now)();
        let mut results = Vec::with_capacity(names.len());
        let mut schedules = Vec::new();
        for name in names {
            let schedule = match self.schedule(&name).await {
                Ok(schedule) => schedule,
                Err(error) => {
                    results.push((name, Err(error)));
                    continue;
                }
            };
            match timetable(&schedule) {
                Ok(table) => {
                    schedules.push((Which::of(&schedule), table.next(to_come(&schedule, now))));
                    results.push((name, Ok(())));
                }
                Err(wrong) => results.push((name, Err(wrong.into()))),
            }
        }
        let answers = self.shared.store.resume_schedules(verb::ResumeSchedules { schedules, by, now }).await?;
        self.clock_changed();
        for (name, answer) in self.refusals_of_schedules(answers).await? {
            if let Some(result) = results.iter_mut().find(|(known, _)| *known == name) {
                result.1 = answer;
            }
        }
        Ok(results)
    }

    /// Changes a schedule. If its times are others than before, it is due next at the first of them that comes after now.
    ///
    /// Errors: [`Error::Schedule`], also if it would never be due; [`Error::ScheduleEditedMeanwhile`], [`Error::NoSuchSchedule`];
    /// what its tasks need or are given cannot be had.
    pub async fn edit_schedule(&self, mut edit: ScheduleEdit, by: Actor) -> Result<Schedule, Error> {
        edit.set_env.0.retain(|(name, _)| !(self.is_kept_out)(name));
        edit.terms.check()?;
        edit.set_env.check()?;
        let (old, new) = (&edit.base.spec, &edit.terms.spec);
        if new.needs != old.needs {
            self.refuse_what_never_fits(new)?;
        }
        if new.confinement != old.confinement {
            refuse_what_cannot_be_had(new)?;
        }
        if let Stdin::Upload(upload) = new.stdin
            && new.stdin != old.stdin
        {
            self.shared.outputs.check_upload(upload)?;
        }
        let has_hooks = !new.hooks.is_empty();
        loop {
            let now = (self.shared.world.now)();
            let next = self.next_by(&edit, now).await?;
            let wish = verb::EditSchedule { edit: edit.clone(), next, by: by.clone(), now };
            let schedule = match self.shared.store.edit_schedule(wish).await? {
                Ok(schedule) => schedule,
                Err(ScheduleNotEdited::NotFound) => return Err(self.no_such_schedule(&edit.name).await),
                Err(ScheduleNotEdited::Changed) => return Err(Error::ScheduleEditedMeanwhile(edit.name)),
                // It has fired, or was paused or resumed, in between.
                Err(ScheduleNotEdited::Moved) => continue,
            };
            self.follow_tasks(has_hooks);
            self.clock_changed();
            return Ok(schedule);
        }
    }

    /// Returns when a schedule is due by other times; `None` if they stay what they are.
    async fn next_by(&self, edit: &ScheduleEdit, now: Timestamp) -> Result<Option<verb::NextByEdit>, Error> {
        let has_other_times = edit.terms.has_other_times(&edit.base);
        if !has_other_times && edit.terms.time_zone == edit.base.time_zone {
            return Ok(None);
        }
        let zone = zone(&edit.terms.time_zone)?;
        if !has_other_times {
            return Ok(None);
        }
        let schedule = self.schedule(&edit.name).await?;
        let table = Timetable { when: edit.terms.when.clone(), zone, since: schedule.created_at };
        let at = schedule.next_by(&table, to_come(&schedule, now), now)?;
        Ok(Some(verb::NextByEdit { cursor: schedule.next_at, at }))
    }

    /// Removes schedules. Their tasks stay, those that wait as well.
    pub async fn remove_schedules(&self, names: Vec<String>, by: Actor) -> Result<PerSchedule<Error>, Error> {
        let now = (self.shared.world.now)();
        let answers = self.shared.store.remove_schedules(verb::RemoveSchedules { names, by, now }).await?;
        self.refusals_of_schedules(answers).await
    }

    async fn refusals_of_schedules(&self, answers: PerSchedule) -> Result<PerSchedule<Error>, Error> {
        let mut told = Vec::with_capacity(answers.len());
        for (name, answer) in answers {
            let answer = match answer {
                Ok(()) => Ok(()),
                Err(_) => Err(self.no_such_schedule(&name).await),
            };
            told.push((name, answer));
        }
        Ok(told)
    }

    /// Returns the error of a name that no schedule has, with the one that may be meant.
    async fn no_such_schedule(&self, name: &str) -> Error {
        let all = self.shared.store.schedules().await.unwrap_or_default();
        let alike = all.into_iter().map(|schedule| (strsim::jaro_winkler(name, &schedule.name), schedule.name));
        let nearest = alike.filter(|(alike, _)| *alike > ALIKE_MIN).max_by(|a, b| a.0.total_cmp(&b.0));
        Error::NoSuchSchedule { name: name.to_owned(), nearest: nearest.map(|(_, name)| name) }
    }
}

/// Names that are less alike are not mistaken for one another.
const ALIKE_MIN: f64 = 0.7;
