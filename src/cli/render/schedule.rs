//! Schedules: the list, one of them in full, and those that are due next.

use jiff::tz::TimeZone;

use crate::cli::render::instant::{moment, on_clock};
use crate::cli::render::sheet::Sheet;
use crate::cli::render::table::{Align, Cell, Column, Table, cut};
use crate::cli::render::{ahead, confine, distance};
use crate::domain::schedule::{Schedule, When};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::units::{format_duration, format_size};
use crate::view::time::rfc3339;

/// What a name and the times may take at most.
const NAME_WIDTH_MAX: usize = 24;
const TIMES_WIDTH_MAX: usize = 28;

/// Returns the table of `schedules`.
pub fn list(schedules: &[Schedule], now: Timestamp, width: Option<usize>) -> String {
    let mut table = Table::new(vec![
        Column::new("NAME", Align::Left),
        Column::new("NEXT", Align::Left).expendable(1),
        Column::new("TIMES", Align::Left).expendable(2),
        Column::new("LAST", Align::Right).expendable(3),
        Column::new("COMMAND", Align::Left),
    ]);
    for schedule in schedules {
        table.push(vec![
            Cell::new(cut(&neutralize(&schedule.name), NAME_WIDTH_MAX)),
            Cell::new(next(schedule, now)),
            Cell::new(cut(&times(schedule), TIMES_WIDTH_MAX)),
            Cell::new(schedule.latest_task().map_or_else(|| "-".to_owned(), |task| format!("task {task}"))),
            Cell::new(neutralize(&schedule.spec.command_line())),
        ]);
    }
    table.draw(width)
}

/// Returns the lines of the status screen for `schedules`, a line each; `None` if there is none.
pub fn overview(schedules: &[Schedule], now: Timestamp, width: Option<usize>) -> Option<String> {
    if schedules.is_empty() {
        return None;
    }
    let mut table = Table::new(vec![
        Column::new("NAME", Align::Left),
        Column::new("NEXT", Align::Left),
        Column::new("TIMES", Align::Left).expendable(1),
        Column::new("COMMAND", Align::Left),
    ])
    .indented(2);
    for schedule in schedules {
        table.push(vec![
            Cell::new(cut(&neutralize(&schedule.name), width.map_or(NAME_WIDTH_MAX, |width| (width / 4).max(8)))),
            Cell::new(next(schedule, now)),
            Cell::new(cut(&times(schedule), TIMES_WIDTH_MAX)),
            Cell::new(neutralize(&schedule.spec.command_line())),
        ]);
    }
    Some(table.draw(width))
}

/// Returns everything about a schedule, whose next times are `upcoming`.
pub fn details(schedule: &Schedule, upcoming: &[Timestamp], now: Timestamp, width: Option<usize>) -> String {
    let mut sheet = Sheet::new();
    let standing = match (&schedule.pause, schedule.next_at) {
        (Some(pause), _) => {
            let reason = pause.reason.as_deref().map(|reason| format!(": {}", neutralize(reason))).unwrap_or_default();
            format!("paused {}{reason}", distance(pause.at, now))
        }
        (None, Some(at)) => format!("due {}", ahead(at, now)),
        (None, None) => "never due again".to_owned(),
    };
    sheet.heading(&format!("schedule {}", neutralize(&schedule.name)), standing);
    let spec = &schedule.spec;
    let mut fact = |key: &str, value: String| sheet.fact(key, value);
    fact("times", format!("{}, {}", times(schedule), neutralize(&schedule.time_zone)));
    fact("missed", schedule.missed.as_str().to_owned());
    fact("overlap", schedule.overlap.as_str().to_owned());
    fact("command", neutralize(&spec.command_line()).into_owned() + if spec.shell { "  (shell)" } else { "" });
    if let Some(name) = spec.name.as_ref().filter(|name| **name != schedule.name) {
        fact("name", neutralize(name).into_owned());
    }
    if !spec.labels.is_empty() {
        let label = |(key, value): (&String, &String)| match value.as_str() {
            "" => neutralize(key).into_owned(),
            value => format!("{}={}", neutralize(key), neutralize(value)),
        };
        fact("labels", spec.labels.iter().map(label).collect::<Vec<_>>().join(", "));
    }
    fact("queue", format!("{}, priority {}", neutralize(&spec.queue), spec.priority));
    fact("directory", neutralize(&spec.cwd.to_string_lossy()).into_owned());
    if !spec.needs.is_empty() {
        fact("needs", spec.needs.to_string().replace(',', ", "));
    }
    if let Some(key) = &spec.key {
        fact("key", neutralize(key).into_owned());
    }
    if spec.retry.max_attempts > 1 {
        fact("attempts", format!("up to {}", spec.retry.max_attempts));
    }
    if let Some(timeout) = spec.timeout {
        fact("timeout", format_duration(timeout));
    }
    if let Some(limit) = spec.output_limit {
        fact("output limit", format_size(limit));
    }
    for (name, said) in confine::facts(&spec.confinement) {
        fact(name, said);
    }
    for (event, line) in &spec.hooks {
        fact("hook", format!("on {}: {}", event.as_str(), neutralize(line)));
    }
    let names: Vec<_> = schedule.env_names.iter().map(|name| neutralize(name)).collect();
    fact("environment", if names.is_empty() { "none".to_owned() } else { names.join(" ") });
    fact("added", moment(schedule.created_at, now));
    if let Some(at) = schedule.last_at {
        let task = schedule.last_task.map(|task| format!(", task {task}")).unwrap_or_default();
        fact("last", format!("{} ({}){task}", local(schedule, at), distance(at, now)));
    }
    if let Some(task) = schedule.newest_task.filter(|newest| schedule.last_task < Some(*newest)) {
        fact("run now", format!("task {task}"));
    }
    for (place, at) in upcoming.iter().enumerate() {
        fact(if place == 0 { "next" } else { "" }, format!("{} ({})", local(schedule, *at), distance(*at, now)));
    }
    sheet.draw(width)
}

