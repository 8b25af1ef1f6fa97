//! Which process is meant: never a pid alone, because pids are used again.

use uuid::Uuid;

/// One run of the machine, from power-on to shutdown.
///
/// Source: `/proc/sys/kernel/random/boot_id`, proc_sys_kernel(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BootId(pub Uuid);

/// One run of a guardian. It owns the claims made while it lives. Whoever takes its place goes on in its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct GuardianId(pub Uuid);

/// A process, told apart from every other one that ever had its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// The run of the machine it belongs to.
    pub boot: BootId,
    /// Its pid.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    ///
    /// Source: proc_pid_stat(5), field 22.
    pub start_ticks: u64,
}
