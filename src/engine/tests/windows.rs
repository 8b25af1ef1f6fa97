//! Time windows, with a clock that moves on by itself. It begins at 00:16:40 on 1970-01-01, a Thursday, in UTC.

use std::cell::Cell;

use jiff::tz::TimeZone;

use super::*;
use crate::domain::window::{Clock, Days, Window, Zone};

fn window(from: &str, to: &str, max_concurrent: Option<u32>, pause: &[&str]) -> Windows {
    Windows::of(&[Window {
        name: "day".to_owned(),
        days: Days::default(),
        from: Clock::parse(from).unwrap(),
        to: Clock::parse(to).unwrap(),
        zone: Zone { name: Some("UTC".to_owned()), rules: TimeZone::UTC },
        max_concurrent,
        pause: pause.iter().map(|name| (*name).to_owned()).collect(),
    }])
}

impl Stage {
    async fn follow(&self, windows: Windows) {
        let settings = Settings { windows, ..self.handle.shared.settings() };
        self.handle.apply(settings).await.unwrap();
    }

    /// Takes the start of the next task, records it, and returns after how long it came.
    async fn starts(&mut self) -> (AssignmentId, u64) {
        let began = moment();
        let assignment = self.spawn_order().await.assignment;
        let waited = moment().0 - began.0;
        self.started(assignment).await;
        (assignment, waited)
    }

    async fn nothing_starts_for(&mut self, seconds: u64) {
        let order = tokio::time::timeout(Duration::from_secs(seconds), self.orders.recv()).await;
        assert!(order.is_err(), "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_window_lets_fewer_start_until_it_closes() {
    let mut stage = Stage::new(3).await;
    stage.follow(window("00:00", "00:30", Some(1), &[])).await;
    for _ in 0..3 {
        stage.add().await;
    }
    let (first, _) = stage.starts().await;
    stage.nothing_starts_for(700).await;
    // 00:30 is 800 seconds after the beginning.
    let (_, waited) = stage.starts().await;
    assert!((99_000..100_100).contains(&waited), "{waited}");
    stage.starts().await;
    stage.exited(first, ExitStatus::Code(0), false).await;
}

#[tokio::test(start_paused = true)]
async fn what_runs_when_a_window_opens_goes_on_and_nothing_is_added_to_it() {
    let mut stage = Stage::new(2).await;
    stage.follow(window("00:30", "01:00", Some(1), &[])).await;
    stage.add().await;
    stage.add().await;
    let ((first, _), (second, _)) = (stage.starts().await, stage.starts().await);
    stage.add().await;
    stage.nothing_starts_for(900).await;
    assert_eq!(stage.handle.status().await.unwrap().slots(), 1);
    stage.exited(first, ExitStatus::Code(0), false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: first });
    stage.nothing_starts_for(60).await;
    stage.exited(second, ExitStatus::Code(0), false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: second });
    stage.starts().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_a_window_pauses_starts_nothing_until_it_closes_whatever_people_resume() {
    let mut stage = Stage::new(3).await;
    stage.follow(window("00:10", "00:20", None, &["default", "unknown"])).await;
    stage.add().await;
    stage.nothing_starts_for(100).await;
    let queue = stage.handle.queues().await.unwrap().remove(0);
    let pause = queue.pause.unwrap();
    assert_eq!((pause.reason.as_deref(), pause.until), (Some("window `day`"), Some(Timestamp(1_200_000))));
    stage.handle.resume_queues(vec!["default".to_owned()], Actor::Cli(1)).await.unwrap();
    let (_, waited) = stage.starts().await;
    assert!((99_000..100_100).contains(&waited), "{waited}");
    assert_eq!(stage.handle.queues().await.unwrap()[0].pause, None);
}

#[tokio::test(start_paused = true)]
async fn windows_that_are_gone_after_a_reload_hold_nothing_up() {
    let mut stage = Stage::new(3).await;
    stage.follow(window("00:00", "24:00", Some(0), &[])).await;
    stage.add().await;
    stage.nothing_starts_for(100_000).await;
    stage.follow(Windows::none()).await;
    let (_, waited) = stage.starts().await;
    assert!(waited < 100, "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_past_the_end_of_a_window_closes_it() {
    thread_local! {
        static SET_BY: Cell<i64> = const { Cell::new(0) };
    }
    let world = World { now: || Timestamp(now().0 + SET_BY.get()), moment, is_alive: |_| false, started };
    let (dir, store) = (Arc::new(tempfile::tempdir().unwrap()), Arc::new(Troubled::new()));
    let mut stage = Stage::in_world(store, dir, guardian(1), Vec::new(), 3, world, true).await;
    stage.follow(window("00:00", "12:00", Some(0), &[])).await;
    stage.add().await;
    stage.nothing_starts_for(100).await;
    SET_BY.set(13 * 3_600_000);
    stage.handle.clock_jumped();
    let (_, waited) = stage.starts().await;
    assert!(waited < 100, "{waited}");
    // Set back it is open again, which the next regular look notices as well.
    SET_BY.set(0);
    stage.nothing_starts_for(6).await;
    stage.add().await;
    stage.nothing_starts_for(600).await;
    SET_BY.set(13 * 3_600_000);
    let (_, waited) = stage.starts().await;
    assert!(waited < 5_100, "{waited}");
}
