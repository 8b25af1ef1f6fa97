//! The promises about changing a schedule that is there.

use std::path::PathBuf;

use uuid::Uuid;

use crate::domain::change::ChangeKind;
use crate::domain::id::TaskUuid;
use crate::domain::schedule::{Cron, Missed, Overlap, Schedule, Terms, When};
use crate::domain::task::{Environment, TaskSpec};
use crate::store::Error;
use crate::store::conformance::schedule::{FIRST, HOUR, added, fire, fire_of, remove, schedule};
use crate::store::conformance::task::full_task;
use crate::store::conformance::world::{BY, World};
use crate::store::queue::SetQueue;
use crate::store::schedule::{EditSchedule, Fired, NextByEdit, PauseSchedules, ScheduleEdit, ScheduleNotEdited};

/// An edit of a schedule that changes nothing yet.
pub(crate) fn edit_of(schedule: &Schedule) -> ScheduleEdit {
    let (name, created_at, terms) = (schedule.name.clone(), schedule.created_at, Terms::of(schedule));
    let (base, set_env) = (terms.clone(), Environment::default());
    ScheduleEdit { name, created_at, base, terms, set_env, unset_env: Vec::new() }
}

async fn edit(
    world: &World,
    name: &str,
    next: Option<NextByEdit>,
    change: impl FnOnce(&mut ScheduleEdit),
) -> Result<Result<Schedule, ScheduleNotEdited>, Error> {
    let mut edit = edit_of(&schedule(world, name).await);
    change(&mut edit);
    world.store.edit_schedule(EditSchedule { edit, next, by: BY, now: world.now() }).await
}

pub(crate) async fn all_of_a_schedule_but_its_name_can_be_changed(world: &World) {
    let before = added(world, "a", Overlap::Skip).await;
    let [first] = fire(world, "a").await.tasks[..] else { panic!("nothing fired") };
    let spec_before = world.task(first).await.spec;
    world.store.add_queue(SetQueue { name: "gpu".to_owned(), slots: 1, by: BY, now: world.now() }).await.unwrap();
    let full = full_task(TaskUuid(Uuid::from_u128(1))).spec;
    let spec = TaskSpec { run_at: None, after: vec![], after_any: vec![], queue: "gpu".to_owned(), ..full };
    for (n, when) in
        [When::At(FIRST), When::Every(HOUR * 2), When::Cron(Cron::parse("@daily").unwrap())].iter().enumerate()
    {
        let cursor = schedule(world, "a").await.next_at;
        let at = FIRST + HOUR * (9 + u32::try_from(n).unwrap());
        let terms = Terms {
            when: when.clone(),
            time_zone: "Asia/Tokyo".to_owned(),
            missed: Missed::All,
            overlap: Overlap::Queue,
            spec: spec.clone(),
        };
        let told = edit(world, "a", Some(NextByEdit { cursor, at }), |edit| edit.terms = terms.clone()).await;
        let told = told.unwrap().unwrap();
        let stands = schedule(world, "a").await;
        assert_eq!((&stands, Terms::of(&stands)), (&told, terms));
        assert_eq!((stands.next_at, stands.created_at), (Some(at), before.created_at));
        assert_eq!((stands.last_at, stands.last_task), (Some(FIRST), Some(first)), "what has fired has fired");
        let change = world.changes().await.pop().unwrap();
        let what = (change.kind, change.schedule.as_deref(), change.task, change.by);
        assert_eq!(what, (ChangeKind::ScheduleEdited, Some("a"), None, BY));
    }
    assert_eq!(world.task(first).await.spec, spec_before, "what was added stays what it was");
    let [next] = fire(world, "a").await.tasks[..] else { panic!("nothing fired") };
    assert_eq!(world.task(next).await.spec, spec);
}

