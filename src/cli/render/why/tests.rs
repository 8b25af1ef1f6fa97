use std::time::Duration;

use super::*;
use crate::domain::outcome::ExitStatus;
use crate::domain::queue::QueuePause;
use crate::view::samples::{self, NOW};

const LATER: fn() -> Timestamp = || NOW + Duration::from_secs(185);

fn task(id: u64, state: State) -> Task {
    let mut task = samples::queued();
    (task.id, task.state) = (samples::task_id(id), state);
    task
}

fn failed(id: u64) -> Task {
    let mut task = task(id, State::Failed);
    (task.reason, task.exit) = (Some("exit code 3".to_owned()), Some(ExitStatus::Code(3)));
    task.ended_at = Some(NOW);
    task
}

/// What is said of task 12 in `state` after `change`.
fn why(state: State, change: impl FnOnce(&mut Facts)) -> String {
    let mut facts = Facts { task: task(12, state), needs: Vec::new(), place: None };
    change(&mut facts);
    sentence(&facts, LATER())
}

/// What is said of task 12, queued in `gpu` with two slots of a daemon with three.
fn why_queued(change: impl FnOnce(&mut Place)) -> String {
    why(State::Queued, |facts| {
        facts.task.spec.queue = "gpu".to_owned();
        let queue = Queue { name: "gpu".to_owned(), slots: 2, queued: 1, ..Queue::default() };
        let status = DaemonStatus { active: 0, ..samples::daemon() };
        let mut place = Place { status, queue: Some(queue), active: Vec::new(), ahead: 0, is_cut: false };
        change(&mut place);
        facts.place = Some(place);
    })
}

fn use_slots(place: &mut Place, queues: &[&str]) {
    for (id, queue) in (3..).zip(queues) {
        let mut holder = samples::running(id, &["x"], NOW);
        holder.spec.queue = (*queue).to_owned();
        place.active.push(holder);
    }
    place.status.active = u32::try_from(queues.len()).unwrap();
    if let Some(gpu) = &mut place.queue {
        gpu.active = queues.iter().filter(|queue| **queue == "gpu").count() as u64;
    }
}

#[test]
fn it_waits_for_a_window_to_close() {
    let gpu = why_queued(|place| place.status.windows = samples::windows());
    insta::assert_snapshot!(gpu, @"task 12 waits for window `day` to close at 18:00 Europe/Vienna: it pauses queue `gpu`");
    let of_default = |place: &mut Place| {
        place.status.windows = samples::windows();
        place.status.windows.open[0].pause = Vec::new();
    };
    let full = why_queued(|place| {
        of_default(place);
        use_slots(place, &["default"]);
        place.ahead = 2;
    });
    insta::assert_snapshot!(full, @"task 12 waits for window `day` to close at 18:00 Europe/Vienna: it allows 1 at a time, which task 3 uses, with 2 tasks ahead of it");
    let nothing = why_queued(|place| {
        of_default(place);
        place.status.windows.open[0].max_concurrent = Some(0);
    });
    insta::assert_snapshot!(nothing, @"task 12 waits for window `day` to close at 18:00 Europe/Vienna: nothing starts while it is open");
    let other = why_queued(|place| {
        of_default(place);
        place.status.windows.open[0].max_concurrent = Some(9);
        use_slots(place, &["default", "default", "default"]);
    });
    assert!(other.starts_with("task 12 waits for one of the 3 slots of the daemon"), "{other}");
}

