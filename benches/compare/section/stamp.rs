//! A program that says when it began to run, and the pipe into which it says so.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::machine;
use crate::peer::find;
use crate::place::{Place, rest};
use crate::section::latency::SETTLE;

/// How long a task that was added may take to begin, in milliseconds.
const PATIENCE_MS: u16 = 30_000;

/// The program, and the reading end of its pipe.
pub struct Stamp {
    place: Place,
    pipe: File,
}

impl Stamp {
    /// Compiles the program; without the dynamic linker, where that can be done, so that its first instruction comes at once.
    pub fn new() -> anyhow::Result<Stamp> {
        let place = Place::new()?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/stamp.c");
        let cc = find("cc").context("no C compiler `cc`")?;
        let program = place.path("stamp");
        let compile = |flags: &[&str]| -> anyhow::Result<bool> {
            Ok(place.command(&cc).args(["-O2", "-o"]).arg(&program).args(flags).arg(&source).status()?.success())
        };
        anyhow::ensure!(compile(&["-static"])? || compile(&[])?, "cannot compile `{}`", source.display());
        mkfifo(&place.path("pipe"), Mode::S_IRWXU)?;
        // Its own writer, too: so it can be opened before there is another, and does not end after one.
        let pipe = OpenOptions::new().read(true).write(true).open(place.path("pipe"))?;
        Ok(Stamp { place, pipe })
    }

    /// Returns the command that is to be run.
    pub fn argv(&self) -> [String; 2] {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        [text(self.place.path("stamp")), text(self.place.path("pipe"))]
    }

    /// Runs it itself so often and returns how many milliseconds each took from then to its first instruction.
    pub fn bare(&mut self, count: usize) -> anyhow::Result<Vec<f64>> {
        let [program, pipe] = self.argv();
        let place = Place::new()?;
        self.samples(count, || {
            let mut command = place.command(Path::new(&program));
            command.arg(&pipe);
            command
        })
    }

    /// Runs a command that starts it so often, and returns how many milliseconds each took from the start of that
    /// command to the first instruction of the program.
    pub fn samples(&mut self, count: usize, mut command: impl FnMut() -> Command) -> anyhow::Result<Vec<f64>> {
        (0..count)
            .map(|_| {
                let mut command = command();
                let began = machine::monotonic_ns();
                let status = command.status()?;
                anyhow::ensure!(status.success(), "{status}: {command:?}");
                let took = self.read()? - began;
                rest(SETTLE);
                Ok(took as f64 / 1e6)
            })
            .collect()
    }

    fn read(&mut self) -> anyhow::Result<i64> {
        let mut ready = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        anyhow::ensure!(poll(&mut ready, PollTimeout::from(PATIENCE_MS))? == 1, "it was never started");
        let mut ns = [0; 8];
        self.pipe.read_exact(&mut ns)?;
        Ok(i64::from_ne_bytes(ns))
    }
}
