//! pueue: a daemon that keeps its state in a JSON file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::place::Place;
use crate::queue::{Queue, drain, output, until, until_ready};

/// A pueued, and the client that goes with it.
#[derive(Debug)]
pub struct Pueue {
    place: Place,
    client: PathBuf,
    daemon: Child,
}

impl Pueue {
    /// Starts one.
    pub fn start(client: &Path, slots: usize) -> anyhow::Result<Pueue> {
        let place = Place::new()?;
        let directory = place.directory("pueue")?;
        let config = format!(
            "shared:\n  pueue_directory: {}\n  runtime_directory: {}\n  use_unix_socket: true\n  unix_socket_path: {}\n\
             client: {{}}\ndaemon: {{}}\n",
            directory.display(),
            directory.display(),
            place.socket("pueue").display()
        );
        fs::write(place.path("pueue.yml"), config)?;
        let daemon = place.command(&client.with_file_name("pueued")).arg("-c").arg(place.path("pueue.yml")).spawn()?;
        let pueue = Pueue { place, client: client.to_owned(), daemon };
        until_ready("pueue answers", || Ok(pueue.client(&["status"]).status()?.success()))?;
        pueue.say(&["parallel", &slots.to_string()])?;
        Ok(pueue)
    }

    fn client(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(&self.client);
        command.arg("-c").arg(self.place.path("pueue.yml")).args(args);
        command
    }

    /// Runs a command of its client and returns what it printed.
    pub fn say(&self, args: &[&str]) -> anyhow::Result<String> {
        output(self.client(args))
    }

    /// Returns when its tasks ran, from the first start to the last end, in seconds since 1970; `None` if some have not
    /// ended. Errors: one of them failed, or is missing.
    pub fn ran(&self, count: usize) -> anyhow::Result<Option<(f64, f64)>> {
        let status: Value = serde_json::from_str(&self.say(&["status", "--json"])?)?;
        let tasks = status["tasks"].as_object().context("a list of tasks")?;
        anyhow::ensure!(tasks.len() == count, "{} tasks instead of {count}", tasks.len());
        let (mut first, mut last) = (f64::INFINITY, 0.0_f64);
        for task in tasks.values() {
            let done = &task["status"]["Done"];
            if done.is_null() {
                return Ok(None);
            }
            anyhow::ensure!(done["result"] == "Success", "it did not exit with 0: {task}");
            first = first.min(seconds(&done["start"])?);
            last = last.max(seconds(&done["end"])?);
        }
        Ok(Some((first, last)))
    }
}

fn seconds(at: &Value) -> anyhow::Result<f64> {
    let at: jiff::Timestamp = at.as_str().context("a time is missing")?.parse()?;
    Ok(at.as_millisecond() as f64 / 1e3)
}

impl Queue for Pueue {
    fn name(&self) -> &'static str {
        "pueue"
    }

    fn add(&self, argv: &[&str]) -> Command {
        self.client(&[&["add", "--"], argv].concat())
    }

    fn list(&self) -> Option<Command> {
        Some(self.client(&["status"]))
    }

    fn follow(&self, argv: &[&str]) -> anyhow::Result<Option<u64>> {
        let id = self.say(&[&["add", "--print-task-id", "--immediate", "--"], argv].concat())?;
        drain(self.client(&["follow", id.trim()])).map(Some)
    }

    fn finish(&self, count: usize) -> anyhow::Result<f64> {
        let ran = until("pueue has run all", Duration::from_millis(200), || self.ran(count))?;
        Ok(ran.1)
    }

    fn daemons(&self) -> Vec<i32> {
        self.daemon.id().try_into().ok().into_iter().collect()
    }
}

impl Drop for Pueue {
    fn drop(&mut self) {
        // What does not end in order is killed.
        let _ = self.say(&["shutdown"]);
        let ended = until_ready("pueued ends", || Ok(self.daemon.try_wait()?.is_some()));
        if ended.is_err() {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
    }
}
