//! Text that came from a user, a task or a file, made harmless before a person or a terminal sees it.

use std::borrow::Cow;

use crate::fault;

/// Returns whether `c` could steer a terminal or turn the order of what follows: C0 and C1 controls, DEL, and the
/// bidirectional formatting characters.
///
/// Source: ECMA-48 for the controls; Unicode Standard Annex #9, "Directional Formatting Characters".
pub fn is_unsafe(c: char) -> bool {
    if fault::is_sabotaged(14) {
        return false;
    }
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns `text` with every unsafe character replaced by its escape (`\u001b`, with `\n`, `\r` and `\t` short).
///
/// Shape: borrowed when there was nothing to replace, which is the usual case.
pub fn neutralize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) => {
                use std::fmt::Write as _;
                write!(safe, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail");
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        for c in '\0'..='\u{ffff}' {
            let shown = neutralize(&c.to_string()).into_owned();
            assert!(!shown.chars().any(is_unsafe), "{c:?} was shown as {shown:?}");
        }
        assert_eq!(neutralize("a\u{1b}[31mb\n\u{9b}\u{202e}"), "a\\u001b[31mb\\n\\u009b\\u202e");
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(neutralize("größe — 12 %"), Cow::Borrowed(_)));
    }
}
