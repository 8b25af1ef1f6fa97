use std::collections::BTreeMap;

use super::*;
use crate::domain::resource::{Amount, Capacity, Needs, Pool, Pools};
use crate::engine::Lending;

/// So many slots, one gpu that CUDA is told of, and ten bytes.
fn settings(max_concurrent: u32) -> Settings {
    let gpu = Pool { capacity: Capacity::Indices([3].into()), variables: vec!["CUDA_VISIBLE_DEVICES".to_owned()] };
    let mem = Pool::new(Capacity::Amount(Amount::Bytes(10)));
    Settings {
        max_concurrent,
        poll_interval: Duration::from_secs(5),
        grace: Duration::from_secs(30),
        kill_grace: Duration::from_secs(5),
        leftovers: Leftovers::Kill,
        keep_for: None,
        pools: Arc::new(Pools(BTreeMap::from([("gpu".to_owned(), gpu), ("mem".to_owned(), mem)]))),
        reserve_after: Duration::from_secs(30),
        windows: Windows::none(),
    }
}

impl Stage {
    async fn with_resources(max_concurrent: u32) -> Self {
        let stage = Self::new(max_concurrent).await;
        stage.handle.apply(settings(max_concurrent)).await.unwrap();
        stage
    }

    async fn try_add(&self, needs: &str) -> Result<TaskId, Error> {
        let mut spec = TaskSpec::command(vec!["/bin/true".into()], "/".into());
        spec.needs = Needs::parse(needs).unwrap();
        let uuid = TaskUuid(Uuid::new_v4());
        let task = NewTask { uuid, spec, env: Environment::default(), hold: false, parent: None };
        Ok(self.handle.add(task, Actor::Cli(1)).await?.task.id)
    }

    /// Adds a task and has it run.
    async fn runs(&mut self, needs: &str) -> Spawn {
        let id = self.try_add(needs).await.unwrap();
        let spawn = self.spawn_order().await;
        self.started(spawn.assignment).await;
        self.until(id, State::Running).await;
        spawn
    }

    async fn is_over(&mut self, spawn: &Spawn) {
        self.exited(spawn.assignment, DONE, false).await;
        assert_eq!(self.order().await, Order::Forget { assignment: spawn.assignment });
    }

    async fn lending(&self) -> usize {
        self.handle.status().await.unwrap().lending.len()
    }
}

/// Begins to take back what was lent.
fn takes_back(lending: Lending) -> JoinHandle<()> {
    tokio::spawn(lending.take_back())
}

fn variable<'a>(spawn: &'a Spawn, name: &str) -> Option<&'a str> {
    spawn.env.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.to_str())
}

#[tokio::test(start_paused = true)]
async fn a_task_is_told_what_it_was_granted() {
    let mut stage = Stage::with_resources(3).await;
    let spawn = stage.runs("gpu=1,mem=7B").await;
    let told = ["APEX_GPU", "CUDA_VISIBLE_DEVICES", "APEX_MEM"].map(|name| variable(&spawn, name));
    assert_eq!(told, [Some("3"), Some("3"), Some("7")]);
    let plain = stage.runs("").await;
    assert_eq!(variable(&plain, "APEX_GPU"), None);
    let resources = stage.handle.status().await.unwrap().resources;
    assert_eq!(resources.all.iter().map(|resource| resource.held).collect::<Vec<_>>(), [1, 7]);
}

