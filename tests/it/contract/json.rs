//! The shapes of the public JSON: exactly these keys, in this order.

use serde_json::{Value, json};

use crate::contract::shape::shape;
use crate::contract::{UNTIL_GO, go};
use crate::support::World;

/// Row: json shapes / task
/// Row: json shapes / attempt
/// Row: json shapes / output
#[test]
fn a_task_with_an_attempt_and_its_output() {
    let world = World::started();
    let flags = ["task", "add", "-q", "-n", "greet", "-l", "kind=test", "--clean-env", "--env", "A=b"];
    world.apex(flags.iter().chain(&["echo hello"])).expect(0);
    world.ended(1);
    insta::assert_snapshot!(shape(&world.apex(["task", "show", "--json", "1"]).expect(0).stdout), @r#"
    {
      id: 1
      uuid: <string>
      name: "greet"
      labels: {
        kind: "test"
      }
      queue: "default"
      priority: 0
      state: "succeeded"
      reason_code: null
      reason: null
      command: "echo hello"
      argv: ["echo hello"]
      shell: true
      cwd: <string>
      stdin: "empty"
      env_names: ["A"]
      parent: null
      key: null
      schedule: null
      created_at: <string>
      updated_at: <string>
      run_at: null
      after: []
      after_any: []
      needs: {}
      max_attempts: 1
      attempt: 1
      failures: 0
      timeout_ms: null
      output_limit: null
      slot: 0
      cancel_requested_at: null
      started_at: <string>
      ended_at: <string>
      exit_code: 0
      signal: null
      progress: null
      expected_ms: null
      eta_ms: null
      hooks: {}
      attempts: [
        {
          attempt: 1
          assignment_id: <string>
          worker_id: <string>
          pid: <number>
          state: "succeeded"
          started_at: <string>
          ended_at: <string>
          exit_code: 0
          signal: null
          reason: null
          max_rss_bytes: <number>
          user_ms: <number>
          system_ms: <number>
          granted: {}
          output: [
            {
              stream: "merged"
              path: <string>
              bytes: 6
              sha256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
            }
          ]
        }
      ]
    }
    "#);
}

/// Row: json shapes / task
#[test]
fn a_task_that_never_ran_has_every_key_too() {
    let world = World::started();
    let flags = ["task", "add", "--json", "--hold", "--clean-env", "--", "true"];
    let added = world.apex(flags).expect(0).stdout;
    insta::assert_snapshot!(shape(&added), @r#"
    {
      id: 1
      uuid: <string>
      name: null
      labels: {}
      queue: "default"
      priority: 0
      state: "held"
      reason_code: null
      reason: null
      command: "true"
      argv: ["true"]
      shell: false
      cwd: <string>
      stdin: "empty"
      env_names: []
      parent: null
      key: null
      schedule: null
      created_at: <string>
      updated_at: <string>
      run_at: null
      after: []
      after_any: []
      needs: {}
      max_attempts: 1
      attempt: 0
      failures: 0
      timeout_ms: null
      output_limit: null
      slot: null
      cancel_requested_at: null
      started_at: null
      ended_at: null
      exit_code: null
      signal: null
      progress: null
      expected_ms: null
      eta_ms: null
      hooks: {}
      attempts: []
    }
    "#);
    let keys = |text: &str| {
        serde_json::from_str::<Value>(text).unwrap().as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let list = world.apex(["task", "list", "--json"]).expect(0).json();
    assert_eq!(keys(&list[0].to_string()), keys(&added));
    assert_eq!(keys(&world.apex(["task", "show", "--json", "1"]).stdout), keys(&added));
    assert_eq!(keys(&world.apex(["task", "cancel", "--json", "1"]).stdout), keys(&added));
    assert_eq!(keys(&world.apex(["task", "wait", "--json", "1"]).stdout), keys(&added));
}

/// Row: json shapes / --show-env
#[test]
fn values_of_the_environment_are_one_more_key() {
    let world = World::started();
    world.apex(["task", "add", "--hold", "--clean-env", "--env", "A=b", "--", "true"]).expect(0);
    assert_eq!(world.show(1)["env"], Value::Null);
    let shown = world.apex(["task", "show", "--json", "--show-env", "1"]).expect(0).json();
    assert_eq!(shown["env"], json!({"A": "b"}));
}

/// Row: json shapes / output, streams
#[test]
fn each_stream_is_an_output_of_its_own() {
    let world = World::started();
    let id = world.add_with(&["--split-output"], "echo out; echo error >&2");
    let task = world.ended(id);
    let outputs = task["attempts"][0]["output"].as_array().unwrap();
    let told: Vec<_> =
        outputs.iter().map(|output| (output["stream"].as_str().unwrap(), output["bytes"].as_u64())).collect();
    assert_eq!(told, [("stdout", Some(4)), ("stderr", Some(6))]);
}

/// Row: json shapes / sha256
#[test]
fn what_was_written_has_its_hash_when_the_attempt_has_ended() {
    let world = World::started();
    let id = world.add(&format!("printf abc; {UNTIL_GO}"));
    world.until_state(id, "running");
    go(&world);
    let output = world.ended(id)["attempts"][0]["output"][0].clone();
    // sha256sum of "abc", as FIPS 180-2 has it.
    assert_eq!(output["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let path = output["path"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), "abc");
}

/// Row: json shapes / parent
#[test]
fn a_task_that_adds_a_task_is_its_parent() {
    let world = World::started();
    let apex = env!("CARGO_BIN_EXE_apex");
    let run = world.apex(["run", "--", "sh", "-c", &format!("{apex} task add -q -- true")]);
    assert_eq!(run.stdout, "2\n", "{run:?}");
    assert_eq!(world.show(2)["parent"], json!(1));
    assert_eq!(world.show(1)["parent"], json!(null));
}

/// Row: json shapes / error
#[test]
fn an_error_is_one_object() {
    let world = World::started();
    let unknown = world.apex(["--json", "task", "show", "99"]).expect(4);
    assert_eq!(unknown.stdout, "");
    insta::assert_snapshot!(shape(&unknown.stderr), @r#"
    {
      error: {
        kind: "not_found"
        message: "no task `99`"
        hint: "see what there is with `apex task list --all`"
        id: "99"
      }
    }
    "#);
    world.ended(world.add("true"));
    assert_eq!(world.apex(["--json", "task", "cancel", "1"]).expect(1).error()["kind"], "conflict");
    assert_eq!(world.apex(["--json", "task", "list", "--state", "done"]).expect(2).error()["kind"], "invalid");
    assert_eq!(world.apex(["--json", "-C", "nowhere", "task", "list"]).expect(1).error()["id"], Value::Null);
}

/// Row: json shapes / daemon status
#[test]
fn how_the_daemon_stands_running_or_not() {
    let world = World::started();
    world.ended(world.add("true"));
    let mut status = world.status();
    // It may not have polled yet.
    status["last_poll_at"] = json!("2026-01-15T10:30:00.000Z");
    assert_eq!(status["project"], world.root().to_str().unwrap());
    assert_eq!(status["log_file"], world.dot_apex().join("daemon.log").to_str().unwrap());
    let running = shape(&world.apex(["daemon", "status", "--json"]).expect(0).stdout);
    insta::assert_snapshot!(running.replace("last_poll_at: null", "last_poll_at: <string>"), @r#"
    {
      running: true
      pid: <number>
      guardian_pid: <number>
      restarts: 0
      version: <string>
      started_at: <string>
      uptime_ms: <number>
      project: <string>
      socket: <string>
      log_file: <string>
      max_concurrent: 3
      active: 0
      queued: 0
      waiting: 0
      tasks_processed: 1
      tasks_succeeded: 1
      tasks_failed: 0
      last_poll_at: <string>
      draining: false
      untrusted: false
      held_up: null
      resources: []
      resource_waits: []
      lending: []
    }
    "#);
    world.apex(["daemon", "stop"]).expect(0);
    insta::assert_snapshot!(shape(&world.apex(["daemon", "status", "--json"]).expect(3).stdout), @r#"
    {
      running: false
      pid: null
      guardian_pid: null
      restarts: null
      version: null
      started_at: null
      uptime_ms: null
      project: <string>
      socket: <string>
      log_file: <string>
      max_concurrent: null
      active: null
      queued: 0
      waiting: 0
      tasks_processed: 1
      tasks_succeeded: 1
      tasks_failed: 0
      last_poll_at: null
      draining: null
      untrusted: null
      held_up: null
      resources: null
      resource_waits: null
      lending: null
    }
    "#);
}

/// Row: json shapes / status
#[test]
fn the_whole_project_is_one_object() {
    let world = World::started();
    world.ended(world.add("exit 3"));
    world.add_with(&["--hold"], "true");
    world.apex(["daemon", "stop"]).expect(0);
    let status = world.apex(["status", "--json"]).expect(0).json();
    for (list, id) in [("waiting", 2), ("failed", 1)] {
        assert_eq!(status[list][0]["id"], id, "{status}");
    }
    let mut short = status.clone();
    for list in ["running", "waiting", "failed"] {
        let ids: Vec<Value> = status[list].as_array().unwrap().iter().map(|task| task["id"].clone()).collect();
        short[list] = json!(ids);
    }
    let names: Vec<Value> = status["queues"].as_array().unwrap().iter().map(|queue| queue["name"].clone()).collect();
    short["queues"] = json!(names);
    assert_eq!(short["daemon"]["running"], json!(false));
    short["daemon"] = json!({});
    insta::assert_snapshot!(shape(&short.to_string()), @r#"
    {
      counts: {
        blocked: 0
        cancelled: 0
        failed: 1
        held: 1
        interrupted: 0
        lost: 0
        paused: 0
        queued: 0
        retrying: 0
        running: 0
        scheduled: 0
        skipped: 0
        succeeded: 0
        timed_out: 0
      }
      daemon: {}
      failed: [1]
      queues: ["default"]
      running: []
      schedules: []
      waiting: [2]
      windows: {
        next_change: null
        open: []
      }
    }
    "#);
    assert_eq!(world.apex(["--json"]).expect(0).json()["counts"], status["counts"], "a bare apex is the same");
}

/// Row: json shapes / version
#[test]
fn versions_are_four_numbers() {
    let text = World::bare().apex(["version", "--json"]).expect(0).stdout;
    let numbers: Value = serde_json::from_str(&text).unwrap();
    let shown = shape(&text).replace(&format!("schema: {}", numbers["schema"]), "schema: <number>");
    insta::assert_snapshot!(shown, @r#"
    {
      version: <string>
      proto: 1
      json: 1
      schema: <number>
    }
    "#);
}

/// Row: json shapes / init
#[test]
fn init_tells_where_and_whether_it_is_new() {
    let world = World::bare();
    insta::assert_snapshot!(shape(&world.apex(["init", "--json"]).expect(0).stdout), @r#"
    {
      project: <string>
      config: <string>
      created: true
    }
    "#);
    assert_eq!(world.apex(["init", "--json"]).expect(0).json()["created"], json!(false));
}

/// Row: json shapes / log line
#[test]
fn a_line_of_the_log_is_an_object() {
    let world = World::started();
    world.apex(["daemon", "stop"]).expect(0);
    let log = world.apex(["daemon", "logs", "--json"]).expect(0).stdout;
    let started = log.lines().find(|line| line.contains("Daemon started")).unwrap();
    insta::assert_snapshot!(shape(started), @r#"
    {
      at: <string>
      level: "info"
      message: "Daemon started (poll: 5000ms, max concurrent: 3)"
    }
    "#);
}

/// Row: json shapes / output piece
#[test]
fn a_piece_of_output_is_an_object() {
    let world = World::started();
    world.ended(world.add("printf 'a\\033b'"));
    let pieces = world.apex(["task", "logs", "--json", "1"]).expect(0).stdout;
    insta::assert_snapshot!(shape(&pieces), @r#"
    {
      task: 1
      attempt: 1
      stream: "merged"
      offset: 0
      text: "a\u{1b}b"
    }
    "#);
}

/// Row: json shapes / one, several, a stream
#[test]
fn one_is_an_object_several_an_array_and_a_stream_an_object_a_line() {
    let world = World::started();
    assert_eq!(world.apex(["task", "list", "--json"]).expect(0).json(), json!([]));
    world.ended(world.add("true"));
    world.ended(world.add("true"));
    assert!(world.apex(["task", "list", "--json", "--limit", "1"]).json().is_array());
    assert!(world.apex(["task", "wait", "--json", "1"]).json().is_object());
    assert_eq!(world.apex(["task", "wait", "--json", "1", "2"]).json().as_array().unwrap().len(), 2);
    world.apex(["daemon", "stop"]).expect(0);
    let log = world.apex(["daemon", "logs", "--json"]).expect(0).stdout;
    assert!(
        log.lines().count() > 1 && log.lines().all(|line| serde_json::from_str::<Value>(line).unwrap().is_object())
    );
}

/// Row: json shapes / escapes
#[test]
fn what_could_steer_a_terminal_is_escaped_and_reads_back() {
    let world = World::started();
    let name = "a\u{1b}[2J\u{9b}\u{202e}\u{7f}b";
    world.apex(["task", "add", "--hold", "-n", name, "-l", &format!("k\u{1b}={name}"), "--", "echo", name]).expect(0);
    for args in [&["task", "show", "--json", "1"][..], &["task", "list", "--json"], &["status", "--json"]] {
        let run = world.apex(args);
        let unsafe_character = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!run.stdout.chars().any(unsafe_character), "{args:?} {run:?}");
        assert!(run.stdout.contains("\\u001b") && run.stdout.contains("\\u202e"), "{args:?} {run:?}");
    }
    assert_eq!(world.show(1)["name"], name);
}
