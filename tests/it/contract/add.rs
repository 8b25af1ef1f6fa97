//! `task add`, its flags, and `run`.

use std::io::Write;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::contract::{UNTIL_GO, go, output, shell};
use crate::support::{World, eventually};

/// Row: flags of task add / ARGV
/// Row: flags of task add / shell line
#[test]
fn one_argument_is_a_shell_line_and_several_are_a_command() {
    let world = World::started();
    assert_eq!(world.apex(["run", "echo a; echo b"]).stdout, "a\nb\n");
    assert_eq!(world.apex(["run", "echo", "a;", "echo b"]).stdout, "a; echo b\n");
    assert_eq!(world.apex(["run", "--", "echo a"]).code, 127, "after -- it is a program's name");
    assert_eq!(world.show(1)["shell"], json!(true));
    assert_eq!(world.show(2)["shell"], json!(false));
}

/// Row: flags of task add / answer
#[test]
fn an_add_prints_the_number() {
    let world = World::started();
    assert_eq!(world.apex(["task", "add", "--", "true"]).expect(0).stdout, "task 1 added\n");
    assert_eq!(world.apex(["task", "add", "-q", "--", "true"]).expect(0).stdout, "2\n");
    assert_eq!(world.apex(["task", "add", "--json", "--", "true"]).expect(0).json()["id"], 3);
}

/// Row: flags of task add / surroundings
/// Row: flags of task add / APEX_ variables
/// Row: flags of task add / --env
#[test]
fn a_task_runs_where_and_as_it_was_added() {
    let world = World::started();
    std::fs::create_dir(world.path("sub dir")).unwrap();
    let mut add = world.command([
        "task",
        "add",
        "-q",
        "--env",
        "EXTRA=1 2",
        "--",
        "sh",
        "-c",
        "pwd; umask; echo $EXTRA; echo $GIVEN; ulimit -Sn",
    ]);
    add.current_dir(world.path("sub dir")).env("GIVEN", "yes").env("APEX_LOG_LEVEL", "debug");
    let id: u64 = crate::support::run(add).expect(0).stdout.trim().parse().unwrap();
    world.ended(id);
    let output = world.apex(["task", "logs", &id.to_string()]).stdout;
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0], world.path("sub dir").to_str().unwrap());
    assert_eq!(lines[1..4], ["0022", "1 2", "yes"], "{output}");
    let names = world.show(id)["env_names"].clone();
    assert!(names.as_array().unwrap().contains(&json!("GIVEN")));
    assert!(!names.as_array().unwrap().contains(&json!("APEX_LOG_LEVEL")), "{names}");
}

/// Row: flags of task add / surroundings
#[test]
fn umask_and_soft_limits_are_those_of_the_add() {
    let world = World::started();
    let limited = "umask 027; ulimit -Sn 100; ulimit -Sc 0; exec $apex run 'umask; ulimit -Sn; ulimit -Sc'";
    assert_eq!(shell(&world, limited).expect(0).stdout, "0027\n100\n0\n");
}

/// Row: flags of task add / uuid
#[test]
fn an_add_that_is_sent_twice_is_one_task() {
    let world = World::started();
    let ids = crate::wire::add_again(&world, "echo once >> effects", 3);
    assert_eq!(ids, [1, 1, 1]);
    world.ended(1);
    assert_eq!(world.add("true"), 2);
    assert_eq!(std::fs::read_to_string(world.path("effects")).unwrap(), "once\n");
}

/// Row: flags of task add / ids
#[test]
fn ids_ascend_from_1_in_every_project() {
    for _ in 0..2 {
        let world = World::started();
        assert_eq!([world.add("true"), world.add("true")], [1, 2]);
        world.apex(["daemon", "stop"]).expect(0);
        assert_eq!(world.add("true"), 3);
    }
}

/// Row: flags of task add / -n
#[test]
fn a_name_has_a_character_that_no_number_has() {
    let world = World::started();
    for (flags, name) in
        [(&["-n", "a1"][..], "a1"), (&["--name", "größe — 12 %"], "größe — 12 %"), (&["-n", "1_2"], "1_2")]
    {
        let id = world.add_with(flags, "true");
        assert_eq!(world.show(id)["name"], name);
    }
    for wrong in ["12", "1-2", "1,2", "-", ""] {
        let run = world.apex(["task", "add", &format!("--name={wrong}"), "--", "true"]);
        assert_eq!(run.code, 2, "{wrong:?} {run:?}");
    }
}

