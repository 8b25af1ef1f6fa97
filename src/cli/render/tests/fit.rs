//! Every screen at every width: 200, 80 and 40 columns, and a pipe, which has no width. With names that hold escapes,
//! wide characters and a command of 300 characters.

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::domain::task::Task;
use crate::view::samples::{NOW, daemon, ended, queued, running, task_id};

/// A command of 300 characters.
fn long() -> Vec<String> {
    let flags = ["--include=src/**/*.rs", "--label", "größe=漢字", "--verbose", "--attempts=3", "--", "./🎉.sh"];
    let mut command: Vec<String> = vec!["deploy".to_owned()];
    command.extend(flags.iter().cycle().map(|flag| (*flag).to_owned()).take(27));
    let length = command.join(" ").chars().count();
    command.push("x".repeat(299 - length));
    command
}

fn waiting(id: u64, state: State, change: impl Fn(&mut Task)) -> Task {
    let mut task = Task { id: task_id(id), state, ..queued() };
    change(&mut task);
    task
}

/// One task of each kind, by id.
fn tasks() -> Vec<Task> {
    let words = long();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut runs = running(9, &words, NOW);
    runs.spec.name = Some("ビルド 🎉".to_owned());
    let mut failed = ended();
    failed.spec.name = Some("evil\u{1b}[2J\u{202e}name".to_owned());
    failed.spec.argv = vec!["printf '\u{1b}]0;title\u{7}'; exit 3".into()];
    vec![
        runs,
        waiting(10, State::Queued, |task| task.spec.queue = "gpu\u{9b}".to_owned()),
        waiting(11, State::Scheduled, |task| task.spec.run_at = Some(LATER() + Duration::from_secs(300))),
        waiting(12, State::Held, |task| task.reason = Some("waits for \u{1b}[1ma human\u{1b}[0m who knows".to_owned())),
        failed,
        waiting(14, State::Retrying, |task| task.spec.run_at = Some(LATER() + Duration::from_secs(3))),
        waiting(15, State::Blocked, |task| {
            (task.spec.after, task.spec.after_any) = (vec![task_id(9)], vec![task_id(10), task_id(11)]);
        }),
    ]
}

/// A task with two attempts and everything that can be long.
fn detailed() -> Task {
    let mut task = ended();
    task.spec.name = Some("evil\u{1b}[2J\u{202e}漢字🎉".to_owned());
    task.spec.shell = false;
    task.spec.argv = long().into_iter().map(Into::into).collect();
    task.spec.cwd = format!("/home/{}/\u{1b}[31mred", "deep/".repeat(20)).into();
    task.spec.labels = [("team".to_owned(), "größe 漢字".to_owned()), ("\u{7}".to_owned(), String::new())].into();
    task.env_names = (0..12).map(|n| format!("VARIABLE_{n}")).collect();
    let mut first = task.attempts[0].clone();
    first.state = State::TimedOut;
    first.reason = Some("its time limit of 1m30s was over, and it did not end when it was asked to".to_owned());
    task.attempts[0].number = 2;
    task.attempts[0].outputs[0].path = "output/0/13.2.log".into();
    task.attempts.insert(0, first);
    task
}

fn project() -> Project {
    Project::new("/home/somebody/\u{1b}[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project")
}

fn fits(text: &str, width: usize) -> String {
    let text = plain(text);
    for line in text.lines() {
        assert!(line.width() <= width, "{} > {width}: {line}", line.width());
    }
    assert!(!text.chars().any(|c| c != '\n' && crate::domain::text::is_unsafe(c)), "{text:?}");
    text
}

fn list(width: Option<usize>) -> String {
    fits(&task::list(&tasks(), LATER(), width), width.unwrap_or(usize::MAX))
}

fn show(width: Option<usize>) -> String {
    fits(&task::details(&detailed(), None, &project(), LATER(), width), width.unwrap_or(usize::MAX))
}

fn screen(width: Option<usize>) -> String {
    let (failed, others): (Vec<Task>, Vec<Task>) = tasks().into_iter().partition(|task| task.state.is_ended());
    let (running, waiting) = others.into_iter().partition(|task| task.state.is_active());
    let (daemon, counts) = (Some(daemon()), Some(daemon().counts));
    let screen = Screen {
        daemon,
        out_of_reach: None,
        counts,
        untrusted: false,
        queues: Vec::new(),
        resources: Resources::default(),
        schedules: Vec::new(),
        windows: Standing::default(),
        running,
        waiting,
        failed,
        queues_max: 20,
    };
    fits(&status::screen(&screen, &project(), LATER(), width), width.unwrap_or(usize::MAX))
}

