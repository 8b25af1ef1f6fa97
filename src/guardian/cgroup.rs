//! A control group for each task, where we were given a tree of them: what is in it cannot leave it, whatever it does.
//!
//! Used only if the guardian finds itself in a group of version 2 that its supervisor has delegated to it and said so
//! (`Delegate=` of systemd); anywhere else, marks and descent have to do. Groups are used to know who belongs together
//! and to end them at once, not to limit anything, so no controller is turned on, and guardian and apexd can stay where
//! they are.
//!
//! A group is found by its name, which is made of the assignment's id: nothing has to be remembered or handed over.
//!
//! Source: the kernel's `admin-guide/cgroup-v2`; systemd's `CGROUP_DELEGATION`.

use std::cell::OnceCell;
use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::libc;

use crate::domain::id::AssignmentId;
use crate::link::machine::unescape;

/// By these systemd tells whoever is in a group that it is theirs; the second can be read by root alone.
const DELEGATED: [&CStr; 2] = [c"user.delegate", c"trusted.delegate"];

/// A task may make groups of its own below its own, so deep at most.
const DEPTH_MAX: usize = 16;

/// The groups of all tasks.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    /// The guardian's own group, once it was looked for.
    own: OnceCell<Option<PathBuf>>,
    /// Those that were not empty when their task was forgotten.
    left: Vec<PathBuf>,
}

impl Cgroups {
    /// Makes a group for a task, and returns the file into which its first process has to write. `None` if there are no
    /// groups, or this one could not be made.
    pub(super) fn make(&self, assignment: AssignmentId) -> Option<CString> {
        let group = self.group(assignment)?;
        fs::create_dir(&group).ok()?;
        CString::new(group.join("cgroup.procs").into_os_string().into_encoded_bytes()).ok()
    }

    fn group(&self, assignment: AssignmentId) -> Option<PathBuf> {
        let own = self.own.get_or_init(find).as_ref()?;
        Some(own.join(format!("task-{}", assignment.0)))
    }

    /// Returns the pids in the group of a task.
    pub(super) fn members(&self, assignment: AssignmentId) -> Vec<u32> {
        let mut pids = Vec::new();
        if let Some(group) = self.group(assignment) {
            collect(&group, DEPTH_MAX, &mut pids);
        }
        pids
    }

    /// Kills all that is in the group of a task, at once: no fork escapes it. Returns whether there was anything.
    pub(super) fn kill(&self, assignment: AssignmentId) -> bool {
        let Some(group) = self.group(assignment) else { return false };
        // Older kernels than 5.14 cannot, and then each process is killed by itself.
        is_populated(&group) && fs::write(group.join("cgroup.kill"), "1").is_ok()
    }

    /// Returns whether anything is left in the group of a task.
    pub(super) fn is_populated(&self, assignment: AssignmentId) -> bool {
        self.group(assignment).is_some_and(|group| is_populated(&group))
    }

    /// Removes the group of a task, or later, if something is left in it.
    pub(super) fn remove(&mut self, assignment: AssignmentId) {
        let Some(group) = self.group(assignment) else { return };
        if !remove(&group, DEPTH_MAX) {
            self.left.push(group);
        }
        // One of those that were left is looked at again each time: they may live long.
        if !self.left.is_empty() {
            let group = self.left.remove(0);
            if !remove(&group, DEPTH_MAX) {
                self.left.push(group);
            }
        }
    }
}

/// Returns the group of this process, if it was given to it.
fn find() -> Option<PathBuf> {
    let (own, mounts) = (fs::read("/proc/self/cgroup").ok()?, fs::read("/proc/self/mountinfo").ok()?);
    let group = place(&own, &mounts)?;
    is_delegated(&group).then_some(group)
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

fn is_populated(group: &Path) -> bool {
    fs::read_to_string(group.join("cgroup.events")).is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
}

fn collect(group: &Path, depth: usize, pids: &mut Vec<u32>) {
    let procs = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    pids.extend(procs.lines().filter_map(|pid| pid.parse::<u32>().ok()));
    if depth > 0 {
        below(group).iter().for_each(|group| collect(group, depth - 1, pids));
    }
}

/// Returns whether nothing is left of a group.
fn remove(group: &Path, depth: usize) -> bool {
    match fs::remove_dir(group) {
        Ok(()) => return true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return true,
        Err(_) if depth == 0 || is_populated(group) => return false,
        Err(_) => {}
    }
    below(group).iter().all(|group| remove(group, depth - 1)) && fs::remove_dir(group).is_ok()
}

fn below(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ID: AssignmentId = AssignmentId(Uuid::from_u128(7));

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
    fn nothing_is_made_in_a_group_that_was_not_given() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_delegated(directory.path()));
        let mut none = Cgroups { own: OnceCell::from(None), left: Vec::new() };
        assert_eq!(none.make(ID), None);
        assert!(!none.kill(ID) && !none.is_populated(ID) && none.members(ID).is_empty());
        none.remove(ID);
        assert!(none.left.is_empty());
    }

    #[test]
    fn a_group_is_found_by_its_task_and_removed_when_it_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let mut groups = Cgroups { own: OnceCell::from(Some(directory.path().to_owned())), left: Vec::new() };
        let procs = groups.make(ID).unwrap();
        assert!(procs.to_str().unwrap().ends_with("/task-00000000-0000-0000-0000-000000000007/cgroup.procs"));
        assert_eq!(groups.make(ID), None, "an id is never used twice");
        let group = groups.group(ID).unwrap();
        let write = |name: &str, text: &str| fs::write(group.join(name), text).unwrap();
        fs::create_dir(group.join("inner")).unwrap();
        write("cgroup.procs", "12\n13\n");
        write("inner/cgroup.procs", "14\n");
        assert_eq!(groups.members(ID), [12, 13, 14]);
        write("cgroup.events", "populated 0\nfrozen 0\n");
        assert!(!groups.is_populated(ID) && !groups.kill(ID));
        write("cgroup.events", "populated 1\nfrozen 0\n");
        assert!(groups.is_populated(ID) && groups.kill(ID));
        assert_eq!(fs::read_to_string(group.join("cgroup.kill")).unwrap(), "1");
        groups.remove(ID);
        assert_eq!(groups.left, std::slice::from_ref(&group));
        for name in ["cgroup.procs", "inner/cgroup.procs", "cgroup.events", "cgroup.kill"] {
            fs::remove_file(group.join(name)).unwrap();
        }
        groups.remove(AssignmentId(Uuid::from_u128(8)));
        assert!(!group.exists() && groups.left.is_empty());
    }
}
