//! Text that fits the terminal: how wide it is, where it may break, where it is cut.
//!
//! Texts are harmless already: the only escapes in them are our own colours, which take no room.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Where a character ends, however many marks follow.
const CHARACTER_BYTES_MAX: usize = 64;

/// Returns how many columns `text` takes.
pub fn columns(text: &str) -> usize {
    clusters(text).map(|(_, columns)| columns).sum()
}

/// Returns `text` in at most `width` columns, with `…` at the end if it was cut.
pub fn cut(text: &str, width: usize) -> String {
    let (mut used, mut kept) = (0, 0);
    for (cluster, columns) in clusters(text) {
        used += columns;
        if used > width {
            return format!("{}…", &text[..kept]);
        }
        if used < width {
            kept += cluster.len();
        }
    }
    text.to_owned()
}

/// Breaks `text` into lines at its blanks: the first of at most `first` columns, the others of `rest`.
///
/// Shape: a word that is longer than a line is broken where the line ends. Blanks at a break go, all others stay. There
/// is at least one line; the first is empty if nothing fits on it. No line is without a character, however narrow.
pub fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut page = Page { lines: Vec::new(), line: String::new(), used: 0, room: first, rest };
    for (gap, word) in words(text) {
        let (gap_columns, columns) = (gap.len(), columns(word));
        if page.used + gap_columns + columns <= page.room {
            page.push(gap, gap_columns);
            page.push(word, columns);
        } else if columns <= rest {
            page.turn();
            page.push(word, columns);
        } else {
            // What has to break at least begins on a line of its own.
            if page.used > 0 {
                page.turn();
            } else if gap_columns < page.room {
                page.push(gap, gap_columns);
            }
            for (cluster, columns) in clusters(word) {
                if page.used + columns > page.room {
                    page.turn();
                }
                page.push(cluster, columns);
            }
        }
    }
    page.lines.push(page.line);
    page.lines
}

struct Page {
    lines: Vec<String>,
    line: String,
    used: usize,
    room: usize,
    rest: usize,
}

impl Page {
    fn push(&mut self, text: &str, columns: usize) {
        self.line.push_str(text);
        self.used += columns;
    }

    fn turn(&mut self) {
        // A line after the first that has nothing on it would only repeat itself.
        if self.used > 0 || self.lines.is_empty() {
            self.lines.push(std::mem::take(&mut self.line));
        }
        (self.used, self.room) = (0, self.rest);
    }
}

/// Returns the words of `text`, each with the blanks before it; blanks at the end have an empty word.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut left = text;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let from = left.find(|c| c != ' ').unwrap_or(left.len());
        let until = left[from..].find(' ').map_or(left.len(), |length| from + length);
        let word = (&left[..from], &left[from..until]);
        left = &left[until..];
        Some(word)
    })
}

/// Returns what must not be torn apart, and how many columns it takes: a colour, or a character with all that joins it.
fn clusters(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut left = text;
    std::iter::from_fn(move || {
        let (length, columns) = match left.chars().next()? {
            '\u{1b}' => (left.find('m').map_or(left.len(), |end| end + 1), 0),
            first => character(left, first),
        };
        let (cluster, rest) = left.split_at(length);
        left = rest;
        Some((cluster, columns))
    })
}

/// Returns the length of the character that `text` begins with, and its columns: marks belong to it, and so does what it
/// melts with, as skin tones and joined people do.
fn character(text: &str, first: char) -> (usize, usize) {
    // Most are of this kind, and lists are long.
    if first.is_ascii() && text.as_bytes().get(1).is_none_or(u8::is_ascii) {
        return (1, first.width().unwrap_or(0));
    }
    let (mut length, mut columns) = (first.len_utf8(), first.width().unwrap_or(0));
    for c in text[length..].chars() {
        let with = text[..length + c.len_utf8()].width();
        if c == '\u{1b}' || length > CHARACTER_BYTES_MAX || c.width() != Some(0) && with != columns {
            break;
        }
        (length, columns) = (length + c.len_utf8(), with);
    }
    (length, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrap("one two three", 7, 5), ["one two", "three"]);
        assert_eq!(wrap("one two three", 5, 5), ["one", "two", "three"]);
        assert_eq!(wrap("one  two", 8, 8), ["one  two"], "blanks inside a line stay");
        assert_eq!(wrap("one  two", 7, 7), ["one", "two"]);
        assert_eq!(wrap("", 5, 5), [""]);
    }

    #[test]
    fn a_word_longer_than_a_line_breaks_where_lines_end() {
        assert_eq!(wrap("abcdefghij", 4, 3), ["abcd", "efg", "hij"]);
        assert_eq!(wrap("x abcdefghij", 4, 4), ["x", "abcd", "efgh", "ij"]);
        assert_eq!(wrap("abc", 0, 3), ["", "abc"]);
        assert_eq!(wrap("漢字漢", 3, 3), ["漢", "字", "漢"], "half of one is not shown");
        assert_eq!(wrap("漢字", 1, 1), ["", "漢", "字"], "narrower than anything: it has to stand somewhere");
    }

    #[test]
    fn colours_take_no_room_and_are_not_torn() {
        let red = "\u{1b}[31mred\u{1b}[0m";
        assert_eq!(columns(red), 3);
        assert_eq!(wrap(&format!("{red} x"), 5, 5), [format!("{red} x")]);
        assert_eq!(wrap(red, 2, 2), ["\u{1b}[31mre", "d\u{1b}[0m"]);
    }

    #[test]
    fn what_belongs_together_is_cut_together() {
        for (text, width, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("漢字", 4, "漢字"),
            ("漢字漢", 5, "漢字…"),
            ("漢字漢", 4, "漢…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 4, "👩‍👩‍👧…"),
            ("❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}", 5, "❤\u{fe0f}❤\u{fe0f}…"),
            ("👍🏽👍🏽", 3, "👍🏽…"),
        ] {
            assert_eq!(cut(text, width), expected, "{text} {width}");
            assert!(cut(text, width).width() <= width);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_too_wide(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "a", "bcd", " ", "  ", "漢", "🎉", "e\u{301}", "\u{200d}", "\u{fe0f}", "❤", "🏽", "\u{1b}[1m", "\u{1b}[0m",
                ]),
                0..60,
            ),
            first in 0_usize..30,
            rest in 2_usize..30,
        ) {
            let text = parts.concat();
            let lines = wrap(&text, first, rest);
            for (at, line) in lines.iter().enumerate() {
                proptest::prop_assert!(columns(line) <= if at == 0 { first } else { rest }, "{line:?}");
            }
            let without_blanks = |text: &str| text.replace(' ', "");
            proptest::prop_assert_eq!(without_blanks(&lines.concat()), without_blanks(&text));
            proptest::prop_assert!(columns(&cut(&text, rest)) <= rest);
        }
    }
}
