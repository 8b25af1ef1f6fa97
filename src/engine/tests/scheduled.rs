//! Schedules, with a clock that moves on by itself.

use std::cell::Cell;

use super::troubled::Verb;
use super::*;
use crate::domain::error::ErrorKind;
use crate::domain::schedule::{
    Cron, InvalidSchedule, Missed, NewSchedule, Overlap, Schedule, ScheduleEdit, Terms, When,
};
use crate::store::ScheduleStore;
use crate::store::schedule::AddSchedule;

const BY: Actor = Actor::Cli(1);
const MINUTE: Duration = Duration::from_secs(60);

fn every(time: Duration, missed: Missed, overlap: Overlap) -> NewSchedule {
    NewSchedule {
        name: "poll".to_owned(),
        when: When::Every(time),
        time_zone: "UTC".to_owned(),
        missed,
        overlap,
        spec: TaskSpec::command(vec!["/bin/true".into()], "/".into()),
        env: Environment::default(),
        paused: false,
    }
}

fn minutes(missed: Missed) -> NewSchedule {
    every(MINUTE, missed, Overlap::Queue)
}

impl Stage {
    async fn schedule(&self, new: NewSchedule) {
        self.handle.add_schedule(new, BY).await.unwrap();
    }

    /// Takes the start of the next task, and returns after how long it came.
    async fn fires(&mut self) -> (AssignmentId, u64) {
        let began = moment();
        let assignment = self.spawn_order().await.assignment;
        (assignment, moment().0 - began.0)
    }

    /// Ends it.
    async fn ends(&mut self, assignment: AssignmentId) {
        self.started(assignment).await;
        self.exited(assignment, DONE, false).await;
        assert_eq!(self.order().await, Order::Forget { assignment });
    }

    /// Fails if anything is ordered within a time.
    async fn nothing_for(&mut self, time: Duration) {
        let order = tokio::time::timeout(time, self.orders.recv()).await;
        assert!(order.is_err(), "{order:?}");
    }

    async fn next_at(&self) -> Option<Timestamp> {
        self.handle.schedule("poll").await.unwrap().next_at
    }

    /// Changes the schedule as it stands.
    async fn edit(&self, change: impl FnOnce(&mut Terms)) -> Result<Schedule, Error> {
        let stands = self.handle.schedule("poll").await.unwrap();
        let (name, created_at, base) = (stands.name.clone(), stands.created_at, Terms::of(&stands));
        let mut terms = base.clone();
        change(&mut terms);
        let (set_env, unset_env) = (Environment::default(), Vec::new());
        let edit = ScheduleEdit { name, created_at, base, terms, set_env, unset_env };
        self.handle.edit_schedule(edit, BY).await
    }

