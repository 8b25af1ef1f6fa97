//! Jumps of the wall clock neither start, kill nor starve a task wrongly.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use apex::domain::adoption::Child;
use apex::domain::attempt::Leftovers;
use apex::domain::change::Actor;
use apex::domain::id::{AssignmentId, TaskUuid};
use apex::domain::identity::{BootId, GuardianId, ProcessIdentity};
use apex::domain::task::{Environment, NewTask, TaskSpec};
use apex::domain::time::{Moment, Timestamp};
use apex::engine::{Engine, Guardian, Handle, RuntimeAlarm, Settings, Setup, World};
use apex::link::{Fact, Order};
use apex::output::Outputs;
use apex::store::memory::Memory;
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3600);
const DAY_MS: i64 = 24 * 3600 * 1000;

/// How far the wall clock was set, in milliseconds.
static SET_BY: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static BEGAN: std::cell::OnceCell<Instant> = const { std::cell::OnceCell::new() };
}

/// The runtime's own clock, which moves on by itself whenever everybody waits.
fn moment() -> Moment {
    let began = BEGAN.with(|began| *began.get_or_init(Instant::now));
    Moment(u64::try_from(Instant::now().duration_since(began).as_millis()).unwrap())
}

fn now() -> Timestamp {
    let passed = i64::try_from(moment().0).unwrap();
    Timestamp(1_000 * DAY_MS + passed + SET_BY.load(Ordering::Relaxed))
}

fn started(identity: ProcessIdentity) -> Option<Moment> {
    Some(Moment(identity.start_ticks))
}

struct Stage {
    handle: Handle,
    orders: mpsc::UnboundedReceiver<Order>,
    facts: mpsc::Sender<Fact>,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (order_sender, orders) = mpsc::unbounded_channel();
        let (facts, told) = mpsc::channel(16);
        let setup = Setup {
            store: Arc::new(Memory::new()),
            outputs: Outputs::new(dir.path().to_owned()),
            orders: Box::new(move |order| drop(order_sender.send(order))),
            facts: told,
            guardian: Guardian {
                id: GuardianId(Uuid::from_u128(1)),
                pid: 1,
                started_at: Timestamp(0),
                restarts: 0,
                stop_requests: 0,
                grace_until: None,
                doubtful: Vec::new(),
                children: Vec::new(),
                boot: BootId(Uuid::from_u128(2)),
                keeps: true,
            },
            last_words: Vec::new(),
            settings: Settings {
                max_concurrent: 8,
                poll_interval: Duration::from_secs(5),
                grace: HOUR,
                kill_grace: Duration::from_secs(10),
                leftovers: Leftovers::Kill,
                keep_for: None,
                pools: Arc::default(),
                reserve_after: Duration::from_secs(30),
                windows: apex::domain::window::Windows::none(),
            },
            project: dir.path().to_owned(),
            socket: dir.path().join("daemon.sock"),
            alarm: Box::new(RuntimeAlarm(moment)),
            world: World { now, moment, is_alive: |_| false, started },
            trusted: true,
        };
        let (engine, handle) = Engine::start(setup).await.unwrap();
        tokio::spawn(engine.run());
        Self { handle, orders, facts, _dir: dir }
    }

    async fn add(&self, change: impl FnOnce(&mut TaskSpec)) {
        let mut spec = TaskSpec::command(vec!["/bin/true".into()], "/".into());
        change(&mut spec);
        let uuid = TaskUuid(Uuid::new_v4());
        let task = NewTask { uuid, spec, env: Environment::default(), hold: false, parent: None };
        self.handle.add(task, Actor::Cli(1)).await.unwrap();
    }

    /// Returns what is ordered next within so much time, and how long that took.
    async fn ordered(&mut self, within: Duration) -> Option<(Order, Duration)> {
        let began = moment();
        let order = tokio::time::timeout(within, self.orders.recv()).await.ok().flatten()?;
        Some((order, began.until(moment())))
    }

    async fn spawned(&mut self, within: Duration) -> Option<(AssignmentId, Duration)> {
        loop {
            match self.ordered(within).await? {
                (Order::Spawn(spawn), took) => return Some((spawn.assignment, took)),
                (Order::Policy { .. }, _) => {}
                (other, _) => panic!("{other:?} was ordered"),
            }
        }
    }

    /// Returns which signal is ordered next and after how long; it is answered.
    async fn signalled(&mut self) -> (i32, Duration) {
        match self.ordered(HOUR).await {
            Some((Order::Signal { assignment, signal, .. }, took)) => {
                self.facts.send(Fact::Signalled { assignment, signal, errno: 0 }).await.unwrap();
                (signal, took)
            }
            other => panic!("no signal: {other:?}"),
        }
    }
}

fn set_wall_clock(by_ms: i64) {
    SET_BY.fetch_add(by_ms, Ordering::Relaxed);
}

#[tokio::test(start_paused = true)]
async fn jumps_of_the_wall_clock_neither_start_kill_nor_starve_a_task() {
    let mut stage = Stage::new().await;

    // A time limit and a grace are spans of time, whatever the wall clock says.
    stage.add(|spec| spec.timeout = Some(Duration::from_secs(60))).await;
    let (assignment, _) = stage.spawned(HOUR).await.unwrap();
    let child = Child { assignment, pid: 7, start_ticks: moment().0, started_at: now(), exit: None };
    stage.facts.send(Fact::Spawned(child)).await.unwrap();
    let began = moment();
    for jump in [2 * DAY_MS, -3 * DAY_MS] {
        set_wall_clock(jump);
        let early = stage.ordered(Duration::from_secs(25)).await;
        assert!(early.is_none(), "after a jump by {jump} ms: {early:?}");
    }
    assert_eq!(stage.signalled().await.0, 15);
    assert_eq!(began.until(moment()).as_secs(), 60, "neither earlier nor later");
    assert_eq!(stage.signalled().await.0, 18);
    set_wall_clock(DAY_MS);
    let (signal, after) = stage.signalled().await;
    assert_eq!((signal, after.as_secs()), (9, 10), "the grace is whole");

    // A time of the wall clock is that time: set back, it comes later; set forward, it is there.
    let at = now() + HOUR;
    stage.add(|spec| spec.run_at = Some(at)).await;
    set_wall_clock(-DAY_MS);
    // What was killed above is asked for until it is told to have ended.
    let exit = apex::domain::outcome::Exit {
        status: apex::domain::outcome::ExitStatus::Signal(9),
        usage: None,
        at: now(),
        leftovers: false,
        stopped: true,
    };
    stage.facts.send(Fact::Exited { assignment, exit }).await.unwrap();
    while let Some((order, _)) = stage.ordered(2 * HOUR).await {
        match order {
            Order::Signal { assignment, signal, .. } => {
                let errno = nix::libc::ESRCH;
                stage.facts.send(Fact::Signalled { assignment, signal, errno }).await.unwrap();
            }
            Order::Forget { .. } => {}
            other => panic!("{other:?} was ordered before its time"),
        }
    }
    set_wall_clock(2 * DAY_MS);
    let soon = stage.spawned(Duration::from_secs(60)).await;
    assert!(soon.is_some_and(|(_, took)| took <= Duration::from_secs(10)), "its time is there: {soon:?}");
}
