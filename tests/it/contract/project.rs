//! Names and projects: which program this is, which project is meant, and who may use it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::contract::{go, listed};
use crate::support::{World, eventually};

/// Row: names and projects / apexd
#[test]
fn called_apexd_it_is_the_daemon() {
    let world = World::new();
    let apexd = world.path("apexd");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_apex"), &apexd).unwrap();
    let mut command = world.command(std::iter::empty::<&str>());
    let mut renamed = std::process::Command::new(&apexd);
    renamed.current_dir(world.root()).env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command = renamed;
    let daemon = crate::support::Running::new(command.stdin(std::process::Stdio::null()).spawn().unwrap());
    eventually("it serves", || world.status()["running"] == true);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait().code, 0);
}

/// Row: names and projects / subdirectory
/// Row: names and projects / APEX_PROJECT_PATH
/// Row: global flags / -C
#[test]
fn any_subdirectory_will_do_and_a_directory_can_be_named() {
    let world = World::started();
    std::fs::create_dir_all(world.path("sub/deeper")).unwrap();
    let mut add = world.command(["task", "add", "-q", "--", "pwd"]);
    add.current_dir(world.path("sub/deeper"));
    crate::support::run(add).expect(0);
    world.ended(1);
    assert_eq!(world.apex(["task", "logs", "1"]).stdout.trim(), world.path("sub/deeper").to_str().unwrap());

    let root = world.root();
    let mut list = world.command(["-C", root.to_str().unwrap(), "task", "list", "--json"]);
    list.current_dir("/");
    assert_eq!(crate::support::run(list).expect(0).json().as_array().unwrap().len(), 1);
    let mut list = world.command(["task", "list", "--json"]);
    list.current_dir("/").env("APEX_PROJECT_PATH", &root);
    assert_eq!(crate::support::run(list).expect(0).json().as_array().unwrap().len(), 1);
}

/// Row: names and projects / no project
#[test]
fn without_a_project_the_one_of_the_user_is_used_and_that_is_said() {
    let world = World::bare();
    let run = world.apex(["run", "--", "echo", "hello"]).expect(0);
    assert_eq!(run.stdout, "hello\n");
    assert_eq!(run.stderr.matches("apex init").count(), 1, "{run:?}");
    assert!(!world.dot_apex().exists());
    world.apex(["daemon", "stop"]).expect(0);
}

/// Row: names and projects / state directory
/// Row: global flags / -g
#[test]
fn what_belongs_to_the_user_is_in_the_state_directory() {
    let world = World::new();
    let state = world.root().parent().unwrap().join("state/apex");
    assert_eq!(std::fs::read_dir(state.join("projects")).unwrap().count(), 1, "a file for each project");
    assert_eq!(world.apex(["-g", "run", "--", "echo", "hello"]).expect(0).stdout, "hello\n");
    assert!(state.join("global/.apex/config.toml").is_file(), "a project like any other");
    assert_eq!(listed(&world, &["-g"]), [1]);
    world.apex(["-g", "daemon", "stop"]).expect(0);
    assert_eq!(listed(&world, &[]), [0; 0], "and not this one");
}

/// Row: global flags / -C
#[test]
fn a_directory_that_is_no_project_is_named() {
    let world = World::bare();
    let run = world.apex(["-C", ".", "task", "list"]);
    assert_eq!(run.code, 1, "{run:?}");
    let hint = run.stderr.lines().find(|line| line.trim_start().starts_with("hint:")).unwrap_or_default();
    assert!(hint.contains("apex") && hint.contains("init"), "{run:?}");
}

