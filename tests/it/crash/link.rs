//! The link is cut in the middle of a word, over and over: half a frame, an order under way, a confirmation that is never
//! taken in, a place that is just being handed over. Nothing is started twice, and nothing is forgotten.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::storm::apexd_of;
use crate::storm::oracle::{self, Ledger};
use crate::storm::probe::{self, Fate, Probe};
use crate::support::{PATIENCE, World, long};

/// Where apexd dies, each time it has come there so often: late enough to have come to serving, and to have got something
/// done.
const CUTS: [(&str, u32); 8] = [
    ("apexd.link.half_written", 17),
    ("apexd.link.written", 16),
    ("apexd.spawn.ordered", 5),
    ("apexd.spawn.told", 5),
    ("apexd.exit.told", 5),
    ("apexd.forget.ordered", 6),
    ("apexd.replace.ordered", 1),
    ("apexd.link.closed", 1),
];

/// So often is each link cut.
const ROUNDS: usize = 4;

/// Cuts the links of a world so often, while tasks are tried again all the time, and returns what is wrong afterwards.
fn cut(point: &str, hit: u32, rounds: usize) -> Vec<String> {
    let mut world = World::with_config("[daemon]\nmax_concurrent = 4\n");
    probe::install(&world.root());
    world.set_variable("APEX_FAULT_CRASH", &format!("{point}:{hit}"));
    let mut ledger = Ledger { limits: (4, 4), ..Ledger::default() };
    world.apex(["daemon", "start"]).expect(0);
    for number in 0..4 {
        let probe =
            Probe { lines: 1, retries: 1_000_000, fate: Fate::Cancelled, ..Probe::new(format!("p{number}"), 3) };
        let probe = probe.flags(&["--retries", "1000000", "--retry-delay", "10ms", "--retry-backoff", "fixed"]);
        let id = world.apex(probe.add()).expect(0).stdout.trim().parse().unwrap();
        ledger.acknowledged.insert(id, probe.name.clone());
        ledger.interfered.insert(id);
        ledger.probes.insert(probe.name.clone(), probe);
    }
    let guardian = world.guardian_pid();
    let (mut seen, mut last) = (BTreeSet::new(), Instant::now());
    while seen.len() <= rounds {
        if apexd_of(guardian).is_some_and(|pid| seen.insert(pid)) {
            last = Instant::now();
        }
        if hit == 1 {
            world.apex(["daemon", "restart"]);
        } else {
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
        assert!(last.elapsed() < PATIENCE, "apexd did not die at {point}: {}", world.log());
    }
    for id in ledger.acknowledged.keys() {
        world.apex(["task", "cancel", &id.to_string()]);
    }
    let mut wrong = oracle::check(&world, &ledger);
    if !wrong.is_empty() {
        wrong.push(world.log());
    }
    wrong
}

/// The long form, `APEX_LONG=320`, is ten thousand rounds.
#[test]
fn cutting_the_link_over_and_over_starts_nothing_twice() {
    let (began, rounds) = (Instant::now(), ROUNDS * long() as usize);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let worlds = CUTS.map(|(point, hit)| scope.spawn(move || cut(point, hit, rounds)));
        worlds.into_iter().flat_map(|world| world.join().unwrap_or_else(|_| vec!["a panic".to_owned()])).collect()
    });
    eprintln!("{} cuts in {:?}: {} wrong", CUTS.len() * rounds, began.elapsed(), wrong.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
