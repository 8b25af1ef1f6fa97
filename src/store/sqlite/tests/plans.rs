use crate::domain::task::State;
use crate::store::Store;
use crate::store::sqlite::tests::Place;
use crate::store::sqlite::{list, read, verb};
use crate::store::task::TaskFilter;

/// How SQLite would go about a query.
async fn plan(store: &crate::store::sqlite::Sqlite, sql: &str) -> String {
    let sql = format!("EXPLAIN QUERY PLAN {sql}");
    let plan = store.on_writer(move |db| {
        let mut plan = db.prepare(&sql).unwrap();
        let mut rows = plan.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get::<_, String>(3).unwrap());
        }
        steps.join("\n")
    });
    plan.await
}

#[tokio::test]
async fn a_claim_reads_the_partial_index_and_sorts_nothing() {
    let place = Place::new();
    let (store, _) = place.open();
    let ready = plan(&store, verb::READY).await;
    assert_eq!(ready, "SEARCH task USING COVERING INDEX task_ready (queue=?)");
    let slots = plan(&store, verb::SLOTS).await;
    assert_eq!(slots, "SEARCH task USING INDEX task_active (queue=?)");
    let due = plan(&store, verb::DUE).await;
    assert_eq!(due, "SEARCH task USING INDEX task_due (run_at<?)");
    let expired = plan(&store, verb::EXPIRED).await;
    assert!(
        expired.starts_with("SEARCH t USING COVERING INDEX task_ended (ended_at") && !expired.contains("TEMP B-TREE"),
        "{expired}"
    );
    let open = plan(&store, &read::in_flight_sql()).await;
    assert_eq!(open, "SCAN attempt USING INDEX attempt_open");
    store.close().await.unwrap();
}

#[tokio::test]
async fn dependencies_are_told_and_weighed_by_indexes() {
    let place = Place::new();
    let (store, _) = place.open();
    let told = plan(&store, verb::DEPENDANTS).await;
    assert_eq!(told, "SEARCH dependency USING COVERING INDEX dependency_on_task (on_task=? AND task>?)");
    for weighed in [verb::BROKEN, verb::WAITS] {
        let weighed = plan(&store, weighed).await;
        assert!(weighed.contains("INDEX dependency_open (task=? AND edge=?)"), "{weighed}");
        assert!(!weighed.contains("TEMP B-TREE"), "{weighed}");
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn lists_walk_an_index_and_sort_nothing() {
    let place = Place::new();
    let (store, _) = place.open();
    let all = TaskFilter::default;
    let labels = vec![("team".to_owned(), Some("x".to_owned()))];
    let filters = [
        all(),
        TaskFilter { limit: Some(5), ..all() },
        TaskFilter { states: vec![State::Failed, State::Queued], limit: Some(5), ..all() },
        TaskFilter { recent: Some(5), ..all() },
        TaskFilter { recent: Some(5), queue: Some("default".into()), name: Some("a*".into()), labels, ..all() },
    ];
    for filter in filters {
        for query in list::queries(&filter) {
            let plan = plan(&store, &query.sql).await;
            assert!(!plan.contains("TEMP B-TREE"), "{}\n{plan}", query.sql);
            let expected = match query.sql.as_str() {
                sql if sql.contains("state = ?") => "SEARCH t USING COVERING INDEX task_state (state=?)",
                sql if sql.contains("ended_at IS NOT NULL") => "COVERING INDEX task_ended",
                _ => "SCAN t",
            };
            let first = plan.lines().next().unwrap();
            let covering = filter.queue.is_none();
            let expected = if covering { expected.to_owned() } else { expected.replace("COVERING ", "") };
            assert!(first.contains(&expected), "{}\n{plan}", query.sql);
        }
    }
    store.close().await.unwrap();
}
