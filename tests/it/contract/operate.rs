//! What keeps a daemon: its settings while it runs, its numbers, its unit; trust and completions.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::contract::{UNTIL_GO, go, shell};
use crate::support::{World, eventually, run, signal};

/// Row: daemon / daemon reload
/// Row: daemon / daemon reload, invalid
#[test]
fn a_reload_says_what_changed_and_a_wrong_file_changes_nothing() {
    let world = World::started();
    let config = world.dot_apex().join("config.toml");
    std::fs::write(&config, "[daemon]\nmax_concurrent = 5\n").unwrap();
    let reload = world.apex(["daemon", "reload"]).expect(0);
    assert!((reload.stdout.clone() + &reload.stderr).contains("max_concurrent"), "{reload:?}");
    assert_eq!(world.status()["max_concurrent"], json!(5));
    let (apexd, ids) = (world.apexd_pid(), [(); 5].map(|()| world.add(UNTIL_GO)));
    eventually("all run", || world.status()["active"] == 5);
    std::fs::write(&config, "[daemon]\nmax_concurent = 7\n").unwrap();
    let wrong = world.apex(["daemon", "reload"]).expect(1);
    assert!(wrong.stderr.contains("config.toml") && wrong.stderr.contains("max_concurrent"), "{wrong:?}");
    assert_eq!((world.status()["max_concurrent"].clone(), world.apexd_pid()), (json!(5), apexd));
    go(&world);
    for id in ids {
        world.ended(id);
    }
    world.apex(["daemon", "stop"]).expect(0);
    world.apex(["daemon", "reload"]).expect(3);
}

/// Row: daemon / daemon reload, SIGHUP
#[test]
fn sighup_reloads_too() {
    let world = World::started();
    std::fs::write(world.dot_apex().join("config.toml"), "[daemon]\nmax_concurrent = 5\n").unwrap();
    signal(world.guardian_pid(), Signal::SIGHUP);
    eventually("it is reloaded", || world.status()["max_concurrent"] == 5);
}

/// Row: daemon / daemon metrics
#[test]
fn numbers_are_there_for_prometheus() {
    let world = World::started();
    world.ended(world.add("true"));
    world.ended(world.add("exit 3"));
    world.add_with(&["--hold"], "true");
    let text = world.apex(["daemon", "metrics"]).expect(0).stdout;
    let value = |name: &str, labels: &[&str]| {
        let is_it = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
        let line = text.lines().find(is_it).unwrap_or_else(|| panic!("no {name} {labels:?}: {text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(value("apex_tasks_total{", &["state=\"succeeded\""]), 1.0);
    assert_eq!(value("apex_tasks_total{", &["state=\"failed\""]), 1.0);
    assert_eq!(value("apex_tasks_running", &[]), 0.0);
    assert_eq!(value("apex_tasks_waiting{", &["state=\"held\"", "queue=\"default\""]), 1.0);
    assert_eq!(value("apex_daemon_restarts_total", &[]), 0.0);
    assert!(value("apex_task_seconds", &[]) >= 0.0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
    }
    for name in ["apex_tasks", "apex_task_seconds"] {
        assert!(text.contains(&format!("# HELP {name}")) && text.contains(&format!("# TYPE {name}")), "{text}");
    }
}

/// Returns the units below a directory.
fn units(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(units(&path)),
            path if path.extension().is_some_and(|extension| extension == "service") => found.push(path),
            _ => {}
        }
    }
    found
}

