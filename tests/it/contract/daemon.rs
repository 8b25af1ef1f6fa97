//! The commands on the daemon itself.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::contract::{UNTIL_GO, go, shell};
use crate::support::{PATIENCE, World, eventually, may_look_into_daemons, run, signal};
use crate::wire::add_many;

/// Row: daemon / daemon start
/// Row: daemon / daemon start, already running
/// Row: daemon / daemon status, exit code
/// Row: names and projects / modes
#[test]
fn start_returns_when_the_socket_answers_and_says_when_it_is_running_already() {
    let world = World::new();
    assert_eq!(world.apex(["daemon", "status"]).code, 3);
    world.apex(["daemon", "start"]).expect(0);
    let status = world.apex(["daemon", "status", "--json"]).expect(0).json();
    assert_eq!((&status["running"], &status["max_concurrent"]), (&json!(true), &json!(3)));
    assert_eq!(status["guardian_pid"], json!(world.guardian_pid()));
    let again = world.apex(["daemon", "start"]).expect(0);
    assert!((again.stdout + &again.stderr).contains("already running"));
    eventually("it is logged", || world.log().contains("Daemon started (poll: 5000ms, max concurrent: 3)"));
    let modes = |name: &str| std::fs::metadata(world.dot_apex().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(modes(""), 0o700);
    for name in ["daemon.sock", "daemon.pid", "daemon.log", "apex.db", "config.toml", ".gitignore"] {
        assert_eq!(modes(name), 0o600, "{name}");
    }
}

/// Row: daemon / daemon start, failure
#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let world = World::with_config("[daemon]\nmax_concurent = 3\n");
    let start = world.apex(["daemon", "start"]).expect(3);
    assert!(start.stderr.contains("max_concurent") && start.stderr.contains("max_concurrent"), "{start:?}");
    assert!(world.processes().is_empty());

    let world = World::new();
    std::fs::write(world.dot_apex().join("apex.db"), "this is no database at all, it is a text of some length")
        .unwrap();
    let start = world.apex(["--json", "daemon", "start"]).expect(3);
    assert!(start.error()["message"].as_str().unwrap().contains("apex.db"), "{start:?}");
    assert!(world.processes().is_empty());
    for name in ["daemon.pid", "daemon.sock"] {
        assert!(!world.dot_apex().join(name).exists(), "{name} was left");
    }
    let bytes = std::fs::read(world.dot_apex().join("apex.db")).unwrap();
    assert!(bytes.starts_with(b"this is no database"), "its bytes are kept");
}

/// Row: daemon / daemon start --max-concurrent, --poll-interval
/// Row: configuration keys / flags
#[test]
fn flags_of_start_go_over_the_configuration() {
    let world = World::with_config("[daemon]\nmax_concurrent = 2\n");
    world.apex(["daemon", "start", "--max-concurrent", "7", "--poll-interval", "250ms"]).expect(0);
    assert_eq!(world.status()["max_concurrent"], json!(7));
    eventually("it is logged", || world.log().contains("Daemon started (poll: 250ms, max concurrent: 7)"));
    signal(world.apexd_pid(), Signal::SIGKILL);
    eventually("it is back", || world.status()["restarts"] == json!(1));
    assert_eq!(world.status()["max_concurrent"], json!(7), "until it is stopped");
}

/// Row: daemon / daemon stop
/// Row: daemon / daemon stop, not running
/// Row: daemon / draining
#[test]
fn stop_waits_for_what_runs_and_an_idle_daemon_is_gone_at_once() {
    let world = World::started();
    let id = world.add("echo > begun; while [ ! -e go ]; do sleep 0.01; done; exit 5");
    eventually("it runs", || world.path("begun").exists());
    let stop = world.spawn(["daemon", "stop"]);
    eventually("it drains", || world.status()["draining"] == true);
    assert_eq!(world.state(id), "running", "reads are answered");
    let refused = world.apex(["--json", "task", "add", "--", "true"]).expect(1);
    assert!(refused.error()["message"].as_str().unwrap().contains("the daemon is draining"), "{refused:?}");
    std::fs::write(world.path("go"), "").unwrap();
    assert_eq!(stop.wait().code, 0);
    assert!(world.processes().is_empty(), "stop returns when all is gone");

    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.show(id)["exit_code"], json!(5));
    world.apex(["daemon", "stop"]).expect(0);
    let again = world.apex(["daemon", "stop"]).expect(0);
    assert!(again.stdout.contains("not running") || again.stderr.contains("not running"), "{again:?}");
}

/// Row: daemon / daemon stop
/// Row: configuration keys / shutdown.grace
/// Row: configuration keys / shutdown.kill_grace
#[test]
fn what_outlives_the_grace_is_asked_to_end_and_then_killed() {
    let world = World::with_config("[shutdown]\ngrace = \"50ms\"\nkill_grace = \"100ms\"\n");
    let polite = world.add("trap 'exit 7' TERM; echo > polite; while :; do sleep 0.01; done");
    let stubborn = world.add("trap '' TERM; echo > stubborn; while :; do sleep 0.01; done");
    for name in ["polite", "stubborn"] {
        eventually(name, || world.path(name).exists());
    }
    world.apex(["daemon", "stop"]).expect(0);
    assert_eq!(world.processes(), [0; 0], "it returns when all is gone");
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.show(polite)["exit_code"], json!(7));
    assert_eq!(world.show(stubborn)["signal"], json!(9));
}

