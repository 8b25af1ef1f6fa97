//! Sixteen: an idle daemon costs nothing but the poll.

use crate::idle::{Threads, at_rest};
use crate::support::World;

#[test]
fn nobody_wakes_up_between_two_polls() {
    // No poll comes while this is looked at.
    let world = World::with_config("[daemon]\npoll_interval = \"1h\"\n");
    world.apex(["daemon", "start"]).expect(0);
    world.ended(world.add("echo; exit 3"));
    at_rest(&world);
    let before = Threads::of(&world);
    // The test's own clock: there is no event when nothing happens.
    std::thread::park_timeout(std::time::Duration::from_secs(2));
    let switches = Threads::of(&world).since(&before);
    assert!(switches.values().sum::<u64>() <= 4, "somebody woke up: {switches:?}");
}
