//! People who ask for things, through the same handle as everybody.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;

use super::apexd::{Apexd, ready};
use super::machine::now;
use super::random::Random;
use crate::domain::change::Actor;
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::query::TaskFilter;
use crate::domain::resource::{Amount, Capacity, Needs, Pool, Pools};
use crate::domain::schedule::{Cron, Missed, NewSchedule, Overlap, When};
use crate::domain::task::{Backoff, Environment, NewTask, OnInterrupt, Task, TaskSpec};
use crate::engine::Handle;
use crate::store::memory::Memory;
use crate::store::task::Steer;
use crate::store::{QueueStore, TaskStore};

const BY: Actor = Actor::Cli(1);
pub(super) const QUEUES: [&str; 3] = ["default", "narrow", "wide"];

/// Returns what there is of each resource in the life of a seed; nothing in most. Drawn apart, so that nothing else changes.
pub(super) fn pools(seed: u64) -> Pools {
    if !Random::new(seed ^ 0x6E5_0C35).percent(30) {
        return Pools::default();
    }
    let pool = |name: &str, capacity| (name.to_owned(), Pool::new(capacity));
    Pools(BTreeMap::from([
        pool("gpu", Capacity::Indices([0, 3].into())),
        pool("mem", Capacity::Amount(Amount::Bytes(10))),
        pool("licence", Capacity::Amount(Amount::Count(1))),
    ]))
}

/// Asks for something, whatever comes to mind. `last` is the number of the last task.
pub(super) fn ask_for_something(apexd: &mut Apexd, last: u64, schedules: bool, random: &mut Random) -> String {
    let handle = apexd.handle.clone();
    if schedules && random.percent(20) {
        return ask_schedules(apexd, random);
    }
    if last == 0 || random.percent(35) {
        let mut task = new_task(last, random);
        if !apexd.shared.settings().pools.is_empty() && random.percent(60) {
            let needs = random.pick(&["gpu=1", "gpu=2", "mem=4B", "mem=10B", "gpu=1,mem=7B", "licence=1"]);
            task.spec.needs = Needs::parse(needs).expect("needs");
        }
        let told = format!("add {:?}", task.spec);
        apexd.ask(async move { drop(handle.add(task, BY).await) });
        return told;
    }
    let ids: Vec<TaskId> = (0..1 + random.index(2)).filter_map(|_| TaskId::new(1 + random.below(last))).collect();
    let queue = random.pick(&QUEUES).to_owned();
    let told = |verb: &str| format!("{verb} {ids:?}");
    match random.below(100) {
        0..20 => {
            let told = told("cancel");
            apexd.ask(async move { drop(handle.cancel(ids, None, BY).await) });
            told
        }
        20..30 => {
            let told = told("hold");
            apexd.ask(async move { drop(handle.hold(ids, BY).await) });
            told
        }
        30..40 => {
            let told = told("release");
            apexd.ask(async move { drop(handle.release(ids, BY).await) });
            told
        }
        40..52 => {
            let told = told("pause");
            apexd.ask(async move { drop(handle.pause(ids, BY).await) });
            told
        }
        52..62 => {
            let told = told("resume");
            apexd.ask(async move { drop(handle.resume(ids, BY).await) });
            told
        }
        62..72 => {
            let told = told("retry");
            apexd.ask(async move { drop(handle.retry(ids, BY).await) });
            told
        }
        72..77 => {
            let told = told("signal 10");
            apexd.ask(async move { drop(handle.kill(ids, nix::libc::SIGUSR1).await) });
            told
        }
        77..82 => {
            let told = told("remove");
            // Without its files: they are not there.
            let remove = Steer { ids, only: None, by: BY, now: now().wall };
            apexd.ask(async move { drop(handle.shared.store.remove(remove).await) });
            told
        }
        82..88 => {
            let until = random.percent(50).then(|| now().wall + random.ms(600_000));
            let told = format!("pause queue {queue} until {until:?}");
            apexd.ask(async move { drop(handle.pause_queues(vec![queue], None, until, BY).await) });
            told
        }
        88..95 => {
            let told = format!("resume queue {queue}");
            apexd.ask(async move { drop(handle.resume_queues(vec![queue], BY).await) });
            told
        }
        95..97 => {
            apexd.ask(async move { drop(handle.retry_failed(BY).await) });
            "retry what failed".to_owned()
        }
        _ => {
            apexd.ask(accept(handle));
            "trust".to_owned()
        }
    }
}

