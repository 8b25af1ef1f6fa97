//! The engine between a store in memory and a guardian that is played by the test.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::domain::adoption::Child;
use crate::domain::change::Actor;
use crate::domain::id::{AssignmentId, TaskId, TaskUuid};
use crate::domain::outcome::{Exit, ExitStatus, ReasonCode};
use crate::domain::query::Cancelled;
use crate::domain::task::{Environment, NewTask, State, Task, TaskSpec};
use crate::link::{Scope, Spawn, SpawnStep};
use crate::store::TaskStore;

mod hooks;
mod lending;
mod preparing;
mod reload;
mod scheduled;
mod trouble;
mod troubled;
mod waiting;
mod windows;

use troubled::Troubled;

thread_local! {
    static BEGAN: std::cell::OnceCell<Instant> = const { std::cell::OnceCell::new() };
}

thread_local! {
    /// Until when the guardian was told that the grace goes.
    static GRACE: std::cell::Cell<Option<Moment>> = const { std::cell::Cell::new(None) };
}

/// The runtime's own clock, which moves on by itself whenever everybody waits.
fn moment() -> Moment {
    let began = BEGAN.with(|began| *began.get_or_init(Instant::now));
    Moment(u64::try_from(Instant::now().duration_since(began).as_millis()).unwrap())
}

fn now() -> Timestamp {
    Timestamp(1_000_000 + i64::try_from(moment().0).unwrap())
}

fn started(identity: ProcessIdentity) -> Option<Moment> {
    (identity.start_ticks > 0).then_some(Moment(identity.start_ticks))
}

fn guardian(id: u128) -> Guardian {
    Guardian {
        id: GuardianId(Uuid::from_u128(id)),
        pid: 1,
        started_at: Timestamp(0),
        restarts: 0,
        stop_requests: 0,
        grace_until: None,
        doubtful: Vec::new(),
        confines: true,
        children: Vec::new(),
        boot: BootId(Uuid::from_u128(7)),
        keeps: true,
    }
}

struct Stage {
    store: Arc<Troubled>,
    dir: Arc<tempfile::TempDir>,
    handle: Handle,
    orders: mpsc::UnboundedReceiver<Order>,
    facts: mpsc::Sender<Fact>,
    engine: JoinHandle<Ended>,
}

impl Stage {
    async fn new(max_concurrent: u32) -> Stage {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::with(Arc::new(Troubled::new()), dir, guardian(1), Vec::new(), max_concurrent, |_| false).await
    }

    async fn with(
        store: Arc<Troubled>,
        dir: Arc<tempfile::TempDir>,
        guardian: Guardian,
        last_words: Vec<LastWords>,
        max_concurrent: u32,
        is_alive: fn(ProcessIdentity) -> bool,
    ) -> Stage {
        let world = World { now, moment, is_alive, started };
        Self::in_world(store, dir, guardian, last_words, max_concurrent, world, true).await
    }

    async fn in_world(
        store: Arc<Troubled>,
        dir: Arc<tempfile::TempDir>,
        guardian: Guardian,
        last_words: Vec<LastWords>,
        max_concurrent: u32,
        world: World,
        trusted: bool,
    ) -> Stage {
        let (order_sender, orders) = mpsc::unbounded_channel();
        let (facts, fact_receiver) = mpsc::channel(1024);
        let settings = Settings {
            max_concurrent,
            poll_interval: Duration::from_secs(5),
            grace: Duration::from_secs(30),
            kill_grace: Duration::from_secs(5),
            leftovers: Leftovers::Kill,
            keep_for: None,
            pools: Arc::default(),
            reserve_after: Duration::from_secs(30),
            windows: Windows::none(),
        };
        let setup = Setup {
            store: store.clone(),
            outputs: Outputs::new(dir.path().to_owned()),
            orders: Box::new(move |order| {
                // Goes along with every drain; what matters of it is what the next apexd makes of it.
                if let Order::Grace { until } = order {
                    GRACE.with(|grace| grace.set(Some(until)));
                    return;
                }
                // After the end of a test nobody listens.
                let _ = order_sender.send(order);
            }),
            facts: fact_receiver,
            guardian,
            last_words,
            settings,
            project: dir.path().to_owned(),
            socket: dir.path().join("daemon.sock"),
            world,
            alarm: Box::new(RuntimeAlarm(moment)),
            trusted,
        };
        let (engine, handle) = Engine::start(setup).await.unwrap();
        let mut stage = Stage { store, dir, handle, orders, facts, engine: tokio::spawn(engine.run()) };
        let policy = stage.orders.recv().await.unwrap();
        assert_eq!(policy, Order::Policy { kill_grace: Duration::from_secs(5) });
        stage
    }

