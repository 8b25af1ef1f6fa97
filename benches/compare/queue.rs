//! What every contender with a queue can do.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::machine;
use crate::peer::{Hq, Nq, Pueue, Tsp};
use crate::place::rest;
use crate::section::Stage;
use crate::world::World;

/// Longer than any piece of work takes.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Longer than a server needs to start or to end.
const SOON: Duration = Duration::from_secs(20);

/// A queue that is ready to take tasks. When it is dropped, all of it ends.
pub trait Queue {
    /// Returns the name under which its figures stand.
    fn name(&self) -> &'static str;

    /// Prepares the command that adds a task.
    fn add(&self, argv: &[&str]) -> Command;

    /// Prepares the command that lists what is there; `None` if there is none.
    fn list(&self) -> Option<Command>;

    /// Adds a task, reads its output as it comes, to the end, and returns how many bytes that were; `None` if there is no
    /// command for it.
    fn follow(&self, argv: &[&str]) -> anyhow::Result<Option<u64>>;

    /// Waits until all that was added has ended, which is `count` tasks, and returns when the last one did, in seconds
    /// since 1970.
    ///
    /// Errors: one of them did not exit with 0, or is missing.
    fn finish(&self, count: usize) -> anyhow::Result<f64>;

    /// Returns the processes that stay while nothing is to be done.
    fn daemons(&self) -> Vec<i32>;
}

/// Starts a queue of each sort, with so many slots each. One that works on one task at a time alone is left out if
/// `serial` is false.
pub fn all(stage: &Stage, slots: usize, serial: bool) -> anyhow::Result<Vec<Box<dyn Queue>>> {
    let mut queues: Vec<Box<dyn Queue>> = vec![Box::new(World::started(&stage.plan, slots)?)];
    if let Some(pueue) = &stage.peers.pueue {
        queues.push(Box::new(Pueue::start(pueue, slots).context("pueue")?));
    }
    if let Some(tsp) = &stage.peers.tsp {
        queues.push(Box::new(Tsp::start(tsp, slots).context("tsp")?));
    }
    if let Some(hq) = &stage.peers.hq {
        queues.push(Box::new(Hq::start(hq, slots, true).context("hq")?));
    }
    if let (Some(nq), true) = (&stage.peers.nq, serial) {
        queues.push(Box::new(Nq::start(nq)?));
    }
    Ok(queues)
}

/// Runs a command to its end and returns how many milliseconds that took.
///
/// Errors: it did not exit with 0.
pub fn time_ms(mut command: Command) -> anyhow::Result<f64> {
    let began = machine::monotonic_ns();
    let status = command.status();
    let took = machine::monotonic_ns() - began;
    let status = status.with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(status.success(), "{status}: {command:?}");
    Ok(took as f64 / 1e6)
}

/// Runs a command to its end and returns what it printed.
///
/// Errors: it did not exit with 0.
pub fn output(mut command: Command) -> anyhow::Result<String> {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let output = output.with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}: {command:?}: {}", output.status, said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command to its end, reads what it prints, and returns how many bytes that were.
///
/// Errors: it did not exit with 0.
pub fn drain(mut command: Command) -> anyhow::Result<u64> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
    let mut stdout = child.stdout.take().context("its output is a pipe")?;
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match stdout.read(&mut buffer)? {
            0 => break,
            read => bytes += read as u64,
        }
    }
    let status = child.wait()?;
    anyhow::ensure!(status.success(), "{status}: {command:?}");
    Ok(bytes)
}

/// Looks every now and then until something is there.
///
/// Errors: what looking fails with, and that it never came.
pub fn until<T>(what: &str, pause: Duration, look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    until_within(PATIENCE, what, pause, look)
}

/// Does the same for something that should be there at once: a server that was just started.
pub fn until_ready(what: &str, mut is_ready: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    until_within(SOON, what, Duration::from_millis(20), || Ok(is_ready()?.then_some(())))
}

fn until_within<T>(
    patience: Duration,
    what: &str,
    pause: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        anyhow::ensure!(began.elapsed() < patience, "never came: {what}");
        rest(pause);
    }
}
