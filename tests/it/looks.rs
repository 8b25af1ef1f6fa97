//! What people see: lines of several tasks, colours, text that came from elsewhere, hints, a terminal that waits.

use std::io::{BufRead, Read};

use crate::support::{Run, Running, World, run};

/// A shell line that goes on until there is a file `go`.
const UNTIL_GO: &str = "while [ ! -e go ]; do sleep 0.01; done";

#[test]
fn several_tasks_are_told_one_after_the_other_each_line_with_its_task() {
    let world = World::started();
    world.ended(world.add_with(&["--name", "build"], "echo one; printf two; exit 3"));
    world.ended(world.add_with(&["--split-output"], "echo out; echo err >&2"));
    let run = world.apex(["logs", "2,1", "2"]).expect(0);
    assert_eq!(run.stdout, "2     | out\nbuild | one\nbuild | two\n");
    assert_eq!(run.stderr, "2     | err\n");
    assert_eq!(world.apex(["logs", "1", "2", "-n", "1", "--stdout"]).expect(0).stdout, "2     | out\n");
    let json = world.apex(["logs", "1", "2", "--json"]).expect(0).stdout;
    let tasks: Vec<_> =
        json.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["task"].as_u64()).collect();
    assert!(tasks.contains(&Some(1)) && tasks.contains(&Some(2)), "{json}");
    assert_eq!(world.apex(["logs", "1"]).expect(0).stdout, "one\ntwo", "one alone is told as it is");
}

#[test]
fn several_tasks_are_followed_together_until_all_have_ended() {
    let world = World::started();
    let first = world.add(&format!("echo a; {UNTIL_GO}; echo b"));
    let second = world.add_with(&["--hold"], "printf half; exit 3");
    let follower = world.spawn(["logs", "-f", &first.to_string(), &second.to_string()]);
    world.apex(["task", "release", &second.to_string()]).expect(0);
    world.ended(second);
    std::fs::write(world.path("go"), "").unwrap();
    let run = follower.wait().expect(1);
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1 | a", "1 | b", "2 | half"], "{run:?}");
    assert!(run.stderr.contains("task 2 failed (exit code 3"), "{run:?}");
    assert_eq!(world.apex(["logs", "-f", "1", "1"]).expect(0).stdout, "a\nb\n", "the same twice is one");
    let fine = world.add("echo fine");
    world.apex(["logs", "-f", "1", &fine.to_string()]).expect(0);
}

#[test]
fn who_follows_several_tasks_of_a_daemon_that_stops_is_told_once() {
    let world = World::started();
    let runs = world.add(&format!("echo begun; {UNTIL_GO}"));
    let held = [world.add_with(&["--hold"], "true"), world.add_with(&["--hold"], "true")];
    let mut follower = world.spawn(["logs", "-f", &runs.to_string(), &held[0].to_string(), &held[1].to_string()]);
    let mut line = String::new();
    // Which goes on being read: a follower ends with its reader.
    let mut reader = std::io::BufReader::new(follower.stdout());
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "1 | begun\n");
    world.apex(["daemon", "stop", "--force"]).expect(0);
    let run = follower.wait().expect(3);
    assert_eq!(run.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{run:?}");
    assert!(run.stderr.contains("task 1 interrupted"), "{run:?}");
}

#[test]
fn of_several_tasks_the_unknown_ones_are_told_and_the_others_followed() {
    let world = World::started();
    world.ended(world.add("echo here"));
    for args in [&["logs", "99", "1", "98"][..], &["logs", "-f", "99,1,98"]] {
        let run = world.apex(args).expect(1);
        assert_eq!(run.stdout, "1 | here\n", "{args:?}");
        let mut errors: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error")).collect();
        errors.sort_unstable();
        assert_eq!(errors, ["error: no task `98`", "error: no task `99`"], "{args:?} {run:?}");
    }
    for args in [&["logs", "99", "98"][..], &["logs", "-f", "99", "98"], &["logs", "1", "1,1", "--attempt", "7"]] {
        let run = world.apex(args).expect(4);
        assert!(run.stdout.is_empty() && run.stderr.contains("error: "), "{args:?} {run:?}");
    }
}

/// A terminal, as the one who looks at it has it.
struct Terminal {
    screen: std::fs::File,
    keyboard: Option<std::os::fd::OwnedFd>,
    seen: String,
}

