//! No processes left, and arguments that no process can be given.

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use crate::scarce::{inside, set_limit};
use crate::support::{World, eventually, signal};

/// A user who has no other processes, and is not root, for whom there is no limit.
const NOBODY: &[&str] = &["setpriv", "--reuid=59999", "--regid=59999", "--clear-groups", "--inh-caps=-all"];
/// The same for who is not root: processes are counted for each user namespace.
const NAMESPACE: &[&str] = &["unshare", "-Ur"];

#[test]
fn a_fork_that_is_refused_is_no_attempt_and_is_tried_again() {
    let wrapper = if nix::unistd::geteuid().is_root() { NOBODY } else { NAMESPACE };
    inside("scarce::processes::a_fork_that_is_refused_is_no_attempt_and_is_tried_again", wrapper, || {
        let world = World::started();
        let guardian = world.guardian_pid();
        set_limit(guardian, Resource::RLIMIT_NPROC, Some(1));
        let id = world.add("exit 3");
        eventually("the daemon says what it lacks", || world.status()["held_up"].is_string());
        let why = world.apex(["task", "why", &id.to_string()]).expect(0).stdout;
        assert!(why.contains("process") && why.contains("tried again by itself"), "{why}");
        let task = world.show(id);
        assert_eq!((&task["state"], &task["attempt"], &task["failures"]), (&"queued".into(), &0.into(), &0.into()));
        set_limit(guardian, Resource::RLIMIT_NPROC, None);
        let task = world.ended(id);
        assert_eq!((&task["state"], &task["exit_code"], &task["attempt"]), (&"failed".into(), &3.into(), &1.into()));
        assert!(world.status()["held_up"].is_null());

        // The guardian itself cannot start an apexd for a while.
        set_limit(guardian, Resource::RLIMIT_NPROC, Some(1));
        signal(world.apexd_pid(), Signal::SIGKILL);
        eventually("an apexd could not be started", || world.log().contains("cannot start apexd"));
        set_limit(guardian, Resource::RLIMIT_NPROC, None);
        assert_eq!(world.ended(world.add("true"))["state"], "succeeded");
    });
}

#[test]
fn what_no_process_can_be_given_is_refused_or_explained() {
    let world = World::started();
    // One variable that is longer than the system takes: nothing could ever be done with it.
    let variables = world.path("variables");
    std::fs::write(&variables, format!("LONG={}\n", "x".repeat(200_000))).unwrap();
    let run = world.apex(["add", "--json", "--env-file", variables.to_str().unwrap(), "--", "true"]).expect(2);
    let error = run.error();
    assert_eq!(error["kind"], "invalid", "{error}");
    assert!(error["message"].as_str().unwrap().contains("LONG"), "{error}");
    assert!(!run.stderr.contains("xxx"), "a value is shown");
    // Many that are too long together: how much that is depends on where they end up.
    let many: String = (0..100).map(|n| format!("V{n}={}\n", "x".repeat(100_000))).collect();
    std::fs::write(&variables, many).unwrap();
    let id = world.apex(["add", "-q", "--env-file", variables.to_str().unwrap(), "--", "true"]).expect(0).stdout;
    let task = world.ended(id.trim().parse().unwrap());
    assert_eq!((&task["state"], &task["exit_code"]), (&"failed".into(), &126.into()));
    let reason = task["reason"].as_str().unwrap();
    assert!(reason.contains("`true`") && reason.contains("environment"), "{reason}");
}
