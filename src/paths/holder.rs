//! Which process holds the lock of a project: the guardian locks the first byte of the lock file by record, and the kernel
//! tells whoever asks.

use std::fs::File;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Returns the record that the guardian locks.
pub fn first_byte() -> libc::flock {
    // SAFETY: a plain structure of numbers, for which zeroes are a value.
    let mut record: libc::flock = unsafe { std::mem::zeroed() };
    record.l_type = libc::F_WRLCK as libc::c_short;
    record.l_whence = libc::SEEK_SET as libc::c_short;
    record.l_len = 1;
    record
}

/// Returns the pid of the process that has locked the record in the open lock file; `None` if none has, or the kernel
/// cannot tell.
///
/// Source: fcntl(2), F_GETLK.
pub fn holder(lock: &File) -> Option<u32> {
    let mut record = first_byte();
    fcntl(lock, FcntlArg::F_GETLK(&mut record)).ok()?;
    let is_held = record.l_type != libc::F_UNLCK as libc::c_short;
    // Not one that cannot be seen from here, in another namespace: 0, nor one of an open file description: -1.
    u32::try_from(record.l_pid).ok().filter(|pid| is_held && *pid > 0)
}
