//! Which project is meant, and whether it may be trusted.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::geteuid;

use crate::paths::error::Error;
use crate::paths::{DIR_NAME, Places, Project, init, location};

/// How a project was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Not at all: the nearest one, from the working directory upwards.
    Walk,
    /// By its directory, with `-C DIR` or `APEX_PROJECT_PATH`. Relative to the working directory.
    At(PathBuf),
    /// The per-user one, with `--global`.
    Global,
}

/// A project that was found and may be used.
#[derive(Debug)]
pub struct Found {
    /// Which one.
    pub project: Project,
    /// There was none, so it is the per-user one; the user should be told.
    pub fallback: bool,
    /// Its `.apex/`, opened and verified. What is opened through it is what was verified.
    pub dir: File,
}

/// Finds the project that is meant. The per-user one is made when it is needed for the first time.
///
/// Shape: walking up stops at the first `.apex`, whatever it is: one that cannot be used is an error, so that nobody
/// ends up in another project than the nearest. `cwd` is absolute.
/// Errors: a directory named without `.apex/` in it; what [`verify`] finds; on a network file system, data that cannot be
/// on this machine.
pub fn discover(how: &How, cwd: &Path, places: &Places) -> Result<Found, Error> {
    match how {
        How::Walk => match walk(cwd) {
            Some(root) => found(Project::new(root), places),
            None => Ok(Found { fallback: true, ..found(global(places)?, places)? }),
        },
        How::At(named) => {
            let root = cwd.join(named);
            let root = fs::canonicalize(&root).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => Error::NoDirectory(root.clone()),
                io::ErrorKind::NotADirectory => Error::NotADirectory(root.clone()),
                _ => Error::Io { operation: "open", path: root.clone(), source },
            })?;
            if !root.is_dir() {
                return Err(Error::NotADirectory(root));
            }
            found(Project::new(root), places)
        }
        How::Global => found(global(places)?, places),
    }
}

/// Returns the per-user project, made if it is not there yet: every directory that had to be made has mode 0700.
pub fn global(places: &Places) -> Result<Project, Error> {
    let project = places.global();
    if fs::symlink_metadata(project.dir()).is_ok() {
        return Ok(project);
    }
    init::make_directories(project.root())?;
    init::init(project.root(), places).map(|made| made.project)
}

fn found(project: Project, places: &Places) -> Result<Found, Error> {
    let dir = verify(project.dir())?;
    let project = location::locate(project, &dir, places)?;
    Ok(Found { project, fallback: false, dir })
}

fn walk(cwd: &Path) -> Option<PathBuf> {
    // A directory that may not be searched is passed over: there cannot be a project of ours in it.
    cwd.ancestors().find(|root| fs::symlink_metadata(root.join(DIR_NAME)).is_ok()).map(Path::to_owned)
}

/// Opens `.apex/` and checks that it is a directory that belongs to this user and that nobody else can write.
///
/// Errors: [`Error::NotAProject`] if it is not there, [`Error::NotADirectory`], [`Error::Symlink`], [`Error::Owner`],
/// [`Error::Writable`].
/// Source: open(2), `O_NOFOLLOW`.
pub fn verify(dir: &Path) -> Result<File, Error> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let user = geteuid().as_raw();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(dir);
    let handle = opened.map_err(|source| why_not_opened(dir, source, user))?;
    let metadata = handle.metadata().map_err(Error::io("look at", dir))?;
    check(dir, metadata.uid(), metadata.mode(), user)?;
    Ok(handle)
}

fn why_not_opened(dir: &Path, source: io::Error, user: u32) -> Error {
    if source.kind() == io::ErrorKind::NotFound {
        return Error::NotAProject { root: dir.parent().unwrap_or(dir).to_owned() };
    }
    match fs::symlink_metadata(dir) {
        Ok(metadata) if metadata.is_symlink() => Error::Symlink(dir.to_owned()),
        Ok(metadata) if !metadata.is_dir() => Error::NotADirectory(dir.to_owned()),
        Ok(metadata) if metadata.uid() != user => Error::Owner { path: dir.to_owned(), owner: metadata.uid(), user },
        _ => Error::Io { operation: "open", path: dir.to_owned(), source },
    }
}

/// Whether a directory of this owner and mode may be used by `user`.
pub(super) fn check(dir: &Path, owner: u32, mode: u32, user: u32) -> Result<(), Error> {
    if owner != user {
        return Err(Error::Owner { path: dir.to_owned(), owner, user });
    }
    if mode & 0o022 != 0 {
        return Err(Error::Writable { path: dir.to_owned(), mode: mode & 0o7777 });
    }
    Ok(())
}