/// Row: daemon / daemon install
/// Row: daemon / daemon uninstall
#[test]
fn a_unit_for_the_project_is_written_and_taken_away() {
    let world = World::new();
    let home = world.root().parent().unwrap().to_owned();
    world.apex(["daemon", "install"]).expect(0);
    let found = units(&home);
    assert_eq!(found.len(), 1, "{found:?}");
    let text = std::fs::read_to_string(&found[0]).unwrap();
    for part in ["ExecStart=", "daemon run", world.root().to_str().unwrap(), "RestartPreventExitStatus=78"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    world.apex(["daemon", "install"]).expect(0);
    assert_eq!(units(&home).len(), 1, "again is the same");
    world.apex(["daemon", "uninstall"]).expect(0);
    assert_eq!(units(&home), Vec::<PathBuf>::new());
    assert_eq!(world.processes(), [0; 0]);
}

/// Row: configuration keys / config show
#[test]
fn every_setting_is_shown_with_where_it_comes_from() {
    let world = World::with_config("[daemon]\nmax_concurrent = 5\n");
    let show = |flags: &[&str]| {
        let mut command = world.command(["config", "show"].iter().chain(flags));
        command.env("APEX_LOG_LEVEL", "debug");
        run(command).expect(0).stdout
    };
    let text = show(&[]);
    for part in ["max_concurrent", "5", "log_level", "debug", "kill_grace", "poll_interval", "keep_for"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let text = show(&["--origin"]);
    let line = |key: &str| text.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("no {key}: {text}"));
    assert!(line("max_concurrent").contains("config.toml"), "{text}");
    assert!(line("log_level").contains("APEX_LOG_LEVEL"), "{text}");
    assert!(line("kill_grace").contains("default"), "{text}");
    serde_json::from_str::<serde_json::Value>(&show(&["--json"])).unwrap();
}

/// Row: configuration keys / config check
#[test]
fn a_configuration_can_be_checked_without_a_daemon() {
    let world = World::with_config("[daemon]\nmax_concurrent = 5\n");
    world.apex(["config", "check"]).expect(0);
    std::fs::write(world.dot_apex().join("config.toml"), "[daemon]\n\nmax_concurent = 5\n").unwrap();
    let wrong = world.apex(["config", "check"]).expect(1);
    for part in ["config.toml", "3", "max_concurent", "max_concurrent"] {
        assert!(wrong.stderr.contains(part), "{part} is not named: {wrong:?}");
    }
}

/// Row: configuration keys / config edit
#[test]
fn the_configuration_is_edited_in_the_editor() {
    let world = World::new();
    let editor = world.path("editor");
    // By a process of its own: a file that this one has open for writing cannot be run by another test's child.
    let script =
        "printf '#!/bin/sh\\nprintf \"[daemon]\\\\nmax_concurrent = 5\\\\n\" > \"$1\"\\n' > editor; chmod +x editor";
    shell(&world, script).expect(0);
    assert_eq!(std::fs::metadata(&editor).unwrap().permissions().mode() & 0o100, 0o100);
    let mut edit = world.command(["config", "edit"]);
    edit.env("EDITOR", &editor).env("VISUAL", &editor);
    run(edit).expect(0);
    assert_eq!(
        std::fs::read_to_string(world.dot_apex().join("config.toml")).unwrap(),
        "[daemon]\nmax_concurrent = 5\n"
    );
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.status()["max_concurrent"], json!(5));
}

/// Row: configuration keys / task.retries
/// Row: configuration keys / task.timeout
#[test]
fn tasks_have_defaults() {
    let world = World::with_config("[task]\nretries = 1\ntimeout = \"200ms\"\n");
    let id = world.add_with(&["--retry-delay", "1ms"], "exec sleep 1000");
    let task = world.ended(id);
    assert_eq!(
        (&task["state"], &task["max_attempts"], &task["attempt"], &task["timeout_ms"]),
        (&json!("timed_out"), &json!(2), &json!(2), &json!(200))
    );
    let id = world.add_with(&["--retries", "0", "--timeout", "1h"], "true");
    let task = world.ended(id);
    assert_eq!((&task["max_attempts"], &task["timeout_ms"]), (&json!(1), &json!(3_600_000)), "flags go over them");
}

/// Row: names and projects / trust
/// Row: reason codes / untrusted
#[test]
fn what_came_from_elsewhere_runs_nothing_until_it_is_trusted() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    let running = world.add("echo > begun; exec sleep 1000");
    eventually("it runs", || world.path("begun").exists());
    let waiting = world.add("echo > ran");
    world.apex(["daemon", "stop", "--force"]).expect(0);
    assert!(!world.path("ran").exists());
    shell(&world, "mkdir ../copy && cp -a .apex ../copy/").expect(0);
    let copy = world.root().parent().unwrap().join("copy");
    let there = |args: &[&str]| world.apex(["-C", copy.to_str().unwrap()].iter().chain(args));
    there(&["daemon", "start"]).expect(0);
    let waiting = waiting.to_string();
    let task = there(&["task", "show", "--json", &waiting]).expect(0).json();
    assert_eq!((&task["state"], &task["reason_code"]), (&json!("held"), &json!("untrusted")), "{task}");
    let screen = there(&["status"]).expect(0);
    let says_so = |text: &str| text.contains("trust") || text.contains("elsewhere");
    assert!(says_so(&screen.stdout) || says_so(&screen.stderr), "{screen:?}");
    assert!(!world.path("ran").exists());
    there(&["trust"]).expect(0);
    there(&["task", "wait", &waiting]).expect(0);
    assert!(world.path("ran").exists(), "it runs where it was added");
    there(&["daemon", "stop"]).expect(0);
    assert_eq!(world.show(running)["state"], "interrupted");
}

/// Row: names and projects / completions
#[test]
fn shells_can_complete_what_is_typed() {
    let world = World::bare();
    for name in ["bash", "zsh", "fish"] {
        let text = world.apex(["completions", name]).expect(0).stdout;
        assert!(text.contains("apex __complete"), "{name}: {text}");
    }
    world.apex(["completions", "cmd"]).expect(2);
    assert!(!world.dot_apex().exists());
}

/// Row: names and projects / never started
#[test]
fn settings_and_trust_need_no_daemon() {
    let world = World::new();
    for args in
        [&["config", "show"][..], &["config", "check"], &["completions", "bash"], &["trust"], &["daemon", "uninstall"]]
    {
        world.apex(args).expect(0);
        assert_eq!(world.processes(), [0; 0], "{args:?} started something");
    }
}
