//! Changing what a task is to do, and when a schedule adds some.

use serde_json::{Value, json};

use crate::contract::output;
use crate::support::{World, eventually};

/// Makes an editor of a shell line; `$1` in it is the file.
fn editor(world: &mut World, line: &str) {
    let script = world.path("editor");
    std::fs::write(&script, line).unwrap();
    world.set_variable("EDITOR", &format!("sh {}", script.display()));
}

fn drafts(world: &World) -> Vec<String> {
    let names = std::fs::read_dir(world.dot_apex()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.contains(".edit-")).collect()
}

/// Row: commands on tasks / task edit --set
#[test]
fn a_task_is_changed_key_by_key() {
    let world = World::started();
    let id = world.add_with(&["--hold", "--env", "SECRET=planted", "--env", "GONE=1"], "true").to_string();
    world.apex(["queue", "add", "slow"]).expect(0);
    let line = "shell=echo $SECRET-$GONE-$ADDED";
    let args = ["--set", line, "--set", "queue=slow", "--set", "labels.team=core", "--set", "priority=5"];
    let env = ["--set", "env.ADDED=new", "--unset", "env.GONE"];
    let changed = world.apex(["task", "edit", &id].iter().chain(&args).chain(&env)).expect(0);
    assert_eq!(changed.stderr, format!("task {id} changed\n"));
    let task = world.show(id.parse().unwrap());
    assert_eq!((&task["queue"], &task["priority"], &task["shell"]), (&json!("slow"), &json!(5), &json!(true)));
    assert_eq!((&task["labels"]["team"], &task["state"]), (&json!("core"), &json!("held")));
    let same = world.apex(["task", "edit", &id, "--set", "priority=5"]).expect(0);
    assert_eq!(same.stderr, format!("task {id} unchanged\n"));
    for (set, code) in [("priority=high", 2), ("naem=x", 2), ("timeout=5", 2), ("queue=nowhere", 4), ("after=99", 1)] {
        world.apex(["task", "edit", &id, "--set", "name=never", "--set", set]).expect(code);
    }
    assert_eq!(world.show(id.parse().unwrap())["name"], json!(null), "nothing is changed if anything is wrong");
    world.apex(["task", "release", &id]).expect(0);
    assert_eq!(world.ended(id.parse().unwrap())["state"], "succeeded");
    assert_eq!(output(&world, id.parse().unwrap()), "planted--new\n");
    let late = world.apex(["task", "edit", &id, "--set", "priority=1"]).expect(1);
    assert!(late.stderr.contains("it has ended"), "{late:?}");
    world.apex(["task", "edit", "99", "--set", "priority=1"]).expect(4);
    let events = world.apex(["events", "--since", "0"]).expect(0).stdout;
    assert_eq!(events.matches("task.edited").count(), 1, "{events}");
}

/// Row: commands on tasks / task edit
#[test]
fn a_task_is_changed_in_an_editor() {
    let mut world = World::started();
    let id = world.add_with(&["--hold", "--env", "SECRET=planted"], "true").to_string();
    editor(&mut world, "stat -c %a \"$1\" > mode; cp \"$1\" seen; sed -i 's/^#timeout.*/timeout = \"1h\"/' \"$1\"");
    let changed = world.apex(["task", "edit", "--json", &id]).expect(0).json();
    assert_eq!((&changed["id"], &changed["timeout_ms"]), (&json!(1), &json!(3_600_000)));
    assert_eq!(std::fs::read_to_string(world.path("mode")).unwrap(), "600\n");
    assert!(!std::fs::read_to_string(world.path("seen")).unwrap().contains("planted"), "values are in no file");
    editor(&mut world, "true");
    assert_eq!(world.apex(["task", "edit", &id]).expect(0).stderr, format!("task {id} unchanged\n"));
    assert_eq!(drafts(&world), [""; 0], "nothing is left behind");
    editor(&mut world, "sed -i 's/^timeout.*/timeout = \"5\"/' \"$1\"");
    let wrong = world.apex(["task", "edit", &id]).expect(1);
    assert!(wrong.stderr.contains("line ") && wrong.stderr.contains("`timeout`"), "{wrong:?}");
    assert!(wrong.stderr.contains(drafts(&world)[0].as_str()), "what was written is kept: {wrong:?}");
    assert_eq!(world.show(1)["timeout_ms"], json!(3_600_000));
    editor(&mut world, "exit 3");
    world.apex(["task", "edit", &id]).expect(1);
}

