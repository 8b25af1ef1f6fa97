//! The client's end: a daemon's verbs as functions over domain types.
//!
//! Every call has a deadline that holds whatever the daemon does, and every failure says whether a daemon answered
//! ([`Error::answered`]). Reads, cancels and adds are repeated when the connection breaks, because repeating them
//! changes nothing; streams are taken up again where they were. Runs on any tokio runtime, also one of a single thread.
//!
//! Deliberately absent: starting a daemon that is not there, and looking for its socket.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::domain::error::Problem;
use crate::domain::id::TaskId;
use crate::domain::query::PerTask;
use crate::rpc::cork::Corked;
use crate::rpc::socket;

mod bulk;
mod daemon;
mod error;
mod event;
mod follow;
mod input;
mod place;
mod queue;
mod retry;
mod schedule;
mod selection;
mod task;
mod upload;
mod version;
mod watch;

#[cfg(test)]
mod tests;

pub use crate::rpc::convert::Error as Malformed;
pub use bulk::{Batch, Bulk, TakenIn};
pub use daemon::{DaemonLog, DaemonLogRequest};
pub use error::Error;
pub use event::{Event, Events};
pub use follow::{Follow, FollowRequest, Piece};
pub use selection::Steered;
pub use task::Cancelled;
pub use watch::Watch;

use retry::Retry;
use version::Noting;
pub(in crate::rpc) use version::VERSION_HEADER;

/// How patient a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Longest time a call may take, connecting included. Streams must begin within it and may then take for ever.
    pub deadline: Duration,
    /// How long an add is repeated, and a stream taken up again, after the connection broke.
    pub reconnect_for: Duration,
    /// The attempt inside which this client runs: while it waits for a task, that one lends what it holds.
    pub waiter: Option<Uuid>,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), reconnect_for: Duration::from_secs(30), waiter: None }
    }
}

/// What came of a command, for each task named, in the order in which they were named.
pub type Results<T> = Result<PerTask<T, Problem>, Error>;

/// A connection to a daemon. Made again by itself when it breaks. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Client {
    channel: Noting,
    options: Options,
    /// A daemon has answered.
    is_answered: Arc<AtomicBool>,
    /// Starts another daemon; `false` if there is none.
    revive: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Largest request that a daemon takes.
pub(in crate::rpc) const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Largest answer that is read: a list of millions of tasks.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// How much of one stream, and of all together, may be under way: logs flow without waiting for acknowledgements.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// Longest time that the daemon is told of. Above some eleven thousand years the header has no room for it.
const TOLD_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How long a call is repeated after its connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// Not at all: it is not known whether it was done, and doing it twice is not the same.
    Never,
    /// While its deadline lasts.
    WithinDeadline,
    /// For [`Options::reconnect_for`], with the whole deadline each time.
    WhileReconnecting,
}

impl Client {
    /// Connects to the daemon that listens on `socket`, whose path may be of any length.
    ///
    /// Errors: [`Error::NotRunning`], [`Error::Foreign`] (nothing is sent then), [`Error::Connect`], and
    /// [`Error::NoAnswer`] if the daemon accepts no connections and its backlog is full.
    pub async fn connect(socket: &Path, options: Options) -> Result<Self, Error> {
        Self::connect_to(socket, options, nix::unistd::geteuid().as_raw()).await
    }

    async fn connect_to(socket: &Path, options: Options, expected_uid: u32) -> Result<Self, Error> {
        let first = timeout(options.deadline, socket::connect(socket, expected_uid)).await;
        let first = first.map_err(|_| Error::NoAnswer { after: options.deadline })??;
        let first = Arc::new(Mutex::new(Some(first)));
        let socket: Arc<Path> = socket.into();
        let connector = tower::service_fn(move |_| {
            let (first, socket) = (Arc::clone(&first), Arc::clone(&socket));
            async move {
                let ready = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                let stream = match ready {
                    Some(stream) => stream,
                    None => socket::connect(&socket, expected_uid).await?,
                };
                Ok::<_, socket::Error>(TokioIo::new(Corked::new(stream)))
            }
        });
        // The address is for the `:authority` header alone.
        let channel = Endpoint::from_static("http://apex.localhost")
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .connect_with_connector_lazy(connector);
        Ok(Self { channel: Noting::new(channel), options, is_answered: Arc::default(), revive: None })
    }

    /// Returns the version of the daemon that answered last; `None` before there was an answer, and of one that does not
    /// say.
    pub fn daemon_version(&self) -> Option<String> {
        self.channel.version()
    }

    /// Lets another daemon be started if the one that took the connection died before it answered anything. `revive`
    /// starts it, and returns whether that went well; it is called once at most.
    ///
    /// One that has answered and is gone was stopped: nobody starts it again behind the back of whoever did that.
    #[must_use]
    pub fn reviving(mut self, revive: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.revive = Some(Arc::new(revive));
        self
    }

    /// Returns whether another daemon was started in place of one that is not there any more.
    fn is_revived(&self, error: &Error) -> bool {
        let is_gone = matches!(error, Error::NotRunning { .. });
        // Once, whatever comes of it.
        is_gone
            && !self.is_answered.swap(true, Ordering::Relaxed)
            && self.revive.as_ref().is_some_and(|revive| revive())
    }

    /// Makes a call until it is answered or patience is over. `once` gets the time that the attempt may take.
    async fn call<T, Fut>(&self, repeat: Repeat, mut once: impl FnMut(Duration) -> Fut) -> Result<T, Error>
    where
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let deadline = self.options.deadline;
        let began = Instant::now();
        let mut retry = match repeat {
            Repeat::Never => Retry::new(Duration::ZERO),
            Repeat::WithinDeadline => Retry::new(deadline),
            Repeat::WhileReconnecting => Retry::new(self.options.reconnect_for),
        };
        loop {
            let allowed = match repeat {
                Repeat::WhileReconnecting => deadline,
                Repeat::Never | Repeat::WithinDeadline => deadline.saturating_sub(began.elapsed()),
            };
            let error = match timeout(allowed, once(allowed)).await {
                Ok(Ok(response)) => {
                    self.is_answered.store(true, Ordering::Relaxed);
                    return Ok(response.into_inner());
                }
                Ok(Err(status)) => Error::from_status(status, deadline),
                Err(_) => Error::NoAnswer { after: deadline },
            };
            match retry.pause_after(&error) {
                Some(pause) => sleep(pause).await,
                None if self.is_revived(&error) => {}
                None => return Err(error),
            }
        }
    }
}

/// Wraps a message so that the daemon, too, knows how long somebody waits for the answer.
fn within<T>(allowed: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(allowed.min(TOLD_MAX));
    request
}

/// Turns results without a value into results with none.
fn without_value(results: PerTask<bool, Problem>) -> PerTask<(), Problem> {
    results.into_iter().map(|(id, result): (TaskId, _)| (id, result.map(|_| ()))).collect()
}
