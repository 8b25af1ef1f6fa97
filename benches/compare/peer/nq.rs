//! nq: no server, a file for each task, one task at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;
use crate::place::Place;
use crate::queue::{Queue, output};

/// A directory of tasks.
#[derive(Debug)]
pub struct Nq {
    place: Place,
    client: PathBuf,
}

impl Nq {
    /// Makes one.
    pub fn start(client: &Path) -> anyhow::Result<Nq> {
        let place = Place::new()?;
        place.directory("nq")?;
        Ok(Nq { place, client: client.to_owned() })
    }

    fn client(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(&self.client);
        command.env("NQDIR", self.place.path("nq")).args(args);
        command
    }
}

impl Queue for Nq {
    fn name(&self) -> &'static str {
        "nq"
    }

    fn add(&self, argv: &[&str]) -> Command {
        self.client(&[&["-q"], argv].concat())
    }

    fn list(&self) -> Option<Command> {
        None
    }

    fn follow(&self, _: &[&str]) -> anyhow::Result<Option<u64>> {
        Ok(None)
    }

    fn finish(&self, count: usize) -> anyhow::Result<f64> {
        output(self.client(&["-w"]))?;
        let ended_at = machine::wall();
        let mut succeeded = 0;
        for entry in fs::read_dir(self.place.path("nq"))? {
            let text = fs::read(entry?.path())?;
            let text = String::from_utf8_lossy(&text);
            anyhow::ensure!(text.contains("[exited with status 0."), "it did not exit with 0: {text}");
            succeeded += 1;
        }
        anyhow::ensure!(succeeded == count, "{succeeded} tasks instead of {count}");
        Ok(ended_at)
    }

    fn daemons(&self) -> Vec<i32> {
        Vec::new()
    }
}
