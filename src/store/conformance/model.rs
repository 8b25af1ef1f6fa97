//! Two stores are told the same and must answer the same, whatever it is.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use crate::domain::attempt::Stream;
use crate::domain::change::ChangeKind;
use crate::domain::id::{AssignmentId, Seq, TaskId, TaskUuid};
use crate::domain::identity::GuardianId;
use crate::domain::outcome::{Outcome, ReasonCode, StopCause};
use crate::domain::resource::Needs;
use crate::domain::schedule::{Overlap, Schedule, When};
use crate::domain::task::{Environment, OnInterrupt, RetryPolicy, State, Stdin, TaskSpec};
use crate::domain::time::{Moment, Timestamp};
use crate::store::conformance::progress::telling;
use crate::store::conformance::resource::pools;
use crate::store::conformance::schedule::{adding, new_schedule};
use crate::store::conformance::terms::edit_of;
use crate::store::conformance::world::{BY, OWNER, World};
use crate::store::queue::{PauseQueues, SetQueue, SteerQueues, WeighQueue};
use crate::store::schedule::{
    AddSchedule, EditSchedule, Fire, NextByEdit, PauseSchedules, RemoveSchedules, ResumeSchedules, RunSchedule, Which,
};
use crate::store::task::{
    Add, Cancel, Edit, EditTask, Expire, Expired, Move, Pause, Place, Prune, Renew, Steer, TaskFilter, Terms,
};
use crate::store::{Error, Store};

/// One thing that somebody asks of the store. Small numbers stand for tasks and claims, so that they meet often.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Add {
        uuid: u8,
        priority: i32,
        kind: u8,
        retry: u8,
    },
    Claim {
        most: usize,
        /// With resources to be divided up.
        pools: bool,
        lent: u8,
    },
    Start {
        claim: u8,
    },
    Unclaim {
        claim: u8,
    },
    Finish {
        claim: u8,
        how: u8,
        started: bool,
    },
    Cancel {
        ids: Vec<u8>,
        reason: bool,
    },
    Release {
        ids: Vec<u8>,
    },
    Hold {
        ids: Vec<u8>,
    },
    Pause {
        ids: Vec<u8>,
        resume: bool,
    },
    Retry {
        ids: Vec<u8>,
    },
    Remove {
        ids: Vec<u8>,
    },
    Move {
        id: u8,
        before: Option<u8>,
    },
    Edit {
        id: u8,
        how: u8,
        on: u8,
    },
    Progress {
        id: u8,
        attempt: Option<u8>,
        done: u8,
    },
    Ended {
        keep: u8,
        state: u8,
    },
    Due {
        all: bool,
    },
    Settle,
    Trust {
        trust: bool,
    },
    Queue {
        name: u8,
        how: u8,
    },
    Schedule {
        name: u8,
        how: u8,
    },
    /// The schedules fire that are due some hours from now, with as many times each.
    FireSchedules {
        hours: u8,
    },
    Renew {
        late: bool,
    },
    Hash {
        claim: u8,
    },
    List {
        states: u8,
        recent: Option<u8>,
        limit: Option<u8>,
        narrow: u8,
    },
    Tidy {
        most: u8,
    },
    Expire {
        ago: u8,
    },
    /// The store is closed and opened again, or everybody dies and what is on the disk is opened.
    Reopen {
        crash: bool,
    },
    /// The next act fails in the database: after so many steps of its machine, or when it commits.
    Fail {
        steps: Option<u16>,
    },
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    let ids = || proptest::collection::vec(1_u8..12, 1..4);
    prop_oneof![
        6 => (0_u8..16, -1..2_i32, 0_u8..17, 0_u8..4)
            .prop_map(|(uuid, priority, kind, retry)| Act::Add { uuid, priority, kind, retry }),
        4 => (0_usize..4, any::<bool>(), 0_u8..24).prop_map(|(most, pools, lent)| Act::Claim { most, pools, lent }),
        3 => (0_u8..12).prop_map(|claim| Act::Start { claim }),
        1 => (0_u8..12).prop_map(|claim| Act::Unclaim { claim }),
        5 => (0_u8..12, 0_u8..7, any::<bool>()).prop_map(|(claim, how, started)| Act::Finish { claim, how, started }),
        2 => (ids(), any::<bool>()).prop_map(|(ids, reason)| Act::Cancel { ids, reason }),
        1 => ids().prop_map(|ids| Act::Release { ids }),
        1 => ids().prop_map(|ids| Act::Hold { ids }),
        2 => (ids(), any::<bool>()).prop_map(|(ids, resume)| Act::Pause { ids, resume }),
        2 => ids().prop_map(|ids| Act::Retry { ids }),
        1 => ids().prop_map(|ids| Act::Remove { ids }),
        2 => (1_u8..12, proptest::option::of(1_u8..12)).prop_map(|(id, before)| Act::Move { id, before }),
        2 => (1_u8..12, 0_u8..10, 1_u8..12).prop_map(|(id, how, on)| Act::Edit { id, how, on }),
        2 => (1_u8..12, proptest::option::of(1_u8..3), 0_u8..12)
            .prop_map(|(id, attempt, done)| Act::Progress { id, attempt, done }),
        1 => (0_u8..4, 0_u8..15).prop_map(|(keep, state)| Act::Ended { keep, state }),
        2 => any::<bool>().prop_map(|all| Act::Due { all }),
        1 => Just(Act::Settle),
        1 => any::<bool>().prop_map(|trust| Act::Trust { trust }),
        2 => (0_u8..3, 0_u8..11).prop_map(|(name, how)| Act::Queue { name, how }),
        3 => (0_u8..3, 0_u8..12).prop_map(|(name, how)| Act::Schedule { name, how }),
        3 => (0_u8..4).prop_map(|hours| Act::FireSchedules { hours }),
        1 => any::<bool>().prop_map(|late| Act::Renew { late }),
        1 => (0_u8..12).prop_map(|claim| Act::Hash { claim }),
        1 => (any::<u8>(), proptest::option::of(0_u8..4), proptest::option::of(0_u8..6), 0_u8..6)
            .prop_map(|(states, recent, limit, narrow)| Act::List { states, recent, limit, narrow }),
        1 => (0_u8..3).prop_map(|most| Act::Tidy { most }),
        1 => (0_u8..40).prop_map(|ago| Act::Expire { ago }),
        1 => any::<bool>().prop_map(|crash| Act::Reopen { crash }),
        2 => prop_oneof![4 => (0_u16..2_500).prop_map(Some), 1 => Just(None)].prop_map(|steps| Act::Fail { steps }),
    ]
}

