//! When a schedule is due.
//!
//! A cron line is read on the clock of a time zone, which skips an hour in spring and goes through one twice in autumn.
//! The rules are those of Vixie's cron: what names its minutes and hours is due once on each such day, right after the gap
//! if its time is skipped, and the first time if it comes twice; what has a `*` in front in minute or hour goes on in real
//! time, as if nothing had happened.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::domain::schedule::{Cron, InvalidSchedule, When};
use crate::domain::time::Timestamp;
use crate::domain::zone::{instant_of, last_instant_of};

/// How far ahead is looked: whatever is due at all is due within that time. The rarest is a 29 February on a certain day of
/// the week, for which it takes 40 years where a century leaves one out.
const YEARS_MAX: i16 = 100;
const MINUTE_MS: i64 = 60_000;

/// When a schedule is due, with all that decides about it.
#[derive(Debug, Clone)]
pub struct Timetable {
    /// By what rule.
    pub when: When,
    /// On whose clock.
    pub zone: TimeZone,
    /// Since when there is the schedule.
    pub since: Timestamp,
}

impl Timetable {
    /// Returns the first time that comes after `after`; `None` if there is none, or none that a calendar has.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::At(at) => Some(*at).filter(|at| *at > after),
            When::Every(every) => {
                let every = i64::try_from(every.as_millis()).ok()?.max(1);
                let turns = after.0.saturating_sub(self.since.0).div_euclid(every).max(0).checked_add(1)?;
                let at = turns.checked_mul(every).and_then(|passed| self.since.0.checked_add(passed))?;
                instant(Timestamp(at)).map(|_| Timestamp(at))
            }
            When::Cron(cron) => {
                let after = instant(after)?;
                let next = if cron.goes_on() { self.next_of_all(cron, after) } else { self.next_fixed(cron, after) };
                next.map(|at| Timestamp(at.as_millisecond()))
            }
        }
    }

    /// Returns the first time of a schedule that is added now.
    ///
    /// Errors: there is none.
    pub fn first(&self, now: Timestamp) -> Result<Timestamp, InvalidSchedule> {
        self.next(now).ok_or_else(|| match &self.when {
            When::Cron(cron) => InvalidSchedule::Never(cron.as_str().to_owned()),
            When::At(_) => InvalidSchedule::Passed,
            When::Every(_) => InvalidSchedule::Far,
        })
    }

    /// Returns the next times, `first` being the next one; at most `count`.
    pub fn upcoming(&self, first: Option<Timestamp>, count: usize) -> Vec<Timestamp> {
        std::iter::successors(first, |at| self.next(*at)).take(count).collect()
    }

    /// The next of times that are fixed: each civil time of the line stands for one instant, and a later one never for an
    /// earlier instant.
    fn next_fixed(&self, cron: &Cron, after: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let from = self.zone.to_datetime(after);
        let mut date = next_date(cron, from.date(), from.date())?;
        loop {
            for time in times_of(cron) {
                let at = date.to_datetime(time);
                // What comes before on the clock cannot come after in time.
                if at.date() == from.date() && minute_of(at) < minute_of(from) {
                    continue;
                }
                if let Some(at) = instant_of(&self.zone, at).filter(|at| *at > after) {
                    return Some(at);
                }
            }
            date = next_date(cron, date.tomorrow().ok()?, from.date())?;
        }
    }

    /// The next minute whose civil time is of the line, in real time.
    fn next_of_all(&self, cron: &Cron, after: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let next_minute = (after.as_millisecond().div_euclid(MINUTE_MS) + 1) * MINUTE_MS;
        let next_minute = jiff::Timestamp::from_millisecond(next_minute).ok()?;
        let from = self.zone.to_datetime(next_minute).date();
        // A clock that is set back after midnight goes through the end of the day before once more.
        let mut date = next_date(cron, from.yesterday().ok()?, from)?;
        loop {
            let mut at = instant_of(&self.zone, date.to_datetime(Time::midnight()))?.max(next_minute);
            let ends = last_instant_of(&self.zone, date.tomorrow().ok()?.to_datetime(Time::midnight()))?;
            while at < ends {
                let local = self.zone.to_datetime(at);
                let is_day = cron.has_month(local.month()) && cron.has_date(local.date());
                if is_day && cron.has_time(local.hour(), local.minute()) {
                    return Some(at);
                }
                at = at.checked_add(SignedDuration::from_mins(1)).ok()?;
            }
            date = next_date(cron, date.tomorrow().ok()?, from)?;
        }
    }
}

/// Returns an instant of a calendar; `None` for one that is on none.
fn instant(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(at.0).ok()
}

fn minute_of(at: DateTime) -> (i8, i8) {
    (at.hour(), at.minute())
}

