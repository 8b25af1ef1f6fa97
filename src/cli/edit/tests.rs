use std::time::Duration;

use super::*;
use crate::domain::id::TaskId;
use crate::domain::schedule::{Missed, Overlap, Schedule, Terms, When};
use crate::domain::task::Confinement;
use crate::domain::time::Timestamp;
use crate::view::samples;

fn id(n: u64) -> TaskId {
    TaskId::new(n).unwrap()
}

fn plain() -> TaskSpec {
    TaskSpec::command(vec!["cargo".into(), "test".into()], "/srv".into())
}

fn edited(spec: &TaskSpec, change: impl FnOnce(String) -> String) -> Result<TaskSpec, Failure> {
    let before = Sheet::of(spec);
    let (after, lines) = parse(TASK, &change(text(Head::Task(id(12)), spec, &before)))?;
    changed(spec, &before, &after).map_err(|wrong| match (lines.get(wrong.0), wrong.1) {
        (Some(line), failure) => at_line(*line, failure),
        (None, failure) => failure,
    })
}

#[test]
fn a_plain_task_is_a_short_sheet_with_examples() {
    let spec = plain();
    insta::assert_snapshot!(text(Head::Task(id(12)), &spec, &Sheet::of(&spec)), @r##"
    # What task 12 is to do, as long as it has not started.
    # What is taken away, or begins with `#`, is not set. Variables are changed with
    # `apex task edit 12 --set env.NAME=VALUE`: their values are in no file.

    argv = ["cargo", "test"]
    cwd = "/srv"
    #name = "nightly"
    #labels = { team = "core" }
    queue = "default"
    priority = 0
    #at = "tomorrow 9am"
    #after = [3, 4]
    #after_any = [3, 4]
    retries = 0
    #retry_delay = "1s"
    #retry_backoff = "exponential"
    #retry_max_delay = "5m"
    #retry_on = [1, 75]
    on_interrupt = "stop"
    #timeout = "1h"
    #output_limit = "10MiB"
    #nice = 10
    #cpus = "0-3"
    #rlimits = ["nofile=1024"]
    #memory = "2GiB"
    #cpu_limit = "1.5"
    #kill_signal = "INT"
    #kill_grace = "10s"
    #stdin = "/srv/input"
    split_output = false
    #key = "nightly"
    #needs = { gpu = 1, mem = "8GiB" }
    #hooks = { failure = "./tell.sh" }
    "##);
}

#[test]
fn what_is_not_touched_stays_exactly_as_it_is() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut full = samples::queued().spec;
    full.argv = vec!["a b".into(), "\u{1b}\"'\\\n".into()];
    full.labels = [
        ("odd key\"".to_owned(), "x\ny".to_owned()),
        ("team".to_owned(), String::new()),
        ("größe".to_owned(), "7".to_owned()),
    ]
    .into();
    full.run_at = Some(Timestamp(1_000));
    full.timeout = Some(Duration::from_millis(1_234_567));
    full.output_limit = Some(1_537);
    let word =
        "nice=-5;cpus=0-3,8;rlimit.nofile=1024:4096;rlimit.as=1537:unlimited;rlimit.cpu=90:90;memory=1048577;cpu=1250";
    full.confinement = Confinement::from_word(word).unwrap();
    full.retry.max_attempts = 4;
    full.retry.on_codes = vec![1, 75];
    (full.after, full.after_any) = (vec![id(3), id(4)], vec![id(5)]);
    let odd = TaskSpec { argv: vec![std::ffi::OsString::from_vec(vec![0xff])], ..plain() };
    let handed = TaskSpec { stdin: Stdin::Upload(uuid::Uuid::nil()), ..plain() };
    for spec in [plain(), full, odd, handed] {
        let (after, _) = parse(TASK, &text(Head::Task(id(12)), &spec, &Sheet::of(&spec))).unwrap();
        assert_eq!(after, Sheet::of(&spec));
        assert_eq!(edited(&spec, |text| text), Ok(spec));
    }
}

