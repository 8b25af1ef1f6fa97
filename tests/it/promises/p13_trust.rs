//! A `.apex/` that came from somebody else runs nothing until its new owner says so.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Run, STRANGER, World, eventually, process_state, run};

/// Adds a shell line that leaves a file of this name where it says that it ran, wherever its project is by then.
fn add_marked(world: &World, flags: &[&str], name: &str, then: &str) -> u64 {
    let mark = world.path(name);
    world.add_with(flags, &format!("echo >> '{}'; {then}", mark.display()))
}

/// Copies what is there of a project to another place, as `cp -a` does.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// The project in another directory than that of its world.
struct There<'a> {
    world: &'a World,
    root: PathBuf,
}

impl There<'_> {
    fn apex(&self, args: &[&str]) -> Run {
        self.world.apex(["-C", self.root.to_str().unwrap()].iter().chain(args))
    }

    fn tasks(&self) -> Vec<Value> {
        self.apex(&["ls", "--all", "--json"]).expect(0).json().as_array().unwrap().clone()
    }

    fn task(&self, id: u64) -> Value {
        self.apex(&["task", "show", "--json", &id.to_string()]).expect(0).json()
    }
}

impl Drop for There<'_> {
    fn drop(&mut self) {
        let _ = self.world.command(["-C", self.root.to_str().unwrap(), "daemon", "stop", "--force"]).output();
    }
}

/// A project that stopped dead with a task in every state that may yet run; the id of each, and of one that a person held.
fn full(world: &World) -> (Vec<u64>, u64) {
    let running = add_marked(world, &["--on-interrupt", "rerun"], "running", "exec sleep 1000");
    eventually("it runs", || world.path("running").exists());
    let retrying = add_marked(world, &["-p", "9", "--retries", "3", "--retry-delay", "1s"], "retrying", "exit 1");
    world.until_state(retrying, "retrying");
    world.apex(["queue", "pause", "default"]).expect(0);
    let queued = add_marked(world, &[], "queued", "true");
    let soon = add_marked(world, &["--in", "1s"], "soon", "true");
    let blocked = add_marked(world, &["--after-any", &queued.to_string()], "blocked", "true");
    let held = add_marked(world, &["--hold"], "held", "true");
    (vec![running, retrying, queued, soon, blocked], held)
}

fn kill_all(world: &World) {
    for pid in world.processes() {
        // One may have ended with another.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
    world.until_empty();
}

#[test]
fn what_came_from_elsewhere_runs_nothing_until_it_is_trusted() {
    let world = World::with_config("[daemon]\nmax_concurrent = 2\n");
    let (ids, held) = full(&world);
    kill_all(&world);
    let marks = ["running", "retrying", "queued", "soon", "blocked", "held", "new"];
    let ran = |name: &str| world.path(name).exists();
    marks.iter().for_each(|name| drop(fs::remove_file(world.path(name))));
    let there = There { world: &world, root: world.root().with_file_name("copy") };
    copy(&world.dot_apex(), &there.root);
    there.apex(&["daemon", "start"]).expect(0);
    there.apex(&["queue", "resume", "default"]).expect(0);

    let untrusted = (json!("held"), json!("untrusted"));
    let is_untrusted = |id: u64| {
        let task = there.task(id);
        (task["state"].clone(), task["reason_code"].clone()) == untrusted
    };
    let new = add_marked(&world, &["-C", there.root.to_str().unwrap()], "new", "true");
    for id in ids.iter().chain([&new]) {
        assert!(is_untrusted(*id), "{}", there.task(*id));
    }
    // Nor does anything when its time comes, or when somebody would let it go.
    let due = SystemTime::now() + Duration::from_millis(1100);
    for id in ids.iter().chain([&held]) {
        let error = there.apex(&["task", "release", "--json", &id.to_string()]).expect(1).error();
        assert!(error["hint"].as_str().unwrap().contains("apex trust"), "{error}");
    }
    eventually("what was scheduled is due", || SystemTime::now() > due);
    assert!(ids.iter().all(|id| is_untrusted(*id)), "{:?}", there.tasks());
    assert!(!marks.into_iter().any(ran));
    assert!(there.apex(&["status"]).expect(0).stdout.contains("apex trust"));
    assert_eq!(there.apex(&["status", "--json"]).json()["daemon"]["untrusted"], json!(true));

    there.apex(&["trust"]).expect(0);
    eventually("what waited runs", || marks.into_iter().filter(|name| *name != "held").all(ran));
    assert!(!ran("held"), "somebody holds it");
    there.apex(&["daemon", "restart"]).expect(0);
    assert_eq!(there.apex(&["status", "--json"]).json()["daemon"]["untrusted"], json!(false), "it is remembered");
}

#[test]
fn a_database_that_is_put_into_a_known_project_runs_nothing() {
    let source = World::new();
    let id = source.add_with(&["--hold"], "true");
    source.apex(["daemon", "stop"]).expect(0);
    let with = |name: &str, sql: &str| {
        let path = source.root().with_file_name(name);
        fs::copy(source.dot_apex().join("apex.db"), &path).unwrap();
        let db = Connection::open(&path).unwrap();
        db.execute_batch(sql).unwrap();
        db.close().unwrap();
        path
    };
    for database in [
        // As one of an earlier version, or one that somebody made so.
        with(
            "unnamed.db",
            &format!("UPDATE meta SET project = NULL; UPDATE task SET state = 'queued' WHERE id = {id}"),
        ),
        // No task comes along, but something that adds one.
        with(
            "empty.db",
            "CREATE TABLE kept AS SELECT * FROM task; DELETE FROM task; CREATE TRIGGER t AFTER UPDATE ON meta
            BEGIN INSERT INTO task SELECT * FROM kept; UPDATE task SET state = 'queued'; END",
        ),
        PathBuf::from("tests/fixtures/schema-1.db"),
    ] {
        let world = World::new();
        fs::copy(&database, world.dot_apex().join("apex.db")).unwrap();
        world.apex(["daemon", "start"]).expect(0);
        let is_untrusted = || world.apex(["status", "--json"]).json()["daemon"]["untrusted"].clone();
        assert_eq!(is_untrusted(), json!(true), "{database:?}");
        world.apex(["trust"]).expect(0);
        assert_eq!(is_untrusted(), json!(false));
    }
}

#[test]
fn somebody_elses_directory_that_was_given_to_one_runs_nothing() {
    let source = World::started();
    let id = source.add_with(&["--hold"], "true");
    source.apex(["daemon", "stop"]).expect(0);
    let Some(world) = World::of_user(STRANGER) else { return };
    fs::remove_dir_all(world.dot_apex()).unwrap();
    copy(&source.dot_apex(), &world.root());
    own(&world.dot_apex());
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.apex(["status", "--json"]).json()["daemon"]["untrusted"], json!(true));
    let error = world.apex(["task", "release", "--json", &id.to_string()]).expect(1).error();
    assert!(error["hint"].as_str().unwrap().contains("apex trust"), "{error}");
}

