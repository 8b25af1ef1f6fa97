//! A project of apex.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::place::Place;
use crate::plan::Plan;
use crate::queue::{Queue, drain, output, until};
use crate::report::APEX;

/// A project, and its daemon.
#[derive(Debug)]
pub struct World {
    /// Where it is.
    pub place: Place,
    apex: PathBuf,
    slots: usize,
}

/// When tasks ran, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Ran {
    /// When the first one started.
    pub first_started: f64,
    /// When the last one ended.
    pub last_ended: f64,
}

impl World {
    /// Makes a project with a daemon that runs so many tasks at once.
    pub fn started(plan: &Plan, slots: usize) -> anyhow::Result<World> {
        let place = Place::new()?;
        place.directory("project")?;
        let world = World { place, apex: plan.apex.clone(), slots };
        world.say(&["init"])?;
        world.start()?;
        Ok(world)
    }

    /// Starts the daemon.
    pub fn start(&self) -> anyhow::Result<()> {
        output(self.start_command()).map(drop)
    }

    /// Prepares the command that starts the daemon.
    pub fn start_command(&self) -> Command {
        self.command(&["daemon", "start", "--max-concurrent", &self.slots.to_string()])
    }

    /// Stops the daemon, and what runs.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.say(&["daemon", "stop", "--force"]).map(drop)
    }

    /// Returns the root of the project.
    pub fn root(&self) -> PathBuf {
        self.place.path("project")
    }

    /// Returns a file of the project's own directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root().join(".apex").join(name)
    }

    /// Prepares an apex command in the project.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(&self.apex);
        command.current_dir(self.root()).args(args);
        command
    }

    /// Runs an apex command and returns what it printed.
    pub fn say(&self, args: &[&str]) -> anyhow::Result<String> {
        output(self.command(args))
    }

    fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        let text = self.say(args)?;
        serde_json::from_str(&text).with_context(|| format!("no JSON: apex {args:?}"))
    }

    /// Writes the settings; they hold from the next start.
    pub fn configure(&self, config: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.file("config.toml"), config)?)
    }

    /// Returns whether the command line knows a flag of `task add`.
    pub fn knows(&self, flag: &str) -> bool {
        self.say(&["task", "add", "--help"]).is_ok_and(|help| help.contains(flag))
    }

    /// Waits until so many tasks have ended since the project began, and looks whether all of them succeeded.
    pub fn until_ended(&self, count: usize, pause: Duration) -> anyhow::Result<()> {
        until("all tasks have ended", pause, || {
            let status = self.json(&["daemon", "status", "--json"])?;
            let of = |key: &str| status[key].as_u64().unwrap_or(0);
            anyhow::ensure!(of("tasks_failed") == 0, "a task failed");
            Ok((of("tasks_processed") >= count as u64).then_some(()))
        })
    }

    /// Returns when the tasks of the project ran. Errors: there are not `count` of them, or one did not exit with 0.
    pub fn ran(&self, count: usize) -> anyhow::Result<Ran> {
        let tasks = self.json(&["task", "list", "--json", "--all"])?;
        let tasks = tasks.as_array().context("a list")?;
        anyhow::ensure!(tasks.len() == count, "{} tasks instead of {count}", tasks.len());
        let mut ran = Ran { first_started: f64::INFINITY, last_ended: 0.0 };
        for task in tasks {
            anyhow::ensure!(task["state"] == "succeeded" && task["exit_code"] == 0, "it did not exit with 0: {task}");
            ran.first_started = ran.first_started.min(seconds(&task["started_at"])?);
            ran.last_ended = ran.last_ended.max(seconds(&task["ended_at"])?);
        }
        Ok(ran)
    }

    /// Returns the pid of apexd.
    fn apexd(&self) -> anyhow::Result<i32> {
        let status = self.json(&["daemon", "status", "--json"])?;
        status["pid"].as_i64().and_then(|pid| pid.try_into().ok()).context("no daemon runs")
    }
}

fn seconds(at: &Value) -> anyhow::Result<f64> {
    let at: jiff::Timestamp = at.as_str().context("a time is missing")?.parse()?;
    Ok(at.as_millisecond() as f64 / 1e3)
}

/// Returns the pid that a file holds.
fn pid_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

impl Queue for World {
    fn name(&self) -> &'static str {
        APEX
    }

    fn add(&self, argv: &[&str]) -> Command {
        self.command(&[&["add", "--"], argv].concat())
    }

    fn list(&self) -> Option<Command> {
        Some(self.command(&["task", "list"]))
    }

    fn follow(&self, argv: &[&str]) -> anyhow::Result<Option<u64>> {
        drain(self.command(&[&["run", "--"], argv].concat())).map(Some)
    }

    fn finish(&self, count: usize) -> anyhow::Result<f64> {
        self.until_ended(count, Duration::from_millis(20))?;
        Ok(self.ran(count)?.last_ended)
    }

    fn daemons(&self) -> Vec<i32> {
        pid_in(&self.file("daemon.pid")).into_iter().chain(self.apexd().ok()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What does not end is killed with the place.
        let _ = self.stop();
        self.place.until_empty();
    }
}
