//! Queues: who is next, and how many at once.

use crate::domain::time::Timestamp;

/// A queue as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// How many of its tasks may hold a slot at once; 0 is no limit of its own.
    pub slots: u32,
    /// Its share where queues take turns; `None` if nobody gave it one, which is that of 1.
    pub weight: Option<u32>,
    /// Set while nothing of it is started.
    pub pause: Option<QueuePause>,
    /// How many of its tasks hold a slot.
    pub active: u64,
    /// How many are ready.
    pub queued: u64,
    /// How many wait for something other than a slot.
    pub waiting: u64,
}

/// Why and how long nothing of a queue is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueuePause {
    /// Since when.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: Option<String>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// Longest name of a queue, in bytes.
pub const QUEUE_NAME_BYTES_MAX: usize = 64;

/// Checks the name of a queue: letters, digits, `.`, `_` and `-`, so that it can be typed, listed and set as a variable
/// without quotes.
pub fn check_queue_name(name: &str) -> Result<(), InvalidQueueName> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let good =
        !name.is_empty() && name.len() <= QUEUE_NAME_BYTES_MAX && name.chars().all(fits) && !name.starts_with('-');
    if good { Ok(()) } else { Err(InvalidQueueName(name.to_owned())) }
}

/// A text that cannot be the name of a queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("queue name `{0}` needs 1 to 64 bytes of letters, digits, `.`, `_` and `-`, and no `-` at its beginning")]
pub struct InvalidQueueName(pub String);

/// Returns how many further tasks may start.
///
/// Shape: `active` counts every attempt that holds a slot, starting ones included. A limit that was lowered below what
/// already runs leaves nothing.
pub fn free_slots(max_concurrent: u32, active: usize) -> usize {
    (max_concurrent as usize).saturating_sub(active)
}

/// Returns how many further tasks of a queue may start, as far as the queue's own limit goes.
///
/// Shape: 0 slots are no limit of its own.
pub fn free_in_queue(slots: u32, active: usize) -> usize {
    if slots == 0 { usize::MAX } else { free_slots(slots, active) }
}

/// Returns the lowest slot number, from 0, that is not among `taken`.
///
/// Shape: `taken` in any order, without repetitions.
pub fn lowest_free_slot(taken: &[u32]) -> u32 {
    let mut used = vec![false; taken.len() + 1];
    for slot in taken {
        if let Some(place) = used.get_mut(*slot as usize) {
            *place = true;
        }
    }
    let free = used.iter().position(|used| !used).expect("one place more than there are slots taken");
    u32::try_from(free).unwrap_or(u32::MAX)
}

/// The distance between the positions of two tasks added one after the other, so that others fit between them.
pub const POSITION_STEP: i64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_never_go_below_none() {
        assert_eq!(free_slots(3, 1), 2);
        assert_eq!(free_slots(3, 3), 0);
        assert_eq!(free_slots(1, 3), 0);
        assert_eq!(free_slots(0, 0), 0);
        assert_eq!(free_in_queue(2, 1), 1);
        assert_eq!(free_in_queue(2, 5), 0);
        assert_eq!(free_in_queue(0, 5), usize::MAX);
    }

    #[test]
    fn the_lowest_gap_is_taken() {
        assert_eq!(lowest_free_slot(&[]), 0);
        assert_eq!(lowest_free_slot(&[0, 1, 2]), 3);
        assert_eq!(lowest_free_slot(&[2, 0]), 1);
        assert_eq!(lowest_free_slot(&[7, 9]), 0);
    }

    proptest::proptest! {
        #[test]
        fn the_slot_is_free_and_all_below_are_taken(taken in proptest::collection::btree_set(0_u32..20, 0..20)) {
            let taken: Vec<u32> = taken.into_iter().collect();
            let slot = lowest_free_slot(&taken);
            proptest::prop_assert!(!taken.contains(&slot));
            proptest::prop_assert!((0..slot).all(|below| taken.contains(&below)));
        }
    }
}