impl Terminal {
    fn new() -> Terminal {
        let size = nix::pty::Winsize { ws_row: 25, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = nix::pty::openpty(Some(&size), None).unwrap();
        Terminal { screen: pair.master.into(), keyboard: Some(pair.slave), seen: String::new() }
    }

    /// Starts a command whose standard error is this terminal.
    fn start(&mut self, world: &World, args: &[&str]) -> Running {
        let mut command = world.command(args);
        command.env("TERM", "xterm").stdout(std::process::Stdio::null());
        Running::new(command.stderr(self.keyboard.take().unwrap()).spawn().unwrap())
    }

    /// Looks until `text` has been there.
    fn until(&mut self, text: &str) {
        let mut bytes = [0; 4096];
        while !self.seen.contains(text) {
            let length = self.screen.read(&mut bytes).unwrap();
            self.seen += &String::from_utf8_lossy(&bytes[..length]);
        }
    }

    /// Looks until nobody writes any more, and returns what was there since the last `text`.
    fn rest_after(mut self, text: &str) -> String {
        // The end of a terminal is an error: nobody has it open any more.
        let mut rest = Vec::new();
        let _ = self.screen.read_to_end(&mut rest);
        self.seen += &String::from_utf8_lossy(&rest);
        self.seen.rsplit_once(text).unwrap().1.to_owned()
    }
}

#[test]
fn a_terminal_that_waits_says_for_what_and_takes_it_away() {
    let world = World::started();
    let id = world.add(UNTIL_GO);
    let other = world.add_with(&["--hold"], "true");
    let mut terminal = Terminal::new();
    let waiter = terminal.start(&world, &["wait", &id.to_string(), &other.to_string()]);
    terminal.until("waiting for 2 tasks: 1 running, 1 held (");
    world.apex(["task", "cancel", &other.to_string()]).expect(0);
    terminal.until("waiting for task 1: running (");
    std::fs::write(world.path("go"), "").unwrap();
    waiter.wait().expect(1);
    let rest = terminal.rest_after("waiting for task 1: running (");
    let (line, after) = rest.split_once(")").unwrap();
    assert!(line.len() < 8, "{line:?}");
    assert!(after.contains("\u{1b}[2K"), "the line is taken away: {after:?}");
    let told = after.rsplit_once("\u{1b}[2K").unwrap().1;
    assert!(told.contains("task 1 succeeded") && told.contains("task 2 cancelled"), "{after:?}");
}

#[test]
fn a_terminal_that_stops_the_daemon_says_what_that_waits_for() {
    let world = World::started();
    let id = world.add(UNTIL_GO);
    world.until_state(id, "running");
    let mut terminal = Terminal::new();
    let stop = terminal.start(&world, &["daemon", "stop"]);
    terminal.until("waiting for 1 running task to end (");
    std::fs::write(world.path("go"), "").unwrap();
    stop.wait().expect(0);
}

#[test]
fn without_a_terminal_or_with_quiet_nothing_is_said_of_waiting() {
    let world = World::started();
    let wait = world.apex(["add", "--wait", "--", "sleep", "0.6"]).expect(0);
    assert!(!wait.stderr.contains("waiting for") && !wait.stderr.contains('\u{1b}'), "{wait:?}");
    for flag in ["-q", "--json"] {
        let mut terminal = Terminal::new();
        let waiter = terminal.start(&world, &["add", flag, "--wait", "--", "sleep", "0.6"]);
        waiter.wait().expect(0);
        let mut rest = String::new();
        let _ = terminal.screen.read_to_string(&mut rest);
        assert_eq!(rest, "", "{flag}");
    }
}

const ESCAPES: &str = "\u{1b}[2J\u{9b}31m\u{202e}\u{7}";

fn has_escape(run: &Run) -> bool {
    run.stdout.contains('\u{1b}') || run.stderr.contains('\u{1b}')
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let world = World::started();
    world.ended(world.add("echo plain; exit 3"));
    let with = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = world.command(args);
        command.envs(variables.iter().copied());
        run(command)
    };
    let screens = [&["ls"][..], &["task", "show", "1"], &["status"], &["daemon", "status"], &["logs", "1", "1,1"]];
    for args in [&screens[..], &[&["task", "show", "9"], &["ls", "--stat"], &["--help"], &["task"]]].concat() {
        let always: Vec<&str> = ["--color", "always"].iter().chain(args).copied().collect();
        let never: Vec<&str> = args.iter().chain(&["--color=never"]).copied().collect();
        assert!(!has_escape(&with(&[], args)), "{args:?}: nobody looks");
        assert!(!has_escape(&with(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], args)), "{args:?}");
        assert!(!has_escape(&with(&[("CLICOLOR_FORCE", "1")], &never)), "{args:?}");
        if args[0] != "logs" {
            assert!(has_escape(&with(&[("CLICOLOR_FORCE", "1")], args)), "{args:?}");
            assert!(has_escape(&with(&[("NO_COLOR", "1")], &always)), "{args:?}: asked for by name");
        }
    }
    world.ended(world.add("echo other"));
    let colored = world.apex(["--color", "always", "logs", "1", "2"]).expect(0).stdout;
    assert!(colored.contains('\u{1b}'), "{colored:?}");
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), world.apex(["logs", "1", "2"]).stdout);
}

