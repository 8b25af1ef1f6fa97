use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::domain::hook::HookEvent;
use crate::domain::id::TaskId;
use crate::domain::resource::Amount;
use crate::domain::task::{Backoff, CpuSet, OnInterrupt, Resource, Rlimit, State};

fn raw(line: &[&str]) -> Vec<OsString> {
    std::iter::once(&"apex").chain(line).map(OsString::from).collect()
}

#[track_caller]
fn typed(line: &[&str]) -> Typed {
    parse(&raw(line)).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

#[track_caller]
fn command_of(line: &[&str]) -> Command {
    typed(line).command
}

#[track_caller]
fn refused(line: &[&str]) -> String {
    let error = parse(&raw(line)).expect_err(&format!("{line:?}"));
    assert_eq!(error.exit_code(), 2, "{line:?}: {error}");
    error.to_string()
}

fn ids(numbers: &[u64]) -> Vec<TaskId> {
    numbers.iter().filter_map(|n| TaskId::new(*n)).collect()
}

#[test]
fn clap_finds_no_fault_with_the_whole_tree() {
    fn undefer(mut command: clap::Command) {
        command.build();
        command.debug_assert();
    }
    undefer(command());
}

#[test]
fn the_list_of_commands_says_what_their_help_says() {
    for verb in TOP.iter().chain(GROUPS.iter().flat_map(|group| group.verbs)) {
        let built = (verb.build)(clap::Command::new(verb.word));
        let about = built.get_about().map(ToString::to_string).unwrap_or_default();
        assert_eq!(about, verb.about, "{}", verb.word);
    }
}

#[test]
fn every_command_has_a_help_text_with_the_global_flags() {
    let groups = GROUPS.iter().map(|group| (Some(group.word), group.verbs));
    for (group, verbs) in groups.chain([(None, &TOP[..])]) {
        for verb in verbs {
            let line: Vec<&str> = group.into_iter().chain([verb.word, "--help"]).collect();
            let help = parse(&raw(&line)).expect_err("help is an error to clap");
            assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp, "{line:?}");
            let text = help.to_string();
            assert!(text.contains("--json") && text.contains("--deadline"), "{line:?}: {text}");
        }
    }
}

#[test]
fn a_line_means_the_same_whether_or_not_all_commands_are_built() {
    let verbs = GROUPS.iter().flat_map(|group| group.verbs.iter().map(|verb| vec![group.word, verb.word]));
    let verbs = verbs.chain(TOP.iter().map(|verb| vec![verb.word])).chain(GROUPS.iter().map(|group| vec![group.word]));
    let ends: [&[&str]; 5] = [&[], &["12"], &["--json", "-vv", "--", "true"], &["--help"], &["--no-such-flag"]];
    let begins: [&[&str]; 6] =
        [&["-q"], &["-v", "--deadline=1s"], &["-qC", "task"], &["--color", "add"], &["--"], &["help"]];
    let around: Vec<_> =
        ends.map(|end| (&[][..], end)).into_iter().chain(begins.map(|begin| (begin, ends[1]))).collect();
    let others = [vec![], vec!["lst"], vec!["task", "lst"], vec!["show", "1"], vec!["--version"], vec!["-V", "ls"]];
    for verb in verbs.chain(others) {
        for (begin, end) in &around {
            let line = raw(&[*begin, verb.as_slice(), *end].concat());
            let (lean, whole) = (parse(&line), parse_whole(&line));
            let (lean, whole) = (lean.map_err(|error| error.to_string()), whole.map_err(|error| error.to_string()));
            assert_eq!(lean, whole, "{line:?}");
        }
    }
}

#[test]
fn the_help_says_what_apex_is() {
    let help = parse(&raw(&["--help"])).expect_err("help is an error to clap").to_string();
    assert!(help.starts_with("Queues commands"), "{help}");
}

#[test]
fn nothing_at_all_is_status() {
    assert_eq!(command_of(&[]), Command::Status);
    assert_eq!(command_of(&["--json"]), Command::Status);
    assert_eq!(command_of(&["status"]), Command::Status);
}