#[test]
fn it_waits_for_its_time() {
    let text = why(State::Scheduled, |facts| facts.task.spec.run_at = Some(NOW + Duration::from_secs(245)));
    insta::assert_snapshot!(text, @r#"task 12 waits until 2026-01-15T10:34:05+00:00 (in 1m00s)"#);
}

#[test]
fn it_waits_for_other_tasks() {
    let text = why(State::Blocked, |facts| {
        facts.task.spec.after = [3, 4, 5].map(samples::task_id).to_vec();
        facts.task.spec.after_any = [6, 7].map(samples::task_id).to_vec();
        facts.needs = vec![task(3, State::Running), task(4, State::Succeeded), task(5, State::Held)];
        facts.needs.extend([failed(6), task(7, State::Starting)]);
    });
    insta::assert_snapshot!(text, @r#"task 12 waits for tasks 3 (running) and 5 (held) to succeed and for task 7 (running) to end"#);
    let many = why(State::Blocked, |facts| {
        facts.task.spec.after = (20..30).map(samples::task_id).collect();
        facts.task.spec.run_at = Some(NOW + Duration::from_secs(3_785));
        facts.needs = (20..29).map(|id| task(id, State::Queued)).collect();
    });
    insta::assert_snapshot!(many, @r#"task 12 waits for tasks 20 (queued), 21 (queued), 22 (queued), 23 (queued), 24 (queued) and 5 more to succeed and until 2026-01-15T11:33:05+00:00 (in 1h00m)"#);
    let none = why(State::Blocked, |facts| {
        facts.task.spec.after = vec![samples::task_id(4)];
        facts.needs = vec![task(4, State::Succeeded)];
    });
    insta::assert_snapshot!(none, @r#"task 12 is about to be ready: all that it waited for has come about"#);
}

#[test]
fn it_waits_for_a_person() {
    insta::assert_snapshot!(why(State::Held, |_| ()), @r#"task 12 is held; `apex task release 12` lets it go"#);
    let reason = why(State::Held, |facts| facts.task.reason = Some("after the release".to_owned()));
    insta::assert_snapshot!(reason, @r#"task 12 is held (after the release); `apex task release 12` lets it go"#);
    let untrusted = why(State::Held, |facts| facts.task.reason_code = Some(ReasonCode::Untrusted));
    insta::assert_snapshot!(untrusted, @r#"task 12 is held because the project came from elsewhere; `apex trust` lets it go"#);
}

#[test]
fn it_waits_for_its_queue() {
    let until = Some(NOW + Duration::from_secs(3_600));
    let pause = QueuePause { at: NOW, reason: Some("new driver".to_owned()), until };
    let paused = why_queued(|place| place.queue.as_mut().unwrap().pause = Some(pause));
    insta::assert_snapshot!(paused, @r#"task 12 waits because queue `gpu` is paused until 2026-01-15T11:30:00+00:00 (in 56m55s): new driver; `apex queue resume gpu` lets it start"#);
    let forever = why_queued(|place| place.queue.as_mut().unwrap().pause = Some(QueuePause::default()));
    insta::assert_snapshot!(forever, @r#"task 12 waits because queue `gpu` is paused; `apex queue resume gpu` lets it start"#);
    insta::assert_snapshot!(why_queued(|place| place.queue = None), @r#"task 12 waits in queue `gpu`, which is gone"#);
    let full = why_queued(|place| use_slots(place, &["gpu", "default", "gpu"]));
    insta::assert_snapshot!(full, @r#"task 12 waits for one of the 2 slots of queue `gpu`, which tasks 3 and 5 use"#);
    let narrow = why_queued(|place| {
        use_slots(place, &["gpu"]);
        place.queue.as_mut().unwrap().slots = 1;
        place.active[0].state = State::Paused;
        place.ahead = 1;
    });
    insta::assert_snapshot!(narrow, @r#"task 12 waits for the only slot of queue `gpu`, which task 3 (paused) uses, with 1 task ahead of it"#);
}

#[test]
fn it_waits_for_the_daemon() {
    let full = why_queued(|place| {
        use_slots(place, &["a", "b", "c"]);
        place.ahead = 4;
    });
    insta::assert_snapshot!(full, @r#"task 12 waits for one of the 3 slots of the daemon, which tasks 3, 4 and 5 use, with 4 tasks ahead of it"#);
    insta::assert_snapshot!(why_queued(|place| place.status.draining = true), @r#"task 12 waits for the next daemon: this one is draining and starts nothing more"#);
    insta::assert_snapshot!(why_queued(|place| place.status.untrusted = true), @r#"task 12 waits because the project came from elsewhere and nothing of it is run (`apex trust` accepts it)"#);
}

#[test]
fn it_waits_for_its_turn_or_is_about_to_start() {
    insta::assert_snapshot!(why_queued(|place| place.ahead = 2), @r#"task 12 waits for its turn, with 2 tasks ahead of it in queue `gpu`"#);
    let cut = why_queued(|place| (place.ahead, place.is_cut) = (10_000, true));
    insta::assert_snapshot!(cut, @r#"task 12 waits for its turn, with at least 10000 tasks ahead of it in queue `gpu`"#);
    insta::assert_snapshot!(why_queued(|_| ()), @r#"task 12 is about to start"#);
}

#[test]
fn it_waits_for_its_next_attempt() {
    let text = why(State::Retrying, |facts| {
        facts.task = samples::ended();
        (facts.task.state, facts.task.ended_at) = (State::Retrying, None);
        facts.task.attempts[0].state = State::TimedOut;
        facts.task.reason = Some("its time limit was over".to_owned());
        facts.task.spec.run_at = Some(NOW + Duration::from_secs(189));
    });
    insta::assert_snapshot!(text, @r#"task 13 is tried again at 2026-01-15T10:33:09+00:00 (in 4s): attempt 1 timed out (its time limit was over)"#);
}

#[test]
fn it_does_not_wait() {
    insta::assert_snapshot!(why(State::Starting, |_| ()), @r#"task 12 does not wait: it is being started"#);
    let running = |cancelled: bool| {
        why(State::Running, |facts| {
            facts.task.started_at = Some(NOW);
            facts.task.cancel_requested_at = cancelled.then_some(NOW);
        })
    };
    insta::assert_snapshot!(running(false), @r#"task 12 does not wait: it has been running for 3m05s"#);
    insta::assert_snapshot!(running(true), @r#"task 12 does not wait: it has been running for 3m05s, and is being cancelled"#);
    insta::assert_snapshot!(why(State::Paused, |_| ()), @r#"task 12 is paused, and keeps its slot; `apex task resume 12` lets it go on"#);
}

#[test]
fn it_was_skipped_because_of_another() {
    let skipped = |need: Option<Task>| {
        why(State::Skipped, |facts| {
            facts.task.spec.after = vec![samples::task_id(2), samples::task_id(3)];
            facts.task.reason = Some("task 3 failed".to_owned());
            facts.needs = vec![task(2, State::Succeeded)];
            facts.needs.extend(need);
        })
    };
    insta::assert_snapshot!(skipped(Some(failed(3))), @r#"task 12 was skipped because task 3 failed (exit code 3); `apex task retry 3` runs both"#);
    insta::assert_snapshot!(skipped(Some(task(3, State::Skipped))), @r#"task 12 was skipped because task 3 was skipped; `apex task why 3` tells more"#);
    insta::assert_snapshot!(skipped(Some(task(3, State::Running))), @r#"task 12 was skipped (task 3 failed); `apex task retry 12` runs it"#);
    insta::assert_snapshot!(skipped(None), @r#"task 12 was skipped (task 3 failed), and what it depended on is gone: add it again to run it"#);
}

#[test]
fn it_has_ended() {
    let ended = |state, reason: Option<&str>| {
        why(state, |facts| {
            facts.task.ended_at = Some(NOW);
            facts.task.reason = reason.map(str::to_owned);
        })
    };
    insta::assert_snapshot!(ended(State::Succeeded, None), @r#"task 12 does not wait: it succeeded 3m05s ago"#);
    insta::assert_snapshot!(why(State::Failed, |facts| facts.task = failed(12)), @r#"task 12 does not wait: it failed 3m05s ago (exit code 3); `apex task retry 12` runs it again"#);
    insta::assert_snapshot!(ended(State::TimedOut, Some("its time limit was over")), @r#"task 12 does not wait: it timed out 3m05s ago (its time limit was over); `apex task retry 12` runs it again"#);
    insta::assert_snapshot!(ended(State::Cancelled, Some("wrong branch")), @r#"task 12 does not wait: it was cancelled 3m05s ago (wrong branch); `apex task retry 12` runs it again"#);
    insta::assert_snapshot!(ended(State::Interrupted, Some("the daemon was stopped")), @r#"task 12 does not wait: it was interrupted 3m05s ago (the daemon was stopped); `apex task retry 12` runs it again"#);
    insta::assert_snapshot!(ended(State::Lost, Some("the machine was restarted while it ran")), @r#"task 12 does not wait: it was lost 3m05s ago (the machine was restarted while it ran); `apex task retry 12` runs it again"#);
}

#[test]
fn every_state_has_its_sentence_and_no_text_of_a_user_steers_the_terminal() {
    let evil = "a\u{1b}[2J\n";
    for state in State::ALL {
        let text = why(state, |facts| {
            facts.task.reason = Some(evil.to_owned());
            facts.task.spec.queue = evil.to_owned();
        });
        assert!(text.starts_with("task 12 ") && !text.ends_with('.'), "{state:?}: {text}");
        assert!(!text.chars().any(crate::domain::text::is_unsafe), "{state:?}: {text:?}");
    }
    let pause = QueuePause { reason: Some(evil.to_owned()), ..QueuePause::default() };
    let text = why_queued(|place| place.queue.as_mut().unwrap().pause = Some(pause));
    assert!(text.contains("\\u001b[2J\\n"), "{text:?}");
}
