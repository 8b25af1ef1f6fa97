//! Exit codes: of commands, and of those that pass a task's own code on.

use serde_json::json;

use crate::support::{World, eventually};

/// Row: exit codes / 0
/// Row: exit codes / 1
#[test]
fn what_was_done_is_0_and_what_was_refused_1() {
    let world = World::started();
    let id = world.add("true").to_string();
    world.apex(["task", "wait", &id]).expect(0);
    world.apex(["task", "show", &id]).expect(0);
    let refused = world.apex(["task", "cancel", &id]).expect(1);
    assert!(refused.stderr.contains("succeeded"), "{refused:?}");
    // What a file contains is wrong.
    std::fs::write(world.path("vars"), "no variable\n").unwrap();
    world.apex(["task", "add", "--env-file", "vars", "--", "true"]).expect(1);
}

/// Row: exit codes / 1
/// Row: commands on tasks / several ids
#[test]
fn some_that_cannot_be_changed_are_a_line_each_and_the_others_are_done() {
    let world = World::started();
    world.ended(world.add("true"));
    world.add_with(&["--hold"], "true");
    world.add_with(&["--hold"], "true");
    let run = world.apex(["task", "cancel", "1", "2", "99", "3"]).expect(1);
    let failures: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(failures.len(), 2, "{run:?}");
    assert!(failures[0].contains("`1`") && failures[1].contains("`99`"), "{run:?}");
    assert_eq!((world.state(2).as_str(), world.state(3).as_str()), ("cancelled", "cancelled"));
}

/// Row: exit codes / 2
#[test]
fn wrong_usage_is_2() {
    let world = World::new();
    for args in [
        &["frobnicate"][..],
        &["task", "add"],
        &["task", "show"],
        &["task", "show", "abc"],
        &["task", "show", "0"],
        &["task", "wait", "--timeout", "5", "1"],
        &["task", "list", "--state", "done"],
        &["task", "add", "--priority", "high", "--", "true"],
        &["task", "add", "--name", "12", "--", "true"],
        &["task", "kill", "--signal", "NOPE", "1"],
        &["daemon", "start", "--poll-interval", "5"],
        &["--deadline", "soon", "status"],
        &["task", "add", "--prioritty", "5", "--", "true"],
        &["run", "-x", "true"],
        &["task", "add", "-p", "5", "--bogus"],
    ] {
        let run = world.apex(args);
        assert_eq!(run.code, 2, "{args:?} {run:?}");
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{args:?} {run:?}");
    }
    let units = world.apex(["task", "wait", "--timeout", "5", "1"]);
    assert!(units.stderr.contains("5s") || units.stderr.contains("unit"), "{units:?}");
    assert!(world.processes().is_empty(), "nothing was started for a command that was wrong");
}

/// Row: exit codes / 3
#[test]
fn nobody_there_is_3() {
    let world = World::new();
    for args in
        [&["task", "list"][..], &["task", "show", "1"], &["task", "add", "--", "true"], &["task", "cancel", "1"]]
    {
        let run = world.apex(["--no-start"].iter().chain(args)).expect(3);
        assert!(run.stderr.contains("apex daemon start"), "{args:?} {run:?}");
    }
}

/// Row: exit codes / 4
/// Row: exit codes / 1
#[test]
fn unknown_tasks_are_4_and_some_unknown_ones_1() {
    let world = World::started();
    world.add_with(&["--hold"], "true");
    for args in [
        &["task", "show", "99"][..],
        &["task", "logs", "99"],
        &["task", "cancel", "99", "98"],
        &["task", "release", "99"],
    ] {
        let run = world.apex(args);
        assert_eq!(run.code, 4, "{args:?} {run:?}");
        assert!(run.stderr.contains("99"), "{args:?} {run:?}");
    }
    let error = world.apex(["--json", "task", "show", "99"]).error();
    assert_eq!((error["kind"].as_str(), error["id"].as_str()), (Some("not_found"), Some("99")));
    let some = world.apex(["task", "cancel", "99", "1"]).expect(1);
    assert!(some.stderr.contains("99"), "{some:?}");
    assert_eq!(world.state(1), "cancelled", "the others are done");
}

