//! Streams: what breaks is taken up again, what is stopped says so.

use nix::sys::signal::Signal;

use crate::contract::{UNTIL_GO, go};
use crate::support::{World, eventually, signal};

/// Row: streams / broken connection
#[test]
fn a_broken_connection_is_taken_up_again_where_it_broke() {
    let world = World::started();
    let id = world.add(&format!("echo one; {UNTIL_GO}; echo two; exit 4"));
    eventually("nobody is connected", || world.connections() == 0);
    let follower = world.spawn(["task", "logs", "-f", &id.to_string()]);
    eventually("it follows", || world.connections() == 1);
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGKILL);
    eventually("another one serves", || world.status()["pid"].as_i64().is_some_and(|pid| pid != i64::from(apexd)));
    go(&world);
    let run = follower.wait().expect(4);
    assert_eq!(run.stdout, "one\ntwo\n");
}

/// Row: streams / stopped daemon
#[test]
fn who_follows_a_task_of_a_daemon_that_stops_is_told() {
    let world = World::started();
    let held = world.add_with(&["--hold"], "true");
    eventually("nobody is connected", || world.connections() == 0);
    let follower = world.spawn(["task", "logs", "-f", &held.to_string()]);
    eventually("it follows", || world.connections() == 1);
    world.apex(["daemon", "stop"]).expect(0);
    let run = follower.wait().expect(3);
    assert_eq!(run.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{run:?}");
}

/// Row: streams / stopped daemon, ended task
#[test]
fn who_follows_a_task_that_the_stop_ended_gets_its_code() {
    let world = World::started();
    let id = world.add("trap 'exit 7' TERM; echo > begun; while :; do sleep 0.01; done");
    eventually("it runs", || world.path("begun").exists());
    eventually("nobody is connected", || world.connections() == 0);
    let follower = world.spawn(["task", "logs", "-f", &id.to_string()]);
    eventually("it follows", || world.connections() == 1);
    world.apex(["daemon", "stop", "--force"]).expect(0);
    let run = follower.wait().expect(7);
    assert_eq!(run.stderr.lines().filter(|line| line.starts_with("error")).count(), 0, "{run:?}");
}

/// Row: streams / next daemon
/// Row: daemon / daemon logs -f
#[test]
fn the_log_waits_for_the_next_daemon() {
    let world = World::started();
    let mut follower = world.spawn(["daemon", "logs", "-f", "-n", "0"]);
    let stdout = follower.stdout();
    eventually("it follows", || crate::support::process_state(follower.pid()) == Some('S'));
    world.apex(["daemon", "stop"]).expect(0);
    world.apex(["daemon", "start"]).expect(0);
    use std::io::BufRead;
    let mut lines = std::io::BufReader::new(stdout).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("Daemon started")), "the next daemon was not followed");
}

/// Row: streams / reader that is gone
#[test]
fn who_follows_ends_with_whoever_reads_it_though_nothing_is_printed() {
    let world = World::started();
    let (held, other) = (world.add_with(&["--hold"], "true"), world.add_with(&["--hold"], "true"));
    eventually("nobody is connected", || world.connections() == 0);
    let (held, other) = (held.to_string(), other.to_string());
    for args in [
        &["task", "logs", "-f", &held][..],
        &["task", "logs", "-f", &held, &other],
        &["events", "-f"],
        &["task", "list", "--watch", "1ms"],
        &["daemon", "logs", "-f", "-n", "0"],
    ] {
        let mut follower = world.spawn(args);
        let stdout = follower.stdout();
        if args[0] != "daemon" {
            eventually("it follows", || world.connections() == 1);
        }
        eventually("it waits", || crate::support::process_state(follower.pid()) == Some('S'));
        drop(stdout);
        eventually("it ends", || crate::support::process_state(follower.pid()) == Some('Z'));
        let run = follower.wait().expect(128 + Signal::SIGPIPE as i32);
        assert_eq!(run.stderr, "", "{args:?}");
        eventually("nobody is connected", || world.connections() == 0);
    }
}
