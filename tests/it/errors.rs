//! Wrong input: one clear message that names the thing and the next step, the right exit code, nothing changed.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::{World, eventually, run, signal};

#[test]
fn wrong_usage_is_2() {
    let world = World::new();
    for args in [
        &["frobnicate"][..],
        &["task", "add"],
        &["task", "show"],
        &["task", "show", "abc"],
        &["task", "show", "0"],
        &["task", "wait", "--timeout", "5", "1"],
        &["task", "list", "--state", "done"],
        &["task", "add", "--priority", "high", "--", "true"],
        &["task", "add", "--name", "12", "--", "true"],
        &["task", "kill", "--signal", "NOPE", "1"],
        &["daemon", "start", "--poll-interval", "5"],
        &["--deadline", "soon", "status"],
        &["task", "add", "--prioritty", "5", "--", "true"],
        &["run", "-x", "true"],
        &["task", "add", "-p", "5", "--bogus"],
    ] {
        let run = world.apex(args);
        assert_eq!(run.code, 2, "{args:?} {run:?}");
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{args:?} {run:?}");
    }
    let units = world.apex(["task", "wait", "--timeout", "5", "1"]);
    assert!(units.stderr.contains("5s") || units.stderr.contains("unit"), "{units:?}");
    assert!(world.processes().is_empty(), "nothing was started for a command that was wrong");
}

#[test]
fn unknown_tasks_are_4_and_some_unknown_ones_1() {
    let world = World::started();
    world.add_with(&["--hold"], "true");
    for args in [
        &["task", "show", "99"][..],
        &["task", "logs", "99"],
        &["task", "cancel", "99", "98"],
        &["task", "release", "99"],
    ] {
        let run = world.apex(args);
        assert_eq!(run.code, 4, "{args:?} {run:?}");
        assert!(run.stderr.contains("99"), "{args:?} {run:?}");
    }
    let error = world.apex(["--json", "task", "show", "99"]).error();
    assert_eq!((error["kind"].as_str(), error["id"].as_str()), (Some("not_found"), Some("99")));
    let some = world.apex(["task", "cancel", "99", "1"]).expect(1);
    assert!(some.stderr.contains("99"), "{some:?}");
    assert_eq!(world.state(1), "cancelled", "the others are done");
}

#[test]
fn runs_own_failures_are_125() {
    let world = World::new();
    assert_eq!(world.apex(["--no-start", "run", "--", "true"]).code, 125);
    assert_eq!(world.apex(["--no-start", "task", "wait", "1"]).code, 125);
}

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

#[test]
fn a_deadline_beyond_all_measure_is_taken() {
    let world = World::started();
    world.apex(["--deadline", "600000w", "task", "list"]).expect(0);
    world.apex(["--deadline", "10000000000w", "daemon", "status"]).expect(0);
    world.apex(["daemon", "stop", "--deadline", "10000000000w"]).expect(0);
    world.apex(["daemon", "start", "--deadline", "10000000000w"]).expect(0);
}

#[test]
fn what_was_typed_wrong_is_shown_harmless_and_whole() {
    let world = World::new();
    for args in [&["\u{1b}[2J\u{9b}x\u{202e}"][..], &["task", "show", "\u{7}1\u{202e}"], &["-C", "\u{1b}[2J", "status"]]
    {
        let run = world.apex(args);
        let unsafe_character = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!run.stderr.is_empty() && !run.stderr.chars().any(unsafe_character), "{args:?} {run:?}");
    }
    let missing = world.apex(["--json", "task", "add"]).expect(2).error();
    assert!(missing["message"].as_str().unwrap().contains("<COMMAND>"), "{missing}");
    let group = world.apex(["--json", "task"]).expect(2).error();
    assert_eq!(group["kind"], "invalid", "{group}");
}

#[test]
fn without_a_working_directory_all_goes_on_that_needs_none() {
    let world = World::started();
    let gone = |args: &[&str]| {
        let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" \"$@\"";
        let mut command = world.command(["-c", script, env!("CARGO_BIN_EXE_apex")]);
        command.args(args);
        let mut shell = Command::new("sh");
        shell.args(command.get_args()).current_dir(world.root()).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        run(shell)
    };
    let root = world.root().to_string_lossy().into_owned();
    gone(&["version"]).expect(0);
    gone(&["-C", &root, "task", "list"]).expect(0);
    assert_eq!(gone(&["-C", &root, "run", "--cwd", "/", "--", "pwd"]).expect(0).stdout, "/\n");
    let add = gone(&["-C", &root, "task", "add", "--", "pwd"]).expect(1);
    assert!(add.stderr.contains("working directory"), "{add:?}");
    gone(&["-C", &root, "run", "--", "pwd"]).expect(125);
}

