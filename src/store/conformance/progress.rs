//! The promises about how far tasks say they are, and what is expected of them.

use std::time::Duration;

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::id::TaskId;
use crate::domain::progress::{InvalidProgress, Told};
use crate::domain::task::RetryPolicy;
use crate::domain::time::Timestamp;
use crate::store::conformance::world::World;
use crate::store::task::{NotTold, Progress, Steer, TaskFilter, Tell, TellProgress};

/// Tells that so much is done of ten.
pub(crate) fn telling(id: TaskId, attempt: Option<u32>, done: u64, at: Timestamp) -> TellProgress {
    let told = Told { done: Some(done), total: Some(10), message: Some(format!("step {done}")), all_done: false };
    TellProgress { tell: Tell { id, attempt, told }, by: Actor::Task(id), at }
}

async fn tell(world: &World, id: TaskId, attempt: Option<u32>, done: u64) -> Result<Progress, NotTold> {
    world.store.tell_progress(telling(id, attempt, done, world.now())).await.unwrap()
}

pub(crate) async fn what_a_task_says_is_kept_and_told(world: &World) {
    let id = world.running_task().await.task.id;
    let first = tell(world, id, Some(1), 4).await.unwrap();
    assert_eq!(
        (first.attempt, first.done, first.total, first.message.as_deref()),
        (1, Some(4), Some(10), Some("step 4"))
    );
    let only_message = Told { message: Some("\u{1b} odd \n text".to_owned()), ..Told::default() };
    let wish =
        TellProgress { tell: Tell { id, attempt: None, told: only_message }, by: Actor::Daemon, at: world.now() };
    let second = world.store.tell_progress(wish).await.unwrap().unwrap();
    assert_eq!((second.done, second.message.as_deref()), (Some(4), Some("\u{1b} odd \n text")), "the rest stays");
    let task = world.task(id).await;
    assert_eq!((task.progress(), task.updated_at), (Some(&second), second.at));
    assert_eq!(world.store.tasks(TaskFilter::default()).await.unwrap().tasks[0].progress(), Some(&second));
    let told: Vec<_> = world.changes().await.into_iter().filter(|c| c.kind == ChangeKind::Progressed).collect();
    assert_eq!(told.iter().map(|c| c.progress.as_ref()).collect::<Vec<_>>(), [Some(&first), Some(&second)]);
    let change = &told[0];
    assert_eq!((change.task, change.attempt, &change.by), (Some(id), Some(1), &Actor::Task(id)));
    assert_eq!((change.from, change.to), (Some(task.state), Some(task.state)), "it is no move");
}

pub(crate) async fn only_the_present_attempt_has_a_progress(world: &World) {
    let retry = RetryPolicy { max_attempts: 2, delay: Duration::ZERO, ..RetryPolicy::default() };
    let id = world.add(|task| task.spec.retry = retry).await.id;
    assert!(matches!(tell(world, id, None, 1).await, Err(NotTold::NotRunning(task)) if task.id == id));
    let claimed = world.claimed().await;
    tell(world, id, Some(1), 1).await.expect("its process may run before that is recorded");
    world.start(claimed.attempt.assignment).await;
    let failed = world.finish(claimed.attempt.assignment, world.code(3)).await.task;
    assert_eq!(failed.progress(), None, "it waits for another attempt");
    world.store.due(Timestamp(i64::MAX)).await.unwrap();
    let again = world.claimed().await.attempt.assignment;
    world.start(again).await;
    assert_eq!(world.task(id).await.progress(), None);
    assert_eq!(tell(world, id, Some(1), 9).await, Err(NotTold::Late(2)), "it comes late");
    let present = tell(world, id, Some(2), 2).await.unwrap();
    world.finish(again, world.code(0)).await;
    assert_eq!(world.task(id).await.progress(), Some(&present), "it is told how far it came");
    assert!(matches!(tell(world, id, Some(2), 3).await, Err(NotTold::NotRunning(_))), "it has ended");
    assert_eq!(tell(world, TaskId::new(99).unwrap(), None, 1).await, Err(NotTold::NotFound));
}

pub(crate) async fn what_makes_no_sense_changes_nothing(world: &World) {
    let id = world.running_task().await.task.id;
    let known = tell(world, id, None, 4).await.unwrap();
    let before = world.changes().await;
    let beyond = InvalidProgress::Beyond { done: 11, total: 10 };
    assert_eq!(tell(world, id, None, 11).await, Err(NotTold::Invalid(beyond)));
    assert_eq!(world.task(id).await.progress(), Some(&known));
    assert_eq!(world.changes().await, before);
}

pub(crate) async fn a_progress_is_gone_with_its_task(world: &World) {
    let claimed = world.running_task().await;
    tell(world, claimed.task.id, None, 4).await.unwrap();
    world.finish(claimed.attempt.assignment, world.code(0)).await;
    let ids = vec![claimed.task.id];
    let remove = Steer { ids, only: None, by: Actor::Daemon, now: world.now() };
    assert!(world.store.remove(remove).await.unwrap()[0].1.is_ok());
    assert_eq!(world.store.task(claimed.task.id).await.unwrap(), None);
}

pub(crate) async fn earlier_runs_of_a_name_tell_what_is_expected(world: &World) {
    let named = async |name: Option<&str>| world.add(|task| task.spec.name = name.map(str::to_owned)).await.id;
    let mut lengths = Vec::new();
    for code in [0, 0, 3, 0] {
        named(Some("build")).await;
        let task = world.run(code).await;
        lengths.extend((code == 0).then(|| task.ended_at.unwrap().since(task.started_at.unwrap())));
    }
    lengths.sort_unstable();
    for (name, expected) in [(Some("build"), Some(lengths[1])), (Some("test"), None), (None, None)] {
        let id = named(name).await;
        assert_eq!(world.task(id).await.expected, None, "it waits");
        let claim = world.claimed().await.attempt.assignment;
        world.start(claim).await;
        assert_eq!(world.task(id).await.expected, expected, "{name:?}");
        let listed = world.store.tasks(TaskFilter::default()).await.unwrap().tasks;
        assert_eq!(listed.iter().find(|task| task.id == id).unwrap().expected, expected);
        world.finish(claim, world.code(0)).await;
        assert_eq!(world.task(id).await.expected, None, "it has ended");
    }
}
