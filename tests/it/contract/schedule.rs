//! Schedules.

use serde_json::{Value, json};

use crate::contract::shape::shape;
use crate::contract::{UNTIL_GO, go, listed, output};
use crate::support::{Run, World, eventually};

/// Returns a schedule as programs see it.
fn schedule(world: &World, name: &str) -> Value {
    world.apex(["schedule", "show", "--json", name]).expect(0).json()
}

/// Adds a schedule with these flags, which runs a shell line.
fn add(world: &World, name: &str, flags: &[&str], line: &str) -> Run {
    world.apex([&["schedule", "add", name][..], flags, &["--", "sh", "-c", line]].concat())
}

/// Returns the next times of a cron line on the clock of a time zone.
fn times(world: &World, line: &str, zone: &str) -> Vec<String> {
    add(world, "x", &["--cron", line, "--tz", zone], "true").expect(0);
    let next = schedule(world, "x")["next"].clone();
    world.apex(["schedule", "rm", "x"]).expect(0);
    next.as_array().unwrap().iter().map(|at| at.as_str().unwrap().to_owned()).collect()
}

/// Returns whether this machine knows the time zones of the world.
fn knows_zones() -> bool {
    std::path::Path::new("/usr/share/zoneinfo/Europe/Vienna").exists()
}

/// Row: json shapes / schedule
/// Row: schedules / schedule pause
#[test]
fn a_schedule_has_these_keys() {
    let world = World::with_config("[resources]\nseat = 1\n");
    let flags =
        ["--every", "10m", "-l", "kind=test", "--clean-env", "--env", "A=b", "--retries", "2", "--timeout", "5m"];
    let more = ["--need", "seat=1", "--on-failure", "./tell.sh"];
    add(&world, "poll", &[&flags[..], &more].concat(), "true").expect(0);
    let before = schedule(&world, "poll");
    assert_eq!(before["next"][0], before["next_at"]);
    assert_eq!(before["next"].as_array().unwrap().len(), 5);
    let shown = world.apex(["schedule", "show", "poll"]).expect(0).stdout;
    assert!(shown.contains("seat=1") && shown.contains("on failure: ./tell.sh"), "{shown}");
    let paused = world.apex(["schedule", "pause", "poll", "--json"]).expect(0).stdout;
    assert_eq!(world.apex(["schedule", "show", "poll", "--json"]).expect(0).stdout, paused);
    insta::assert_snapshot!(shape(&paused), @r#"
    {
      name: "poll"
      cron: null
      every_ms: 600000
      at: null
      time_zone: "UTC"
      missed: "once"
      overlap: "skip"
      paused: true
      paused_reason: null
      next_at: null
      last_at: null
      last_task: null
      newest_task: null
      created_at: <string>
      task: {
        name: "poll"
        labels: {
          kind: "test"
        }
        queue: "default"
        priority: 0
        command: "sh -c true"
        argv: ["sh", "-c", "true"]
        shell: false
        cwd: <string>
        stdin: "empty"
        env_names: ["A"]
        key: null
        max_attempts: 3
        timeout_ms: 300000
        output_limit: null
        needs: {
          seat: 1
        }
        nice: null
        cpus: null
        rlimits: {}
        memory: null
        cpu_limit: null
        hooks: {
          failure: "./tell.sh"
        }
      }
      next: []
    }
    "#);
}

/// Row: schedules / schedule add
/// Row: schedules / its tasks
/// Row: schedules / --every
#[test]
fn a_schedule_adds_tasks_by_itself_with_what_held_at_its_add() {
    let world = World::started();
    std::fs::create_dir(world.path("deep")).unwrap();
    let flags = ["--every", "1s", "--cwd", "deep", "--env", "WHO=me", "-Q", "default", "-p", "3"];
    let said = add(&world, "poll", &flags, "echo $WHO; pwd; umask").expect(0);
    assert!(said.stderr.contains("schedule poll added, due "), "{said:?}");
    eventually("a second one was added", || listed(&world, &["--all", "--schedule", "poll"]).len() > 1);
    let task = world.ended(1);
    assert_eq!((&task["name"], &task["schedule"], &task["priority"]), (&json!("poll"), &json!("poll"), &json!(3)));
    let written = output(&world, 1);
    assert!(written.starts_with(&format!("me\n{}\n", world.path("deep").display())), "{written}");
    world.apex(["schedule", "rm", "poll"]).expect(0);
    let events = world.apex(["events", "--json"]).expect(0).stdout;
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let added = events.iter().find(|event| event["kind"] == "task.added" && event["task"] == 1).unwrap();
    assert_eq!(added["by"], "schedule:poll");
    let kinds: Vec<&str> =
        events.iter().filter(|e| e["schedule"] == "poll").map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"schedule.added"), Some(&"schedule.removed")));
    let last = listed(&world, &["--all"]).len() as u64;
    assert_eq!(world.ended(last)["state"], "succeeded", "what was added stays");
    assert_eq!(listed(&world, &["--all", "--schedule", "elephant"]), [0_u64; 0]);
}

