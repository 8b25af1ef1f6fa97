//! Instants as people read them: on the clock of this machine, which is the one that they type them by. Programs get UTC.

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::cli::render::distance;
use crate::domain::time::Timestamp;
use crate::view::time::rfc3339;

/// Returns `at` on the clock of this machine, and how far it is from now: `2026-01-15T11:30:00+01:00 (in 3m05s)`. That is how one sees
/// whether words such as `tomorrow 9am` were understood.
pub fn moment(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", on_clock(at, &here()), distance(at, now))
}

/// Returns `at` on the clock of this machine with milliseconds, for what may follow within a second.
pub fn precise(at: Timestamp) -> String {
    written(at, &here(), "%Y-%m-%dT%H:%M:%S%.3f%:z")
}

/// Returns `at` on the clock of a zone.
pub fn on_clock(at: Timestamp, zone: &TimeZone) -> String {
    written(at, zone, "%Y-%m-%dT%H:%M:%S%:z")
}

/// Shape: in UTC where no calendar reaches.
fn written(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    let local = jiff::Timestamp::from_millisecond(at.0).map(|instant| Zoned::new(instant, zone.clone()));
    local.map_or_else(|_| rfc3339(at), |local| local.strftime(format).to_string())
}

/// Returns the time zone of this machine. What is drawn in a unit test does not depend on where that is.
fn here() -> TimeZone {
    if cfg!(test) { TimeZone::UTC } else { TimeZone::system() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples::NOW;

    #[test]
    fn an_instant_is_shown_on_the_clock_of_a_zone() {
        let zone = |name| TimeZone::get(name).unwrap();
        assert_eq!(on_clock(NOW, &TimeZone::UTC), "2026-01-15T10:30:00+00:00");
        assert_eq!(on_clock(NOW, &zone("Europe/Vienna")), "2026-01-15T11:30:00+01:00");
        assert_eq!(on_clock(NOW, &zone("America/New_York")), "2026-01-15T05:30:00-05:00");
        let in_summer = Timestamp(NOW.0 + 182 * 24 * 3_600_000);
        assert_eq!(on_clock(in_summer, &zone("America/New_York")), "2026-07-16T06:30:00-04:00");
    }

    #[test]
    fn how_far_it_is_and_its_milliseconds_are_shown_where_they_matter() {
        let later = Timestamp(NOW.0 + 185_007);
        assert_eq!(moment(later, NOW), "2026-01-15T10:33:05+00:00 (in 3m05s)");
        assert_eq!(precise(later), "2026-01-15T10:33:05.007+00:00");
    }

    #[test]
    fn no_instant_is_too_far_away() {
        let vienna = TimeZone::get("Europe/Vienna").unwrap();
        for at in [Timestamp(i64::MIN), Timestamp(i64::MAX)] {
            assert_eq!(on_clock(at, &vienna), rfc3339(at));
        }
    }
}
