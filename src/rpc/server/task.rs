//! The verbs of tasks.

use std::time::Duration;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::domain::change::Actor;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::query::{Cancelled, PerTask};
use crate::engine;
use crate::rpc::convert::{
    bulk, edit, input, plain_ids, progress, prune, query, selection, signal, task, task_id, task_ids, uuid,
};
use crate::rpc::proto::task_service_server::TaskService;
use crate::rpc::proto::{
    AddTaskRequest, AddTaskResponse, AddTasksRequest, AddTasksResponse, CancelTasksRequest, EditTaskRequest,
    EditTaskResponse, GetTaskRequest, GetTaskResponse, HoldTasksRequest, KillTasksRequest, ListTasksRequest,
    ListTasksResponse, MoveTaskRequest, MoveTaskResponse, PauseTasksRequest, PruneTasksRequest, PruneTasksResponse,
    ReleaseTasksRequest, RemoveTasksRequest, ResizeTerminalRequest, ResizeTerminalResponse, ResumeTasksRequest,
    RetryTasksRequest, SelectTasksRequest, SelectTasksResponse, SendInputRequest, SendInputResponse, SteerTasksRequest,
    SteerTasksResponse, TaskResults, TellProgressRequest, TellProgressResponse, UploadTasksRequest,
    UploadTasksResponse, WatchTasksRequest, WatchTasksResponse,
};
use crate::rpc::server::feed::Feed;
use crate::rpc::server::{Service, caller, malformed, once, watch};
use crate::rpc::status;

const SIGKILL: i32 = 9;

/// How long a task that is just being started is waited for before its terminal is given a size.
const RESIZE_WITHIN: Duration = Duration::from_secs(2);

#[tonic::async_trait]
impl TaskService for Service {
    async fn add_task(&self, request: Request<AddTaskRequest>) -> Result<Response<AddTaskResponse>, Status> {
        let cli = caller(&request);
        let new = task::new_from_proto(request.into_inner()).map_err(malformed)?;
        let by = new.parent.map_or(cli, Actor::Task);
        let handle = self.handle.clone();
        let added = self.whole(async move { handle.add(new, by).await }).await?;
        Ok(Response::new(task::added_to_proto(added)))
    }

    async fn upload_tasks(
        &self,
        request: Request<Streaming<UploadTasksRequest>>,
    ) -> Result<Response<UploadTasksResponse>, Status> {
        self.take_in(request).await
    }

    async fn add_tasks(&self, request: Request<AddTasksRequest>) -> Result<Response<AddTasksResponse>, Status> {
        let cli = caller(&request);
        let bulk = bulk::bulk_from_proto(request.into_inner()).map_err(malformed)?;
        let by = bulk.parent.map_or(cli, Actor::Task);
        let handle = self.handle.clone();
        let added = self.whole(async move { handle.add_many(bulk, bulk::read, by).await }).await?;
        Ok(Response::new(bulk::added_to_proto(added)))
    }

    async fn get_task(&self, request: Request<GetTaskRequest>) -> Result<Response<GetTaskResponse>, Status> {
        let request = request.into_inner();
        let id = task_id(request.id).map_err(malformed)?;
        let found = self.handle.task(id).await.map_err(|error| self.refuse(&error))?;
        let env = if request.show_env {
            let env = self.handle.environment(id).await.map_err(|error| self.refuse(&error))?;
            task::env_to_proto(env)
        } else {
            Vec::new()
        };
        Ok(Response::new(GetTaskResponse { task: Some(task::to_proto(found)), env }))
    }

    async fn list_tasks(&self, request: Request<ListTasksRequest>) -> Result<Response<ListTasksResponse>, Status> {
        let filter = query::filter_from_proto(request.into_inner()).map_err(malformed)?;
        let page = self.handle.tasks(filter).await.map_err(|error| self.refuse(&error))?;
        Ok(Response::new(query::page_to_proto(page)))
    }

    type WatchTasksStream = ReceiverStream<Result<WatchTasksResponse, Status>>;

