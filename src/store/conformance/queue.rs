//! The promises about queues.

use std::collections::BTreeMap;

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::queue::{Queue, QueuePause};
use crate::domain::task::{NewTask, State};
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::conformance::world::{BY, World};
use crate::store::queue::{PauseQueues, QueueRefused, SetQueue, SteerQueues};
use crate::store::task::Claim;

fn set(world: &World, name: &str, slots: u32) -> SetQueue {
    SetQueue { name: name.to_owned(), slots, by: BY, now: world.now() }
}

fn names(world: &World, names: &[&str]) -> SteerQueues {
    SteerQueues { names: names.iter().map(|name| (*name).to_owned()).collect(), by: BY, now: world.now() }
}

fn in_queue(name: &str) -> impl FnOnce(&mut NewTask) {
    let name = name.to_owned();
    move |task| task.spec.queue = name
}

async fn pause(world: &World, name: &str, until: Option<i64>) {
    let SteerQueues { names, by, now } = names(world, &[name]);
    let until = until.map(Timestamp);
    let answers = world.store.pause_queues(PauseQueues { names, reason: Some("why".into()), until, by, now }).await;
    assert!(answers.unwrap().iter().all(|(_, answer)| answer.is_ok()));
}

async fn queue(world: &World, name: &str) -> Option<Queue> {
    world.store.queues().await.unwrap().into_iter().find(|queue| queue.name == name)
}

pub(crate) async fn queues_are_made_changed_and_listed_by_name(world: &World) {
    let default = Queue { name: "default".to_owned(), ..Queue::default() };
    assert_eq!(world.store.queues().await.unwrap(), std::slice::from_ref(&default));
    let gpu = world.store.add_queue(set(world, "gpu", 2)).await.unwrap();
    assert_eq!(gpu, Queue { name: "gpu".to_owned(), slots: 2, ..Queue::default() });
    assert!(
        matches!(world.store.add_queue(set(world, "gpu", 1)).await, Err(Error::QueueExists(name)) if name == "gpu")
    );
    assert_eq!(world.store.set_queue(set(world, "gpu", 5)).await.unwrap().slots, 5);
    assert_eq!(world.store.set_queue(set(world, "gpu", 5)).await.unwrap().slots, 5);
    assert!(
        matches!(world.store.set_queue(set(world, "tpu", 5)).await, Err(Error::NoSuchQueue(name)) if name == "tpu")
    );
    let cpu = world.store.add_queue(set(world, "cpu", 0)).await.unwrap();
    let gpu = Queue { slots: 5, ..gpu };
    assert_eq!(world.store.queues().await.unwrap(), [cpu, default, gpu]);
    let told: Vec<_> =
        world.changes().await.into_iter().map(|c| (c.kind, c.queue, c.task, c.to, c.by, c.reason)).collect();
    let gpu = Some("gpu".to_owned());
    assert_eq!(
        told,
        [
            (ChangeKind::QueueAdded, gpu.clone(), None, None, BY, None),
            (ChangeKind::QueueChanged, gpu, None, None, BY, Some("5 slots".to_owned())),
            (ChangeKind::QueueAdded, Some("cpu".to_owned()), None, None, BY, None),
        ]
    );
}