#[tokio::test(start_paused = true)]
async fn what_never_fits_is_refused_and_says_what_there_is() {
    let stage = Stage::with_resources(3).await;
    for (needs, message, hint) in [
        ("gpu=2", "it needs 2 of resource `gpu`, of which there is 1", "[resources] gpu"),
        ("cpu=1", "there is no resource `cpu`", "there is `gpu`"),
        ("mem=3", "resource `mem` is a size, and `3` has no unit", "mem=3GiB"),
    ] {
        let problem = stage.try_add(needs).await.unwrap_err().problem();
        assert_eq!((problem.kind, problem.message.as_str()), (crate::domain::error::ErrorKind::Invalid, message));
        assert!(problem.hint.is_some_and(|found| found.contains(hint)), "{needs}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_lends_its_slot_and_has_it_again_before_it_goes_on() {
    let mut stage = Stage::with_resources(1).await;
    let outer = stage.runs("gpu=1").await;
    let lending = stage.handle.lend(outer.assignment).await;
    let inner = stage.runs("gpu=1").await;
    assert_eq!([variable(&inner, "APEX_SLOT"), variable(&inner, "APEX_GPU")], [Some("0"), Some("3")]);
    assert_eq!(stage.lending().await, 1);
    let third = stage.try_add("").await.unwrap();
    let back = takes_back(lending);
    stage.nothing_is_ordered().await;
    assert!(!back.is_finished(), "another one has it");
    stage.is_over(&inner).await;
    back.await.unwrap();
    assert_eq!(stage.lending().await, 0);
    stage.nothing_is_ordered().await;
    assert_eq!(stage.task(third).await.state, State::Queued, "whoever comes back is ahead of it");
    stage.is_over(&outer).await;
    assert_eq!(stage.spawn_order().await.program, inner.program);
}

#[tokio::test(start_paused = true)]
async fn who_is_to_go_on_does_so_when_another_one_lends_what_it_waits_for() {
    let mut stage = Stage::with_resources(1).await;
    let first = stage.runs("").await;
    let lending = stage.handle.lend(first.assignment).await;
    let second = stage.runs("").await;
    let back = takes_back(lending);
    stage.nothing_is_ordered().await;
    assert!(!back.is_finished(), "another one has it");
    let lending = stage.handle.lend(second.assignment).await;
    back.await.unwrap();
    stage.is_over(&first).await;
    lending.take_back().await;
}

#[tokio::test(start_paused = true)]
async fn of_several_waits_the_last_one_takes_back() {
    let mut stage = Stage::with_resources(1).await;
    let outer = stage.runs("").await;
    let first = stage.handle.lend(outer.assignment).await;
    let second = stage.handle.lend(outer.assignment).await;
    let inner = stage.runs("").await;
    first.take_back().await;
    assert_eq!(stage.lending().await, 1, "it still waits for the other one");
    let back = takes_back(second);
    stage.nothing_is_ordered().await;
    assert!(!back.is_finished());
    // It waits again, so what was to go on does so at once.
    let third = stage.handle.lend(outer.assignment).await;
    back.await.unwrap();
    stage.is_over(&inner).await;
    third.take_back().await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_nobody_is_there_for_counts_at_once() {
    let mut stage = Stage::with_resources(1).await;
    let outer = stage.runs("").await;
    let lending = stage.handle.lend(outer.assignment).await;
    let inner = stage.runs("").await;
    let third = stage.try_add("").await.unwrap();
    drop(lending);
    stage.is_over(&inner).await;
    stage.nothing_is_ordered().await;
    assert_eq!(stage.task(third).await.state, State::Queued, "the one that does not wait any more has the slot");
    stage.is_over(&outer).await;
    stage.spawn_order().await;
}

#[tokio::test(start_paused = true)]
async fn who_ends_meanwhile_takes_nothing_back() {
    let mut stage = Stage::with_resources(1).await;
    let outer = stage.runs("gpu=1").await;
    let lending = stage.handle.lend(outer.assignment).await;
    let inner = stage.runs("gpu=1").await;
    let back = takes_back(lending);
    stage.nothing_is_ordered().await;
    stage.is_over(&outer).await;
    back.await.unwrap();
    stage.handle.lend(outer.assignment).await.take_back().await;
    let third = stage.try_add("").await.unwrap();
    stage.nothing_is_ordered().await;
    assert_eq!(stage.task(third).await.state, State::Queued, "the inner one has the slot");
    stage.is_over(&inner).await;
    stage.spawn_order().await;
}

#[tokio::test(start_paused = true)]
async fn nested_as_deep_as_one_likes_nobody_is_locked_up() {
    let mut stage = Stage::with_resources(1).await;
    let mut stack = Vec::new();
    for _ in 0..5 {
        let spawn = stage.runs("gpu=1,mem=10B").await;
        stack.push((stage.handle.lend(spawn.assignment).await, spawn));
    }
    let mut innermost = stage.runs("gpu=1,mem=10B").await;
    while let Some((lending, spawn)) = stack.pop() {
        let back = takes_back(lending);
        stage.nothing_is_ordered().await;
        stage.is_over(&innermost).await;
        back.await.unwrap();
        innermost = spawn;
    }
    stage.is_over(&innermost).await;
    assert_eq!(stage.handle.status().await.unwrap().counts.of(State::Succeeded), 6);
}