pub(crate) async fn a_schedule_is_due_anew_only_by_other_times(world: &World) {
    let known = added(world, "a", Overlap::Skip).await;
    let kept = edit(world, "a", None, |edit| edit.terms.spec.priority = 7).await.unwrap().unwrap();
    assert_eq!(kept.next_at, known.next_at);
    let hourly = |edit: &mut ScheduleEdit| edit.terms.when = When::Every(HOUR * 3);
    let at = FIRST + HOUR * 3;
    let late = edit(world, "a", Some(NextByEdit { cursor: Some(FIRST + HOUR), at }), hourly).await.unwrap();
    assert_eq!(late, Err(ScheduleNotEdited::Moved));
    assert_eq!(schedule(world, "a").await, kept, "nothing is changed");
    let old = fire_of(world, &kept);
    let next = NextByEdit { cursor: Some(FIRST), at: FIRST };
    edit(world, "a", Some(next), hourly).await.unwrap().unwrap();
    let fired = world.store.fire(vec![old], FIRST).await.unwrap();
    assert_eq!(fired, [Fired::default()], "what comes after it was worked out by the times it had");
    assert_eq!(fire(world, "a").await.tasks.len(), 1);
}

pub(crate) async fn a_paused_schedule_that_is_changed_stays_paused(world: &World) {
    added(world, "a", Overlap::Skip).await;
    let (names, reason) = (vec!["a".to_owned()], Some("no such zone".to_owned()));
    world.store.pause_schedules(PauseSchedules { names, reason, by: BY, now: world.now() }).await.unwrap();
    let before = schedule(world, "a").await;
    let next = NextByEdit { cursor: None, at: FIRST };
    let told = edit(world, "a", Some(next), |edit| edit.terms.time_zone = "Europe/Vienna".to_owned()).await;
    let expected = Schedule { time_zone: "Europe/Vienna".to_owned(), ..before };
    assert_eq!((&told.unwrap().unwrap(), &schedule(world, "a").await), (&expected, &expected));
    assert_eq!(world.store.due(FIRST + HOUR).await.unwrap().schedule, None);
}

pub(crate) async fn a_schedule_that_is_not_what_it_was_is_not_changed(world: &World) {
    let before = added(world, "a", Overlap::Skip).await;
    let changes = world.changes().await.len();
    let other = edit(world, "a", None, |edit| edit.base.missed = Missed::All).await.unwrap();
    assert_eq!(other, Err(ScheduleNotEdited::Changed));
    let unknown = edit(world, "a", None, |edit| edit.name = "b".to_owned()).await.unwrap();
    assert_eq!(unknown, Err(ScheduleNotEdited::NotFound));
    let nowhere = edit(world, "a", None, |edit| edit.terms.spec.queue = "nowhere".to_owned()).await;
    assert!(matches!(nowhere, Err(Error::NoSuchQueue(name)) if name == "nowhere"));
    assert_eq!(edit(world, "a", None, |_| ()).await.unwrap().as_ref(), Ok(&before));
    assert_eq!((schedule(world, "a").await, world.changes().await.len()), (before.clone(), changes));
    let mut late = edit_of(&before);
    late.terms.spec.cwd = PathBuf::from("/");
    remove(world, "a").await;
    added(world, "a", Overlap::Skip).await;
    let anew = world.store.edit_schedule(EditSchedule { edit: late, next: None, by: BY, now: world.now() }).await;
    assert_eq!(anew.unwrap(), Err(ScheduleNotEdited::Changed));
}

pub(crate) async fn the_environment_of_tasks_to_come_is_changed(world: &World) {
    for name in ["a", "b"] {
        added(world, name, Overlap::Queue).await;
    }
    let env = |value: &str| Environment(vec![("DAY".into(), value.into())]);
    let change = |edit: &mut ScheduleEdit| (edit.set_env, edit.unset_env) = (env("2"), vec!["NIGHT".into()]);
    let told = edit(world, "a", None, change).await.unwrap().unwrap();
    assert_eq!((told.env_names.to_vec(), schedule(world, "a").await), (vec!["DAY".to_owned()], told.clone()));
    let of = async |name: &str| {
        let [id] = fire(world, name).await.tasks[..] else { panic!("nothing fired") };
        world.store.environment(id).await.unwrap().unwrap()
    };
    assert_eq!(of("a").await, env("2"));
    assert_eq!(of("b").await, Environment(vec![("NIGHT".into(), "1".into())]), "it is changed for one alone");
}