/// Row: flags of task add / -l
#[test]
fn labels_have_keys_and_may_have_values() {
    let world = World::started();
    let id = world.add_with(&["-l", "team=core", "--label", "nightly", "-l", "url=a=b"], "true");
    assert_eq!(world.show(id)["labels"], json!({"team": "core", "nightly": "", "url": "a=b"}));
    world.apex(["task", "add", "-l", "=value", "--", "true"]).expect(2);
}

/// Row: flags of task add / -p
#[test]
fn order_is_priority_then_the_order_of_adding() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    let gate = world.path("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let first = world.add("echo first >> order; cat gate");
    world.until_state(first, "running");
    for (flags, name) in
        [(vec![], "a"), (vec!["--priority", "5"], "high"), (vec![], "b"), (vec!["--priority=-1"], "low")]
    {
        world.add_with(&flags, &format!("echo {name} >> order"));
    }
    std::fs::write(&gate, "").unwrap();
    world.apex(["task", "wait", "2", "3", "4", "5"]).expect(0);
    assert_eq!(std::fs::read_to_string(world.path("order")).unwrap(), "first\nhigh\na\nb\nlow\n");
}

/// Row: flags of task add / -p
#[test]
fn a_priority_has_32_bits() {
    let world = World::started();
    for priority in [i32::MIN, -1, i32::MAX] {
        let id = world.add_with(&["--hold", &format!("-p={priority}")], "true");
        assert_eq!(world.show(id)["priority"], json!(priority));
    }
    world.apex(["task", "add", "-p", "2147483648", "--", "true"]).expect(2);
}

/// Row: flags of task add / --hold
/// Row: commands on tasks / task release
/// Row: states / held
#[test]
fn a_held_task_waits_for_its_release() {
    let world = World::started();
    let id = world.add_with(&["--hold"], "echo now");
    assert_eq!(world.state(id), "held");
    let other = world.add("true");
    world.ended(other);
    assert_eq!(world.state(id), "held");
    world.apex(["task", "release", &id.to_string()]).expect(0);
    assert_eq!(world.ended(id)["state"], "succeeded");
    let again = world.apex(["task", "release", &id.to_string()]).expect(1);
    assert!(again.stderr.contains("succeeded"), "{again:?}");
}

/// Row: flags of task add / --cwd
#[test]
fn the_directory_can_be_named() {
    let world = World::started();
    std::fs::create_dir(world.path("sub")).unwrap();
    assert_eq!(world.apex(["run", "--cwd", "/", "--", "pwd"]).expect(0).stdout, "/\n");
    let there = world.apex(["run", "--cwd", "sub", "--", "pwd"]).expect(0).stdout;
    assert_eq!(there.trim(), world.path("sub").to_str().unwrap());
    assert_eq!(world.show(2)["cwd"], world.path("sub").to_str().unwrap());
}

/// Row: flags of task add / --env
#[test]
fn variables_are_set_over_those_that_are_taken_over() {
    let world = World::started();
    let flags = ["--env", "A=1", "--env", "B=x,y=z", "--env", "HOME=/elsewhere", "--env", "EMPTY="];
    let line = "echo \"$A $B $HOME ${EMPTY-unset}.\"";
    let args = [&["run"][..], &flags, &["--", "sh", "-c", line]].concat();
    assert_eq!(world.apex(args).expect(0).stdout, "1 x,y=z /elsewhere .\n");
}

/// Row: flags of task add / --clean-env
/// Row: flags of task add / --env-file
#[test]
fn clean_env_and_env_files() {
    let world = World::started();
    std::fs::write(world.path("vars"), "# a comment\nFROM_FILE=one\nQUOTED=\"two three\"\n").unwrap();
    let run = world.apex(["run", "--clean-env", "--env-file", "vars", "--env", "PATH=/usr/bin:/bin", "--", "env"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines.contains(&"FROM_FILE=one") && lines.contains(&"QUOTED=two three"), "{run:?}");
    assert!(!lines.iter().any(|line| line.starts_with("HOME=")), "{run:?}");
}

/// Row: flags of task add / --show-env
#[test]
fn environment_values_are_shown_only_when_asked_for() {
    let world = World::started();
    let secret = "planted-4711-secret";
    let mut add = world.command(["task", "add", "--json", "--", "true"]);
    add.env("TOKEN", secret);
    let added = crate::support::run(add).expect(0);
    world.ended(1);
    let mut everything = added.stdout + &added.stderr + &world.log();
    for args in [
        &["task", "show", "1"][..],
        &["task", "show", "--json", "1"],
        &["task", "list"],
        &["task", "list", "--json", "--all"],
        &["status"],
        &["daemon", "logs"],
    ] {
        let run = world.apex(args);
        everything += &(run.stdout + &run.stderr);
    }
    assert!(everything.contains("TOKEN") && !everything.contains(secret), "{everything}");
    let shown = world.apex(["task", "show", "--show-env", "1"]).expect(0).stdout;
    assert!(shown.contains(secret), "the positive control: {shown}");
}

/// Row: flags of task add / --stdin FILE
/// Row: flags of task add / --stdin -
/// Row: flags of task add / stdin
#[test]
fn standard_input_comes_from_a_file_or_from_the_client() {
    let world = World::started();
    std::fs::write(world.path("input"), "from a file").unwrap();
    assert_eq!(world.apex(["run", "--stdin", "input", "--", "cat"]).stdout, "from a file");

    let mut add = world.command(["run", "--stdin", "-", "--", "wc", "-c"]);
    let mut child = add.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let sent = vec![b'x'; 300_000];
    child.stdin.take().unwrap().write_all(&sent).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "300000");

    assert_eq!(world.apex(["run", "--", "wc", "-c"]).stdout.trim(), "0", "empty without --stdin");
}

