//! Days of the week and times of the day, as windows are written down.

use std::fmt;

use jiff::civil::{Date, DateTime, Time, Weekday};

use crate::domain::window::InvalidWindow;

/// The days, from Monday on.
pub(super) const WORDS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Days of the week; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    /// From Monday on.
    has: [bool; 7],
    /// As they were written.
    texts: Vec<String>,
}

impl Days {
    /// Reads days and ranges of days: `mon`, `sat-sun`, `fri-mon`. By their first three letters or in full, in any case.
    ///
    /// Errors: the first that is none; a day that is named twice; no day.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, InvalidWindow> {
        let mut has = [false; 7];
        for text in texts.iter().map(AsRef::as_ref) {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let of = |word| number(word).ok_or_else(|| InvalidWindow::Day(text.to_owned()));
            let (mut day, last) = (of(first)?, of(last)?);
            loop {
                if std::mem::replace(&mut has[day], true) {
                    return Err(InvalidWindow::DayTwice { day: text.to_owned(), again: WORDS[day] });
                }
                if day == last {
                    break;
                }
                day = (day + 1) % 7;
            }
        }
        if texts.is_empty() {
            return Err(InvalidWindow::NoDay);
        }
        Ok(Self { has, texts: texts.iter().map(|text| text.as_ref().to_owned()).collect() })
    }

    /// Returns whether a day is among them.
    pub fn has(&self, day: Weekday) -> bool {
        usize::try_from(day.to_monday_zero_offset()).is_ok_and(|day| self.has.get(day) == Some(&true))
    }

    /// Returns them as they were written.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

impl Default for Days {
    fn default() -> Self {
        Self { has: [true; 7], texts: vec!["mon-sun".to_owned()] }
    }
}

fn number(word: &str) -> Option<usize> {
    const LONG: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let word = word.trim().to_ascii_lowercase();
    (0..7).find(|day| word == WORDS[*day] || word == LONG[*day])
}

/// A time of the day, in minutes from midnight; 24:00 is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clock(u16);

const DAY_END: u16 = 24 * 60;

impl Clock {
    /// The beginning of the day.
    pub const MIDNIGHT: Clock = Clock(0);
    /// The end of the day.
    pub const END: Clock = Clock(DAY_END);

    /// Reads `9:00`, `09:00` or `24:00`.
    ///
    /// Errors: it is no time of the day.
    pub fn parse(text: &str) -> Result<Self, InvalidWindow> {
        let read = || {
            let (hour, minute) = text.trim().split_once(':')?;
            let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(hour) || !digits(minute) || minute.len() != 2 || hour.len() > 2 {
                return None;
            }
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            let minutes = hour * 60 + minute;
            (minute < 60 && minutes <= DAY_END).then_some(Self(minutes))
        };
        read().ok_or_else(|| InvalidWindow::Clock(text.to_owned()))
    }

    /// Returns it on a day; the end of the day is the next midnight.
    pub(super) fn on(self, date: Date) -> Option<DateTime> {
        if self.0 == DAY_END {
            return Some(date.tomorrow().ok()?.to_datetime(Time::midnight()));
        }
        let (hour, minute) = (i8::try_from(self.0 / 60).ok()?, i8::try_from(self.0 % 60).ok()?);
        Time::new(hour, minute, 0, 0).ok().map(|time| date.to_datetime(time))
    }

    pub(super) fn of(time: Time) -> Self {
        let part = |part: i8| u16::try_from(part).unwrap_or_default();
        Self(part(time.hour()) * 60 + part(time.minute()))
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_one_by_one_and_as_ranges() {
        let table: &[(&[&str], [u8; 7])] = &[
            (&["mon-fri"], [1, 1, 1, 1, 1, 0, 0]),
            (&["sat", "sun"], [0, 0, 0, 0, 0, 1, 1]),
            (&["Fri-Mon"], [1, 0, 0, 0, 1, 1, 1]),
            (&["mon-sun"], [1, 1, 1, 1, 1, 1, 1]),
            (&["tue-mon"], [1, 1, 1, 1, 1, 1, 1]),
            (&["wed-wed"], [0, 0, 1, 0, 0, 0, 0]),
            (&["monday", "WED - thursday"], [1, 0, 1, 1, 0, 0, 0]),
        ];
        for (texts, expected) in table {
            let days = Days::parse(texts).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(days.has.map(u8::from), *expected, "{texts:?}");
            assert_eq!(days.texts(), *texts);
        }
    }

    #[test]
    fn what_is_no_day_or_comes_twice_is_refused_with_its_text() {
        let of = |texts: &[&str]| Days::parse(texts).unwrap_err().to_string();
        for wrong in ["funday", "", "mon-", "-fri", "mon-fri-sun", "mo", "1", "weekday"] {
            assert!(of(&[wrong]).starts_with(&format!("`{wrong}` is no day of the week; write `mon`")), "{wrong}");
        }
        let again = "`wed` names wed again, and the window would overlap itself; name each day once";
        assert_eq!(of(&["mon-fri", "wed"]), again);
        assert_eq!(of(&["sat-mon", "mon-tue"]), again.replace("`wed` names wed", "`mon-tue` names mon"));
        assert_eq!(of(&[]), "a window needs a day on which it opens, such as `days = [\"mon-fri\"]`");
    }

    #[test]
    fn times_of_the_day_are_those_of_a_clock() {
        for (text, shown) in
            [("09:00", "09:00"), ("9:05", "09:05"), ("00:00", "00:00"), ("23:59", "23:59"), ("24:00", "24:00")]
        {
            assert_eq!(Clock::parse(text).map(|clock| clock.to_string()), Ok(shown.to_owned()));
        }
        for wrong in ["9", "", "9am", "25:00", "24:01", "12:60", "12:5", "12:000", "-1:00", "+9:00", "1:00:00", "٩:00"]
        {
            assert_eq!(Clock::parse(wrong), Err(InvalidWindow::Clock(wrong.to_owned())), "{wrong}");
        }
    }
}
