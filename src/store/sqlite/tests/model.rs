use std::sync::Arc;

use proptest::prelude::*;

use crate::store::Store;
use crate::store::conformance::model::{act, story};
use crate::store::memory::Memory;
use crate::store::sqlite::tests::Place;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_and_memory_answer_the_same(acts in proptest::collection::vec(act(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let (store, _) = place.open();
            // What is compared is the answers; the disk is tried elsewhere.
            store.on_writer(|db| db.execute_batch("PRAGMA synchronous = OFF").unwrap()).await;
            let theirs = story(Arc::clone(&store) as Arc<dyn Store>, &acts).await;
            let ours = story(Arc::new(Memory::new()), &acts).await;
            store.close().await.unwrap();
            for (place, (left, right)) in theirs.iter().zip(&ours).enumerate() {
                prop_assert_eq!(left, right, "after {:?}", acts.get(place));
            }
            prop_assert_eq!(theirs.len(), ours.len());
            Ok(())
        })?;
    }
}
