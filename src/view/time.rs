//! How instants are written.

use crate::domain::time::Timestamp;

/// Returns `at` as RFC 3339 in UTC with milliseconds: `2026-01-15T10:30:00.000Z`.
///
/// Shape: what lies outside the years -9999 to 9999 is shown as the nearest instant inside.
pub fn rfc3339(at: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(if at.0 < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    instant.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_there() {
        assert_eq!(rfc3339(Timestamp(1_768_473_000_000)), "2026-01-15T10:30:00.000Z");
        assert_eq!(rfc3339(Timestamp(1_768_473_000_007)), "2026-01-15T10:30:00.007Z");
        assert_eq!(rfc3339(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp(-1)), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn no_instant_is_too_far_away() {
        assert!(rfc3339(Timestamp(i64::MAX)).starts_with("9999-"));
        assert!(rfc3339(Timestamp(i64::MIN)).starts_with("-9999-"));
    }
}
