//! Speaks apex, so that a promise reads as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::domain::attempt::{Output, Stream};
use crate::domain::change::{Actor, Change};
use crate::domain::id::{AssignmentId, Seq, TaskId, TaskUuid};
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::outcome::{ExitStatus, Outcome, StopCause, Usage};
use crate::domain::task::{Environment, NewTask, State, Task, TaskSpec};
use crate::domain::time::Timestamp;
use crate::store::task::{
    Add, Added, Cancel, Cancelled, Claim, Claimed, Finish, Finished, PerTask, Start, Steer, TaskFilter, Terms, Unclaim,
};
use crate::store::{Error, Store};

/// A store with someone who uses it. Names and times are counted up, so that every run is the same.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    next: AtomicU64,
}

pub(crate) const OWNER: GuardianId = GuardianId(Uuid::from_u128(0xAAAA));
pub(crate) const BOOT: BootId = BootId(Uuid::from_u128(0xB007));
pub(crate) const BY: Actor = Actor::Cli(4711);

impl World {
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        Self::counting_from(store, 1)
    }

    /// For a store that another world has used: its names must not come again.
    pub(crate) fn counting_from(store: Arc<dyn Store>, first: u64) -> Self {
        Self { store, next: AtomicU64::new(first) }
    }

    /// Goes on counting from here, whatever was counted so far.
    pub(crate) fn count_from(&self, next: u64) {
        self.next.store(next, Ordering::Relaxed);
    }

    fn tick(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.tick()).unwrap())
    }

    pub(crate) fn new_task(&self) -> NewTask {
        NewTask {
            uuid: TaskUuid(Uuid::from_u128(u128::from(self.tick()) << 64)),
            spec: TaskSpec::command(vec!["cargo".into(), "test".into()], "/home/user/project".into()),
            env: Environment(vec![("PATH".into(), "/bin".into())]),
            hold: false,
            parent: None,
        }
    }

    pub(crate) fn assignment(&self) -> AssignmentId {
        AssignmentId(Uuid::from_u128(u128::from(self.tick())))
    }

    pub(crate) async fn added(&self, task: NewTask) -> Added {
        self.store.add(Add { task, by: BY, now: self.now(), untrusted: false }).await.unwrap()
    }

    pub(crate) async fn add(&self, change: impl FnOnce(&mut NewTask)) -> Task {
        let mut task = self.new_task();
        change(&mut task);
        self.added(task).await.task
    }

    pub(crate) async fn queued_task(&self) -> TaskId {
        self.add(|_| ()).await.id
    }

    pub(crate) async fn claim(&self, most: usize) -> Vec<Claimed> {
        self.try_claim(most).await.unwrap()
    }

    pub(crate) async fn try_claim(&self, most: usize) -> Result<Vec<Claimed>, Error> {
        self.store.claim(self.claim_of(most)).await
    }

    pub(crate) fn claim_of(&self, most: usize) -> Claim {
        let now = self.now();
        let assignments = (0..most).map(|_| self.assignment()).collect();
        let (after, lease_until) = (Vec::new(), Timestamp(now.0 + 60_000));
        let (shut, terms) = (Vec::new(), Terms::default());
        Claim { owner: OWNER, boot: BOOT, assignments, after, shut, now, lease_until, terms }
    }

    pub(crate) async fn claimed(&self) -> Claimed {
        self.claim(1).await.pop().expect("a task was queued")
    }

    pub(crate) fn process(&self, claim: AssignmentId) -> ProcessIdentity {
        ProcessIdentity { boot: BOOT, pid: 1000, start_ticks: claim.0.as_u64_pair().1 }
    }

    pub(crate) async fn start(&self, claim: AssignmentId) {
        self.store.start(self.start_of(claim)).await.unwrap();
    }

    pub(crate) fn start_of(&self, claim: AssignmentId) -> Start {
        Start { assignment: claim, identity: self.process(claim), at: self.now() }
    }

    pub(crate) async fn running_task(&self) -> Claimed {
        self.queued_task().await;
        let claimed = self.claimed().await;
        self.start(claimed.attempt.assignment).await;
        claimed
    }

    pub(crate) fn unclaim(&self, claim: AssignmentId) -> Unclaim {
        Unclaim { assignment: claim, reason: "no descriptors left".to_owned(), now: self.now() }
    }

    pub(crate) fn code(&self, code: i32) -> Outcome {
        let usage = Usage { max_rss_bytes: 4096, user_ms: 7, system_ms: 3 };
        Outcome::of_exit(ExitStatus::Code(code), None, Some(usage), self.now())
    }

    pub(crate) fn stopped(&self, cause: StopCause) -> Outcome {
        Outcome::of_exit(ExitStatus::Signal(15), Some(cause), None, self.now())
    }

    pub(crate) fn end(&self, claim: AssignmentId, outcome: Outcome) -> Finish {
        let path = "output/0/1.1.log".into();
        let outputs = vec![Output { stream: Stream::Merged, path, bytes: 12, sha256: None }];
        Finish { assignment: claim, outcome, outputs, started: None, jitter: 1.0, now: self.now() }
    }

    pub(crate) async fn finish(&self, claim: AssignmentId, outcome: Outcome) -> Finished {
        self.store.finish(self.end(claim, outcome)).await.unwrap()
    }

    /// Runs the next task to its end and returns it as it stands then.
    pub(crate) async fn run(&self, code: i32) -> Task {
        let claim = self.claimed().await.attempt.assignment;
        self.start(claim).await;
        self.finish(claim, self.code(code)).await.task
    }

    pub(crate) async fn cancel(&self, ids: &[TaskId], reason: Option<&str>) -> PerTask<Cancelled> {
        let reason = reason.map(str::to_owned);
        self.store.cancel(Cancel { ids: ids.to_vec(), only: None, reason, by: BY, now: self.now() }).await.unwrap()
    }

    pub(crate) async fn retry(&self, ids: &[TaskId]) -> PerTask<()> {
        self.store.retry(Steer { ids: ids.to_vec(), only: None, by: BY, now: self.now() }).await.unwrap()
    }

    pub(crate) async fn task(&self, id: TaskId) -> Task {
        self.store.task(id).await.unwrap().expect("the task is there")
    }

    pub(crate) async fn state(&self, id: TaskId) -> State {
        self.task(id).await.state
    }

    pub(crate) async fn list(&self, filter: TaskFilter) -> (Vec<u64>, bool) {
        let page = self.store.tasks(filter).await.unwrap();
        (page.tasks.iter().map(|task| task.id.get()).collect(), page.cut)
    }

    pub(crate) async fn changes(&self) -> Vec<Change> {
        self.store.changes(Seq(0), 10_000).await.unwrap()
    }
}
