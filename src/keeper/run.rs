//! The keeper itself: one loop over who asks, what is to be given, and what is kept.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{getsockopt, sockopt};

use crate::keeper::door::Door;
use crate::keeper::feeds::{self, Feeds, Next};
use crate::keeper::input::Input;
use crate::link::keeper::{Ask, INPUT_FD, LISTEN_FD, OUTPUT_FD, Told, listen_at, open_output};

/// How long it is there after its input was closed, to tell so to whoever asks.
const LINGER: Duration = Duration::from_secs(60);

/// How often something is looked at that nobody tells of: a file that can take no more, a terminal that nobody has open.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Becomes the keeper that listens at `socket`, with the descriptors that the guardian has given it, and returns its exit
/// code when it ends. What is to be opened on a file system that may not answer it opens itself: the socket, and `output`.
pub fn run(socket: PathBuf, output: Option<PathBuf>) -> i32 {
    // What is typed may be a secret.
    let _ = prctl::set_dumpable(false);
    let _ = prctl::set_name(c"apex-keeper");
    let Some(mut keeper) = Keeper::begin(socket, output) else { return 70 };
    keeper.keep();
    keeper.end();
    0
}

struct Keeper {
    door: Door,
    feeds: Feeds,
    input: Input,
    signals: SignalFd,
    /// When it goes by itself.
    gone_at: Option<Instant>,
    /// It was told that the task has ended.
    ended: bool,
    /// Its socket is to be there as long as nobody has told it of the end: where it made the socket itself, that there is none means that
    /// it is not there yet.
    leaves_socket: bool,
}

