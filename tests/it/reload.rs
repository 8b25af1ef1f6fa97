//! Other settings for a daemon that runs.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{World, eventually, signal};

fn configure(world: &World, text: &str) {
    std::fs::write(world.dot_apex().join("config.toml"), text).unwrap();
}

/// A daemon with room for one task.
fn started(config: &str) -> World {
    let world = World::with_config(config);
    world.apex(["daemon", "start"]).expect(0);
    world
}

const WAITS: &str = "while [ ! -e go ]; do sleep 0.01; done";

#[test]
fn more_room_lets_a_waiting_task_start() {
    let world = started("[daemon]\nmax_concurrent = 1\n");
    let (first, second) = (world.add(WAITS), world.add(WAITS));
    world.until_state(first, "running");
    assert_eq!(world.state(second), "queued");
    configure(&world, "[daemon]\nmax_concurrent = 2\n[log]\nkeep = 9\n");
    let told = world.apex(["daemon", "reload"]).expect(0).stdout;
    assert_eq!(told, "daemon.max_concurrent: 1 -> 2\nlog.keep: 5 -> 9 (after `apex daemon restart`)\n");
    world.until_state(second, "running");
    assert_eq!(world.status()["max_concurrent"], json!(2));
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!((&world.ended(first)["exit_code"], &world.ended(second)["exit_code"]), (&json!(0), &json!(0)));

    let again = world.apex(["daemon", "reload", "--json"]).expect(0).json();
    let changed = json!([{"key": "log.keep", "from": "5", "to": "9", "needs_restart": true}]);
    assert_eq!(again, json!({"changed": changed, "warnings": []}));
    world.apex(["daemon", "restart"]).expect(0);
    assert_eq!(world.apex(["daemon", "reload"]).expect(0).stdout, "nothing changed\n");
    assert!(world.log().contains("configuration reloaded"), "{}", world.log());
}

#[test]
fn a_wrong_file_changes_nothing_and_the_daemon_goes_on() {
    let world = started("[daemon]\nmax_concurrent = 1\n");
    configure(&world, "[daemon]\nmax_concurrent = 2\nlog_levell = \"debug\"\n");
    let refused = world.apex(["daemon", "reload"]).expect(1);
    assert!(refused.stdout.is_empty(), "{refused:?}");
    for part in ["config.toml`, line 3", "`daemon.log_level`", "apex config check"] {
        assert!(refused.stderr.contains(part), "{part} {refused:?}");
    }
    let error = world.apex(["daemon", "reload", "--json"]).expect(1).error();
    assert_eq!(error["kind"], json!("invalid"));

    let status = world.apex(["daemon", "status", "--json"]).expect(0);
    assert_eq!(status.json()["max_concurrent"], json!(1));
    assert_eq!(status.stderr.matches("`daemon.log_level`").count(), 1, "{status:?}");
    for args in [&["task", "add", "--", "true"][..], &["task", "list"]] {
        let run = world.apex(args).expect(0);
        assert_eq!(run.stderr.matches("warning: ").count(), 1, "{run:?}");
    }
    assert_eq!(world.ended(1)["state"], json!("succeeded"));
}

#[test]
fn sighup_does_the_same() {
    let world = started("[daemon]\nmax_concurrent = 1\n");
    for (pid, room) in [(world.guardian_pid(), 4), (world.apexd_pid(), 5)] {
        configure(&world, &format!("[daemon]\nmax_concurrent = {room}\n"));
        signal(pid, Signal::SIGHUP);
        eventually("it follows", || world.status()["max_concurrent"] == json!(room));
    }
    let apexd = world.apexd_pid();
    configure(&world, "[daemon\n");
    signal(world.guardian_pid(), Signal::SIGHUP);
    eventually("it says that it cannot", || world.log().contains("the configuration cannot be reloaded"));
    assert_eq!((world.apexd_pid(), &world.status()["max_concurrent"]), (apexd, &json!(5)));
}

#[test]
fn flags_of_the_start_hold_over_a_reload() {
    let world = World::new();
    world.apex(["daemon", "start", "--max-concurrent", "7"]).expect(0);
    configure(&world, "[daemon]\nmax_concurrent = 2\npoll_interval = \"1s\"\n");
    assert_eq!(world.apex(["daemon", "reload"]).expect(0).stdout, "daemon.poll_interval: 5s -> 1s\n");
    assert_eq!(world.status()["max_concurrent"], json!(7));
}

#[test]
fn without_a_daemon_there_is_nothing_to_reload() {
    let world = World::new();
    let refused = world.apex(["daemon", "reload"]).expect(3);
    assert!(refused.stderr.contains("apex daemon start"), "{refused:?}");
    assert!(world.processes().is_empty());
}
