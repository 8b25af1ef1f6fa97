//! The promises about schedules.

use std::time::Duration;

use uuid::Uuid;

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::query::{NoSuchSchedule, TaskFilter};
use crate::domain::queue::Queue;
use crate::domain::schedule::{Cron, Missed, NewSchedule, Overlap, Schedule, When};
use crate::domain::task::{Environment, State, Stdin, TaskSpec};
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::conformance::task::full_task;
use crate::store::conformance::world::{BY, World};
use crate::store::queue::{QueueRefused, SetQueue, SteerQueues};
use crate::store::schedule::{
    AddSchedule, Fire, Fired, PauseSchedules, RemoveSchedules, ResumeSchedules, RunSchedule, Which,
};
use crate::store::task::{Add, Edit, EditTask, Steer};

/// When the schedules here are due first.
pub(super) const FIRST: Timestamp = Timestamp(2_000_000_000_000);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn new_schedule(name: &str, overlap: Overlap) -> NewSchedule {
    NewSchedule {
        name: name.to_owned(),
        when: When::Every(HOUR),
        time_zone: "UTC".to_owned(),
        missed: Missed::Once,
        overlap,
        spec: TaskSpec::command(vec!["./backup.sh".into()], "/home/user/project".into()),
        env: Environment(vec![("NIGHT".into(), "1".into())]),
        paused: false,
    }
}

pub(crate) fn adding(schedule: NewSchedule, now: Timestamp) -> AddSchedule {
    AddSchedule { schedule, next_at: FIRST, by: BY, now }
}

pub(super) async fn added(world: &World, name: &str, overlap: Overlap) -> Schedule {
    world.store.add_schedule(adding(new_schedule(name, overlap), world.now())).await.unwrap()
}

pub(super) async fn schedule(world: &World, name: &str) -> Schedule {
    world.store.schedule(name.to_owned()).await.unwrap().expect("the schedule is there")
}

/// A fire of the next time of a schedule, after which the one an hour later is next.
pub(super) fn fire_of(world: &World, schedule: &Schedule) -> Fire {
    let cursor = schedule.next_at.unwrap();
    let uuid = TaskUuid(Uuid::from_u128(u128::from(world.now().0.unsigned_abs()) << 64));
    let (times, next) = (vec![(cursor, uuid)], Some(cursor + HOUR));
    let rule = (schedule.when.clone(), schedule.time_zone.clone());
    Fire { schedule: Which::of(schedule), cursor, rule, times, left_out: None, next }
}

pub(super) async fn fire(world: &World, name: &str) -> Fired {
    let fire = fire_of(world, &schedule(world, name).await);
    let now = fire.cursor;
    world.store.fire(vec![fire], now).await.unwrap().pop().unwrap()
}

async fn last_changes(world: &World, n: usize) -> Vec<(ChangeKind, Option<String>)> {
    let mut changes = world.changes().await;
    let last = changes.split_off(changes.len() - n);
    last.into_iter().map(|change| (change.kind, change.reason)).collect()
}

