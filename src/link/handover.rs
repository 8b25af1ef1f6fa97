//! What one guardian leaves to the next: the program that takes its place in the same process, or the apexd that takes
//! its place when it was killed.
//!
//! [`MAGIC`], a `u16` version, then the fields one after the other, each with a `u16` number and a `u32` length in front. A
//! field keeps its number for ever; one that is not known is passed over, one that is missing has its default. So the
//! version only rises when what is written can no longer be understood by passing over, and a program that does not know
//! it must never be made the guardian: it is asked before ([`VERSION`]).

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::adoption::Child;
use crate::domain::error::ErrorKind;
use crate::domain::id::AssignmentId;
use crate::domain::identity::GuardianId;
use crate::domain::time::{Moment, Timestamp};
use crate::link::codec::field::{Field, Input};

/// The version that is written, and the highest that can be read.
pub const VERSION: u16 = 1;

/// The first bytes.
pub const MAGIC: &[u8; 14] = b"apex guardian\n";

/// Everything that the next guardian needs to go on. Descriptors are numbers of this process, which stay open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handover {
    /// Which guardian it is, and goes on to be.
    pub guardian: GuardianId,
    /// When it started.
    pub started_at: Timestamp,
    /// The project's root.
    pub root: PathBuf,
    /// The project's `.apex`.
    pub dir: PathBuf,
    /// The lock file.
    pub lock: PathBuf,
    /// The pid file.
    pub pid_file: PathBuf,
    /// The listening socket.
    pub socket: PathBuf,
    /// The daemon's log.
    pub log: PathBuf,
    /// Why the daemon gave up.
    pub failed: PathBuf,
    /// The last words.
    pub exits: PathBuf,
    /// apexd's arguments.
    pub apexd_args: Vec<OsString>,
    /// The program that apexd was before, by a path that can be executed, until the new one has come to be ready.
    pub previous: Option<PathBuf>,
    /// The socket of the supervisor.
    pub notify: Option<OsString>,
    /// The lock: the open file description of the guardian before.
    pub lock_fd: RawFd,
    /// The locked directory; `None` where the next guardian has to lock it itself.
    pub directory_fd: Option<RawFd>,
    /// The listening socket, unless it was closed.
    pub listener_fd: Option<RawFd>,
    /// Descriptors that are only to be kept open: what [`Self::previous`] leads to.
    pub kept_fds: Vec<RawFd>,
    /// Device and inode of the socket's name.
    pub socket_id: Option<(u64, u64)>,
    /// The soft limit of descriptors that tasks get, if it is not the guardian's own.
    pub nofile: Option<u64>,
    /// How many times apexd was started.
    pub starts: u32,
    /// How often the guardian was asked to stop.
    pub stops: u32,
    /// An apexd said that it drains.
    pub draining: bool,
    /// Until then the drain leaves running tasks alone.
    pub grace_until: Option<Moment>,
    /// How long the guardian leaves between SIGTERM and SIGKILL.
    pub kill_grace: Option<Duration>,
    /// An apexd may have stored claims in this guardian's name.
    pub may_own_claims: bool,
    /// The processes.
    pub held: Vec<Heir>,
    /// Those that may have been started, and of which nothing is known.
    pub doubtful: Vec<AssignmentId>,
    /// What started up to then may come from a process that is forgotten, in clock ticks since boot.
    pub murky_until: u64,
    /// Keepers, which are this process's children.
    pub keepers: Vec<u32>,
}

/// A process that goes over to the next guardian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heir {
    /// The process, and how it ended if it has.
    pub child: Child,
    /// The guardian itself has asked it to end.
    pub stopped: bool,
    /// It is being ended with all that belongs to it.
    pub everything: bool,
    /// The next guardian is not its parent.
    pub foreign: bool,
    /// A descriptor of the process. Whoever is its parent needs none: its pid is not used again before it is reaped.
    pub pidfd: Option<RawFd>,
}

impl Field for Heir {
    fn put(&self, out: &mut Vec<u8>) {
        self.child.put(out);
        self.stopped.put(out);
        self.everything.put(out);
        self.foreign.put(out);
        self.pidfd.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Some(Self {
            child: Field::take(input)?,
            stopped: Field::take(input)?,
            everything: Field::take(input)?,
            foreign: Field::take(input)?,
            pidfd: Field::take(input)?,
        })
    }
}

/// Bytes that are no handover that can be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They begin in another way.
    #[error("what was handed over is not from a guardian")]
    Foreign,
    /// A later apex wrote them.
    #[error("what was handed over has version {version}, and this program knows up to {VERSION}")]
    Newer {
        /// Its version.
        version: u16,
    },
    /// A field is not what it should be.
    #[error("what was handed over is damaged in field {number}")]
    Damaged {
        /// The field's number; 0 if there is none where one should begin.
        number: u16,
    },
}

