//! What a task or a client sent is never interpreted: not by the terminal, not by the log, not by a shell.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use crate::support::{Running, World, run};

/// Everything that steers a terminal or turns the order of text, and something for a shell: sequences that clear the
/// screen, set the title, write the clipboard and answer back, each control character, and the bidirectional ones.
fn hostile() -> String {
    let mut text =
        String::from("e\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}]52;c;cHduZWQ=\u{1b}\\\u{1b}[c\u{9b}6n\u{90}q\u{9c}");
    text.extend((1..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32));
    text.extend(['\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2069}']);
    text + "$(touch pwned)`touch pwned`;touch pwned"
}

/// Returns the first character that a terminal would take for something else than text.
fn steering(text: &str) -> Option<char> {
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().find(|c| (c.is_control() && *c != '\n') || turns(*c))
}

#[track_caller]
fn assert_harmless(what: &dyn std::fmt::Debug, text: &str) {
    assert_eq!(steering(text), None, "{what:?}: {text:?}");
}

/// Runs a command, looks at all it says, and returns it.
#[track_caller]
fn said(world: &World, args: &[&str]) -> String {
    let run = world.apex(args);
    let text = run.stdout + &run.stderr;
    assert!(!text.is_empty(), "{args:?} says nothing");
    assert_harmless(&args, &text);
    text
}

/// Runs a command whose output is a terminal, and returns what that is sent.
fn on_terminal(world: &World, args: &[&str]) -> String {
    let size = nix::pty::Winsize { ws_row: 25, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = nix::pty::openpty(Some(&size), None).unwrap();
    let mut command: Command = world.command(args);
    command.env("TERM", "xterm").stdout(pair.slave.try_clone().unwrap()).stderr(pair.slave);
    let child = Running::new(command.spawn().unwrap());
    // Its copies of the terminal are closed with it, or reading would never end.
    drop(command);
    let mut seen = Vec::new();
    // The end of a terminal is an error: nobody has it open any more.
    let _ = std::fs::File::from(pair.master).read_to_end(&mut seen);
    child.wait();
    // The terminal itself puts a carriage return before each line end.
    String::from_utf8_lossy(&seen).replace("\r\n", "\n")
}

/// Returns a text without what changes colours.
fn without_colors(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        let end = rest[at + 2..].find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':').map(|end| at + 2 + end);
        let Some(end) = end.filter(|end| rest[*end..].starts_with('m')) else { break };
        plain.push_str(&rest[..at]);
        rest = &rest[end + 1..];
    }
    plain + rest
}

#[test]
fn what_was_sent_steers_no_terminal_no_log_and_no_shell() {
    let world = World::started();
    let text = hostile();
    let label = format!("{}={text}", text.replace(['=', ','], "."));
    let variable = format!("{}=1", text.replace('=', "."));

    // One that ended by itself and wrote what it likes, one that is held, one that cannot start, one that is cancelled.
    let print = ["sh", "-c", "printf %s\\\\n \"$1\"; printf '\\377'", "sh", &text];
    let flags = ["add", "--name", &text, "--label", &label, "--env", &variable, "--"];
    world.apex([&flags[..], &print].concat()).expect(0);
    said(&world, &["add", "--hold", "--name", &text, "--", &text]);
    let cwd = world.path(text.replace('/', "."));
    std::fs::create_dir(&cwd).unwrap();
    said(&world, &["run", "--cwd", cwd.to_str().unwrap(), "--", &text]);
    said(&world, &["add", "--hold", &text]);
    said(&world, &["cancel", "--reason", &text, "4"]);
    said(&world, &["queue", "pause", "default", "--reason", &text]);
    said(&world, &["add", "--name", &text, "--", "true"]);
    world.ended(1);

    // Everything that is told of them, to people and to programs.
    let told: &[&[&str]] = &[
        &["ls", "--all"],
        &["ls", "--name", &text],
        &["status"],
        &["task", "show", "1"],
        &["task", "show", "1", "--show-env"],
        &["task", "show", "3"],
        &["task", "show", "4"],
        &["task", "why", "5"],
        &["task", "why", "3"],
        &["wait", "3"],
        &["queue", "list"],
        &["events"],
        &["daemon", "logs"],
        &["doctor"],
        &["-v", "ls"],
    ];
    for args in told {
        let people = said(&world, args);
        assert!(!people.contains("\\u0000"), "{people}");
        said(&world, &[&["--json"], *args].concat());
        assert_harmless(args, &without_colors(&on_terminal(&world, args)));
    }
    assert!(said(&world, &["ls", "--all"]).contains("\\u001b[2J"), "what steers is shown, not left out");

    // What is refused is told in the words in which it was typed.
    let refused: &[&[&str]] = &[
        &[&text],
        &["task", &text],
        &["task", "show", &text],
        &["wait", "1", "--timeout", &text],
        &["ls", "--state", &text],
        &["ls", "-Q", &text],
        &["queue", "add", &text],
        &["queue", "rm", &text],
        &["queue", "resume", &text],
        &["add", "--env-file", &text, "--", "true"],
        &["add", "--stdin", &text, "--", "true"],
        &["-C", &text, "ls"],
        &["init", &text],
    ];
    for args in refused {
        said(&world, args);
        said(&world, &[&["--json"], *args].concat());
    }

    // The output itself: whole to a pipe, and harmless on a terminal unless it is asked for as it is.
    let piped = run(world.command(["logs", "1"])).expect(0).stdout;
    assert!(piped.contains(&text), "a pipe gets every byte: {piped:?}");
    for args in [&["logs", "1"][..], &["logs", "1", "5"], &["logs", "-f", "1"]] {
        let seen = on_terminal(&world, args);
        let plain = without_colors(&seen).replace('\t', " ");
        assert_harmless(&args, &plain);
        assert!(plain.contains("\\u001b[2J"), "{args:?}: {plain:?}");
    }
    assert!(on_terminal(&world, &["logs", "--raw", "1"]).contains("\u{1b}[2J"), "the terminal was one");
    said(&world, &["--json", "logs", "1"]);

    // The daemon's own log, byte for byte, and the settings.
    for line in world.log().lines() {
        assert_harmless(&"daemon.log", line);
    }
    assert!(world.log().contains("no such") || world.log().contains("\\u001b"), "{}", world.log());
    let config = world.dot_apex().join("config.toml");
    std::fs::write(&config, OsStr::new(&format!("[env]\nexclude = [{:?}]\n", "x\u{9b}\u{202e}")).as_bytes()).unwrap();
    said(&world, &["config", "show"]);
    std::fs::write(&config, format!("[daemon]\n{} = 1\n", "\"a\\u001b[2J\\u202e\"")).unwrap();
    said(&world, &["config", "check"]);
    said(&world, &["daemon", "reload"]);
    std::fs::write(&config, format!("[daemon]\nlog_level = {text}\n")).unwrap();
    said(&world, &["config", "check"]);
    std::fs::write(&config, "").unwrap();

    // No shell has ever read any of it.
    let made = |dir: &std::path::Path| dir.join("pwned").exists();
    assert!(!made(&world.root()) && !made(&cwd) && !made(&world.dot_apex()), "a shell was given what was a name");
}
