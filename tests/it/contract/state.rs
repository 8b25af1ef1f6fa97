//! States: who enters, who leaves.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::contract::{UNTIL_GO, go};
use crate::support::{World, eventually, process_state, signal};

/// Row: states / queued
#[test]
fn what_is_ready_waits_for_a_slot() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    let first = world.add(UNTIL_GO);
    world.until_state(first, "running");
    let second = world.add("true");
    let task = world.show(second);
    assert_eq!((&task["state"], &task["attempt"], &task["slot"]), (&json!("queued"), &json!(0), &json!(null)));
    go(&world);
    assert_eq!(world.ended(second)["state"], "succeeded");
}

/// Row: states / running
#[test]
fn what_runs_has_a_process() {
    let world = World::started();
    let id = world.add(UNTIL_GO);
    world.until_state(id, "running");
    eventually("its process is told", || world.show(id)["attempts"][0]["pid"].is_u64());
    let task = world.show(id);
    let pid = i32::try_from(task["attempts"][0]["pid"].as_i64().unwrap()).unwrap();
    assert!(process_state(pid).is_some_and(|state| state != 'Z'));
    assert_eq!((&task["attempt"], &task["ended_at"], &task["slot"]), (&json!(1), &json!(null), &json!(0)));
    assert!(task["started_at"].is_string());
    go(&world);
    world.ended(id);
}

/// Row: states / succeeded
/// Row: states / failed
/// Row: reason codes / exit
#[test]
fn how_it_ended_by_itself_is_its_own_code() {
    let world = World::started();
    let task = world.ended(world.add("true"));
    assert_eq!(
        (&task["state"], &task["exit_code"], &task["reason_code"], &task["failures"]),
        (&json!("succeeded"), &json!(0), &json!(null), &json!(0))
    );
    let task = world.ended(world.add("exit 3"));
    assert_eq!(
        (&task["state"], &task["exit_code"], &task["reason_code"], &task["failures"]),
        (&json!("failed"), &json!(3), &json!("exit"), &json!(1))
    );
    assert_eq!(task["attempts"][0]["state"], "failed");
}

/// Row: states / interrupted
/// Row: reason codes / drain
#[test]
fn what_a_stop_cuts_off_is_interrupted_and_no_failure() {
    let world = World::started();
    let id = world.add("trap 'exit 7' TERM; echo > begun; while :; do sleep 0.01; done");
    eventually("it runs", || world.path("begun").exists());
    world.apex(["daemon", "stop", "--force"]).expect(0);
    let task = world.show(id);
    assert_eq!(
        (&task["state"], &task["reason_code"], &task["exit_code"], &task["attempt"], &task["failures"]),
        (&json!("interrupted"), &json!("drain"), &json!(7), &json!(1), &json!(0))
    );
    assert!(task["ended_at"].is_string(), "without retries it is the end");
}

/// Row: states / lost
/// Row: reason codes / guardian_lost
/// Row: exit codes / no code
#[test]
fn what_nobody_knows_the_end_of_is_lost_and_not_run_twice() {
    let world = World::started();
    let id = world.add("echo run >> effects; exec sleep 1000");
    world.until_state(id, "running");
    eventually("it runs", || world.path("effects").exists() && world.show(id)["attempts"][0]["pid"].is_u64());
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    let pid = i32::try_from(world.show(id)["attempts"][0]["pid"].as_i64().unwrap()).unwrap();
    // So that it does not become the guardian itself.
    signal(apexd, Signal::SIGSTOP);
    for pid in [guardian, apexd, pid] {
        signal(pid, Signal::SIGKILL);
        eventually("it is gone", || process_state(pid).is_none_or(|state| state == 'Z'));
    }
    world.apex(["daemon", "start"]).expect(0);
    let task = world.show(id);
    assert_eq!(
        (&task["state"], &task["reason_code"], &task["exit_code"], &task["failures"]),
        (&json!("lost"), &json!("guardian_lost"), &json!(null), &json!(0))
    );
    assert_eq!(std::fs::read_to_string(world.path("effects")).unwrap(), "run\n");
    let wait = world.apex(["task", "wait", &id.to_string()]).expect(1);
    assert!(wait.stderr.contains("lost"), "{wait:?}");
}