fn daemon_status(width: Option<usize>) -> String {
    let text = super::super::daemon::running(&daemon(), &project(), LATER(), width);
    fits(&text, width.unwrap_or(usize::MAX))
}

#[test]
fn a_list_at_200_columns() {
    insta::assert_snapshot!(list(Some(200)), @r"
    ID  STATE      EXIT   TIME       WHEN  QUEUE      NAME                     COMMAND
     9  running    -     3m05s  3m05s ago  default    ビルド 🎉                deploy '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=…
    10  queued     -         -  3m05s ago  gpu\u009b  -                        cargo test
    11  scheduled  -         -  3m05s ago  default    -                        cargo test
    12  held       -         -  3m05s ago  default    -                        cargo test
    13  failed     3     40.3s  2m24s ago  default    evil\u001b[2J\u202ename  printf '\u001b]0;title\u0007'; exit 3
    14  retrying   -         -  3m05s ago  default    -                        cargo test
    15  blocked    -         -  3m05s ago  default    -                        cargo test
    ");
}

#[test]
fn a_list_at_80_columns() {
    insta::assert_snapshot!(list(Some(80)), @r"
    ID  STATE      EXIT   TIME       WHEN  NAME                     COMMAND
     9  running    -     3m05s  3m05s ago  ビルド 🎉                deploy '--inclu…
    10  queued     -         -  3m05s ago  -                        cargo test
    11  scheduled  -         -  3m05s ago  -                        cargo test
    12  held       -         -  3m05s ago  -                        cargo test
    13  failed     3     40.3s  2m24s ago  evil\u001b[2J\u202ename  printf '\u001b]…
    14  retrying   -         -  3m05s ago  -                        cargo test
    15  blocked    -         -  3m05s ago  -                        cargo test
    ");
}

#[test]
fn a_list_at_40_columns() {
    insta::assert_snapshot!(list(Some(40)), @r"
    ID  STATE      COMMAND
     9  running    deploy '--include=src/**…
    10  queued     cargo test
    11  scheduled  cargo test
    12  held       cargo test
    13  failed     printf '\u001b]0;title\u…
    14  retrying   cargo test
    15  blocked    cargo test
    ");
}

#[test]
fn a_list_in_a_pipe() {
    insta::assert_snapshot!(list(None), @r"
    ID  STATE      EXIT   TIME       WHEN  QUEUE      NAME                     COMMAND
     9  running    -     3m05s  3m05s ago  default    ビルド 🎉                deploy '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- xxxxxxxxxxxx
    10  queued     -         -  3m05s ago  gpu\u009b  -                        cargo test
    11  scheduled  -         -  3m05s ago  default    -                        cargo test
    12  held       -         -  3m05s ago  default    -                        cargo test
    13  failed     3     40.3s  2m24s ago  default    evil\u001b[2J\u202ename  printf '\u001b]0;title\u0007'; exit 3
    14  retrying   -         -  3m05s ago  default    -                        cargo test
    15  blocked    -         -  3m05s ago  default    -                        cargo test
    ");
}

#[test]
fn everything_about_a_task_at_200_columns() {
    insta::assert_snapshot!(show(Some(200)), @r"
    task 13  failed: exit code 3
      command      deploy '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh'
                   '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- xxxxxxxxxxxx
      name         evil\u001b[2J\u202e漢字🎉
      labels       \u0007, team=größe 漢字
      queue        default, priority -5
      directory    /home/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep//\u001b[31mred
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
      environment  12 variables: VARIABLE_0 VARIABLE_1 VARIABLE_2 VARIABLE_3 VARIABLE_4 VARIABLE_5 VARIABLE_6 VARIABLE_7 VARIABLE_8 VARIABLE_9 VARIABLE_10 VARIABLE_11
    attempt 1  timed_out  (pid 4711, exit code 3, 40.3s, user 39.0s, system 900ms, 7.0 MiB at most)
      reason       its time limit of 1m30s was over, and it did not end when it was asked to
      merged       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project/.apex/output/0/13.1.log (1.2 KiB)
      sha256       abababababababababababababababababababababababababababababababab
    attempt 2  failed  (pid 4711, exit code 3, 40.3s, user 39.0s, system 900ms, 7.0 MiB at most)
      reason       exit code 3
      merged       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project/.apex/output/0/13.2.log (1.2 KiB)
      sha256       abababababababababababababababababababababababababababababababab
    ");
}

#[test]
fn everything_about_a_task_at_80_columns() {
    insta::assert_snapshot!(show(Some(80)), @r"
    task 13  failed: exit code 3
      command      deploy '--include=src/**/*.rs' --label größe=漢字 --verbose
                   --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label
                   größe=漢字 --verbose --attempts=3 -- './🎉.sh'
                   '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3
                   -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose
                   --attempts=3 -- xxxxxxxxxxxx
      name         evil\u001b[2J\u202e漢字🎉
      labels       \u0007, team=größe 漢字
      queue        default, priority -5
      directory    /home/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep
                   /deep/deep/deep/deep/deep/deep/deep/deep//\u001b[31mred
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
      environment  12 variables: VARIABLE_0 VARIABLE_1 VARIABLE_2 VARIABLE_3
                   VARIABLE_4 VARIABLE_5 VARIABLE_6 VARIABLE_7 VARIABLE_8 VARIABLE_9
                   VARIABLE_10 VARIABLE_11
    attempt 1  timed_out  (pid 4711, exit code 3, 40.3s, user 39.0s, system 900ms,
      7.0 MiB at most)
      reason       its time limit of 1m30s was over, and it did not end when it was
                   asked to
      merged       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-long
                   er-than-most/project/.apex/output/0/13.1.log (1.2 KiB)
      sha256       abababababababababababababababababababababababababababababababab
    attempt 2  failed  (pid 4711, exit code 3, 40.3s, user 39.0s, system 900ms, 7.0
      MiB at most)
      reason       exit code 3
      merged       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-long
                   er-than-most/project/.apex/output/0/13.2.log (1.2 KiB)
      sha256       abababababababababababababababababababababababababababababababab
    ");
}

#[test]
fn everything_about_a_task_at_40_columns() {
    insta::assert_snapshot!(show(Some(40)), @r"
    task 13  failed: exit code 3
      command      deploy
                   '--include=src/**/*.rs'
                   --label größe=漢字
                   --verbose --attempts=3 --
                   './🎉.sh'
                   '--include=src/**/*.rs'
                   --label größe=漢字
                   --verbose --attempts=3 --
                   './🎉.sh'
                   '--include=src/**/*.rs'
                   --label größe=漢字
                   --verbose --attempts=3 --
                   './🎉.sh'
                   '--include=src/**/*.rs'
                   --label größe=漢字
                   --verbose --attempts=3 --
                   xxxxxxxxxxxx
      name         evil\u001b[2J\u202e漢字🎉
      labels       \u0007, team=größe 漢字
      queue        default, priority -5
      directory    /home/deep/deep/deep/deep
                   /deep/deep/deep/deep/deep
                   /deep/deep/deep/deep/deep
                   /deep/deep/deep/deep/deep
                   /deep//\u001b[31mred
      added by     task 2
      timeout      1m30s
      after        task 11, when succeeded
      after any    tasks 9, 10, when ended
      uuid         01900000-0000-7000-8000-0
                   0000000000c
      added        2026-01-15T10:30:00+00:00
                   (3m05s ago)
      not before   2026-01-15T10:30:00+00:00
                   (3m05s ago)
      started      2026-01-15T10:30:00+00:00
                   (3m04s ago)
      cancelled    2026-01-15T10:30:01+00:00
                   (3m04s ago)
      ended        2026-01-15T10:30:40+00:00
                   (2m24s ago)
      time         40.3s
      environment  12 variables: VARIABLE_0
                   VARIABLE_1 VARIABLE_2
                   VARIABLE_3 VARIABLE_4
                   VARIABLE_5 VARIABLE_6
                   VARIABLE_7 VARIABLE_8
                   VARIABLE_9 VARIABLE_10
                   VARIABLE_11
    attempt 1  timed_out  (pid 4711, exit
      code 3, 40.3s, user 39.0s, system
      900ms, 7.0 MiB at most)
      reason       its time limit of 1m30s
                   was over, and it did not
                   end when it was asked to
      merged       /home/somebody/\u001b[2J
                   漢字/a-directory-with-a-n
                   ame-that-is-longer-than-m
                   ost/project/.apex/output/
                   0/13.1.log (1.2 KiB)
      sha256       ababababababababababababa
                   babababababababababababab
                   ababababababab
    attempt 2  failed  (pid 4711, exit code
      3, 40.3s, user 39.0s, system 900ms,
      7.0 MiB at most)
      reason       exit code 3
      merged       /home/somebody/\u001b[2J
                   漢字/a-directory-with-a-n
                   ame-that-is-longer-than-m
                   ost/project/.apex/output/
                   0/13.2.log (1.2 KiB)
      sha256       ababababababababababababa
                   babababababababababababab
                   ababababababab
    ");
}

#[test]
fn everything_about_a_task_in_a_pipe() {
    insta::assert_snapshot!(show(None), @r"
    task 13  failed: exit code 3
      command      deploy '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- xxxxxxxxxxxx
      name         evil\u001b[2J\u202e漢字🎉
      labels       \u0007, team=größe 漢字
      queue        default, priority -5
      directory    /home/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep//\u001b[31mred
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
      environment  12 variables: VARIABLE_0 VARIABLE_1 VARIABLE_2 VARIABLE_3 VARIABLE_4 VARIABLE_5 VARIABLE_6 VARIABLE_7 VARIABLE_8 VARIABLE_9 VARIABLE_10 VARIABLE_11
    attempt 1  timed_out  (pid 4711, exit code 3, 40.3s, user 39.0s, system 900ms, 7.0 MiB at most)
      reason       its time limit of 1m30s was over, and it did not end when it was asked to
      merged       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project/.apex/output/0/13.1.log (1.2 KiB)
      sha256       abababababababababababababababababababababababababababababababab
    attempt 2  failed  (pid 4711, exit code 3, 40.3s, user 39.0s, system 900ms, 7.0 MiB at most)
      reason       exit code 3
      merged       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project/.apex/output/0/13.2.log (1.2 KiB)
      sha256       abababababababababababababababababababababababababababababababab
    ");
}

#[test]
fn the_whole_project_at_200_columns() {
    insta::assert_snapshot!(screen(Some(200)), @r"
    project  /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project
    daemon   running (pid 4241), up 1h00m, 1 of 3 slots used
    running  1
      9  running  3m05s  ビルド 🎉  deploy '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '-…
    waiting  2 queued, 1 held, 1 retrying
      10  queued     3m05s ago                                    cargo test
      11  scheduled  3m05s ago  in 5m00s                          cargo test
      12  held       3m05s ago  waits for \u001b[1ma human\u001…  cargo test
      14  retrying   3m05s ago  in 3s                             cargo test
      15  blocked    3m05s ago  after 9, 10, 11                   cargo test
    failed last
      13  failed  2m24s ago  exit code 3  evil\u001b[2J\u202ename  printf '\u001b]0;title\u0007'; exit 3
    ");
}

#[test]
fn the_whole_project_at_80_columns() {
    insta::assert_snapshot!(screen(Some(80)), @r"
    project  /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-tha
             n-most/project
    daemon   running (pid 4241), up 1h00m, 1 of 3 slots used
    running  1
      9  running  3m05s  ビルド 🎉  deploy '--include=src/**/*.rs' --label größe=漢…
    waiting  2 queued, 1 held, 1 retrying
      10  queued     3m05s ago                        cargo test
      11  scheduled  3m05s ago  in 5m00s              cargo test
      12  held       3m05s ago  waits for \u001b[1m…  cargo test
      14  retrying   3m05s ago  in 3s                 cargo test
      15  blocked    3m05s ago  after 9, 10, 11       cargo test
    failed last
      13  failed  2m24s ago  exit code 3  evil\u001b[2J\u202e…  printf '\u001b]0;ti…
    ");
}

#[test]
fn the_whole_project_at_40_columns() {
    insta::assert_snapshot!(screen(Some(40)), @r"
    project  /home/somebody/\u001b[2J漢字/a-
             directory-with-a-name-that-is-l
             onger-than-most/project
    daemon   running (pid 4241), up 1h00m, 1
             of 3 slots used
    running  1
      9  running  deploy '--include=src/**/…
    waiting  2 queued, 1 held, 1 retrying
      10  queued                   cargo te…
      11  scheduled  in 5m00s      cargo te…
      12  held       waits for \…  cargo te…
      14  retrying   in 3s         cargo te…
      15  blocked    after 9, 10…  cargo te…
    failed last
      13  failed  exit code 3  printf '\u00…
    ");
}

#[test]
fn the_whole_project_in_a_pipe() {
    insta::assert_snapshot!(screen(None), @r"
    project  /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project
    daemon   running (pid 4241), up 1h00m, 1 of 3 slots used
    running  1
      9  running  3m05s  ビルド 🎉  deploy '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- './🎉.sh' '--include=src/**/*.rs' --label größe=漢字 --verbose --attempts=3 -- xxxxxxxxxxxx
    waiting  2 queued, 1 held, 1 retrying
      10  queued     3m05s ago                                                 cargo test
      11  scheduled  3m05s ago  in 5m00s                                       cargo test
      12  held       3m05s ago  waits for \u001b[1ma human\u001b[0m who knows  cargo test
      14  retrying   3m05s ago  in 3s                                          cargo test
      15  blocked    3m05s ago  after 9, 10, 11                                cargo test
    failed last
      13  failed  2m24s ago  exit code 3  evil\u001b[2J\u202ename  printf '\u001b]0;title\u0007'; exit 3
    ");
}

#[test]
fn how_the_daemon_stands_at_200_columns() {
    insta::assert_snapshot!(daemon_status(Some(200)), @r"
    daemon  running (pid 4241), up 1h00m, 1 of 3 slots used
      apexd        pid 4242, version 0.1.0, restarted never
      started      2026-01-15T10:30:00+00:00 (3m05s ago)
      waiting      2 queued, 1 held, 1 retrying
      ended        42 tasks, 40 succeeded, 2 failed
      last poll    just now
      project      /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project
      socket       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project/.apex/daemon.sock
      log          /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project/.apex/daemon.log
    ");
}

#[test]
fn how_the_daemon_stands_at_80_columns() {
    insta::assert_snapshot!(daemon_status(Some(80)), @r"
    daemon  running (pid 4241), up 1h00m, 1 of 3 slots used
      apexd        pid 4242, version 0.1.0, restarted never
      started      2026-01-15T10:30:00+00:00 (3m05s ago)
      waiting      2 queued, 1 held, 1 retrying
      ended        42 tasks, 40 succeeded, 2 failed
      last poll    just now
      project      /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-long
                   er-than-most/project
      socket       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-long
                   er-than-most/project/.apex/daemon.sock
      log          /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-long
                   er-than-most/project/.apex/daemon.log
    ");
}

#[test]
fn how_the_daemon_stands_at_40_columns() {
    insta::assert_snapshot!(daemon_status(Some(40)), @r"
    daemon  running (pid 4241), up 1h00m, 1
      of 3 slots used
      apexd        pid 4242, version 0.1.0,
                   restarted never
      started      2026-01-15T10:30:00+00:00
                   (3m05s ago)
      waiting      2 queued, 1 held, 1
                   retrying
      ended        42 tasks, 40 succeeded, 2
                   failed
      last poll    just now
      project      /home/somebody/\u001b[2J
                   漢字/a-directory-with-a-n
                   ame-that-is-longer-than-m
                   ost/project
      socket       /home/somebody/\u001b[2J
                   漢字/a-directory-with-a-n
                   ame-that-is-longer-than-m
                   ost/project/.apex/daemon.
                   sock
      log          /home/somebody/\u001b[2J
                   漢字/a-directory-with-a-n
                   ame-that-is-longer-than-m
                   ost/project/.apex/daemon.
                   log
    ");
}

#[test]
fn how_the_daemon_stands_in_a_pipe() {
    insta::assert_snapshot!(daemon_status(None), @r"
    daemon  running (pid 4241), up 1h00m, 1 of 3 slots used
      apexd        pid 4242, version 0.1.0, restarted never
      started      2026-01-15T10:30:00+00:00 (3m05s ago)
      waiting      2 queued, 1 held, 1 retrying
      ended        42 tasks, 40 succeeded, 2 failed
      last poll    just now
      project      /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project
      socket       /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project/.apex/daemon.sock
      log          /home/somebody/\u001b[2J漢字/a-directory-with-a-name-that-is-longer-than-most/project/.apex/daemon.log
    ");
}

#[test]
fn no_width_is_too_small_and_no_line_too_wide() {
    for width in 24..220 {
        for text in [list(Some(width)), show(Some(width)), screen(Some(width)), daemon_status(Some(width))] {
            assert!(!text.is_empty());
        }
    }
}

#[test]
fn what_waits_says_for_what() {
    let waits = |id: u64| {
        let task = tasks().into_iter().find(|task| task.id == task_id(id)).unwrap();
        task::waits_for(&task, LATER())
    };
    assert_eq!(waits(9), None, "it runs");
    assert_eq!(waits(10), None, "its state says it");
    assert_eq!(waits(11).as_deref(), Some("in 5m00s"));
    assert_eq!(waits(12).as_deref(), Some("waits for \\u001b[1ma human\\u001b[0m who knows"));
    assert_eq!(waits(14).as_deref(), Some("in 3s"));
    assert_eq!(waits(15).as_deref(), Some("after 9, 10, 11"));
    assert_eq!(task::waits_for(&ended(), LATER()), None);
}
