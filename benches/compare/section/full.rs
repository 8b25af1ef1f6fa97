//! The same with a million tasks queued and a million ended.

use std::time::Duration;

use apex::domain::query::TaskFilter;
use apex::domain::task::State;
use apex::rpc::client::{Client, Options};

use crate::fill::{self, NAME as NIGHTLY};
use crate::machine;
use crate::place::rest;
use crate::process::memory_mib;
use crate::queue::Queue as _;
use crate::report::{APEX, EMPTY, Measure, Report, Target, Unit, median, percentile};
use crate::section::latency::samples;
use crate::section::stamp::Stamp;
use crate::section::{PROBE, Stage, thousands};
use crate::world::World;

pub const NAME: &str = "full";
pub const LISTS: &str = "full-lists";

/// Adds to a full project and to an empty one in turn, into a queue in which a task is started at once; and looks how much
/// memory they take.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let count = stage.plan.size(200, 40);
    let rounds = stage.plan.rounds;
    let size = thousands(stage.full_size());
    let beside = |name: &str| {
        let name = format!("{name}, {size} queued and as many ended");
        Measure::new(NAME, name, Unit::Ms).against(EMPTY).target(Target::Of(EMPTY, 1.2))
    };
    let (mut add, mut late) = (beside("`add`, median"), beside("`add`, p95"));
    let (mut first, mut first_late) = (beside("first instruction, median"), beside("first instruction, p95"));
    let mut stamp = Stamp::new()?;
    let empty = stage.probed()?;
    let full = stage.full()?;
    let stamp_argv = stamp.argv();
    let stamp_argv: Vec<&str> = stamp_argv.iter().map(String::as_str).collect();
    for _ in 0..rounds {
        for (who, world) in [(EMPTY, &empty), (APEX, full)] {
            let times = samples(count, || world.command(&["add", "-Q", PROBE, "--", "/bin/true"]))?;
            add.add(who, median(&times));
            late.add(who, percentile(&times, 95));
            let argv = [&["add", "-Q", PROBE, "--"], &stamp_argv[..]].concat();
            let times = stamp.samples(count, || world.command(&argv))?;
            first.add(who, median(&times));
            first_late.add(who, percentile(&times, 95));
        }
    }
    report.add([add, late, first, first_late]);
    report.add(memory(&size, &empty, full)?);
    report.add(peers_memory(stage)?);
    Ok(())
}

/// Looks at the memory of both; those of the empty one have run some tasks.
fn memory(size: &str, empty: &World, full: &World) -> anyhow::Result<[Measure; 2]> {
    let mut idle = Measure::new(NAME, "memory (PSS) of all processes, idle", Unit::MiB).target(Target::Value(20.0));
    let mut at_size = Measure::new(NAME, format!("memory (PSS) of all processes, {size} queued"), Unit::MiB)
        .target(Target::Value(64.0));
    idle.add(APEX, memory_mib(&empty.daemons())?);
    at_size.add(APEX, memory_mib(&full.daemons())?);
    Ok([idle, at_size])
}

/// Looks at the memory of the peers after the first task.
fn peers_memory(stage: &Stage) -> anyhow::Result<[Measure; 1]> {
    let mut idle = Measure::new(NAME, "the same, of all that was just started and has run one task", Unit::MiB);
    for queue in crate::queue::all(stage, 8, false)? {
        crate::queue::time_ms(queue.add(&["/bin/true"]))?;
        queue.finish(1)?;
        idle.add(queue.name(), memory_mib(&queue.daemons())?);
    }
    Ok([idle])
}

/// What is asked of a full project: by which name, by the command line, and of the daemon. There is no index of names.
fn questions() -> Vec<(&'static str, Vec<String>, TaskFilter)> {
    let page = TaskFilter { limit: Some(50), ..TaskFilter::default() };
    let words = |args: &[&str]| args.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let label = NIGHTLY.to_owned();
    vec![
        ("`list --limit 50`", words(&["--limit", "50"]), TaskFilter { recent: Some(10), ..page.clone() }),
        ("`list --all --limit 50`", words(&["--all", "--limit", "50"]), page.clone()),
        (
            "`list --state queued --limit 50`",
            words(&["--state", "queued", "--limit", "50"]),
            TaskFilter { states: vec![State::Queued], ..page.clone() },
        ),
        (
            "`list --state running`",
            words(&["--state", "running", "--limit", "50"]),
            TaskFilter { states: vec![State::Running], ..page.clone() },
        ),
        (
            "`list --state failed`, of which there is none",
            words(&["--state", "failed", "--limit", "50"]),
            TaskFilter { states: vec![State::Failed], ..page.clone() },
        ),
        (
            "`list --all --queue`, of few tasks",
            words(&["--all", "--queue", PROBE, "--limit", "50"]),
            TaskFilter { queue: Some(PROBE.to_owned()), ..page.clone() },
        ),
        (
            "`list --all --label`, of one in a thousand",
            words(&["--all", "--label", &label, "--limit", "50"]),
            TaskFilter { labels: vec![(label.clone(), None)], ..page.clone() },
        ),
        (
            "`list --all --name GLOB`, of one in a thousand",
            words(&["--all", "--name", &format!("{NIGHTLY}*"), "--limit", "50"]),
            TaskFilter { name: Some(format!("{NIGHTLY}*")), ..page },
        ),
    ]
}

/// Asks a full project for pages of its list, as a command and as a call over a connection that stands.
pub fn run_lists(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let count = stage.plan.size(50, 10);
    let rounds = stage.plan.rounds;
    let size = thousands(stage.full_size());
    let full = stage.full()?;
    let socket = full.file("daemon.sock");
    let runtime = fill::runtime()?;
    let client = runtime.block_on(Client::connect(&socket, Options::default()))?;
    let mut measures = Vec::new();
    for (name, flags, filter) in questions() {
        let as_command = format!("{name} with {size} queued, as a command");
        let mut command = Measure::new(LISTS, as_command, Unit::Ms);
        let mut call = Measure::new(LISTS, format!("{name}, as a call"), Unit::Ms);
        if filter.name.is_none() {
            command = command.target(Target::Value(15.0));
            call = call.target(Target::Value(10.0));
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        for _ in 0..rounds {
            let times = samples(count, || full.command(&[&["task", "list"], &flags[..]].concat()))?;
            command.add(APEX, median(&times));
            let times = (0..count).map(|_| {
                let began = machine::monotonic_ns();
                runtime.block_on(client.tasks(&filter))?;
                let took = machine::monotonic_ns() - began;
                rest(Duration::from_millis(1));
                Ok(took as f64 / 1e6)
            });
            call.add(APEX, median(&times.collect::<anyhow::Result<Vec<_>>>()?));
        }
        measures.extend([command, call]);
    }
    let mut status =
        Measure::new(LISTS, format!("`status` with {size} queued, as a command"), Unit::Ms).target(Target::Value(15.0));
    for _ in 0..rounds {
        status.add(APEX, median(&samples(count, || full.command(&["status"]))?));
    }
    measures.push(status);
    report.add(measures);
    Ok(())
}