/// Returns the times of a day on a line, in order.
fn times_of(cron: &Cron) -> impl Iterator<Item = Time> {
    let minutes = (0..24).flat_map(|hour| (0..60).map(move |minute| (hour, minute)));
    minutes.filter(|(hour, minute)| cron.has_time(*hour, *minute)).filter_map(|(hour, minute)| {
        // Always one: the bounds are those of a clock.
        Time::new(hour, minute, 0, 0).ok()
    })
}

/// Returns the first day of a line from `date` on; `None` if there is none as far ahead as is looked from `today`.
fn next_date(cron: &Cron, mut date: Date, today: Date) -> Option<Date> {
    let last_year = today.year().saturating_add(YEARS_MAX);
    while date.year() <= last_year {
        if !cron.has_month(date.month()) {
            date = date.last_of_month().tomorrow().ok()?;
        } else if cron.has_date(date) {
            return Some(date);
        } else {
            date = date.tomorrow().ok()?;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Vienna's rules, whatever the machine knows of zones: the hour from 2:00 is skipped on 2026-03-29 and comes twice,
    /// from 2:00 to 3:00, on 2026-10-25.
    const VIENNA: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    /// Skips from 2:00 to 2:30 on 2026-10-04, and goes through 1:30 to 2:00 twice on 2026-04-05.
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
    /// Skips the last hour of 2026-03-28, and goes through that of 2026-10-24 twice.
    const NUUK: &str = "<-02>2<-01>,M3.5.0/-1,M10.5.0/0";

    /// At half past midnight of 2026-10-25 it is half past eleven of the day before once more.
    const ODD: &str = "<-02>2<-01>,M3.5.0/-1,M10.5.0/0:30";

    fn timetable(line: &str, zone: &str) -> Timetable {
        let when = When::Cron(Cron::parse(line).unwrap_or_else(|error| panic!("{error}")));
        Timetable { when, zone: TimeZone::posix(zone).unwrap(), since: Timestamp(0) }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    /// The times after `from`, which is UTC, up to `until`, on the clock of the zone and with its offset.
    fn times(line: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
        let table = timetable(line, zone);
        let until = at(until);
        let times = std::iter::successors(table.next(at(from)), |at| table.next(*at));
        let shown = |at: Timestamp| {
            let zoned = jiff::Timestamp::from_millisecond(at.0).unwrap().to_zoned(table.zone.clone());
            zoned.strftime("%m-%d %H:%M%:z").to_string()
        };
        times.take_while(|at| *at <= until).map(shown).collect()
    }

    /// What a line does on the night in which an hour is skipped, from 0:00 to 6:00.
    fn in_spring(line: &str) -> Vec<String> {
        times(line, VIENNA, "2026-03-28T22:59:59Z", "2026-03-29T04:00:00Z")
    }

    /// What a line does on the night in which an hour comes twice, from 0:00 to 6:00.
    fn in_autumn(line: &str) -> Vec<String> {
        times(line, VIENNA, "2026-10-24T21:59:59Z", "2026-10-25T05:00:00Z")
    }

    #[test]
    fn the_hour_that_is_skipped() {
        let table: &[(&str, &[&str])] = &[
            // Fixed times in the gap: once, right after it.
            ("30 2 * * *", &["03-29 03:00+02:00"]),
            ("0 2 * * *", &["03-29 03:00+02:00"]),
            ("59 2 * * *", &["03-29 03:00+02:00"]),
            ("0,30 2 * * *", &["03-29 03:00+02:00"]),
            ("0-59/5 2 29 3 *", &["03-29 03:00+02:00"]),
            // Beside it: as ever, and one that comes to the same instant is one.
            ("59 1 * * *", &["03-29 01:59+01:00"]),
            ("0 3 * * *", &["03-29 03:00+02:00"]),
            ("0 2,3 * * *", &["03-29 03:00+02:00"]),
            ("30 1,2,3 * * *", &["03-29 01:30+01:00", "03-29 03:00+02:00", "03-29 03:30+02:00"]),
            // In real time: what is not there is not there, and nothing is made up for it.
            ("*/15 2 * * *", &[]),
            ("0 */2 * * *", &["03-29 00:00+01:00", "03-29 04:00+02:00", "03-29 06:00+02:00"]),
            ("*/30 1-3 * * *", &["03-29 01:00+01:00", "03-29 01:30+01:00", "03-29 03:00+02:00", "03-29 03:30+02:00"]),
            (
                "30 * * * *",
                &[
                    "03-29 00:30+01:00",
                    "03-29 01:30+01:00",
                    "03-29 03:30+02:00",
                    "03-29 04:30+02:00",
                    "03-29 05:30+02:00",
                ],
            ),
        ];
        for (line, expected) in table {
            assert_eq!(in_spring(line), *expected, "{line}");
        }
    }

    #[test]
    fn the_hour_that_comes_twice() {
        let table: &[(&str, &[&str])] = &[
            // Fixed times in it: once, the first time.
            ("30 2 * * *", &["10-25 02:30+02:00"]),
            ("0 2 * * *", &["10-25 02:00+02:00"]),
            ("0,30 2 * * *", &["10-25 02:00+02:00", "10-25 02:30+02:00"]),
            ("59 2 * * *", &["10-25 02:59+02:00"]),
            ("0 3 * * *", &["10-25 03:00+01:00"]),
            ("30 1,2,3 * * *", &["10-25 01:30+02:00", "10-25 02:30+02:00", "10-25 03:30+01:00"]),
            // In real time: each time that it is so.
            ("*/30 2 * * *", &["10-25 02:00+02:00", "10-25 02:30+02:00", "10-25 02:00+01:00", "10-25 02:30+01:00"]),
            (
                "0 */2 * * *",
                &[
                    "10-25 00:00+02:00",
                    "10-25 02:00+02:00",
                    "10-25 02:00+01:00",
                    "10-25 04:00+01:00",
                    "10-25 06:00+01:00",
                ],
            ),
            (
                "30 * * * *",
                &[
                    "10-25 00:30+02:00",
                    "10-25 01:30+02:00",
                    "10-25 02:30+02:00",
                    "10-25 02:30+01:00",
                    "10-25 03:30+01:00",
                    "10-25 04:30+01:00",
                    "10-25 05:30+01:00",
                ],
            ),
        ];
        for (line, expected) in table {
            assert_eq!(in_autumn(line), *expected, "{line}");
        }
    }

    #[test]
    fn a_fixed_time_is_due_on_each_day_once() {
        for line in ["30 2 * * *", "0 0 * * *", "59 23 * * *", "15 2 * * *"] {
            for zone in [VIENNA, LORD_HOWE, NUUK, "UTC0"] {
                let found = times(line, zone, "2025-12-31T12:00:00Z", "2026-12-31T12:00:00Z");
                assert_eq!(found.len(), 365, "{line} {zone}");
            }
        }
    }

    #[test]
    fn minutes_go_on_in_real_time() {
        for (line, each) in [("*/15 * * * *", 15), ("* * * * *", 1)] {
            for zone in [VIENNA, NUUK, ODD] {
                let table = timetable(line, zone);
                for start in ["2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z"] {
                    let mut last = at(start);
                    for _ in 0..480 / each {
                        let next = table.next(last).unwrap();
                        assert_eq!(next.since(last), Duration::from_secs(each * 60), "{line} {zone} {start}");
                        last = next;
                    }
                }
            }
        }
    }

    #[test]
    fn half_an_hour_is_skipped_and_comes_twice_elsewhere() {
        let spring = |line| times(line, LORD_HOWE, "2026-10-03T14:30:00Z", "2026-10-03T18:00:00Z");
        assert_eq!(spring("15 2 * * *"), ["10-04 02:30+11:00"]);
        assert_eq!(spring("45 2 * * *"), ["10-04 02:45+11:00"]);
        let autumn = |line| times(line, LORD_HOWE, "2026-04-04T13:30:00Z", "2026-04-04T18:00:00Z");
        assert_eq!(autumn("45 1 * * *"), ["04-05 01:45+11:00"]);
        assert_eq!(autumn("*/15 1 * * *").len(), 6);
    }

    #[test]
    fn a_clock_that_is_set_back_across_midnight_goes_through_both_days_twice() {
        let found = |line| times(line, ODD, "2026-10-24T23:59:59Z", "2026-10-25T03:30:00Z");
        let both = ["10-24 23:45-01:00", "10-25 00:15-01:00", "10-24 23:45-02:00", "10-25 00:15-02:00"];
        assert_eq!(found("15,45 */1 * * *")[..5], ["10-24 23:15-01:00", both[0], both[1], both[2], both[3]]);
        assert_eq!(found("45 */1 24 * *"), [both[0], both[2]], "the day that is over comes once more");
        assert_eq!(found("15 */1 25 * *")[..2], [both[1], both[3]]);
        assert_eq!(found("45 23 24 * *"), [both[0]], "what is fixed is due once");
    }

    #[test]
    fn a_day_that_begins_in_a_gap_begins_after_it() {
        // In Nuuk 2026-03-28 ends at 23:00: what is due at 23:30 is so at midnight.
        let found = |line| times(line, NUUK, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
        assert_eq!(found("30 23 * * *"), ["03-29 00:00-01:00"]);
        assert_eq!(found("0 0 * * *"), ["03-29 00:00-01:00"]);
    }

    #[test]
    fn days_months_and_leap_years_are_found() {
        let next = |line: &str, from: &str| {
            let next = timetable(line, "UTC0").next(at(from))?;
            Some(jiff::Timestamp::from_millisecond(next.0).unwrap().strftime("%Y-%m-%d %H:%M").to_string())
        };
        let table = [
            ("0 0 1 1 *", "2026-11-30T00:00:00Z", Some("2027-01-01 00:00")),
            ("0 0 31 * *", "2026-11-30T00:00:00Z", Some("2026-12-31 00:00")),
            ("0 0 31 4,6 *", "2026-11-30T00:00:00Z", None),
            ("0 0 30 2 *", "2026-11-30T00:00:00Z", None),
            ("0 0 29 2 *", "2026-11-30T00:00:00Z", Some("2028-02-29 00:00")),
            ("0 0 29 2 *", "2097-01-01T00:00:00Z", Some("2104-02-29 00:00")),
            ("0 0 29 2 */7", "2088-03-01T00:00:00Z", Some("2128-02-29 00:00")),
            ("0 9 13 * fri", "2026-11-13T09:00:00Z", Some("2026-11-20 09:00")),
            ("0 12 * * mon", "2026-11-30T11:59:59Z", Some("2026-11-30 12:00")),
            ("0 12 * * mon", "2026-11-30T12:00:00Z", Some("2026-12-07 12:00")),
            ("* * * * *", "2026-11-30T12:00:00Z", Some("2026-11-30 12:01")),
            ("* * * * *", "2026-11-30T12:00:59.999Z", Some("2026-11-30 12:01")),
            ("0 0 * * *", "1969-12-31T12:00:00Z", Some("1970-01-01 00:00")),
        ];
        for (line, from, expected) in table {
            assert_eq!(next(line, from).as_deref(), expected, "{line} after {from}");
        }
    }

    #[test]
    fn what_is_never_due_is_refused_with_its_line() {
        let error = timetable("0 0 30 2 *", "UTC0").first(at("2026-11-30T00:00:00Z")).unwrap_err();
        assert_eq!(error.to_string(), "cron line `0 0 30 2 *` never fires: there is no such day or time");
        // The last Sunday of March is the day on which 2:00 is skipped, and both must hold.
        let skipped = timetable("*/15 2 28-31 3 */7", VIENNA);
        assert!(matches!(skipped.first(at("2026-11-30T00:00:00Z")), Err(InvalidSchedule::Never(_))));
        let once = Timetable { when: When::At(Timestamp(5)), ..timetable("* * * * *", "UTC0") };
        assert_eq!(once.first(Timestamp(4)), Ok(Timestamp(5)));
        assert_eq!(once.first(Timestamp(5)), Err(InvalidSchedule::Passed));
    }

    #[test]
    fn what_comes_every_so_often_keeps_to_its_grid() {
        let every = |ms| When::Every(Duration::from_millis(ms));
        let table = Timetable { when: every(600_000), since: Timestamp(1_000), ..timetable("* * * * *", VIENNA) };
        for (after, next) in [(0, 601_000), (1_000, 601_000), (600_999, 601_000), (601_000, 1_201_000), (-5, 601_000)] {
            assert_eq!(table.next(Timestamp(after)), Some(Timestamp(next)), "{after}");
        }
        assert_eq!(table.upcoming(Some(Timestamp(601_000)), 3).len(), 3);
        let far = Timetable { when: every(u64::MAX), ..table.clone() };
        assert_eq!((far.next(Timestamp(0)), far.first(Timestamp(0))), (None, Err(InvalidSchedule::Far)));
        assert_eq!(table.next(Timestamp(i64::MAX)), None);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 64, ..Default::default() })]

        /// Whatever the line: what comes next is later, and nothing comes in between.
        #[test]
        fn times_ascend_and_none_is_left_out(
            line in "(\\*|\\*/[1-9]|[0-5][0-9]|[0-9],3[0-9]) (\\*|\\*/[2-9]|[0-9]|1[0-9]|1,2,3) (\\*|\\*|[1-9]|2[0-9]) (\\*|\\*|3|10|3,10) (\\*|\\*|[0-6])",
            zone in proptest::sample::select(vec![VIENNA, LORD_HOWE, NUUK, ODD]),
            start in 1_767_225_600_000_i64..1_798_761_600_000,
        ) {
            let table = timetable(&line, zone);
            if let Some(next) = table.next(Timestamp(start)) {
                proptest::prop_assert!(next.0 > start);
                proptest::prop_assert_eq!(next.0 % 1_000, 0);
                let middle = start + (next.0 - start) / 2;
                proptest::prop_assert_eq!(table.next(Timestamp(middle)), Some(next));
                proptest::prop_assert_eq!(table.next(Timestamp(next.0 - 1)), Some(next));
            }
        }
    }
}