#[test]
fn global_flags_may_stand_anywhere() {
    let globals = Globals {
        json: true,
        project: Some("/p".into()),
        no_start: true,
        deadline: Some(Duration::from_millis(200)),
        ..Globals::default()
    };
    let flags = ["--json", "-C", "/p", "--no-start", "--deadline", "200ms"];
    let line = |at: usize| {
        let mut line = vec!["task", "list"];
        line.splice(at..at, flags);
        line
    };
    for at in 0..=2 {
        assert_eq!(typed(&line(at)).globals, globals, "{:?}", line(at));
    }
    let loud = typed(&["-v", "ls", "-v"]).globals.verbose;
    assert!(loud >= 1);
    assert_eq!(typed(&["ls", "-vv"]).globals.verbose, 2);
    assert!(typed(&["-g", "ls"]).globals.user);
    assert_eq!(typed(&["ls", "--color", "never"]).globals.color, global::Color::Never);
}

#[test]
fn short_forms_are_the_commands_themselves() {
    for (short, long) in [
        (&["ls", "--all"][..], &["task", "list", "--all"][..]),
        (&["logs", "-f", "12"], &["task", "logs", "-f", "12"]),
        (&["wait", "12"], &["task", "wait", "12"]),
        (&["cancel", "12"], &["task", "cancel", "12"]),
        (&["add", "-n", "x", "--", "true"], &["task", "add", "-n", "x", "--", "true"]),
    ] {
        assert_eq!(command_of(short), command_of(long));
    }
}

