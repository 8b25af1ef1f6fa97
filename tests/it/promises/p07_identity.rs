//! No foreign process is ever signalled: a process is (boot id, pid, start time) or a pidfd, never a pid.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use apex::domain::identity::{BootId, ProcessIdentity};
use apex::process::{boot_id, is_alive};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{World, eventually, process_state, signal};

/// Set for the run inside the namespace.
const INSIDE: &str = "APEX_TEST_PID_NAMESPACE";
const ITSELF: &str = "promises::p07_identity::a_stranger_with_the_pid_of_a_task_is_left_alone";

#[test]
fn a_stranger_with_the_pid_of_a_task_is_left_alone() {
    if std::env::var_os(INSIDE).is_some() {
        return the_next_daemon_meets_a_stranger();
    }
    // Only in a namespace of one's own can the next pid be chosen, and there it harms nobody.
    let namespace = |program: &str, args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-Urpf", "--mount-proc", "--kill-child", "--", program]).args(args).stdin(Stdio::null());
        command
    };
    let writable = namespace("/bin/sh", &["-c", "echo 1000 > /proc/sys/kernel/ns_last_pid"]).output();
    if !writable.is_ok_and(|output| output.status.success()) {
        eprintln!("no pid namespace is to be had here, so no pid was used again");
        return a_pid_alone_is_nobody();
    }
    let itself = std::env::current_exe().unwrap();
    let mut inside = namespace(itself.to_str().unwrap(), &["--exact", ITSELF, "--nocapture", "--test-threads", "1"]);
    let output = inside.env(INSIDE, "1").output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{stderr}");
    a_pid_alone_is_nobody();
}

/// The comparison by itself, which needs no namespace.
fn a_pid_alone_is_nobody() {
    let pid = std::process::id();
    let boot = boot_id().unwrap();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start_ticks: u64 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
    let itself = ProcessIdentity { boot, pid, start_ticks };
    assert!(is_alive(itself));
    assert!(!is_alive(ProcessIdentity { start_ticks: start_ticks + 1, ..itself }));
    assert!(!is_alive(ProcessIdentity { start_ticks: 0, ..itself }), "what could not be read is nobody");
    assert!(!is_alive(ProcessIdentity { boot: BootId(uuid::Uuid::from_u128(1)), ..itself }));
}

/// A task runs when all of apex is killed, and ends. Its pid goes to somebody else.
fn the_next_daemon_meets_a_stranger() {
    let world = World::with_config("[shutdown]\ngrace = \"0s\"\nkill_grace = \"100ms\"\n");
    let id = world.add("echo $$ > pid; exec sleep 1000");
    world.until_state(id, "running");
    let written = || std::fs::read_to_string(world.path("pid")).ok()?.strip_suffix('\n')?.parse::<i32>().ok();
    eventually("it runs", || written().is_some());
    let pid = written().unwrap();
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    // Neither is to take notice of the other's end.
    signal(guardian, Signal::SIGSTOP);
    for pid in [apexd, guardian, pid] {
        signal(pid, Signal::SIGKILL);
    }
    // In a namespace the init, which is this very process, has to reap.
    for orphan in [guardian, apexd, pid] {
        eventually("it is gone", || {
            let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(orphan), None);
            process_state(orphan).is_none()
        });
    }

    let mut stranger = with_pid(pid);
    world.apex(["daemon", "start"]).expect(0);
    let state = world.state(id);
    // Whatever these say, they are not to reach the stranger.
    world.apex(["task", "kill", "--signal", "TERM", &id.to_string()]);
    world.apex(["task", "cancel", &id.to_string()]);
    world.apex(["daemon", "stop", "--force"]).expect(0);
    assert_eq!(stranger.try_wait().unwrap().and_then(|status| status.signal()), None, "the stranger was signalled");
    assert_eq!(process_state(pid), Some('S'));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert_eq!(json!(state), json!("lost"), "the stranger was taken for the task");
}

/// Starts a process that gets this pid.
fn with_pid(pid: i32) -> Child {
    let mut child = None;
    eventually("the pid is used again", || {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut started = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        if i32::try_from(started.id()).unwrap() == pid {
            child = Some(started);
            return true;
        }
        started.kill().unwrap();
        started.wait().unwrap();
        false
    });
    child.unwrap()
}
