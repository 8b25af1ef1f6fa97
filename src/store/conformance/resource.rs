//! The promises about resources and weights.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::TaskId;
use crate::domain::resource::{Amount, Capacity, Needs, Pool, Pools};
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::conformance::world::{BY, World};
use crate::store::queue::{PauseQueues, SetQueue, SteerQueues, WeighQueue};
use crate::store::task::{Claim, Claimed, Move, Place, Steer, TaskFilter, Terms};

/// Two pieces of one resource, ten bytes of another, one licence.
pub(crate) fn pools() -> Arc<Pools> {
    let pool = |name: &str, capacity| (name.to_owned(), Pool::new(capacity));
    Arc::new(Pools(BTreeMap::from([
        pool("gpu", Capacity::Indices([0, 1].into())),
        pool("mem", Capacity::Amount(Amount::Bytes(10))),
        pool("licence", Capacity::Amount(Amount::Count(1))),
    ])))
}

fn with(claim: Claim, terms: Terms) -> Claim {
    Claim { terms, ..claim }
}

fn terms() -> Terms {
    Terms { slots: 100, pools: pools(), reserve_after: Duration::from_secs(30), ..Terms::default() }
}

async fn add(world: &World, needs: &str) -> TaskId {
    world.add(|task| task.spec.needs = Needs::parse(needs).unwrap()).await.id
}

async fn claim(world: &World, most: usize) -> Vec<Claimed> {
    world.store.claim(with(world.claim_of(most), terms())).await.unwrap()
}

async fn claim_at(world: &World, most: usize, now: Timestamp) -> Vec<u64> {
    let claim = Claim { now, ..with(world.claim_of(most), terms()) };
    world.store.claim(claim).await.unwrap().iter().map(|claimed| claimed.task.id.get()).collect()
}

fn ids(claimed: &[Claimed]) -> Vec<u64> {
    claimed.iter().map(|claimed| claimed.task.id.get()).collect()
}

