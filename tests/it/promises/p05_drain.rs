//! Drain: nothing starts after SIGTERM, what runs gets its time and then an end, and nobody holds the door open.

use std::io::Write;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{World, eventually, signal};

/// Follows each word of the promise, the grace of an hour being what shows that a second SIGTERM is heard.
#[test]
fn after_sigterm_nothing_starts_and_what_runs_comes_to_its_end() {
    let world =
        World::with_config("[daemon]\nmax_concurrent = 2\n[shutdown]\ngrace = \"1h\"\nkill_grace = \"300ms\"\n");
    let first = world.add("echo > first; while [ ! -e go ]; do sleep 0.01; done; exit 4");
    let second = world.add("echo > second; while [ ! -e go2 ]; do sleep 0.01; done; exit 5");
    let waiting = world.add("echo > started");
    eventually("both run", || world.path("first").exists() && world.path("second").exists());
    // One that connects and says nothing, one that stops in the middle of a word, one that follows and reads nothing.
    let socket = world.dot_apex().join("daemon.sock");
    let silent = UnixStream::connect(&socket).unwrap();
    let mut half = UnixStream::connect(&socket).unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n").unwrap();
    let follower = world.spawn(["events", "-f"]);
    signal(world.guardian_pid(), Signal::SIGTERM);
    eventually("it drains", || world.status()["draining"] == json!(true));
    let refused = world.apex(["task", "add", "--no-start", "--", "true"]).expect(1);
    assert!(refused.stderr.contains("draining"), "{refused:?}");
    // A slot becomes free while the other one is still waited for.
    std::fs::write(world.path("go"), "").unwrap();
    eventually("the first has ended", || world.state(first) == "failed");
    std::fs::write(world.path("go2"), "").unwrap();
    world.until_empty_but(&[follower.pid()]);
    assert!(!world.path("started").exists(), "a task was started after SIGTERM");
    drop((silent, half, follower));

    // What ended within the grace ended by itself, and what waited runs after the next start.
    assert_eq!((&world.show(first)["exit_code"], &world.show(second)["exit_code"]), (&json!(4), &json!(5)));
    assert_eq!(world.ended(waiting)["state"], "succeeded");
    let stubborn = world.add_with(
        &["-p", "9"],
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo > deep; while :; do sleep 0.01; done' & \
         while [ ! -e deep ]; do sleep 0.01; done; echo > stubborn; while :; do sleep 0.01; done",
    );
    eventually("it runs", || world.path("stubborn").exists());
    world.until_state(stubborn, "running");
    let guardian = world.guardian_pid();
    signal(guardian, Signal::SIGTERM);
    eventually("it drains", || world.status()["draining"] == json!(true));
    signal(guardian, Signal::SIGTERM);
    world.until_empty();
    let task = world.show(stubborn);
    assert_eq!(
        (&task["state"], &task["signal"], &task["reason_code"]),
        (&json!("interrupted"), &json!(9), &json!("drain"))
    );
}
