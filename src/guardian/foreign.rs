//! Processes that this guardian is not the parent of: an earlier one started them and was killed.
//!
//! Nothing of them waits to be reaped by us, so two things are different. How one ended is read off a descriptor that was
//! opened before (`PIDFD_GET_INFO`, Linux 6.15), or off the zombie while its new parent lets it stand. And its pid, which
//! is the id of its session, can be used again once the session is empty: after the leader's end only a session that has
//! had a member of ours in it without a break, or has one that carries the mark, is still the same one.

use std::collections::HashSet;
use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::libc;

use crate::domain::adoption::Child;
use crate::domain::outcome::ExitStatus;
use crate::guardian::processes;
use crate::link::machine::Stat;

/// How such a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Running,
    Ended(ExitStatus),
    /// It is gone, and nobody can tell how it ended.
    Gone,
}

/// Processes by pid and start time, of which no two have both.
type Members = HashSet<(u32, u64)>;

/// What is known of the session of such a process.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    /// Those who were seen in it after the leader's end, each with its start time; `None` if nobody has looked since.
    members: Option<Members>,
    /// How it ended is not known.
    pub(super) gone: bool,
}

impl Foreign {
    /// Its leader has just ended: notes who is left. Returns whether anybody is.
    pub(super) fn leader_ended(&mut self, leader: &Child) -> bool {
        // The pid of the leader would be there again, with another start time, if it had been used again.
        let is_again = Stat::of(leader.pid).is_ok_and(|stat| stat.start_ticks != leader.start_ticks);
        let left = if is_again { Members::new() } else { in_session(leader.pid) };
        !self.members.insert(left).is_empty()
    }

    /// Returns whether the session of this leader, which has ended, still is the one that it made, and notes who is in it.
    pub(super) fn keeps_session(&mut self, leader: &Child) -> bool {
        let there = self.left(leader);
        !self.members.insert(there).is_empty()
    }

    /// Returns whether anybody is left in the session that the leader, which has ended, made.
    pub(super) fn has_left(&self, leader: &Child) -> bool {
        !self.left(leader).is_empty()
    }

    /// Returns who is in the session, if it is the one that the leader made.
    fn left(&self, leader: &Child) -> Members {
        let is_ours = |there: &Members| match &self.members {
            // As long as one is left that was there before, the number means the same session.
            Some(known) => !known.is_disjoint(there),
            // The guardian before saw the leader end. Nobody but a descendant has its mark.
            None => there.iter().any(|(pid, _)| processes::mark_of(*pid) == Some(leader.assignment)),
        };
        // An empty session cannot be joined; so nothing comes back to one that was seen empty.
        let is_over = self.members.as_ref().is_some_and(Members::is_empty);
        Some(leader.pid).filter(|_| !is_over).map(in_session).filter(is_ours).unwrap_or_default()
    }
}

/// Returns the live processes of a session, each with its start time.
fn in_session(session: u32) -> Members {
    let live = processes::all().filter(|(_, stat)| stat.session == session && !stat.zombie);
    live.map(|(pid, stat)| (pid, stat.start_ticks)).collect()
}

/// Opens the process, if it is still the one that is meant.
pub(super) fn open(child: &Child) -> Option<OwnedFd> {
    let pidfd = processes::open(child.pid).ok()?;
    // Looked at after it was opened: then the descriptor cannot mean another one.
    Stat::of(child.pid).is_ok_and(|stat| stat.start_ticks == child.start_ticks).then_some(pidfd)
}

/// Looks how the process stands; `pidfd` was opened while it was there.
pub(super) fn look(pidfd: &OwnedFd, child: &Child) -> Seen {
    match exit_info(pidfd).or_else(|| zombie(child)) {
        Some(status) => Seen::Ended(status),
        None if Stat::of(child.pid).is_ok_and(|stat| stat.start_ticks == child.start_ticks && !stat.zombie) => {
            Seen::Running
        }
        // It may have been reaped between the two looks.
        None => exit_info(pidfd).map_or(Seen::Gone, Seen::Ended),
    }
}

/// The kernel's `struct pidfd_info`, as it was when it came; later kernels fill in the part that is known here.
#[derive(Debug, Default)]
#[repr(C)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// Pids and ids of users.
    ids: [u32; 11],
    exit_code: i32,
}

/// Asks for, and says that there is, an exit code.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// Returns how a process ended that somebody has reaped; `None` if nobody has, or the kernel does not tell.
///
/// Source: linux/pidfd.h, `PIDFD_GET_INFO` with `PIDFD_INFO_EXIT`, Linux 6.15.
fn exit_info(pidfd: &OwnedFd) -> Option<ExitStatus> {
    let request = libc::_IOWR::<PidfdInfo>(0xff, 11);
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request carries the size of the structure, and the kernel writes no more than that.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), request, &raw mut info) };
    (result == 0 && info.mask & PIDFD_INFO_EXIT != 0).then(|| of_wait_status(info.exit_code))
}