/// Row: commands on tasks / task edit, started
#[test]
fn what_starts_or_is_changed_meanwhile_is_not_changed() {
    let mut world = World::started();
    let id = world.add_with(&["--hold"], "true").to_string();
    editor(
        &mut world,
        &format!(
            "unset EDITOR; {} task edit {id} --set priority=7; sed -i 's/^priority.*/priority = 1/' \"$1\"",
            env!("CARGO_BIN_EXE_apex")
        ),
    );
    let late = world.apex(["task", "edit", &id]).expect(1);
    assert!(late.stderr.contains("somebody else"), "{late:?}");
    assert_eq!(world.show(1)["priority"], json!(7));
    editor(
        &mut world,
        &format!(
            "{} task release {id}; {} task wait {id}; sed -i 's/^priority.*/priority = 1/' \"$1\"",
            env!("CARGO_BIN_EXE_apex"),
            env!("CARGO_BIN_EXE_apex")
        ),
    );
    let late = world.apex(["task", "edit", &id]).expect(1);
    assert!(late.stderr.contains("it has ended"), "{late:?}");
    editor(&mut world, "touch opened");
    world.apex(["task", "edit", &id]).expect(1);
    assert!(!world.path("opened").exists(), "no editor is opened in vain");
}

/// Returns a schedule as programs see it.
fn schedule(world: &World, name: &str) -> Value {
    world.apex(["schedule", "show", "--json", name]).expect(0).json()
}

/// Row: schedules / schedule edit --set
#[test]
fn a_schedule_is_changed_key_by_key() {
    let world = World::started();
    let env = ["--env", "SECRET=planted", "--env", "GONE=1"];
    let add = ["schedule", "add", "poll", "--cron", "@yearly", "--tz", "UTC"];
    world.apex(add.iter().chain(&env).chain(&["--", "true"])).expect(0);
    let before = schedule(&world, "poll");
    let edit = |args: &[&str]| world.apex([&["schedule", "edit", "poll"], args].concat());
    let line = "shell=echo $SECRET-$GONE-$ADDED";
    let said = edit(&["--set", line, "--set", "env.ADDED=new", "--unset", "env.GONE", "--set", "priority=5"]).expect(0);
    assert_eq!(said.stderr, "schedule poll changed\n");
    let after = schedule(&world, "poll");
    assert_eq!((&after["next_at"], &after["task"]["priority"]), (&before["next_at"], &json!(5)));
    world.apex(["schedule", "run-now", "poll"]).expect(0);
    assert_eq!(world.ended(1)["state"], "succeeded");
    assert_eq!(output(&world, 1), "planted--new\n");
    let timed = edit(&["--set", "every=1s", "--set", "overlap=queue", "--set", "missed=all"]).expect(0);
    assert!(timed.stderr.starts_with("schedule poll changed, due "), "{timed:?}");
    eventually("it adds by its new times", || !schedule(&world, "poll")["last_at"].is_null());
    let yearly = edit(&["--set", "cron=@yearly", "--json"]).expect(0).json();
    assert_eq!((&yearly["cron"], &yearly["every_ms"]), (&json!("@yearly"), &json!(null)));
    assert_eq!((&yearly["overlap"], &yearly["missed"]), (&json!("queue"), &json!("all")));
    // A time that had come just then still fires.
    let next = || schedule(&world, "poll")["next_at"].as_str().unwrap().to_owned();
    eventually("it is due in January", || next().ends_with("-01-01T00:00:00.000Z"));
    let stands = schedule(&world, "poll");
    assert!(stands["last_at"].is_string(), "what has fired has fired: {stands}");
    assert_eq!(edit(&["--set", "priority=5"]).expect(0).stderr, "schedule poll unchanged\n");
    for (set, code, part) in [
        ("cron=0 0 30 2 *", 2, "`0 0 30 2 *` never fires"),
        ("corn=@daily", 2, "unknown key `corn`"),
        ("after=1", 2, "unknown key `after`"),
        ("at=2020-01-01T00:00:00Z", 2, "has passed already"),
        ("tz=Mars/Olympus", 2, "no time zone `Mars/Olympus`"),
        ("missed=often", 2, "skip, once or all"),
        ("queue=nowhere", 4, "no queue `nowhere`"),
        ("needs=gpu", 1, "gpu"),
    ] {
        let refused = edit(&["--set", "name=never", "--set", set]).expect(code);
        assert!(refused.stderr.contains(part), "{set}: {refused:?}");
    }
    edit(&["--set", "cron=@daily", "--set", "every=1h"]).expect(2);
    edit(&["--unset", "cron"]).expect(2);
    assert_eq!(schedule(&world, "poll"), stands, "nothing is changed if anything is wrong");
    let unknown = world.apex(["--json", "schedule", "edit", "pol", "--set", "every=1h"]).expect(4);
    assert!(unknown.error()["hint"].as_str().unwrap().contains("`poll`"), "{unknown:?}");
    let events = world.apex(["events", "--since", "0"]).expect(0).stdout;
    assert_eq!(events.matches("schedule.edited").count(), 3, "{events}");
}

