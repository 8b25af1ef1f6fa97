//! Which control group is given to us, and what there is to be had in it: guardian and apexd look alike.
//!
//! Used only if this process finds itself in a group of version 2 that its supervisor has delegated to it and said so
//! (`Delegate=` of systemd). systemd says so on the group only for units of the system: its user manager says it nowhere
//! that a process could see (seen with 252 and 257). So a user's unit says it itself, and the guardian marks the group
//! ([`mark`]). Guardian and apexd may be in [`LEAF`], a group of their own below it: controllers can be handed on only by a
//! group in which no process is.
//!
//! Source: the kernel's `admin-guide/cgroup-v2`; systemd's `CGROUP_DELEGATION`.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::libc;

use crate::domain::id::AssignmentId;
use crate::link::machine::unescape;

/// By these systemd tells whoever is in a group that it is theirs; the second can be read by root alone.
const DELEGATED: [&CStr; 2] = [c"user.delegate", c"trusted.delegate"];

/// The group of guardian and apexd themselves, once they have left the one that was given to them to its tasks.
pub const LEAF: &str = "apex";

/// Returns the group that is given to this process, if one is.
pub fn given() -> Option<PathBuf> {
    given_of(&own()?, is_delegated)
}

/// Marks the group of this process as one that is given to it, as systemd does for units of the system. The mark goes with
/// the group.
///
/// Errors: there is none of version 2, or a kernel before 5.7.
pub fn mark() -> io::Result<()> {
    let own = own().ok_or(io::ErrorKind::Unsupported)?;
    let group = CString::new(to_mark(&own).as_os_str().as_bytes())?;
    let [name, _] = DELEGATED;
    // SAFETY: both are strings with an end, and the value has one byte.
    let result = unsafe { libc::setxattr(group.as_ptr(), name.as_ptr(), c"1".as_ptr().cast(), 1, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whoever is started in the leaf (`DelegateSubgroup=`) is given the group above it.
fn to_mark(own: &Path) -> &Path {
    own.parent().filter(|_| own.file_name().is_some_and(|name| name == LEAF)).unwrap_or(own)
}

fn own() -> Option<PathBuf> {
    let (own, mounts) = (fs::read("/proc/self/cgroup").ok()?, fs::read("/proc/self/mountinfo").ok()?);
    place(&own, &mounts)
}

fn given_of(own: &Path, is_delegated: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    if is_delegated(own) {
        return Some(own.to_owned());
    }
    let above = own.parent().filter(|_| own.file_name().is_some_and(|name| name == LEAF))?;
    is_delegated(above).then(|| above.to_owned())
}

/// Returns the group of a task below the one that is given.
pub fn of_task(given: &Path, assignment: AssignmentId) -> PathBuf {
    given.join(format!("task-{}", assignment.0))
}

/// Returns whether a controller can be had in the group that is given.
pub fn has_controller(given: &Path, name: &str) -> bool {
    lists(&given.join("cgroup.controllers"), name)
}

/// Returns whether one is handed on already to the groups below.
pub fn hands_on(given: &Path, name: &str) -> bool {
    lists(&given.join("cgroup.subtree_control"), name)
}

fn lists(file: &Path, name: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|words| words.split_ascii_whitespace().any(|word| word == name))
}

/// Returns how many processes of a group the kernel has killed because its memory was used up.
pub fn oom_kills(group: &Path) -> u64 {
    let events = fs::read_to_string(group.join("memory.events")).unwrap_or_default();
    let count = events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
    count.unwrap_or(0)
}

/// Returns where the group of this process is.
///
/// Source: cgroups(7), `/proc/PID/cgroup`; proc_pid_mountinfo(5), the fourth field is the root of the mount, the fifth
/// where it is.
fn place(own: &[u8], mounts: &[u8]) -> Option<PathBuf> {
    let lines = |text| <[u8]>::split(text, |byte| *byte == b'\n');
    let path = lines(own).find_map(|line| line.strip_prefix(b"0::"))?;
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    lines(mounts).find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let dash = fields.iter().position(|field| *field == b"-")?;
        if *fields.get(dash + 1)? != b"cgroup2" {
            return None;
        }
        let below = path.strip_prefix(unescape(fields.get(3)?)).ok()?;
        Some(unescape(fields.get(4)?).join(below))
    })
}

fn is_delegated(group: &Path) -> bool {
    let Ok(path) = CString::new(group.as_os_str().as_bytes()) else { return false };
    DELEGATED.iter().any(|name| {
        let mut value = [0_u8; 8];
        // SAFETY: both are strings with an end, and the value has room.
        let count = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        usize::try_from(count).is_ok_and(|count| value.get(..count) == Some(b"1"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_below_its_mount() {
        let v1 = b"30 27 0:38 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        let v2 = b"31 27 0:39 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n";
        let own = b"4:memory:/x\n0::/user.slice/apex.service\n";
        let mounts = [&v1[..], v2].concat();
        let expected = PathBuf::from("/sys/fs/cgroup/uni fied/user.slice/apex.service");
        assert_eq!(place(own, &mounts), Some(expected));
        // In a container the mount may begin further down.
        let below = b"31 27 0:39 /user.slice /cg rw - cgroup2 cgroup2 rw\n";
        assert_eq!(place(own, below), Some(PathBuf::from("/cg/apex.service")));
        let elsewhere = b"31 27 0:39 /system.slice /cg rw - cgroup2 cgroup2 rw\n";
        assert_eq!(place(own, elsewhere), None);
        assert_eq!(place(own, v1), None);
        assert_eq!(place(b"4:memory:/x\n", v2), None);
    }

    #[test]
    fn the_group_that_is_given_may_be_the_one_above() {
        let given = |own: &str, delegated: &str| given_of(Path::new(own), |group| group == Path::new(delegated));
        assert_eq!(given("/cg/x.service", "/cg/x.service"), Some("/cg/x.service".into()));
        assert_eq!(given("/cg/x.service/apex", "/cg/x.service"), Some("/cg/x.service".into()));
        assert_eq!(given("/cg/x.service/other", "/cg/x.service"), None);
        assert_eq!(given("/cg/x.service", "/cg"), None, "it may be somebody else's");
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_delegated(directory.path()));
    }

    #[test]
    fn the_group_that_is_marked_is_the_one_of_the_unit() {
        assert_eq!(to_mark(Path::new("/cg/x.service")), Path::new("/cg/x.service"));
        assert_eq!(to_mark(Path::new("/cg/x.service/apex")), Path::new("/cg/x.service"));
    }

    #[test]
    fn what_the_kernel_says_of_a_group_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let group = directory.path();
        assert!(!has_controller(group, "memory") && oom_kills(group) == 0);
        fs::write(group.join("cgroup.controllers"), "cpuset cpu memory pids\n").unwrap();
        fs::write(group.join("cgroup.subtree_control"), "cpu\n").unwrap();
        assert!(has_controller(group, "memory") && !has_controller(group, "mem") && !hands_on(group, "memory"));
        fs::write(group.join("memory.events"), "low 0\nhigh 0\nmax 31\noom 2\noom_kill 3\noom_group_kill 1\n").unwrap();
        assert_eq!(oom_kills(group), 3);
    }
}
