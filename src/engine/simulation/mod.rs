//! The whole life of a daemon, played from a seed.
//!
//! The real core and the real machines of the domain decide; the store is the one in memory; the guardian, the processes,
//! the files and the clocks are played. Chance chooses what happens next: who asks for what, which message arrives, how
//! much time passes, what fails, when apexd or the guardian is killed. After every step what must hold is looked at
//! ([`audit`]), and when nothing disturbs any more, everything must come to an end.
//!
//! A seed plays the same again: `APEX_SEED=N cargo test simulation` plays one and tells what happens in it, and
//! `APEX_LONG=N` plays N times as many as usual.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::domain::task::State;

mod apexd;
mod audit;
mod hours;
mod lenders;
mod machine;
mod peace;
mod play;
mod random;
mod user;
mod wrong;

use audit::Verdict;
use play::Play;

/// So many are played each time.
const SEEDS: u64 = 20_000;
/// After so many that found something nobody goes on.
const ENOUGH: usize = 5;

/// A safeguard that is taken out, so that it shows whether it would be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sabotage {
    /// A process is reaped before its end is stored.
    ReapFirst,
    /// The next apexd is not told what runs.
    ForgetfulGuardian,
    /// The next apexd is not told that the daemon drains.
    DrainIsForgotten,
    /// One more runs than is allowed.
    OneTooMany,
    /// What a task leaves behind is not noticed.
    NoLeftovers,
    /// An exit code is recorded as another one.
    WrongExit,
    /// What waits for its time is let go ten seconds early.
    TooEarly,
    /// Claims know nothing of time windows.
    NoWindows,
    /// Whoever has lent something once is never counted again.
    LentForEver,
}

/// What came about, so that it shows what was tried.
#[derive(Debug, Default)]
struct Seen {
    /// Attempts that ended, by how.
    ends: BTreeMap<State, u64>,
    /// Tasks that schedules have added.
    fires: u64,
    /// Waits inside tasks that ended with what was lent.
    back: u64,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        other.ends.into_iter().for_each(|(state, n)| *self.ends.entry(state).or_default() += n);
        (self.fires, self.back) = (self.fires + other.fires, self.back + other.back);
    }
}

/// Plays one seed. Errors: what was wrong.
fn play(seed: u64, sabotage: Option<Sabotage>, tell: bool) -> Result<Seen, String> {
    let mut play = Play::new(seed, sabotage, tell);
    let verdict: Verdict = catch_unwind(AssertUnwindSafe(|| play.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    });
    verdict.map(|()| Seen { back: play.lenders.back(), ends: play.audit.ends, fires: play.audit.fires })
}

/// Timers exist, and never run out: the time that counts is played.
fn with_timers<T>(work: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _entered = runtime.enter();
    work()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_what_must_hold_holds_and_everything_ends() {
    if let Some(seed) = number("APEX_SEED") {
        let seen = with_timers(|| play(seed, None, true)).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        eprintln!("{seen:?}");
        return;
    }
    let seeds = SEEDS * number("APEX_LONG").unwrap_or(1).max(1);
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (wrong, seen) = (Mutex::new(Vec::new()), Mutex::new(Seen::default()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        with_timers(|| {
            while !stop.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return;
                }
                match play(seed, None, false) {
                    Ok(played) => seen.lock().unwrap_or_else(PoisonError::into_inner).add(played),
                    Err(what) => {
                        let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                        wrong.push((seed, what));
                        stop.store(wrong.len() >= ENOUGH, Ordering::Relaxed);
                    }
                }
            }
        });
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    for (seed, what) in &wrong {
        eprintln!("seed {seed}: {what}");
    }
    assert!(wrong.is_empty(), "play it again with APEX_SEED={}", wrong[0].0);
    // What never comes about is not tried.
    let Seen { ends, fires, back } = seen.into_inner().unwrap();
    let all = [State::Succeeded, State::Failed, State::TimedOut, State::Cancelled, State::Interrupted, State::Lost];
    assert!(all.iter().all(|state| ends.get(state).is_some_and(|n| *n > 10)), "{ends:?}");
    assert!(fires > 1_000, "schedules have added {fires} tasks");
    assert!(back > 300, "{back} had back what they lent");
    eprintln!("{ends:?}, {fires} by schedules, {back} had back what they lent");
}

/// Seeds that found something that has been mended since.
#[test]
fn seeds_that_found_something_find_nothing_any_more() {
    const SEEDS: [u64; 4] = [2_905, 13_280, 17_352, 26_900];
    for seed in SEEDS {
        if let Err(wrong) = with_timers(|| play(seed, None, false)) {
            panic!("seed {seed}: {wrong}");
        }
    }
}

#[test]
fn a_missing_safeguard_is_found_soon() {
    let all = [
        Sabotage::ReapFirst,
        Sabotage::ForgetfulGuardian,
        Sabotage::DrainIsForgotten,
        Sabotage::OneTooMany,
        Sabotage::NoLeftovers,
        Sabotage::WrongExit,
        Sabotage::TooEarly,
        Sabotage::NoWindows,
        Sabotage::LentForEver,
    ];
    for sabotage in all {
        let found = with_timers(|| (0..300).find_map(|seed| Some((seed, play(seed, Some(sabotage), false).err()?))));
        let (seed, what) = found.unwrap_or_else(|| panic!("{sabotage:?} is not found"));
        eprintln!("{sabotage:?}: seed {seed}: {what}");
        assert_eq!(with_timers(|| play(seed, None, false)).err(), None, "with everything in place");
    }
}
