//! The guardian is killed, or becomes another program: tasks, followers and the queue go on.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use apex::rpc::client::{Client, Options};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{World, eventually, long, process_state, run, signal, stands_still};

/// Prints numbered lines until `go` is there, then exits with a code of its own.
fn counting(code: usize) -> String {
    format!("n=0; while [ ! -e go ]; do n=$((n+1)); echo line $n; sleep 0.005; done; exit {code}")
}

/// Fails unless the text is `line 1`, `line 2` … without a gap and without a repetition.
#[track_caller]
fn assert_counts_up(text: &str) {
    for (index, line) in text.lines().enumerate() {
        assert_eq!(line, format!("line {}", index + 1));
    }
    assert!(text.ends_with('\n') && text.lines().count() > 3, "{text:?}");
}

/// Whether this kernel tells everybody how a process ended (`PIDFD_INFO_EXIT`, Linux 6.15).
pub fn exits_are_told() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let numbers: Vec<u32> = release.split(['.', '-']).map_while(|number| number.parse().ok()).collect();
    numbers >= vec![6, 15]
}

/// Kills the guardian and waits until another process is in its place.
fn kill_guardian(world: &World) -> i32 {
    let before = world.guardian_pid();
    signal(before, Signal::SIGKILL);
    eventually("somebody takes its place", || world.guardian_pid() != before);
    eventually("an apexd serves", || world.status()["guardian_pid"] == json!(world.guardian_pid()));
    world.guardian_pid()
}

#[test]
fn killing_the_guardian_touches_no_task_and_no_follower() {
    let world = World::with_config("[daemon]\nmax_concurrent = 9\n[shutdown]\nkill_grace = \"200ms\"\n");
    let ids: Vec<u64> = (1..=5).map(|n| world.add(&counting(n))).collect();
    let paused = world.add("echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; exit 6");
    let cancelled = world.add("sleep 1000 & echo $! > left; wait");
    let limited = world.add_with(&["--timeout", "6s"], "exec sleep 1000");
    let ended = world.add("sleep 1000 & echo $! > behind; while [ ! -e one ]; do sleep 0.01; done; exit 7");
    let after = world.add("echo after");
    for id in ids.iter().chain([&paused, &cancelled, &limited, &ended]) {
        world.until_state(*id, "running");
    }
    for name in ["pid", "left", "behind"] {
        eventually(name, || std::fs::read_to_string(world.path(name)).is_ok_and(|pid| pid.ends_with('\n')));
    }
    let read_pid = |name| std::fs::read_to_string(world.path(name)).unwrap().trim().parse::<i32>().unwrap();
    world.apex(["task", "pause", &paused.to_string()]).expect(0);
    let follower = world.spawn(["task", "logs", "-f", &ids[0].to_string()]);
    let apexd = world.apexd_pid();
    let guardian = kill_guardian(&world);
    assert_eq!(guardian, apexd, "apexd has taken its place");
    assert_eq!(world.status()["restarts"], json!(1));
    for id in &ids {
        assert_eq!(world.state(*id), "running");
    }
    assert_eq!((world.state(paused).as_str(), stands_still(read_pid("pid"))), ("paused", true));
    // Whatever can be done to a task can be done to these.
    world.apex(["task", "cancel", &cancelled.to_string()]).expect(0);
    assert_eq!(world.ended(cancelled)["state"], "cancelled");
    eventually("all of it has ended", || process_state(read_pid("left")).is_none_or(|state| state == 'Z'));
    assert_eq!(world.ended(limited)["state"], "timed_out");
    std::fs::write(world.path("one"), "").unwrap();
    let task = world.ended(ended);
    if exits_are_told() {
        assert_eq!((&task["state"], &task["exit_code"]), (&json!("failed"), &json!(7)), "{task}");
        eventually("nothing is left", || process_state(read_pid("behind")).is_none_or(|state| state == 'Z'));
    }
    assert_eq!(world.ended(after)["state"], "succeeded", "the queue goes on");
    // Once more, with tasks of two guardians.
    let young = world.add(&counting(8));
    world.until_state(young, "running");
    kill_guardian(&world);
    world.apex(["task", "resume", &paused.to_string()]).expect(0);
    std::fs::write(world.path("go"), "").unwrap();
    for (id, code) in ids.iter().zip(1..).chain([(&paused, 6), (&young, 8)]) {
        let task = world.ended(*id);
        let as_it_was = (json!("failed"), json!(code), json!(1));
        let seen = (task["state"].clone(), task["exit_code"].clone(), task["attempt"].clone());
        assert!(seen == as_it_was || (seen.0 == "lost" && !exits_are_told()), "{task}");
        if *id != paused {
            assert_counts_up(&world.apex(["task", "logs", &id.to_string()]).stdout);
        }
    }
    let followed = follower.wait();
    assert_eq!(followed.stdout, world.apex(["task", "logs", &ids[0].to_string()]).stdout, "missed or repeated");
    world.apex(["daemon", "stop"]).expect(0);
    world.until_empty();
    assert!(!world.dot_apex().join("daemon.pid").exists() && !world.dot_apex().join("daemon.sock").exists());
}

