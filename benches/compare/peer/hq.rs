//! HyperQueue: a server with a journal, and a worker.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::Context as _;
use serde_json::Value;

use crate::place::Place;
use crate::queue::{Queue, output, until_ready};

/// A server, and its worker if it has one.
#[derive(Debug)]
pub struct Hq {
    place: Place,
    program: PathBuf,
    slots: usize,
    children: Vec<Child>,
}

impl Hq {
    /// Starts a server; with a worker, if tasks are to be run at once.
    pub fn start(program: &Path, slots: usize, with_worker: bool) -> anyhow::Result<Hq> {
        let place = Place::new()?;
        place.directory("outputs")?;
        let mut hq = Hq { place, program: program.to_owned(), slots, children: Vec::new() };
        let journal = hq.place.path("journal");
        let server = hq.client(&["server", "start", "--host", "localhost", "--journal"]).arg(journal).spawn()?;
        hq.children.push(server);
        until_ready("hq answers", || Ok(hq.client(&["server", "info"]).status()?.success()))?;
        if with_worker {
            hq.start_worker()?;
        }
        Ok(hq)
    }

    /// Starts a worker that runs as many tasks at once as there are slots, and waits until the server knows it.
    pub fn start_worker(&mut self) -> anyhow::Result<()> {
        let cpus = self.slots.to_string();
        let worker = self.client(&["worker", "start", "--detect-resources", "none", "--cpus", &cpus]).spawn()?;
        self.children.push(worker);
        until_ready("hq has a worker", || {
            let workers: Value =
                serde_json::from_str(&output(self.client(&["--output-mode", "json", "worker", "list"]))?)?;
            Ok(workers.as_array().is_some_and(|workers| !workers.is_empty()))
        })
    }

    fn client(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(&self.program);
        command.env("HQ_SERVER_DIR", self.place.path("server")).args(args);
        command
    }

    fn submit(&self, flags: &[&str], argv: &[&str]) -> Command {
        let outputs = self.place.path("outputs/%{JOB_ID}.%{TASK_ID}");
        let mut command = self.client(&["submit"]);
        command.args(flags).arg("--stdout").arg(outputs).args(["--stderr", "none", "--"]).args(argv);
        command
    }

    /// Adds many tasks as one array.
    pub fn add_array(&self, argv: &[&str], count: usize) -> anyhow::Result<()> {
        output(self.submit(&["--array", &format!("1-{count}")], argv)).map(drop)
    }

    /// Waits until all tasks have ended and returns when they ran, from the first start to the last end, in seconds since
    /// 1970.
    pub fn ran(&self, count: usize) -> anyhow::Result<(f64, f64)> {
        output(self.client(&["job", "wait", "all"]))?;
        let jobs: Value =
            serde_json::from_str(&output(self.client(&["--output-mode", "json", "job", "info", "all"]))?)?;
        let (mut first, mut last, mut found) = (f64::INFINITY, 0.0_f64, 0);
        for task in jobs.as_array().into_iter().flatten().filter_map(|job| job["tasks"].as_array()).flatten() {
            anyhow::ensure!(task["state"] == "finished", "it did not exit with 0: {task}");
            first = first.min(seconds(&task["started_at"])?);
            last = last.max(seconds(&task["finished_at"])?);
            found += 1;
        }
        anyhow::ensure!(found == count, "{found} tasks instead of {count}");
        Ok((first, last))
    }
}

fn seconds(at: &Value) -> anyhow::Result<f64> {
    let at: jiff::Timestamp = at.as_str().context("a time is missing")?.parse()?;
    Ok(at.as_microsecond() as f64 / 1e6)
}

impl Queue for Hq {
    fn name(&self) -> &'static str {
        "hq"
    }

    fn add(&self, argv: &[&str]) -> Command {
        self.submit(&[], argv)
    }

    fn list(&self) -> Option<Command> {
        Some(self.client(&["job", "list", "--all"]))
    }

    fn follow(&self, _: &[&str]) -> anyhow::Result<Option<u64>> {
        Ok(None)
    }

    fn finish(&self, count: usize) -> anyhow::Result<f64> {
        Ok(self.ran(count)?.1)
    }

    fn daemons(&self) -> Vec<i32> {
        self.place.processes()
    }
}

impl Drop for Hq {
    fn drop(&mut self) {
        // What does not end in order is killed with the place; the worker ends with its server.
        let _ = output(self.client(&["server", "stop"]));
        self.place.until_empty();
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
