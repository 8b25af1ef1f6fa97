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
use uuid::Uuid;

use crate::domain::adoption::Child;
use crate::domain::id::AssignmentId;
use crate::domain::outcome::{ExitStatus, Usage};
use crate::guardian::kin::Process;
use crate::link::MARK;
use crate::link::machine::{Stat, wall_now};

/// How often all is gone through for processes that were made meanwhile, if the signal keeps those that got it from
/// making more. Whoever forks faster than that is met by the next signal.
const PASSES_MAX: usize = 64;

/// How often the children alone are gone through after each of these passes: one that forks and ends, again and again,
/// is always a child of its reaper, and is caught only by a look that is shorter than its life.
const SHORT_LOOKS_MAX: usize = 16;

/// How often an empty environment is looked at again: for a moment within exec it is empty in any case.
const EXEC_LOOKS: usize = 2;

/// Returns whether a signal keeps those that get it from making new processes. It then goes to those as well that are
/// made while it is being sent. One that may be caught goes to whoever is there, once: a shell that runs one command
/// after the other would make somebody new to signal for every one that the signal ended.
fn holds_still(signal: i32) -> bool {
    matches!(signal, libc::SIGKILL | libc::SIGSTOP)
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
pub(super) fn all() -> impl Iterator<Item = (u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, Stat::of(pid).ok()?)))
}

/// Returns the sessions that have a live process.
pub(super) fn live_sessions() -> HashSet<u32> {
    all().filter(|(_, stat)| !stat.zombie).map(|(_, stat)| stat.session).collect()
}

/// The live processes of one moment. Going through all of `/proc` takes milliseconds, so those who ask at the same time
/// share it.
#[derive(Debug)]
pub(super) struct Seen {
    processes: Vec<Process>,
    has_marks: bool,
}

impl Seen {
    /// Looks at all processes; with `marks` also for the marks in their environment.
    fn now(marks: bool) -> Self {
        Self::of(all(), marks)
    }

    fn of(processes: impl Iterator<Item = (u32, Stat)>, marks: bool) -> Self {
        let live = processes.filter(|(_, stat)| !stat.zombie);
        let processes = live.map(|(pid, stat)| Process { pid, stat, mark: None }).collect();
        let mut seen = Self { processes, has_marks: false };
        if marks {
            seen.read_marks();
        }
        seen
    }

    fn read_marks(&mut self) {
        if !self.has_marks {
            // Children of the second process are the kernel's own threads.
            for process in self.processes.iter_mut().filter(|process| process.stat.parent != 2) {
                process.mark = mark_of(process.pid);
            }
            self.has_marks = true;
        }
    }
}

/// Returns the mark in the environment that a process was started with. What belongs to another user, or keeps its
/// memory to itself, cannot be read.
///
/// Source: proc_pid_environ(5).
pub(super) fn mark_of(pid: u32) -> Option<AssignmentId> {
    let path = format!("/proc/{pid}/environ");
    let mut environ = fs::read(&path).ok()?;
    for _ in 0..EXEC_LOOKS {
        if environ.is_empty() {
            std::thread::yield_now();
            environ = fs::read(&path).ok()?;
        }
    }
    // The first one, as getenv(3) takes it. Only what stands at the beginning of a variable is one.
    let name = [MARK.as_bytes(), b"="].concat();
    let mut rest = environ.as_slice();
    while let Some(found) = find(rest, &name) {
        let is_beginning = found == 0 && rest.len() == environ.len() || found > 0 && rest[found - 1] == 0;
        let value = &rest[found + name.len()..];
        if is_beginning {
            let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
            return Uuid::try_parse_ascii(&value[..end]).ok().map(AssignmentId);
        }
        rest = value;
    }
    None
}

/// Returns the processes that were started for these assignments, as far as they live: the first of a session that
/// carries the mark. Looks at all processes, unless there is nothing to look for.
///
/// Of several it is the one that started first; the others are of sessions that it made.
pub(super) fn started_for(assignments: &[AssignmentId]) -> Vec<Child> {
    if assignments.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<Child> = Vec::new();
    for (pid, stat) in all().filter(|(pid, stat)| !stat.zombie && stat.session == *pid) {
        let Some(assignment) = mark_of(pid).filter(|mark| assignments.contains(mark)) else { continue };
        let child = Child { assignment, pid, start_ticks: stat.start_ticks, started_at: wall_now(), exit: None };
        match found.iter_mut().find(|known| known.assignment == assignment) {
            Some(known) if known.start_ticks <= child.start_ticks => {}
            Some(known) => *known = child,
            None => found.push(child),
        }
    }
    found
}

/// Returns where `needle` first stands in `text`.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    // SAFETY: both are valid for their lengths, and nothing is written.
    let found = unsafe { libc::memmem(text.as_ptr().cast(), text.len(), needle.as_ptr().cast(), needle.len()) };
    (!found.is_null()).then(|| found.addr() - text.as_ptr().addr())
}

/// Which of the live processes a signal is for.
pub(super) trait Meant {
    /// Whether the marks are needed to tell.
    const BY_MARKS: bool;

    /// Returns those that are meant.
    fn among<'p>(&self, processes: &'p [Process]) -> Vec<&'p Process>;
}

/// The processes of the sessions in question.
pub(super) struct Sessions<F>(pub(super) F);

impl<F: Fn(u32) -> bool> Meant for Sessions<F> {
    const BY_MARKS: bool = false;

    fn among<'p>(&self, processes: &'p [Process]) -> Vec<&'p Process> {
        processes.iter().filter(|process| (self.0)(process.stat.session)).collect()
    }
}

