//! Settings: where they come from, which one holds, and what each of them does.

use serde_json::json;

use crate::contract::{UNTIL_GO, go};
use crate::support::{World, eventually, run};

/// Writes the configuration of the user.
fn write_users(world: &World, text: &str) {
    let directory = world.root().parent().unwrap().join("config/apex");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("config.toml"), text).unwrap();
}

/// Starts the daemon with variables and flags, and returns how many tasks it runs at once.
fn most_at_once(world: &World, variables: &[(&str, &str)], flags: &[&str]) -> serde_json::Value {
    let mut start = world.command(["daemon", "start"].iter().chain(flags));
    start.envs(variables.iter().copied());
    run(start).expect(0);
    let most = world.status()["max_concurrent"].clone();
    world.apex(["daemon", "stop"]).expect(0);
    most
}

/// Row: configuration keys / layers
/// Row: configuration keys / APEX_SECTION_KEY
/// Row: configuration keys / short variables
/// Row: configuration keys / flags
/// Row: configuration keys / daemon.max_concurrent
#[test]
fn each_layer_goes_over_the_one_below() {
    let world = World::new();
    let config = world.dot_apex().join("config.toml");
    assert_eq!(most_at_once(&world, &[], &[]), json!(3));
    write_users(&world, "[daemon]\nmax_concurrent = 4\n");
    assert_eq!(most_at_once(&world, &[], &[]), json!(4));
    std::fs::write(&config, "[daemon]\nmax_concurrent = 5\n").unwrap();
    assert_eq!(most_at_once(&world, &[], &[]), json!(5));
    assert_eq!(most_at_once(&world, &[("APEX_MAX_CONCURRENT", "6")], &[]), json!(6));
    assert_eq!(most_at_once(&world, &[("APEX_DAEMON_MAX_CONCURRENT", "7")], &[]), json!(7));
    assert_eq!(most_at_once(&world, &[("APEX_MAX_CONCURRENT", "6")], &["--max-concurrent", "8"]), json!(8));
}

/// Row: configuration keys / short variables
/// Row: configuration keys / daemon.poll_interval
/// Row: configuration keys / daemon.log_level
#[test]
fn the_poll_and_the_level_of_the_log_are_settings() {
    let world = World::with_config("[daemon]\npoll_interval = \"123ms\"\n");
    world.apex(["daemon", "start"]).expect(0);
    eventually("it is logged", || world.log().contains("poll: 123ms"));
    world.apex(["daemon", "stop"]).expect(0);
    let mut start = world.command(["daemon", "start"]);
    start.env("APEX_POLL_INTERVAL", "321ms");
    run(start).expect(0);
    eventually("it is logged", || world.log().contains("poll: 321ms"));
    world.apex(["daemon", "stop"]).expect(0);

    std::fs::write(world.dot_apex().join("config.toml"), "[daemon]\nlog_level = \"error\"\n").unwrap();
    let before = world.log();
    world.apex(["daemon", "start"]).expect(0);
    world.ended(world.add("true"));
    world.apex(["daemon", "stop"]).expect(0);
    assert_eq!(world.log(), before, "nothing went wrong");
    let mut start = world.command(["daemon", "start"]);
    start.env("APEX_LOG_LEVEL", "info");
    run(start).expect(0);
    eventually("it is logged", || world.log().len() > before.len());
}

/// Row: configuration keys / wrong
/// Row: configuration keys / wrong, running daemon
#[test]
fn a_wrong_configuration_is_named_by_file_line_and_key() {
    let world = World::with_config("[daemon]\npoll_interval = 5\n");
    let start = world.apex(["daemon", "start"]).expect(3);
    for part in ["config.toml", "2", "poll_interval", "5s"] {
        assert!(start.stderr.contains(part), "{part} is not named: {start:?}");
    }
    // A client that only needs a running daemon warns and goes on.
    std::fs::write(world.dot_apex().join("config.toml"), "").unwrap();
    world.apex(["daemon", "start"]).expect(0);
    std::fs::write(world.dot_apex().join("config.toml"), "[daemon\n").unwrap();
    let run = world.apex(["run", "--", "echo", "on"]).expect(0);
    assert_eq!(run.stdout, "on\n");
    assert!(run.stderr.contains("config.toml"), "{run:?}");
}