#[test]
fn keys_are_set_and_taken_away() {
    let spec = plain();
    let before = Sheet::of(&spec);
    let mut sheet = before.clone();
    for (key, typed) in [
        ("shell", "make && make check"),
        ("name", "nightly"),
        ("labels.team", "core"),
        ("priority", "-3"),
        ("after", "3, 4"),
        ("after_any", "[5]"),
        ("retries", "2"),
        ("retry_delay", "5s"),
        ("timeout", "1h"),
        ("kill_signal", "9"),
        ("nice", "-5"),
        ("cpus", "0-3"),
        ("rlimits", "nofile=9, core=0B:unlimited"),
        ("memory", "1GiB"),
        ("cpu_limit", "0.5"),
        ("split_output", "true"),
    ] {
        sheet.set(key, typed).unwrap();
    }
    let new = changed(&spec, &before, &sheet).unwrap();
    assert_eq!((new.argv, new.shell), (vec!["make && make check".into()], true));
    assert_eq!((new.name.as_deref(), new.labels.get("team").map(String::as_str)), (Some("nightly"), Some("core")));
    assert_eq!((new.priority, new.after, new.after_any), (-3, vec![id(3), id(4)], vec![id(5)]));
    assert_eq!((new.retry.max_attempts, new.retry.delay), (3, Duration::from_secs(5)));
    let word = "nice=-5;cpus=0-3;rlimit.nofile=9:9;rlimit.core=0:unlimited;memory=1073741824;cpu=500";
    assert_eq!(new.confinement.to_word(), word);
    assert_eq!((new.timeout, new.kill_signal, new.split_output), (Some(Duration::from_secs(3600)), Some(9), true));
    for key in ["name", "labels.team", "timeout", "after"] {
        sheet.unset(key).unwrap();
    }
    let new = changed(&spec, &before, &sheet).unwrap();
    assert_eq!((new.name, new.labels.len(), new.timeout, new.after), (None, 0, None, vec![]));
    sheet.set("argv", "[\"a\", \"b c\"]").unwrap();
    assert_eq!(changed(&spec, &before, &sheet).unwrap().argv, ["a", "b c"]);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let spec = plain();
    for (from, to, part) in [
        ("priority = 0", "priority = \"high\"", "line 10: `priority` is not a whole number"),
        ("priority = 0", "priority = 99999999999", "line 10: `priority` is 99999999999"),
        ("#timeout = \"1h\"", "timeout = \"5\"", "`timeout`"),
        ("#timeout = \"1h\"", "timout = \"5s\"", "unknown key `timout`"),
        ("#name = \"nightly\"", "name = \"12\"", "line 7: invalid value `12` for `name`"),
        ("cwd = \"/srv\"", "cwd = \"srv\"", "not an absolute path"),
        ("cwd = \"/srv\"", "", "`cwd` is missing"),
        ("argv = [\"cargo\", \"test\"]", "", "`argv` or `shell` is missing"),
        ("#name", "shell = \"x\"\n#name", "line 7: `argv` and `shell` cannot both be there"),
        ("#retry_delay = \"1s\"", "retry_delay = \"1s\"", "of no use"),
        ("cwd = \"/srv\"", "cwd = srv", "line 6: "),
        ("#name", "env = { A = \"1\" }\n#name", "line 7: unknown key `env`"),
    ] {
        let failure = edited(&spec, |text| {
            assert!(text.contains(from), "{from}: {text}");
            text.replacen(from, to, 1)
        });
        let failure = failure.expect_err(to);
        assert!(failure.problem.message.contains(part), "{to}: {failure:?}");
    }
    let mut sheet = Sheet::of(&spec);
    for (key, typed) in [("naem", "x"), ("priority", "high"), ("argv", "cargo test"), ("env", "x")] {
        let failure = sheet.set(key, typed).unwrap_err();
        assert!(failure.problem.hint.is_some() && failure.exit == crate::exit::Exit::Usage, "{failure:?}");
    }
}

/// A schedule every ten minutes, added at noon of a day, which has fired.
fn poll() -> Schedule {
    let when = When::Every(Duration::from_secs(600));
    Schedule { when, time_zone: "UTC".to_owned(), ..samples::schedule() }
}

fn noon() -> jiff::Zoned {
    "2026-01-15T12:00:00+00:00[UTC]".parse().unwrap()
}

fn edited_schedule(schedule: &Schedule, change: impl FnOnce(String) -> String) -> Result<Terms, Failure> {
    let before = Sheet::of_schedule(schedule);
    let text = text(Head::Schedule(&schedule.name), &schedule.spec, &before);
    let (after, lines) = parse(SCHEDULE, &change(text))?;
    changed_schedule(schedule, &before, &after, &noon()).map_err(|wrong| match (lines.get(wrong.0), wrong.1) {
        (Some(line), failure) => at_line(*line, failure),
        (None, failure) => failure,
    })
}

