//! Somebody cancels a million tasks while somebody else adds some.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use apex::domain::id::TaskId;
use apex::rpc::client::{Client, Options};

use crate::fill::{self, SLEEPERS};
use crate::place::rest;
use crate::queue::{PATIENCE, output};
use crate::report::{APEX, EMPTY, Measure, Report, Target, Unit, percentile};
use crate::section::{PROBE, Stage, thousands};
use crate::world::World;

pub const NAME: &str = "full-cancel";

/// From one add to the next.
const EVERY: Duration = Duration::from_millis(5);

/// Empties the full project; once, whatever the number of rounds.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let size = stage.full_size();
    let name = format!("p99 of another client's add while {} tasks are cancelled", thousands(size));
    let mut late = Measure::new(NAME, name, Unit::Ms).against(EMPTY).target(Target::Value(10.0));
    let mut took = Measure::new(NAME, format!("cancelling {} queued tasks", thousands(size)), Unit::Seconds);
    let empty = stage.probed()?;
    late.add(EMPTY, percentile(&adds_while(&empty, || rest(Duration::from_secs(2)))?.0, 99));
    let full = stage.full()?;
    // Those that have ended have the numbers before.
    let (first, last) = (size + SLEEPERS + 1, 2 * size);
    let began = Instant::now();
    let (times, cancelled) = adds_while(full, || cancel(full, first, last))?;
    cancelled?;
    took.add(APEX, began.elapsed().as_secs_f64());
    late.add(APEX, percentile(&times, 99));
    report.add([late, took]);
    Ok(())
}

/// Cancels the tasks from one number to another: as a range if the command line takes one, else by all of their numbers.
fn cancel(world: &World, first: usize, last: usize) -> anyhow::Result<()> {
    let range = format!("{first}-{last}");
    let patience = format!("{}s", PATIENCE.as_secs());
    let by_range = world.command(&["-q", "--deadline", &patience, "task", "cancel", &range]);
    if output(by_range).is_ok() {
        return Ok(());
    }
    let ids = (first..=last).filter_map(|id| TaskId::new(id as u64)).collect::<Vec<_>>();
    let options = Options { deadline: PATIENCE, ..Options::default() };
    fill::runtime()?.block_on(async {
        let client = Client::connect(&world.file("daemon.sock"), options).await?;
        let results = client.cancel(&ids, None).await?;
        anyhow::ensure!(results.iter().all(|(_, result)| result.is_ok()), "some could not be cancelled");
        Ok(())
    })
}

/// Adds tasks over one connection while something else is done; returns how many milliseconds each took, and what the
/// other came to.
///
/// An add is due every few milliseconds, whether or not the one before has come back, and takes from then on: one that is
/// held up for a second holds up two hundred.
fn adds_while<T>(world: &World, other: impl FnOnce() -> T) -> anyhow::Result<(Vec<f64>, T)> {
    let is_over = AtomicBool::new(false);
    let runtime = fill::runtime()?;
    let options = Options { deadline: PATIENCE, ..Options::default() };
    let client = runtime.block_on(Client::connect(&world.file("daemon.sock"), options))?;
    let env = fill::environment(&world.place);
    thread::scope(|scope| {
        let adding = scope.spawn(|| {
            let (mut times, mut due) = (Vec::new(), Instant::now());
            while !is_over.load(Ordering::Relaxed) {
                let mut task = fill::new_task(&["/bin/true"], world.root(), &env);
                PROBE.clone_into(&mut task.spec.queue);
                rest(due.saturating_duration_since(Instant::now()));
                runtime.block_on(client.add(&task))?;
                times.push(due.elapsed().as_secs_f64() * 1e3);
                due += EVERY;
            }
            anyhow::Ok(times)
        });
        let other = other();
        is_over.store(true, Ordering::Relaxed);
        let times = adding.join().ok().context("the client panicked")??;
        Ok((times, other))
    })
}