/// Row: schedules / --cron
#[test]
fn a_cron_line_is_read_and_what_is_wrong_with_it_is_named() {
    let world = World::started();
    for line in ["*/5 9-17/2 1,15 jan-mar mon-fri", "@daily", "0 0 29 2 *", "59 23 31 dec 7"] {
        add(&world, "x", &["--cron", line], "true").expect(0);
        assert_eq!(schedule(&world, "x")["cron"], line);
        world.apex(["schedule", "rm", "x"]).expect(0);
    }
    for (line, wrong) in [
        ("60 * * * *", "minute `60`"),
        ("* 24 * * *", "hour `24`"),
        ("* * 0 * *", "day of the month `0`"),
        ("* * * 13 *", "month `13`"),
        ("* * * * fri-mon", "day of the week `fri-mon`"),
        ("* * * *", "has 4 field(s)"),
        ("@reboot", "@reboot"),
    ] {
        let refused = add(&world, "x", &["--cron", line], "true").expect(2);
        assert!(refused.stderr.contains(wrong), "{line}: {refused:?}");
    }
    assert_eq!(world.apex(["schedule", "list", "--json"]).expect(0).json(), json!([]));
}

/// Row: schedules / never fires
#[test]
fn what_would_never_fire_is_refused() {
    let world = World::started();
    let refused = add(&world, "x", &["--cron", "0 0 30 2 *", "--json"], "true").expect(2);
    assert_eq!(refused.error()["kind"], "invalid");
    assert!(refused.stderr.contains("`0 0 30 2 *` never fires"), "{refused:?}");
    let refused = add(&world, "x", &["--at", "2020-01-01T00:00:00Z"], "true").expect(2);
    assert!(refused.stderr.contains("has passed already"), "{refused:?}");
    let refused = add(&world, "x", &["--every", "100ms"], "true").expect(2);
    assert!(refused.stderr.contains("every `1s` at most"), "{refused:?}");
    assert_eq!(world.apex(["schedule", "list", "-q"]).expect(0).stdout, "");
    let several = ["schedule", "add", "x", "--every", "1m", "--cron", "@daily", "--", "true"];
    world.apex(several).expect(2);
    world.apex(["schedule", "add", "x", "--", "true"]).expect(2);
}

/// Row: schedules / --at
#[test]
fn a_single_time_comes_once() {
    let world = World::started();
    add(&world, "once", &["--at", "in 1s"], "echo now").expect(0);
    eventually("it has fired", || !schedule(&world, "once")["last_at"].is_null());
    let stands = schedule(&world, "once");
    assert_eq!((&stands["next_at"], &stands["next"], &stands["last_task"]), (&json!(null), &json!([]), &json!(1)));
    world.ended(1);
    assert_eq!(output(&world, 1), "now\n");
    let shown = world.apex(["schedule", "show", "once"]).expect(0).stdout;
    assert!(shown.contains("never due again"), "{shown}");
}

/// Row: schedules / --tz
#[test]
fn the_zone_is_kept_by_its_name() {
    let mut world = World::started();
    add(&world, "here", &["--cron", "@daily"], "true").expect(0);
    assert_eq!(schedule(&world, "here")["time_zone"], "UTC");
    let refused = add(&world, "mars", &["--cron", "@daily", "--tz", "Mars/Olympus"], "true").expect(2);
    assert!(refused.stderr.contains("no time zone `Mars/Olympus`"), "{refused:?}");
    if !knows_zones() {
        return;
    }
    world.set_variable("TZ", "Asia/Tokyo");
    add(&world, "tokyo", &["--cron", "@daily"], "true").expect(0);
    add(&world, "vienna", &["--cron", "@daily", "--tz", "europe/vienna"], "true").expect(0);
    assert_eq!(schedule(&world, "tokyo")["time_zone"], "Asia/Tokyo");
    assert_eq!(schedule(&world, "vienna")["time_zone"], "Europe/Vienna");
    assert!(schedule(&world, "tokyo")["next_at"].as_str().unwrap().ends_with("T15:00:00.000Z"));
    let shown = world.apex(["schedule", "show", "tokyo"]).expect(0).stdout;
    assert!(shown.contains("T00:00:00+09:00"), "{shown}");
}

