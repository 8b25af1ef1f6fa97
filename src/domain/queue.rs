//! Who is next, and how many at once.

/// Returns how many further tasks may start.
///
/// Shape: `active` counts every attempt that holds a slot, starting ones included. A limit that was lowered below what
/// already runs leaves nothing.
pub fn free_slots(max_concurrent: u32, active: usize) -> usize {
    (max_concurrent as usize).saturating_sub(active)
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
