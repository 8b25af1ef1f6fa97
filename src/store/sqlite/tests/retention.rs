use crate::domain::change::Actor;
use crate::domain::hook::{HookEvent, HookFailed, HookRan, OF_TASKS};
use crate::domain::time::Timestamp;
use crate::store::sqlite::open_reader;
use crate::store::sqlite::tests::Place;
use crate::store::task::{Expire, Refused, Steer};
use crate::store::{ChangeStore, HookStore, Store, TaskStore};

/// However many tasks come and go, the file is as large as those that are kept make it.
#[tokio::test]
async fn what_is_forgotten_makes_room_for_what_comes() {
    const ROUNDS: usize = 25;
    const EACH: usize = 400;
    let place = Place::new();
    let (store, world) = place.open();
    store.on_writer(|db| db.execute_batch("PRAGMA synchronous = OFF").unwrap()).await;
    let mut sizes = Vec::new();
    let mut before = Timestamp(0);
    for round in 0..ROUNDS {
        let mut ids = Vec::with_capacity(EACH);
        for _ in 0..EACH {
            // Environments of their own, which are forgotten as well.
            let task =
                world.add(|task| task.env.0.push(("ROUND".into(), format!("{round} {}", "x".repeat(500)).into())));
            ids.push(task.await.id);
        }
        world.cancel(&ids, None).await;
        // The round before this one is over its time.
        let until = std::mem::replace(&mut before, world.now());
        while store.expire(Expire { until, now: world.now() }).await.unwrap().more {}
        sizes.push(
            store.on_writer(|db| db.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0)).unwrap()).await,
        );
    }
    let counts = store.counts().await.unwrap();
    assert_eq!(counts.by_state.values().sum::<u64>(), EACH as u64);
    assert_eq!(counts.processed, (ROUNDS * EACH) as u64, "they count since the project began");
    let (early, late) = (sizes[3], sizes[ROUNDS - 1]);
    assert!(late <= early + early / 5, "{sizes:?}");
    let environments =
        store.on_writer(|db| db.query_row("SELECT count(*) FROM environment", [], |row| row.get::<_, u32>(0)));
    assert_eq!(environments.await.unwrap(), 1);
    assert!(store.oldest().await.unwrap().unwrap().0 > 1, "old changes are gone");
    store.check().await.unwrap();
    store.close().await.unwrap();
}

/// What the hooks of tasks have not come to may be much: each change of it is read once, however often something is to be removed.
#[tokio::test]
async fn what_hooks_have_not_come_to_is_read_once() {
    let place = Place::new();
    let (store, world) = place.open();
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(world.add(|task| task.spec.hooks = [(HookEvent::End, "true".to_owned())].into()).await.id);
    }
    world.cancel(&ids[..1], None).await;
    let read = *store.watch().borrow();
    assert_eq!(store.hooks_to_come(ids.clone()).await.unwrap(), ids[..1]);
    // Who looked at them once more would find nothing.
    store.on_writer(|db| db.execute_batch("UPDATE change SET to_state = 'queued'").unwrap()).await;
    world.cancel(&ids[1..], None).await;
    assert_eq!(store.hooks_to_come(ids.clone()).await.unwrap(), ids);
    let remove = async || {
        let remove = Steer { ids: ids.clone(), only: None, by: Actor::Daemon, now: world.now() };
        store.remove(remove).await.unwrap().into_iter().map(|(_, answer)| answer).collect::<Vec<_>>()
    };
    let refused = || Err(Refused::Hook(HookEvent::End));
    assert_eq!(remove().await, [refused(), refused()]);
    let ran = HookRan { hook: OF_TASKS.to_owned(), until: read, ahead: None, run: None, now: world.now() };
    store.hook_ran(ran).await.unwrap();
    assert_eq!(remove().await, [Ok(()), refused()]);
    store.close().await.unwrap();
}

/// The cursor of a hook is beyond what it was run for last, as soon as something happens that is nothing to it.
#[tokio::test]
async fn a_hook_that_failed_is_known_until_it_succeeds() {
    let place = Place::new();
    let (store, world) = place.open();
    let set = async |names: &[&str]| {
        store.set_hooks(names.iter().map(|name| ((*name).to_owned(), false)).collect()).await.unwrap();
    };
    set(&["one", "other"]).await;
    let ran = async |hook: &str, run| {
        let until = *store.watch().borrow();
        store.hook_ran(HookRan { hook: hook.to_owned(), until, ahead: None, run, now: world.now() }).await.unwrap();
    };
    let failed = |why: &str| Some(Err(HookFailed { task: None, queue: None, attempt: None, reason: why.to_owned() }));
    let told = || {
        let failed = open_reader(&place.db()).unwrap().unwrap().failed_hooks().unwrap();
        failed.into_iter().map(|(name, _, why)| format!("{name}: {why}")).collect::<Vec<_>>()
    };
    ran("one", failed("first")).await;
    ran("one", failed("last")).await;
    ran("other", Some(Ok(()))).await;
    ran("gone", failed("nobody has it")).await;
    ran(OF_TASKS, failed("one of a task")).await;
    world.queued_task().await;
    ran("one", None).await;
    assert_eq!(told(), ["one: last"], "it has come further, but was not run");
    let cursors = store.hook_cursors().await.unwrap();
    assert_eq!(cursors.keys().collect::<Vec<_>>(), ["one", "other"], "none of them is a hook");
    ran("one", Some(Ok(()))).await;
    assert_eq!(told(), [""; 0]);
    ran("other", failed("before it went")).await;
    set(&["one"]).await;
    assert_eq!(told(), [""; 0]);
    store.close().await.unwrap();
}