#[test]
fn a_guardian_killed_and_started_again_at_once_is_one_and_runs_nothing_twice() {
    let world = World::with_config("[daemon]\nmax_concurrent = 4\n");
    world.apex(["daemon", "start"]).expect(0);
    let mut ids = Vec::new();
    let rounds = 10 * long();
    for round in 0..rounds {
        ids.push(world.add("echo $APEX_TASK_ID >> effects; sleep 0.02"));
        let before = world.guardian_pid();
        signal(before, Signal::SIGKILL);
        if round % 2 == 0 {
            world.apex(["daemon", "start"]).expect(0);
        }
        ids.push(world.add("echo $APEX_TASK_ID >> effects"));
        eventually("it is another one", || world.guardian_pid() != before);
        let comms = || {
            let name = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let parent = |pid: i32| {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.rsplit(") ")
                    .next()
                    .and_then(|rest| rest.split(' ').nth(1)?.parse::<i32>().ok())
                    .unwrap_or_default()
            };
            // A process that a guardian has just made bears its name until exec.
            let is_just_made = |pid: &i32| name(parent(*pid)).trim() == "apex-guardian" && name(*pid).trim() != "apexd";
            let names: Vec<String> = world.processes().into_iter().filter(|pid| !is_just_made(pid)).map(name).collect();
            let count = |wanted: &str| names.iter().filter(|name| name.trim() == wanted).count();
            (count("apex-guardian"), count("apexd"))
        };
        let seen = comms();
        assert!(seen.0 <= 1 && seen.1 <= 1, "guardians and apexds: {seen:?}");
        eventually("one of each", || comms() == (1, 1));
    }
    let mut counts = BTreeMap::new();
    for id in &ids {
        world.ended(*id);
    }
    for line in std::fs::read_to_string(world.path("effects")).unwrap_or_default().lines() {
        *counts.entry(line.parse::<u64>().unwrap()).or_insert(0) += 1;
    }
    for id in &ids {
        let (task, count) = (world.show(*id), counts.get(id).copied().unwrap_or(0));
        match task["state"].as_str().unwrap() {
            "succeeded" => assert_eq!(count, 1, "{task}"),
            // The one that would know was killed between its start and the word of it.
            "lost" => assert!(count <= 1 && task["reason"].is_string(), "{count} times: {task}"),
            _ => panic!("{task}"),
        }
    }
    let epochs = world.log().matches("another daemon has taken over").count();
    assert_eq!(epochs, 0, "nobody wrote beside another:\n{}", world.log());
}

