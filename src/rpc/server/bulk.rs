//! Takes in tasks that are to be added together.

use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::domain::error::{ErrorKind, Problem};
use crate::engine;
use crate::rpc::convert::bulk;
use crate::rpc::proto::{UploadTasksRequest, UploadTasksResponse};
use crate::rpc::server::{Service, farewell, malformed};
use crate::rpc::status;

impl Service {
    /// Checks tasks as they come, and keeps them until they are added.
    pub(super) async fn take_in(
        &self,
        request: Request<Streaming<UploadTasksRequest>>,
    ) -> Result<Response<UploadTasksResponse>, Status> {
        let refuse = |error: engine::Error| self.refuse(&error);
        let _file = self.file(1)?;
        let mut messages = request.into_inner();
        let mut closing = self.handle.closing();
        let mut taken = self.handle.outputs().take_in_tasks(Uuid::new_v4()).map_err(|error| refuse(error.into()))?;
        let (mut place, mut buffer) = (0, Vec::new());
        loop {
            if self.handle.is_draining() {
                return Err(refuse(engine::Error::Draining));
            }
            let message = tokio::select! {
                message = messages.message() => message?,
                closing = closing.wait_for(|closing| *closing != engine::Closing::Open) => {
                    let closing = closing.map_or(engine::Closing::Stopping, |closing| *closing);
                    return Err(farewell(closing));
                }
            };
            let Some(message) = message else {
                // A call that is cut off looks like one that has ended.
                let problem = Problem::new(ErrorKind::Invalid, "the tasks ended without the last of them");
                return Err(status::from_problem(problem));
            };
            buffer.clear();
            for task in message.tasks {
                bulk::write(&task, &mut buffer).map_err(|error| Status::internal(error.to_string()))?;
                let task = bulk::task_from_proto(task).map_err(malformed)?;
                self.handle.check_one_of_many(&task, place).map_err(refuse)?;
                place += 1;
            }
            taken.write(&buffer).map_err(|error| refuse(error.into()))?;
            if message.last {
                break;
            }
        }
        let upload = taken.complete().to_string();
        Ok(Response::new(UploadTasksResponse { upload, tasks: place }))
    }
}