/// Row: flags of task add / --split-output
/// Row: commands on tasks / task logs --stdout, --stderr
#[test]
fn output_can_go_to_two_files() {
    let world = World::started();
    let id = world.add_with(&["--split-output"], "echo out; echo err >&2");
    world.ended(id);
    let logs = |flag: &str| world.apex(["task", "logs", flag, &id.to_string()]).expect(0).stdout;
    assert_eq!(logs("--stdout"), "out\n");
    assert_eq!(logs("--stderr"), "err\n");
    let both = world.apex(["task", "logs", &id.to_string()]).expect(0);
    assert_eq!((both.stdout.as_str(), both.stderr.as_str()), ("out\n", "err\n"));
}

/// Row: flags of task add / --wait
#[test]
fn an_add_can_wait_for_the_end() {
    let world = World::started();
    let run = world.apex(["task", "add", "--wait", "--", "sh", "-c", "echo hidden; exit 3"]).expect(3);
    assert!(!run.stdout.contains("hidden"), "{run:?}");
    let run = world.apex(["task", "add", "--wait", "--json", "--", "true"]).expect(0);
    assert_eq!(run.json()["state"], "succeeded");
}

/// Row: flags of task add / --follow
#[test]
fn an_add_can_follow_the_output_and_prints_nothing_else() {
    let world = World::started();
    let run = world.apex(["task", "add", "--follow", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]).expect(3);
    assert_eq!(run.stdout, "out\nerr\n");
    let run = world.apex(["task", "add", "--follow", "-q", "--", "true"]).expect(0);
    assert_eq!(run.stdout, "");
}

/// Row: flags of task add / missing program
/// Row: reason codes / spawn
#[test]
fn a_program_that_is_not_there_is_127_and_one_that_may_not_run_126() {
    let world = World::started();
    let add = world.apex(["task", "add", "--", "no-such-program", "x"]).expect(0);
    assert!(add.stderr.contains("no-such-program"), "a warning at add: {add:?}");
    let task = world.ended(1);
    assert_eq!(
        (&task["state"], &task["exit_code"], &task["reason_code"]),
        (&json!("failed"), &json!(127), &json!("spawn"))
    );
    assert!(task["reason"].as_str().unwrap().contains("no-such-program"), "{task}");

    std::fs::write(world.path("plain"), "not a program").unwrap();
    let run = world.apex(["run", "--", "./plain"]);
    assert_eq!(run.code, 126, "{run:?}");

    let run = world.apex(["run", "--cwd", "nowhere", "--", "true"]);
    assert_eq!(run.code, 127, "{run:?}");
    assert!(run.stderr.contains("nowhere"), "{run:?}");
}

/// Row: flags of task add / run
#[test]
fn run_takes_the_flags_of_add_and_follows() {
    let world = World::started();
    let flags = ["run", "-n", "greet", "-l", "kind=test", "-p", "7", "--env", "WHO=you", "--split-output"];
    let run = world.apex(flags.iter().chain(&["--", "sh", "-c", "echo hello $WHO; echo aside >&2"])).expect(0);
    assert_eq!(run.stdout, "hello you\n");
    assert_eq!(run.stderr, "aside\n");
    let task = world.show(1);
    assert_eq!(
        (&task["name"], &task["labels"], &task["priority"]),
        (&json!("greet"), &json!({"kind": "test"}), &json!(7))
    );
}

