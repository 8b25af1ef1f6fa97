//! What stands in `.apex/`.

use serde_json::json;

use crate::contract::{UNTIL_GO, go};
use crate::support::{World, eventually};

/// Row: files in .apex / daemon.pid
/// Row: files in .apex / daemon.sock
/// Row: files in .apex / apex.db
#[test]
fn pid_and_socket_are_there_while_the_daemon_is_and_a_stop_leaves_no_wal() {
    let world = World::started();
    let (pid, socket) = (world.dot_apex().join("daemon.pid"), world.dot_apex().join("daemon.sock"));
    assert_eq!(std::fs::read_to_string(&pid).unwrap(), format!("{}\n", world.status()["guardian_pid"]));
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());
    assert_eq!(world.status()["socket"], socket.to_str().unwrap());
    world.ended(world.add("true"));
    world.apex(["daemon", "stop"]).expect(0);
    assert!(!pid.exists() && !socket.exists());
    assert!(world.dot_apex().join("apex.db").is_file());
    for name in ["apex.db-wal", "apex.db-shm"] {
        assert!(!world.dot_apex().join(name).exists(), "{name} was left");
    }
}

/// Row: files in .apex / daemon.log
#[test]
fn a_line_of_the_log_has_a_time_a_level_and_a_message() {
    let world = World::started();
    world.ended(world.add("exit 3"));
    world.apex(["daemon", "stop"]).expect(0);
    let log = world.log();
    for line in log.lines() {
        let (at, rest) = line.strip_prefix('[').unwrap().split_once("] [").unwrap();
        at.parse::<jiff::Timestamp>().unwrap();
        assert!(at.len() == "2026-01-15T10:30:00.000Z".len() && at.ends_with('Z'), "{line}");
        let (level, message) = rest.split_once("] ").unwrap();
        assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level) && !message.is_empty(), "{line}");
    }
    assert!(log.contains("[INFO] Starting task 1\n"), "{log}");
}

/// Row: files in .apex / output
/// Row: files in .apex / output, .part
#[test]
fn output_is_a_part_until_the_attempt_has_ended() {
    let world = World::started();
    let one = world.add(&format!("echo one; {UNTIL_GO}"));
    let two = world.add_with(&["--split-output"], &format!("echo out; echo err >&2; {UNTIL_GO}"));
    let directory = world.dot_apex().join("output/0");
    let file = |name: &str| std::fs::read_to_string(directory.join(name)).ok();
    let names = [("1.1.log", "one\n"), ("2.1.out", "out\n"), ("2.1.err", "err\n")];
    for (name, text) in names {
        eventually(name, || file(&format!("{name}.part")).as_deref() == Some(text));
        assert_eq!(file(name), None);
    }
    go(&world);
    for id in [one, two] {
        let task = world.ended(id);
        for output in task["attempts"][0]["output"].as_array().unwrap() {
            assert!(names.iter().any(|(name, _)| output["path"] == directory.join(name).to_str().unwrap()), "{output}");
        }
    }
    for (name, text) in names {
        assert_eq!(file(name).as_deref(), Some(text));
        assert_eq!(file(&format!("{name}.part")), None);
    }
}

/// Row: files in .apex / output, none
#[test]
fn no_output_no_file() {
    let world = World::started();
    let task = world.ended(world.add("true"));
    assert_eq!(task["attempts"][0]["output"], json!([]));
    let left: Vec<_> = std::fs::read_dir(world.dot_apex().join("output/0")).into_iter().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Row: files in .apex / long path
#[test]
fn a_project_deep_in_the_tree_works() {
    let world = World::bare();
    let deep = world.path("a-directory-with-a-long-name/".repeat(8));
    std::fs::create_dir_all(&deep).unwrap();
    let apex = |args: &[&str]| {
        let mut command = world.command(args);
        command.current_dir(&deep);
        crate::support::run(command)
    };
    apex(&["init"]).expect(0);
    assert_eq!(apex(&["run", "--", "echo", "deep"]).expect(0).stdout, "deep\n");
    apex(&["daemon", "stop"]).expect(0);
}
