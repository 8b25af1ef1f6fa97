//! Whether tasks can be kept to what they may use, on this machine and by this user; and whether memory ran out.
//!
//! Tasks are children of the guardian, as apexd is: what apexd may set for itself the guardian may set for them.

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{RLIM_INFINITY, Resource as Number, getrlimit};

use crate::domain::id::AssignmentId;
use crate::domain::task::{Confinement, CpuSet, Resource};
use crate::link::cgroup;

/// What is asked for and cannot be had here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The guardian is of an older version.
    #[error("this daemon's guardian is of an older version and cannot limit what a task uses")]
    Guardian,
    /// Only root goes so far down.
    #[error("niceness `{nice}` is below `{lowest}`, and only root may set that")]
    Nice {
        /// What is asked for.
        nice: i32,
        /// The lowest that may be set.
        lowest: i32,
    },
    /// There is no such processor, or not for us.
    #[error("there is no processor `{cpu}` here, only `{online}`")]
    Cpu {
        /// The first that is missing.
        cpu: u32,
        /// Those that are there.
        online: CpuSet,
    },
    /// Only root raises a hard limit.
    #[error("the limit `{resource}` would be above the daemon's hard limit of `{hard}`")]
    Rlimit {
        /// Which.
        resource: &'static str,
        /// How far it may be raised.
        hard: u64,
    },
    /// There is no group to limit anything in.
    #[error("{what} cannot be limited: no control group (version 2) was delegated to the daemon")]
    NotDelegated {
        /// Memory or processor time.
        what: &'static str,
    },
    /// The group cannot do it.
    #[error("{what} cannot be limited: the daemon's control group has no controller `{controller}`")]
    NoController {
        /// Memory or processor time.
        what: &'static str,
        /// The controller.
        controller: &'static str,
    },
}

impl Unavailable {
    /// Returns what can be done about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Guardian => "put this version in its place with `apex daemon restart`",
            Self::Nice { .. } => "raise `ulimit -e` where the daemon is started, or ask for a higher one",
            Self::Cpu { .. } => "see which there are with `lscpu`",
            Self::Rlimit { .. } => "start the daemon with a higher hard limit (see `ulimit -H`), or ask for less",
            Self::NotDelegated { .. } => {
                "let systemd start it: `apex daemon install --now` makes a unit with `Delegate=yes`"
            }
            Self::NoController { .. } => {
                "let systemd hand it on to the user: `Delegate=cpu memory` for `user@.service`, then log in anew"
            }
        }
    }
}

/// What this process may do, as far as it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Means {
    is_root: bool,
    /// The lowest niceness that may be set.
    nice: i32,
    online: Option<CpuSet>,
    /// The hard limits; `None` where there is none.
    hard: Vec<(Resource, Option<u64>)>,
    /// Whether there are controllers of memory and of processor time in the group that is given to us.
    controllers: Option<(bool, bool)>,
}

/// Checks whether a task can be kept to that. Looks only at what is asked for.
pub fn check_confinement(confinement: &Confinement) -> Result<(), Unavailable> {
    if confinement.is_empty() {
        return Ok(());
    }
    judge(confinement, &look(confinement))
}

/// Returns whether the kernel has killed something of an attempt because its memory was used up.
pub fn ran_out_of_memory(assignment: AssignmentId) -> bool {
    cgroup::given().is_some_and(|given| cgroup::oom_kills(&cgroup::of_task(&given, assignment)) > 0)
}

fn look(confinement: &Confinement) -> Means {
    let hard = |resource| {
        let (_, hard) = getrlimit(number(resource)).ok()?;
        Some((resource, (hard != RLIM_INFINITY).then_some(hard)))
    };
    let online = confinement.cpus.as_ref().and_then(|_| usable_cpus());
    let given = confinement.needs_group().then(cgroup::given).flatten();
    let has = |name| given.as_ref().is_some_and(|given| cgroup::has_controller(given, name));
    Means {
        is_root: nix::unistd::geteuid().is_root(),
        nice: if confinement.nice.is_some() { lowest_nice() } else { 0 },
        online,
        hard: confinement.rlimits.iter().filter_map(|limit| hard(limit.resource)).collect(),
        controllers: given.as_ref().map(|_| (has("memory"), has("cpu"))),
    }
}

