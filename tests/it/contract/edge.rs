//! Edges: what is typed in an odd way or at an odd moment is answered in plain words and with the right code.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::contract::{UNTIL_GO, go, shell};
use crate::support::{Running, World, eventually, run, signal};

#[test]
fn what_has_ended_is_seen_however_short_the_limit_of_a_wait() {
    let world = World::started();
    let (ended, open) = (world.add("exit 3"), world.add(UNTIL_GO));
    world.ended(ended);
    world.until_state(open, "running");
    let (ended, open) = (ended.to_string(), open.to_string());
    for limit in ["0s", "1ms"] {
        world.apex(["wait", &ended, "--timeout", limit]).expect(3);
        let waited = world.apex(["wait", &ended, &open, "--timeout", limit]).expect(75);
        assert!(waited.stderr.contains(&format!("task {open} is still running")), "{waited:?}");
        world.apex(["wait", &ended, "99", "--timeout", limit]).expect(1);
    }
    world.apex(["wait", &open, "--state", "running", "--timeout", "0s"]).expect(0);
    let waited = world.apex(["--json", "wait", &open, "--timeout", "0s"]).expect(75);
    assert_eq!(waited.json()["state"], "running", "{waited:?}");
    assert!(waited.stderr.contains("still running"), "{waited:?}");
    go(&world);
}

#[test]
fn a_wait_for_several_tells_a_daemon_that_was_stopped_from_tasks_that_failed() {
    let world = World::started();
    let (one, other) = (world.add(UNTIL_GO), world.add_with(&["--hold"], "true"));
    world.until_state(one, "running");
    let waiting = world.spawn(["wait", &one.to_string(), &other.to_string()]);
    eventually("it waits", || world.connections() > 0);
    world.apex(["daemon", "stop", "--force"]).expect(0);
    waiting.wait().expect(3);
}

#[test]
fn a_silent_daemon_is_a_failure_of_apex_to_who_follows_one_task() {
    let world = World::started();
    let id = world.add_with(&["--hold"], "true").to_string();
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGSTOP);
    let logs = world.apex(["--deadline", "200ms", "logs", "-f", &id]).expect(125);
    let told = world.apex(["--deadline", "0s", "ls"]).expect(3);
    signal(apexd, Signal::SIGCONT);
    assert!(logs.stderr.contains("does not answer within 200ms"), "{logs:?}");
    assert!(told.stderr.contains("does not answer within 0s"), "{told:?}");
}

#[test]
fn a_restart_starts_nothing_that_may_not_be_started() {
    let world = World::new();
    world.apex(["--no-start", "daemon", "restart"]).expect(3);
    let by_config = World::with_config("[client]\nauto_start = false\n");
    by_config.apex(["daemon", "restart"]).expect(3);
    assert!(world.processes().is_empty() && by_config.processes().is_empty());
}

#[test]
fn a_start_says_that_the_daemon_drains_and_that_other_flags_are_not_followed() {
    let world = World::started();
    let same = world.apex(["daemon", "start", "--max-concurrent", "3"]).expect(0);
    assert!(same.stderr.is_empty(), "{same:?}");
    let other = world.apex(["daemon", "start", "--max-concurrent", "9"]).expect(0);
    assert!(other.stderr.contains("keeps its settings"), "{other:?}");
    world.until_state(world.add(UNTIL_GO), "running");
    let stop = world.spawn(["daemon", "stop"]);
    eventually("it drains", || world.status()["draining"] == true);
    let start = world.apex(["daemon", "start"]).expect(3);
    assert!(start.stderr.contains("drains") && start.stderr.contains("apex daemon stop"), "{start:?}");
    go(&world);
    stop.wait().expect(0);
}

