//! The lock of a project, seen from outside: whether guardian or apexd live, and which process is the guardian.
//!
//! Linux only: pidfd_open(2), `/proc/PID/fd`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc;

use crate::cli::error::Failure;
use crate::domain::error::ErrorKind;
use crate::guardian;
use crate::paths::{self, Project};

/// Returns whether a guardian or an apexd of the project lives.
///
/// Shape: the lock is taken together with others for a moment and given back. A daemon that starts in this very moment
/// takes that for another one; whoever starts it tries again.
/// Errors: the lock file is there and cannot be opened.
/// Source: flock(2).
pub fn is_held(project: &Project) -> Result<bool, Failure> {
    // The guardian holds the directory as well, because the file can be removed under it. Where directories cannot be
    // locked it does without.
    Ok(is_locked(&project.lock_file())? || is_locked(project.data()).unwrap_or(false))
}

/// The lock of a project, held: no daemon starts meanwhile.
#[derive(Debug)]
pub struct Held {
    _file: File,
    /// `None` where directories cannot be locked.
    _directory: Option<File>,
}

/// Takes the lock for as long as what it returns lives; `None` if a guardian or an apexd has it.
///
/// Errors: the lock file cannot be made or opened.
/// Source: flock(2).
pub fn take(project: &Project) -> Result<Option<Held>, Failure> {
    let path = project.lock_file();
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let opened = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path);
    let file = opened.map_err(|error| unusable(&path, &error))?;
    let directory = File::open(project.data()).ok();
    if !lock(&file, libc::LOCK_EX, &path)? {
        return Ok(None);
    }
    match directory.as_ref().map(|directory| lock(directory, libc::LOCK_EX, project.data())) {
        Some(Ok(false)) => Ok(None),
        Some(Ok(true)) => Ok(Some(Held { _file: file, _directory: directory })),
        Some(Err(_)) | None => Ok(Some(Held { _file: file, _directory: None })),
    }
}

fn is_locked(path: &Path) -> Result<bool, Failure> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unusable(path, &error)),
    };
    Ok(!lock(&file, libc::LOCK_SH, path)?)
}

/// Says why a lock cannot be opened: something else is in its place, or the system refuses it.
fn unusable(path: &Path, error: &io::Error) -> Failure {
    let is_other = |found: fs::Metadata| !found.is_file() && !found.is_dir();
    if !fs::symlink_metadata(path).is_ok_and(is_other) {
        return Failure::io(format!("cannot open `{}`", path.display()), error);
    }
    let path = path.display();
    Failure::new(ErrorKind::Conflict, format!("`{path}` is in the way: it is no plain file, and no link is followed"))
        .with_hint(format!("move it away with `mv '{path}' '{path}.old'`"))
}

/// Locks what was opened at `path` if it is free, and returns whether it was.
fn lock(file: &File, how: libc::c_int, path: &Path) -> Result<bool, Failure> {
    // SAFETY: plain system calls on a descriptor that is open.
    let free = unsafe { libc::flock(file.as_raw_fd(), how | libc::LOCK_NB) } == 0;
    if !free {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::WouldBlock {
            return Err(Failure::io(format!("cannot look at the lock `{}`", path.display()), &error));
        }
    }
    Ok(free)
}

/// Opens a file of the daemon's for reading. Whatever stands in its place: a link is not followed, and a named pipe is not
/// waited for.
///
/// Source: open(2), `O_NOFOLLOW`, `O_NONBLOCK`.
pub(in crate::cli) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

/// The guardian of a project, pinned: whatever happens to its pid, this is the same process.
#[derive(Debug)]
pub struct Guardian {
    /// Its pid.
    pub pid: u32,
    pidfd: OwnedFd,
}

impl Guardian {
    /// Finds the guardian: the process of which the kernel says that it holds the lock. Where the kernel does not say, it is
    /// the one that the pid file names, if that has the lock file open; `None` if there is no such process.
    pub fn find(project: &Project) -> Option<Self> {
        if let Ok(lock) = open(&project.lock_file())
            && let Some(pid) = paths::holder(&lock)
        {
            // Asked again after it was pinned: the first one may have ended in between.
            return Self::pin(pid).filter(|_| paths::holder(&lock) == Some(pid));
        }
        let pid = guardian::pid_in(&project.pid_file())?;
        // Looked at after it was pinned: a pid that was used again would show another process here.
        Self::pin(pid).filter(|_| has_open(pid, project))
    }

    fn pin(pid: u32) -> Option<Self> {
        let raw = libc::pid_t::try_from(pid).ok()?;
        // SAFETY: a plain system call; what it returns is checked before it is taken for a descriptor.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, raw, 0) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: made by the call above, and nobody else's.
        Some(Self { pid, pidfd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Sends it a signal: SIGTERM or SIGINT to drain, SIGHUP to read the configuration again.
    ///
    /// Errors: it has ended in the meantime.
    /// Source: pidfd_send_signal(2).
    pub fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        let info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open, and without further information the pointer may be null.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.pidfd.as_raw_fd(), signal, info, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Returns a descriptor that can be read once it has ended.
    pub fn into_pidfd(self) -> OwnedFd {
        self.pidfd
    }
}

fn has_open(pid: u32, project: &Project) -> bool {
    let Ok(lock) = fs::metadata(project.lock_file()) else { return false };
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    // Follows the link: it is the file that counts, whatever its name is now.
    open.flatten()
        .filter_map(|entry| fs::metadata(entry.path()).ok())
        .any(|file| (file.dev(), file.ino()) == (lock.dev(), lock.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, Project) {
        let dir = tempfile::tempdir().unwrap();
        let project = Project::new(dir.path());
        fs::create_dir(project.data()).unwrap();
        (dir, project)
    }

    #[test]
    fn the_lock_is_held_while_somebody_holds_it() {
        let (_dir, project) = project();
        assert!(!is_held(&project).unwrap(), "no file, no daemon");
        let file = File::create(project.lock_file()).unwrap();
        assert!(!is_held(&project).unwrap());
        // SAFETY: a plain system call on an open descriptor.
        assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }, 0);
        assert!(is_held(&project).unwrap());
        drop(file);
        assert!(!is_held(&project).unwrap());
        fs::remove_file(project.lock_file()).unwrap();
        let directory = File::open(project.data()).unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX) }, 0);
        assert!(is_held(&project).unwrap(), "the file was removed under a guardian");
    }

    #[test]
    fn only_a_process_that_has_the_lock_open_is_the_guardian() {
        let (_dir, project) = project();
        assert!(Guardian::find(&project).is_none());
        let own = std::process::id();
        fs::write(project.pid_file(), format!("{own}\n")).unwrap();
        assert!(Guardian::find(&project).is_none(), "no lock file");
        fs::write(project.lock_file(), "").unwrap();
        assert!(Guardian::find(&project).is_none(), "a pid file that a dead one left, used again by somebody else");
        let _open = File::open(project.lock_file()).unwrap();
        assert_eq!(Guardian::find(&project).map(|guardian| guardian.pid), Some(own));
    }
}