    async fn added(&self) -> u64 {
        self.handle.status().await.unwrap().counts.sum(|_| true)
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_adds_its_tasks_at_its_times() {
    let mut stage = Stage::new(3).await;
    stage.schedule(minutes(Missed::Once)).await;
    for _ in 0..3 {
        let (assignment, waited) = stage.fires().await;
        assert!((59_000..60_100).contains(&waited), "{waited}");
        stage.ends(assignment).await;
    }
    let task = stage.task(TaskId::new(3).unwrap()).await;
    assert_eq!(task.schedule.as_deref(), Some("poll"));
    assert_eq!(stage.added().await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_cron_line_goes_by_the_clock_of_its_zone() {
    let mut stage = Stage::new(3).await;
    // The clock here begins at 00:16:40 on 1970-01-01 in UTC.
    let when = When::Cron(Cron::parse("30 0 * * *").unwrap());
    stage.schedule(NewSchedule { when, ..minutes(Missed::Once) }).await;
    let (_, waited) = stage.fires().await;
    assert!((799_000..800_100).contains(&waited), "{waited}");
    assert_eq!(stage.next_at().await, Some(Timestamp(88_200_000)));
}

#[tokio::test(start_paused = true)]
async fn what_the_daemon_missed_while_it_was_down_goes_by_the_policy() {
    for (missed, expected) in [(Missed::Skip, 0), (Missed::Once, 1), (Missed::All, 10)] {
        let stage = Stage::new(0).await;
        stage.schedule(every(Duration::from_secs(3600), missed, Overlap::Skip)).await;
        stage.engine.abort();
        tokio::time::sleep(Duration::from_secs(10 * 3600 + 1800)).await;
        for life in 0..3 {
            let next =
                Stage::with(stage.store.clone(), stage.dir.clone(), guardian(life), Vec::new(), 0, |_| false).await;
            tokio::time::sleep(MINUTE).await;
            assert_eq!(next.added().await, expected, "{missed:?}");
            next.engine.abort();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_fires_no_time_twice_and_obeys_the_policy() {
    thread_local! {
        static SET_BY: Cell<i64> = const { Cell::new(0) };
    }
    let world = World { now: || Timestamp(now().0 + SET_BY.get()), moment, is_alive: |_| false, started };
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let store = Arc::new(Troubled::new());
    let stage = Stage::in_world(store, dir, guardian(1), Vec::new(), 0, world, true).await;
    let hour = Duration::from_secs(3600);
    stage.schedule(every(hour, Missed::Once, Overlap::Queue)).await;
    tokio::time::sleep(hour + MINUTE).await;
    assert_eq!(stage.added().await, 1);
    // Back by five hours: what has fired does not come again.
    SET_BY.set(-5 * 3_600_000);
    tokio::time::sleep(5 * hour).await;
    assert_eq!(stage.added().await, 1);
    tokio::time::sleep(hour).await;
    assert_eq!(stage.added().await, 2);
    // Forward by a day: one for all of it.
    SET_BY.set(19 * 3_600_000);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(stage.added().await, 3);
    tokio::time::sleep(hour).await;
    assert_eq!(stage.added().await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_fire_for_which_there_is_no_room_is_tried_again() {
    let mut stage = Stage::new(3).await;
    stage.schedule(minutes(Missed::Skip)).await;
    stage.store.full_for(&[Verb::Fire]);
    stage.nothing_for(Duration::from_secs(90)).await;
    stage.store.full_for(&[]);
    let (_, waited) = stage.fires().await;
    assert!(waited < 1_000, "{waited}");
    assert_eq!(stage.added().await, 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_runs_is_cancelled_and_the_next_waits_for_its_end() {
    let mut stage = Stage::new(3).await;
    stage.schedule(every(MINUTE, Missed::Once, Overlap::CancelRunning)).await;
    let (first, _) = stage.fires().await;
    stage.started(first).await;
    assert_eq!(stage.answer_signal(0).await, 15, "it is due again");
    assert_eq!(stage.answer_signal(0).await, 18);
    stage.nothing_is_ordered().await;
    stage.exited(first, ExitStatus::Signal(15), false).await;
    stage.nothing_is_left().await;
    let mut orders = vec![stage.order().await, stage.order().await];
    orders.sort_by_key(|order| matches!(order, Order::Spawn(_)));
    assert_eq!(orders[0], Order::Forget { assignment: first });
    assert!(matches!(orders[1], Order::Spawn(_)), "{orders:?}");
    assert_eq!(stage.task(TaskId::new(1).unwrap()).await.state, State::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_not_ended_stands_in_the_way() {
    let mut stage = Stage::new(3).await;
    stage.schedule(every(MINUTE, Missed::Once, Overlap::Skip)).await;
    let (first, _) = stage.fires().await;
    stage.started(first).await;
    stage.nothing_for(5 * MINUTE).await;
    stage.exited(first, DONE, false).await;
    assert_eq!(stage.order().await, Order::Forget { assignment: first });
    let (_, waited) = stage.fires().await;
    assert!(waited <= 60_100, "{waited}");
    assert_eq!(stage.added().await, 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_fires_in_a_foreign_project_or_while_the_daemon_drains() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let world = World { now, moment, is_alive: |_| false, started };
    let store = Arc::new(Troubled::new());
    let mut stage = Stage::in_world(store, dir, guardian(1), Vec::new(), 3, world, false).await;
    stage.schedule(minutes(Missed::Once)).await;
    stage.nothing_for(10 * MINUTE).await;
    assert_eq!(stage.added().await, 0);
    stage.handle.trust().await.unwrap();
    let (first, _) = stage.fires().await;
    assert_eq!(stage.added().await, 1, "one for all that were missed");
    stage.started(first).await;
    stage.until(TaskId::new(1).unwrap(), State::Running).await;
    stage.handle.stop(Some(20 * MINUTE), "a request").await.unwrap();
    assert_eq!(stage.order().await, Order::Draining);
    stage.nothing_for(10 * MINUTE).await;
    assert_eq!(stage.added().await, 1);
    let refused = stage.handle.add_schedule(minutes(Missed::Once), BY).await;
    assert!(matches!(refused, Err(Error::Draining)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_resume_makes_up_for_nothing() {
    let mut stage = Stage::new(3).await;
    stage.schedule(minutes(Missed::All)).await;
    let names = || vec!["poll".to_owned(), "pol".to_owned()];
    let answers = stage.handle.pause_schedules(names(), BY).await.unwrap();
    let unknown = answers[1].1.as_ref().unwrap_err().problem();
    assert_eq!((answers[0].1.is_ok(), unknown.message.as_str()), (true, "no schedule `pol`"));
    assert_eq!(unknown.hint.as_deref(), Some("did you mean `poll`?"));
    stage.nothing_for(10 * MINUTE + Duration::from_secs(30)).await;
    let answers = stage.handle.resume_schedules(names(), BY).await.unwrap();
    assert_eq!((answers[0].1.is_ok(), answers[1].1.is_err()), (true, true));
    let (_, waited) = stage.fires().await;
    assert!((29_000..30_100).contains(&waited), "{waited}");
    assert_eq!(stage.added().await, 1);
    let none = stage.handle.schedule("elephant").await.unwrap_err().problem();
    assert_eq!(none.hint.as_deref(), Some("see what there is with `apex schedule list`"));
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused() {
    let stage = Stage::new(3).await;
    let refused = async |new: NewSchedule| stage.handle.add_schedule(new, BY).await.unwrap_err().problem().message;
    let cron = |line: &str| When::Cron(Cron::parse(line).unwrap());
    let never = NewSchedule { when: cron("0 0 30 2 *"), ..minutes(Missed::Once) };
    assert_eq!(refused(never).await, "cron line `0 0 30 2 *` never fires: there is no such day or time");
    let zone = NewSchedule { time_zone: "Europe/Wien".to_owned(), ..minutes(Missed::Once) };
    assert_eq!(refused(zone).await, "no time zone `Europe/Wien` is known here");
    let passed = NewSchedule { when: When::At(now()), ..minutes(Missed::Once) };
    assert_eq!(refused(passed).await, "the time of the schedule has passed already");
    assert_eq!(stage.handle.schedules().await.unwrap(), []);
    stage.schedule(minutes(Missed::Once)).await;
    assert_eq!(refused(minutes(Missed::Once)).await, "there is a schedule `poll` already");
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_not_known_any_more_pauses_the_schedule() {
    let stage = Stage::new(3).await;
    let schedule = NewSchedule { time_zone: "Mars/Olympus".to_owned(), ..minutes(Missed::Once) };
    let add = AddSchedule { schedule, next_at: now() + MINUTE, by: BY, now: now() };
    stage.store.add_schedule(add).await.unwrap();
    stage.handle.clock_jumped();
    tokio::time::sleep(2 * MINUTE).await;
    let schedule = stage.handle.schedule("poll").await.unwrap();
    assert_eq!(schedule.pause.unwrap().reason.as_deref(), Some("no time zone `Mars/Olympus` is known here"));
    assert_eq!(stage.added().await, 0);
    let resumed = stage.handle.resume_schedules(vec!["poll".to_owned()], BY).await.unwrap();
    assert!(matches!(resumed[0].1, Err(Error::Schedule(_))), "{resumed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_task_can_be_had_at_once_also_of_a_paused_schedule() {
    let mut stage = Stage::new(3).await;
    stage.schedule(every(MINUTE, Missed::Once, Overlap::Skip)).await;
    stage.handle.pause_schedules(vec!["poll".to_owned()], BY).await.unwrap();
    for n in 1..3 {
        let uuid = TaskUuid(Uuid::from_u128(n));
        let added = stage.handle.run_schedule("poll".to_owned(), uuid, BY).await.unwrap();
        assert!(added.created);
        stage.spawn_order().await;
    }
    assert_eq!(stage.next_at().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_changed_schedule_goes_on_by_its_new_times_and_with_its_new_task() {
    let mut stage = Stage::new(3).await;
    let hour = Duration::from_secs(3600);
    stage.schedule(every(hour, Missed::Once, Overlap::Queue)).await;
    let before = stage.next_at().await;
    let edited = stage.edit(|terms| terms.spec.argv = vec!["/bin/echo".into()]).await.unwrap();
    assert_eq!(edited.next_at, before, "its times are what they were");
    stage.edit(|terms| terms.when = When::Every(MINUTE)).await.unwrap();
    let (assignment, waited) = stage.fires().await;
    assert!((59_000..60_100).contains(&waited), "{waited}");
    let task = stage.task(TaskId::new(1).unwrap()).await;
    assert_eq!(task.spec.argv, ["/bin/echo"]);
    stage.ends(assignment).await;
    let fired = stage.handle.schedule("poll").await.unwrap().last_at;
    let edited = stage.edit(|terms| terms.when = When::Every(MINUTE / 2)).await.unwrap();
    assert!(edited.last_at == fired && edited.next_at > fired, "what has fired does not fire again: {edited:?}");
    stage.handle.pause_schedules(vec!["poll".to_owned()], BY).await.unwrap();
    let paused = stage.edit(|terms| terms.when = When::Every(MINUTE)).await.unwrap();
    assert!(paused.pause.is_some() && paused.next_at.is_none(), "{paused:?}");
    stage.nothing_for(MINUTE * 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_is_changed_as_a_whole_or_not_at_all() {
    let stage = Stage::new(3).await;
    stage.schedule(minutes(Missed::Once)).await;
    let before = stage.handle.schedule("poll").await.unwrap();
    let never = Cron::parse("0 0 30 2 *").unwrap();
    let refused = stage.edit(|terms| (terms.spec.priority, terms.when) = (7, When::Cron(never))).await;
    assert!(matches!(refused, Err(Error::Schedule(InvalidSchedule::Never(_)))), "{refused:?}");
    let refused = stage.edit(|terms| (terms.spec.priority, terms.time_zone) = (7, "Mars".to_owned())).await;
    assert!(matches!(refused, Err(Error::Schedule(InvalidSchedule::TimeZone(_)))), "{refused:?}");
    let refused = stage.edit(|terms| terms.spec.after = vec![TaskId::new(1).unwrap()]).await;
    assert!(matches!(refused, Err(Error::Schedule(InvalidSchedule::Waits))), "{refused:?}");
    let refused = stage.edit(|terms| terms.spec.queue = "nowhere".to_owned()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert_eq!(stage.handle.schedule("poll").await.unwrap(), before);
    let (name, created_at, base) = ("poll".to_owned(), before.created_at, Terms::of(&before));
    let (terms, nothing) = (Terms { missed: Missed::All, ..base.clone() }, Environment::default());
    let late = ScheduleEdit { name, created_at, base, terms, set_env: nothing, unset_env: Vec::new() };
    stage.edit(|terms| terms.overlap = Overlap::Skip).await.unwrap();
    let refused = stage.handle.edit_schedule(late.clone(), BY).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let unknown = stage.handle.edit_schedule(ScheduleEdit { name: "pol".to_owned(), ..late }, BY).await.unwrap_err();
    assert!(unknown.problem().hint.is_some_and(|hint| hint.contains("`poll`")));
}

#[tokio::test(start_paused = true)]
async fn a_time_that_has_come_fires_though_the_times_are_changed() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let world = World { now, moment, is_alive: |_| false, started };
    let store = Arc::new(Troubled::new());
    // Nobody has looked yet: nothing fires in a foreign project.
    let mut stage = Stage::in_world(store, dir, guardian(1), Vec::new(), 3, world, false).await;
    stage.schedule(minutes(Missed::Once)).await;
    stage.nothing_for(MINUTE + MINUTE / 2).await;
    let due = stage.next_at().await;
    let hourly = stage.edit(|terms| terms.when = When::Every(MINUTE * 60)).await.unwrap();
    assert_eq!(hourly.next_at, due);
    stage.handle.trust().await.unwrap();
    let (_, waited) = stage.fires().await;
    assert!(waited < 1_000, "{waited}");
    let stands = stage.handle.schedule("poll").await.unwrap();
    assert_eq!((stands.last_at, stands.next_at), (due, Some(stands.created_at + MINUTE * 60)));
}
