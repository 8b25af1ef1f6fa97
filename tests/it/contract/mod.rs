//! The contract of the command line, row by row.
//!
//! `rows.md` lists what scripts may rely on, a line each; the tests here say in their docs which rows they cover, and
//! [`rows`] fails where a row has no test or a test no row. One file for each table. When you add a flag, a command, a
//! key: a line in `rows.md` and a test here. Stories that go through several rows stand beside this room.

use std::process::{Command, Stdio};

use crate::support::{Run, World, run};

mod add;
mod bulk;
mod command;
mod complete;
mod config;
mod daemon;
mod database;
mod dependency;
mod doctor;
mod edge;
mod edit;
mod environment;
mod event;
mod exit;
mod files;
mod filter;
mod flags;
mod hook;
mod input;
mod json;
mod limit;
mod older;
mod operate;
mod place;
mod progress;
mod project;
mod queue;
mod reason;
mod resource;
mod retention;
mod retry;
mod rows;
mod schedule;
mod select;
mod shape;
mod state;
mod steer;
mod stream;
mod terminal;
mod window;

/// A shell line that runs until [`go`].
const UNTIL_GO: &str = "while [ ! -e go ]; do sleep 0.01; done";

/// Ends every task that runs [`UNTIL_GO`], and those that will.
fn go(world: &World) {
    std::fs::write(world.path("go"), "").unwrap();
}

/// Runs a shell line in a world; `$apex` in it is the program.
fn shell(world: &World, line: &str) -> Run {
    let sealed = world.command(std::iter::empty::<&str>());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(world.root()).stdin(Stdio::null());
    command.env_clear().envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run({
        command.env("apex", env!("CARGO_BIN_EXE_apex"));
        command
    })
}

/// Returns what a task has written until now.
fn output(world: &World, id: u64) -> String {
    world.apex(["task", "logs", &id.to_string()]).expect(0).stdout
}

/// Returns the ids of the tasks that `task list` shows with these flags.
fn listed(world: &World, flags: &[&str]) -> Vec<u64> {
    let args: Vec<&str> = ["task", "list", "--json"].iter().chain(flags).copied().collect();
    let list = world.apex(args).expect(0).json();
    list.as_array().unwrap().iter().map(|task| task["id"].as_u64().unwrap()).collect()
}
