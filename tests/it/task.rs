//! Tasks from their add to their end.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::support::{World, eventually};

#[test]
fn run_shows_the_output_and_passes_the_exit_code_on() {
    let world = World::new();
    let run = world.apex(["run", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(run.stdout, "out\nerr\n", "one file, in true order");
    let task = world.show(1);
    assert_eq!(
        (&task["state"], &task["exit_code"], &task["reason_code"]),
        (&json!("failed"), &json!(3), &json!("exit"))
    );
}

#[test]
fn a_signal_ends_run_with_128_and_its_number() {
    let world = World::started();
    let run = world.apex(["run", "--", "sh", "-c", "kill -SEGV $$"]);
    assert_eq!(run.code, 128 + 11, "{run:?}");
    assert_eq!(world.show(1)["signal"], json!(11));
}

#[test]
fn everything_about_a_task_is_told() {
    let world = World::started();
    let id = world
        .add_with(&["--name", "greet", "--label", "kind=test", "--label", "fast", "--priority", "7"], "echo hello");
    let task = world.ended(id);
    assert_eq!(task["state"], "succeeded");
    assert_eq!(task["name"], "greet");
    assert_eq!(task["labels"], json!({"kind": "test", "fast": ""}));
    assert_eq!(task["priority"], 7);
    assert_eq!(task["argv"], json!(["sh", "-c", "echo hello"]));
    assert_eq!(task["cwd"], world.root().to_str().unwrap());
    assert_eq!(task["attempt"], 1);
    assert_eq!(task["failures"], 0);
    let attempt = &task["attempts"][0];
    assert_eq!(attempt["state"], "succeeded");
    assert!(attempt["max_rss_bytes"].as_u64().unwrap() > 0);
    let output = &attempt["output"][0];
    assert_eq!((&output["stream"], &output["bytes"]), (&json!("merged"), &json!(6)));
    // sha256sum of "hello\n"
    assert_eq!(output["sha256"], "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    let path = output["path"].as_str().unwrap();
    assert!(path.ends_with(".apex/output/0/1.1.log"), "{path}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "hello\n");
}

#[test]
fn no_output_no_file() {
    let world = World::started();
    let task = world.ended(world.add("true"));
    assert_eq!(task["attempts"][0]["output"], json!([]));
    let left: Vec<_> = std::fs::read_dir(world.dot_apex().join("output/0")).into_iter().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

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

#[test]
fn a_task_knows_its_own_number() {
    let world = World::started();
    let run = world.apex([
        "run",
        "--",
        "sh",
        "-c",
        "echo $APEX_TASK_ID $APEX_ATTEMPT $APEX_QUEUE $APEX_SLOT $APEX_PROJECT_PATH",
    ]);
    assert_eq!(run.stdout, format!("1 1 default 0 {}\n", world.root().display()));
}

#[test]
fn clean_env_and_env_files() {
    let world = World::started();
    std::fs::write(world.path("vars"), "# a comment\nFROM_FILE=one\nQUOTED=\"two three\"\n").unwrap();
    let run = world.apex(["run", "--clean-env", "--env-file", "vars", "--env", "PATH=/usr/bin:/bin", "--", "env"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines.contains(&"FROM_FILE=one") && lines.contains(&"QUOTED=two three"), "{run:?}");
    assert!(!lines.iter().any(|line| line.starts_with("HOME=")), "{run:?}");
}

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

#[test]
fn one_argument_is_a_shell_line_and_several_are_a_command() {
    let world = World::started();
    assert_eq!(world.apex(["run", "echo a; echo b"]).stdout, "a\nb\n");
    assert_eq!(world.apex(["run", "echo", "a;", "echo b"]).stdout, "a; echo b\n");
    assert_eq!(world.apex(["run", "--", "echo a"]).code, 127, "after -- it is a program's name");
    assert_eq!(world.show(1)["shell"], json!(true));
    assert_eq!(world.show(2)["shell"], json!(false));
}

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

#[test]
fn never_more_at_once_than_allowed_and_no_fewer() {
    let world = World::with_config("[daemon]\nmax_concurrent = 3\n");
    let ids: Vec<u64> = (0..7).map(|_| world.add("echo $APEX_SLOT; while [ ! -e go ]; do sleep 0.01; done")).collect();
    eventually("three run", || world.status()["active"] == 3);
    assert_eq!(world.status()["queued"], 4);
    std::fs::write(world.path("go"), "").unwrap();
    for id in &ids {
        world.ended(*id);
        let slot = world.apex(["task", "logs", &id.to_string()]).stdout;
        assert!(["0", "1", "2"].contains(&slot.trim()), "{slot}");
    }
    let status = world.status();
    assert_eq!(
        (&status["active"], &status["tasks_processed"], &status["tasks_succeeded"]),
        (&json!(0), &json!(7), &json!(7))
    );
}

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

#[test]
fn a_stubborn_task_is_killed_after_its_grace() {
    let world = World::with_config("[shutdown]\nkill_grace = \"200ms\"\n");
    let id = world.add("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    eventually("it has begun", || world.apex(["task", "logs", &id.to_string()]).stdout == "ready\n");
    world.apex(["task", "cancel", "--wait", &id.to_string()]).expect(0);
    assert_eq!(world.show(id)["signal"], json!(9));
}

#[test]
fn what_waits_is_cancelled_at_once() {
    let world = World::started();
    let id = world.add_with(&["--hold"], "true");
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    let task = world.show(id);
    assert_eq!((&task["state"], &task["attempt"]), (&json!("cancelled"), &json!(0)));
    assert_eq!(world.apex(["task", "wait", &id.to_string()]).code, 1, "it ended without a code");
}

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

#[test]
fn a_normal_end_leaves_no_process_of_its_session() {
    let world = World::started();
    let before = world.processes().len();
    let id = world.add("sleep 1000 & echo done");
    assert_eq!(world.ended(id)["state"], "succeeded");
    assert_eq!(world.processes().len(), before);
}

#[test]
fn waiting_gives_up_after_its_time_and_the_task_goes_on() {
    let world = World::started();
    let id = world.add("while [ ! -e go ]; do sleep 0.01; done");
    world.apex(["task", "wait", "--timeout", "50ms", &id.to_string()]).expect(75);
    let run = world.apex(["run", "--detach-after", "50ms", "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.01; done"]);
    assert_eq!(run.code, 75, "{run:?}");
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(world.ended(id)["state"], "succeeded");
    assert_eq!(world.ended(2)["state"], "succeeded");
}

#[test]
fn a_task_that_adds_a_task_is_its_parent() {
    let world = World::started();
    let apex = env!("CARGO_BIN_EXE_apex");
    let run = world.apex(["run", "--", "sh", "-c", &format!("{apex} task add -q -- true")]);
    assert_eq!(run.stdout, "2\n", "{run:?}");
    assert_eq!(world.show(2)["parent"], json!(1));
    assert_eq!(world.show(1)["parent"], json!(null));
}

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

#[test]
fn many_files_are_compressed_each_by_its_own_task() {
    let world = World::with_config("[daemon]\nmax_concurrent = 4\n");
    let count = 40;
    for n in 0..count {
        std::fs::write(world.path(format!("file{n}")), format!("{n} ").repeat(1000 + n)).unwrap();
    }
    let ids: Vec<u64> = (0..count)
        .map(|n| {
            world
                .apex(["task", "add", "-q", "--", "gzip", &format!("file{n}")])
                .expect(0)
                .stdout
                .trim()
                .parse()
                .unwrap()
        })
        .collect();
    let all: Vec<String> =
        ["task", "wait"].iter().map(|word| (*word).to_owned()).chain(ids.iter().map(u64::to_string)).collect();
    world.apex(&all).expect(0);
    for n in 0..count {
        let output =
            std::process::Command::new("gzip").arg("-dc").arg(world.path(format!("file{n}.gz"))).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{n} ").repeat(1000 + n));
    }
    assert_eq!(world.status()["tasks_succeeded"], json!(count));
}

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