fn own(path: &Path) {
    chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| own(&entry.unwrap().path()));
    }
}

#[test]
fn trust_is_kept_where_the_daemon_looks_for_it() {
    let source = World::started();
    source.add_with(&["--hold"], "true");
    source.apex(["daemon", "stop"]).expect(0);
    let world = World::new();
    fs::copy(source.dot_apex().join("apex.db"), world.dot_apex().join("apex.db")).unwrap();
    world.apex(["daemon", "start"]).expect(0);
    let mut command = world.command(["trust"]);
    command.env("XDG_STATE_HOME", world.root().with_file_name("another"));
    run(command).expect(0);
    let id = world.add("true");
    assert_eq!(world.ended(id)["state"], "succeeded");
    world.apex(["daemon", "stop"]).expect(0);
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.apex(["status", "--json"]).json()["daemon"]["untrusted"], json!(false));
}

#[test]
fn trust_that_cannot_be_kept_is_not_given() {
    let source = World::started();
    source.add_with(&["--hold"], "true");
    source.apex(["daemon", "stop"]).expect(0);
    let mut world = World::new();
    fs::copy(source.dot_apex().join("apex.db"), world.dot_apex().join("apex.db")).unwrap();
    let blocked = world.root().with_file_name("blocked");
    fs::write(&blocked, "no directory").unwrap();
    let usual = world.root().with_file_name("state");
    world.set_variable("XDG_STATE_HOME", blocked.to_str().unwrap());
    world.apex(["daemon", "start"]).expect(0);
    world.set_variable("XDG_STATE_HOME", usual.to_str().unwrap());
    let id = world.add("true");
    let error = world.apex(["trust", "--json"]).expect(1).error();
    assert!(error["message"].as_str().unwrap().contains(&*blocked.to_string_lossy()), "{error}");
    assert_eq!(world.show(id)["reason_code"], "untrusted");
}

#[test]
fn a_copy_of_a_project_that_runs_signals_none_of_its_processes() {
    let world = World::started();
    let id = world.add("exec sleep 1000");
    let pid = world.pid(id);
    let there = There { world: &world, root: world.root().with_file_name("copy") };
    copy(&world.dot_apex(), &there.root);
    there.apex(&["daemon", "stop"]).expect(0);
    there.apex(&["daemon", "start"]).expect(0);
    for args in [&["task", "kill"][..], &["task", "pause"], &["task", "cancel"]] {
        there.apex(&[args, &[&id.to_string()]].concat());
    }
    there.apex(&["daemon", "stop", "--force"]).expect(0);
    assert!(matches!(process_state(pid), Some('S' | 'R')), "{:?}", process_state(pid));
    assert_eq!(world.state(id), "running");
    assert_eq!(world.apex(["daemon", "status"]).code, 0);
}

#[test]
fn hooks_that_came_along_run_nothing_even_where_no_task_did() {
    let world = World::bare();
    let mark = world.path("ran");
    let config = format!("[[hooks]]\nname = \"evil\"\non = \"end\"\ncommand = \"echo >> '{}'\"\n", mark.display());
    fs::create_dir(world.dot_apex()).unwrap();
    fs::set_permissions(world.dot_apex(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(world.dot_apex().join("config.toml"), config).unwrap();
    // Not even this says that they may.
    world.apex(["init"]).expect(0);
    let id = world.add("true");
    assert_eq!(world.show(id)["reason_code"], "untrusted");
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    world.apex(["daemon", "restart"]).expect(0);
    assert!(!mark.exists(), "the hook of the end ran");
    world.apex(["trust"]).expect(0);
    let id = world.add("true");
    world.ended(id);
    eventually("the hook ran", || mark.exists());
}

#[test]
fn schedules_that_came_along_run_nothing_even_where_no_task_did() {
    let source = World::started();
    source.apex(["schedule", "add", "evil", "--every", "10h", "--", "touch", "ran"]).expect(0);
    source.apex(["daemon", "stop"]).expect(0);
    let world = World::new();
    fs::copy(source.dot_apex().join("apex.db"), world.dot_apex().join("apex.db")).unwrap();
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.apex(["status", "--json"]).json()["daemon"]["untrusted"], json!(true));
}
