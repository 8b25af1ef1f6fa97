//! How tasks go on, as they do.

use std::collections::HashMap;

use tokio::time::{sleep, timeout};
use tonic::Streaming;

use crate::domain::id::TaskId;
use crate::domain::task::{State, Task};
use crate::rpc::client::{Client, Error, Retry};
use crate::rpc::convert::{attempt, plain_ids, task};
use crate::rpc::proto;

impl Client {
    /// Watches tasks until each has ended, or is in one of the states of `until`.
    pub fn watch(&self, ids: &[TaskId], until: &[State]) -> Watch {
        let request = proto::WatchTasksRequest {
            ids: plain_ids(ids),
            until: until.iter().map(|state| attempt::state_to_proto(*state).into()).collect(),
            waiter: self.options.waiter.map(|attempt| attempt.to_string()),
        };
        let retry = Retry::new(self.options.reconnect_for);
        Watch { client: self.clone(), request, stream: None, seen: HashMap::new(), retry, done: false }
    }
}

/// Tasks as they change. Taken up again by itself when the connection breaks.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    request: proto::WatchTasksRequest,
    stream: Option<Streaming<proto::WatchTasksResponse>>,
    /// As each was told last, so that coming back tells nothing twice.
    seen: HashMap<TaskId, Task>,
    retry: Retry,
    done: bool,
}

impl Watch {
    /// Returns one of the tasks: each as it stands at first, and again whenever it changed. `None` when all have ended
    /// or are in one of the states asked for.
    ///
    /// Errors: `not_found` for a task that does not exist; `unavailable` when the daemon was stopped; what the last
    /// attempt to reconnect ended with when [`super::Options::reconnect_for`] is over. After an error there is only
    /// `None`.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Task, Error>> {
        while !self.done {
            match self.step().await {
                Ok(Some(task)) => {
                    self.retry.succeeded();
                    if self.seen.get(&task.id) != Some(&task) {
                        self.seen.insert(task.id, task.clone());
                        return Some(Ok(task));
                    }
                }
                Ok(None) => self.done = true,
                Err(error) => {
                    self.stream = None;
                    match self.retry.pause_after(&error) {
                        Some(pause) => sleep(pause).await,
                        None => {
                            self.done = true;
                            return Some(Err(error));
                        }
                    }
                }
            }
        }
        None
    }

    async fn step(&mut self) -> Result<Option<Task>, Error> {
        let deadline = self.client.options.deadline;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let allowed = if self.retry.is_failing() { self.retry.left() } else { deadline };
                let mut service = self.client.task_service();
                let opened = timeout(allowed, service.watch_tasks(self.request.clone())).await;
                let response = opened.map_err(|_| Error::NoAnswer { after: allowed })?;
                let response = response.map_err(|status| Error::from_status(status, deadline))?;
                self.stream.insert(response.into_inner())
            }
        };
        let message = stream.message().await.map_err(|status| Error::from_status(status, deadline))?;
        Ok(message.map(|response| task::required(response.task)).transpose()?)
    }
}
