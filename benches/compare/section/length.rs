//! What a command costs as the queue grows, as a picture.

use std::path::Path;

use crate::fill;
use crate::place::Place;
use crate::plot::{Line, Plot};
use crate::report::{APEX, FLOOR, Measure, Report, Unit, median};
use crate::section::latency::samples;
use crate::section::{PROBE, Stage, thousands};

pub const NAME: &str = "length";

/// Lets a queue grow tenfold again and again, and measures `add` and the first page of `list` each time.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let count = stage.plan.size(100, 20);
    let longest = stage.full_size();
    let world = stage.probed()?;
    world.say(&["queue", "set", "default", "--slots", "1"])?;
    // It takes the only slot.
    world.say(&["add", "-p", "1", "--", "/bin/sleep", "1000000"])?;
    let place = Place::new()?;
    let (mut adds, mut lists, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    let mut measures = Vec::new();
    let mut filled = 0;
    for length in std::iter::successors(Some(1), |length| Some(length * 10)).take_while(|length| *length <= longest) {
        fill::grow(&world, length - filled)?;
        filled = length;
        let floor = median(&samples(count, || place.command(Path::new("/bin/true")))?);
        let add = median(&samples(count, || world.command(&["add", "-Q", PROBE, "--", "/bin/true"]))?);
        let list = median(&samples(count, || world.command(&["task", "list", "--limit", "50"]))?);
        for (what, cost, points) in [("`add`", add, &mut adds), ("`list --limit 50`", list, &mut lists)] {
            let mut measure =
                Measure::new(NAME, format!("{what}, {} queued", thousands(length)), Unit::Ms).against(FLOOR);
            measure.add(FLOOR, floor);
            measure.add(APEX, cost);
            measures.push(measure);
            points.push((length as f64, cost));
        }
        floors.push((length as f64, floor));
    }
    let plot = Plot {
        title: "What a command costs as the queue grows",
        across: "tasks queued",
        up: "ms from the start of the process to its end (median)",
        lines: vec![
            Line { name: "apex add", points: adds },
            Line { name: "apex task list --limit 50", points: lists },
            Line { name: "starting any process", points: floors },
        ],
    };
    std::fs::create_dir_all(&report.directory)?;
    std::fs::write(report.directory.join("cost.svg"), plot.svg())?;
    if !stage.plan.quick {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/cost.svg");
        std::fs::write(kept, plot.svg())?;
    }
    report.add(measures);
    Ok(())
}
