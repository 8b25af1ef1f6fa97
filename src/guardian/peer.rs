//! The guardian's end of one link: bytes in and out, never waiting for the other side.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

use crate::fault;
use crate::guardian::hold::lift;
use crate::link::codec::{Error, Reader, encode};
use crate::link::{Fact, Order};

/// So much may wait to be sent. Whoever does not read is told no more until there is room, and gets no more orders
/// carried out: their answers would have to wait in memory.
const OUT_BYTES_MAX: usize = 64 * 1024;

/// The link to one apexd.
#[derive(Debug)]
pub(super) struct Peer {
    socket: OwnedFd,
    reader: Reader<Order>,
    out: Vec<u8>,
    /// So many bytes of `out` are sent.
    sent: usize,
    /// What epoll was asked to wait for: reading, writing.
    pub(super) interest: (bool, bool),
}

impl Peer {
    /// Makes a link and returns our end and apexd's.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?;
        let peer = Self { socket: ours, reader: Reader::default(), out: Vec::new(), sent: 0, interest: (true, false) };
        Ok((peer, lift(theirs)?))
    }

    /// Returns the socket.
    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Reads what has arrived, up to 64 KiB. Returns how many bytes that were: `Some(0)` if nothing is there yet,
    /// `None` if nothing will come any more.
    pub(super) fn receive(&mut self) -> Option<usize> {
        let mut bytes = [0; 64 * 1024];
        loop {
            match recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return None,
                Ok(count) => {
                    self.reader.feed(&bytes[..count]);
                    return Some(count);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Some(0),
                // A connection that was reset, with orders unread on its other side.
                Err(_) => return None,
            }
        }
    }

    /// Returns the next order that has arrived.
    pub(super) fn next_order(&mut self) -> Result<Option<Order>, Error> {
        self.reader.next_message()
    }

    /// Returns whether something may be added to what waits to be sent.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() - self.sent < OUT_BYTES_MAX
    }

    /// Returns whether something waits to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Adds a fact to what waits to be sent.
    pub(super) fn tell(&mut self, fact: &Fact) {
        encode(fact, &mut self.out).expect("a fact has no field without a small bound");
    }

    /// Sends what waits, as far as the kernel takes it. What cannot be sent because the other side is gone is
    /// dropped; its end is told in another way.
    pub(super) fn flush(&mut self) {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        if self.has_unsent() && fault::is_armed("guardian.link.half_told") {
            let half = self.sent + (self.out.len() - self.sent) / 2;
            self.sent += send(self.socket.as_raw_fd(), &self.out[self.sent..half], flags).unwrap_or(0);
            fault::crash_point("guardian.link.half_told");
        }
        while self.has_unsent() {
            match send(self.socket.as_raw_fd(), &self.out[self.sent..], flags) {
                Ok(count) => {
                    self.sent += count;
                    fault::crash_point("guardian.link.told");
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                // Nobody reads any more. What was asked before that still stands in the socket.
                Err(_) => self.sent = self.out.len(),
            }
        }
        if !self.has_unsent() {
            self.out.clear();
            self.sent = 0;
        } else if self.sent >= OUT_BYTES_MAX {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
    }
}
