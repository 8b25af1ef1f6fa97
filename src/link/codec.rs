//! The bytes of [`Order`] and [`Fact`]: hand-written, bounded, and never a panic whatever arrives.
//!
//! A frame is a `u32` length, a `u8` kind and the fields of that kind one after the other; the length counts the kind
//! and the fields. Numbers are little-endian. Bytes, paths and lists have a `u32` count in front, an optional value a
//! `u8` that is 0 or 1. A kind keeps its number for ever; one that is not known is reported by name and skipped, so that
//! whoever reads can go on.
//!
//! When you add a message: give it the next kind, add it to both matches, and to the strategies in the tests.

pub(super) mod field;
mod keeper;
#[cfg(test)]
pub(crate) mod tests;

use std::marker::PhantomData;

use crate::domain::error::ErrorKind;
use crate::link::{Fact, Order, Spawn};

use field::{Field, Input};

/// The longest frame, in bytes without the four of its length. The kernel takes no more than 6 MiB of arguments and
/// environment, so nothing real comes near it.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes that are no frame, or a message that fits into none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The frame is longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {bytes} bytes is too long")]
    TooLong {
        /// How long it is, or says that it is.
        bytes: usize,
    },
    /// The frame is empty: it has not even a kind.
    #[error("a frame without a kind")]
    Empty,
    /// The kind is not one that this version knows. The frame was skipped: the next one can be read.
    #[error("unknown kind of frame `{kind}`")]
    UnknownKind {
        /// The kind.
        kind: u8,
    },
    /// The fields are not those of the kind.
    #[error("malformed frame of kind `{kind}`")]
    Malformed {
        /// The kind.
        kind: u8,
    },
}

impl Error {
    /// Returns what sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}

/// A message that goes over the link: [`Order`] or [`Fact`].
pub trait Message: Sized + sealed::Fields {}

impl Message for Order {}
impl Message for Fact {}

mod sealed {
    use super::field::Input;

    /// How a message becomes a kind and fields, and the way back.
    pub trait Fields: Sized {
        /// Appends the fields and returns the kind.
        fn put(&self, out: &mut Vec<u8>) -> u8;

        /// Reads the fields of `kind`. Shape: the outer `None` is an unknown kind, the inner one malformed fields.
        #[expect(clippy::option_option, reason = "two different things can be missing")]
        fn take(kind: u8, input: &mut Input<'_>) -> Option<Option<Self>>;
    }
}

/// Appends the frame of `message` to `out`.
///
/// Errors: [`Error::TooLong`]; `out` is then as it was.
pub fn encode<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(&[0; 5]);
    let kind = message.put(out);
    let bytes = out.len() - start - 4;
    match u32::try_from(bytes) {
        Ok(length) if bytes <= FRAME_BYTES_MAX => {
            out[start..start + 4].copy_from_slice(&length.to_le_bytes());
            out[start + 4] = kind;
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(Error::TooLong { bytes })
        }
    }
}

/// Takes in bytes as they come and gives out the messages in them.
#[derive(Debug)]
pub struct Reader<M> {
    buffer: Vec<u8>,
    /// So many bytes of the buffer are read.
    at: usize,
    message: PhantomData<fn() -> M>,
}

impl<M> Default for Reader<M> {
    fn default() -> Self {
        Self { buffer: Vec::new(), at: 0, message: PhantomData }
    }
}

impl<M: Message> Reader<M> {
    /// Takes in bytes that follow those fed before. A frame may come in any number of pieces.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        // One long frame must not hold its memory for ever.
        if self.buffer.is_empty() && self.buffer.capacity() > 1024 * 1024 {
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next message, or `None` if it has not fully arrived.
    ///
    /// Errors: after [`Error::UnknownKind`] and [`Error::Malformed`] the frame in question is skipped; after
    /// [`Error::TooLong`] and [`Error::Empty`] nothing further can be read, and the error is repeated.
    pub fn next_message(&mut self) -> Result<Option<M>, Error> {
        let rest = &self.buffer[self.at..];
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let bytes = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if bytes > FRAME_BYTES_MAX {
            return Err(Error::TooLong { bytes });
        }
        if bytes == 0 {
            return Err(Error::Empty);
        }
        let Some(frame) = rest.get(..bytes) else { return Ok(None) };
        self.at += 4 + bytes;
        let (kind, fields) = (frame[0], &frame[1..]);
        let mut input = Input(fields);
        let message = M::take(kind, &mut input).ok_or(Error::UnknownKind { kind })?;
        message.filter(|_| input.0.is_empty()).map(Some).ok_or(Error::Malformed { kind })
    }
}

impl sealed::Fields for Order {
    fn put(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::Hello { version } => (1, version.put(out)).0,
            Self::Ready => 2,
            Self::Policy { kill_grace } => (3, kill_grace.put(out)).0,
            // A guardian that knows nothing of kept inputs passes the second over, instead of taking it for nonsense.
            Self::Spawn(spawn) => {
                spawn.put(out);
                match &spawn.keep {
                    None => 4,
                    Some(keep) => (9, keep.put(out)).0,
                }
            }
            Self::Signal { assignment, signal, scope } => {
                assignment.put(out);
                signal.put(out);
                scope.put(out);
                5
            }
            Self::Forget { assignment } => (6, assignment.put(out)).0,
            Self::Draining => 7,
            Self::Replace { binary } => (8, binary.put(out)).0,
            Self::Grace { until } => (20, until.put(out)).0,
            Self::Adopt(child) => (21, child.put(out)).0,
            Self::Present => 30,
        }
    }

