//! How long a command takes, from the start of its process to the end of it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::place::{Place, rest};
use crate::queue::{self, time_ms};
use crate::report::{APEX, FLOOR, Measure, Report, Target, Unit, median, percentile};
use crate::section::Stage;
use crate::world::World;

pub const NAME: &str = "latency";

/// Until a task that was just added has ended: the next command finds nothing under way.
pub const SETTLE: Duration = Duration::from_millis(5);

/// Adds a task to an empty queue, asks for the version, and lists an empty project.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let count = stage.plan.size(200, 40);
    let mut add = Measure::new(NAME, "`add` to an empty queue, median", Unit::Ms)
        .against(FLOOR)
        .target(Target::Value(1.3))
        .target(Target::Of("pueue", 0.5))
        .target(Target::Of("hq", 0.5));
    let mut late = Measure::new(NAME, "`add` to an empty queue, p95", Unit::Ms).against(FLOOR);
    let mut version =
        Measure::new(NAME, "`apex --version`, median", Unit::Ms).against(FLOOR).target(Target::Over(FLOOR, 1.0));
    let mut list =
        Measure::new(NAME, "a list of nothing, median", Unit::Ms).against(FLOOR).target(Target::Over(FLOOR, 2.0));
    let place = Place::new()?;
    let floor = || place.command(Path::new("/bin/true"));
    let queues = queue::all(stage, 8, true)?;
    let bare = World::started(&stage.plan, 8)?;
    for queue in queues.iter().filter(|queue| queue.name() != APEX) {
        if queue.list().is_some() {
            list.add(queue.name(), median(&samples(count, || queue.list().unwrap_or_else(floor))?));
        }
    }
    for _ in 0..stage.plan.rounds {
        let times = samples(count, floor)?;
        let of_floor = median(&times);
        add.add(FLOOR, of_floor);
        late.add(FLOOR, percentile(&times, 95));
        for queue in &queues {
            let times = samples(count, || queue.add(&["/bin/true"]))?;
            add.add(queue.name(), median(&times));
            late.add(queue.name(), percentile(&times, 95));
        }
        for measure in [&mut version, &mut list] {
            measure.add(FLOOR, of_floor);
        }
        version.add(APEX, median(&samples(count, || bare.command(&["--version"]))?));
        list.add(APEX, median(&samples(count, || bare.command(&["task", "list"]))?));
    }
    for queue in &queues {
        queue.finish(count * stage.plan.rounds)?;
    }
    report.remark("latency: every contender with all tasks of the rounds before it in its list of what has ended");
    report.add([add, late, version, list]);
    Ok(())
}

/// Runs a command so often and returns how many milliseconds each took.
pub fn samples(count: usize, mut command: impl FnMut() -> Command) -> anyhow::Result<Vec<f64>> {
    (0..count)
        .map(|_| {
            let took = time_ms(command());
            rest(SETTLE);
            took
        })
        .collect()
}