    async fn add(&self) -> TaskId {
        self.add_spec(TaskSpec::command(vec!["/bin/true".into()], "/".into())).await
    }

    async fn add_spec(&self, spec: TaskSpec) -> TaskId {
        let uuid = TaskUuid(Uuid::new_v4());
        let task = NewTask { uuid, spec, env: Environment::default(), hold: false, parent: None };
        self.handle.add(task, Actor::Cli(1)).await.unwrap().task.id
    }

    async fn order(&mut self) -> Order {
        let order = tokio::time::timeout(Duration::from_secs(3600), self.orders.recv()).await;
        order.expect("something is ordered within an hour").expect("the engine is there")
    }

    /// Takes the order to start a process.
    async fn spawn_order(&mut self) -> Spawn {
        match self.order().await {
            Order::Spawn(spawn) => *spawn,
            other => panic!("no order to start: {other:?}"),
        }
    }

    /// Takes the order to signal a session, and answers it.
    async fn answer_signal(&mut self, errno: i32) -> i32 {
        match self.order().await {
            Order::Signal { assignment, signal, scope: Scope::Session | Scope::Everything } => {
                self.tell(Fact::Signalled { assignment, signal, errno }).await;
                signal
            }
            other => panic!("no signal: {other:?}"),
        }
    }

    /// Takes the question for what is left of an attempt that was ended, and answers that there is nothing.
    async fn nothing_is_left(&mut self) {
        match self.order().await {
            Order::Signal { assignment, signal: signal @ (0 | 9), scope: Scope::Everything } => {
                self.tell(Fact::Signalled { assignment, signal, errno: nix::libc::ESRCH }).await;
            }
            other => panic!("no question for what is left: {other:?}"),
        }
    }

    /// Answers every signal as if nobody was left, until an attempt is forgotten.
    async fn until_forgotten(&mut self, forgotten: AssignmentId) {
        loop {
            match self.order().await {
                Order::Forget { assignment } if assignment == forgotten => return,
                Order::Signal { assignment, signal, .. } => {
                    self.tell(Fact::Signalled { assignment, signal, errno: nix::libc::ESRCH }).await;
                }
                _ => {}
            }
        }
    }

    async fn tell(&self, fact: Fact) {
        self.facts.send(fact).await.unwrap();
    }

    async fn started(&self, assignment: AssignmentId) {
        self.tell(Fact::Spawned(child(assignment, None))).await;
    }

    async fn exited(&self, assignment: AssignmentId, status: ExitStatus, leftovers: bool) {
        self.tell(Fact::Exited { assignment, exit: exit(status, leftovers) }).await;
    }

    async fn task(&self, id: TaskId) -> Task {
        self.store.task(id).await.unwrap().unwrap()
    }

    async fn until(&self, id: TaskId, state: State) -> Task {
        let mut changes = self.handle.changes();
        loop {
            let task = self.task(id).await;
            if task.state == state {
                return task;
            }
            changes.changed().await.unwrap();
        }
    }

    /// Fails if the engine orders anything before everybody waits for time to pass.
    async fn nothing_is_ordered(&mut self) {
        let order = tokio::time::timeout(Duration::from_millis(1), self.orders.recv()).await;
        assert!(order.is_err(), "{order:?}");
    }
}

