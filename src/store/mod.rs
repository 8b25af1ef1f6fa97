//! Remembers: tasks, their attempts, and every change to them.
//!
//! The promises stand in [`task`], [`queue`], [`schedule`], [`hook`] and [`change`], a trait per noun; `conformance/` holds them as tests, and every backend
//! passes the same ones: [`sqlite`] remembers for good, [`memory`] as long as it lives. One verb is one transaction, which appends the changes it made to the feed. A verb that
//! changes something resolves when its transaction is durable, never before.
//!
//! Decisions are not made here: a verb loads, asks [`crate::domain`], and writes. What a verb makes of a task stands in
//! `transition`, once for all backends.

use std::future::Future;
use std::pin::Pin;

pub mod change;
#[cfg(test)]
mod conformance;
mod error;
mod filter;
mod glob;
pub mod hook;
pub mod memory;
pub mod queue;
pub mod schedule;
pub mod sqlite;
pub mod task;
mod transition;

pub use change::ChangeStore;
pub use error::Error;
pub use hook::HookStore;
pub use queue::QueueStore;
pub use schedule::ScheduleStore;
pub use task::TaskStore;

/// The answer of a verb, when it is there.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Everything a daemon needs remembered.
pub trait Store: TaskStore + QueueStore + ScheduleStore + HookStore + ChangeStore + Send + Sync + 'static {
    /// Ends the store in order: what waits is committed, and nothing but the database itself is left on the disk. Verbs
    /// called later fail with [`Error::Closed`]. May be called twice.
    fn close(&self) -> Reply<'_, ()>;
}
