//! What waits for the clock, for others or for somebody, with a clock that moves on by itself.

use std::cell::Cell;

use super::*;
use crate::domain::task::{Backoff, RetryPolicy};

const EXIT: fn(i32) -> ExitStatus = ExitStatus::Code;

fn spec() -> TaskSpec {
    TaskSpec::command(vec!["/bin/true".into()], "/".into())
}

impl Stage {
    /// Runs the next task to its end.
    async fn run(&mut self, status: ExitStatus) -> AssignmentId {
        let assignment = self.spawn_order().await.assignment;
        self.started(assignment).await;
        self.exited(assignment, status, false).await;
        assert_eq!(self.order().await, Order::Forget { assignment });
        assignment
    }

    async fn running(&mut self, spec: TaskSpec) -> (TaskId, AssignmentId) {
        let id = self.add_spec(spec).await;
        let assignment = self.spawn_order().await.assignment;
        self.started(assignment).await;
        self.until(id, State::Running).await;
        (id, assignment)
    }

    /// Does something with a task whose processes get these signals for it.
    async fn steered(&mut self, signals: &[i32], steer: impl Future<Output = ()> + Send + 'static) {
        let steered = tokio::spawn(steer);
        for signal in signals {
            assert_eq!(self.answer_signal(0).await, *signal);
        }
        steered.await.unwrap();
    }

    async fn pause(&mut self, id: TaskId) {
        let handle = self.handle.clone();
        let pause = async move { handle.pause(vec![id], Actor::Cli(1)).await.unwrap().remove(0).1.unwrap() };
        self.steered(&[19, 0], pause).await;
    }

