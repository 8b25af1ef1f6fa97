//! The verbs of schedules.

use tonic::{Request, Response, Status};

use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskUuid;
use crate::domain::query::PerSchedule;
use crate::engine;
use crate::rpc::convert::{schedule, task, uuid};
use crate::rpc::proto::schedule_service_server::ScheduleService;
use crate::rpc::proto::{
    AddScheduleRequest, AddScheduleResponse, AddTaskResponse, EditScheduleRequest, EditScheduleResponse,
    GetScheduleRequest, GetScheduleResponse, ListSchedulesRequest, ListSchedulesResponse, PauseSchedulesRequest,
    RemoveSchedulesRequest, ResumeSchedulesRequest, RunScheduleRequest, ScheduleResults,
};
use crate::rpc::server::{Service, caller, malformed, once};
use crate::rpc::status;

#[tonic::async_trait]
impl ScheduleService for Service {
    async fn list_schedules(
        &self,
        _: Request<ListSchedulesRequest>,
    ) -> Result<Response<ListSchedulesResponse>, Status> {
        let schedules = self.handle.schedules().await.map_err(|error| self.refuse(&error))?;
        let schedules = schedules.into_iter().map(schedule::to_proto).collect();
        Ok(Response::new(ListSchedulesResponse { schedules }))
    }

    async fn get_schedule(
        &self,
        request: Request<GetScheduleRequest>,
    ) -> Result<Response<GetScheduleResponse>, Status> {
        let found = self.handle.schedule(&request.into_inner().name).await.map_err(|error| self.refuse(&error))?;
        Ok(Response::new(GetScheduleResponse { schedule: Some(schedule::to_proto(found)) }))
    }

    async fn add_schedule(
        &self,
        request: Request<AddScheduleRequest>,
    ) -> Result<Response<AddScheduleResponse>, Status> {
        let by = caller(&request);
        let new = schedule::new_from_proto(request.into_inner()).map_err(malformed)?;
        let handle = self.handle.clone();
        let added = self.whole(async move { handle.add_schedule(new, by).await }).await?;
        let untrusted = self.handle.is_untrusted().await;
        Ok(Response::new(AddScheduleResponse { schedule: Some(schedule::to_proto(added)), untrusted }))
    }

    async fn run_schedule(&self, request: Request<RunScheduleRequest>) -> Result<Response<AddTaskResponse>, Status> {
        let by = caller(&request);
        let RunScheduleRequest { name, uuid: text } = request.into_inner();
        let task_uuid = TaskUuid(uuid("uuid", &text).map_err(malformed)?);
        let handle = self.handle.clone();
        let added = self.whole(async move { handle.run_schedule(name, task_uuid, by).await }).await?;
        Ok(Response::new(task::added_to_proto(added)))
    }

    async fn pause_schedules(
        &self,
        request: Request<PauseSchedulesRequest>,
    ) -> Result<Response<ScheduleResults>, Status> {
        let by = caller(&request);
        let (names, handle) = (named(request.into_inner().names)?, self.handle.clone());
        let results = self.whole(async move { handle.pause_schedules(names, by).await }).await?;
        Ok(told(results))
    }

    async fn resume_schedules(
        &self,
        request: Request<ResumeSchedulesRequest>,
    ) -> Result<Response<ScheduleResults>, Status> {
        let by = caller(&request);
        let (names, handle) = (named(request.into_inner().names)?, self.handle.clone());
        let results = self.whole(async move { handle.resume_schedules(names, by).await }).await?;
        Ok(told(results))
    }

    async fn edit_schedule(
        &self,
        request: Request<EditScheduleRequest>,
    ) -> Result<Response<EditScheduleResponse>, Status> {
        let by = caller(&request);
        let wish = schedule::edit_from_proto(request.into_inner()).map_err(malformed)?;
        let handle = self.handle.clone();
        let edited = self.whole(async move { handle.edit_schedule(wish, by).await }).await?;
        Ok(Response::new(EditScheduleResponse { schedule: Some(schedule::to_proto(edited)) }))
    }

    async fn remove_schedules(
        &self,
        request: Request<RemoveSchedulesRequest>,
    ) -> Result<Response<ScheduleResults>, Status> {
        let by = caller(&request);
        let (names, handle) = (named(request.into_inner().names)?, self.handle.clone());
        let results = self.whole(async move { handle.remove_schedules(names, by).await }).await?;
        Ok(told(results))
    }
}

/// Returns the names of a request that must name some, each once.
fn named(names: Vec<String>) -> Result<Vec<String>, Status> {
    if names.is_empty() {
        return Err(status::from_problem(Problem::new(ErrorKind::Invalid, "no schedule is named")));
    }
    Ok(once(names))
}

fn told(results: PerSchedule<engine::Error>) -> Response<ScheduleResults> {
    let results = results.into_iter().map(|(name, result)| (name, result.map_err(|error| error.problem())));
    Response::new(schedule::results_to_proto(results.collect()))
}
