//! Making a project.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use crate::config;
use crate::paths::error::Error;
use crate::paths::{Places, Project, location, registry, verify};

/// What making a project came to.
#[derive(Debug)]
pub struct Init {
    /// Which project.
    pub project: Project,
    /// What had to be done.
    pub created: Created,
    /// Why it could not be entered among the user's projects; it can be used all the same.
    pub not_registered: Option<Error>,
}

/// What had to be done to have a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// Everything.
    New,
    /// These files were missing in an existing one.
    Completed(Vec<PathBuf>),
    /// Nothing.
    Already,
}

/// Makes `root` a project: `.apex/` with a commented `config.toml` and a `.gitignore`. What is there is left as it is.
///
/// Shape: the directory gets mode 0700 and the files 0600 whatever the umask is, and never anything wider in between.
/// What fails half-way is taken back.
/// Errors: `root` is no directory or cannot be written; what [`verify`] finds in an existing `.apex`; on a network file
/// system, data that cannot be on this machine.
pub fn init(root: &Path, places: &Places) -> Result<Init, Error> {
    let root = fs::canonicalize(root).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NoDirectory(root.to_owned()),
        io::ErrorKind::NotADirectory => Error::NotADirectory(root.to_owned()),
        _ => Error::Io { operation: "open", path: root.to_owned(), source },
    })?;
    if !root.is_dir() {
        return Err(Error::NotADirectory(root));
    }
    let project = Project::new(root);
    let new = make_directory(project.dir())?;
    let dir = verify(project.dir())?;
    let take_back = |written: &[PathBuf]| {
        // Best effort: the first failure is the one to tell.
        for path in written {
            let _ = fs::remove_file(path);
        }
        if new {
            let _ = fs::remove_file(project.dir().join(location::NAME));
            let _ = fs::remove_dir(project.dir());
        }
    };
    let project = location::locate(project.clone(), &dir, places).inspect_err(|_| take_back(&[]))?;

    let files = [(project.config_file(), config::TEMPLATE), (project.dir().join(".gitignore"), "*\n")];
    let mut written = Vec::new();
    for (path, text) in files {
        match write_new(&path, text.as_bytes()) {
            Ok(()) => written.push(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => {
                take_back(&written);
                return Err(Error::Io { operation: "write", path, source });
            }
        }
    }
    // Whoever finds a project here with tasks or hooks in it has not said that they may run.
    let has_tasks = fs::symlink_metadata(project.database()).is_ok();
    let has_hooks = !written.contains(&project.config_file()) && config::names_hooks(&project.config_file());
    let not_registered = if has_tasks || has_hooks { None } else { registry::register(&project, places, None).err() };
    let created = match (new, written.is_empty()) {
        (true, _) => Created::New,
        (false, true) => Created::Already,
        (false, false) => Created::Completed(written),
    };
    Ok(Init { project, created, not_registered })
}

/// Makes a directory of mode 0700 whatever the umask is. Returns whether it was not there.
pub(super) fn make_directory(path: &Path) -> Result<bool, Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(source) => return Err(Error::Io { operation: "make the directory", path: path.to_owned(), source }),
    }
    // A umask can only have taken permissions away. O_PATH opens what may not be read, and what is changed through it
    // is what was opened.
    let change = || {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let handle = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if handle.metadata()?.mode() & 0o7777 != 0o700 {
            let handle = format!("/proc/self/fd/{}", handle.as_raw_fd());
            fs::set_permissions(handle, Permissions::from_mode(0o700))?;
        }
        Ok(())
    };
    change().map_err(Error::io("set the permissions of", path))?;
    Ok(true)
}

/// Makes a directory and those above it that are missing, all with mode 0700.
pub(super) fn make_directories(path: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = path.ancestors().take_while(|above| fs::metadata(above).is_err()).collect();
    missing.into_iter().rev().try_for_each(|path| make_directory(path).map(drop))
}

/// Writes a file of mode 0600 that must not be there yet; on failure nothing is left of it.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(path)?;
    let written = file.write_all(bytes).and_then(|()| file.set_permissions(Permissions::from_mode(0o600)));
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}
