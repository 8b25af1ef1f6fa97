//! Long outputs: followed while they are written, and kept.

use std::fs::{self, File};
use std::time::Instant;

use anyhow::Context as _;

use crate::machine;
use crate::peer::find;
use crate::place::Place;
use crate::queue::{self, drain, time_ms};
use crate::report::{Measure, Report, Target, Unit};
use crate::section::Stage;

pub const NAME: &str = "output";

/// The same bytes through a pipe, to a reader that throws them away.
const PIPE: &str = "pipe";
/// The same bytes straight into a file.
const FILE: &str = "file";

/// Follows an output from the `add` to its last byte, and lets one be kept.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let head = find("head").context("no `head`")?;
    let head = head.to_string_lossy();
    let (followed, kept) = (stage.plan.size(500, 50), stage.plan.size(1_024, 100));
    let argv_of = |mib: usize| [head.to_string(), "-c".to_owned(), format!("{mib}M"), "/dev/zero".to_owned()];
    let mut follow = Measure::new(NAME, format!("{followed} MiB followed to the last byte, from `add`"), Unit::Seconds)
        .against(PIPE)
        .target(Target::Of(PIPE, 1.3));
    let mut keep = Measure::new(NAME, format!("{kept} MiB of output kept, from `add`"), Unit::Seconds)
        .against(FILE)
        .target(Target::Of(FILE, 1.05));
    let place = Place::new()?;
    for _ in 0..stage.plan.rounds {
        let argv = argv_of(followed);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let bare = |argv: &[&str]| {
            let mut command = place.command(head.as_ref().as_ref());
            command.args(&argv[1..]);
            command
        };
        nix::unistd::sync();
        let began = Instant::now();
        anyhow::ensure!(drain(bare(&argv))? == (followed as u64) << 20, "the pipe lost something");
        follow.add(PIPE, began.elapsed().as_secs_f64());
        for queue in queue::all(stage, 1, false)? {
            nix::unistd::sync();
            let began = Instant::now();
            if let Some(bytes) = queue.follow(&argv)? {
                let took = began.elapsed().as_secs_f64();
                anyhow::ensure!(bytes >= (followed as u64) << 20, "{}: {bytes} bytes", queue.name());
                follow.add(queue.name(), took);
            }
        }
        let argv = argv_of(kept);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        nix::unistd::sync();
        let mut command = bare(&argv);
        command.stdout(File::create(place.path("kept"))?);
        keep.add(FILE, time_ms(command)? / 1e3);
        fs::remove_file(place.path("kept"))?;
        for queue in queue::all(stage, 1, false)? {
            nix::unistd::sync();
            let began = machine::wall();
            time_ms(queue.add(&argv))?;
            keep.add(queue.name(), queue.finish(1)? - began);
        }
    }
    report.add([follow, keep]);
    Ok(())
}
