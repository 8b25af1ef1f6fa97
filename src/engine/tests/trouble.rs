//! What goes wrong, and in which order: a full disk, a machine without room, a drain in the middle of things.

use std::sync::atomic::Ordering;

use super::troubled::Verb;
use super::*;
use crate::domain::task::OnInterrupt;

/// Lets everybody do what there is to do, then as much time pass as it takes.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

fn all_claimed(store: &Troubled) {
    store.claimed.add_permits(100);
}

#[tokio::test(start_paused = true)]
async fn what_is_claimed_while_a_drain_begins_is_not_started() {
    let mut stage = Stage::new(1).await;
    let all = stage.store.claimed.available_permits();
    stage.store.claimed.forget_permits(all);
    let id = stage.add().await;
    stage.until(id, State::Starting).await;
    stage.handle.stop(None, "SIGTERM").await.unwrap();
    assert_eq!(stage.order().await, Order::Draining);
    all_claimed(&stage.store);
    assert_eq!(stage.engine.await.unwrap(), Ended::Drained);
    while let Ok(order) = stage.orders.try_recv() {
        assert!(!matches!(order, Order::Spawn(_)), "{order:?}");
    }
    let task = stage.store.task(id).await.unwrap().unwrap();
    assert_eq!((task.state, task.attempt), (State::Queued, 0));
}