pub(crate) async fn an_added_schedule_is_there_as_it_was_given(world: &World) {
    let full = full_task(TaskUuid(Uuid::from_u128(1)));
    let spec = TaskSpec { run_at: None, after: Vec::new(), after_any: Vec::new(), ..full.spec };
    let whens = [When::Cron(Cron::parse("*/5 2 * * mon").unwrap()), When::Every(HOUR), When::At(FIRST)];
    for ((name, when), missed) in ["a", "b", "c"].into_iter().zip(whens).zip(Missed::ALL) {
        let overlap = if missed == Missed::All { Overlap::CancelRunning } else { Overlap::Queue };
        let (spec, env, time_zone) = (spec.clone(), full.env.clone(), "Europe/Vienna".to_owned());
        let new = NewSchedule { name: name.to_owned(), when, time_zone, missed, overlap, spec, env, paused: false };
        let now = world.now();
        let known = world.store.add_schedule(adding(new.clone(), now)).await.unwrap();
        let expected = Schedule {
            name: new.name,
            when: new.when,
            time_zone: new.time_zone,
            missed: new.missed,
            overlap: new.overlap,
            spec: new.spec,
            env_names: new.env.names().into(),
            pause: None,
            next_at: Some(FIRST),
            last_at: None,
            last_task: None,
            newest_task: None,
            created_at: now,
        };
        assert_eq!(known, expected);
        assert_eq!(schedule(world, name).await, expected);
    }
    let names: Vec<String> = world.store.schedules().await.unwrap().into_iter().map(|known| known.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(world.store.schedule("d".to_owned()).await.unwrap(), None);
    let change = world.changes().await.pop().unwrap();
    let what = (change.kind, change.schedule.as_deref(), change.task, change.queue, change.by);
    assert_eq!(what, (ChangeKind::ScheduleAdded, Some("c"), None, None, BY));
}

pub(crate) async fn a_name_in_use_and_an_unknown_queue_are_refused(world: &World) {
    let first = added(world, "a", Overlap::Skip).await;
    let changes = world.changes().await.len();
    let again = world.store.add_schedule(adding(new_schedule("a", Overlap::Queue), world.now())).await;
    assert!(matches!(again, Err(Error::ScheduleExists(name)) if name == "a"));
    let mut nowhere = new_schedule("b", Overlap::Skip);
    nowhere.spec.queue = "nowhere".to_owned();
    let nowhere = world.store.add_schedule(adding(nowhere, world.now())).await;
    assert!(matches!(nowhere, Err(Error::NoSuchQueue(name)) if name == "nowhere"));
    assert_eq!(world.store.schedules().await.unwrap(), [first]);
    assert_eq!(world.changes().await.len(), changes);
}

pub(crate) async fn a_fire_adds_a_task_and_moves_the_cursor(world: &World) {
    let before = added(world, "a", Overlap::Skip).await;
    let fired = fire(world, "a").await;
    let [id] = fired.tasks[..] else { panic!("{fired:?}") };
    let task = world.task(id).await;
    assert_eq!((task.state, task.schedule.as_deref()), (State::Queued, Some("a")));
    assert_eq!((&task.spec, &task.env_names), (&before.spec, &before.env_names));
    let env = world.store.environment(id).await.unwrap().unwrap();
    assert_eq!(env, new_schedule("a", Overlap::Skip).env);
    let change = world.changes().await.pop().unwrap();
    assert_eq!((change.kind, change.by), (ChangeKind::Added, Actor::Schedule("a".to_owned())));
    let after = schedule(world, "a").await;
    assert_eq!((after.next_at, after.last_at, after.last_task), (Some(FIRST + HOUR), Some(FIRST), Some(id)));
    assert_eq!((after.newest_task, after.latest_task()), (Some(id), Some(id)));
    assert_eq!(world.claimed().await.task.schedule.as_deref(), Some("a"));
    let of = |name: &str| TaskFilter { schedule: Some(name.to_owned()), ..TaskFilter::default() };
    world.queued_task().await;
    assert_eq!(world.list(of("a")).await, (vec![id.get()], false));
    assert_eq!(world.list(of("b")).await, (vec![], false));
}

pub(crate) async fn a_time_fires_once_however_often_it_is_tried(world: &World) {
    let schedule = added(world, "a", Overlap::Queue).await;
    let once = fire_of(world, &schedule);
    let other = fire_of(world, &schedule);
    let fired = world.store.fire(vec![once.clone(), other.clone()], FIRST).await.unwrap();
    assert_eq!((fired[0].tasks.len(), &fired[1]), (1, &Fired::default()));
    for late in [once, other] {
        assert_eq!(world.store.fire(vec![late], FIRST).await.unwrap(), [Fired::default()]);
    }
    assert_eq!(world.store.counts().await.unwrap().by_state[&State::Queued], 1);
}

pub(crate) async fn another_schedule_of_the_name_does_not_fire_for_the_first(world: &World) {
    let first = added(world, "a", Overlap::Queue).await;
    let late = fire_of(world, &first);
    let remove = RemoveSchedules { names: vec!["a".to_owned()], by: BY, now: world.now() };
    world.store.remove_schedules(remove).await.unwrap();
    assert_eq!(world.store.fire(vec![late.clone()], FIRST).await.unwrap(), [Fired::default()]);
    let second = added(world, "a", Overlap::Queue).await;
    assert_eq!(world.store.fire(vec![late], FIRST).await.unwrap(), [Fired::default()]);
    let resume = ResumeSchedules { schedules: vec![(Which::of(&first), None)], by: BY, now: world.now() };
    let answers = world.store.resume_schedules(resume).await.unwrap();
    assert_eq!(answers, [("a".to_owned(), Err(NoSuchSchedule))]);
    assert_eq!(schedule(world, "a").await, second);
}

pub(crate) async fn what_is_due_is_told_with_the_time_of_the_next(world: &World) {
    assert_eq!(world.store.due(FIRST).await.unwrap().schedule, None);
    added(world, "b", Overlap::Skip).await;
    added(world, "a", Overlap::Skip).await;
    let later =
        AddSchedule { next_at: Timestamp(FIRST.0 - 1), ..adding(new_schedule("c", Overlap::Skip), world.now()) };
    world.store.add_schedule(later).await.unwrap();
    let early = Timestamp(FIRST.0 - 2);
    let due = world.store.due(early).await.unwrap();
    assert_eq!((due.woken, due.next, due.schedule), (0, None, Some(Timestamp(FIRST.0 - 1))));
    let names = async |now, limit| {
        let due = world.store.due_schedules(now, limit).await.unwrap();
        due.into_iter().map(|schedule| schedule.name).collect::<Vec<_>>()
    };
    assert_eq!(names(early, 9).await, [] as [&str; 0]);
    assert_eq!(names(FIRST, 9).await, ["c", "a", "b"]);
    assert_eq!(names(FIRST, 2).await, ["c", "a"]);
    for name in ["a", "b", "c"] {
        fire(world, name).await;
    }
    assert_eq!(names(FIRST, 9).await, [] as [&str; 0]);
}

pub(crate) async fn a_task_that_has_not_ended_stands_in_the_way(world: &World) {
    added(world, "a", Overlap::Skip).await;
    let [first] = fire(world, "a").await.tasks[..] else { panic!("nothing fired") };
    assert_eq!(fire(world, "a").await, Fired::default());
    let reason = Some(format!("task {first} has not ended"));
    assert_eq!(last_changes(world, 1).await, [(ChangeKind::ScheduleSkipped, reason)]);
    let stands = schedule(world, "a").await;
    assert_eq!((stands.next_at, stands.last_at), (Some(FIRST + 2 * HOUR), Some(FIRST)), "the cursor moves on");
    world.run(1).await;
    assert_eq!(fire(world, "a").await.tasks.len(), 1, "however it ended");
}

pub(crate) async fn tasks_queue_up_where_that_is_wanted(world: &World) {
    added(world, "a", Overlap::Queue).await;
    for n in 1..4 {
        fire(world, "a").await;
        assert_eq!(world.store.counts().await.unwrap().by_state[&State::Queued], n);
    }
}

pub(crate) async fn what_has_not_ended_is_cancelled_and_waited_for(world: &World) {
    added(world, "a", Overlap::CancelRunning).await;
    let [running] = fire(world, "a").await.tasks[..] else { panic!("nothing fired") };
    let claim = world.claimed().await.attempt.assignment;
    world.start(claim).await;
    let run = RunSchedule {
        name: "a".to_owned(),
        uuid: TaskUuid(Uuid::from_u128(7)),
        by: BY,
        now: world.now(),
        untrusted: false,
    };
    let waiting = world.store.run_schedule(run).await.unwrap().task.id;
    let other = world.queued_task().await;
    let fired = fire(world, "a").await;
    assert_eq!(fired.stops, [claim]);
    let [next] = fired.tasks[..] else { panic!("{fired:?}") };
    assert_eq!((world.state(waiting).await, world.state(other).await), (State::Cancelled, State::Queued));
    let task = world.task(running).await;
    assert!(task.cancel_requested_at.is_some());
    let task = world.task(next).await;
    assert_eq!((task.state, &task.spec.after_any), (State::Blocked, &vec![running]));
    world.finish(claim, world.stopped(crate::domain::outcome::StopCause::Cancel)).await;
    assert_eq!((world.state(running).await, world.state(next).await), (State::Cancelled, State::Queued));
    let reasons: Vec<_> = world.changes().await.into_iter().filter_map(|change| change.reason).collect();
    assert!(reasons.contains(&"schedule a is due again".to_owned()), "{reasons:?}");
}

pub(crate) async fn several_times_fire_together_and_do_not_stand_in_their_own_way(world: &World) {
    let known = added(world, "a", Overlap::Skip).await;
    let one = fire_of(world, &known);
    let uuid = |n: u128| TaskUuid(Uuid::from_u128(n << 80));
    let times = vec![(FIRST + HOUR, uuid(1)), (FIRST + 2 * HOUR, uuid(2))];
    let left_out = Some((FIRST, FIRST));
    let all = Fire { times, left_out, next: Some(FIRST + 3 * HOUR), ..one };
    let fired = world.store.fire(vec![all], FIRST + 2 * HOUR).await.unwrap().pop().unwrap();
    assert_eq!(fired.tasks.len(), 2);
    let stands = schedule(world, "a").await;
    assert_eq!((stands.last_at, stands.last_task), (Some(FIRST + 2 * HOUR), fired.tasks.last().copied()));
    let reason = Some("its time was missed: 2033-05-18T03:33:20Z".to_owned());
    assert_eq!(last_changes(world, 3).await[0], (ChangeKind::ScheduleSkipped, reason));
}

pub(crate) async fn a_schedule_that_is_never_due_again_stays(world: &World) {
    let known = added(world, "a", Overlap::Skip).await;
    let last = Fire { next: None, ..fire_of(world, &known) };
    world.store.fire(vec![last], FIRST).await.unwrap();
    let stands = schedule(world, "a").await;
    assert_eq!((stands.next_at, stands.last_at, stands.pause), (None, Some(FIRST), None));
    assert_eq!(world.store.due(FIRST + HOUR).await.unwrap().schedule, None);
}

pub(crate) async fn a_key_in_use_adds_nothing(world: &World) {
    let mut new = new_schedule("a", Overlap::Queue);
    new.spec.key = Some("main".to_owned());
    world.store.add_schedule(adding(new, world.now())).await.unwrap();
    let id = world.add(|task| task.spec.key = Some("main".to_owned())).await.id;
    assert_eq!(fire(world, "a").await, Fired::default());
    let reason = Some(format!("task {id} has not ended"));
    assert_eq!(last_changes(world, 1).await, [(ChangeKind::ScheduleSkipped, reason)]);
    world.run(0).await;
    assert_eq!(fire(world, "a").await.tasks.len(), 1);
}

pub(crate) async fn a_task_can_be_added_at_once(world: &World) {
    let known = added(world, "a", Overlap::Skip).await;
    let now = world.now();
    let run = |uuid: u128, untrusted| RunSchedule {
        name: "a".to_owned(),
        uuid: TaskUuid(Uuid::from_u128(uuid << 64)),
        by: BY,
        now,
        untrusted,
    };
    let first = world.store.run_schedule(run(1, false)).await.unwrap();
    let again = world.store.run_schedule(run(1, false)).await.unwrap();
    assert_eq!((first.created, again.created, first.task.id), (true, false, again.task.id));
    assert_eq!((first.task.state, first.task.schedule.as_deref()), (State::Queued, Some("a")));
    assert_eq!(world.changes().await.pop().unwrap().by, BY);
    let held = world.store.run_schedule(run(2, true)).await.unwrap();
    assert_eq!(held.task.state, State::Held);
    let newest_task = Some(held.task.id);
    assert_eq!(schedule(world, "a").await, Schedule { newest_task, ..known }, "its times stay as they are");
    remove(world, "a").await;
    let again = added(world, "a", Overlap::Skip).await;
    assert_eq!(again.newest_task, None, "those of an earlier one are none of its own");
    let unknown = RunSchedule { name: "b".to_owned(), ..run(3, false) };
    assert!(matches!(world.store.run_schedule(unknown).await, Err(Error::NoSuchSchedule(name)) if name == "b"));
}

pub(crate) async fn a_paused_schedule_is_not_due_until_it_is_resumed(world: &World) {
    let known = added(world, "a", Overlap::Skip).await;
    let late = fire_of(world, &known);
    let pause = async |name: &str, reason: Option<&str>| {
        let (names, reason) = (vec![name.to_owned()], reason.map(str::to_owned));
        world.store.pause_schedules(PauseSchedules { names, reason, by: BY, now: world.now() }).await.unwrap()
    };
    assert_eq!(pause("b", None).await, [("b".to_owned(), Err(NoSuchSchedule))]);
    assert_eq!(pause("a", Some("no such zone")).await, [("a".to_owned(), Ok(()))]);
    let reason = Some("no such zone".to_owned());
    assert_eq!(last_changes(world, 1).await, [(ChangeKind::SchedulePaused, reason.clone())]);
    let changes = world.changes().await.len();
    assert_eq!(pause("a", None).await, [("a".to_owned(), Ok(()))]);
    assert_eq!(world.changes().await.len(), changes, "it is paused already");
    let stands = schedule(world, "a").await;
    assert_eq!((stands.next_at, stands.pause.unwrap().reason), (None, reason));
    assert_eq!(world.store.due(FIRST + HOUR).await.unwrap().schedule, None);
    assert_eq!(world.store.due_schedules(FIRST + HOUR, 9).await.unwrap(), []);
    assert_eq!(world.store.fire(vec![late], FIRST).await.unwrap(), [Fired::default()]);
    let next = FIRST + 5 * HOUR;
    let resume = async |next| {
        let schedules = vec![(Which::of(&known), Some(next))];
        world.store.resume_schedules(ResumeSchedules { schedules, by: BY, now: world.now() }).await.unwrap()
    };
    assert_eq!(resume(next).await, [("a".to_owned(), Ok(()))]);
    assert_eq!(last_changes(world, 1).await, [(ChangeKind::ScheduleResumed, None)]);
    assert_eq!(schedule(world, "a").await, Schedule { next_at: Some(next), ..known.clone() });
    assert_eq!(resume(next + HOUR).await, [("a".to_owned(), Ok(()))]);
    assert_eq!(schedule(world, "a").await.next_at, Some(next), "it was not paused");
}

pub(crate) async fn a_removed_schedule_leaves_its_tasks(world: &World) {
    added(world, "a", Overlap::Skip).await;
    let [id] = fire(world, "a").await.tasks[..] else { panic!("nothing fired") };
    let remove = async |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        world.store.remove_schedules(RemoveSchedules { names, by: BY, now: world.now() }).await.unwrap()
    };
    let answers = remove(&["a", "b"]).await;
    assert_eq!(answers, [("a".to_owned(), Ok(())), ("b".to_owned(), Err(NoSuchSchedule))]);
    assert_eq!(world.store.schedules().await.unwrap(), []);
    let change = world.changes().await.pop().unwrap();
    assert_eq!((change.kind, change.schedule.as_deref()), (ChangeKind::ScheduleRemoved, Some("a")));
    assert_eq!(world.store.due(FIRST + 2 * HOUR).await.unwrap().schedule, None);
    assert_eq!(world.task(id).await.schedule.as_deref(), Some("a"));
    assert!(world.store.environment(id).await.unwrap().is_some());
    assert_eq!(world.run(0).await.state, State::Succeeded);
}

