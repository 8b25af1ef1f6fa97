//! What can be in the way of finding or making a project.

use std::io;
use std::path::PathBuf;

use crate::domain::error::{ErrorKind, Problem};

/// A project that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory that was named holds no project.
    #[error("`{}` is not a project: it has no `.apex` directory", .root.display())]
    NotAProject {
        /// The directory that was named.
        root: PathBuf,
    },
    /// There is no such directory.
    #[error("no directory `{}`", .0.display())]
    NoDirectory(PathBuf),
    /// A file or something else is where a directory must be.
    #[error("`{}` is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// A symbolic link could lead anywhere, and elsewhere the next time.
    #[error("`{}` is a symbolic link, which is not followed", .0.display())]
    Symlink(PathBuf),
    /// Somebody else could have put anything there.
    #[error("`{}` belongs to user {owner}, not to user {user} who asks", .path.display())]
    Owner {
        /// Which directory.
        path: PathBuf,
        /// Whose it is, as uid.
        owner: u32,
        /// Who runs this process, as uid.
        user: u32,
    },
    /// Others can put anything there.
    #[error("`{}` can be written by others (mode {mode:04o})", .path.display())]
    Writable {
        /// Which directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// On a network file system the data are with the user's own things, and those were in another place before.
    #[error("the data of `{}` are in `{}`, not in `{}`", .project.display(), .said.display(), .now.display())]
    Elsewhere {
        /// The project's root.
        project: PathBuf,
        /// Where they were put.
        said: PathBuf,
        /// Where they would be now.
        now: PathBuf,
    },
    /// A database cannot be on a network file system, and there is no other place for it.
    #[error("`{}` is on a network file system, and so is `{}`, where its data would be", .project.display(), .data.display())]
    NoLocalPlace {
        /// The project's root.
        project: PathBuf,
        /// Where its data would be.
        data: PathBuf,
    },
    /// A database stands where none can be relied on.
    #[error("the task store `{}` is on a network file system, where it would be damaged", .database.display())]
    StoreOnNetwork {
        /// The database.
        database: PathBuf,
        /// Where it would be.
        data: PathBuf,
    },
    /// Nobody knows where the per-user things are.
    #[error("no home directory: neither `XDG_STATE_HOME` nor `HOME` names one")]
    NoHome,
    /// The path is too long even relative to the directory itself.
    #[error("socket path `{}` is too long", .0.display())]
    SocketPath(PathBuf),
    /// The operating system refused.
    #[error("cannot {operation} `{}`", .path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// Returns what sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAProject { .. } | Self::NoDirectory(_) => ErrorKind::NotFound,
            Self::NotADirectory(_) | Self::NoHome | Self::NoLocalPlace { .. } | Self::SocketPath(_) => {
                ErrorKind::Invalid
            }
            Self::Symlink(_) | Self::Owner { .. } | Self::Writable { .. } => ErrorKind::Denied,
            Self::Elsewhere { .. } | Self::StoreOnNetwork { .. } => ErrorKind::Conflict,
            Self::Io { source, .. } => kind_of(source),
        }
    }

    /// Returns the next step, if there is one that can be typed.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotAProject { root } => Some(format!("make it one with `apex init '{}'`", root.display())),
            Self::NoDirectory(path) => {
                let path = path.display();
                Some(format!("make a project there with `mkdir -p '{path}' && apex init '{path}'`"))
            }
            Self::NotADirectory(path) | Self::Symlink(path) if path.ends_with(super::DIR_NAME) => {
                Some(format!("move `{}` away, then `apex init`", path.display()))
            }
            Self::Owner { owner, user: 0, .. } => Some(format!(
                "root is a stranger here like anybody else: ask as its owner, `sudo -u '#{owner}' apex …`"
            )),
            Self::Owner { .. } => Some("use a project of your own: `apex init` in a directory of yours".to_owned()),
            Self::Writable { path, .. } => {
                Some(format!("if nobody meddled with it: `chmod go-w '{}'`", path.display()))
            }
            Self::Elsewhere { project, said, .. } => {
                let location = project.join(super::DIR_NAME).join("location");
                let state = said.ancestors().nth(3).unwrap_or(said).display();
                Some(format!("set `XDG_STATE_HOME={state}`, or remove `{}` to begin anew", location.display()))
            }
            Self::NoLocalPlace { .. } => Some("let `XDG_STATE_HOME` name a directory on a local disk".to_owned()),
            Self::StoreOnNetwork { database, data } => {
                let (from, to) = (database.display(), data.display());
                Some(format!(
                    "stop every daemon of it, then `mkdir -p '{to}' && chmod 700 '{to}' && mv '{from}'* '{to}'/`"
                ))
            }
            Self::NoHome => Some("set `HOME`, or name a project with `-C DIR`".to_owned()),
            _ => None,
        }
    }

    pub(super) fn io(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { operation, path, source }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let message = match error {
            Error::Io { source, .. } => format!("{error}: {source}"),
            _ => error.to_string(),
        };
        Self { kind: error.kind(), message, hint: error.hint(), id: None }
    }
}

/// Returns what sort of failure it is when the operating system refused something about a file.
///
/// Shape: what may work later, when there is room again, is `exhausted`; what the user may not do is `denied`.
/// Source: errno(3).
pub fn kind_of(error: &io::Error) -> ErrorKind {
    use nix::errno::Errno;
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::EAGAIN) => {
            ErrorKind::Exhausted
        }
        Some(Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::ELOOP) => ErrorKind::Denied,
        Some(Errno::ENOENT) => ErrorKind::NotFound,
        Some(Errno::ENOTDIR | Errno::EISDIR | Errno::ENAMETOOLONG) => ErrorKind::Invalid,
        Some(Errno::EEXIST) => ErrorKind::Conflict,
        _ => ErrorKind::Internal,
    }
}
