//! What tasks wrote, and what they are given to read.
//!
//! A task's processes write straight into their files; nobody stands in between. So everything here is about files that
//! others write: where they are ([`files`]), reading them ([`read`]), waiting for them to grow (`watch`), noticing that
//! they have grown too large (`limit`), and taking in standard input before a task is added ([`upload`]).
//!
//! ```text
//! .apex/output/<id/1000>/<id>.<attempt>.log         both streams, in true order
//!                        <id>.<attempt>.out, .err   with --split-output
//!                        ….part                     while it is written
//! .apex/input/<uuid>                                uploaded standard input
//!             <uuid>.tasks                          tasks that are added together, until they are
//! .apex/keepers/<uuid>                              the socket of whoever keeps the input of a running attempt open
//! ```
//!
//! Deliberately absent: syncing (after a power cut a file may be shorter than recorded) and apexd's own log, which is
//! telemetry.

use std::io;
use std::path::PathBuf;

use uuid::Uuid;

use crate::domain::error::ErrorKind;

pub mod files;
mod keepers;
mod limit;
pub mod read;
mod tasks;
pub mod upload;
mod watch;

pub use files::{Files, Outputs};
pub use read::Reader;
pub use tasks::Tasks;
pub use upload::Upload;

/// Largest piece that is read at once, in bytes.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory for output or input could not be made.
    #[error("cannot make directory `{}`", .path.display())]
    MakeDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something else is where a directory of ours should be: a link could lead anywhere.
    #[error("`{}` is in the way: it is no directory of its own, and links are not followed", .path.display())]
    InTheWay {
        /// Its path.
        path: PathBuf,
    },
    /// An output could not be given its final name.
    #[error("cannot finish output `{}`", .path.display())]
    Seal {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Uploaded input could not be kept.
    #[error("cannot keep standard input in `{}`", .path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A task names uploaded input that is not there.
    #[error("no uploaded standard input `{0}`")]
    NoSuchUpload(Uuid),
    /// Tasks are to be added that are not there, or not any more.
    #[error("no uploaded tasks `{0}`")]
    NoSuchTasks(Uuid),
    /// Uploaded tasks could not be kept.
    #[error("cannot keep the tasks that are to be added in `{}`", .path.display())]
    KeepTasks {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Returns the kind that callers see.
    pub fn kind(&self) -> ErrorKind {
        let source = match self {
            Self::MakeDirectory { source, .. }
            | Self::Seal { source, .. }
            | Self::Read { source, .. }
            | Self::Keep { source, .. }
            | Self::KeepTasks { source, .. } => source,
            Self::NoSuchUpload(_) | Self::NoSuchTasks(_) => return ErrorKind::NotFound,
            Self::InTheWay { .. } => return ErrorKind::Denied,
        };
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory => {
                ErrorKind::Exhausted
            }
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ if matches!(source.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE)) => ErrorKind::Exhausted,
            _ => ErrorKind::Internal,
        }
    }
}
