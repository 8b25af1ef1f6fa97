//! Where this is measured.

use std::fs;

/// Returns in a line what machine this is.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map_or("", |(_, name)| name);
    let memory = read("/proc/meminfo");
    let memory =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    let gib = memory.map_or(0, |kib: u64| kib.div_ceil(1 << 20));
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores ({}), {gib} GiB, Linux {}, {}", cpu.trim(), kernel.trim(), file_system())
}

/// Returns the file system on which everything is done.
///
/// Source: proc_pid_mountinfo(5); the longest mount point that leads to the directory is the one.
fn file_system() -> String {
    let here = env!("CARGO_TARGET_TMPDIR");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let sort = mounts.lines().filter_map(|line| {
        let (place, sort) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?;
        let leads = std::path::Path::new(here).starts_with(point);
        leads.then(|| (point.len(), sort.split(' ').next().unwrap_or_default().to_owned()))
    });
    sort.max_by_key(|(length, _)| *length).map_or_else(String::new, |(_, sort)| sort)
}

/// Returns the date.
pub fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

/// Returns the time on the clock that only goes forward, in nanoseconds: the one that a stamp shows.
pub fn monotonic_ns() -> i64 {
    let mut now = nix::libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it fills in the one structure that it is given.
    let done = unsafe { nix::libc::clock_gettime(nix::libc::CLOCK_MONOTONIC, &raw mut now) };
    assert_eq!(done, 0, "every Linux has this clock");
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Returns the wall clock, in seconds since 1970.
pub fn wall() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
