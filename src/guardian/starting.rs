//! Processes that are being made by themselves, because a path of theirs may lead to a file system that does not answer.
//!
//! Until such a process runs its program it is held like one that does, and apexd is told when it does, or why it could
//! not. One that takes long is told as started: it is there, it is recorded, and it can be ended. Does its start fail
//! then after all, it has ended with the code that a shell gives.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::read;

use crate::domain::time::Moment;
use crate::guardian::spawn::Failed;
use crate::link::SpawnStep;

/// How long apexd is left waiting for what becomes of a start.
pub(super) const TOLD_AFTER: Duration = Duration::from_secs(1);

/// A start that is under way.
#[derive(Debug)]
pub(super) struct Starting {
    /// Closed without a word by the exec that succeeds.
    news: OwnedFd,
    /// Then it is told as started; `None` if it has been.
    pub(super) tell_at: Option<Moment>,
}

/// How a start stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    UnderWay,
    /// The program runs, or the process has ended without having said anything.
    Over,
    Failed(Failed),
}

impl Starting {
    pub(super) fn new(news: OwnedFd, now: Moment) -> Self {
        Self { news, tell_at: Some(now + TOLD_AFTER) }
    }

    /// Looks how it stands.
    pub(super) fn look(&self) -> Progress {
        let mut bytes = [0; 5];
        loop {
            match read(&self.news, &mut bytes) {
                Ok(5) => return Progress::Failed(decode(bytes)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Progress::UnderWay,
                _ => return Progress::Over,
            }
        }
    }
}

impl AsFd for Starting {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.news.as_fd()
    }
}

/// Tells why a start failed. Async-signal-safe.
pub(super) fn report(fd: libc::c_int, failed: Failed) {
    let [a, b, c, d] = failed.errno.to_le_bytes();
    let step = match failed.step {
        SpawnStep::Fork => 0,
        SpawnStep::Chdir => 1,
        SpawnStep::Stdin => 2,
        SpawnStep::Output => 3,
        SpawnStep::Exec => 4,
        SpawnStep::Setup => 5,
        SpawnStep::Terminal => 6,
    };
    let bytes = [step, a, b, c, d];
    // SAFETY: plain bytes to a descriptor. If nobody listens any more the exit code says it.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}

fn decode([step, a, b, c, d]: [u8; 5]) -> Failed {
    let step = match step {
        0 => SpawnStep::Fork,
        1 => SpawnStep::Chdir,
        2 => SpawnStep::Stdin,
        3 => SpawnStep::Output,
        4 => SpawnStep::Exec,
        6 => SpawnStep::Terminal,
        _ => SpawnStep::Setup,
    };
    Failed { step, errno: i32::from_le_bytes([a, b, c, d]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn a_report_comes_out_as_it_went_in() {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        let starting = Starting::new(reader, Moment(5));
        assert_eq!(starting.tell_at, Some(Moment(1_005)));
        assert_eq!(starting.look(), Progress::UnderWay);
        for step in
            [SpawnStep::Fork, SpawnStep::Chdir, SpawnStep::Stdin, SpawnStep::Output, SpawnStep::Exec, SpawnStep::Setup]
        {
            let failed = Failed { step, errno: libc::ESTALE };
            report(writer.as_raw_fd(), failed);
            assert_eq!(starting.look(), Progress::Failed(failed));
        }
        drop(writer);
        assert_eq!(starting.look(), Progress::Over);
    }
}
