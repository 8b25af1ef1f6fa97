//! Schedules: when tasks are added by themselves, and what becomes of times at which nobody was there.
//!
//! Reading order: here (what a schedule is) → [`Cron`] (a cron line) → [`Timetable`] (when it is due, on the clock of a
//! time zone) → [`Look`] (what follows when somebody looks, perhaps late) → [`ScheduleEdit`] (changing one).

use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::TaskId;
use crate::domain::task::{Environment, InvalidSpec, TaskSpec};
use crate::domain::time::Timestamp;

mod cron;
mod edit;
mod look;
mod timetable;

pub use cron::{Cron, Field, InvalidCron};
pub use edit::{ScheduleEdit, ScheduleNotEdited, Terms};
pub use look::{LATE_AFTER, Look, MISSED_MAX};
pub use timetable::Timetable;

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// By a cron line, on the clock of the schedule's time zone.
    Cron(Cron),
    /// Again and again after this time, counted from when the schedule was added; whatever clocks on walls are set to.
    Every(Duration),
    /// Once.
    At(Timestamp),
}

/// What becomes of times that have passed while nobody was there: the daemon was down, the machine slept, the clock was
/// set forward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One task for all of them.
    #[default]
    Once,
    /// A task for each, the latest [`MISSED_MAX`].
    All,
}

impl Missed {
    /// Every policy.
    pub const ALL: [Missed; 3] = [Self::Skip, Self::Once, Self::All];

    /// Returns the word used in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }

    /// Returns the policy for a word; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word)
    }
}

/// What happens when a schedule is due and a task of it has not ended yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Overlap {
    /// No task is added.
    #[default]
    Skip,
    /// One is added all the same.
    Queue,
    /// Those that have not ended are cancelled, and one is added that runs when they are gone.
    CancelRunning,
}

impl Overlap {
    /// Every policy.
    pub const ALL: [Overlap; 3] = [Self::Skip, Self::Queue, Self::CancelRunning];

    /// Returns the word used in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::CancelRunning => "cancel-running",
        }
    }

    /// Returns the policy for a word; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word)
    }
}

/// A schedule as it is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchedule {
    /// Its name.
    pub name: String,
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
    /// The environment they run in.
    pub env: Environment,
    /// It adds nothing until it is resumed.
    pub paused: bool,
}

/// A schedule as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
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
    /// Names of the variables in their environment.
    pub env_names: Arc<[String]>,
    /// Set while it adds nothing.
    pub pause: Option<SchedulePause>,
    /// The first time for which it is still to add a task; `None` while it is paused, and if no such time is to come.
    pub next_at: Option<Timestamp>,
    /// The last time for which it added a task.
    pub last_at: Option<Timestamp>,
    /// That task. It may be gone since.
    pub last_task: Option<TaskId>,
    /// The newest of its tasks that is there, also one that somebody had it add at once.
    pub newest_task: Option<TaskId>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Since when a schedule adds nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulePause {
    /// Since when.
    pub at: Timestamp,
    /// Why, for people; only if it was not a person who paused it.
    pub reason: Option<String>,
}

/// Longest name of a schedule, in bytes.
pub const SCHEDULE_NAME_BYTES_MAX: usize = 64;
/// The shortest time between two times of a schedule.
pub const EVERY_MIN: Duration = Duration::from_secs(1);

/// Checks the name of a schedule: as that of a queue, and like that of a task none that could be read as ids.
pub fn check_schedule_name(name: &str) -> Result<(), InvalidSchedule> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let tells = |c: char| !c.is_ascii_digit() && c != '-';
    let good = name.len() <= SCHEDULE_NAME_BYTES_MAX
        && name.chars().all(fits)
        && name.chars().any(tells)
        && !name.starts_with('-');
    if good { Ok(()) } else { Err(InvalidSchedule::Name(name.to_owned())) }
}

impl Schedule {
    /// Returns the last task that it added, by itself or because somebody asked for one. It may be gone since.
    pub fn latest_task(&self) -> Option<TaskId> {
        self.last_task.max(self.newest_task)
    }
}

impl NewSchedule {
    /// Checks what can be checked without a clock and without the zone. Client and daemon both do, in the same words.
    pub fn check(&self) -> Result<(), InvalidSchedule> {
        check_schedule_name(&self.name)?;
        check_terms(&self.when, self.overlap, &self.spec)?;
        Ok(self.env.check()?)
    }
}