#[test]
fn a_schedule_is_its_times_and_what_its_tasks_are_to_do() {
    let schedule = samples::schedule();
    let sheet = text(Head::Schedule("nightly"), &schedule.spec, &Sheet::of_schedule(&schedule));
    let head: Vec<&str> = sheet.lines().take(14).collect();
    insta::assert_snapshot!(head.join("\n"), @r##"
    # When schedule nightly adds tasks (by `cron`, `every` or `at`), and what they are to do.
    # What is taken away, or begins with `#`, is not set. Variables are changed with
    # `apex schedule edit nightly --set env.NAME=VALUE`: their values are in no file.

    cron = "30 11 * * *"
    #every = "10m"
    #at = "tomorrow 9am"
    tz = "Europe/Vienna"
    missed = "once"
    overlap = "skip"
    argv = ["./backup.sh", "--all"]
    cwd = "/home/project"
    name = "nightly"
    #labels = { team = "core" }
    "##);
    assert!(!sheet.contains("after") && sheet.matches("at = ").count() == 1, "{sheet}");
    let once = Schedule { when: When::At(Timestamp(1_000)), ..schedule.clone() };
    for schedule in [schedule, poll(), once, samples::paused_schedule()] {
        assert_eq!(edited_schedule(&schedule, |text| text), Ok(Terms::of(&schedule)), "what is not touched stays");
    }
}

#[test]
fn keys_of_a_schedule_are_set_and_taken_away() {
    let schedule = poll();
    let before = Sheet::of_schedule(&schedule);
    let after = |settings: &[(&str, &str)]| {
        let mut sheet = before.clone();
        settings.iter().for_each(|(key, typed)| sheet.set(key, typed).unwrap());
        sheet
    };
    let terms = |sheet: &Sheet| changed_schedule(&schedule, &before, sheet, &noon());
    let all = [("cron", "@daily"), ("missed", "all"), ("overlap", "queue"), ("priority", "7"), ("needs", "gpu")];
    let new = terms(&after(&all)).unwrap();
    assert!(matches!(&new.when, When::Cron(cron) if cron.as_str() == "@daily"), "one takes the place of the other");
    assert_eq!((new.missed, new.overlap, new.spec.priority), (Missed::All, Overlap::Queue, 7));
    assert_eq!(new.spec.needs.to_string(), "gpu=1");
    let mut at = after(&[("at", "17:30")]);
    assert_eq!(terms(&at).unwrap().when, When::At(Timestamp(1_768_498_200_000)));
    at.unset("at").unwrap();
    for wrong in [at, after(&[("tz", "Mars/Olympus")]), after(&[("cron", "0 0 30 2 *")]), after(&[("at", "today 9am")])]
    {
        let failure = terms(&wrong).unwrap_err().1;
        assert_eq!(failure.problem.kind, ErrorKind::Invalid, "{failure:?}");
    }
    let mut unset = before.clone();
    unset.set("name", "other").unwrap();
    unset.unset("name").unwrap();
    assert_eq!(terms(&unset).unwrap().spec.name.as_deref(), Some("nightly"), "as the schedule is named");
    let failure = before.clone().set("after", "3").unwrap_err();
    assert!(failure.problem.message.contains("unknown key `after`"), "{failure:?}");
}

#[test]
fn what_is_wrong_with_a_schedule_is_named_with_its_line() {
    for (from, to, part) in [
        ("every = \"10m\"", "every = \"10ms\"", "line 6: a schedule can be due every `1s` at most"),
        ("every = \"10m\"", "every = \"10\"", "line 6: invalid value `10` for `every`"),
        ("every = \"10m\"", "", "one of `cron`, `every` and `at` is needed"),
        ("#at = \"tomorrow 9am\"", "at = \"tomorrow 9am\"", "line 7: `every` and `at` cannot both be there"),
        ("#cron = \"30 3 * * *\"\nevery = \"10m\"", "cron = \"61 * * * *\"", "line 5: invalid value"),
        ("#cron = \"30 3 * * *\"\nevery = \"10m\"", "cron = \"0 0 30 2 *\"", "line 5: cron line `0 0 30 2 *` never"),
        ("tz = \"UTC\"", "tz = \"Mars\"", "line 8: no time zone `Mars` is known here"),
        ("tz = \"UTC\"", "", "`tz` is missing"),
        ("missed = \"once\"", "missed = \"often\"", "line 9: invalid value `often` for `missed`"),
        ("priority = 0", "priority = \"high\"", "`priority` is not a whole number"),
        ("priority = 0", "after = [3]", "unknown key `after`"),
    ] {
        let failure = edited_schedule(&poll(), |text| {
            assert!(text.contains(from), "{from}: {text}");
            text.replacen(from, to, 1)
        });
        let failure = failure.expect_err(to);
        assert!(failure.problem.message.contains(part), "{to}: {failure:?}");
    }
}
