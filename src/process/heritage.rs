//! What apexd knows of its guardian's work, so that it can take its place when it is killed.
//!
//! Everything that goes over the link passes by here. Of each process that runs a descriptor is kept: on Linux 6.15 and
//! later it tells how the process ended even to somebody who is not its parent, and after its parent has reaped it, as
//! long as it was opened before (`PIDFD_GET_INFO`). So nothing is lost by the guardian's end that had come about before it.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, poll};

use crate::domain::adoption::Child;
use crate::domain::id::AssignmentId;
use crate::domain::identity::GuardianId;
use crate::domain::time::{Moment, Timestamp};
use crate::link::handover::{Handover, Heir};
use crate::link::machine::Stat;
use crate::link::{Fact, Order, Scope};

/// How long a guardian whose link has ended may take to be gone. One that lives on has closed the link on purpose.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What is known at the moment. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Heritage(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    guardian: GuardianId,
    started_at: Timestamp,
    restarts: u32,
    pidfd: Option<OwnedFd>,
    /// The roll call is over: nothing is missing.
    is_complete: bool,
    nofile: Option<u64>,
    supervised: bool,
    grace_until: Option<Moment>,
    kill_grace: Option<Duration>,
    stops: u32,
    draining: bool,
    held: HashMap<AssignmentId, Held>,
    /// Those that were to be started and of which nothing was heard yet.
    asked: HashSet<AssignmentId>,
    doubtful: HashSet<AssignmentId>,
}

#[derive(Debug)]
struct Held {
    child: Child,
    /// The guardian was told to end it with all that belongs to it.
    everything: bool,
    /// As long as it runs; `None` if there was none to be had.
    pidfd: Option<OwnedFd>,
}

impl Held {
    fn new(child: Child) -> Self {
        let pidfd = if child.exit.is_none() { open(&child) } else { None };
        Self { child, everything: false, pidfd }
    }

    /// The same of a child of the guardian's own. It keeps the entry of that child until it is told to forget it, so the pid
    /// means the child if the guardian is there after it was opened.
    fn of_guardian(child: Child, guardian: Option<&OwnedFd>) -> Self {
        let pidfd = open_pid(child.pid).filter(|_| child.exit.is_none());
        match guardian {
            Some(guardian) if !has_ended(guardian, Duration::ZERO) => Self { child, everything: false, pidfd },
            _ => Self::new(child),
        }
    }
}

