//! Queues.

use serde_json::{Value, json};

use crate::contract::shape::shape;
use crate::contract::{UNTIL_GO, go, listed, output};
use crate::support::{World, eventually};

/// Returns what the list of queues says of one.
fn queue(world: &World, name: &str) -> Value {
    let list = world.apex(["queue", "list", "--json"]).expect(0).json();
    list.as_array().unwrap().iter().find(|queue| queue["name"] == name).cloned().unwrap_or_default()
}

/// Row: commands on tasks / queue list
/// Row: json shapes / queue
#[test]
fn every_queue_is_listed_with_its_slots() {
    let world = World::started();
    world.apex(["queue", "add", "gpu", "--slots", "2"]).expect(0);
    world.add_with(&["-Q", "gpu", "--hold"], "true");
    let text = world.apex(["queue", "list"]).expect(0).stdout;
    assert!(text.contains("default") && text.contains("gpu"), "{text}");
    insta::assert_snapshot!(shape(&world.apex(["queue", "list", "--json"]).expect(0).stdout), @r#"
    [
      {
        name: "default"
        slots: 0
        weight: null
        paused: false
        paused_reason: null
        paused_until: null
        running: 0
        queued: 0
        waiting: 0
      }
      {
        name: "gpu"
        slots: 2
        weight: null
        paused: false
        paused_reason: null
        paused_until: null
        running: 0
        queued: 0
        waiting: 1
      }
    ]
    "#);
}

/// Row: flags of task add / -Q
/// Row: commands on tasks / queue add
/// Row: commands on tasks / task list --queue
/// Row: task environment / APEX_QUEUE
#[test]
fn a_task_runs_in_the_queue_that_it_was_added_to() {
    let world = World::started();
    world.apex(["queue", "add", "build"]).expect(0);
    let default = world.add("echo $APEX_QUEUE");
    let build = world.add_with(&["--queue", "build"], "echo $APEX_QUEUE");
    assert_eq!(world.ended(build)["queue"], "build");
    world.ended(default);
    assert_eq!((output(&world, default).as_str(), output(&world, build).as_str()), ("default\n", "build\n"));
    assert_eq!(listed(&world, &["-Q", "build"]), [build]);
    let unknown = world.apex(["task", "add", "-Q", "nowhere", "--", "true"]).expect(4);
    assert!(unknown.stderr.contains("nowhere"), "{unknown:?}");
}

/// Row: commands on tasks / queue, slots
/// Row: task environment / APEX_SLOT
#[test]
fn a_queue_has_its_own_limit_and_the_lowest_free_slot_is_taken() {
    let world = World::with_config("[daemon]\nmax_concurrent = 4\n");
    world.apex(["queue", "add", "gpu", "--slots", "2"]).expect(0);
    let add =
        |n: u32| world.add_with(&["-Q", "gpu"], &format!("echo $APEX_SLOT; while [ ! -e go{n} ]; do sleep 0.01; done"));
    let ids: Vec<u64> = (0..4).map(add).collect();
    for id in &ids[..2] {
        world.until_state(*id, "running");
    }
    let other = world.add("true");
    world.ended(other);
    assert_eq!((world.state(ids[2]).as_str(), world.state(ids[3]).as_str()), ("queued", "queued"));
    let of_gpu = queue(&world, "gpu");
    assert_eq!((&of_gpu["running"], &of_gpu["queued"]), (&json!(2), &json!(2)));
    // The first one's slot is free, then that of the third, which is the same.
    for (n, next) in [(0, ids[2]), (2, ids[3])] {
        std::fs::write(world.path(format!("go{n}")), "").unwrap();
        world.until_state(next, "running");
    }
    for n in [1, 3] {
        std::fs::write(world.path(format!("go{n}")), "").unwrap();
    }
    let slots: Vec<String> = ids
        .iter()
        .map(|id| {
            world.ended(*id);
            output(&world, *id)
        })
        .collect();
    assert_eq!(slots, ["0\n", "1\n", "0\n", "0\n"]);
}

/// Row: commands on tasks / queue, slots
#[test]
fn no_queue_goes_over_what_the_daemon_runs_at_once() {
    let world = World::with_config("[daemon]\nmax_concurrent = 2\n");
    world.apex(["queue", "add", "wide", "--slots", "5"]).expect(0);
    world.apex(["queue", "add", "wider", "--slots", "0"]).expect(0);
    for name in ["wide", "wide", "wider", "wider"] {
        world.add_with(&["-Q", name], UNTIL_GO);
    }
    eventually("two run", || world.status()["active"] == 2);
    assert_eq!(world.status()["queued"], 2);
    go(&world);
    world.apex(["task", "wait", "1", "2", "3", "4"]).expect(0);
}

/// Row: commands on tasks / queue set
#[test]
fn slots_can_be_changed_while_tasks_wait() {
    let world = World::started();
    world.apex(["queue", "add", "build", "--slots", "1"]).expect(0);
    let ids = [world.add_with(&["-Q", "build"], UNTIL_GO), world.add_with(&["-Q", "build"], UNTIL_GO)];
    world.until_state(ids[0], "running");
    assert_eq!(world.state(ids[1]), "queued");
    world.apex(["queue", "set", "build", "--slots", "2"]).expect(0);
    world.until_state(ids[1], "running");
    assert_eq!(queue(&world, "build")["slots"], json!(2));
    world.apex(["queue", "set", "nowhere", "--slots", "2"]).expect(4);
    go(&world);
    world.ended(ids[1]);
}

/// Row: commands on tasks / queue pause
/// Row: commands on tasks / queue resume
/// Row: commands on tasks / queue pause --reason
#[test]
fn a_paused_queue_starts_nothing_and_others_do() {
    let world = World::started();
    world.apex(["queue", "add", "build"]).expect(0);
    world.apex(["queue", "pause", "build", "--reason", "disk is full"]).expect(0);
    let id = world.add_with(&["-Q", "build"], "true");
    world.ended(world.add("true"));
    assert_eq!(world.state(id), "queued");
    let paused = queue(&world, "build");
    assert_eq!((&paused["paused"], &paused["paused_reason"]), (&json!(true), &json!("disk is full")));
    let why = world.apex(["task", "why", &id.to_string()]).expect(0).stdout;
    assert!(why.contains("build") && why.contains("pause"), "{why}");
    world.apex(["daemon", "restart"]).expect(0);
    assert_eq!(queue(&world, "build")["paused"], json!(true), "until it is resumed");
    world.apex(["queue", "resume", "build"]).expect(0);
    assert_eq!(world.ended(id)["state"], "succeeded");
    let resumed = queue(&world, "build");
    assert_eq!((&resumed["paused"], &resumed["paused_reason"]), (&json!(false), &json!(null)));
    world.apex(["queue", "pause", "nowhere"]).expect(4);
}

/// Row: commands on tasks / queue pause --wait
#[test]
fn a_pause_can_wait_for_what_runs() {
    let world = World::started();
    let id = world.add(UNTIL_GO);
    world.until_state(id, "running");
    eventually("nobody is connected", || world.connections() == 0);
    let pause = world.spawn(["queue", "pause", "default", "--wait"]);
    eventually("it is paused", || queue(&world, "default")["paused"] == true);
    assert_eq!(world.state(id), "running");
    go(&world);
    pause.wait().expect(0);
    assert_eq!(world.state(id), "succeeded");
}

/// Row: commands on tasks / queue pause --until
#[test]
fn a_pause_can_end_by_itself() {
    let world = World::started();
    world.apex(["queue", "pause", "default", "--until", "in 1h"]).expect(0);
    let id = world.add("true");
    let until: jiff::Timestamp = queue(&world, "default")["paused_until"].as_str().unwrap().parse().unwrap();
    assert!(until > jiff::Timestamp::now());
    assert_eq!(world.state(id), "queued");
    world.apex(["queue", "resume", "default"]).expect(0);
    world.ended(id);
    world.apex(["queue", "pause", "default", "--until", "in 300ms"]).expect(0);
    let id = world.add("true");
    assert_eq!(world.ended(id)["state"], "succeeded");
    assert_eq!(queue(&world, "default")["paused"], json!(false));
}

/// Row: commands on tasks / queue rm
#[test]
fn a_queue_without_work_can_be_removed_but_not_the_default_one() {
    let world = World::started();
    world.apex(["queue", "add", "build"]).expect(0);
    let id = world.add_with(&["-Q", "build", "--hold"], "true");
    let refused = world.apex(["queue", "rm", "build"]).expect(1);
    assert!(refused.stderr.contains("build"), "{refused:?}");
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    world.apex(["queue", "rm", "build"]).expect(0);
    assert_eq!(queue(&world, "build"), json!(null));
    assert_eq!(world.show(id)["queue"], "build", "what was is not forgotten");
    world.apex(["queue", "rm", "default"]).expect(1);
    world.apex(["queue", "rm", "build"]).expect(4);
}

/// Row: configuration keys / queues.default.slots
/// Row: configuration keys / queues
#[test]
fn queues_can_stand_in_the_configuration() {
    let world = World::with_config("[queues.default]\nslots = 1\n[queues.gpu]\nslots = 2\n");
    let ids = [world.add(UNTIL_GO), world.add(UNTIL_GO)];
    world.until_state(ids[0], "running");
    let gpu = world.add_with(&["-Q", "gpu"], "true");
    world.ended(gpu);
    assert_eq!(world.state(ids[1]), "queued");
    assert_eq!((&queue(&world, "default")["slots"], &queue(&world, "gpu")["slots"]), (&json!(1), &json!(2)));
    go(&world);
    world.ended(ids[1]);
}

/// Row: commands on tasks / status, queues
#[test]
fn the_screen_has_the_queues_with_the_slots_they_use() {
    let world = World::started();
    world.apex(["queue", "add", "gpu", "--slots", "7"]).expect(0);
    let id = world.add_with(&["-Q", "gpu"], UNTIL_GO);
    world.until_state(id, "running");
    let screen = world.apex(["status"]).expect(0).stdout;
    let line = screen.lines().find(|line| line.contains("gpu")).unwrap_or_else(|| panic!("{screen}"));
    assert!(line.contains('1') && line.contains('7'), "{line}");
    go(&world);
    world.ended(id);
}
