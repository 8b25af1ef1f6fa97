//! The hot paths in parts, as `cargo bench --bench hot` measures them: a step of the core, a frame of the link, and what
//! the store does for a task, alone and many at once.
//!
//! Each commit here is as durable as a daemon's. So that a disk with other things to do is not mistaken for a slower
//! program: compare only what was measured one after the other.

use std::ffi::OsString;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apex::domain::adoption::Child;
use apex::domain::attempt::{Event, Leftovers, Machine, Output, Policy, Stream};
use apex::domain::change::Actor;
use apex::domain::id::{AssignmentId, TaskUuid};
use apex::domain::identity::{BootId, GuardianId};
use apex::domain::outcome::{Exit, ExitStatus, Outcome};
use apex::domain::task::{Environment, NewTask, TaskSpec};
use apex::domain::time::{Moment, Timestamp};
use apex::link::codec::{Reader, encode};
use apex::link::{Fact, Order, Spawn};
use apex::store::sqlite::{Sqlite, open};
use apex::store::task::{Add, Claim, Finish, Terms};
use apex::store::{Store as _, TaskStore as _};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// So many tasks at once, where several are.
const GROUP: u64 = 64;

/// An attempt from its start to its end: five steps.
fn transition(criterion: &mut Criterion) {
    let policy = Policy { signal: 15, grace: Duration::from_secs(5), timeout: None, leftovers: Leftovers::Kill };
    criterion.bench_function("domain: an attempt from start to end", |bencher| {
        bencher.iter(|| {
            let mut machine = Machine::starting(black_box(policy));
            for event in [Event::Started, Event::Tick, Event::Exited(exit()), Event::Recorded] {
                black_box(machine.step(Moment(1), event));
            }
            machine.is_ended()
        });
    });
}

/// The frames that a task takes: its order, and what is told of it.
fn frames(criterion: &mut Criterion) {
    let order = Order::Spawn(Box::new(Spawn {
        assignment: assignment(),
        program: "/bin/true".into(),
        argv: vec!["true".into()],
        env: environment().0,
        cwd: "/home/user/project".into(),
        umask: 0o077,
        limits: Vec::new(),
        stdin: None,
        stdout: "/home/user/project/.apex/output/0/1.1.log.part".into(),
        stderr: None,
        keep: None,
    }));
    let started = Fact::Spawned(Child {
        assignment: assignment(),
        pid: 4_711,
        start_ticks: 1_234_567,
        started_at: NOW,
        exit: None,
    });
    let exited = Fact::Exited { assignment: assignment(), exit: exit() };
    let mut out = Vec::new();
    criterion.bench_function("link: encode an order to spawn", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode(black_box(&order), &mut out)
        });
    });
    criterion.bench_function("link: decode an order to spawn", |bencher| {
        let mut reader = Reader::<Order>::default();
        bencher.iter(|| {
            reader.feed(black_box(&out));
            reader.next_message()
        });
    });
    criterion.bench_function("link: encode and decode what is told of a task", |bencher| {
        let (mut out, mut reader) = (Vec::new(), Reader::<Fact>::default());
        bencher.iter(|| {
            out.clear();
            for fact in [&started, &exited] {
                // Neither is too long for a frame.
                let _ = encode(black_box(fact), &mut out);
            }
            reader.feed(&out);
            (reader.next_message(), reader.next_message())
        });
    });
}

/// What the store does for a task.
fn store(criterion: &mut Criterion) {
    let world = World::new();
    criterion.bench_function("store: add a task, one commit", |bencher| {
        bencher.iter(|| world.add(1));
    });
    let mut group = criterion.benchmark_group("store, 64 at once");
    group.throughput(Throughput::Elements(GROUP));
    group.bench_function("add, one commit", |bencher| {
        bencher.iter(|| world.add(GROUP));
    });
    group.bench_function("claim, one commit", |bencher| {
        let fill = || world.add(GROUP);
        bencher.iter_batched(fill, |()| world.claim(GROUP), BatchSize::PerIteration);
    });
    group.bench_function("finish, one commit", |bencher| {
        let fill = || {
            world.add(GROUP);
            world.claim(GROUP)
        };
        bencher.iter_batched(fill, |claims| world.finish(claims), BatchSize::PerIteration);
    });
    group.finish();
    world.close();
}

/// A store in a directory of its own, on the disk on which everything is built.
struct World {
    runtime: Runtime,
    store: Arc<Sqlite>,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory to work in");
        let store = open(&directory.path().join("apex.db"), NOW).expect("a new store").store;
        World { runtime, store, _directory: directory }
    }

    /// Does something so often at once, and waits until all of it is durable.
    fn at_once<T: Send + 'static, F>(&self, jobs: impl Iterator<Item = F>) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.runtime.block_on(async { jobs.collect::<JoinSet<T>>().join_all().await })
    }

    fn add(&self, count: u64) {
        self.at_once((0..count).map(|_| {
            let store = Arc::clone(&self.store);
            let spec = TaskSpec::command(vec!["/bin/true".into()], "/home/user/project".into());
            let uuid = TaskUuid(Uuid::now_v7());
            let task = NewTask { uuid, spec, env: environment(), hold: false, parent: None };
            async move { store.add(Add { task, by: Actor::Cli(1), now: NOW, untrusted: false }).await.expect("added") }
        }));
    }

    fn claim(&self, count: u64) -> Vec<AssignmentId> {
        let assignments = (0..count).map(|_| assignment()).collect();
        let (owner, boot) = (GuardianId(Uuid::from_u128(1)), BootId(Uuid::from_u128(2)));
        let (after, shut, terms) = (Vec::new(), Vec::new(), Terms::default());
        let claim = Claim { owner, boot, assignments, after, shut, now: NOW, lease_until: NOW, terms };
        let claimed = self.runtime.block_on(self.store.claim(claim)).expect("claimed");
        claimed.into_iter().map(|claimed| claimed.attempt.assignment).collect()
    }

    fn finish(&self, claims: Vec<AssignmentId>) {
        self.at_once(claims.into_iter().map(|assignment| {
            let store = Arc::clone(&self.store);
            let path: PathBuf = Path::new("output/0/1.1.log").into();
            let finish = Finish {
                assignment,
                outcome: Outcome::of_exit(ExitStatus::Code(0), None, None, NOW),
                outputs: vec![Output { stream: Stream::Merged, path, bytes: 0, sha256: None }],
                started: None,
                jitter: 1.0,
                now: NOW,
            };
            async move { store.finish(finish).await.expect("finished") }
        }));
    }

    fn close(&self) {
        self.runtime.block_on(self.store.close()).expect("closed");
    }
}

fn assignment() -> AssignmentId {
    AssignmentId(Uuid::now_v7())
}

fn exit() -> Exit {
    Exit { status: ExitStatus::Code(0), usage: None, at: NOW, leftovers: false, stopped: false }
}

/// As many variables as a shell usually has.
fn environment() -> Environment {
    let variable = |index| (OsString::from(format!("VARIABLE_{index}")), OsString::from("/a/value/of/some/length"));
    Environment((0..30).map(variable).collect())
}

criterion_group!(benches, transition, frames, store);
criterion_main!(benches);
