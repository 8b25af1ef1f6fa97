//! What a task finds in its environment.

use std::os::unix::net::UnixDatagram;

use crate::support::{World, eventually};

/// Row: task environment / APEX_TASK_ID
/// Row: task environment / APEX_ATTEMPT
/// Row: task environment / APEX_QUEUE
/// Row: task environment / APEX_SLOT
/// Row: task environment / APEX_PROJECT_PATH
#[test]
fn a_task_knows_its_own_number() {
    let world = World::started();
    let run = world.apex([
        "run",
        "--",
        "sh",
        "-c",
        "echo $APEX_TASK_ID $APEX_ATTEMPT $APEX_QUEUE $APEX_SLOT $APEX_PROJECT_PATH",
    ]);
    assert_eq!(run.stdout, format!("1 1 default 0 {}\n", world.root().display()));
}

/// Row: task environment / APEX_SOCKET
#[test]
fn a_task_can_reach_its_daemon() {
    let world = World::started();
    let run = world.apex(["run", "--", "sh", "-c", "test -S \"$APEX_SOCKET\" && echo $APEX_SOCKET"]).expect(0);
    assert_eq!(run.stdout.trim(), world.status()["socket"].as_str().unwrap());
}

/// Row: task environment / supervisor
#[test]
fn what_a_supervisor_tells_the_daemon_is_not_for_its_tasks() {
    let world = World::new();
    let socket = world.path("notify");
    let _supervisor = UnixDatagram::bind(&socket).unwrap();
    let variables = [("NOTIFY_SOCKET", socket.to_str().unwrap()), ("INVOCATION_ID", "0123"), ("WATCHDOG_USEC", "1")];
    let mut daemon = world.command(["daemon", "run"]);
    let daemon = crate::support::Running::new(daemon.envs(variables).spawn().unwrap());
    eventually("it serves", || world.status()["running"] == true);
    let environment = world.apex(["run", "--clean-env", "--", "/usr/bin/env"]).expect(0).stdout;
    for (name, _) in variables {
        assert!(!environment.contains(name), "{environment}");
    }
    assert!(environment.contains("APEX_TASK_ID=1"), "the control: {environment}");
    world.apex(["daemon", "stop"]).expect(0);
    daemon.wait();
}