pub(crate) async fn a_queue_never_has_more_than_its_slots(world: &World) {
    world.store.add_queue(set(world, "gpu", 2)).await.unwrap();
    for _ in 0..3 {
        world.add(in_queue("gpu")).await;
        world.queued_task().await;
    }
    let claims = world.claim(9).await;
    let of_gpu: Vec<_> = claims.iter().filter(|claimed| claimed.task.spec.queue == "gpu").collect();
    assert_eq!((claims.len(), of_gpu.len()), (5, 2), "what is full does not hold up the others");
    assert_eq!(of_gpu.iter().map(|claimed| claimed.attempt.slot).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(world.claim(9).await, []);
    let counted = queue(world, "gpu").await.unwrap();
    assert_eq!((counted.active, counted.queued, counted.waiting), (2, 1, 0));
    let ended = of_gpu[0].attempt.assignment;
    world.finish(ended, world.code(0)).await;
    assert_eq!(world.claimed().await.attempt.slot, 0);
    world.store.set_queue(set(world, "gpu", 1)).await.unwrap();
    world.add(in_queue("gpu")).await;
    assert_eq!(world.claim(9).await, [], "fewer slots than run leave none");
}

pub(crate) async fn a_claim_goes_over_all_queues_in_one_order(world: &World) {
    world.store.add_queue(set(world, "gpu", 0)).await.unwrap();
    for (name, priority) in [("default", 0), ("gpu", 5), ("gpu", 0), ("default", 5)] {
        let add = |task: &mut NewTask| {
            task.spec.queue = name.to_owned();
            task.spec.priority = priority;
        };
        world.add(add).await;
    }
    let claims = world.claim(3).await;
    let told: Vec<_> = claims.iter().map(|claim| (claim.task.id.get(), claim.attempt.slot)).collect();
    assert_eq!(told, [(2, 0), (4, 0), (1, 1)], "slots are counted in each queue");
}

pub(crate) async fn nothing_of_a_paused_queue_is_claimed(world: &World) {
    let id = world.queued_task().await;
    pause(world, "default", None).await;
    assert_eq!(world.claim(9).await, []);
    assert_eq!(world.state(id).await, State::Queued);
    let paused = queue(world, "default").await.unwrap().pause.unwrap();
    assert_eq!((paused.reason.as_deref(), paused.until), (Some("why"), None));
    pause(world, "default", Some(i64::MAX)).await;
    let again = queue(world, "default").await.unwrap().pause.unwrap();
    assert_eq!(again, QueuePause { until: Some(Timestamp(i64::MAX)), ..paused }, "since the same time");
    let answers = world.store.resume_queues(names(world, &["default", "tpu", "default"])).await.unwrap();
    let refused = answers.iter().map(|(_, answer)| answer.clone()).collect::<Vec<_>>();
    assert_eq!(refused, [Ok(()), Err(QueueRefused::NotFound), Ok(())]);
    assert_eq!(queue(world, "default").await.unwrap().pause, None);
    assert_eq!(world.claim(9).await.len(), 1);
    let kinds: Vec<_> = world.changes().await.iter().filter(|c| c.queue.is_some()).map(|c| c.kind).collect();
    assert_eq!(kinds, [ChangeKind::QueuePaused, ChangeKind::QueuePaused, ChangeKind::QueueResumed]);
}

pub(crate) async fn nothing_is_claimed_of_queues_that_the_claim_leaves_out(world: &World) {
    world.store.add_queue(set(world, "gpu", 0)).await.unwrap();
    let (default, gpu) = (world.queued_task().await, world.add(in_queue("gpu")).await.id);
    let claim = async |shut: &[&str]| {
        let shut = shut.iter().map(|name| (*name).to_owned()).collect();
        let claimed = world.store.claim(Claim { shut, ..world.claim_of(9) }).await.unwrap();
        claimed.into_iter().map(|claimed| claimed.task.id).collect::<Vec<_>>()
    };
    assert_eq!(claim(&["gpu", "default", "nowhere"]).await, []);
    assert_eq!(claim(&["gpu"]).await, [default]);
    assert_eq!(claim(&["default"]).await, [gpu]);
}

pub(crate) async fn a_pause_ends_by_itself(world: &World) {
    pause(world, "default", Some(i64::MAX - 3)).await;
    let early = world.store.due(Timestamp(i64::MAX - 4)).await.unwrap();
    assert_eq!((early.woken, early.next), (0, Some(Timestamp(i64::MAX - 3))));
    let over = world.store.due(Timestamp(i64::MAX - 3)).await.unwrap();
    assert_eq!((over.woken, over.next), (1, None));
    assert_eq!(queue(world, "default").await.unwrap().pause, None);
    assert_eq!(
        world.changes().await.pop().map(|change| (change.kind, change.by)),
        Some((ChangeKind::QueueResumed, Actor::Daemon))
    );
}

pub(crate) async fn a_queue_is_removed_when_nothing_of_it_is_left_to_run(world: &World) {
    world.store.add_queue(set(world, "gpu", 1)).await.unwrap();
    let id = world.add(in_queue("gpu")).await.id;
    let remove = async |name: &str| world.store.remove_queues(names(world, &[name])).await.unwrap().remove(0).1;
    assert_eq!(remove("gpu").await, Err(QueueRefused::InUse(1)));
    assert_eq!(remove("tpu").await, Err(QueueRefused::NotFound));
    assert_eq!(remove("default").await, Err(QueueRefused::Default));
    world.run(1).await;
    assert_eq!(remove("gpu").await, Ok(()));
    assert_eq!(queue(world, "gpu").await, None);
    assert_eq!(world.task(id).await.spec.queue, "gpu", "what has ended keeps the name");
    let mut task = world.new_task();
    in_queue("gpu")(&mut task);
    let add = crate::store::task::Add { task, by: BY, now: world.now(), untrusted: false };
    assert!(matches!(world.store.add(add).await, Err(Error::NoSuchQueue(_))));
    world.retry(&[id]).await;
    assert_eq!(
        queue(world, "gpu").await.map(|queue| (queue.slots, queue.queued)),
        Some((1, 1)),
        "it is needed again, with its limit"
    );
    world.run(0).await;
    remove("gpu").await.unwrap();
    let anew = world.store.add_queue(set(world, "gpu", 3)).await.unwrap();
    assert_eq!((anew.slots, anew.queued), (3, 0));
}

pub(crate) async fn the_last_to_speak_decides_how_many_slots_there_are(world: &World) {
    let configure = async |pairs: &[(&str, u32)]| {
        let slots: BTreeMap<String, u32> = pairs.iter().map(|(name, slots)| ((*name).to_owned(), *slots)).collect();
        world.store.configure_queues(slots, world.now()).await.unwrap();
    };
    let slots = async |name| queue(world, name).await.map(|queue| queue.slots);
    configure(&[("gpu", 2), ("default", 4)]).await;
    assert_eq!((slots("gpu").await, slots("default").await), (Some(2), Some(4)));
    world.store.set_queue(set(world, "gpu", 7)).await.unwrap();
    configure(&[("gpu", 2), ("default", 4)]).await;
    assert_eq!(slots("gpu").await, Some(7), "the configuration says nothing new");
    configure(&[("gpu", 3), ("default", 4)]).await;
    assert_eq!((slots("gpu").await, slots("default").await), (Some(3), Some(4)));
    assert_eq!(world.changes().await.len(), 4, "added, changed, set, changed");
}

pub(crate) async fn tasks_are_counted_by_queue_and_state(world: &World) {
    world.store.add_queue(set(world, "gpu", 0)).await.unwrap();
    world.add(in_queue("gpu")).await;
    world.add(in_queue("gpu")).await;
    world.run(1).await;
    world.add(|task| task.hold = true).await;
    let of = |queue: &str, state, n| (queue.to_owned(), state, n);
    let mut expected = [of("default", State::Held, 1), of("gpu", State::Failed, 1), of("gpu", State::Queued, 1)];
    expected.sort_unstable();
    assert_eq!(world.store.queue_counts().await.unwrap(), expected);
}

/// A pseudo-random number generator for stories that are the same every time.
///
/// Source: the constants are those of PCG's multiplier and increment (O'Neill 2014); the high bits are used.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

pub(crate) async fn two_queues_share_the_limit_and_no_slot_is_idle(world: &World) {
    const LIMIT: usize = 3;
    const TASKS: usize = 500;
    let slots = |queue: &str| if queue == "one" { 1 } else { 3 };
    for name in ["one", "three"] {
        world.store.add_queue(set(world, name, slots(name))).await.unwrap();
    }
    let mut dice = Dice(42);
    let (mut added, mut ended) = (0, 0);
    // The model: what is ready, and what runs, by brute force.
    let mut ready: Vec<(std::cmp::Reverse<i32>, u64, &str)> = Vec::new();
    let mut running: Vec<(crate::domain::id::AssignmentId, &str)> = Vec::new();
    while ended < TASKS {
        if added < TASKS && dice.roll(2) == 0 {
            let queue = ["one", "three"][dice.roll(2)];
            let priority = i32::try_from(dice.roll(3)).unwrap();
            let add = |task: &mut NewTask| {
                task.spec.queue = queue.to_owned();
                task.spec.priority = priority;
            };
            let id = world.add(add).await.id.get();
            ready.push((std::cmp::Reverse(priority), id, queue));
            added += 1;
        } else if !running.is_empty() {
            let (claim, _) = running.remove(dice.roll(running.len()));
            world.finish(claim, world.code(0)).await;
            ended += 1;
        }
        let mut expected = Vec::new();
        ready.sort_unstable();
        let mut used: Vec<&str> = running.iter().map(|(_, queue)| *queue).collect();
        ready.retain(|(_, id, queue)| {
            let taken = used.iter().filter(|other| *other == queue).count();
            let fits = used.len() < LIMIT && taken < usize::try_from(slots(queue)).unwrap();
            if fits {
                used.push(queue);
                expected.push(*id);
            }
            !fits
        });
        let claims = world.claim(LIMIT - running.len()).await;
        assert_eq!(claims.iter().map(|claim| claim.task.id.get()).collect::<Vec<_>>(), expected);
        for claim in claims {
            let queue = if claim.task.spec.queue == "one" { "one" } else { "three" };
            assert!(claim.attempt.slot < slots(queue), "a slot of its queue");
            running.push((claim.attempt.assignment, queue));
        }
        assert!(running.len() <= LIMIT && running.iter().filter(|(_, queue)| *queue == "one").count() <= 1);
    }
    assert_eq!(world.store.counts().await.unwrap().succeeded, TASKS as u64);
}

pub(crate) async fn what_comes_back_from_a_skip_brings_its_queue_back(world: &World) {
    world.store.add_queue(set(world, "gpu", 1)).await.unwrap();
    let cause = world.queued_task().await;
    let in_gpu = |task: &mut NewTask| (task.spec.queue, task.spec.after) = ("gpu".to_owned(), vec![cause]);
    let id = world.add(in_gpu).await.id;
    world.run(1).await;
    assert_eq!(world.state(id).await, State::Skipped);
    world.store.remove_queues(names(world, &["gpu"])).await.unwrap();
    assert_eq!(queue(world, "gpu").await, None);
    world.retry(&[cause]).await;
    world.run(0).await;
    assert_eq!(world.run(0).await.id, id);
    assert_eq!(queue(world, "gpu").await.map(|queue| queue.slots), Some(1), "its limit comes back with it");
}

pub(crate) async fn what_the_configuration_no_longer_names_has_no_limit_of_its_own(world: &World) {
    let configure = async |slots: &[(&str, u32)]| {
        let slots = slots.iter().map(|(name, slots)| ((*name).to_owned(), *slots)).collect();
        world.store.configure_queues(slots, world.now()).await.unwrap();
    };
    let slots = async |name: &str| {
        let queues = world.store.queues().await.unwrap();
        queues.into_iter().find(|queue| queue.name == name).map(|queue| queue.slots)
    };
    configure(&[("default", 2), ("gpu", 1), ("tpu", 3)]).await;
    let set = SetQueue { name: "tpu".to_owned(), slots: 5, by: BY, now: world.now() };
    world.store.set_queue(set).await.unwrap();
    let before = world.changes().await.len();
    configure(&[("gpu", 1)]).await;
    assert_eq!(slots("default").await, Some(0));
    assert_eq!(slots("gpu").await, Some(1));
    assert_eq!(slots("tpu").await, Some(5), "somebody said so since");
    let told = world.changes().await.split_off(before);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].kind, told[0].queue.as_deref()), (ChangeKind::QueueChanged, Some("default")));
    configure(&[]).await;
    assert_eq!(slots("gpu").await, Some(0));
    configure(&[("gpu", 1)]).await;
    assert_eq!(slots("gpu").await, Some(1), "it is named anew");
}

pub(crate) async fn a_queue_that_comes_back_is_told(world: &World) {
    let set = SetQueue { name: "gpu".to_owned(), slots: 2, by: BY, now: world.now() };
    world.store.add_queue(set).await.unwrap();
    let task = world.add(|task| task.spec.queue = "gpu".to_owned()).await.id;
    world.run(1).await;
    let names = vec!["gpu".to_owned()];
    world.store.remove_queues(SteerQueues { names, by: BY, now: world.now() }).await.unwrap();
    let before = world.changes().await.len();
    world.retry(&[task]).await;
    let told = world.changes().await.split_off(before);
    assert_eq!(
        told.iter().map(|change| change.kind).collect::<Vec<_>>(),
        [ChangeKind::Retried, ChangeKind::QueueAdded]
    );
    assert_eq!((told[1].queue.as_deref(), &told[1].by), (Some("gpu"), &BY));
}