/// Returns whether there is anyone who is meant.
pub(super) fn is_any<M: Meant>(meant: &M) -> bool {
    !meant.among(&Seen::now(M::BY_MARKS).processes).is_empty()
}

/// Sends `signal` to every live process that is meant; SIGKILL and SIGSTOP also to those that are made while it is being
/// sent. 0 only asks whether there is one.
///
/// `recent` is what was seen at a moment when it was already asked for this signal, if there was one; else it is what
/// was seen now.
/// Returns 0 if at least one got it, else why not, as errno(3): `ESRCH` if there is none.
pub(super) fn signal<M: Meant>(meant: &M, signal: i32, recent: &mut Option<Seen>) -> i32 {
    let mut round = Round { signal, met: HashSet::new(), result: libc::ESRCH };
    if signal != libc::SIGKILL || !M::BY_MARKS {
        round.go(meant, recent);
        return round.result;
    }
    // Whose parent ends is known by its own mark alone. So first all of them are made to stand still.
    round.signal = libc::SIGSTOP;
    round.go(meant, recent);
    let met: Vec<(u32, u64)> = round.met.drain().collect();
    (round.signal, round.result) = (signal, libc::ESRCH);
    for (pid, start_ticks) in met {
        round.send(pid, start_ticks);
    }
    round.result
}

/// One signal on its way to many.
struct Round {
    signal: i32,
    /// Who was met already: pid and start time.
    met: HashSet<(u32, u64)>,
    result: i32,
}

impl Round {
    fn go<M: Meant>(&mut self, meant: &M, recent: &mut Option<Seen>) {
        for pass in 0..if holds_still(self.signal) { PASSES_MAX } else { 1 } {
            let seen = match recent {
                Some(seen) if pass == 0 => seen,
                _ => recent.insert(Seen::now(M::BY_MARKS)),
            };
            if M::BY_MARKS {
                seen.read_marks();
            }
            if self.send_to(meant.among(&seen.processes)) == 0 {
                return;
            }
            // The first pass met what was there anyhow. Is there more, it may be on the run.
            for _ in 0..if pass == 0 { 0 } else { SHORT_LOOKS_MAX } {
                let children = children().into_iter().filter_map(|pid| Some((pid, Stat::of(pid).ok()?)));
                self.send_to(meant.among(&Seen::of(children, M::BY_MARKS).processes));
            }
        }
    }

    /// Sends the signal to those that were not met yet; returns how many these were.
    fn send_to(&mut self, processes: Vec<&Process>) -> usize {
        let before = self.met.len();
        // Mostly the oldest first: a parent that is left when its child was killed may end by itself, as if all was well.
        for process in processes {
            self.send(process.pid, process.stat.start_ticks);
        }
        self.met.len() - before
    }

    fn send(&mut self, pid: u32, start_ticks: u64) {
        if self.met.contains(&(pid, start_ticks)) {
            return;
        }
        let Ok(pidfd) = open(pid) else { return };
        // Whoever has the pid now: the descriptor and this look mean the same process, which must be the one that was
        // seen before.
        if !Stat::of(pid).is_ok_and(|stat| stat.is_since(start_ticks) && !stat.zombie) {
            return;
        }
        self.met.insert((pid, start_ticks));
        match send(&pidfd, self.signal) {
            0 => self.result = 0,
            errno if self.result == libc::ESRCH => self.result = errno,
            _ => {}
        }
    }
}

/// Returns whether a process does not run because somebody wants it so: it was stopped by a signal, or is traced.
///
/// Source: proc_pid_status(5), `State` and `TracerPid`.
pub(super) fn is_halted(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
    field("State:").is_some_and(|state| state.starts_with(['T', 't']))
        || field("TracerPid:").is_some_and(|tracer| tracer != "0")
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// The process with this pid, as it was seen when it had another start time.
    fn stale(pid: u32) -> Option<Seen> {
        let mut stat = Stat::of(pid).unwrap();
        stat.start_ticks -= 1;
        Some(Seen { processes: vec![Process { pid, stat, mark: None }], has_marks: true })
    }

    #[test]
    fn one_that_got_the_pid_after_the_look_gets_no_signal() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id();
        let session = Stat::of(pid).unwrap().session;
        let meant = Sessions(|other| other == session);
        assert_eq!(signal(&meant, libc::SIGTERM, &mut stale(pid)), libc::ESRCH);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "not by the signal");
    }

    #[test]
    fn a_mark_is_a_whole_variable_with_an_id() {
        let id = AssignmentId(Uuid::from_u128(7));
        let mark_in = |variables: &[(&str, &str)]| {
            let mut child =
                Command::new("/bin/sleep").arg("1000").env_clear().envs(variables.to_vec()).spawn().unwrap();
            let environ = format!("/proc/{}/environ", child.id());
            // It is empty for a moment, although exec has succeeded.
            while fs::read(&environ).unwrap().is_empty() {}
            let mark = mark_of(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            mark
        };
        let text = id.0.to_string();
        assert_eq!(mark_in(&[("A", "b"), (MARK, &text), ("Z", "")]), Some(id));
        assert_eq!(mark_in(&[(MARK, &text)]), Some(id));
        let hidden = format!("{MARK}={text}");
        let longer = format!("X{MARK}");
        assert_eq!(mark_in(&[("A", &hidden), (&longer, &text)]), None);
        assert_eq!(mark_in(&[("A", &hidden), (MARK, &text)]), Some(id));
        assert_eq!(mark_in(&[(MARK, "7")]), None);
        assert_eq!(mark_of(u32::MAX), None);
    }
}
