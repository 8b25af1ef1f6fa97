//! Processes as the system sees them: who is there, how one ended, and signals to exactly the right ones.
//!
//! No signal goes to a bare pid. A process is opened as a pidfd first and looked at again through `/proc` afterwards: if
//! it still is what was looked for, the descriptor cannot mean another one.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::domain::outcome::{ExitStatus, Usage};
use crate::link::machine::Stat;

/// How often a session is gone through for processes that were made meanwhile, if the signal keeps those that got it
/// from making more. Whoever forks faster than that is met by the next signal.
const PASSES_MAX: usize = 64;

/// Returns how often a session is gone through for a signal.
///
/// A signal that may be caught goes to whoever is there, once: a shell that runs one command after the other would
/// make somebody new to signal for every one that the signal ended.
fn passes(signal: i32) -> usize {
    if matches!(signal, libc::SIGKILL | libc::SIGSTOP) { PASSES_MAX } else { 1 }
}

/// Looks how a child ended, if it has; it stays a zombie.
///
/// The C library's `waitid` leaves the usage out, the system call has it as a fifth argument; waitid(2).
pub(super) fn peek(pidfd: &OwnedFd) -> io::Result<Option<(ExitStatus, Usage)>> {
    wait(pidfd, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// The same, and the child is reaped.
pub(super) fn take(pidfd: &OwnedFd) -> io::Result<Option<(ExitStatus, Usage)>> {
    wait(pidfd, libc::WEXITED | libc::WNOHANG)
}

fn wait(pidfd: &OwnedFd, options: c_int) -> io::Result<Option<(ExitStatus, Usage)>> {
    // SAFETY: both are plain data for which zeroes are valid, and the call writes to nothing else.
    let (info, usage) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let mut usage: libc::rusage = std::mem::zeroed();
        let fd = pidfd.as_raw_fd();
        let result = libc::syscall(libc::SYS_waitid, libc::P_PIDFD, fd, &raw mut info, options, &raw mut usage);
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        (info, usage)
    };
    // SAFETY: waitid(2) fills these in, and leaves them zero when the child has not ended.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let status = match info.si_code {
        libc::CLD_EXITED => ExitStatus::Code(status),
        _ => ExitStatus::Signal(status),
    };
    let ms = |time: libc::timeval| {
        let part = |number: i64| u64::try_from(number).unwrap_or(0);
        part(time.tv_sec) * 1_000 + part(time.tv_usec) / 1_000
    };
    let usage = Usage {
        // Kibibytes; getrusage(2).
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        user_ms: ms(usage.ru_utime),
        system_ms: ms(usage.ru_stime),
    };
    Ok(Some((status, usage)))
}

/// Reaps the child `pid` if it has ended; returns whether it has. What is not a child needs nothing.
pub(super) fn reap(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    loop {
        match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::EINTR) => {}
            result => return result.is_ok_and(|status| status != WaitStatus::StillAlive),
        }
    }
}

/// Reaps the child `pid`, which is ending at this moment.
pub(super) fn reap_ending(pid: u32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    while waitpid(Pid::from_raw(pid), None) == Err(Errno::EINTR) {}
}

/// Returns the pids of this thread's children, zombies included.
pub(super) fn children() -> Vec<u32> {
    // Absent if the kernel was built without CONFIG_PROC_CHILDREN.
    if let Ok(text) = fs::read_to_string("/proc/thread-self/children") {
        return text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    }
    let own = std::process::id();
    all().filter(|(_, stat)| stat.parent == own).map(|(pid, _)| pid).collect()
}

/// Returns every process that can be seen.
fn all() -> impl Iterator<Item = (u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, Stat::of(pid).ok()?)))
}

/// Returns the sessions that have a live process.
pub(super) fn live_sessions() -> HashSet<u32> {
    all().filter(|(_, stat)| !stat.zombie).map(|(_, stat)| stat.session).collect()
}

/// The live processes of one moment, each with its session. Going through all of `/proc` takes milliseconds, so those
/// who ask at the same time share it.
#[derive(Debug)]
pub(super) struct Seen(Vec<(u32, u32)>);

impl Seen {
    fn now() -> Self {
        Self(all().filter(|(_, stat)| !stat.zombie).map(|(pid, stat)| (pid, stat.session)).collect())
    }
}

/// Sends `signal` to every live process of the sessions in question; SIGKILL and SIGSTOP also to those that are made
/// while it is being sent. 0 only asks whether there is one.
///
/// `recent` is what was seen at a moment when it was already asked for this signal, if there was one; else it is what
/// was seen now.
/// Returns 0 if at least one got it, else why not, as errno(3): `ESRCH` if there is none.
pub(super) fn signal_sessions(is_meant: impl Fn(u32) -> bool, signal: i32, recent: &mut Option<Seen>) -> i32 {
    let mut seen = HashSet::new();
    let mut result = libc::ESRCH;
    for pass in 0..passes(signal) {
        let before = seen.len();
        let processes = if pass == 0 { recent.get_or_insert_with(Seen::now) } else { recent.insert(Seen::now()) };
        for (pid, session) in &processes.0 {
            if !is_meant(*session) || seen.contains(pid) {
                continue;
            }
            let Ok(pidfd) = open(*pid) else { continue };
            if !Stat::of(*pid).is_ok_and(|stat| is_meant(stat.session) && !stat.zombie) {
                continue;
            }
            seen.insert(*pid);
            match send(&pidfd, signal) {
                0 => result = 0,
                errno if result == libc::ESRCH => result = errno,
                _ => {}
            }
        }
        if seen.len() == before {
            break;
        }
    }
    result
}

/// Opens process `pid`, whoever that is now.
pub(super) fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call makes a descriptor, which closes on exec by itself, or fails.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        match c_int::try_from(fd) {
            Ok(fd) if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Sends `signal` to one process. Returns 0, or why it could not be sent, as errno(3).
pub(super) fn send(pidfd: impl AsFd, signal: i32) -> i32 {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: no memory is touched: the information about the signal is left to the kernel.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, std::ptr::null::<libc::siginfo_t>(), 0) };
    if result == 0 { 0 } else { Errno::last_raw() }
}
