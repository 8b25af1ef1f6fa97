//! A store in memory that fails and waits on demand.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use crate::domain::attempt::Stream;
use crate::domain::change::Change;
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::queue::Queue;
use crate::domain::schedule::Schedule;
use crate::domain::task::{Environment, Task};
use crate::domain::time::Timestamp;
use crate::store::hook::HookRan;
use crate::store::memory::Memory;
use crate::store::queue::{PauseQueues, PerQueue, QueueCount, SetQueue, SteerQueues, WeighQueue};
use crate::store::schedule::{
    AddSchedule, EditSchedule, Fire, Fired, PauseSchedules, PerSchedule, RemoveSchedules, ResumeSchedules, RunSchedule,
    ScheduleNotEdited,
};
use crate::store::task::{
    Add, AddMany, Added, AddedMany, Cancel, Cancelled, Claim, Claimed, Counts, Due, EditTask, Ended, Expire, Expired,
    Finish, Finished, Holdings, InFlight, Move, NotEdited, NotMoved, NotTold, Pause, PerTask, Progress, Prune, Renew,
    Start, Steer, TaskFilter, TaskPage, TellProgress, Unclaim,
};
use crate::store::{ChangeStore, Error, HookStore, QueueStore, Reply, ScheduleStore, Store, TaskStore};
use crate::view::samples;

/// The verbs that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    Claim,
    Start,
    Unclaim,
    Finish,
    KeepHash,
    Settle,
    ConfigureQueues,
    Fire,
}

pub(super) struct Troubled {
    memory: Memory,
    full: Mutex<HashSet<Verb>>,
    pub(super) claims: AtomicUsize,
    pub(super) settles: AtomicUsize,
    pub(super) removes: AtomicUsize,
    pub(super) expires: AtomicUsize,
    /// How often was asked which tasks have hooks to come.
    pub(super) hooks_asked: AtomicUsize,
    /// What was claimed is told when it has a permit.
    pub(super) claimed: Semaphore,
    /// The feed goes on and on with what is nothing to anybody.
    pub(super) endless: AtomicBool,
}

impl Troubled {
    pub(super) fn new() -> Self {
        Self {
            memory: Memory::new(),
            full: Mutex::default(),
            claims: AtomicUsize::new(0),
            settles: AtomicUsize::new(0),
            removes: AtomicUsize::new(0),
            expires: AtomicUsize::new(0),
            hooks_asked: AtomicUsize::new(0),
            claimed: Semaphore::new(Semaphore::MAX_PERMITS),
            endless: false.into(),
        }
    }

    /// From now on the disk is full for these verbs, and for no other.
    pub(super) fn full_for(&self, verbs: &[Verb]) {
        *self.full.lock().unwrap() = verbs.iter().copied().collect();
    }

    fn check(&self, verb: Verb) -> Result<(), Error> {
        if self.full.lock().unwrap().contains(&verb) {
            return Err(Error::Full { path: "/apex.db".into(), source: "the disk is full".into() });
        }
        Ok(())
    }
}

