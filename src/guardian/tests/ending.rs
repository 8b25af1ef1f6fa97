use std::time::Duration;

use nix::libc;
use nix::sys::signal::{SigSet, Signal, raise};

use super::world::{World, await_file, await_pid, id, number};
use crate::domain::outcome::ExitStatus;
use crate::link::machine::Stat;
use crate::link::{Order, Scope};

const TERM: ExitStatus = ExitStatus::Signal(15);
const KILL: ExitStatus = ExitStatus::Signal(9);

/// Every task of the words of the last guardian with its end.
fn ends(world: &World) -> Vec<(u128, ExitStatus)> {
    let words = world.last_words();
    let children = &words.last().unwrap().children;
    children.iter().map(|child| (number(child.assignment), child.exit.unwrap().status)).collect()
}

#[test]
fn without_an_apexd_the_tasks_are_stopped_and_their_ends_written_down() {
    let (mut world, mut apexd) = World::serving();
    apexd.send(&Order::Policy { kill_grace: Duration::from_millis(300) });
    apexd.spawn(world.shell(1, "exit 4"));
    apexd.exit(1);
    apexd.spawn(world.shell(2, "exec sleep 1000"));
    apexd.spawn(world.shell(3, "trap '' TERM; sleep 1000 & echo $! > child; wait; exit 9"));
    apexd.spawn(world.shell(4, "exec sleep 1000"));
    assert_eq!(apexd.signal(4, libc::SIGSTOP, Scope::Leader), 0);
    let child = await_pid(&world.file("child"));
    apexd.kill();
    world.signal_guardian(libc::SIGTERM);
    // An apexd is started, but nobody says hello in its name.
    assert_eq!(world.end(), 0);
    assert_eq!(ends(&world), [(1, ExitStatus::Code(4)), (2, TERM), (3, KILL), (4, TERM)]);
    assert!(Stat::of(child).map_or(true, |stat| stat.zombie));
    world.expect_left(&["daemon.lock", "daemon.log", "guardian.exits"]);
}

#[test]
fn a_second_request_skips_the_grace() {
    let (mut world, mut apexd) = World::serving();
    apexd.send(&Order::Policy { kill_grace: Duration::from_secs(3600) });
    apexd.spawn(world.shell(1, "trap '' TERM; echo x > ready; while :; do sleep 1000; done"));
    await_file(&world.file("ready"));
    apexd.kill();
    // Two of the same kind might be taken for one by the kernel.
    world.signal_guardian(libc::SIGTERM);
    world.signal_guardian(libc::SIGINT);
    assert_eq!(world.end(), 0);
    assert_eq!(ends(&world), [(1, KILL)]);
}

#[test]
fn an_apexd_that_comes_in_time_drains_itself() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "exec sleep 1000"));
    apexd.kill();
    world.signal_guardian(libc::SIGTERM);
    let mut apexd = world.connect();
    assert_eq!(apexd.hello().stop_requests, 1);
    assert_eq!(apexd.signal(1, libc::SIGTERM, Scope::Session), 0);
    assert_eq!(apexd.exit(1).status, TERM);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
    world.expect_left(&["daemon.lock", "daemon.log"]);
}

#[test]
fn an_apexd_that_dies_again_and_again_in_a_drain_is_done_without() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "exec sleep 1000"));
    apexd.send(&Order::Draining);
    assert_eq!(apexd.signal(2, 0, Scope::Leader), libc::ESRCH);
    apexd.kill();
    for _ in 0..2 {
        let mut apexd = world.connect();
        apexd.hello();
        apexd.send(&Order::Ready);
        assert_eq!(apexd.signal(2, 0, Scope::Leader), libc::ESRCH);
        apexd.kill();
    }
    assert_eq!(world.end(), 0);
    assert_eq!(ends(&world), [(1, TERM)]);
}

#[test]
fn an_apexd_that_cannot_be_started_in_a_drain_is_done_without() {
    let (mut world, mut apexd) = World::serving();
    apexd.spawn(world.shell(1, "exec sleep 1000"));
    apexd.send(&Order::Draining);
    assert_eq!(apexd.signal(2, 0, Scope::Leader), libc::ESRCH);
    // Lock and listening socket take up all that apexd's link could have; lower numbers are free.
    let limit = libc::rlimit { rlim_cur: 12, rlim_max: 12 };
    let guardian = libc::pid_t::try_from(world.guardian_pid()).unwrap();
    // SAFETY: the limit is read, nothing is written.
    let result = unsafe { libc::prlimit(guardian, libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(result, 0);
    apexd.kill();
    assert_eq!(world.end(), 0);
    assert_eq!(ends(&world), [(1, TERM)]);
}

#[test]
fn what_a_drained_apexd_left_is_killed_and_told() {
    let (mut world, mut apexd) = World::serving();
    let line = "trap '' TERM; sleep 1000 & echo $! > child; wait; exit 9";
    apexd.spawn(world.shell(1, line));
    let child = await_pid(&world.file("child"));
    apexd.end(0);
    assert_eq!(world.end(), 0);
    assert_eq!(ends(&world), [(1, KILL)]);
    assert!(Stat::of(child).map_or(true, |stat| stat.zombie));
}

#[test]
fn words_that_nobody_has_read_are_kept() {
    let mut world = World::new();
    for n in 1..3 {
        world.start();
        let mut apexd = world.connect();
        apexd.hello();
        apexd.send(&Order::Ready);
        apexd.spawn(world.shell(n, "exit 1"));
        apexd.exit(n);
        apexd.end(0);
        assert_eq!(world.end(), 0);
    }
    let words = world.last_words();
    assert_eq!(words.iter().map(|words| words.children[0].assignment).collect::<Vec<_>>(), [id(1), id(2)]);
    assert_ne!(words[0].guardian, words[1].guardian);
}

#[test]
fn a_request_that_comes_before_everything_is_not_lost() {
    let mut world = World::new();
    world.start_after(|| {
        let mut terminate = SigSet::empty();
        terminate.add(Signal::SIGTERM);
        terminate.thread_block().unwrap();
        raise(Signal::SIGTERM).unwrap();
    });
    let mut apexd = world.connect();
    assert_eq!(apexd.hello().stop_requests, 1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn an_empty_list_says_that_nothing_was_started() {
    let (mut world, apexd) = World::serving();
    apexd.kill();
    world.signal_guardian(libc::SIGTERM);
    assert_eq!(world.end(), 0);
    assert_eq!(ends(&world), []);
}
