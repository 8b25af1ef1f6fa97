//! What a daemon costs that has nothing to do.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{World, eventually, long};

/// How often each thread of a daemon's processes has begun to run, by process, thread and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threads(BTreeMap<(i32, i32, String), u64>);

impl Threads {
    /// Counts now.
    ///
    /// Source: proc_pid_status(5), `voluntary_ctxt_switches`.
    pub fn of(world: &World) -> Self {
        let mut threads = BTreeMap::new();
        for pid in world.processes() {
            for entry in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
                let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let count = |name| field(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
                let thread: i32 = entry.file_name().to_string_lossy().parse().unwrap();
                let switches = count("voluntary_ctxt_switches:") + count("nonvoluntary_ctxt_switches:");
                threads.insert((pid, thread, field("Name:").unwrap_or_default().to_owned()), switches);
            }
        }
        Self(threads)
    }

    /// Returns how often each has run since then, those left out that have not.
    pub fn since(&self, before: &Self) -> BTreeMap<(i32, i32, String), u64> {
        let grown = |(thread, count): (&(i32, i32, String), &u64)| {
            let more = count - before.0.get(thread).copied().unwrap_or(0);
            (more > 0).then(|| (thread.clone(), more))
        };
        self.0.iter().filter_map(grown).collect()
    }
}

/// Waits until a daemon has come to rest after what it was asked last: threads that had something to do end after ten
/// seconds without work.
pub fn at_rest(world: &World) {
    eventually("the last client is gone", || world.connections() == 0);
    let mut last = Threads::of(world);
    eventually("nobody has anything to do any more", || {
        std::thread::park_timeout(Duration::from_millis(300));
        let now = Threads::of(world);
        let is_at_rest = now == last;
        last = now;
        is_at_rest
    });
}

/// Returns the memory of a world's daemon, in bytes, and its processor time in clock ticks.
fn cost(world: &World) -> (u64, u64) {
    let (mut memory, mut ticks) = (0, 0);
    for pid in world.processes() {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        memory += kib.unwrap_or(0) * 1024;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    }
    (memory, ticks)
}

/// With the settings that it has by default: only the poll wakes it, every five seconds.
#[test]
fn an_idle_daemon_wakes_up_for_the_poll_alone() {
    let world = World::started();
    world.ended(world.add("true"));
    at_rest(&world);
    let (before, (_, ticks_before)) = (Threads::of(&world), cost(&world));
    let seconds = 6 * u64::from(long().min(10));
    std::thread::park_timeout(Duration::from_secs(seconds));
    let switches = Threads::of(&world).since(&before);
    let (memory, ticks) = cost(&world);
    println!("{seconds} s idle: {switches:?}, {} ticks, {memory} bytes", ticks - ticks_before);
    let polls = seconds / 5 + 1;
    assert!(switches.values().sum::<u64>() <= 12 * polls + 4, "{switches:?}");
}

/// Memory does not grow with the number of tasks that were there.
#[test]
fn tasks_that_have_ended_cost_no_memory() {
    let world = World::started();
    let run = |count: u32| {
        for _ in 0..count {
            world.apex(["add", "--", "true"]).expect(0);
        }
        let last = world.add("true");
        world.ended(last);
        cost(&world).0
    };
    let (count, warm) = (50 * long(), run(50));
    let after = run(count);
    println!("{count} tasks more: {warm} bytes before, {after} after");
    assert!(after < warm + (8 << 20), "{warm} bytes before, {after} after");
}
