//! Input to running tasks.

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::contract::{UNTIL_GO, go, output};
use crate::support::{Run, World, eventually};

/// Adds a task whose input stays open, and waits until it runs.
fn reader(world: &World, line: &str) -> u64 {
    let id = world.add_with(&["--stdin", "open"], line);
    world.until_state(id, "running");
    id
}

fn send(world: &World, id: u64, args: &[&str]) -> Run {
    world.apex([&["task", "send", &id.to_string()][..], args].concat())
}

/// Returns where the keeper of a running task listens.
fn keeper_socket(world: &World, id: u64) -> PathBuf {
    let assignment = world.show(id)["attempts"][0]["assignment_id"].as_str().unwrap().to_owned();
    world.dot_apex().join("keepers").join(assignment)
}

/// Returns the pid of the keeper of a running task.
fn keeper_of(world: &World, id: u64) -> i32 {
    let socket = keeper_socket(world, id);
    let is_keeper = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == socket.as_os_str().as_bytes())
    };
    let pids =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter().find(is_keeper).expect("its keeper runs")
}

/// Sends what is read on standard input.
fn send_read(world: &World, id: u64, flags: &[&str], bytes: &[u8]) -> Run {
    let mut command = world.command([&["task", "send", &id.to_string(), "-"][..], flags].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may be refused before all of it is read.
    let _ = child.stdin.take().unwrap().write_all(bytes);
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Row: flags of task add / --stdin open
/// Row: commands on tasks / task send
#[test]
fn lines_are_sent_until_the_input_ends() {
    let world = World::started();
    let id = reader(&world, "while read line; do echo \"<$line>\"; done; echo end");
    let sent = send(&world, id, &["hello world"]).expect(0);
    assert_eq!((sent.stdout.as_str(), sent.stderr.as_str()), ("", "11 bytes sent to task 1\n"));
    eventually("it was read", || output(&world, id) == "<hello world>\n");
    let sent = send(&world, id, &["--json", "--", "-x"]).expect(0).json();
    assert_eq!(sent, json!({"id": 1, "bytes": 2, "eof": false}));
    send_read(&world, id, &[], b"two\nli").expect(0);
    send_read(&world, id, &["--eof"], b"nes\n").expect(0);
    let ended = world.ended(id);
    assert_eq!(ended["state"], "succeeded");
    assert_eq!(output(&world, id), "<hello world>\n<-x>\n<two>\n<lines>\nend\n");
    let late = send(&world, id, &["late"]).expect(1);
    assert!(late.stderr.contains("it is `succeeded`, not running"), "{late:?}");
}

/// Row: commands on tasks / task send, bytes
#[test]
fn bytes_are_sent_as_they_are() {
    let world = World::started();
    let id = reader(&world, "exec cat");
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    send_read(&world, id, &["--eof"], &bytes).expect(0);
    world.ended(id);
    let path = world.show(id)["attempts"][0]["output"][0]["path"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read(world.dot_apex().join(path.trim_start_matches(".apex/"))).unwrap(), bytes);
    let left: Vec<_> = std::fs::read_dir(world.dot_apex().join("keepers")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Row: commands on tasks / task send, refused
#[test]
fn what_cannot_read_is_sent_nothing() {
    let world = World::started();
    send(&world, 1, &["x"]).expect(4);
    let closed = world.add("sleep 60");
    world.until_state(closed, "running");
    let refused = send(&world, closed, &["--json", "x"]).expect(1).error();
    assert_eq!(refused["kind"], "conflict");
    assert!(refused["hint"].as_str().unwrap().contains("--stdin open"), "{refused}");
    let held = world.add_with(&["--stdin", "open", "--hold"], "cat");
    let refused = send(&world, held, &["x"]).expect(1);
    assert!(refused.stderr.contains("it is `held`, not running"), "{refused:?}");
    assert!(refused.stderr.contains(&format!("apex task wait --state running {held}")), "{refused:?}");
    send(&world, held, &[]).expect(2);
    let gone = reader(&world, "exec < /dev/null; echo gone; sleep 60");
    eventually("it has closed its input", || output(&world, gone) == "gone\n");
    let refused = send(&world, gone, &["--json", "x"]).expect(1).error();
    assert_eq!((&refused["kind"], &refused["id"]), (&json!("conflict"), &json!(gone.to_string())));
    let ended = reader(&world, "cat; echo end; sleep 60");
    send(&world, ended, &["--eof"]).expect(0);
    eventually("it has read to the end", || output(&world, ended) == "end\n");
    let refused = send(&world, ended, &["x"]).expect(1);
    assert!(refused.stderr.contains("its standard input was closed"), "{refused:?}");
    send(&world, ended, &["--eof"]).expect(1);
}

/// Row: commands on tasks / task send, not read
#[test]
fn what_is_not_read_holds_up_only_who_sends_it() {
    let world = World::started();
    let id = reader(&world, &format!("{UNTIL_GO}; exec wc -c"));
    let full = send_read(&world, id, &["--deadline", "1s", "--json"], &vec![b'x'; 1 << 20]).expect(1).error();
    assert_eq!((&full["kind"], &full["id"]), (&json!("exhausted"), &json!(id.to_string())));
    assert!(full["message"].as_str().unwrap().contains("no more than 65536 bytes"), "{full}");
    // Nobody else has noticed.
    let other = reader(&world, "exec cat");
    send(&world, other, &["quick", "--eof"]).expect(0);
    world.ended(other);
    // Nor is one that is waiting in the way of a restart, and it goes on afterwards.
    let waiting = world.spawn(["task", "send", &id.to_string(), "more", "--eof", "--deadline", "50s"]);
    eventually("it is being sent", || world.connections() > 0);
    world.apex(["daemon", "restart"]).expect(0);
    go(&world);
    waiting.wait().expect(0);
    assert_eq!(world.ended(id)["state"], "succeeded");
    assert_eq!(output(&world, id).trim(), (65536 + "more\n".len()).to_string());
}

/// Row: commands on tasks / task send, stopped keeper
#[test]
fn a_keeper_that_stands_still_is_told_of() {
    let world = World::started();
    let id = reader(&world, "exec cat");
    let keeper = Pid::from_raw(keeper_of(&world, id));
    kill(keeper, Signal::SIGSTOP).unwrap();
    let refused = send(&world, id, &["x", "--deadline", "2s", "--json"]).expect(1).error();
    assert_eq!((&refused["kind"], &refused["id"]), (&json!("exhausted"), &json!(id.to_string())));
    assert!(refused["message"].as_str().unwrap().contains("does not answer"), "{refused}");
    let other = reader(&world, "exec cat");
    send(&world, other, &["quick", "--eof"]).expect(0);
    world.ended(other);
    kill(keeper, Signal::SIGCONT).unwrap();
    send(&world, id, &["y", "--eof"]).expect(0);
    world.ended(id);
    assert!(output(&world, id).ends_with("y\n"), "{}", output(&world, id));
}

/// Row: commands on tasks / task send, many at once
#[test]
fn one_sender_too_many_is_told_so() {
    let world = World::started();
    let id = reader(&world, "exec cat");
    let socket = keeper_socket(&world, id);
    let others: Vec<_> = (0..64).map(|_| std::os::unix::net::UnixStream::connect(&socket).unwrap()).collect();
    let refused = send(&world, id, &["x", "--deadline", "2s", "--json"]).expect(1).error();
    assert_eq!((&refused["kind"], &refused["hint"]), (&json!("exhausted"), &json!("try again in a moment")));
    assert!(refused["message"].as_str().unwrap().contains("too many others"), "{refused}");
    drop(others);
    send(&world, id, &["x", "--eof"]).expect(0);
    world.ended(id);
    assert_eq!(output(&world, id), "x\n");
}

/// Row: commands on tasks / task send, survives
#[test]
fn an_open_input_outlives_apexd_and_guardian() {
    let world = World::started();
    let id = reader(&world, "while read line; do echo \"<$line>\"; done; echo end");
    send(&world, id, &["one"]).expect(0);
    kill(Pid::from_raw(world.apexd_pid()), Signal::SIGKILL).unwrap();
    send(&world, id, &["two"]).expect(0);
    world.apex(["daemon", "restart"]).expect(0);
    send(&world, id, &["three"]).expect(0);
    let guardian = world.guardian_pid();
    kill(Pid::from_raw(guardian), Signal::SIGKILL).unwrap();
    eventually("somebody else is the guardian", || world.guardian_pid() != guardian);
    send(&world, id, &["four", "--eof"]).expect(0);
    world.ended(id);
    assert_eq!(output(&world, id), "<one>\n<two>\n<three>\n<four>\nend\n");
    world.apex(["daemon", "stop"]).expect(0);
    world.until_empty();
}

/// Row: commands on tasks / task send, attempts
#[test]
fn each_attempt_begins_with_an_empty_input() {
    let world = World::started();
    let flags = ["--stdin", "open", "--retries", "1", "--retry-delay", "0s"];
    let id = world.add_with(&flags, "read line; echo \"$APEX_ATTEMPT $line\"; test $APEX_ATTEMPT = 2");
    world.until_state(id, "running");
    send(&world, id, &["first"]).expect(0);
    eventually("it is tried again", || {
        let task = world.show(id);
        task["attempt"] == 2 && task["state"] == "running"
    });
    send(&world, id, &["second"]).expect(0);
    assert_eq!(world.ended(id)["state"], "succeeded");
    assert_eq!(output(&world, id), "2 second\n");
}

/// Row: commands on tasks / task send, end
#[test]
fn nothing_is_left_of_an_open_input() {
    let world = World::started();
    for line in ["exec cat", "trap '' TERM; cat; cat", "setsid cat & exec cat"] {
        let id = world.add_with(&["--stdin", "open", "--kill-grace", "100ms"], line);
        world.until_state(id, "running");
        world.apex(["task", "cancel", "--wait", &id.to_string()]).expect(0);
    }
    let idle = [world.guardian_pid(), world.apexd_pid()];
    world.until_empty_but(&idle);
    let id = reader(&world, "exec cat");
    world.apex(["daemon", "stop", "--force"]).expect(0);
    world.until_empty();
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.state(id), "interrupted");
    let file = world.path("tasks.jsonl");
    std::fs::write(&file, "{\"argv\":[\"cat\"],\"stdin\":\"open\"}\n").unwrap();
    let id: u64 = world.apex(["add", "-q", "--from", "tasks.jsonl"]).expect(0).stdout.trim().parse().unwrap();
    world.until_state(id, "running");
    send(&world, id, &["from a file", "--eof"]).expect(0);
    world.ended(id);
    assert_eq!(output(&world, id), "from a file\n");
}
