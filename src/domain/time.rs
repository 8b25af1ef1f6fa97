//! Two kinds of time, which must not be mixed.

use std::ops::Add;
use std::time::Duration;

/// Wall-clock instant in milliseconds since 1970-01-01T00:00:00Z. For people, for the store and for what must mean the
/// same after a reboot. It may jump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the time from `earlier` to `self`; zero when the clock was set back in between.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, rhs: Duration) -> Timestamp {
        let ms = i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_add(ms))
    }
}

/// Instant on a clock that only goes forward, in milliseconds since boot. For deadlines: setting the wall clock neither
/// brings one forward nor puts one off. apexd's stands still while the machine sleeps (`CLOCK_MONOTONIC`): nothing runs
/// then, so no limit and no grace is used up. The guardian's does not (`CLOCK_BOOTTIME`).
///
/// Source: clock_gettime(2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// Returns how long it is from `self` until `later`; zero when `later` has passed.
    pub fn until(self, later: Moment) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, rhs: Duration) -> Moment {
        let ms = u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_add(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Timestamp(i64::MAX) + Duration::MAX, Timestamp(i64::MAX));
        assert_eq!(Moment(u64::MAX) + Duration::from_secs(1), Moment(u64::MAX));
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Moment(9).until(Moment(5)), Duration::ZERO);
        assert_eq!(Moment(5).until(Moment(9)), Duration::from_millis(4));
    }
}
