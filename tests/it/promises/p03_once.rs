//! Nothing runs twice: what was started and not yet recorded when apexd died is taken over, not started again.

use crate::storm::oracle::{self, Ledger};
use crate::storm::probe::{self, Probe, effects};
use crate::support::{World, eventually};

#[test]
fn what_was_started_and_not_recorded_is_not_started_again() {
    let mut world = World::with_config("[daemon]\nmax_concurrent = 2\n");
    probe::install(&world.root());
    world.set_variable("APEX_FAULT_CRASH", "apexd.spawn.told");
    world.set_variable("APEX_FAULT_ONCE", &world.path("killed").to_string_lossy());
    let mut ledger = Ledger { limits: (2, 2), ..Ledger::default() };
    for probe in [Probe { gate: true, ..Probe::new("first", 3) }, Probe { gate: true, ..Probe::new("second", 0) }] {
        let id = world.apex(probe.add()).expect(0).stdout.trim().parse().unwrap();
        ledger.acknowledged.insert(id, probe.name.clone());
        ledger.probes.insert(probe.name.clone(), probe);
    }
    eventually("apexd dies before it has recorded the start", || world.path("killed").exists());
    for id in ledger.acknowledged.keys() {
        world.until_state(*id, "running");
    }
    let _gate = probe::open_gate(&world.root());
    let wrong = oracle::check(&world, &ledger);
    assert!(wrong.is_empty(), "{wrong:#?}\n{:#?}", effects(&world.root()));
}
