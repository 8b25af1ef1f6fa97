//! Starting: one daemon, whatever stands in the way.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use nix::sys::signal::Signal;

use crate::support::{World, eventually, process_state, signal};

#[test]
fn thirty_simultaneous_starts_make_one_daemon() {
    let world = World::new();
    let starts: Vec<_> = (0..30).map(|_| world.spawn(["daemon", "start"])).collect();
    for start in starts {
        let run = start.wait();
        assert_eq!(run.code, 0, "{run:?}");
    }
    assert_eq!(world.processes().len(), 2, "one guardian, one apexd");
    assert_eq!(world.log().matches("Daemon started").count(), 1);
}

#[test]
fn start_returns_when_the_socket_answers_and_says_when_it_is_running_already() {
    let world = World::new();
    assert_eq!(world.apex(["daemon", "status"]).code, 3);
    world.apex(["daemon", "start"]).expect(0);
    let status = world.apex(["daemon", "status", "--json"]).expect(0).json();
    assert_eq!((&status["running"], &status["max_concurrent"]), (&json!(true), &json!(3)));
    assert_eq!(status["guardian_pid"], json!(world.guardian_pid()));
    let again = world.apex(["daemon", "start"]).expect(0);
    assert!((again.stdout + &again.stderr).contains("already running"));
    assert!(world.log().contains("Daemon started (poll: 5000ms, max concurrent: 3)"), "{}", world.log());
    let modes = |name: &str| std::fs::metadata(world.dot_apex().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(modes(""), 0o700);
    for name in ["daemon.sock", "daemon.pid", "daemon.log", "apex.db", "config.toml", ".gitignore"] {
        assert_eq!(modes(name), 0o600, "{name}");
    }
}

#[test]
fn flags_of_start_go_over_the_configuration() {
    let world = World::with_config("[daemon]\nmax_concurrent = 2\n");
    world.apex(["daemon", "start", "--max-concurrent", "7", "--poll-interval", "250ms"]).expect(0);
    assert_eq!(world.status()["max_concurrent"], json!(7));
    assert!(world.log().contains("Daemon started (poll: 250ms, max concurrent: 7)"));
    signal(world.apexd_pid(), Signal::SIGKILL);
    eventually("it is back", || world.status()["restarts"] == json!(1));
    assert_eq!(world.status()["max_concurrent"], json!(7), "until it is stopped");
}

#[test]
fn a_command_starts_the_daemon_unless_it_may_not() {
    let world = World::new();
    let refused = world.apex(["--no-start", "task", "add", "--", "true"]).expect(3);
    assert!(refused.stderr.contains("apex daemon start"), "{refused:?}");
    world.apex(["status"]).expect(0);
    assert!(world.processes().is_empty(), "status starts nothing");
    world.apex(["task", "add", "--", "true"]).expect(0);
    world.ended(1);
    assert_eq!(world.processes().len(), 2);

    let world = World::with_config("[client]\nauto_start = false\n");
    world.apex(["task", "add", "--", "true"]).expect(3);
}

#[test]
fn what_a_dead_daemon_left_is_no_obstacle() {
    let world = World::started();
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    signal(guardian, Signal::SIGKILL);
    signal(apexd, Signal::SIGKILL);
    for pid in [guardian, apexd] {
        eventually("it is gone", || process_state(pid).is_none_or(|state| state == 'Z'));
    }
    for name in ["daemon.pid", "daemon.sock", "daemon.lock"] {
        assert!(world.dot_apex().join(name).exists(), "{name} was left");
    }
    assert_eq!(world.apex(["daemon", "status"]).code, 3);
    assert_eq!(world.apex(["daemon", "stop"]).code, 0);
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.apex(["run", "--", "echo", "on"]).stdout, "on\n");
}

#[test]
fn in_the_foreground_it_serves_and_a_second_one_says_who_is_there() {
    let world = World::new();
    let daemon = world.spawn(["daemon", "run"]);
    eventually("it serves", || world.status()["running"] == true);
    assert_eq!(world.guardian_pid(), daemon.pid());
    let second = world.apex(["daemon", "run"]);
    assert_eq!(second.code, 78, "{second:?}");
    assert!(second.stderr.contains(&daemon.pid().to_string()), "{second:?}");
    assert_eq!(world.apex(["run", "--", "echo", "hello"]).stdout, "hello\n");
    daemon.signal(Signal::SIGINT);
    assert_eq!(daemon.wait().code, 0);
}

