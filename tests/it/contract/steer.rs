//! Commands that hold, pause, repeat and remove tasks.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::contract::shape::shape;
use crate::contract::{UNTIL_GO, go, listed, output};
use crate::support::{World, eventually, process_state, signal, stands_still};

/// Row: commands on tasks / task why
/// Row: json shapes / why
#[test]
fn one_sentence_says_what_a_task_waits_for() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    let running = world.add(UNTIL_GO);
    world.until_state(running, "running");
    let why = |id: u64| world.apex(["task", "why", &id.to_string()]).expect(0).stdout;
    for (flags, part) in [
        (vec![], String::new()),
        (vec!["--hold"], "release".to_owned()),
        (vec!["--after", "1"], running.to_string()),
        (vec!["--at", "2999-01-15T10:30:00Z"], String::new()),
    ] {
        let id = world.add_with(&flags, "true");
        let text = why(id);
        assert!(text.lines().count() == 1 && text.trim() != "" && text.contains(&part), "{flags:?}: {text}");
    }
    let json = world.apex(["task", "why", "--json", "3"]).expect(0).stdout;
    let sentence = serde_json::from_str::<serde_json::Value>(&json).unwrap()["why"].to_string();
    insta::assert_snapshot!(shape(&json).replace(&sentence, "<sentence>"), @r#"
    {
      id: 3
      state: "held"
      why: <sentence>
    }
    "#);
    world.apex(["task", "why", "99"]).expect(4);
    go(&world);
    world.ended(running);
}

/// Row: commands on tasks / task hold
#[test]
fn what_waits_can_be_held_back() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    let running = world.add(UNTIL_GO);
    world.until_state(running, "running");
    let (queued, later) = (world.add("true"), world.add("true"));
    world.apex(["task", "hold", &queued.to_string()]).expect(0);
    assert_eq!(world.state(queued), "held");
    world.apex(["task", "hold", &running.to_string()]).expect(1);
    go(&world);
    world.ended(later);
    assert_eq!(world.state(queued), "held");
    world.apex(["task", "release", &queued.to_string()]).expect(0);
    assert_eq!(world.ended(queued)["state"], "succeeded");
    world.apex(["task", "hold", &queued.to_string()]).expect(1);
}

/// Row: commands on tasks / task pause
/// Row: commands on tasks / task resume
/// Row: states / paused
#[test]
fn a_paused_task_stands_still_and_keeps_its_slot() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    let id = world.add(&format!("sleep 1000 & echo $! > pid; {UNTIL_GO}; kill $!"));
    eventually("it runs", || std::fs::read_to_string(world.path("pid")).is_ok_and(|pid| pid.ends_with('\n')));
    world.until_state(id, "running");
    let child: i32 = std::fs::read_to_string(world.path("pid")).unwrap().trim().parse().unwrap();
    eventually("its process is told", || world.show(id)["attempts"][0]["pid"].is_u64());
    let first = i32::try_from(world.show(id)["attempts"][0]["pid"].as_i64().unwrap()).unwrap();
    let next = world.add("true");
    world.apex(["task", "pause", &id.to_string()]).expect(0);
    assert_eq!(world.state(id), "paused");
    for pid in [first, child] {
        eventually("it is stopped", || stands_still(pid));
    }
    assert_eq!((&world.status()["active"], world.state(next).as_str()), (&json!(1), "queued"));
    world.apex(["task", "resume", &id.to_string()]).expect(0);
    assert_eq!(world.state(id), "running");
    for pid in [first, child] {
        eventually("it goes on", || !stands_still(pid));
    }
    world.apex(["task", "resume", &id.to_string()]).expect(1);
    go(&world);
    assert_eq!(world.ended(id)["attempt"], json!(1));
    world.ended(next);
    world.apex(["task", "pause", &id.to_string()]).expect(1);
}

/// Row: commands on tasks / task pause
#[test]
fn a_paused_task_can_be_cancelled() {
    let world = World::with_config("[shutdown]\nkill_grace = \"20s\"\n");
    let id = world.add("echo > begun; exec sleep 1000");
    eventually("it runs", || world.path("begun").exists());
    world.apex(["task", "pause", &id.to_string()]).expect(0);
    world.apex(["task", "cancel", "--wait", &id.to_string()]).expect(0);
    let task = world.show(id);
    assert_eq!((&task["state"], &task["signal"]), (&json!("cancelled"), &json!(15)));
}

/// Row: commands on tasks / task retry
#[test]
fn a_task_can_be_tried_again_by_hand() {
    let world = World::started();
    let id = world.add("test -e go || exit 3");
    assert_eq!(world.ended(id)["state"], "failed");
    let second = world.add_with(&["--after", &id.to_string()], "true");
    let third = world.add_with(&["--after", &second.to_string()], "true");
    assert_eq!((world.state(second).as_str(), world.state(third).as_str()), ("skipped", "skipped"));
    world.apex(["task", "retry", &id.to_string()]).expect(0);
    world.ended(id);
    go(&world);
    world.apex(["task", "retry", &id.to_string()]).expect(0);
    let task = world.ended(id);
    assert_eq!((&task["id"], &task["state"], &task["failures"]), (&json!(id), &json!("succeeded"), &json!(0)));
    assert_eq!(task["attempts"].as_array().unwrap().len(), 3, "the history stays");
    // They may be told a moment later that it begins anew.
    for id in [second, third] {
        eventually("it has run", || world.state(id) == "succeeded");
    }
    let held = world.add_with(&["--hold"], "true");
    world.apex(["task", "retry", &held.to_string()]).expect(1);
    world.apex(["task", "retry", "99"]).expect(4);
}

