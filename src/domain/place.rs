//! Where a task stands among those of its queue and priority, and putting it elsewhere.
//!
//! A task that was never moved stands at its number times [`POSITION_STEP`]. Between two such places there is room for others;
//! where that is used up, those in it are spread anew.

use crate::domain::id::TaskId;
use crate::domain::queue::POSITION_STEP;
use crate::domain::task::{State, Task};

/// Where a task is to come, among those that wait in its queue with its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In front of all.
    Top,
    /// In front of this one.
    Before(TaskId),
}

/// Why a task was not moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotMoved {
    /// There is no such task, or none of the one it was to come before.
    NotFound(TaskId),
    /// It does not wait.
    State(Box<Task>),
    /// The one it was to come before does not wait.
    Passed(Box<Task>),
    /// The one it was to come before is in another queue, or has another priority.
    Apart(Box<Task>),
    /// It cannot come before itself.
    Itself,
}

/// Returns whether it matters where a task in this state stands.
pub fn is_placed(state: State) -> bool {
    state.is_waiting() || state == State::Queued
}

/// Returns where a task of this number stands that was never moved.
pub fn of_number(id: TaskId) -> i64 {
    id.as_i64().saturating_mul(POSITION_STEP)
}

/// Returns the last place before `at` that is that of a number.
pub fn floor(at: i64) -> i64 {
    at.saturating_sub(1).div_euclid(POSITION_STEP).saturating_mul(POSITION_STEP)
}

/// Returns a place after `from` and before `at`; `None` if there is none.
pub fn between(from: i64, at: i64) -> Option<i64> {
    let room = at.saturating_sub(from);
    (room >= 2).then(|| from + room / 2)
}

/// Returns places for `count` tasks, all of them after `floor`, which is that of a number, and before the next one.
pub fn spread(floor: i64, count: usize) -> impl Iterator<Item = i64> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let step = (POSITION_STEP / count.saturating_add(1)).max(1);
    (1..=count).map(move |n| floor.saturating_add(n.saturating_mul(step)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_between_two_numbers() {
        let place = |n| of_number(TaskId::new(n).unwrap());
        assert_eq!(floor(place(7)), place(6));
        assert_eq!(floor(place(7) + 1), place(7));
        assert_eq!(floor(place(1)), 0);
        assert_eq!(floor(0), -POSITION_STEP);
        assert_eq!(between(place(6), place(7)), Some(place(6) + POSITION_STEP / 2));
        assert_eq!((between(5, 7), between(5, 6), between(5, 5)), (Some(6), None, None));
    }

    #[test]
    fn what_is_spread_stays_in_order_and_between() {
        for count in [0, 1, 2, 3, 1_000, 100_000] {
            let places: Vec<i64> = spread(0, count).collect();
            assert_eq!(places.len(), count);
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{count}");
            assert!(places.iter().all(|place| *place > 0 && *place < POSITION_STEP), "{count}");
        }
    }
}
