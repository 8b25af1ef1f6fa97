//! The promises about where a task stands, and about what is forgotten when somebody asks for it.

use crate::domain::change::ChangeKind;
use crate::domain::id::TaskId;
use crate::domain::place::of_number;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::store::conformance::world::{BY, World};
use crate::store::task::{Move, NotMoved, Place, Prune};

async fn place(world: &World, id: TaskId, to: Place) -> Result<Task, NotMoved> {
    world.store.move_task(Move { id, to, by: BY, now: world.now() }).await.unwrap()
}

/// Returns the numbers of those that are ready, in the order in which they are claimed.
async fn order(world: &World) -> Vec<u64> {
    let mut tasks = world.store.tasks(Default::default()).await.unwrap().tasks;
    tasks.retain(|task| task.state == State::Queued);
    tasks.sort_by_key(|task| (std::cmp::Reverse(task.spec.priority), task.position, task.id));
    tasks.iter().map(|task| task.id.get()).collect()
}

pub(crate) async fn a_task_is_put_to_the_top_or_before_another_one(world: &World) {
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(world.queued_task().await);
    }
    let moved = place(world, ids[3], Place::Top).await.unwrap();
    assert_eq!((moved.id, moved.state), (ids[3], State::Queued));
    assert_eq!(order(world).await, [4, 1, 2, 3]);
    place(world, ids[2], Place::Before(ids[1])).await.unwrap();
    assert_eq!(order(world).await, [4, 1, 3, 2]);
    place(world, ids[1], Place::Before(ids[3])).await.unwrap();
    assert_eq!(order(world).await, [2, 4, 1, 3]);
    let last = world.changes().await.pop().unwrap();
    assert_eq!((last.kind, last.task, last.from, last.to), (ChangeKind::Moved, Some(ids[1]), last.to, last.from));
    let again = place(world, ids[1], Place::Top).await.unwrap();
    assert_eq!((again, world.changes().await.pop().unwrap()), (world.task(ids[1]).await, last), "it is there");
    let claimed: Vec<u64> = world.claim(4).await.iter().map(|claimed| claimed.task.id.get()).collect();
    assert_eq!(claimed, [2, 4, 1, 3]);
}

pub(crate) async fn what_is_moved_stays_within_its_queue_and_priority(world: &World) {
    let (low, other) = (world.queued_task().await, world.add(|task| task.spec.priority = 5).await.id);
    let late = world.add(|task| task.spec.run_at = Some(Timestamp(i64::MAX))).await.id;
    let last = world.queued_task().await;
    place(world, last, Place::Top).await.unwrap();
    assert_eq!(order(world).await, [other, last, low].map(TaskId::get), "a higher priority goes first all the same");
    place(world, late, Place::Top).await.unwrap();
    let (late, last) = (world.task(late).await, world.task(last).await);
    assert!(late.position < last.position && late.state == State::Scheduled, "what waits for its time, too");
    assert!(matches!(place(world, low, Place::Before(other)).await, Err(NotMoved::Apart(task)) if task.id == other));
    let held = world.add(|task| task.hold = true).await.id;
    place(world, low, Place::Before(held)).await.unwrap();
    assert_eq!(order(world).await, [other, last.id, low].map(TaskId::get));
}

pub(crate) async fn only_what_waits_is_moved(world: &World) {
    let running = world.running_task().await.task.id;
    let waiting = world.queued_task().await;
    let unknown = TaskId::new(99).unwrap();
    assert!(matches!(place(world, running, Place::Top).await, Err(NotMoved::State(task)) if task.id == running));
    let passed = place(world, waiting, Place::Before(running)).await;
    assert!(matches!(passed, Err(NotMoved::Passed(task)) if task.id == running));
    assert_eq!(place(world, unknown, Place::Top).await, Err(NotMoved::NotFound(unknown)));
    assert_eq!(place(world, waiting, Place::Before(unknown)).await, Err(NotMoved::NotFound(unknown)));
    assert_eq!(place(world, waiting, Place::Before(waiting)).await, Err(NotMoved::Itself));
    assert_eq!(world.task(waiting).await.position, of_number(waiting), "nothing has changed");
}

pub(crate) async fn there_is_always_room_between_two_tasks(world: &World) {
    const MANY: u64 = 60;
    for _ in 0..MANY {
        world.queued_task().await;
    }
    let id = |n| TaskId::new(n).unwrap();
    for n in 3..=MANY {
        place(world, id(n), Place::Before(id(2))).await.unwrap();
    }
    let expected: Vec<u64> = [1].into_iter().chain(3..=MANY).chain([2]).collect();
    assert_eq!(order(world).await, expected, "each came after the one before it");
    for n in 3..=MANY {
        place(world, id(n), Place::Top).await.unwrap();
    }
    let expected: Vec<u64> = (3..=MANY).rev().chain([1, 2]).collect();
    assert_eq!(order(world).await, expected);
    for n in 3..=MANY {
        place(world, id(1), Place::Before(id(n))).await.unwrap();
        place(world, id(2), Place::Before(id(n))).await.unwrap();
        let order = order(world).await;
        let at = order.iter().position(|found| *found == n).unwrap();
        assert_eq!(order[at - 2..at], [1, 2], "{order:?}");
    }
}

pub(crate) async fn what_has_ended_is_told_from_the_last_on(world: &World) {
    for exit in [0, 3, 0, 3, 0] {
        world.queued_task().await;
        world.run(exit).await;
    }
    world.queued_task().await;
    let ended = async |prune: Prune, limit| -> Vec<u64> {
        let ended = world.store.ended(prune, limit).await.unwrap();
        ended.into_iter().map(|(_, id)| id.get()).collect()
    };
    assert_eq!(ended(Prune::default(), 9).await, [5, 4, 3, 2, 1]);
    assert_eq!(ended(Prune { keep: 2, ..Prune::default() }, 2).await, [3, 2]);
    assert_eq!(ended(Prune { keep: 9, ..Prune::default() }, 2).await, [0; 0]);
    let failed = || Prune { states: vec![State::Failed], ..Prune::default() };
    assert_eq!(ended(Prune { keep: 1, ..failed() }, 9).await, [2], "the last of these is kept");
    let third = world.task(TaskId::new(3).unwrap()).await;
    let until = Some(third.ended_at.unwrap());
    assert_eq!(ended(Prune { until, ..Prune::default() }, 9).await, [3, 2, 1]);
    assert_eq!(ended(Prune { until, keep: 1, ..Prune::default() }, 9).await, [3, 2, 1], "that one is later");
    let below = Some((third.ended_at.unwrap(), third.id));
    assert_eq!(ended(Prune { below, keep: 1, ..Prune::default() }, 9).await, [2, 1]);
}