/// Says that a schedule was added, and when it is due.
pub fn added(schedule: &Schedule, now: Timestamp) -> String {
    done(schedule, "added", schedule.next_at, now)
}

/// Says what was done to a schedule, and when it is due if that is to be told.
pub fn done(schedule: &Schedule, did: &str, due: Option<Timestamp>, now: Timestamp) -> String {
    let due = due.map(|at| format!(", due {} ({})", ahead(at, now), local(schedule, at))).unwrap_or_default();
    format!("schedule {} {did}{due}", neutralize(&schedule.name))
}

/// Returns when a schedule is due next, in few words.
fn next(schedule: &Schedule, now: Timestamp) -> String {
    match (&schedule.pause, schedule.next_at) {
        (Some(_), _) => "paused".to_owned(),
        (None, Some(at)) => ahead(at, now),
        (None, None) => "never again".to_owned(),
    }
}

/// Returns by what rule a schedule is due.
fn times(schedule: &Schedule) -> String {
    match &schedule.when {
        When::Cron(cron) => neutralize(cron.as_str()).into_owned(),
        When::Every(every) => format!("every {}", format_duration(*every)),
        When::At(at) => format!("at {}", local(schedule, *at)),
    }
}

/// Returns an instant on the clock of the schedule's time zone; in UTC if that is not known here.
fn local(schedule: &Schedule, at: Timestamp) -> String {
    TimeZone::get(&schedule.time_zone).map_or_else(|_| rfc3339(at), |zone| on_clock(at, &zone))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::view::samples::{NOW, paused_schedule, schedule};

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn later() -> Timestamp {
        Timestamp(NOW.0 - 3_600_000)
    }

    fn in_utc() -> Schedule {
        Schedule { time_zone: "UTC".to_owned(), ..schedule() }
    }

    #[test]
    fn lists_of_schedules_fit_narrow_terminals() {
        let long = Schedule { name: "x".repeat(64), ..paused_schedule() };
        let schedules = [in_utc(), paused_schedule(), long];
        for width in 40..120 {
            for text in [Some(list(&schedules, later(), Some(width))), overview(&schedules, later(), Some(width))] {
                let text = plain(&text.unwrap());
                let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= width, "{width}:\n{text}");
            }
        }
        insta::assert_snapshot!(plain(&list(&schedules[..2], later(), None)), @r"
        NAME     NEXT      TIMES           LAST  COMMAND
        nightly  in 1h00m  30 11 * * *  task 12  ./backup.sh --all
        poll     paused    every 10m          -  ./backup.sh --all
        ");
        assert_eq!(overview(&[], NOW, None), None);
    }

    #[test]
    fn one_schedule_in_full() {
        let next = [NOW, NOW + Duration::from_secs(86_400)];
        insta::assert_snapshot!(plain(&details(&in_utc(), &next, later(), None)), @r"
        schedule nightly  due in 1h00m
          times        30 11 * * *, UTC
          missed       once
          overlap      skip
          command      ./backup.sh --all
          queue        default, priority 0
          directory    /home/project
          environment  PATH
          added        2026-01-14T10:30:00+00:00 (23h00m ago)
          last         2026-01-14T10:30:00+00:00 (23h00m ago), task 12
          next         2026-01-15T10:30:00+00:00 (in 1h00m)
                       2026-01-16T10:30:00+00:00 (in 1d01h)
        ");
        let by_hand = Schedule { newest_task: Some("15".parse().unwrap()), ..in_utc() };
        let shown = plain(&details(&by_hand, &[], later(), None));
        assert!(shown.contains("ago), task 12\n  run now      task 15"), "{shown}");
        let listed = plain(&list(&[by_hand], later(), None));
        assert!(listed.contains("task 15") && !listed.contains("task 12"), "{listed}");
        let paused = plain(&details(&paused_schedule(), &[], NOW, None));
        let first = paused.lines().next();
        assert_eq!(first, Some("schedule poll  paused just now: no time zone `UTC` is known here"), "{paused}");
        let done = Schedule { pause: None, ..paused_schedule() };
        assert!(plain(&details(&done, &[], NOW, None)).starts_with("schedule poll  never due again"));
    }
}
