use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::Connection;

use crate::store::Store;
use crate::store::conformance::model::{Subject, act, story};
use crate::store::memory::Memory;
use crate::store::sqlite::tests::Place;
use crate::store::sqlite::{Sqlite, open_reader};

/// A database that is closed, left by a crash, and made to fail.
struct Tried {
    place: Place,
    store: Arc<Sqlite>,
}

impl Tried {
    async fn new() -> Self {
        let place = Place::new();
        let store = Self::open(&place).await;
        Self { place, store }
    }

    async fn open(place: &Place) -> Arc<Sqlite> {
        let (store, _) = place.open();
        // What is compared is the answers; the disk is tried elsewhere.
        store.on_writer(|db| db.execute_batch("PRAGMA synchronous = OFF").unwrap()).await;
        store
    }

    async fn on_writer(&self, act: impl FnOnce(&mut Connection) -> rusqlite::Result<()> + Send + 'static) {
        self.store.on_writer(act).await.unwrap();
    }
}

impl Subject for Tried {
    async fn reopen(&mut self, crash: bool) -> Arc<dyn Store> {
        let left = crash.then(|| self.place.crashed());
        self.store.close().await.unwrap();
        let findings = open_reader(&self.place.db()).unwrap().unwrap().findings().unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        if let Some(left) = left {
            self.place = left;
        }
        self.store = Self::open(&self.place).await;
        self.store.check().await.unwrap();
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    async fn fail(&mut self, steps: Option<u16>) {
        let fail = move |db: &mut Connection| match steps {
            Some(steps) => {
                // Once: what is done about it works again.
                let mut left = Some(steps);
                let count = move || {
                    left = left.and_then(|left| left.checked_sub(1));
                    left == Some(0)
                };
                db.progress_handler(1, Some(count))
            }
            None => db.commit_hook(Some(|| true)),
        };
        self.on_writer(fail).await;
    }

    async fn let_be(&mut self) {
        let let_be = |db: &mut Connection| {
            db.progress_handler(0, None::<fn() -> bool>)?;
            db.commit_hook(None::<fn() -> bool>)
        };
        self.on_writer(let_be).await;
    }
}

/// What nothing can happen to.
struct Untouched(Arc<Memory>);

impl Subject for Untouched {
    async fn reopen(&mut self, _: bool) -> Arc<dyn Store> {
        Arc::clone(&self.0) as Arc<dyn Store>
    }

    async fn fail(&mut self, _: Option<u16>) {}

    async fn let_be(&mut self) {}
}

/// How many stories there are: more by the factor that `APEX_LONG` names.
fn cases() -> u32 {
    let long: Option<u32> = std::env::var("APEX_LONG").ok().and_then(|factor| factor.parse().ok());
    150 * long.unwrap_or(1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn sqlite_and_memory_answer_the_same(acts in proptest::collection::vec(act(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut tried = Tried::new().await;
            let store = Arc::clone(&tried.store) as Arc<dyn Store>;
            let theirs = story(store, &mut tried, &acts, &[]).await;
            let memory = Arc::new(Memory::new());
            let ours = story(Arc::clone(&memory) as Arc<dyn Store>, &mut Untouched(memory), &acts, &theirs.failed).await;
            tried.store.close().await.unwrap();
            let asked = acts.iter().filter(|act| !matches!(act, crate::store::conformance::model::Act::Fail { .. }));
            let asked: Vec<_> = asked.collect();
            for (place, (left, right)) in theirs.told.iter().zip(&ours.told).enumerate() {
                prop_assert_eq!(left, right, "after {:?}", asked.get(place));
            }
            prop_assert_eq!(theirs.told.len(), ours.told.len());
            Ok(())
        })?;
    }
}
