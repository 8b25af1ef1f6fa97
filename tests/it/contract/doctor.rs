//! `doctor`: what is wrong, and what to do; and what a start and the clients say of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Run, World, eventually, signal};

/// Returns what is not as it should be, as `status name`, and the exit code.
fn found(world: &World) -> (Vec<String>, i32) {
    let run = world.apex(["--json", "doctor"]);
    let checks = run.json();
    let told = checks.as_array().unwrap().iter().filter(|check| check["status"] != "ok").map(|check| {
        assert!(check["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{check}");
        format!("{} {}", check["status"].as_str().unwrap(), check["name"].as_str().unwrap())
    });
    // What a machine has little of is not ours.
    let machine = ["disk", "filesystem", "limits", "lingering"];
    (told.filter(|told| !machine.iter().any(|name| told.ends_with(name))).collect(), run.code)
}

fn nothing() -> Vec<String> {
    Vec::new()
}

/// Row: daemon / doctor
/// Row: json shapes / doctor
#[test]
fn a_project_that_is_well_is_said_to_be() {
    let world = World::new();
    assert_eq!(found(&world), (nothing(), 0));
    assert!(world.processes().is_empty(), "it starts nothing");
    assert!(!world.dot_apex().join("apex.db").exists(), "and makes nothing");
    world.ended(world.add("echo hello"));
    assert_eq!(found(&world), (nothing(), 0));
    world.apex(["daemon", "stop"]).expect(0);
    assert_eq!(found(&world), (nothing(), 0));

    let checks = world.apex(["--json", "doctor"]).expect(0).json();
    let keys: Vec<&String> = checks[0].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in ["name", "status", "message", "hint"] {
        assert!(checks[0].get(key).is_some(), "{key}");
    }
    let told = world.apex(["doctor"]).expect(0).stdout;
    assert!(told.starts_with("doctor  ") && told.contains("ok: "), "{told}");
}

/// Row: daemon / doctor
#[test]
fn what_is_wrong_with_files_and_settings_is_found() {
    let world = World::started();
    world.apex(["daemon", "stop"]).expect(0);
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&world.dot_apex(), 0o755);
    assert_eq!(found(&world), (vec!["fail permissions".to_owned()], 1));
    mode(&world.dot_apex(), 0o777);
    assert_eq!(found(&world), (vec!["fail project".to_owned()], 1), "it cannot even be looked into");
    mode(&world.dot_apex(), 0o700);

    let config = world.dot_apex().join("config.toml");
    mode(&config, 0o644);
    assert_eq!(found(&world), (vec!["warn permissions".to_owned()], 0), "a warning is no failure");
    fs::write(&config, "[daemon\n").unwrap();
    mode(&config, 0o600);
    assert_eq!(found(&world), (vec!["fail config".to_owned()], 1));
    fs::write(&config, "").unwrap();

    let told = |world: &World| world.apex(["-q", "doctor"]).stdout;
    symlink("/nowhere", world.dot_apex().join("output")).unwrap();
    assert_eq!(found(&world), (vec!["fail files".to_owned()], 1));
    assert!(told(&world).contains("symbolic link") && told(&world).contains("hint: move it away with `mv "));
    fs::remove_file(world.dot_apex().join("output")).unwrap();
    assert_eq!((found(&world), told(&world)), ((nothing(), 0), String::new()), "quiet about what is well");
}

/// Row: daemon / doctor
#[test]
fn what_is_wrong_with_the_database_is_found_beside_a_running_daemon() {
    let world = World::started();
    world.ended(world.add("true"));
    let path = world.dot_apex().join("apex.db");
    assert_eq!(found(&world), (nothing(), 0));
    world.apex(["daemon", "stop"]).expect(0);
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(&path, &damaged).unwrap();
    assert_eq!(found(&world), (vec!["fail database".to_owned(), "warn trust".to_owned()], 1));
    // A page that no start looks at.
    let mut damaged = whole.clone();
    let last = damaged.len() - 4096;
    damaged[last..].fill(0xa5);
    fs::write(&path, &damaged).unwrap();
    assert_eq!(found(&world).1, 1);
    assert!(found(&world).0.contains(&"fail database".to_owned()));
    assert_eq!(fs::read(&path).unwrap(), damaged, "nothing is changed");
    fs::write(&path, whole).unwrap();
    assert_eq!(found(&world), (nothing(), 0));
}

/// Row: daemon / doctor
#[test]
fn what_is_wrong_with_the_daemon_is_found() {
    let world = World::started();
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    signal(apexd, Signal::SIGSTOP);
    let run = world.apex(["--deadline", "200ms", "--json", "doctor"]).expect(1);
    let check = check_of(&run, "daemon");
    assert!(check["hint"].as_str().unwrap().contains(&format!("kill -CONT {apexd}")), "{check}");
    signal(apexd, Signal::SIGCONT);
    eventually("it answers again", || found(&world).1 == 0);

    let (pid_file, kept) = (world.dot_apex().join("daemon.pid"), world.dot_apex().join("kept"));
    fs::rename(&pid_file, &kept).unwrap();
    assert_eq!(found(&world), (vec!["warn daemon".to_owned()], 0));
    fs::rename(&kept, &pid_file).unwrap();

    // Killed with all it had: both files are left, and nobody is there.
    signal(guardian, Signal::SIGSTOP);
    signal(apexd, Signal::SIGKILL);
    signal(guardian, Signal::SIGKILL);
    world.until_empty();
    assert_eq!(found(&world), (vec!["warn daemon".to_owned()], 0));
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(found(&world), (nothing(), 0));
}

