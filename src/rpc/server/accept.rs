//! Who gets in, and how long somebody may stand in the door.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use crate::fault;

/// How many connections there are at once; further ones wait in the backlog.
const CONNECTIONS_MAX: usize = 4096;
/// How long a client may take to say that it speaks HTTP/2.
const PREFACE_WITHIN: Duration = Duration::from_secs(10);
/// Length of what it says.
///
/// Source: RFC 9113, 3.4.
const PREFACE_BYTES: usize = 24;
/// How long to wait when descriptors or memory ran out.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// Warnings about those who knock come at most this often.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// The end, in two steps.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    /// Who has not said anything yet is sent away.
    pub(super) closing: CancellationToken,
    /// Every connection is cut.
    pub(super) cut: CancellationToken,
}

/// Lets clients of user `uid` in, for ever. Root is refused like anybody else.
///
/// # Cancel safety
/// Connections that were not accepted stay with the listener.
pub(super) async fn accept(
    listener: &UnixListener,
    uid: u32,
    doors: Doors,
    accepted: mpsc::Sender<io::Result<Connection>>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut warnings = Warnings::default();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => match stream.peer_cred() {
                Ok(peer) if peer.uid() == uid || fault::is_sabotaged(12) => {
                    let connection = Connection::new(stream, peer.pid(), &doors, place);
                    if accepted.send(Ok(connection)).await.is_err() {
                        return;
                    }
                }
                Ok(peer) => {
                    if warnings.is_due() {
                        tracing::warn!(uid = peer.uid(), pid = peer.pid(), "refused a connection of another user");
                    }
                }
                // It is gone already.
                Err(_) => {}
            },
            Err(error) => {
                if warnings.is_due() {
                    tracing::warn!(%error, "cannot accept a connection");
                }
                // Descriptors or memory ran out (EMFILE, ENFILE, ENOBUFS, ENOMEM), which passes and has no event; or
                // the client gave up, which is no reason to hurry.
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

#[derive(Debug, Default)]
struct Warnings {
    last: Option<Instant>,
}

impl Warnings {
    fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= WARN_EVERY);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}

/// The connected client's process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// Its pid when it connected, for the record alone; 0 if it has none here.
    pub(super) pid: u32,
}

/// A connection that ends when the client says nothing at first, and when it is cut.
pub(super) struct Connection {
    stream: UnixStream,
    peer: Peer,
    /// While the preface is not complete.
    door: Option<Door>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: OwnedSemaphorePermit,
}

struct Door {
    bytes_left: usize,
    patience: Pin<Box<Sleep>>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    fn new(stream: UnixStream, pid: Option<i32>, doors: &Doors, place: OwnedSemaphorePermit) -> Self {
        let pid = pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
        let door = Door {
            bytes_left: PREFACE_BYTES,
            patience: Box::pin(sleep(PREFACE_WITHIN)),
            closing: Box::pin(doors.closing.clone().cancelled_owned()),
        };
        let cut = Box::pin(doors.cut.clone().cancelled_owned());
        Self { stream, peer: Peer { pid }, door: Some(door), cut, _place: place }
    }

    fn poll_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.poll_cut(context)?;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buf);
        let Some(door) = &mut this.door else { return read };
        let bytes = buf.filled().len() - before;
        door.bytes_left = door.bytes_left.saturating_sub(bytes);
        if door.bytes_left == 0 {
            this.door = None;
            return read;
        }
        let sent_away = read.is_pending()
            && (door.closing.as_mut().poll(context).is_ready() || door.patience.as_mut().poll(context).is_ready());
        if sent_away { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { read }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_cut(context)?;
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_cut(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
