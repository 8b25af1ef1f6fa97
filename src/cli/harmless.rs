//! What a task wrote, made harmless for a terminal, piece by piece.
//!
//! Line ends, tabs and text stay; colours (SGR sequences) stay if they may; everything else that could steer the
//! terminal is shown as text: `\u001b`. A carriage return alone, by which a later text could hide an earlier one, becomes
//! a line end. Pieces may be cut anywhere, also within a character or a sequence.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::domain::text::is_unsafe;

/// Longest SGR sequence that is passed on, ESC and `m` included. Real ones are shorter.
const SGR_BYTES_MAX: usize = 64;

/// A filter for one stream of output.
#[derive(Debug, Clone, Default)]
pub struct Harmless {
    colors: bool,
    /// Bytes whose meaning depends on what follows: the beginning of a character or of an SGR sequence, or a carriage
    /// return.
    pending: Vec<u8>,
    /// A colour may be in force.
    colored: bool,
}

impl Harmless {
    /// Makes a filter that keeps colours or shows them as text.
    pub fn new(colors: bool) -> Self {
        Self { colors, ..Self::default() }
    }

    /// Returns what of the stream can be shown after this piece.
    pub fn pass(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.extend_from_slice(piece);
        let mut shown = String::with_capacity(bytes.len() + 16);
        let used = self.show(&bytes, &mut shown, false);
        self.pending = bytes.split_off(used);
        shown
    }

    /// Returns what is left at the end of the stream, and the end of any colour.
    pub fn finish(&mut self) -> String {
        let bytes = std::mem::take(&mut self.pending);
        let mut shown = String::new();
        self.show(&bytes, &mut shown, true);
        if std::mem::take(&mut self.colored) {
            shown.push_str("\u{1b}[0m");
        }
        shown
    }

    /// Appends what `bytes` comes to and returns how many of them are done; all of them if `last`.
    fn show(&mut self, bytes: &[u8], shown: &mut String, last: bool) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let Some((c, length)) = first_char(rest, last) else { return at };
            match c {
                '\n' | '\t' => shown.push(c),
                '\r' => match rest.get(1) {
                    Some(b'\n') => {}
                    Some(_) => shown.push('\n'),
                    None if last => shown.push('\n'),
                    None => return at,
                },
                '\u{1b}' if self.colors => match sgr(rest) {
                    Sgr::Whole(sequence) => {
                        shown.push_str(sequence);
                        self.colored = true;
                        at += sequence.len();
                        continue;
                    }
                    Sgr::Begun if !last => return at,
                    Sgr::Begun | Sgr::None => push_escaped(shown, c),
                },
                c if is_unsafe(c) => push_escaped(shown, c),
                c => shown.push(c),
            }
            at += length;
        }
        at
    }
}

/// Turns bytes into text piece by piece, for JSON: what is not UTF-8 becomes U+FFFD, but not because a piece ended in
/// the middle of a character.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    /// Returns the text that is complete after this piece.
    pub fn pass(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.extend_from_slice(piece);
        let cut = bytes.len() - unfinished(&bytes);
        self.pending = bytes.split_off(cut);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns how many bytes wait for the rest of their character.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Returns what is left at the end.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// Returns how many bytes at the end of `bytes` begin a character that is not there as a whole.
fn unfinished(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    (from..bytes.len())
        .find(|start| matches!(std::str::from_utf8(&bytes[*start..]), Err(e) if e.valid_up_to() == 0 && e.error_len().is_none()))
        .map_or(0, |start| bytes.len() - start)
}

/// Returns the first character of `bytes` and its length in bytes; U+FFFD for what is none. `None` if more bytes are
/// needed to tell.
fn first_char(bytes: &[u8], last: bool) -> Option<(char, usize)> {
    let head = &bytes[..bytes.len().min(4)];
    let text: Cow<'_, str> = match std::str::from_utf8(head) {
        Ok(text) => text.into(),
        Err(error) if error.valid_up_to() > 0 => String::from_utf8_lossy(&head[..error.valid_up_to()]),
        Err(error) => {
            return match error.error_len() {
                Some(length) => Some((char::REPLACEMENT_CHARACTER, length)),
                None if last => Some((char::REPLACEMENT_CHARACTER, head.len())),
                None => None,
            };
        }
    };
    text.chars().next().map(|c| (c, c.len_utf8()))
}

enum Sgr<'a> {
    Whole(&'a str),
    Begun,
    None,
}

