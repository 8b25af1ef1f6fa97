//! Sends apex, what else there is on this machine and the bare limit through the same work, in turn, in one run.
//!
//! `cargo bench --bench compare` runs everything and prints a table; `target/compare/compare.json` has every figure of
//! every round. After `--`: words that name sections (a part of the name will do), `--rounds N`, `--quick` for smaller
//! sizes, `--apex PATH` for another binary than the one that was just built.
//!
//! Reading order: [`report`] (what a figure is, and what it is set against) → [`queue`] (what all contenders can do) →
//! [`world`] (apex) and [`peer`] (the others) → [`limit`] → [`section`] (the work).
//!
//! What makes it fair: the same program, environment and output file for everybody, on the same cores; every exit status
//! is looked at; contenders take turns within a round, and ratios are made within a round, because the speed of a machine
//! drifts. Nobody is asked how far it is while it works.

mod fill;
mod limit;
mod machine;
mod peer;
mod place;
mod plan;
mod plot;
mod process;
mod queue;
mod report;
mod section;
mod table;
mod world;

use std::process::ExitCode;

use anyhow::Context as _;

use plan::Plan;
use report::Report;
use section::{SECTIONS, Stage};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let Some(plan) = Plan::from_args(std::env::args().skip(1))? else {
        eprintln!("nothing is measured but with `cargo bench --bench compare`");
        return Ok(());
    };
    let peers = peer::look();
    let mut report = Report::new(&plan, &peers);
    for absent in report.absent() {
        eprintln!("not there: {absent}");
    }
    let mut stage = Stage::new(&plan, &peers, &report.directory);
    for section in SECTIONS.iter().filter(|section| plan.wants(section.name)) {
        eprintln!("== {} ==", section.name);
        // What was measured before is told all the same.
        if let Err(error) = (section.run)(&mut stage, &mut report) {
            eprintln!("error: {}: {error:#}", section.name);
            report.failed(section.name, &error);
        }
    }
    drop(stage);
    place::clean_up();
    let written = report.write().context("cannot write the figures")?;
    print!("{}", table::markdown(&report));
    eprintln!("every figure: {}", written.display());
    anyhow::ensure!(!report.has_failed(), "not everything could be measured");
    Ok(())
}
