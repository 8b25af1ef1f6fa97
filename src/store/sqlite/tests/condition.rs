use std::sync::Arc;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::store::conformance::condition::{fill, filter};
use crate::store::conformance::world::World;
use crate::store::memory::Memory;
use crate::store::sqlite::tests::Place;

#[test]
fn sqlite_and_memory_mean_the_same_by_a_condition_and_by_an_order() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let place = Place::new();
    let (store, _) = place.open();
    let theirs = World::of(store);
    let ours = World::of(Arc::new(Memory::new()));
    runtime.block_on(fill(&theirs));
    runtime.block_on(fill(&ours));
    let mut runner = TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() });
    let same = |filter: crate::store::task::TaskFilter| {
        let (left, right) = runtime.block_on(async {
            let left = theirs.store.tasks(filter.clone()).await.unwrap();
            (left, ours.store.tasks(filter.clone()).await.unwrap())
        });
        if left == right { Ok(()) } else { Err(TestCaseError::fail(format!("{left:?}\n{right:?}"))) }
    };
    let result = runner.run(&filter(), same);
    runtime.block_on(theirs.store.close()).unwrap();
    result.unwrap();
}
