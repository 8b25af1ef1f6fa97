//! Tables that fit the terminal.

use std::borrow::Cow;

use anstyle::Style;

use crate::cli::render::HEADING;
use crate::cli::render::wrap::columns;

pub use crate::cli::render::wrap::cut;

/// How the text of a column stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At its left edge.
    Left,
    /// At its right edge, for numbers.
    Right,
}

/// The heading of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    title: Cow<'static, str>,
    align: Align,
    /// Left out where space is short; the highest first.
    expendable: u8,
}

/// One field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Makes a cell of text that is harmless already.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new() }
    }

    /// Gives it a colour.
    #[must_use]
    pub fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

impl Column {
    /// Makes a column.
    pub const fn new(title: &'static str, align: Align) -> Self {
        Self { title: Cow::Borrowed(title), align, expendable: 0 }
    }

    /// Makes a column whose heading is harmless text.
    pub fn titled(title: impl Into<Cow<'static, str>>, align: Align) -> Self {
        Self { title: title.into(), align, expendable: 0 }
    }

    /// Lets it be left out where space is short; columns with a higher `rank` go first, and one of rank 1 only when the
    /// last column would be of no use any more.
    #[must_use]
    pub const fn expendable(mut self, rank: u8) -> Self {
        self.expendable = rank;
        self
    }
}

/// The last column is the one that is cut, but not below this while another can be left out.
const LAST_WIDTH_MIN: usize = 16;
/// What it is cut down to before a column of rank 1 is left out.
const LAST_WIDTH_LEAST: usize = 8;
const GAP: &str = "  ";

/// Rows below headings. Only one column is ever cut: the last, unless another one is named for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
    with_head: bool,
    cut: Option<usize>,
}

impl Table {
    /// Makes a table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), indent: 0, with_head: true, cut: None }
    }

    /// Cuts this column where space is short.
    #[must_use]
    pub fn cutting(mut self, index: usize) -> Self {
        self.cut = Some(index);
        self
    }

    /// Leaves the headings out and indents every line.
    #[must_use]
    pub fn indented(mut self, by: usize) -> Self {
        (self.indent, self.with_head) = (by, false);
        self
    }

    /// Adds a row: a cell for each column.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// Returns the lines, without a line end after the last, for a terminal of `width` columns; `None` for any.
    pub fn draw(&self, width: Option<usize>) -> String {
        let widths: Vec<usize> = (0..self.columns.len()).map(|index| self.width_of(index)).collect();
        let Some(end) = widths.len().checked_sub(1) else { return String::new() };
        let last = self.cut.unwrap_or(end);
        // Without headings nobody misses a column in which nothing stands.
        let mut shown: Vec<usize> = (0..=end).filter(|index| *index == last || widths[*index] > 0).collect();
        let room_for_last = |shown: &[usize]| {
            let others: usize =
                shown.iter().filter(|index| **index != last).map(|index| widths[*index] + GAP.len()).sum();
            width.map(|width| width.saturating_sub(others + self.indent))
        };
        let expendable = |shown: &[usize]| {
            let others = shown.iter().copied().filter(|index| *index != last && self.columns[*index].expendable > 0);
            others.max_by_key(|index| self.columns[*index].expendable)
        };
        while let (Some(room), Some(goes)) = (room_for_last(&shown), expendable(&shown)) {
            let least = if self.columns[goes].expendable == 1 { LAST_WIDTH_LEAST } else { LAST_WIDTH_MIN };
            if room >= widths[last].min(least) {
                break;
            }
            shown.retain(|index| *index != goes);
        }
        // Below this nothing could be told any more: a terminal that narrow has to wrap.
        let last_width = room_for_last(&shown).map(|room| room.max(1));
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        let line = |cells: &mut dyn Iterator<Item = (usize, &str, Style)>| {
            let mut line = " ".repeat(self.indent);
            for (index, text, style) in cells {
                let (text, width) = match last_width.filter(|_| index == last) {
                    Some(room) => (Cow::Owned(cut(text, room)), widths[index].min(room)),
                    None => (Cow::Borrowed(text), widths[index]),
                };
                let space = " ".repeat(width.saturating_sub(columns(&text)));
                let painted = paint(&text, style);
                match self.columns[index].align {
                    Align::Left if index == end => line.push_str(&painted),
                    Align::Left => line.push_str(&(painted + &space)),
                    Align::Right => line.push_str(&(space + &painted)),
                }
                if index != end {
                    line.push_str(GAP);
                }
            }
            line.trim_end().to_owned()
        };
        if self.with_head {
            lines.push(line(&mut shown.iter().map(|index| (*index, self.columns[*index].title.as_ref(), HEADING))));
        }
        for row in &self.rows {
            lines.push(line(&mut shown.iter().map(|index| (*index, row[*index].text.as_str(), row[*index].style))));
        }
        lines.join("\n")
    }

    fn width_of(&self, index: usize) -> usize {
        let head = if self.with_head { columns(&self.columns[index].title) } else { 0 };
        self.rows.iter().map(|row| columns(&row[index].text)).max().unwrap_or(0).max(head)
    }
}

fn paint(text: &str, style: Style) -> String {
    if style == Style::new() || text.is_empty() { text.to_owned() } else { format!("{style}{text}{style:#}") }
}
