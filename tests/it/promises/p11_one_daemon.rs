//! Two daemons never serve one project; what a dead one left is no obstacle, what a live one has is never removed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Running, World, eventually, signal};

/// Returns the guardians of a world. Each has its name from the moment on at which it has the lock.
fn guardians(world: &World) -> Vec<i32> {
    let is_guardian = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == "apex-guardian")
    };
    world.processes().into_iter().filter(is_guardian).collect()
}

/// Ends everything that runs, without a word: when there are two daemons, asking one of them is not enough.
fn end_all(world: &World) {
    for pid in world.processes() {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

/// Many start at the same moment, a stopped one is started again, a dead one is replaced: it is always one.
#[test]
fn a_project_has_one_daemon() {
    let world = World::new();
    let starts: Vec<Running> = (0..50).map(|_| world.spawn(["daemon", "start", "--json"])).collect();
    let told: Vec<_> = starts.into_iter().map(Running::wait).collect();
    let there = guardians(&world);
    if there.len() != 1 {
        end_all(&world);
        panic!("guardians: {there:?}");
    }
    for run in told {
        assert_eq!(run.expect(0).json()["guardian_pid"], json!(there[0]));
    }
    let [socket, pid_file] = ["daemon.sock", "daemon.pid"].map(|name| world.dot_apex().join(name));
    let before = (inode(&socket), inode(&pid_file));

    // One that stands still keeps what it has.
    let apexd = world.apexd_pid();
    for pid in [there[0], apexd] {
        signal(pid, Signal::SIGSTOP);
    }
    let refused = world.apex(["--json", "--deadline", "300ms", "daemon", "start"]).expect(3);
    assert_eq!(refused.error()["kind"], "unavailable", "{refused:?}");
    assert_eq!((inode(&socket), inode(&pid_file)), before, "nothing of it was touched");
    for pid in [there[0], apexd] {
        signal(pid, Signal::SIGCONT);
    }
    assert_eq!((world.guardian_pid(), world.apexd_pid()), (there[0], apexd));
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!((inode(&socket), inode(&pid_file)), before);

    // What both leave when they die together is in nobody's way.
    end_all(&world);
    world.until_empty();
    assert!(socket.exists() && pid_file.exists(), "nobody was there to remove them");
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(guardians(&world), [world.guardian_pid()]);
    assert_ne!((inode(&socket), world.guardian_pid()), (before.0, there[0]));
    eventually("it serves", || world.status()["guardian_pid"] == json!(world.guardian_pid()));
}
