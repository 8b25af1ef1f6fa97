//! Flags that go with every command, and how it speaks.

use nix::sys::signal::Signal;

use crate::contract::{UNTIL_GO, go, listed};
use crate::support::{Run, World, run, signal};

/// Row: global flags / --json
/// Row: json shapes / errors on stderr
#[test]
fn with_json_there_is_nothing_else_on_stdout() {
    let world = World::new();
    for args in [
        &["task", "add", "--hold", "--", "no-such-program"][..],
        &["task", "list"],
        &["task", "show", "1"],
        &["task", "release", "1"],
        &["task", "wait", "1"],
        &["status"],
        &["daemon", "status"],
        &["daemon", "restart"],
        &["version"],
        &["init"],
        &["daemon", "stop"],
    ] {
        let run = world.apex(["--json"].iter().chain(args));
        assert!(run.stdout.lines().count() == 1 && run.json() != serde_json::Value::Null, "{args:?} {run:?}");
    }
    let refused = world.apex(["--json", "--no-start", "task", "list"]).expect(3);
    assert_eq!(refused.stdout, "");
    assert_eq!(refused.error()["kind"], "unavailable");
}

/// Row: global flags / -q
#[test]
fn quiet_leaves_only_the_data() {
    let world = World::started();
    let quiet = world.apex(["-q", "task", "add", "--", "true"]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("1\n", ""));
    let wait = world.apex(["task", "wait", "--quiet", "1"]).expect(0);
    assert_eq!((wait.stdout.as_str(), wait.stderr.as_str()), ("", ""));
    let told = world.apex(["task", "wait", "1"]).expect(0);
    assert_ne!(told.stderr, "", "the control");
    let refused = world.apex(["-q", "task", "cancel", "1"]).expect(1);
    assert_ne!(refused.stderr, "", "a failure is told all the same");
}

/// Row: global flags / -v
#[test]
fn verbose_says_more_and_prints_the_same() {
    let world = World::started();
    let usual = world.apex(["task", "list"]).expect(0);
    for flag in ["-v", "-vv", "--verbose"] {
        let more = world.apex([flag, "task", "list"]).expect(0);
        assert_eq!(more.stdout, usual.stdout);
        assert!(more.stderr.len() > usual.stderr.len(), "{flag} {more:?}");
    }
}