#[track_caller]
fn words(line: &[&str]) -> (Vec<OsString>, bool) {
    match command_of(line) {
        Command::Add(add) => (add.task.words.argv.clone(), add.task.words.is_shell_line()),
        Command::Run(run) => (run.add.words.argv.clone(), run.add.words.is_shell_line()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_to_be_run_is_taken_as_it_is() {
    let argv = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    for (line, expected, shell) in [
        (&["task", "add", "--", "cargo", "test"][..], &["cargo", "test"][..], false),
        (&["task", "add", "--", "true"], &["true"], false),
        (&["task", "add", "make && make check"], &["make && make check"], true),
        (&["add", "ls"], &["ls"], true),
        (&["add", "ls", "-la"], &["ls", "-la"], false),
        (&["add", "ls", "--json", "-q"], &["ls", "--json", "-q"], false),
        (&["add", "ls", "--", "-la"], &["ls", "--", "-la"], false),
        (&["add", "--", "ls", "--", "-la"], &["ls", "--", "-la"], false),
        (&["add", "--", "--", "x"], &["--", "x"], false),
        (&["add", "--", "-n"], &["-n"], false),
        (&["add", "-n", "name", "--json", "--", "ls"], &["ls"], false),
        (&["add", "-p", "-5", "ls"], &["ls"], true),
        (&["run", "--", "true"], &["true"], false),
        (&["run", "--detach-after", "1s", "true"], &["true"], true),
    ] {
        assert_eq!(words(line), (argv(expected), shell), "{line:?}");
    }
}

#[test]
fn every_flag_of_add_is_read() {
    let line = [
        "task",
        "add",
        "--name",
        "build",
        "--label",
        "team=core,nightly",
        "-l",
        "x=",
        "--priority=-7",
        "--cwd",
        "sub",
        "--env",
        "A=1,2",
        "--env",
        "B",
        "--env-file",
        "vars",
        "--clean-env",
        "--stdin",
        "-",
        "--split-output",
        "-Q",
        "gpu",
        "--after",
        "1,2",
        "--after",
        "3",
        "--hook",
        "end=a = b",
        "--on-success",
        "c",
        "--after-any",
        "4",
        "--in",
        "10m",
        "--need",
        "gpu=2,mem=8GiB",
        "--hold",
        "--retries",
        "3",
        "--retry-delay",
        "5s",
        "--retry-backoff",
        "fixed",
        "--retry-max-delay",
        "1m",
        "--retry-on",
        "1,75",
        "--on-interrupt",
        "stop",
        "--timeout",
        "0s",
        "--output-limit",
        "1.5KiB",
        "--nice",
        "-5",
        "--cpus",
        "0-3",
        "--rlimit",
        "nofile=1024:4096,core=unlimited",
        "--memory",
        "2GiB",
        "--cpu-limit",
        "1.5",
        "--kill-signal",
        "INT",
        "--kill-grace",
        "10s",
        "--key",
        "nightly",
        "--wait",
        "--follow",
        "--",
        "true",
    ];
    let label = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    let expected = task::Add {
        task: task::TaskFlags {
            name: Some("build".to_owned()),
            labels: vec![label("team", Some("core")), label("nightly", None), label("x", Some(""))],
            priority: -7,
            cwd: Some("sub".into()),
            env: vec!["A=1,2".into(), "B".into()],
            env_files: vec![PathBuf::from("vars")],
            clean_env: true,
            stdin: Some("-".into()),
            pty: false,
            split_output: true,
            key: Some("nightly".to_owned()),
            waits: terms::Waits {
                queue: Some("gpu".to_owned()),
                after: ids(&[1, 2, 3]),
                after_any: ids(&[4]),
                at: None,
                delay: Some(Duration::from_secs(600)),
                needs: vec![("gpu".to_owned(), Amount::Count(2)), ("mem".to_owned(), Amount::Bytes(8 << 30))],
                hold: true,
            },
            tries: terms::Tries {
                retries: Some(3),
                retry_delay: Some(Duration::from_secs(5)),
                retry_backoff: Some(Backoff::Fixed),
                retry_max_delay: Some(Duration::from_secs(60)),
                retry_on: vec![1, 75],
                on_interrupt: Some(OnInterrupt::Stop),
            },
            limits: terms::Limits {
                timeout: Some(Duration::ZERO),
                output_limit: Some(1536),
                kill_signal: Some(2),
                kill_grace: Some(Duration::from_secs(10)),
                confines: confine::Confines {
                    nice: Some(-5),
                    cpus: CpuSet::parse("0-3"),
                    rlimits: vec![
                        Rlimit { resource: Resource::Nofile, soft: Some(1_024), hard: Some(4_096) },
                        Rlimit { resource: Resource::Core, soft: None, hard: None },
                    ],
                    memory: Some(2 << 30),
                    cpu_limit: Some(1_500),
                },
            },
            hooks: terms::Hooks {
                hooks: vec![(HookEvent::End, "a = b".to_owned())],
                on_success: Some("c".to_owned()),
                on_failure: None,
            },
            words: task::Words { argv: vec!["true".into()], separated: true },
        },
        from: None,
        wait: true,
        follow: true,
    };
    assert_eq!(command_of(&line), Command::Add(expected));
    let Command::Add(add) = command_of(&["task", "add", "--from", "jobs", "-p", "3"]) else { panic!("no add") };
    assert_eq!((add.from, add.task.priority, add.task.words.argv.len()), (Some("jobs".into()), 3, 0));
}

#[test]
fn every_flag_of_the_other_commands_is_read() {
    assert_eq!(
        command_of(&["task", "wait", "1", "2,3", "--timeout", "1h30m", "--state", "running,timed_out"]),
        Command::Wait(task::Wait {
            named: which::Which::of(&[1, 2, 3]).named,
            timeout: Some(Duration::from_secs(5400)),
            states: vec![State::Running, State::TimedOut],
            ..task::Wait::default()
        })
    );
    assert_eq!(
        command_of(&["task", "logs", "7", "8,9", "-f", "-n", "20", "--attempt", "2", "--stderr", "--raw"]),
        Command::Logs(task::Logs {
            which: which::Which::of(&[7, 8, 9]),
            follow: true,
            lines: Some(20),
            attempt: Some(2),
            stdout: false,
            stderr: true,
            raw: true,
        })
    );
    assert_eq!(
        command_of(&["task", "kill", "--signal", "hup", "1", "2"]),
        Command::Kill(task::Kill { which: which::Which::of(&[1, 2]), signal: 1 })
    );
    assert_eq!(
        command_of(&["task", "kill", "1"]),
        Command::Kill(task::Kill { which: which::Which::of(&[1]), signal: 9 })
    );
    assert_eq!(
        command_of(&["task", "cancel", "1", "--reason", "no", "--wait"]),
        Command::Cancel(task::Cancel { which: which::Which::of(&[1]), reason: Some("no".to_owned()), wait: true })
    );
    assert_eq!(
        command_of(&["task", "release", "1"]),
        Command::Release(task::Release { which: which::Which::of(&[1]) })
    );
    assert_eq!(command_of(&["task", "hold", "1,2"]), Command::Hold(steer::Hold { which: which::Which::of(&[1, 2]) }));
    assert_eq!(command_of(&["task", "pause", "1"]), Command::Pause(steer::Pause { which: which::Which::of(&[1]) }));
    assert_eq!(command_of(&["task", "resume", "1"]), Command::Resume(steer::Resume { which: which::Which::of(&[1]) }));
    assert_eq!(
        command_of(&["task", "retry", "1"]),
        Command::Retry(steer::Retry { which: which::Which::of(&[1]), failed: false })
    );
    assert_eq!(
        command_of(&["task", "retry", "--failed"]),
        Command::Retry(steer::Retry { failed: true, ..steer::Retry::default() })
    );
    assert_eq!(
        command_of(&["task", "rm", "1", "2"]),
        Command::Remove(steer::Remove { which: which::Which::of(&[1, 2]) })
    );
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        command_of(&["task", "edit", "1", "--set", "name=a=b,c", "--set", "env.X=", "--unset", "key"]),
        Command::Edit(steer::Edit {
            id: ids(&[1])[0],
            set: vec![set("name", "a=b,c"), set("env.X", "")],
            unset: vec!["key".to_owned()],
        })
    );
    assert_eq!(
        command_of(&["schedule", "edit", "poll", "--set", "cron=*/5 9,17 * * *", "--unset", "timeout"]),
        Command::ScheduleEdit(schedule::Edit {
            name: "poll".to_owned(),
            set: vec![set("cron", "*/5 9,17 * * *")],
            unset: vec!["timeout".to_owned()],
        })
    );
    assert_eq!(
        command_of(&["task", "move", "1", "--before", "7"]),
        Command::Move(steer::Move { id: ids(&[1])[0], top: false, before: Some(ids(&[7])[0]) })
    );
    assert_eq!(
        command_of(&["task", "prune", "--older-than", "2h", "--keep", "3", "--state", "lost,failed"]),
        Command::Prune(steer::Prune {
            older_than: Some(Duration::from_secs(7200)),
            keep: 3,
            states: vec![State::Lost, State::Failed],
        })
    );
    assert_eq!(command_of(&["task", "why", "1"]), Command::Why(steer::Why { id: ids(&[1])[0] }));
    assert_eq!(
        command_of(&["task", "show", "1", "--show-env"]),
        Command::Show(task::Show { which: which::Which::of(&[1]), show_env: true })
    );
    assert_eq!(
        command_of(&["task", "list", "--name", "b*", "--limit", "3", "-Q", "default", "--label", "a"]),
        Command::List(task::List {
            states: vec![],
            queue: Some("default".to_owned()),
            schedule: None,
            labels: vec![("a".to_owned(), None)],
            name: Some("b*".to_owned()),
            limit: Some(3),
            all: false,
            filter: None,
            columns: vec![],
            sort: None,
            watch: None,
        })
    );
    let overrides = daemon::Overrides { max_concurrent: Some(7), poll_interval: Some(Duration::from_millis(250)) };
    assert_eq!(
        command_of(&["daemon", "start", "--max-concurrent", "7", "--poll-interval", "250ms"]),
        Command::DaemonStart(daemon::Start { overrides: overrides.clone() })
    );
    assert_eq!(
        command_of(&["daemon", "run", "--max-concurrent", "7", "--poll-interval", "250ms"]),
        Command::DaemonRun(daemon::Run { overrides })
    );
    assert_eq!(
        command_of(&["daemon", "stop", "--grace", "5m"]),
        Command::DaemonStop(daemon::Stop { grace: Some(Duration::from_secs(300)), force: false })
    );
    assert_eq!(
        command_of(&["daemon", "logs", "-f", "-n", "0", "--level", "WARN", "--since", "2026-01-15T10:30:00Z"]),
        Command::DaemonLogs(daemon::Logs {
            follow: true,
            lines: Some(0),
            since: Some(crate::domain::time::Timestamp(1_768_473_000_000)),
            level: Some(crate::config::Level::Warn),
        })
    );
    assert_eq!(command_of(&["config", "show", "--origin"]), Command::ConfigShow(config::Show { origin: true }));
    assert_eq!(command_of(&["daemon", "reload"]), Command::DaemonReload);
    assert_eq!(command_of(&["config", "check"]), Command::ConfigCheck);
    assert_eq!(command_of(&["config", "edit"]), Command::ConfigEdit);
    assert_eq!(
        command_of(&["daemon", "install", "--enable", "--now"]),
        Command::DaemonInstall(daemon::Install { enable: true, now: true })
    );
    assert_eq!(command_of(&["daemon", "uninstall"]), Command::DaemonUninstall);
    assert_eq!(
        command_of(&["completions", "powershell"]),
        Command::Completions(project::Completions { shell: clap_complete::Shell::PowerShell })
    );
    assert_eq!(command_of(&["init", "sub"]), Command::Init(project::Init { directory: Some("sub".into()) }));
}

#[test]
fn every_flag_of_queues_and_events_is_read() {
    let gpu = || "gpu".to_owned();
    assert_eq!(command_of(&["queue", "list"]), Command::QueueList);
    assert_eq!(
        command_of(&["queue", "add", "gpu"]),
        Command::QueueAdd(queue::Add { name: gpu(), slots: 0, weight: 0 })
    );
    assert_eq!(
        command_of(&["queue", "set", "gpu", "--slots", "2"]),
        Command::QueueSet(queue::Set { name: gpu(), slots: Some(2), weight: None })
    );
    assert_eq!(
        command_of(&["queue", "pause", "gpu,cpu", "--wait", "--reason", "r", "--until", "2026-01-15T10:30:00Z"]),
        Command::QueuePause(queue::Pause {
            names: vec![gpu(), "cpu".to_owned()],
            wait: true,
            reason: Some("r".to_owned()),
            until: Some(crate::domain::time::Timestamp(1_768_473_000_000)),
        })
    );
    assert_eq!(command_of(&["queue", "resume", "gpu"]), Command::QueueResume(queue::Resume { names: vec![gpu()] }));
    assert_eq!(command_of(&["queue", "rm", "gpu"]), Command::QueueRemove(queue::Remove { names: vec![gpu()] }));
    assert_eq!(
        command_of(&["events", "-f", "--since", "7"]),
        Command::Events(event::Events { follow: true, since: Some(7) })
    );
    assert_eq!(command_of(&["daemon", "metrics"]), Command::DaemonMetrics);
}

#[test]
fn wrong_usage_is_refused_and_says_what_would_be_right() {
    for (line, part) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["task"], "Usage"),
        (&["task", "add"], "COMMAND"),
        (&["task", "show"], "ID"),
        (&["task", "show", "abc"], "not a task id"),
        (&["task", "show", "0"], "not a task id"),
        (&["task", "wait", "--timeout", "5", "1"], "`5s`"),
        (&["task", "list", "--state", "done"], "states are scheduled"),
        (&["task", "list", "--state", "starting"], "states are"),
        (&["task", "add", "--priority", "high", "--", "true"], "high"),
        (&["task", "add", "--name", "12", "--", "true"], "not a digit"),
        (&["task", "add", "--label", "=x", "--", "true"], "label"),
        (&["task", "add", "--queue", "a b", "--", "true"], "queue name"),
        (&["task", "add", "--after", "x", "--", "true"], "not a task id"),
        (&["task", "add", "--at", "soon", "--", "true"], "in 10m"),
        (&["task", "add", "--at", "17:30", "--in", "1h", "--", "true"], "--in"),
        (&["task", "add", "--retry-backoff", "cubic", "--", "true"], "fixed or exponential"),
        (&["task", "add", "--retry-on", "0", "--", "true"], "0"),
        (&["task", "add", "--on-interrupt", "cry", "--", "true"], "stop or rerun"),
        (&["task", "add", "--timeout", "5", "--", "true"], "`5s`"),
        (&["task", "kill", "--signal", "NOPE", "1"], "SIGTERM"),
        (&["task", "show", "7-3"], "before it begins"),
        (&["task", "wait", "5-"], "range"),
        (&["task", "cancel", "0-4"], "range"),
        (&["task", "cancel"], "ID"),
        (&["task", "wait", "--state", "running"], "ID"),
        (&["task", "retry", "--failed", "--state", "lost"], "--state"),
        (&["task", "edit", "1", "--set", "name"], "`=`"),
        (&["task", "move", "1"], "--top"),
        (&["task", "move", "1", "--top", "--before", "2"], "--before"),
        (&["task", "prune", "--state", "held"], "tasks end as succeeded"),
        (&["task", "retry"], "ID"),
        (&["task", "retry", "1", "--failed"], "--failed"),
        (&["queue"], "Usage"),
        (&["queue", "add", "-x"], "-x"),
        (&["queue", "add", "a/b"], "queue name"),
        (&["queue", "set", "gpu"], "--slots"),
        (&["queue", "pause"], "NAME"),
        (&["queue", "pause", "gpu", "--until", "10m ago"], "tomorrow 9am"),
        (&["events", "--since", "-1"], "-1"),
        (&["task", "logs"], "ID"),
        (&["task", "logs", "1", "--stdout", "--stderr"], "--stderr"),
        (&["daemon", "start", "--poll-interval", "5"], "`5s`"),
        (&["daemon", "start", "--max-concurrent", "0"], "0"),
        (&["daemon", "stop", "--force", "--grace", "1s"], "--grace"),
        (&["daemon", "logs", "--since", "soon"], "10m ago"),
        (&["completions"], "SHELL"),
        (&["completions", "tcsh"], "possible values: bash"),
        (&["daemon", "logs", "--level", "loud"], "levels are"),
        (&["--deadline", "soon", "status"], "soon"),
        (&["-g", "-C", "/p", "ls"], "--global"),
    ] {
        let message = refused(line);
        assert!(message.contains(part), "{line:?}: {message}");
    }
}

