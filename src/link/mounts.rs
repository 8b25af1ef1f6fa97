//! Which paths may lead to a file system that does not answer.
//!
//! A network mount whose server is gone, or a FUSE mount whose program hangs, stops whoever touches it, perhaps for ever.
//! What is mounted where is told by the kernel itself, so that is asked first, and a path is then followed only as far
//! as it stays on file systems of this machine.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::link::Spawn;
use crate::link::machine::unescape;

/// File systems that answer by themselves. Any other one may have to wait for a server or another program.
const LOCAL: [&str; 40] = [
    "bcachefs",
    "bdev",
    "binfmt_misc",
    "bpf",
    "btrfs",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "erofs",
    "exfat",
    "ext2",
    "ext3",
    "ext4",
    "f2fs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "jfs",
    "mqueue",
    "nsfs",
    "ntfs3",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rootfs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "udf",
    "vfat",
    "xfs",
    "zfs",
];

/// So many links are followed; path_resolution(7).
const LINKS_MAX: usize = 40;
/// An interpreter may be a script itself; execve(2).
const INTERPRETERS_MAX: usize = 5;
/// So much of a program is read for the name of its interpreter; execve(2).
const FIRST_LINE_BYTES: usize = 256;

/// The mounts of this process, as far as they matter.
#[derive(Debug, Default)]
pub struct Mounts {
    table: Option<File>,
    /// Where something is mounted that is not of this machine alone; `None` if that is not known.
    doubtful: Option<HashSet<PathBuf>>,
}

impl Mounts {
    /// Returns whether starting this process may have to wait for something outside the machine. Does not itself.
    pub fn can_hang(&mut self, spawn: &Spawn) -> bool {
        #[cfg(test)]
        if tests::DOUBT.load(std::sync::atomic::Ordering::Relaxed) {
            return true;
        }
        self.refresh();
        let Some(doubtful) = &self.doubtful else { return true };
        if doubtful.is_empty() {
            return false;
        }
        let files = [Some(&spawn.cwd), spawn.stdin.as_ref(), Some(&spawn.stdout), spawn.stderr.as_ref()];
        files.into_iter().flatten().any(|path| leads_to(doubtful, path))
            || program_leads_to(doubtful, &spawn.cwd.join(&spawn.program))
    }

    /// Returns whether looking at one of these paths may have to wait for something outside the machine. Does not itself.
    pub fn can_hang_at(&mut self, mut paths: impl Iterator<Item = PathBuf>) -> bool {
        self.refresh();
        let Some(doubtful) = &self.doubtful else { return true };
        !doubtful.is_empty() && paths.any(|path| leads_to(doubtful, &path))
    }

    /// Reads the mounts again if they have changed, which the kernel tells on the descriptor.
    ///
    /// Source: proc_pid_mounts(5).
    fn refresh(&mut self) {
        if let (Some(table), Some(_)) = (&self.table, &self.doubtful) {
            let mut table = [PollFd::new(table.as_fd(), PollFlags::POLLPRI)];
            if poll(&mut table, PollTimeout::ZERO) == Ok(0) {
                return;
            }
        }
        self.doubtful = self.read().ok();
    }

    fn read(&mut self) -> io::Result<HashSet<PathBuf>> {
        let table = match &mut self.table {
            Some(table) => table,
            none => none.insert(File::open("/proc/self/mountinfo")?),
        };
        table.rewind()?;
        let mut text = Vec::new();
        table.read_to_end(&mut text)?;
        Ok(parse(&text))
    }
}

/// Returns where something is mounted that may hang.
///
/// Source: proc_pid_mountinfo(5): the fifth field is where, the first one after a lone `-` is what.
fn parse(text: &[u8]) -> HashSet<PathBuf> {
    let mut doubtful = HashSet::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let kind = fields.iter().position(|field| *field == b"-").and_then(|dash| fields.get(dash + 1));
        let is_local = kind.is_some_and(|kind| LOCAL.iter().any(|local| local.as_bytes() == *kind));
        if let (false, Some(place)) = (is_local, fields.get(4)) {
            doubtful.insert(unescape(place));
        }
    }
    doubtful
}

/// Returns whether a path leads to, or by way of, a doubtful mount.
fn leads_to(doubtful: &HashSet<PathBuf>, path: &Path) -> bool {
    follow(doubtful, path).is_none()
}

/// Returns the path without links; `None` if it comes by a doubtful mount. What is not there leads nowhere else.
fn follow(doubtful: &HashSet<PathBuf>, path: &Path) -> Option<PathBuf> {
    let mut at = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = steps(path).collect();
    let mut links = 0;
    if doubtful.contains(&at) {
        return None;
    }
    while let Some(step) = rest.pop_front() {
        match step.as_bytes() {
            b".." => {
                at.pop();
                continue;
            }
            b"/" => {
                at = PathBuf::from("/");
                continue;
            }
            _ => at.push(&step),
        }
        if doubtful.contains(&at) {
            return None;
        }
        // The mount that this name stands on was found to be local.
        let Ok(target) = fs::read_link(&at) else { continue };
        links += 1;
        if links > LINKS_MAX {
            break;
        }
        at.pop();
        for step in steps(&target).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(step);
        }
    }
    Some(at)
}