#[test]
fn a_daemon_that_gave_up_is_not_waited_for_and_says_why() {
    let world = World::started();
    let task = world.add("while :; do sleep 0.1; done");
    world.until_state(task, "running");
    let apexd = world.apexd_pid();
    // What the client cannot see before it asks for a start.
    let (store, away) = (world.dot_apex().join("apex.db"), world.dot_apex().join("away"));
    std::fs::rename(&store, &away).unwrap();
    std::fs::create_dir(&store).unwrap();
    signal(apexd, Signal::SIGKILL);
    eventually("it gave up", || world.log().contains("giving up"));
    let began = std::time::Instant::now();
    let list = world.apex(["task", "list"]).expect(3);
    assert!(list.stderr.contains("gave up") && list.stderr.contains("apex.db"), "{list:?}");
    assert!(list.stderr.contains("apex daemon stop"), "{list:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "it took {:?}", began.elapsed());
    world.apex(["daemon", "stop"]).expect(0);
    std::fs::remove_dir(&store).unwrap();
    std::fs::rename(&away, &store).unwrap();
    world.apex(["task", "list"]).expect(0);
}

#[test]
fn what_is_never_stored_is_not_stored_by_a_client_that_cannot_read_the_configuration() {
    let world = World::with_config("[env]\nexclude = [\"*_TOKEN\"]\n");
    world.apex(["daemon", "start"]).expect(0);
    std::fs::write(world.dot_apex().join("config.toml"), "[env\n").unwrap();
    let mut command = world.command(["run", "--", "sh", "-c", "echo ${PLANTED_TOKEN-absent} $PLANTED_OTHER"]);
    command.env("PLANTED_TOKEN", "secret").env("PLANTED_OTHER", "control");
    let run = run(command).expect(0);
    assert_eq!(run.stdout, "absent control\n", "{run:?}");
    assert_eq!(world.show(1)["env_names"].to_string().matches("PLANTED").count(), 1);
}

#[test]
fn a_directory_that_is_no_project_is_named() {
    let world = World::bare();
    let run = world.apex(["-C", ".", "task", "list"]);
    assert_eq!(run.code, 1, "{run:?}");
    let hint = run.stderr.lines().find(|line| line.trim_start().starts_with("hint:")).unwrap_or_default();
    assert!(hint.contains("apex") && hint.contains("init"), "{run:?}");
}

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

#[test]
fn what_stands_in_the_place_of_the_socket_is_not_removed() {
    let world = World::new();
    std::fs::write(world.dot_apex().join("daemon.sock"), "precious").unwrap();
    let start = world.apex(["daemon", "start"]).expect(3);
    assert!(start.stderr.contains("daemon.sock"), "{start:?}");
    assert_eq!(std::fs::read_to_string(world.dot_apex().join("daemon.sock")).unwrap(), "precious");
    assert!(world.processes().is_empty());
}

#[test]
fn a_daemon_that_does_not_answer_is_3_and_says_so() {
    let world = World::started();
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGSTOP);
    let run = world.apex(["--deadline", "100ms", "task", "list"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("does not answer"), "{run:?}");
    signal(apexd, Signal::SIGCONT);
    world.apex(["task", "list"]).expect(0);
}

#[test]
fn a_full_disk_refuses_the_add_by_name_and_keeps_what_is_there() {
    // A small file system of one's own, in a user and mount namespace of one's own.
    let probe = Command::new("unshare").args(["-Urm", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!("no user namespaces here: not tried");
        return;
    }
    let world = World::bare();
    let apex = env!("CARGO_BIN_EXE_apex");
    let script = format!(
        r#"set -e
mount -t tmpfs -o size=2m none . && cd "$PWD"
{apex} init >/dev/null
{apex} task add -q --hold -- true
{apex} daemon status --json >/dev/null
head -c 4m /dev/zero > filler 2>/dev/null || true
big=$(head -c 60000 /dev/zero | tr '\0' x)
refused=0
for n in $(seq 50); do
  if ! error=$({apex} --json task add -q --hold --env "BIG$n=$big" -- true 2>&1 >/dev/null); then refused=1; break; fi
done
echo "$error" >&2
test $refused = 1
{apex} task show --json 1 | grep -q '"state":"held"'
rm filler
{apex} task add -q --hold -- true >/dev/null
{apex} task release -q 1
{apex} task wait 1
{apex} daemon stop >/dev/null
"#
    );
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", &script]);
    let sealed = world.command(std::iter::empty::<&str>());
    command.current_dir(world.root()).env_clear().envs(sealed.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let run = run(command);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("\"kind\":\"exhausted\""), "{run:?}");
}

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

#[test]
fn help_is_a_command_too() {
    let world = World::bare();
    for (args, expected) in
        [(&["help"][..], "Commands:"), (&["help", "add"], "--hold"), (&["help", "task", "wait"], "--timeout")]
    {
        let help = world.apex(args).expect(0);
        assert!(help.stdout.contains(expected), "{args:?} {help:?}");
    }
}

#[test]
fn versions_are_told() {
    let version = World::bare().apex(["version", "--json"]).expect(0).json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    for key in ["proto", "json", "schema"] {
        assert!(version[key].is_u64() || version[key].is_string(), "{version}");
    }
}

#[test]
fn names_with_escape_sequences_are_shown_harmless() {
    let world = World::started();
    let name = "evil\u{1b}[2J\u{202e}name\u{9b}";
    world.apex(["task", "add", "--name", name, "--", "echo", "\u{1b}]0;title\u{7}"]).expect(0);
    world.ended(1);
    for args in
        [&["task", "list"][..], &["task", "show", "1"], &["status"], &["daemon", "logs"], &["task", "list", "--json"]]
    {
        let run = world.apex(args);
        let text = run.stdout + &run.stderr;
        let unsafe_character = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!text.chars().any(unsafe_character), "{args:?} {text:?}");
    }
    let raw = world.apex(["task", "logs", "1"]).stdout;
    assert_eq!(raw, "\u{1b}]0;title\u{7}\n", "raw to a pipe");
}
