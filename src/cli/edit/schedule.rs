//! The sheet of a schedule, and what a changed one makes of it.

use std::error::Error as StdError;

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::cli::args::value;
use crate::cli::edit::spec::{as_text, read};
use crate::cli::edit::{RULES, SCHEDULE, Sheet, TIMES, Value, Wrong, invalid, spec};
use crate::cli::error::Failure;
use crate::cli::{time, usage};
use crate::domain::schedule::{InvalidSchedule, Schedule, Terms, Timetable, When};
use crate::units::format_duration;
use crate::view::time::rfc3339;

impl Sheet {
    /// Writes down when a schedule adds tasks, and what they are to do.
    pub fn of_schedule(schedule: &Schedule) -> Self {
        let mut sheet = Self { keys: SCHEDULE, ..Self::of(&schedule.spec) };
        let (rule, when) = match &schedule.when {
            When::Cron(cron) => ("cron", cron.as_str().to_owned()),
            When::Every(every) => ("every", format_duration(*every)),
            When::At(at) => ("at", rfc3339(*at)),
        };
        let texts = [
            (rule, when.as_str()),
            ("tz", &schedule.time_zone),
            ("missed", schedule.missed.as_str()),
            ("overlap", schedule.overlap.as_str()),
        ];
        sheet.values.extend(texts.map(|(key, text)| (key, Value::Text(text.to_owned()))));
        sheet
    }

    /// Returns what it says of the tasks alone: a task has a key `at` as well, which is another one.
    fn of_tasks(&self) -> Self {
        let mut sheet = self.clone();
        sheet.values.retain(|key, _| !TIMES.iter().any(|(known, ..)| known == key));
        sheet
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(as_text)
    }
}

/// Returns what becomes of a schedule of which `before` was the sheet, and `after` is it now. What was not changed is not looked at.
///
/// Errors: the first key whose value cannot be; the times would never come.
pub fn changed(schedule: &Schedule, before: &Sheet, after: &Sheet, now: &Zoned) -> Result<Terms, Wrong> {
    let old = Terms::of(schedule);
    let mut spec = spec::changed(&old.spec, &before.of_tasks(), &after.of_tasks())?;
    // Its tasks are named as it is where nothing is said.
    if spec.name.is_none() && old.spec.name.is_some() {
        spec.name = Some(schedule.name.clone());
    }
    let mut terms = Terms { spec, ..old.clone() };
    let wrong = |key: &'static str| move |failure: Failure| Wrong::new((key, failure));
    let is_new = |key: &str| before.values.get(key) != after.values.get(key);
    if is_new("tz") {
        terms.time_zone = time_zone(after.text("tz")).map_err(wrong("tz"))?;
    }
    if is_new("missed") {
        terms.missed =
            read("missed", after.text("missed"), value::missed).map_err(wrong("missed"))?.unwrap_or_default();
    }
    if is_new("overlap") {
        let overlap = read("overlap", after.text("overlap"), value::overlap);
        terms.overlap = overlap.map_err(wrong("overlap"))?.unwrap_or_default();
    }
    let rule = rule(after)?;
    if is_new(rule) {
        terms.when = when(rule, after, &terms.time_zone, now).map_err(wrong(rule))?;
    }
    terms.check().map_err(|error| Wrong::new((culprit(rule, &error), invalid(error.to_string()))))?;
    if terms.has_other_times(&old) {
        let zone = zone(&terms.time_zone).map_err(wrong("tz"))?;
        let table = Timetable { when: terms.when.clone(), zone, since: schedule.created_at };
        table.first(time::timestamp(now)).map_err(|error| Wrong::new((rule, invalid(error.to_string()))))?;
    }
    Ok(terms)
}

/// Returns which key it is that says when it is due.
fn rule(sheet: &Sheet) -> Result<&'static str, Wrong> {
    let mut there = RULES.into_iter().filter(|rule| sheet.values.contains_key(rule));
    match (there.next(), there.next()) {
        (Some(rule), None) => Ok(rule),
        (Some(first), Some(second)) => {
            let message = format!("`{first}` and `{second}` cannot both be there");
            Err(Wrong::new((second, invalid(message))))
        }
        (None, _) => Err(Wrong::new(("cron", invalid("one of `cron`, `every` and `at` is needed")))),
    }
}

/// Returns the key that something is wrong with.
fn culprit(rule: &'static str, error: &InvalidSchedule) -> &'static str {
    match error {
        InvalidSchedule::Spec(_) => "argv",
        InvalidSchedule::KeyHolds => "overlap",
        _ => rule,
    }
}

fn when(rule: &'static str, sheet: &Sheet, time_zone: &str, now: &Zoned) -> Result<When, Failure> {
    let missing = || invalid(format!("`{rule}` is missing"));
    let text = sheet.text(rule);
    match rule {
        "cron" => read(rule, text, value::cron)?.map(When::Cron).ok_or_else(missing),
        "every" => read(rule, text, value::duration)?.map(When::Every).ok_or_else(missing),
        _ => {
            let (text, now) = (text.ok_or_else(missing)?, now.with_time_zone(zone(time_zone)?));
            let at = time::parse_future(text, &now);
            at.map(When::At).map_err(|error| usage::invalid_value(rule, text, &error as &(dyn StdError + 'static)))
        }
    }
}

/// Returns the name of a time zone, as the database writes it.
fn time_zone(typed: Option<&str>) -> Result<String, Failure> {
    let typed = typed.ok_or_else(|| invalid("`tz` is missing"))?;
    let zone = zone(typed)?;
    Ok(zone.iana_name().unwrap_or(typed).to_owned())
}

fn zone(name: &str) -> Result<TimeZone, Failure> {
    let unknown = |_| invalid(InvalidSchedule::TimeZone(name.to_owned()).to_string());
    TimeZone::get(name).map_err(|error| unknown(error).with_hint("name one of the IANA database, as `Europe/Vienna`"))
}
