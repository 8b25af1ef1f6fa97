//! Sixteen: an idle daemon costs nothing but the poll.

use std::time::Duration;

use crate::idle::Threads;
use crate::support::{World, eventually};

#[test]
fn nobody_wakes_up_between_two_polls() {
    // No poll comes while this is looked at.
    let world = World::with_config("[daemon]\npoll_interval = \"1h\"\n");
    world.apex(["daemon", "start"]).expect(0);
    world.ended(world.add("echo; exit 3"));
    eventually("the last client is gone", || world.connections() == 0);
    // The test's own clock, here and below: there is no event when nothing happens.
    std::thread::park_timeout(Duration::from_millis(500));
    let before = Threads::of(&world);
    std::thread::park_timeout(Duration::from_secs(2));
    let switches = Threads::of(&world).since(&before);
    // Threads that had something to do before may end meanwhile.
    assert!(switches.values().sum::<u64>() <= 20, "somebody woke up: {switches:?}");
}
