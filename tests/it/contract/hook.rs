//! Hooks: what is run when something has happened.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::contract::{UNTIL_GO, go};
use crate::support::{World, eventually, process_state, signal};

/// Returns what a hook has read that appends its input to a file, as often as it was run.
fn read(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may be under way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until a hook has read so much, and returns it.
fn read_after(world: &World, file: &str, count: usize) -> Vec<Value> {
    eventually("the hooks were run", || read(&world.path(file)).len() >= count);
    read(&world.path(file))
}

fn failures(world: &World) -> Vec<Value> {
    let events = world.apex(["events", "--json"]).expect(0).stdout;
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["kind"] == "hook.failed").collect()
}

/// Row: hooks / input
/// Row: hooks / environment
/// Row: hooks / order
#[test]
fn a_hook_reads_the_event_with_its_task_in_order() {
    let config = "[[hooks]]\nname = \"tell\"\non = [\"start\", \"success\", \"failure\", \"retry\"]\n\
        command = \"cat >> told; pwd >> places; echo $APEX_HOOK $APEX_EVENT $APEX_EVENT_TASK ${APEX_TASK_ID-none} >> names\"\n";
    let world = World::with_config(config);
    world.ended(world.add_with(&["-n", "good"], "true"));
    world.ended(world.add_with(&["--retries", "1", "--retry-delay", "10ms"], "exit 3"));
    let told = read_after(&world, "told", 6);
    let of = |key: &str| told.iter().map(|event| event[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("on"), ["start", "success", "start", "retry", "start", "failure"]);
    assert_eq!(of("task"), [1, 1, 2, 2, 2, 2]);
    let seqs: Vec<u64> = told.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
    let events = world.apex(["events", "--json"]).expect(0).stdout;
    let event = events.lines().find(|line| line.starts_with(&format!("{{\"seq\":{},", seqs[1]))).unwrap();
    let event: Value = serde_json::from_str(event).unwrap();
    for (key, value) in event.as_object().unwrap() {
        assert_eq!(&told[1][key], value, "as `apex events` tells it: {key}");
    }
    assert_eq!((&told[1]["hook"], &told[1]["task_details"]["name"]), (&json!("tell"), &json!("good")));
    assert_eq!(told[1]["task_details"]["state"], "succeeded");
    let text = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
    assert!(text("places").lines().all(|line| line == world.root().to_string_lossy()), "{}", text("places"));
    assert_eq!(text("names").lines().nth(1), Some("tell success 1 none"), "it is no task");
    assert_eq!(failures(&world), [Value::Null; 0]);
}

/// Row: hooks / queue_empty
/// Row: hooks / queues
#[test]
fn an_empty_queue_is_told_to_those_that_are_for_it() {
    let config = "[queues.gpu]\nslots = 1\n[[hooks]]\nname = \"all\"\non = \"queue_empty\"\ncommand = \"cat >> all\"\n\
        [[hooks]]\nname = \"one\"\non = [\"queue_empty\", \"end\"]\nqueues = [\"gpu\"]\ncommand = \"cat >> one\"\n";
    let world = World::with_config(config);
    world.ended(world.add("true"));
    world.ended(world.add_with(&["-Q", "gpu"], "exit 3"));
    let all = read_after(&world, "all", 2);
    let queues: Vec<&Value> = all.iter().map(|event| &event["queue"]).collect();
    assert_eq!(queues, ["default", "gpu"]);
    assert_eq!((&all[1]["queue_details"]["slots"], &all[1]["task_details"]), (&json!(1), &Value::Null));
    let one = read_after(&world, "one", 2);
    let kinds: Vec<&Value> = one.iter().map(|event| &event["on"]).collect();
    assert_eq!(kinds, ["end", "queue_empty"], "and nothing of another queue");
}

/// Row: hooks / of what was removed
#[test]
fn what_was_removed_meanwhile_is_told_to_those_that_are_for_its_queue() {
    let config = format!(
        "[queues.gpu]\nslots = 1\n[[hooks]]\nname = \"one\"\non = \"end\"\nqueues = [\"gpu\"]\n\
        command = \"echo >> begun; {UNTIL_GO}; cat >> told; echo $APEX_EVENT_QUEUE >> queues\"\n"
    );
    let world = World::with_config(&config);
    world.ended(world.add_with(&["-Q", "gpu"], "true"));
    eventually("the first one is told", || world.path("begun").exists());
    world.ended(world.add_with(&["-Q", "gpu"], "true"));
    world.ended(world.add("true"));
    world.apex(["task", "rm", "2", "3"]).expect(0);
    world.ended(world.add_with(&["-Q", "gpu"], "true"));
    go(&world);
    let told = read_after(&world, "told", 3);
    let tasks: Vec<&Value> = told.iter().map(|event| &event["task"]).collect();
    assert_eq!(tasks, [1, 2, 4], "and not the one of another queue");
    assert_eq!(told[1]["task_details"], Value::Null);
    eventually("all is written", || {
        std::fs::read_to_string(world.path("queues")).unwrap_or_default() == "gpu\n".repeat(3)
    });
}

/// Row: hooks / of a task
/// Row: flags of task add / --hook
/// Row: flags of task add / --on-success
/// Row: flags of task add / --on-failure
#[test]
fn a_task_has_hooks_of_its_own() {
    let world = World::started();
    let flags = ["--on-success", "cat >> good", "--on-failure", "cat >> bad", "--hook", "start=cat >> begun"];
    let good = world.add_with(&flags, "true");
    let bad = world.add_with(&flags, "exit 3");
    world.add("true");
    world.ended(bad);
    assert_eq!(
        world.show(good)["hooks"],
        json!({"failure": "cat >> bad", "start": "cat >> begun", "success": "cat >> good"})
    );
    assert_eq!(read_after(&world, "good", 1)[0]["task"], good);
    assert_eq!(read_after(&world, "bad", 1)[0]["task"], bad);
    assert_eq!(read_after(&world, "begun", 2).len(), 2);
    let line = r#"{"shell": "exit 4", "hooks": {"end": "cat >> bulk"}}"#;
    std::fs::write(world.path("jobs"), line).unwrap();
    world.apex(["add", "--from", "jobs"]).expect(0);
    assert_eq!(read_after(&world, "bulk", 1)[0]["on"], "end");
    let held = world.add_with(&["--hold"], "true");
    let id = held.to_string();
    world.apex(["task", "edit", &id, "--set", "hooks.success=cat >> edited"]).expect(0);
    world.apex(["task", "release", &id]).expect(0);
    assert_eq!(read_after(&world, "edited", 1)[0]["task"], held);
    for wrong in ["ended=x", "queue_empty=x", "end", "end="] {
        let refused = world.apex(["add", "--hook", wrong, "true"]).expect(2);
        assert!(refused.stderr.contains("failure=./tell.sh"), "{wrong}: {refused:?}");
    }
    let twice = world.apex(["add", "--hook", "success=a", "--on-success", "b", "true"]).expect(2);
    assert!(twice.stderr.contains("two hooks for `success`"), "{twice:?}");
}

/// Row: hooks / before a task is removed
#[test]
fn a_task_is_not_removed_before_its_hooks_have_run() {
    let world = World::started();
    let hook = format!("end=echo >> begun; {UNTIL_GO}; cat >> told");
    let id = world.add_with(&["--hook", &hook], "true");
    world.ended(id);
    eventually("its hook is under way", || world.path("begun").exists());
    let named = id.to_string();
    let refused = world.apex(["task", "rm", &named]).expect(1);
    assert!(refused.stderr.contains("its hook for `end` has not run yet"), "{refused:?}");
    assert!(refused.stderr.contains("hint: try again when it has run"), "{refused:?}");
    let pruned = world.apex(["task", "prune"]).expect(0);
    assert!(pruned.stderr.contains("no task removed; 1 task kept, because hooks of their own"), "{pruned:?}");
    let pruned: Value = serde_json::from_str(&world.apex(["task", "prune", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(pruned, json!({"removed": 0, "needed": 0, "hooks": 1}));
    assert_eq!(world.show(id)["state"], "succeeded");
    go(&world);
    assert_eq!(read_after(&world, "told", 1)[0]["task_details"]["id"], id);
    // One that has just ended is waited for.
    let quick = world.add_with(&["--hook", "end=cat >> told"], "true");
    world.ended(quick);
    world.apex(["task", "rm", &named, &quick.to_string()]).expect(0);
    assert_eq!(read_after(&world, "told", 2)[1]["task_details"]["id"], quick);
}

/// Row: hooks / of different tasks
#[test]
fn a_slow_hook_of_one_task_delays_no_other_ones() {
    let world = World::started();
    let slow = world.add_with(&["--hook", &format!("end=echo >> begun; {UNTIL_GO}; cat >> told")], "true");
    world.ended(slow);
    eventually("it is under way", || world.path("begun").exists());
    let quick = world.add_with(&["--hook", "start=cat >> told", "--hook", "end=cat >> told"], "true");
    world.ended(quick);
    let told = read_after(&world, "told", 2);
    let of_quick: Vec<_> = told.iter().map(|event| (event["task"].clone(), event["on"].clone())).collect();
    assert_eq!(of_quick, [(json!(quick), json!("start")), (json!(quick), json!("end"))]);
    // What had run is not run again, although what came before it is.
    world.apex(["task", "rm", &quick.to_string()]).expect(0);
    signal(world.apexd_pid(), Signal::SIGKILL);
    let begun = || std::fs::read_to_string(world.path("begun")).unwrap_or_default().lines().count();
    eventually("it is under way once more", || begun() == 2);
    go(&world);
    assert_eq!(read_after(&world, "told", 3)[2]["task"], slow);
    world.apex(["daemon", "stop"]).expect(0);
    assert_eq!((read(&world.path("told")).len(), begun()), (3, 2));
}

/// Row: hooks / at least once
#[test]
fn a_kill_of_apexd_repeats_what_was_under_way_and_loses_nothing() {
    let config = "[[hooks]]\nname = \"tell\"\non = \"success\"\ncommand = \"cat >> told; [ $APEX_EVENT_TASK != 2 ] || [ -e go ] || sleep 1000\"\n";
    let world = World::with_config(config);
    for _ in 0..3 {
        world.ended(world.add("true"));
    }
    // The second one is under way.
    read_after(&world, "told", 2);
    let before = world.apexd_pid();
    go(&world);
    signal(before, Signal::SIGKILL);
    eventually("another apexd is there", || {
        let status = world.status();
        status["running"] == true && status["pid"].as_i64() != Some(before.into())
    });
    let told = read_after(&world, "told", 4);
    let tasks: Vec<u64> = told.iter().map(|event| event["task"].as_u64().unwrap()).collect();
    assert_eq!(tasks, [1, 2, 2, 3], "once more, and the others once");
    assert_eq!(told[1]["seq"], told[2]["seq"], "by its number it can be told that it is the same");
    world.apex(["daemon", "stop"]).expect(0);
    world.ended({
        world.apex(["daemon", "start"]).expect(0);
        world.add("true")
    });
    assert_eq!(read_after(&world, "told", 5).last().unwrap()["task"], 4, "where it came to is remembered");
}

/// Row: hooks / timeout
/// Row: hooks / failed
#[test]
fn a_hook_that_fails_or_takes_too_long_is_told_and_holds_nobody() {
    let config = "[[hooks]]\nname = \"bad\"\non = \"success\"\ncommand = [\"sh\", \"-c\", \"exit 7\"]\n\
        [[hooks]]\nname = \"none\"\non = \"success\"\ncommand = [\"/no/such/program\"]\n\
        [[hooks]]\nname = \"slow\"\non = \"success\"\ncommand = \"echo $$ > pid; sleep 1000 & wait\"\ntimeout = \"200ms\"\n";
    let world = World::with_config(config);
    assert_eq!(world.ended(world.add("true"))["state"], "succeeded");
    eventually("all of them are told", || failures(&world).len() == 3);
    let told = failures(&world);
    let said = |part: &str| told.iter().any(|event| event["reason"].as_str().unwrap().contains(part));
    for part in ["hook bad on success", "exit code 7", "cannot be started: No such file", "hook slow", "was killed"] {
        assert!(said(part), "{part}: {told:?}");
    }
    assert!(told.iter().all(|event| event["task"] == 1 && event["to"] == "succeeded"), "{told:?}");
    assert!(world.log().contains("Hook bad failed: it ended with exit code 7"), "{}", world.log());
    let pid = std::fs::read_to_string(world.path("pid")).unwrap().trim().parse().unwrap();
    assert!(matches!(process_state(pid), None | Some('Z')), "it was ended");
    assert_eq!(world.ended(world.add("true"))["state"], "succeeded");
}

/// Row: hooks / cap
/// Row: configuration keys / daemon.max_hooks
#[test]
fn no_more_run_at_once_than_may() {
    let mut config = "[daemon]\nmax_hooks = 2\n".to_owned();
    for name in ["a", "b", "c"] {
        config += &format!(
            "[[hooks]]\nname = \"{name}\"\non = \"success\"\ncommand = \"echo {name} >> begun; {UNTIL_GO}\"\n"
        );
    }
    let world = World::with_config(&config);
    world.ended(world.add("true"));
    let begun = || std::fs::read_to_string(world.path("begun")).unwrap_or_default().lines().count();
    eventually("two run", || begun() == 2);
    // A further task, with all that it is told: time enough for a third.
    world.ended(world.add("true"));
    assert_eq!(begun(), 2);
    go(&world);
    eventually("the others had their turn", || begun() == 6);
}

/// Row: hooks / reload
/// Row: configuration keys / hooks
#[test]
fn hooks_come_and_go_with_the_configuration() {
    let world = World::started();
    world.ended(world.add("true"));
    let write = |text: &str| std::fs::write(world.dot_apex().join("config.toml"), text).unwrap();
    write("[[hooks]]\nname = \"tell\"\non = \"success\"\ncommand = \"cat >> told\"\n");
    let said = world.apex(["daemon", "reload"]).expect(0);
    assert!(said.stdout.contains("hooks.tell.command") || said.stderr.contains("hooks.tell.command"), "{said:?}");
    let shown = world.apex(["config", "show"]).expect(0).stdout;
    assert!(shown.contains("[[hooks]]") && shown.contains("command = \"cat >> told\""), "{shown}");
    let id = world.add("true");
    let told = read_after(&world, "told", 1);
    assert_eq!(told[0]["task"], id, "nothing of what was before");
    write("[[hooks]]\nname = \"tell\"\non = \"sucess\"\ncommand = []\n");
    let wrong = world.apex(["config", "check"]).expect(1);
    assert!(wrong.stderr.contains("line 3") || wrong.stderr.contains("line 2"), "{wrong:?}");
    world.apex(["daemon", "reload"]).expect(1);
    world.ended(world.add("true"));
    assert_eq!(read_after(&world, "told", 2).len(), 2, "it goes on as before");
    write("");
    world.apex(["daemon", "reload"]).expect(0);
    world.ended(world.add("true"));
    world.apex(["daemon", "stop"]).expect(0);
    assert_eq!(read(&world.path("told")).len(), 2);
}

/// Row: hooks / untrusted
#[test]
fn a_project_that_came_from_elsewhere_runs_no_hook_until_it_is_trusted() {
    let world = World::with_config("[[hooks]]\nname = \"tell\"\non = [\"end\"]\ncommand = \"cat >> told\"\n");
    world.ended(world.add("true"));
    read_after(&world, "told", 1);
    world.apex(["daemon", "stop"]).expect(0);
    let copy = world.path("../copy");
    let copied = std::process::Command::new("cp").arg("-a").arg(world.root()).arg(&copy).status().unwrap();
    assert!(copied.success());
    std::fs::remove_file(copy.join("told")).unwrap();
    let there = copy.to_string_lossy().into_owned();
    let apex = |args: &[&str]| world.apex([&["-C", there.as_str()][..], args].concat());
    apex(&["add", "--hold", "true"]).expect(0);
    apex(&["cancel", "2"]).expect(0);
    assert_eq!(read(&copy.join("told")).len(), 0);
    apex(&["trust"]).expect(0);
    apex(&["run", "true"]).expect(0);
    eventually("it is run from now on", || read(&copy.join("told")).iter().any(|event| event["task"] == 3));
    apex(&["daemon", "stop"]).expect(0);
}

/// Row: hooks / notify
#[test]
fn a_notification_goes_to_the_desktop_where_there_is_one() {
    let mut world = World::with_config("[[hooks]]\nname = \"show\"\non = [\"failure\"]\nnotify = true\n");
    let tools = world.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let shown = world.path("shown");
    let script = format!("#!/bin/sh\nfor word; do echo \"$word\" >> {}; done\n", shown.display());
    std::fs::write(tools.join("notify-send"), script).unwrap();
    std::fs::set_permissions(tools.join("notify-send"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    world.set_variable("PATH", &path);
    world.ended(world.add_with(&["-n", "a<b"], "exit 3"));
    eventually("it is shown", || std::fs::read_to_string(&shown).is_ok_and(|text| text.lines().count() == 4));
    let text = std::fs::read_to_string(&shown).unwrap();
    assert_eq!(text, "--app-name=apex\n--\ntask 1 failed\na&lt;b: exit code 3\n");
}

/// Row: hooks / failed, doctor
#[test]
fn a_hook_that_failed_last_is_told_by_doctor_until_it_succeeds() {
    let config = format!(
        "[[hooks]]\nname = \"tell\"\non = \"failure\"\ncommand = \"echo >> begun; {UNTIL_GO}; exit $(cat code)\"\n"
    );
    let world = World::with_config(&config);
    std::fs::write(world.path("code"), "1").unwrap();
    world.ended(world.add("exit 3"));
    eventually("it is under way", || world.path("begun").exists());
    // More happens meanwhile, and is nothing to it.
    world.ended(world.add("true"));
    go(&world);
    eventually("it has failed", || failures(&world).len() == 1);
    let doctor = || world.apex(["-q", "doctor"]).expect(0).stdout;
    let told = doctor();
    assert!(told.contains("warning: hook `tell` failed last time: it ended with exit code 1 (at 20"), "{told}");
    world.ended(world.add("true"));
    assert_eq!(doctor(), told, "it was not run since");
    std::fs::write(world.path("code"), "0").unwrap();
    world.ended(world.add("exit 3"));
    eventually("it has succeeded since", || !doctor().contains("hook `tell`"));
}
