//! How values become text.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::domain::text::is_unsafe;

/// Returns `value` as JSON on one line, without a line end.
///
/// Shape: every character for which [`is_unsafe`] holds is escaped as `\u00xx` (line ends and the like by their short
/// forms), so that nothing in it steers a terminal; it stays valid JSON and reads back as what it was.
///
/// Errors: none are expected; the shapes of this room have no keys or numbers that JSON does not know.
pub fn line<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(256);
    let mut serializer = Serializer::with_formatter(&mut bytes, SafeFormatter(CompactFormatter));
    value.serialize(&mut serializer)?;
    // The formatter writes what serde_json writes, which is UTF-8, and ASCII.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Escapes what serde_json leaves as it is: DEL, the C1 controls and the bidirectional formatting characters.
struct SafeFormatter(CompactFormatter);

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_unsafe(*c)) {
            self.0.write_string_fragment(writer, &fragment[plain_from..at])?;
            // All of them are in the basic plane: one escape is enough.
            write!(writer, "\\u{:04x}", u32::from(c))?;
            plain_from = at + c.len_utf8();
        }
        self.0.write_string_fragment(writer, &fragment[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unsafe_character_is_escaped_and_reads_back() {
        for c in ('\0'..=char::MAX).filter(|c| is_unsafe(*c)) {
            let text = format!("a{c}b");
            let shown = line(&text).unwrap();
            assert!(!shown.chars().any(is_unsafe), "{c:?} was written as {shown:?}");
            assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }

    #[test]
    fn keys_are_escaped_as_values_are() {
        let labels = std::collections::BTreeMap::from([("k\u{1b}\u{9b}\u{202e}", "\u{7f}\n\"\\")]);
        insta::assert_snapshot!(line(&labels).unwrap(), @r#"{"k\u001b\u009b\u202e":"\u007f\n\"\\"}"#);
    }

    #[test]
    fn harmless_text_stays_readable() {
        insta::assert_snapshot!(line("größe — 12 % 🎉").unwrap(), @r#""größe — 12 % 🎉""#);
    }
}
