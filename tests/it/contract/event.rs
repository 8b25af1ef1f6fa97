//! The feed of changes.

use std::io::{BufRead, BufReader};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::contract::shape::shape;
use crate::support::{World, eventually, signal};

/// Returns all that has happened.
fn events(world: &World, flags: &[&str]) -> Vec<Value> {
    let run = world.apex(["events", "--json"].iter().chain(flags)).expect(0);
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Row: commands on tasks / events
/// Row: json shapes / event
#[test]
fn every_change_of_a_state_is_told_in_order() {
    let world = World::started();
    world.ended(world.add("exit 3"));
    let events = events(&world, &[]);
    assert!(numbers(&events).is_sorted_by(|one, next| one < next), "{events:?}");
    let of_task: Vec<&Value> = events.iter().filter(|event| event["task"] == 1).collect();
    let states: Vec<&str> = of_task.iter().filter_map(|event| event["to"].as_str()).collect();
    assert!(states.contains(&"running") && states.last() == Some(&"failed"), "{states:?}");
    let steps: Vec<&&Value> = of_task.iter().filter(|event| !event["to"].is_null()).collect();
    for pair in steps.windows(2) {
        assert_eq!(pair[1]["from"], pair[0]["to"], "nothing in between: {pair:?}");
    }
    assert!(of_task[0]["by"].as_str().unwrap().starts_with("cli:"), "{:?}", of_task[0]);
    let text = world.apex(["events", "--json"]).expect(0).stdout;
    let started = text.lines().find(|line| line.contains("\"task.started\"")).unwrap_or_else(|| panic!("{text}"));
    let seq = serde_json::from_str::<Value>(started).unwrap()["seq"].to_string();
    insta::assert_snapshot!(shape(started).replace(&format!("seq: {seq}"), "seq: <number>"), @r#"
    {
      seq: <number>
      at: <string>
      kind: "task.started"
      task: 1
      attempt: 1
      from: "queued"
      to: "running"
      by: <string>
      reason: null
      queue: null
      schedule: null
      progress: null
    }
    "#);
    assert_eq!(serde_json::from_str::<Value>(started).unwrap()["by"], "daemon");
    let words = world.apex(["events"]).expect(0).stdout;
    assert!(words.lines().count() >= states.len() && words.contains("failed"), "for people, too: {words}");
}

/// Row: commands on tasks / events --since
#[test]
fn the_feed_is_read_from_a_cursor_on() {
    let world = World::started();
    world.ended(world.add("true"));
    let all = numbers(&events(&world, &[]));
    let middle = all[all.len() / 2];
    let after: Vec<u64> = all.iter().copied().filter(|seq| *seq > middle).collect();
    assert_eq!(numbers(&events(&world, &["--since", &middle.to_string()])), after);
    let last = all.last().unwrap().to_string();
    assert_eq!(numbers(&events(&world, &["--since", &last])), [0; 0]);
    world.apex(["daemon", "stop"]).expect(0);
    world.ended(world.add("true"));
    let later = numbers(&events(&world, &["--since", &last]));
    assert!(!later.is_empty() && later.iter().all(|seq| *seq > *all.last().unwrap()), "a number never repeats");
}

/// Row: commands on tasks / events -f
/// Row: streams / broken connection, events
#[test]
fn the_feed_is_followed_over_the_end_of_apexd() {
    let world = World::started();
    world.ended(world.add("true"));
    eventually("nobody is connected", || world.connections() == 0);
    let mut follower = world.spawn(["events", "-f", "--json", "--since", "0"]);
    let mut lines = BufReader::new(follower.stdout()).lines().map_while(Result::ok);
    let mut seen: Vec<Value> = Vec::new();
    let mut until_end_of = |id: u64, seen: &mut Vec<Value>| {
        for line in lines.by_ref() {
            let event: Value = serde_json::from_str(&line).unwrap();
            seen.push(event.clone());
            if event["task"] == id && event["to"] == "succeeded" {
                return;
            }
        }
        panic!("it ended before task {id} did: {seen:?}");
    };
    until_end_of(1, &mut seen);
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGKILL);
    eventually("another one serves", || world.status()["pid"].as_i64().is_some_and(|pid| pid != i64::from(apexd)));
    let id = world.add("true");
    until_end_of(id, &mut seen);
    let all = numbers(&events(&world, &["--since", "0"]));
    let seen = numbers(&seen);
    assert_eq!(seen, all[..seen.len()], "missed or repeated");
}

/// Row: streams / stopped daemon, events
#[test]
fn who_follows_the_feed_of_a_daemon_that_stops_is_told() {
    let world = World::started();
    eventually("nobody is connected", || world.connections() == 0);
    let follower = world.spawn(["events", "-f"]);
    eventually("it follows", || world.connections() == 1);
    world.apex(["daemon", "stop"]).expect(0);
    let run = follower.wait().expect(3);
    assert_eq!(run.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{run:?}");
}