/// A store that things happen to, besides what is asked of it.
pub(crate) trait Subject {
    /// Opens it again.
    async fn reopen(&mut self, crash: bool) -> Arc<dyn Store>;
    /// Makes what is asked of it next fail.
    async fn fail(&mut self, steps: Option<u16>);
    /// Lets it be.
    async fn let_be(&mut self);
}

/// What somebody saw who did all of it.
#[derive(Default)]
pub(crate) struct Story {
    /// Every answer, then everything that is stored.
    pub(crate) told: Vec<String>,
    /// Which acts failed because they were made to.
    pub(crate) failed: Vec<usize>,
}

/// Does all of it but `without`, and tells every answer, and everything that is stored whenever the store is opened again
/// and at the end.
pub(crate) async fn story(store: Arc<dyn Store>, subject: &mut impl Subject, acts: &[Act], without: &[usize]) -> Story {
    let mut world = World::of(store);
    let mut claims: Vec<AssignmentId> = Vec::new();
    let mut story = Story::default();
    let mut fails = false;
    for (number, act) in acts.iter().enumerate() {
        // So that names do not depend on what was left out.
        world.count_from(1 + 1_000 * number as u64);
        let told = match act {
            _ if without.contains(&number) => MADE_TO_FAIL.to_owned(),
            Act::Reopen { crash } => {
                world.store = subject.reopen(*crash).await;
                dump(&*world.store).await.join("\n")
            }
            Act::Fail { steps } => {
                subject.fail(*steps).await;
                fails = true;
                continue;
            }
            act => perform(&world, &mut claims, act).await,
        };
        if std::mem::take(&mut fails) {
            subject.let_be().await;
            if told.starts_with("Err(Closed") || told.starts_with("Err(Sqlite") {
                story.failed.push(number);
                story.told.push(MADE_TO_FAIL.to_owned());
                continue;
            }
        }
        story.told.push(told);
    }
    if fails {
        subject.let_be().await;
    }
    story.told.extend(dump(&*world.store).await);
    story
}

