//! task-spooler: a server in memory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::machine;
use crate::place::Place;
use crate::queue::{Queue, drain, output, until};

/// More than are ever added: it forgets what ended before so many others, and how it ended.
const REMEMBERED: &str = "100000";

/// A server, which its client starts.
#[derive(Debug)]
pub struct Tsp {
    place: Place,
    client: PathBuf,
}

impl Tsp {
    /// Starts one.
    pub fn start(client: &Path, slots: usize) -> anyhow::Result<Tsp> {
        let tsp = Tsp { place: Place::new()?, client: client.to_owned() };
        output(tsp.client(&["-S", &slots.to_string()]))?;
        Ok(tsp)
    }

    fn client(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(&self.client);
        command.env("TS_SOCKET", self.place.socket("tsp")).env("TS_MAXFINISHED", REMEMBERED).args(args);
        command
    }
}

impl Queue for Tsp {
    fn name(&self) -> &'static str {
        "tsp"
    }

    fn add(&self, argv: &[&str]) -> Command {
        self.client(argv)
    }

    fn list(&self) -> Option<Command> {
        Some(self.client(&["-l"]))
    }

    fn follow(&self, argv: &[&str]) -> anyhow::Result<Option<u64>> {
        let id = output(self.client(argv))?;
        drain(self.client(&["-c", id.trim()])).map(Some)
    }

    /// Shape: a line is the number, the state, the output file, and how it ended.
    fn finish(&self, count: usize) -> anyhow::Result<f64> {
        // The last one is waited for; with several slots some of the others may end a moment later.
        output(self.client(&["-w"]))?;
        let mut ended_at = machine::wall();
        let list = until("tsp has run all", Duration::from_millis(5), || {
            let list = output(self.client(&["-l"]))?;
            let waits = list.lines().any(|line| line.contains(" queued ") || line.contains(" running "));
            if waits {
                ended_at = machine::wall();
            }
            Ok((!waits).then_some(list))
        })?;
        let codes = list.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.nth(1) == Some("finished")).then(|| words.nth(1).map(str::to_owned))?
        });
        let codes: Vec<String> = codes.collect();
        anyhow::ensure!(codes.len() == count, "{} tasks instead of {count}", codes.len());
        anyhow::ensure!(codes.iter().all(|code| code == "0"), "a task did not exit with 0");
        Ok(ended_at)
    }

    fn daemons(&self) -> Vec<i32> {
        self.place.processes()
    }
}

impl Drop for Tsp {
    fn drop(&mut self) {
        // What does not end is killed with the place.
        let _ = output(self.client(&["-K"]));
        self.place.until_empty();
    }
}
