//! Talking to a keeper: the process that keeps the input of an attempt open.

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use crate::domain::input::Size;
use crate::link::codec::{Message, Reader, encode};
use crate::link::keeper::{Ask, Feed, Told, address};

/// How long a keeper may take to answer at once; one that was stopped never would.
const ANSWERS_WITHIN: Duration = Duration::from_millis(250);

/// What came of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fed {
    /// So much of what somebody sends was taken altogether, in bytes from its beginning.
    pub taken: u64,
    /// Nothing more can be taken.
    pub closed: bool,
    /// The end of the input was given.
    pub ended: bool,
}

/// Whom one finds at a socket.
#[derive(Debug)]
pub enum Found {
    /// The keeper.
    There(Keeper),
    /// Nobody listens any more.
    Gone,
    /// There is no socket: the keeper has ended, or, on a disk that may not answer, has not made it yet.
    Nothing,
}

/// A connection to a keeper.
#[derive(Debug)]
pub struct Keeper {
    stream: UnixStream,
    reader: Reader<Told>,
}

impl Keeper {
    /// Connects to the keeper that listens at `socket`; `None` if nobody does.
    ///
    /// Errors: as [`Self::find`].
    pub fn connect(at: &Path) -> io::Result<Option<Self>> {
        Ok(match Self::find(at)? {
            Found::There(keeper) => Some(keeper),
            Found::Gone | Found::Nothing => None,
        })
    }

    /// Connects to the keeper that listens at `socket`, or tells why that cannot be.
    ///
    /// To be called inside a tokio runtime with its I/O driver on.
    ///
    /// Errors: it belongs to somebody else, or is asked by too many at once.
    pub fn find(at: &Path) -> io::Result<Found> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let descriptor = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        let (address, _directory) = match address(at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            address => address?,
        };
        // A listener that has room in its backlog takes a connection at once: there is nothing to wait for.
        match connect(descriptor.as_raw_fd(), &UnixAddr::new(&address)?) {
            Ok(()) => {}
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Found::Nothing),
            Err(Errno::ECONNREFUSED) => return Ok(Found::Gone),
            Err(errno) => return Err(errno.into()),
        }
        let stream = UnixStream::from_std(descriptor.into())?;
        if stream.peer_cred()?.uid() != nix::unistd::geteuid().as_raw() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Found::There(Self { stream, reader: Reader::default() }))
    }

    /// Gives bytes to the task, and waits until it has taken them, until it takes none any more, or until that time. Returns
    /// what was taken; `None` if the keeper has ended, or is asked by too many at once.
    ///
    /// Errors: [`io::ErrorKind::TimedOut`] if the keeper does not answer, because somebody has stopped it.
    ///
    /// # Cancel safety
    /// None: how much was taken is not known then. It is when the same is fed once more.
    pub async fn feed(&mut self, feed: Feed, until: Instant) -> io::Result<Option<Fed>> {
        if !in_time(until, self.ask(&Ask::Feed(feed))).await? {
            return Ok(None);
        }
        // So that the answer to that is there in time.
        let enough_at = until - ANSWERS_WITHIN.min(until.saturating_duration_since(Instant::now()) / 4);
        let told = match timeout_at(enough_at, self.told()).await {
            Ok(told) => told?,
            Err(_) => {
                let enough = async { if self.ask(&Ask::Enough).await? { self.told().await } else { Ok(None) } };
                in_time(until, enough).await?
            }
        };
        Ok(told.and_then(|told| match told {
            Told::Fed { taken, closed, ended } => Some(Fed { taken, closed, ended }),
            Told::Size(_) => None,
        }))
    }

    /// Gives the terminal another size and returns the one it had; `None` if the keeper has ended, is asked by too many at once, or
    /// keeps no terminal.
    ///
    /// Errors: [`io::ErrorKind::TimedOut`] if the keeper does not answer until that time.
    pub async fn resize(&mut self, size: Size, until: Instant) -> io::Result<Option<Size>> {
        let resize = async { if self.ask(&Ask::Resize(size)).await? { self.told().await } else { Ok(None) } };
        Ok(in_time(until, resize).await?.and_then(|told| match told {
            Told::Size(before) => Some(before),
            Told::Fed { .. } => None,
        }))
    }

    /// Says that the task has ended, and waits until what it wrote last is kept.
    pub async fn end(mut self) -> io::Result<()> {
        if self.ask(&Ask::End).await? {
            while self.told().await?.is_some() {}
        }
        Ok(())
    }

    /// Returns whether it could be asked: it may just have ended.
    async fn ask(&mut self, ask: &impl Message) -> io::Result<bool> {
        let mut bytes = Vec::new();
        encode(ask, &mut bytes).map_err(io::Error::other)?;
        match self.stream.write_all(&bytes).await {
            Ok(()) => Ok(true),
            Err(error) if is_end(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns what it answers; `None` when it has ended.
    async fn told(&mut self) -> io::Result<Option<Told>> {
        loop {
            if let Some(told) = self.reader.next_message().map_err(io::Error::other)? {
                return Ok(Some(told));
            }
            let mut bytes = [0; 256];
            match self.stream.read(&mut bytes).await {
                Ok(0) => return Ok(None),
                Ok(count) => self.reader.feed(&bytes[..count]),
                Err(error) if is_end(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits for the answer of a keeper until that time, and as long as an answer takes in any case.
async fn in_time<T>(until: Instant, answer: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout_at(until.max(Instant::now() + ANSWERS_WITHIN), answer).await {
        Ok(answer) => answer,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "what keeps it open does not answer")),
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
