//! Which processes are there.

use std::path::PathBuf;

use crate::domain::identity::{BootId, ProcessIdentity};
use crate::domain::time::Moment;
use crate::link::machine::{self, Stat};
use crate::process::Error;

/// Returns the id of this run of the machine.
///
/// Errors: [`Error::Read`] without a usable `/proc`.
pub fn boot_id() -> Result<BootId, Error> {
    let path = PathBuf::from("/proc/sys/kernel/random/boot_id");
    machine::boot_id().map_err(|source| Error::Read { path, source })
}

/// Returns whether that very process still runs. A zombie does not, nor does another one with the same pid.
///
/// Shape: `false` also if it cannot be found out.
pub fn is_alive(identity: ProcessIdentity) -> bool {
    machine::boot_id().is_ok_and(|boot| boot == identity.boot)
        && Stat::of(identity.pid).is_ok_and(|stat| stat.is_since(identity.start_ticks) && !stat.zombie)
}

/// Returns when a process of this run of the machine started, on the clock of [`machine::monotonic_now`]; `None` if that
/// could not be read when it was started.
///
/// Shape: exact on a machine that has not slept. The kernel tells it on the clock that goes on in sleep, and not how much
/// of that was before; it is told as if all of it had been later, so that no time limit is over too early.
///
/// Source: proc_pid_stat(5), field 22.
pub fn started(identity: ProcessIdentity) -> Option<Moment> {
    if identity.start_ticks == 0 {
        return None;
    }
    Some(Moment(identity.start_ticks.saturating_mul(1_000) / machine::ticks_per_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use uuid::Uuid;

    #[test]
    fn a_start_that_could_not_be_read_is_not_taken_for_the_start_of_the_machine() {
        let pid = std::process::id();
        let mut identity = ProcessIdentity { boot: boot_id().unwrap(), pid, start_ticks: 0 };
        assert_eq!(started(identity), None);
        assert!(!is_alive(identity));
        identity.start_ticks = Stat::of(pid).unwrap().start_ticks;
        let ago = started(identity).unwrap().until(machine::boottime_now());
        assert!(started(identity).unwrap() > Moment(0) && ago < std::time::Duration::from_secs(24 * 3600), "{ago:?}");
    }

    #[test]
    fn a_process_is_alive_until_it_is_a_zombie() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let start_ticks = Stat::of(pid).unwrap().start_ticks;
        let identity = ProcessIdentity { boot: boot_id().unwrap(), pid, start_ticks };
        assert!(is_alive(identity));
        assert!(!is_alive(ProcessIdentity { start_ticks: start_ticks + 1, ..identity }));
        assert!(!is_alive(ProcessIdentity { boot: BootId(Uuid::from_u128(1)), ..identity }));
        drop(child.stdin.take());
        // Waits for the end and leaves the zombie.
        let id = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()));
        let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
        nix::sys::wait::waitid(id, flags).unwrap();
        assert!(!is_alive(identity));
        child.wait().unwrap();
        assert!(!is_alive(identity));
    }
}
