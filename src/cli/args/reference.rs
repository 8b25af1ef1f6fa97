//! `packaging/reference.md`: every command, setting, state, reason and exit code, made from the code that has them.
//!
//! `APEX_BLESS=1 cargo test --lib cli::args::reference` writes it.

use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::Path;

use super::command;
use crate::config::TEMPLATE;
use crate::domain::outcome::ReasonCode;
use crate::domain::task::State;
use crate::exit::Exit;

const STATES: &str = include_str!("../../domain/task/state.rs");
const OUTCOMES: &str = include_str!("../../domain/outcome.rs");
const EXITS: &str = include_str!("../../exit.rs");

const HEAD: &str = "# Reference

Made from the code by `APEX_BLESS=1 cargo test --lib cli::args::reference`; a test fails when it is out of date. The same texts are told by
`apex help COMMAND`. Contents: [states](#states), [reasons](#reasons), [exit codes](#exit-codes), [settings](#settings),
[commands](#commands).
";

/// Returns what the documentation of a variant says, in one line.
fn told(source: &str, variant: &impl Debug) -> String {
    let name = format!("{variant:?},");
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| *line == name).unwrap_or_else(|| panic!("`{name}` is not where it was"));
    let documented = lines[..at].iter().rev().take_while(|line| line.starts_with("///"));
    let mut words: Vec<&str> = documented.map(|line| line.trim_start_matches('/').trim()).collect();
    words.reverse();
    words.join(" ").replace('|', "\\|")
}

fn table<T: Debug>(out: &mut String, title: &str, head: &str, source: &str, all: &[T], word: impl Fn(&T) -> String) {
    let _ = write!(out, "\n## {title}\n\n| {head} | meaning |\n|---|---|\n");
    for one in all {
        let _ = writeln!(out, "| `{}` | {} |", word(one), told(source, one));
    }
}

fn commands(out: &mut String, command: &clap::Command) {
    let mut shown = command.clone().term_width(100);
    let help = shown.render_long_help().to_string();
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(out, "\n### {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        commands(out, below);
    }
}

fn reference() -> String {
    let mut out = HEAD.to_owned();
    // What is starting is shown as running.
    let shown: Vec<State> = State::ALL.into_iter().filter(|state| *state != State::Starting).collect();
    table(&mut out, "States", "state", STATES, &shown, |state| state.as_str().to_owned());
    table(&mut out, "Reasons", "`reason_code`", OUTCOMES, &ReasonCode::ALL, |code| code.as_str().to_owned());
    table(&mut out, "Exit codes", "code", EXITS, &Exit::ALL, |exit| exit.code().to_string());
    let _ = write!(out, "\n## Settings\n\n`.apex/config.toml` as `apex init` makes it.\n\n```toml\n{}```\n", TEMPLATE);
    out.push_str("\n## Commands\n");
    let mut root = command();
    root.build();
    commands(&mut out, &root);
    out
}

#[test]
fn the_reference_is_as_the_code_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/reference.md");
    let expected = reference();
    for word in ["`timed_out`", "`oom`", "`124`", "poll_interval", "--split-output"] {
        assert!(expected.contains(word), "{word}");
    }
    if std::env::var_os("APEX_BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == expected,
        "not as the code is; write it with `APEX_BLESS=1 cargo test --lib cli::args::reference`"
    );
}