/// Row: flags of task add / --key
#[test]
fn a_key_is_one_task_until_that_has_ended() {
    let world = World::started();
    let add = |flags: &[&str]| world.apex([&["task", "add", "--key", "nightly"][..], flags, &["--", "true"]].concat());
    assert_eq!(add(&["--hold"]).expect(0).stdout, "task 1 added\n");
    assert_eq!(add(&[]).expect(0).stdout, "task 1 is there already\n");
    assert_eq!(add(&["-q"]).expect(0).stdout, "1\n");
    let task = add(&["--json"]).expect(0).json();
    assert_eq!((&task["id"], &task["key"], &task["state"]), (&json!(1), &json!("nightly"), &json!("held")));
    world.apex(["task", "release", "1"]).expect(0);
    world.ended(1);
    assert_eq!(add(&["-q", "--wait"]).expect(0).stdout, "2\n");
    assert_eq!(world.apex(["task", "add", "--key=", "--", "true"]).expect(2).stdout, "");
}

/// Row: flags of task add / run, signals
#[test]
fn ctrl_c_cancels_a_run_and_twice_kills_it() {
    let world = World::with_config("[shutdown]\nkill_grace = \"60s\"\n");
    let run = world.spawn(["run", "--", "sh", "-c", "echo $$ > pid; sleep 1000"]);
    eventually("it runs", || world.path("pid").exists());
    run.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(run.wait().code, 128 + 15);
    assert_eq!(world.show(1)["state"], "cancelled");

    let run = world.spawn(["run", "--", "sh", "-c", "trap '' TERM; echo > stubborn; while :; do sleep 0.05; done"]);
    eventually("it runs", || world.path("stubborn").exists());
    run.signal(nix::sys::signal::Signal::SIGINT);
    eventually("the cancel has arrived", || world.show(2)["cancel_requested_at"].is_string());
    run.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(run.wait().code, 128 + 9);
    assert_eq!(world.show(2)["state"], "cancelled");
}

/// Row: flags of task add / run, signals
#[test]
fn sigterm_to_a_run_cancels_its_task() {
    let world = World::started();
    let run = world.spawn(["run", "--", "sh", "-c", "echo > begun; exec sleep 1000"]);
    eventually("it runs", || world.path("begun").exists());
    run.signal(Signal::SIGTERM);
    run.wait().expect(128 + 15);
    assert_eq!(world.show(1)["state"], "cancelled");
}

/// Row: flags of task add / run, lost
#[test]
fn a_run_that_loses_its_terminal_leaves_the_task_running() {
    let world = World::new();
    let run = world.spawn(["run", "--", "sh", "-c", "echo > begun; while [ ! -e go ]; do sleep 0.01; done"]);
    eventually("it runs", || world.path("begun").exists());
    run.signal(nix::sys::signal::Signal::SIGHUP);
    run.wait();
    assert_eq!(world.state(1), "running");
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(world.ended(1)["state"], "succeeded");
}

/// Row: flags of task add / run, lost
#[test]
fn a_run_that_is_killed_leaves_the_task_running() {
    let world = World::started();
    let run = world.spawn(["run", "--", "sh", "-c", &format!("echo > begun; {UNTIL_GO}; echo done")]);
    eventually("it runs", || world.path("begun").exists());
    run.signal(Signal::SIGKILL);
    run.wait();
    assert_eq!(world.state(1), "running");
    go(&world);
    assert_eq!(world.ended(1)["state"], "succeeded");
    assert_eq!(output(&world, 1), "done\n");
}

/// Row: flags of task add / --at, as understood
#[test]
fn a_time_in_words_is_told_as_it_was_understood() {
    let world = World::started();
    let add = world.apex(["add", "--at", "2100-01-01T09:00:00+01:00", "--", "true"]).expect(0);
    assert_eq!(add.stdout, "task 1 added\n");
    assert!(add.stderr.starts_with("it starts at 2100-01-01T08:00:00+00:00 (in "), "{add:?}");
    for quiet in ["-q", "--json"] {
        assert_eq!(world.apex(["add", quiet, "--in", "1h", "--", "true"]).expect(0).stderr, "");
    }
    let edit = world.apex(["task", "edit", "1", "--set", "at=2101-01-01T00:00:00Z"]).expect(0);
    assert!(edit.stderr.starts_with("task 1 changed, starts at 2101-01-01T00:00:00+00:00 (in "), "{edit:?}");
    let same = world.apex(["task", "edit", "1", "--set", "priority=3"]).expect(0);
    assert_eq!(same.stderr, "task 1 changed\n");
    let pause = world.apex(["queue", "pause", "default", "--until", "2100-01-01T00:00:00Z"]).expect(0);
    assert!(pause.stderr.starts_with("queue default paused until 2100-01-01T00:00:00+00:00 (in "), "{pause:?}");
}