    async fn resume(&mut self, id: TaskId) {
        let handle = self.handle.clone();
        let resume = async move { handle.resume(vec![id], Actor::Cli(1)).await.unwrap().remove(0).1.unwrap() };
        self.steered(&[18, 0], resume).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_as_soon_as_it_goes_on_was_resumed() {
    let mut stage = Stage::new(1).await;
    let (id, assignment) = stage.running(spec()).await;
    stage.pause(id).await;
    let handle = stage.handle.clone();
    let resume = tokio::spawn(async move { handle.resume(vec![id], Actor::Cli(1)).await.unwrap().remove(0).1 });
    assert!(matches!(stage.order().await, Order::Signal { signal: 18, .. }));
    // Its end is stored before anybody hears that the signal was sent.
    stage.exited(assignment, ExitStatus::Code(0), false).await;
    stage.until(id, State::Succeeded).await;
    resume.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_starts_when_its_time_has_come() {
    let mut stage = Stage::new(1).await;
    let began = moment();
    let at = now() + Duration::from_secs(90);
    let id = stage.add_spec(TaskSpec { run_at: Some(at), ..spec() }).await;
    assert_eq!(stage.task(id).await.state, State::Scheduled);
    stage.spawn_order().await;
    let waited = moment().0 - began.0;
    assert!((90_000..90_100).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_task_starts_soon_after_somebody_set_the_wall_clock_past_its_time() {
    thread_local! {
        static SET_BY: Cell<i64> = const { Cell::new(0) };
    }
    let world = World { now: || Timestamp(now().0 + SET_BY.get()), moment, is_alive: |_| false, started };
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let store = Arc::new(Troubled::new());
    let mut stage = Stage::in_world(store, dir, guardian(1), Vec::new(), 1, world, true).await;
    stage.add_spec(TaskSpec { run_at: Some(now() + Duration::from_secs(24 * 3600)), ..spec() }).await;
    stage.nothing_is_ordered().await;
    let began = moment();
    SET_BY.set(25 * 3600 * 1000);
    stage.spawn_order().await;
    let waited = moment().0 - began.0;
    assert!(waited <= 10_100, "the next look or the one after it sees that: {waited}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_task_runs_again_after_its_delay() {
    let mut stage = Stage::new(1).await;
    let retry = RetryPolicy {
        max_attempts: 2,
        delay: Duration::from_secs(60),
        backoff: Backoff::Fixed,
        ..RetryPolicy::default()
    };
    let id = stage.add_spec(TaskSpec { retry, ..spec() }).await;
    stage.run(EXIT(1)).await;
    let began = moment();
    assert_eq!(stage.task(id).await.state, State::Retrying);
    stage.run(EXIT(0)).await;
    let waited = moment().0 - began.0;
    assert!((60_000..60_100).contains(&waited), "{waited}");
    let task = stage.task(id).await;
    assert_eq!((task.state, task.attempt, task.failures), (State::Succeeded, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_on_as_each_of_its_tasks_ends() {
    let mut stage = Stage::new(3).await;
    let build = stage.add().await;
    let test = stage.add_spec(TaskSpec { after: vec![build], ..spec() }).await;
    let package = stage.add_spec(TaskSpec { after: vec![test], ..spec() }).await;
    stage.run(EXIT(0)).await;
    stage.run(EXIT(3)).await;
    assert_eq!(stage.until(package, State::Skipped).await.reason.as_deref(), Some("task 2 failed"));
    stage.nothing_is_ordered().await;
    stage.handle.retry(vec![test], Actor::Cli(1)).await.unwrap().remove(0).1.unwrap();
    stage.run(EXIT(0)).await;
    stage.run(EXIT(0)).await;
    assert_eq!(stage.task(package).await.state, State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_dependants_are_told_and_run() {
    let mut stage = Stage::new(1).await;
    let (build, assignment) = stage.running(spec()).await;
    for _ in 0..600 {
        stage.add_spec(TaskSpec { after: vec![build], ..spec() }).await;
    }
    stage.exited(assignment, EXIT(1), false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment });
    stage.until(TaskId::new(601).unwrap(), State::Skipped).await;
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_stands_still_while_a_task_is_paused() {
    let mut stage = Stage::new(1).await;
    let limit = Duration::from_secs(60);
    let (id, assignment) = stage.running(TaskSpec { timeout: Some(limit), ..spec() }).await;
    let began = moment();
    stage.pause(id).await;
    assert_eq!(stage.task(id).await.state, State::Paused);
    tokio::time::sleep(Duration::from_secs(600)).await;
    stage.nothing_is_ordered().await;
    stage.resume(id).await;
    assert_eq!(stage.task(id).await.state, State::Running);
    assert_eq!(stage.answer_signal(0).await, 15, "its time is over");
    let ran = moment().0 - began.0;
    assert!((660_000..660_200).contains(&ran), "{ran}");
    assert_eq!(stage.answer_signal(0).await, 18);
    stage.exited(assignment, ExitStatus::Signal(15), false).await;
    stage.nothing_is_left().await;
    assert_eq!(stage.order().await, Order::Forget { assignment });
    assert_eq!(stage.task(id).await.state, State::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn the_next_engine_stops_what_is_paused_and_times_what_runs() {
    let mut stage = Stage::new(2).await;
    let limit = Some(Duration::from_secs(60));
    let (paused, first) = stage.running(TaskSpec { timeout: limit, ..spec() }).await;
    let (running, second) = stage.running(TaskSpec { timeout: limit, ..spec() }).await;
    stage.pause(paused).await;
    stage.engine.abort();
    tokio::time::sleep(Duration::from_secs(40)).await;

    let mut held = guardian(1);
    held.children = vec![child(first, None), child(second, None)];
    let mut stage = Stage::with(stage.store, stage.dir, held, Vec::new(), 2, |_| true).await;
    assert_eq!(stage.answer_signal(0).await, 19, "the signal may not have been sent");
    assert_eq!(stage.answer_signal(0).await, 15, "the other one's time went on meanwhile");
    assert!((60_000..60_500).contains(&moment().0), "{}", moment().0);
    assert_eq!(stage.answer_signal(0).await, 18);
    stage.exited(second, ExitStatus::Signal(15), false).await;
    stage.nothing_is_left().await;
    assert_eq!(stage.order().await, Order::Forget { assignment: second });
    assert_eq!(stage.task(running).await.state, State::TimedOut);
    assert_eq!(stage.task(paused).await.state, State::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_begins_anew_if_nobody_knows_when_the_process_started() {
    let mut stage = Stage::new(1).await;
    let (id, assignment) = stage.running(TaskSpec { timeout: Some(Duration::from_secs(60)), ..spec() }).await;
    stage.engine.abort();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let mut held = guardian(1);
    held.children = vec![Child { start_ticks: 0, ..child(assignment, None) }];
    let mut stage = Stage::with(stage.store, stage.dir, held, Vec::new(), 1, |_| true).await;
    let began = moment();
    assert_eq!(stage.answer_signal(0).await, 15);
    assert!((60_000..60_200).contains(&(moment().0 - began.0)), "{}", moment().0 - began.0);
    stage.exited(assignment, ExitStatus::Signal(15), false).await;
    stage.until_forgotten(assignment).await;
    assert_eq!(stage.task(id).await.state, State::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_just_being_started_is_paused_when_it_runs() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let assignment = stage.spawn_order().await.assignment;
    let handle = stage.handle.clone();
    let pause = tokio::spawn(async move { handle.pause(vec![id], Actor::Cli(1)).await.unwrap().remove(0).1 });
    stage.nothing_is_ordered().await;
    stage.started(assignment).await;
    assert_eq!(stage.answer_signal(0).await, 19);
    assert_eq!(stage.answer_signal(0).await, 0);
    pause.await.unwrap().unwrap();
    assert_eq!(stage.task(id).await.state, State::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_paused_queue_starts_nothing_until_its_time() {
    let mut stage = Stage::new(3).await;
    let until = Some(now() + Duration::from_secs(120));
    let names = vec!["default".to_owned()];
    stage.handle.pause_queues(names, None, until, Actor::Cli(1)).await.unwrap();
    let began = moment();
    let id = stage.add().await;
    stage.spawn_order().await;
    let waited = moment().0 - began.0;
    assert!((120_000..120_100).contains(&waited), "{waited}");
    assert_eq!(stage.task(id).await.state, State::Starting);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_foreign_project_runs_until_it_is_accepted() {
    let store = Arc::new(Troubled::new());
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let first = Stage::with(store.clone(), dir.clone(), guardian(1), Vec::new(), 0, |_| false).await;
    let came_along = first.add().await;
    first.engine.abort();
    let world = World { now, moment, is_alive: |_| false, started };
    let mut stage = Stage::in_world(store, dir, guardian(2), Vec::new(), 3, world, false).await;
    let own = stage.add().await;
    for id in [came_along, own] {
        let task = stage.task(id).await;
        assert_eq!((task.state, task.reason_code), (State::Held, Some(ReasonCode::Untrusted)));
    }
    let refused = stage.handle.release(vec![own], Actor::Cli(1)).await;
    assert!(matches!(refused, Err(Error::Untrusted)));
    assert!(stage.handle.status().await.unwrap().untrusted);
    stage.nothing_is_ordered().await;
    stage.handle.trust().await.unwrap();
    stage.spawn_order().await;
    stage.spawn_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_chain_is_cancelled_whole_though_that_takes_several_transactions() {
    let stage = Stage::new(1).await;
    let some_day = Timestamp(now().0 + 86_400_000_000);
    let mut ids = vec![stage.add_spec(TaskSpec { run_at: Some(some_day), ..spec() }).await];
    for _ in 0..150 {
        let after = ids.last().copied().into_iter().collect();
        ids.push(stage.add_spec(TaskSpec { after, ..spec() }).await);
    }
    let answers = stage.handle.cancel(ids.clone(), None, Actor::Cli(1)).await.unwrap();
    let named: Vec<TaskId> = answers.iter().map(|(id, _)| *id).collect();
    assert_eq!(named, ids, "in the order in which they were named");
    assert!(answers.iter().all(|(_, answer)| matches!(answer, Ok(Cancelled::Ended))), "{answers:?}");
}
