//! Tasks that are named by ranges, and chosen by what they have in common.

use serde_json::json;

use crate::contract::{UNTIL_GO, go, listed};
use crate::support::World;
use crate::wire::add_many;

fn states(world: &World, ids: &[u64]) -> Vec<String> {
    ids.iter().map(|id| world.state(*id)).collect()
}

/// Adds held tasks.
fn held(world: &World, n: u64, flags: &[&str]) {
    for _ in 0..n {
        world.add_with(&[&["--hold"], flags].concat(), "true");
    }
}

/// Row: commands on tasks / ranges
#[test]
fn a_range_is_of_the_tasks_that_there_are() {
    let world = World::started();
    held(&world, 6, &[]);
    world.apex(["task", "cancel", "2"]).expect(0);
    world.apex(["task", "rm", "2"]).expect(0);
    let done = world.apex(["task", "cancel", "--json", "1-3,5"]).expect(0).json();
    let ids: Vec<_> = done.as_array().unwrap().iter().map(|task| task["id"].clone()).collect();
    assert_eq!(ids, [1, 3, 5].map(|id| json!(id)));
    let none = world.apex(["task", "cancel", "70-99"]).expect(4);
    assert!(none.stderr.contains("no task has a number from `70` to `99`"), "{none:?}");
    let some = world.apex(["task", "cancel", "4-5,99"]).expect(1);
    assert_eq!(some.stderr.lines().filter(|line| line.starts_with("error:")).count(), 2, "as if named: {some:?}");
    assert_eq!(states(&world, &[4, 6]), ["cancelled", "held"]);
    for (wrong, why) in [("7-3", "ends before it begins"), ("0-4", "range"), ("5-", "range"), ("1-2-3", "range")] {
        let refused = world.apex(["task", "cancel", wrong]).expect(2);
        assert!(refused.stderr.contains(why) && refused.stderr.contains(wrong), "{refused:?}");
    }
    assert_eq!(world.state(6), "held");
}

/// Row: commands on tasks / --queue, --label, --state, --name
/// Row: commands on tasks / selectors, left alone
#[test]
fn tasks_are_chosen_by_what_they_have_in_common() {
    let world = World::started();
    world.apex(["queue", "add", "slow"]).expect(0);
    held(&world, 2, &["-Q", "slow", "-l", "batch=7"]);
    held(&world, 2, &["-l", "batch=7", "-n", "build-a"]);
    held(&world, 1, &["-Q", "slow", "-n", "build-b"]);
    world.apex(["task", "cancel", "1"]).expect(0);
    let done = world.apex(["task", "cancel", "--queue", "slow", "--label", "batch=7"]).expect(0);
    assert_eq!(done.stderr, "task 2 cancelled\n", "what has ended is left alone");
    let again = world.apex(["task", "cancel", "-Q", "slow", "-l", "batch=7"]).expect(0);
    assert!(again.stderr.contains("nothing to cancel"), "{again:?}");
    for args in [&["-Q", "nowhere"][..], &["-l", "batch=8"], &["--name", "x*"], &["90-99", "-Q", "slow"]] {
        let none = world.apex(["task", "cancel"].iter().chain(args)).expect(4);
        assert_eq!(none.stderr.lines().filter(|line| line.starts_with("error:")).count(), 1, "{none:?}");
    }
    world.apex(["task", "release", "4-9", "--name", "build-*", "--state", "held"]).expect(0);
    world.apex(["task", "wait", "4-5"]).expect(0);
    assert_eq!(states(&world, &[1, 2, 3, 4, 5]), ["cancelled", "cancelled", "held", "succeeded", "succeeded"]);
    world.apex(["task", "cancel", "--state", "succeeded"]).expect(0);
    world.apex(["task", "cancel"]).expect(2);
}

