//! Starts that take for ever to prepare, as on the disk of a machine that does not answer: nobody waits for them.

use super::*;
use crate::engine::core::{Answer, Core, Effect, Event, Now, Ticket};
use crate::engine::job::{Done, Job, Move};
use crate::engine::spawn::NotStartable;
use crate::store::memory::Memory;
use crate::store::task::{Add, Claim, Unclaim};

const NOW: Now = Now { wall: Timestamp(1_000_000), moment: Moment(1_000) };

/// A core with room for two, and two tasks whose starts are being prepared.
async fn preparing_two() -> (Memory, Core, Vec<AssignmentId>) {
    let store = Memory::new();
    for n in 1..=2 {
        let spec = TaskSpec::command(vec!["make".into()], "/mnt/gone".into());
        let uuid = TaskUuid(Uuid::from_u128(n));
        let task = NewTask { uuid, spec, env: Environment::default(), hold: false, parent: None };
        store.add(Add { task, by: Actor::Cli(1), now: NOW.wall, untrusted: false }).await.unwrap();
    }
    let settings = Settings {
        max_concurrent: 2,
        poll_interval: Duration::from_secs(5),
        grace: Duration::from_secs(30),
        kill_grace: Duration::from_secs(5),
        leftovers: Leftovers::Kill,
        keep_for: None,
        pools: Arc::default(),
        reserve_after: Duration::from_secs(30),
        windows: crate::domain::window::Windows::none(),
    };
    let mut core = Core::new(guardian(1).id, guardian(1).boot, settings, true);
    core.open(NOW);
    let effects = core.step(NOW, Event::TimeHasCome);
    let is_claim = |job: &Job| matches!(job, Job::Move(Move::Claim { .. }));
    let claim = jobs(effects).into_iter().find(is_claim);
    let Some(Job::Move(Move::Claim { room, after, shut, owner, boot, now, lease_until, terms })) = claim else {
        panic!("nothing is claimed")
    };
    let assignments = (0..room).map(|_| AssignmentId(Uuid::now_v7())).collect();
    let claim = Claim { owner, boot, assignments, after, shut, now, lease_until, terms };
    let claimed = store.claim(claim).await.unwrap();
    let ids = claimed.iter().map(|claimed| claimed.attempt.assignment).collect();
    let effects = core.step(NOW, Event::Done(Done::Claimed { claimed: Ok(claimed), asked: room }));
    let prepared = jobs(effects).into_iter().filter(|job| matches!(job, Job::Prepare(_))).count();
    assert_eq!(prepared, 2);
    (store, core, ids)
}

fn jobs(effects: Vec<Effect>) -> Vec<Job> {
    let job = |effect| if let Effect::Job(job) = effect { Some(job) } else { None };
    effects.into_iter().filter_map(job).collect()
}

fn given_back(effects: &[Effect]) -> Vec<AssignmentId> {
    let unclaimed = |effect: &Effect| match effect {
        Effect::Job(Job::Move(Move::Unclaim(Unclaim { assignment, .. }))) => Some(*assignment),
        _ => None,
    };
    effects.iter().filter_map(unclaimed).collect()
}

#[tokio::test]
async fn a_drain_gives_them_back_and_ends() {
    let (_store, mut core, ids) = preparing_two().await;
    let effects = core.step(NOW, Event::Drain { grace: None, received: "SIGTERM" });
    let mut back = given_back(&effects);
    back.sort_unstable();
    assert_eq!(back, ids);
    assert_eq!(core.ended(), Some(Ended::Drained));
}

#[tokio::test]
async fn a_cancel_ends_one_and_the_other_goes_on() {
    let (store, mut core, ids) = preparing_two().await;
    let effects = core.step(NOW, Event::Stop { assignment: ids[0], asker: Ticket(7) });
    assert_eq!(given_back(&effects), [ids[0]]);
    let told = effects.iter().any(|effect| matches!(effect, Effect::Reply(Ticket(7), Answer::Done)));
    let abandoned = effects.iter().any(|effect| matches!(effect, Effect::Abandon(one) if *one == ids[0]));
    assert!(told && abandoned, "{effects:?}");
    assert_eq!(core.pulse().active, 1);
    let late = NotStartable::Refused { reason: "too late".to_owned() };
    let effects = core.step(NOW, Event::Done(Done::Prepared { assignment: ids[0], order: Err(late) }));
    assert!(effects.is_empty(), "what comes late changes nothing: {effects:?}");
    drop(store);
}

#[tokio::test]
async fn one_that_was_cancelled_while_it_was_claimed_is_not_started() {
    let (_store, mut core, ids) = preparing_two().await;
    for assignment in ids {
        core.step(NOW, Event::Stop { assignment, asker: Ticket(1) });
    }
    assert_eq!(core.pulse().active, 0, "both slots are free");
}

#[tokio::test(start_paused = true)]
async fn tries_to_settle_do_not_multiply_while_the_store_fails() {
    let stage = Stage::new(1).await;
    stage.store.full_for(&[troubled::Verb::Settle]);
    for _ in 0..20 {
        stage.handle.release(Vec::new(), Actor::Cli(1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.store.settles.store(0, std::sync::atomic::Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let settles = stage.store.settles.load(std::sync::atomic::Ordering::Relaxed);
    assert!((10..=25).contains(&settles), "{settles} tries in ten seconds; one every 500 ms is asked for");
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_several_reaches_those_that_run_before_the_one_that_starts() {
    let mut stage = Stage::new(2).await;
    let (first, second) = (stage.add().await, stage.add().await);
    let running = stage.spawn_order().await;
    let starting = stage.spawn_order().await;
    stage.started(running.assignment).await;
    stage.until(first, State::Running).await;
    let began = moment();
    let handle = stage.handle.clone();
    let pause = tokio::spawn(async move { handle.pause(vec![second, first], Actor::Cli(1)).await.unwrap() });
    assert_eq!(stage.answer_signal(0).await, 19);
    assert_eq!(stage.answer_signal(0).await, 0);
    assert_eq!(moment(), began, "nothing was waited for");
    stage.started(starting.assignment).await;
    assert_eq!(stage.answer_signal(0).await, 19);
    assert_eq!(stage.answer_signal(0).await, 0);
    assert!(pause.await.unwrap().into_iter().all(|(_, answer)| answer.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_one_that_does_not_come_to_start_says_so() {
    let mut stage = Stage::new(1).await;
    let id = stage.add().await;
    stage.spawn_order().await;
    let answer = stage.handle.pause(vec![id], Actor::Cli(1)).await.unwrap().remove(0).1.unwrap_err();
    assert_eq!(answer.to_string(), "cannot pause task `1`: it is just being started, not running");
}
