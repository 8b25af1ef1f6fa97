//! Who may connect to whom: sockets are used only between processes of the same user.
//!
//! The modes of directory and socket keep others out already; the credentials checked here do so even where modes are
//! ignored, and protect a client from a socket that somebody planted. Linux only for now: SO_PEERCRED, and
//! `/proc/self/fd` for long paths.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sys::socket::{self as net, AddressFamily, SockFlag, SockType, UnixAddr};
use nix::sys::stat::Mode;
use tokio::net::UnixStream;

/// Longest path that fits into a socket's address with its final NUL.
///
/// Source: unix(7), `sun_path`.
const PATH_BYTES_MAX: usize = 107;

/// How long to wait before a listener whose backlog is full is asked again, at first and at most.
const FULL_RETRY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// Why no connection to a daemon could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is no socket, or nobody listens on it.
    #[error("nobody listens on `{}`", .socket.display())]
    NobodyThere {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Somebody else listens.
    #[error("`{}` belongs to a process of user {uid}, not {expected}", .socket.display())]
    Foreign { socket: PathBuf, uid: u32, expected: u32 },
    /// Something that is no socket has its name. It was not touched.
    #[error("`{}` is no socket", .socket.display())]
    InTheWay { socket: PathBuf },
    /// Anything else.
    #[error("cannot connect to `{}`", .socket.display())]
    Connect {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Returns the same again: transports keep the original to themselves.
    pub(super) fn copy(&self) -> Self {
        let again = |source: &io::Error| match source.raw_os_error() {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::new(source.kind(), source.to_string()),
        };
        match self {
            Self::NobodyThere { socket, source } => Self::NobodyThere { socket: socket.clone(), source: again(source) },
            Self::Foreign { socket, uid, expected } => {
                Self::Foreign { socket: socket.clone(), uid: *uid, expected: *expected }
            }
            Self::InTheWay { socket } => Self::InTheWay { socket: socket.clone() },
            Self::Connect { socket, source } => Self::Connect { socket: socket.clone(), source: again(source) },
        }
    }
}

/// Connects to the daemon that listens on `socket`, and checks that it is a process of user `expected`: of whoever
/// called listen(2). Nothing is sent before.
///
/// A full backlog is waited for: give it a deadline.
///
/// # Cancel safety
/// Dropping the future closes the connection, if there is one.
pub(super) async fn connect(socket: &Path, expected: u32) -> Result<UnixStream, Error> {
    let failed = |source: io::Error| {
        let socket = socket.to_owned();
        match source.raw_os_error() {
            Some(nix::libc::ENOENT | nix::libc::ECONNREFUSED | nix::libc::ENOTDIR) => {
                Error::NobodyThere { socket, source }
            }
            _ => Error::Connect { socket, source },
        }
    };
    // A link would be followed by connect(2), and of anything else it would say that nobody listens.
    match std::fs::symlink_metadata(socket) {
        Ok(found) if !found.file_type().is_socket() => return Err(Error::InTheWay { socket: socket.to_owned() }),
        // What is wrong otherwise, connecting tells.
        _ => {}
    }
    let (address, _directory) = short(socket).map_err(failed)?;
    let mut pause = FULL_RETRY.0;
    let stream = loop {
        match connect_now(&address) {
            Ok(stream) => break UnixStream::from_std(stream).map_err(failed)?,
            // EAGAIN: the backlog is full, connect(2). There is no event for its becoming free.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(FULL_RETRY.1);
            }
            Err(error) => return Err(failed(error)),
        }
    };
    let uid = stream.peer_cred().map_err(failed)?.uid();
    if uid == expected { Ok(stream) } else { Err(Error::Foreign { socket: socket.to_owned(), uid, expected }) }
}

/// Connects without waiting: a listener that has room in its backlog takes a connection at once, so that there is nothing
/// for a runtime to wait for.
fn connect_now(address: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = net::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    net::connect(descriptor.as_raw_fd(), &UnixAddr::new(address)?)?;
    Ok(descriptor.into())
}

/// Returns a path to `socket` that fits into an address: through the open directory if it is too long itself. The path
/// is good while the descriptor is open.
fn short(socket: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    if socket.as_os_str().as_bytes().len() <= PATH_BYTES_MAX {
        return Ok((socket.to_owned(), None));
    }
    let (Some(directory), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let directory = open(directory, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
    Ok((path, Some(directory)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn me() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    #[tokio::test]
    async fn a_socket_deeper_than_an_address_is_reached() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let _listener = {
            let (short, _directory) = short(&deep.join("daemon.sock")).unwrap();
            UnixListener::bind(short).unwrap()
        };
        connect(&deep.join("daemon.sock"), me()).await.unwrap();
    }

    #[tokio::test]
    async fn a_listener_of_another_user_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let _listener = UnixListener::bind(&socket).unwrap();
        let error = connect(&socket, me() + 1).await.unwrap_err();
        assert!(matches!(error, Error::Foreign { uid, expected, .. } if uid == me() && expected == me() + 1));
    }

    #[tokio::test]
    async fn no_socket_no_directory_and_a_stale_socket_are_nobody_there() {
        let dir = tempfile::tempdir().unwrap();
        let stale = dir.path().join("stale");
        drop(UnixListener::bind(&stale).unwrap());
        std::fs::write(dir.path().join("file"), "").unwrap();
        for socket in [dir.path().join("none"), dir.path().join("no/where"), dir.path().join("file/x"), stale] {
            let error = connect(&socket, me()).await.unwrap_err();
            assert!(matches!(error, Error::NobodyThere { .. }), "{}: {error}", socket.display());
        }
    }

    #[tokio::test]
    async fn what_is_no_socket_is_in_the_way_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        let _listener = UnixListener::bind(&real).unwrap();
        let (file, link, directory) = (dir.path().join("file"), dir.path().join("link"), dir.path().join("directory"));
        std::fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        std::fs::create_dir(&directory).unwrap();
        for socket in [file, link, directory] {
            let error = connect(&socket, me()).await.unwrap_err();
            assert!(matches!(error, Error::InTheWay { .. }), "{}: {error}", socket.display());
        }
    }
}
