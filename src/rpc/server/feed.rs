//! Sending a stream of messages to one client, at its own pace and not beyond the engine's end.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use crate::domain::id::Seq;
use crate::engine::Closing;
use crate::fault;
use crate::rpc::server::farewell;

/// How many messages may wait to be sent. The rest of what waits is in the windows of HTTP/2.
const AHEAD: usize = 4;

/// How long clients may take to read what was still to be said when the engine ends.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Where a stream's messages go. Dropping it ends the stream in good order.
pub(super) struct Feed<T> {
    messages: mpsc::Sender<Result<T, Status>>,
    closing: watch::Receiver<Closing>,
    /// Until when messages are sent; set when the engine ends.
    last_words: Option<Instant>,
}

/// The stream has an end before its end: the client is gone, or was told why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Over;

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// By what was waited for.
    Event,
    /// The engine ends: look once more, then say farewell.
    Closing(Closing),
}

impl<T> Feed<T> {
    pub(super) fn new(closing: watch::Receiver<Closing>) -> (Self, mpsc::Receiver<Result<T, Status>>) {
        // Sabotaged, all that there is waits in memory for a client that does not read.
        let ahead = if fault::is_sabotaged(8) { 1 << 20 } else { AHEAD };
        let (messages, receiver) = mpsc::channel(ahead);
        (Self { messages, closing, last_words: None }, receiver)
    }

    /// Sends a message when the client has taken the earlier ones. One that does not is waited for only a moment once
    /// the engine ends.
    pub(super) async fn send(&mut self, message: T) -> Result<(), Over> {
        let over = async {
            let closing = ended(&mut self.closing).await;
            let until = *self.last_words.get_or_insert_with(|| Instant::now() + LAST_WORDS);
            sleep_until(until).await;
            closing
        };
        let closing = tokio::select! {
            biased;
            closing = over => closing,
            sent = self.messages.send(Ok(message)) => return sent.map_err(|_| Over),
        };
        Err(self.fail(farewell(closing)))
    }

    /// Ends the stream with an error, if the client still takes one.
    pub(super) fn fail(&self, status: Status) -> Over {
        // A client so far behind is cut off with its connection instead.
        let _ = self.messages.try_send(Err(status));
        Over
    }

    /// Waits for `event`, for the client to leave, or for the engine to end.
    pub(super) async fn wait(&mut self, event: impl Future<Output = ()>) -> Result<Woken, Over> {
        tokio::select! {
            () = event => Ok(Woken::Event),
            closing = ended(&mut self.closing) => Ok(Woken::Closing(closing)),
            () = self.messages.closed() => Err(Over),
        }
    }
}

/// Resolves when something was recorded since the last look.
pub(super) async fn recorded(changes: &mut watch::Receiver<Seq>) {
    if changes.changed().await.is_err() {
        // Nothing is recorded any more: the engine ends, which wakes by itself.
        std::future::pending().await
    }
}

/// Resolves when the engine ends.
async fn ended(closing: &mut watch::Receiver<Closing>) -> Closing {
    match closing.wait_for(|closing| *closing != Closing::Open).await {
        Ok(closing) => *closing,
        // Whoever would say so is gone.
        Err(_) => Closing::Stopping,
    }
}