/// Row: daemon / daemon stop --grace
#[test]
fn the_grace_of_a_stop_can_be_named() {
    let world = World::with_config("[shutdown]\ngrace = \"1h\"\nkill_grace = \"20s\"\n");
    let id = world.add("echo > begun; exec sleep 1000");
    eventually("it runs", || world.path("begun").exists());
    world.apex(["daemon", "stop", "--grace", "50ms"]).expect(0);
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.show(id)["signal"], json!(15));
    world.apex(["daemon", "stop", "--grace", "5"]).expect(2);
}

/// Row: daemon / daemon stop --force
#[test]
fn force_does_not_wait() {
    let world = World::with_config("[shutdown]\ngrace = \"1h\"\nkill_grace = \"300ms\"\n");
    let id = world.add("trap '' TERM; echo > begun; while :; do sleep 0.05; done");
    eventually("it runs", || world.path("begun").exists());
    world.apex(["daemon", "stop", "--force"]).expect(0);
    assert!(world.processes().is_empty());
    world.apex(["daemon", "start"]).expect(0);
    let task = world.show(id);
    assert_eq!((&task["state"], &task["signal"]), (&json!("interrupted"), &json!(9)));
}

/// Row: daemon / signals
/// Row: files in .apex / daemon.pid
#[test]
fn a_second_sigterm_skips_the_waiting() {
    let world = World::with_config("[shutdown]\ngrace = \"1h\"\nkill_grace = \"20s\"\n");
    world.apex(["daemon", "start"]).expect(0);
    world.add("echo > begun; sleep 1000");
    eventually("it runs", || world.path("begun").exists());
    let guardian = world.guardian_pid();
    signal(guardian, Signal::SIGTERM);
    eventually("it drains", || world.status()["draining"] == true);
    signal(guardian, Signal::SIGTERM);
    world.until_empty();
}

/// Row: daemon / signals
#[test]
fn sigterm_to_apexd_itself_drains_as_well() {
    let world = World::started();
    signal(world.apexd_pid(), Signal::SIGTERM);
    world.until_empty();
    assert!(world.log().contains("Daemon stopped"));
    assert_eq!(world.apex(["daemon", "status"]).code, 3);
}

/// Row: daemon / signals
/// Row: files in .apex / daemon.pid
#[test]
fn sigint_is_as_good_as_sigterm() {
    for to_guardian in [true, false] {
        let world = World::started();
        let pid = if to_guardian { world.guardian_pid() } else { world.apexd_pid() };
        signal(pid, Signal::SIGINT);
        world.until_empty();
        assert!(world.log().contains("Daemon stopped"), "{}", world.log());
    }
}

/// Row: daemon / daemon restart
#[test]
fn a_restart_puts_the_program_that_asks_in_the_place_of_the_daemon() {
    let world = World::started();
    let id = world.add(&format!("echo begun; {UNTIL_GO}; echo done; exit 6"));
    world.until_state(id, "running");
    let (guardian, apexd) = (world.guardian_pid(), world.apexd_pid());
    let other = world.path("other");
    // By a process of its own: what this one has open for writing, another test's child may hold when it is to run.
    shell(&world, "cp \"$apex\" other").expect(0);
    let sealed = world.command(["daemon", "restart"]);
    let mut restart = std::process::Command::new(&other);
    restart.args(sealed.get_args()).current_dir(world.root()).env_clear();
    restart.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(restart).expect(0);
    assert_eq!(world.guardian_pid(), guardian);
    assert_ne!(world.apexd_pid(), apexd);
    if may_look_into_daemons() {
        assert_eq!(std::fs::read_link(format!("/proc/{}/exe", world.apexd_pid())).unwrap(), other);
    }
    assert_eq!(world.state(id), "running");
    go(&world);
    let task = world.ended(id);
    assert_eq!((&task["exit_code"], &task["attempt"]), (&json!(6), &json!(1)));
    assert_eq!(crate::contract::output(&world, id), "begun\ndone\n");
}

