//! How far tasks say they are.

use serde_json::{Value, json};

use crate::contract::shape::shape;
use crate::contract::{UNTIL_GO, go, shell};
use crate::support::{World, eventually};

const APEX: &str = env!("CARGO_BIN_EXE_apex");

/// Returns the changes that are about how far tasks are.
fn told(world: &World) -> Vec<Value> {
    let events = world.apex(["events", "--json"]).expect(0).stdout;
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["kind"] == "task.progress").collect()
}

/// Row: commands on tasks / progress
/// Row: json shapes / progress
#[test]
fn a_task_says_how_far_it_is_and_everybody_sees_it() {
    let world = World::started();
    let line =
        format!("sleep 0.2; {APEX} progress 2 --total 200 --message 'step one' && {APEX} progress 3; {UNTIL_GO}");
    let id = world.add(&line);
    eventually("what it said last is stored", || world.show(id)["progress"]["done"] == 3);
    let shown = world.show(id);
    let progress = &shown["progress"];
    assert_eq!(
        (&progress["total"], &progress["percent"], &progress["message"]),
        (&json!(200), &json!(1), &json!("step one"))
    );
    assert!(shown["eta_ms"].as_u64().is_some() && shown["expected_ms"].is_null(), "{shown}");
    for args in [&["ls"][..], &["task", "show", "1"], &["status"]] {
        let text = world.apex(args).expect(0).stdout;
        assert!(text.contains(" 1%"), "{args:?}: {text}");
    }
    assert!(world.apex(["status"]).expect(0).stdout.contains("step one"));
    let events = told(&world);
    assert_eq!((&events[0]["progress"]["done"], &events[0]["by"]), (&json!(2), &json!("task:1")));
    assert_eq!(events.last().unwrap()["progress"]["done"], 3);
    assert!(world.apex(["events"]).expect(0).stdout.contains("(1%, 2 of 200: step one)"));
    let taken = world.apex(["progress", "--done", "--task", "1", "--wait", "--json"]).expect(0).stdout;
    insta::assert_snapshot!(shape(&taken), @r#"
    {
      task: 1
      attempt: 1
      progress: {
        done: 200
        total: 200
        percent: 100
        message: "step one"
        at: <string>
      }
      stored: true
    }
    "#);
    go(&world);
    let ended = world.ended(id);
    assert_eq!((&ended["progress"]["percent"], &ended["eta_ms"]), (&json!(100), &Value::Null));
}

/// Row: commands on tasks / progress, often
#[test]
fn a_task_that_says_it_without_end_floods_nobody_and_its_last_word_is_kept() {
    let world = World::started();
    let line = format!("i=0; while [ $i -lt 60 ]; do i=$((i + 1)); {APEX} progress $i/60 || exit 9; done");
    let ended = world.ended(world.add(&line));
    assert_eq!((&ended["exit_code"], &ended["progress"]["done"]), (&json!(0), &json!(60)));
    let events = told(&world);
    let took = ended["attempts"][0]["ended_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let took = took - ended["started_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    // The first, one each half second, and the last before its end.
    let most = 3 + usize::try_from(took.total(jiff::Unit::Millisecond).unwrap() as i64 / 500).unwrap();
    assert!((2..=most).contains(&events.len()), "{} in {took}: {events:?}", events.len());
    let all = world.apex(["events", "--json"]).expect(0).stdout;
    let last_words = all.rfind("task.progress").unwrap();
    assert!(last_words < all.find("task.ended").unwrap(), "before its end");
}

/// Row: commands on tasks / progress, refused
#[test]
fn what_is_told_of_nothing_or_comes_late_is_refused() {
    let world = World::started();
    let outside = world.apex(["progress", "40%"]).expect(2);
    assert!(outside.stderr.contains("--task 12"), "{outside:?}");
    world.apex(["progress", "40%", "--task", "7"]).expect(4);
    let held = world.add_with(&["--hold"], "true");
    let waits = world.apex(["progress", "40%", "--task", &held.to_string()]).expect(1);
    assert!(waits.stderr.contains("not running"), "{waits:?}");
    let running = world.add(UNTIL_GO);
    world.until_state(running, "running");
    let of = |args: &[&str]| world.apex([&["progress", "--task", &running.to_string()][..], args].concat());
    of(&["40", "--total", "200"]).expect(0);
    for (wrong, why) in [
        (&["201"][..], "more than the total"),
        (&["9/8"], "more than the total"),
        (&["half"], "40%"),
        (&["40%", "--total", "3"], "--total"),
        (&["40", "--done"], "--done"),
        (&[], "required"),
    ] {
        let run = of(wrong);
        assert!([1, 2].contains(&run.code) && run.stderr.contains(why), "{wrong:?}: {run:?}");
    }
    assert!(of(&["-m", &"x".repeat(1_001)]).expect(2).stderr.contains("1001 bytes"));
    let late = shell(
        &world,
        &format!(
            "APEX_TASK_ID={running} APEX_ATTEMPT=7 APEX_PROJECT_PATH={} $apex progress 50",
            world.root().display()
        ),
    );
    assert!(late.code == 1 && late.stderr.contains("attempt 1 is the present one"), "{late:?}");
    assert_eq!(world.show(running)["progress"]["done"], 40, "nothing has changed");
    go(&world);
    world.ended(running);
    of(&["41"]).expect(1);
    world.apex(["daemon", "stop"]).expect(0);
    let stopped = of(&["41"]).expect(3);
    assert!(!world.status()["running"].as_bool().unwrap(), "it starts none: {stopped:?}");
}

/// Row: commands on tasks / progress, expected
#[test]
fn earlier_runs_of_a_name_tell_how_long_it_takes() {
    let world = World::started();
    for _ in 0..3 {
        world.ended(world.add_with(&["-n", "nap"], "sleep 0.05"));
    }
    let id = world.add_with(&["-n", "nap"], UNTIL_GO);
    world.until_state(id, "running");
    let expected = world.show(id)["expected_ms"].as_u64().unwrap();
    assert!((50..20_000).contains(&expected), "{expected}");
    assert!(world.apex(["task", "show", &id.to_string()]).expect(0).stdout.contains("usually takes"));
    go(&world);
    assert_eq!(world.ended(id)["expected_ms"], Value::Null);
}
