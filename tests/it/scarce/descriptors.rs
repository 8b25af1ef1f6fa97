//! No descriptors left.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use nix::sys::resource::{Resource, setrlimit};

use crate::scarce::set_limit;
use crate::support::{World, eventually, process_state};

/// What a client of HTTP/2 says first. After that nobody can tell an idle client from one that thinks.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// As many descriptors as a daemon has in the test that gives it few.
const LIMIT: u64 = 96;

/// Connects and stays, as long as the daemon lets it.
fn idle(world: &World) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(world.dot_apex().join("daemon.sock")).unwrap();
    let _ = stream.write_all(PREFACE);
    // The daemon's settings, and what follows if there is no place: that it is to go.
    let mut heard = [0; 64];
    stream.set_nonblocking(false).unwrap();
    let length = stream.read(&mut heard).unwrap_or(0);
    let is_sent_away = length == 0 || heard[..length].windows(5).any(|window| window == [7, 0, 0, 0, 0]);
    (!is_sent_away).then_some(stream)
}

fn open_descriptors(pid: i32) -> BTreeSet<u64> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Leaves a process `spare` descriptors more than it has, counted from the number `from` on.
fn leave(pid: i32, from: u64, spare: usize) {
    let open = open_descriptors(pid);
    let limit = (from..).filter(|number| !open.contains(number)).nth(spare).unwrap();
    set_limit(pid, Resource::RLIMIT_NOFILE, Some(limit));
}

fn pid_of(world: &World, id: u64) -> i32 {
    i32::try_from(world.show(id)["attempts"][0]["pid"].as_i64().unwrap()).unwrap()
}

/// Two tasks, one after the other, without asking the daemon how they stand: it has no place for anybody who asks.
struct Quiet<'a> {
    world: &'a World,
    first: i32,
}

impl<'a> Quiet<'a> {
    fn begin(world: &'a World) -> Self {
        let first = world.add("while [ ! -e go ]; do sleep 0.01; done; echo one; exit 3");
        world.until_state(first, "running");
        world.add("echo two; touch second");
        Self { world, first: pid_of(world, first) }
    }

    /// Both go on, and are recorded: a process that is not recorded is not reaped.
    fn end(&self) {
        std::fs::write(self.world.path("go"), "").unwrap();
        eventually("the first one is recorded", || process_state(self.first).is_none());
        eventually("the second one runs", || self.world.path("second").exists());
        let sealed = |name: &str| self.world.dot_apex().join("output/0").join(name).exists();
        eventually("the second one is recorded", || sealed("2.1.log"));
        assert!(sealed("1.1.log"));
    }
}

fn is_told(run: &crate::support::Run) -> bool {
    run.code == 1 && run.error()["kind"] == "exhausted" && run.stderr.contains("connections")
}

#[test]
fn idle_clients_leave_room_for_the_work_and_others_are_told() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    let mut start = world.command(["daemon", "start"]);
    // SAFETY: a plain system call between fork and exec.
    unsafe {
        start.pre_exec(|| Ok(setrlimit(Resource::RLIMIT_NOFILE, LIMIT, LIMIT)?));
    }
    crate::support::run(start).expect(0);
    let work = Quiet::begin(&world);
    let mut idle_ones = Vec::new();
    while let Some(stream) = idle(&world) {
        idle_ones.push(stream);
        assert!((idle_ones.len() as u64) < LIMIT, "there are more connections than descriptors");
    }
    let run = world.apex(["add", "--json", "--", "true"]);
    assert!(is_told(&run), "{run:?}");
    let open = descriptors_of_apexd(&world).len() as u64;
    assert!(open < LIMIT, "{open}");
    work.end();

    idle_ones.clear();
    eventually("there is a place again", || world.apex(["add", "--", "true"]).code == 0);
    assert_eq!((world.state(1), world.state(2)), ("failed".to_owned(), "succeeded".to_owned()));
    assert_eq!(world.status()["restarts"], 0);
}

/// Of the process that says it is apexd: the daemon cannot be asked.
fn descriptors_of_apexd(world: &World) -> BTreeSet<u64> {
    let is_apexd = |pid: &i32| {
        std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("comm"))
            .is_ok_and(|name| name == "apexd\n")
    };
    open_descriptors(world.processes().into_iter().find(is_apexd).expect("a running apexd"))
}

#[test]
fn without_any_descriptor_clients_are_told_and_work_goes_on() {
    let world = World::with_config("[daemon]\nmax_concurrent = 1\n");
    world.apex(["daemon", "start"]).expect(0);
    let apexd = world.apexd_pid();
    let work = Quiet::begin(&world);
    // Nobody asks now, so what is open is what the daemon itself needs.
    eventually("the last client is gone", || world.connections() == 0);
    leave(apexd, 0, 0);
    for _ in 0..3 {
        // One descriptor serves to tell everybody, so who comes while another one is told may only see the connection end.
        eventually("it is told", || is_told(&world.apex(["add", "--json", "--", "true"])));
    }
    work.end();
    set_limit(apexd, Resource::RLIMIT_NOFILE, None);
    assert_eq!(world.apex(["add", "-q", "--", "true"]).expect(0).stdout, "3\n");
    assert_eq!((world.state(1), world.state(2)), ("failed".to_owned(), "succeeded".to_owned()));
    assert_eq!(world.apexd_pid(), apexd);
}

#[test]
fn what_cannot_be_started_for_want_of_descriptors_waits_and_is_no_attempt() {
    let world = World::with_config("[daemon]\nmax_concurrent = 30\n");
    world.apex(["daemon", "start"]).expect(0);
    let guardian = world.guardian_pid();
    // Some of them it keeps free for itself.
    leave(guardian, 3, 16);
    let tasks: Vec<u64> = (0..20).map(|_| world.add("while [ ! -e go ]; do sleep 0.01; done")).collect();
    eventually("the daemon says what it lacks", || {
        world.status()["held_up"].as_str().is_some_and(|lacking| lacking.contains("Too many open files"))
    });
    let waits: Vec<u64> = tasks.iter().copied().filter(|id| world.state(*id) == "queued").collect();
    assert!(!waits.is_empty());
    // Now and then one is tried again, and is being started for a moment.
    let why = || world.apex(["task", "why", &waits[0].to_string()]).expect(0).stdout;
    eventually("it says why it waits", || why().contains("Too many open files"));
    std::fs::write(world.path("go"), "").unwrap();
    for id in tasks {
        let task = world.ended(id);
        assert_eq!((&task["state"], &task["attempt"], &task["failures"]), (&"succeeded".into(), &1.into(), &0.into()));
    }
    set_limit(guardian, Resource::RLIMIT_NOFILE, None);
}