impl TaskStore for Troubled {
    fn add(&self, add: Add) -> Reply<'_, Added> {
        self.memory.add(add)
    }

    fn add_many(&self, add: AddMany) -> Reply<'_, AddedMany> {
        self.memory.add_many(add)
    }

    fn task(&self, id: TaskId) -> Reply<'_, Option<Task>> {
        self.memory.task(id)
    }

    fn environment(&self, id: TaskId) -> Reply<'_, Option<Environment>> {
        self.memory.environment(id)
    }

    fn tasks(&self, filter: TaskFilter) -> Reply<'_, TaskPage> {
        self.memory.tasks(filter)
    }

    fn select(&self, filter: TaskFilter) -> Reply<'_, Vec<TaskId>> {
        self.memory.select(filter)
    }

    fn uploads(&self) -> Reply<'_, HashSet<Uuid>> {
        self.memory.uploads()
    }

    fn counts(&self) -> Reply<'_, Counts> {
        self.memory.counts()
    }

    fn claim(&self, claim: Claim) -> Reply<'_, Vec<Claimed>> {
        Box::pin(async move {
            self.claims.fetch_add(1, Ordering::Relaxed);
            self.check(Verb::Claim)?;
            let claimed = self.memory.claim(claim).await;
            let _permit = self.claimed.acquire().await;
            claimed
        })
    }

    fn holdings(&self) -> Reply<'_, Holdings> {
        self.memory.holdings()
    }

    fn start(&self, start: Start) -> Reply<'_, ()> {
        Box::pin(async move {
            self.check(Verb::Start)?;
            self.memory.start(start).await
        })
    }

    fn unclaim(&self, unclaim: Unclaim) -> Reply<'_, ()> {
        Box::pin(async move {
            self.check(Verb::Unclaim)?;
            self.memory.unclaim(unclaim).await
        })
    }

    fn finish(&self, finish: Finish) -> Reply<'_, Finished> {
        Box::pin(async move {
            self.check(Verb::Finish)?;
            self.memory.finish(finish).await
        })
    }

    fn cancel(&self, cancel: Cancel) -> Reply<'_, PerTask<Cancelled>> {
        self.memory.cancel(cancel)
    }

    fn hold(&self, hold: Steer) -> Reply<'_, PerTask<()>> {
        self.memory.hold(hold)
    }

    fn release(&self, release: Steer) -> Reply<'_, PerTask<()>> {
        self.memory.release(release)
    }

    fn pause(&self, pause: Pause) -> Reply<'_, PerTask<AssignmentId>> {
        self.memory.pause(pause)
    }

    fn resume(&self, resume: Pause) -> Reply<'_, PerTask<AssignmentId>> {
        self.memory.resume(resume)
    }

    fn retry(&self, retry: Steer) -> Reply<'_, PerTask<()>> {
        self.memory.retry(retry)
    }

    fn remove(&self, remove: Steer) -> Reply<'_, PerTask<()>> {
        self.removes.fetch_add(1, Ordering::Relaxed);
        self.memory.remove(remove)
    }

    fn due(&self, now: Timestamp) -> Reply<'_, Due> {
        self.memory.due(now)
    }

    fn settle(&self, now: Timestamp) -> Reply<'_, bool> {
        self.settles.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            self.check(Verb::Settle)?;
            self.memory.settle(now).await
        })
    }

    fn edit(&self, wish: EditTask) -> Reply<'_, Result<Task, NotEdited>> {
        self.memory.edit(wish)
    }

    fn move_task(&self, wish: Move) -> Reply<'_, Result<Task, NotMoved>> {
        self.memory.move_task(wish)
    }

    fn tell_progress(&self, tell: TellProgress) -> Reply<'_, Result<Progress, NotTold>> {
        self.memory.tell_progress(tell)
    }

    fn ended(&self, prune: Prune, limit: usize) -> Reply<'_, Vec<Ended>> {
        self.memory.ended(prune, limit)
    }

    fn expire(&self, expire: Expire) -> Reply<'_, Expired> {
        self.expires.fetch_add(1, Ordering::Relaxed);
        self.memory.expire(expire)
    }

    fn distrust(&self, now: Timestamp) -> Reply<'_, usize> {
        self.memory.distrust(now)
    }

    fn trust(&self, now: Timestamp) -> Reply<'_, usize> {
        self.memory.trust(now)
    }

    fn renew(&self, renew: Renew) -> Reply<'_, Vec<InFlight>> {
        self.memory.renew(renew)
    }

    fn litter(&self, after: Option<PathBuf>, limit: usize) -> Reply<'_, Vec<PathBuf>> {
        self.memory.litter(after, limit)
    }

    fn tidied(&self, paths: Vec<PathBuf>) -> Reply<'_, ()> {
        self.memory.tidied(paths)
    }

    fn in_flight(&self) -> Reply<'_, Vec<InFlight>> {
        self.memory.in_flight()
    }

    fn keep_hash(&self, assignment: AssignmentId, stream: Stream, sha256: [u8; 32]) -> Reply<'_, ()> {
        Box::pin(async move {
            self.check(Verb::KeepHash)?;
            self.memory.keep_hash(assignment, stream, sha256).await
        })
    }
}