const MADE_TO_FAIL: &str = "made to fail";

async fn perform(world: &World, claims: &mut Vec<AssignmentId>, act: &Act) -> String {
    let now = world.now();
    let claim_of = |claim: &u8| {
        claims.get(usize::from(*claim)).copied().unwrap_or(AssignmentId(Uuid::from_u128(u128::from(*claim) << 80)))
    };
    let ids_of = |ids: &[u8]| ids.iter().filter_map(|id| TaskId::new(u64::from(*id))).collect::<Vec<_>>();
    match act {
        Act::Add { uuid, priority, kind, retry } => {
            let mut task = world.new_task();
            task.uuid = TaskUuid(Uuid::from_u128(u128::from(*uuid) + 1));
            task.spec.priority = *priority;
            task.hold = *kind == 1;
            match kind {
                2 => task.spec.run_at = Some(Timestamp(i64::MAX)),
                3 => task.spec.after = TaskId::new(1).into_iter().collect(),
                4 => task.spec.queue = "gpu".to_owned(),
                5 => task.spec.after = [2, 3].into_iter().filter_map(TaskId::new).collect(),
                6 => task.spec.after_any = TaskId::new(2).into_iter().collect(),
                8 => (task.spec.name, task.spec.run_at) = (Some("nightly".to_owned()), Some(Timestamp(now.0 + 5_000))),
                9 => task.spec.labels = [("team".to_owned(), "x".to_owned())].into(),
                10 => task.spec.stdin = Stdin::Upload(Uuid::from_u128(u128::from(*uuid))),
                13 => task.spec.needs = needs("gpu=1"),
                14 => task.spec.needs = needs("gpu=2,mem=4B"),
                15 => task.spec.needs = needs("mem=7B"),
                16 => (task.spec.needs, task.spec.queue) = (needs("gpu=1"), "gpu".to_owned()),
                11 => task.env.0.push(("N".into(), uuid.to_string().into())),
                7 => {
                    task.spec.after = TaskId::new(4).into_iter().collect();
                    task.spec.after_any = [4, 5].into_iter().filter_map(TaskId::new).collect();
                }
                _ => {}
            }
            let max_attempts = u32::from(*retry).max(1);
            let on_interrupt = if *retry > 1 { OnInterrupt::Rerun } else { OnInterrupt::Stop };
            let on_codes = if *retry == 3 { vec![3] } else { Vec::new() };
            let delay = Duration::from_millis(10);
            task.spec.retry = RetryPolicy { max_attempts, on_interrupt, on_codes, delay, ..RetryPolicy::default() };
            tell(world.store.add(Add { task, by: BY, now, untrusted: *kind == 12 }).await)
        }
        Act::Claim { most, pools, lent } => {
            let mut claim = world.claim_of(*most);
            if *pools {
                let pools = self::pools();
                // An act is a second: see `count_from`.
                claim.terms = Terms {
                    slots: 5,
                    pools,
                    reserve_after: Duration::from_secs(3),
                    lent: Arc::new(claims.get(usize::from(*lent)).copied().into_iter().collect()),
                };
            }
            let claimed = world.store.claim(claim).await;
            claims.extend(claimed.iter().flatten().map(|claimed| claimed.attempt.assignment));
            tell(claimed)
        }
        Act::Start { claim } => {
            let assignment = claim_of(claim);
            let start = crate::store::task::Start { assignment, identity: world.process(assignment), at: now };
            tell(world.store.start(start).await)
        }
        Act::Unclaim { claim } => tell(world.store.unclaim(world.unclaim(claim_of(claim))).await),
        Act::Finish { claim, how, started } => {
            let outcome = match how {
                0 | 1 => world.code(0),
                2 => world.code(3),
                3 => world.stopped(StopCause::Cancel),
                4 => world.stopped(StopCause::Timeout),
                5 => world.stopped(StopCause::Drain),
                _ => Outcome::lost(ReasonCode::GuardianLost, now),
            };
            let mut end = world.end(claim_of(claim), outcome);
            end.started = started.then(|| (world.process(end.assignment), now));
            tell(world.store.finish(end).await)
        }
        Act::Cancel { ids, reason } => {
            let reason = reason.then(|| "not needed".to_owned());
            tell(world.store.cancel(Cancel { ids: ids_of(ids), only: None, reason, by: BY, now }).await)
        }
        Act::Release { ids } => tell(world.store.release(Steer { ids: ids_of(ids), only: None, by: BY, now }).await),
        Act::Hold { ids } => tell(world.store.hold(Steer { ids: ids_of(ids), only: None, by: BY, now }).await),
        Act::Pause { ids, resume } => {
            let pause = Pause { ids: ids_of(ids), only: None, by: BY, now, at: Moment(now.0.unsigned_abs()) };
            tell(if *resume { world.store.resume(pause).await } else { world.store.pause(pause).await })
        }
        Act::Retry { ids } => tell(world.store.retry(Steer { ids: ids_of(ids), only: None, by: BY, now }).await),
        Act::Remove { ids } => tell(world.store.remove(Steer { ids: ids_of(ids), only: None, by: BY, now }).await),
        Act::Move { id, before } => {
            let id_of = |n: u8| TaskId::new(u64::from(n)).unwrap();
            let to = before.map_or(Place::Top, |before| Place::Before(id_of(before)));
            tell(world.store.move_task(Move { id: id_of(*id), to, by: BY, now }).await)
        }
        Act::Edit { id, how, on } => {
            let id_of = |n: u8| TaskId::new(u64::from(n)).unwrap();
            let found = world.store.task(id_of(*id)).await.ok().flatten();
            let base = found.map_or_else(|| TaskSpec::command(vec!["x".into()], "/".into()), |task| task.spec);
            let (set_env, unset_env) = (Environment::default(), Vec::new());
            let mut edit = Edit { id: id_of(*id), spec: base.clone(), base, set_env, unset_env };
            match how {
                0 => edit.spec.priority += 1,
                1 => edit.spec.queue = "gpu".to_owned(),
                2 => edit.spec.queue = "default".to_owned(),
                3 => edit.spec.after = vec![id_of(*on)],
                4 => edit.spec.after_any = vec![id_of(*on)],
                5 => (edit.spec.after, edit.spec.after_any) = (Vec::new(), Vec::new()),
                6 => edit.spec.run_at = Some(Timestamp(now.0 + 5_000)).filter(|_| on % 2 == 0),
                9 => edit.spec.needs = if on % 2 == 0 { needs("gpu=1") } else { Needs::default() },
                7 => edit.set_env.0.push(("EDITED".into(), on.to_string().into())),
                _ => edit.spec.key = Some("k".to_owned()).filter(|_| on % 2 == 0),
            }
            tell(world.store.edit(EditTask { edit, by: BY, now }).await)
        }
        Act::Progress { id, attempt, done } => {
            let id = TaskId::new(u64::from(*id)).unwrap();
            tell(world.store.tell_progress(telling(id, attempt.map(u32::from), u64::from(*done), now)).await)
        }
        Act::Ended { keep, state } => {
            let states = State::ALL.get(usize::from(*state)).into_iter().copied().filter(|state| state.is_ended());
            let prune = Prune { states: states.collect(), until: Some(now), keep: u64::from(*keep), below: None };
            tell(world.store.ended(prune, 3).await)
        }
        Act::Due { all } => tell(world.store.due(if *all { Timestamp(now.0 + 1_000_000) } else { now }).await),
        Act::Settle => tell(world.store.settle(now).await),
        Act::Trust { trust } => {
            tell(if *trust { world.store.trust(now).await } else { world.store.distrust(now).await })
        }
        Act::Queue { name, how } => steer_queue(world, ["default", "gpu", "tpu"][usize::from(*name)], *how, now).await,
        Act::Schedule { name, how } => {
            steer_schedule(world, ["nightly", "poll", "sync"][usize::from(*name)], *how, now).await
        }
        Act::FireSchedules { hours } => fire_schedules(world, *hours, now).await,
        Act::Renew { late } => {
            let owner = if *late { GuardianId(Uuid::from_u128(9)) } else { OWNER };
            let now = if *late { Timestamp(now.0 + 61_000) } else { now };
            tell(world.store.renew(Renew { owner, now, lease_until: Timestamp(now.0 + 60_000) }).await)
        }
        Act::Hash { claim } => tell(world.store.keep_hash(claim_of(claim), Stream::Merged, [7; 32]).await),
        Act::List { states, recent, limit, narrow } => {
            let oldest_first = *narrow == 4 && states & 1 != 0;
            let states = State::ALL.into_iter().enumerate().filter(|(place, _)| states & 0x10 != 0 && place % 4 == 3);
            let filter = TaskFilter {
                states: states.map(|(_, state)| state).collect(),
                recent: recent.map(u32::from),
                limit: limit.map(u32::from),
                queue: (*narrow == 1).then(|| "gpu".to_owned()),
                labels: if *narrow == 2 { vec![("team".to_owned(), None)] } else { Vec::new() },
                name: (*narrow == 3).then(|| "night*".to_owned()),
                below: TaskId::new(5).filter(|_| *narrow == 4),
                above: TaskId::new(2).filter(|_| oldest_first),
                oldest_first,
                ended_until: None,
                schedule: (*narrow == 5).then(|| "nightly".to_owned()),
                next_first: false,
                condition: None,
                sort: None,
            };
            tell(world.store.tasks(filter).await)
        }
        Act::Tidy { most } => {
            let mut paths = world.store.litter(None, usize::MAX).await.unwrap_or_default();
            paths.sort_unstable();
            paths.dedup();
            paths.truncate(usize::from(*most));
            tell(world.store.tidied(paths).await)
        }
        Act::Expire { ago } => {
            // An act is a second: see `count_from`.
            let until = Timestamp(now.0 - 1_000 * i64::from(*ago));
            let expired = world.store.expire(Expire { until, now }).await;
            // A hash is noted by the system's clock, which is another one in each run, and later than any here.
            let of_the_story =
                |expired: Expired| Expired { oldest: expired.oldest.filter(|oldest| *oldest <= now), ..expired };
            tell(expired.map(of_the_story))
        }
        Act::Reopen { .. } | Act::Fail { .. } => unreachable!("nobody asks this of a store"),
    }
}