pub(crate) async fn tasks_of_an_earlier_one_of_the_name_stand_in_nobodys_way(world: &World) {
    for overlap in [Overlap::Skip, Overlap::CancelRunning] {
        added(world, "nightly", overlap).await;
        let first = fire(world, "nightly").await.tasks;
        assert_eq!(first.len(), 1);
        remove(world, "nightly").await;
        added(world, "nightly", overlap).await;
        assert_eq!(fire(world, "nightly").await.tasks.len(), 1, "{overlap:?}");
        assert_eq!(world.state(first[0]).await, State::Queued, "{overlap:?}");
        remove(world, "nightly").await;
    }
}

pub(crate) async fn a_schedule_can_be_added_paused(world: &World) {
    let new = NewSchedule { paused: true, ..new_schedule("nightly", Overlap::Skip) };
    let now = world.now();
    let added = world.store.add_schedule(adding(new, now)).await.unwrap();
    assert_eq!((added.next_at, added.pause.as_ref().map(|pause| pause.at)), (None, Some(now)));
    assert_eq!(world.store.due(Timestamp(i64::MAX)).await.unwrap().schedule, None);
    let schedules = vec![(Which::of(&added), Some(FIRST))];
    world.store.resume_schedules(ResumeSchedules { schedules, by: BY, now: world.now() }).await.unwrap();
    assert_eq!(schedule(world, "nightly").await.next_at, Some(FIRST));
}

