//! Time windows. They are open all day here: when they open and close is tried without a clock.

use serde_json::json;

use crate::contract::{UNTIL_GO, go, output};
use crate::support::World;

const QUIET: &str = "[[windows]]\nname = \"quiet\"\nmax_concurrent = 1\npause = [\"gpu\"]\n[queues.gpu]\nslots = 0\n";

fn configure(world: &World, text: &str) {
    std::fs::write(world.dot_apex().join("config.toml"), text).unwrap();
}

/// Row: time windows / max_concurrent
/// Row: time windows / pause
/// Row: time windows / what runs
/// Row: time windows / status
/// Row: time windows / task why
/// Row: time windows / reload
#[test]
fn an_open_window_lets_less_start_and_is_named() {
    let world = World::with_config("[queues.gpu]\nslots = 0\n");
    let running = [world.add(UNTIL_GO), world.add(UNTIL_GO)];
    running.iter().for_each(|id| world.until_state(*id, "running"));
    configure(&world, QUIET);
    let told = world.apex(["daemon", "reload"]).expect(0).stdout;
    assert!(told.contains("windows.quiet.max_concurrent: unset -> 1\n"), "{told}");
    for id in running {
        assert_eq!(world.state(id), "running");
    }
    let (third, gpu) = (world.add("echo third"), world.add_with(&["-Q", "gpu"], "echo gpu"));
    let why = |id: u64| world.apex(["task", "why", &id.to_string()]).expect(0).stdout;
    assert_eq!(
        why(third),
        "task 3 waits for window `quiet`, which never closes: it allows 1 at a time, which tasks 1 and 2 use\n"
    );
    assert_eq!(why(gpu), "task 4 waits for window `quiet`, which never closes: it pauses queue `gpu`\n");
    let text = world.apex(["status"]).expect(0).stdout;
    for part in ["2 of 1 slots used (window `quiet`)", "windows", "quiet  always  1 at a time, pauses gpu"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let status = world.apex(["status", "--json"]).expect(0).json();
    assert_eq!(status["windows"]["open"][0]["name"], "quiet");
    assert_eq!(status["windows"]["open"][0]["max_concurrent"], 1);
    assert_eq!(status["windows"]["next_change"], json!(null));
    let queues = world.apex(["queue", "list", "--json"]).expect(0).json();
    assert_eq!(queues[1]["paused_reason"], "window `quiet`", "{queues}");
    let resumed = world.apex(["queue", "resume", "gpu"]).expect(0);
    let remark = "nothing of queue `gpu` is started all the same: it is paused: window `quiet`\n";
    assert_eq!(resumed.stderr, format!("queue gpu resumed\n{remark}"));
    assert_eq!(world.state(gpu), "queued", "paused if anything says so");
    configure(&world, &QUIET.replace("max_concurrent = 1", "max_concurrent = 0"));
    world.apex(["daemon", "reload"]).expect(0);
    let text = world.apex(["status"]).expect(0).stdout;
    assert!(text.contains("2 slots used, nothing starts (window `quiet`)"), "{text}");
    configure(&world, QUIET);
    world.apex(["daemon", "reload"]).expect(0);
    go(&world);
    running.iter().for_each(|id| assert_eq!(world.ended(*id)["state"], "succeeded"));
    world.ended(third);
    configure(&world, "[queues.gpu]\nslots = 0\n");
    world.apex(["daemon", "reload"]).expect(0);
    world.ended(gpu);
    assert_eq!(output(&world, gpu), "gpu\n");
    assert_eq!(world.apex(["status", "--json"]).expect(0).json()["windows"], json!({"open": [], "next_change": null}));
}

/// Row: time windows / without a daemon
#[test]
fn windows_are_shown_while_no_daemon_runs() {
    let world = World::with_config(QUIET);
    let status = world.apex(["status", "--json"]).expect(0).json();
    assert_eq!(status["windows"]["open"][0]["name"], "quiet");
    assert!(world.apex(["status"]).expect(0).stdout.contains("quiet  always  1 at a time, pauses gpu"));
}

/// Row: time windows / wrong
#[test]
fn a_wrong_window_is_named_by_file_line_and_key_and_nothing_changes() {
    let wrong = "[[windows]]\nname = \"a\"\nfrom = \"9:00\"\nto = \"18:00\"\nmax_concurrent = 1\n\
                 [[windows]]\nname = \"b\"\nfrom = \"17:00\"\nto = \"20:00\"\nmax_concurrent = 2\n";
    let world = World::with_config("[daemon]\nmax_concurrent = 2\n");
    world.apex(["daemon", "start"]).expect(0);
    configure(&world, wrong);
    for (args, code) in [(&["config", "check"][..], 1), (&["daemon", "reload"], 1)] {
        let refused = world.apex(args).expect(code);
        for part in
            ["config.toml`, line 10", "`windows.max_concurrent`", "window `a` says 1", "17:00", "keep them apart"]
        {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
    }
    world.apex(["daemon", "stop"]).expect(0);
    assert!(world.apex(["daemon", "start"]).expect(3).stderr.contains("line 10"));
}

/// Row: time windows / unknown queue
#[test]
fn a_queue_that_is_not_there_is_a_warning_and_no_error() {
    let world = World::with_config("[queues.gpu]\nslots = 1\n");
    let named = "[[windows]]\nname = \"day\"\npause = [\"gpuu\", \"gpu\"]\n[queues.gpu]\nslots = 1\n\
        [[hooks]]\nname = \"tell\"\non = \"end\"\ncommand = \"true\"\nqueues = [\"nigth\"]\n";
    let window = "window `day` pauses queue `gpuu`, which is not there; there are `default`, `gpu`";
    let hook = "hook `tell` is for queue `nigth`, which is not there; there are `default`, `gpu`";
    configure(&world, named);
    // Without a daemon, and before there is anything else: the settings make `gpu`.
    let check = world.apex(["config", "check"]).expect(0);
    assert_eq!(check.stderr, format!("warning: {window}\nwarning: {hook}\n"));
    assert!(check.stdout.starts_with("configuration is valid"), "{check:?}");
    assert_eq!(world.apex(["config", "check", "--json"]).expect(0).json()["warnings"], json!([window, hook]));
    world.apex(["daemon", "start"]).expect(0);
    let reload = world.apex(["daemon", "reload", "--json"]).expect(0);
    assert_eq!(reload.json()["warnings"], json!([window, hook]));
    let doctor = world.apex(["-q", "doctor"]).expect(0).stdout;
    for part in [window, hook, "`apex config edit`", "`apex queue add gpuu`"] {
        assert!(doctor.contains(part), "{part}:\n{doctor}");
    }
    world.apex(["queue", "add", "gpuu"]).expect(0);
    world.apex(["queue", "add", "nigth"]).expect(0);
    assert_eq!(world.apex(["daemon", "reload"]).expect(0).stderr, "");
    assert_eq!(world.apex(["config", "check"]).expect(0).stderr, "");
}