/// Row: schedules / schedule edit
/// Row: schedules / schedule edit, meanwhile
/// Row: schedules / schedule edit, paused
#[test]
fn a_schedule_is_changed_in_an_editor() {
    let mut world = World::started();
    let add = ["schedule", "add", "poll", "--every", "1h", "--paused", "--env", "SECRET=planted", "--", "true"];
    world.apex(add).expect(0);
    let at_once = "sed -e 's/^every.*/every = \"1s\"/' -e 's/^#timeout.*/timeout = \"1h\"/'";
    editor(&mut world, &format!("cp \"$1\" seen; {at_once} -i \"$1\""));
    let changed = world.apex(["schedule", "edit", "--json", "poll"]).expect(0).json();
    assert_eq!((&changed["every_ms"], &changed["task"]["timeout_ms"]), (&json!(1_000), &json!(3_600_000)));
    assert_eq!((&changed["paused"], &changed["next_at"]), (&json!(true), &json!(null)), "it stays paused");
    assert!(!std::fs::read_to_string(world.path("seen")).unwrap().contains("planted"), "values are in no file");
    editor(&mut world, "true");
    assert_eq!(world.apex(["schedule", "edit", "poll"]).expect(0).stderr, "schedule poll unchanged\n");
    assert_eq!(drafts(&world), [""; 0], "nothing is left behind");
    let apex = env!("CARGO_BIN_EXE_apex");
    let meanwhile = format!("unset EDITOR; {apex} schedule edit poll --set priority=7");
    editor(&mut world, &format!("{meanwhile}; sed -i 's/^priority.*/priority = 1/' \"$1\""));
    let late = world.apex(["--json", "schedule", "edit", "poll"]).expect(1);
    assert_eq!(late.error()["kind"], "conflict");
    assert!(late.stderr.contains("somebody else") && late.stderr.contains(&drafts(&world)[0]), "it is kept: {late:?}");
    assert_eq!(schedule(&world, "poll")["task"]["priority"], json!(7));
    editor(&mut world, "sed -i 's/^every.*/cron = \"0 0 30 2 *\"/' \"$1\"");
    let wrong = world.apex(["schedule", "edit", "poll"]).expect(1);
    assert!(wrong.stderr.contains("line ") && wrong.stderr.contains("never fires"), "{wrong:?}");
    editor(&mut world, "touch opened");
    world.apex(["schedule", "edit", "pol"]).expect(4);
    assert!(!world.path("opened").exists(), "no editor is opened in vain");
}
