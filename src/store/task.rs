//! What a store promises about tasks.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::attempt::{Attempt, Output, Stream};
use crate::domain::change::Actor;
pub use crate::domain::edit::{Edit, NotEdited};
use crate::domain::id::{AssignmentId, TaskId, TaskUuid};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::Outcome;
pub use crate::domain::place::{NotMoved, Place};
pub use crate::domain::progress::{NotTold, Progress, Tell};
pub use crate::domain::prune::{Ended, Prune};
pub use crate::domain::query::{Added, AddedMany, Cancelled, Counts, PerTask, Refused, TaskFilter, TaskPage};
use crate::domain::resource::{Granted, Pools};
use crate::domain::task::{BulkTask, Environment, NewTask, Task};
use crate::domain::time::{Moment, Timestamp};
use crate::store::{Error, Reply};

/// Adds a task.
#[derive(Debug, Clone)]
pub struct Add {
    /// The task, checked.
    pub task: NewTask,
    /// Who adds it.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
    /// The project came from elsewhere and nobody has accepted it yet: the task is held for that.
    pub untrusted: bool,
}

/// Many tasks, read one after the other.
pub type Tasks = Box<dyn Iterator<Item = io::Result<BulkTask>> + Send>;

/// Adds many tasks: all of them, or none.
#[derive(Clone)]
pub struct AddMany {
    /// Their name, of which each has its own by its place ([`TaskUuid::at`]).
    pub uuid: TaskUuid,
    /// The environment that they have in common.
    pub env: Environment,
    /// The task inside which they are added.
    pub parent: Option<TaskId>,
    /// Begins to read them, checked. Read while the transaction is open, so that nothing of them may have to be waited
    /// for.
    pub tasks: Arc<dyn Fn() -> Tasks + Send + Sync>,
    /// Who adds them.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
    /// The project came from elsewhere and nobody has accepted it yet: they are held for that.
    pub untrusted: bool,
}

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
    /// Whether tasks that depend on others are still to be told: [`TaskStore::settle`] goes on with that.
    pub unsettled: bool,
}

/// One of the verbs by which attempts go their way; for [`TaskStore::steps`].
#[derive(Debug, Clone)]
pub enum Step {
    /// [`TaskStore::start`].
    Start(Start),
    /// [`TaskStore::unclaim`].
    Unclaim(Unclaim),
    /// [`TaskStore::finish`].
    Finish(Box<Finish>),
    /// [`TaskStore::claim`].
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

/// The answers to [`TaskStore::steps`], when they are there: one for each.
pub type Steps<'a> = Pin<Box<dyn Future<Output = Vec<Stepped>> + Send + 'a>>;

/// What a task has to be for a verb to be done to it; every other one is refused as [`Refused::NotMeant`]. It is looked at in
/// the transaction that does it.
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

/// Says what is kept no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expire {
    /// What ended, or was recorded, at that time or before.
    pub until: Timestamp,
    /// When.
    pub now: Timestamp,
}

/// What came of [`TaskStore::expire`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many tasks were forgotten.
    pub tasks: usize,
    /// How many changes were forgotten.
    pub changes: usize,
    /// Whether there is more than one transaction should do.
    pub more: bool,
    /// When the oldest of what is left ended or was recorded; `None` if nothing of that sort is left.
    pub oldest: Option<Timestamp>,
}

/// What came of [`TaskStore::due`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// How many tasks became ready, and how many queues go on.
    pub woken: usize,
    /// When the next one will; `None` if nothing waits for the clock. Not later than now if there was more than one
    /// transaction should do.
    pub next: Option<Timestamp>,
    /// When the first schedule is due, which is not among these; `None` if none is to come.
    pub schedule: Option<Timestamp>,
}

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

