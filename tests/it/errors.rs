//! Wrong input: one clear message that names the thing and the next step, the right exit code, nothing changed.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::{World, eventually, run, signal};

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
fn what_stands_in_the_place_of_the_socket_is_not_removed() {
    let world = World::new();
    std::fs::write(world.dot_apex().join("daemon.sock"), "precious").unwrap();
    let start = world.apex(["daemon", "start"]).expect(3);
    assert!(start.stderr.contains("daemon.sock"), "{start:?}");
    assert_eq!(std::fs::read_to_string(world.dot_apex().join("daemon.sock")).unwrap(), "precious");
    assert!(world.processes().is_empty());
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
