//! How much of each list fits on a terminal: what the screen of a project shows is to be seen at once.

/// How many tasks of a kind are shown where nobody knows how high the terminal is.
pub const SHOWN: usize = 10;
/// So many of each are shown on any terminal.
pub const SHOWN_MIN: usize = 2;
/// How many queues are shown where nobody knows how high the terminal is.
pub const QUEUES: usize = 20;
/// So many queues are shown on any terminal.
const QUEUES_MIN: usize = 4;

/// Divides lines among lists that have so many lines each: `least` for every list, then one after the other one more, those first
/// that come first.
pub fn divide<const N: usize>(lines: usize, wanted: [usize; N], least: usize) -> [usize; N] {
    let mut shown = wanted.map(|wanted| wanted.min(least));
    let mut left = lines.saturating_sub(shown.iter().sum());
    while left > 0 {
        let before = left;
        for (shown, wanted) in shown.iter_mut().zip(wanted) {
            if left > 0 && *shown < wanted {
                (*shown, left) = (*shown + 1, left - 1);
            }
        }
        if left == before {
            break;
        }
    }
    shown
}

/// Returns how many queues are shown on a terminal of so many lines: a sixth of it is theirs.
pub fn queues(rows: Option<usize>) -> usize {
    rows.map_or(QUEUES, |rows| (rows / 6).max(QUEUES_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_a_few_lines_and_then_one_after_the_other_one_more() {
        assert_eq!(divide(12, [30, 2, 40], 3), [5, 2, 5]);
        assert_eq!(divide(0, [30, 2, 40], 3), [3, 2, 3]);
        assert_eq!(divide(50, [3, 2, 1], 3), [3, 2, 1]);
        assert_eq!(divide(5, [9, 0, 9], 0), [3, 0, 2]);
        assert_eq!((queues(Some(24)), queues(Some(60)), queues(Some(1)), queues(None)), (4, 10, 4, 20));
    }
}
