//! The promises about hooks: how far each came, and what is told of them.

use std::collections::BTreeMap;

use crate::domain::change::ChangeKind;
use crate::domain::hook::{HookEvent, OF_TASKS};
use crate::domain::id::{Seq, TaskId};
use crate::domain::task::State;
use crate::store::conformance::schedule::{adding, new_schedule};
use crate::store::conformance::world::{BY, World};
use crate::store::hook::{HookFailed, HookRan};
use crate::store::task::{Expire, Refused, Steer};

async fn set(world: &World, hooks: &[(&str, bool)]) -> BTreeMap<String, Seq> {
    world.store.set_hooks(hooks.iter().map(|(name, empties)| ((*name).to_owned(), *empties)).collect()).await.unwrap()
}

fn last(world: &World) -> Seq {
    *world.store.watch().borrow()
}

fn ran(world: &World, hook: &str, until: Seq, failed: Option<HookFailed>) -> HookRan {
    HookRan { hook: hook.to_owned(), until, ahead: None, run: failed.map(Err), now: world.now() }
}

fn named(hooks: &[(&str, Seq)]) -> BTreeMap<String, Seq> {
    hooks.iter().map(|(name, cursor)| ((*name).to_owned(), *cursor)).collect()
}

pub(crate) async fn a_hook_begins_where_it_was_first_heard_of_and_goes_on_where_it_came_to(world: &World) {
    assert_eq!(world.store.hook_cursors().await.unwrap(), named(&[]));
    world.queued_task().await;
    let first = last(world);
    assert_eq!(set(world, &[("a", false), ("b", false)]).await, named(&[("a", first), ("b", first)]));
    assert_eq!(last(world), first, "nothing is told of that");
    world.queued_task().await;
    let second = last(world);
    world.store.hook_ran(ran(world, "a", second, None)).await.unwrap();
    world.store.hook_ran(ran(world, "a", first, None)).await.unwrap();
    world.store.hook_ran(ran(world, "gone", second, None)).await.unwrap();
    assert_eq!(world.store.hook_cursors().await.unwrap(), named(&[("a", second), ("b", first)]), "never back");
    assert_eq!(set(world, &[("a", false), ("c", false)]).await, named(&[("a", second), ("c", second)]));
    assert_eq!(set(world, &[("b", false)]).await, named(&[("b", second)]), "one that was away begins anew");
    assert_eq!(set(world, &[]).await, named(&[]));
}

pub(crate) async fn hooks_of_tasks_are_followed_from_the_first_that_has_some(world: &World) {
    let hooks = || [(HookEvent::End, "./tell.sh".to_owned())].into();
    world.queued_task().await;
    let before = last(world);
    let id = world.add(|task| task.spec.hooks = hooks()).await.id;
    world.add(|task| task.spec.hooks = hooks()).await;
    assert_eq!(world.store.hook_cursors().await.unwrap(), named(&[(OF_TASKS, before)]), "its own add is told");
    assert_eq!(world.task(id).await.spec.hooks, hooks());
    assert_eq!(set(world, &[("a", false)]).await, named(&[(OF_TASKS, before), ("a", last(world))]));
    let ids: Vec<TaskId> = [2, 3].into_iter().filter_map(TaskId::new).collect();
    world.cancel(&ids, None).await;
    world.store.hook_ran(ran(world, OF_TASKS, last(world), None)).await.unwrap();
    let remove = Steer { ids, only: None, by: BY, now: world.now() };
    world.store.remove(remove).await.unwrap();
    assert_eq!(set(world, &[]).await, named(&[]), "nobody has any");
    let mut new = new_schedule("nightly", Default::default());
    new.spec.hooks = hooks();
    let before = last(world);
    let schedule = world.store.add_schedule(adding(new, world.now())).await.unwrap();
    assert_eq!(schedule.spec.hooks, hooks());
    assert_eq!(set(world, &[]).await, named(&[(OF_TASKS, before)]));
}

pub(crate) async fn a_task_stays_until_its_hooks_have_run(world: &World) {
    let remove = async |id| {
        let remove = Steer { ids: vec![id], only: None, by: BY, now: world.now() };
        world.store.remove(remove).await.unwrap().remove(0).1
    };
    let expire = async || {
        let now = world.now();
        world.store.expire(Expire { until: now, now }).await.unwrap()
    };
    let on = |event| [(event, "./tell.sh".to_owned())].into();
    let plain = world.queued_task().await;
    let told = world.add(|task| task.spec.hooks = on(HookEvent::End)).await.id;
    let other = world.add(|task| task.spec.hooks = on(HookEvent::Failure)).await.id;
    for _ in 0..3 {
        world.run(0).await;
    }
    let ended = last(world);
    assert_eq!(world.store.hooks_to_come(vec![plain, told, other]).await.unwrap(), [told]);
    assert_eq!(remove(told).await, Err(Refused::Hook(HookEvent::End)));
    assert_eq!(remove(other).await, Ok(()), "what it is for did not happen");
    assert_eq!(expire().await.tasks, 1, "only the one without");
    assert!(world.store.task(plain).await.unwrap().is_none());
    let kept = world.changes().await;
    assert!(kept.iter().any(|change| change.task == Some(told) && HookEvent::End.is(change)), "and what is to be told");
    world.store.hook_ran(ran(world, OF_TASKS, ended, None)).await.unwrap();
    let expired = expire().await;
    assert_eq!((expired.tasks, world.store.task(told).await.unwrap()), (1, None));
    assert!(expired.changes > 0 && world.changes().await[0].seq > ended, "up to where the hooks came");
    let last_one = world.add(|task| task.spec.hooks = on(HookEvent::Success)).await.id;
    world.run(0).await;
    assert_eq!(remove(last_one).await, Err(Refused::Hook(HookEvent::Success)));
    let new = world.add(|task| task.spec.hooks = on(HookEvent::Start)).await.id;
    world.run(0).await;
    assert_eq!(world.store.hooks_to_come(vec![told, last_one, new]).await.unwrap(), [last_one, new]);
    world.store.hook_ran(ran(world, OF_TASKS, last(world), None)).await.unwrap();
    assert_eq!(world.store.hooks_to_come(vec![last_one, new]).await.unwrap(), []);
    assert_eq!(remove(last_one).await, Ok(()));
}

