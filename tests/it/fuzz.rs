//! What nobody would send: bytes that are no protocol, protocol that is no request, requests that make no sense. The daemon
//! lives, serves others meanwhile, grows by no more than a bound, and its log does not repeat what strangers say.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::{World, eventually, long};
use crate::wire;

/// What a client of HTTP/2 says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// In everything that is sent, so that it would be found in a log.
const MARK: &str = "said-by-a-stranger";
/// More than a daemon may grow by whatever it is sent, in KiB: windows of the connections it keeps, and what an allocator
/// does not give back.
const GROWS_BY_MAX: u64 = 96 << 10;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header block, uncompressed: a request for `path`.
fn request(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let mut literal = |name: &str, value: &str| {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    };
    literal(":path", path);
    literal(":authority", MARK);
    literal("content-type", "application/grpc");
    literal("te", "trailers");
    block
}

/// What one connection says.
fn sayings() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |max| proptest::collection::vec(any::<u8>(), 0..max);
    let any_frame =
        (any::<u8>(), any::<u8>(), any::<u32>(), bytes(64)).prop_map(|(k, f, s, p)| frame(k % 12, f, s, &p));
    let lying =
        (0_u8..12, any::<u8>(), 0_u32..9, any::<[u8; 3]>(), bytes(32)).prop_map(|(k, f, s, length, payload)| {
            let mut frame = frame(k, f, s, &payload);
            frame[..3].copy_from_slice(&length);
            frame
        });
    let call = (0_usize..6, bytes(40), 0_u32..9).prop_map(|(which, body, stream)| {
        let path = [
            "/apex.v1.TaskService/AddTask",
            "/apex.v1.TaskService/ListTasks",
            "/apex.v1.LogService/ReadOutput",
            "/apex.v1.LogService/UploadInput",
            "/apex.v1.DaemonService/GetStatus",
            "/nowhere/\u{1b}[2J",
        ][which];
        [frame(1, 4, stream * 2 + 1, &request(path)), frame(0, 1, stream * 2 + 1, &body)].concat()
    });
    let frames = proptest::collection::vec(prop_oneof![any_frame, lying, call], 0..24);
    prop_oneof![
        1 => bytes(512),
        1 => (0..PREFACE.len()).prop_map(|cut| PREFACE[..cut].to_vec()),
        6 => frames.prop_map(|frames| [PREFACE.to_vec(), frame(4, 0, 0, &[]), frames.concat()].concat()),
    ]
}

/// Sends as much as the other side takes, and waits until it has hung up or has nothing to say.
fn say(socket: &Path, bytes: &[u8]) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    if stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write)).is_ok() {
        let mut answer = [0; 4096];
        while stream.read(&mut answer).is_ok_and(|count| count > 0) {}
    }
}

fn resident_kib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Fails unless the daemon has lived through it all.
#[track_caller]
fn assert_unmoved(world: &World, (pid, resident): (i32, u64)) {
    assert_eq!(world.apexd_pid(), pid, "it died:\n{}", world.log());
    let now = resident_kib(pid);
    assert!(now < resident + GROWS_BY_MAX, "{resident} KiB became {now}");
    let log = world.log();
    assert!(!log.contains(MARK), "{log}");
    assert!(log.lines().count() < 40 && log.len() < 16 << 10, "{log}");
}

#[test]
fn bytes_that_make_no_sense_harm_nobody() {
    let world = World::started();
    let socket = world.dot_apex().join("daemon.sock");
    let before = (world.apexd_pid(), resident_kib(world.apexd_pid()));
    let config = Config { cases: 150 * long(), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&sayings(), |bytes| {
            say(&socket, &bytes);
            Ok(())
        })
        .unwrap();
    assert_eq!(world.ended(world.add("true"))["state"], "succeeded");
    assert_unmoved(&world, before);
}

#[test]
fn floods_harm_nobody() {
    let world = World::started();
    let socket = world.dot_apex().join("daemon.sock");
    let before = (world.apexd_pid(), resident_kib(world.apexd_pid()));
    let hello = [PREFACE, &frame(4, 0, 0, &[])].concat();
    let times = |count: u32, piece: &dyn Fn(u32) -> Vec<u8>| (0..count * long()).flat_map(piece).collect::<Vec<u8>>();
    let status = request("/apex.v1.DaemonService/GetStatus");
    // One entry of the table that is named again and again: a kilobyte that unpacks to megabytes.
    let mut bomb = vec![0x40, 1, b'x', 0x7f, 0x81, 0x1e];
    bomb.extend(MARK.bytes().cycle().take(4_000));
    bomb.extend([0xbe; 12_000]);
    for (what, flood) in [
        ("settings", times(20_000, &|_| frame(4, 0, 0, &[]))),
        ("pings", times(20_000, &|_| frame(6, 0, 0, &[0; 8]))),
        ("empty data", times(20_000, &|_| frame(0, 0, 1, &[]))),
        ("priorities", times(20_000, &|n| frame(2, 0, n * 2 + 1, &[0; 5]))),
        (
            "requests that are taken back",
            times(5_000, &|n| [frame(1, 4, n * 2 + 1, &status), frame(3, 0, n * 2 + 1, &[0, 0, 0, 8])].concat()),
        ),
        ("headers without end", [frame(1, 0, 1, &status), times(5_000, &|_| frame(9, 0, 1, &[0; 1_000]))].concat()),
        ("a bomb", frame(1, 4, 1, &bomb)),
        ("window", times(20_000, &|_| frame(8, 0, 0, &[0, 0, 0, 1]))),
    ] {
        say(&socket, &[&hello[..], &flood].concat());
        assert_eq!(world.apexd_pid(), before.0, "{what}");
    }
    assert_unmoved(&world, before);
}

#[test]
fn clients_that_say_nothing_keep_nobody_out() {
    let world = World::started();
    let socket = world.dot_apex().join("daemon.sock");
    let before = (world.apexd_pid(), resident_kib(world.apexd_pid()));
    let silent: Vec<UnixStream> = (0..200).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    for _ in 0..1_000 * long() {
        drop(UnixStream::connect(&socket).unwrap());
    }
    // Half a preface is nothing either.
    for mut stream in &silent[..100] {
        stream.write_all(&PREFACE[..10]).unwrap();
    }
    assert_eq!(world.ended(world.add("true"))["state"], "succeeded");
    drop(silent);
    eventually("they are gone", || world.connections() == 0);
    assert_unmoved(&world, before);
}

#[test]
fn requests_at_the_bounds_of_their_fields_are_refused_or_kept() {
    let world = World::started();
    let pid = world.apexd_pid();
    wire::add_boundaries(&world, 120 * long());
    for args in [&["ls", "--all"][..], &["ls", "--all", "--json"], &["status"], &["events"], &["daemon", "metrics"]] {
        world.apex(args).expect(0);
    }
    for task in world.apex(["ls", "--all", "--json"]).json().as_array().unwrap() {
        let id = task["id"].to_string();
        world.apex(["task", "show", &id]).expect(0);
        world.apex(["task", "why", &id]).expect(0);
    }
    assert_eq!(world.apexd_pid(), pid, "{}", world.log());
    assert!(!world.log().contains("Panicked"), "{}", world.log());
    world.apex(["daemon", "restart"]).expect(0);
    assert_eq!(world.ended(world.add_with(&["-p", "2147483647"], "true"))["state"], "succeeded");
    assert!(!world.log().contains("Panicked"), "{}", world.log());
}