#[test]
fn bounds_of_flags_are_the_same_wherever_they_are_found_out() {
    let world = World::new();
    for args in [
        &["daemon", "start", "--max-concurrent", "0"][..],
        &["daemon", "start", "--max-concurrent", "100001"],
        &["daemon", "start", "--poll-interval", "1ms"],
        &["daemon", "start", "--poll-interval", "0s"],
        &["add", "--retry-delay", "1s", "--", "true"],
        &["queue", "pause", "default", "--until", "2020-01-01T00:00:00Z"],
        &["add", "--in", "-5m", "--", "true"],
    ] {
        let run = world.apex(args).expect(2);
        assert!(run.stderr.contains("hint: ") || args[0] == "daemon", "{args:?} {run:?}");
    }
    assert!(world.processes().is_empty());
}

#[test]
fn what_is_named_twice_is_done_once() {
    let world = World::started();
    let id = world.add_with(&["--hold"], "true").to_string();
    let cancelled = world.apex(["cancel", &id, &id]).expect(0);
    assert_eq!(cancelled.stderr.matches("cancelled").count(), 1, "{cancelled:?}");
    world.apex(["task", "rm", &id, &id]).expect(0);
    world.apex(["queue", "add", "gpu"]).expect(0);
    world.apex(["queue", "rm", "gpu,gpu"]).expect(0);
}

#[test]
fn init_makes_the_project_that_is_meant() {
    let world = World::bare();
    std::fs::create_dir(world.path("other")).unwrap();
    let mut init = world.command(["init"]);
    run({
        init.env("APEX_PROJECT_PATH", world.path("other"));
        init
    })
    .expect(0);
    assert!(world.path("other/.apex").is_dir() && !world.dot_apex().exists());
    world.apex(["-g", "init"]).expect(0);
    assert!(world.root().parent().unwrap().join("state/apex/global/.apex/config.toml").is_file());
    assert!(!world.dot_apex().exists());
    world.apex(["-g", "init", "."]).expect(2);
}

#[test]
fn an_end_without_a_code_is_told_with_json_as_well() {
    let world = World::started();
    let failed = world.add("exit 1");
    world.ended(failed);
    let run = world.apex(["--json", "run", "--after", &failed.to_string(), "--", "true"]).expect(1);
    assert!(run.stderr.contains("skipped"), "{run:?}");
    let logs = world.apex(["--json", "logs", "-f", "2"]).expect(1);
    assert!(logs.stderr.contains("skipped"), "{logs:?}");
    let left = world.apex(["--json", "run", "--hold", "--detach-after", "10ms", "--", "true"]).expect(75);
    assert!(left.stderr.contains("apex logs -f"), "{left:?}");
    // The output is the task's own, and what apex says of itself is an object.
    let own = world.apex(["--json", "run", "--", "sh", "-c", "echo hello; exit 3"]).expect(3);
    assert_eq!(own.stdout, "hello\n", "{own:?}");
    assert_eq!(world.apex(["--json", "run", "-Q", "absent", "--", "true"]).expect(125).error()["kind"], "not_found");
    // 127 could be the program's own.
    let missing = world.apex(["run", "--", "no-such-program"]).expect(127);
    let again = world.apex(["logs", "-f", "5"]).expect(127);
    for told in [missing, again] {
        assert!(told.stderr.contains("task 5 failed") && told.stderr.contains("no-such-program"), "{told:?}");
    }
}