/// Returns how a process ended that nobody has reaped yet.
///
/// Source: proc_pid_stat(5), field 52, in the form of waitpid(2).
fn zombie(child: &Child) -> Option<ExitStatus> {
    let text = fs::read(format!("/proc/{}/stat", child.pid)).ok()?;
    let stat = Stat::parse(&text).filter(|stat| stat.zombie && stat.start_ticks == child.start_ticks);
    stat?;
    let text = String::from_utf8_lossy(&text);
    // The name may hold anything; the last field does not.
    text.trim_end().rsplit(' ').next()?.parse().ok().map(of_wait_status)
}

fn of_wait_status(status: i32) -> ExitStatus {
    match status & 0x7f {
        0 => ExitStatus::Code((status >> 8) & 0xff),
        signal => ExitStatus::Signal(signal),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::domain::id::AssignmentId;
    use crate::domain::time::Timestamp;
    use crate::link::MARK;
    use uuid::Uuid;

    fn child(pid: u32) -> Child {
        let start_ticks = Stat::of(pid).unwrap().start_ticks;
        let assignment = AssignmentId(Uuid::from_u128(1));
        Child { assignment, pid, start_ticks, started_at: Timestamp(0), exit: None }
    }

    fn await_zombie(pid: u32) {
        let id = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()));
        let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
        nix::sys::wait::waitid(id, flags).unwrap();
    }

    #[test]
    fn an_end_is_told_before_and_after_somebody_has_reaped_it() {
        for (line, expected) in [("read x; exit 6", ExitStatus::Code(6)), ("read x; kill -9 $$", ExitStatus::Signal(9))]
        {
            let mut process = Command::new("sh").args(["-c", line]).stdin(Stdio::piped()).spawn().unwrap();
            let child = child(process.id());
            let pidfd = open(&child).unwrap();
            assert_eq!(look(&pidfd, &child), Seen::Running);
            drop(process.stdin.take());
            await_zombie(process.id());
            assert_eq!(look(&pidfd, &child), Seen::Ended(expected), "it stands as a zombie");
            process.wait().unwrap();
            let seen = look(&pidfd, &child);
            let is_old_kernel = seen == Seen::Gone;
            assert!(seen == Seen::Ended(expected) || is_old_kernel, "{seen:?}");
        }
    }

    #[test]
    fn another_process_with_the_pid_is_not_opened() {
        let own = child(std::process::id());
        assert!(open(&own).is_some());
        assert!(open(&Child { start_ticks: own.start_ticks + 1, ..own }).is_none());
    }

    /// A leader that has ended and left two behind, which carry a mark if one is given.
    fn leader_that_left(mark: Option<AssignmentId>) -> (Child, Vec<OwnedFd>) {
        let line = "sleep 1000 & echo $!; sleep 1000 & echo $!; exec >&-; read x";
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", line]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.envs(mark.map(|mark| (MARK, mark.0.to_string())));
        let mut process = command.spawn().unwrap();
        let mut text = String::new();
        let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
        for _ in 0..2 {
            std::io::BufRead::read_line(&mut stdout, &mut text).unwrap();
        }
        let left = text.lines().map(|pid| processes::open(pid.parse().unwrap()).unwrap()).collect();
        let leader = child(process.id());
        drop(process.stdin.take());
        process.wait().unwrap();
        (leader, left)
    }

    /// Ends those who were left behind.
    fn end(left: Vec<OwnedFd>) {
        for pidfd in left {
            assert_eq!(processes::send(&pidfd, libc::SIGKILL), 0);
            crate::guardian::tests::world::await_end(&pidfd);
        }
    }

    #[test]
    fn a_session_is_the_same_only_while_one_of_its_own_is_left() {
        let (leader, left) = leader_that_left(None);
        assert!(!Foreign::default().keeps_session(&leader), "nobody was seen in it before");
        let mut foreign = Foreign::default();
        assert!(foreign.leader_ended(&leader));
        assert!(foreign.keeps_session(&leader) && foreign.has_left(&leader));
        end(left);
        assert!(!foreign.has_left(&leader) && !foreign.keeps_session(&leader));
    }

    #[test]
    fn one_that_carries_the_mark_tells_whose_session_it_is_though_nobody_was_seen_before() {
        let (leader, left) = leader_that_left(Some(AssignmentId(Uuid::from_u128(1))));
        let mut foreign = Foreign::default();
        assert!(foreign.has_left(&leader) && foreign.keeps_session(&leader));
        end(left);
        assert!(!foreign.has_left(&leader) && !foreign.keeps_session(&leader));
        let (leader, left) = leader_that_left(Some(AssignmentId(Uuid::from_u128(2))));
        assert!(!Foreign::default().has_left(&leader) && !Foreign::default().keeps_session(&leader), "another's");
        end(left);
    }
}