impl Keeper {
    fn begin(socket: PathBuf, output: Option<PathBuf>) -> Option<Self> {
        // Before anything is opened, which would get the next free number.
        let (listener, input, opened) = (inherited(LISTEN_FD), inherited(INPUT_FD)?, inherited(OUTPUT_FD));
        // Where none was given, whoever started the guardian may have left it a descriptor of that number.
        let listener = listener.filter(|fd| getsockopt(fd, sockopt::AcceptConn) == Ok(true));
        // SIGTERM comes from a guardian that ends without an apexd. The others are for whoever has a terminal.
        let mut ours = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            ours.add(signal);
        }
        ours.thread_block().ok()?;
        let signals = SignalFd::with_flags(&ours, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).ok()?;
        let leaves_socket = listener.is_none();
        let (listener, output) = opened_by(listener, opened.map(File::from), &socket, output.as_deref())?;
        let input = match output {
            Some(output) => Input::terminal(input, output),
            None => Input::pipe(input),
        };
        let door = Door::new(listener, socket);
        Some(Self { door, feeds: Feeds::default(), input, signals, gone_at: None, ended: false, leaves_socket })
    }

    /// Keeps until it is over.
    fn keep(&mut self) {
        while !self.is_over() {
            let Some(ready) = self.wait() else { return };
            if ready.signals {
                while let Ok(Some(signal)) = self.signals.read_signal() {
                    self.ended |= i32::try_from(signal.ssi_signo) == Ok(libc::SIGTERM);
                }
            }
            if ready.door {
                for (asker, ask) in self.door.hear(&ready.connections) {
                    self.asked(asker, ask);
                }
                for gone in self.door.take_gone() {
                    self.feeds.forget(gone);
                }
            }
            self.input.copy(ready.input);
            self.give();
            for (asker, told) in self.feeds.take_answers() {
                self.door.tell(asker, told);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ended || self.input.is_over() || self.gone_at.is_some_and(|at| at <= Instant::now())
    }

    fn asked(&mut self, asker: feeds::Asker, ask: Ask) {
        match ask {
            // One thing at a time: what somebody sends without waiting would fill the memory.
            Ask::Feed(_) if self.feeds.waits(asker) => self.door.close(asker),
            Ask::Feed(feed) => self.feeds.take_in(asker, feed),
            Ask::Enough => {
                // What it takes at once it has taken.
                self.give();
                self.feeds.enough(asker);
            }
            Ask::Resize(size) => match self.input.resize(size) {
                Some(before) => self.door.tell(asker, Told::Size(before)),
                // Nobody asks that of a pipe.
                None => self.door.close(asker),
            },
            Ask::End => (self.ended, self.leaves_socket) = (true, false),
        }
    }

    /// Gives what the task takes.
    fn give(&mut self) {
        if self.input.is_closed() {
            self.close();
        }
        loop {
            match self.feeds.next() {
                Next::Nothing => return,
                Next::Bytes(bytes) => match self.input.write(bytes) {
                    Some(0) => return,
                    Some(count) => self.feeds.took(count),
                    None => return self.close(),
                },
                Next::End => match self.input.end() {
                    Some(true) => {
                        self.feeds.ended();
                        if self.input.is_closed() {
                            self.close();
                        }
                    }
                    Some(false) => return,
                    None => return self.close(),
                },
            }
        }
    }

    fn close(&mut self) {
        if !self.feeds.is_closed() {
            self.feeds.close();
            self.input.close();
            self.gone_at = Some(Instant::now() + LINGER);
        }
    }

    /// Waits until something happens; `None` if that is not possible.
    fn wait(&self) -> Option<Ready> {
        let wants_to_write = self.feeds.next() != Next::Nothing;
        let interest = self.input.interest(wants_to_write);
        let timeout = self.timeout();
        let (listener, connections) = self.door.descriptors();
        let mut fds =
            vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN), PollFd::new(listener, PollFlags::POLLIN)];
        fds.extend(connections.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)));
        let of_input = interest.map(|(fd, flags)| {
            fds.push(PollFd::new(fd, flags));
            fds.len() - 1
        });
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return None,
        }
        let is_ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|flags| !flags.is_empty());
        let connections: Vec<usize> = (0..connections.len()).filter(|place| is_ready(&fds[2 + place])).collect();
        Some(Ready {
            signals: is_ready(&fds[0]),
            door: is_ready(&fds[1]) || !connections.is_empty(),
            connections,
            input: of_input.and_then(|place| fds[place].revents()).unwrap_or(PollFlags::empty()),
        })
    }

    fn timeout(&self) -> PollTimeout {
        let until_gone = self.gone_at.map(|at| at.saturating_duration_since(Instant::now()));
        let until_look = self.input.wants_look().then_some(LOOK_EVERY);
        match [until_gone, until_look].into_iter().flatten().min() {
            // Rounded up, so that it is not looked too early again and again.
            Some(time) => PollTimeout::try_from(time + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        }
    }

    /// Keeps what was written last. Whoever asked for the end is told by the end of this process.
    fn end(mut self) {
        self.input.drain();
        if !self.leaves_socket {
            self.door.remove();
        }
    }
}

/// What has happened.
struct Ready {
    signals: bool,
    door: bool,
    /// Connections on which something has come, by their places.
    connections: Vec<usize>,
    input: PollFlags,
}

/// Returns the socket and the output, opened here if they are not yet; `None` if that fails: then the task reads the end of its input,
/// or loses its terminal.
fn opened_by(
    listener: Option<OwnedFd>,
    opened: Option<File>,
    socket: &Path,
    output: Option<&Path>,
) -> Option<(OwnedFd, Option<File>)> {
    let listener = listener.or_else(|| listen_at(socket).ok())?;
    let output = match output {
        Some(path) if opened.is_none() => Some(open_output(path).ok()?),
        _ => opened,
    };
    Some((listener, output))
}

/// Takes a descriptor that the guardian has given; `None` if it has not.
fn inherited(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: it is only asked whether it is open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    nix::fcntl::fcntl(borrowed, nix::fcntl::FcntlArg::F_GETFD).ok()?;
    // SAFETY: it is open, and nobody else in this process, which has just begun, knows of it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests;