    fn take(kind: u8, input: &mut Input<'_>) -> Option<Option<Self>> {
        let mut fields = || {
            Some(match kind {
                1 => Self::Hello { version: Field::take(input)? },
                2 => Self::Ready,
                3 => Self::Policy { kill_grace: Field::take(input)? },
                4 => Self::Spawn(Field::take(input)?),
                5 => Self::Signal {
                    assignment: Field::take(input)?,
                    signal: Field::take(input)?,
                    scope: Field::take(input)?,
                },
                6 => Self::Forget { assignment: Field::take(input)? },
                7 => Self::Draining,
                8 => Self::Replace { binary: Field::take(input)? },
                9 => {
                    let mut spawn = Spawn::take(input)?;
                    spawn.keep = Some(Field::take(input)?);
                    Self::Spawn(Box::new(spawn))
                }
                20 => Self::Grace { until: Field::take(input)? },
                21 => Self::Adopt(Field::take(input)?),
                _ => Self::Present,
            })
        };
        matches!(kind, 1..=9 | 20..=21 | 30).then(&mut fields)
    }
}

impl sealed::Fields for Fact {
    fn put(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::Welcome { version, guardian, guardian_pid, started_at, restarts, stop_requests } => {
                version.put(out);
                guardian.put(out);
                guardian_pid.put(out);
                started_at.put(out);
                restarts.put(out);
                stop_requests.put(out);
                65
            }
            Self::Child(child) => (66, child.put(out)).0,
            Self::Complete => 67,
            Self::Spawned(child) => (68, child.put(out)).0,
            Self::NotSpawned { assignment, step, errno } => {
                assignment.put(out);
                step.put(out);
                errno.put(out);
                69
            }
            Self::Exited { assignment, exit } => {
                assignment.put(out);
                exit.put(out);
                70
            }
            Self::Signalled { assignment, signal, errno } => {
                assignment.put(out);
                signal.put(out);
                errno.put(out);
                71
            }
            Self::Terminate { requests } => (72, requests.put(out)).0,
            Self::Reload => 73,
            Self::Terms { nofile, supervised, grace_until } => {
                nofile.put(out);
                supervised.put(out);
                grace_until.put(out);
                84
            }
            Self::Doubtful { assignment } => (85, assignment.put(out)).0,
            Self::Gone { assignment, at } => {
                assignment.put(out);
                at.put(out);
                86
            }
            Self::Keeps => 87,
            Self::Ask => 94,
        }
    }

    fn take(kind: u8, input: &mut Input<'_>) -> Option<Option<Self>> {
        let mut fields = || {
            Some(match kind {
                65 => Self::Welcome {
                    version: Field::take(input)?,
                    guardian: Field::take(input)?,
                    guardian_pid: Field::take(input)?,
                    started_at: Field::take(input)?,
                    restarts: Field::take(input)?,
                    stop_requests: Field::take(input)?,
                },
                66 => Self::Child(Field::take(input)?),
                67 => Self::Complete,
                68 => Self::Spawned(Field::take(input)?),
                69 => Self::NotSpawned {
                    assignment: Field::take(input)?,
                    step: Field::take(input)?,
                    errno: Field::take(input)?,
                },
                70 => Self::Exited { assignment: Field::take(input)?, exit: Field::take(input)? },
                71 => Self::Signalled {
                    assignment: Field::take(input)?,
                    signal: Field::take(input)?,
                    errno: Field::take(input)?,
                },
                72 => Self::Terminate { requests: Field::take(input)? },
                73 => Self::Reload,
                84 => Self::Terms {
                    nofile: Field::take(input)?,
                    supervised: Field::take(input)?,
                    grace_until: Field::take(input)?,
                },
                85 => Self::Doubtful { assignment: Field::take(input)? },
                86 => Self::Gone { assignment: Field::take(input)?, at: Field::take(input)? },
                87 => Self::Keeps,
                _ => Self::Ask,
            })
        };
        matches!(kind, 65..=73 | 84..=87 | 94).then(&mut fields)
    }
}
