//! Who gets in, how many at once, and how long somebody may stand in the door.

use std::fs::File;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use crate::fault;
use crate::rpc::cork::Corked;

/// How long a client may take to say that it speaks HTTP/2.
const PREFACE_WITHIN: Duration = Duration::from_secs(10);
/// Length of what it says.
///
/// Source: RFC 9113, 3.4.
const PREFACE_BYTES: usize = 24;
/// How long to wait when descriptors or memory ran out.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How many are told at the same time that there is no place for them, and how long each is waited for.
const TOLD_MAX: usize = 8;
const TOLD_WITHIN: Duration = Duration::from_secs(1);
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

/// Lets clients of user `uid` in, for ever, at most `places` at once. Root is refused like anybody else.
///
/// # Cancel safety
/// Connections that were not accepted stay with the listener.
pub(super) async fn accept(
    listener: &UnixListener,
    uid: u32,
    places: usize,
    doors: Doors,
    accepted: mpsc::Sender<io::Result<Connection>>,
) {
    let (places, told) = (Arc::new(Semaphore::new(places)), Arc::new(Semaphore::new(TOLD_MAX)));
    let mut porter = Porter { uid, places, told, doors, accepted, warnings: Warnings::default() };
    let mut spare = spare_descriptor();
    loop {
        let goes_on = match listener.accept().await {
            Ok((stream, _)) => porter.let_in(stream).await,
            Err(error) => {
                porter.warn(|| tracing::warn!(%error, "cannot accept a connection"));
                // Descriptors or memory ran out (EMFILE, ENFILE, ENOBUFS, ENOMEM), which passes and has no event; or the
                // client gave up, which is no reason to hurry. With the descriptor that is kept back for this, whoever
                // comes meanwhile is told instead of left waiting.
                drop(spare.take());
                let next = timeout(EXHAUSTED_PAUSE, listener.accept()).await;
                spare = spare_descriptor();
                match next {
                    Ok(Ok((stream, _))) if spare.is_some() => porter.let_in(stream).await,
                    Ok(Ok((stream, _))) => {
                        porter.turn_away(stream);
                        spare = spare_descriptor();
                        true
                    }
                    Ok(Err(_)) => {
                        sleep(EXHAUSTED_PAUSE).await;
                        true
                    }
                    Err(_) => true,
                }
            }
        };
        if !goes_on {
            return;
        }
    }
}

fn spare_descriptor() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Decides who gets in.
struct Porter {
    uid: u32,
    places: Arc<Semaphore>,
    /// Turns of those who are told that there is no place.
    told: Arc<Semaphore>,
    doors: Doors,
    accepted: mpsc::Sender<io::Result<Connection>>,
    warnings: Warnings,
}

impl Porter {
    /// Lets somebody in or sends them away; returns whether anybody is wanted any more.
    async fn let_in(&mut self, stream: UnixStream) -> bool {
        // Without credentials it is gone already.
        let Ok(peer) = stream.peer_cred() else { return true };
        if !self.knows(peer.uid()) {
            self.warn(|| {
                tracing::warn!(uid = peer.uid(), pid = peer.pid(), "refused a connection of another user");
            });
            return true;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.warn(|| {
                tracing::warn!(pid = peer.pid(), "refused a connection: there are as many as there may be");
            });
            // When even those who are told why are many, the others are sent away without a word.
            if let Ok(turn) = Arc::clone(&self.told).try_acquire_owned() {
                tokio::spawn(tell_full(stream, turn));
            }
            return true;
        };
        let connection = Connection::new(stream, peer.pid(), &self.doors, place);
        self.accepted.send(Ok(connection)).await.is_ok()
    }

    fn knows(&self, uid: u32) -> bool {
        uid == self.uid || fault::is_sabotaged(12)
    }

    /// Tells somebody that there is no place, if that is anybody's business.
    fn turn_away(&self, stream: UnixStream) {
        if stream.peer_cred().is_ok_and(|peer| self.knows(peer.uid())) {
            // A new connection has room for so much, or its client does not hear it.
            let _ = stream.into_std().and_then(|mut stream| stream.write_all(&full()));
        }
    }

    fn warn(&mut self, warn: impl FnOnce()) {
        if self.warnings.is_due() {
            warn();
        }
    }
}

/// What a client is told for whom there is no place: settings, as HTTP/2 begins, and that it is to go.
///
/// Source: RFC 9113, 4.1 (frames), 6.5 (SETTINGS), 6.8 (GOAWAY), 7 (ENHANCE_YOUR_CALM).
fn full() -> Vec<u8> {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GO_AWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    let length = u8::try_from(8 + FULL.len()).unwrap_or(u8::MAX);
    let mut bytes = SETTINGS.to_vec();
    bytes.extend([0, 0, length, GO_AWAY, 0, 0, 0, 0, 0]);
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend(ENHANCE_YOUR_CALM.to_be_bytes());
    bytes.extend(FULL);
    bytes
}

const FULL: &[u8] = b"the daemon has as many connections as it may";

/// Tells a client that there is no place for it, and lets it finish its sentence: else what it is told may not arrive.
async fn tell_full(mut stream: UnixStream, _turn: OwnedSemaphorePermit) {
    let telling = async {
        stream.write_all(&full()).await?;
        stream.shutdown().await?;
        let mut heard = [0; 1024];
        while stream.read(&mut heard).await? > 0 {}
        io::Result::Ok(())
    };
    // Nobody waits for what came of it.
    let _ = timeout(TOLD_WITHIN, telling).await;
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
    stream: Corked<UnixStream>,
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
        Self { stream: Corked::answering(stream), peer: Peer { pid }, door: Some(door), cut, _place: place }
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
