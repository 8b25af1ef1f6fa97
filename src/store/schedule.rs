//! What a store promises about schedules.

use crate::domain::change::Actor;
use crate::domain::id::{AssignmentId, TaskId, TaskUuid};
pub use crate::domain::query::{NoSuchSchedule, PerSchedule};
use crate::domain::schedule::{NewSchedule, Schedule, When};
pub use crate::domain::schedule::{ScheduleEdit, ScheduleNotEdited};
use crate::domain::time::Timestamp;
use crate::store::Reply;
use crate::store::task::Added;

/// Adds a schedule.
#[derive(Debug, Clone)]
pub struct AddSchedule {
    /// The schedule, checked.
    pub schedule: NewSchedule,
    /// The first time at which it is due.
    pub next_at: Timestamp,
    /// Who adds it.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Which schedule is meant: one of the same name that was made anew since is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Its name.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Which {
    /// Names this schedule.
    pub fn of(schedule: &Schedule) -> Self {
        Self { name: schedule.name.clone(), created_at: schedule.created_at }
    }
}

/// Adds the tasks of a schedule that is due, and has it go on to its next time: both, or neither.
#[derive(Debug, Clone)]
pub struct Fire {
    /// Which schedule.
    pub schedule: Which,
    /// The time that it was to be due next when that was looked at. If it is not any more, nothing is done.
    pub cursor: Timestamp,
    /// By what rule, and on whose clock, the other times here were found. If there is another one by now, nothing is done.
    pub rule: (When, String),
    /// The times for each of which a task is added, in order, and the names of these tasks.
    pub times: Vec<(Timestamp, TaskUuid)>,
    /// Times for which none is: the first and the last of them.
    pub left_out: Option<(Timestamp, Timestamp)>,
    /// When it is due next; `None` if never again.
    pub next: Option<Timestamp>,
}

/// What came of a [`Fire`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fired {
    /// The tasks that were added.
    pub tasks: Vec<TaskId>,
    /// The claims of tasks that were cancelled and have a process: they are to be stopped.
    pub stops: Vec<AssignmentId>,
}

/// Adds a task of a schedule at once, whatever its times and its policies say.
#[derive(Debug, Clone)]
pub struct RunSchedule {
    /// The schedule's name.
    pub name: String,
    /// The task's name, made by the client.
    pub uuid: TaskUuid,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
    /// The project came from elsewhere and nobody has accepted it yet: the task is held for that.
    pub untrusted: bool,
}

/// Lets schedules add nothing.
#[derive(Debug, Clone)]
pub struct PauseSchedules {
    /// Which.
    pub names: Vec<String>,
    /// Why, for people; only if no person asks.
    pub reason: Option<String>,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Lets schedules add tasks again, from now on.
#[derive(Debug, Clone)]
pub struct ResumeSchedules {
    /// Which, and when each is due next.
    pub schedules: Vec<(Which, Option<Timestamp>)>,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Asks for a schedule to be due at other times, or for its tasks to do something else.
#[derive(Debug, Clone)]
pub struct EditSchedule {
    /// What is to become of it, checked.
    pub edit: ScheduleEdit,
    /// When it is due by other times; `None` if they stay what they are.
    pub next: Option<NextByEdit>,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// When a schedule is due by other times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextByEdit {
    /// When it was to be due when that was worked out. If it is not any more, nothing is done.
    pub cursor: Option<Timestamp>,
    /// When it is due next, unless it is paused.
    pub at: Timestamp,
}

/// Names schedules that are to go.
#[derive(Debug, Clone)]
pub struct RemoveSchedules {
    /// Which.
    pub names: Vec<String>,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// What a store does for schedules. When they are due is told to it: it knows no time zones.
pub trait ScheduleStore {
    /// Returns all schedules, by name.
    fn schedules(&self) -> Reply<'_, Vec<Schedule>>;

    /// Returns a schedule; `None` if there is none of that name.
    fn schedule(&self, name: String) -> Reply<'_, Option<Schedule>>;

    /// Returns schedules that are due by `now`, those first that are so the longest; at most `limit`.
    fn due_schedules(&self, now: Timestamp, limit: usize) -> Reply<'_, Vec<Schedule>>;

    /// Adds a schedule. Errors: [`super::Error::ScheduleExists`], [`super::Error::NoSuchQueue`].
    fn add_schedule(&self, add: AddSchedule) -> Reply<'_, Schedule>;

    /// Adds the tasks of schedules that are due, each as its policy for overlaps says, and moves their cursors on, in one
    /// transaction. One that is not due any more, is paused, gone or another one adds nothing; one that cannot be read is paused. An answer
    /// for each, in order.
    fn fire(&self, fires: Vec<Fire>, now: Timestamp) -> Reply<'_, Vec<Fired>>;

    /// Adds a task of a schedule at once; nothing if one with its uuid is there, or one with its key that has not ended.
    /// Errors: [`super::Error::NoSuchSchedule`].
    fn run_schedule(&self, run: RunSchedule) -> Reply<'_, Added>;

    /// Lets schedules add nothing. Nothing changes for those that are paused already.
    fn pause_schedules(&self, pause: PauseSchedules) -> Reply<'_, PerSchedule>;

    /// Lets paused schedules add tasks again, for the times that are named and those after them. Nothing changes for those
    /// that are not paused.
    fn resume_schedules(&self, resume: ResumeSchedules) -> Reply<'_, PerSchedule>;

    /// Changes a schedule. The tasks it has added stay what they are, one that is paused stays paused, and the last time for which it
    /// added a task stays as well. Errors: [`super::Error::NoSuchQueue`].
    fn edit_schedule(&self, wish: EditSchedule) -> Reply<'_, Result<Schedule, ScheduleNotEdited>>;

    /// Removes schedules, and their environment with the last that has it. Their tasks stay.
    fn remove_schedules(&self, remove: RemoveSchedules) -> Reply<'_, PerSchedule>;
}