/// Row: configuration keys / wrong, no daemon
#[test]
fn what_is_wrong_is_said_once_with_what_to_do() {
    let world = World::with_config("[daemon]\nmax_concurent = 3\n");
    let commands: [(&[&str], i32); 6] = [
        (&["ls"], 3),
        (&["add", "true"], 3),
        (&["run", "--", "true"], 125),
        (&["daemon", "start"], 3),
        (&["config", "check"], 1),
        (&["status"], 0),
    ];
    for (args, code) in commands {
        let told = world.apex(args).expect(code).stderr;
        assert_eq!(
            told.matches("config.toml`, line 2: unknown key `daemon.max_concurent`").count(),
            1,
            "{args:?}: {told}"
        );
        assert!(told.contains("`apex config edit`"), "{args:?}: {told}");
    }
    assert_eq!(world.processes(), [0; 0]);
    // Said to be wrong where it stands.
    std::fs::write(world.dot_apex().join("config.toml"), "").unwrap();
    let mut start = world.command(["daemon", "start"]);
    start.env("APEX_MAX_CONCURRENT", "many");
    let told = run(start).expect(3).stderr;
    assert!(told.contains("APEX_MAX_CONCURRENT") && told.contains("hint: mend it there"), "{told}");
}

/// Row: configuration keys / wrong
#[test]
fn unknown_keys_and_wrong_types_are_named_with_the_nearest_that_is_right() {
    for (text, parts) in [
        ("[daemon]\n\nmax_concurent = 3\n", &["config.toml", "3", "max_concurent", "max_concurrent"][..]),
        ("[shutdwn]\ngrace = \"1s\"\n", &["config.toml", "1", "shutdwn", "shutdown"]),
        ("[daemon]\nmax_concurrent = \"many\"\n", &["config.toml", "2", "max_concurrent", "number"]),
        ("[task]\nleftovers = \"keep\"\n", &["config.toml", "2", "leftovers", "kill"]),
        ("[log]\nmax_size = 10\n", &["config.toml", "2", "max_size"]),
        ("[env]\nexclude = \"*_TOKEN\"\n", &["config.toml", "2", "exclude", "list"]),
    ] {
        let world = World::with_config(text);
        let start = world.apex(["daemon", "start"]).expect(3);
        for part in parts {
            assert!(start.stderr.contains(part), "{part} is not named: {text:?} {start:?}");
        }
        assert_eq!(world.processes(), [0; 0]);
    }
    let world = World::new();
    let mut start = world.command(["daemon", "start"]);
    start.env("APEX_MAX_CONCURRENT", "many");
    let start = run(start).expect(3);
    assert!(start.stderr.contains("APEX_MAX_CONCURRENT"), "{start:?}");
}

/// Row: configuration keys / shutdown.kill_grace
#[test]
fn what_is_cancelled_has_its_grace() {
    let world = World::with_config("[shutdown]\nkill_grace = \"20s\"\n");
    let id = world.add(&format!("trap 'echo > asked' TERM; echo > begun; {UNTIL_GO}; exit 5"));
    eventually("it runs", || world.path("begun").exists());
    world.apex(["task", "cancel", &id.to_string()]).expect(0);
    eventually("it was asked", || world.path("asked").exists());
    go(&world);
    assert_eq!(world.ended(id)["exit_code"], json!(5));
}

/// Row: configuration keys / env.exclude
#[test]
fn variables_that_match_a_pattern_are_never_stored() {
    let world = World::with_config("[env]\nexclude = [\"*_TOKEN\", \"SECRET\"]\n");
    let mut add = world.command(["run", "--env", "MY_TOKEN=planted", "--", "/usr/bin/env"]);
    add.env("SECRET", "planted").env("OTHER", "control");
    let run = run(add).expect(0);
    assert!(run.stdout.contains("OTHER=control") && !run.stdout.contains("planted"), "{run:?}");
    assert!(run.stderr.contains("MY_TOKEN"), "what was asked for by name is said to be left out: {run:?}");
    world.apex(["daemon", "stop"]).expect(0);
    let database = std::fs::read(world.dot_apex().join("apex.db")).unwrap();
    let holds = |text: &str| database.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("control") && !holds("planted"));
}
