//! Time windows, and what must hold of a claim because of them.

use jiff::tz::TimeZone;

use super::audit::Verdict;
use super::random::Random;
use crate::domain::time::Timestamp;
use crate::domain::window::{Clock, Days, Window, Windows, Zone};

/// Hours of every day, by the clock of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hours {
    /// From this minute of the day on.
    from: u16,
    /// Up to this one.
    to: u16,
    /// How many may run meanwhile, if this says so.
    most: Option<u32>,
    /// The queue of which nothing is started meanwhile, if there is one.
    pause: Option<&'static str>,
}

/// Returns the hours in the life of a seed, which begins at 22:13:20; none in most. Drawn apart, so that nothing else changes.
pub(super) fn hours(seed: u64) -> Vec<Hours> {
    let mut random = Random::new(seed ^ 0x0317_D075);
    if !random.percent(20) {
        return Vec::new();
    }
    let at = |hour: u16, minute: u16| hour * 60 + minute;
    let all = [
        Hours { from: at(22, 14), to: at(22, 15), most: Some(0), pause: None },
        Hours { from: at(22, 10), to: at(22, 17), most: None, pause: Some("narrow") },
        Hours { from: at(22, 16), to: at(22, 40), most: Some(1), pause: Some("wide") },
        // Over midnight.
        Hours { from: at(23, 30), to: at(22, 14), most: Some(2), pause: None },
    ];
    all.into_iter().filter(|_| random.percent(60)).collect()
}

/// Makes of them what the settings have.
pub(super) fn windows(hours: &[Hours]) -> Windows {
    let clock =
        |minute: u16| Clock::parse(&format!("{:02}:{:02}", minute / 60, minute % 60)).expect("a time of the day");
    let window = |(number, hours): (usize, &Hours)| Window {
        name: format!("w{number}"),
        days: Days::default(),
        from: clock(hours.from),
        to: clock(hours.to),
        zone: Zone { name: Some("UTC".to_owned()), rules: TimeZone::UTC },
        max_concurrent: hours.most,
        pause: hours.pause.iter().map(|queue| (*queue).to_owned()).collect(),
    };
    Windows::of(&hours.iter().enumerate().map(window).collect::<Vec<_>>())
}

/// A claim that is begun at a moment at which the loop has looked at the clock keeps to the hours.
pub(super) fn check(hours: &[Hours], slots: u32, max_concurrent: u32, shut: &[String], now: Timestamp) -> Verdict {
    let minute = now.0 / 60_000 % (24 * 60);
    let is_open = |hours: &&Hours| {
        let (from, to) = (i64::from(hours.from), i64::from(hours.to));
        if from < to { from <= minute && minute < to } else { from <= minute || minute < to }
    };
    let open = || hours.iter().filter(is_open);
    let most = open().filter_map(|hours| hours.most).chain([max_concurrent]).min().unwrap_or(max_concurrent);
    if slots != most {
        return Err(format!("a claim goes by {slots} slots in minute {minute}, and {most} may run"));
    }
    for queue in open().filter_map(|hours| hours.pause) {
        if !shut.iter().any(|name| name == queue) {
            return Err(format!("a claim leaves out {shut:?} in minute {minute}, and not {queue}"));
        }
    }
    if let Some(name) = shut.iter().find(|name| open().all(|hours| hours.pause != Some(name.as_str()))) {
        return Err(format!("a claim leaves out {name} in minute {minute}, and nothing pauses it"));
    }
    Ok(())
}
