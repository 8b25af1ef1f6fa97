//! Commands on tasks.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::contract::{UNTIL_GO, go, listed, output};
use crate::support::{World, eventually, process_state, signal};
use crate::wire::add_many;

/// Row: commands on tasks / task list --state
/// Row: commands on tasks / task list --name
/// Row: commands on tasks / task list --label
/// Row: commands on tasks / task list --limit
#[test]
fn lists_are_filtered() {
    let world = World::started();
    world.ended(world.add_with(&["--name", "build-a", "--label", "kind=x"], "true"));
    world.ended(world.add_with(&["--name", "build-b"], "exit 2"));
    world.add_with(&["--name", "later", "--hold"], "true");
    let ids = |flags: &[&str]| -> Vec<u64> {
        let args: Vec<&str> = ["task", "list", "--json"].iter().chain(flags).copied().collect();
        let list = world.apex(args).expect(0).json();
        list.as_array().unwrap().iter().map(|task| task["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&[]), [1, 2, 3]);
    assert_eq!(ids(&["--state", "failed"]), [2]);
    assert_eq!(ids(&["--state", "failed,held"]), [2, 3]);
    assert_eq!(ids(&["--name", "build-*"]), [1, 2]);
    assert_eq!(ids(&["--label", "kind=x"]), [1]);
    assert_eq!(ids(&["--label", "kind"]), [1]);
    assert_eq!(ids(&["--limit", "1"]), [3]);
    let cut = world.apex(["task", "list", "--limit", "1"]).expect(0);
    assert!(!cut.stderr.is_empty(), "what was cut is said: {cut:?}");
}

/// Row: commands on tasks / task list
/// Row: commands on tasks / task list --all
#[test]
fn a_list_has_what_has_not_ended_and_the_latest_of_the_rest() {
    let world = World::started();
    let held = world.add_with(&["--hold"], "true");
    let last = add_many(&world, "true", 120);
    for id in held + 1..=last {
        world.ended(id);
    }
    let (some, all) = (listed(&world, &[]), listed(&world, &["--all"]));
    assert_eq!(all, (held..=last).collect::<Vec<_>>());
    assert!(some.contains(&held), "however old: {some:?}");
    assert!(some.contains(&last) && some.len() < all.len(), "{some:?}");
    assert!(world.apex(["task", "list"]).stderr.contains("--all"), "what is left out is said");
}

/// Row: commands on tasks / task list --queue
#[test]
fn a_list_can_be_of_one_queue() {
    let world = World::started();
    world.add_with(&["--hold"], "true");
    assert_eq!(listed(&world, &["--queue", "default"]), [1]);
    assert_eq!(listed(&world, &["-Q", "default"]), [1]);
    world.apex(["queue", "add", "other"]).expect(0);
    assert_eq!(listed(&world, &["--queue", "other"]), [0; 0]);
}

/// Row: commands on tasks / task show
#[test]
fn everything_about_a_task_is_shown_to_people_too() {
    let world = World::started();
    let id = world.add_with(&["-n", "greet", "-l", "kind=test", "-p", "7"], "echo hello; exit 3");
    let task = world.ended(id);
    let text = world.apex(["task", "show", &id.to_string()]).expect(0).stdout;
    let output = task["attempts"][0]["output"][0]["path"].as_str().unwrap();
    let uuid = task["uuid"].as_str().unwrap();
    for part in ["greet", "kind=test", "7", "failed", "exit code 3", "echo hello", output, uuid] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

/// Row: commands on tasks / task logs -f
/// Row: commands on tasks / task logs -n
/// Row: commands on tasks / task logs
#[test]
fn following_ends_with_the_task_and_passes_its_code_on() {
    let world = World::started();
    let id = world.add_with(&["--hold"], "for n in 1 2 3; do echo line $n; done; exit 4");
    let follower = world.spawn(["task", "logs", "-f", &id.to_string()]);
    world.apex(["task", "release", &id.to_string()]).expect(0);
    let run = follower.wait();
    assert_eq!((run.code, run.stdout.as_str()), (4, "line 1\nline 2\nline 3\n"), "{run:?}");
    let ended = world.apex(["task", "logs", "-f", &id.to_string()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (4, "line 1\nline 2\nline 3\n"));
    assert_eq!(world.apex(["task", "logs", "-n", "1", &id.to_string()]).expect(0).stdout, "line 3\n");
}

/// Row: commands on tasks / task logs -n
#[test]
fn the_last_lines_are_followed_by_what_comes() {
    let world = World::started();
    let id = world.add(&format!("printf '1\\n2\\n3\\n'; {UNTIL_GO}; echo 4"));
    eventually("it has written", || output(&world, id) == "1\n2\n3\n");
    assert_eq!(world.apex(["task", "logs", "-n", "2", &id.to_string()]).expect(0).stdout, "2\n3\n");
    assert_eq!(world.apex(["task", "logs", "-n", "0", &id.to_string()]).expect(0).stdout, "");
    let mut follower = world.spawn(["task", "logs", "-f", "-n", "1", &id.to_string()]);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(follower.stdout()));
    let mut next = || lines.next().map(Result::unwrap);
    assert_eq!(next().as_deref(), Some("3"));
    go(&world);
    assert_eq!((next().as_deref(), next()), (Some("4"), None));
    follower.wait().expect(0);
}

/// Row: commands on tasks / task logs --attempt
#[test]
fn what_an_attempt_wrote_is_asked_for_by_its_number() {
    let world = World::started();
    let id = world.add("echo first").to_string();
    world.apex(["task", "wait", &id]).expect(0);
    assert_eq!(world.apex(["task", "logs", "--attempt", "1", &id]).expect(0).stdout, "first\n");
    let missing = world.apex(["task", "logs", "--attempt", "2", &id]);
    assert!([1, 4].contains(&missing.code) && missing.stdout.is_empty(), "{missing:?}");
    world.apex(["task", "logs", "--attempt", "0", &id]).expect(2);
}

/// Returns what a command writes to a terminal.
fn on_a_terminal(world: &World, args: &[&str]) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = world.command(args);
    command.stdout(terminal.slave);
    let mut child = command.spawn().unwrap();
    // Else there would always be somebody left who might write.
    drop(command);
    let mut shown = Vec::new();
    // A terminal whose other end is closed reads as an error: all there was has been read.
    let _ = std::io::Read::read_to_end(&mut std::fs::File::from(terminal.master), &mut shown);
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).into_owned()
}

/// Row: commands on tasks / task logs --raw
#[test]
fn on_a_terminal_output_is_harmless_unless_it_is_to_be_raw() {
    let world = World::started();
    let id = world.add("printf '\\033]0;title\\007evil'").to_string();
    world.apex(["task", "wait", &id]).expect(0);
    let harmless = on_a_terminal(&world, &["task", "logs", &id]);
    assert!(harmless.contains("evil") && !harmless.contains(['\u{1b}', '\u{7}']), "{harmless:?}");
    let raw = on_a_terminal(&world, &["task", "logs", "--raw", &id]);
    assert_eq!(raw, "\u{1b}]0;title\u{7}evil");
    assert_eq!(output(&world, id.parse().unwrap()), raw, "as into a pipe");
}

/// Row: commands on tasks / task wait
/// Row: commands on tasks / task wait --json
#[test]
fn waiting_ends_with_the_tasks() {
    let world = World::started();
    let (first, second) = (world.add(UNTIL_GO), world.add_with(&["--hold"], "exit 3"));
    eventually("nobody is connected", || world.connections() == 0);
    let one = world.spawn(["task", "wait", "--json", &first.to_string()]);
    let both = world.spawn(["task", "wait", "--json", &first.to_string(), &second.to_string()]);
    eventually("they wait", || world.connections() == 2);
    go(&world);
    let one = one.wait().expect(0).json();
    assert_eq!((&one["id"], &one["state"]), (&json!(first), &json!("succeeded")));
    world.apex(["task", "release", &second.to_string()]).expect(0);
    let both = both.wait().expect(1).json();
    assert_eq!((&both[0]["state"], &both[1]["exit_code"]), (&json!("succeeded"), &json!(3)));
}

/// Row: commands on tasks / task wait --state
#[test]
fn waiting_can_be_for_a_state() {
    let world = World::started();
    let id = world.add_with(&["--hold"], UNTIL_GO).to_string();
    eventually("nobody is connected", || world.connections() == 0);
    let wait = world.spawn(["task", "wait", "--state", "running", &id]);
    eventually("it waits", || world.connections() == 1);
    world.apex(["task", "release", &id]).expect(0);
    wait.wait().expect(0);
    assert_eq!(world.state(1), "running");
    go(&world);
    let never = world.apex(["task", "wait", "--state", "queued,held", &id]).expect(1);
    assert!(never.stderr.contains("will not be queued or held"), "{never:?}");
}

/// Row: commands on tasks / task cancel, waiting
#[test]
fn what_waits_is_cancelled_at_once() {
    let world = World::started();
    let id = world.add_with(&["--hold"], "true");
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    let task = world.show(id);
    assert_eq!((&task["state"], &task["attempt"]), (&json!("cancelled"), &json!(0)));
    assert_eq!(world.apex(["task", "wait", &id.to_string()]).code, 1, "it ended without a code");
}

/// Row: commands on tasks / task cancel, running
/// Row: commands on tasks / task cancel --wait
/// Row: commands on tasks / task cancel --reason
/// Row: states / cancelled
/// Row: reason codes / cancelled
#[test]
fn a_cancelled_task_ends_with_all_its_processes() {
    let world = World::started();
    let id = world.add("sleep 1000 & sleep 1000 & echo started; wait");
    world.until_state(id, "running");
    eventually("it has begun", || world.apex(["task", "logs", &id.to_string()]).stdout == "started\n");
    let before = world.processes().len();
    world.apex(["task", "cancel", "--wait", "--reason", "no longer needed", &id.to_string()]).expect(0);
    let task = world.show(id);
    assert_eq!(
        (&task["state"], &task["reason_code"], &task["signal"]),
        (&json!("cancelled"), &json!("cancelled"), &json!(15))
    );
    assert_eq!(task["reason"], "no longer needed");
    assert_eq!(world.processes().len(), before - 3, "none of its processes is left");
    world.apex(["task", "cancel", &id.to_string()]).expect(1);
}

/// Row: commands on tasks / task cancel, running
#[test]
fn a_stubborn_task_is_killed_after_its_grace() {
    let world = World::with_config("[shutdown]\nkill_grace = \"200ms\"\n");
    let id = world.add("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    eventually("it has begun", || world.apex(["task", "logs", &id.to_string()]).stdout == "ready\n");
    world.apex(["task", "cancel", "--wait", &id.to_string()]).expect(0);
    assert_eq!(world.show(id)["signal"], json!(9));
}

/// Row: commands on tasks / task cancel, running
#[test]
fn a_cancel_returns_when_the_signal_was_sent() {
    let world = World::with_config("[shutdown]\nkill_grace = \"20s\"\n");
    let id = world.add(&format!("trap 'echo asked' TERM; echo ready; {UNTIL_GO}; exit 5"));
    eventually("it has begun", || output(&world, id) == "ready\n");
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    assert!(world.show(id)["cancel_requested_at"].is_string());
    assert_eq!(world.state(id), "running", "it was not waited for");
    eventually("it was asked", || output(&world, id).contains("asked\n"));
    go(&world);
    let task = world.ended(id);
    assert_eq!((&task["state"], &task["exit_code"]), (&json!("cancelled"), &json!(5)));
}

/// Row: commands on tasks / task kill
/// Row: commands on tasks / task kill --signal
#[test]
fn kill_sends_one_signal_and_changes_nothing_else() {
    let world = World::started();
    let id = world.add("trap 'echo usr1' USR1; echo ready; while [ ! -e go ]; do sleep 0.01; done");
    eventually("it has begun", || world.apex(["task", "logs", &id.to_string()]).stdout == "ready\n");
    world.apex(["task", "kill", "--signal", "USR1", &id.to_string()]).expect(0);
    let output = || world.apex(["task", "logs", &id.to_string()]).stdout;
    eventually("it got the signal", || output().ends_with("usr1\n"));
    assert_eq!(output().matches("usr1").count(), 1, "once, however many processes it makes");
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(world.ended(id)["state"], "succeeded");
    let again = world.apex(["task", "kill", &id.to_string()]).expect(1);
    assert!(again.stderr.contains("no process"), "{again:?}");
}

/// Row: commands on tasks / task kill
/// Row: reason codes / signal
#[test]
fn a_killed_task_has_failed() {
    let world = World::started();
    let id = world.add("trap '' TERM; echo $$; while :; do sleep 0.01; done");
    eventually("it has begun", || !output(&world, id).is_empty());
    let pid: i32 = output(&world, id).trim().parse().unwrap();
    world.apex(["task", "kill", &id.to_string()]).expect(0);
    let task = world.ended(id);
    assert_eq!(
        (&task["state"], &task["signal"], &task["reason_code"]),
        (&json!("failed"), &json!(9), &json!("signal"))
    );
    assert_eq!(process_state(pid), None);
}

/// Row: commands on tasks / status
#[test]
fn one_screen_shows_what_runs_waits_and_failed() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    world.ended(world.add_with(&["-n", "broken"], "exit 3"));
    world.add_with(&["-n", "kept", "--hold"], "true");
    let running = world.add_with(&["-n", "busy"], UNTIL_GO);
    world.until_state(running, "running");
    world.add_with(&["-n", "patient"], "true");
    let screen = world.apex(["status"]).expect(0).stdout;
    for part in ["1 of 1 slots", "broken", "exit code 3", "kept", "held", "busy", "running", "patient", "queued"] {
        assert!(screen.contains(part), "{part} is missing: {screen}");
    }
    let bare = world.apex([""; 0]).expect(0).stdout;
    for part in ["broken", "kept", "busy", "patient"] {
        assert!(bare.contains(part), "{part} is missing: {bare}");
    }
    go(&world);
    world.ended(4);
    world.apex(["daemon", "stop"]).expect(0);
    let stopped = world.apex(["status"]).expect(0).stdout;
    assert!(stopped.contains("not running") && stopped.contains("kept"), "{stopped}");
}

/// Row: commands on tasks / stored
#[test]
fn what_a_command_says_is_done_outlives_every_process() {
    let world = World::started();
    let ids = [world.add_with(&["--hold"], "true"), world.add_with(&["--hold"], "true")];
    world.apex(["task", "cancel", &ids[0].to_string()]).expect(0);
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    // Else it would start another apexd, or apexd would end by itself.
    signal(guardian, Signal::SIGSTOP);
    signal(apexd, Signal::SIGKILL);
    signal(guardian, Signal::SIGKILL);
    let socket = world.dot_apex().join("daemon.sock");
    eventually("nobody listens", || std::os::unix::net::UnixStream::connect(&socket).is_err());
    assert_eq!(ids.map(|id| world.state(id)), ["cancelled", "held"]);
}

/// Row: commands on tasks / aliases
#[test]
fn what_is_typed_often_is_short() {
    let world = World::started();
    assert_eq!(world.apex(["add", "-q", "--", "echo", "hello"]).expect(0).stdout, "1\n");
    world.apex(["wait", "1"]).expect(0);
    assert_eq!(world.apex(["logs", "1"]).expect(0).stdout, "hello\n");
    assert_eq!(world.apex(["ls", "-q"]).expect(0).stdout, "1\n");
    world.add_with(&["--hold"], "true");
    world.apex(["cancel", "2"]).expect(0);
    assert_eq!(world.state(2), "cancelled");
}