fn judge(confinement: &Confinement, means: &Means) -> Result<(), Unavailable> {
    if let Some(nice) = confinement.nice.filter(|nice| *nice < means.nice && !means.is_root) {
        return Err(Unavailable::Nice { nice, lowest: means.nice });
    }
    if let (Some(asked), Some(online)) = (&confinement.cpus, &means.online)
        && let Some(cpu) = asked.numbers().iter().find(|cpu| !online.numbers().contains(cpu))
    {
        return Err(Unavailable::Cpu { cpu: *cpu, online: online.clone() });
    }
    for limit in confinement.rlimits.iter().filter(|_| !means.is_root) {
        let hard = means.hard.iter().find(|(resource, _)| *resource == limit.resource).and_then(|(_, hard)| *hard);
        if let Some(hard) = hard.filter(|hard| limit.hard.unwrap_or(u64::MAX) > *hard) {
            return Err(Unavailable::Rlimit { resource: limit.resource.as_str(), hard });
        }
    }
    let groups = [
        ("memory", confinement.memory.is_some(), means.controllers.map(|(memory, _)| memory), "memory"),
        ("processor time", confinement.cpu_millis.is_some(), means.controllers.map(|(_, cpu)| cpu), "cpu"),
    ];
    for (what, _, has, controller) in groups.into_iter().filter(|(_, is_asked, ..)| *is_asked) {
        match has {
            None => return Err(Unavailable::NotDelegated { what }),
            Some(false) => return Err(Unavailable::NoController { what, controller }),
            Some(true) => {}
        }
    }
    Ok(())
}

/// Returns the processors that are there for this user's processes. `None` if that cannot be found out: the kernel has the
/// last word anyway.
///
/// Source: the kernel's `admin-guide/cputopology`; proc_pid_status(5).
fn usable_cpus() -> Option<CpuSet> {
    CpuSet::parse(std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?.trim())
}

/// Returns the lowest niceness that this process may set for its like.
///
/// Source: getrlimit(2), RLIMIT_NICE: 20 less the limit.
fn lowest_nice() -> i32 {
    Errno::clear();
    // SAFETY: a plain system call. What it returns may be -1 and no error, and a failure counts as 0.
    let own = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the answer has room.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NICE, &raw mut limit) } == 0;
    let allowed = if known { 20 - i32::try_from(limit.rlim_cur.min(40)).unwrap_or(40) } else { 20 };
    own.min(allowed)
}

fn number(resource: Resource) -> Number {
    match resource {
        Resource::As => Number::RLIMIT_AS,
        Resource::Core => Number::RLIMIT_CORE,
        Resource::Cpu => Number::RLIMIT_CPU,
        Resource::Data => Number::RLIMIT_DATA,
        Resource::Fsize => Number::RLIMIT_FSIZE,
        Resource::Memlock => Number::RLIMIT_MEMLOCK,
        Resource::Nofile => Number::RLIMIT_NOFILE,
        Resource::Nproc => Number::RLIMIT_NPROC,
        Resource::Stack => Number::RLIMIT_STACK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means() -> Means {
        Means {
            is_root: false,
            nice: 0,
            online: CpuSet::parse("0-3"),
            hard: vec![(Resource::Nofile, Some(4_096)), (Resource::Core, None)],
            controllers: Some((true, true)),
        }
    }

    fn judged(word: &str, means: &Means) -> String {
        let confinement = Confinement::from_word(word).unwrap();
        judge(&confinement, means).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_can_be_had_is_not_refused() {
        let all = "nice=5;cpus=0,3;rlimit.nofile=10:4096;rlimit.core=0:unlimited;memory=1048576;cpu=500";
        assert_eq!(judged(all, &means()), "");
        let root = Means { is_root: true, ..means() };
        assert_eq!(judged("nice=-20;rlimit.nofile=10:unlimited", &root), "");
        assert_eq!(judged("cpus=9", &Means { online: None, ..means() }), "", "the kernel says it then");
    }

    #[test]
    fn what_cannot_be_had_is_named_with_what_there_is() {
        let of = |word| judged(word, &means());
        assert_eq!(of("nice=-1"), "niceness `-1` is below `0`, and only root may set that");
        assert_eq!(of("cpus=2-5"), "there is no processor `4` here, only `0-3`");
        let above = "the limit `nofile` would be above the daemon's hard limit of `4096`";
        assert_eq!((of("rlimit.nofile=1:4097").as_str(), of("rlimit.nofile=1:unlimited").as_str()), (above, above));
        let none = Means { controllers: None, ..means() };
        let text = "memory cannot be limited: no control group (version 2) was delegated to the daemon";
        assert_eq!(judged("memory=1048576", &none), text);
        let some = Means { controllers: Some((true, false)), ..means() };
        let text = "processor time cannot be limited: the daemon's control group has no controller `cpu`";
        assert_eq!((judged("cpu=500", &some).as_str(), judged("memory=1048576", &some).as_str()), (text, ""));
        for error in [
            Unavailable::Guardian,
            Unavailable::NotDelegated { what: "memory" },
            Unavailable::NoController { what: "memory", controller: "memory" },
        ] {
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn this_machine_can_be_asked() {
        let confinement = Confinement::from_word("nice=19;cpus=0;rlimit.core=0:0").unwrap();
        assert_eq!(check_confinement(&confinement), Ok(()));
        assert!(!ran_out_of_memory(AssignmentId(uuid::Uuid::from_u128(1))));
        let missing = Confinement::from_word("cpus=1023").unwrap();
        assert!(matches!(check_confinement(&missing), Err(Unavailable::Cpu { cpu: 1_023, .. })));
    }
}