#[test]
fn a_run_says_what_its_task_waits_for() {
    let world = World::started();
    world.apex(["queue", "pause", "default", "--reason", "new driver"]).expect(0);
    let mut command = world.command(["run", "--", "echo", "hello"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("task 1 ") && told.contains("paused") && told.contains("new driver"), "{told}");
    world.apex(["queue", "resume", "default"]).expect(0);
    assert_eq!(Running::new(child).wait().expect(0).stdout, "hello\n");
}

#[test]
fn a_queue_that_the_settings_bring_back_is_told() {
    let world = World::with_config("[queues.gpu]\nslots = 2\n");
    world.apex(["daemon", "start"]).expect(0);
    let again = world.apex(["daemon", "reload"]).expect(0);
    assert!(!again.stdout.contains("queues.gpu.slots"), "{again:?}");
    let removed = world.apex(["queue", "rm", "gpu"]).expect(0);
    assert!(removed.stderr.contains("comes back") && removed.stderr.contains("[queues.gpu]"), "{removed:?}");
    let reload = world.apex(["daemon", "reload"]).expect(0);
    assert!(reload.stdout.contains("queues.gpu.slots"), "{reload:?}");
    world.apex(["ls", "-Q", "gpu"]).expect(0);
    world.apex(["ls", "-Q", "nope"]).expect(4);
}

#[test]
fn what_a_screen_leaves_out_is_said() {
    let world = World::started();
    for _ in 0..12 {
        world.add_with(&["--hold"], "true");
    }
    let status = world.apex(["status"]).expect(0);
    assert!(status.stderr.contains("2 waiting") && status.stderr.contains("apex ls --all"), "{status:?}");
    world.apex(["task", "cancel", "1,2"]).expect(0);
    let status = world.apex(["status"]).expect(0);
    assert!(!status.stderr.contains("not shown"), "{status:?}");
}

#[test]
fn a_stream_that_a_task_does_not_keep_apart_is_refused() {
    let world = World::started();
    world.ended(world.add("echo out; echo err >&2"));
    let logs = world.apex(["logs", "1", "--stderr"]).expect(1);
    assert!(logs.stderr.contains("--split-output") && logs.stderr.contains("hint: "), "{logs:?}");
    world.apex(["logs", "-f", "1", "--stdout"]).expect(125);
    world.ended(world.add_with(&["--split-output"], "echo out; echo err >&2"));
    assert_eq!(world.apex(["logs", "2", "--stderr"]).expect(0).stdout, "err\n");
}

#[test]
fn help_and_text_for_other_programs_mind_the_flags_and_the_disk() {
    let world = World::started();
    for args in [&["--json", "help"][..], &["-C", ".", "help", "add"], &["--deadline", "1s", "-q", "help"]] {
        assert!(world.apex(args).expect(0).stdout.contains("--deadline"), "{args:?}");
    }
    for args in [&["--json", "daemon", "metrics"][..], &["--json", "completions", "bash"]] {
        let text = world.apex(args).expect(0).json();
        assert!(text["text"].as_str().unwrap().len() > 100, "{args:?}");
    }
    let full = shell(&world, "$apex --help > /dev/full").expect(1);
    assert!(full.stderr.contains("cannot write the output"), "{full:?}");
}

#[test]
fn counts_are_told_without_a_daemon() {
    let world = World::started();
    world.ended(world.add("true"));
    world.add_with(&["--hold"], "true");
    world.apex(["daemon", "stop"]).expect(0);
    let status = world.apex(["--json", "daemon", "status"]).expect(3).json();
    assert_eq!((&status["running"], &status["waiting"]), (&false.into(), &1.into()), "{status}");
    assert_eq!((&status["tasks_processed"], &status["queued"]), (&1.into(), &0.into()), "{status}");
}

#[test]
fn a_socket_that_was_removed_under_a_daemon_is_told() {
    let world = World::started();
    let pid = world.guardian_pid().to_string();
    std::fs::remove_file(world.dot_apex().join("daemon.sock")).unwrap();
    for args in [&["--no-start", "ls"][..], &["daemon", "start"], &["ls"]] {
        let run = world.apex(args).expect(3);
        assert!(run.stderr.contains(&pid) && run.stderr.contains("daemon.sock"), "{args:?} {run:?}");
        assert!(run.stderr.contains("apex daemon stop"), "{args:?} {run:?}");
    }
    let standing = format!("running (pid {pid}), but cannot be reached");
    for (args, code) in [(&["daemon", "status"][..], 3), (&["status"], 0)] {
        let run = world.apex(args).expect(code);
        assert!(run.stderr.contains(&pid) && run.stdout.contains(&standing), "{args:?} {run:?}");
    }
    world.apex(["daemon", "stop"]).expect(0);
    world.apex(["ls"]).expect(0);
}

#[test]
fn a_daemon_whose_socket_was_replaced_is_told_and_can_be_stopped() {
    let world = World::started();
    let pid = world.guardian_pid().to_string();
    let socket = world.dot_apex().join("daemon.sock");
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, "precious").unwrap();
    let standing = format!("running (pid {pid}), but cannot be reached");
    for (args, code) in [(&["daemon", "status"][..], 3), (&["status"], 0)] {
        let run = world.apex(args).expect(code);
        assert!(run.stderr.contains("apex daemon stop") && run.stdout.contains(&standing), "{args:?} {run:?}");
    }
    let refused = world.apex(["--no-start", "ls"]).expect(3);
    assert!(refused.stderr.contains(&pid) && refused.stderr.contains("apex daemon stop"), "{refused:?}");
    let doctor = world.apex(["doctor", "-q"]).expect(1);
    assert!(doctor.stdout.contains("move away what is in the way"), "{doctor:?}");
    world.apex(["daemon", "stop"]).expect(0);
    world.until_empty();
    let doctor = world.apex(["doctor"]).expect(1);
    assert!(!doctor.stdout.contains("nothing needs to be done"), "{doctor:?}");
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "precious", "it is left alone");
    std::fs::remove_file(&socket).unwrap();
    world.apex(["ls"]).expect(0);
}

