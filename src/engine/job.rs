//! What takes time: what the core wants done by the store, the files and the machine, and how that is done.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::{error, warn};

use crate::domain::attempt::Output;
use crate::domain::id::{AssignmentId, AttemptNumber, TaskId};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::Outcome;
use crate::domain::resource::Granted;
use crate::domain::task::{Environment, TaskSpec};
use crate::domain::time::Timestamp;
use crate::engine::handle::{Shared, is_passing};
use crate::engine::schedule::{self, Looked};
use crate::engine::spawn::NotStartable;
use crate::engine::supervise::tell_end;
use crate::engine::{Error, jitter, turn};
use crate::engine::{hook, input, prepare};
use crate::fault::crash_point;
use crate::link::Spawn;
use crate::process;
use crate::store;
use crate::store::task::{Claimed, Expire, Expired, Finish, Finished, InFlight, Renew, Start, Terms, Unclaim};

/// How many files of removed tasks are deleted at a time.
const TIDY_MAX: usize = 256;

/// Something that is to be done. Every one is answered by one [`Done`].
#[derive(Debug)]
pub(super) enum Job {
    /// Store how an attempt goes its way.
    Move(Move),
    /// Look up what a start needs.
    Prepare(Box<Preparation>),
    /// Make ready what is due, and have schedules add their tasks if they may.
    Due { now: Timestamp, fire: bool },
    /// Tell tasks what they depend on.
    Settle { now: Timestamp },
    /// Say that claims still hold.
    Renew(Renew),
    /// Have whoever keeps its input open keep what it wrote last, then finish the output and store how it ended.
    Last(Box<Record>),
    /// Store an end that nobody saw, of an attempt that somebody else claimed.
    Sweep(Box<Record>),
    /// See whether a process is still there.
    Look { assignment: AssignmentId, identity: ProcessIdentity },
    /// Forget what is kept no longer.
    Expire(Expire),
}

/// What is stored of attempts on their way. What comes together in one turn of the loop is stored together, see
/// [`turn`].
#[derive(Debug)]
pub(super) enum Move {
    /// Take as many tasks as there is `room` for, when the attempts in `after` have ended, of all queues but `shut`.
    Claim {
        room: usize,
        after: Vec<AssignmentId>,
        shut: Vec<String>,
        owner: GuardianId,
        boot: BootId,
        now: Timestamp,
        lease_until: Timestamp,
        terms: Terms,
    },
    /// Store that a process runs.
    Start(Start),
    /// Give a claim back.
    Unclaim(Unclaim),
    /// Finish the output and store how an attempt ended.
    Record(Box<Record>),
}

/// What is known about an attempt that is to be started.
#[derive(Debug)]
pub(super) struct Preparation {
    pub(super) id: TaskId,
    pub(super) number: AttemptNumber,
    pub(super) slot: u32,
    pub(super) granted: Granted,
    pub(super) assignment: AssignmentId,
    pub(super) spec: TaskSpec,
    pub(super) env: Arc<Environment>,
}

/// The end of an attempt.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: TaskId,
    pub(super) number: AttemptNumber,
    pub(super) split_output: bool,
    /// How much memory it might use.
    pub(super) memory: Option<u64>,
    /// Its input is kept open.
    pub(super) is_kept: bool,
    pub(super) assignment: AssignmentId,
    pub(super) outcome: Outcome,
    pub(super) started: Option<(ProcessIdentity, Timestamp)>,
    pub(super) now: Timestamp,
}

/// What became of the past, to be stored before anything is served.
#[derive(Debug)]
pub(super) enum Past {
    /// It was claimed and never started.
    NeverStarted(Unclaim),
    /// It has ended.
    Ended(Box<Record>),
}

/// What a job came to.
#[derive(Debug)]
pub(super) enum Done {
    Claimed { claimed: Result<Vec<Claimed>, store::Error>, asked: usize },
    Prepared { assignment: AssignmentId, order: Result<Box<Spawn>, NotStartable> },
    Started { assignment: AssignmentId, started: Result<(), store::Error> },
    Recorded { assignment: AssignmentId, finished: Result<Box<Finished>, Error> },
    Released { assignment: AssignmentId, released: Result<(), store::Error>, reason: String },
    LookedAtClock(Looked),
    Settled { more: Result<bool, store::Error> },
    Renewed { expired: Result<Vec<InFlight>, store::Error> },
    Swept { swept: Result<bool, Error> },
    Looked { assignment: AssignmentId, alive: bool },
    Expired { expired: Result<Expired, store::Error> },
}

