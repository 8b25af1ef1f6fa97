//! Tasks that wait for others, or for a time.

use serde_json::json;

use crate::contract::{UNTIL_GO, go, output};
use crate::support::World;

/// Row: flags of task add / --after
/// Row: states / blocked
#[test]
fn a_task_waits_until_all_it_comes_after_have_succeeded() {
    let world = World::started();
    let first = world.add(UNTIL_GO);
    let held = world.add_with(&["--hold"], "true");
    let last = world.add_with(&["--after", &format!("{first},{held}")], "echo ran");
    let task = world.show(last);
    assert_eq!((&task["state"], &task["after"]), (&json!("blocked"), &json!([first, held])));
    go(&world);
    world.ended(first);
    assert_eq!(world.state(last), "blocked", "one is not all");
    world.apex(["task", "release", &held.to_string()]).expect(0);
    assert_eq!(world.ended(last)["state"], "succeeded");
    assert_eq!(output(&world, last), "ran\n");
    world.apex(["task", "add", "--after", "99", "--", "true"]).expect(4);
}

/// Row: flags of task add / --after, failed
/// Row: states / skipped
/// Row: reason codes / dependency
/// Row: exit codes / no code
#[test]
fn what_comes_after_a_failure_is_skipped_down_the_chain() {
    let world = World::started();
    let failing = world.add(&format!("{UNTIL_GO}; exit 3"));
    let second = world.add_with(&["--after", &failing.to_string()], "echo > ran");
    let third = world.add_with(&["--after", &second.to_string()], "echo > ran");
    assert_eq!(world.state(third), "blocked");
    go(&world);
    for id in [second, third] {
        let task = world.ended(id);
        assert_eq!(
            (&task["state"], &task["reason_code"], &task["attempt"], &task["started_at"]),
            (&json!("skipped"), &json!("dependency"), &json!(0), &json!(null))
        );
    }
    let late = world.add_with(&["--after", &failing.to_string()], "echo > ran");
    assert_eq!(world.state(late), "skipped", "at once, if it has failed already");
    let wait = world.apex(["task", "wait", &late.to_string()]).expect(1);
    assert!(wait.stderr.contains("skipped"), "{wait:?}");
    assert!(!world.path("ran").exists());
}

/// Row: flags of task add / --after-any
#[test]
fn however_it_ended_is_enough_for_some() {
    let world = World::started();
    let failing = world.add(&format!("{UNTIL_GO}; exit 3"));
    let next = world.add_with(&["--after-any", &failing.to_string()], "true");
    let task = world.show(next);
    assert_eq!((&task["state"], &task["after_any"]), (&json!("blocked"), &json!([failing])));
    go(&world);
    assert_eq!(world.ended(next)["state"], "succeeded");
    let late = world.add_with(&["--after-any", &failing.to_string()], "true");
    assert_eq!(world.ended(late)["state"], "succeeded");
}

/// Row: flags of task add / --at
/// Row: states / scheduled
/// Row: global flags / times read
#[test]
fn a_task_waits_for_its_time() {
    let world = World::started();
    let id = world.add_with(&["--at", "2999-01-15T10:30:00Z"], "true");
    let task = world.show(id);
    assert_eq!((&task["state"], &task["run_at"]), (&json!("scheduled"), &json!("2999-01-15T10:30:00.000Z")));
    let now = jiff::Timestamp::now();
    for words in ["in 10m", "tomorrow 9am", "17:30"] {
        let id = world.add_with(&["--hold", "--at", words], "true");
        let at: jiff::Timestamp = world.show(id)["run_at"].as_str().unwrap().parse().unwrap();
        assert!(at > now && at < now + jiff::SignedDuration::from_hours(49), "{words}: {at}");
    }
    world.apex(["task", "add", "--at", "whenever", "--", "true"]).expect(2);
    let past = world.add_with(&["--at", "2001-01-15T10:30:00Z"], "true");
    assert_eq!(world.ended(past)["state"], "succeeded", "not before is not only then");
}

/// Row: flags of task add / --in
#[test]
fn a_task_waits_for_some_time() {
    let world = World::started();
    let far = world.add_with(&["--in", "1h"], "true");
    assert_eq!(world.state(far), "scheduled");
    let near = world.ended(world.add_with(&["--in", "300ms"], "true"));
    let at = |key: &str| near[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(at("started_at") >= at("run_at"), "{near}");
    world.apex(["task", "add", "--in", "5", "--", "true"]).expect(2);
    world.apex(["task", "cancel", &far.to_string()]).expect(0);
    assert_eq!(world.state(far), "cancelled");
}
