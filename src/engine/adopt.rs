//! How every start begins: what the store remembers as under way is compared with what the guardian holds.

use tracing::{info, warn};

use crate::domain::adoption::{self, Child, Decision, Here, LastWords, UnderWay};
use crate::domain::attempt::{Clock, Event, Machine, Policy};
use crate::domain::id::AssignmentId;
use crate::domain::identity::ProcessIdentity;
use crate::domain::outcome::{ExitStatus, Outcome, StopCause};
use crate::domain::task::State;
use crate::engine::claim::policy;
use crate::engine::run::{Engine, Target};
use crate::engine::supervise::{Supervised, tell_end};
use crate::engine::{Error, jitter};
use crate::link::Order;
use crate::store::task::{Finish, InFlight, Unclaim};

/// Settles the past: what ended is recorded, what never started goes back to the queue, what runs is taken over.
pub(super) async fn settle(engine: &mut Engine, last_words: &[LastWords]) -> Result<(), Error> {
    let in_flight = engine.shared.store.in_flight().await?;
    let guardian = engine.shared.guardian.clone();
    let under_way: Vec<UnderWay> = in_flight
        .iter()
        .map(|entry| UnderWay {
            assignment: entry.attempt.assignment,
            owner: entry.attempt.owner,
            boot: entry.boot,
            identity: entry.attempt.identity,
        })
        .collect();
    let here = Here { guardian: guardian.id, boot: guardian.boot };
    let decisions = adoption::reconcile(here, &under_way, &guardian.children, last_words, engine.shared.world.is_alive);
    let mut entries: std::collections::HashMap<AssignmentId, InFlight> =
        in_flight.into_iter().map(|entry| (entry.attempt.assignment, entry)).collect();
    for decision in decisions {
        match decision {
            Decision::Adopt(child) => {
                if let Some(entry) = entries.remove(&child.assignment) {
                    adopt(engine, entry, child);
                }
            }
            Decision::Ended(child) => {
                if let Some(entry) = entries.remove(&child.assignment) {
                    record_end(engine, &entry, child).await?;
                }
            }
            Decision::NeverStarted(assignment) => {
                if let Some(entry) = entries.remove(&assignment) {
                    info!("Task {} was claimed but not started; it goes back to the queue", entry.task.id);
                }
                let now = (engine.shared.world.now)();
                let reason = "it was claimed but not started when the daemon ended".to_owned();
                engine.shared.store.unclaim(Unclaim { assignment, reason, now }).await?;
            }
            Decision::Watch(assignment, _) => {
                if let Some(entry) = entries.remove(&assignment) {
                    warn!("Task {} runs on without a guardian; how it ends will not be known", entry.task.id);
                    // Nobody can signal it, so there is nothing to be timed.
                    let policy = Policy { timeout: None, ..policy(&engine.shared, &entry.task.spec) };
                    let machine = Machine::running(policy, Clock::default());
                    engine.supervise(Supervised::orphan(entry.task, entry.attempt, machine));
                    engine.wake_at(engine.moment(), Target::Watch(assignment));
                }
            }
            Decision::Lost(assignment, code) => {
                if let Some(entry) = entries.remove(&assignment) {
                    let now = (engine.shared.world.now)();
                    finish(engine, &entry, Outcome::lost(code, now), None).await?;
                }
            }
            Decision::Forget(assignment) => engine.order(Order::Forget { assignment }),
            Decision::Stranger(child) => {
                warn!("The guardian holds a process that no task knows; it is left alone, pid={}", child.pid);
            }
        }
    }
    Ok(())
}

