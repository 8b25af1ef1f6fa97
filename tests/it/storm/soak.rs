//! A hundred thousand tasks through one daemon leave it as it was: descriptors, zombies, memory.

use std::ffi::OsString;
use std::time::Instant;

use apex::domain::id::TaskUuid;
use apex::domain::task::{Environment, NewTask, TaskSpec};
use apex::rpc::client::{Client, Options};
use uuid::Uuid;

use crate::support::{World, eventually, long, process_state};

/// So many tasks a round; before the first one is measured another has warmed everything up.
const TASKS: u64 = 1_000;
/// So many adds at once.
const ADDS: u64 = 50;

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holdings {
    descriptors: usize,
    threads: usize,
    /// In KiB, without what is shared with other processes of the same program: their number changes.
    memory: u64,
}

impl Holdings {
    /// Source: proc_pid_smaps(5), proc_pid_fd(5).
    fn of(pid: i32) -> Holdings {
        let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let memory = smaps.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
        Holdings { descriptors: count("fd"), threads: count("task"), memory }
    }
}

/// Adds tasks and waits until all have ended.
fn round(world: &World, runtime: &tokio::runtime::Runtime, so_far: u64) {
    let socket = world.dot_apex().join("daemon.sock");
    let root = world.root();
    runtime.block_on(async {
        let client = Client::connect(&socket, Options::default()).await.unwrap();
        for _ in 0..TASKS / ADDS {
            let mut adds = tokio::task::JoinSet::new();
            for _ in 0..ADDS {
                let argv = ["/bin/echo", "done"].map(OsString::from).to_vec();
                let spec = TaskSpec::command(argv, root.clone());
                let (uuid, env) = (TaskUuid(Uuid::now_v7()), Environment::default());
                let task = NewTask { uuid, spec, env, hold: false, parent: None };
                let client = client.clone();
                adds.spawn(async move { client.add(&task).await.unwrap() });
            }
            adds.join_all().await;
        }
    });
    let all = so_far + TASKS;
    eventually("all have succeeded", || world.status()["tasks_succeeded"].as_u64() == Some(all));
}

/// The long form, `APEX_LONG=100`, is a hundred thousand tasks.
#[test]
fn what_a_daemon_holds_does_not_grow_with_what_it_has_done() {
    let world = World::with_config("[daemon]\nmax_concurrent = 8\n");
    world.apex(["daemon", "start"]).expect(0);
    let (apexd, guardian) = (world.apexd_pid(), world.guardian_pid());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    round(&world, &runtime, 0);
    let before = (Holdings::of(guardian), Holdings::of(apexd));
    let began = Instant::now();
    let rounds = u64::from(long());
    for number in 1..=rounds {
        round(&world, &runtime, number * TASKS);
    }
    let took = began.elapsed();
    let children = format!("/proc/{guardian}/task/{guardian}/children");
    eventually("all were reaped", || {
        let children = std::fs::read_to_string(&children).unwrap();
        children.split_whitespace().all(|pid| process_state(pid.parse().unwrap()) != Some('Z'))
    });
    assert_eq!((world.apexd_pid(), world.guardian_pid()), (apexd, guardian), "nobody died");
    let after = (Holdings::of(guardian), Holdings::of(apexd));
    eprintln!("{} tasks in {took:?}; guardian, apexd before: {before:?}, after: {after:?}", rounds * TASKS);
    assert_eq!(after.0.descriptors, before.0.descriptors, "of the guardian");
    // A connection that was just closed may still be there.
    assert!(after.1.descriptors <= before.1.descriptors + 2, "of apexd: {before:?}, {after:?}");
    assert!(after.0.memory <= before.0.memory + 1024, "of the guardian: {before:?}, {after:?}");
    assert!(after.1.memory <= before.1.memory + 8 * 1024, "of apexd: {before:?}, {after:?}");
}
