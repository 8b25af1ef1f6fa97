//! Adding many tasks together.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::query::AddedMany;
use crate::domain::task::{BulkTask, Environment, Limit};
use crate::rpc::client::{Client, Error, Options, Repeat, within};
use crate::rpc::convert::{self, bulk};
use crate::rpc::proto;

/// How many messages may wait to be sent.
const MESSAGES_AHEAD: usize = 4;
/// How many tasks a slow machine stores in a second, for the time that storing many may need on top of the deadline.
const SLOW_MACHINE_TASKS: u64 = 10_000;

/// Tasks that a daemon has taken in and not added yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenIn {
    /// The name by which they are added.
    pub upload: Uuid,
    /// How many there are.
    pub tasks: u64,
}

/// Many tasks that are to be added together, and what they have in common.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// Their name; each has its own by its place ([`TaskUuid::at`]).
    pub uuid: TaskUuid,
    /// The tasks.
    pub tasks: TakenIn,
    /// Their environment.
    pub env: Environment,
    /// Their file mode creation mask.
    pub umask: u32,
    /// Their soft limits.
    pub limits: Vec<Limit>,
    /// The task inside which they are added.
    pub parent: Option<TaskId>,
}

/// What comes of a source of tasks.
#[derive(Debug)]
pub enum Batch {
    /// Some more.
    Tasks(Vec<BulkTask>),
    /// There are no more.
    End,
}

impl Client {
    /// Hands tasks over to the daemon, which checks and keeps them, and returns what they are to be added as; `None` if
    /// `source` was closed without [`Batch::End`]: nothing is kept then. It may be as slow as it likes.
    ///
    /// Errors: what the daemon refuses. Not repeated when the connection breaks, because what was sent is gone; nothing was
    /// added then.
    pub async fn upload_tasks(&self, mut source: mpsc::Receiver<Batch>) -> Result<Option<TakenIn>, Error> {
        let deadline = self.options.deadline;
        let (messages, stream) = mpsc::channel(MESSAGES_AHEAD);
        let mut service = self.task_service();
        let mut answer = pin!(service.upload_tasks(ReceiverStream::new(stream)));
        let feed = async {
            while let Some(batch) = source.recv().await {
                let (tasks, last) = match batch {
                    Batch::Tasks(tasks) => (tasks.into_iter().map(bulk::task_to_proto).collect(), false),
                    Batch::End => (Vec::new(), true),
                };
                match timeout(deadline, messages.send(proto::UploadTasksRequest { tasks, last })).await {
                    Ok(Ok(())) if !last => {}
                    // When the other end is gone, so is the interest in the source, and the answer says why.
                    Ok(_) => return Ok(true),
                    Err(_) => return Err(Error::NoAnswer { after: deadline }),
                }
            }
            Ok(false)
        };
        let response = tokio::select! {
            answer = &mut answer => answer,
            fed = feed => {
                if !fed? {
                    return Ok(None);
                }
                timeout(deadline, answer).await.map_err(|_| Error::NoAnswer { after: deadline })?
            }
        };
        let response = response.map_err(|status| Error::from_status(status, deadline))?.into_inner();
        Ok(Some(TakenIn { upload: convert::uuid("upload", &response.upload)?, tasks: response.tasks }))
    }

    /// Adds tasks that were handed over: all of them, or none. Resolves when they are stored for good.
    ///
    /// When the connection breaks this is repeated with the same uuid for [`super::Options::reconnect_for`]: the tasks
    /// are there once, whether or not the first call was carried out.
    ///
    /// Errors: what the daemon refuses. After [`Error::NoAnswer`] and [`Error::Broken`] all of them may be there.
    pub async fn add_many(&self, bulk: Bulk) -> Result<AddedMany, Error> {
        let Bulk { uuid, tasks, env, umask, limits, parent } = bulk;
        let request = bulk::to_proto(uuid, tasks.upload, env, umask, limits, parent);
        let deadline = self.options.deadline + Duration::from_secs(tasks.tasks / SLOW_MACHINE_TASKS);
        let patient = Client { options: Options { deadline, ..self.options }, ..self.clone() };
        let response = patient.call(Repeat::WhileReconnecting, |allowed| {
            let (mut service, request) = (self.task_service(), within(allowed, request.clone()));
            async move { service.add_tasks(request).await }
        });
        Ok(bulk::added_from_proto(response.await?)?)
    }
}
