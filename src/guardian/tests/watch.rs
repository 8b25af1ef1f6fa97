//! An apexd that hangs.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, poll};

use super::world::{Apexd, World, await_end};
use crate::guardian::processes;
use crate::link::{Fact, Order, Scope};

fn impatient() -> (World, Apexd) {
    let mut world = World::new();
    world.options.patience = Duration::from_secs(1);
    world.start();
    let mut apexd = world.connect();
    apexd.hello();
    apexd.send(&Order::Ready);
    (world, apexd)
}

#[test]
fn one_that_leaves_everybody_waiting_is_aborted_and_replaced() {
    let (mut world, mut apexd) = impatient();
    apexd.send(&Order::Present);
    let child = apexd.spawn(world.shell(1, "exec sleep 1000"));
    // Somebody wants something; the relay takes in no third connection.
    let _client = UnixStream::connect(&world.places().socket).unwrap();
    assert_eq!(apexd.next(), Some(Fact::Ask));
    assert_eq!(apexd.next(), None, "it did not answer");
    await_end(&apexd.pidfd);
    let mut apexd = world.connect();
    let welcomed = apexd.hello();
    assert_eq!((welcomed.restarts, welcomed.children), (1, vec![child]), "its task was not touched");
    let log = world.log();
    assert!(log.contains("apexd has not answered for 1000 ms; aborting it pid="), "{log}");
    assert!(log.contains("apexd ended by SIGABRT"), "{log}");
    apexd.send(&Order::Ready);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Session), 0);
    apexd.exit(1);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn one_that_answers_lives_on() {
    let (mut world, mut apexd) = impatient();
    apexd.send(&Order::Present);
    for n in 1..3 {
        apexd.spawn(world.shell(n, "exit 0"));
        apexd.exit(n);
        // The end was told and nothing was said to it.
        assert_eq!(apexd.next(), Some(Fact::Ask));
        apexd.send(&Order::Present);
        apexd.forget(n);
    }
    apexd.end(0);
    assert_eq!(world.end(), 0);
    assert!(!world.log().contains("aborting"), "{}", world.log());
}

#[test]
fn one_that_a_person_has_stopped_is_left_alone() {
    let (mut world, mut apexd) = impatient();
    apexd.send(&Order::Present);
    apexd.spawn(world.shell(1, "exit 0"));
    apexd.exit(1);
    assert_eq!(apexd.next(), Some(Fact::Ask));
    assert_eq!(processes::send(&apexd.pidfd, libc::SIGSTOP), 0);
    // Several times as long as it may be silent.
    let end = PollFd::new(apexd.pidfd.as_fd(), PollFlags::POLLIN);
    assert_eq!(poll(&mut [end], 2_000_u16), Ok(0), "it is still there");
    assert!(processes::is_halted(apexd.pid));
    assert_eq!(processes::send(&apexd.pidfd, libc::SIGCONT), 0);
    apexd.send(&Order::Present);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn one_that_does_not_know_the_question_is_not_watched() {
    let (mut world, mut apexd) = impatient();
    apexd.spawn(world.shell(1, "exit 0"));
    apexd.exit(1);
    // Longer than it would be waited for.
    apexd.spawn(world.shell(2, "sleep 1.5"));
    apexd.exit(2);
    assert_eq!(apexd.signal(3, 0, Scope::Leader), libc::ESRCH, "and was not asked");
    apexd.forget(1);
    apexd.forget(2);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}
