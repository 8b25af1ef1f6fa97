//! What it costs when there is nothing to do.

use std::time::Duration;

use crate::place::rest;
use crate::plan::Plan;
use crate::process::Used;
use crate::queue::{self, Queue, time_ms};
use crate::report::{Measure, Report, Target, Unit};
use crate::section::{Stage, thousands};

pub const NAME: &str = "idle";
pub const FULL: &str = "full-idle";

/// Threads that had something to do end after ten seconds without work.
const CALM: Duration = Duration::from_secs(15);

/// Lets everybody run one task, and then nothing for a minute, all at the same time.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let queues = queue::all(stage, 8, false)?;
    for queue in &queues {
        time_ms(queue.add(&["/bin/true"]))?;
        queue.finish(1)?;
    }
    let queues: Vec<&dyn Queue> = queues.iter().map(Box::as_ref).collect();
    report.add(watch(&stage.plan, NAME, "idle", &queues));
    Ok(())
}

/// Lets a full project do nothing for a minute.
pub fn run_full(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let what = format!("idle with {} queued", thousands(stage.full_size()));
    let plan = stage.plan.clone();
    let full = stage.full()?;
    report.add(watch(&plan, FULL, &what, &[full]));
    Ok(())
}

fn watch(plan: &Plan, section: &'static str, what: &str, queues: &[&dyn Queue]) -> [Measure; 2] {
    let seconds = plan.size(60, 10);
    let mut switches = Measure::new(section, format!("{seconds} s {what}, context switches"), Unit::Times);
    let mut cpu = Measure::new(section, format!("{seconds} s {what}, processor time"), Unit::Ms);
    // What is allowed is meant for a minute.
    if !plan.quick {
        switches = switches.target(Target::Value(40.0));
        cpu = cpu.target(Target::Value(5.0));
    }
    rest(CALM);
    let pids: Vec<Vec<i32>> = queues.iter().map(|queue| queue.daemons()).collect();
    // Asking for the pids was a question to the daemon.
    rest(CALM);
    for _ in 0..plan.rounds {
        let before: Vec<Used> = pids.iter().map(|pids| Used::of(pids)).collect();
        rest(Duration::from_secs(seconds as u64));
        for ((queue, pids), before) in queues.iter().zip(&pids).zip(before) {
            let used = Used::of(pids) - before;
            switches.add(queue.name(), used.switches);
            cpu.add(queue.name(), used.cpu_ms);
        }
    }
    [switches, cpu]
}