/// Row: commands on tasks / --queue, --label, --state, --name
#[test]
fn every_verb_is_done_to_those_it_suits() {
    let world = World::with_config("[daemon]\nmax_concurrent = 2\n");
    let flags = ["-l", "x"];
    let (first, second) = (world.add_with(&flags, UNTIL_GO), world.add_with(&flags, "exec sleep 1000"));
    for id in [first, second] {
        world.until_state(id, "running");
    }
    let queued = world.add_with(&flags, "exit 3");
    let verb = |args: &[&str]| world.apex(["task"].iter().chain(args).chain(&["-l", "x"])).expect(0).stderr;
    assert_eq!(verb(&["hold"]), format!("task {queued} held\n"));
    assert_eq!(verb(&["pause"]), format!("task {first} paused\ntask {second} paused\n"));
    assert_eq!(verb(&["resume"]), format!("task {first} resumed\ntask {second} resumed\n"));
    assert_eq!(verb(&["kill", "2"]), format!("SIGKILL sent to task {second}\n"));
    assert_eq!(verb(&["release"]), format!("task {queued} released\n"));
    go(&world);
    let waited = world.apex(["task", "wait", "--label", "x"]).expect(1);
    assert_eq!(waited.stderr.lines().count(), 3, "{waited:?}");
    assert_eq!(states(&world, &[first, second, queued]), ["succeeded", "failed", "failed"]);
    assert_eq!(verb(&["retry", "3-9"]), format!("task {queued} will run again\n"));
    world.apex(["task", "wait", &queued.to_string()]).expect(3);
    assert_eq!(verb(&["retry", "--failed"]), format!("task {second} will run again\ntask {queued} will run again\n"));
    world.apex(["task", "cancel", "--wait", "-l", "x"]).expect(0);
    assert_eq!(verb(&["rm", "1-2"]), format!("task {first} removed\ntask {second} removed\n"));
    assert_eq!(listed(&world, &["--all"]), [queued]);
    let gone = world.apex(["task", "rm", "--json", "1-9"]).expect(0).json();
    assert_eq!((&gone[0]["id"], gone.as_array().unwrap().len()), (&json!(queued), 1), "an array, as of several");
}

/// Row: commands on tasks / task show, several
#[test]
fn several_tasks_are_shown_and_read() {
    let world = World::started();
    for word in ["one", "two", "three"] {
        world.add_with(&["-l", "x"], &format!("echo {word}"));
    }
    world.apex(["task", "wait", "1-3"]).expect(0);
    let shown = world.apex(["task", "show", "--json", "2-9"]).expect(0).json();
    let ids: Vec<_> = shown.as_array().unwrap().iter().map(|task| task["id"].clone()).collect();
    assert_eq!(ids, [json!(2), json!(3)]);
    let text = world.apex(["task", "show", "-l", "x"]).expect(0).stdout;
    assert_eq!(text.matches("succeeded").count() % 3, 0, "{text}");
    world.apex(["task", "show", "1,99"]).expect(1);
    world.apex(["task", "show", "98,99"]).expect(4);
    let logs = world.apex(["task", "logs", "1-2"]).expect(0).stdout;
    assert_eq!(logs, "1 | one\n2 | two\n");
    assert_eq!(world.apex(["task", "logs", "-l", "x", "--state", "succeeded", "3-9"]).expect(0).stdout, "3 | three\n");
}

/// Row: commands on tasks / selectors, many
#[test]
fn many_are_changed_page_by_page_and_told_as_one() {
    let world = World::started();
    world.apex(["queue", "pause", "default"]).expect(0);
    let last = add_many(&world, "true", 1_200);
    let done = world.apex(["task", "cancel", "--state", "queued"]).expect(0);
    assert_eq!(done.stderr, format!("{last} tasks cancelled\n"));
    let retried = world.apex(["task", "retry", "-q", &format!("1-{last}")]).expect(0);
    assert_eq!(retried.stderr, "");
    assert_eq!(listed(&world, &["--state", "queued"]).len() as u64, last);
}
