//! Starting: one daemon, whatever stands in the way.

use serde_json::json;

use nix::sys::signal::Signal;

use crate::support::{World, eventually, may_look_into_daemons, process_state, signal};

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
fn the_guardian_is_small() {
    let world = World::started();
    world.ended(world.add("true"));
    let guardian = world.guardian_pid();
    let threads = std::fs::read_dir(format!("/proc/{guardian}/task")).unwrap().count();
    assert_eq!(threads, 1);
    if !may_look_into_daemons() {
        return;
    }
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

#[test]
fn a_daemon_that_dies_with_a_client_in_its_hands_is_started_again() {
    let world = World::new();
    let socket = world.dot_apex().join("daemon.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    // It takes the connection, and is gone.
    let dying = std::thread::spawn(move || {
        let taken = listener.accept().unwrap();
        std::fs::remove_file(&socket).unwrap();
        drop((listener, taken));
    });
    let run = world.apex(["task", "list", "--json"]).expect(0);
    dying.join().unwrap();
    assert_eq!(run.json(), serde_json::json!([]));
    // Where no daemon may be started none is.
    world.apex(["daemon", "stop"]).expect(0);
    world.apex(["task", "list", "--no-start"]).expect(3);
}

/// A world with a bus of the user's manager, and a `busctl` that is this script.
fn with_manager(script: &str) -> (World, std::os::unix::net::UnixListener) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut world = World::new();
    let runtime = world.path("runtime");
    std::fs::create_dir(&runtime).unwrap();
    let bus = std::os::unix::net::UnixListener::bind(runtime.join("bus")).unwrap();
    let busctl = runtime.join("busctl");
    std::fs::write(&busctl, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&busctl, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = std::env::var("PATH").unwrap();
    world.set_variable("PATH", &format!("{}:{path}", runtime.display()));
    world.set_variable("XDG_RUNTIME_DIR", &runtime.to_string_lossy());
    (world, bus)
}

#[test]
fn the_daemon_asks_the_users_manager_for_a_scope_and_believes_only_what_it_sees() {
    let is_managed = std::fs::read_to_string("/proc/self/cgroup").is_ok_and(|text| text.contains("/user@"));
    let (world, _bus) = with_manager("echo \"$*\" > \"$XDG_RUNTIME_DIR/asked\"");
    world.apex(["daemon", "start"]).expect(0);
    let asked = std::fs::read_to_string(world.path("runtime/asked")).unwrap_or_default();
    let pid = world.guardian_pid();
    assert!(is_managed || asked.contains(&format!(" apex-{pid}.scope fail 4 PIDs au 1 {pid} ")), "{asked:?}");
    // It was answered, and nobody was moved.
    assert!(!world.log().contains("in a scope of its own"), "{}", world.log());

    for script in ["exit 1", "exec sleep 1000", "kill -9 $$"] {
        let (world, _bus) = with_manager(script);
        world.apex(["daemon", "start"]).expect(0);
        assert!(!world.log().contains("in a scope of its own"), "{}", world.log());
        world.apex(["daemon", "stop"]).expect(0);
        world.until_empty();
    }
}

#[test]
fn a_store_of_an_earlier_schema_is_brought_up_and_that_is_said() {
    let first = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema-1.db");
    for start in [&["daemon", "start"][..], &["--json", "task", "list", "--all"], &["daemon", "restart"]] {
        let world = World::new();
        std::fs::copy(&first, world.dot_apex().join("apex.db")).unwrap();
        let run = world.apex(start).expect(0);
        assert!(run.stderr.contains("from schema 1 to "), "{run:?}");
        assert!(world.dot_apex().join("apex.db.backup-1").exists());
        world.apex(["daemon", "stop"]).expect(0);
        let again = world.apex(start).expect(0);
        assert!(!again.stderr.contains("schema"), "{again:?}");
    }
}