/// Looks for `ESC [ digits ; : m` at the beginning of `bytes`.
fn sgr(bytes: &[u8]) -> Sgr<'_> {
    if bytes.len() > 1 && bytes[1] != b'[' {
        return Sgr::None;
    }
    for (index, byte) in bytes.iter().enumerate().take(SGR_BYTES_MAX).skip(2) {
        match byte {
            b'0'..=b'9' | b';' | b':' => {}
            b'm' => return std::str::from_utf8(&bytes[..=index]).map_or(Sgr::None, Sgr::Whole),
            _ => return Sgr::None,
        }
    }
    if bytes.len() < SGR_BYTES_MAX { Sgr::Begun } else { Sgr::None }
}

fn push_escaped(shown: &mut String, c: char) {
    write!(shown, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8], colors: bool) -> String {
        let mut filter = Harmless::new(colors);
        filter.pass(bytes) + &filter.finish()
    }

    #[test]
    fn text_lines_and_tabs_stay() {
        assert_eq!(whole("größe\t1\nzwei 🎉\r\n".as_bytes(), true), "größe\t1\nzwei 🎉\n");
    }

    #[test]
    fn what_steers_is_shown_as_text() {
        for (bytes, shown) in [
            (&b"\x1b[2J"[..], "\\u001b[2J"),
            (b"\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
            (b"a\x08b", "a\\u0008b"),
            ("\u{9b}31m\u{202e}".as_bytes(), "\\u009b31m\\u202e"),
            (b"\x9b31m", "\u{fffd}31m"),
            (b"50%\r51%\r", "50%\n51%\n"),
            (b"\x7f\x00", "\\u007f\\u0000"),
        ] {
            assert_eq!(whole(bytes, true), shown, "{bytes:?}");
        }
    }

    #[test]
    fn colours_stay_if_they_may_and_end_with_the_stream() {
        assert_eq!(whole(b"\x1b[1;31mred\x1b[m\n", true), "\u{1b}[1;31mred\u{1b}[m\n\u{1b}[0m");
        assert_eq!(whole(b"\x1b[31mred", false), "\\u001b[31mred");
        assert_eq!(whole(b"\x1b[3", true), "\\u001b[3");
        assert_eq!(whole(b"\x1b[?25l", true), "\\u001b[?25l");
        let endless = [b"\x1b[".as_slice(), &[b'1'; 100], b"m"].concat();
        assert!(whole(&endless, true).starts_with("\\u001b[111"));
    }

    #[test]
    fn half_a_character_waits_for_its_other_half() {
        let mut filter = Harmless::new(true);
        assert_eq!(filter.pass(b"gr\xc3"), "gr");
        assert_eq!(filter.pass(b"\xb6\x1b[3"), "ö");
        assert_eq!(filter.pass(b"1mx\r"), "\u{1b}[31mx");
        assert_eq!(filter.pass(b"\ny"), "\ny");
        assert_eq!(filter.finish(), "\u{1b}[0m");
    }

    fn is_harmless(text: &str) -> bool {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| is_unsafe(c) && c != '\n' && c != '\t') {
            match sgr(&rest.as_bytes()[at..]) {
                Sgr::Whole(sequence) => rest = &rest[at + sequence.len()..],
                _ => return false,
            }
        }
        true
    }

    proptest::proptest! {
        #[test]
        fn where_pieces_are_cut_changes_nothing(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "a", "\u{1b}", "[", "3", ";", "m", "\r", "\n", "ö", "\u{202e}", "\u{9b}", "🎉", "\u{7}", "]0;",
                ]),
                0..30,
            ),
            stray in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..4),
            cuts in proptest::collection::vec(0_usize..64, 0..6),
            colors in proptest::prelude::any::<bool>(),
        ) {
            let bytes = [parts.concat().into_bytes(), stray, parts.concat().into_bytes()].concat();
            let expected = whole(&bytes, colors);
            proptest::prop_assert!(is_harmless(&expected), "{expected:?}");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut filter, mut decoder) = (Harmless::new(colors), Decoder::default());
            let (mut shown, mut decoded) = (String::new(), String::new());
            for pair in cuts.windows(2) {
                shown += &filter.pass(&bytes[pair[0]..pair[1]]);
                decoded += &decoder.pass(&bytes[pair[0]..pair[1]]);
            }
            proptest::prop_assert_eq!(shown + &filter.finish(), expected);
            proptest::prop_assert_eq!(decoded + &decoder.finish(), String::from_utf8_lossy(&bytes));
        }
    }
}