/// Row: daemon / daemon status, counts
#[test]
fn the_status_counts_what_there_is_and_what_there_was() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    world.ended(world.add("true"));
    world.ended(world.add("exit 2"));
    world.add_with(&["--hold"], "true");
    world.apex(["task", "cancel", "3"]).expect(0);
    world.add_with(&["--hold"], "true");
    let running = world.add(UNTIL_GO);
    world.until_state(running, "running");
    world.add(UNTIL_GO);
    let counts = |status: &Value| {
        ["active", "queued", "waiting", "tasks_processed", "tasks_succeeded", "tasks_failed"]
            .map(|key| status[key].as_u64().unwrap_or_else(|| panic!("{key} is not told: {status}")))
    };
    assert_eq!(counts(&world.status()), [1, 1, 1, 3, 1, 1]);
    go(&world);
    world.ended(6);
    world.apex(["daemon", "stop"]).expect(0);
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(counts(&world.status()), [0, 0, 1, 5, 3, 1], "the store keeps them");
    let status = world.status();
    assert_eq!(status["draining"], json!(false));
    eventually("it has polled", || world.status()["last_poll_at"].is_string());
}

/// Row: daemon / daemon logs
/// Row: daemon / daemon logs -n
/// Row: daemon / daemon logs --level
/// Row: daemon / daemon logs --json
/// Row: files in .apex / daemon.log
#[test]
fn the_daemons_log_is_read_by_number_level_and_as_json() {
    let world = World::started();
    world.ended(world.add("true"));
    world.apex(["daemon", "stop"]).expect(0);
    let all = world.apex(["daemon", "logs"]).expect(0).stdout;
    for line in all.lines() {
        assert!(line.starts_with("[20") && line.contains("Z] ["), "{line}");
    }
    for message in ["Daemon started (", "Starting task 1", "Task 1 completed (", "Daemon stopped"] {
        assert_eq!(all.matches(message).count(), 1, "{message}\n{all}");
    }
    let last = world.apex(["daemon", "logs", "-n", "1"]).expect(0).stdout;
    assert!(last.ends_with("Daemon stopped\n") && last.lines().count() == 1, "{last}");
    assert_eq!(world.apex(["daemon", "logs", "--level", "error"]).expect(0).stdout, "");
    let json = world.apex(["daemon", "logs", "--json"]).expect(0).stdout;
    for line in json.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert!(entry["at"].is_string() && entry["level"].is_string() && entry["message"].is_string(), "{line}");
    }
    assert_eq!(json.lines().count(), all.lines().count());
}

/// Row: daemon / daemon logs --since
#[test]
fn the_log_is_read_from_an_instant_on() {
    let world = World::started();
    world.apex(["daemon", "stop"]).expect(0);
    let lines = |since: &str| world.apex(["daemon", "logs", "--since", since]).expect(0).stdout;
    let all = world.apex(["daemon", "logs"]).expect(0).stdout;
    assert_eq!(lines("1h ago"), all);
    assert_eq!(lines("2999-01-01T00:00:00Z"), "");
    let last = all.lines().last().unwrap();
    let at = last[1..].split(']').next().unwrap();
    assert!(lines(at).ends_with(&format!("{last}\n")), "the instant itself counts");
}

/// Row: daemon / daemon logs -f
/// Row: files in .apex / daemon.log, rotation
/// Row: configuration keys / log.max_size
/// Row: configuration keys / log.keep
#[test]
fn the_log_is_followed_over_its_rotation_and_old_files_go() {
    let world = World::with_config("[log]\nmax_size = \"1KiB\"\nkeep = 3\n");
    world.apex(["daemon", "start"]).expect(0);
    let mut follower = world.spawn(["daemon", "logs", "-f", "-n", "0"]);
    let stdout = follower.stdout();
    let (sender, lines) = std::sync::mpsc::channel();
    // Ends with the follower.
    let reader = std::thread::spawn(move || {
        use std::io::BufRead;
        std::io::BufReader::new(stdout).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
    });
    eventually("it follows", || {
        add_many(&world, "true", 1);
        lines.recv_timeout(std::time::Duration::from_millis(50)).is_ok()
    });
    for _ in 0..40 {
        let id = add_many(&world, "true", 1);
        let end = format!("Task {id} completed");
        while !lines.recv_timeout(PATIENCE).expect("the end of each task is told").contains(&end) {}
    }
    drop(follower);
    reader.join().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(world.dot_apex())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("daemon.log"))
        .collect();
    names.sort();
    assert_eq!(names, ["daemon.log", "daemon.log.1", "daemon.log.2", "daemon.log.3"]);
    for name in names {
        let size = std::fs::metadata(world.dot_apex().join(&name)).unwrap().len();
        assert!(size <= 1024, "{name} has {size} bytes");
    }
}

/// Row: daemon / daemon run
/// Row: daemon / daemon run, already running
#[test]
fn in_the_foreground_it_serves_and_a_second_one_says_who_is_there() {
    let world = World::new();
    let daemon = world.spawn(["daemon", "run"]);
    eventually("it serves", || world.status()["running"] == true);
    assert_eq!(world.guardian_pid(), daemon.pid());
    let second = world.apex(["daemon", "run"]);
    assert_eq!(second.code, 78, "{second:?}");
    assert!(second.stderr.contains(&daemon.pid().to_string()), "{second:?}");
    assert_eq!(world.apex(["run", "--", "echo", "hello"]).stdout, "hello\n");
    daemon.signal(Signal::SIGINT);
    assert_eq!(daemon.wait().code, 0);
}
