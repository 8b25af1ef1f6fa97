//! Neighbours: what one client or task does to the others.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Running, World, eventually, long, process_state, run};

#[test]
fn clients_that_do_not_read_what_never_ends_slow_nobody() {
    let world = World::started();
    let writer = world.add_with(&["--output-limit", "1GiB"], "while :; do echo 0123456789; done");
    world.until_state(writer, "running");
    // Their standard output is a pipe that nobody reads.
    let logs = (0..8).map(|_| world.spawn(["task", "logs", "-f", &writer.to_string()]));
    let events = (0..8).map(|_| world.spawn(["events", "-f", "--json"]));
    let deaf: Vec<Running> = logs.chain(events).collect();
    eventually("all of them are connected", || world.connections() >= deaf.len());
    for _ in 0..20 {
        assert_eq!(world.ended(world.add("echo hello"))["state"], "succeeded");
    }
    world.apex(["task", "cancel", "--wait", &writer.to_string()]).expect(0);
    drop(deaf);
    eventually("they are gone", || world.connections() == 0);
}

#[test]
fn input_that_a_task_does_not_read_holds_nobody_up() {
    let world = World::started();
    let input = world.path("input");
    std::fs::write(&input, vec![7; 32 << 20]).unwrap();
    let mut command = world.command(["add", "-q", "--stdin", "-", "--", "sleep", "1000"]);
    command.stdin(std::fs::File::open(&input).unwrap());
    let deaf: u64 = run(command).expect(0).stdout.trim().parse().unwrap();
    world.until_state(deaf, "running");
    // Nor does one who sends half of it and says nothing more.
    let mut silent = world.command(["add", "--stdin", "-", "--", "cat"]);
    let mut silent = silent.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    silent.stdin.as_mut().unwrap().write_all(&[7; 1 << 20]).unwrap();
    eventually("it is connected", || world.connections() >= 1);
    for _ in 0..5 {
        assert_eq!(world.ended(world.add("true"))["state"], "succeeded");
    }
    let silent = Running::new(silent);
    // Nor do those who send more to one that runs than it takes, and want to wait.
    let open = world.add_with(&["--stdin", "open"], "exec sleep 1000");
    world.until_state(open, "running");
    // A command that has just ended may be counted for a moment still.
    eventually("only the silent one is connected", || world.connections() == 1);
    let connected = world.connections();
    let senders: Vec<Running> = (0..8)
        .map(|_| {
            let mut command = world.command(["task", "send", &open.to_string(), "-", "--deadline", "1h"]);
            command.stdin(std::fs::File::open(&input).unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
            Running::new(command.spawn().unwrap())
        })
        .collect();
    eventually("all of them are connected", || world.connections() >= connected + senders.len());
    for _ in 0..5 {
        assert_eq!(world.ended(world.add("true"))["state"], "succeeded");
    }
    world.apex(["task", "cancel", "--wait", &deaf.to_string(), &open.to_string()]).expect(0);
    drop(silent);
    for sender in senders {
        let refused = sender.wait().expect(1);
        assert!(refused.stderr.contains("closed") || refused.stderr.contains("not running"), "{refused:?}");
    }
    let input = world.dot_apex().join("input");
    eventually("half of an input is not kept", || {
        std::fs::read_dir(&input).unwrap().flatten().all(|entry| entry.path().extension().is_none())
    });
}

/// Connects as a client of HTTP/2 does, and says nothing more.
fn idle(world: &World) -> UnixStream {
    let mut stream = UnixStream::connect(world.dot_apex().join("daemon.sock")).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").unwrap();
    // The daemon's settings: it has let this one in.
    stream.read_exact(&mut [0; 9]).unwrap();
    stream
}

fn memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap() * 1024
}

#[test]
fn many_clients_that_say_nothing_cost_little_and_slow_nobody() {
    let world = World::started();
    let apexd = world.apexd_pid();
    let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    // So that the daemon takes all of them, and this process has descriptors for them.
    let most = usize::try_from(hard.min(20_000) / 2).unwrap().saturating_sub(200).min(4_000);
    let count = (500 * long() as usize).min(most);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let add = |times: &mut Vec<Duration>| {
        let began = Instant::now();
        world.apex(["add", "--hold", "--", "true"]).expect(0);
        times.push(began.elapsed());
    };
    (0..20).for_each(|_| add(&mut before));
    let memory_before = memory(apexd);
    let idle_ones: Vec<UnixStream> = (0..count).map(|_| idle(&world)).collect();
    (0..20).for_each(|_| add(&mut after));
    let each = memory(apexd).saturating_sub(memory_before) / count as u64;
    before.sort();
    after.sort();
    println!("{count} idle clients: an add takes {:?}, before {:?}; {each} bytes each", after[10], before[10]);
    assert!(each < 128 << 10, "{each} bytes each");
    // The last add has ended, and the daemon may not have noticed yet.
    eventually("all others are gone", || world.connections() == count);
    drop(idle_ones);
    eventually("all of them are gone", || world.connections() == 0);
    assert_eq!(process_state(apexd), Some('S'));
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, soft, hard).unwrap();
}
