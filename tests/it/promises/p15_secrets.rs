//! Values of environments appear in no log, list, event, error or metric; each distinct environment is stored once, in the
//! database, and forgotten with the last task that uses it; what `[env] exclude` names is never stored.
//!
//! Everything that is printed and every file that is left is searched for what was planted, and it is found where it must
//! be.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Run, World, eventually, run, signal};
use crate::wire;

/// In the environment of every command.
const AMBIENT: &str = "planted-ambient-7f3a90";
/// In a file of variables.
const BY_HAND: &str = "planted-by-hand-91bc04";
/// In the environment of what starts the daemon, and of nothing else.
const OF_DAEMON: &str = "planted-of-daemon-5e0d77";
/// Under names that are never stored.
const EXCLUDED: &str = "planted-excluded-2b6c31";
/// In lines and flags that make no sense.
const SPOILT: &str = "planted-spoilt-c4d8e2";

const ALL: [&str; 5] = [AMBIENT, BY_HAND, OF_DAEMON, EXCLUDED, SPOILT];

fn contains(bytes: &[u8], needle: &str) -> bool {
    count(bytes, needle) > 0
}

fn count(bytes: &[u8], needle: &str) -> usize {
    bytes.windows(needle.len()).filter(|part| *part == needle.as_bytes()).count()
}

/// Fails if anything planted is in it.
#[track_caller]
fn assert_clean(what: &str, bytes: &[u8]) {
    for needle in ALL {
        assert!(!contains(bytes, needle), "{what} has `{needle}`:\n{}", String::from_utf8_lossy(bytes));
    }
}

/// A world in which everything that commands print is looked at.
struct Watched {
    world: World,
    printed: RefCell<usize>,
}

impl Watched {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        command.env("AMBIENT", AMBIENT).env("MY_TOKEN", EXCLUDED);
        command
    }

    /// Runs a command three ways.
    fn say(&self, args: &[&str]) {
        for flags in [&[][..], &["--json"], &["-vv"]] {
            let Run { code, stdout, stderr } = run(self.command(&[flags, args].concat()));
            let what = format!("{flags:?} {args:?} ({code})");
            assert_clean(&what, stdout.as_bytes());
            assert_clean(&what, stderr.as_bytes());
            *self.printed.borrow_mut() += stdout.len() + stderr.len();
        }
    }

    fn add(&self, flags: &[&str], argv: &[&str]) -> u64 {
        let run = run(self.command(&[&["add", "-q"][..], flags, &["--"], argv].concat())).expect(0);
        assert_clean("add", run.stderr.as_bytes());
        run.stdout.trim().parse().unwrap()
    }

    /// Returns the files of this world that hold something, by their path from its home.
    fn files_with(&self, needle: &str) -> Vec<PathBuf> {
        let home = self.world.root().parent().unwrap().to_owned();
        let mut found = Vec::new();
        search(&home, &mut |path, bytes| {
            if contains(bytes, needle) {
                found.push(path.strip_prefix(&home).unwrap().to_owned());
            }
        });
        found.sort();
        found
    }

    fn stop(&self) {
        run(self.command(&["daemon", "stop"])).expect(0);
    }
}

fn search(dir: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            search(&entry.path(), look);
        } else if kind.is_file() {
            look(&entry.path(), &fs::read(entry.path()).unwrap_or_default());
        }
    }
}

fn watched() -> Watched {
    let config = "[daemon]\nlog_level = \"trace\"\nmax_concurrent = 8\n[env]\nexclude = [\"*_TOKEN\"]\n";
    let world = World::with_config(config);
    let mut start = world.command(["daemon", "start"]);
    start.env("OF_DAEMON", OF_DAEMON);
    run(start).expect(0);
    Watched { world, printed: RefCell::default() }
}