/// Row: names and projects / refused directory
#[test]
fn a_dot_apex_that_is_a_file_a_link_or_open_to_others_is_refused() {
    let world = World::bare();
    std::fs::write(world.dot_apex(), "").unwrap();
    for args in [&["task", "list"][..], &["init"], &["daemon", "start"]] {
        let run = world.apex(args);
        assert!([1, 3].contains(&run.code) && run.stderr.contains(".apex"), "{args:?} {run:?}");
    }
    std::fs::remove_file(world.dot_apex()).unwrap();
    std::os::unix::fs::symlink("/tmp", world.dot_apex()).unwrap();
    assert_eq!(world.apex(["task", "list"]).code, 1);
    std::fs::remove_file(world.dot_apex()).unwrap();

    world.apex(["init"]).expect(0);
    std::fs::set_permissions(world.dot_apex(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let run = world.apex(["task", "add", "--", "true"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("chmod"), "the next step can be typed: {run:?}");
    assert!(world.processes().is_empty());
    std::fs::set_permissions(world.dot_apex(), std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// Row: names and projects / refused directory
#[test]
fn a_dot_apex_of_somebody_else_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return; // Only root can give a directory away.
    }
    let world = World::new();
    std::os::unix::fs::chown(world.dot_apex(), Some(12345), None).unwrap();
    let run = world.apex(["task", "add", "--", "true"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("12345"), "{run:?}");
    assert!(world.processes().is_empty());
    std::os::unix::fs::chown(world.dot_apex(), Some(0), None).unwrap();
}

/// Row: names and projects / init
/// Row: files in .apex / config.toml
#[test]
fn init_says_what_it_did_and_changes_nothing_twice() {
    let world = World::bare();
    world.apex(["init"]).expect(0);
    std::fs::write(world.dot_apex().join("config.toml"), "# mine\n").unwrap();
    let again = world.apex(["init"]).expect(0);
    assert!((again.stdout + &again.stderr).contains("already"));
    assert_eq!(std::fs::read_to_string(world.dot_apex().join("config.toml")).unwrap(), "# mine\n");
    assert_eq!(std::fs::read_to_string(world.dot_apex().join(".gitignore")).unwrap(), "*\n");
}

/// Row: files in .apex / config.toml
#[test]
fn the_configuration_that_init_writes_changes_nothing() {
    let world = World::new();
    let text = std::fs::read_to_string(world.dot_apex().join("config.toml")).unwrap();
    let sets = |line: &&str| !line.is_empty() && !line.starts_with(['#', '[']);
    assert_eq!(text.lines().filter(sets).count(), 0, "{text}");
    for key in ["poll_interval", "max_concurrent", "log_level", "kill_grace", "max_size", "keep_for", "slots"] {
        assert!(text.contains(key), "{key} is not explained: {text}");
    }
}

/// Fails unless `path` and all below it are for its owner alone.
#[track_caller]
fn assert_private(path: &Path) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
    if metadata.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| assert_private(&entry.unwrap().path()));
    }
}

/// Row: names and projects / modes
#[test]
fn nobody_else_can_read_anything_of_a_project() {
    for umask in ["000", "077"] {
        let world = World::bare();
        crate::contract::shell(&world, &format!("umask {umask}; exec $apex init")).expect(0);
        let add = "exec $apex run --split-output -- sh -c 'echo out; echo err >&2'";
        crate::contract::shell(&world, &format!("umask {umask}; {add}")).expect(0);
        let running = world.add(&format!("echo begun; {}", crate::contract::UNTIL_GO));
        eventually("it writes", || crate::contract::output(&world, running) == "begun\n");
        assert_private(&world.dot_apex());
        go(&world);
        world.ended(running);
        assert_private(&world.dot_apex());
    }
}

/// Row: names and projects / starting by itself
/// Row: names and projects / never started
/// Row: global flags / --no-start
/// Row: configuration keys / client.auto_start
#[test]
fn a_command_starts_the_daemon_unless_it_may_not() {
    let world = World::new();
    let refused = world.apex(["--no-start", "task", "add", "--", "true"]).expect(3);
    assert!(refused.stderr.contains("apex daemon start"), "{refused:?}");
    world.apex(["status"]).expect(0);
    assert!(world.processes().is_empty(), "status starts nothing");
    world.apex(["task", "add", "--", "true"]).expect(0);
    world.ended(1);
    assert_eq!(world.processes().len(), 2);

    let world = World::with_config("[client]\nauto_start = false\n");
    world.apex(["task", "add", "--", "true"]).expect(3);
}

/// Row: names and projects / never started
#[test]
fn what_needs_no_daemon_starts_none() {
    let world = World::new();
    for (args, code) in [
        (&["init"][..], 0),
        (&["version"], 0),
        (&["status"], 0),
        (&[], 0),
        (&["daemon", "status"], 3),
        (&["daemon", "stop"], 0),
        (&["daemon", "logs"], 0),
        (&["doctor"], 0),
    ] {
        world.apex(args).expect(code);
        assert_eq!(world.processes(), [0; 0], "{args:?} started something");
    }
}

/// Row: names and projects / version
#[test]
fn versions_are_told() {
    let version = World::bare().apex(["version", "--json"]).expect(0).json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    for key in ["proto", "json", "schema"] {
        assert!(version[key].is_u64() || version[key].is_string(), "{version}");
    }
}
