mod fit;

use std::time::Duration;

use super::*;
use crate::cli::render::status::Screen;
use crate::domain::resource::Resources;
use crate::domain::task::{Backoff, Environment, OnInterrupt, RetryPolicy, Task};
use crate::domain::text::is_unsafe;
use crate::domain::window::Standing;
use crate::paths::Project;
use crate::view::samples::{NOW, daemon, ended, paused_queue, queue as default_queue, queued, running};

const LATER: fn() -> Timestamp = || NOW + Duration::from_secs(185);

/// Takes colours away, which stand around words and change no width.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn tasks() -> Vec<Task> {
    let long =
        ["cargo", "test", "--workspace", "--all-features", "--no-fail-fast", "--", "--nocapture", "--test-threads=2"];
    vec![queued(), ended(), running(14, &long, NOW)]
}

#[test]
fn a_list_without_limits() {
    insta::assert_snapshot!(plain(&task::list(&tasks(), LATER(), None)), @r#"
    ID  STATE    EXIT   TIME       WHEN  NAME   COMMAND
    12  queued   -         -  3m05s ago  -      cargo test
    13  failed   3     40.3s  2m24s ago  build  make && make check
    14  running  -     3m05s  3m05s ago  -      cargo test --workspace --all-features --no-fail-fast -- --nocapture --test-threads=2
    "#);
}

#[test]
fn a_list_at_80_columns() {
    insta::assert_snapshot!(plain(&task::list(&tasks(), LATER(), Some(80))), @r#"
    ID  STATE    EXIT   TIME       WHEN  NAME   COMMAND
    12  queued   -         -  3m05s ago  -      cargo test
    13  failed   3     40.3s  2m24s ago  build  make && make check
    14  running  -     3m05s  3m05s ago  -      cargo test --workspace --all-featur…
    "#);
}

#[test]
fn a_list_at_40_columns() {
    insta::assert_snapshot!(plain(&task::list(&tasks(), LATER(), Some(40))), @r#"
    ID  STATE    NAME   COMMAND
    12  queued   -      cargo test
    13  failed   build  make && make check
    14  running  -      cargo test --worksp…
    "#);
}

#[test]
fn a_wide_terminal_shows_what_a_pipe_gets() {
    assert_eq!(task::list(&tasks(), LATER(), Some(200)), task::list(&tasks(), LATER(), None));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    use unicode_width::UnicodeWidthStr as _;
    let mut tasks = tasks();
    tasks[0].spec.argv = vec!["echo".into(), "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字".into()];
    tasks[0].spec.name = Some("x".repeat(200));
    for width in 30..120 {
        for line in plain(&task::list(&tasks, LATER(), Some(width))).lines() {
            assert!(line.width() <= width, "{} > {width}: {line}", line.width());
        }
    }
}

#[test]
fn nothing_a_user_wrote_steers_the_terminal() {
    let evil = "a\u{1b}[2J\u{202e}\u{9b}\n";
    let mut task = ended();
    task.spec.name = Some(evil.to_owned());
    task.spec.queue = evil.to_owned();
    task.spec.labels = [(evil.to_owned(), evil.to_owned())].into();
    task.spec.argv = vec![evil.into()];
    task.spec.cwd = format!("/{evil}").into();
    task.spec.stdin = crate::domain::task::Stdin::File(format!("/{evil}").into());
    task.reason = Some(evil.to_owned());
    task.env_names = [evil.to_owned()].into();
    task.attempts[0].reason = Some(evil.to_owned());
    task.attempts[0].outputs[0].path = evil.into();
    let env = Environment(vec![(evil.into(), evil.into())]);
    let project = Project::new(format!("/{evil}"));
    let mut status = daemon();
    status.version = evil.to_owned();
    let mut queue = paused_queue();
    queue.name = evil.to_owned();
    queue.pause.as_mut().unwrap().reason = Some(evil.to_owned());
    let screen = Screen {
        untrusted: false,
        daemon: Some(status.clone()),
        out_of_reach: None,
        counts: Some(status.counts.clone()),
        queues: vec![queue.clone()],
        resources: Resources::default(),
        schedules: Vec::new(),
        windows: Standing::default(),
        running: vec![task.clone()],
        waiting: vec![task.clone()],
        failed: vec![task.clone()],
        queues_max: 20,
    };
    for text in [
        task::list(std::slice::from_ref(&task), LATER(), None),
        task::details(&task, Some(&env), &project, LATER(), None),
        task::details(&task, None, &project, LATER(), None),
        task::ended(&task),
        super::daemon::running(&status, &project, LATER(), None),
        super::daemon::stopped(&project, None, Some(evil), None),
        status::screen(&screen, &project, LATER(), None),
        super::queue::list(std::slice::from_ref(&queue), LATER(), None),
    ] {
        let text = plain(&text);
        assert!(text.contains("\\u001b[2J") || text.contains("\\u202e"), "the sample is in it: {text}");
        assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text:?}");
        assert!(!text.contains("\u{1b}"), "{text:?}");
    }
}

#[test]
fn everything_about_a_task() {
    insta::assert_snapshot!(plain(&task::details(&ended(), None, &Project::new("/home/project"), LATER(), None)), @r#"
    task 13  failed: exit code 3
      command      make && make check  (shell)
      name         build
      labels       nightly, team=core
      queue        default, priority -5
      directory    /home/project
      added by     task 2
      timeout      1m30s
      after        task 11, when succeeded
      after any    tasks 9, 10, when ended
      uuid         01900000-0000-7000-8000-00000000000c
      added        2026-01-15T10:30:00+00:00 (3m05s ago)
      not before   2026-01-15T10:30:00+00:00 (3m05s ago)
      started      2026-01-15T10:30:00+00:00 (3m04s ago)
      cancelled    2026-01-15T10:30:01+00:00 (3m04s ago)
      ended        2026-01-15T10:30:40+00:00 (2m24s ago)
      time         40.3s
      environment  1 variable: PATH
    attempt 1  failed  (pid 4711, exit code 3, 40.3s, user 39.0s, system 900ms, 7.0 MiB at most)
      reason       exit code 3
      merged       /home/project/.apex/output/0/13.1.log (1.2 KiB)
      sha256       abababababababababababababababababababababababababababababababab
    "#);
}

#[test]
fn the_terms_of_a_task() {
    let mut task = queued();
    task.spec.queue = "gpu".to_owned();
    task.spec.kill_signal = Some(2);
    task.spec.kill_grace = Some(Duration::from_secs(10));
    task.spec.retry = RetryPolicy { max_attempts: 4, on_codes: vec![1, 75], ..RetryPolicy::default() };
    let project = Project::new("/home/project");
    let facts = |task: &Task| {
        let text = plain(&task::details(task, None, &project, NOW, None));
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| ["ended by", "retries ", "queue "].iter().any(|key| line.starts_with(key)));
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(facts(&task), @r#"
    queue        gpu, priority 0
    ended by     SIGINT, killed after 10s
    retries      3, after 1s doubled up to 5m, on exit code 1, 75
    "#);
    task.spec.kill_grace = None;
    task.spec.retry = RetryPolicy {
        max_attempts: 2,
        backoff: Backoff::Fixed,
        on_interrupt: OnInterrupt::Rerun,
        ..RetryPolicy::default()
    };
    insta::assert_snapshot!(facts(&task), @r#"
    queue        gpu, priority 0
    ended by     SIGINT
    retries      1, after 1s, rerun when interrupted or lost
    "#);
    task.spec.kill_signal = None;
    task.spec.retry.max_attempts = 1;
    insta::assert_snapshot!(facts(&task), @r#"
    queue        gpu, priority 0
    retries      none, rerun when interrupted or lost
    "#);
}

#[test]
fn values_of_the_environment_stand_below_one_another() {
    let env = Environment(vec![("A".into(), "1".into()), ("B".into(), "x y".into())]);
    let text = plain(&task::details(&queued(), Some(&env), &Project::new("/home/project"), LATER(), None));
    assert!(text.ends_with("2 variables\n    A=1\n    B=x y"), "{text}");
}

#[test]
fn how_a_task_ended_on_one_line() {
    let mut task = ended();
    assert_eq!(task::ended(&task), "task 13 failed (exit code 3, 40.3s)");
    (task.state, task.reason) = (State::Succeeded, None);
    task.exit = Some(ExitStatus::Code(0));
    assert_eq!(task::ended(&task), "task 13 succeeded (40.3s)");
    task.state = State::TimedOut;
    task.exit = Some(ExitStatus::Signal(9));
    assert_eq!(task::ended(&task), "task 13 timed out (SIGKILL, 40.3s)");
    let mut never = queued();
    (never.state, never.ended_at, never.reason) = (State::Cancelled, Some(NOW), Some("no longer needed".to_owned()));
    assert_eq!(task::ended(&never), "task 12 cancelled (no longer needed)");
}

#[test]
fn a_daemon_that_runs_and_one_that_does_not() {
    let project = Project::new("/home/project");
    let now = NOW + Duration::from_secs(3600);
    insta::assert_snapshot!(plain(&super::daemon::running(&daemon(), &project, now, None)), @r#"
    daemon  running (pid 4241), up 1h00m, 1 of 3 slots used
      apexd        pid 4242, version 0.1.0, restarted never
      started      2026-01-15T10:30:00+00:00 (1h00m ago)
      waiting      2 queued, 1 held, 1 retrying
      ended        42 tasks, 40 succeeded, 2 failed
      last poll    1s ago
      project      /home/project
      socket       /home/project/.apex/daemon.sock
      log          /home/project/.apex/daemon.log
    "#);
    insta::assert_snapshot!(plain(&super::daemon::stopped(&project, None, Some("cannot open the task store"), None)), @r#"
    daemon  not running
      gave up      cannot open the task store
      project      /home/project
      socket       /home/project/.apex/daemon.sock
      log          /home/project/.apex/daemon.log
    "#);
}

#[test]
fn a_window_in_which_nothing_starts_says_so() {
    let mut windows = crate::view::samples::windows();
    let said = |windows: &Standing| running_in_words(&DaemonStatus { windows: windows.clone(), ..daemon() });
    assert!(said(&windows).ends_with("up 1h00m, 1 of 1 slots used (window `day`)"), "{}", said(&windows));
    windows.open[0].max_concurrent = Some(0);
    assert!(said(&windows).ends_with("up 1h00m, 1 slot used, nothing starts (window `day`)"), "{}", said(&windows));
}

#[test]
fn the_whole_project_on_one_screen() {
    let project = Project::new("/home/project");
    let mut screen = Screen {
        untrusted: false,
        daemon: Some(daemon()),
        out_of_reach: None,
        counts: Some(daemon().counts),
        queues: vec![default_queue()],
        resources: Resources::default(),
        schedules: Vec::new(),
        windows: Standing::default(),
        running: vec![running(14, &["cargo", "test"], NOW)],
        waiting: vec![queued()],
        failed: vec![ended()],
        queues_max: 20,
    };
    insta::assert_snapshot!(plain(&status::screen(&screen, &project, LATER(), Some(80))), @r#"
    project  /home/project
    daemon   running (pid 4241), up 1h00m, 1 of 3 slots used
    running  1
      14  running  3m05s  cargo test
    waiting  2 queued, 1 held, 1 retrying
      12  queued  3m05s ago  cargo test
    failed last
      13  failed  2m24s ago  exit code 3  build  make && make check
    "#);
    (screen.daemon, screen.running) = (None, Vec::new());
    screen.out_of_reach = Some("running (pid 7), but cannot be reached".to_owned());
    let told = plain(&status::screen(&screen, &project, LATER(), Some(80)));
    assert!(told.contains("\ndaemon   running (pid 7), but cannot be reached\n"), "{told}");
    screen.out_of_reach = None;
    insta::assert_snapshot!(plain(&status::screen(&screen, &project, LATER(), Some(80))), @r#"
    project  /home/project
    daemon   not running; nothing is started (`apex daemon start` starts it)
    running  1 when the daemon was last seen
    waiting  2 queued, 1 held, 1 retrying
      12  queued  3m05s ago  cargo test
    failed last
      13  failed  2m24s ago  exit code 3  build  make && make check
    "#);
}

#[test]
fn an_empty_project_on_one_screen() {
    let screen = Screen {
        untrusted: false,
        daemon: None,
        out_of_reach: None,
        counts: None,
        queues: vec![],
        resources: Resources::default(),
        schedules: Vec::new(),
        windows: Standing::default(),
        running: vec![],
        waiting: vec![],
        failed: vec![],
        queues_max: 20,
    };
    insta::assert_snapshot!(plain(&status::screen(&screen, &Project::new("/home/project"), NOW, None)), @r#"
    project  /home/project
    daemon   not running; nothing is started (`apex daemon start` starts it)
    running  nothing
    waiting  nothing
    "#);
}

#[test]
fn queues_are_on_the_screen_where_they_say_something() {
    let mut status = daemon();
    status.untrusted = true;
    let screen = Screen {
        untrusted: true,
        daemon: Some(status),
        out_of_reach: None,
        counts: Some(daemon().counts),
        queues: vec![default_queue(), paused_queue()],
        resources: Resources::default(),
        schedules: Vec::new(),
        windows: Standing::default(),
        running: vec![],
        waiting: vec![],
        failed: vec![],
        queues_max: 20,
    };
    insta::assert_snapshot!(plain(&status::screen(&screen, &Project::new("/home/project"), LATER(), None)), @r#"
    project  /home/project
    daemon   running (pid 4241), up 1h00m, 1 of 3 slots used
    trust    the project came from elsewhere and nothing of it is run (`apex trust` accepts it)
    queues
      default  1 running          2 queued
      gpu      1 of 2 slots used  5 queued  paused until 2026-01-15T11:30:00+00:00 (in 56m55s): new driver
    running  1
    waiting  2 queued, 1 held, 1 retrying
    "#);
}

#[test]
fn a_list_of_queues() {
    let queues = [default_queue(), paused_queue()];
    insta::assert_snapshot!(plain(&super::queue::list(&queues, LATER(), Some(80))), @r#"
    NAME     SLOTS  RUNNING  QUEUED  WAITING  STATE
    default      -        1       2        2  open
    gpu          2        1       5        0  paused until 2026-01-15T11:30:00+00:0…
    "#);
}

#[test]
fn what_is_still_to_come_is_not_called_past() {
    let in_seconds = |seconds| distance(NOW + Duration::from_secs(seconds), NOW);
    assert_eq!((in_seconds(90), in_seconds(0)), ("in 1m30s".to_owned(), "just now".to_owned()));
    assert_eq!(distance(NOW, NOW + Duration::from_secs(5)), "5s ago");
    assert_eq!(distance(NOW + Duration::from_millis(10), NOW), "now");
}
