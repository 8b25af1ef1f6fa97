//! Children, seen from apexd: its end of the link to the guardian, and what the machine says about processes.
//!
//! Everything that is done to a task's process is asked of the guardian; here are only questions. The one thing that is run from here is
//! a [`Helper`]. Linux only.
//!
//! Reading order: [`inherited`] (the descriptors apexd starts with) → [`Link`] and [`handshake`] → [`Legacy`] (what is left
//! when the guardian is killed) → [`last_words`] (what an earlier guardian wrote down) → [`lookup`] (which file a
//! program's name means) → [`check_confinement`] (what tasks can be kept to); [`Keeper`] (who keeps an input open), [`ClockWatch`]
//! and [`Alarm`] stand apart.

mod clock;
mod confine;
mod facts;
mod helper;
mod heritage;
mod inherited;
mod keeper;
mod link;
mod lookup;
mod words;

use std::io;
use std::path::PathBuf;

use crate::domain::error::ErrorKind;
use crate::link::last_words::Damaged;

pub use crate::link::machine::monotonic_now;
pub use clock::{Alarm, ClockWatch};
pub use confine::{Unavailable, check_confinement, ran_out_of_memory};
pub use facts::{boot_id, is_alive, started};
pub use helper::{Helper, HelperError, end_left};
pub use heritage::Legacy;
pub use inherited::{Inherited, inherited};
pub use keeper::{Fed, Found, Keeper};
pub use link::{Held, Link, Orders, handshake};
pub use lookup::{LookupError, candidates, lookup};
pub use words::{forget_last_words, last_words};

/// Something about processes could not be found out, or the guardian cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// apexd was not started by a guardian: a descriptor that it should have is not there.
    #[error("descriptor {fd} is missing: apexd is started by the guardian, see `apex daemon start`")]
    NotInherited {
        /// The descriptor.
        fd: i32,
        /// Why it cannot be used.
        #[source]
        source: io::Error,
    },
    /// The link could not be taken into use.
    #[error("cannot use the link to the guardian")]
    Link(#[source] io::Error),
    /// The link ended before all was said.
    #[error("the guardian is gone")]
    Gone,
    /// The guardian speaks another version of the frames.
    #[error("the guardian speaks version {version} of the link, not {}", crate::link::VERSION)]
    Version {
        /// The guardian's.
        version: u16,
    },
    /// The guardian answered the hello with something else.
    #[error("the guardian did not answer the hello in order")]
    OutOfOrder,
    /// A file could not be read or removed.
    #[error("cannot read `{path}`")]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The last words of a guardian are damaged.
    #[error("`{path}` is damaged; if its tasks no longer matter, move it away with `mv {path} {path}.old`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        #[source]
        source: Damaged,
    },
}

impl Error {
    /// Returns what sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInherited { .. } => ErrorKind::Invalid,
            Self::Gone => ErrorKind::Unavailable,
            Self::Link(_) => ErrorKind::Exhausted,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            Self::Version { .. } | Self::OutOfOrder | Self::Read { .. } | Self::Damaged { .. } => ErrorKind::Internal,
        }
    }
}
