//! How tasks went, what runs here and in all projects, and lists that are shown again and again.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::contract::{UNTIL_GO, go};
use crate::support::{World, signal};

/// Row: commands on tasks / stats
#[test]
fn how_tasks_went_is_told_together_and_by_what_they_have_in_common() {
    let world = World::started();
    let none = world.apex(["stats", "--json"]).expect(0).json();
    assert_eq!((&none["count"], &none["success_rate"]), (&0.into(), &serde_json::Value::Null));
    world.apex(["queue", "add", "gpu"]).expect(0);
    world.ended(world.add_with(&["-n", "a", "-l", "team=x"], "true"));
    world.ended(world.add_with(&["-n", "a", "-Q", "gpu"], "exit 3"));
    world.ended(world.add_with(&["-n", "b"], "true"));
    world.add_with(&["--hold"], "true");
    world.apex(["task", "cancel", "4"]).expect(0);
    world.apex(["daemon", "stop"]).expect(0);
    let all = world.apex(["stats", "--json"]).expect(0).json();
    assert_eq!((&all["count"], &all["succeeded"], &all["failed"]), (&4.into(), &2.into(), &1.into()));
    assert!(all["running_p95_ms"].as_u64().is_some() && all["waiting_p50_ms"].as_u64().is_some(), "{all}");
    let keys = |by: &str| -> Vec<(String, u64)> {
        let groups = world.apex(["stats", "--by", by, "--json"]).expect(0).json();
        let group = |group: &serde_json::Value| (group["key"].to_string(), group["count"].as_u64().unwrap());
        groups.as_array().unwrap().iter().map(group).collect()
    };
    let pair = |key: &str, count| (key.to_owned(), count);
    assert_eq!(keys("name"), [pair("\"a\"", 2), pair("\"b\"", 1), pair("null", 1)]);
    assert_eq!(keys("queue"), [pair("\"default\"", 3), pair("\"gpu\"", 1)]);
    assert_eq!(keys("label:team"), [pair("null", 3), pair("\"x\"", 1)]);
    assert_eq!(keys("schedule"), [pair("null", 4)]);
    let table = world.apex(["stats", "--by", "name", "--limit", "1"]).expect(0);
    assert!(table.stdout.starts_with("NAME  COUNT  SUCCESS") && table.stderr.contains("2 smaller groups"), "{table:?}");
    let late = world.apex(["stats", "--json", "--since", "0s"]).expect(0).json();
    assert_eq!(late["count"], 0);
    let wrong = world.apex(["stats", "--by", "nmae"]).expect(2);
    assert!(wrong.stderr.contains("label:KEY") && wrong.stderr.contains("--by name"), "{wrong:?}");
    world.apex(["daemon", "status"]).expect(3);
}

/// Row: commands on tasks / ps
/// Row: names and projects / ps --all-projects
#[test]
fn what_runs_is_shown_here_and_in_all_projects_without_starting_anything() {
    let world = World::started();
    let id = world.add(UNTIL_GO);
    world.until_state(id, "running");
    world.add_with(&["--hold"], "true");
    let own = world.apex(["ps", "--json"]).expect(0).json();
    assert_eq!((own.as_array().unwrap().len(), &own[0]["id"]), (1, &id.into()));
    let others = world.root().parent().unwrap().join("others");
    for name in ["gone", "quiet"] {
        std::fs::create_dir_all(others.join(name)).unwrap();
        world.apex([std::ffi::OsStr::new("init"), others.join(name).as_os_str()]).expect(0);
    }
    std::fs::remove_dir_all(others.join("gone")).unwrap();
    let all = world.apex(["ps", "--all-projects", "--json"]).expect(0);
    let (all, told) = (all.json(), all.stderr);
    let of = |end: &str| {
        let found = all.as_array().unwrap().iter().find(|view| view["project"].as_str().unwrap().ends_with(end));
        found.unwrap_or_else(|| panic!("{end}: {all}")).clone()
    };
    let here = of("/project");
    assert_eq!((&here["state"], &here["running"], &here["waiting"]), (&"running".into(), &1.into(), &1.into()));
    assert!(here["pid"].as_u64().is_some());
    assert_eq!(of("/gone")["state"], "gone");
    assert_eq!((&of("/quiet")["state"], &of("/quiet")["running"]), (&"stopped".into(), &0.into()));
    assert!(told.contains("is gone; forget it with `rm '"), "{told}");
    let table = world.apex(["ps", "--all-projects"]).expect(0).stdout;
    assert!(table.contains("PROJECT") && table.contains("running (pid "), "{table}");
    go(&world);
    world.ended(id);
    assert!(world.apex(["ps"]).expect(0).stderr.contains("nothing runs"));
    world.apex(["daemon", "stop"]).expect(0);
    let without = world.apex(["ps"]).expect(0);
    assert!(without.stderr.contains("not running"), "{without:?}");
    world.apex(["daemon", "status"]).expect(3);
}

/// Row: commands on tasks / task list --watch
#[test]
fn a_list_that_is_watched_comes_again_when_something_has_changed() {
    let world = World::started();
    let id = world.add(UNTIL_GO);
    world.until_state(id, "running");
    let mut command = world.command(["task", "list", "--watch", "1ms", "--columns", "id,state"]);
    let mut watching = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut until = |word: &str| loop {
        let line = lines.next().expect("the list goes on").unwrap();
        if line.contains(word) {
            return;
        }
    };
    until("running");
    go(&world);
    until("succeeded");
    signal(i32::try_from(watching.id()).unwrap(), Signal::SIGTERM);
    assert_eq!(watching.wait().unwrap().code(), Some(128 + 15));
    for flag in ["--json", "-q"] {
        let useless = world.apex(["task", "list", "--watch", flag]).expect(2);
        assert!(useless.stderr.contains("--watch"), "{useless:?}");
    }
}

/// Row: commands on tasks / task list --watch
#[test]
fn a_list_that_is_watched_ends_with_the_daemon() {
    let world = World::started();
    let mut command = world.command(["task", "list", "--watch"]);
    let watching = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    world.apex(["daemon", "stop"]).expect(0);
    let ended = watching.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stderr).lines().filter(|line| line.starts_with("error:")).count(), 1);
}