#[test]
fn what_stands_in_the_place_of_the_lock_is_named_by_a_stop() {
    let world = World::new();
    let lock = world.dot_apex().join("daemon.lock");
    std::os::unix::fs::symlink("elsewhere", &lock).unwrap();
    for args in [["daemon", "stop"], ["db", "recover"]] {
        let refused = world.apex(args).expect(1);
        let told = &refused.stderr;
        assert!(told.contains("daemon.lock` is in the way") && told.contains("mv "), "{args:?} {refused:?}");
    }
    assert!(!world.dot_apex().join("elsewhere").exists(), "the link was not followed");
}

#[test]
fn wrong_settings_are_told_in_words_that_help() {
    let world = World::new();
    let config = world.dot_apex().join("config.toml");
    let check = |text: &str| {
        std::fs::File::create(&config).unwrap().write_all(text.as_bytes()).unwrap();
        world.apex(["config", "check"]).expect(1).stderr
    };
    let told = check("[daemon]\nlog_level = debug\n");
    assert!(told.contains("line 2") && told.contains("`log_level = \"debug\"`"), "{told}");
    let told = check("[daemon]\npoll_interval = 5s\n");
    assert!(told.contains("`poll_interval = \"5s\"`"), "{told}");
    let told = check("[daemon]\nmax_concurrent = 2\nmax_concurrent = 3\n");
    assert!(told.contains("max_concurrent"), "{told}");
    assert!(world.apex(std::iter::empty::<&str>()).expect(0).stderr.contains("configuration cannot be used"));
    std::fs::write(&config, "").unwrap();
    let mut check = world.command(["config", "check"]);
    check.env("APEX_DAEMON_MAX_CONCURENT", "3").env("APEX_TASK_ID", "7");
    let told = run(check).expect(1).stderr;
    assert!(told.contains("APEX_DAEMON_MAX_CONCURENT") && told.contains("daemon.max_concurrent"), "{told}");
    world.apex(["config", "check"]).expect(0);
}

#[test]
fn the_far_future_is_far_away_and_nothing_worse() {
    let world = World::started();
    for flags in [&["--in", "99999999d"][..], &["--at", "9999-12-31T23:59:59Z"]] {
        let args = [&["add"][..], flags, &["--", "true"]].concat();
        let run = world.apex(args).expect(2);
        assert!(run.stderr.contains("too far away"), "{flags:?} {run:?}");
    }
    world.add_with(&["--in", "999999d"], "true");
    for args in [&["ls"][..], &["status"], &["--json", "ls"], &["task", "why", "1"], &["task", "show", "1"]] {
        world.apex(args).expect(0);
    }
    world.ended(world.add("true"));
}

#[test]
fn a_signal_to_what_has_ended_is_refused_with_a_next_step() {
    let world = World::started();
    world.ended(world.add("true"));
    let kill = world.apex(["task", "kill", "1"]).expect(1);
    assert!(kill.stderr.contains("hint: see how it stands with `apex task show 1`"), "{kill:?}");
}
