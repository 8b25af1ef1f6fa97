//! An apexd that has lost its mind.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use nix::libc;

use super::world::{World, id};
use crate::link::codec::tests::order;
use crate::link::{Fact, Order, Scope, Spawn};

/// The same values in every run.
fn runner() -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn orders_that_mean_nothing_do_no_harm() {
    let (mut world, mut apexd) = World::serving();
    let child = apexd.spawn(world.shell(1, "exec sleep 1000"));
    let (mut runner, none) = (runner(), world.file("none"));
    for _ in 0..500 {
        match order().new_tree(&mut runner).unwrap().current() {
            // These begin something else: another start, another program, another process, an end.
            Order::Hello { .. } | Order::Draining | Order::Replace { .. } | Order::Adopt(_) => {}
            // Whatever it is, it is not to be found, and nothing is written anywhere.
            Order::Spawn(spawn) => apexd.send(&Order::Spawn(Box::new(Spawn { cwd: none.clone(), ..*spawn }))),
            other => apexd.send(&other),
        }
    }
    // Answered when all that came before was carried out.
    apexd.send(&Order::Signal { assignment: id(1), signal: 0, scope: Scope::Leader });
    loop {
        match apexd.next() {
            Some(Fact::Signalled { assignment, signal: 0, errno: 0 }) if assignment == id(1) => break,
            Some(Fact::NotSpawned { .. } | Fact::Signalled { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(apexd.hello().children, [child]);
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Session), 0);
    apexd.exit(1);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn bytes_that_are_no_orders_cost_apexd_its_life_and_nobody_else() {
    let (mut world, mut apexd) = World::serving();
    let child = apexd.spawn(world.shell(1, "exec sleep 1000"));
    let mut runner = runner();
    for round in 0..4 {
        // A length that no frame has makes an end of it whatever the rest says.
        let mut bytes = proptest::collection::vec(any::<u8>(), 0..300).new_tree(&mut runner).unwrap().current();
        let no_frame: &[u8] = if round % 2 == 0 { &[0xff; 4] } else { &[0; 4] };
        bytes.splice(0..0, no_frame.iter().copied());
        apexd.send_bytes(&bytes);
        assert_eq!(apexd.next(), None);
        apexd = world.connect();
        assert_eq!(apexd.hello().children, [child]);
        apexd.send(&Order::Ready);
        assert_eq!(apexd.signal(1, 0, Scope::Leader), 0);
    }
    assert_eq!(apexd.signal(1, libc::SIGKILL, Scope::Session), 0);
    apexd.exit(1);
    apexd.forget(1);
    apexd.end(0);
    assert_eq!(world.end(), 0);
}