/// Row: global flags / --color
#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let world = World::new();
    let has_colour = |flags: &[&str], variables: &[(&str, &str)]| {
        let mut command = world.command(["status"].iter().chain(flags));
        command.envs(variables.iter().copied());
        run(command).expect(0).stdout.contains('\u{1b}')
    };
    assert!(!has_colour(&[], &[]), "into a pipe");
    assert!(has_colour(&["--color", "always"], &[]));
    assert!(has_colour(&["--color=always"], &[("NO_COLOR", "1")]), "a flag goes over the environment");
    assert!(has_colour(&["--color", "auto"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!has_colour(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!has_colour(&[], &[("NO_COLOR", "1")]));
    assert_eq!(world.apex(["--color", "sometimes", "status"]).code, 2);
}

/// Row: global flags / --deadline
/// Row: exit codes / 3
#[test]
fn a_daemon_that_does_not_answer_is_3_and_says_so() {
    let world = World::started();
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGSTOP);
    let run = world.apex(["--deadline", "100ms", "task", "list"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("does not answer"), "{run:?}");
    signal(apexd, Signal::SIGCONT);
    world.apex(["task", "list"]).expect(0);
}

/// Row: global flags / --deadline
#[test]
fn a_deadline_beyond_all_measure_is_taken() {
    let world = World::started();
    world.apex(["--deadline", "600000w", "task", "list"]).expect(0);
    world.apex(["--deadline", "10000000000w", "daemon", "status"]).expect(0);
    world.apex(["daemon", "stop", "--deadline", "10000000000w"]).expect(0);
    world.apex(["daemon", "start", "--deadline", "10000000000w"]).expect(0);
}

/// Row: global flags / stdout and stderr
#[test]
fn data_goes_to_stdout_and_everything_else_to_stderr() {
    let world = World::started();
    let data = |run: Run| assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{run:?}");
    let word = |run: Run| assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{run:?}");
    data(world.apex(["task", "add", "--", "echo", "hello"]));
    word(world.apex(["task", "wait", "1"]));
    data(world.apex(["task", "logs", "1"]));
    data(world.apex(["task", "list"]));
    data(world.apex(["task", "show", "1"]));
    word(world.apex(["task", "cancel", "1"]));
    word(world.apex(["task", "show", "99"]));
    word(world.apex(["task", "nonsense"]));
    let warned = world.apex(["run", "--", "no-such-program"]).expect(127);
    assert!(warned.stdout.is_empty() && warned.stderr.contains("no-such-program"), "{warned:?}");
}

/// Row: global flags / width
#[test]
fn a_table_is_as_wide_as_columns_says_and_else_as_it_needs() {
    let world = World::started();
    let long = "x".repeat(300);
    world.apex(["task", "add", "--hold", "--", "echo", &long]).expect(0);
    assert!(world.apex(["task", "list"]).stdout.contains(&long), "a pipe has no width");
    let mut command = world.command(["task", "list"]);
    command.env("COLUMNS", "60");
    let narrow = run(command).expect(0).stdout;
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    assert!(narrow.lines().nth(1).unwrap().chars().count() > 50, "{narrow}");
}

/// Row: global flags / durations
#[test]
fn durations_have_units() {
    let world = World::started();
    let id = world.add(UNTIL_GO);
    for good in ["20ms", "0.02s", "0s"] {
        let run = world.apex(["task", "wait", "--timeout", good, &id.to_string()]);
        assert!([2, 75].contains(&run.code), "{good} {run:?}");
    }
    world.apex(["--deadline", "1h30m", "task", "list"]).expect(0);
    for bare in ["5", "250"] {
        let run = world.apex(["task", "wait", "--timeout", bare, &id.to_string()]).expect(2);
        assert!(run.stderr.contains(&format!("{bare}s")), "the units are named: {run:?}");
    }
    go(&world);
    world.ended(id);
}

/// Row: global flags / times
#[test]
fn people_read_times_on_the_clock_that_they_type_them_by() {
    let mut world = World::new();
    world.set_variable("TZ", "America/New_York");
    world.apex(["daemon", "start"]).expect(0);
    let (typed, shown) = ("2030-11-30 17:00", "2030-11-30T17:00:00-05:00 (in ");
    let add = world.apex(["add", "--at", typed, "--", "true"]).expect(0);
    assert!(add.stderr.contains(shown), "{add:?}");
    let pause = world.apex(["queue", "pause", "default", "--until", typed]).expect(0);
    assert!(pause.stderr.contains(shown), "{pause:?}");
    for args in [&["task", "show", "1"][..], &["task", "why", "1"], &["queue", "list"], &["status"]] {
        let run = world.apex(args).expect(0);
        assert!(run.stdout.contains(shown), "{args:?}: {run:?}");
        assert!(!run.stdout.contains("22:00:00"), "{args:?}: {run:?}");
    }
    let at = |line: &str| line.split_whitespace().next().unwrap().parse::<jiff::Timestamp>().unwrap();
    let events = world.apex(["events"]).expect(0).stdout;
    assert!(events.lines().all(|line| line.contains("-05:00  ") || line.contains("-04:00  ")), "{events}");
    assert!(events.lines().map(at).is_sorted(), "{events}");
    assert_eq!(world.show(1)["run_at"], "2030-11-30T22:00:00.000Z", "programs get UTC");
}

/// Row: global flags / times
#[test]
fn times_are_printed_by_the_standard_and_read_in_words_too() {
    let world = World::started();
    let task = world.ended(world.add("true"));
    for key in ["created_at", "started_at", "ended_at"] {
        let at = task[key].as_str().unwrap();
        at.parse::<jiff::Timestamp>().unwrap();
        assert!(at.len() == "2026-01-15T10:30:00.000Z".len() && at.ends_with('Z'), "{at}");
    }
    world.apex(["daemon", "stop"]).expect(0);
    let lines = |since: &str| world.apex(["daemon", "logs", "--since", since]).expect(0).stdout.lines().count();
    let all = world.apex(["daemon", "logs"]).expect(0).stdout.lines().count();
    for long_ago in ["2001-02-03T04:05:06Z", "2001-02-03T06:05:06.5+02:00", "48h ago", "2001-02-03"] {
        assert_eq!(lines(long_ago), all, "{long_ago}");
    }
    assert_eq!(lines("2999-01-01T00:00:00Z"), 0);
    world.apex(["daemon", "logs", "--since", "yesterday 9am"]).expect(0);
    world.apex(["daemon", "logs", "--since", "17:30"]).expect(0);
    world.apex(["daemon", "logs", "--since", "whenever"]).expect(2);
}

/// Row: global flags / nothing cut silently
#[test]
fn what_a_list_leaves_out_is_said_on_stderr() {
    let world = World::started();
    for _ in 0..3 {
        world.add_with(&["--hold"], "true");
    }
    for flags in [&[][..], &["--json"], &["--all"]] {
        let cut = world.apex(["task", "list", "--limit", "2"].iter().chain(flags)).expect(0);
        assert!(cut.stderr.contains("left out"), "{flags:?} {cut:?}");
        let whole = world.apex(["task", "list", "--limit", "3"].iter().chain(flags)).expect(0);
        assert_eq!(whole.stderr, "", "{flags:?}");
    }
}

/// Row: global flags / several values
#[test]
fn several_values_come_one_by_one_or_with_commas() {
    let world = World::started();
    world.ended(world.add_with(&["-l", "a=1,b", "-l", "c"], "exit 2"));
    world.add_with(&["--hold"], "true");
    assert_eq!(world.show(1)["labels"], serde_json::json!({"a": "1", "b": "", "c": ""}));
    assert_eq!(listed(&world, &["--state", "failed,held"]), [1, 2]);
    assert_eq!(listed(&world, &["--state", "failed", "--state", "held"]), [1, 2]);
    assert_eq!(listed(&world, &["--label", "a", "--label", "b,c"]), [1]);
    world.apex(["task", "cancel", "1,2"]).expect(1);
    assert_eq!(world.state(2), "cancelled");
}
