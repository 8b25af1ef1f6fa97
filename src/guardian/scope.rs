//! Out of the login session: where systemd ends all that a session has left when its user logs out, the daemon would be
//! ended with its tasks. So it asks the user's own manager for a scope of its own, which is no session's.
//!
//! This is a favour, never a condition: without a manager that answers at once the daemon stays where it is.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};

use crate::guardian::processes;

/// How long the manager may take to answer, and then to move this process: nothing is started meanwhile.
/// The bus may have to be started first, for which half a second did not suffice on a slow machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// So often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Returns the arguments of busctl(1) that let the user's manager put process `pid` into a scope of its own, and the
/// name of that scope; `None` if there is no need to or nobody to ask.
///
/// Shape: `cgroup` is what `/proc/self/cgroup` says; what is under the manager already is no session's. `bus` says
/// whether the manager's bus is there.
/// Source: org.freedesktop.systemd1(5), `StartTransientUnit`; systemd.scope(5).
fn request(cgroup: &str, bus: bool, pid: u32) -> Option<(Vec<String>, String)> {
    let is_managed = cgroup.lines().any(|line| line.contains("/user@"));
    if is_managed || !bus {
        return None;
    }
    let scope = format!("apex-{pid}.scope");
    let pid = pid.to_string();
    let manager = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
    let properties = [
        "4",
        "PIDs",
        "au",
        "1",
        &pid,
        "Description",
        "s",
        "apex task daemon",
        "CollectMode",
        "s",
        "inactive-or-failed",
        // So that memory and processor time of tasks can be limited.
        "Delegate",
        "b",
        "true",
    ];
    let words =
        ["--user", "--quiet", "call"].into_iter().chain(manager).chain(["StartTransientUnit", "ssa(sv)a(sa(sv))"]);
    let words = words.chain([scope.as_str(), "fail"]).chain(properties).chain(["0"]);
    Some((words.map(str::to_owned).collect(), scope))
}

/// Asks for a scope for this process; returns its name if there is one now. To be called before anything is started.
pub(super) fn enter() -> Option<String> {
    let cgroup = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let (args, scope) = request(&cgroup, has_bus(std::env::var_os("XDG_RUNTIME_DIR").as_deref()), std::process::id())?;
    let mut command = Command::new("busctl");
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut asked = command.spawn().ok()?;
    let pidfd = processes::open(asked.id()).ok();
    let ms = u16::try_from(ANSWER_WITHIN.as_millis()).unwrap_or(u16::MAX);
    let has_ended = pidfd.is_some_and(|pidfd| poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], ms) == Ok(1));
    if !has_ended {
        let _ = asked.kill();
    }
    let status = asked.wait().ok()?;
    // The answer says only that it will be done: what is started before it is stays in the session, and ends with that.
    (status.success() && await_move(&scope, || std::fs::read_to_string("/proc/self/cgroup"))).then_some(scope)
}

/// Waits until this process is in `scope`, and returns whether it is; `look` says what `/proc/self/cgroup` does.
fn await_move(scope: &str, look: impl Fn() -> io::Result<String>) -> bool {
    let by = Instant::now() + ANSWER_WITHIN;
    let end = format!("/{scope}");
    loop {
        if look().is_ok_and(|cgroup| cgroup.lines().any(|line| line.ends_with(&end))) {
            return true;
        }
        if Instant::now() >= by {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Returns whether the user's bus is there: without it busctl(1) would only find out more slowly.
fn has_bus(runtime: Option<&OsStr>) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let found = runtime.map(|runtime| std::fs::metadata(Path::new(runtime).join("bus")));
    found.is_some_and(|found| found.is_ok_and(|found| found.file_type().is_socket()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "0::/user.slice/user-1000.slice/session-3.scope\n";
    const MANAGED: &str = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/tmux.scope\n";

    #[test]
    fn a_scope_is_asked_for_where_it_helps_and_somebody_can_give_it() {
        for (cgroup, bus, expected) in [
            (SESSION, true, true),
            (SESSION, false, false),
            (MANAGED, true, false),
            ("0::/\n", true, true),
            ("", true, true),
            ("12:devices:/user.slice\n0::/user.slice/user-0.slice/session-1.scope\n", true, true),
        ] {
            assert_eq!(request(cgroup, bus, 7).is_some(), expected, "{cgroup:?} {bus}");
        }
    }

    #[test]
    fn the_request_is_one_that_busctl_understands() {
        let (words, scope) = request(SESSION, true, 4711).unwrap();
        assert_eq!(scope, "apex-4711.scope");
        let expected = "--user --quiet call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
                        org.freedesktop.systemd1.Manager StartTransientUnit ssa(sv)a(sa(sv)) apex-4711.scope fail 4 \
                        PIDs au 1 4711 Description s apex_task_daemon CollectMode s inactive-or-failed \
                        Delegate b true 0";
        let told: Vec<String> = words.iter().map(|word| word.replace(' ', "_")).collect();
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn it_is_there_when_the_kernel_says_so() {
        let looks = std::cell::Cell::new(0);
        let moved = await_move("apex-7.scope", || {
            looks.set(looks.get() + 1);
            let cgroup = if looks.get() < 3 { SESSION } else { "0::/user@1000.service/app.slice/apex-7.scope\n" };
            Ok(cgroup.to_owned())
        });
        assert_eq!((moved, looks.get()), (true, 3));
        assert!(!await_move("apex-7.scope", || Ok(SESSION.to_owned())), "it is not waited for for ever");
    }

    #[test]
    fn only_a_socket_is_a_bus() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = directory.path();
        assert!(!has_bus(None) && !has_bus(Some(runtime.as_os_str())));
        std::fs::write(runtime.join("bus"), "").unwrap();
        assert!(!has_bus(Some(runtime.as_os_str())));
        std::fs::remove_file(runtime.join("bus")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(runtime.join("bus")).unwrap();
        assert!(has_bus(Some(runtime.as_os_str())));
    }
}