/// Row: schedules / summer time
#[test]
fn the_skipped_and_the_doubled_hour() {
    if !knows_zones() {
        return;
    }
    let world = World::started();
    let of = |line: &str| {
        let times = times(&world, line, "Europe/Vienna");
        times.iter().map(|at| at[11..16].to_owned()).collect::<Vec<_>>()
    };
    // The last Sundays of March and of October: both days must hold, because one of them begins with a star.
    assert_eq!(of("30 2 25-31 3 */7"), ["01:00"; 5], "right after the gap");
    assert_eq!(of("30 2 25-31 10 */7"), ["00:30"; 5], "the first of the two");
    assert_eq!(of("*/30 2 25-31 10 */7")[..5], ["00:00", "00:30", "01:00", "01:30", "00:00"], "in real time");
    let refused = add(&world, "x", &["--cron", "*/30 2 25-31 3 */7", "--tz", "Europe/Vienna"], "true").expect(2);
    assert!(refused.stderr.contains("never fires"), "{refused:?}");
}

/// Row: schedules / --missed
/// Row: schedules / once for each time
#[test]
fn what_was_missed_goes_by_the_policy_and_nothing_fires_twice() {
    let world = World::started();
    for policy in ["skip", "once", "all"] {
        add(&world, policy, &["--every", "1s", "--missed", policy, "--overlap", "queue"], "true").expect(0);
    }
    world.apex(["daemon", "stop"]).expect(0);
    let before = |name: &str| listed(&world, &["--all", "--schedule", name]).len();
    world.apex(["daemon", "start"]).expect(0);
    eventually("all of them go on", || ["skip", "once", "all"].iter().all(|name| before(name) > 2));
    for name in ["skip", "once", "all"] {
        world.apex(["schedule", "pause", name]).expect(0);
        // One task for each time at the most, and as many as there were seconds.
        let stands = schedule(&world, name);
        let at = |key: &str| stands[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
        let seconds = usize::try_from(at("last_at") - at("created_at")).unwrap();
        let tasks = before(name);
        assert!(tasks <= seconds, "{name}: {tasks} tasks in {seconds} s");
        assert!(name != "all" || tasks == seconds, "{name}: {tasks} tasks in {seconds} s");
    }
    let refused = add(&world, "x", &["--every", "1s", "--missed", "often"], "true").expect(2);
    assert!(refused.stderr.contains("skip, once or all"), "{refused:?}");
}

/// Row: schedules / --overlap
#[test]
fn what_has_not_ended_goes_by_the_policy() {
    let world = World::with_config("[daemon]\nmax_concurrent = 9\n");
    add(&world, "skip", &["--every", "1s"], UNTIL_GO).expect(0);
    add(&world, "queue", &["--every", "1s", "--overlap", "queue"], UNTIL_GO).expect(0);
    add(&world, "cancel", &["--every", "1s", "--overlap", "cancel-running"], UNTIL_GO).expect(0);
    let of = |name: &str, state: &str| listed(&world, &["--all", "--schedule", name, "--state", state]).len();
    eventually("two are in the queue", || of("queue", "running,queued") > 1);
    eventually("one was cancelled, and the next runs", || {
        of("cancel", "cancelled") > 0 && of("cancel", "running") == 1
    });
    assert_eq!(listed(&world, &["--all", "--schedule", "skip"]).len(), 1);
    let events = world.apex(["events"]).expect(0).stdout;
    assert!(events.contains("schedule.skipped") && events.contains("has not ended"), "{events}");
    world.apex(["schedule", "rm", "skip", "queue", "cancel"]).expect(0);
    go(&world);
}

/// Row: schedules / schedule run-now
#[test]
fn a_task_can_be_had_at_once() {
    let world = World::started();
    add(&world, "nightly", &["--cron", "@yearly"], "echo hi").expect(0);
    let before = schedule(&world, "nightly");
    world.apex(["schedule", "pause", "nightly"]).expect(0);
    assert_eq!(world.apex(["schedule", "run-now", "nightly"]).expect(0).stdout, "task 1 added\n");
    assert_eq!(world.apex(["schedule", "run-now", "nightly", "-q"]).expect(0).stdout, "2\n");
    let task = world.apex(["schedule", "run-now", "nightly", "--json"]).expect(0).json();
    assert_eq!((&task["id"], &task["schedule"]), (&json!(3), &json!("nightly")));
    world.ended(3);
    world.apex(["schedule", "resume", "nightly"]).expect(0);
    let after = schedule(&world, "nightly");
    assert_eq!(
        (&after["last_at"], &after["last_task"], &after["newest_task"]),
        (&json!(null), &json!(null), &json!(3))
    );
    assert_eq!(Value::Null, before["newest_task"]);
    for key in ["next_at", "next", "task", "created_at"] {
        assert_eq!(after[key], before[key], "its times stay as they are");
    }
    let list = world.apex(["schedule", "list"]).expect(0).stdout;
    assert!(list.contains("task 3"), "{list}");
    let shown = world.apex(["schedule", "show", "nightly"]).expect(0).stdout;
    assert!(shown.contains("run now") && shown.contains("task 3"), "{shown}");
}

/// Row: schedules / schedule resume
#[test]
fn a_resume_goes_on_with_the_next_time() {
    let world = World::started();
    add(&world, "poll", &["--every", "1s", "--missed", "all", "--overlap", "queue"], "true").expect(0);
    world.apex(["schedule", "pause", "poll"]).expect(0);
    let tasks = listed(&world, &["--all"]).len();
    world.apex(["daemon", "restart"]).expect(0);
    let text = world.apex(["schedule", "list"]).expect(0).stdout;
    assert!(text.contains("paused"), "{text}");
    assert_eq!(listed(&world, &["--all"]).len(), tasks);
    let resumed = world.apex(["schedule", "resume", "poll", "--json"]).expect(0).json();
    assert_eq!(resumed["paused"], false);
    let at = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(at(&resumed["next_at"]) > at(&resumed["created_at"]), "{resumed}");
    eventually("it goes on", || listed(&world, &["--all"]).len() > tasks);
}

/// Row: schedules / name in use
/// Row: schedules / unknown name
/// Row: schedules / schedule rm
/// Row: schedules / schedule list
#[test]
fn names_that_are_taken_or_unknown_are_refused() {
    let world = World::started();
    for name in ["nightly", "backup"] {
        add(&world, name, &["--cron", "@yearly"], "true").expect(0);
    }
    let taken = add(&world, "nightly", &["--every", "1m", "--json"], "false").expect(1);
    assert_eq!((&taken.error()["kind"], &taken.error()["id"]), (&json!("conflict"), &json!("nightly")));
    assert_eq!(schedule(&world, "nightly")["cron"], "@yearly", "nothing was changed");
    for verb in ["show", "run-now", "pause", "resume", "edit", "rm"] {
        let unknown = world.apex(["schedule", verb, "nightyl", "--json"]).expect(4);
        assert_eq!(unknown.error()["kind"], "not_found", "{verb}");
        assert!(unknown.error()["hint"].as_str().unwrap().contains("`nightly`"), "{verb}: {unknown:?}");
    }
    for wrong in ["12", "a b", "-x", ""] {
        let refused = world.apex(["schedule", "add", "--every", "1m", "--", wrong, "true"]);
        assert_ne!(refused.code, 0, "{wrong:?}: {refused:?}");
    }
    let some = world.apex(["schedule", "pause", "backup", "nothing"]).expect(1);
    assert!(some.stderr.contains("schedule backup paused") && some.stderr.contains("`nothing`"), "{some:?}");
    let list = world.apex(["schedule", "list", "-q"]).expect(0).stdout;
    assert_eq!(list, "backup\nnightly\n");
    let removed = world.apex(["schedule", "rm", "nightly", "backup", "--json"]).expect(0).json();
    assert_eq!((&removed[0]["name"], &removed[1]["name"]), (&json!("nightly"), &json!("backup")));
    assert_eq!(world.apex(["schedule", "list", "--json"]).expect(0).json(), json!([]));
}

/// Row: schedules / schedule show
/// Row: schedules / status
#[test]
fn what_is_due_next_is_shown_with_and_without_a_daemon() {
    let world = World::started();
    assert_eq!(world.apex(["status", "--json"]).expect(0).json()["schedules"], json!([]));
    for n in 1..8 {
        add(&world, &format!("s{n}"), &["--every", &format!("{n}h")], "true").expect(0);
    }
    world.apex(["schedule", "pause", "s1"]).expect(0);
    let shown = world.apex(["schedule", "show", "s2"]).expect(0).stdout;
    assert_eq!(shown.matches("(in ").count(), 5, "{shown}");
    for _ in 0..2 {
        let status = world.apex(["status", "--json"]).expect(0).json();
        let names: Vec<&Value> = status["schedules"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["s2", "s3", "s4", "s5", "s6"]);
        let text = world.apex(["status"]).expect(0).stdout;
        assert!(text.contains("schedules") && text.contains("every 2h"), "{text}");
        world.apex(["daemon", "stop"]).expect(0);
    }
}

/// Row: schedules / queue rm
#[test]
fn a_queue_that_a_schedule_needs_is_not_removed() {
    let world = World::started();
    world.apex(["queue", "add", "gpu"]).expect(0);
    add(&world, "train", &["--cron", "@yearly", "-Q", "gpu"], "true").expect(0);
    let refused = world.apex(["queue", "rm", "gpu"]).expect(1);
    assert!(refused.stderr.contains("apex schedule rm train"), "{refused:?}");
    world.apex(["schedule", "rm", "train"]).expect(0);
    world.apex(["queue", "rm", "gpu"]).expect(0);
    add(&world, "train", &["--cron", "@yearly", "-Q", "gpu"], "true").expect(4);
}
