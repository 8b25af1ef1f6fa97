//! Printing what a task writes: the part that `run`, `add --follow` and `logs` share.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::cli::command::prefix::{Lines, Prefix, RESET};
use crate::cli::error::Failure;
use crate::cli::harmless::{Decoder, Harmless};
use crate::cli::session::Session;
use crate::cli::ui::{Target, Ui};
use crate::domain::attempt::Stream;
use crate::domain::error::ErrorKind;
use crate::domain::id::TaskId;
use crate::domain::outcome::ReasonCode;
use crate::domain::task::{State, Task};
use crate::rpc::client::{Client, FollowRequest, Piece};
use crate::view::log::OutputPieceView;

/// How pieces of output are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Every byte as it was written; harmless on a terminal.
    Plain,
    /// Every byte as it was written, also on a terminal.
    Raw,
    /// A JSON object for each piece.
    Json,
}

/// Prints the pieces of one task's output, each stream where it belongs.
#[derive(Debug)]
pub struct Printer<'a> {
    ui: &'a Ui,
    task: TaskId,
    form: Form,
    /// A single stream that was asked for by name is the data: it goes to standard output, whatever it is.
    to_stdout: bool,
    /// What each line begins with, where there are several tasks.
    prefix: Option<Prefix>,
    filters: BTreeMap<Stream, Harmless>,
    /// Lines that are not complete, and of which attempt they are.
    lines: BTreeMap<Stream, (u32, Lines)>,
    decoders: BTreeMap<(u32, Stream), Decoder>,
}

impl<'a> Printer<'a> {
    /// Makes a printer; with `to_stdout` standard error is printed on standard output, too.
    pub fn new(ui: &'a Ui, task: TaskId, form: Form, to_stdout: bool) -> Self {
        let (filters, lines, decoders) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { ui, task, form, to_stdout, prefix: None, filters, lines, decoders }
    }

    /// Prints whole lines, and `prefix` in front of each. JSON says whose it is by itself.
    #[must_use]
    pub fn prefixed(mut self, prefix: Prefix) -> Self {
        self.prefix = Some(prefix).filter(|_| self.form != Form::Json);
        self
    }

    /// Prints a piece.
    pub fn print(&mut self, attempt: u32, stream: Stream, offset: u64, data: &[u8]) -> Result<(), Failure> {
        if self.form == Form::Json {
            let decoder = self.decoders.entry((attempt, stream)).or_default();
            // What waited for the rest of its character is part of this text now.
            let begins_at = offset.saturating_sub(decoder.pending() as u64);
            let text = decoder.pass(data);
            return self.print_json(attempt, stream, begins_at, text);
        }
        let (ui, target) = (self.ui, self.target(stream));
        let shown: Cow<'_, [u8]> = if self.form == Form::Raw || !target.is_terminal() {
            data.into()
        } else {
            let filter = self.filters.entry(stream).or_insert_with(|| Harmless::new(ui.has_color(target)));
            filter.pass(data).into_bytes().into()
        };
        let Some(prefix) = &self.prefix else { return ui.bytes(target, &shown) };
        let begin = || (attempt, Lines::new(prefix, ui.has_color(target)));
        let (of, lines) = self.lines.entry(stream).or_insert_with(begin);
        // What an earlier attempt left without a line end is no beginning of this one's first line.
        let mut text = if std::mem::replace(of, attempt) == attempt { Vec::new() } else { lines.finish() };
        text.extend(lines.pass(&shown));
        if text.is_empty() { Ok(()) } else { ui.bytes(target, &text) }
    }

    /// Prints what was kept back because something might have followed.
    pub fn finish(mut self) -> Result<(), Failure> {
        let mut lines = std::mem::take(&mut self.lines);
        for (stream, mut filter) in std::mem::take(&mut self.filters) {
            let rest = filter.finish();
            match lines.get_mut(&stream) {
                // The end of a colour is no line, and lines end their colours themselves.
                Some((_, lines)) => {
                    let rest = rest.strip_suffix(RESET).unwrap_or(&rest);
                    self.ui.bytes(self.target(stream), &lines.pass(rest.as_bytes()))?;
                }
                None => self.ui.bytes(self.target(stream), rest.as_bytes())?,
            }
        }
        for (stream, (_, mut lines)) in lines {
            self.ui.bytes(self.target(stream), &lines.finish())?;
        }
        for ((attempt, stream), mut decoder) in std::mem::take(&mut self.decoders) {
            let rest = decoder.finish();
            // Half a character is at most three bytes, and where it began is of no use to anybody.
            self.print_json(attempt, stream, 0, rest)?;
        }
        Ok(())
    }

    fn print_json(&self, attempt: u32, stream: Stream, offset: u64, text: String) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        self.ui.json(&OutputPieceView::of(self.task, attempt, stream, offset, text))
    }

    fn target(&self, stream: Stream) -> Target {
        match stream {
            Stream::Stderr if !self.to_stdout => Target::Stderr,
            Stream::Stderr | Stream::Stdout | Stream::Merged => Target::Stdout,
        }
    }
}

/// Returns the request that follows all of a task's output to its end.
pub fn whole(task: TaskId) -> FollowRequest {
    FollowRequest { task, attempt: None, streams: Vec::new(), tail_lines: None, follow: true }
}

/// Prints what a task writes until it has ended, and returns it as it stands then.
///
/// Errors: the daemon was stopped, or the connection broke for good; nobody reads what is printed.
pub async fn to_the_end(session: &Session, client: &Client, task: TaskId) -> Result<Task, Failure> {
    let mut printer = Printer::new(&session.ui, task, Form::Plain, false);
    let mut follow = client.follow(whole(task));
    while let Some(piece) = follow.next().await {
        match piece? {
            Piece::Chunk { attempt, stream, offset, data } => printer.print(attempt, stream, offset, &data)?,
            Piece::Ended(ended) => {
                printer.finish()?;
                return Ok(*ended);
            }
        }
    }
    Err(without_end(task))
}

/// Returns the failure of a stream that ended before its task.
pub fn without_end(task: TaskId) -> Failure {
    Failure::new(ErrorKind::Internal, format!("the output of task `{task}` ended before the task"))
        .with_hint(format!("see how it stands with `apex task show {task}`"))
}

/// Returns whether the exit code alone would not say how the task ended.
pub fn needs_a_word(task: &Task) -> bool {
    let by_itself = task.state == State::Failed && task.reason_code == Some(ReasonCode::Exit);
    task.state != State::Succeeded && !by_itself
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn an_exit_code_of_its_own_needs_no_word() {
        let mut task = samples::ended();
        assert!(!needs_a_word(&task));
        task.reason_code = Some(ReasonCode::Spawn);
        assert!(needs_a_word(&task), "127 could be anything");
        for state in [State::TimedOut, State::Cancelled, State::Skipped, State::Interrupted, State::Lost] {
            task.state = state;
            assert!(needs_a_word(&task), "{state:?}");
        }
        task.state = State::Succeeded;
        assert!(!needs_a_word(&task));
    }
}
