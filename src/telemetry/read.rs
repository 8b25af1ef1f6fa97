//! Reads the log back: what is there, and what comes.
//!
//! A reader knows nothing of the writer but the files, so it works without a daemon, through restarts of it, and in
//! any process. Every line that is handed out is safe for a terminal: apex writes no other, but a log is a file.

pub mod files;
pub mod follow;

use std::collections::VecDeque;
use std::io;
use std::path::Path;

pub use follow::Follow;

use self::files::Files;
use super::level::Level;
use crate::domain::time::Timestamp;

/// Which lines are wanted. The default is all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// At most so many lines of what is there already: the last ones of those that the rest selects. `Some(0)` is none,
    /// `None` is no limit.
    pub tail_lines: Option<usize>,
    /// Only entries of this instant or later.
    pub since: Option<Timestamp>,
    /// Only entries at least as important as this.
    pub level: Option<Level>,
}

/// What the first line of an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was logged.
    pub at: Timestamp,
    /// How important it is.
    pub level: Level,
    /// The rest of the line, fields included, as it stands in the log.
    pub message: String,
}

/// Takes a line (without its line end) apart; `None` if it does not begin an entry, but continues one or is none.
pub fn parse_line(line: &str) -> Option<Entry> {
    let (at, rest) = line.strip_prefix('[')?.split_once("] [")?;
    let (label, message) = rest.split_once(']')?;
    // The shape first: jiff reads more than apex writes.
    if at.len() != "2026-01-15T10:30:00.000Z".len() || !at.ends_with('Z') {
        return None;
    }
    let at: jiff::Timestamp = at.parse().ok()?;
    let level = Level::from_label(label)?;
    let message = if message.is_empty() { message } else { message.strip_prefix(' ')? };
    Some(Entry { at: Timestamp(at.as_millisecond()), level, message: message.to_owned() })
}

/// Returns the selected lines of the log, oldest first, across its rotated files; none if there is no log.
///
/// A last line that has no line end yet is a line here. Lines that do not begin an entry are selected with the entry
/// before them. Memory: that of the lines returned.
///
/// # Errors
///
/// A file of the log cannot be read, or `log_file` is not a regular file.
pub fn read(log_file: &Path, selection: Selection) -> io::Result<Vec<String>> {
    let mut backlog = Backlog::new(selection);
    let mut files = Files::new(log_file);
    files.look(&mut |line| backlog.push(line))?;
    files.end(&mut |line| backlog.push(line));
    Ok(backlog.lines.into())
}

/// Decides line by line.
#[derive(Debug)]
struct Sieve {
    since: Option<Timestamp>,
    level: Option<Level>,
    /// The verdict on the entry that the next line may continue.
    admits: bool,
}

impl Sieve {
    fn new(selection: Selection) -> Self {
        let Selection { since, level, .. } = selection;
        Self { since, level, admits: since.is_none() && level.is_none() }
    }

    fn admits(&mut self, line: &str) -> bool {
        if let Some(entry) = parse_line(line) {
            self.admits =
                self.since.is_none_or(|since| entry.at >= since) && self.level.is_none_or(|level| entry.level <= level);
        }
        self.admits
    }
}

/// The selected lines of what is there already.
#[derive(Debug)]
struct Backlog {
    sieve: Sieve,
    lines_max: usize,
    lines: VecDeque<String>,
}

impl Backlog {
    fn new(selection: Selection) -> Self {
        let lines_max = selection.tail_lines.unwrap_or(usize::MAX);
        Self { sieve: Sieve::new(selection), lines_max, lines: VecDeque::new() }
    }

    fn push(&mut self, line: String) {
        if !self.sieve.admits(&line) || self.lines_max == 0 {
            return;
        }
        if self.lines.len() >= self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

#[cfg(test)]
mod tests;