/// Checks what schedules can do, new ones and those that are changed.
fn check_terms(when: &When, overlap: Overlap, spec: &TaskSpec) -> Result<(), InvalidSchedule> {
    if let When::Every(every) = when
        && *every < EVERY_MIN
    {
        return Err(InvalidSchedule::Every(*every));
    }
    spec.check()?;
    if spec.run_at.is_some() || !spec.after.is_empty() || !spec.after_any.is_empty() {
        return Err(InvalidSchedule::Waits);
    }
    if overlap == Overlap::CancelRunning && spec.key.is_some() {
        return Err(InvalidSchedule::KeyHolds);
    }
    Ok(())
}

/// Why something cannot be a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// It cannot be typed, or could be taken for something else.
    #[error(
        "schedule name `{0}` needs 1 to 64 bytes of letters, digits, `.`, `_` and `-`, at least one of them a letter, `.` \
         or `_`, and no `-` at its beginning"
    )]
    Name(String),
    /// The cron line is none.
    #[error(transparent)]
    Cron(#[from] InvalidCron),
    /// There is no time at which it would be due.
    #[error("cron line `{0}` never fires: there is no such day or time")]
    Never(String),
    /// That time has passed.
    #[error("the time of the schedule has passed already")]
    Passed,
    /// Its first time is on no calendar.
    #[error("the first time of the schedule is too far away")]
    Far,
    /// It would be due all the time.
    #[error("a schedule can be due every `1s` at most, not every `{}ms`", .0.as_millis())]
    Every(Duration),
    /// No such time zone.
    #[error("no time zone `{0}` is known here")]
    TimeZone(String),
    /// What its tasks do makes no sense.
    #[error(transparent)]
    Spec(#[from] InvalidSpec),
    /// A schedule decides itself when its tasks run.
    #[error("tasks of a schedule cannot wait for a time or for other tasks")]
    Waits,
    /// The one to be cancelled would keep the next one from being added.
    #[error("`--key` adds nothing while a task has not ended, so it does not go with `--overlap cancel-running`")]
    KeyHolds,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_its_own_word() {
        for policy in Missed::ALL {
            assert_eq!(Missed::from_word(policy.as_str()), Some(policy));
        }
        for policy in Overlap::ALL {
            assert_eq!(Overlap::from_word(policy.as_str()), Some(policy));
        }
        assert_eq!((Missed::from_word("often"), Overlap::from_word("")), (None, None));
    }

    #[test]
    fn names_can_be_typed_and_are_no_ids() {
        for good in ["nightly", "a", "größe", "v1.2", "7days", "_"] {
            assert_eq!(check_schedule_name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(65);
        for wrong in ["", "12", "1-3", "-x", "a b", "a,b", "a/b", "a\n", &long] {
            assert_eq!(check_schedule_name(wrong), Err(InvalidSchedule::Name(wrong.to_owned())));
        }
    }

    #[test]
    fn what_would_be_due_all_the_time_or_waits_by_itself_is_refused() {
        let new = |when| NewSchedule {
            name: "x".to_owned(),
            when,
            time_zone: "UTC".to_owned(),
            missed: Missed::Once,
            overlap: Overlap::Skip,
            spec: TaskSpec::command(vec!["true".into()], "/".into()),
            env: Environment::default(),
            paused: false,
        };
        let every = |ms| new(When::Every(Duration::from_millis(ms)));
        assert_eq!(every(1_000).check(), Ok(()));
        let error = every(999).check().unwrap_err();
        assert_eq!(error.to_string(), "a schedule can be due every `1s` at most, not every `999ms`");
        let mut waits = every(1_000);
        waits.spec.run_at = Some(Timestamp(1));
        assert_eq!(waits.check(), Err(InvalidSchedule::Waits));
        let mut keyed = every(1_000);
        keyed.spec.key = Some("sync".to_owned());
        assert_eq!(keyed.check(), Ok(()));
        keyed.overlap = Overlap::CancelRunning;
        assert_eq!(keyed.check(), Err(InvalidSchedule::KeyHolds));
        let mut empty = every(1_000);
        empty.spec.argv.clear();
        assert_eq!(empty.check(), Err(InvalidSchedule::Spec(InvalidSpec::NoCommand)));
    }
}
