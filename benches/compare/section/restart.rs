//! How long a full project is without its daemon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use apex::domain::query::TaskFilter;
use apex::rpc::client::{Client, Options};

use crate::fill;
use crate::machine;
use crate::place::rest;
use crate::queue::time_ms;
use crate::report::{APEX, EMPTY, Measure, Report, Target, Unit};
use crate::section::{Stage, thousands};
use crate::world::World;

pub const NAME: &str = "full-restart";

/// Stops the daemon and starts it; then replaces it while a client asks on and on.
pub fn run(stage: &mut Stage, report: &mut Report) -> anyhow::Result<()> {
    let rounds = stage.plan.rounds;
    let size = thousands(stage.full_size());
    let beside =
        |what: &str, bound| Measure::new(NAME, format!("{what}, {size} queued"), Unit::Ms).against(EMPTY).target(bound);
    let mut start = beside("`daemon start`", Target::Value(300.0));
    let mut gap = beside("longest wait of a client during `daemon restart`", Target::Value(500.0));
    let empty = stage.probed()?;
    let full = stage.full()?;
    for _ in 0..rounds {
        for (who, world) in [(EMPTY, &empty), (APEX, full)] {
            world.stop()?;
            start.add(who, time_ms(world.start_command())?);
            gap.add(who, longest_wait(world)?);
        }
    }
    report.add([start, gap]);
    Ok(())
}

/// Replaces the daemon, and returns how many milliseconds the longest question meanwhile took.
fn longest_wait(world: &World) -> anyhow::Result<f64> {
    let is_over = AtomicBool::new(false);
    let socket = world.file("daemon.sock");
    let runtime = fill::runtime()?;
    let client = runtime.block_on(Client::connect(&socket, Options::default()))?;
    let filter = TaskFilter { limit: Some(1), ..TaskFilter::default() };
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut longest = 0.0_f64;
            while !is_over.load(Ordering::Relaxed) {
                let began = machine::monotonic_ns();
                runtime.block_on(client.tasks(&filter))?;
                longest = longest.max((machine::monotonic_ns() - began) as f64 / 1e6);
                rest(Duration::from_millis(1));
            }
            anyhow::Ok(longest)
        });
        rest(Duration::from_millis(100));
        let restarted = world.say(&["daemon", "restart"]);
        rest(Duration::from_millis(100));
        is_over.store(true, Ordering::Relaxed);
        let longest = asking.join().ok().context("the client panicked")??;
        restarted?;
        Ok(longest)
    })
}