/// Row: exit codes / 75
/// Row: commands on tasks / task wait --timeout
/// Row: flags of task add / --detach-after
#[test]
fn waiting_gives_up_after_its_time_and_the_task_goes_on() {
    let world = World::started();
    let id = world.add("while [ ! -e go ]; do sleep 0.01; done");
    world.apex(["task", "wait", "--timeout", "50ms", &id.to_string()]).expect(75);
    let run = world.apex(["run", "--detach-after", "50ms", "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.01; done"]);
    assert_eq!(run.code, 75, "{run:?}");
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(world.ended(id)["state"], "succeeded");
    assert_eq!(world.ended(2)["state"], "succeeded");
}

/// Row: exit codes / own code
#[test]
fn run_shows_the_output_and_passes_the_exit_code_on() {
    let world = World::new();
    let run = world.apex(["run", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(run.stdout, "out\nerr\n", "one file, in true order");
    let task = world.show(1);
    assert_eq!(
        (&task["state"], &task["exit_code"], &task["reason_code"]),
        (&json!("failed"), &json!(3), &json!("exit"))
    );
}

/// Row: exit codes / own code
#[test]
fn whoever_stays_with_a_task_gets_its_code() {
    let world = World::started();
    for code in [0, 1, 3, 255] {
        let id = world.add(&format!("exit {code}")).to_string();
        world.apex(["task", "wait", &id]).expect(code);
        world.apex(["task", "logs", "-f", &id]).expect(code);
    }
}

/// Row: exit codes / 128+N
#[test]
fn a_signal_ends_run_with_128_and_its_number() {
    let world = World::started();
    let run = world.apex(["run", "--", "sh", "-c", "kill -SEGV $$"]);
    assert_eq!(run.code, 128 + 11, "{run:?}");
    assert_eq!(world.show(1)["signal"], json!(11));
}

/// Row: exit codes / 128+N
#[test]
fn a_signal_is_told_to_whoever_waits_or_follows() {
    let world = World::started();
    let id = world.add("kill -HUP $$").to_string();
    world.apex(["task", "wait", &id]).expect(128 + 1);
    world.apex(["task", "logs", "-f", &id]).expect(128 + 1);
}

/// Row: exit codes / no code
#[test]
fn a_task_without_a_code_is_1_and_one_line_says_how_it_ended() {
    let world = World::started();
    let id = world.add_with(&["--hold"], "true").to_string();
    world.apex(["task", "cancel", &id]).expect(0);
    for args in [&["task", "wait"][..], &["task", "logs", "-f"]] {
        let run = world.apex(args.iter().chain([&id.as_str()])).expect(1);
        assert_eq!(run.stderr.lines().filter(|line| line.contains("cancelled")).count(), 1, "{args:?} {run:?}");
    }
    let run = world.spawn(["run", "--hold", "--", "true"]);
    eventually("it is added", || world.apex(["task", "cancel", "2"]).code == 0);
    let run = run.wait().expect(1);
    assert!(run.stderr.contains("cancelled"), "{run:?}");
}

/// Row: exit codes / 125
#[test]
fn apex_s_own_failures_are_125_where_a_code_of_a_task_is_expected() {
    let world = World::new();
    for args in [
        &["run", "--", "true"][..],
        &["task", "wait", "1"],
        &["task", "logs", "-f", "1"],
        &["task", "add", "--wait", "--", "true"],
        &["task", "add", "--follow", "--", "true"],
    ] {
        assert_eq!(world.apex(["--no-start"].iter().chain(args)).code, 125, "{args:?}");
    }
    let unknown = world.apex(["task", "wait", "99"]).expect(125);
    assert!(unknown.stderr.contains("99"), "{unknown:?}");
}

/// Row: exit codes / several ids
#[test]
fn several_are_0_if_all_succeeded_and_else_1() {
    let world = World::started();
    for line in ["true", "exit 7", "true"] {
        world.add(line);
    }
    world.apex(["task", "wait", "1", "3"]).expect(0);
    world.apex(["task", "wait", "1", "2", "3"]).expect(1);
    let some = world.apex(["task", "wait", "1", "99"]).expect(1);
    assert!(some.stderr.contains("99"), "{some:?}");
}
