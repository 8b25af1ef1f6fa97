//! Instants as people type them.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{ToSpan, Zoned};

use crate::domain::time::Timestamp;
use crate::units;

/// What was typed is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// None of the forms.
    #[error(
        "`{0}` is not a time; write it like `10m ago`, `17:30`, `yesterday 9am`, `2026-01-15` or `2026-01-15T10:30:00Z`"
    )]
    Unknown(String),
    /// None of the forms of an instant that is to come.
    #[error(
        "`{0}` is not a time; write it like `in 10m`, `17:30`, `tomorrow 9am`, `monday 9am`, `2026-01-15` or \
         `2026-01-15T10:30:00Z`"
    )]
    UnknownFuture(String),
    /// The length of time in it is none.
    #[error(transparent)]
    Length(#[from] units::Error),
    /// Earlier or later than can be counted.
    #[error("`{0}` is too far away")]
    TooFar(String),
}

/// Reads an instant that has passed, as seen from `now` and its time zone.
///
/// Shape: RFC 3339; `10m ago`, or just `10m`; `17:30`, the last time it was; `yesterday` or `today`, alone (midnight)
/// or with a time; a date, alone (midnight) or with a time; a time is `17:30`, `17:30:05` or `9am`.
/// Errors: anything else. An instant that has not come yet is taken as it is where a date is given.
pub fn parse_past(text: &str, now: &Zoned) -> Result<Timestamp, Error> {
    let unknown = || Error::Unknown(text.to_owned());
    let too_far = || Error::TooFar(text.to_owned());
    let words: Vec<&str> = text.split_whitespace().collect();
    let midnight = Time::midnight();
    let at = match words.as_slice() {
        ["now"] => return Ok(timestamp(now)),
        [length, "ago"] => return before(length, now).ok_or_else(too_far)?,
        ["yesterday", rest @ ..] => {
            let date = now.date().checked_sub(1.day()).map_err(|_| too_far())?;
            date.to_datetime(time_or(rest, midnight).ok_or_else(unknown)?)
        }
        ["today", rest @ ..] => now.date().to_datetime(time_or(rest, midnight).ok_or_else(unknown)?),
        [word] => {
            if let Ok(instant) = word.parse::<jiff::Timestamp>() {
                return Ok(Timestamp(instant.as_millisecond()));
            }
            if let Some(time) = parse_time(word) {
                let today = now.date().to_datetime(time);
                if today <= now.datetime() { today } else { today.checked_sub(1.day()).map_err(|_| too_far())? }
            } else if let Some(datetime) = parse_datetime(word) {
                datetime
            } else if word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains([':', '-']) {
                return before(word, now).ok_or_else(too_far)?;
            } else {
                return Err(unknown());
            }
        }
        [date, time] => {
            let date = parse_date(date).ok_or_else(unknown)?;
            date.to_datetime(parse_time(time).ok_or_else(unknown)?)
        }
        _ => return Err(unknown()),
    };
    at.to_zoned(now.time_zone().clone()).map(|at| timestamp(&at)).map_err(|_| too_far())
}

