//! What people ask for.

use std::sync::Arc;

use crate::domain::change::Actor;
use crate::domain::edit::Edit;
use crate::domain::id::TaskId;
use crate::domain::place::Place;
use crate::domain::progress::Tell;
use crate::domain::query::TaskFilter;
use crate::domain::time::{Moment, Timestamp};

/// What a task has to be for a verb to be done to it; every other one is refused as
/// [`NotMeant`](crate::domain::query::Refused::NotMeant). It is looked at in the transaction that does it.
pub type Only = Option<Arc<TaskFilter>>;

/// Asks for tasks to be cancelled.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// Which.
    pub ids: Vec<TaskId>,
    /// Of these, only those that match.
    pub only: Only,
    /// Why, for people.
    pub reason: Option<String>,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Names tasks for a verb that needs to know nothing more.
#[derive(Debug, Clone)]
pub struct Steer {
    /// Which.
    pub ids: Vec<TaskId>,
    /// Of these, only those that match.
    pub only: Only,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Names running tasks that are to stand still, or paused ones that are to go on.
#[derive(Debug, Clone)]
pub struct Pause {
    /// Which.
    pub ids: Vec<TaskId>,
    /// Of these, only those that match.
    pub only: Only,
    /// Who asks.
    pub by: Actor,
    /// When, for people.
    pub now: Timestamp,
    /// When, for what counts how long a process has run.
    pub at: Moment,
}

/// Asks for a task to do something else, or in another way.
#[derive(Debug, Clone)]
pub struct EditTask {
    /// What is to become of it.
    pub edit: Edit,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Asks for a task to be put to another place.
#[derive(Debug, Clone)]
pub struct Move {
    /// Which.
    pub id: TaskId,
    /// Where to.
    pub to: Place,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Says how far a task is.
#[derive(Debug, Clone)]
pub struct TellProgress {
    /// Of which task, and what.
    pub tell: Tell,
    /// Who says so.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}
