//! What apexd and a keeper say to one another, and how a keeper is started.
//!
//! A keeper is a process of its own that keeps the input of one task open: the guardian starts it beside the task, with
//! descriptors, and it listens on a socket in the project's directory. So what it keeps outlives apexd, and guardians too.
//! It may be older than the apexd that talks to it, therefore frames are those of the link: they can be added to.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::geteuid;
use uuid::Uuid;

use crate::domain::input::Size;

/// The word by which a keeper is known: `apexd __keeper SOCKET [OUTPUT]`.
pub const WORD: &str = "__keeper";
/// The descriptor on which it listens; closed if it is to make the socket itself.
pub const LISTEN_FD: RawFd = 3;
/// The descriptor into which input goes: the writing end of a pipe, or the master of a terminal.
pub const INPUT_FD: RawFd = 4;
/// The descriptor of the file into which goes what a terminal is written to; closed if there is no terminal, or if the keeper is to
/// open the file itself.
pub const OUTPUT_FD: RawFd = 5;

/// What apexd asks of a keeper. One thing at a time on each connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Give these bytes to the task. Answered when all of them were taken, or none will be any more.
    Feed(Feed),
    /// Wait no longer for what was not taken yet: the feed is answered as it stands.
    Enough,
    /// Give the terminal this size. Answered by [`Told::Size`].
    Resize(Size),
    /// The task has ended: keep what it wrote, and end. Answered by the end of the connection.
    End,
}

/// Bytes for a task, a piece of what somebody sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// What they are a piece of. What was taken of it before is passed over, so that a piece can be sent again.
    pub id: Uuid,
    /// Where the piece begins in it.
    pub at: u64,
    /// The piece.
    pub bytes: Vec<u8>,
    /// Then the input ends.
    pub eof: bool,
}

/// What a terminal is that nobody has given a size.
pub const SIZE: Size = Size { rows: 24, columns: 80 };

/// What a keeper answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// So much of [`Feed::id`] was taken altogether, up to where the piece ends if all of it was.
    Fed {
        /// In bytes from its beginning.
        taken: u64,
        /// Nothing more can be taken: the input was closed, by the task or by somebody's end of input.
        closed: bool,
        /// The end of the input was given that [`Feed::eof`] asked for.
        ended: bool,
    },
    /// The size that the terminal had before.
    Size(Size),
}

/// Returns a path to a socket that fits into an address: through the open directory if it is too long itself. It is good
/// while the descriptor is open.
///
/// Source: unix(7), `sun_path`.
pub fn address(socket: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    if socket.as_os_str().as_bytes().len() <= PATH_BYTES_MAX {
        return Ok((socket.to_owned(), None));
    }
    let (Some(directory), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = open(directory, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok((path, Some(directory)))
}

/// Makes the socket on which a keeper listens. Nobody but its owner can connect.
pub fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(&listener, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let (address, _directory) = address(path)?;
    bind(listener.as_raw_fd(), &UnixAddr::new(&address)?)?;
    listen(&listener, Backlog::new(BACKLOG)?)?;
    Ok(listener)
}

/// Opens the file that takes what a terminal is written to, as the task itself would.
///
/// Errors: `EPERM` if it belongs to somebody else, who would read it.
pub fn open_output(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options().append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.uid() != geteuid().as_raw() {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    Ok(file)
}

/// How many may ask a keeper at the same time before it lets the first one in.
const BACKLOG: i32 = 64;

/// Longest path that fits into a socket's address with its final NUL.
const PATH_BYTES_MAX: usize = 107;
