//! Names of things: every id is a type of its own, so that one cannot be taken for another.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use uuid::Uuid;

/// Number of a task within its project: from 1, ascending, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

impl TaskId {
    /// Returns the id for `n`, or `None` for 0 and for numbers a signed 64-bit column cannot hold.
    pub fn new(n: u64) -> Option<Self> {
        if i64::try_from(n).is_err() {
            return None;
        }
        NonZeroU64::new(n).map(Self)
    }

    /// Returns the plain number.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// Returns the number as the signed value databases use; it always fits.
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0.get()).expect("TaskId::new refuses what does not fit")
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was typed is not a task id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a task id (a number from 1)")]
pub struct InvalidTaskId(pub String);

impl FromStr for TaskId {
    type Err = InvalidTaskId;

    fn from_str(text: &str) -> Result<Self, InvalidTaskId> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok().and_then(Self::new)).flatten().ok_or_else(|| InvalidTaskId(text.to_owned()))
    }
}

/// Name of a task made by the client that adds it, so that an add repeated after a broken connection adds once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskUuid(pub Uuid);

impl TaskUuid {
    /// Returns the name of the task at a place, from 0, among many that are added together under this name.
    ///
    /// Shape: the place stands in the last 32 bits, so that names of neighbours are neighbours; what this name has there
    /// does not matter.
    #[must_use]
    pub fn at(self, place: u32) -> Self {
        Self(Uuid::from_u128((self.0.as_u128() & !u128::from(u32::MAX)) | u128::from(place)))
    }

    /// Returns the place of a task among many that were added together.
    pub fn place(self) -> u32 {
        // The last 32 bits are what is wanted.
        u32::try_from(self.0.as_u128() & u128::from(u32::MAX)).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for TaskUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Name of one claim of a task, never repeated. It fences: whoever reports about a claim names it, and a report about
/// a claim that is no longer current changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssignmentId(pub Uuid);

impl fmt::Display for AssignmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of an execution of a task, from 1.
pub type AttemptNumber = u32;

/// Number of a change in the feed: ascending, never repeated. 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tasks_that_are_added_together_are_neighbours() {
        let name = TaskUuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_000c));
        assert_eq!(name.at(0).0.as_u128(), 0x0190_0000_0000_7000_8000_0000_0000_0000);
        assert_eq!(name.at(u32::MAX).0.as_u128(), 0x0190_0000_0000_7000_8000_0000_ffff_ffff);
        assert_eq!((name.at(7).place(), name.at(7).at(9)), (7, name.at(9)));
    }

    #[test]
    fn task_ids_are_plain_positive_numbers() {
        assert_eq!("12".parse::<TaskId>().unwrap().get(), 12);
        assert_eq!("9223372036854775807".parse::<TaskId>().unwrap().as_i64(), i64::MAX);
        for wrong in ["", "0", "-1", "+1", " 1", "1 ", "1.0", "abc", "9223372036854775808", "99999999999999999999"] {
            assert_eq!(wrong.parse::<TaskId>(), Err(InvalidTaskId(wrong.to_owned())), "{wrong:?}");
        }
    }
}
