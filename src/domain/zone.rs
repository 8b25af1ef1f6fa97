//! Civil times on the clock of a zone, which skips an hour in spring and goes through one twice in autumn.

use jiff::ToSpan as _;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// Returns the instant that a civil time stands for: the first one if there are two, the end of the gap if there is none.
///
/// Shape: a later civil time never stands for an earlier instant. `None` for what is on no calendar.
pub fn instant_of(zone: &TimeZone, at: DateTime) -> Option<jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { before, .. } => {
            // By the clock that was right until then the gap has begun, at the earliest just now.
            let begun = before.to_timestamp(at).ok()?.checked_add(1.second()).ok()?;
            zone.preceding(begun).next().map(|transition| transition.timestamp())
        }
        _ => ambiguous.earlier().ok(),
    }
}

/// The same; the last one if there are two.
pub fn last_instant_of(zone: &TimeZone, at: DateTime) -> Option<jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    match ambiguous.offset() {
        AmbiguousOffset::Fold { .. } => ambiguous.later().ok(),
        _ => instant_of(zone, at),
    }
}