fn check_of(run: &Run, name: &str) -> Value {
    run.json().as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone()
}

/// Row: daemon / doctor
#[test]
fn a_project_that_came_from_elsewhere_and_a_unit_of_another_program_are_found() {
    let world = World::started();
    world.ended(world.add("true"));
    world.apex(["daemon", "stop"]).expect(0);
    let state = world.root().parent().unwrap().join("state");
    fs::rename(&state, state.with_extension("kept")).unwrap();
    assert_eq!(found(&world), (vec!["fail trust".to_owned()], 1));
    fs::rename(state.with_extension("kept"), &state).unwrap();

    world.apex(["daemon", "install"]).expect(0);
    assert_eq!(found(&world), (nothing(), 0));
    let units = world.root().parent().unwrap().join("config/systemd/user");
    let unit = fs::read_dir(&units).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, text.replace(env!("CARGO_BIN_EXE_apex"), "/usr/bin/env")).unwrap();
    assert_eq!(found(&world), (vec!["warn unit".to_owned()], 0));
    fs::write(&unit, text.replace(env!("CARGO_BIN_EXE_apex"), "/not/there")).unwrap();
    assert_eq!(found(&world), (vec!["fail unit".to_owned()], 1));
}

/// What stands in the place of one of apex's files, so that it can be told from any other.
fn put(path: &Path, kind: &str) {
    match kind {
        "file" => fs::write(path, "precious").unwrap(),
        "link" => symlink("precious", path).unwrap(),
        "directory" => {
            fs::create_dir(path).unwrap();
            fs::write(path.join("precious"), "precious").unwrap();
        }
        _ => nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
    }
}

fn still_there(path: &Path, kind: &str) -> bool {
    match kind {
        "file" => fs::read_to_string(path).is_ok_and(|text| text == "precious"),
        "link" => fs::read_link(path).is_ok_and(|target| target == Path::new("precious")),
        "directory" => fs::read_to_string(path.join("precious")).is_ok_and(|text| text == "precious"),
        _ => fs::symlink_metadata(path).is_ok(),
    }
}

/// Row: daemon / in the way
#[test]
fn what_stands_in_the_way_of_a_start_is_named_and_left_alone() {
    let world = World::new();
    for (name, kinds) in [
        ("daemon.sock", &["file", "link", "directory", "fifo"][..]),
        ("daemon.pid", &["file", "link", "directory", "fifo"]),
        ("daemon.lock", &["link", "directory", "fifo"]),
        ("output", &["file", "link", "fifo"]),
    ] {
        for kind in kinds {
            let path = world.dot_apex().join(name);
            put(&path, kind);
            for args in [&["daemon", "start"][..], &["task", "list"], &["add", "--", "true"]] {
                let run = world.apex(args).expect(3);
                assert!(run.stderr.contains(name), "{name} {kind} {args:?}: {run:?}");
                assert!(run.stderr.contains("in the way") && run.stderr.contains("mv "), "{name} {kind} {run:?}");
            }
            world.apex(["daemon", "stop"]);
            world.apex(["daemon", "status"]).expect(3);
            assert!(still_there(&path, kind), "{name} {kind}");
            assert!(world.processes().is_empty(), "{name} {kind}");
            let (told, code) = found(&world);
            assert!(code == 1 && told.contains(&"fail files".to_owned()), "{name} {kind} {told:?}");
            if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
        }
    }
    assert_eq!(found(&world), (nothing(), 0));
}

/// Row: daemon / in the way
#[test]
fn what_takes_the_place_of_the_output_of_a_running_daemon_is_not_followed_and_keeps_tasks_back() {
    let world = World::with_config("[daemon]\npoll_interval = \"100ms\"\n");
    world.apex(["daemon", "start"]).expect(0);
    let (elsewhere, output) = (world.path("elsewhere"), world.dot_apex().join("output"));
    fs::create_dir_all(elsewhere.join("0")).unwrap();
    symlink(&elsewhere, &output).unwrap();
    let id = world.add("echo hello");
    eventually("it says why", || world.log().contains("is in the way"));
    let why = world.apex(["task", "why", &id.to_string()]).expect(0).stdout;
    assert_eq!(world.state(id), "queued", "{why}");
    assert_eq!(fs::read_dir(elsewhere.join("0")).unwrap().count(), 0, "nothing went through the link");
    assert_eq!(found(&world), (vec!["fail files".to_owned()], 1));
    fs::remove_file(&output).unwrap();
    assert_eq!(world.ended(id)["state"], "succeeded");
}