fn needs(text: &str) -> Needs {
    Needs::parse(text).expect("needs as they are written down")
}

async fn steer_queue(world: &World, name: &str, how: u8, now: Timestamp) -> String {
    let set = |slots| SetQueue { name: name.to_owned(), slots, by: BY, now };
    let names = vec![name.to_owned()];
    let by = BY;
    match how {
        0 => tell(world.store.add_queue(set(1)).await),
        1 => tell(world.store.set_queue(set(2)).await),
        2 => tell(world.store.pause_queues(PauseQueues { names, reason: None, until: Some(now), by, now }).await),
        3 => tell(world.store.pause_queues(PauseQueues { names, reason: None, until: None, by, now }).await),
        4 => tell(world.store.resume_queues(SteerQueues { names, by, now }).await),
        5 => tell(world.store.remove_queues(SteerQueues { names, by, now }).await),
        8 => tell(world.store.weigh_queue(WeighQueue { name: name.to_owned(), weight: Some(2), by, now }).await),
        9 => tell(world.store.configure_weights([(name.to_owned(), 3)].into(), now).await),
        10 => tell(world.store.configure_weights([].into(), now).await),
        6 => tell(world.store.configure_queues([(name.to_owned(), 3)].into(), now).await),
        _ => tell(world.store.configure_queues([(name.to_owned(), 1), ("gpu".to_owned(), 2)].into(), now).await),
    }
}

