//! What has no queue: a list of tasks, worked off by one process that whoever wants them done waits for.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::place::Place;
use crate::queue::output;

/// Runs `argv` so often with xargs, and returns how many seconds that took. Each task gets its number as a further
/// argument, which a program like `true` does not look at.
pub fn xargs(program: &Path, argv: &[&str], count: usize, slots: usize) -> anyhow::Result<f64> {
    let place = Place::new()?;
    let numbers = numbers(&place, count)?;
    let mut command = place.command(program);
    command.arg("-a").arg(numbers).args(["-n", "1", "-P", &slots.to_string()]).args(argv);
    let began = Instant::now();
    // It exits with 0 only if all of them did.
    output(command)?;
    Ok(began.elapsed().as_secs_f64())
}

/// Does the same with GNU parallel, the outputs in files.
pub fn parallel(program: &Path, argv: &[&str], count: usize, slots: usize) -> anyhow::Result<f64> {
    let place = Place::new()?;
    let (numbers, outputs) = (numbers(&place, count)?, place.directory("outputs")?);
    let mut command = place.command(program);
    command.arg("-a").arg(numbers).args(["--will-cite", "-N", "1", "-j", &slots.to_string(), "--files"]);
    command.arg("--tmpdir").arg(&outputs).args(argv);
    let began = Instant::now();
    let files = output(command)?;
    let took = began.elapsed().as_secs_f64();
    anyhow::ensure!(files.lines().count() == count, "an output file is missing");
    Ok(took)
}

fn numbers(place: &Place, count: usize) -> anyhow::Result<std::path::PathBuf> {
    let path = place.path("numbers");
    let lines: String = (0..count).map(|number| format!("{number}\n")).collect();
    fs::write(&path, lines)?;
    Ok(path)
}