impl QueueStore for Troubled {
    fn queues(&self) -> Reply<'_, Vec<Queue>> {
        self.memory.queues()
    }

    fn queue_counts(&self) -> Reply<'_, Vec<QueueCount>> {
        self.memory.queue_counts()
    }

    fn add_queue(&self, add: SetQueue) -> Reply<'_, Queue> {
        self.memory.add_queue(add)
    }

    fn set_queue(&self, set: SetQueue) -> Reply<'_, Queue> {
        self.memory.set_queue(set)
    }

    fn weigh_queue(&self, weigh: WeighQueue) -> Reply<'_, Queue> {
        self.memory.weigh_queue(weigh)
    }

    fn configure_weights(&self, weights: BTreeMap<String, u32>, now: Timestamp) -> Reply<'_, ()> {
        self.memory.configure_weights(weights, now)
    }

    fn pause_queues(&self, pause: PauseQueues) -> Reply<'_, PerQueue> {
        self.memory.pause_queues(pause)
    }

    fn resume_queues(&self, resume: SteerQueues) -> Reply<'_, PerQueue> {
        self.memory.resume_queues(resume)
    }

    fn remove_queues(&self, remove: SteerQueues) -> Reply<'_, PerQueue> {
        self.memory.remove_queues(remove)
    }

    fn configure_queues(&self, slots: BTreeMap<String, u32>, now: Timestamp) -> Reply<'_, ()> {
        Box::pin(async move {
            self.check(Verb::ConfigureQueues)?;
            self.memory.configure_queues(slots, now).await
        })
    }
}

impl ScheduleStore for Troubled {
    fn schedules(&self) -> Reply<'_, Vec<Schedule>> {
        self.memory.schedules()
    }

    fn schedule(&self, name: String) -> Reply<'_, Option<Schedule>> {
        self.memory.schedule(name)
    }

    fn due_schedules(&self, now: Timestamp, limit: usize) -> Reply<'_, Vec<Schedule>> {
        self.memory.due_schedules(now, limit)
    }

    fn add_schedule(&self, add: AddSchedule) -> Reply<'_, Schedule> {
        self.memory.add_schedule(add)
    }

    fn fire(&self, fires: Vec<Fire>, now: Timestamp) -> Reply<'_, Vec<Fired>> {
        Box::pin(async move {
            self.check(Verb::Fire)?;
            self.memory.fire(fires, now).await
        })
    }

    fn run_schedule(&self, run: RunSchedule) -> Reply<'_, Added> {
        self.memory.run_schedule(run)
    }

    fn pause_schedules(&self, pause: PauseSchedules) -> Reply<'_, PerSchedule> {
        self.memory.pause_schedules(pause)
    }

    fn resume_schedules(&self, resume: ResumeSchedules) -> Reply<'_, PerSchedule> {
        self.memory.resume_schedules(resume)
    }

    fn edit_schedule(&self, wish: EditSchedule) -> Reply<'_, Result<Schedule, ScheduleNotEdited>> {
        self.memory.edit_schedule(wish)
    }

    fn remove_schedules(&self, remove: RemoveSchedules) -> Reply<'_, PerSchedule> {
        self.memory.remove_schedules(remove)
    }
}

impl HookStore for Troubled {
    fn hook_cursors(&self) -> Reply<'_, BTreeMap<String, Seq>> {
        self.memory.hook_cursors()
    }

    fn hooks_ahead(&self) -> Reply<'_, BTreeSet<Seq>> {
        self.memory.hooks_ahead()
    }

    fn hooks_to_come(&self, ids: Vec<TaskId>) -> Reply<'_, Vec<TaskId>> {
        self.hooks_asked.fetch_add(1, Ordering::Relaxed);
        self.memory.hooks_to_come(ids)
    }

    fn set_hooks(&self, hooks: Vec<(String, bool)>) -> Reply<'_, BTreeMap<String, Seq>> {
        self.memory.set_hooks(hooks)
    }

    fn hook_ran(&self, ran: HookRan) -> Reply<'_, ()> {
        self.memory.hook_ran(ran)
    }
}

impl ChangeStore for Troubled {
    fn oldest(&self) -> Reply<'_, Option<Seq>> {
        self.memory.oldest()
    }

    fn changes(&self, since: Seq, limit: usize) -> Reply<'_, Vec<Change>> {
        Box::pin(async move {
            let mut changes = self.memory.changes(since, limit).await?;
            if self.endless.load(Ordering::Relaxed) {
                // Others get their turn, as while a disk is read.
                tokio::task::yield_now().await;
                let last = changes.last().map_or(since, |change| change.seq);
                let made = (1..).map(|n| Change { seq: Seq(last.0 + n), ..samples::started() });
                changes.extend(made.take(limit - changes.len()));
            }
            Ok(changes)
        })
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.memory.watch()
    }
}

impl Store for Troubled {
    fn close(&self) -> Reply<'_, ()> {
        self.memory.close()
    }
}
