//! What a store promises about tasks.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::attempt::Stream;
use crate::domain::change::Actor;
pub use crate::domain::edit::{Edit, NotEdited};
use crate::domain::id::{AssignmentId, TaskId, TaskUuid};
pub use crate::domain::place::{NotMoved, Place};
pub use crate::domain::progress::{NotTold, Progress, Tell};
pub use crate::domain::prune::{Ended, Prune};
pub use crate::domain::query::{Added, AddedMany, Cancelled, Counts, PerTask, Refused, TaskFilter, TaskPage};
use crate::domain::task::{BulkTask, Environment, NewTask, Task};
use crate::domain::time::Timestamp;
use crate::store::Reply;

mod claim;
mod steer;

pub use claim::{
    Claim, Claimed, Finish, Finished, Holdings, InFlight, RESERVE_AFTER, Renew, Start, Step, Stepped, Steps, Terms,
    Unclaim,
};
pub use steer::{Cancel, EditTask, Move, Only, Pause, Steer, TellProgress};

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
