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
