//! Many short tasks, as fast as they can be run.

use std::time::{Duration, Instant};

use crate::fill;
use crate::limit;
use crate::peer::{Hq, Pueue, Tsp, line};
use crate::place::{Place, rest};
use crate::queue::{Queue as _, output, time_ms, until};
use crate::report::{APEX, LIMIT, Measure, Report, Target, Unit};
use crate::section::{Stage, thousands};
use crate::world::World;

pub const NAME: &str = "throughput";
pub const BULK: &str = "bulk";

const SLOTS: usize = 8;
const TASK: [&str; 1] = ["/bin/true"];

/// Runs `/bin/true` so often. For apex, pueue and HyperQueue all of them are stored before the first one is started, and
/// what counts is the time from the first start to the last end, as they tell it.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let count = stage.plan.size(10_000, 1_000);
    // So few for those that would take minutes.
    let (few, fewer) = (stage.plan.size(2_000, 200), stage.plan.size(200, 40));
    let name = format!("{} stored `/bin/true`, {SLOTS} at a time", thousands(count));
    let mut measure = Measure::new(NAME, name, Unit::Rate).against(LIMIT).target(Target::Of(LIMIT, 1.0));
    for _ in 0..stage.plan.rounds {
        let bare = limit::run(&Place::new()?, &TASK, count, SLOTS)?;
        measure.add(LIMIT, count as f64 / bare);
        measure.add(APEX, count as f64 / apex(stage, count, bare)?);
        if let Some(hq) = &stage.peers.hq {
            let mut hq = Hq::start(hq, SLOTS, false)?;
            hq.add_array(&TASK, count)?;
            hq.start_worker()?;
            let (first, last) = hq.ran(count)?;
            measure.add("hq", count as f64 / (last - first));
        }
        if let Some(xargs) = &stage.peers.xargs {
            measure.add("xargs", count as f64 / line::xargs(xargs, &TASK, count, SLOTS)?);
        }
        if let Some(tsp) = &stage.peers.tsp {
            let tsp = Tsp::start(tsp, SLOTS)?;
            let began = crate::machine::wall();
            for _ in 0..count {
                time_ms(tsp.add(&TASK))?;
            }
            measure.add("tsp", count as f64 / (tsp.finish(count)? - began));
        }
        if let Some(parallel) = &stage.peers.parallel {
            measure.add("parallel", few as f64 / line::parallel(parallel, &TASK, few, SLOTS)?);
        }
        if let Some(pueue) = &stage.peers.pueue {
            let pueue = Pueue::start(pueue, SLOTS)?;
            pueue.say(&["pause"])?;
            for _ in 0..fewer {
                time_ms(pueue.add(&TASK))?;
            }
            pueue.say(&["start"])?;
            let (first, last) = until("pueue has run all", Duration::from_millis(500), || pueue.ran(fewer))?;
            measure.add("pueue", fewer as f64 / (last - first));
        }
    }
    report.remark(format!(
        "throughput: hq one array; tsp holds about a thousand at once, so its adds are part of its time; parallel {few} \
         tasks, pueue {fewer}"
    ));
    report.add([measure]);
    Ok(())
}

/// Returns how many seconds apex took; `bare` is how long the limit did.
fn apex(stage: &Stage, count: usize, bare: f64) -> anyhow::Result<f64> {
    let world = World::started(&stage.plan, SLOTS)?;
    world.say(&["queue", "pause", "default"])?;
    fill::add(&world, &TASK, count)?;
    world.say(&["queue", "resume", "default"])?;
    // Nobody asks while it works, if it is about as fast as it should be.
    rest(Duration::from_secs_f64(bare));
    world.until_ended(count, Duration::from_millis(200))?;
    let ran = world.ran(count)?;
    Ok(ran.last_ended - ran.first_started)
}

/// Adds a long list of tasks at once, and looks what that does to the memory of apexd.
pub fn run_bulk(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let count = stage.plan.size(100_000, 10_000);
    let name = format!("`task add --from` with {} lines", thousands(count));
    let mut rate = Measure::new(BULK, name, Unit::Rate).target(Target::Value(150_000.0));
    let mut growth = Measure::new(BULK, "what the highest memory of apexd grows by meanwhile", Unit::MiB);
    for _ in 0..stage.plan.rounds {
        let world = World::started(&stage.plan, SLOTS)?;
        if !world.knows("--from") {
            report.remark("apex has no `task add --from` yet");
            return Ok(());
        }
        world.say(&["queue", "pause", "default"])?;
        let list = fill::list(&world.place, &TASK, count)?;
        let before = highest_mib(&world);
        let began = Instant::now();
        output(world.command(&["-q", "task", "add", "--from", &list.to_string_lossy()]))?;
        rate.add(APEX, count as f64 / began.elapsed().as_secs_f64());
        growth.add(APEX, highest_mib(&world) - before);
        if let Some(hq) = &stage.peers.hq {
            let hq = Hq::start(hq, SLOTS, false)?;
            let began = Instant::now();
            hq.add_array(&TASK, count)?;
            rate.add("hq", count as f64 / began.elapsed().as_secs_f64());
        }
    }
    report.add([rate, growth]);
    Ok(())
}

/// Returns the most memory that the processes of a daemon ever had, in MiB.
///
/// Source: proc_pid_status(5), `VmHWM`.
fn highest_mib(world: &World) -> f64 {
    let kib = world.daemons().into_iter().filter_map(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<f64>().ok()
    });
    kib.sum::<f64>() / 1024.0
}
