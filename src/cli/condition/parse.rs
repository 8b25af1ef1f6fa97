//! Puts a condition together: `or` of `and` of `not` of comparisons.

use std::ops::Range;

use jiff::Zoned;

use crate::cli::condition::token::{Token, What, tokens};
use crate::cli::condition::value::{self, Subject};
use crate::cli::condition::{Error, Fault};
use crate::domain::condition::{Comparison, DEPTH_MAX, TESTS_MAX, Term};

/// Reads what has to hold.
pub(super) fn term(text: &str, now: &Zoned) -> Result<Term, Error> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, now, tokens: &tokens, at: 0, depth: 0, tests: 0 };
    if tokens.is_empty() {
        return Err(parser.error(0..0, Fault::Empty));
    }
    let term = parser.either()?;
    match parser.peek() {
        None => Ok(term),
        Some(Token { what: What::Close, at }) => Err(parser.error(at.clone(), Fault::Unopened)),
        Some(Token { at, .. }) => Err(parser.error(at.clone(), Fault::Surplus)),
    }
}

struct Parser<'a> {
    text: &'a str,
    now: &'a Zoned,
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    tests: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, at: Range<usize>, fault: Fault) -> Error {
        Error::new(self.text, at, fault)
    }

    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    /// Returns where something is missing: at the next piece, or behind the last.
    fn here(&self) -> Range<usize> {
        self.peek().map_or_else(
            || {
                let end = self.tokens.last().map_or(0, |token| token.at.end);
                end..end
            },
            |token| token.at.clone(),
        )
    }

    /// Takes the next piece if it is this word, in any case.
    fn takes(&mut self, word: &str) -> bool {
        let found =
            matches!(self.peek(), Some(Token { what: What::Word(found), .. }) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn either(&mut self) -> Result<Term, Error> {
        let mut terms = vec![self.both()?];
        while self.takes("or") {
            terms.push(self.both()?);
        }
        Ok(joined(terms, Term::Any))
    }

    fn both(&mut self) -> Result<Term, Error> {
        let mut terms = vec![self.single()?];
        while self.takes("and") {
            terms.push(self.single()?);
        }
        Ok(joined(terms, Term::All))
    }

    fn single(&mut self) -> Result<Term, Error> {
        let at = self.here();
        // Each of them may be two layers of what is sent: an `or`, and an `and` in it.
        if self.depth > DEPTH_MAX / 2 - 2 {
            return Err(self.error(at, Fault::TooDeep));
        }
        self.depth += 1;
        let term = if self.takes("not") {
            match self.single()? {
                Term::Not(inner) => *inner,
                term => Term::Not(Box::new(term)),
            }
        } else if matches!(self.peek(), Some(Token { what: What::Open, .. })) {
            self.at += 1;
            let term = self.either()?;
            match self.peek() {
                Some(Token { what: What::Close, .. }) => self.at += 1,
                Some(Token { at, .. }) => return Err(self.error(at.clone(), Fault::Surplus)),
                None => return Err(self.error(at, Fault::Unclosed)),
            }
            term
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(term)
    }

    /// A field, and what it is compared with.
    fn test(&mut self) -> Result<Term, Error> {
        let Some(Token { what: What::Word(word), at }) = self.peek() else {
            return Err(self.error(self.here(), Fault::FieldMissing));
        };
        if is_keyword(word) {
            return Err(self.error(at.clone(), Fault::FieldMissing));
        }
        let subject = Subject::from_word(word).ok_or_else(|| self.error(at.clone(), Fault::Field(word.clone())))?;
        self.at += 1;
        self.count(at.clone())?;
        let Some(Token { what: What::Operator(how, is_not), at }) = self.peek() else {
            return match subject {
                Subject::Field(field) => Ok(Term::Has(field)),
                Subject::Age => Err(self.error(self.here(), Fault::ValueMissing(subject.field()))),
            };
        };
        self.at += 1;
        subject.check(*how).map_err(|fault| self.error(at.clone(), fault))?;
        let mut terms = vec![self.value(&subject, *how)?];
        while matches!(self.peek(), Some(Token { what: What::Comma, .. })) {
            let comma = self.here();
            if !matches!(how, Comparison::Equal | Comparison::Matches) {
                return Err(self.error(comma, Fault::Several));
            }
            self.at += 1;
            self.count(comma)?;
            terms.push(self.value(&subject, *how)?);
        }
        let term = joined(terms, Term::Any);
        Ok(if *is_not { Term::Not(Box::new(term)) } else { term })
    }

    fn count(&mut self, at: Range<usize>) -> Result<(), Error> {
        self.tests += 1;
        if self.tests > TESTS_MAX { Err(self.error(at, Fault::TooMany)) } else { Ok(()) }
    }

    /// The next value, read as its field asks for it. Times may be several words.
    fn value(&mut self, subject: &Subject, how: Comparison) -> Result<Term, Error> {
        let (mut text, mut at) = match self.peek() {
            Some(Token { what: What::Quoted(text), at }) => (text.clone(), at.clone()),
            Some(Token { what: What::Word(word), at }) if !is_keyword(word) => (word.clone(), at.clone()),
            _ => return Err(self.error(self.here(), Fault::ValueMissing(subject.field()))),
        };
        self.at += 1;
        if subject.is_instant() {
            while let Some(Token { what: What::Word(word), at: further }) = self.peek()
                && !is_keyword(word)
            {
                text = format!("{text} {word}");
                at.end = further.end;
                self.at += 1;
            }
        }
        value::test(subject, how, &text, self.now).map_err(|fault| self.error(at, fault))
    }
}

fn is_keyword(word: &str) -> bool {
    ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// One term is what it is; several are put together, those of the same sort in one layer.
fn joined(mut terms: Vec<Term>, by: fn(Vec<Term>) -> Term) -> Term {
    if terms.len() == 1 {
        return terms.remove(0);
    }
    let is_all = matches!(by(Vec::new()), Term::All(_));
    let flat = terms.into_iter().flat_map(|term| match term {
        Term::All(inner) if is_all => inner,
        Term::Any(inner) if !is_all => inner,
        term => vec![term],
    });
    by(flat.collect())
}
