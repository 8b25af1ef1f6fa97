use super::*;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::setting::ChangedSetting;

pub(super) fn settings() -> Settings {
    Settings {
        max_concurrent: 1,
        poll_interval: Duration::from_secs(5),
        grace: Duration::from_secs(30),
        kill_grace: Duration::from_secs(5),
        leftovers: Leftovers::Kill,
        keep_for: None,
        pools: Arc::default(),
        reserve_after: Duration::from_secs(30),
        windows: Windows::none(),
    }
}

#[tokio::test(start_paused = true)]
async fn more_room_lets_a_waiting_task_start_and_less_room_starts_nothing() {
    let mut stage = Stage::new(1).await;
    let (_first, second) = (stage.add().await, stage.add().await);
    let running = stage.spawn_order().await;
    stage.started(running.assignment).await;
    stage.nothing_is_ordered().await;
    stage.handle.apply(Settings { max_concurrent: 2, ..settings() }).await.unwrap();
    assert_eq!(stage.handle.status().await.unwrap().max_concurrent, 2);
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(second, State::Running).await;

    stage.add().await;
    stage.handle.apply(settings()).await.unwrap();
    stage.exited(spawn.assignment, ExitStatus::Code(0), false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: spawn.assignment });
    stage.nothing_is_ordered().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_look_comes_when_the_new_interval_says() {
    let stage = Stage::new(1).await;
    let last = async || stage.handle.status().await.unwrap().last_poll_at.unwrap();
    let follow = async |poll_interval| stage.handle.apply(Settings { poll_interval, ..settings() }).await.unwrap();
    follow(Duration::from_millis(100)).await;
    let looked = last().await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(last().await, looked + Duration::from_millis(100));
    follow(Duration::from_secs(3600)).await;
    let looked = last().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(last().await, looked, "the old interval holds no more");
}

#[tokio::test(start_paused = true)]
async fn the_guardian_and_what_runs_follow_another_kill_grace() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    let spawn = stage.spawn_order().await;
    stage.started(spawn.assignment).await;
    stage.until(id, State::Running).await;
    stage.handle.apply(Settings { kill_grace: Duration::from_secs(1), ..settings() }).await.unwrap();
    assert_eq!(stage.order().await, Order::Policy { kill_grace: Duration::from_secs(1) });
    let handle = stage.handle.clone();
    let cancel = tokio::spawn(async move { handle.cancel(vec![id], None, Actor::Cli(1)).await });
    let began = Instant::now();
    for signal in [15, 18, 0] {
        assert_eq!(stage.answer_signal(0).await, signal);
    }
    cancel.await.unwrap().unwrap();
    assert_eq!(stage.answer_signal(0).await, 9);
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_changes_nothing_and_a_sighup_is_passed_on() {
    let stage = Stage::new(1).await;
    let problem = Problem::new(ErrorKind::Invalid, "line 2: no");
    let told = problem.clone();
    let handle = stage.handle.clone().reloading(move || Err(told.clone()), || unreachable!());
    let error = handle.reload("a test").await.unwrap_err();
    assert_eq!((error.kind(), error.problem()), (ErrorKind::Invalid, problem));
    assert_eq!(stage.handle.status().await.unwrap().max_concurrent, 1);

    stage.tell(Fact::Reload).await;
    stage.handle.reload_asked().await;
    let changed = ChangedSetting {
        key: "daemon.max_concurrent".into(),
        from: Some("1".into()),
        to: Some("7".into()),
        needs_restart: false,
    };
    let queues = [("gpu".to_owned(), 2)].into();
    let settings = Settings { max_concurrent: 7, ..settings() };
    let reloaded = Reloaded { settings, queues, weights: Default::default(), changed: vec![changed.clone()] };
    let followed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let follow = followed.clone();
    let handle = handle
        .reloading(move || Ok(reloaded.clone()), move || follow.store(true, std::sync::atomic::Ordering::Relaxed));
    stage.store.full_for(&[troubled::Verb::ConfigureQueues]);
    assert_eq!(handle.reload("SIGHUP").await.unwrap_err().kind(), ErrorKind::Exhausted);
    assert!(!followed.load(std::sync::atomic::Ordering::Relaxed), "all of it is followed or nothing");
    assert_eq!(stage.handle.status().await.unwrap().max_concurrent, 1);
    stage.store.full_for(&[]);
    // Nobody had the queue yet, whatever the configuration said before.
    let queue =
        ChangedSetting { key: "queues.gpu.slots".into(), from: None, to: Some("2".into()), needs_restart: false };
    assert_eq!(handle.reload("SIGHUP").await.unwrap(), [changed.clone(), queue]);
    assert_eq!(handle.reload("SIGHUP").await.unwrap(), [changed], "it is as the configuration says now");
    assert_eq!(stage.handle.status().await.unwrap().max_concurrent, 7);
    assert!(followed.load(std::sync::atomic::Ordering::Relaxed));
}
