//! A name of the socket that fits into an address.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc;

use crate::paths::Project;
use crate::paths::error::Error;

/// Name of the socket in `.apex/`.
pub(super) const NAME: &str = "daemon.sock";

/// Longest path of a Unix socket, in bytes: `sun_path` has 108 with the NUL at its end.
///
/// Source: unix(7).
pub const SOCKET_BYTES_MAX: usize = 107;

/// A path to bind or to connect to. It may lead through a descriptor that it holds open: use it as long as this lives,
/// in this process only.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    _dir: Option<File>,
}

impl SocketPath {
    /// The path itself.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for SocketPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Returns a path to the project's socket of at most [`SOCKET_BYTES_MAX`] bytes: the plain one if it fits, else one
/// through a descriptor of its directory. Linux only, because of `/proc/self/fd`.
///
/// Errors: that directory cannot be opened.
pub fn short_socket(project: &Project) -> Result<SocketPath, Error> {
    let plain = project.socket();
    if plain.as_os_str().as_bytes().len() <= SOCKET_BYTES_MAX {
        return Ok(SocketPath { path: plain, _dir: None });
    }
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let dir = OpenOptions::new().read(true).custom_flags(flags).open(project.data());
    let dir = dir.map_err(Error::io("open", project.data()))?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd()));
    if path.as_os_str().as_bytes().len() > SOCKET_BYTES_MAX {
        return Err(Error::SocketPath(path));
    }
    Ok(SocketPath { path, _dir: Some(dir) })
}
