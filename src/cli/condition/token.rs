//! The pieces of a condition as it is typed, each with its place.

use std::ops::Range;

use crate::cli::condition::{Error, Fault};
use crate::domain::condition::Comparison;

/// A piece, and between which characters it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) what: What,
    pub(super) at: Range<usize>,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A word without quotes.
    Word(String),
    /// What stood in quotes.
    Quoted(String),
    /// A comparison; `true` for its opposite.
    Operator(Comparison, bool),
    Open,
    Close,
    Comma,
}

/// Takes a condition apart.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        if c.is_whitespace() {
            at += 1;
            continue;
        }
        let (what, length) = match c {
            '(' => (What::Open, 1),
            ')' => (What::Close, 1),
            ',' => (What::Comma, 1),
            '\'' | '"' => quoted(&chars[at..]).ok_or_else(|| Error::new(text, at..chars.len(), Fault::Quote(*c)))?,
            _ => match operator(&chars[at..]) {
                Some((how, is_not, length)) => (What::Operator(how, is_not), length),
                None => word(&chars[at..]),
            },
        };
        if length == 0 {
            return Err(Error::new(text, at..at + 1, Fault::Sign(*c)));
        }
        tokens.push(Token { what, at: at..at + length });
        at += length;
    }
    Ok(tokens)
}

fn quoted(chars: &[char]) -> Option<(What, usize)> {
    let end = chars.iter().skip(1).position(|c| c == &chars[0])?;
    Some((What::Quoted(chars[1..=end].iter().collect()), end + 2))
}

fn operator(chars: &[char]) -> Option<(Comparison, bool, usize)> {
    let second = chars.get(1).copied();
    Some(match (chars[0], second) {
        ('=', Some('=')) => (Comparison::Equal, false, 2),
        ('=', _) => (Comparison::Equal, false, 1),
        ('!', Some('=')) => (Comparison::Equal, true, 2),
        ('!', Some('~')) => (Comparison::Matches, true, 2),
        ('<', Some('=')) => (Comparison::LessOrEqual, false, 2),
        ('<', _) => (Comparison::Less, false, 1),
        ('>', Some('=')) => (Comparison::GreaterOrEqual, false, 2),
        ('>', _) => (Comparison::Greater, false, 1),
        ('~', _) => (Comparison::Matches, false, 1),
        _ => return None,
    })
}

/// A word ends where something else begins.
fn word(chars: &[char]) -> (What, usize) {
    let ends = |c: &char| c.is_whitespace() || "()',\"=!<>~&|".contains(*c);
    let length = chars.iter().position(ends).unwrap_or(chars.len());
    (What::Word(chars[..length].iter().collect()), length)
}
