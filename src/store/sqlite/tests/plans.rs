use crate::domain::task::State;
use crate::store::Store;
use crate::store::sqlite::tests::Place;
use crate::store::sqlite::{known, list, pending, read, schedule, verb};
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
    let next = plan(&store, verb::NEXT_NEEDS).await;
    assert_eq!(next, "SEARCH task USING COVERING INDEX task_needs (queue=? AND needs>?)");
    let needy = plan(&store, verb::NEEDY).await;
    assert_eq!(needy, "SEARCH task USING COVERING INDEX task_needs (queue=? AND needs=?)");
    let slots = plan(&store, verb::SLOTS).await;
    assert_eq!(slots, "SEARCH task USING INDEX task_active (queue=?)");
    let due = plan(&store, verb::DUE).await;
    assert_eq!(due, "SEARCH task USING INDEX task_due (run_at<?)");
    let expired = plan(&store, verb::EXPIRED).await;
    assert!(
        expired.starts_with("SEARCH t USING COVERING INDEX task_ended (ended_at") && !expired.contains("TEMP B-TREE"),
        "{expired}"
    );
    let key = plan(&store, verb::OF_KEY).await;
    assert_eq!(key, "SEARCH task USING INDEX task_key (key=?)");
    let overlap = plan(&store, verb::OVERLAP).await;
    assert!(
        overlap.starts_with("SEARCH task USING COVERING INDEX task_overlap (schedule=?")
            || overlap.starts_with("SEARCH task USING INDEX task_overlap (schedule=?"),
        "{overlap}"
    );
    assert!(!overlap.contains("SCAN") && !overlap.contains("TEMP B-TREE"), "{overlap}");
    let next = plan(&store, verb::NEXT_SCHEDULE).await;
    assert_eq!(next, "SEARCH schedule USING COVERING INDEX schedule_due (next_at>?)");
    let newest = plan(&store, &schedule::select("WHERE s.name = ?1")).await;
    assert!(newest.contains("SEARCH t USING COVERING INDEX task_schedule (schedule=? AND id>?)"), "{newest}");
    let moved = plan(&store, verb::LAST).await;
    assert_eq!(moved, "SEARCH task USING INDEX task_moved (queue=? AND priority=? AND position>? AND position<?)");
    let runs = plan(&store, read::RUNS).await;
    assert!(runs.contains("SEARCH task USING INDEX task_name (name=? AND ") && !runs.contains("TEMP B-TREE"), "{runs}");
    for states in [&[][..], &[State::Lost]] {
        let ended = plan(&store, &list::ended_sql(states)).await;
        assert!(ended.contains("INDEX task_ended (") && !ended.contains("TEMP B-TREE"), "{ended}");
    }
    let to_come = plan(&store, pending::TO_COME).await;
    assert!(to_come.starts_with("SEARCH c USING INTEGER PRIMARY KEY (rowid>?)"), "{to_come}");
    assert!(to_come.contains("USING INDEX task_hooks (id=?") && !to_come.contains("SCAN"), "{to_come}");
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

/// Returns the steps of a plan, which must read no whole table, nor put more in order than what was found.
async fn walk(store: &crate::store::sqlite::Sqlite, query: &list::Query) -> String {
    let plan = plan(store, &query.sql).await;
    assert!(!plan.contains("SCAN task") && !plan.contains("AUTOMATIC"), "{}\n{plan}", query.sql);
    plan
}

