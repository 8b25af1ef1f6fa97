//! Lines of the daemon's log, and pieces of what a task wrote.

use serde::Serialize;

use crate::domain::attempt::Stream;
use crate::domain::id::TaskId;
use crate::domain::time::Timestamp;
use crate::view::time::rfc3339;

/// One line of the daemon's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLineView {
    at: Option<String>,
    level: Option<&'static str>,
    message: String,
}

impl LogLineView {
    /// Returns the view of an entry: `level` in lower case, `message` with its fields as they stand in the log.
    pub fn entry(at: Timestamp, level: &'static str, message: &str) -> Self {
        Self { at: Some(rfc3339(at)), level: Some(level), message: message.to_owned() }
    }

    /// Returns the view of a line that begins no entry.
    pub fn other(line: &str) -> Self {
        Self { at: None, level: None, message: line.to_owned() }
    }
}

/// A piece of what a task wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputPieceView {
    task: u64,
    attempt: u32,
    stream: &'static str,
    offset: u64,
    text: String,
}

impl OutputPieceView {
    /// Returns the view of `text`, which began at byte `offset` of its stream. What is not UTF-8 is shown lossily.
    pub fn of(task: TaskId, attempt: u32, stream: Stream, offset: u64, text: String) -> Self {
        Self { task: task.get(), attempt, stream: stream.as_str(), offset, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{json, samples};

    #[test]
    fn a_line_and_a_line_that_is_none() {
        let entry = LogLineView::entry(samples::NOW, "info", "Starting task 12 attempt=1");
        insta::assert_snapshot!(json::line(&entry).unwrap(), @r#"{"at":"2026-01-15T10:30:00.000Z","level":"info","message":"Starting task 12 attempt=1"}"#);
        insta::assert_snapshot!(json::line(&LogLineView::other("thread panicked")).unwrap(), @r#"{"at":null,"level":null,"message":"thread panicked"}"#);
    }

    #[test]
    fn a_piece_of_output() {
        let piece = OutputPieceView::of(samples::task_id(12), 1, Stream::Stderr, 7, "a\u{1b}b".to_owned());
        insta::assert_snapshot!(json::line(&piece).unwrap(), @r#"{"task":12,"attempt":1,"stream":"stderr","offset":7,"text":"a\u001bb"}"#);
    }
}
