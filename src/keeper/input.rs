//! What is kept open: the writing end of a pipe, or the master of a terminal.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::poll::PollFlags;
use nix::sys::termios::{LocalFlags, SpecialCharacterIndices, tcgetattr};
use nix::unistd::{read, write};

use crate::domain::input::Size;

/// How much is copied at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How much is still kept of what is written while the task has ended already: somebody whom it left behind may write for
/// ever.
const LAST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What ends a line, or the input, where a terminal does not say.
const END_OF_TRANSMISSION: u8 = 4;

/// What is kept open.
pub(super) struct Input {
    /// `None` when it was closed.
    fd: Option<OwnedFd>,
    terminal: Option<Terminal>,
    /// What was given last.
    last: Option<u8>,
}

struct Terminal {
    output: File,
    /// What the file could not take yet.
    unwritten: Vec<u8>,
    /// Nobody has it open. Somebody may open it again while it is the terminal of a session.
    is_hung_up: bool,
    is_over: bool,
}

impl Input {
    pub(super) fn pipe(fd: OwnedFd) -> Self {
        set_nonblocking(&fd);
        Self { fd: Some(fd), terminal: None, last: None }
    }

    pub(super) fn terminal(fd: OwnedFd, output: File) -> Self {
        set_nonblocking(&fd);
        let terminal = Terminal { output, unwritten: Vec::new(), is_hung_up: false, is_over: false };
        Self { fd: Some(fd), terminal: Some(terminal), last: None }
    }

    /// Returns what is to be waited for, if anything is.
    pub(super) fn interest(&self, wants_to_write: bool) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLOUT, wants_to_write);
        if let Some(terminal) = &self.terminal {
            // It would be told of over and over again.
            if terminal.is_hung_up {
                return None;
            }
            flags.set(PollFlags::POLLIN, terminal.unwritten.is_empty());
        }
        // Of a pipe that nobody reads any more it is told without being asked for.
        Some((self.fd.as_ref()?.as_fd(), flags))
    }

    /// Returns whether it is to be looked at although nothing happens.
    pub(super) fn wants_look(&self) -> bool {
        self.terminal.as_ref().is_some_and(|terminal| terminal.is_hung_up || !terminal.unwritten.is_empty())
    }

    /// Copies what a terminal was written to, and takes note of what has happened.
    pub(super) fn copy(&mut self, happened: PollFlags) {
        let Some(fd) = &self.fd else { return };
        match &mut self.terminal {
            None => {
                if happened.contains(PollFlags::POLLERR) {
                    self.fd = None;
                }
            }
            Some(terminal) => {
                // A few pieces, so that whoever asks has a turn.
                for _ in 0..4 {
                    if !terminal.copy(fd) {
                        break;
                    }
                }
                // What a full disk does not take is before the end, and of that it would be told over and over again.
                terminal.is_hung_up |= happened.contains(PollFlags::POLLHUP) && !terminal.unwritten.is_empty();
            }
        }
    }

    /// Gives bytes; returns how many were taken, `None` if none ever will be.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Option<usize> {
        let fd = self.fd.as_ref()?;
        loop {
            match write(fd, &bytes[..bytes.len().min(PIECE_BYTES)]) {
                Ok(count) => {
                    self.last = bytes[..count].last().copied().or(self.last);
                    return Some(count);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Some(0),
                // Somebody may open it again.
                Err(Errno::EIO) if self.terminal.is_some() => return Some(0),
                Err(_) => return None,
            }
        }
    }

    /// Ends the input: a pipe is closed, at a terminal the key for that is typed. Returns whether it was done; `None` if it
    /// cannot be any more.
    pub(super) fn end(&mut self) -> Option<bool> {
        if self.terminal.is_none() {
            return self.fd.take().map(|_| true);
        }
        let fd = self.fd.as_ref()?;
        let modes = tcgetattr(fd).ok();
        let key = modes.as_ref().map(|modes| modes.control_chars[SpecialCharacterIndices::VEOF as usize]);
        let key = key.filter(|key| *key != 0).unwrap_or(END_OF_TRANSMISSION);
        let has_lines = modes.is_some_and(|modes| modes.local_flags.contains(LocalFlags::ICANON));
        let is_in_line = has_lines && self.last.is_some_and(|last| ![b'\n', b'\r', key].contains(&last));
        // In a line, the first one only hands over what there is of it. If no more than that is taken, it is the last that
        // was given, and one more makes the end. termios(3), VEOF
        let keys = [key; 2];
        let keys = &keys[..if is_in_line { 2 } else { 1 }];
        self.write(keys).map(|count| count == keys.len())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.fd.is_none()
    }

    pub(super) fn close(&mut self) {
        if self.terminal.is_none() {
            self.fd = None;
        }
    }

    /// Returns whether there is nothing left to keep.
    pub(super) fn is_over(&self) -> bool {
        self.terminal.as_ref().is_some_and(|terminal| terminal.is_over)
    }

    /// Gives a terminal another size, and returns the one it had; `None` if there is no terminal.
    pub(super) fn resize(&mut self, size: Size) -> Option<Size> {
        let fd = self.fd.as_ref().filter(|_| self.terminal.is_some())?.as_raw_fd();
        let wanted = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: both structures are valid for what the kernel reads and writes; tty_ioctl(4).
        unsafe {
            let mut before: libc::winsize = std::mem::zeroed();
            if libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut before) != 0 {
                return None;
            }
            libc::ioctl(fd, libc::TIOCSWINSZ, &raw const wanted);
            Some(Size { rows: before.ws_row, columns: before.ws_col })
        }
    }

    /// The task has ended: keeps what it wrote last.
    pub(super) fn drain(&mut self) {
        let (Some(fd), Some(terminal)) = (&self.fd, &mut self.terminal) else { return };
        for _ in 0..LAST_BYTES_MAX / PIECE_BYTES {
            if !terminal.copy(fd) {
                return;
            }
        }
    }
}

impl Terminal {
    /// Copies a piece into the file; returns whether there may be more.
    fn copy(&mut self, master: &OwnedFd) -> bool {
        if !self.unwritten.is_empty() && !self.keep() {
            return false;
        }
        let mut bytes = vec![0; PIECE_BYTES];
        match read(master, &mut bytes) {
            Ok(count) if count > 0 => {
                self.is_hung_up = false;
                bytes.truncate(count);
                self.unwritten = bytes;
                self.keep()
            }
            Err(Errno::EINTR) => true,
            Err(Errno::EAGAIN) => {
                self.is_hung_up = false;
                false
            }
            // Nobody has it open, which the kernel tells when everything was read. pty(7)
            _ => {
                self.is_hung_up = true;
                self.is_over = !is_of_session(master);
                false
            }
        }
    }

    /// Writes what is to be written. What a full disk does not take waits, and the task with it.
    fn keep(&mut self) -> bool {
        while !self.unwritten.is_empty() {
            match self.output.write(&self.unwritten) {
                Ok(0) => return false,
                Ok(count) => drop(self.unwritten.drain(..count)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}

/// Returns whether a terminal is the controlling one of a session that lives.
///
/// Source: tty_ioctl(4), TIOCGSID.
fn is_of_session(master: &OwnedFd) -> bool {
    let mut session: libc::pid_t = 0;
    // SAFETY: a valid place for what the kernel writes.
    unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGSID, &raw mut session) == 0 && session > 0 }
}

fn set_nonblocking(fd: &OwnedFd) {
    // It fails for no open descriptor.
    let flags = fcntl(fd, FcntlArg::F_GETFL).map_or(OFlag::empty(), OFlag::from_bits_truncate);
    let _ = fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK));
}