pub(super) async fn remove(world: &World, name: &str) {
    let names = vec![name.to_owned()];
    let removed = world.store.remove_schedules(RemoveSchedules { names, by: BY, now: world.now() }).await.unwrap();
    assert_eq!(removed[0].1, Ok(()));
}

pub(crate) async fn what_a_schedule_needs_is_kept_for_it(world: &World) {
    let upload = Uuid::from_u128(5);
    let mut new = new_schedule("a", Overlap::Skip);
    new.spec.stdin = Stdin::Upload(upload);
    world.store.add_schedule(adding(new, world.now())).await.unwrap();
    assert!(world.store.uploads().await.unwrap().contains(&upload));
    // The only task that has its environment goes; the next one has it all the same.
    let [id] = fire(world, "a").await.tasks[..] else { panic!("nothing fired") };
    world.run(0).await;
    let removed = world.store.remove(Steer { ids: vec![id], only: None, by: BY, now: world.now() }).await.unwrap();
    assert_eq!(removed, [(id, Ok(()))]);
    let [next] = fire(world, "a").await.tasks[..] else { panic!("nothing fired") };
    let env = world.store.environment(next).await.unwrap();
    assert_eq!(env, Some(new_schedule("a", Overlap::Skip).env));
    // And so it has if the only other task is given another one.
    let base = world.task(next).await.spec;
    let set_env = Environment(vec![("NIGHT".into(), "2".into())]);
    let edit = Edit { id: next, spec: base.clone(), base, set_env: set_env.clone(), unset_env: Vec::new() };
    world.store.edit(EditTask { edit, by: BY, now: world.now() }).await.unwrap().unwrap();
    assert_eq!(world.store.environment(next).await.unwrap(), Some(set_env));
    world.run(0).await;
    let [last] = fire(world, "a").await.tasks[..] else { panic!("nothing fired") };
    assert_eq!(world.store.environment(last).await.unwrap(), Some(new_schedule("a", Overlap::Skip).env));
}