/// Row: commands on tasks / task retry, dependants
#[test]
fn what_was_skipped_is_blocked_again_while_the_other_is_tried() {
    let world = World::started();
    let id = world.add("test -e again || exit 3; while [ ! -e go ]; do sleep 0.01; done");
    world.ended(id);
    let second = world.add_with(&["--after", &id.to_string()], "true");
    let third = world.add_with(&["--after", &second.to_string()], "true");
    std::fs::write(world.path("again"), "").unwrap();
    world.apex(["task", "retry", &id.to_string()]).expect(0);
    for id in [second, third] {
        eventually("it is blocked", || world.state(id) == "blocked");
    }
    go(&world);
    assert_eq!(world.ended(third)["state"], "succeeded");
}

/// Row: commands on tasks / task retry --failed
#[test]
fn all_that_failed_can_be_tried_again_at_once() {
    let world = World::started();
    let failed = world.add("echo ran; test -e go || exit 3");
    let late = world.add_with(&["--timeout", "500ms"], "test -e go || exec sleep 1000");
    let succeeded = world.add("true");
    let cancelled = world.add_with(&["--hold"], "true");
    world.apex(["task", "cancel", &cancelled.to_string()]).expect(0);
    for id in [failed, late, succeeded] {
        world.ended(id);
    }
    go(&world);
    world.apex(["task", "retry", "--failed"]).expect(0);
    for id in [failed, late] {
        world.until_state(id, "succeeded");
        assert_eq!(world.show(id)["attempts"].as_array().unwrap().len(), 2);
    }
    assert_eq!(world.show(succeeded)["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(world.state(cancelled), "cancelled");
}

/// Row: commands on tasks / task rm
/// Row: flags of task add / ids
#[test]
fn what_has_ended_can_be_removed_with_its_output() {
    let world = World::started();
    let (first, second) = (world.add("echo one"), world.add("echo two"));
    let running = world.add(UNTIL_GO);
    let path = |id: u64| world.ended(id)["attempts"][0]["output"][0]["path"].as_str().unwrap().to_owned();
    let paths = [path(first), path(second)];
    world.until_state(running, "running");
    world.apex(["task", "rm", &running.to_string()]).expect(1);
    world.apex(["task", "rm", &first.to_string()]).expect(0);
    world.apex(["task", "show", &first.to_string()]).expect(4);
    eventually("its output is gone", || !std::path::Path::new(&paths[0]).exists());
    assert!(std::path::Path::new(&paths[1]).exists());
    assert_eq!(listed(&world, &["--all"]), [second, running]);
    go(&world);
    world.ended(running);
    world.apex(["task", "rm", &second.to_string(), &running.to_string()]).expect(0);
    assert_eq!(world.add("true"), running + 1, "a number is never used again");
}

/// Row: commands on tasks / task rm, depended on
#[test]
fn what_something_waits_for_is_not_removed() {
    let world = World::started();
    let first = world.add("true");
    world.ended(first);
    let held = world.add_with(&["--hold", "--after-any", &first.to_string()], "true");
    world.apex(["task", "rm", &first.to_string()]).expect(1);
    world.apex(["task", "show", &first.to_string()]).expect(0);
    world.apex(["task", "cancel", &held.to_string()]).expect(0);
    world.apex(["task", "rm", &first.to_string()]).expect(0);
}

/// Row: configuration keys / task.leftovers
#[test]
fn what_is_left_of_a_session_is_ended_or_left_as_the_settings_say() {
    for (setting, is_left) in [("kill", false), ("leave", true)] {
        let world = World::with_config(&format!("[task]\nleftovers = \"{setting}\"\n"));
        let id = world.add("sleep 1000 & echo $!");
        assert_eq!(world.ended(id)["state"], "succeeded");
        let pid: i32 = output(&world, id).trim().parse().unwrap();
        assert_eq!(process_state(pid).is_some_and(|state| state != 'Z'), is_left, "{setting}");
        if is_left {
            signal(pid, Signal::SIGKILL);
        }
    }
}

/// Row: configuration keys / task.leftovers, own session
#[test]
fn what_made_a_session_of_its_own_outlives_a_normal_end() {
    let world = World::started();
    let line = "setsid sh -c 'echo $$ > own; exec sleep 1000' & while [ ! -s own ]; do sleep 0.01; done";
    let own = || std::fs::read_to_string(world.path("own")).unwrap().trim().parse::<i32>().unwrap();
    world.ended(world.add(line));
    assert!(process_state(own()).is_some_and(|state| state != 'Z'));
    signal(own(), Signal::SIGKILL);
}