#[test]
fn a_guardian_that_somebody_watches_over_is_not_replaced_from_within() {
    let world = World::new();
    let notify = world.path("notify");
    let _socket = std::os::unix::net::UnixDatagram::bind(&notify).unwrap();
    let mut command = world.command(["daemon", "run"]);
    command.env("NOTIFY_SOCKET", &notify);
    let guardian = crate::support::Running::new(command.spawn().unwrap());
    eventually("it serves", || world.status()["guardian_pid"] == json!(guardian.pid()));
    guardian.signal(Signal::SIGKILL);
    drop(guardian);
    world.until_empty();
    world.apex(["daemon", "start"]).expect(0);
}

/// Lets the daemon become the program, as `daemon restart` does for the program that it is.
fn become_program(world: &World, binary: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = world.dot_apex().join("daemon.sock");
        let client = Client::connect(&socket, Options::default()).await.unwrap();
        client.restart(binary).await.unwrap();
    });
}

fn script(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

fn program_of(pid: i32) -> (u64, u64) {
    let program = std::fs::metadata(format!("/proc/{pid}/exe")).unwrap();
    (program.dev(), program.ino())
}

fn inode(path: &Path) -> (u64, u64) {
    let found = std::fs::metadata(path).unwrap();
    (found.dev(), found.ino())
}

#[test]
fn the_guardian_becomes_the_program_that_asks_and_goes_back() {
    let world = World::started();
    let own = Path::new(env!("CARGO_BIN_EXE_apex"));
    let copy = world.path("apex");
    std::fs::copy(own, &copy).unwrap();
    let id = world.add(&counting(5));
    world.until_state(id, "running");
    let guardian = world.guardian_pid();
    let by_copy = || {
        let prepared = world.command(["daemon", "restart"]);
        let mut command = Command::new(&copy);
        command.args(prepared.get_args()).current_dir(world.root()).env_clear();
        command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
        run(command)
    };
    for _ in 0..2 {
        by_copy().expect(0);
        assert_eq!(program_of(guardian), inode(&copy), "the same process, another program");
        assert_eq!(program_of(world.apexd_pid()), inode(&copy));
        world.apex(["daemon", "restart"]).expect(0);
        assert_eq!(program_of(guardian), inode(own));
        assert_eq!(program_of(world.apexd_pid()), inode(own));
    }
    assert_eq!(world.guardian_pid(), guardian);
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(world.ended(id)["exit_code"], json!(5));
    assert_counts_up(&world.apex(["task", "logs", &id.to_string()]).stdout);
}

#[test]
fn a_program_that_cannot_be_the_guardian_is_refused_before_anything_changes() {
    let world = World::started();
    let own = env!("CARGO_BIN_EXE_apex");
    let id = world.add(&counting(5));
    world.until_state(id, "running");
    let (guardian, program) = (world.guardian_pid(), program_of(world.guardian_pid()));
    // As one would that knows only tables of an earlier version: it works, but not with this guardian's.
    let older = world.path("older");
    script(&older, &format!("[ \"$1\" = __guardian-check ] && exit 98\nexec '{own}' \"$@\""));
    // One that is gone when it is to be executed.
    let fleeting = world.path("fleeting");
    script(&fleeting, &format!("[ \"$1\" = __guardian-check ] && rm \"$0\" && exit 97\nexec '{own}' \"$@\""));
    for (binary, why) in [(&older, "it cannot take over what this one holds"), (&fleeting, "No such file or directory")]
    {
        let apexd = world.apexd_pid();
        become_program(&world, binary);
        eventually("another apexd serves", || {
            world.status()["pid"].as_i64().is_some_and(|pid| pid != i64::from(apexd))
        });
        assert_eq!((world.guardian_pid(), program_of(guardian)), (guardian, program));
        let log = world.log();
        let told = log.lines().find(|line| line.contains("goes on with its old program") && line.contains(why));
        assert!(told.is_some_and(|line| line.ends_with(&format!("binary={}", binary.display()))), "{log}");
    }
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(world.ended(id)["exit_code"], json!(5));
    assert_counts_up(&world.apex(["task", "logs", &id.to_string()]).stdout);
}

#[test]
fn a_program_answers_for_the_tables_it_knows() {
    let world = World::bare();
    let known = apex::link::handover::VERSION;
    let answer = |version: &str| world.apex(["__guardian-check", version]).code;
    assert_eq!((answer(&known.to_string()), answer("0")), (97, 97));
    for unknown in [(known + 1).to_string(), "x".to_owned(), String::new()] {
        assert_eq!(answer(&unknown), 98, "{unknown:?}");
    }
}

#[test]
fn one_that_cannot_go_on_after_all_becomes_the_one_before() {
    let world = World::bare();
    let table = world.path("table");
    std::fs::write(&table, "not a table").unwrap();
    let before = world.path("before");
    script(&before, "echo \"$*\" > went-back");
    let own = env!("CARGO_BIN_EXE_apex");
    let mut command = Command::new("sh");
    let line = format!("exec '{own}' __guardian 8 9 8<'{}' 9<'{}'", table.display(), before.display());
    command.args(["-c", &line]).current_dir(world.root()).stdin(std::process::Stdio::null());
    let told = run(command);
    assert!(told.stderr.contains("cannot go on as the guardian"), "{told:?}");
    eventually("it is back", || world.path("went-back").exists());
    assert_eq!(std::fs::read_to_string(world.path("went-back")).unwrap(), "__guardian 8\n");
}

#[test]
fn what_was_started_in_the_guardians_last_moment_is_found_and_not_given_up() {
    let mut world = World::new();
    world.set_variable("APEX_FAULT_CRASH", "guardian.spawn.done");
    let once = world.path("../died");
    world.set_variable("APEX_FAULT_ONCE", once.to_str().unwrap());
    world.apex(["daemon", "start"]).expect(0);
    let guardian = world.guardian_pid();
    let id = world.add("echo run >> effects; while [ ! -e go ]; do sleep 0.01; done; exit 6");
    eventually("another one is in its place", || once.exists() && world.guardian_pid() != guardian);
    eventually("it runs", || world.path("effects").exists());
    eventually("its process is known", || world.show(id)["attempts"][0]["pid"].is_u64());
    assert_eq!(world.state(id), "running");
    std::fs::write(world.path("go"), "").unwrap();
    let task = world.ended(id);
    if exits_are_told() {
        assert_eq!((&task["state"], &task["exit_code"]), (&json!("failed"), &json!(6)), "{task}");
    }
    assert_eq!(std::fs::read_to_string(world.path("effects")).unwrap(), "run\n", "it was started once");
}

#[test]
fn a_task_that_outlived_guardian_and_apexd_is_told_as_one_that_can_only_be_watched() {
    let world = World::started();
    let id = world.add("exec sleep 600");
    let pid = world.pid(id);
    world.until_state(id, "running");
    // Neither is to see the other one die.
    let victims = [world.apexd_pid(), world.guardian_pid()];
    for victim in victims {
        signal(victim, Signal::SIGSTOP);
    }
    for victim in victims {
        signal(victim, Signal::SIGKILL);
    }
    world.apex(["daemon", "start"]).expect(0);
    let task = id.to_string();
    for args in
        [&["task", "pause"][..], &["task", "resume"], &["task", "kill"], &["cancel", "--wait"], &["task", "pause"]]
    {
        let refused = world.apex(args.iter().chain(&[task.as_str()])).expect(1);
        let told = &refused.stderr;
        assert!(
            told.contains("has outlived the daemon") && told.contains(&format!("pid {pid}")),
            "{args:?} {refused:?}"
        );
        assert!(told.contains(&format!("kill {pid}")), "{args:?} {refused:?}");
        assert_eq!(world.state(id), "running", "{args:?}");
    }
    signal(pid, Signal::SIGKILL);
    assert_eq!(world.ended(id)["state"], json!("lost"));
}