pub(crate) async fn a_queue_that_a_schedule_adds_to_is_not_removed(world: &World) {
    let set = SetQueue { name: "gpu".to_owned(), slots: 1, by: BY, now: world.now() };
    world.store.add_queue(set).await.unwrap();
    let mut new = new_schedule("a", Overlap::Skip);
    new.spec.queue = "gpu".to_owned();
    world.store.add_schedule(adding(new, world.now())).await.unwrap();
    let remove = async || {
        let steer = SteerQueues { names: vec!["gpu".to_owned()], by: BY, now: world.now() };
        world.store.remove_queues(steer).await.unwrap().remove(0).1
    };
    assert_eq!(remove().await, Err(QueueRefused::Scheduled("a".to_owned())));
    let names = vec!["a".to_owned()];
    world.store.remove_schedules(RemoveSchedules { names, by: BY, now: world.now() }).await.unwrap();
    assert_eq!(remove().await, Ok(()));
    let queues: Vec<Queue> = world.store.queues().await.unwrap();
    assert_eq!(queues.len(), 1);
}

pub(crate) async fn tasks_of_no_schedule_are_of_none(world: &World) {
    let add = Add { task: world.new_task(), by: BY, now: world.now(), untrusted: false };
    assert_eq!(world.store.add(add).await.unwrap().task.schedule, None);
    assert_eq!(world.task(TaskId::new(1).unwrap()).await.schedule, None);
}
