//! Changing a schedule that is there.

use std::ffi::OsString;

use crate::domain::edit::environment_of;
use crate::domain::schedule::{InvalidSchedule, Missed, Overlap, Schedule, Timetable, When, check_terms};
use crate::domain::task::{Environment, TaskSpec};
use crate::domain::time::Timestamp;

/// What can be changed of a schedule, besides the environment of its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// When it is due.
    pub when: When,
    /// The time zone's name in the IANA database.
    pub time_zone: String,
    /// What becomes of times that were missed.
    pub missed: Missed,
    /// What happens while a task of it has not ended.
    pub overlap: Overlap,
    /// What its tasks are to do.
    pub spec: TaskSpec,
}

/// What is to become of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEdit {
    /// Its name.
    pub name: String,
    /// When it was added: another one of its name is not meant.
    pub created_at: Timestamp,
    /// What it was when whoever asks last looked: if that is not so any more, nothing is changed.
    pub base: Terms,
    /// What it is from now on.
    pub terms: Terms,
    /// Variables that are set over the environment of its tasks.
    pub set_env: Environment,
    /// Variables that are taken out of it.
    pub unset_env: Vec<OsString>,
}

/// Why a schedule was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleNotEdited {
    /// There is none of that name.
    NotFound,
    /// Somebody else has changed it, or has made it anew.
    Changed,
    /// It is due at another time than when its next one was worked out: that is to be done once more.
    Moved,
}

impl Terms {
    /// Returns those of a schedule.
    pub fn of(schedule: &Schedule) -> Self {
        Self {
            when: schedule.when.clone(),
            time_zone: schedule.time_zone.clone(),
            missed: schedule.missed,
            overlap: schedule.overlap,
            spec: schedule.spec.clone(),
        }
    }

    /// Checks what can be checked without a clock and without the zone, as for a new schedule.
    pub fn check(&self) -> Result<(), InvalidSchedule> {
        check_terms(&self.when, self.overlap, &self.spec)
    }

    /// Returns whether the times are others: by another rule, or on another clock where one counts.
    pub fn has_other_times(&self, than: &Self) -> bool {
        let has_other_clock = matches!(self.when, When::Cron(_)) && self.time_zone != than.time_zone;
        self.when != than.when || has_other_clock
    }
}

impl ScheduleEdit {
    /// Returns whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.base == self.terms && self.set_env.0.is_empty() && self.unset_env.is_empty()
    }

    /// Refuses to change what is not what it was.
    pub fn check(&self, schedule: &Schedule) -> Result<(), ScheduleNotEdited> {
        let is_same = schedule.created_at == self.created_at && Terms::of(schedule) == self.base;
        if is_same { Ok(()) } else { Err(ScheduleNotEdited::Changed) }
    }

    /// Returns the environment that comes of one.
    pub fn environment(&self, env: &Environment) -> Environment {
        environment_of(env, &self.set_env, &self.unset_env)
    }
}

impl Schedule {
    /// Returns when a schedule whose times are now those of `table` is due next, if it is not paused.
    ///
    /// Shape: the first of its times after `from`; but a time that had come by `now`, and for which nobody has looked yet, is still
    /// to fire. Errors: there is no such time.
    pub fn next_by(&self, table: &Timetable, from: Timestamp, now: Timestamp) -> Result<Timestamp, InvalidSchedule> {
        let first = table.first(from)?;
        Ok(self.next_at.filter(|at| *at <= now).unwrap_or(first))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::schedule::Cron;
    use crate::view::samples::schedule;

    fn table(when: When) -> Timetable {
        Timetable { when, zone: TimeZone::UTC, since: Timestamp(0) }
    }

    #[test]
    fn a_schedule_is_changed_only_as_it_was_seen() {
        let (seen, nothing) = (schedule(), Environment::default());
        let terms = Terms::of(&seen);
        let (name, created_at) = (seen.name.clone(), seen.created_at);
        let mut edit =
            ScheduleEdit { name, created_at, base: terms.clone(), terms, set_env: nothing, unset_env: Vec::new() };
        assert!(edit.is_empty());
        edit.terms.missed = Missed::All;
        assert!(!edit.is_empty() && !edit.terms.has_other_times(&edit.base));
        edit.terms.time_zone = "Asia/Tokyo".to_owned();
        assert!(edit.terms.has_other_times(&edit.base));
        assert_eq!(edit.check(&seen), Ok(()));
        let paused = Schedule { next_at: None, ..seen.clone() };
        assert_eq!(edit.check(&paused), Ok(()), "when it is due next is nothing that anybody sets");
        let anew = Schedule { created_at: Timestamp(1), ..seen.clone() };
        assert_eq!(edit.check(&anew), Err(ScheduleNotEdited::Changed));
        let other = Schedule { overlap: Overlap::Queue, ..seen };
        assert_eq!(edit.check(&other), Err(ScheduleNotEdited::Changed));
    }

    #[test]
    fn other_times_are_those_to_come_and_what_has_come_already() {
        let hourly = table(When::Every(Duration::from_secs(3_600)));
        let at = |next: Option<i64>| Schedule { next_at: next.map(Timestamp), ..schedule() };
        let next = |next, from, now| at(next).next_by(&hourly, Timestamp(from), Timestamp(now)).unwrap().0;
        assert_eq!(next(Some(9_999_999), 10, 10), 3_600_000);
        assert_eq!(next(None, 10, 10), 3_600_000);
        assert_eq!(next(Some(10), 10, 10), 10, "it has come, and nobody has looked yet");
        assert_eq!(next(Some(9_999_999), 3_600_000, 10), 7_200_000, "what has fired does not fire again");
        let never = table(When::Cron(Cron::parse("0 0 30 2 *").unwrap()));
        let refused = at(Some(10)).next_by(&never, Timestamp(10), Timestamp(10));
        assert!(matches!(refused, Err(InvalidSchedule::Never(_))));
    }
}
