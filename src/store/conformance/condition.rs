//! Conditions and orders: what lists are of, and how they come.

use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::condition::{Comparison, Condition, Term};
use crate::domain::field::{Field, Kind, Sort, Value};
use crate::domain::outcome::StopCause;
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::store::conformance::world::{BY, World};
use crate::store::queue::SetQueue;
use crate::store::task::TaskFilter;

const FIRST: i64 = 1_700_000_000_000;

fn test(field: Field, how: Comparison, value: Value) -> Term {
    Term::Test { field, how, value }
}

fn text(field: Field, how: Comparison, value: &str) -> Term {
    test(field, how, Value::Text(value.to_owned()))
}

fn number(field: Field, how: Comparison, value: i64) -> Term {
    test(field, how, Value::Number(value))
}

/// What a condition holds for; it is asked a second after the last thing that happened.
fn those(world: &World, term: Term) -> TaskFilter {
    let at = Timestamp(world.now().0 + 1_000);
    TaskFilter { condition: Some(Condition { at, term }), ..TaskFilter::default() }
}

/// Fills the store with tasks in every state, of two queues, some with names and labels: a succeeded, a failed, a killed, a
/// cancelled, a running, a held, a scheduled and two queued ones.
pub(crate) async fn fill(world: &World) {
    world.store.add_queue(SetQueue { name: "gpu".to_owned(), slots: 9, by: BY, now: world.now() }).await.unwrap();
    let name = |name: &str| Some(name.to_owned());
    let label = |value: &str| ("team".to_owned(), value.to_owned());
    world.add(|task| task.spec.name = name("build-a")).await;
    world.run(0).await;
    world.add(|task| (task.spec.name, task.spec.queue) = (name("build-b"), "gpu".to_owned())).await;
    world.run(3).await;
    world.add(|task| task.spec.labels = [label("x")].into()).await;
    let claim = world.claimed().await.attempt.assignment;
    world.start(claim).await;
    world.finish(claim, world.stopped(StopCause::Timeout)).await;
    let cancelled = world.add(|task| task.spec.priority = -5).await.id;
    world.cancel(&[cancelled], Some("by hand")).await;
    world.running_task().await;
    world.add(|task| (task.hold, task.spec.name) = (true, name("B[*]"))).await;
    world.add(|task| task.spec.run_at = Some(Timestamp(FIRST + 9_000_000))).await;
    world.add(|task| (task.spec.labels, task.spec.priority) = ([label("")].into(), 7)).await;
    world.add(|task| (task.spec.queue, task.spec.key) = ("gpu".to_owned(), name("k"))).await;
}

pub(crate) async fn lists_are_of_what_a_condition_holds_for(world: &World) {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Matches};
    fill(world).await;
    let label = || Field::Label("team".to_owned());
    let not = |term: Term| Term::Not(Box::new(term));
    let failed = || text(Field::State, Equal, "failed");
    for (term, expected) in [
        (failed(), &[2_u64][..]),
        (text(Field::State, Equal, "running"), &[5]),
        (not(Term::Any(vec![failed(), text(Field::State, Equal, "queued")])), &[1, 3, 4, 5, 6, 7]),
        (Term::All(vec![text(Field::Queue, Equal, "gpu"), not(failed())]), &[9]),
        (text(Field::Queue, Equal, "nowhere"), &[]),
        (text(Field::Name, Matches, "build-*"), &[1, 2]),
        (text(Field::Name, Equal, "B[*]"), &[6]),
        (not(text(Field::Name, Equal, "build-a")), &[2, 3, 4, 5, 6, 7, 8, 9]),
        (Term::Has(Field::Name), &[1, 2, 6]),
        (Term::Has(label()), &[3, 8]),
        (text(label(), Equal, ""), &[8]),
        (text(label(), Matches, "[a-z]"), &[3]),
        (number(Field::Priority, Less, 0), &[4]),
        (number(Field::ExitCode, Greater, 0), &[2]),
        (not(number(Field::ExitCode, Greater, 0)), &[1, 3, 4, 5, 6, 7, 8, 9]),
        (number(Field::Signal, Equal, 15), &[3]),
        (text(Field::ReasonCode, Equal, "timeout"), &[3]),
        (text(Field::Reason, Matches, "*by hand*"), &[4]),
        (number(Field::Duration, GreaterOrEqual, 1_000), &[5]),
        (number(Field::Duration, LessOrEqual, 999), &[1, 2, 3]),
        (number(Field::Due, Greater, FIRST), &[7]),
        (Term::Has(Field::Ended), &[1, 2, 3, 4]),
        (text(Field::Key, Equal, "k"), &[9]),
        (number(Field::Id, GreaterOrEqual, 8), &[8, 9]),
        (Term::All(Vec::new()), &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (Term::Any(Vec::new()), &[]),
    ] {
        let filter = those(world, term.clone());
        assert_eq!(world.list(filter.clone()).await, (expected.to_vec(), false), "{term:?}");
        let selected = world.store.select(filter).await.unwrap();
        assert_eq!(selected.into_iter().map(|id| id.get()).collect::<Vec<_>>(), expected, "{term:?}");
    }
    let last = |term| TaskFilter { limit: Some(1), ..those(world, term) };
    assert_eq!(world.list(last(Term::Has(Field::Name))).await, (vec![6], true));
    let recent = TaskFilter { recent: Some(1), ..those(world, Term::Has(Field::Started)) };
    assert_eq!(world.list(recent).await, (vec![3, 5], true), "of those that ended the last one");
}

