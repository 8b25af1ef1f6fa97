//! The task store as a person handles it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::contract::listed;
use crate::support::World;

/// Row: commands on tasks / db check
/// Row: commands on tasks / db, no task store
/// Row: names and projects / never started
#[test]
fn a_check_says_whether_all_of_it_is_sound() {
    let world = World::new();
    for args in [&["db", "check"][..], &["db", "backup", "copy.db"], &["db", "recover"]] {
        let refused = world.apex(args).expect(4);
        assert!(refused.stderr.contains("apex.db"), "{refused:?}");
    }
    world.apex(["daemon", "start"]).expect(0);
    world.ended(world.add("exit 3"));
    world.apex(["db", "check"]).expect(0);
    world.apex(["daemon", "stop"]).expect(0);
    let sound = world.apex(["db", "check"]).expect(0);
    assert!(sound.stdout.contains("is sound"), "{sound:?}");
    assert!(world.processes().is_empty(), "nothing was started");

    let db = rusqlite::Connection::open(world.dot_apex().join("apex.db")).unwrap();
    db.execute("UPDATE counter SET n = n + 1", []).unwrap();
    db.close().unwrap();
    let wrong = world.apex(["db", "check"]).expect(1);
    assert!(wrong.stdout.contains("counter") && wrong.stderr.contains("apex db recover"), "{wrong:?}");
    assert_eq!(world.apex(["db", "check", "--json"]).expect(1).json()["sound"], json!(false));
}

/// Row: commands on tasks / db backup
#[test]
fn a_backup_is_a_whole_database() {
    let world = World::started();
    let failed = world.add("exit 3");
    world.ended(failed);
    world.add_with(&["--hold"], "true");
    let copied = world.apex(["db", "backup", "copy.db", "--json"]).expect(0).json();
    let copy = world.path("copy.db");
    assert_eq!(copied["bytes"], json!(fs::metadata(&copy).unwrap().len()));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&copy).unwrap();
    let refused = world.apex(["db", "backup", "copy.db"]).expect(1);
    assert!(refused.stderr.contains("copy.db` is there already"), "{refused:?}");
    assert!(refused.stderr.contains("hint: name a file"), "{refused:?}");
    assert!(fs::read(&copy).unwrap() == before, "nothing is written over");
    world.apex(["db", "backup", "no/such/place.db"]).expect(1);
    let names = fs::read_dir(world.root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, [".apex", "copy.db"], "nothing else is left");

    world.add("true");
    world.apex(["daemon", "stop"]).expect(0);
    world.apex(["db", "backup", "second.db"]).expect(0);
    fs::rename(&copy, world.dot_apex().join("apex.db")).unwrap();
    world.apex(["db", "check"]).expect(0);
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(listed(&world, &["--all"]), [1, 2], "as it was when it was copied");
    assert_eq!(world.show(failed)["exit_code"], json!(3));
}

/// Row: commands on tasks / db recover
/// Row: commands on tasks / db recover, running daemon
#[test]
fn what_can_be_read_of_a_damaged_store_is_saved() {
    let world = World::started();
    world.ended(world.add_with(&["--name", "first"], "echo hello"));
    let held = world.add_with(&["--hold"], "true");
    let refused = world.apex(["db", "recover"]).expect(1);
    assert!(refused.stderr.contains("apex daemon stop"), "{refused:?}");
    world.apex(["daemon", "stop"]).expect(0);
    let nothing = world.apex(["db", "recover", "--json"]).expect(0).json();
    assert_eq!(nothing["recovered"], json!(false));

    let path = world.dot_apex().join("apex.db");
    let root: usize = {
        let db = rusqlite::Connection::open(&path).unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'change'";
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let mut content = fs::read(&path).unwrap();
    content[(root - 1) * 4096..root * 4096].fill(0);
    fs::write(&path, &content).unwrap();
    world.apex(["db", "check"]).expect(1);
    world.apex(["daemon", "start"]).expect(3);
    let saved = world.apex(["db", "recover", "--json"]).expect(0).json();
    assert_eq!((&saved["tasks"], &saved["had"]), (&json!(2), &json!(2)), "{saved}");
    assert!(
        saved["losses"].as_array().unwrap().iter().any(|loss| loss.as_str().unwrap().contains("change")),
        "{saved}"
    );
    assert!(fs::read(saved["kept"].as_str().unwrap()).unwrap() == content, "the damaged one is kept");
    world.apex(["db", "check"]).expect(0);
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.state(held), "held");
    assert_eq!(world.apex(["task", "logs", "1"]).expect(0).stdout, "hello\n");
    world.apex(["task", "release", &held.to_string()]).expect(0);
    assert_eq!(world.ended(held)["state"], "succeeded");
    assert_eq!(world.add("true"), 3, "numbers go on");
}

/// Row: commands on tasks / db recover, lost tasks
#[test]
fn what_a_lost_task_wrote_is_not_given_to_another() {
    let world = World::started();
    for word in ["one", "two", "three"] {
        world.ended(world.add(&format!("echo {word}")));
    }
    world.apex(["daemon", "stop"]).expect(0);
    let path = world.dot_apex().join("apex.db");
    let content = fs::read(&path).unwrap();
    fs::write(&path, &content[..4096]).unwrap();
    let checked = world.apex(["db", "check"]).expect(1);
    let told = format!("{}{}", checked.stdout, checked.stderr);
    assert_eq!(told.matches("apex db recover").count(), 1, "the advice is given once: {told}");
    let nothing = world.apex(["db", "recover"]).expect(1);
    assert!(nothing.stdout.contains("no task could be saved"), "{nothing:?}");
    assert!(nothing.stdout.contains("numbered from 4 on"), "{nothing:?}");
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.add("echo four"), 4);
    world.ended(4);
    let output = |id: u64| fs::read_to_string(world.dot_apex().join(format!("output/0/{id}.1.log"))).unwrap();
    assert_eq!([output(1), output(3), output(4)], ["one\n", "three\n", "four\n"]);
}

/// Row: json shapes / db check, backup, recover
#[test]
fn what_is_done_with_the_store_is_told_in_json() {
    let world = World::started();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let check = world.apex(["db", "check", "--json"]).expect(0).stdout;
    assert!(check.starts_with(r#"{"database":""#) && check.ends_with("\"sound\":true,\"findings\":[]}\n"), "{check}");
    let backup = world.apex(["db", "backup", "copy.db", "--json"]).expect(0).json();
    assert_eq!(keys(&backup).len(), 3);
    world.apex(["daemon", "stop"]).expect(0);
    let recover = world.apex(["db", "recover", "--json"]).expect(0).stdout;
    let end = r#""recovered":false,"kept":null,"tasks":null,"had":null,"losses":[]}"#;
    assert!(recover.trim_end().ends_with(end), "{recover}");
}