pub(crate) async fn what_hooks_of_tasks_have_run_for_out_of_order_is_remembered(world: &World) {
    let hooks = || [(HookEvent::End, "./tell.sh".to_owned())].into();
    let before = last(world);
    let ids =
        [world.add(|task| task.spec.hooks = hooks()).await.id, world.add(|task| task.spec.hooks = hooks()).await.id];
    world.cancel(&ids, None).await;
    let ended = last(world);
    let ahead = |until, ahead| HookRan { ahead: Some(ahead), ..ran(world, OF_TASKS, until, None) };
    world.store.hook_ran(ahead(before, ended)).await.unwrap();
    world.store.hook_ran(ahead(before, ended)).await.unwrap();
    assert_eq!(world.store.hooks_ahead().await.unwrap(), [ended].into());
    assert_eq!(world.store.hooks_to_come(ids.to_vec()).await.unwrap(), [ids[0]]);
    assert_eq!(world.store.hook_cursors().await.unwrap(), named(&[(OF_TASKS, before)]));
    assert_eq!(set(world, &[]).await, named(&[(OF_TASKS, before)]), "nor is it taken for one that is gone");
    assert_eq!(world.store.hooks_ahead().await.unwrap(), [ended].into());
    let remove = Steer { ids: ids.to_vec(), only: None, by: BY, now: world.now() };
    let removed: Vec<_> =
        world.store.remove(remove.clone()).await.unwrap().into_iter().map(|(_, answer)| answer).collect();
    assert_eq!(removed, [Err(Refused::Hook(HookEvent::End)), Ok(())], "that of the second has run");
    world.store.hook_ran(ran(world, OF_TASKS, ended, None)).await.unwrap();
    assert_eq!(world.store.hooks_ahead().await.unwrap(), [].into(), "all before it have run as well");
    assert_eq!(world.store.remove(remove).await.unwrap()[0].1, Ok(()));
}

pub(crate) async fn a_queue_that_is_empty_is_told_only_if_a_hook_is_for_it(world: &World) {
    let told = async || {
        let changes = world.changes().await.into_iter();
        changes.filter(|change| change.kind == ChangeKind::QueueEmptied).collect::<Vec<_>>()
    };
    world.queued_task().await;
    world.run(0).await;
    assert_eq!(told().await.len(), 0);
    set(world, &[("a", true)]).await;
    let first = world.queued_task().await;
    let second = world.add(|task| task.spec.after_any = vec![first]).await.id;
    world.run(0).await;
    assert_eq!(told().await.len(), 0, "one waits for it");
    world.run(3).await;
    let change = &told().await[0];
    assert_eq!((change.queue.as_deref(), change.task, change.to), (Some("default"), None, None));
    let before = world.changes().await.into_iter().rev().nth(1).unwrap();
    assert_eq!((before.task, before.to), (Some(second), Some(State::Failed)), "right after the end of the last");
    let ids = [world.queued_task().await, world.add(|task| task.hold = true).await.id];
    world.cancel(&ids, None).await;
    assert_eq!(told().await.len(), 2, "however they end, once");
    set(world, &[("a", false)]).await;
    world.queued_task().await;
    world.run(0).await;
    assert_eq!(told().await.len(), 2);
}

pub(crate) async fn a_hook_that_failed_is_told_and_changes_nothing_else(world: &World) {
    set(world, &[("a", false)]).await;
    let id = world.queued_task().await;
    let task = world.task(id).await;
    let failed = |task, queue: Option<&str>| HookFailed {
        task,
        queue: queue.map(str::to_owned),
        attempt: None,
        reason: "exit code 3".to_owned(),
    };
    let at = last(world);
    world.store.hook_ran(ran(world, "a", at, Some(failed(Some(id), None)))).await.unwrap();
    world.store.hook_ran(ran(world, "a", at, Some(failed(None, Some("default"))))).await.unwrap();
    world.store.hook_ran(ran(world, "gone", at, Some(failed(Some(id), None)))).await.unwrap();
    let changes = world.changes().await;
    let told: Vec<_> = changes.iter().filter(|change| change.kind == ChangeKind::HookFailed).collect();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].task, told[0].from, told[0].to), (Some(id), Some(State::Queued), Some(State::Queued)));
    assert_eq!((told[0].reason.as_deref(), told[1].queue.as_deref()), (Some("exit code 3"), Some("default")));
    assert_eq!(world.task(id).await, task);
}
