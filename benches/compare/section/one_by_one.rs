//! A script that adds its tasks one by one.

use crate::machine;
use crate::queue::{self, time_ms};
use crate::report::{Measure, Report, Target, Unit};
use crate::section::{Stage, thousands};

pub const NAME: &str = "one-by-one";

const SLOTS: usize = 8;

/// Adds tasks one by one by the command line and waits until the last one has ended.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let count = stage.plan.size(1_000, 100);
    let few = stage.plan.size(200, 40);
    let name = format!("{} adds one by one, run to the end", thousands(count));
    let mut measure = Measure::new(NAME, name, Unit::Rate).against("tsp");
    for peer in ["tsp", "hq", "pueue"] {
        measure = measure.target(Target::Of(peer, 1.0));
    }
    for _ in 0..stage.plan.rounds {
        for queue in queue::all(stage, SLOTS, false)? {
            let count = if queue.name() == "pueue" { few } else { count };
            let began = machine::wall();
            for _ in 0..count {
                time_ms(queue.add(&["/bin/true"]))?;
            }
            measure.add(queue.name(), count as f64 / (queue.finish(count)? - began));
        }
    }
    report.remark(format!("one by one: pueue {few} tasks"));
    report.add([measure]);
    Ok(())
}