pub(crate) async fn lists_come_in_the_order_that_was_asked_for(world: &World) {
    fill(world).await;
    let by = |by: Field, descending| {
        let sort = Sort { by, descending, at: Timestamp(world.now().0 + 1_000) };
        TaskFilter { sort: Some(sort), ..TaskFilter::default() }
    };
    let limited = |limit, filter| TaskFilter { limit: Some(limit), ..filter };
    let cut = |ids: &[u64]| (ids.to_vec(), true);
    assert_eq!(world.list(by(Field::Name, false)).await.0, [6, 1, 2, 3, 4, 5, 7, 8, 9]);
    assert_eq!(world.list(by(Field::Name, true)).await.0, [2, 1, 6, 9, 8, 7, 5, 4, 3], "what has none is last");
    assert_eq!(world.list(limited(2, by(Field::Priority, true))).await, cut(&[8, 9]));
    assert_eq!(world.list(limited(2, by(Field::Priority, false))).await, cut(&[4, 1]));
    assert_eq!(world.list(limited(2, by(Field::Ended, true))).await, cut(&[4, 3]));
    assert_eq!(world.list(limited(5, by(Field::Ended, false))).await, cut(&[1, 2, 3, 4, 5]));
    assert_eq!(world.list(limited(3, by(Field::State, false))).await, cut(&[7, 6, 8]));
    assert_eq!(world.list(limited(2, by(Field::State, true))).await, cut(&[4, 3]));
    assert_eq!(world.list(limited(1, by(Field::Duration, true))).await, cut(&[5]), "what runs lasts until now");
    assert_eq!(world.list(limited(2, by(Field::Id, true))).await, cut(&[9, 8]));
    let recent = TaskFilter { recent: Some(1), ..by(Field::Started, false) };
    assert_eq!(world.list(recent).await, cut(&[5, 4, 6, 7, 8, 9]), "of those that ended the last one");
    let queued = TaskFilter { states: vec![State::Queued, State::Held], ..by(Field::Created, true) };
    assert_eq!(world.list(limited(2, queued)).await, cut(&[9, 8]));
}

/// Any value that a field may be compared with: those that the tasks of [`fill`] have, and others.
fn value(field: &Field) -> BoxedStrategy<Value> {
    match field.kind() {
        Kind::State => {
            select(State::ALL.to_vec()).prop_map(|state| Value::Text(state.shown().as_str().to_owned())).boxed()
        }
        Kind::Text => {
            select(vec!["gpu", "default", "build-a", "build-*", "B[*]", "[^x]", "*", "x", "", "k", "timeout", "'"])
                .prop_map(|text| Value::Text(text.to_owned()))
                .boxed()
        }
        Kind::Number | Kind::Signal => (-6..16_i64).prop_map(Value::Number).boxed(),
        Kind::Instant => (0..60_i64).prop_map(|after| Value::Number(FIRST + after)).boxed(),
        Kind::Length => (0..40_i64).prop_map(Value::Number).boxed(),
    }
}

fn field() -> impl Strategy<Value = Field> {
    let label = select(vec!["team", "none"]).prop_map(|key: &str| Field::Label(key.to_owned()));
    prop_oneof![9 => select(Field::PLAIN.to_vec()), 1 => label]
}

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
    Comparison::Matches,
];

pub(crate) fn term() -> impl Strategy<Value = Term> {
    let test = field().prop_flat_map(|field| {
        let suits: Vec<Comparison> = COMPARISONS.into_iter().filter(|how| how.suits(field.kind())).collect();
        (select(suits), value(&field)).prop_map(move |(how, value)| test(field.clone(), how, value))
    });
    let leaf = prop_oneof![4 => test, 1 => field().prop_map(Term::Has)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            several().prop_map(Term::All),
            several().prop_map(Term::Any),
            inner.prop_map(|term| Term::Not(Box::new(term)))
        ]
    })
}

/// Any list that may be asked for by a condition, in any order.
pub(crate) fn filter() -> impl Strategy<Value = TaskFilter> {
    let at = (0..80_i64).prop_map(|after| Timestamp(FIRST + after));
    let condition = proptest::option::weighted(0.8, (at.clone(), term()));
    let sort = proptest::option::of((field(), any::<bool>(), at));
    let states = proptest::option::weighted(0.2, proptest::sample::subsequence(State::ALL.to_vec(), 1..4));
    let queue = proptest::option::weighted(0.2, select(vec!["default", "gpu"]));
    let few = || proptest::option::of(0_u32..6);
    (condition, sort, states, queue, few(), few(), any::<bool>()).prop_map(
        |(condition, sort, states, queue, recent, limit, oldest_first)| TaskFilter {
            condition: condition.map(|(at, term)| Condition { at, term }),
            oldest_first: oldest_first && sort.is_none() && recent.is_none(),
            sort: sort.map(|(by, descending, at)| Sort { by, descending, at }),
            states: states.unwrap_or_default(),
            queue: queue.map(str::to_owned),
            recent,
            limit,
            ..TaskFilter::default()
        },
    )
}