fn exit(status: ExitStatus, leftovers: bool) -> Exit {
    Exit { status, usage: None, at: now(), leftovers, stopped: false }
}

fn child(assignment: AssignmentId, exit: Option<Exit>) -> Child {
    Child { assignment, pid: 4711, start_ticks: 99, started_at: now(), exit }
}

const DONE: ExitStatus = ExitStatus::Code(0);

#[tokio::test(start_paused = true)]
async fn a_task_goes_from_its_add_to_its_end_and_is_reaped_after_that_is_stored() {
    let mut stage = Stage::new(3).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    assert_eq!(spawn.program, std::path::Path::new("/bin/true"));
    assert_eq!(stage.task(id).await.state, State::Starting, "the intent is stored before the deed");
    stage.started(spawn.assignment).await;
    assert_eq!(stage.until(id, State::Running).await.attempts[0].identity.unwrap().pid, 4711);
    stage.exited(spawn.assignment, ExitStatus::Code(3), false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    let task = stage.task(id).await;
    assert_eq!((task.state, task.exit), (State::Failed, Some(ExitStatus::Code(3))));
}

#[tokio::test(start_paused = true)]
async fn never_more_than_allowed_and_the_next_one_at_once() {
    let mut stage = Stage::new(2).await;
    for _ in 0..3 {
        stage.add().await;
    }
    let first = stage.spawn_order().await;
    let second = stage.spawn_order().await;
    stage.nothing_is_ordered().await;
    stage.started(first.assignment).await;
    stage.exited(first.assignment, DONE, false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: first.assignment });
    let third = stage.spawn_order().await;
    assert_ne!(third.assignment, second.assignment);
    let slot = |spawn: &Spawn| spawn.env.iter().find(|(name, _)| name == "APEX_SLOT").unwrap().1.clone();
    assert_eq!(slot(&third), slot(&first), "the slot that became free");
}