pub(crate) async fn a_task_is_granted_what_it_needs_until_it_has_ended(world: &World) {
    for needs in ["gpu=1,mem=6B", "gpu=1", "gpu=1", "mem=5B", ""] {
        add(world, needs).await;
    }
    let claimed = claim(world, 9).await;
    assert_eq!(ids(&claimed), [1, 2, 5], "what does not fit is passed");
    let granted: Vec<String> = claimed.iter().map(|claimed| claimed.attempt.granted.to_string()).collect();
    assert_eq!(granted, ["gpu=#0,mem=6B", "gpu=#1", ""]);
    let stored = world.task(claimed[0].task.id).await.attempts.remove(0);
    assert_eq!(stored.granted, claimed[0].attempt.granted);
    let holdings = world.store.holdings().await.unwrap();
    assert_eq!(holdings.held.iter().map(|(id, ..)| id.get()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(holdings.short.keys().map(|id| id.get()).collect::<Vec<_>>(), [3, 4]);

    world.finish(claimed[0].attempt.assignment, world.code(0)).await;
    let claimed = claim(world, 9).await;
    assert_eq!(ids(&claimed), [3, 4]);
    assert_eq!(claimed[0].attempt.granted.to_string(), "gpu=#0");
    let holdings = world.store.holdings().await.unwrap();
    assert!(holdings.short.is_empty() && holdings.held.len() == 3, "{holdings:?}");
}

pub(crate) async fn what_is_given_back_or_not_there_is_granted_to_nobody(world: &World) {
    let (one, never) = (add(world, "gpu=2").await, add(world, "gpu=3").await);
    let claimed = claim(world, 9).await;
    assert_eq!(ids(&claimed), [one.get()]);
    world.store.unclaim(world.unclaim(claimed[0].attempt.assignment)).await.unwrap();
    assert_eq!(ids(&claim(world, 9).await), [one.get()]);
    add(world, "tpu=1").await;
    assert_eq!(claim(world, 9).await, []);
    let short = world.store.holdings().await.unwrap().short;
    assert!(!short.contains_key(&never), "it does not wait for what there will never be");
    // Without any resources nobody is claimed who needs some.
    add(world, "gpu=1").await;
    let other = add(world, "").await;
    assert_eq!(ids(&world.claim(9).await), [other.get()]);
}

pub(crate) async fn a_big_task_reserves_when_it_has_waited(world: &World) {
    let small = add(world, "gpu=1").await;
    let big = add(world, "gpu=2").await;
    let now = world.now();
    let at = |ms: i64| Timestamp(now.0 + ms);
    assert_eq!(claim_at(world, 9, at(0)).await, [small.get()]);
    let passing = add(world, "gpu=1").await;
    assert_eq!(claim_at(world, 9, at(29_000)).await, [passing.get()]);
    let (late, free) = (add(world, "gpu=1").await, add(world, "mem=1B").await);
    world.finish(world.task(passing).await.attempts[0].assignment, world.code(0)).await;
    assert_eq!(claim_at(world, 9, at(31_000)).await, [free.get()], "a gpu is free, and kept");
    assert_eq!(world.store.holdings().await.unwrap().short[&big], at(0));
    world.finish(world.task(small).await.attempts[0].assignment, world.code(0)).await;
    assert_eq!(claim_at(world, 9, at(32_000)).await, [big.get()]);
    assert_eq!(world.task(late).await.state, State::Queued);
}

pub(crate) async fn a_clock_that_is_set_back_starves_nobody(world: &World) {
    let (small, big) = (add(world, "gpu=1").await, add(world, "gpu=2").await);
    let now = world.now();
    let at = |ms: i64| Timestamp(now.0 - 3_600_000 + ms);
    assert_eq!(claim_at(world, 9, now).await, [small.get()]);
    let (holder, added) = (add(world, "licence=1").await, add(world, "licence=1").await);
    let waits = BTreeMap::from([(big, at(0)), (added, at(0))]);
    assert_eq!(claim_at(world, 9, at(0)).await, [holder.get()]);
    assert_eq!(world.store.holdings().await.unwrap().short, waits, "from then on");
    let passing = add(world, "gpu=1").await;
    assert_eq!(claim_at(world, 9, at(29_000)).await, [passing.get()]);
    assert_eq!(world.store.holdings().await.unwrap().short, waits, "not anew with each claim");
    let (late, free) = (add(world, "gpu=1").await, add(world, "mem=1B").await);
    world.finish(world.task(passing).await.attempts[0].assignment, world.code(0)).await;
    assert_eq!(claim_at(world, 9, at(31_000)).await, [free.get()], "a gpu is free, and kept");
    world.finish(world.task(small).await.attempts[0].assignment, world.code(0)).await;
    assert_eq!(claim_at(world, 9, at(32_000)).await, [big.get()]);
    assert_eq!(world.task(late).await.state, State::Queued);
}

pub(crate) async fn whoever_is_kept_back_meanwhile_begins_to_wait_anew(world: &World) {
    let small = add(world, "gpu=1").await;
    let big = add(world, "gpu=2").await;
    assert_eq!(ids(&claim(world, 9).await), [small.get()]);
    let since = async || world.store.holdings().await.unwrap().short.get(&big).copied();
    let first = since().await.unwrap();
    let steer = || Steer { ids: vec![big], only: None, by: BY, now: world.now() };
    world.store.hold(steer()).await.unwrap();
    assert_eq!(since().await, None);
    world.store.release(steer()).await.unwrap();
    assert_eq!(since().await, None, "it has not been looked at since");
    claim(world, 9).await;
    let second = since().await.unwrap();
    assert!(second > first);
    let (names, by, now) = (vec!["default".to_owned()], BY, world.now());
    let pause = PauseQueues { names: names.clone(), reason: None, until: None, by: by.clone(), now };
    world.store.pause_queues(pause).await.unwrap();
    world.store.resume_queues(SteerQueues { names, by, now }).await.unwrap();
    assert_eq!(since().await, None);
}

pub(crate) async fn what_is_lent_does_not_count(world: &World) {
    let (lender, other) = (add(world, "gpu=2").await, add(world, "gpu=1").await);
    let claimed = claim(world, 9).await;
    assert_eq!(ids(&claimed), [lender.get()]);
    let lent = Arc::new(HashSet::from([claimed[0].attempt.assignment]));
    let claim = with(world.claim_of(9), Terms { lent, ..terms() });
    let claimed = world.store.claim(claim).await.unwrap();
    assert_eq!(ids(&claimed), [other.get()]);
    assert_eq!((claimed[0].attempt.slot, claimed[0].attempt.granted.to_string()), (0, "gpu=#0".to_owned()));
}

pub(crate) async fn needs_are_found_in_lists_and_moved_like_others(world: &World) {
    let ids = [add(world, "gpu=2").await, add(world, "").await, add(world, "gpu=1").await];
    let next = TaskFilter { states: vec![State::Queued], next_first: true, limit: Some(2), ..Default::default() };
    for queue in [None, Some("default".to_owned())] {
        let page = world.store.tasks(TaskFilter { queue, ..next.clone() }).await.unwrap();
        assert_eq!((page.tasks.len(), page.cut), (2, true));
        assert_eq!(page.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), ids[..2]);
    }
    let wish = Move { id: ids[1], to: Place::Top, by: BY, now: world.now() };
    let moved = world.store.move_task(wish).await.unwrap().unwrap();
    assert!(moved.position < world.task(ids[0]).await.position);
}

pub(crate) async fn weights_are_set_by_people_and_by_the_configuration(world: &World) {
    let set = SetQueue { name: "gpu".to_owned(), slots: 0, by: BY, now: world.now() };
    world.store.add_queue(set).await.unwrap();
    let weigh = |name: &str, weight| WeighQueue { name: name.to_owned(), weight, by: BY, now: world.now() };
    assert!(matches!(world.store.weigh_queue(weigh("nope", Some(2))).await, Err(Error::NoSuchQueue(_))));
    assert_eq!(world.store.weigh_queue(weigh("gpu", Some(2))).await.unwrap().weight, Some(2));
    let changes = world.changes().await.len();
    world.store.weigh_queue(weigh("gpu", Some(2))).await.unwrap();
    assert_eq!(world.changes().await.len(), changes, "nothing has changed");
    for _ in 0..6 {
        world.queued_task().await;
        world.add(|task| task.spec.queue = "gpu".to_owned()).await;
    }
    let claimed = claim(world, 6).await;
    let of_gpu = claimed.iter().filter(|claimed| claimed.task.spec.queue == "gpu").count();
    assert_eq!((of_gpu, claimed.len()), (4, 6), "twice as many");

    let weight = async |name: &str| {
        let queues = world.store.queues().await.unwrap();
        queues.into_iter().find(|queue| queue.name == name).and_then(|queue| queue.weight)
    };
    let configure = async |weights: &[(&str, u32)]| {
        let weights = weights.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        world.store.configure_weights(weights, world.now()).await.unwrap();
    };
    configure(&[("gpu", 5), ("new", 7)]).await;
    assert_eq!((weight("gpu").await, weight("new").await), (Some(5), Some(7)));
    world.store.weigh_queue(weigh("gpu", None)).await.unwrap();
    configure(&[("gpu", 5), ("new", 7)]).await;
    assert_eq!(weight("gpu").await, None, "what people set holds until it says something else");
    configure(&[]).await;
    assert_eq!((weight("gpu").await, weight("new").await), (None, None));
}