impl Error {
    /// Returns what sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}

/// The fields and their numbers.
macro_rules! fields {
    ($($number:literal $field:ident),* $(,)?) => {
        impl Handover {
            /// Returns the bytes.
            pub fn to_bytes(&self) -> Vec<u8> {
                let mut out = MAGIC.to_vec();
                VERSION.put(&mut out);
                $({
                    let mut value = Vec::new();
                    self.$field.put(&mut value);
                    let number: u16 = $number;
                    number.put(&mut out);
                    u32::try_from(value.len()).unwrap_or(u32::MAX).put(&mut out);
                    out.extend_from_slice(&value);
                })*
                out
            }

            /// Reads bytes.
            ///
            /// Errors: [`Error`]; nothing of them may be relied on then.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
                let mut input = Input(bytes.strip_prefix(MAGIC).ok_or(Error::Foreign)?);
                let version = u16::take(&mut input).ok_or(Error::Damaged { number: 0 })?;
                if version > VERSION {
                    return Err(Error::Newer { version });
                }
                let mut handover = Self::default();
                while !input.0.is_empty() {
                    let number = u16::take(&mut input).ok_or(Error::Damaged { number: 0 })?;
                    let damaged = || Error::Damaged { number };
                    let length = u32::take(&mut input).ok_or_else(damaged)?;
                    let length = usize::try_from(length).map_err(|_| damaged())?;
                    let (value, rest) = input.0.split_at_checked(length).ok_or_else(damaged)?;
                    input.0 = rest;
                    let mut value = Input(value);
                    match number {
                        $($number => {
                            handover.$field = Field::take(&mut value).filter(|_| value.0.is_empty()).ok_or_else(damaged)?;
                        })*
                        _ => {}
                    }
                }
                Ok(handover)
            }
        }
    };
}

fields! {
    1 guardian,
    2 started_at,
    3 root,
    4 dir,
    5 lock,
    6 pid_file,
    7 socket,
    8 log,
    9 failed,
    10 exits,
    11 apexd_args,
    12 previous,
    13 notify,
    14 lock_fd,
    15 directory_fd,
    16 listener_fd,
    17 kept_fds,
    18 socket_id,
    19 nofile,
    20 starts,
    21 stops,
    22 draining,
    23 grace_until,
    24 kill_grace,
    25 may_own_claims,
    26 held,
    27 doubtful,
    28 murky_until,
    29 keepers,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::{Exit, ExitStatus};
    use uuid::Uuid;

    fn sample() -> Handover {
        let exit =
            Exit { status: ExitStatus::Signal(9), usage: None, at: Timestamp(5), leftovers: true, stopped: true };
        let child = |n, exit| Child {
            assignment: AssignmentId(Uuid::from_u128(n)),
            pid: 7,
            start_ticks: 8,
            started_at: Timestamp(9),
            exit,
        };
        Handover {
            guardian: GuardianId(Uuid::from_u128(1)),
            started_at: Timestamp(2),
            root: "/p".into(),
            dir: "/p/.apex".into(),
            apexd_args: vec!["__apexd".into(), "/p".into()],
            previous: Some("/proc/7/fd/9".into()),
            lock_fd: 12,
            listener_fd: Some(13),
            kept_fds: vec![9],
            socket_id: Some((1, 2)),
            nofile: Some(1024),
            starts: 3,
            stops: 1,
            draining: true,
            grace_until: Some(Moment(70)),
            kill_grace: Some(Duration::from_millis(300)),
            may_own_claims: true,
            held: vec![
                Heir { child: child(1, None), stopped: false, everything: true, foreign: true, pidfd: Some(20) },
                Heir { child: child(2, Some(exit)), stopped: true, everything: false, foreign: false, pidfd: None },
            ],
            doubtful: vec![AssignmentId(Uuid::from_u128(3))],
            murky_until: 81,
            keepers: vec![31, 32],
            ..Handover::default()
        }
    }

    #[test]
    fn what_is_left_is_found() {
        assert_eq!(Handover::from_bytes(&sample().to_bytes()), Ok(sample()));
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_what_is_missing_has_its_default() {
        let mut bytes = sample().to_bytes();
        bytes.extend([0xff, 0xff, 3, 0, 0, 0, 1, 2, 3]);
        assert_eq!(Handover::from_bytes(&bytes), Ok(sample()), "a later one wrote something more");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        assert_eq!(Handover::from_bytes(&bytes), Ok(Handover::default()), "an earlier one wrote less");
    }

    #[test]
    fn what_cannot_be_relied_on_is_refused() {
        let bytes = sample().to_bytes();
        let mut newer = bytes.clone();
        newer[MAGIC.len()] = 9;
        assert_eq!(Handover::from_bytes(&newer), Err(Error::Newer { version: 9 }));
        assert_eq!(Handover::from_bytes(b"something else"), Err(Error::Foreign));
        for length in MAGIC.len()..bytes.len() {
            let whole = Handover::from_bytes(&bytes[..length]);
            assert_ne!(whole, Ok(sample()), "cut off after {length} bytes");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x80;
            // No panic, whatever it is taken for.
            let _ = Handover::from_bytes(&changed);
        }
    }
}
