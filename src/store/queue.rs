//! What a store promises about queues.

use std::collections::BTreeMap;

use crate::domain::change::Actor;
pub use crate::domain::query::{PerQueue, QueueRefused};
use crate::domain::queue::Queue;
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::store::Reply;

/// Makes a queue, or gives one another number of slots.
#[derive(Debug, Clone)]
pub struct SetQueue {
    /// Which.
    pub name: String,
    /// How many of its tasks may hold a slot at once; 0 is no limit of its own.
    pub slots: u32,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Gives a queue another weight.
#[derive(Debug, Clone)]
pub struct WeighQueue {
    /// Which.
    pub name: String,
    /// Its share where queues take turns; `None` is none of its own, which is that of 1.
    pub weight: Option<u32>,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Lets nothing of some queues be started.
#[derive(Debug, Clone)]
pub struct PauseQueues {
    /// Which.
    pub names: Vec<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// Names queues for a verb that needs to know nothing more.
#[derive(Debug, Clone)]
pub struct SteerQueues {
    /// Which.
    pub names: Vec<String>,
    /// Who asks.
    pub by: Actor,
    /// When.
    pub now: Timestamp,
}

/// How many tasks of a queue are in a state.
pub type QueueCount = (String, State, u64);

/// What a store does for queues. The default queue is there from the beginning and for ever.
pub trait QueueStore {
    /// Returns all queues, by name.
    fn queues(&self) -> Reply<'_, Vec<Queue>>;

    /// Returns how many tasks each queue has in each state, removed queues included; in constant time, however many
    /// tasks there are.
    fn queue_counts(&self) -> Reply<'_, Vec<QueueCount>>;

    /// Makes a queue. Errors: [`super::Error::QueueExists`].
    fn add_queue(&self, add: SetQueue) -> Reply<'_, Queue>;

    /// Gives a queue another number of slots; what runs goes on. Errors: [`super::Error::NoSuchQueue`].
    fn set_queue(&self, set: SetQueue) -> Reply<'_, Queue>;

    /// Gives a queue another weight. Errors: [`super::Error::NoSuchQueue`].
    fn weigh_queue(&self, weigh: WeighQueue) -> Reply<'_, Queue>;

    /// Lets nothing of these queues be started; those that are paused already get the new reason and end.
    fn pause_queues(&self, pause: PauseQueues) -> Reply<'_, PerQueue>;

    /// Lets tasks of these queues be started again; nothing changes for those that are not paused.
    fn resume_queues(&self, resume: SteerQueues) -> Reply<'_, PerQueue>;

    /// Removes queues that have no task which has not ended. Tasks that have ended keep the name.
    fn remove_queues(&self, remove: SteerQueues) -> Reply<'_, PerQueue>;

    /// Makes the queues that the configuration names, and gives them its slots where they differ from what it said last
    /// time: what people set in between holds until the configuration says something else. A queue that it names no
    /// longer stays, without a limit of its own unless people have given it another one.
    fn configure_queues(&self, slots: BTreeMap<String, u32>, now: Timestamp) -> Reply<'_, ()>;

    /// Does the same with the weights of queues.
    fn configure_weights(&self, weights: BTreeMap<String, u32>, now: Timestamp) -> Reply<'_, ()>;
}
