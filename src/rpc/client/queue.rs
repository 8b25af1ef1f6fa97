//! Queues: how they stand, and steering them.

use crate::domain::error::Problem;
use crate::domain::query::PerQueue;
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;
use crate::rpc::client::version::Noting;
use crate::rpc::client::{Client, Error, Repeat, within};
use crate::rpc::convert::queue;
use crate::rpc::proto;
use crate::rpc::proto::queue_service_client::QueueServiceClient;

impl Client {
    fn queue_service(&self) -> QueueServiceClient<Noting> {
        QueueServiceClient::new(self.channel.clone())
    }

    /// Returns all queues, by name.
    pub async fn queues(&self) -> Result<Vec<Queue>, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.queue_service();
            async move { service.list_queues(within(allowed, proto::ListQueuesRequest {})).await }
        });
        Ok(response.await?.queues.into_iter().map(queue::from_proto).collect())
    }

    /// Makes a queue. Not repeated when the connection breaks: one that is there already is a conflict.
    pub async fn add_queue(&self, name: &str, slots: u32, weight: u32) -> Result<Queue, Error> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.queue_service();
            let request = within(allowed, proto::AddQueueRequest { name: name.to_owned(), slots, weight });
            async move { service.add_queue(request).await }
        });
        Ok(queue::required(response.await?.queue)?)
    }

    /// Gives a queue another number of slots, of which 0 is no limit of its own, or another weight, of which 0 is none of its
    /// own.
    pub async fn set_queue(&self, name: &str, slots: Option<u32>, weight: Option<u32>) -> Result<Queue, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.queue_service();
            let request = within(allowed, proto::SetQueueRequest { name: name.to_owned(), slots, weight });
            async move { service.set_queue(request).await }
        });
        Ok(queue::required(response.await?.queue)?)
    }

    /// Lets nothing of these queues be started, until `until` or until they are resumed.
    pub async fn pause_queues(
        &self,
        names: &[String],
        reason: Option<&str>,
        until: Option<Timestamp>,
    ) -> Result<PerQueue<Problem>, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.queue_service();
            let message = proto::PauseQueuesRequest {
                names: names.to_vec(),
                reason: reason.map(str::to_owned),
                until_ms: until.map(|at| at.0),
            };
            async move { service.pause_queues(within(allowed, message)).await }
        });
        Ok(queue::results_from_proto(response.await?))
    }

    /// Lets tasks of these queues be started again.
    pub async fn resume_queues(&self, names: &[String]) -> Result<PerQueue<Problem>, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.queue_service();
            let request = within(allowed, proto::ResumeQueuesRequest { names: names.to_vec() });
            async move { service.resume_queues(request).await }
        });
        Ok(queue::results_from_proto(response.await?))
    }

    /// Removes queues. Not repeated when the connection breaks: one that is gone is not found any more.
    pub async fn remove_queues(&self, names: &[String]) -> Result<PerQueue<Problem>, Error> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.queue_service();
            let request = within(allowed, proto::RemoveQueuesRequest { names: names.to_vec() });
            async move { service.remove_queues(request).await }
        });
        Ok(queue::results_from_proto(response.await?))
    }
}
