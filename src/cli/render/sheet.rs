//! Facts below one another, as wide as the terminal: what does not fit goes on below itself.

use crate::cli::render::HEADING;
use crate::cli::render::wrap::{columns, wrap};

/// Widest key of a fact.
const KEY_WIDTH: usize = 12;
/// Widest word that a line of [`Sheet::topic`] begins with.
const TOPIC_WIDTH: usize = 7;
/// What a value needs beside its key; where it has less it goes on below it.
const VALUE_WIDTH_MIN: usize = 16;
/// How far a value is indented that goes on below its key.
const HANG_NARROW: usize = 4;

/// Headings, facts and tables, in the order in which they are read.
///
/// Texts are harmless already, and may be coloured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Begins with `lead`, and goes on `hang` columns from the edge.
    Text { lead: String, hang: usize, text: String },
    /// Fits already.
    Block(String),
}

impl Sheet {
    /// Makes an empty sheet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a heading, with what is to be known first beside it.
    pub fn heading(&mut self, title: &str, text: impl Into<String>) {
        self.push(format!("{HEADING}{title}{HEADING:#}  "), 2, text);
    }

    /// Adds a fact below a heading.
    pub fn fact(&mut self, key: &str, value: impl Into<String>) {
        self.push(format!("  {key:<KEY_WIDTH$} "), KEY_WIDTH + 3, value);
    }

    /// Adds a line that belongs to the fact above it.
    pub fn item(&mut self, text: impl Into<String>) {
        self.push(" ".repeat(4), 6, text);
    }

    /// Adds a heading that is a key itself: the sheet has nothing else.
    pub fn topic(&mut self, key: &str, value: impl Into<String>) {
        let space = " ".repeat((TOPIC_WIDTH + 2).saturating_sub(columns(key)));
        self.push(format!("{HEADING}{key}{HEADING:#}{space}"), TOPIC_WIDTH + 2, value);
    }

    /// Adds lines that fit already, a table for instance; nothing for `None`.
    pub fn block(&mut self, lines: impl Into<Option<String>>) {
        self.parts.extend(lines.into().map(Part::Block));
    }

    fn push(&mut self, lead: String, hang: usize, text: impl Into<String>) {
        self.parts.push(Part::Text { lead, hang, text: text.into() });
    }

    /// Returns the lines, without a line end after the last, for a terminal of `width` columns; `None` for any.
    pub fn draw(&self, width: Option<usize>) -> String {
        let mut lines = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match (part, width) {
                (Part::Block(block), _) => lines.push(block.clone()),
                (Part::Text { lead, text, .. }, None) => lines.push(format!("{lead}{text}").trim_end().to_owned()),
                (Part::Text { lead, hang, text }, Some(width)) => {
                    let hang = if width < hang + VALUE_WIDTH_MIN { HANG_NARROW } else { *hang };
                    let wrapped = wrap(text, width.saturating_sub(columns(lead)), width.saturating_sub(hang).max(1));
                    for (at, line) in wrapped.iter().enumerate() {
                        let line = if at == 0 { format!("{lead}{line}") } else { " ".repeat(hang) + line };
                        lines.push(line.trim_end().to_owned());
                    }
                }
            }
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: usize) -> String {
        let mut sheet = Sheet::new();
        sheet.heading("task 1", "failed: it ran into a wall");
        sheet.fact("directory", "/home/somebody/project");
        sheet.fact("nothing", "");
        sheet.item("A=1");
        sheet.block(None);
        sheet.block("  a table".to_owned());
        anstream::adapter::strip_str(&sheet.draw(Some(width))).to_string()
    }

    #[test]
    fn values_hang_below_themselves() {
        insta::assert_snapshot!(drawn(32), @r"
        task 1  failed: it ran into a
          wall
          directory    /home/somebody/pr
                       oject
          nothing
            A=1
          a table
        ");
    }

    #[test]
    fn where_there_is_no_room_beside_a_key_values_go_on_below_it() {
        insta::assert_snapshot!(drawn(20), @r"
        task 1  failed: it
          ran into a wall
          directory    /home
            /somebody/projec
            t
          nothing
            A=1
          a table
        ");
    }

    #[test]
    fn topics_stand_side_by_side_with_what_they_say() {
        let mut sheet = Sheet::new();
        sheet.topic("daemon", "running (pid 1), up 1h");
        sheet.topic("failed last", "");
        let text = anstream::adapter::strip_str(&sheet.draw(Some(26))).to_string();
        assert_eq!(text, "daemon   running (pid 1),\n         up 1h\nfailed last");
    }
}