#[tokio::test]
async fn lists_walk_an_index_from_the_newest_down() {
    let place = Place::new();
    let (store, _) = place.open();
    let all = || TaskFilter { limit: Some(5), ..TaskFilter::default() };
    let of = |states: &[State]| TaskFilter { states: states.to_vec(), ..all() };
    let in_queue = |filter| TaskFilter { queue: Some("default".into()), ..filter };
    let states = [State::Failed, State::Queued];
    for filter in [all(), TaskFilter::default()] {
        let query = &list::queries(&filter, None)[0];
        let plan = walk(&store, query).await;
        assert!(plan == "SCAN t" || plan.starts_with("SCAN t USING COVERING INDEX"), "{plan}");
    }
    for filter in [of(&states), TaskFilter { recent: Some(5), ..all() }] {
        for query in list::queries(&filter, None) {
            let plan = walk(&store, &query).await;
            let expected = match query.sql.contains("ended_at") {
                true => "COVERING INDEX task_ended",
                false => "SEARCH t USING COVERING INDEX task_listed (queue=? AND state=?)",
            };
            assert!(plan.contains(expected), "{}\n{plan}", query.sql);
            // What each queue has to offer is put in order, no more.
            assert!(!plan.contains("SCAN t\n") && plan.matches("TEMP B-TREE").count() <= 1, "{}\n{plan}", query.sql);
        }
    }
    for query in list::queries(&in_queue(of(&states)), None) {
        let plan = walk(&store, &query).await;
        assert!(plan.starts_with("SEARCH t USING COVERING INDEX task_listed (queue=? AND state=?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
    assert_eq!(list::queries(&in_queue(all()), None).len(), State::ALL.len(), "each of them on its index");
    let next = TaskFilter { next_first: true, ..of(&[State::Queued]) };
    for (filter, sorts) in [(in_queue(next.clone()), 1), (next, 1)] {
        let plan = walk(&store, &list::queries(&filter, None)[0]).await;
        for index in ["COVERING INDEX task_ready (queue=?)", "INDEX task_ready_needy (queue=?)"] {
            assert!(plan.contains(index), "{plan}");
        }
        // What each queue has to offer is put in order, no more.
        assert_eq!(plan.matches("TEMP B-TREE").count(), sorts, "{plan}");
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_condition_looks_at_tasks_on_the_way_and_changes_no_walk() {
    use crate::domain::condition::{Comparison, Condition, Term};
    use crate::domain::field::{Field, Sort, Value};
    use crate::domain::time::Timestamp;
    let place = Place::new();
    let (store, _) = place.open();
    let term = Term::All(Field::PLAIN.into_iter().map(Term::Has).collect());
    let ended = Term::Test { field: Field::Ended, how: Comparison::Greater, value: Value::Number(5) };
    let condition = |term| Some(Condition { at: Timestamp(0), term });
    let all = TaskFilter { limit: Some(5), ..TaskFilter::default() };
    for term in [term, ended] {
        let newest = TaskFilter { condition: condition(term.clone()), ..all.clone() };
        let plan = walk(&store, &list::queries(&newest, None)[0]).await;
        assert!(plan.starts_with("SCAN t") && !plan.contains("TEMP B-TREE"), "{plan}");
        let failed = TaskFilter { states: vec![State::Failed], ..newest.clone() };
        let plan = walk(&store, &list::queries(&failed, None)[0]).await;
        assert!(plan.contains("INDEX task_listed (queue=? AND state=?)"), "{plan}");
        let recent = TaskFilter { recent: Some(5), states: vec![State::Lost], ..newest };
        let plan = walk(&store, &list::queries(&recent, None)[0]).await;
        assert!(plan.contains("INDEX task_ended") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
    for descending in [false, true] {
        let sort = Some(Sort { by: Field::Due, descending, at: Timestamp(0) });
        let timed = TaskFilter { sort, states: vec![State::Scheduled, State::Retrying], ..all.clone() };
        let plan = walk(&store, &list::queries(&timed, None)[0]).await;
        assert!(plan.contains("INDEX task_due") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
    for (by, descending) in [(Field::Id, true), (Field::State, false), (Field::Ended, true), (Field::Ended, false)] {
        let sorted = TaskFilter { sort: Some(Sort { by, descending, at: Timestamp(0) }), ..all.clone() };
        for query in list::queries(&sorted, None) {
            let plan = walk(&store, &query).await;
            // What each queue has to offer is put in order, no more.
            let sorts = usize::from(query.sql.contains("counter"));
            assert!(plan.matches("TEMP B-TREE").count() <= sorts, "{}\n{plan}", query.sql);
        }
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_label_or_a_name_that_few_have_leads() {
    let place = Place::new();
    let (store, _) = place.open();
    let labels = vec![("team".to_owned(), Some("x".to_owned())), ("night".to_owned(), None)];
    let filter = TaskFilter { labels, name: Some("a*".to_owned()), recent: Some(5), ..TaskFilter::default() };
    let indexes = ["label_value (key=? AND value=?)", "label_value (key=?)", "task_name"];
    for (lead, index) in list::leads(&filter).iter().zip(indexes) {
        for query in list::queries(&filter, Some(lead)) {
            let plan = walk(&store, &query).await;
            assert!(plan.starts_with("SEARCH t USING INTEGER PRIMARY KEY (rowid=?)"), "{}\n{plan}", query.sql);
            assert!(plan.contains(index), "{}\n{plan}", query.sql);
        }
    }
    store.close().await.unwrap();
}

#[test]
fn a_step_to_the_next_one_goes_over_no_more_where_thousands_are_the_same() {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE label (task, key, value);
        CREATE INDEX label_value ON label (key, value, task);
        CREATE TABLE task (id, queue, needs, state, priority, position);
        CREATE INDEX task_needs ON task (queue, needs, priority DESC, position, id) WHERE state = 'queued' AND needs > '';
        CREATE TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 3000) SELECT n FROM n;
        INSERT INTO label SELECT n, 'team', iif(n < 2999, 'x', 'y') FROM n;
        INSERT INTO task SELECT n, 1, iif(n < 2999, 'gpu=1', 'gpu=2'), 'queued', 0, n FROM n;",
    )
    .unwrap();
    let steps = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        let mut step = db.prepare(sql).unwrap();
        let last = step.column_count() - 1;
        let found: String = step.query_row(values, |row| row.get(last)).unwrap();
        (found, step.get_status(rusqlite::StatementStatus::VmStep))
    };
    let (value, value_steps) = steps(known::NEXT_VALUE, &[&"team", &"x"]);
    let (needs, needs_steps) = steps(verb::NEXT_NEEDS, &[&1, &"gpu=1"]);
    assert_eq!((value.as_str(), needs.as_str()), ("y", "gpu=2"));
    assert!(value_steps < 100 && needs_steps < 100, "{value_steps}, {needs_steps}");
}
