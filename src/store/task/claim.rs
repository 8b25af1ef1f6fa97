//! How attempts go their way: claimed, started, given back, finished.

use std::collections::{BTreeMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::attempt::{Attempt, Output};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::Outcome;
use crate::domain::resource::{Granted, Pools};
use crate::domain::task::{Environment, Task};
use crate::domain::time::Timestamp;
use crate::store::Error;

/// Takes tasks that are ready.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who claims.
    pub owner: GuardianId,
    /// The present run of the machine.
    pub boot: BootId,
    /// A fresh id for each task that may be claimed: at most so many are.
    pub assignments: Vec<AssignmentId>,
    /// Attempts that must have ended before: for each that has not, one task less is taken.
    pub after: Vec<AssignmentId>,
    /// Queues of which nothing is taken, paused or not. They need not be there.
    pub shut: Vec<String>,
    /// When.
    pub now: Timestamp,
    /// Until when the claims hold if nobody renews them.
    pub lease_until: Timestamp,
    /// What is to be divided up.
    pub terms: Terms,
}

/// By what a claim goes besides the tasks and queues that are stored.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How many tasks may hold a slot at once.
    pub slots: u32,
    /// What there is of each resource.
    pub pools: Arc<Pools>,
    /// How long a task waits for a resource before it reserves.
    pub reserve_after: Duration,
    /// Attempts that wait for other tasks: what they hold is lent, their slots as well.
    pub lent: Arc<HashSet<AssignmentId>>,
}

impl Default for Terms {
    fn default() -> Self {
        let (pools, lent) = (Arc::default(), Arc::default());
        Self { slots: u32::MAX, pools, reserve_after: RESERVE_AFTER, lent }
    }
}

/// How long a task waits for a resource before it reserves, unless something else was said.
pub const RESERVE_AFTER: Duration = Duration::from_secs(30);

/// Who holds what, and who waits for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// What attempts hold that have not ended, oldest claim first. Those that hold nothing are not among them.
    pub held: Vec<(TaskId, AssignmentId, Granted)>,
    /// Tasks that are ready and wait for a resource, and since when.
    pub short: BTreeMap<TaskId, Timestamp>,
}

/// A task that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The task, without its attempts; `state` is `starting`, `attempt` is the number of the new attempt, `slot` is set.
    pub task: Task,
    /// The new attempt.
    pub attempt: Attempt,
    /// The environment to run it in.
    pub env: Arc<Environment>,
}

/// Records that the process of an attempt runs.
#[derive(Debug, Clone)]
pub struct Start {
    /// The claim.
    pub assignment: AssignmentId,
    /// The process.
    pub identity: ProcessIdentity,
    /// When it started.
    pub at: Timestamp,
}

/// Gives a claim back: nothing was started, and it was no attempt.
#[derive(Debug, Clone)]
pub struct Unclaim {
    /// The claim.
    pub assignment: AssignmentId,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub now: Timestamp,
}

/// Records how an attempt ended, and moves its task on as [`crate::domain::outcome::next`] says.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The claim.
    pub assignment: AssignmentId,
    /// How it ended.
    pub outcome: Outcome,
    /// What it wrote.
    pub outputs: Vec<Output>,
    /// Its process and when it started, if there was one: recorded here too, in case [`Start`] never came.
    pub started: Option<(ProcessIdentity, Timestamp)>,
    /// A factor in (0.5, 1.0] for the delay before a further attempt.
    pub jitter: f64,
    /// When this is recorded.
    pub now: Timestamp,
}

/// What came of a [`Finish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The task as it stands now, without its attempts.
    pub task: Task,
    /// Whether this call recorded the end; false if the same claim had ended already, which changes nothing.
    pub recorded: bool,
    /// Whether tasks that depend on others are still to be told: [`TaskStore::settle`](crate::store::TaskStore::settle) goes on with that.
    pub unsettled: bool,
}

/// One of the verbs by which attempts go their way; for [`TaskStore::steps`](crate::store::TaskStore::steps).
#[derive(Debug, Clone)]
pub enum Step {
    /// [`TaskStore::start`](crate::store::TaskStore::start).
    Start(Start),
    /// [`TaskStore::unclaim`](crate::store::TaskStore::unclaim).
    Unclaim(Unclaim),
    /// [`TaskStore::finish`](crate::store::TaskStore::finish).
    Finish(Box<Finish>),
    /// [`TaskStore::claim`](crate::store::TaskStore::claim).
    Claim(Claim),
}

/// What came of a [`Step`].
#[derive(Debug)]
pub enum Stepped {
    /// Of [`Step::Start`].
    Started(Result<(), Error>),
    /// Of [`Step::Unclaim`].
    Unclaimed(Result<(), Error>),
    /// Of [`Step::Finish`].
    Finished(Result<Box<Finished>, Error>),
    /// Of [`Step::Claim`].
    Claimed(Result<Vec<Claimed>, Error>),
}

/// The answers to [`TaskStore::steps`](crate::store::TaskStore::steps), when they are there: one for each.
pub type Steps<'a> = Pin<Box<dyn Future<Output = Vec<Stepped>> + Send + 'a>>;

/// Says that claims still hold.
#[derive(Debug, Clone)]
pub struct Renew {
    /// Whose.
    pub owner: GuardianId,
    /// When.
    pub now: Timestamp,
    /// Until when they hold now.
    pub lease_until: Timestamp,
}

/// An attempt that was claimed and has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Its task, without its attempts.
    pub task: Task,
    /// The attempt.
    pub attempt: Attempt,
    /// The run of the machine in which it was claimed.
    pub boot: BootId,
}
