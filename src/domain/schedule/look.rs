//! What follows when somebody looks at a schedule that is due, perhaps late.

use std::time::Duration;

use crate::domain::schedule::{Missed, Timetable};
use crate::domain::time::Timestamp;

/// How much later than it is due a time is come to for it to be missed. Less than that is the machine being busy.
pub const LATE_AFTER: Duration = Duration::from_secs(60);
/// For so many times that were missed tasks are added, with [`Missed::All`]; for those before them there are none.
pub const MISSED_MAX: usize = 100;
/// How far back is looked first; four times as far each time after that.
const WINDOW_MS: i64 = 3_600_000;

/// What is to be done about the times of a schedule that have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The times for each of which a task is added, in order.
    pub fire: Vec<Timestamp>,
    /// Times for which none is: the first and the last of them.
    pub left_out: Option<(Timestamp, Timestamp)>,
    /// The first time after all of these; `None` if there is none.
    pub next: Option<Timestamp>,
}

impl Timetable {
    /// Looks at a schedule whose next time was to be `cursor`, which has come by `now`.
    ///
    /// Shape: a time is missed if a later one has come as well, or if it is come to later than [`LATE_AFTER`]. `cursor`
    /// counts as one of its times, whatever the rules of the zone say by now. None is named that is later than `now`.
    pub fn look(&self, missed: Missed, cursor: Timestamp, now: Timestamp) -> Look {
        let most = if missed == Missed::All { MISSED_MAX } else { 1 };
        let (fire, before) = self.due(cursor, now, most);
        let next = self.next(now.max(cursor));
        let last = fire.last().copied().unwrap_or(cursor);
        if missed == Missed::Skip && now.since(last) > LATE_AFTER {
            return Look { fire: Vec::new(), left_out: Some((cursor, last)), next };
        }
        let left_out = match missed {
            // One stands for all.
            Missed::Once => None,
            Missed::Skip | Missed::All => before.map(|before| (cursor, before)),
        };
        Look { fire, left_out, next }
    }

