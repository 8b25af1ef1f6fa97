//! The work that all contenders are sent through.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::fill;
use crate::peer::Peers;
use crate::plan::Plan;
use crate::report::Report;
use crate::world::World;

mod cancel;
mod first;
mod full;
mod idle;
mod latency;
mod length;
mod one_by_one;
mod output;
mod restart;
mod stamp;
mod throughput;

/// One sort of work.
pub struct Section {
    /// By which it is asked for.
    pub name: &'static str,
    /// Does it.
    pub run: fn(&mut Stage, &mut Report) -> anyhow::Result<()>,
}

/// All there are, in the order in which they are run. Those that begin with `full` share one full project; the last of
/// them empties it.
pub const SECTIONS: [Section; 13] = [
    Section { name: throughput::NAME, run: throughput::run },
    Section { name: throughput::BULK, run: throughput::run_bulk },
    Section { name: one_by_one::NAME, run: one_by_one::run },
    Section { name: latency::NAME, run: latency::run },
    Section { name: first::NAME, run: first::run },
    Section { name: output::NAME, run: output::run },
    Section { name: idle::NAME, run: idle::run },
    Section { name: length::NAME, run: length::run },
    Section { name: full::NAME, run: full::run },
    Section { name: full::LISTS, run: full::run_lists },
    Section { name: idle::FULL, run: idle::run_full },
    Section { name: restart::NAME, run: restart::run },
    Section { name: cancel::NAME, run: cancel::run },
];

/// What sections work with.
pub struct Stage {
    /// What is to be measured.
    pub plan: Plan,
    /// Whom there is.
    pub peers: Peers,
    /// Where what is made is kept.
    directory: PathBuf,
    full: Option<World>,
}

/// A queue in a full project in which something can be started at once.
pub const PROBE: &str = "probe";

impl Stage {
    /// Makes an empty one.
    pub fn new(plan: &Plan, peers: &Peers, directory: &Path) -> Self {
        Self { plan: plan.clone(), peers: peers.clone(), directory: directory.to_owned(), full: None }
    }

    /// Returns how many tasks are queued in a full project; as many have ended.
    pub fn full_size(&self) -> usize {
        self.plan.size(1_000_000, 20_000)
    }

    /// Returns a full project whose daemon runs; it is filled when it is needed first. Its default queue has one slot,
    /// which is taken by a task that sleeps.
    pub fn full(&mut self) -> anyhow::Result<&World> {
        if self.full.is_none() {
            let size = self.full_size();
            eprintln!("fills a project with {} tasks", thousands(2 * size));
            let world = self.probed()?;
            world.stop()?;
            fill::full(&world, size, &self.directory).context("cannot fill a project")?;
            world.configure("[queues.default]\nslots = 1\n")?;
            world.start()?;
            self.full = Some(world);
        }
        self.full.as_ref().context("it was filled")
    }

    /// Returns an empty project that has the same queues.
    pub fn probed(&self) -> anyhow::Result<World> {
        let world = World::started(&self.plan, 8)?;
        world.say(&["queue", "add", PROBE])?;
        Ok(world)
    }
}

/// Returns a number with commas.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
