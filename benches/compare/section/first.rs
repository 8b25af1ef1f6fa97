//! How long it takes from the start of an `add` to the first instruction of its task.

use crate::queue;
use crate::report::{FLOOR, Measure, Report, Target, Unit, median, percentile};
use crate::section::Stage;
use crate::section::stamp::Stamp;

pub const NAME: &str = "first-instruction";

/// Adds a task to an empty queue; the task says when it began.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let count = stage.plan.size(200, 40);
    // With hundreds of milliseconds each.
    let few = stage.plan.size(40, 10);
    let mut middle = Measure::new(NAME, "`add` to the first instruction, median", Unit::Ms)
        .against(FLOOR)
        .target(Target::Value(2.0));
    let mut late =
        Measure::new(NAME, "`add` to the first instruction, p95", Unit::Ms).against(FLOOR).target(Target::Value(3.5));
    let mut stamp = Stamp::new()?;
    let argv = stamp.argv();
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let queues = queue::all(stage, 8, true)?;
    let count_of = |name: &str| if name == "pueue" { few } else { count };
    for _ in 0..stage.plan.rounds {
        let times = stamp.bare(count)?;
        middle.add(FLOOR, median(&times));
        late.add(FLOOR, percentile(&times, 95));
        for queue in &queues {
            let times = stamp.samples(count_of(queue.name()), || queue.add(&argv))?;
            middle.add(queue.name(), median(&times));
            late.add(queue.name(), percentile(&times, 95));
        }
    }
    for queue in &queues {
        queue.finish(count_of(queue.name()) * stage.plan.rounds)?;
    }
    report.add([middle, late]);
    Ok(())
}
