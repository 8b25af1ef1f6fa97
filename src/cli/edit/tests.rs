use std::time::Duration;

use super::*;
use crate::domain::id::TaskId;
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
    let (after, lines) = parse(&change(text(id(12), spec, &before)))?;
    changed(spec, &before, &after).map_err(|wrong| match (lines.get(wrong.0), wrong.1) {
        (Some(line), failure) => at_line(*line, failure),
        (None, failure) => failure,
    })
}

#[test]
fn a_plain_task_is_a_short_sheet_with_examples() {
    let spec = plain();
    insta::assert_snapshot!(text(id(12), &spec, &Sheet::of(&spec)), @r##"
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
    #kill_signal = "INT"
    #kill_grace = "10s"
    #stdin = "/srv/input"
    split_output = false
    #key = "nightly"
    #hooks = { failure = "./tell.sh" }
    #needs = { gpu = 1, mem = "8GiB" }
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
    full.retry.max_attempts = 4;
    full.retry.on_codes = vec![1, 75];
    (full.after, full.after_any) = (vec![id(3), id(4)], vec![id(5)]);
    let odd = TaskSpec { argv: vec![std::ffi::OsString::from_vec(vec![0xff])], ..plain() };
    let handed = TaskSpec { stdin: Stdin::Upload(uuid::Uuid::nil()), ..plain() };
    for spec in [plain(), full, odd, handed] {
        let (after, _) = parse(&text(id(12), &spec, &Sheet::of(&spec))).unwrap();
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
        ("split_output", "true"),
    ] {
        sheet.set(key, typed).unwrap();
    }
    let new = changed(&spec, &before, &sheet).unwrap();
    assert_eq!((new.argv, new.shell), (vec!["make && make check".into()], true));
    assert_eq!((new.name.as_deref(), new.labels.get("team").map(String::as_str)), (Some("nightly"), Some("core")));
    assert_eq!((new.priority, new.after, new.after_any), (-3, vec![id(3), id(4)], vec![id(5)]));
    assert_eq!((new.retry.max_attempts, new.retry.delay), (3, Duration::from_secs(5)));
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
    let mut sheet = Sheet::default();
    for (key, typed) in [("naem", "x"), ("priority", "high"), ("argv", "cargo test"), ("env", "x")] {
        let failure = sheet.set(key, typed).unwrap_err();
        assert!(failure.problem.hint.is_some() && failure.exit == crate::exit::Exit::Usage, "{failure:?}");
    }
}
