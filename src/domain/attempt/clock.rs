//! How long an attempt has run, the time that it was paused left out.

use std::time::Duration;

use crate::domain::time::Moment;

/// A clock that can be stopped and goes on from where it stood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    ran: Duration,
    /// Since when it goes; `None` while it stands still.
    since: Option<Moment>,
}

impl Clock {
    /// Returns the clock of a process that started at `started` and was paused for `paused_for` altogether, the present
    /// pause not counted; `paused_at` is when that one began.
    pub fn of(started: Moment, paused_for: Duration, paused_at: Option<Moment>, now: Moment) -> Self {
        let ran = started.until(paused_at.unwrap_or(now)).saturating_sub(paused_for);
        Self { ran, since: paused_at.is_none().then_some(now) }
    }

    /// Lets it go from `now` on. One that goes already is left alone.
    pub fn go(&mut self, now: Moment) {
        self.since.get_or_insert(now);
    }

    /// Stops it.
    pub fn stop(&mut self, now: Moment) {
        if let Some(since) = self.since.take() {
            self.ran += since.until(now);
        }
    }

    /// Returns when `limit` will be reached; `None` while it stands still.
    pub fn reaches(&self, limit: Duration) -> Option<Moment> {
        self.since.map(|since| since + limit.saturating_sub(self.ran))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(1_000);

    #[test]
    fn it_counts_only_while_it_goes() {
        let mut clock = Clock::default();
        assert_eq!(clock.reaches(LIMIT), None);
        clock.go(Moment(100));
        clock.go(Moment(500));
        assert_eq!(clock.reaches(LIMIT), Some(Moment(1_100)));
        clock.stop(Moment(400));
        clock.stop(Moment(450));
        assert_eq!(clock.reaches(LIMIT), None);
        clock.go(Moment(9_000));
        assert_eq!(clock.reaches(LIMIT), Some(Moment(9_700)));
    }

    #[test]
    fn it_is_set_by_what_is_stored() {
        let (start, paused_for, now) = (Moment(1_000), Duration::from_millis(300), Moment(2_000));
        assert_eq!(Clock::of(start, Duration::ZERO, None, now).reaches(LIMIT), Some(now));
        assert_eq!(Clock::of(start, paused_for, None, now).reaches(LIMIT), Some(Moment(2_300)));
        let mut paused = Clock::of(start, paused_for, Some(Moment(1_500)), now);
        assert_eq!(paused.reaches(LIMIT), None);
        paused.go(Moment(5_000));
        assert_eq!(paused.reaches(LIMIT), Some(Moment(5_800)), "it had run for 200 ms");
        assert_eq!(Clock::of(now, paused_for, None, start).reaches(LIMIT), Some(Moment(2_000)), "nothing is negative");
    }
}