/// What a store does for tasks. Every verb that changes something is one transaction, and resolves when it is durable.
pub trait TaskStore {
    /// Adds a task; adds nothing if one with its uuid is there, or one with its key that has not ended (of several, which a
    /// retry can make, the oldest). Errors: [`super::Error::NoSuchQueue`];
    /// [`super::Error::NoSuchTask`] if it depends on one that does not exist, which is also what keeps tasks from waiting
    /// in a circle.
    fn add(&self, add: Add) -> Reply<'_, Added>;

    /// Adds many tasks, in their order, as [`TaskStore::add`] does each of them; all of them, or none. If some are there
    /// already that were added together under this name, those are the answer. Errors: [`super::Error::Line`], with one of
    /// [`TaskStore::add`]; [`super::Error::Source`].
    fn add_many(&self, add: AddMany) -> Reply<'_, AddedMany>;

    /// Returns a task with its attempts; `None` if there is none with that id. One that has a process, here and in lists, with
    /// what is expected of it as earlier runs of its name went.
    fn task(&self, id: TaskId) -> Reply<'_, Option<Task>>;

    /// Returns the environment of a task; `None` if there is no such task.
    fn environment(&self, id: TaskId) -> Reply<'_, Option<Environment>>;

    /// Returns the tasks that match.
    fn tasks(&self, filter: TaskFilter) -> Reply<'_, TaskPage>;

    /// Returns the ids of the tasks that match, ascending.
    fn select(&self, filter: TaskFilter) -> Reply<'_, Vec<TaskId>>;

    /// Returns the uploads that tasks and schedules name as their standard input. Goes through all tasks.
    fn uploads(&self) -> Reply<'_, HashSet<Uuid>>;

    /// Returns how many there are of each; in constant time, however many there are.
    fn counts(&self) -> Reply<'_, Counts>;

    /// Takes the first tasks that are ready: highest priority, then lowest position, then lowest id, over all queues that
    /// are not paused and have a free slot; of those that need resources whichever [`crate::domain::dispatch`] says.
    fn claim(&self, claim: Claim) -> Reply<'_, Vec<Claimed>>;

    /// Returns who holds what of the resources, and who waits for it.
    fn holdings(&self) -> Reply<'_, Holdings>;

    /// Records that an attempt runs; once it is recorded, asking again changes nothing. Errors: [`super::Error::Stale`] if
    /// the claim is no longer current.
    fn start(&self, start: Start) -> Reply<'_, ()>;

    /// Gives a claim back: the task is queued again, or cancelled if somebody asked for that meanwhile. Errors:
    /// [`super::Error::Stale`] if it is no longer current.
    fn unclaim(&self, unclaim: Unclaim) -> Reply<'_, ()>;

    /// Records an end. Errors: [`super::Error::Stale`] if the claim was given back or is unknown.
    fn finish(&self, finish: Finish) -> Reply<'_, Finished>;

    /// Does several of the verbs above, one after the other, each on its own: one that is refused undoes no other. They
    /// are answered together, in their order; a backend that pays for each transaction does them in one.
    fn steps(&self, steps: Vec<Step>) -> Steps<'_>
    where
        Self: Sync,
    {
        Box::pin(async move {
            let mut stepped = Vec::with_capacity(steps.len());
            for step in steps {
                stepped.push(match step {
                    Step::Start(start) => Stepped::Started(self.start(start).await),
                    Step::Unclaim(unclaim) => Stepped::Unclaimed(self.unclaim(unclaim).await),
                    Step::Finish(finish) => Stepped::Finished(self.finish(*finish).await.map(Box::new)),
                    Step::Claim(claim) => Stepped::Claimed(self.claim(claim).await),
                });
            }
            stepped
        })
    }

    /// Cancels what waits, and records the wish for what runs; refused for what has ended.
    fn cancel(&self, cancel: Cancel) -> Reply<'_, PerTask<Cancelled>>;

    /// Keeps waiting tasks back; refused for what has a process or has ended.
    fn hold(&self, hold: Steer) -> Reply<'_, PerTask<()>>;

    /// Lets held tasks go; refused for what is not held.
    fn release(&self, release: Steer) -> Reply<'_, PerTask<()>>;

