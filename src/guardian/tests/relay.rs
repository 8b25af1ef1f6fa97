//! The stand-in for apexd.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};

use crate::link::{LINK_FD, LISTEN_FD, LOCK_FD};

/// How the guardian is told to start it.
pub(super) const ARGS: [&str; 4] = ["guardian::tests::relay::relay", "--exact", "--nocapture", "--test-threads=1"];

/// Sent over the second connection: close the link and live on.
pub(super) const CLOSE_LINK: u8 = 255;

/// No test: does nothing unless started as apexd. The first connection gets this process's pid and then carries the
/// link; a second one is for a byte, which is the exit code.
#[test]
fn relay() {
    if std::env::args().next().as_deref() != Some("apexd") {
        return;
    }
    // SAFETY: the guardian has passed these.
    let (link, listener, lock) =
        unsafe { (UnixStream::from_raw_fd(LINK_FD), UnixListener::from_raw_fd(LISTEN_FD), File::from_raw_fd(LOCK_FD)) };
    assert!(lock.metadata().unwrap().is_file());
    link.set_nonblocking(false).unwrap();
    listener.set_nonblocking(false).unwrap();
    let (mut connection, _) = listener.accept().unwrap();
    connection.write_all(&std::process::id().to_le_bytes()).unwrap();
    copy(link.try_clone().unwrap(), connection.try_clone().unwrap());
    copy(connection, link.try_clone().unwrap());
    let (mut control, _) = listener.accept().unwrap();
    let mut byte = [0];
    control.read_exact(&mut byte).unwrap();
    if byte[0] != CLOSE_LINK {
        std::process::exit(i32::from(byte[0]));
    }
    link.shutdown(std::net::Shutdown::Both).unwrap();
    control.read_exact(&mut byte).unwrap();
    std::process::exit(i32::from(byte[0]));
}

fn copy(mut from: UnixStream, mut to: UnixStream) {
    std::thread::spawn(move || {
        // A link that was closed on purpose is the test's; one that ended means that the guardian is gone.
        let _ = std::io::copy(&mut from, &mut to);
    });
}