impl Heritage {
    /// The guardian has said something.
    pub(super) fn heard(&self, fact: &Fact) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fact {
            Fact::Welcome { version: _, guardian, guardian_pid, started_at, restarts, stop_requests } => {
                known.guardian = *guardian;
                known.started_at = *started_at;
                known.restarts = *restarts;
                known.stops = *stop_requests;
                known.pidfd = open_pid(*guardian_pid);
            }
            Fact::Terms { nofile, supervised, grace_until } => {
                (known.nofile, known.supervised, known.grace_until) = (*nofile, *supervised, *grace_until);
            }
            Fact::Complete => known.is_complete = true,
            Fact::Child(child) => {
                known.asked.remove(&child.assignment);
                known.held.insert(child.assignment, Held::new(*child));
            }
            Fact::Spawned(child) => {
                known.asked.remove(&child.assignment);
                let held = Held::of_guardian(*child, known.pidfd.as_ref());
                known.held.insert(child.assignment, held);
            }
            Fact::NotSpawned { assignment, .. } => {
                known.asked.remove(assignment);
            }
            Fact::Exited { assignment, exit } => {
                if let Some(held) = known.held.get_mut(assignment) {
                    held.child.exit = Some(*exit);
                    held.pidfd = None;
                }
            }
            Fact::Gone { assignment, .. } => {
                known.held.remove(assignment);
                known.doubtful.insert(*assignment);
            }
            Fact::Doubtful { assignment } => {
                known.doubtful.insert(*assignment);
            }
            Fact::Terminate { requests } => known.stops = *requests,
            Fact::Signalled { .. } | Fact::Reload | Fact::Ask | Fact::Keeps => {}
        }
    }

    /// The guardian is about to be told something.
    pub(super) fn said(&self, order: &Order) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match order {
            Order::Policy { kill_grace } => known.kill_grace = Some(*kill_grace),
            Order::Spawn(spawn) if !known.held.contains_key(&spawn.assignment) => {
                known.asked.insert(spawn.assignment);
            }
            Order::Forget { assignment } => {
                known.held.remove(assignment);
                known.doubtful.remove(assignment);
            }
            Order::Signal { assignment, signal, scope: Scope::Everything } => {
                // What ends then did not end by itself, whoever sees it.
                let ends = !matches!(*signal, 0 | libc::SIGCONT | libc::SIGSTOP);
                if let Some(held) = known.held.get_mut(assignment) {
                    held.everything |= ends;
                }
            }
            Order::Draining => known.draining = true,
            Order::Grace { until } => known.grace_until = Some(*until),
            Order::Hello { .. }
            | Order::Present
            | Order::Ready
            | Order::Spawn(_)
            | Order::Signal { .. }
            | Order::Replace { .. }
            | Order::Adopt(_) => {}
        }
    }

    /// Returns whether the guardian has ended.
    pub(super) fn is_orphaned(&self) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.pidfd.as_ref().is_some_and(|pidfd| has_ended(pidfd, Duration::ZERO))
    }

    /// Returns what is left if the guardian is gone and nobody else is to take its place; `None` otherwise. Waits a
    /// while for its end if `is_link_ended`.
    pub(super) fn take(&self, is_link_ended: bool) -> Option<Legacy> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = if is_link_ended { GONE_WITHIN } else { Duration::ZERO };
        let is_gone = known.pidfd.as_ref().is_some_and(|pidfd| has_ended(pidfd, patience));
        // Whoever watches over the guardian starts another one, which must not find us in its place.
        if !is_gone || !known.is_complete || known.supervised {
            return None;
        }
        let held = std::mem::take(&mut known.held);
        let mut pidfds = Vec::new();
        let heirs = held.into_values().map(|held| {
            let pidfd = held.pidfd.or_else(|| if held.child.exit.is_none() { open(&held.child) } else { None });
            let number = pidfd.as_ref().map(|pidfd| pidfd.as_raw_fd());
            pidfds.extend(pidfd);
            Heir { child: held.child, stopped: false, everything: held.everything, foreign: true, pidfd: number }
        });
        let held = heirs.collect();
        let handover = Handover {
            guardian: known.guardian,
            started_at: known.started_at,
            nofile: known.nofile,
            starts: known.restarts.saturating_add(1),
            stops: known.stops,
            draining: known.draining,
            grace_until: known.grace_until,
            kill_grace: known.kill_grace,
            may_own_claims: true,
            held,
            doubtful: known.asked.iter().chain(&known.doubtful).copied().collect(),
            ..Handover::default()
        };
        Some(Legacy { handover, pidfds })
    }
}

/// What a guardian has left that was killed.
#[derive(Debug)]
pub struct Legacy {
    /// Everything but the places, the lock and the socket.
    pub handover: Handover,
    /// What the descriptors in it belong to.
    pub pidfds: Vec<OwnedFd>,
}

/// Opens a process, if it is still the one that is meant.
fn open(child: &Child) -> Option<OwnedFd> {
    let pidfd = open_pid(child.pid)?;
    // Looked at after it was opened: then the descriptor cannot mean another one.
    Stat::of(child.pid).is_ok_and(|stat| stat.start_ticks == child.start_ticks).then_some(pidfd)
}

