//! Makes it happen: carries out what the domain decided, through the store, the guardian and the files.
//!
//! One machine (`core`) owns every attempt that is under way. Whatever happens (a fact from the guardian, a command from a
//! client, a stored outcome, a moment that has come) reaches it as a value; it asks the domain's machines what follows and
//! answers with values: orders, jobs, replies. The loop around it ([`run`]) waits for the one and performs the other.
//! Nothing in the loop waits for what may not answer: what takes time is a job, and its end comes back as a value. Names
//! on file systems of this machine are looked up at once, which is quicker than waking another thread. Reads and adds do
//! not pass through the loop at all; [`Handle`] goes straight to the store and wakes the loop.
//!
//! Reading order: [`handle`], `steer`, [`select`], `prune`, `edit`, `progress`, `queue`, `schedule`, `input`, `lend`, `feed` (what may be asked) → [`run`] (the loop) → `core` → `claim` →
//! `supervise` → `wait` → `window` → `timer` → `adopt` → `job` (what takes time) → `turn` (what is stored together) → `prepare` → `spawn`; `reload`, `hash` and `hook` stand apart.
//!
//! Deliberately absent: a list of waiting tasks (the store has it), a recovery mode (`adopt` is how every start goes),
//! and timers of a task's own (one heap holds all moments).

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::domain::adoption::{Child, LastWords};
use crate::domain::attempt::Leftovers;
use crate::domain::id::AssignmentId;
use crate::domain::identity::{BootId, GuardianId, ProcessIdentity};
use crate::domain::resource::Pools;
use crate::domain::time::{Moment, Timestamp};
use crate::domain::window::Windows;
use crate::link::machine::Alarm;
use crate::link::{Fact, Order};
use crate::output::Outputs;
use crate::store::Store;

mod adopt;
mod asker;
mod bulk;
mod claim;
mod core;
mod edit;
mod error;
mod feed;
pub mod handle;
mod hash;
mod hook;
mod input;
mod job;
mod lend;
mod prepare;
mod progress;
mod prune;
mod queue;
mod reload;
mod retain;
pub mod run;
mod schedule;
pub mod select;
mod shared;
mod spawn;
mod steer;
mod supervise;
mod timer;
mod turn;
mod wait;
mod window;

pub use bulk::{Bulk, Tasks};
pub use error::Error;
pub use handle::{Closing, Handle};
pub use hook::{HookWorld, Hooks, Running};
pub use lend::Lending;
pub use reload::Reloaded;
pub use run::{Ended, Engine};

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

/// The settings that the engine follows. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many tasks may hold a slot at once.
    pub max_concurrent: u32,
    /// How often ready tasks are looked for even if nothing said that there are any.
    pub poll_interval: Duration,
    /// How long running tasks may go on once a drain has begun.
    pub grace: Duration,
    /// Time between SIGTERM and SIGKILL for a task that has no setting of its own.
    pub kill_grace: Duration,
    /// What becomes of processes that a task leaves behind in its session.
    pub leftovers: Leftovers,
    /// How long ended tasks and recorded changes are kept; `None` for ever.
    pub keep_for: Option<Duration>,
    /// What there is of each resource.
    pub pools: Arc<Pools>,
    /// How long a task waits for a resource before it reserves.
    pub reserve_after: Duration,
    /// What holds at certain hours.
    pub windows: Windows,
}

/// Where the time comes from, and whether a process is there: what the engine asks the machine itself.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// The wall clock.
    pub now: fn() -> Timestamp,
    /// The clock that deadlines go by; it stands still while the machine sleeps.
    pub moment: fn() -> Moment,
    /// Whether that very process still exists.
    pub is_alive: fn(ProcessIdentity) -> bool,
    /// When a process of this run of the machine started, on the clock of `moment`; `None` if that is not known.
    pub started: fn(ProcessIdentity) -> Option<Moment>,
}

/// Sleeps by the timers of the runtime, for a clock that goes as the runtime's does: the one of a test, which may run ahead.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeAlarm(pub fn() -> Moment);

impl Alarm for RuntimeAlarm {
    fn until(&mut self, at: Option<Moment>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            match at {
                Some(at) => tokio::time::sleep((self.0)().until(at)).await,
                None => std::future::pending().await,
            }
        })
    }
}

/// The guardian, as it introduced itself.
#[derive(Debug, Clone)]
pub struct Guardian {
    /// Which one.
    pub id: GuardianId,
    /// Its pid.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// How often it started apexd again.
    pub restarts: u32,
    /// How often it was asked to stop.
    pub stop_requests: u32,
    /// Until then a drain that was begun leaves running tasks alone.
    pub grace_until: Option<Moment>,
    /// It keeps tasks to how much of the machine they may use.
    pub confines: bool,
    /// The processes it holds.
    pub children: Vec<Child>,
    /// Claims that an earlier one may have started, and nobody knows.
    pub doubtful: Vec<AssignmentId>,
    /// The present run of the machine.
    pub boot: BootId,
    /// It knows inputs that are kept open: it is not of an earlier version.
    pub keeps: bool,
}

/// Everything the engine works with.
pub struct Setup {
    /// What remembers.
    pub store: Arc<dyn Store>,
    /// Where tasks write.
    pub outputs: Outputs,
    /// Sends an order to the guardian; never waits.
    pub orders: Box<dyn Fn(Order) + Send + Sync>,
    /// From the guardian; ends when the guardian is gone.
    pub facts: mpsc::Receiver<Fact>,
    /// Who the guardian is and what it holds.
    pub guardian: Guardian,
    /// What earlier guardians wrote down before they ended.
    pub last_words: Vec<LastWords>,
    /// What to follow.
    pub settings: Settings,
    /// The project's root directory.
    pub project: PathBuf,
    /// The daemon's socket.
    pub socket: PathBuf,
    /// The machine.
    pub world: World,
    /// What the loop sleeps by, on the clock of [`World::moment`].
    pub alarm: Box<dyn Alarm>,
    /// The project is this user's own, or was accepted. If not, nothing of it is run until [`Handle::trust`].
    pub trusted: bool,
}

/// Draws a factor in (0.5, 1.0] for the delay before a further attempt.
fn jitter() -> f64 {
    // A version 4 UUID is 122 random bits; these sixteen are among them.
    let bits = u16::from_be_bytes([Uuid::new_v4().as_bytes()[0], Uuid::new_v4().as_bytes()[1]]);
    1.0 - f64::from(bits) / f64::from(u16::MAX) * 0.499
}
