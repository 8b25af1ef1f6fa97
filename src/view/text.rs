//! Text that is for another program, in an object because JSON was asked for.

use serde::Serialize;

/// A text as it would have been printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextView<'a> {
    text: &'a str,
}

impl<'a> TextView<'a> {
    /// Returns the view of a text.
    pub fn of(text: &'a str) -> Self {
        Self { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    #[test]
    fn one_key() {
        insta::assert_snapshot!(json::line(&TextView::of("a\nb\u{1b}")).unwrap(), @r#"{"text":"a\nb\u001b"}"#);
    }
}