    /// Records that running tasks are to stand still; refused for what does not run. Answers with the claims.
    fn pause(&self, pause: Pause) -> Reply<'_, PerTask<AssignmentId>>;

    /// Records that paused tasks go on; refused for what is not paused. Answers with the claims.
    fn resume(&self, resume: Pause) -> Reply<'_, PerTask<AssignmentId>>;

    /// Begins tasks anew that have ended, counted afresh; refused for what has not ended, and for what would be skipped
    /// at once, because of a task that is there or one that is forgotten. What was skipped because of them waits again once that is settled.
    fn retry(&self, retry: Steer) -> Reply<'_, PerTask<()>>;

    /// Forgets tasks that have ended, and their environment with the last task that has it; refused for what has not
    /// ended, and while something that waits depends on it. Their files go to the litter.
    fn remove(&self, remove: Steer) -> Reply<'_, PerTask<()>>;

    /// Changes what a task is to do that has not started, and its environment. What nobody holds then waits as if it had been added
    /// like this. Whether it has started is decided here. Errors: as of [`TaskStore::add`].
    fn edit(&self, wish: EditTask) -> Reply<'_, Result<Task, NotEdited>>;

    /// Puts a waiting task to another place among those that wait in its queue with its priority. Others keep their order.
    fn move_task(&self, wish: Move) -> Reply<'_, Result<Task, NotMoved>>;

    /// Keeps what is told of how far a task is that has a process. What is told of another attempt than the present one is refused.
    fn tell_progress(&self, tell: TellProgress) -> Reply<'_, Result<Progress, NotTold>>;

    /// Returns which tasks have ended that are to be forgotten, those that ended last first, at most `limit`.
    fn ended(&self, prune: Prune, limit: usize) -> Reply<'_, Vec<Ended>>;

    /// Forgets tasks that have ended and the oldest changes, as many as one transaction should; a task as [`TaskStore::remove`]
    /// does, and none that something which waits depends on. The counts since the project began stay.
    fn expire(&self, expire: Expire) -> Reply<'_, Expired>;

    /// Makes tasks ready whose time has come, lets queues go on whose pause is over, and tells when a schedule is due.
    fn due(&self, now: Timestamp) -> Reply<'_, Due>;

    /// Tells tasks that depend on others how those ended, or that they begin anew. The verbs that end tasks do so
    /// themselves for the first few. Returns whether there are more to be told.
    fn settle(&self, now: Timestamp) -> Reply<'_, bool>;

    /// Holds what waits, because the project came from elsewhere: as many tasks as one transaction should. Returns how
    /// many that were; only 0 means that there is nothing left.
    fn distrust(&self, now: Timestamp) -> Reply<'_, usize>;

    /// Lets go what was held for that, as many tasks as one transaction should. Returns how many that were; only 0 means
    /// that there is nothing left.
    fn trust(&self, now: Timestamp) -> Reply<'_, usize>;

    /// Says that the owner still has what it claimed, and returns what others claimed whose time is over.
    fn renew(&self, renew: Renew) -> Reply<'_, Vec<InFlight>>;

    /// Returns files of removed tasks that are still to be deleted, by path, at most `limit`; those after `after` alone if
    /// that is named.
    fn litter(&self, after: Option<PathBuf>, limit: usize) -> Reply<'_, Vec<PathBuf>>;

    /// Forgets these files: they were deleted.
    fn tidied(&self, paths: Vec<PathBuf>) -> Reply<'_, ()>;

    /// Returns what was claimed and has not ended, oldest claim first.
    fn in_flight(&self) -> Reply<'_, Vec<InFlight>>;

    /// Keeps the hash of an output of an ended attempt. Unknown outputs are ignored, and so is a hash that is known
    /// already. The change is stamped with the system's clock.
    fn keep_hash(&self, assignment: AssignmentId, stream: Stream, sha256: [u8; 32]) -> Reply<'_, ()>;
}
