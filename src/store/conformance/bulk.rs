//! The promises about many tasks that are added together.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::change::ChangeKind;
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::outcome::ReasonCode;
use crate::domain::query::AddedMany;
use crate::domain::queue::POSITION_STEP;
use crate::domain::task::{BulkTask, Environment, State, TaskSpec};
use crate::store::Error;
use crate::store::conformance::world::{BY, World};
use crate::store::task::{AddMany, TaskFilter};

fn task(line: u64) -> BulkTask {
    BulkTask {
        line,
        spec: TaskSpec::command(vec!["cargo".into(), line.to_string().into()], "/home/user/project".into()),
        env: Environment::default(),
        hold: false,
        after_places: Vec::new(),
        after_any_places: Vec::new(),
    }
}

fn many(world: &World, tasks: &[BulkTask]) -> AddMany {
    let tasks = tasks.to_vec();
    AddMany {
        uuid: TaskUuid(Uuid::from_u128(u128::from(world.now().0.unsigned_abs()) << 64)),
        env: Environment(vec![("PATH".into(), "/bin".into()), ("HOME".into(), "/home".into())]),
        parent: TaskId::new(77),
        tasks: Arc::new(move || Box::new(tasks.clone().into_iter().map(Ok))),
        by: BY,
        now: world.now(),
        untrusted: false,
    }
}

fn runs(added: &AddedMany) -> Vec<(u64, u64, u64, bool)> {
    added.runs.iter().map(|run| (run.place, run.first.get(), run.count, run.created)).collect()
}

async fn add(world: &World, tasks: &[BulkTask]) -> AddedMany {
    world.store.add_many(many(world, tasks)).await.unwrap()
}

pub(crate) async fn many_tasks_are_added_as_each_would_be(world: &World) {
    world.queued_task().await;
    let mut tasks: Vec<BulkTask> = (1..=5).map(task).collect();
    tasks[1].hold = true;
    tasks[2].spec.labels = [("team".to_owned(), "core".to_owned())].into();
    tasks[2].env = Environment(vec![("HOME".into(), "/other".into()), ("A".into(), "1".into())]);
    tasks[3].after_places = vec![0];
    tasks[3].spec.after = vec![TaskId::new(1).unwrap()];
    tasks[4].spec.priority = 9;
    let many = many(world, &tasks);
    let (uuid, now) = (many.uuid, many.now);
    let added = world.store.add_many(many).await.unwrap();
    assert_eq!((runs(&added), added.untrusted), (vec![(0, 2, 5, true)], false));

    let states = [State::Queued, State::Held, State::Queued, State::Blocked, State::Queued];
    for (place, (expected, state)) in (0_u32..).zip(tasks.iter().zip(states)) {
        let id = TaskId::new(u64::from(place) + 2).unwrap();
        let single = world.add(|new| new.hold = true).await;
        let task = world.task(id).await;
        assert_eq!((task.state, task.uuid, task.parent), (state, uuid.at(place), TaskId::new(77)));
        assert_eq!((task.created_at, task.updated_at), (now, now));
        assert_eq!(
            task.position - single.position,
            task.id.as_i64().saturating_sub(single.id.as_i64()) * POSITION_STEP
        );
        let mut spec = expected.spec.clone();
        spec.after.extend(expected.after_places.iter().map(|_| TaskId::new(2).unwrap()));
        assert_eq!(task.spec, spec);
    }
    let env = |id| world.store.environment(TaskId::new(id).unwrap());
    let (first, third) = (env(2).await.unwrap().unwrap(), env(4).await.unwrap().unwrap());
    assert_eq!(first, Environment(vec![("PATH".into(), "/bin".into()), ("HOME".into(), "/home".into())]));
    let pairs = [("PATH", "/bin"), ("HOME", "/other"), ("A", "1")];
    assert_eq!(third, Environment(pairs.map(|(name, value)| (name.into(), value.into())).to_vec()));
    assert_eq!(world.task(TaskId::new(4).unwrap()).await.env_names[..], ["PATH", "HOME", "A"]);

    let claimed: Vec<u64> = world.claim(9).await.iter().map(|claimed| claimed.task.id.get()).collect();
    assert_eq!(claimed, [6, 1, 2, 4]);
}

pub(crate) async fn many_tasks_are_counted_and_told_as_each_would_be(world: &World) {
    let failed = world.queued_task().await;
    world.run(1).await;
    let before = world.changes().await.len();
    let mut tasks: Vec<BulkTask> = (1..=3).map(task).collect();
    tasks[0].hold = true;
    tasks[1].spec.after = vec![failed];
    tasks[2].after_places = vec![1];
    let watch = world.store.watch();
    add(world, &tasks).await;

    let counts = world.store.counts().await.unwrap();
    assert_eq!((counts.of(State::Held), counts.of(State::Skipped), counts.of(State::Failed)), (1, 2, 1));
    assert_eq!((counts.processed, counts.succeeded, counts.failed), (3, 0, 1));
    let by_queue = world.store.queue_counts().await.unwrap();
    assert_eq!(by_queue.iter().map(|(_, _, n)| n).sum::<u64>(), 4);
    let changes = world.changes().await;
    let told: Vec<_> = changes[before..]
        .iter()
        .map(|change| (change.kind, change.task.unwrap().get(), change.from, change.to, change.reason.as_deref()))
        .collect();
    let added = ChangeKind::Added;
    let expected = [
        (added, 2, None, Some(State::Held), None),
        (added, 3, None, Some(State::Skipped), Some("task 1 failed")),
        (added, 4, None, Some(State::Skipped), Some("task 3 was skipped")),
    ];
    assert_eq!(told, expected);
    assert!(changes.iter().all(|change| change.by == BY || change.task == Some(failed)));
    assert_eq!(*watch.borrow(), changes.last().unwrap().seq);
    // Single adds are counted as ever.
    world.queued_task().await;
    assert_eq!(world.store.counts().await.unwrap().of(State::Queued), 1);
}

