//! The verbs of queues.

use tonic::{Request, Response, Status};

use crate::domain::error::{ErrorKind, Problem};
use crate::domain::query::PerQueue;
use crate::domain::time::Timestamp;
use crate::engine;
use crate::rpc::convert::{Error as Malformed, queue};
use crate::rpc::proto::queue_service_server::QueueService;
use crate::rpc::proto::{
    AddQueueRequest, AddQueueResponse, ListQueuesRequest, ListQueuesResponse, PauseQueuesRequest, QueueResults,
    RemoveQueuesRequest, ResumeQueuesRequest, SetQueueRequest, SetQueueResponse,
};
use crate::rpc::server::{Service, caller, malformed, once};
use crate::rpc::status;

#[tonic::async_trait]
impl QueueService for Service {
    async fn list_queues(&self, _: Request<ListQueuesRequest>) -> Result<Response<ListQueuesResponse>, Status> {
        let queues = self.handle.queues().await.map_err(|error| self.refuse(&error))?;
        Ok(Response::new(ListQueuesResponse { queues: queues.into_iter().map(queue::to_proto).collect() }))
    }

    async fn add_queue(&self, request: Request<AddQueueRequest>) -> Result<Response<AddQueueResponse>, Status> {
        let by = caller(&request);
        let AddQueueRequest { name, slots, weight } = request.into_inner();
        check_weight(weight)?;
        let handle = self.handle.clone();
        let add = async move {
            let added = handle.add_queue(name.clone(), slots, by.clone()).await?;
            if weight > 0 { handle.weigh_queue(name, weight, by).await } else { Ok(added) }
        };
        let added = self.whole(add).await?;
        Ok(Response::new(AddQueueResponse { queue: Some(queue::to_proto(added)) }))
    }

    async fn set_queue(&self, request: Request<SetQueueRequest>) -> Result<Response<SetQueueResponse>, Status> {
        let by = caller(&request);
        let SetQueueRequest { name, slots, weight } = request.into_inner();
        check_weight(weight.unwrap_or(0))?;
        let handle = self.handle.clone();
        let set = match (slots, weight) {
            (None, None) => return Err(malformed(Malformed::Missing("slots"))),
            (Some(slots), None) => self.whole(async move { handle.set_queue(name, slots, by).await }).await?,
            (None, Some(weight)) => self.whole(async move { handle.weigh_queue(name, weight, by).await }).await?,
            (Some(slots), Some(weight)) => {
                let set = async move {
                    handle.set_queue(name.clone(), slots, by.clone()).await?;
                    handle.weigh_queue(name, weight, by).await
                };
                self.whole(set).await?
            }
        };
        Ok(Response::new(SetQueueResponse { queue: Some(queue::to_proto(set)) }))
    }

    async fn pause_queues(&self, request: Request<PauseQueuesRequest>) -> Result<Response<QueueResults>, Status> {
        let by = caller(&request);
        let PauseQueuesRequest { names, reason, until_ms } = request.into_inner();
        let (names, until, handle) = (named(names)?, until_ms.map(Timestamp), self.handle.clone());
        let results = self.whole(async move { handle.pause_queues(names, reason, until, by).await }).await?;
        Ok(told(results))
    }

    async fn resume_queues(&self, request: Request<ResumeQueuesRequest>) -> Result<Response<QueueResults>, Status> {
        let by = caller(&request);
        let (names, handle) = (named(request.into_inner().names)?, self.handle.clone());
        let results = self.whole(async move { handle.resume_queues(names, by).await }).await?;
        Ok(told(results))
    }

    async fn remove_queues(&self, request: Request<RemoveQueuesRequest>) -> Result<Response<QueueResults>, Status> {
        let by = caller(&request);
        let (names, handle) = (named(request.into_inner().names)?, self.handle.clone());
        let results = self.whole(async move { handle.remove_queues(names, by).await }).await?;
        Ok(told(results))
    }
}

/// The most that a queue can weigh.
const WEIGHT_MAX: u32 = 1_000;

fn check_weight(weight: u32) -> Result<(), Status> {
    if weight > WEIGHT_MAX {
        let message = format!("weight {weight} is more than the {WEIGHT_MAX} that a queue can have");
        return Err(status::from_problem(Problem::new(ErrorKind::Invalid, message)));
    }
    Ok(())
}

/// Returns the names of a request that must name some, each once.
fn named(names: Vec<String>) -> Result<Vec<String>, Status> {
    if names.is_empty() {
        return Err(status::from_problem(Problem::new(ErrorKind::Invalid, "no queue is named")));
    }
    Ok(once(names))
}

fn told(results: PerQueue<engine::Error>) -> Response<QueueResults> {
    let results = results.into_iter().map(|(name, result)| (name, result.map_err(|error| error.problem())));
    Response::new(queue::results_to_proto(results.collect()))
}
