//! The bare limit: what the kernel needs to start programs with their output in files and to wait for them.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::wait::{WaitStatus, wait};

use crate::place::Place;

/// Runs a program so often, at most `slots` of them at once, each with an output file of its own, and returns how many
/// seconds that took. Everything that is the same each time is prepared once.
///
/// Errors: one of them did not exit with 0.
pub fn run(place: &Place, argv: &[&str], count: usize, slots: usize) -> anyhow::Result<f64> {
    let outputs = place.directory("limit")?;
    let argv: Vec<CString> = argv.iter().map(|word| CString::new(*word)).collect::<Result<_, _>>()?;
    let environment: Vec<CString> = place
        .environment()
        .iter()
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<Result<_, _>>()?;
    let attributes = PosixSpawnAttr::init()?;
    let nothing = OpenOptions::new().read(true).open("/dev/null")?;
    let start = |number: usize| -> anyhow::Result<()> {
        let path = outputs.join(format!("{number}.log"));
        // Closed on exec: what the program gets are the copies.
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut actions = PosixSpawnFileActions::init()?;
        actions.add_dup2(nothing.as_raw_fd(), 0)?;
        actions.add_dup2(file.as_raw_fd(), 1)?;
        actions.add_dup2(file.as_raw_fd(), 2)?;
        posix_spawn(argv[0].as_c_str(), &actions, &attributes, &argv, &environment)?;
        Ok(())
    };
    let began = Instant::now();
    let (mut started, mut ended) = (0, 0);
    while ended < count {
        while started < count && started - ended < slots {
            start(started)?;
            started += 1;
        }
        match wait()? {
            WaitStatus::Exited(_, 0) => ended += 1,
            other => anyhow::bail!("it did not exit with 0: {other:?}"),
        }
    }
    let took = began.elapsed().as_secs_f64();
    anyhow::ensure!(Path::new(&outputs).read_dir()?.count() >= count, "an output file is missing");
    Ok(took)
}
