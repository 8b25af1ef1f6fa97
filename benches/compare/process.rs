//! What processes use: memory, processor time, and how often they begin to run.

use std::fs;
use std::ops::Sub;

/// Returns the memory of processes in MiB; what several of them share is divided among those that do.
///
/// Source: proc_pid_smaps(5), `Pss`.
pub fn memory_mib(pids: &[i32]) -> anyhow::Result<f64> {
    let mut kib = 0.0;
    for pid in pids {
        let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let pss =
            smaps.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        kib += pss.unwrap_or(0.0);
    }
    Ok(kib / 1024.0)
}

/// What threads have used since they began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Used {
    /// How often one of them began to run.
    pub switches: f64,
    /// Processor time, in milliseconds.
    pub cpu_ms: f64,
}

impl Used {
    /// Adds up what all threads of processes have used.
    ///
    /// Source: proc_pid_status(5), `voluntary_ctxt_switches`; the kernel's Documentation/scheduler/sched-stats.rst for
    /// `schedstat`, whose first number is the time on the processor in nanoseconds.
    pub fn of(pids: &[i32]) -> Used {
        let mut used = Used::default();
        let threads = pids.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task"))).flatten().flatten();
        for thread in threads.map(|entry| entry.path()) {
            let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
            let count = |name| status.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
            used.switches += count("voluntary_ctxt_switches:").unwrap_or(0.0);
            used.switches += count("nonvoluntary_ctxt_switches:").unwrap_or(0.0);
            let times = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
            let ns = times.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
            used.cpu_ms += ns.unwrap_or(0.0) / 1e6;
        }
        used
    }
}

impl Sub for Used {
    type Output = Used;

    fn sub(self, before: Used) -> Used {
        Used { switches: self.switches - before.switches, cpu_ms: self.cpu_ms - before.cpu_ms }
    }
}
