//! The descriptors that the guardian starts apexd with.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::libc;

use crate::link::{LINK_FD, LISTEN_FD, LOCK_FD};
use crate::process::Error;

/// What apexd was started with.
#[derive(Debug)]
pub struct Inherited {
    /// For [`Link::take`](crate::process::Link::take).
    pub link: OwnedFd,
    /// The listening socket; bound, with a backlog, not blocking. Its name is not apexd's to remove.
    pub listener: OwnedFd,
    /// The lock, to be kept open to the end.
    pub lock: OwnedFd,
}

/// Takes the descriptors, and marks them so that no program started from here gets them.
///
/// Errors: [`Error::NotInherited`] if one is missing; then none was taken.
///
/// # Safety
///
/// To be called once, first thing in the process, before anything could have opened descriptors of its own: the three
/// numbers are taken for what the guardian passed.
pub unsafe fn inherited() -> Result<Inherited, Error> {
    for fd in [LINK_FD, LISTEN_FD, LOCK_FD] {
        close_on_exec(fd).map_err(|source| Error::NotInherited { fd, source })?;
    }
    // SAFETY: they are open, and nobody else has them, as the caller promises.
    let take = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(Inherited { link: take(LINK_FD), listener: take(LISTEN_FD), lock: take(LOCK_FD) })
}

fn close_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: changes a flag of a descriptor, or fails if it is not open.
    let result = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