#[test]
fn what_came_from_elsewhere_is_shown_harmless_on_every_screen() {
    let world = World::bare();
    let root = world.path(format!("project{ESCAPES}"));
    let there = root.join(format!("cwd{ESCAPES}"));
    std::fs::create_dir_all(&there).unwrap();
    let (root, there) = (root.to_str().unwrap(), there.to_str().unwrap());
    let apex = |args: &[&str]| world.apex([&["-C", root], args].concat());
    world.apex(["init", root]).expect(0);
    let (name, label) = (format!("name{ESCAPES}"), format!("key{ESCAPES}=value{ESCAPES}"));
    let flags = ["add", "-n", &name, "-l", &label, "--cwd", there, "--hold", "--"];
    let command = format!("printf 'line\\n'; : '{ESCAPES}'");
    for _ in 0..2 {
        apex(&[&flags[..], &["sh", "-c", &command]].concat()).expect(0);
    }
    apex(&["task", "release", "2"]).expect(0);
    apex(&["wait", "2"]).expect(0);
    let reason = format!("reason{ESCAPES}");
    let missing = format!("missing{ESCAPES}");
    let runs = [
        apex(&["cancel", "1", "--reason", &reason]),
        apex(&["cancel", "1"]),
        apex(&["ls"]),
        apex(&["ls", "--all", "-n", &missing]),
        apex(&["task", "show", "1", "--show-env"]),
        apex(&["task", "show", "2"]),
        apex(&["status"]),
        apex(&["daemon", "status"]),
        apex(&["daemon", "logs"]),
        apex(&["logs", "1", "2"]),
        apex(&["wait", "1"]),
        apex(&["add", "--wait", "--", &missing]),
        apex(&["add", "--stdin", &missing, "--", "true"]),
        apex(&["add", "--cwd", &missing, "--hold", "--", "true"]),
        apex(&["ls", "--state", &missing]),
        apex(&["ls", &missing]),
        apex(&[&missing]),
        apex(&["-v", "ls"]),
        world.apex(["-C", &missing, "ls"]),
        apex(&["daemon", "stop"]),
        apex(&["daemon", "status"]),
        apex(&["status"]),
        apex(&["--no-start", "ls"]),
    ];
    let is_unsafe = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    for run in &runs {
        let text = run.stdout.clone() + &run.stderr;
        assert!(!text.is_empty() && !text.chars().any(is_unsafe), "{text:?}");
    }
    let all: String = runs.iter().map(|run| run.stdout.clone() + &run.stderr).collect();
    for part in ["name", "key", "value", "cwd", "project", "reason", "missing"] {
        assert!(all.contains(&format!("{part}\\u001b[2J")), "{part} is shown: {all}");
    }
}

#[test]
fn what_goes_wrong_often_comes_with_a_next_step() {
    let world = World::started();
    world.ended(world.add("true"));
    let hint = |args: &[&str], code: i32, expected: &str| {
        let run = world.apex(args).expect(code);
        let lines: Vec<&str> = run.stderr.lines().collect();
        assert!(lines.first().is_some_and(|line| line.starts_with("error: ")), "{args:?} {run:?}");
        let last = lines.last().and_then(|line| line.strip_prefix("  hint: ")).unwrap_or_default();
        assert!(last.contains(expected), "{args:?} {run:?}");
        let middle = &lines[1..lines.len() - 1];
        assert!(middle.iter().all(|line| line.starts_with("  caused by: ")), "{args:?} {run:?}");
    };
    hint(&["task", "show", "99"], 4, "`apex task list --all`");
    hint(&["logs", "1", "--attempt", "7"], 4, "`apex task show 1`");
    hint(&["cancel", "1"], 1, "`apex task show 1`");
    hint(&["-C", "nowhere", "ls"], 1, "&& apex init '");
    hint(&["-C", "/", "ls"], 1, "`apex init '/'`");
    hint(&["wait", "1", "--timeout", "5"], 2, "`--timeout 5s`");
    hint(&["ls", "--state", "runing"], 2, "`--state running`");
    hint(&["ls", "--label", "=x"], 2, "`--label team=core`");
    hint(&["task", "kill", "1", "--signal", "TREM"], 2, "`--signal TERM`");
    hint(&["show", "1"], 2, "`apex task show`");
    hint(&["task", "show"], 2, "by their ids");
    hint(&["task", "edit"], 2, "`apex task edit --help`");
    let label = world.apex(["ls", "--label", "nobody-has-it"]).expect(0);
    assert!(label.stderr.contains("`apex ls --all`"), "{label:?}");
    world.apex(["daemon", "stop"]).expect(0);
    hint(&["--no-start", "ls"], 3, "`apex daemon start`");
    let empty = World::started().apex(["ls"]).expect(0);
    assert_eq!((empty.stdout.as_str(), empty.stderr.as_str()), ("", "no tasks; add one with `apex add -- COMMAND`\n"));
}