#[test]
fn tasks_are_named_by_number_by_range_and_by_what_they_have_in_common() {
    let line =
        ["cancel", "3", "5-7,9", "-Q", "slow", "-l", "a=1", "--label", "b", "--state", "running", "--name", "x*"];
    let Command::Cancel(cancel) = command_of(&line) else { panic!("no cancel") };
    let selection = cancel.which.selection();
    let span = crate::domain::selection::Span { first: ids(&[5])[0], last: ids(&[7])[0] };
    assert_eq!((selection.ids, selection.spans), (ids(&[3, 9]), vec![span]));
    assert_eq!(selection.states, [State::Running, State::Starting]);
    assert_eq!((selection.queue.as_deref(), selection.name.as_deref()), (Some("slow"), Some("x*")));
    assert_eq!(selection.labels, [("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), None)]);
    let Command::Wait(wait) = command_of(&["wait", "-Q", "slow", "--state", "held"]) else { panic!("no wait") };
    assert_eq!((wait.named, wait.states), (vec![], vec![State::Held]));
    let Command::Retry(retry) = command_of(&["task", "retry", "--failed", "-Q", "slow"]) else { panic!("no retry") };
    assert_eq!(retry.selection().unwrap().states, crate::domain::selection::RETRIED);
    let Command::Retry(retry) = command_of(&["task", "retry", "--failed"]) else { panic!("no retry") };
    assert_eq!(retry.selection(), None);
}