    /// Returns the latest times from `cursor` to `now`, at most so many, and the last of those before them.
    fn due(&self, cursor: Timestamp, now: Timestamp, most: usize) -> (Vec<Timestamp>, Option<Timestamp>) {
        let mut window = WINDOW_MS;
        loop {
            let from = cursor.max(Timestamp(now.0.saturating_sub(window)));
            let whole = from == cursor;
            let mut times: Vec<Timestamp> = if whole { vec![cursor] } else { Vec::new() };
            // One more than wanted, so that it is known what the last one before them was.
            times.extend(std::iter::successors(self.next(from), |at| self.next(*at)).take_while(|at| *at <= now));
            if whole || times.len() > most {
                let latest = times.split_off(times.len().saturating_sub(most));
                return (latest, times.last().copied());
            }
            window = window.saturating_mul(4);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::schedule::{Cron, When};

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    /// A whole hour.
    const NOON: i64 = 1_768_478_400_000;

    fn table(line: &str) -> Timetable {
        Timetable { when: When::Cron(Cron::parse(line).unwrap()), zone: TimeZone::UTC, since: Timestamp(0) }
    }

    fn look(missed: Missed, late: i64) -> (Vec<i64>, Option<(i64, i64)>, i64) {
        let look = table("0 * * * *").look(missed, Timestamp(NOON), Timestamp(NOON + late));
        let hours = |at: Timestamp| (at.0 - NOON) / HOUR;
        let left_out = look.left_out.map(|(first, last)| (hours(first), hours(last)));
        (look.fire.into_iter().map(hours).collect(), left_out, hours(look.next.unwrap()))
    }

    #[test]
    fn what_is_come_to_in_time_fires_by_every_policy() {
        for missed in Missed::ALL {
            for late in [0, 5, MINUTE] {
                assert_eq!(look(missed, late), (vec![0], None, 1), "{missed:?} {late}");
            }
        }
    }

    #[test]
    fn what_was_missed_goes_by_the_policy() {
        let late = MINUTE + 1;
        assert_eq!(look(Missed::Skip, late), (vec![], Some((0, 0)), 1));
        assert_eq!(look(Missed::Once, late), (vec![0], None, 1));
        assert_eq!(look(Missed::All, late), (vec![0], None, 1));
        let hours = 3 * HOUR + 10 * MINUTE;
        assert_eq!(look(Missed::Skip, hours), (vec![], Some((0, 3)), 4));
        assert_eq!(look(Missed::Once, hours), (vec![3], None, 4));
        assert_eq!(look(Missed::All, hours), (vec![0, 1, 2, 3], None, 4));
    }

    #[test]
    fn the_last_of_several_may_be_in_time() {
        assert_eq!(look(Missed::Skip, 3 * HOUR + 5), (vec![3], Some((0, 2)), 4));
        assert_eq!(look(Missed::Once, 3 * HOUR), (vec![3], None, 4));
    }

    #[test]
    fn not_more_are_made_up_for_than_the_bound() {
        let max = i64::try_from(MISSED_MAX).unwrap();
        let (fire, left_out, next) = look(Missed::All, 5_000 * HOUR + 1);
        assert_eq!((fire.len(), fire[0], left_out, next), (MISSED_MAX, 5_001 - max, Some((0, 5_000 - max)), 5_001));
        let (fire, left_out, _) = look(Missed::All, (max - 1) * HOUR);
        assert_eq!((fire.len(), left_out), (MISSED_MAX, None));
    }

    #[test]
    fn a_year_of_seconds_is_looked_over_in_no_time() {
        let when = When::Every(Duration::from_secs(1));
        let table = Timetable { when, ..table("* * * * *") };
        let now = NOON + 365 * 24 * HOUR;
        for missed in Missed::ALL {
            let look = table.look(missed, Timestamp(NOON), Timestamp(now));
            assert_eq!((look.fire.last(), look.next), (Some(&Timestamp(now)), Some(Timestamp(now + 1_000))));
        }
    }

    #[test]
    fn a_single_time_comes_once_however_late() {
        let once = Timetable { when: When::At(Timestamp(NOON)), ..table("* * * * *") };
        let look = |missed, late| once.look(missed, Timestamp(NOON), Timestamp(NOON + late));
        for missed in Missed::ALL {
            assert_eq!(look(missed, 1), Look { fire: vec![Timestamp(NOON)], left_out: None, next: None });
        }
        assert_eq!(look(Missed::Once, 99 * HOUR).fire, [Timestamp(NOON)]);
        assert_eq!(look(Missed::Skip, 99 * HOUR).fire, []);
    }

    #[test]
    fn a_cursor_that_the_rules_no_longer_know_is_a_time_all_the_same() {
        let look = table("0 * * * *").look(Missed::Once, Timestamp(NOON + 7), Timestamp(NOON + 8));
        assert_eq!((look.fire, look.next), (vec![Timestamp(NOON + 7)], Some(Timestamp(NOON + HOUR))));
    }

    proptest::proptest! {
        /// Looked at again and again, however late, each time fires once with `all`, and nothing else does.
        #[test]
        fn each_time_is_named_once(gaps in proptest::collection::vec(1_i64..40 * MINUTE, 1..40)) {
            let table = table("*/7 * * * *");
            let first = table.next(Timestamp(NOON)).unwrap();
            let (mut cursor, mut now, mut fired) = (first, NOON, Vec::new());
            for gap in gaps {
                now += gap;
                if cursor <= Timestamp(now) {
                    let look = table.look(Missed::All, cursor, Timestamp(now));
                    fired.extend(look.fire);
                    cursor = look.next.unwrap();
                }
                proptest::prop_assert!(cursor > Timestamp(now));
            }
            proptest::prop_assert_eq!(&fired, &table.upcoming(Some(first), fired.len()));
        }
    }
}
