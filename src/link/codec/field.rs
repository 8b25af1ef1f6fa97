//! How each type of field is written and read.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::adoption::Child;
use crate::domain::id::AssignmentId;
use crate::domain::identity::GuardianId;
use crate::domain::outcome::{Exit, ExitStatus, Usage};
use crate::domain::task::{Limit, Resource};
use crate::domain::time::{Moment, Timestamp};
use crate::link::{Keep, Kept, Scope, Spawn, SpawnStep};

/// What of a frame's fields is not read yet.
#[derive(Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(u32::take(self)?).ok()
    }
}

/// A value inside a frame.
pub trait Field: Sized {
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads a value; `None` if there is none of this type here.
    fn take(input: &mut Input<'_>) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Field for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(input: &mut Input<'_>) -> Option<Self> {
                input.array().map(Self::from_le_bytes)
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, i32, i64);

/// Structures are their fields in the order given here.
macro_rules! structures {
    ($($structure:ident { $($field:ident),* })*) => {$(
        impl Field for $structure {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($field.put(out);)*
            }

            fn take(input: &mut Input<'_>) -> Option<Self> {
                $(let $field = Field::take(input)?;)*
                Some(Self { $($field),* })
            }
        }
    )*};
}

structures! {
    Keep { socket, kept }
    Child { assignment, pid, start_ticks, started_at, exit }
    Exit { status, usage, at, leftovers, stopped }
    Usage { max_rss_bytes, user_ms, system_ms }
    Limit { resource, soft }
}

/// Enumerations without data are one byte each.
macro_rules! enumerations {
    ($($enumeration:ident { $($variant:ident = $number:literal),* })*) => {$(
        impl Field for $enumeration {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(match self { $(Self::$variant => $number),* });
            }

            fn take(input: &mut Input<'_>) -> Option<Self> {
                match u8::take(input)? {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    )*};
}

enumerations! {
    Scope { Leader = 1, Session = 2, Everything = 3 }
    SpawnStep { Fork = 1, Chdir = 2, Stdin = 3, Output = 4, Exec = 5, Setup = 6, Terminal = 7 }
    Kept { Pipe = 1, Terminal = 2 }
    Resource { As = 1, Core = 2, Cpu = 3, Data = 4, Fsize = 5, Memlock = 6, Nofile = 7, Nproc = 8, Stack = 9 }
}

/// Without what is kept, which a message of its own adds.
impl Field for Spawn {
    fn put(&self, out: &mut Vec<u8>) {
        let Self { assignment, program, argv, env, cwd, umask, limits, stdin, stdout, stderr, keep: _ } = self;
        assignment.put(out);
        program.put(out);
        argv.put(out);
        env.put(out);
        cwd.put(out);
        umask.put(out);
        limits.put(out);
        stdin.put(out);
        stdout.put(out);
        stderr.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Some(Self {
            assignment: Field::take(input)?,
            program: Field::take(input)?,
            argv: Field::take(input)?,
            env: Field::take(input)?,
            cwd: Field::take(input)?,
            umask: Field::take(input)?,
            limits: Field::take(input)?,
            stdin: Field::take(input)?,
            stdout: Field::take(input)?,
            stderr: Field::take(input)?,
            keep: None,
        })
    }
}

impl Field for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        match u8::take(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Field for ExitStatus {
    fn put(&self, out: &mut Vec<u8>) {
        let (tag, number) = match self {
            Self::Code(code) => (1_u8, code),
            Self::Signal(signal) => (2, signal),
        };
        tag.put(out);
        number.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        match u8::take(input)? {
            1 => i32::take(input).map(Self::Code),
            2 => i32::take(input).map(Self::Signal),
            _ => None,
        }
    }
}

impl Field for Uuid {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        input.array().map(Self::from_bytes)
    }
}

impl Field for AssignmentId {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Field::take(input).map(Self)
    }
}

impl Field for GuardianId {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Field::take(input).map(Self)
    }
}

impl Field for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Field::take(input).map(Self)
    }
}

impl Field for Moment {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Field::take(input).map(Self)
    }
}

impl Field for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_secs().put(out);
        self.subsec_nanos().put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        let seconds = u64::take(input)?;
        // `Duration::new` panics when the nanoseconds carry over the last second there is.
        let nanoseconds = u32::take(input).filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
        Some(Self::new(seconds, nanoseconds))
    }
}

impl Field for OsString {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        let count = input.count()?;
        input.bytes(count).map(|bytes| Self::from_vec(bytes.to_vec()))
    }
}

impl Field for PathBuf {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.as_os_str().len(), out);
        out.extend_from_slice(self.as_os_str().as_bytes());
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        OsString::take(input).map(Self::from)
    }
}

impl<A: Field, B: Field> Field for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Some((A::take(input)?, B::take(input)?))
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        if bool::take(input)? { T::take(input).map(Some) } else { Some(None) }
    }
}

impl<T: Field> Field for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        for value in self {
            value.put(out);
        }
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        let count = input.count()?;
        // No memory is set aside for a count that only claims to be large: each value takes up at least one byte.
        let mut values = Vec::with_capacity(count.min(input.0.len()).min(1024));
        for _ in 0..count {
            values.push(T::take(input)?);
        }
        Some(values)
    }
}

impl<T: Field> Field for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_ref().put(out);
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        T::take(input).map(Self::new)
    }
}

/// A count that does not fit makes the frame too long, which [`encode`](super::encode) refuses.
fn put_count(count: usize, out: &mut Vec<u8>) {
    u32::try_from(count).unwrap_or(u32::MAX).put(out);
}