fn new_task(last: u64, random: &mut Random) -> NewTask {
    let mut spec = TaskSpec::command(vec!["true".into()], "/".into());
    spec.queue = random.pick(&QUEUES).to_owned();
    spec.priority = i32::try_from(random.below(3)).unwrap_or(0);
    if random.percent(40) {
        spec.retry.max_attempts = 1 + u32::try_from(random.below(3)).unwrap_or(0);
        spec.retry.delay = random.ms(20_000);
        spec.retry.backoff = random.pick(&[Backoff::Fixed, Backoff::Exponential]);
        spec.retry.on_interrupt = random.pick(&[OnInterrupt::Stop, OnInterrupt::Rerun]);
    }
    spec.timeout = random.percent(30).then(|| Duration::from_millis(random.pick(&[0, 1, 500, 3_000, 60_000])));
    spec.kill_grace = random.percent(30).then(|| Duration::from_millis(random.pick(&[0, 100, 2_000])));
    spec.kill_signal = random.percent(10).then_some(nix::libc::SIGINT);
    spec.run_at = random.percent(15).then(|| now().wall + random.ms(600_000));
    let earlier = |random: &mut Random| TaskId::new(1 + random.below(last)).filter(|_| last > 0);
    if random.percent(20) {
        spec.after.extend(earlier(random));
    }
    if random.percent(10) {
        spec.after_any.extend(earlier(random));
    }
    let uuid = TaskUuid(Uuid::from_u128(u128::from(random.below(u64::MAX)) << 64 | u128::from(random.below(u64::MAX))));
    NewTask { uuid, spec, env: Environment::default(), hold: random.percent(8), parent: None }
}

const SCHEDULES: [&str; 2] = ["often", "seldom"];

/// Asks for something about schedules.
fn ask_schedules(apexd: &mut Apexd, random: &mut Random) -> String {
    let handle = apexd.handle.clone();
    let name = random.pick(&SCHEDULES).to_owned();
    let names = vec![name.clone()];
    match random.below(10) {
        0..5 => {
            let when = match random.below(3) {
                0 => When::Every(Duration::from_millis(random.pick(&[5_000, 60_000, 600_000]))),
                1 => When::Cron(Cron::parse(random.pick(&["* * * * *", "*/7 * * * *", "0 0 * * *"])).expect("a line")),
                _ => When::At(now().wall + random.ms(600_000)),
            };
            let (missed, overlap) = (random.pick(&Missed::ALL), random.pick(&Overlap::ALL));
            let mut spec = TaskSpec::command(vec!["true".into()], "/".into());
            spec.queue = random.pick(&QUEUES).to_owned();
            let (time_zone, env) = ("UTC".to_owned(), Environment::default());
            let new = NewSchedule { name, when, time_zone, missed, overlap, spec, env, paused: false };
            let told = format!("schedule {new:?}");
            apexd.ask(async move { drop(handle.add_schedule(new, BY).await) });
            told
        }
        5 => {
            let uuid = TaskUuid(Uuid::from_u128(u128::from(random.below(u64::MAX)) << 60));
            apexd.ask(async move { drop(handle.run_schedule(name, uuid, BY).await) });
            "run a schedule now".to_owned()
        }
        6 => {
            apexd.ask(async move { drop(handle.pause_schedules(names, BY).await) });
            "pause a schedule".to_owned()
        }
        7..9 => {
            apexd.ask(async move { drop(handle.resume_schedules(names, BY).await) });
            "resume a schedule".to_owned()
        }
        _ => {
            apexd.ask(async move { drop(handle.remove_schedules(names, BY).await) });
            "remove a schedule".to_owned()
        }
    }
}

/// Takes the project as one's own, as [`Handle::trust`] does once that is written down.
async fn accept(handle: Handle) {
    let mut trusted = handle.shared.trusted.write().await;
    while handle.shared.store.trust(now().wall).await.unwrap_or(0) > 0 {}
    *trusted = true;
    drop(trusted);
    handle.shared.unsettled.store(true, Ordering::Release);
    handle.clock_changed();
}

/// Lets everything go on that a person keeps back. What waits for tomorrow, because the clock stood wrong when it was
/// added, is not waited for.
pub(super) fn let_everything_go(apexd: &mut Apexd, open: &[Task]) {
    let handle = apexd.handle.clone();
    let ids = open.iter().map(|task| task.id).collect::<Vec<_>>();
    let tomorrow = now().wall + Duration::from_secs(7_200);
    let is_far = |task: &&Task| task.spec.run_at.is_some_and(|at| at > tomorrow);
    let far = open.iter().filter(is_far).map(|task| task.id).collect::<Vec<_>>();
    apexd.ask(async move {
        accept(handle.clone()).await;
        // They would never come to an end.
        drop(handle.remove_schedules(SCHEDULES.map(str::to_owned).to_vec(), BY).await);
        let queues = QUEUES.map(str::to_owned).to_vec();
        drop(handle.resume_queues(queues, BY).await);
        drop(handle.cancel(far, None, BY).await);
        drop(handle.release(ids.clone(), BY).await);
        drop(handle.resume(ids, BY).await);
    });
}

/// Makes the queues there are.
pub(super) fn set_queues_up(store: &Memory) {
    let queues = [("narrow", 1), ("wide", 3)];
    let slots = queues.into_iter().map(|(name, slots)| (name.to_owned(), slots)).collect();
    ready(store.configure_queues(slots, now().wall)).unwrap();
}

/// Returns all tasks.
pub(super) fn all_tasks(store: &Memory) -> Vec<Task> {
    ready(store.tasks(TaskFilter::default())).unwrap().tasks
}
