use crate::domain::time::Timestamp;
use crate::store::sqlite::tests::Place;
use crate::store::task::Expire;
use crate::store::{ChangeStore, Store, TaskStore};

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
