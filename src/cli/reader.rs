//! Whoever reads standard output: whether somebody still does.
//!
//! A write tells that nobody does, by EPIPE. Who waits for something to print does not write, and has to be told without.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::stat::{SFlag, fstat};
use tokio::io::unix::AsyncFd;

use crate::cli::error::Failure;
use crate::cli::ui::unwritten;

/// Watches the other end of a pipe or a socket. Nothing wakes up for it until that end is gone.
///
/// Shape: a set for epoll(7) that asks for nothing, and so is readable only once there is an error or a hang-up.
#[derive(Debug)]
pub struct Reader(Epoll);

impl Reader {
    /// Watches who reads standard output; `None` where that is a file, which nobody leaves, or a terminal, which sends SIGHUP.
    pub fn of_stdout() -> Option<Self> {
        Self::of(io::stdout()).ok().flatten()
    }

    fn of(fd: impl AsFd) -> nix::Result<Option<Self>> {
        let sort = SFlag::from_bits_truncate(fstat(&fd)?.st_mode) & SFlag::S_IFMT;
        if sort != SFlag::S_IFIFO && sort != SFlag::S_IFSOCK {
            return Ok(None);
        }
        let set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        set.add(fd, EpollEvent::new(EpollFlags::empty(), 0))?;
        Ok(Some(Self(set)))
    }

    /// Returns whether nobody reads any more.
    pub fn is_gone(&self) -> bool {
        self.0.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO).is_ok_and(|told| told > 0)
    }

    /// Waits until nobody reads any more.
    async fn gone(self) -> io::Result<()> {
        let Self(Epoll(set)) = self;
        // SAFETY: the descriptor is owned by what is handed over, and is closed with it.
        let set: AsyncFd<OwnedFd> = unsafe { AsyncFd::register(set) }?;
        set.readable().await.map(drop)
    }
}

impl AsFd for Reader {
    /// Is readable once nobody reads standard output any more.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

/// Does what prints now and then, and may be dropped wherever it waits. Ends as a write does when nobody reads any more.
pub async fn while_read<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let gone = async {
        let told = match Reader::of_stdout() {
            Some(reader) => reader.gone().await,
            None => std::future::pending().await,
        };
        // Who cannot be told without writing is told by writing.
        if told.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        // What has come about by now counts.
        biased;
        done = work => done,
        () = gone => Err(nobody()),
    }
}

/// Returns what a write fails with that nobody reads.
pub fn nobody() -> Failure {
    unwritten(&io::ErrorKind::BrokenPipe.into())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::cli::session::runtime;

    fn of(fd: impl AsFd) -> Reader {
        Reader::of(fd).unwrap().unwrap()
    }

    #[test]
    fn the_other_end_of_a_pipe_or_a_socket_is_watched() {
        let (reader, mut writer) = io::pipe().unwrap();
        let watched = of(&writer);
        writer.write_all(b"not read").unwrap();
        assert!(!watched.is_gone(), "nobody has left");
        drop(reader);
        assert!(watched.is_gone());
        let (mut reader, writer) = UnixStream::pair().unwrap();
        let watched = of(&writer);
        reader.write_all(b"nobody has asked").unwrap();
        assert!(!watched.is_gone());
        drop(reader);
        assert!(watched.is_gone());
    }

    #[test]
    fn nobody_leaves_a_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Reader::of(File::create(dir.path().join("out")).unwrap()).unwrap().is_none());
        assert!(Reader::of(File::create("/dev/null").unwrap()).unwrap().is_none());
    }

    #[test]
    fn waiting_ends_when_the_other_end_is_gone() {
        let (reader, writer) = io::pipe().unwrap();
        let watched = of(&writer);
        runtime().unwrap().block_on(async {
            let mut gone = std::pin::pin!(watched.gone());
            tokio::select! {
                biased;
                _ = &mut gone => panic!("somebody reads"),
                () = tokio::task::yield_now() => {}
            }
            drop(reader);
            gone.await.unwrap();
        });
    }

    #[test]
    fn it_ends_as_a_write_does() {
        assert!(nobody().reader_is_gone);
    }
}