/// Reads an instant that is to come, as seen from `now` and its time zone.
///
/// Shape: RFC 3339; `in 10m`, or just `10m`; `17:30`, the next time it will be; `today`, `tomorrow` or a day of the week
/// such as `monday` or `mon`, the next one that is to come, alone (midnight) or with a time; a date, alone (midnight) or
/// with a time; a time is `17:30`, `17:30:05` or `9am`.
/// Errors: anything else. An instant that has passed is taken as it is where a date is given.
pub fn parse_future(text: &str, now: &Zoned) -> Result<Timestamp, Error> {
    let unknown = || Error::UnknownFuture(text.to_owned());
    let too_far = || Error::TooFar(text.to_owned());
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let midnight = Time::midnight();
    let after_days = |days: i64| now.date().checked_add(days.days()).map_err(|_| too_far());
    let at = match words.as_slice() {
        ["now"] => return Ok(timestamp(now)),
        ["in", length] => return after(length, now).ok_or_else(too_far)?,
        ["today", rest @ ..] => now.date().to_datetime(time_or(rest, midnight).ok_or_else(unknown)?),
        ["tomorrow", rest @ ..] => after_days(1)?.to_datetime(time_or(rest, midnight).ok_or_else(unknown)?),
        [day, rest @ ..] if parse_weekday(day).is_some() => {
            let day = parse_weekday(day).ok_or_else(unknown)?;
            let time = time_or(rest, midnight).ok_or_else(unknown)?;
            let days = i64::from(now.date().weekday().until(day));
            let next = after_days(days)?.to_datetime(time);
            if next > now.datetime() { next } else { after_days(days + 7)?.to_datetime(time) }
        }
        [word] => {
            if let Ok(instant) = word.to_ascii_uppercase().parse::<jiff::Timestamp>() {
                return Ok(Timestamp(instant.as_millisecond()));
            }
            if let Some(time) = parse_time(word) {
                let today = now.date().to_datetime(time);
                if today > now.datetime() { today } else { after_days(1)?.to_datetime(time) }
            } else if let Some(datetime) = parse_datetime(&word.to_ascii_uppercase()) {
                datetime
            } else if word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains([':', '-']) {
                return after(word, now).ok_or_else(too_far)?;
            } else {
                return Err(if is_far(word) { too_far() } else { unknown() });
            }
        }
        [date, time] => {
            let date = parse_date(date).ok_or_else(unknown)?;
            date.to_datetime(parse_time(time).ok_or_else(unknown)?)
        }
        _ => return Err(unknown()),
    };
    at.to_zoned(now.time_zone().clone()).map(|at| timestamp(&at)).map_err(|_| too_far())
}

/// `None` if it is too long ago.
fn before(length: &str, now: &Zoned) -> Option<Result<Timestamp, Error>> {
    moved(length, now, i64::checked_sub)
}

/// `None` if it is too far away.
fn after(length: &str, now: &Zoned) -> Option<Result<Timestamp, Error>> {
    moved(length, now, i64::checked_add)
}

fn moved(length: &str, now: &Zoned, by: fn(i64, i64) -> Option<i64>) -> Option<Result<Timestamp, Error>> {
    let length = match units::parse_duration(length) {
        Ok(length) => length,
        Err(error) => return Some(Err(error.into())),
    };
    let ms = i64::try_from(length.as_millis()).ok()?;
    by(timestamp(now).0, ms).map(Timestamp).filter(|at| can_be_told(*at)).map(Ok)
}

/// Returns whether an instant is on the calendar: those after the year 9999 cannot even be written.
pub fn can_be_told(at: Timestamp) -> bool {
    jiff::Timestamp::from_millisecond(at.0).is_ok()
}

/// Returns whether a date is beyond the calendar.
fn is_far(word: &str) -> bool {
    let year = word.split_once('-').and_then(|(year, _)| year.parse::<u64>().ok());
    year.is_some_and(|year| year >= 9999)
}

/// Returns an instant as the daemon is told it.
pub fn timestamp(at: &Zoned) -> Timestamp {
    Timestamp(at.timestamp().as_millisecond())
}

fn time_or(words: &[&str], otherwise: Time) -> Option<Time> {
    match words {
        [] => Some(otherwise),
        [time] => parse_time(time),
        _ => None,
    }
}

/// Reads `17:30`, `17:30:05`, `9am`, `9:30pm`.
fn parse_time(text: &str) -> Option<Time> {
    let lower = text.to_ascii_lowercase();
    let (digits, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (_, Some(digits)) => (digits, Some(12)),
        _ => (lower.as_str(), None),
    };
    let parts: Vec<i8> = digits
        .split(':')
        .map(|part| (part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok()).flatten())
        .collect::<Option<_>>()?;
    let hour = |hour: i8| match half {
        None => Some(hour),
        Some(half) => (1..=12).contains(&hour).then_some(hour % 12 + half),
    };
    match (parts.as_slice(), half) {
        ([h], Some(_)) => Time::new(hour(*h)?, 0, 0, 0).ok(),
        ([h, m], _) => Time::new(hour(*h)?, *m, 0, 0).ok(),
        ([h, m, s], _) => Time::new(hour(*h)?, *m, *s, 0).ok(),
        _ => None,
    }
}

