//! The promises about changing what a task is to do.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::change::ChangeKind;
use crate::domain::id::TaskId;
use crate::domain::task::{Environment, State, Stdin, Task, TaskSpec};
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::conformance::task::full_task;
use crate::store::conformance::world::{BY, World};
use crate::store::queue::SetQueue;
use crate::store::task::{Edit, EditTask, NotEdited, TaskFilter};

async fn try_edit(world: &World, id: TaskId, change: impl FnOnce(&mut Edit)) -> Result<Result<Task, NotEdited>, Error> {
    let base = world.task(id).await.spec;
    let mut edit = Edit { id, spec: base.clone(), base, set_env: Environment::default(), unset_env: Vec::new() };
    change(&mut edit);
    world.store.edit(EditTask { edit, by: BY, now: world.now() }).await
}

async fn edit(world: &World, id: TaskId, change: impl FnOnce(&mut TaskSpec)) -> Result<Task, NotEdited> {
    try_edit(world, id, |edit| change(&mut edit.spec)).await.unwrap()
}

pub(crate) async fn all_that_a_task_is_to_do_can_be_changed(world: &World) {
    let id = world.queued_task().await;
    world.store.add_queue(SetQueue { name: "gpu".to_owned(), slots: 1, by: BY, now: world.now() }).await.unwrap();
    let mut wanted = full_task(world.task(id).await.uuid).spec;
    (wanted.after, wanted.after_any, wanted.run_at) = (Vec::new(), Vec::new(), Some(Timestamp(i64::MAX)));
    wanted.queue = "gpu".to_owned();
    let before = world.task(id).await;
    let told = edit(world, id, |spec| *spec = wanted.clone()).await.unwrap();
    let task = world.task(id).await;
    assert_eq!((&task, &task.spec), (&told, &wanted));
    assert_eq!((task.state, task.position, task.attempt), (State::Scheduled, before.position, 0));
    let last = world.changes().await.pop().unwrap();
    assert_eq!((last.kind, last.from, last.to), (ChangeKind::Edited, Some(State::Queued), Some(State::Scheduled)));
    let counts = world.store.queue_counts().await.unwrap();
    assert_eq!(counts, [("gpu".to_owned(), State::Scheduled, 1)], "it is counted where it is");
    edit(world, id, |spec| *spec = TaskSpec::command(vec!["true".into()], "/".into())).await.unwrap();
    assert_eq!(world.state(id).await, State::Queued);
    assert_eq!(world.list(TaskFilter { queue: Some("gpu".to_owned()), ..TaskFilter::default() }).await.0, [0; 0]);
    assert_eq!(world.claimed().await.task.spec.argv, ["true"]);
}

pub(crate) async fn what_has_started_or_is_not_what_it_was_is_not_changed(world: &World) {
    let claim = world.running_task().await;
    let id = claim.task.id;
    let rename = |spec: &mut TaskSpec| spec.name = Some("x".to_owned());
    assert!(matches!(edit(world, id, rename).await, Err(NotEdited::Started(task)) if task.state == State::Running));
    world.finish(claim.attempt.assignment, world.code(1)).await;
    assert!(matches!(edit(world, id, rename).await, Err(NotEdited::Started(task)) if task.state == State::Failed));
    world.retry(&[id]).await;
    assert!(matches!(edit(world, id, rename).await, Err(NotEdited::Started(_))), "what it did was something else");
    let waiting = world.add(|task| task.hold = true).await.id;
    let other = try_edit(world, waiting, |edit| edit.base.priority = 7).await.unwrap();
    assert_eq!(other, Err(NotEdited::Changed));
    let unknown = try_edit(world, waiting, |edit| edit.id = TaskId::new(99).unwrap()).await.unwrap();
    assert_eq!(unknown, Err(NotEdited::NotFound));
    let before = (world.task(waiting).await, world.changes().await.len());
    assert_eq!(edit(world, waiting, |_| ()).await.unwrap(), before.0);
    let nowhere = try_edit(world, waiting, |edit| edit.spec.queue = "nowhere".to_owned()).await;
    assert!(matches!(nowhere, Err(Error::NoSuchQueue(_))));
    assert_eq!((world.task(waiting).await, world.changes().await.len()), before, "nothing has changed");
    edit(world, waiting, rename).await.unwrap();
    assert_eq!(world.state(waiting).await, State::Held, "it is held as before");
}

pub(crate) async fn what_a_task_waits_for_can_be_changed(world: &World) {
    let (failed, first) = (world.queued_task().await, world.queued_task().await);
    world.run(1).await;
    let id = world.queued_task().await;
    edit(world, id, |spec| spec.after = vec![first]).await.unwrap();
    assert_eq!(world.state(id).await, State::Blocked);
    edit(world, id, |spec| (spec.after, spec.after_any) = (Vec::new(), vec![failed])).await.unwrap();
    assert_eq!(world.state(id).await, State::Queued);
    assert_eq!(edit(world, id, |spec| spec.after = vec![id]).await, Err(NotEdited::Later(id)));
    let later = world.queued_task().await;
    assert_eq!(edit(world, id, |spec| spec.after = vec![later]).await, Err(NotEdited::Later(later)));
    edit(world, id, |spec| spec.after = vec![first]).await.unwrap();
    assert_eq!(world.run(0).await.id, first);
    assert_eq!(world.state(id).await, State::Queued, "it is told as it waits now");
    let skipped = edit(world, id, |spec| spec.after = vec![failed]).await.unwrap();
    assert_eq!((skipped.state, world.state(id).await), (State::Skipped, State::Skipped));
}

pub(crate) async fn the_environment_is_changed_for_one_task_alone(world: &World) {
    let (one, other) = (world.queued_task().await, world.queued_task().await);
    let before = world.store.environment(other).await.unwrap().unwrap();
    let (name, _) = before.0[0].clone();
    let set = Environment(vec![("NEW".into(), "planted".into())]);
    let unset = vec![name.clone()];
    let told =
        try_edit(world, one, |edit| (edit.set_env, edit.unset_env) = (set.clone(), unset)).await.unwrap().unwrap();
    let after = world.store.environment(one).await.unwrap().unwrap();
    assert!(after.0.contains(&("NEW".into(), "planted".into())) && !after.0.iter().any(|(known, _)| *known == name));
    assert_eq!(told.env_names.to_vec(), after.names());
    assert_eq!(world.store.environment(other).await.unwrap().unwrap(), before);
    assert_eq!(*world.claimed().await.env, after);
}

pub(crate) async fn a_key_stays_that_of_one_task(world: &World) {
    let (one, other) = (world.add(|task| task.spec.key = Some("k".to_owned())).await.id, world.queued_task().await);
    let key = |spec: &mut TaskSpec| spec.key = Some("k".to_owned());
    assert_eq!(edit(world, other, key).await, Err(NotEdited::KeyTaken(one)));
    edit(world, one, |spec| spec.key = None).await.unwrap();
    edit(world, other, key).await.unwrap();
    edit(world, other, |spec| {
        spec.stdin = Stdin::File(PathBuf::from("/in"));
        spec.timeout = Some(Duration::from_secs(5));
    })
    .await
    .unwrap();
    assert_eq!(world.add(|task| task.spec.key = Some("k".to_owned())).await.id, other);
}