    async fn watch_tasks(
        &self,
        request: Request<WatchTasksRequest>,
    ) -> Result<Response<Self::WatchTasksStream>, Status> {
        let request = request.into_inner();
        let ids = named(&request.ids)?;
        let until = query::states_from_proto(&request.until).map_err(malformed)?;
        let (feed, messages) = Feed::new(self.handle.closing());
        let waiter = request.waiter.map(|attempt| uuid("waiter", &attempt)).transpose().map_err(malformed)?;
        self.work.spawn(watch::watch(self.clone(), ids, until, waiter.map(AssignmentId), feed));
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn cancel_tasks(&self, request: Request<CancelTasksRequest>) -> Result<Response<TaskResults>, Status> {
        let by = caller(&request);
        let CancelTasksRequest { ids, reason } = request.into_inner();
        let (ids, handle) = (named(&ids)?, self.handle.clone());
        let results = self.whole(async move { handle.cancel(ids, reason, by).await }).await?;
        Ok(self.results(results, |cancelled| matches!(cancelled, Cancelled::Asked(_))))
    }

    async fn kill_tasks(&self, request: Request<KillTasksRequest>) -> Result<Response<TaskResults>, Status> {
        let request = request.into_inner();
        let number = if request.signal == 0 { SIGKILL } else { signal(request.signal).map_err(malformed)? };
        let (ids, handle) = (named(&request.ids)?, self.handle.clone());
        let results = self.whole(async move { handle.kill(ids, number).await }).await?;
        Ok(self.results(results, |()| false))
    }

    async fn release_tasks(&self, request: Request<ReleaseTasksRequest>) -> Result<Response<TaskResults>, Status> {
        let by = caller(&request);
        let (ids, handle) = (named(&request.into_inner().ids)?, self.handle.clone());
        let results = self.whole(async move { handle.release(ids, by).await }).await?;
        Ok(self.results(results, |()| false))
    }

    async fn hold_tasks(&self, request: Request<HoldTasksRequest>) -> Result<Response<TaskResults>, Status> {
        let by = caller(&request);
        let (ids, handle) = (named(&request.into_inner().ids)?, self.handle.clone());
        let results = self.whole(async move { handle.hold(ids, by).await }).await?;
        Ok(self.results(results, |()| false))
    }

    async fn pause_tasks(&self, request: Request<PauseTasksRequest>) -> Result<Response<TaskResults>, Status> {
        let by = caller(&request);
        let (ids, handle) = (named(&request.into_inner().ids)?, self.handle.clone());
        let results = self.whole(async move { handle.pause(ids, by).await }).await?;
        Ok(self.results(results, |()| false))
    }

    async fn resume_tasks(&self, request: Request<ResumeTasksRequest>) -> Result<Response<TaskResults>, Status> {
        let by = caller(&request);
        let (ids, handle) = (named(&request.into_inner().ids)?, self.handle.clone());
        let results = self.whole(async move { handle.resume(ids, by).await }).await?;
        Ok(self.results(results, |()| false))
    }

    async fn retry_tasks(&self, request: Request<RetryTasksRequest>) -> Result<Response<TaskResults>, Status> {
        let by = caller(&request);
        let RetryTasksRequest { ids, failed } = request.into_inner();
        if failed && !ids.is_empty() {
            return Err(invalid("either tasks are named, or all that failed are meant"));
        }
        let ids = if failed { None } else { Some(named(&ids)?) };
        let handle = self.handle.clone();
        let results = self.whole(async move {
            match ids {
                Some(ids) => handle.retry(ids, by).await,
                None => handle.retry_failed(by).await,
            }
        });
        Ok(self.results(results.await?, |()| false))
    }

    async fn remove_tasks(&self, request: Request<RemoveTasksRequest>) -> Result<Response<TaskResults>, Status> {
        let by = caller(&request);
        let (ids, handle) = (named(&request.into_inner().ids)?, self.handle.clone());
        let results = self.whole(async move { handle.remove(ids, by).await }).await?;
        Ok(self.results(results, |()| false))
    }

    async fn send_input(&self, request: Request<SendInputRequest>) -> Result<Response<SendInputResponse>, Status> {
        let input = input::from_proto(request.into_inner()).map_err(malformed)?;
        // The connection to whoever keeps the input open.
        let file = self.file(1)?;
        let handle = self.handle.clone();
        let taken = self.whole(async move { handle.send_input(input).await }).await?;
        drop(file);
        Ok(Response::new(input::taken_to_proto(taken)))
    }

    async fn resize_terminal(
        &self,
        request: Request<ResizeTerminalRequest>,
    ) -> Result<Response<ResizeTerminalResponse>, Status> {
        let (id, size) = input::resize_from_proto(request.into_inner()).map_err(malformed)?;
        let _file = self.file(1)?;
        let before = self.handle.resize(id, size, RESIZE_WITHIN).await.map_err(|error| self.refuse(&error))?;
        Ok(Response::new(input::size_to_proto(before)))
    }

    async fn steer_tasks(&self, request: Request<SteerTasksRequest>) -> Result<Response<SteerTasksResponse>, Status> {
        let by = caller(&request);
        let (chosen, deed, after) = selection::request_from_proto(request.into_inner()).map_err(malformed)?;
        let handle = self.handle.clone();
        let page = self.whole(async move { handle.steer_selected(&chosen, after, &deed, by).await }).await?;
        let results = page.results.into_iter().map(|(id, result)| (id, result.map_err(|error| error.problem())));
        let results = selection::results_to_proto(results.collect()).results;
        Ok(Response::new(SteerTasksResponse { results, next: page.next.map(TaskId::get), any: page.is_any }))
    }

    async fn edit_task(&self, request: Request<EditTaskRequest>) -> Result<Response<EditTaskResponse>, Status> {
        let by = caller(&request);
        let wish = edit::from_proto(request.into_inner()).map_err(malformed)?;
        let handle = self.handle.clone();
        let edited = self.whole(async move { handle.edit(wish, by).await }).await?;
        Ok(Response::new(EditTaskResponse { task: Some(task::to_proto(edited)) }))
    }

    async fn move_task(&self, request: Request<MoveTaskRequest>) -> Result<Response<MoveTaskResponse>, Status> {
        let by = caller(&request);
        let (id, to) = prune::move_from_proto(request.into_inner()).map_err(malformed)?;
        let handle = self.handle.clone();
        let moved = self.whole(async move { handle.move_task(id, to, by).await }).await?;
        Ok(Response::new(MoveTaskResponse { task: Some(task::to_proto(moved)) }))
    }

    async fn tell_progress(
        &self,
        request: Request<TellProgressRequest>,
    ) -> Result<Response<TellProgressResponse>, Status> {
        let cli = caller(&request);
        let (tell, wait, inside) = progress::tell_from_proto(request.into_inner()).map_err(malformed)?;
        let by = inside.map_or(cli, Actor::Task);
        let handle = self.handle.clone();
        let taken = self.whole(async move { handle.tell_progress(tell, wait, by).await }).await?;
        Ok(Response::new(progress::taken_to_proto(taken)))
    }

    async fn prune_tasks(&self, request: Request<PruneTasksRequest>) -> Result<Response<PruneTasksResponse>, Status> {
        let by = caller(&request);
        let wish = prune::from_proto(request.into_inner()).map_err(malformed)?;
        let handle = self.handle.clone();
        let pruned = self.whole(async move { handle.prune(wish, by).await }).await?;
        Ok(Response::new(prune::pruned_to_proto(pruned)))
    }

    async fn select_tasks(
        &self,
        request: Request<SelectTasksRequest>,
    ) -> Result<Response<SelectTasksResponse>, Status> {
        let SelectTasksRequest { selection, after } = request.into_inner();
        let chosen = selection::from_proto(selection).map_err(malformed)?;
        let after = after.map(task_id).transpose().map_err(malformed)?;
        let page = self.handle.select(&chosen, after).await.map_err(|error| self.refuse(&error))?;
        Ok(Response::new(SelectTasksResponse { ids: plain_ids(&page.ids), next: page.next.map(TaskId::get) }))
    }
}

impl Service {
    fn results<T>(&self, results: PerTask<T, engine::Error>, asked: impl Fn(T) -> bool) -> Response<TaskResults> {
        let told = |(id, result): (TaskId, Result<T, engine::Error>)| {
            (id, result.map(&asked).map_err(|error| error.problem()))
        };
        Response::new(query::results_to_proto(results.into_iter().map(told).collect()))
    }
}

/// Returns the ids of a request that must name some, each once.
fn named(ids: &[u64]) -> Result<Vec<TaskId>, Status> {
    if ids.is_empty() {
        return Err(invalid("no task is named"));
    }
    Ok(once(task_ids(ids).map_err(malformed)?))
}

fn invalid(message: &str) -> Status {
    status::from_problem(Problem::new(ErrorKind::Invalid, message))
}
