//! A control group for each task, where we were given a tree of them: what is in it cannot leave it, whatever it does.
//!
//! Used only where one was given to us ([`cgroup`](crate::link::cgroup)); anywhere else, marks and descent have to do.
//! Groups are used to know who belongs together and to end them at once. Only for a task that is to use no more than so
//! much memory or processor time are controllers turned on, and as that is possible only in a group that has no process
//! of its own, guardian and apexd then move into one below it.
//!
//! A group is found by its name, which is made of the assignment's id: nothing has to be remembered or handed over.
//!
//! Source: the kernel's `admin-guide/cgroup-v2`; systemd's `CGROUP_DELEGATION`.

use std::cell::OnceCell;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::libc;

use crate::domain::id::AssignmentId;
use crate::domain::task::Confinement;
use crate::guardian::spawn::Failed;
use crate::link::SpawnStep;
use crate::link::cgroup::{LEAF, given, hands_on, has_controller, of_task};

/// A task may make groups of its own below its own, so deep at most.
const DEPTH_MAX: usize = 16;

/// So often it is looked whether all have moved.
const MOVES_MAX: usize = 16;
/// Over so many microseconds processor time is counted.
const CPU_PERIOD: u64 = 100_000;

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

    /// Does the same for a task that may use no more than so much.
    ///
    /// Errors: [`SpawnStep::Group`], with `EOPNOTSUPP` where no group is given to us; nothing of it is left.
    pub(super) fn make_limited(&self, assignment: AssignmentId, limits: &Confinement) -> Result<CString, Failed> {
        let failed = |errno| Failed { step: SpawnStep::Group, errno };
        let given = self.own.get_or_init(given).as_ref().ok_or_else(|| failed(libc::EOPNOTSUPP))?;
        let group = of_task(given, assignment);
        let make = || -> io::Result<()> {
            let wanted = [("memory", limits.memory.is_some()), ("cpu", limits.cpu_millis.is_some())];
            for (controller, _) in wanted.into_iter().filter(|(_, is_wanted)| *is_wanted) {
                hand_on(given, controller)?;
            }
            fs::create_dir(&group)?;
            limit(&group, limits)
        };
        let made = make().map_err(|error| failed(error.raw_os_error().unwrap_or(libc::EIO)));
        let procs = made.and_then(|()| {
            CString::new(group.join("cgroup.procs").into_os_string().into_encoded_bytes())
                .map_err(|_| failed(libc::EINVAL))
        });
        procs.inspect_err(|_| {
            let _ = fs::remove_dir(&group);
        })
    }

    fn group(&self, assignment: AssignmentId) -> Option<PathBuf> {
        Some(of_task(self.own.get_or_init(given).as_ref()?, assignment))
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

    /// Takes the controllers back, at the guardian's end. What tasks that ended have left may live on in their groups, and
    /// into a group that hands controllers on systemd before 254 can put no new guardian.
    pub(super) fn hand_back(&self) {
        if let Some(given) = self.own.get_or_init(given) {
            hand_back(given);
        }
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

/// Takes back what is handed on.
fn hand_back(given: &Path) {
    for controller in ["memory", "cpu"].into_iter().filter(|controller| hands_on(given, controller)) {
        let _ = fs::write(given.join("cgroup.subtree_control"), format!("-{controller}"));
    }
}

/// Hands a controller on to the groups of tasks, for which this group itself must have no process.
fn hand_on(given: &Path, controller: &str) -> io::Result<()> {
    if hands_on(given, controller) {
        return Ok(());
    }
    if !has_controller(given, controller) {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    let leaf = given.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut moved = Ok(());
    // Whoever is here forks perhaps, but not for ever.
    for _ in 0..MOVES_MAX {
        let here = fs::read_to_string(given.join("cgroup.procs"))?;
        if here.trim().is_empty() {
            break;
        }
        for pid in here.lines() {
            match fs::write(leaf.join("cgroup.procs"), pid) {
                // It has ended in between.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => moved = moved.and(result),
            }
        }
    }
    fs::write(given.join("cgroup.subtree_control"), format!("+{controller}"))
        .map_err(|error| moved.err().unwrap_or(error))
}

/// Writes down how much a group may use. What is used up must not go to the swap instead, and ends all of the task.
fn limit(group: &Path, limits: &Confinement) -> io::Result<()> {
    if let Some(bytes) = limits.memory {
        fs::write(group.join("memory.max"), bytes.to_string())?;
        // There is neither without swap and in older kernels, and nothing to be done about it.
        let _ = fs::write(group.join("memory.swap.max"), "0");
        let _ = fs::write(group.join("memory.oom.group"), "1");
    }
    if let Some(millis) = limits.cpu_millis {
        // In microseconds.
        let quota = u64::from(millis) * CPU_PERIOD / 1_000;
        fs::write(group.join("cpu.max"), format!("{quota} {CPU_PERIOD}"))?;
    }
    Ok(())
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
    fn nothing_is_made_in_a_group_that_was_not_given() {
        let mut none = Cgroups { own: OnceCell::from(None), left: Vec::new() };
        assert_eq!(none.make(ID), None);
        let limits = Confinement { memory: Some(1 << 30), ..Confinement::default() };
        let refused = Failed { step: SpawnStep::Group, errno: libc::EOPNOTSUPP };
        assert_eq!(none.make_limited(ID, &limits), Err(refused));
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

    /// A tree of plain files, which says nothing by itself.
    #[test]
    fn limits_are_written_into_a_group_whose_parent_has_no_process_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let given = directory.path();
        let groups = Cgroups { own: OnceCell::from(Some(given.to_owned())), left: Vec::new() };
        let limits = Confinement { memory: Some(1 << 30), cpu_millis: Some(1_500), ..Confinement::default() };
        let refused = Failed { step: SpawnStep::Group, errno: libc::EOPNOTSUPP };
        fs::write(given.join("cgroup.controllers"), "cpu pids\n").unwrap();
        assert_eq!(groups.make_limited(ID, &limits), Err(refused), "there is no controller of memory");
        assert!(!groups.group(ID).unwrap().exists());
        fs::write(given.join("cgroup.controllers"), "cpu memory\n").unwrap();
        fs::write(given.join("cgroup.subtree_control"), "").unwrap();
        fs::write(given.join("cgroup.procs"), "4711\n").unwrap();
        let procs = groups.make_limited(ID, &limits).unwrap();
        assert!(procs.to_str().unwrap().ends_with("/cgroup.procs"));
        let read = |path: &str| fs::read_to_string(given.join(path)).unwrap();
        assert_eq!(read("apex/cgroup.procs"), "4711", "guardian and apexd are in a leaf of their own");
        assert_eq!(read("cgroup.subtree_control"), "+cpu", "each by itself; the kernel adds them up");
        let group = |name: &str| read(&format!("task-{}/{name}", ID.0));
        assert_eq!(
            (group("memory.max"), group("memory.swap.max"), group("memory.oom.group")),
            ("1073741824".into(), "0".into(), "1".into())
        );
        assert_eq!(group("cpu.max"), "150000 100000");
        for (handed_on, taken_back) in [("cpu pids", "-cpu"), ("memory pids", "-memory"), ("pids", "pids"), ("", "")] {
            fs::write(given.join("cgroup.subtree_control"), handed_on).unwrap();
            groups.hand_back();
            assert_eq!(read("cgroup.subtree_control"), taken_back, "{handed_on}: only these two are ours");
        }
    }

    /// On the kernel's own tree, where there is one in which this user may make groups, with any controller at all.
    #[test]
    fn a_controller_is_handed_on_when_all_processes_are_in_the_leaf() {
        let trees = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
        let Some(tree) = trees.into_iter().find(|tree| tree.join("cgroup.procs").exists()) else { return };
        let given = tree.join(format!("apex-test-{}", Uuid::new_v4()));
        if fs::create_dir(&given).is_err() {
            return;
        }
        let read = |path: &str| fs::read_to_string(given.join(path)).unwrap_or_default();
        let found = read("cgroup.controllers").split_ascii_whitespace().next().map(|controller| {
            let mut child = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
            let pid = child.id().to_string();
            fs::write(given.join("cgroup.procs"), &pid).unwrap();
            let handed_on = hand_on(&given, controller).map_err(|error| error.to_string());
            let found = (handed_on, read("cgroup.procs"), read("apex/cgroup.procs"), hands_on(&given, controller));
            // Nothing can be put into it again before that.
            assert!(fs::write(given.join("cgroup.procs"), &pid).is_err());
            let _ = fs::write(given.join("cgroup.subtree_control"), format!("-{controller}"));
            fs::write(given.join("cgroup.procs"), &pid).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            (found, (Ok(()), String::new(), format!("{pid}\n"), true))
        });
        assert!(remove(&given, DEPTH_MAX), "{}", given.display());
        match found {
            Some((found, expected)) => assert_eq!(found, expected),
            None => eprintln!("no controller is handed on to a group of one's own here"),
        }
    }
}