impl Record {
    /// Returns what the store is told, with the `outputs` that were found.
    pub(super) fn into_finish(self, outputs: Vec<Output>, jitter: f64) -> Finish {
        let Self { assignment, memory, mut outcome, started, now, .. } = self;
        // Its control group is there until it is forgotten, which comes after this.
        if let Some(limit) = memory.filter(|_| outcome.may_lack_memory())
            && process::ran_out_of_memory(assignment)
        {
            outcome = outcome.out_of_memory(limit);
        }
        Finish { assignment, outcome, outputs, started, jitter, now }
    }
}

/// Does a job by itself, and returns what it came to.
///
/// # Cancel safety
/// Not cancel-safe: what it came to would be lost.
pub(super) async fn perform(shared: Arc<Shared>, job: Job) -> Vec<Done> {
    let store = &shared.store;
    vec![match job {
        Job::Move(one) => return turn::perform(shared, vec![one]).await,
        Job::Last(record) => {
            input::end(&shared, &record).await;
            return turn::perform(shared, vec![Move::Record(record)]).await;
        }
        Job::Prepare(preparation) => on_disk(&shared, move |shared| prepare::one(shared, &preparation)).await,
        Job::Due { now, fire } => {
            Done::LookedAtClock(schedule::look(store.as_ref(), now, || fire && shared.fires()).await)
        }
        Job::Settle { now } => Done::Settled { more: store.settle(now).await },
        Job::Renew(renew) => Done::Renewed { expired: store.renew(renew).await },
        Job::Sweep(record) => {
            let finished = finish(&shared, *record).await;
            Done::Swept { swept: finished.map(|finished| finished.unsettled) }
        }
        Job::Look { assignment, identity } => Done::Looked { assignment, alive: (shared.world.is_alive)(identity) },
        Job::Expire(expire) => {
            let expired = async {
                hook::passed::store(&shared).await?;
                store.expire(expire).await
            };
            Done::Expired { expired: expired.await }
        }
    }]
}

/// Settles a piece of the past; of what ended, the keepers have ended.
pub(super) async fn settle_past(shared: &Arc<Shared>, past: Past) -> Result<(), Error> {
    match past {
        Past::NeverStarted(unclaim) => shared.store.unclaim(unclaim).await?,
        Past::Ended(record) => drop(record_end(shared, *record).await?),
    }
    Ok(())
}

async fn finish(shared: &Arc<Shared>, record: Record) -> Result<Finished, Error> {
    if record.is_kept {
        input::end(shared, &record).await;
    }
    record_end(shared, record).await
}

/// Finishes the output of an attempt whose keeper has ended, and stores how it ended.
async fn record_end(shared: &Arc<Shared>, record: Record) -> Result<Finished, Error> {
    let (id, number, split) = (record.id, record.number, record.split_output);
    let outputs = on_disk(shared, move |shared| shared.outputs.seal(id, number, split)).await?;
    crash_point("apexd.output.sealed");
    let finished = shared.store.finish(record.into_finish(outputs, jitter())).await?;
    crash_point("apexd.finish.committed");
    tell_end(&finished.task);
    Ok(finished)
}

/// Does what waits for a disk where it holds nobody up.
pub(super) async fn on_disk<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> T {
    let shared = Arc::clone(shared);
    match tokio::task::spawn_blocking(move || work(&shared)).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Deletes the files of removed tasks, some at a time, so that others get their turn. What cannot be deleted now is tried
/// again by the next one, and holds up no other.
pub(super) async fn tidy(shared: &Arc<Shared>) {
    let _alone = shared.tidying.lock().await;
    let mut after = None;
    loop {
        let litter = match shared.store.litter(after.take(), TIDY_MAX).await {
            Ok(litter) => litter,
            Err(error) => return tell("Cannot tell which files are to be deleted", &error),
        };
        let Some(last) = litter.last().cloned() else { return };
        let delete = move |shared: &Shared| -> Vec<PathBuf> {
            litter.into_iter().filter(|path| shared.outputs.remove(path)).collect()
        };
        let gone = on_disk(shared, delete).await;
        if let Err(error) = shared.store.tidied(gone).await {
            return tell("Cannot note that files were deleted", &error);
        }
        after = Some(last);
    }
}

/// Writes that the store could not do something, unless it was closed.
pub(super) fn tell(what: &str, error: &store::Error) {
    if matches!(error, store::Error::Closed) {
        return;
    }
    if is_passing(error.kind()) {
        warn!(%error, "{what} at the moment");
    } else {
        error!(%error, "{what}");
    }
}
