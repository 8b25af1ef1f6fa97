//! The handlers of what flows, and the daemon's own log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::domain::error::{ErrorKind, Problem};
use crate::domain::time::Timestamp;
use crate::rpc::proto::log_service_server::LogService;
use crate::rpc::proto::{
    ReadDaemonLogRequest, ReadDaemonLogResponse, ReadOutputRequest, ReadOutputResponse, UploadStdinRequest,
    UploadStdinResponse,
};
use crate::rpc::server::feed::{Feed, Over, Woken};
use crate::rpc::server::{Service, farewell};
use crate::rpc::status;
use crate::telemetry::Level;
use crate::telemetry::read::{Follow, Selection};

/// Longest wait for the log to grow that cannot be broken off, because it blocks a thread.
const BLOCKED_AT_MOST: Duration = Duration::from_millis(100);

#[tonic::async_trait]
impl LogService for Service {
    type ReadOutputStream = ReceiverStream<Result<ReadOutputResponse, Status>>;

    async fn read_output(
        &self,
        request: Request<ReadOutputRequest>,
    ) -> Result<Response<Self::ReadOutputStream>, Status> {
        self.send_output(request.into_inner()).map(Response::new)
    }

    async fn upload_stdin(
        &self,
        request: Request<Streaming<UploadStdinRequest>>,
    ) -> Result<Response<UploadStdinResponse>, Status> {
        self.keep_stdin(request).await
    }

    type ReadDaemonLogStream = ReceiverStream<Result<ReadDaemonLogResponse, Status>>;

    async fn read_daemon_log(
        &self,
        request: Request<ReadDaemonLogRequest>,
    ) -> Result<Response<Self::ReadDaemonLogStream>, Status> {
        let request = request.into_inner();
        let level = match request.level.as_str() {
            "" => None,
            word => Some(Level::parse(word).ok_or_else(|| no_such_level(word))?),
        };
        let tail_lines = request.tail_lines.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX));
        let selection = Selection { tail_lines, since: request.since_ms.map(Timestamp), level };
        let file = self.file(1)?;
        let Ok(turn) = Arc::clone(&self.logs).try_acquire_owned() else {
            let message = "as many read the daemon's log as may at once";
            let problem = Problem::new(ErrorKind::Exhausted, message);
            return Err(status::from_problem(problem.with_hint("end some `apex daemon logs -f`, then try again")));
        };
        let (feed, messages) = Feed::new(self.handle.closing());
        let sending = send(self.log_file.clone(), selection, request.follow, feed);
        self.work.spawn(async move {
            let sent = sending.await;
            drop((file, turn));
            sent
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}

fn no_such_level(word: &str) -> Status {
    let message = format!("`{word}` is not a level (error, warn, info, debug or trace)");
    status::from_problem(Problem::new(ErrorKind::Invalid, message))
}

/// Sends the log line by line. Reading blocks, so it is done elsewhere, a step at a time.
async fn send(
    log_file: PathBuf,
    selection: Selection,
    is_followed: bool,
    mut feed: Feed<ReadDaemonLogResponse>,
) -> Result<(), Over> {
    let failed = |feed: &Feed<_>, error: std::io::Error| {
        let message = format!("cannot read the daemon's log: {error}");
        feed.fail(status::from_problem(Problem::new(ErrorKind::Internal, message)))
    };
    let mut last_look = None;
    let mut follow = match blocking(move || Follow::new(&log_file, selection)).await {
        Ok(follow) => follow,
        Err(error) => return Err(failed(&feed, error)),
    };
    loop {
        let looked = blocking(move || follow.next_lines().map(|lines| (follow, lines))).await;
        let (mut watched, lines) = looked.map_err(|error| failed(&feed, error))?;
        for line in lines {
            feed.send(ReadDaemonLogResponse { line }).await?;
        }
        if !is_followed {
            return Ok(());
        }
        if let Some(closing) = last_look {
            return Err(feed.fail(farewell(closing)));
        }
        let mut grown = std::pin::pin!(blocking(move || watched.wait(BLOCKED_AT_MOST).map(|()| watched)));
        let mut waited = None;
        let woken = feed.wait(async { waited = Some((&mut grown).await) }).await?;
        if let Woken::Closing(closing) = woken {
            last_look = Some(closing);
        }
        let waited = match waited {
            Some(waited) => waited,
            None => grown.await,
        };
        follow = waited.map_err(|error| failed(&feed, error))?;
    }
}

async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(job).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