fn steps(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter(|part| *part != Component::CurDir).map(|part| part.as_os_str().to_owned())
}

/// The same of a program, and of what interprets it.
fn program_leads_to(doubtful: &HashSet<PathBuf>, program: &Path) -> bool {
    let mut program = program.to_owned();
    for _ in 0..INTERPRETERS_MAX {
        let Some(file) = follow(doubtful, &program) else { return true };
        match interpreter(&file) {
            Some(interpreter) => program = interpreter,
            None => return false,
        }
    }
    false
}

/// Returns the interpreter that the first line of a script names.
fn interpreter(file: &Path) -> Option<PathBuf> {
    let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(file).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = [0; FIRST_LINE_BYTES];
    let count = file.read(&mut bytes).ok()?;
    let line = bytes[..count].strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?.trim_ascii_start();
    let name = line.split(|byte| matches!(byte, b' ' | b'\t')).next()?;
    name.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(name)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::AtomicBool;

    /// Set in a guardian of a test: every path is taken for one that may hang.
    pub(crate) static DOUBT: AtomicBool = AtomicBool::new(false);

    #[test]
    fn what_is_not_of_this_machine_is_found_among_the_mounts() {
        let text = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
            27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n\
            30 27 0:40 / /mnt/a\\040b rw - nfs4 server:/x rw\n\
            31 27 0:41 / /home/u/.cache/doc rw,nosuid shared:3 - fuse.portal portal rw\n\
            32 27 0:42 / /auto\\134x rw - autofs systemd-1 rw\n\
            33 27 0:43 / /strange rw\n";
        let expected = ["/mnt/a b", "/home/u/.cache/doc", "/auto\\x", "/strange"].map(PathBuf::from);
        assert_eq!(parse(text), HashSet::from(expected));
        assert_eq!(parse(b""), HashSet::new());
    }

    #[test]
    fn a_path_is_followed_only_as_far_as_it_stays_here() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let dead = root.join("dead");
        for name in ["dead", "here", "here/sub"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        symlink(&dead, root.join("here/absolute")).unwrap();
        symlink("../dead/x", root.join("here/relative")).unwrap();
        symlink("absolute/y", root.join("here/twice")).unwrap();
        symlink("round", root.join("here/round")).unwrap();
        symlink("sub", root.join("here/good")).unwrap();
        let doubtful = HashSet::from([dead.clone()]);
        for (path, expected) in [
            ("here", false),
            ("here/sub/../sub/./none/at/all", false),
            ("here/good", false),
            ("here/round", false),
            ("dead", true),
            ("dead/x/y", true),
            ("here/absolute", true),
            ("here/relative", true),
            ("here/twice", true),
            ("here/sub/../../dead", true),
            ("here/good/../absolute/z", true),
            ("here/absolute/..", true),
        ] {
            assert_eq!(leads_to(&doubtful, &root.join(path)), expected, "{path}");
        }
        assert!(!leads_to(&doubtful, Path::new("/")));
        assert!(leads_to(&HashSet::from([PathBuf::from("/")]), &root));
    }

    #[test]
    fn of_several_paths_each_counts() {
        let directory = tempfile::tempdir().unwrap();
        let (here, dead) = (directory.path().join("here"), fs::canonicalize(directory.path()).unwrap().join("dead"));
        let mut mounts = Mounts::default();
        mounts.refresh();
        mounts.doubtful = Some(HashSet::from([dead.clone()]));
        assert!(!mounts.can_hang_at([here.clone(), "/bin".into()].into_iter()));
        assert!(mounts.can_hang_at([here, dead.join("sub")].into_iter()));
        assert!(!mounts.can_hang_at(std::iter::empty()));
    }

    #[test]
    fn the_interpreter_of_a_script_counts() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let dead = root.join("dead");
        let script = |name: &str, text: String| {
            let path = root.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let doubtful = HashSet::from([dead.clone()]);
        let direct = script("direct", format!("#! {}/python -u\n", dead.display()));
        let indirect = script("indirect", format!("#!{}\n", direct.display()));
        let round = script("round", format!("#!{}\n", root.join("round").display()));
        assert!(program_leads_to(&doubtful, &direct));
        assert!(program_leads_to(&doubtful, &indirect));
        assert!(!program_leads_to(&doubtful, &round));
        assert!(!program_leads_to(&doubtful, &script("plain", "#!/bin/sh\n".into())));
        assert!(!program_leads_to(&doubtful, &script("none", String::new())));
        assert!(!program_leads_to(&doubtful, Path::new("/bin/true")));
        assert!(!program_leads_to(&doubtful, &root));
    }

    #[test]
    fn the_mounts_of_this_process_can_be_read_again_and_again() {
        let mut mounts = Mounts::default();
        for _ in 0..2 {
            mounts.refresh();
            assert!(mounts.doubtful.as_ref().is_some_and(|doubtful| !doubtful.contains(Path::new("/proc"))));
        }
    }
}