/// An hour, on the clock of the story, whose acts are a second apart.
const HOUR: i64 = 5_000;

async fn steer_schedule(world: &World, name: &str, how: u8, now: Timestamp) -> String {
    let (names, by) = (vec![name.to_owned()], BY);
    let next = Timestamp(now.0 + HOUR);
    match how {
        0..4 => {
            let overlap = Overlap::ALL[usize::from(how % 3)];
            let mut new = new_schedule(name, overlap);
            match how {
                1 => new.spec.queue = "gpu".to_owned(),
                2 => new.spec.key = Some("main".to_owned()),
                3 => new.spec.stdin = Stdin::Upload(Uuid::from_u128(77)),
                _ => new.spec.labels = [("team".to_owned(), "x".to_owned())].into(),
            }
            tell(world.store.add_schedule(AddSchedule { next_at: next, ..adding(new, now) }).await)
        }
        4 => tell(world.store.pause_schedules(PauseSchedules { names, reason: None, by, now }).await),
        5 => {
            let known = world.store.schedule(name.to_owned()).await.ok().flatten();
            let schedules = known.iter().map(|schedule| (Which::of(schedule), Some(next))).collect();
            tell(world.store.resume_schedules(ResumeSchedules { schedules, by, now }).await)
        }
        6 => tell(world.store.remove_schedules(RemoveSchedules { names, by, now }).await),
        9.. => match world.store.schedule(name.to_owned()).await {
            Ok(Some(known)) => tell(world.store.edit_schedule(edit_schedule(&known, how, next, now)).await),
            other => tell(other),
        },
        _ => {
            let uuid = TaskUuid(Uuid::from_u128(u128::from(now.0.unsigned_abs()) << 32));
            let run = RunSchedule { name: name.to_owned(), uuid, by, now, untrusted: how == 7 };
            tell(world.store.run_schedule(run).await)
        }
    }
}

