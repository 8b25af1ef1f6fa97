//! The daemon's end: takes requests in, asks the engine, and sends the answers.
//!
//! Handlers are thin: convert, call, convert. What takes care is around them: who gets in (`accept`), that no client can
//! hold anything (a silent one is dropped, one that does not read slows only itself), and that the end is quick
//! whatever clients do (`serve`).
//!
//! Reading order: [`serve`] → `accept` → `task` → `bulk` → `queue` → `schedule` → `feed` → `watch` → `event` → `output` → `daemon`.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderValue};
use tonic::transport::Server;
use tonic::{Request, Status};
use tower::util::MapResponseLayer;

use crate::domain::change::Actor;
use crate::domain::error::{ErrorKind, Problem};
use crate::engine::{Closing, Handle};
use crate::rpc::client::{REQUEST_BYTES_MAX, VERSION_HEADER};
use crate::rpc::proto::daemon_service_server::DaemonServiceServer;
use crate::rpc::proto::event_service_server::EventServiceServer;
use crate::rpc::proto::log_service_server::LogServiceServer;
use crate::rpc::proto::queue_service_server::QueueServiceServer;
use crate::rpc::proto::schedule_service_server::ScheduleServiceServer;
use crate::rpc::proto::task_service_server::TaskServiceServer;
use crate::rpc::{convert, status};

mod accept;
mod bulk;
mod daemon;
mod event;
mod feed;
mod log;
mod output;
mod queue;
mod schedule;
mod task;
mod watch;

#[cfg(test)]
mod tests;

/// What the server needs to know beside the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// The daemon's own log, for [`crate::rpc::client::Client::daemon_log`]. Rotated files lie beside it and begin with
    /// its name.
    pub log_file: PathBuf,
    /// How long answers that are under way may take once the server is to end; then connections are cut.
    pub linger: Duration,
}

/// Returns values in their order, each once: what is named twice is done once.
fn once<T: Ord + Clone>(mut values: Vec<T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    values.retain(|value| seen.insert(value.clone()));
    values
}

