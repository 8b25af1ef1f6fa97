//! Conditions on tasks: what is known of them compared with a value, put together by and, or and not.
//!
//! A condition is true or false of every task: what a task does not have is neither equal to, nor less or more than
//! anything. Every store evaluates it in its own way, and to the same end.

use crate::domain::field::{Field, Kind, Value};
use crate::domain::task::State;
use crate::domain::time::Timestamp;

/// A condition, asked at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What has not ended lasts until then.
    pub at: Timestamp,
    /// What has to hold.
    pub term: Term,
}

/// A part of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// All of these hold; true if there are none.
    All(Vec<Term>),
    /// At least one of these holds.
    Any(Vec<Term>),
    /// This does not hold.
    Not(Box<Term>),
    /// There is a value.
    Has(Field),
    /// There is a value, and it compares like this.
    Test {
        /// What is compared.
        field: Field,
        /// How.
        how: Comparison,
        /// With what.
        value: Value,
    },
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// They are the same.
    Equal,
    /// The first is less.
    Less,
    /// The first is not more.
    LessOrEqual,
    /// The first is more.
    Greater,
    /// The first is not less.
    GreaterOrEqual,
    /// The first matches the second, a glob (`*`, `?`, `[…]`).
    Matches,
}

/// A condition that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCondition {
    /// So many comparisons are too many.
    #[error("the condition has more than {TESTS_MAX} comparisons")]
    TooMany,
    /// Put together in too many layers.
    #[error("the condition has more than {DEPTH_MAX} layers of parentheses")]
    TooDeep,
    /// No state of that name.
    #[error("`{0}` is no state")]
    State(String),
    /// The field is not compared in this way.
    #[error("`{0}` cannot be compared like this")]
    Comparison(Field),
}

/// How many comparisons a condition may have: the limit keeps what is made of it far from those of databases.
pub const TESTS_MAX: usize = 200;
/// In how many layers they may be put together.
pub const DEPTH_MAX: usize = 32;

impl Comparison {
    /// Returns whether values of this kind are compared so.
    pub fn suits(self, kind: Kind) -> bool {
        match self {
            Self::Equal => true,
            Self::Matches => kind == Kind::Text,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => {
                matches!(kind, Kind::Number | Kind::Signal | Kind::Instant | Kind::Length)
            }
        }
    }
}

impl Condition {
    /// Returns the condition if it is one that can be asked.
    pub fn checked(self) -> Result<Self, InvalidCondition> {
        let mut tests = 0;
        self.term.check(0, &mut tests)?;
        Ok(self)
    }

    /// Returns the parts that all have to hold.
    pub fn parts(&self) -> &[Term] {
        match &self.term {
            Term::All(terms) => terms,
            term => std::slice::from_ref(term),
        }
    }

    /// Returns in which states alone it can hold, `starting` with `running`; `None` if it does not say.
    pub fn states(&self) -> Option<Vec<State>> {
        self.parts().iter().find_map(Term::states)
    }
}

impl Term {
    fn check(&self, depth: usize, tests: &mut usize) -> Result<(), InvalidCondition> {
        if depth > DEPTH_MAX {
            return Err(InvalidCondition::TooDeep);
        }
        match self {
            Self::All(terms) | Self::Any(terms) => terms.iter().try_for_each(|term| term.check(depth + 1, tests)),
            Self::Not(term) => term.check(depth + 1, tests),
            Self::Has(_) | Self::Test { .. } => {
                *tests += 1;
                if *tests > TESTS_MAX { Err(InvalidCondition::TooMany) } else { self.check_kinds() }
            }
        }
    }

    fn check_kinds(&self) -> Result<(), InvalidCondition> {
        let Self::Test { field, how, value } = self else { return Ok(()) };
        if let (Kind::State, Value::Text(word)) = (field.kind(), value)
            && State::from_word(word).is_none_or(|state| state.shown() != state)
        {
            return Err(InvalidCondition::State(word.clone()));
        }
        let is_text = matches!(field.kind(), Kind::Text | Kind::State);
        let is_same = matches!(value, Value::Text(_)) == is_text;
        if is_same && how.suits(field.kind()) { Ok(()) } else { Err(InvalidCondition::Comparison(field.clone())) }
    }

    /// Returns the states of a comparison with a state, or of several of which one has to hold.
    fn states(&self) -> Option<Vec<State>> {
        match self {
            Self::Test { field: Field::State, how: Comparison::Equal, value: Value::Text(word) } => {
                let shown = State::from_word(word).map(State::shown);
                Some(State::ALL.into_iter().filter(|state| Some(state.shown()) == shown).collect())
            }
            Self::Any(terms) => {
                let states: Vec<Vec<State>> = terms.iter().map(Self::states).collect::<Option<_>>()?;
                let states = states.concat();
                Some(State::ALL.into_iter().filter(|state| states.contains(state)).collect())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(word: &str) -> Term {
        Term::Test { field: Field::State, how: Comparison::Equal, value: Value::Text(word.to_owned()) }
    }

    fn of(term: Term) -> Condition {
        Condition { at: Timestamp(0), term }
    }

    #[test]
    fn the_states_that_it_can_hold_in_are_known_where_it_says_so() {
        let either = Term::Any(vec![state("running"), state("failed")]);
        let expected = Some(vec![State::Starting, State::Running, State::Failed]);
        assert_eq!(of(either.clone()).states(), expected);
        assert_eq!(of(Term::All(vec![Term::Has(Field::Name), either.clone()])).states(), expected);
        assert_eq!(of(Term::Any(vec![Term::Has(Field::Name), either])).states(), None);
        assert_eq!(of(Term::Not(Box::new(state("failed")))).states(), None);
    }

    #[test]
    fn a_state_that_nobody_sees_is_none() {
        for word in ["starting", "faild", ""] {
            assert_eq!(of(state(word)).checked(), Err(InvalidCondition::State(word.to_owned())));
        }
        assert!(of(state("running")).checked().is_ok());
    }

    #[test]
    fn what_is_too_large_or_compares_what_cannot_be_compared_is_refused() {
        let deep = (0..=DEPTH_MAX).fold(state("failed"), |term, _| Term::Not(Box::new(term)));
        assert_eq!(of(deep).checked(), Err(InvalidCondition::TooDeep));
        let many = |n| of(Term::Any(vec![state("failed"); n])).checked();
        assert!(many(TESTS_MAX).is_ok());
        assert_eq!(many(TESTS_MAX + 1), Err(InvalidCondition::TooMany));
        let test = |field: Field, how, value| of(Term::Test { field, how, value }).checked();
        assert!(test(Field::Id, Comparison::Less, Value::Number(3)).is_ok());
        for (field, how, value) in [
            (Field::Id, Comparison::Equal, Value::Text("3".to_owned())),
            (Field::Id, Comparison::Matches, Value::Number(3)),
            (Field::Name, Comparison::Less, Value::Text("b".to_owned())),
            (Field::State, Comparison::Matches, Value::Text("failed".to_owned())),
        ] {
            assert_eq!(test(field.clone(), how, value), Err(InvalidCondition::Comparison(field)));
        }
    }
}
