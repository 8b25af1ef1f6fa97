//! Waiting for whatever happens next.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// What a descriptor that became ready belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Signals to the guardian.
    Signals,
    /// The link to apexd.
    Link,
    /// apexd has ended.
    Apexd,
    /// A program has answered whether it can be the guardian.
    Check,
    /// A client has connected.
    Client,
    /// There is news of how the task with this pid is being started.
    Start(u32),
    /// The task with this pid has ended.
    Task(u32),
}

/// Set in the number of a [`Source::Task`], whose low half is the pid.
const TASK: u64 = 1 << 32;
/// The same of a [`Source::Start`].
const START: u64 = 1 << 33;

impl Source {
    fn to_number(self) -> u64 {
        match self {
            Self::Signals => 0,
            Self::Link => 1,
            Self::Apexd => 2,
            Self::Check => 3,
            Self::Client => 4,
            Self::Start(pid) => START | u64::from(pid),
            Self::Task(pid) => TASK | u64::from(pid),
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Signals),
            1 => Some(Self::Link),
            2 => Some(Self::Apexd),
            3 => Some(Self::Check),
            4 => Some(Self::Client),
            _ if number & START != 0 => u32::try_from(number ^ START).ok().map(Self::Start),
            _ => u32::try_from(number ^ TASK).ok().map(Self::Task),
        }
    }
}

/// A client is told once: whoever takes it in is another one.
const ONCE: EpollFlags = EpollFlags::EPOLLIN.union(EpollFlags::EPOLLONESHOT);

/// The descriptors that are waited for.
#[derive(Debug)]
pub(super) struct Poll(Epoll);

impl Poll {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Waits for `fd` to become readable.
    ///
    /// An end is told once, and once more when a process that somebody traces is let go of: until then it cannot be
    /// waited for, but its pidfd is readable, and would be told without a pause.
    pub(super) fn add(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        let flags = match source {
            Source::Signals | Source::Link | Source::Start(_) => EpollFlags::EPOLLIN,
            Source::Apexd | Source::Check | Source::Task(_) => EpollFlags::EPOLLIN | EpollFlags::EPOLLET,
            Source::Client => ONCE,
        };
        Ok(self.0.add(fd, EpollEvent::new(flags, source.to_number()))?)
    }

    /// Waits for `fd`, which was added, to become readable or writable or only to break.
    pub(super) fn change(&self, fd: impl AsFd, source: Source, read: bool, write: bool) -> io::Result<()> {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, read);
        flags.set(EpollFlags::EPOLLOUT, write);
        Ok(self.0.modify(fd, &mut EpollEvent::new(flags, source.to_number()))?)
    }

    /// Waits for the next client, after one was told.
    pub(super) fn await_client(&self, listener: impl AsFd) -> io::Result<()> {
        Ok(self.0.modify(listener, &mut EpollEvent::new(ONCE, Source::Client.to_number()))?)
    }

    /// Waits for `fd` no longer. To be called before it is closed: a copy of it in a child that is just being started
    /// would keep it here.
    pub(super) fn remove(&self, fd: impl AsFd) {
        // It fails only for one that is not there, which is what is wanted.
        let _ = self.0.delete(fd);
    }

    /// Waits for `timeout`, or without an end, and appends what is ready to `ready`.
    pub(super) fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Source>) -> io::Result<()> {
        let timeout = timeout.map_or(EpollTimeout::NONE, |timeout| {
            let ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
            EpollTimeout::try_from(ms).unwrap_or(EpollTimeout::MAX)
        });
        let mut events = [EpollEvent::empty(); 64];
        match self.0.wait(&mut events, timeout) {
            Ok(count) => {
                ready.extend(events.iter().take(count).filter_map(|event| Source::from_number(event.data())));
                Ok(())
            }
            Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Poll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_once() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pidfd = crate::guardian::processes::open(child.id()).unwrap();
        let poll = Poll::new().unwrap();
        poll.add(&pidfd, Source::Task(7)).unwrap();
        let mut ready = Vec::new();
        poll.wait(None, &mut ready).unwrap();
        poll.wait(Some(Duration::ZERO), &mut ready).unwrap();
        assert_eq!(ready, [Source::Task(7)]);
        child.wait().unwrap();
    }

    #[test]
    fn every_source_has_a_number_of_its_own() {
        let few = [Source::Signals, Source::Link, Source::Apexd, Source::Check, Source::Client];
        let tasks = [0, 7, u32::MAX].into_iter().flat_map(|pid| [Source::Start(pid), Source::Task(pid)]);
        for source in few.into_iter().chain(tasks) {
            assert_eq!(Source::from_number(source.to_number()), Some(source));
        }
        assert_eq!(Source::from_number(u64::MAX), None);
    }
}