pub(crate) async fn of_many_tasks_all_are_added_or_none(world: &World) {
    let unknown = |line: u64, change: fn(&mut TaskSpec)| {
        let mut tasks: Vec<BulkTask> = (1..=9).map(|n| task(n * 2)).collect();
        let wrong = tasks.iter_mut().find(|task| task.line == line).unwrap();
        change(&mut wrong.spec);
        tasks
    };
    let queue = unknown(8, |spec| spec.queue = "gpu".to_owned());
    let error = world.store.add_many(many(world, &queue)).await.unwrap_err();
    assert_eq!(error.to_string(), "line 8: no queue `gpu`");
    let other = unknown(18, |spec| spec.after_any = vec![TaskId::new(99).unwrap()]);
    let error = world.store.add_many(many(world, &other)).await.unwrap_err();
    assert_eq!(error.to_string(), "line 18: no task `99` to depend on");
    let mut broken = many(world, &[]);
    broken.tasks = Arc::new(|| {
        let torn = || Err(io::Error::other("torn"));
        Box::new((1..=5).map(task).map(Ok).chain(std::iter::once_with(torn)))
    });
    let error = world.store.add_many(broken).await.unwrap_err();
    assert!(matches!(error, Error::Source(_)), "{error:?}");

    assert_eq!(world.list(TaskFilter::default()).await.0, Vec::<u64>::new());
    assert_eq!(world.changes().await, []);
    assert_eq!(world.store.counts().await.unwrap().sum(|_| true), 0);
    assert_eq!(world.queued_task().await.get(), 1, "a refused add uses no number");
    assert_eq!(world.store.counts().await.unwrap().of(State::Queued), 1);
}

pub(crate) async fn many_tasks_that_are_added_twice_are_there_once(world: &World) {
    let tasks: Vec<BulkTask> = (1..=3).map(task).collect();
    let many = many(world, &tasks);
    let first = world.store.add_many(many.clone()).await.unwrap();
    world.queued_task().await;
    world.run(0).await;
    let changes = world.changes().await.len();
    // What they were read from may be gone by then.
    let again = AddMany { tasks: Arc::new(|| Box::new(std::iter::empty())), ..many };
    let second = world.store.add_many(again).await.unwrap();
    assert_eq!((runs(&first), &first), (vec![(0, 1, 3, true)], &second));
    assert_eq!(world.list(TaskFilter::default()).await.0, [1, 2, 3, 4]);
    assert_eq!(world.changes().await.len(), changes);
    assert_eq!(runs(&add(world, &[]).await), [], "nothing is nothing");
}

pub(crate) async fn one_of_many_tasks_whose_key_is_taken_is_the_one_that_has_it(world: &World) {
    let keyed = |line: u64, key: &str| {
        let mut task = task(line);
        task.spec.key = Some(key.to_owned());
        task
    };
    let mut new = world.new_task();
    new.spec.key = Some("a".to_owned());
    world.added(new).await;
    let mut last = task(5);
    last.after_places = vec![0, 2];
    // Nothing is asked of what is not added.
    let mut nowhere = keyed(4, "b");
    nowhere.spec.queue = "gpu".to_owned();
    let added = add(world, &[keyed(1, "a"), task(2), keyed(3, "b"), nowhere, last]).await;
    assert_eq!(runs(&added), [(0, 1, 1, false), (1, 2, 2, true), (3, 3, 1, false), (4, 4, 1, true)]);
    let after: Vec<u64> = world.task(TaskId::new(4).unwrap()).await.spec.after.iter().map(|id| id.get()).collect();
    assert_eq!(after, [1, 3]);
}

pub(crate) async fn many_tasks_of_an_untrusted_project_are_held(world: &World) {
    let many = AddMany { untrusted: true, ..many(world, &[task(1), task(2)]) };
    assert!(world.store.add_many(many).await.unwrap().untrusted);
    for id in [1, 2] {
        let task = world.task(TaskId::new(id).unwrap()).await;
        assert_eq!((task.state, task.reason_code), (State::Held, Some(ReasonCode::Untrusted)));
        assert!(task.reason.is_some());
    }
    let counts = world.store.counts().await.unwrap();
    assert_eq!((counts.of(State::Held), counts.of(State::Queued)), (2, 0));
    assert_eq!(world.store.trust(world.now()).await.unwrap(), 2);
    assert_eq!(world.claim(9).await.len(), 2);
}