fn open_pid(pid: u32) -> Option<OwnedFd> {
    // SAFETY: a plain system call; what it returns is checked before it is taken for a descriptor, which closes on exec.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: made by the call above, and nobody else's.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn has_ended(pidfd: &OwnedFd, within: Duration) -> bool {
    let ms = u16::try_from(within.as_millis()).unwrap_or(u16::MAX);
    loop {
        match poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], ms) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return result == Ok(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::domain::outcome::{Exit, ExitStatus};
    use crate::link::{SpawnStep, VERSION};
    use uuid::Uuid;

    fn id(n: u128) -> AssignmentId {
        AssignmentId(Uuid::from_u128(n))
    }

    fn child(n: u128, pid: u32) -> Child {
        let start_ticks = Stat::of(pid).map_or(0, |stat| stat.start_ticks);
        Child { assignment: id(n), pid, start_ticks, started_at: Timestamp(1), exit: None }
    }

    fn spawn(n: u128) -> Order {
        Order::Spawn(Box::new(crate::link::Spawn {
            assignment: id(n),
            program: "/bin/true".into(),
            argv: Vec::new(),
            env: Vec::new(),
            cwd: "/".into(),
            umask: 0,
            limits: Vec::new(),
            stdin: None,
            stdout: "/dev/null".into(),
            stderr: None,
            keep: None,
        }))
    }

    /// A process that stands for the guardian, and what is known after it said hello.
    fn greeted() -> (std::process::Child, Heritage) {
        let guardian = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let heritage = Heritage::default();
        heritage.heard(&Fact::Welcome {
            version: VERSION,
            guardian: GuardianId(Uuid::from_u128(9)),
            guardian_pid: guardian.id(),
            started_at: Timestamp(3),
            restarts: 4,
            stop_requests: 0,
        });
        (guardian, heritage)
    }

    #[test]
    fn what_the_guardian_held_is_left_when_it_is_gone() {
        let (mut guardian, heritage) = greeted();
        let own = std::process::id();
        heritage.heard(&Fact::Terms { nofile: Some(64), supervised: false, grace_until: None });
        heritage.heard(&Fact::Child(child(1, own)));
        heritage.heard(&Fact::Complete);
        for n in 2..=5 {
            heritage.said(&spawn(n));
        }
        heritage.heard(&Fact::Spawned(child(2, own)));
        heritage.heard(&Fact::NotSpawned { assignment: id(3), step: SpawnStep::Fork, errno: 11 });
        heritage.heard(&Fact::Spawned(child(4, own)));
        let status = ExitStatus::Code(6);
        let exit = Exit { status, usage: None, at: Timestamp(8), leftovers: false, stopped: false };
        for n in [2, 4] {
            heritage.heard(&Fact::Exited { assignment: id(n), exit });
        }
        heritage.said(&Order::Forget { assignment: id(2) });
        heritage.said(&Order::Draining);
        heritage.said(&Order::Grace { until: Moment(77) });
        assert!(heritage.take(false).is_none(), "it lives");
        drop(guardian.stdin.take());
        guardian.wait().unwrap();
        let Legacy { mut handover, pidfds } = heritage.take(true).unwrap();
        handover.held.sort_by_key(|heir| heir.child.assignment);
        let held: Vec<_> = handover.held.iter().map(|heir| (heir.child, heir.pidfd.is_some())).collect();
        assert_eq!(held, [(child(1, own), true), (Child { exit: Some(exit), ..child(4, own) }, false)]);
        assert_eq!(pidfds.len(), 1);
        assert_eq!(handover.doubtful, [id(5)], "it may have been started");
        assert_eq!((handover.starts, handover.draining, handover.grace_until), (5, true, Some(Moment(77))));
        assert_eq!((handover.guardian, handover.nofile), (GuardianId(Uuid::from_u128(9)), Some(64)));
    }

    #[test]
    fn nobody_takes_a_place_that_is_not_free_or_not_known() {
        let (mut guardian, heritage) = greeted();
        guardian.kill().unwrap();
        guardian.wait().unwrap();
        assert!(heritage.take(true).is_none(), "the roll call was not over");
        let (mut guardian, heritage) = greeted();
        heritage.heard(&Fact::Terms { nofile: None, supervised: true, grace_until: None });
        heritage.heard(&Fact::Complete);
        guardian.kill().unwrap();
        guardian.wait().unwrap();
        assert!(heritage.take(true).is_none(), "somebody else starts another one");
    }
}
