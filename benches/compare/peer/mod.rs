//! What else there is that runs tasks. Each is driven by its own command line, as whoever uses it would.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

mod hq;
pub mod line;
mod nq;
mod pueue;
mod tsp;

pub use hq::Hq;
pub use nq::Nq;
pub use pueue::Pueue;
pub use tsp::Tsp;

use crate::queue::{Queue, time_ms};

/// The peers that are on this machine, by the paths of their programs.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    /// pueue; its daemon is beside it.
    pub pueue: Option<PathBuf>,
    /// task-spooler: `tsp`, or `ts`.
    pub tsp: Option<PathBuf>,
    /// nq.
    pub nq: Option<PathBuf>,
    /// HyperQueue.
    pub hq: Option<PathBuf>,
    /// GNU parallel.
    pub parallel: Option<PathBuf>,
    /// xargs.
    pub xargs: Option<PathBuf>,
    /// Those that are there and do not work, and why.
    pub broken: Vec<String>,
}

/// Looks which peers are there.
pub fn look() -> Peers {
    let says = |path: &PathBuf, flag: &str, word: &str| {
        let output = Command::new(path).arg(flag).output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(word))
    };
    // Another `ts` stamps lines with the time, and another `parallel` comes with it.
    let ts = || find("ts").filter(|path| says(path, "-V", "Task Spooler"));
    let mut peers = Peers {
        pueue: find("pueue").filter(|_| find("pueued").is_some()),
        tsp: find("tsp").or_else(ts),
        nq: find("nq"),
        hq: find("hq"),
        parallel: find("parallel").filter(|path| says(path, "--version", "GNU parallel")),
        xargs: find("xargs"),
        broken: Vec::new(),
    };
    peers.try_out();
    peers
}

/// Returns where a program stands.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(is_program)
}

impl Peers {
    /// Lets those with a queue run a task each; one that does not is left out, and nobody else's figures are lost for it.
    fn try_out(&mut self) {
        let mut broken = Vec::new();
        let mut check = |name: &str, path: &mut Option<PathBuf>, start: fn(&Path) -> anyhow::Result<Box<dyn Queue>>| {
            let Some(program) = path else { return };
            let run = |program: &Path| {
                let queue = start(program)?;
                time_ms(queue.add(&["/bin/true"]))?;
                queue.finish(1)
            };
            if let Err(error) = run(program) {
                broken.push(format!("{name} ({}) does not work: {error:#}", program.display()));
                *path = None;
            }
        };
        check("pueue", &mut self.pueue, |path| Ok(Box::new(Pueue::start(path, 2)?)));
        check("tsp", &mut self.tsp, |path| Ok(Box::new(Tsp::start(path, 2)?)));
        check("nq", &mut self.nq, |path| Ok(Box::new(Nq::start(path)?)));
        check("hq", &mut self.hq, |path| Ok(Box::new(Hq::start(path, 2, true)?)));
        self.broken = broken;
    }

    fn each(&self) -> [(&'static str, &Option<PathBuf>, &'static str); 6] {
        [
            (
                "pueue",
                &self.pueue,
                "its whole state is a JSON file, written anew with every change and not synced; a power cut may lose an \
                 acknowledged add",
            ),
            ("tsp", &self.tsp, "task-spooler stores nothing: what waits is lost with its server"),
            ("nq", &self.nq, "one task at a time; a file for each, nothing synced"),
            (
                "hq",
                &self.hq,
                "HyperQueue's journal is on, but not flushed for each task: what was acknowledged last may be lost",
            ),
            ("parallel", &self.parallel, "GNU parallel has no queue; outputs in files, nothing else is stored"),
            ("xargs", &self.xargs, "has no queue and keeps nothing, no output either"),
        ]
    }

    /// Returns what is not there.
    pub fn absent(&self) -> Vec<String> {
        let absent = self.each().into_iter().filter(|(_, path, _)| path.is_none());
        let names = absent.map(|(name, ..)| name).filter(|name| !self.broken.iter().any(|why| why.starts_with(name)));
        names.map(str::to_owned).chain(self.broken.iter().cloned()).collect()
    }

    /// Returns what has to be known about what is there: its version, and what of it is durable.
    pub fn remarks(&self) -> BTreeSet<String> {
        let there = self.each().into_iter().filter_map(|(name, path, remark)| Some((name, path.as_ref()?, remark)));
        there.map(|(name, path, remark)| format!("{name} ({}): {remark}", version(name, path))).collect()
    }
}

/// Returns the version that a program tells of itself.
fn version(name: &str, path: &Path) -> String {
    let flag = match name {
        "nq" => return "no version told".to_owned(),
        "tsp" => "-V",
        _ => "--version",
    };
    let output = Command::new(path).arg(flag).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let is_version = |word: &&str| word.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    said.split_whitespace().find(is_version).unwrap_or("no version told").trim_end_matches(',').to_owned()
}
