//! Verbs of queues.

use crate::domain::change::Actor;
use crate::domain::query::{PerQueue, QueueRefused};
use crate::domain::queue::{Queue, check_queue_name};
use crate::domain::time::Timestamp;
use crate::engine::{Error, Handle};
use crate::store::queue as verb;

impl Handle {
    /// Returns all queues, by name. One that only a time window pauses says so.
    pub async fn queues(&self) -> Result<Vec<Queue>, Error> {
        let mut queues = self.shared.store.queues().await?;
        self.shared.settings().windows.at((self.shared.world.now)()).pause(&mut queues);
        Ok(queues)
    }

    /// Makes a queue. Errors: it is there already; its name cannot be one.
    pub async fn add_queue(&self, name: String, slots: u32, by: Actor) -> Result<Queue, Error> {
        check_queue_name(&name)?;
        let now = (self.shared.world.now)();
        Ok(self.shared.store.add_queue(verb::SetQueue { name, slots, by, now }).await?)
    }

    /// Gives a queue another number of slots; what runs goes on.
    pub async fn set_queue(&self, name: String, slots: u32, by: Actor) -> Result<Queue, Error> {
        let now = (self.shared.world.now)();
        let queue = self.shared.store.set_queue(verb::SetQueue { name, slots, by, now }).await?;
        self.shared.wake.notify_one();
        Ok(queue)
    }

    /// Gives a queue another weight; 0 is none of its own.
    pub async fn weigh_queue(&self, name: String, weight: u32, by: Actor) -> Result<Queue, Error> {
        let (now, weight) = ((self.shared.world.now)(), Some(weight).filter(|weight| *weight > 0));
        let queue = self.shared.store.weigh_queue(verb::WeighQueue { name, weight, by, now }).await?;
        self.shared.wake.notify_one();
        Ok(queue)
    }

    /// Lets nothing of these queues be started, until `until` or until they are resumed. What runs goes on. A queue that
    /// is paused already gets the new reason and end.
    pub async fn pause_queues(
        &self,
        names: Vec<String>,
        reason: Option<String>,
        until: Option<Timestamp>,
        by: Actor,
    ) -> Result<PerQueue<Error>, Error> {
        let now = (self.shared.world.now)();
        let pause = verb::PauseQueues { names, reason, until, by, now };
        let answers = self.shared.store.pause_queues(pause).await?;
        self.clock_changed();
        Ok(refusals(answers))
    }

    /// Lets tasks of these queues be started again. Fine for one that is not paused.
    pub async fn resume_queues(&self, names: Vec<String>, by: Actor) -> Result<PerQueue<Error>, Error> {
        let now = (self.shared.world.now)();
        let answers = self.shared.store.resume_queues(verb::SteerQueues { names, by, now }).await?;
        self.shared.wake.notify_one();
        Ok(refusals(answers))
    }

    /// Removes queues. Refused for the default one and while a task of theirs has not ended; tasks that have ended stay.
    pub async fn remove_queues(&self, names: Vec<String>, by: Actor) -> Result<PerQueue<Error>, Error> {
        let now = (self.shared.world.now)();
        Ok(refusals(self.shared.store.remove_queues(verb::SteerQueues { names, by, now }).await?))
    }
}

fn refusals(answers: PerQueue) -> PerQueue<Error> {
    let tell = |(name, answer): (String, Result<(), QueueRefused>)| {
        let answer = answer.map_err(|refused| match refused {
            QueueRefused::NotFound => Error::Store(crate::store::Error::NoSuchQueue(name.clone())),
            QueueRefused::InUse(tasks) => Error::QueueInUse { name: name.clone(), tasks },
            QueueRefused::Default => Error::DefaultQueue,
            QueueRefused::Scheduled(schedule) => Error::QueueScheduled { name: name.clone(), schedule },
        });
        (name, answer)
    };
    answers.into_iter().map(tell).collect()
}