/// Goes on with an attempt whose process the guardian holds.
fn adopt(engine: &mut Engine, entry: InFlight, child: Child) {
    let InFlight { task, attempt, .. } = entry;
    let assignment = child.assignment;
    let mut policy = policy(&engine.shared, &task.spec);
    info!("Taking over task {}, pid={}", task.id, child.pid);
    let cancel = task.cancel_requested_at.filter(|asked| child.exit.is_none_or(|exit| exit.at >= *asked));
    if let Some(asked) = cancel {
        // Its grace began when it was asked.
        policy.grace = policy.grace.saturating_sub((engine.shared.world.now)().since(asked));
    }
    // It was told to stop by an apexd that did not live to record it: what ended by the signal did not fail.
    let is_draining = engine.shared.guardian.stop_requests > 0;
    let is_cut_off = is_draining && child.exit.is_some_and(|exit| is_by_stop(exit.status, policy.signal));
    // The same of its time limit; and what has ended does not reach it by the time that has passed since.
    let is_timed_out = child.exit.zip(policy.timeout).is_some_and(|(exit, limit)| {
        let ran = exit.at.since(child.started_at).saturating_sub(attempt.paused_for);
        ran >= limit && is_by_stop(exit.status, policy.signal)
    });
    policy.timeout = policy.timeout.filter(|_| child.exit.is_none());
    let identity =
        ProcessIdentity { boot: engine.shared.guardian.boot, pid: child.pid, start_ticks: child.start_ticks };
    let started = (engine.shared.world.started)(identity);
    let clock = Clock::of(started, attempt.paused_for, attempt.paused_at, engine.moment());
    let is_paused = attempt.state == State::Paused;
    // A start that was not recorded is recorded now.
    let machine = match attempt.state {
        State::Starting => Machine::starting(policy).with_clock(clock),
        _ => Machine::running(policy, clock),
    };
    engine.supervise(Supervised::new(task, attempt, machine));
    engine.spawned(Child { exit: None, ..child });
    if cancel.is_some() {
        engine.stop_attempt(assignment, StopCause::Cancel);
    } else if is_cut_off {
        engine.stop_attempt(assignment, StopCause::Drain);
    } else if is_timed_out {
        engine.stop_attempt(assignment, StopCause::Timeout);
    }
    match child.exit {
        Some(exit) => engine.feed(assignment, Event::Exited(exit)),
        // The one that stored the pause may not have lived to send the signal.
        None if is_paused => engine.feed(assignment, Event::PauseAsked),
        None => engine.feed(assignment, Event::Tick),
    }
}

/// Lets go what was held because the project came from elsewhere, or holds what waits.
pub(super) async fn accept_or_hold(engine: &Engine, trusted: bool) -> Result<(), Error> {
    let (store, now) = (&engine.shared.store, (engine.shared.world.now)());
    let changed = if trusted { store.trust(now).await? } else { store.distrust(now).await? };
    match (trusted, changed) {
        (true, 0) => {}
        (true, n) => info!("The project was accepted; {n} task(s) go on"),
        (false, _) => warn!("The project came from elsewhere; nothing of it is run until `apex trust`"),
    }
    Ok(())
}

/// Returns whether an end may be the work of apex, which asks by this signal and then kills.
fn is_by_stop(status: ExitStatus, signal: i32) -> bool {
    matches!(status, ExitStatus::Signal(by) if by == signal || by == nix::libc::SIGKILL)
}

/// Records an end that a guardian saw which is itself gone.
async fn record_end(engine: &Engine, entry: &InFlight, child: Child) -> Result<(), Error> {
    let Some(exit) = child.exit else { return Ok(()) };
    let cause = if entry.task.cancel_requested_at.is_some_and(|asked| exit.at >= asked) {
        Some(StopCause::Cancel)
    } else if exit.stopped {
        Some(StopCause::Drain)
    } else {
        None
    };
    let identity = ProcessIdentity { boot: entry.boot, pid: child.pid, start_ticks: child.start_ticks };
    let outcome = Outcome::of_exit(exit.status, cause, exit.usage, exit.at);
    finish(engine, entry, outcome, Some((identity, child.started_at))).await
}

async fn finish(
    engine: &Engine,
    entry: &InFlight,
    outcome: Outcome,
    started: Option<(ProcessIdentity, crate::domain::time::Timestamp)>,
) -> Result<(), Error> {
    let (id, number, split) = (entry.task.id, entry.attempt.number, entry.task.spec.split_output);
    let outputs = engine.shared.outputs.seal(id, number, split)?;
    let now = (engine.shared.world.now)();
    let assignment = entry.attempt.assignment;
    let finish = Finish { assignment, outcome, outputs, started, jitter: jitter(), now };
    let finished = engine.shared.store.finish(finish).await?;
    tell_end(&finished.task);
    Ok(())
}
