//! Where a project's data stand: in `.apex/`, or, where that is on a network file system, among the user's own things on
//! this machine.
//!
//! A database in WAL mode shares memory between its processes, which no network file system offers, and locks there
//! are not to be relied on. So on such a file system `.apex/` holds the settings and a file `location` that says where
//! the rest is. The place follows from the project's path; what the file says is never followed, because it may have
//! come with the directory.
//!
//! Linux only: statfs(2), `/proc/self/mountinfo`.
//! Source: <https://sqlite.org/wal.html>, "WAL does not work over a network filesystem".

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::statfs::fstatfs;

use crate::fault;
use crate::paths::error::Error;
use crate::paths::{Places, Project, fingerprint, init, verify};

/// Name of the file in `.apex/` that says where the rest is.
pub(super) const NAME: &str = "location";
/// A path and a newline.
const LOCATION_BYTES_MAX: u64 = 8192;

/// File systems that are on another machine, or may be: the magic numbers of statfs(2).
///
/// Source: linux/magic.h, and the headers of those that are not part of Linux (Lustre, GPFS, BeeGFS, PanFS).
const NETWORK: [i64; 15] = [
    0x6969,      // nfs
    0x517B,      // smb
    0xFE53_4D42, // smb2
    0xFF53_4D42, // cifs
    0x0102_1997, // 9p
    0x5346_414F, // afs
    0x6B41_4653, // kafs
    0x7375_7245, // coda
    0x00C3_6400, // ceph
    0x564C,      // ncp
    0x7461_636F, // ocfs2
    0x0116_1970, // gfs2
    0x0BD0_0BD0, // lustre
    0x4750_4653, // gpfs
    0x1983_0326, // beegfs
];
const FUSE: i64 = 0x6573_5546;
/// What a program serves may be on another machine; these always are. `mountinfo` has the name after `fuse.`.
const NETWORK_FUSE: [&str; 9] =
    ["sshfs", "s3fs", "rclone", "glusterfs", "cephfs", "curlftpfs", "davfs2", "gcsfuse", "goofys"];

/// Returns the project with its data where they belong, which is made if it is not there yet.
///
/// `dir` is its `.apex/`, verified.
/// Errors: [`Error::Elsewhere`] if the data were put somewhere else before; [`Error::NoLocalPlace`] if the user's own
/// things are on a network file system as well; [`Error::StoreOnNetwork`] if a database is there already; what
/// [`verify`] finds.
pub(super) fn locate(project: Project, dir: &File, places: &Places) -> Result<Project, Error> {
    let said = said(&project)?;
    let data = places.registry_dir().join(format!("{}.d", fingerprint(project.root())));
    if !is_on_network(dir, project.dir())? {
        // What was on a network file system once, and stands on a local one under the same path now, still has its data.
        let stays = said.is_some_and(|said| said == data) && fs::symlink_metadata(&data).is_ok();
        return if stays { at(project, data) } else { Ok(project) };
    }
    if let Some(said) = said.filter(|said| *said != data) {
        return Err(Error::Elsewhere { project: project.root().to_owned(), said, now: data });
    }
    let stored = project.database();
    if fs::symlink_metadata(&stored).is_ok() {
        return Err(Error::StoreOnNetwork { database: stored, data });
    }
    init::make_directories(&data)?;
    let project = at(project, data)?;
    let handle = verify(project.data())?;
    if is_on_network(&handle, project.data())? {
        return Err(Error::NoLocalPlace { project: project.root().to_owned(), data: project.data().to_owned() });
    }
    // For people, and for whoever comes with another place for the user's own things. Where it cannot be written, say
    // on a read-only mount, the data are found all the same.
    let mut text = project.data().as_os_str().as_bytes().to_vec();
    text.push(b'\n');
    let _ = init::write_new(&project.dir().join(NAME), &text);
    Ok(project)
}

fn at(project: Project, data: PathBuf) -> Result<Project, Error> {
    verify(&data)?;
    Ok(Project { data, ..project })
}

/// Returns what the file `location` says.
fn said(project: &Project) -> Result<Option<PathBuf>, Error> {
    let path = project.dir().join(NAME);
    // Not waiting: somebody may have put a pipe there.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { operation: "open", path, source }),
    };
    let mut bytes = Vec::new();
    file.take(LOCATION_BYTES_MAX).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes).to_vec();
    Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(line))))
}

fn is_on_network(dir: &File, path: &Path) -> Result<bool, Error> {
    let found = fstatfs(dir).map_err(|errno| Error::Io {
        operation: "look at the file system of",
        path: path.into(),
        source: errno.into(),
    })?;
    let kind = magic(found.filesystem_type().0);
    let fuse = if kind == FUSE { fuse_of(dir) } else { None };
    Ok(is_network(kind, fuse.as_deref()) || fault::is_taken_for_network(path))
}

/// The magic numbers have 32 bits, whatever the type is that they come in.
#[expect(clippy::unnecessary_cast, reason = "the type differs from platform to platform")]
fn magic(raw: libc::__fsword_t) -> i64 {
    raw as i64 & 0xFFFF_FFFF
}

/// Whether a file system of this kind may be on another machine. `fuse` is what serves one in user space, if known.
fn is_network(magic: i64, fuse: Option<&str>) -> bool {
    match magic {
        FUSE => fuse.is_some_and(|name| NETWORK_FUSE.contains(&name)),
        _ => NETWORK.contains(&magic),
    }
}

/// Returns what serves the file system in user space that `dir` is on, such as `sshfs`.
fn fuse_of(dir: &File) -> Option<String> {
    let device = dir.metadata().ok()?.dev();
    fuse_in(&fs::read_to_string("/proc/self/mountinfo").ok()?, libc::major(device), libc::minor(device))
}

/// Source: proc_pid_mountinfo(5): the third field is `major:minor`, the type is the first after ` - `.
fn fuse_in(mountinfo: &str, major: u32, minor: u32) -> Option<String> {
    let device = format!("{major}:{minor}");
    let line = mountinfo.lines().find(|line| line.split(' ').nth(2) == Some(device.as_str()))?;
    let kind = line.split_once(" - ")?.1.split(' ').next()?;
    Some(kind.strip_prefix("fuse.")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_another_machine_is_known_by_its_kind() {
        for local in [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0x2FC1_2FC1, 0xF2F5_2010] {
            assert!(!is_network(local, None), "{local:x}");
        }
        for network in [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x0102_1997, 0x0BD0_0BD0] {
            assert!(is_network(network, None), "{network:x}");
        }
        assert!(is_network(FUSE, Some("sshfs")));
        for local in [None, Some("gocryptfs"), Some("ntfs-3g")] {
            assert!(!is_network(FUSE, local), "{local:?}");
        }
    }

    #[test]
    fn a_magic_number_is_the_same_whatever_its_sign() {
        assert_eq!(magic(0xFF53_4D42_u32 as i32 as libc::__fsword_t), 0xFF53_4D42);
    }

    #[test]
    fn what_serves_a_mount_is_read() {
        let text = "22 1 254:1 / / rw - ext4 /dev/vda rw\n\
                    40 22 0:51 / /mnt/far rw,nosuid shared:7 - fuse.sshfs host:/ rw,user_id=0\n\
                    41 22 0:52 / /mnt/a rw - fuse /dev/fuse rw\n";
        assert_eq!(fuse_in(text, 0, 51).as_deref(), Some("sshfs"));
        assert_eq!(fuse_in(text, 0, 52), None);
        assert_eq!(fuse_in(text, 254, 1), None);
        assert_eq!(fuse_in("nonsense", 0, 51), None);
    }
}
