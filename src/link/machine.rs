//! What both ends read off the machine, and must read alike: the boot id, the start time of a process, the clocks.
//!
//! Linux only: all of it but the clocks comes from `/proc`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::libc;
use uuid::Uuid;

use crate::domain::identity::BootId;
use crate::domain::time::{Moment, Timestamp};
use crate::fault;

/// What `/proc/PID/stat` says about one process.
///
/// Source: proc_pid_stat(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// It has ended and waits to be reaped. A process whose first thread has ended while others go on is not a zombie.
    pub zombie: bool,
    /// The pid of its parent.
    pub parent: u32,
    /// The id of its session, which is the pid of the process that made it.
    pub session: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

impl Stat {
    /// Reads the state of process `pid`.
    ///
    /// Errors: `NotFound` if there is no such process; `InvalidData` for a file that is not understood.
    pub fn of(pid: u32) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{pid}/stat")).map_err(|error| match error.raw_os_error() {
            // The process ended between open and read.
            Some(libc::ESRCH) => io::Error::from(io::ErrorKind::NotFound),
            _ => error,
        })?;
        Self::parse(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Returns whether this is the process that started then, and not a later one with the same pid.
    pub fn is_since(&self, start_ticks: u64) -> bool {
        self.start_ticks == start_ticks || fault::is_sabotaged(7)
    }

    /// Parses the contents of a `stat` file; `None` if they are not understood.
    ///
    /// Shape: the name of the program stands in parentheses and may contain spaces and parentheses, so the fields are
    /// counted from the last closing one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let after_name = text.iter().rposition(|byte| *byte == b')')? + 1;
        let fields: Vec<&str> = str::from_utf8(text.get(after_name..)?).ok()?.split_ascii_whitespace().collect();
        // Field 3 of the man page is the first one here.
        let field = |number: usize| fields.get(number - 3).copied();
        let dead = matches!(field(3)?, "Z" | "X" | "x");
        let threads: u64 = field(20)?.parse().ok()?;
        Some(Self {
            zombie: dead && threads <= 1,
            parent: field(4)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            start_ticks: field(22)?.parse().ok()?,
        })
    }
}

/// Returns the path that stands in one of the kernel's tables of mounts: a backslash and three octal digits are a byte.
///
/// Source: proc_pid_mounts(5).
pub fn unescape(text: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) if *byte == b'\\' => {
                out.push(escaped);
                rest = &after[3..];
            }
            _ => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

/// Reads the id of this run of the machine.
///
/// Errors: what reading the file gave; `InvalidData` if it holds no uuid.
/// Source: proc_sys_kernel(5), `random/boot_id`.
pub fn boot_id() -> io::Result<BootId> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let uuid = Uuid::try_parse(text.trim()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(BootId(uuid))
}

/// Returns the present time of the wall clock.
pub fn wall_now() -> Timestamp {
    let ms = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    Timestamp(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => ms(since),
        Err(before) => -ms(before.duration()),
    })
}

/// Returns the present time of the clock that goes on while the machine sleeps.
pub fn boottime_now() -> Moment {
    clock(libc::CLOCK_BOOTTIME)
}

/// Waits for moments of one clock: what a loop sleeps by.
pub trait Alarm: Send {
    /// Resolves at `at`, at once if that is over, never if there is none.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    fn until(&mut self, at: Option<Moment>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Returns the present time of the clock that stands still while the machine sleeps.
pub fn monotonic_now() -> Moment {
    clock(libc::CLOCK_MONOTONIC)
}

fn clock(clock: libc::clockid_t) -> Moment {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer. The call cannot fail: the clocks exist since Linux 2.6.39.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Moment(seconds * 1_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000)
}

/// Returns how many clock ticks make a second.
///
/// Source: sysconf(3), `_SC_CLK_TCK`.
pub fn ticks_per_second() -> u64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
    ticks.and_then(|ticks| u64::try_from(ticks).ok()).filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// Returns the clock tick that begins next, on the clock of [`Stat::start_ticks`].
pub fn ticks_now() -> u64 {
    present_tick() + 1
}

/// Returns the clock tick that has begun last, on the clock of [`Stat::start_ticks`]: what the kernel writes down as the
/// start of a process that it makes now.
///
/// Source: Linux, `fs/proc/array.c`, `nsec_to_clock_t` of the process's `start_boottime`.
pub fn present_tick() -> u64 {
    boottime_now().0.saturating_mul(ticks_per_second()) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let text = b"17 (a ) b (Z 1 2) S 4 17 9 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 1 0 7788 1 2\n";
        let stat = Stat { zombie: false, parent: 4, session: 9, start_ticks: 7788 };
        assert_eq!(Stat::parse(text), Some(stat));
    }

    #[test]
    fn a_first_thread_that_ended_before_the_others_is_no_zombie() {
        let text = |threads| format!("17 (a) Z 4 17 9 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 {threads} 0 7788 1 2\n");
        assert!(Stat::parse(text(1).as_bytes()).unwrap().zombie);
        assert!(!Stat::parse(text(2).as_bytes()).unwrap().zombie);
    }

    #[test]
    fn nothing_that_runs_started_after_now() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let start_ticks = Stat::of(child.id()).unwrap().start_ticks;
        assert!((start_ticks..start_ticks + 3_600 * ticks_per_second()).contains(&ticks_now()));
        child.wait().unwrap();
    }

    #[test]
    fn the_present_tick_is_the_start_of_a_process_that_is_made_within_it() {
        let mut compared = 0;
        while compared < 5 {
            let before = present_tick();
            let mut child = std::process::Command::new("true").spawn().unwrap();
            let after = present_tick();
            let started = Stat::of(child.id()).unwrap().start_ticks;
            child.wait().unwrap();
            assert!((before..=after).contains(&started), "{before} {started} {after}");
            compared += usize::from(before == after);
        }
    }

    #[test]
    fn the_clock_that_stands_still_in_sleep_is_never_ahead_of_the_other() {
        let (still, other) = (monotonic_now(), boottime_now());
        assert!(still > Moment(0) && still <= other, "{still:?} {other:?}");
    }

    #[test]
    fn what_is_not_a_stat_file_is_refused() {
        for wrong in ["", "17", "17 (a)", "17 (a) S", "17 (a) S x 17 9 0 -1 4 1 0 0 0 5 6 0 0 20 0 1 0 7 1 2"] {
            assert_eq!(Stat::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn this_process_is_there_and_has_the_parent_the_system_names() {
        let stat = Stat::of(std::process::id()).unwrap();
        assert!(!stat.zombie && stat.start_ticks > 0);
        assert_eq!(stat.parent, std::os::unix::process::parent_id());
        assert_eq!(Stat::of(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
    }
}