/// Why the server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listening socket cannot be used.
    #[error("cannot accept connections")]
    Listen {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The description of the services does not fit them.
    #[error("cannot describe the services")]
    Describe {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server ended by itself.
    #[error("the server ended by itself")]
    Serve {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Returns the kind that callers see.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}

/// How much of one request, and of all of a connection together, may be under way.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How many calls a connection may have open.
const STREAMS_MAX: u32 = 1024;

/// What is described to clients that ask: the services, messages and comments of `proto/`.
const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/apex_descriptor.bin"));

/// Serves clients on `listener` until `shutdown` resolves, then for as long as answers are under way, at most
/// [`ServerOptions::linger`]. When it returns no connection is open.
///
/// Streams end when the engine closes, so let `shutdown` follow [`Handle::closing`]. Connections that were not accepted
/// yet stay with the listening socket, for whoever takes it over.
///
/// # Cancel safety
/// Dropping the future leaves connections to end by themselves.
pub async fn serve(
    listener: std::os::unix::net::UnixListener,
    handle: Handle,
    options: ServerOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let listen = |source| Error::Listen { source };
    listener.set_nonblocking(true).map_err(listen)?;
    let listener = tokio::net::UnixListener::from_std(listener).map_err(listen)?;

    let room = room();
    let (files, logs) = (Arc::new(Semaphore::new(room)), Arc::new(Semaphore::new(LOG_READERS_MAX)));
    let service = Service { handle, work: TaskTracker::new(), log_file: options.log_file, files, logs };
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<TaskServiceServer<Service>>().await;
    health.set_serving::<QueueServiceServer<Service>>().await;
    health.set_serving::<ScheduleServiceServer<Service>>().await;
    health.set_serving::<EventServiceServer<Service>>().await;
    health.set_serving::<LogServiceServer<Service>>().await;
    health.set_serving::<DaemonServiceServer<Service>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTOR)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|source| Error::Describe { source: source.into() })?;

    // No keepalive pings: over a Unix socket the end of a peer is seen at once, one that is merely stopped may come
    // back, and an idle daemon stays asleep.
    // Every answer says who gave it, so that a newer client can say that this one is older.
    let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
    let named = MapResponseLayer::new(move |mut response: http::Response<Body>| {
        response.headers_mut().insert(VERSION_HEADER, version.clone());
        response
    });
    let router = Server::builder()
        .layer(named)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(TaskServiceServer::new(service.clone()).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(QueueServiceServer::new(service.clone()))
        .add_service(ScheduleServiceServer::new(service.clone()).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(EventServiceServer::new(service.clone()))
        .add_service(LogServiceServer::new(service.clone()).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(DaemonServiceServer::new(service.clone()))
        .add_service(health_service)
        .add_service(reflection);

    let (closing, cut) = (CancellationToken::new(), CancellationToken::new());
    let doors = accept::Doors { closing: closing.clone(), cut: cut.clone() };
    let (accepted, incoming) = mpsc::channel(1);
    let server = async {
        let served = router.serve_with_incoming_shutdown(ReceiverStream::new(incoming), closing.cancelled()).await;
        served.map_err(|source| Error::Serve { source: source.into() })
    };
    let end = async {
        tokio::select! {
            () = shutdown => {}
            () = accept::accept(&listener, nix::unistd::geteuid().as_raw(), room, doors, accepted) => {}
        }
        closing.cancel();
        service.work.close();
        // What clients do cannot hold the end: after a while they are cut off.
        let until = Instant::now() + options.linger;
        if timeout_at(until, service.work.wait()).await.is_err() {
            tracing::debug!("calls are still under way and are cut off");
        }
        until
    };
    let mut server = std::pin::pin!(server);
    let until = tokio::select! {
        served = &mut server => return served,
        until = end => until,
    };
    let served = timeout_at(until, &mut server).await;
    cut.cancel();
    match served {
        Ok(served) => served,
        Err(_) => server.await,
    }
}

/// The most connections there are at once, and the most files that are open for clients at once.
const ROOM_MAX: usize = 4096;
/// The most clients that read the daemon's own log at once: each that follows it keeps one of the threads busy on which
/// starts and ends of tasks are prepared.
const LOG_READERS_MAX: usize = 64;
/// So many descriptors are kept for everything else that comes and goes: directories, the log, whoever is sent away.
const KEPT_BACK: usize = 24;

/// Returns how many connections there may be, and how many files may be open for them: together as many as this process
/// has descriptors left, so that clients never take those that recording needs.
fn room() -> usize {
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    let limit = limit.map_or(1024, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX));
    let used = std::fs::read_dir("/proc/self/fd").map_or(64, Iterator::count);
    (limit.saturating_sub(used + KEPT_BACK) / 2).clamp(4, ROOM_MAX)
}

/// All services. Cheap to clone.
#[derive(Clone)]
struct Service {
    handle: Handle,
    /// Everything that goes on beside the handlers: streams, and changes that a client that leaves must not cut short.
    work: TaskTracker,
    log_file: PathBuf,
    /// Files that may still be opened for clients.
    files: Arc<Semaphore>,
    /// Clients that may still begin to read the daemon's own log.
    logs: Arc<Semaphore>,
}

impl Service {
    /// Does something to its end, even if the client does not wait for it.
    async fn whole<T: Send + 'static>(
        &self,
        job: impl Future<Output = Result<T, crate::engine::Error>> + Send + 'static,
    ) -> Result<T, Status> {
        match self.work.spawn(job).await {
            Ok(result) => result.map_err(|error| self.refuse(&error)),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Returns what is answered instead: the problem, or, if another apexd is about to take over, that the client is to
    /// come back.
    fn refuse(&self, error: &crate::engine::Error) -> Status {
        if error.kind() == ErrorKind::Unavailable && *self.handle.closing().borrow() == Closing::Restarting {
            return farewell(Closing::Restarting);
        }
        if error.kind() == ErrorKind::Internal {
            tracing::error!(error = error.problem().message, "request failed");
        }
        status::from_problem(error.problem())
    }
}

/// Returns the status with which everything ends when the engine does.
fn farewell(closing: Closing) -> Status {
    match closing {
        Closing::Restarting => Status::unavailable("the daemon is being replaced"),
        Closing::Open | Closing::Stopping => {
            status::from_problem(Problem::new(ErrorKind::Unavailable, "the daemon was stopped"))
        }
    }
}

/// Returns who makes a request, for the record.
fn caller<T>(request: &Request<T>) -> Actor {
    Actor::Cli(request.extensions().get::<accept::Peer>().map_or(0, |peer| peer.pid))
}

fn malformed(error: convert::Error) -> Status {
    status::from_problem(error.problem())
}
