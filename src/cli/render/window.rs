//! Time windows: which are open, and when that changes.

use jiff::tz::TimeZone;

use crate::cli::render::distance;
use crate::cli::render::table::{Align, Cell, Column, Table};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::domain::window::{OpenWindow, Standing};
use crate::view::time::rfc3339;

/// Returns what changes next, on one line; `None` if there are no windows.
pub fn next(standing: &Standing, now: Timestamp) -> Option<String> {
    let Some(next) = &standing.next else {
        return (!standing.open.is_empty()).then(|| "nothing changes any more".to_owned());
    };
    let verb = |names: &[String], one: &str, many: &str| {
        let shown: Vec<String> = names.iter().map(|name| format!("`{}`", neutralize(name))).collect();
        (!names.is_empty()).then(|| format!("{} {}", shown.join(", "), if names.len() == 1 { one } else { many }))
    };
    let what: Vec<String> =
        [verb(&next.closes, "closes", "close"), verb(&next.opens, "opens", "open")].into_iter().flatten().collect();
    let at = clock(next.at, next.time_zone.as_deref(), now);
    Some(format!("{} at {at} ({})", what.join(" and "), distance(next.at, now)))
}

/// Returns the lines of the status screen for the windows that are open; `None` if none is.
pub fn overview(standing: &Standing, now: Timestamp, width: Option<usize>) -> Option<String> {
    if standing.open.is_empty() {
        return None;
    }
    let columns = ["NAME", "UNTIL", "WHAT"].map(|name| Column::new(name, Align::Left));
    let mut table = Table::new(columns.into()).indented(2);
    for window in &standing.open {
        let until = window.closes_at.map(|at| format!("until {}", clock(at, window.time_zone.as_deref(), now)));
        table.push(vec![
            Cell::new(neutralize(&window.name)),
            Cell::new(until.unwrap_or_else(|| "always".to_owned())),
            Cell::new(what(window)),
        ]);
    }
    Some(table.draw(width))
}

/// Returns what a task waits for that a window holds up: `window `day` to close at 18:00`.
pub fn to_close(window: &OpenWindow, now: Timestamp) -> String {
    let name = neutralize(&window.name);
    match window.closes_at {
        Some(at) => format!("window `{name}` to close at {}", clock(at, window.time_zone.as_deref(), now)),
        None => format!("window `{name}`, which never closes"),
    }
}

fn what(window: &OpenWindow) -> String {
    let most = window.max_concurrent.map(|most| match most {
        0 => "nothing starts".to_owned(),
        most => format!("{most} at a time"),
    });
    let queues: Vec<_> = window.pause.iter().map(|name| neutralize(name)).collect();
    let pause = (!queues.is_empty()).then(|| format!("pauses {}", queues.join(", ")));
    most.into_iter().chain(pause).collect::<Vec<_>>().join(", ")
}

/// Returns an instant as a clock in a zone shows it: `18:00`, `Mon 18:00`, with the date if that is a week and more ahead;
/// with the zone's name if it has one of its own. In UTC if that is not known here.
fn clock(at: Timestamp, time_zone: Option<&str>, now: Timestamp) -> String {
    let zone = time_zone.map_or_else(|| Some(TimeZone::system()), |name| TimeZone::get(name).ok());
    let instant = |at: Timestamp| jiff::Timestamp::from_millisecond(at.0).ok();
    let (Some(zone), Some(at_instant), Some(now)) = (zone, instant(at), instant(now)) else { return rfc3339(at) };
    let (local, today) = (at_instant.to_zoned(zone.clone()), now.to_zoned(zone));
    let days = (local.date() - today.date()).get_days();
    let format = match days {
        0 => "%H:%M",
        1..=6 => "%a %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    let name = time_zone.map(|name| format!(" {}", neutralize(name))).unwrap_or_default();
    format!("{}{name}", local.strftime(format))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::view::samples;

    fn plain(text: Option<String>) -> String {
        anstream::adapter::strip_str(&text.unwrap()).to_string()
    }

    #[test]
    fn what_is_open_and_what_comes_next() {
        let stands = samples::windows();
        let now = samples::NOW;
        insta::assert_snapshot!(plain(next(&stands, now)), @"`day` closes and `night` opens at 18:00 Europe/Vienna (in 6h30m)");
        insta::assert_snapshot!(plain(overview(&stands, now, None)), @"  day  until 18:00 Europe/Vienna  1 at a time, pauses gpu");
        insta::assert_snapshot!(to_close(&stands.open[0], now), @"window `day` to close at 18:00 Europe/Vienna");
        assert_eq!((next(&Standing::default(), now), overview(&Standing::default(), now, None)), (None, None));
    }

    #[test]
    fn what_is_further_away_has_its_day_and_its_date() {
        let days = |days: u64| clock(samples::NOW + Duration::from_secs(days * 86_400), Some("UTC"), samples::NOW);
        assert_eq!(
            [days(0), days(1), days(6), days(7)],
            ["10:30 UTC", "Fri 10:30 UTC", "Wed 10:30 UTC", "2026-01-22 10:30 UTC"]
        );
    }

    #[test]
    fn windows_fit_narrow_terminals_and_steer_nothing() {
        let mut stands = samples::windows();
        stands.open[0].pause = vec!["\u{1b}[31mred".to_owned(); 9];
        for width in 40..120 {
            let text = plain(overview(&stands, samples::NOW, Some(width)));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
            assert!(!text.contains('\u{1b}'));
        }
    }
}
