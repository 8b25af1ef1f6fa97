//! What people see: lines of several tasks, colours, text that came from elsewhere, hints, a terminal that waits.

use crate::support::World;

/// A shell line that goes on until there is a file `go`.
const UNTIL_GO: &str = "while [ ! -e go ]; do sleep 0.01; done";

#[test]
fn several_tasks_are_told_one_after_the_other_each_line_with_its_task() {
    let world = World::started();
    world.ended(world.add_with(&["--name", "build"], "echo one; printf two; exit 3"));
    world.ended(world.add_with(&["--split-output"], "echo out; echo err >&2"));
    let run = world.apex(["logs", "2,1", "2"]).expect(0);
    assert_eq!(run.stdout, "2     | out\nbuild | one\nbuild | two\n");
    assert_eq!(run.stderr, "2     | err\n");
    assert_eq!(world.apex(["logs", "1", "2", "-n", "1", "--stdout"]).expect(0).stdout, "2     | out\n");
    let json = world.apex(["logs", "1", "2", "--json"]).expect(0).stdout;
    let tasks: Vec<_> =
        json.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["task"].as_u64()).collect();
    assert!(tasks.contains(&Some(1)) && tasks.contains(&Some(2)), "{json}");
    assert_eq!(world.apex(["logs", "1"]).expect(0).stdout, "one\ntwo", "one alone is told as it is");
}

#[test]
fn several_tasks_are_followed_together_until_all_have_ended() {
    let world = World::started();
    let first = world.add(&format!("echo a; {UNTIL_GO}; echo b"));
    let second = world.add_with(&["--hold"], "printf half; exit 3");
    let follower = world.spawn(["logs", "-f", &first.to_string(), &second.to_string()]);
    world.apex(["task", "release", &second.to_string()]).expect(0);
    world.ended(second);
    std::fs::write(world.path("go"), "").unwrap();
    let run = follower.wait().expect(1);
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1 | a", "1 | b", "2 | half"], "{run:?}");
    assert!(run.stderr.contains("task 2 failed (exit code 3"), "{run:?}");
    assert_eq!(world.apex(["logs", "-f", "1", "1"]).expect(0).stdout, "a\nb\n", "the same twice is one");
    let fine = world.add("echo fine");
    world.apex(["logs", "-f", "1", &fine.to_string()]).expect(0);
}

#[test]
fn of_several_tasks_the_unknown_ones_are_told_and_the_others_followed() {
    let world = World::started();
    world.ended(world.add("echo here"));
    for args in [&["logs", "99", "1", "98"][..], &["logs", "-f", "99,1,98"]] {
        let run = world.apex(args).expect(1);
        assert_eq!(run.stdout, "1 | here\n", "{args:?}");
        let mut errors: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error")).collect();
        errors.sort_unstable();
        assert_eq!(errors, ["error: no task `98`", "error: no task `99`"], "{args:?} {run:?}");
    }
    for args in [&["logs", "99", "98"][..], &["logs", "-f", "99", "98"], &["logs", "1", "1,1", "--attempt", "7"]] {
        let run = world.apex(args).expect(4);
        assert!(run.stdout.is_empty() && run.stderr.contains("error: "), "{args:?} {run:?}");
    }
}