#[tokio::test(start_paused = true)]
async fn whatever_comes_at_once_is_heard() {
    let mut stage = Stage::new(300).await;
    for _ in 0..300 {
        stage.add().await;
    }
    let mut assignments = Vec::new();
    while assignments.len() < 300 {
        assignments.push(stage.spawn_order().await.assignment);
    }
    // More than the loop takes in at a time, and none of it may be left out.
    for assignment in &assignments {
        stage.facts.try_send(Fact::Spawned(child(*assignment, None))).unwrap();
        let exit = exit(ExitStatus::Code(0), false);
        stage.facts.try_send(Fact::Exited { assignment: *assignment, exit }).unwrap();
    }
    for _ in 0..300 {
        assert!(matches!(stage.order().await, Order::Forget { .. }));
    }
    assert_eq!(stage.handle.status().await.unwrap().counts.of(State::Succeeded), 300);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_a_signal_a_grace_and_a_kill() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(id, State::Running).await;
    let handle = stage.handle.clone();
    let cancel = tokio::spawn(async move { handle.cancel(vec![id], None, Actor::Cli(1)).await.unwrap() });
    let began = moment();
    for signal in [15, 18, 0] {
        assert_eq!(stage.answer_signal(0).await, signal);
    }
    assert!(matches!(cancel.await.unwrap()[0].1, Ok(Cancelled::Asked(_))));
    assert_eq!(stage.answer_signal(0).await, 9);
    assert!(moment().0 - began.0 >= 5_000, "the grace was given");
    stage.exited(spawn.assignment, ExitStatus::Signal(9), false).await;
    stage.nothing_is_left().await;
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    assert_eq!(stage.task(id).await.state, State::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn what_a_normal_end_leaves_is_ended_before_the_end_is_stored() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.exited(spawn.assignment, DONE, true).await;
    assert_eq!(stage.answer_signal(0).await, 15);
    assert_eq!(stage.answer_signal(0).await, 18);
    assert_eq!(stage.task(id).await.state, State::Running);
    assert_eq!(stage.answer_signal(nix::libc::ESRCH).await, 0);
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    assert_eq!(stage.task(id).await.state, State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn want_of_processes_is_no_attempt_and_is_tried_again() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    let (assignment, step, errno) = (spawn.assignment, SpawnStep::Fork, nix::libc::EAGAIN);
    stage.tell(Fact::NotSpawned { assignment, step, errno }).await;
    assert_eq!(stage.order().await, Order::Forget { assignment });
    let again = stage.spawn_order().await;
    assert_ne!(again.assignment, assignment);
    assert_eq!(stage.task(id).await.attempt, 1, "the first start did not count");
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_vanished_is_a_failed_attempt() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    let (assignment, step, errno) = (spawn.assignment, SpawnStep::Chdir, nix::libc::ENOENT);
    stage.tell(Fact::NotSpawned { assignment, step, errno }).await;
    assert_eq!(stage.order().await, Order::Forget { assignment });
    let task = stage.task(id).await;
    assert_eq!((task.state, task.exit), (State::Failed, Some(ExitStatus::Code(127))));
    assert_eq!(task.reason_code, Some(ReasonCode::Spawn));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_then_stops_then_kills_and_takes_nothing_new() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let waiting = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(id, State::Running).await;
    let began = moment();
    stage.handle.stop(None, "SIGTERM").await.unwrap();
    assert_eq!(stage.order().await, Order::Draining);
    for (signal, after) in [(15, 30_000), (18, 30_000), (9, 35_000)] {
        assert_eq!(stage.answer_signal(0).await, signal);
        assert!((after..after + 100).contains(&(moment().0 - began.0)), "{signal} after {}", moment().0 - began.0);
    }
    let spec = TaskSpec::command(vec!["true".into()], "/".into());
    let uuid = TaskUuid(Uuid::new_v4());
    let new = NewTask { uuid, spec, env: Environment::default(), hold: false, parent: None };
    assert!(matches!(stage.handle.add(new, Actor::Cli(1)).await, Err(Error::Draining)));
    stage.exited(spawn.assignment, ExitStatus::Signal(9), false).await;
    stage.nothing_is_left().await;
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    assert_eq!(stage.engine.await.unwrap(), Ended::Drained);
    let task = stage.store.task(id).await.unwrap().unwrap();
    assert_eq!((task.state, task.reason_code), (State::Interrupted, Some(ReasonCode::Drain)));
    assert_eq!(stage.store.task(waiting).await.unwrap().unwrap().state, State::Queued);
}

#[tokio::test(start_paused = true)]
async fn requests_to_stop_that_are_told_together_count_as_many() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(id, State::Running).await;
    let began = moment();
    stage.tell(Fact::Terminate { requests: 2 }).await;
    assert_eq!(stage.order().await, Order::Draining, "the guardian is told that it was heard");
    assert_eq!(stage.answer_signal(0).await, 15);
    assert!(moment().0 - began.0 < 30_000, "the second one skips the grace");
    assert_eq!(stage.answer_signal(0).await, 18);
    stage.tell(Fact::Terminate { requests: 3 }).await;
    assert_eq!(stage.order().await, Order::Draining, "the guardian is told that it was heard");
    assert_eq!(stage.answer_signal(0).await, 9);
    assert!(moment().0 - began.0 < 5_000, "the third one skips the kill grace");
    stage.exited(spawn.assignment, ExitStatus::Signal(9), false).await;
    stage.nothing_is_left().await;
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    assert_eq!(stage.engine.await.unwrap(), Ended::Drained);
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_on_with_its_deadline_after_a_crash_of_apexd() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(id, State::Running).await;
    let child = child(spawn.assignment, None);
    let until = moment() + Duration::from_secs(50);
    stage.handle.stop(Some(Duration::from_secs(50)), "SIGTERM").await.unwrap();
    assert_eq!(stage.order().await, Order::Draining);
    assert_eq!(GRACE.with(std::cell::Cell::get), Some(until));
    let (store, dir) = (stage.store.clone(), stage.dir.clone());
    drop(stage);
    tokio::time::sleep(Duration::from_secs(45)).await;
    let guardian = Guardian { stop_requests: 1, grace_until: Some(until), children: vec![child], ..guardian(1) };
    let mut stage = Stage::with(store, dir, guardian, Vec::new(), 1, |_| true).await;
    assert_eq!(stage.answer_signal(0).await, 15);
    assert!((until.0..until.0 + 100).contains(&moment().0), "stopped {} ms off", moment().0.abs_diff(until.0));
    assert_eq!(GRACE.with(std::cell::Cell::get), Some(until), "and so would be the one after it");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_started_is_lost_and_what_was_not_goes_back() {
    let mut stage = Stage::new(2).await;
    let (doubted, sure) = (stage.add().await, stage.add().await);
    let doubtful = stage.spawn_order().await.assignment;
    stage.spawn_order().await;
    let (store, dir) = (stage.store.clone(), stage.dir.clone());
    drop(stage);
    let is_doubted = store.task(doubted).await.unwrap().unwrap().attempts[0].assignment == doubtful;
    let (doubted, sure) = if is_doubted { (doubted, sure) } else { (sure, doubted) };
    let guardian = Guardian { doubtful: vec![doubtful], ..guardian(1) };
    let mut stage = Stage::with(store, dir, guardian, Vec::new(), 2, |_| false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: doubtful }, "once it is settled");
    let task = stage.task(doubted).await;
    assert_eq!((task.state, task.reason_code), (State::Lost, Some(ReasonCode::GuardianLost)));
    let again = stage.spawn_order().await;
    assert_eq!(stage.task(sure).await.attempts.last().unwrap().assignment, again.assignment);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_nobody_can_tell_is_lost() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(id, State::Running).await;
    stage.tell(Fact::Gone { assignment: spawn.assignment, at: now() }).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    let task = stage.task(id).await;
    assert_eq!((task.state, task.reason_code), (State::Lost, Some(ReasonCode::GuardianLost)));
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_drains_at_once() {
    let stage = Stage::new(1).await;
    stage.handle.stop(None, "SIGTERM").await.unwrap();
    assert_eq!(stage.engine.await.unwrap(), Ended::Drained);
}

#[tokio::test(start_paused = true)]
async fn without_a_guardian_the_engine_ends() {
    let Stage { engine, facts, .. } = Stage::new(1).await;
    drop(facts);
    assert_eq!(engine.await.unwrap(), Ended::GuardianGone);
}

#[tokio::test(start_paused = true)]
async fn the_next_engine_takes_up_what_was_under_way() {
    let mut stage = Stage::new(4).await;
    let mut spawns = Vec::new();
    for _ in 0..4 {
        stage.add().await;
        spawns.push(stage.spawn_order().await.assignment);
    }
    let [running, ended, unseen, never] = spawns[..] else { panic!("four were started") };
    stage.started(running).await;
    stage.until(TaskId::new(1).unwrap(), State::Running).await;
    stage.engine.abort();

    // The guardian holds two that run, one of them not yet stored as running, and one that has ended.
    let mut held = guardian(1);
    held.restarts = 1;
    held.children =
        vec![child(running, None), child(ended, Some(exit(ExitStatus::Code(9), false))), child(unseen, None)];
    let mut stage = Stage::with(stage.store, stage.dir, held, Vec::new(), 4, |_| true).await;
    // The two have nothing to do with one another: either may come first.
    let orders = [stage.order().await, stage.order().await];
    assert!(orders.contains(&Order::Forget { assignment: ended }), "{orders:?}");
    let is_new = |order: &Order| matches!(order, Order::Spawn(spawn) if spawn.assignment != never);
    assert!(orders.iter().any(is_new), "a claim is never used twice: {orders:?}");
    let id = |n| TaskId::new(n).unwrap();
    assert_eq!(stage.task(id(2)).await.exit, Some(ExitStatus::Code(9)));
    stage.until(id(3), State::Running).await;
    assert_eq!(stage.task(id(4)).await.attempt, 1, "what was never started was no attempt");
    stage.exited(running, DONE, false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: running });
    assert_eq!(stage.task(id(1)).await.state, State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_counts_until_the_end_and_not_until_the_next_engine() {
    let mut stage = Stage::new(2).await;
    let mut spawns = Vec::new();
    for _ in 0..2 {
        let mut spec = TaskSpec::command(vec!["/bin/true".into()], "/".into());
        spec.timeout = Some(Duration::from_secs(1));
        stage.add_spec(spec).await;
        spawns.push(stage.spawn_order().await.assignment);
    }
    stage.engine.abort();
    let mut held = guardian(1);
    let in_time = child(spawns[0], Some(exit(DONE, false)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The other one was told to end by the engine before, which did not live to hear of the end.
    let stopped = Exit { stopped: true, ..exit(ExitStatus::Code(0), false) };
    let over = Child { started_at: in_time.started_at, ..child(spawns[1], Some(stopped)) };
    held.children = vec![in_time, over];
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut stage = Stage::with(stage.store, stage.dir, held, Vec::new(), 2, |_| true).await;
    stage.until_forgotten(spawns[1]).await;
    let id = |n| TaskId::new(n).unwrap();
    stage.until(id(1), State::Succeeded).await;
    stage.until(id(2), State::TimedOut).await;
}

#[tokio::test(start_paused = true)]
async fn what_another_guardian_wrote_down_is_recorded_and_the_rest_is_lost() {
    let mut stage = Stage::new(3).await;
    let mut spawns = Vec::new();
    for n in 1..=3 {
        let id = stage.add().await;
        let assignment = stage.spawn_order().await.assignment;
        stage.started(assignment).await;
        stage.until(id, State::Running).await;
        assert_eq!(id.get(), n);
        spawns.push(assignment);
    }
    stage.engine.abort();
    let stopped = Exit { stopped: true, ..exit(ExitStatus::Signal(15), false) };
    let words = LastWords {
        guardian: GuardianId(Uuid::from_u128(1)),
        children: vec![child(spawns[0], Some(exit(ExitStatus::Code(5), false))), child(spawns[1], Some(stopped))],
    };
    let stage = Stage::with(stage.store, stage.dir, guardian(2), vec![words], 3, |_| false).await;
    let told = async |n| {
        let task = stage.task(TaskId::new(n).unwrap()).await;
        (task.state, task.reason_code, task.exit)
    };
    assert_eq!(told(1).await, (State::Failed, Some(ReasonCode::Exit), Some(ExitStatus::Code(5))));
    assert_eq!(told(2).await, (State::Interrupted, Some(ReasonCode::Drain), Some(ExitStatus::Signal(15))));
    // It wrote down all that it held, and this, which is known to have run, was not among it.
    assert_eq!(told(3).await, (State::Lost, Some(ReasonCode::GuardianLost), None));
}

#[tokio::test(start_paused = true)]
async fn after_a_guardian_was_killed_a_task_is_lost_once_its_process_is_gone() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let assignment = stage.spawn_order().await.assignment;
    stage.started(assignment).await;
    stage.until(id, State::Running).await;
    stage.engine.abort();
    let stage = Stage::with(stage.store, stage.dir, guardian(2), Vec::new(), 1, |_| moment().0 < 10_000).await;
    let task = stage.until(id, State::Lost).await;
    assert!(moment().0 >= 10_000, "it was watched as long as it lived");
    assert_eq!((task.reason_code, task.attempt), (Some(ReasonCode::GuardianLost), 1));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_would_do_is_refused_by_name() {
    let stage = Stage::new(1).await;
    let refusal = async |change: fn(&mut TaskSpec)| {
        let mut spec = TaskSpec::command(vec!["true".into()], "/".into());
        change(&mut spec);
        let uuid = TaskUuid(Uuid::new_v4());
        let new = NewTask { uuid, spec, env: Environment::default(), hold: false, parent: None };
        stage.handle.add(new, Actor::Cli(1)).await.unwrap_err().problem().message
    };
    assert_eq!(refusal(|spec| spec.key = Some(String::new())).await, "key `` needs 1 to 255 bytes");
}