/// Reads the name of a day of the week, in full or its first three letters, in lower case.
fn parse_weekday(text: &str) -> Option<Weekday> {
    let days = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    days.into_iter().find(|(name, _)| text == *name || text == &name[..3]).map(|(_, day)| day)
}

fn parse_date(text: &str) -> Option<Date> {
    text.parse().ok()
}

fn parse_datetime(text: &str) -> Option<DateTime> {
    let dated = text.len() >= "2026-01-15".len() && text.contains('-');
    dated.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-15, a Thursday, 10:30 in Vienna: an hour ahead of UTC.
    fn now() -> Zoned {
        "2026-01-15T10:30:00+01:00[Europe/Vienna]".parse().expect("a valid instant")
    }

    #[track_caller]
    fn reads(text: &str, utc: &str) {
        let expected: jiff::Timestamp = utc.parse().unwrap();
        let read = parse_past(text, &now()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(jiff::Timestamp::from_millisecond(read.0).unwrap(), expected, "{text}");
    }

    #[test]
    fn every_form_is_read() {
        reads("2026-01-15T08:00:00Z", "2026-01-15T08:00:00Z");
        reads("2026-01-15T08:00:00.250+02:00", "2026-01-15T06:00:00.250Z");
        reads("10m ago", "2026-01-15T09:20:00Z");
        reads("1h30m", "2026-01-15T08:00:00Z");
        reads("now", "2026-01-15T09:30:00Z");
        reads("08:15", "2026-01-15T07:15:00Z");
        reads("9am", "2026-01-15T08:00:00Z");
        reads("yesterday 9am", "2026-01-14T08:00:00Z");
        reads("yesterday", "2026-01-13T23:00:00Z");
        reads("today 12:30:05am", "2026-01-14T23:30:05Z");
        reads("today", "2026-01-14T23:00:00Z");
        reads("2026-01-10", "2026-01-09T23:00:00Z");
        reads("2026-01-10 17:30", "2026-01-10T16:30:00Z");
        reads("2026-01-10T17:30", "2026-01-10T16:30:00Z");
    }

    #[test]
    fn a_time_that_has_not_come_today_was_yesterday() {
        reads("17:30", "2026-01-14T16:30:00Z");
        reads("10:30", "2026-01-15T09:30:00Z");
        reads("5pm", "2026-01-14T16:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused_by_name() {
        for wrong in
            ["", "soon", "25:00", "13pm", "9", "1:2:3:4", "yesterday at noon", "2026-13-01", "10m later", "-5m"]
        {
            let error = parse_past(wrong, &now()).expect_err(wrong).to_string();
            assert!(error.contains(&format!("`{wrong}")), "{error}");
        }
        let without_unit = parse_past("10 ago", &now()).unwrap_err();
        assert!(matches!(without_unit, Error::Length(_)), "{without_unit}");
        assert!(matches!(parse_past("999999999999999h", &now()), Err(Error::Length(_) | Error::TooFar(_))));
    }
    #[track_caller]
    fn comes(text: &str, utc: &str) {
        let expected: jiff::Timestamp = utc.parse().unwrap();
        let read = parse_future(text, &now()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(jiff::Timestamp::from_millisecond(read.0).unwrap(), expected, "{text}");
    }

    #[test]
    fn every_form_of_a_time_to_come_is_read() {
        comes("2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z");
        comes("2026-01-15t12:00:00.250+02:00", "2026-01-15T10:00:00.250Z");
        comes("in 10m", "2026-01-15T09:40:00Z");
        comes("In 1h30m", "2026-01-15T11:00:00Z");
        comes("10m", "2026-01-15T09:40:00Z");
        comes("in 0s", "2026-01-15T09:30:00Z");
        comes("now", "2026-01-15T09:30:00Z");
        comes("17:30", "2026-01-15T16:30:00Z");
        comes("5pm", "2026-01-15T16:00:00Z");
        comes("today 17:30:05", "2026-01-15T16:30:05Z");
        comes("tomorrow", "2026-01-15T23:00:00Z");
        comes("Tomorrow 9am", "2026-01-16T08:00:00Z");
        comes("2026-01-20", "2026-01-19T23:00:00Z");
        comes("2026-01-20 17:30", "2026-01-20T16:30:00Z");
        comes("2026-01-20T17:30", "2026-01-20T16:30:00Z");
        comes("2026-01-10", "2026-01-09T23:00:00Z");
    }

    #[test]
    fn a_time_that_has_been_today_comes_tomorrow() {
        comes("08:15", "2026-01-16T07:15:00Z");
        comes("10:30", "2026-01-16T09:30:00Z");
        comes("9am", "2026-01-16T08:00:00Z");
    }

    #[test]
    fn a_day_of_the_week_is_the_next_one_to_come() {
        comes("friday", "2026-01-15T23:00:00Z");
        comes("Wed 9am", "2026-01-21T08:00:00Z");
        comes("thursday", "2026-01-21T23:00:00Z");
        comes("thu 17:30", "2026-01-15T16:30:00Z");
        comes("thu 9am", "2026-01-22T08:00:00Z");
    }

    #[test]
    fn an_hour_that_the_clock_skips_comes_when_it_goes_on() {
        let now: Zoned = "2026-03-28T12:00:00+01:00[Europe/Vienna]".parse().unwrap();
        let read = parse_future("tomorrow 2:30am", &now).unwrap();
        assert_eq!(jiff::Timestamp::from_millisecond(read.0).unwrap().to_string(), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn what_is_no_time_to_come_is_refused_by_name() {
        for wrong in ["", "soon", "25:00", "13pm", "9", "in", "10m ago", "yesterday", "monday at noon", "-5m", "mo"] {
            let error = parse_future(wrong, &now()).expect_err(wrong).to_string();
            assert!(error.contains(&format!("`{wrong}")), "{error}");
        }
        assert!(matches!(parse_future("in 10", &now()), Err(Error::Length(_))));
        assert!(matches!(parse_future("in 9999999999999h", &now()), Err(Error::Length(_) | Error::TooFar(_))));
    }

    #[test]
    fn what_is_beyond_the_calendar_is_too_far_and_not_unknown() {
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        for text in ["9999-12-31T23:59:59Z", "99999-01-01", "in 99999999d", "99999999d"] {
            assert_eq!(parse_future(text, &now), Err(Error::TooFar(text.to_owned())), "{text}");
        }
        assert!(parse_future("9998-12-31T23:59:59Z", &now).is_ok());
        assert!(matches!(parse_future("9-9", &now), Err(Error::UnknownFuture(_))));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_typed_panics(
            words in "(in |today |tomorrow |monday |yesterday )?[-+]?[0-9]{1,12}(:[0-9]{2}|am|pm|d|h|m|ms|y| ago|-[0-9]{2}-[0-9]{2})?(T[0-9]{2}:[0-9]{2}Z)?",
            anything in "\\PC{0,40}",
        ) {
            for text in [words, anything] {
                for read in [parse_past(&text, &now()), parse_future(&text, &now())] {
                    if let Err(error) = read {
                        // Of `in 10x` it is the length that makes no sense.
                        let (told, mut words) = (error.to_string().to_lowercase(), text.split_whitespace());
                        let is_named = words.any(|word| told.contains(&word.to_lowercase()));
                        proptest::prop_assert!(is_named || text.trim().is_empty(), "{text:?}: {error}");
                    }
                }
            }
        }
    }
}
