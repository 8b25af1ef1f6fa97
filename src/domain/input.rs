//! What is given to a running task to read.

use std::time::Duration;

use uuid::Uuid;

use crate::domain::id::TaskId;

/// A piece of what somebody sends to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// To which.
    pub task: TaskId,
    /// What it is a piece of: a name for the whole, so that a piece can be sent again.
    pub send: Uuid,
    /// Where the piece begins in it.
    pub at: u64,
    /// The piece.
    pub bytes: Vec<u8>,
    /// The end of a line follows it: what the return key gives at a terminal, a newline elsewhere.
    pub line: bool,
    /// The end of the input follows it.
    pub eof: bool,
    /// How long to wait for the task to take it.
    pub within: Duration,
}

/// What was taken of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// So many of its bytes.
    pub bytes: u64,
    /// All of it, with the ends of line and input.
    pub whole: bool,
    /// The input was closed before all of it was taken.
    pub closed: bool,
}

/// How large a terminal is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}
