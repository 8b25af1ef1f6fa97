//! Further attempts, and time limits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::contract::{UNTIL_GO, go};
use crate::support::{World, eventually};

/// A shell line that fails with 3 until it has been tried so often.
fn succeeds_at(attempt: u32) -> String {
    format!("echo $APEX_ATTEMPT >> tries; [ $(wc -l < tries) -ge {attempt} ] || exit 3")
}

/// Returns how long after the end of each attempt the next one began.
fn gaps(task: &Value) -> Vec<Duration> {
    let attempts = task["attempts"].as_array().unwrap();
    let at = |attempt: &Value, key: &str| attempt[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let between = |pair: &[Value]| at(&pair[1], "started_at").duration_since(at(&pair[0], "ended_at")).unsigned_abs();
    attempts.windows(2).map(between).collect()
}

/// Row: flags of task add / --retries
/// Row: task environment / APEX_ATTEMPT
/// Row: json shapes / attempt and failures
#[test]
fn what_failed_is_tried_again_so_often() {
    let world = World::started();
    let id = world.add_with(&["--retries", "5", "--retry-delay", "1ms"], &succeeds_at(3));
    let task = world.ended(id);
    assert_eq!(
        (&task["state"], &task["max_attempts"], &task["attempt"], &task["failures"]),
        (&json!("succeeded"), &json!(6), &json!(3), &json!(2))
    );
    let states: Vec<&str> =
        task["attempts"].as_array().unwrap().iter().map(|attempt| attempt["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "failed", "succeeded"]);
    assert_eq!(std::fs::read_to_string(world.path("tries")).unwrap(), "1\n2\n3\n");

    let id = world.add_with(&["--retries", "2", "--retry-delay", "1ms"], "echo try $APEX_ATTEMPT; exit 3");
    let task = world.ended(id);
    assert_eq!(
        (&task["state"], &task["exit_code"], &task["attempt"], &task["failures"]),
        (&json!("failed"), &json!(3), &json!(3), &json!(3))
    );
    let of = |attempt: &str| world.apex(["task", "logs", "--attempt", attempt, &id.to_string()]).expect(0).stdout;
    assert_eq!([of("1"), of("3")], ["try 1\n", "try 3\n"]);
}

/// Row: flags of task add / --retry-delay
/// Row: states / retrying
#[test]
fn between_attempts_a_task_waits() {
    let world = World::started();
    let id = world.add_with(&["--retries", "1", "--retry-delay", "1h", "--retry-backoff", "fixed"], "exit 3");
    world.until_state(id, "retrying");
    let task = world.show(id);
    assert_eq!((&task["failures"], &task["ended_at"]), (&json!(1), &json!(null)));
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    assert_eq!(world.state(id), "cancelled");

    let id = world.add_with(&["--retries", "2", "--retry-delay", "150ms", "--retry-backoff", "fixed"], "exit 3");
    let task = world.ended(id);
    assert!(gaps(&task).iter().all(|gap| *gap >= Duration::from_millis(145)), "{:?}", gaps(&task));
}

/// Row: flags of task add / --retry-backoff
#[test]
fn an_exponential_delay_doubles() {
    let world = World::started();
    let flags = ["--retries", "3", "--retry-delay", "60ms", "--retry-backoff", "exponential"];
    let gaps = gaps(&world.ended(world.add_with(&flags, "exit 3")));
    // The third is 240 ms, of which chance may take up to half.
    assert!(gaps.len() == 3 && gaps[2] >= Duration::from_millis(115), "{gaps:?}");
    world.apex(["task", "add", "--retry-backoff", "random", "--", "true"]).expect(2);
}

/// Row: flags of task add / --retry-max-delay
#[test]
fn a_delay_does_not_grow_for_ever() {
    let world = World::started();
    let flags =
        ["--retries", "12", "--retry-delay", "20ms", "--retry-backoff", "exponential", "--retry-max-delay", "40ms"];
    let began = Instant::now();
    let task = world.ended(world.add_with(&flags, "exit 3"));
    assert_eq!(task["attempt"], json!(13));
    // It would be more than a minute.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", gaps(&task));
}

/// Row: flags of task add / --retry-on
#[test]
fn only_some_codes_may_be_worth_another_attempt() {
    let world = World::started();
    let flags = ["--retries", "3", "--retry-delay", "1ms", "--retry-on", "75", "--retry-on", "111"];
    let task = world.ended(world.add_with(&flags, "exit 3"));
    assert_eq!((&task["state"], &task["attempt"]), (&json!("failed"), &json!(1)));
    let task = world
        .ended(world.add_with(&flags, "[ $APEX_ATTEMPT = 1 ] && exit 75; [ $APEX_ATTEMPT = 2 ] && exit 111; exit 4"));
    assert_eq!((&task["exit_code"], &task["attempt"]), (&json!(4), &json!(3)));
}

/// Row: flags of task add / retried
#[test]
fn what_was_cancelled_is_not_tried_again() {
    let world = World::started();
    let id = world.add_with(&["--retries", "3", "--retry-delay", "1ms"], "echo > begun; exec sleep 1000");
    eventually("it runs", || world.path("begun").exists());
    world.apex(["task", "cancel", "--wait", &id.to_string()]).expect(0);
    let task = world.show(id);
    assert_eq!((&task["state"], &task["attempt"]), (&json!("cancelled"), &json!(1)));
}

/// Row: flags of task add / --on-interrupt
#[test]
fn what_a_stop_cut_off_goes_on_or_not_as_was_asked() {
    let world = World::with_config("[daemon]\nmax_concurrent = 4\n");
    let stops: [&[&str]; 2] = [&[], &["--retries", "1", "--on-interrupt", "stop"]];
    let reruns: [&[&str]; 2] = [&["--on-interrupt", "rerun"], &["--retries", "1"]];
    let ids: Vec<u64> = (stops.iter().chain(&reruns).enumerate())
        .map(|(n, flags)| world.add_with(flags, &format!("echo > begun{n}; {UNTIL_GO}")))
        .collect();
    for n in 0..ids.len() {
        eventually("it runs", || world.path(format!("begun{n}")).exists());
    }
    world.apex(["daemon", "stop", "--force"]).expect(0);
    go(&world);
    world.apex(["daemon", "start"]).expect(0);
    for id in &ids[..2] {
        let task = world.show(*id);
        assert_eq!((&task["state"], &task["attempt"]), (&json!("interrupted"), &json!(1)));
    }
    for id in &ids[2..] {
        let task = world.ended(*id);
        assert_eq!((&task["state"], &task["attempt"], &task["failures"]), (&json!("succeeded"), &json!(2), &json!(0)));
    }
}

/// Row: flags of task add / --timeout
/// Row: states / timed_out
/// Row: reason codes / timeout
/// Row: exit codes / 124
#[test]
fn a_time_limit_ends_a_task_with_all_its_processes() {
    let world = World::started();
    let before = {
        world.ended(world.add("true"));
        world.processes().len()
    };
    let id = world.add_with(&["--timeout", "200ms"], "sleep 1000 & exec sleep 1000");
    let task = world.ended(id);
    assert_eq!(
        (&task["state"], &task["reason_code"], &task["timeout_ms"], &task["signal"]),
        (&json!("timed_out"), &json!("timeout"), &json!(200), &json!(15))
    );
    assert_eq!(task["attempts"][0]["state"], "timed_out");
    assert_eq!(world.processes().len(), before);
    world.apex(["task", "wait", &id.to_string()]).expect(124);
    world.apex(["task", "logs", "-f", &id.to_string()]).expect(124);
    world.apex(["run", "--timeout", "50ms", "--", "sleep", "1000"]).expect(124);
    let again = world.add_with(&["--timeout", "50ms", "--retries", "1", "--retry-delay", "1ms"], "exec sleep 1000");
    let task = world.ended(again);
    assert_eq!((&task["state"], &task["attempt"], &task["failures"]), (&json!("timed_out"), &json!(2), &json!(2)));
}

/// Row: flags of task add / --timeout, grace
/// Row: flags of task add / --kill-grace
#[test]
fn who_does_not_hear_the_time_limit_is_killed() {
    let world = World::with_config("[shutdown]\nkill_grace = \"20s\"\n");
    let began = Instant::now();
    for flags in [&["--timeout", "1s"][..], &[]] {
        let flags = [flags, &["--kill-grace", "100ms"]].concat();
        let id = world.add_with(&flags, "trap '' TERM; echo > begun; while :; do sleep 0.01; done");
        eventually("it runs", || world.path("begun").exists());
        if flags.len() == 2 {
            world.apex(["task", "cancel", &id.to_string()]).expect(0);
        }
        assert_eq!(world.ended(id)["signal"], json!(9));
        std::fs::remove_file(world.path("begun")).unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(18), "it took {:?}", began.elapsed());
}

/// Row: flags of task add / --timeout, paused
#[test]
fn the_time_limit_stands_still_in_a_pause() {
    let world = World::started();
    let paused = world.add_with(&["--timeout", "2s"], &format!("echo > begun; {UNTIL_GO}"));
    eventually("it runs", || world.path("begun").exists());
    world.apex(["task", "pause", &paused.to_string()]).expect(0);
    let other = world.ended(world.add_with(&["--timeout", "2100ms"], "exec sleep 1000"));
    assert_eq!(other["state"], "timed_out", "more than the limit has passed");
    assert_eq!(world.state(paused), "paused");
    go(&world);
    world.apex(["task", "resume", &paused.to_string()]).expect(0);
    assert_eq!(world.ended(paused)["state"], "succeeded");
}

/// Row: flags of task add / --kill-signal
#[test]
fn a_task_is_asked_to_stop_by_its_own_signal() {
    let world = World::started();
    let line = "trap 'exit 9' INT; echo > begun; while :; do sleep 0.01; done";
    for signal in ["INT", "SIGINT", "2"] {
        let id = world.add_with(&["--kill-signal", signal], line);
        eventually("it runs", || world.path("begun").exists());
        world.apex(["task", "cancel", "--wait", &id.to_string()]).expect(0);
        assert_eq!(world.show(id)["exit_code"], json!(9), "{signal}");
        std::fs::remove_file(world.path("begun")).unwrap();
    }
    let id = world.add_with(&["--kill-signal", "INT", "--timeout", "1s"], line);
    assert_eq!(world.ended(id)["exit_code"], json!(9));
    world.apex(["task", "add", "--kill-signal", "NOPE", "--", "true"]).expect(2);
}