#[test]
fn called_apexd_it_is_the_daemon() {
    let world = World::new();
    let apexd = world.path("apexd");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_apex"), &apexd).unwrap();
    let mut command = world.command(std::iter::empty::<&str>());
    let mut renamed = std::process::Command::new(&apexd);
    renamed.current_dir(world.root()).env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command = renamed;
    let daemon = crate::support::Running::new(command.stdin(std::process::Stdio::null()).spawn().unwrap());
    eventually("it serves", || world.status()["running"] == true);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait().code, 0);
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let world = World::with_config("[daemon]\nmax_concurent = 3\n");
    let start = world.apex(["daemon", "start"]).expect(3);
    assert!(start.stderr.contains("max_concurent") && start.stderr.contains("max_concurrent"), "{start:?}");
    assert!(world.processes().is_empty());

    let world = World::new();
    std::fs::write(world.dot_apex().join("apex.db"), "this is no database at all, it is a text of some length")
        .unwrap();
    let start = world.apex(["--json", "daemon", "start"]).expect(3);
    assert!(start.error()["message"].as_str().unwrap().contains("apex.db"), "{start:?}");
    assert!(world.processes().is_empty());
    for name in ["daemon.pid", "daemon.sock"] {
        assert!(!world.dot_apex().join(name).exists(), "{name} was left");
    }
    let bytes = std::fs::read(world.dot_apex().join("apex.db")).unwrap();
    assert!(bytes.starts_with(b"this is no database"), "its bytes are kept");
}

#[test]
fn a_wrong_configuration_does_not_replace_a_daemon_that_works() {
    let world = World::started();
    let apexd = world.apexd_pid();
    world.forbid_starts();
    let restart = world.apex(["daemon", "restart"]).expect(1);
    assert!(restart.stderr.contains("config.toml"), "{restart:?}");
    world.allow_starts();
    assert_eq!(world.apexd_pid(), apexd);
}

#[test]
fn a_guardian_that_gave_up_tries_again_when_it_is_asked_to_start() {
    let world = World::started();
    let id = world.add("echo > begun; while [ ! -e go ]; do sleep 0.01; done; exit 9");
    eventually("it runs", || world.path("begun").exists());
    let guardian = world.guardian_pid();
    let apexd = world.apexd_pid();
    world.forbid_starts();
    signal(apexd, Signal::SIGKILL);
    eventually("it gave up", || world.dot_apex().join("daemon.failed").exists());
    assert_eq!(world.apex(["daemon", "start"]).code, 3, "the configuration is still wrong");
    world.allow_starts();
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.guardian_pid(), guardian, "the one that holds the task");
    assert_eq!(world.state(id), "running");
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(world.ended(id)["exit_code"], json!(9));
}

#[test]
fn a_project_deep_in_the_tree_works() {
    let world = World::bare();
    let deep = world.path("a-directory-with-a-long-name/".repeat(8));
    std::fs::create_dir_all(&deep).unwrap();
    let apex = |args: &[&str]| {
        let mut command = world.command(args);
        command.current_dir(&deep);
        crate::support::run(command)
    };
    apex(&["init"]).expect(0);
    assert_eq!(apex(&["run", "--", "echo", "deep"]).expect(0).stdout, "deep\n");
    apex(&["daemon", "stop"]).expect(0);
}

#[test]
fn without_a_project_the_one_of_the_user_is_used_and_that_is_said() {
    let world = World::bare();
    let run = world.apex(["run", "--", "echo", "hello"]).expect(0);
    assert_eq!(run.stdout, "hello\n");
    assert_eq!(run.stderr.matches("apex init").count(), 1, "{run:?}");
    assert!(!world.dot_apex().exists());
    world.apex(["daemon", "stop"]).expect(0);
}

#[test]
fn any_subdirectory_will_do_and_a_directory_can_be_named() {
    let world = World::started();
    std::fs::create_dir_all(world.path("sub/deeper")).unwrap();
    let mut add = world.command(["task", "add", "-q", "--", "pwd"]);
    add.current_dir(world.path("sub/deeper"));
    crate::support::run(add).expect(0);
    world.ended(1);
    assert_eq!(world.apex(["task", "logs", "1"]).stdout.trim(), world.path("sub/deeper").to_str().unwrap());

    let root = world.root();
    let mut list = world.command(["-C", root.to_str().unwrap(), "task", "list", "--json"]);
    list.current_dir("/");
    assert_eq!(crate::support::run(list).expect(0).json().as_array().unwrap().len(), 1);
    let mut list = world.command(["task", "list", "--json"]);
    list.current_dir("/").env("APEX_PROJECT_PATH", &root);
    assert_eq!(crate::support::run(list).expect(0).json().as_array().unwrap().len(), 1);
}

#[test]
fn the_guardian_is_small() {
    let world = World::started();
    world.ended(world.add("true"));
    let guardian = world.guardian_pid();
    let threads = std::fs::read_dir(format!("/proc/{guardian}/task")).unwrap().count();
    assert_eq!(threads, 1);
    for fd in std::fs::read_dir(format!("/proc/{guardian}/fd")).unwrap().flatten() {
        let to = std::fs::read_link(fd.path()).unwrap_or_default();
        assert!(!to.to_string_lossy().contains("apex.db"), "{}", to.display());
    }
}

#[test]
fn a_start_does_not_hold_the_pipe_it_was_started_with() {
    let world = World::new();
    // Ends only when nobody has the writing end any more.
    let mut start = world.spawn(["daemon", "start"]);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut start.stdout(), &mut text).unwrap();
    start.wait().expect(0);
    assert_eq!(world.status()["running"], json!(true));
}
