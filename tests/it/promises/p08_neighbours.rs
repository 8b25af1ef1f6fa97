//! Eight: a client that does not read slows nobody but itself, and costs the daemon no more than its buffers.

use crate::support::World;
use crate::wire;

/// What the task writes: much more than buffers hold.
const BYTES: u64 = 64 << 20;
/// How often somebody else reads it.
const OTHERS: u64 = 2;
/// More than the windows of HTTP/2 and all buffers on the way hold together.
const AHEAD_MAX: u64 = 16 << 20;

/// Returns how many bytes a process has read altogether, from files and from sockets.
///
/// Source: proc_pid_io(5).
fn read_by(pid: i32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).unwrap()
}

#[test]
fn a_client_that_does_not_read_is_not_read_ahead_for() {
    let world = World::started();
    let id = world.add(&format!("head -c {BYTES} /dev/zero; exec sleep 1000"));
    let file = world.dot_apex().join(format!("output/0/{id}.1.log.part"));
    crate::support::eventually("all is written", || file.metadata().is_ok_and(|found| found.len() == BYTES));
    let apexd = world.apexd_pid();
    let before = read_by(apexd);
    // One that asks for the output over the socket, and takes nothing of it. The program itself reads the file.
    let _deaf = wire::Deaf::begin(&world, id);
    crate::support::eventually("it is sent something", || read_by(apexd) > before + (64 << 10));
    // Others read all of it meanwhile, and work goes on.
    for _ in 0..OTHERS {
        let all = world.command(["task", "logs", "--raw", &id.to_string()]).output().unwrap();
        assert_eq!(all.stdout.len() as u64, BYTES);
        world.ended(world.add("true"));
    }
    let for_deaf = read_by(apexd) - before;
    assert!(for_deaf < AHEAD_MAX, "{for_deaf} bytes were read for a client that does not take them");
}
