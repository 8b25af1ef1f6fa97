//! Who asks: the socket, and the connections to it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use nix::sys::socket::{getsockopt, sockopt};

use crate::keeper::feeds::Asker;
use crate::link::codec::{Reader, encode};
use crate::link::keeper::{Ask, Told};

/// So many may be connected; further ones are let go of at once.
const CONNECTIONS_MAX: usize = 64;

/// So many pieces are read of a connection in one turn.
const PIECES_MAX: usize = 16;

struct Connection {
    asker: Asker,
    stream: UnixStream,
    reader: Reader<Ask>,
}

/// The socket, and who is connected to it.
pub(super) struct Door {
    listener: UnixListener,
    socket: PathBuf,
    connections: Vec<Connection>,
    gone: Vec<Asker>,
    /// How many there were.
    count: Asker,
}

impl Door {
    pub(super) fn new(listener: OwnedFd, socket: PathBuf) -> Self {
        let listener = UnixListener::from(listener);
        // It fails for no socket.
        let _ = listener.set_nonblocking(true);
        Self { listener, socket, connections: Vec::new(), gone: Vec::new(), count: 0 }
    }

    /// Returns what is to be waited for.
    pub(super) fn descriptors(&self) -> (BorrowedFd<'_>, Vec<BorrowedFd<'_>>) {
        (self.listener.as_fd(), self.connections.iter().map(|connection| connection.stream.as_fd()).collect())
    }

    /// Returns what was asked on the connections in these places, and lets others in.
    pub(super) fn hear(&mut self, places: &[usize]) -> Vec<(Asker, Ask)> {
        let mut asked = Vec::new();
        let mut gone = Vec::new();
        for place in places {
            let Some(connection) = self.connections.get_mut(*place) else { continue };
            if !connection.hear(&mut asked) {
                gone.push(connection.asker);
            }
        }
        gone.into_iter().for_each(|asker| self.close(asker));
        self.let_in();
        asked
    }

    fn let_in(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            // One that waited would be told of over and over again.
            if self.connections.len() >= CONNECTIONS_MAX {
                continue;
            }
            // The directory is ours alone; this holds where modes are ignored.
            let peer = getsockopt(&stream, sockopt::PeerCredentials).map(|peer| peer.uid());
            if peer != Ok(nix::unistd::geteuid().as_raw()) || stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.count += 1;
            self.connections.push(Connection { asker: self.count, stream, reader: Reader::default() });
        }
    }

    /// Tells somebody something. One that does not read what it asked for is let go of.
    pub(super) fn tell(&mut self, asker: Asker, told: Told) {
        let Some(connection) = self.connections.iter_mut().find(|connection| connection.asker == asker) else { return };
        let mut bytes = Vec::new();
        let is_told = encode(&told, &mut bytes).is_ok() && connection.stream.write_all(&bytes).is_ok();
        if !is_told {
            self.close(asker);
        }
    }

    pub(super) fn close(&mut self, asker: Asker) {
        self.connections.retain(|connection| connection.asker != asker);
        self.gone.push(asker);
    }

    /// Returns who has gone.
    pub(super) fn take_gone(&mut self) -> Vec<Asker> {
        std::mem::take(&mut self.gone)
    }

    /// Takes the socket away.
    pub(super) fn remove(&self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

impl Connection {
    /// Reads what has come; returns whether it goes on.
    fn hear(&mut self, asked: &mut Vec<(Asker, Ask)>) -> bool {
        let mut bytes = [0; 16 * 1024];
        // Some pieces, so that others have a turn, however fast it sends. The rest is told of again.
        for _ in 0..PIECES_MAX {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(count) => self.reader.feed(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
            loop {
                match self.reader.next_message() {
                    Ok(Some(ask)) => asked.push((self.asker, ask)),
                    Ok(None) => break,
                    // A later apexd may ask for what this keeper cannot do: it is told so by the end of the connection.
                    Err(_) => return false,
                }
            }
        }
        true
    }
}