#[tokio::test(start_paused = true)]
async fn claims_that_fail_do_not_multiply() {
    let stage = Stage::new(2).await;
    stage.store.full_for(&[Verb::Claim]);
    stage.add().await;
    pass(Duration::from_secs(60)).await;
    let failed = stage.store.claims.swap(0, Ordering::Relaxed);
    assert!((30..=80).contains(&failed), "{failed} claims in a minute on a full disk");
    stage.store.full_for(&[]);
    pass(Duration::from_secs(60)).await;
    let claims = stage.store.claims.load(Ordering::Relaxed);
    assert!(claims <= 14, "{claims} claims in a minute; one every 5 s is asked for");
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_room_is_asked_ever_less_often() {
    let mut stage = Stage::new(1).await;
    stage.add().await;
    let began = moment();
    let mut starts = 0;
    while moment().0 - began.0 < 120_000 {
        let assignment = stage.spawn_order().await.assignment;
        starts += 1;
        stage.tell(Fact::NotSpawned { assignment, step: SpawnStep::Fork, errno: nix::libc::EAGAIN }).await;
        assert_eq!(stage.order().await, Order::Forget { assignment });
    }
    assert!(starts <= 30, "{starts} starts in two minutes");
    // As soon as one succeeds, the next is not waited for.
    let assignment = stage.spawn_order().await.assignment;
    stage.started(assignment).await;
    stage.exited(assignment, DONE, false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment });
    stage.add().await;
    let again = moment();
    let assignment = stage.spawn_order().await.assignment;
    stage.tell(Fact::NotSpawned { assignment, step: SpawnStep::Fork, errno: nix::libc::EAGAIN }).await;
    assert_eq!(stage.order().await, Order::Forget { assignment });
    stage.spawn_order().await;
    assert!(moment().0 - again.0 < 1_000, "after {}", moment().0 - again.0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_although_an_end_cannot_be_stored() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(id, State::Running).await;
    stage.store.full_for(&[Verb::Finish]);
    stage.handle.stop(None, "SIGTERM").await.unwrap();
    assert_eq!(stage.order().await, Order::Draining);
    stage.exited(spawn.assignment, DONE, false).await;
    let ended = tokio::time::timeout(Duration::from_secs(600), stage.engine).await;
    assert_eq!(ended.expect("it ends").unwrap(), Ended::Drained);
    // The guardian still holds it, and writes down how it ended.
    assert_eq!(stage.orders.try_recv().ok(), None);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_stored_is_stored_when_there_is_room() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(id, State::Running).await;
    stage.store.full_for(&[Verb::Finish]);
    stage.exited(spawn.assignment, DONE, false).await;
    pass(Duration::from_secs(10)).await;
    assert_eq!(stage.task(id).await.state, State::Running);
    stage.store.full_for(&[]);
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    assert_eq!(stage.task(id).await.state, State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_cannot_be_stored_is_stored_when_there_is_room() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.store.full_for(&[Verb::Start]);
    stage.started(spawn.assignment).await;
    pass(Duration::from_secs(10)).await;
    assert_eq!(stage.task(id).await.state, State::Starting);
    stage.store.full_for(&[]);
    let running = tokio::time::timeout(Duration::from_secs(600), stage.until(id, State::Running)).await;
    assert_eq!(running.expect("it is stored").attempts[0].identity.unwrap().pid, 4711);
}

#[tokio::test(start_paused = true)]
async fn a_task_given_back_late_is_claimed_at_once() {
    let mut stage = Stage::new(1).await;
    stage.add().await;
    stage.store.full_for(&[Verb::Unclaim]);
    let assignment = stage.spawn_order().await.assignment;
    stage.tell(Fact::NotSpawned { assignment, step: SpawnStep::Fork, errno: nix::libc::EAGAIN }).await;
    assert_eq!(stage.order().await, Order::Forget { assignment });
    pass(Duration::from_millis(5_200)).await;
    stage.store.full_for(&[]);
    let began = moment();
    stage.spawn_order().await;
    assert!(moment().0 - began.0 < 1_000, "after {}", moment().0 - began.0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_given_back_yet_keeps_its_slot() {
    let mut stage = Stage::new(1).await;
    let first = stage.add().await;
    let second = stage.add().await;
    stage.store.full_for(&[Verb::Unclaim]);
    let assignment = stage.spawn_order().await.assignment;
    stage.tell(Fact::NotSpawned { assignment, step: SpawnStep::Fork, errno: nix::libc::EAGAIN }).await;
    assert_eq!(stage.order().await, Order::Forget { assignment });
    pass(Duration::from_secs(60)).await;
    let states = (stage.task(first).await.state, stage.task(second).await.state);
    assert_eq!(states, (State::Starting, State::Queued), "one may run");
    stage.store.full_for(&[]);
    stage.spawn_order().await;
}

#[tokio::test(start_paused = true)]
async fn the_grace_of_a_cancel_is_whole_for_the_next_engine_whatever_the_wall_clock_says() {
    let (stage, id, assignment) = left_running(|_| ()).await;
    // The one before stored it and died; the wall clock says that this was long ago.
    let cancel =
        crate::store::task::Cancel { ids: vec![id], only: None, reason: None, by: Actor::Cli(1), now: Timestamp(5) };
    stage.store.cancel(cancel).await.unwrap();
    let mut held = guardian(1);
    held.children = vec![child(assignment, None)];
    let mut stage = Stage::with(stage.store, stage.dir, held, Vec::new(), 1, |_| true).await;
    let began = moment();
    for signal in [15, 18, 9] {
        assert_eq!(stage.answer_signal(0).await, signal);
    }
    assert!(moment().0 - began.0 >= 5_000, "after {} ms", moment().0 - began.0);
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_is_stopped_although_another_one_is_still_being_started() {
    let mut stage = Stage::new(2).await;
    let running = stage.add().await;
    let assignment = stage.spawn_order().await.assignment;
    stage.started(assignment).await;
    stage.until(running, State::Running).await;
    let starting = stage.add().await;
    stage.spawn_order().await;
    let (handle, began) = (stage.handle.clone(), moment());
    let pause = tokio::spawn(async move { handle.pause(vec![running, starting], Actor::Cli(1)).await.unwrap() });
    assert_eq!([stage.answer_signal(0).await, stage.answer_signal(0).await], [19, 0]);
    assert!(moment().0 - began.0 < 1_000, "after {} ms", moment().0 - began.0);
    assert!(pause.await.unwrap()[0].1.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_task_is_shown_although_its_hash_cannot_be_kept() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    std::fs::write(&spawn.stdout, "hello\n").unwrap();
    stage.started(spawn.assignment).await;
    stage.exited(spawn.assignment, DONE, false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    stage.store.full_for(&[Verb::KeepHash]);
    let task = stage.handle.task(id).await.unwrap();
    assert!(task.attempts[0].outputs[0].sha256.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_task_is_shown_although_its_output_takes_long_to_read() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    std::fs::write(&spawn.stdout, "hello\n").unwrap();
    stage.started(spawn.assignment).await;
    stage.exited(spawn.assignment, DONE, false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    // Nobody writes into it yet, so reading it takes for ever.
    let output = stage.dir.path().join(&stage.task(id).await.attempts[0].outputs[0].path);
    std::fs::remove_file(&output).unwrap();
    nix::unistd::mkfifo(&output, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
    let show = |handle: Handle| tokio::spawn(async move { handle.task(id).await.unwrap() });
    let shown = [show(stage.handle.clone()), show(stage.handle.clone())];
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let over: Vec<bool> = shown.iter().map(JoinHandle::is_finished).collect();
    let mut changes = stage.handle.changes();
    changes.mark_unchanged();
    std::fs::write(&output, "hello\n").unwrap();
    assert_eq!(over, [true, true], "both are answered without the hash");
    for shown in shown {
        assert_eq!(shown.await.unwrap().attempts[0].outputs[0].sha256, None);
    }
    changes.changed().await.unwrap();
    let hash = stage.task(id).await.attempts[0].outputs[0].sha256.unwrap();
    assert_eq!(hash[..4], [0x58, 0x91, 0xb5, 0xb5], "it was read once, and to its end");
}

#[tokio::test]
async fn a_file_that_cannot_be_deleted_holds_up_no_other() {
    let mut stage = Stage::new(1).await;
    let mut ids = Vec::new();
    let mut outputs = Vec::new();
    for _ in 0..3 {
        ids.push(stage.add().await);
        let spawn = stage.spawn_order().await;
        std::fs::write(&spawn.stdout, "hello\n").unwrap();
        stage.started(spawn.assignment).await;
        stage.exited(spawn.assignment, DONE, false).await;
        assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
        let path = &stage.task(ids[ids.len() - 1]).await.attempts[0].outputs[0].path;
        outputs.push(stage.dir.path().join(path));
    }
    // What stands there now is a directory, which is not deleted as a file is.
    std::fs::remove_file(&outputs[0]).unwrap();
    std::fs::create_dir(&outputs[0]).unwrap();
    for id in &ids {
        stage.handle.remove(vec![*id], Actor::Cli(1)).await.unwrap().remove(0).1.unwrap();
    }
    let left: Vec<bool> = outputs.iter().map(|path| path.exists()).collect();
    assert_eq!(left, [true, false, false]);
}

/// Runs a task, and lets its apexd die.
async fn left_running(change: fn(&mut TaskSpec)) -> (Stage, TaskId, AssignmentId) {
    let mut stage = Stage::new(1).await;
    let mut spec = TaskSpec::command(vec!["/bin/true".into()], "/".into());
    change(&mut spec);
    let id = stage.add_spec(spec).await;
    let assignment = stage.spawn_order().await.assignment;
    stage.started(assignment).await;
    stage.until(id, State::Running).await;
    stage.engine.abort();
    (stage, id, assignment)
}

#[tokio::test(start_paused = true)]
async fn what_a_drain_ended_while_apexd_was_dead_was_cut_off() {
    for (status, stopped, expected) in [
        (ExitStatus::Signal(15), true, State::Interrupted),
        (ExitStatus::Code(143), true, State::Interrupted),
        (ExitStatus::Code(0), true, State::Interrupted),
        (ExitStatus::Signal(11), false, State::Failed),
        (ExitStatus::Code(0), false, State::Succeeded),
        (ExitStatus::Signal(15), false, State::Failed),
    ] {
        let (stage, id, assignment) = left_running(|_| ()).await;
        let mut held = guardian(1);
        held.stop_requests = 1;
        held.children = vec![child(assignment, Some(Exit { stopped, ..exit(status, false) }))];
        let mut stage = Stage::with(stage.store, stage.dir, held, Vec::new(), 1, |_| true).await;
        stage.until_forgotten(assignment).await;
        let task = stage.store.task(id).await.unwrap().unwrap();
        assert_eq!(task.state, expected, "{status:?}, asked to stop: {stopped}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_without_its_guardian_does_not_hold_up_a_drain() {
    let (stage, id, _) = left_running(|_| ()).await;
    let stage = Stage::with(stage.store, stage.dir, guardian(2), Vec::new(), 1, |_| true).await;
    stage.handle.stop(None, "SIGTERM").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(600), stage.engine).await;
    assert_eq!(ended.expect("it ends").unwrap(), Ended::Drained);
    assert_eq!(stage.store.task(id).await.unwrap().unwrap().state, State::Running, "nobody has stopped it");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_killed_does_not_hold_up_a_drain_for_ever() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let assignment = stage.spawn_order().await.assignment;
    stage.started(assignment).await;
    stage.until(id, State::Running).await;
    stage.handle.stop(Some(Duration::ZERO), "SIGTERM").await.unwrap();
    assert_eq!(stage.order().await, Order::Draining);
    for signal in [15, 18, 9] {
        assert_eq!(stage.answer_signal(0).await, signal);
    }
    let began = moment();
    let ended = tokio::time::timeout(Duration::from_secs(600), &mut stage.engine).await;
    assert_eq!(ended.expect("it ends").unwrap(), Ended::Drained);
    assert!((5_000..6_000).contains(&(moment().0 - began.0)), "it had some time: {}", moment().0 - began.0);
    assert_eq!(stage.store.task(id).await.unwrap().unwrap().state, State::Running, "it has not ended");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_one_attempt_does_not_hide_the_next() {
    let rerun = |spec: &mut TaskSpec| spec.retry.on_interrupt = OnInterrupt::Rerun;
    let (stage, id, _) = left_running(rerun).await;
    // With two slots the task may be claimed again in the transaction that stores the end of its first attempt.
    let alive = |_| moment().0 < 1_000;
    let mut stage = Stage::with(stage.store, stage.dir, guardian(2), Vec::new(), 2, alive).await;
    assert!(matches!(stage.order().await, Order::Forget { .. }));
    let again = stage.spawn_order().await.assignment;
    stage.started(again).await;
    let handle = stage.handle.clone();
    let kill = tokio::spawn(async move { handle.kill(vec![id], 10).await.unwrap() });
    assert_eq!(stage.answer_signal(0).await, 10);
    assert!(kill.await.unwrap()[0].1.is_ok());
}