#[test]
fn values_are_told_to_nobody_and_forgotten_with_the_last_task() {
    let watched = watched();
    let world = &watched.world;
    // Outside of what is searched.
    let outside = tempfile::tempdir().unwrap();
    let variables = outside.path().join("variables");
    fs::write(&variables, format!("BY_HAND={BY_HAND}\nFILE_TOKEN={EXCLUDED}\n")).unwrap();
    let file = ["--env-file", variables.to_str().unwrap()];
    let add = |flags: &[&str], argv: &[&str]| watched.add(&[&file[..], flags].concat(), argv);
    let done = add(&["--name", "done"], &["true"]);
    let ids = [
        done,
        add(&[], &["sh", "-c", "exit 3"]),
        add(&[], &["/nowhere/program"]),
        add(&["--timeout", "50ms"], &["sleep", "1000"]),
        add(&["--retries", "1", "--retry-delay", "10ms"], &["false"]),
        add(&["--after", "2"], &["true"]),
        add(&["--hold"], &["true"]),
        add(&["--in", "1h"], &["true"]),
    ];
    let running = add(&[], &["sleep", "1000"]);
    for id in &ids[..6] {
        world.ended(*id);
    }
    world.until_state(running, "running");
    signal(world.apexd_pid(), Signal::SIGKILL);
    eventually("another apexd serves", || world.status()["restarts"] == json!(1));

    let ids: Vec<String> = ids.iter().chain([&running]).map(u64::to_string).collect();
    for id in &ids {
        watched.say(&["task", "show", id]);
        watched.say(&["task", "why", id]);
        watched.say(&["logs", id]);
    }
    let running = running.to_string();
    for args in [
        &["ls", "--all"][..],
        &["events"],
        &["status"],
        &["doctor"],
        &["trust"],
        &["version"],
        &["queue", "list"],
        &["schedule", "add", "yearly", "--cron", "@yearly", "--", "true"],
        &["schedule", "list"],
        &["schedule", "show", "yearly"],
        &["schedule", "rm", "yearly"],
        &["config", "show", "--origin"],
        &["config", "check"],
        &["daemon", "status"],
        &["daemon", "metrics"],
        &["daemon", "reload"],
        &["daemon", "logs"],
        &["task", "pause", &running],
        &["task", "resume", &running],
        &["cancel", &running, "--wait"],
        &["task", "retry", "2"],
        &["wait", "2"],
        &["task", "release", "7"],
        &["daemon", "restart"],
        // What goes wrong.
        &["task", "show", "999"],
        &["ls", "--state", "nonsense"],
        &["add", "--env", "MISSING", "--", "true"],
        &["run", "--no-start", "--", "/nowhere/program"],
    ] {
        watched.say(args);
    }
    for line in ["planted", "A B=planted", "A=\"planted", "A='x' planted"] {
        fs::write(outside.path().join("spoilt"), line.replace("planted", SPOILT)).unwrap();
        watched.say(&["add", "--env-file", outside.path().join("spoilt").to_str().unwrap(), "--", "true"]);
    }
    watched.say(&["add", "--env", &format!("={SPOILT}"), "--", "true"]);
    // More than a process can be given.
    fs::write(outside.path().join("long"), format!("LONG={}{SPOILT}\n", "x".repeat(1 << 20))).unwrap();
    watched.say(&["add", "--env-file", outside.path().join("long").to_str().unwrap(), "--", "true"]);
    assert!(*watched.printed.borrow() > 10_000, "something was printed");
    assert_clean("the log", world.log().as_bytes());
    assert!(world.log().contains("[DEBUG]") || world.log().contains("[INFO]"));
    for pid in world.processes() {
        assert_clean("the arguments of a process", &fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default());
    }
    assert_clean("what is served", &wire::served(world, done));

    // It is where it must be.
    let shown = run(watched.command(&["task", "show", "--show-env", "--json", &done.to_string()])).expect(0).stdout;
    assert!(shown.contains(AMBIENT) && shown.contains(BY_HAND), "{shown}");
    assert!(!shown.contains(EXCLUDED) && shown.contains("BY_HAND"), "{shown}");
    let database = [PathBuf::from("project/.apex/apex.db")];
    let or_beside = |found: &PathBuf| found.to_string_lossy().starts_with("project/.apex/apex.db");
    let found = watched.files_with(BY_HAND);
    assert!(!found.is_empty() && found.iter().all(or_beside), "{found:?}");
    watched.stop();
    assert_eq!(watched.files_with(BY_HAND), database);
    assert_eq!(count(&fs::read(world.dot_apex().join("apex.db")).unwrap(), BY_HAND), 1, "each once");
    for needle in [EXCLUDED, OF_DAEMON] {
        assert_eq!(watched.files_with(needle), Vec::<PathBuf>::new(), "{needle}");
    }

    // And until the last one that uses it is forgotten.
    run(watched.command(&["cancel", "8"])).expect(0);
    let others = world.apex(["ls", "--all", "--json"]).json();
    let others: Vec<String> = others.as_array().unwrap().iter().map(|task| task["id"].to_string()).collect();
    for id in others.iter().filter(|id| **id != done.to_string()) {
        let _ = run(watched.command(&["cancel", "--wait", id]));
        run(watched.command(&["task", "rm", id])).expect(0);
    }
    watched.stop();
    assert_eq!(watched.files_with(BY_HAND), database, "one task is left");
    run(watched.command(&["task", "rm", &done.to_string()])).expect(0);
    watched.stop();
    for needle in ALL {
        assert_eq!(watched.files_with(needle), Vec::<PathBuf>::new(), "{needle}");
    }
}