fn edit_schedule(known: &Schedule, how: u8, at: Timestamp, now: Timestamp) -> EditSchedule {
    let mut edit = edit_of(known);
    let mut next = None;
    match how {
        9 => edit.terms.spec.queue = "gpu".to_owned(),
        10 => {
            edit.set_env = Environment(vec![("DAY".into(), "1".into())]);
            edit.terms.spec.labels.clear();
        }
        _ => {
            edit.terms.when = When::At(at);
            next = Some(NextByEdit { cursor: known.next_at, at });
        }
    }
    EditSchedule { edit, next, by: BY, now }
}

async fn fire_schedules(world: &World, hours: u8, now: Timestamp) -> String {
    let until = Timestamp(now.0 + HOUR * i64::from(hours));
    let due = match world.store.due_schedules(until, 9).await {
        Ok(due) => due,
        failed => return tell(failed),
    };
    let fire = |(place, schedule): (u128, &Schedule)| {
        let cursor = schedule.next_at.expect("what is due has a time");
        let at = |n: u8| Timestamp(cursor.0 + HOUR * i64::from(n));
        let name = u128::from(until.0.unsigned_abs()) << 32 | place << 16;
        let times = (0..hours).map(|n| (at(n), TaskUuid(Uuid::from_u128(name | u128::from(n))))).collect();
        let left_out = (hours == 0).then_some((cursor, cursor));
        // One that somebody has looked at before it went on.
        let cursor = if hours == 3 && place == 1 { at(1) } else { cursor };
        let rule = (schedule.when.clone(), schedule.time_zone.clone());
        let next = Some(at(hours + 1)).filter(|_| hours < 3);
        Fire { schedule: Which::of(schedule), cursor, rule, times, left_out, next }
    };
    let fires = (0..).zip(&due).map(fire).collect();
    tell(world.store.fire(fires, until).await)
}

fn tell<T: Debug>(answer: Result<T, Error>) -> String {
    format!("{answer:?}")
}

/// Everything that is stored.
pub(crate) async fn dump(store: &dyn Store) -> Vec<String> {
    let mut told = Vec::new();
    let page = store.tasks(TaskFilter::default()).await.unwrap();
    for task in page.tasks {
        told.push(format!("{:?}", store.task(task.id).await.unwrap()));
        told.push(format!("{:?}", store.environment(task.id).await.unwrap().map(|env| env.0)));
    }
    told.push(format!("{:?}", store.in_flight().await.unwrap()));
    told.push(format!("{:?}", store.holdings().await.unwrap()));
    told.push(format!("{:?}", store.counts().await.unwrap()));
    told.push(format!("{:?}", store.queues().await.unwrap()));
    told.push(format!("{:?}", store.queue_counts().await.unwrap()));
    told.push(format!("{:?}", store.schedules().await.unwrap()));
    let mut litter = store.litter(None, usize::MAX).await.unwrap();
    litter.sort_unstable();
    litter.dedup();
    told.push(format!("{litter:?}"));
    let mut uploads: Vec<Uuid> = store.uploads().await.unwrap().into_iter().collect();
    uploads.sort_unstable();
    told.push(format!("{uploads:?}"));
    told.push(format!("{:?}", store.oldest().await.unwrap()));
    for mut change in store.changes(Seq(0), usize::MAX).await.unwrap() {
        if change.kind == ChangeKind::Hashed {
            // By the system's clock.
            change.at = Timestamp(0);
        }
        told.push(format!("{change:?}"));
    }
    told.push(format!("{:?}", *store.watch().borrow()));
    told
}
