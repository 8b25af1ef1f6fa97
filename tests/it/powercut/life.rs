//! Lives of a store.

use apex::domain::change::Actor;
use apex::domain::id::{AssignmentId, TaskId, TaskUuid};
use apex::domain::identity::{BootId, GuardianId, ProcessIdentity};
use apex::domain::outcome::{ExitStatus, Outcome};
use apex::domain::task::{Environment, NewTask, TaskSpec};
use apex::domain::time::{Moment, Timestamp};
use apex::store::queue::SetQueue;
use apex::store::task::{Add, Cancel, Claim, Finish, Pause, Start, Steer, Terms};
use apex::store::{QueueStore, TaskStore};
use uuid::Uuid;

use crate::powercut::{NOW, Pen};

const BY: Actor = Actor::Cli(4711);

impl Pen {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn now(&mut self) -> Timestamp {
        Timestamp(NOW.0 + i64::try_from(self.next()).unwrap())
    }

    fn new_task(&mut self) -> NewTask {
        NewTask {
            uuid: TaskUuid(Uuid::from_u128(u128::from(self.next()) << 64)),
            spec: TaskSpec::command(vec!["cargo".into(), "test".into()], "/home/user/project".into()),
            env: Environment(vec![("PATH".into(), "/bin".into())]),
            hold: false,
            parent: None,
        }
    }

    async fn add(&mut self, change: impl FnOnce(&mut NewTask)) -> TaskId {
        let mut task = self.new_task();
        change(&mut task);
        let now = self.now();
        let added = self.store.add(Add { task, by: BY, now, untrusted: false }).await.unwrap();
        self.answered().await;
        added.task.id
    }

    async fn claim(&mut self) -> AssignmentId {
        let (assignment, now) = (AssignmentId(Uuid::from_u128(u128::from(self.next()))), self.now());
        let claim = Claim {
            owner: GuardianId(Uuid::from_u128(1)),
            boot: BootId(Uuid::from_u128(2)),
            assignments: vec![assignment],
            after: Vec::new(),
            shut: Vec::new(),
            now,
            lease_until: Timestamp(now.0 + 60_000),
            terms: Terms::default(),
        };
        assert_eq!(self.store.claim(claim).await.unwrap().len(), 1);
        self.answered().await;
        assignment
    }

    async fn start(&mut self) -> AssignmentId {
        let assignment = self.claim().await;
        let identity = ProcessIdentity { boot: BootId(Uuid::from_u128(2)), pid: 7, start_ticks: self.next() };
        let at = self.now();
        self.store.start(Start { assignment, identity, at }).await.unwrap();
        self.answered().await;
        assignment
    }

    async fn finish(&mut self, assignment: AssignmentId, code: i32) {
        let now = self.now();
        let outcome = Outcome::of_exit(ExitStatus::Code(code), None, None, now);
        let finish = Finish { assignment, outcome, outputs: Vec::new(), started: None, jitter: 1.0, now };
        assert!(self.store.finish(finish).await.unwrap().recorded);
        self.answered().await;
    }

    async fn run(&mut self, code: i32) {
        let assignment = self.start().await;
        self.finish(assignment, code).await;
    }

    fn steer(&mut self, ids: &[TaskId]) -> Steer {
        Steer { ids: ids.to_vec(), only: None, by: BY, now: self.now() }
    }
}

/// A few tasks are added, and one of them runs.
pub async fn add_a_few(pen: &mut Pen) {
    for _ in 0..8 {
        pen.add(|_| ()).await;
    }
    let running = pen.start().await;
    pen.add(|_| ()).await;
    pen.finish(running, 0).await;
}

/// Everything that happens to tasks and queues, with two orderly ends in between.
pub async fn every_verb(pen: &mut Pen) {
    let first = pen.add(|_| ()).await;
    let failed = pen.add(|task| task.spec.priority = 1).await;
    let after = pen.add(|task| task.spec.after = vec![failed]).await;
    pen.run(3).await;
    pen.run(0).await;
    let retry = pen.steer(&[failed]);
    pen.store.retry(retry).await.unwrap();
    pen.answered().await;
    pen.reopen().await;

    let held = pen.add(|task| task.hold = true).await;
    let hold = pen.steer(&[after]);
    pen.store.hold(hold).await.unwrap();
    pen.answered().await;
    let release = pen.steer(&[held, after]);
    pen.store.release(release).await.unwrap();
    pen.answered().await;
    let (name, now) = ("gpu".to_owned(), pen.now());
    pen.store.add_queue(SetQueue { name, slots: 1, by: BY, now }).await.unwrap();
    pen.answered().await;
    let running = pen.start().await;
    let (ids, now) = (vec![failed], pen.now());
    let pause = Pause { ids, only: None, by: BY, now, at: Moment(5) };
    pen.store.pause(pause.clone()).await.unwrap();
    pen.answered().await;
    pen.store.resume(pause).await.unwrap();
    pen.answered().await;
    pen.finish(running, 0).await;
    let (ids, now) = (vec![after], pen.now());
    pen.store.cancel(Cancel { ids, only: None, reason: None, by: BY, now }).await.unwrap();
    pen.answered().await;
    pen.reopen().await;

    let remove = pen.steer(&[first]);
    pen.store.remove(remove).await.unwrap();
    pen.answered().await;
    // Together, so that they share a commit.
    let mut adds = Vec::new();
    for _ in 0..12 {
        let task = pen.new_task();
        let now = pen.now();
        adds.push(Add { task, by: BY, now, untrusted: false });
    }
    let mut all = tokio::task::JoinSet::new();
    for add in adds {
        let store = std::sync::Arc::clone(&pen.store);
        all.spawn(async move { store.add(add).await.unwrap().created });
    }
    assert!(all.join_all().await.into_iter().all(|created| created));
    pen.answered().await;
    pen.run(1).await;
}

/// So much is written that the log is merged twice and begun again.
pub async fn big_tasks(pen: &mut Pen) {
    for round in 0..24 {
        let mut value = vec![b'a' + round; 400_000];
        value[0] = b'=';
        let value = String::from_utf8(value).unwrap();
        pen.add(move |task| task.env.0.push(("BIG".into(), value.into()))).await;
    }
    pen.run(0).await;
}
