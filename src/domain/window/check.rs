//! Windows that contradict one another.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use crate::domain::window::{Clock, Window, word};

/// From this Monday on windows are laid beside one another: all days of the week, and all changes of a year's clocks.
const MONDAY: Date = date(2026, 1, 5);
/// A year and some weeks.
const DAYS: i32 = 400;

/// When two windows are open that say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// The day, on the clock of the first one.
    pub day: &'static str,
    /// The time.
    pub clock: Clock,
}

/// Returns when two windows are open at the same time that each say how many tasks may run, and not the same; `None` if
/// that is never so.
///
/// Shape: queues that are paused add up, so they cannot contradict. Windows of two zones are compared over a year; those
/// of one over a fortnight.
pub fn conflict(one: &Window, other: &Window) -> Option<Conflict> {
    let (Some(mine), Some(theirs)) = (one.max_concurrent, other.max_concurrent) else { return None };
    if mine == theirs {
        return None;
    }
    let days = if one.zone == other.zone { 15 } else { DAYS };
    let of = |window: &Window| -> Vec<_> {
        (0..=days).filter_map(|days| window.on(MONDAY.checked_add(days.days()).ok()?)).collect()
    };
    let (mine, theirs) = (of(one), of(other));
    let mut rest = theirs.as_slice();
    for (opens, closes) in mine {
        // Both are in order, so what has closed before this one opens is behind all that follow.
        while rest.first().is_some_and(|(_, end)| *end <= opens) {
            rest = &rest[1..];
        }
        if let Some((begins, _)) = rest.first().filter(|(begins, _)| *begins < closes) {
            let at = one.zone.rules.to_datetime(opens.max(*begins));
            return Some(Conflict { day: word(at.weekday()), clock: Clock::of(at.time()) });
        }
    }
    None
}
