//! Stopping: what runs gets its time, what waits stays, nobody holds the door open.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{World, eventually, signal};

const QUICK: &str = "[daemon]\nmax_concurrent = 3\n[shutdown]\ngrace = \"1s\"\nkill_grace = \"500ms\"\n";

/// grace + kill_grace of [`QUICK`], the half second that a drain may take beyond, and as much for a loaded machine.
const WITHIN: Duration = Duration::from_millis(1_000 + 500 + 500 + 2_000);

#[test]
fn sigterm_lets_tasks_end_stops_the_stubborn_and_starts_nothing() {
    let world = World::with_config(QUICK);
    world.apex(["daemon", "start"]).expect(0);
    let polite = world.add("trap 'exit 7' TERM; echo > polite; while :; do sleep 0.01; done");
    // More output than fits into everything between the task and a reader that does not read.
    let stubborn = world.add("trap '' TERM; head -c 20000000 /dev/zero; echo > stubborn; while :; do sleep 0.01; done");
    let finishing = world.add("echo > finishing; while [ ! -e go ]; do sleep 0.01; done; echo done");
    let waiting = world.add("echo > waiting");
    for name in ["polite", "stubborn", "finishing"] {
        eventually(name, || world.path(name).exists());
    }
    // One that connects and says nothing, one that follows and reads nothing.
    let silent = UnixStream::connect(world.dot_apex().join("daemon.sock")).unwrap();
    let mut half = UnixStream::connect(world.dot_apex().join("daemon.sock")).unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n").unwrap();
    let follower = world.spawn(["task", "logs", "-f", &stubborn.to_string()]);

    let guardian = world.guardian_pid();
    let began = Instant::now();
    signal(guardian, Signal::SIGTERM);
    eventually("it drains", || world.apex(["task", "add", "--no-start", "--", "true"]).stderr.contains("draining"));
    std::fs::write(world.path("go"), "").unwrap();
    world.until_empty_but(&[follower.pid()]);
    assert!(began.elapsed() < WITHIN, "it took {:?}", began.elapsed());
    assert!(began.elapsed() > Duration::from_millis(1_000), "the grace was not given: {:?}", began.elapsed());
    drop((silent, half));
    follower.wait();

    assert!(!world.path("waiting").exists(), "nothing was started");
    assert!(!world.dot_apex().join("daemon.pid").exists() && !world.dot_apex().join("daemon.sock").exists());
    assert!(!world.dot_apex().join("apex.db-wal").exists(), "a clean stop leaves no WAL");
    let log = world.log();
    for line in
        ["Received SIGTERM, initiating graceful shutdown...", "Waiting for 3 task(s) to complete...", "Daemon stopped"]
    {
        assert_eq!(log.matches(line).count(), 1, "{line}\n{log}");
    }
    std::fs::remove_file(world.path("polite")).unwrap();

    world.apex(["daemon", "start"]).expect(0);
    let ended = |id: u64| {
        let task = world.show(id);
        (task["state"].clone(), task["exit_code"].clone(), task["signal"].clone(), task["reason_code"].clone())
    };
    assert_eq!(ended(polite), (json!("interrupted"), json!(7), json!(null), json!("drain")));
    assert_eq!(ended(stubborn), (json!("interrupted"), json!(null), json!(9), json!("drain")));
    assert_eq!(ended(finishing), (json!("succeeded"), json!(0), json!(null), json!(null)));
    assert_eq!(world.ended(waiting)["state"], "succeeded", "what waited runs after the next start");
}

#[test]
fn a_hung_apexd_does_not_hold_the_stop_for_ever() {
    let world = World::with_config("[shutdown]\ngrace = \"1h\"\nkill_grace = \"200ms\"\n");
    let id = world.add("echo > begun; exec sleep 1000");
    eventually("it runs", || world.path("begun").exists());
    world.until_state(id, "running");
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGSTOP);
    signal(world.guardian_pid(), Signal::SIGTERM);
    world.until_empty();
    world.apex(["daemon", "start"]).expect(0);
    let task = world.show(id);
    assert_eq!((&task["state"], &task["signal"]), (&json!("interrupted"), &json!(15)));
}

#[test]
fn who_waits_with_json_gets_the_task_that_the_drain_ended() {
    let world = World::new();
    for _ in 0..4 {
        world.apex(["daemon", "start"]).expect(0);
        let id = world.add("echo > begun; while :; do sleep 0.01; done");
        eventually("it runs", || world.path("begun").exists());
        eventually("nobody is connected", || world.connections() == 0);
        let wait = world.spawn(["task", "wait", "--json", &id.to_string()]);
        eventually("it is connected", || world.connections() == 1);
        world.apex(["daemon", "stop", "--force"]).expect(0);
        let wait = wait.wait().expect(143);
        assert_eq!(wait.json()["state"], "interrupted", "{wait:?}");
        std::fs::remove_file(world.path("begun")).unwrap();
    }
}

#[test]
fn force_reaches_an_apexd_that_does_not_answer() {
    let world = World::started();
    let id = world.add("trap 'exit 7' TERM; echo > begun; while :; do sleep 0.01; done");
    eventually("it runs", || world.path("begun").exists());
    let apexd = world.apexd_pid();
    signal(apexd, Signal::SIGSTOP);
    let began = Instant::now();
    let mut command = world.command(["daemon", "stop", "--force", "--deadline", "100ms"]);
    let mut stop = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = [0; 1];
    std::io::Read::read_exact(stop.stderr.as_mut().unwrap(), &mut told).unwrap();
    signal(apexd, Signal::SIGCONT);
    assert!(stop.wait().unwrap().success());
    // The grace is 30 s here.
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    world.apex(["daemon", "start"]).expect(0);
    assert_eq!(world.show(id)["exit_code"], 7);
}
