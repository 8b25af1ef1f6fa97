//! Why the store could not do it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::error::ErrorKind;
use crate::domain::id::{AssignmentId, TaskId};

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The claim was given back, taken by others, or never made.
    #[error("claim `{0}` is not current")]
    Stale(AssignmentId),
    /// Another daemon has opened the store since; this one may write no more.
    #[error("another daemon has taken over this project")]
    Fenced,
    /// It was closed.
    #[error("the store is closed")]
    Closed,
    /// A task names a queue that does not exist.
    #[error("no queue `{0}`")]
    NoSuchQueue(String),
    /// A queue of that name is there already.
    #[error("there is a queue `{0}` already")]
    QueueExists(String),
    /// There is no such schedule.
    #[error("no schedule `{0}`")]
    NoSuchSchedule(String),
    /// A schedule of that name is there already.
    #[error("there is a schedule `{0}` already")]
    ScheduleExists(String),
    /// A task depends on one that does not exist.
    #[error("no task `{0}` to depend on")]
    NoSuchTask(TaskId),
    /// One of many tasks that were to be added together cannot be.
    #[error("line {line}: {source}")]
    Line {
        /// The line it was read from.
        line: u64,
        /// Why.
        source: Box<Error>,
    },
    /// Many tasks that were to be added together cannot be read.
    #[error("cannot read the tasks that are to be added")]
    Source(#[source] io::Error),
    /// The disk is full, or may not be written.
    #[error("cannot write the task store `{}`", .path.display())]
    Full {
        /// The database.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A later version of apex wrote it. Nothing was changed.
    #[error(
        "the task store `{}` was written by a newer apex: it has schema {found}, this apex knows schema {known}; \
         upgrade apex",
        .path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version of its schema.
        found: u32,
        /// The latest version this program knows.
        known: u32,
    },
    /// An earlier version of apex wrote it, and who only reads does not migrate.
    #[error(
        "the task store `{}` was written by an older apex: it has schema {found}, this apex needs schema {known}; \
         `apex daemon start` migrates it",
        .path.display()
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// The version of its schema.
        found: u32,
        /// The version this program reads.
        known: u32,
    },
    /// It is a database of another program. Nothing was changed.
    #[error(
        "`{}` is a database of another program (application id {application_id:#010x}); move it away to start anew",
        .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The number in its header.
        application_id: u32,
    },
    /// It is no database. Nothing was changed.
    #[error(
        "`{}` is not a database; put a backup in its place, or move it away to start anew (`apex db recover` does that)",
        .path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// It is a symbolic link, a directory or something else that is not a plain file.
    #[error("`{}` is not a plain file; move it away to start anew", .path.display())]
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// The database is gone and what was not yet merged into it is left: starting anew would destroy that.
    #[error(
        "`{}` is there, but the task store it belongs to is gone; put that back, or move the file away to start anew",
        .path.display()
    )]
    Orphan {
        /// The file that is left.
        path: PathBuf,
    },
    /// It was deleted, or something else was put in its place, while it was open.
    #[error(
        "the task store `{}` was removed or replaced while the daemon runs; stop it with `apex daemon stop`, put the \
         store back or a backup in its place, and start again",
        .path.display()
    )]
    Removed {
        /// Where it was.
        path: PathBuf,
    },
    /// It is empty, although tasks have run here.
    #[error(
        "the task store `{}` is empty, although tasks have run here; put a backup in its place, or move it away to start \
         anew",
        .path.display()
    )]
    Emptied {
        /// The database.
        path: PathBuf,
    },
    /// What is stored is damaged. Nothing was changed.
    #[error(
        "the task store `{}` is damaged ({what}); put a backup in its place, or save what can be read with \
         `apex db recover`",
        .path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// Which part: a table, an index, a column.
        what: String,
        /// What the database said.
        #[source]
        source: Option<Arc<rusqlite::Error>>,
    },
    /// A rollback journal lies beside it, which apex never makes: to open the database would be to follow what it says.
    #[error("`{}` is none of apex's files; move it away, or its database cannot be opened", .path.display())]
    Stray {
        /// The journal.
        path: PathBuf,
    },
    /// Its owner may not write it.
    #[error("the task store `{}` is read-only; make it writable with `chmod u+w {}`", .path.display(), .path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// Another program keeps it locked.
    #[error(
        "the task store `{}` is locked by another program; end that one (`fuser {}` names it)",
        .path.display(), .path.display()
    )]
    Locked {
        /// The database.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The operating system refused something.
    #[error("cannot {operation} `{}`", .path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The database refused something for another reason.
    #[error("cannot {operation} the task store `{}`", .path.display())]
    Sqlite {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The database.
        path: PathBuf,
        /// What it said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// This program was built with a release of SQLite that can destroy databases.
    #[error("built with SQLite {found}, which can corrupt a database; 3.51.3 or later is needed")]
    Unsafe {
        /// The release.
        found: &'static str,
    },
}

impl Error {
    /// Returns the kind that callers see.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Stale(_)
            | Self::QueueExists(_)
            | Self::ScheduleExists(_)
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Foreign { .. }
            | Self::NotAFile { .. }
            | Self::Orphan { .. }
            | Self::Stray { .. } => ErrorKind::Conflict,
            Self::Fenced | Self::Closed | Self::Locked { .. } => ErrorKind::Unavailable,
            Self::ReadOnly { .. } => ErrorKind::Denied,
            Self::NoSuchQueue(_) | Self::NoSuchSchedule(_) | Self::NoSuchTask(_) => ErrorKind::NotFound,
            Self::Line { source, .. } => source.kind(),
            Self::Source(source) => kind_of_io(source),
            Self::Full { .. } => ErrorKind::Exhausted,
            Self::NotADatabase { .. }
            | Self::Damaged { .. }
            | Self::Removed { .. }
            | Self::Emptied { .. }
            | Self::Unsafe { .. } => ErrorKind::Internal,
            Self::Io { source, .. } => kind_of_io(source),
            Self::Sqlite { source, .. } => kind_of_sqlite(source),
        }
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::PermissionDenied => ErrorKind::Denied,
        Io::StorageFull | Io::QuotaExceeded | Io::ReadOnlyFilesystem | Io::OutOfMemory => ErrorKind::Exhausted,
        _ => match error.raw_os_error() {
            Some(errno) if errno == nix::libc::EMFILE || errno == nix::libc::ENFILE => ErrorKind::Exhausted,
            _ => ErrorKind::Internal,
        },
    }
}

fn kind_of_sqlite(error: &rusqlite::Error) -> ErrorKind {
    use rusqlite::ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(Code::DiskFull | Code::SystemIoFailure | Code::OutOfMemory | Code::CannotOpen) => ErrorKind::Exhausted,
        Some(Code::PermissionDenied | Code::ReadOnly) => ErrorKind::Denied,
        _ => ErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_decides_the_kind() {
        let of = |errno| {
            let source = io::Error::from_raw_os_error(errno);
            Error::Io { operation: "open", path: "/p/apex.db".into(), source }.kind()
        };
        assert_eq!(of(nix::libc::EACCES), ErrorKind::Denied);
        for errno in [nix::libc::ENOSPC, nix::libc::EDQUOT, nix::libc::EROFS, nix::libc::EMFILE, nix::libc::ENFILE] {
            assert_eq!(of(errno), ErrorKind::Exhausted, "{errno}");
        }
        assert_eq!(of(nix::libc::EIO), ErrorKind::Internal);
        let of = |code| {
            let source = Arc::new(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
            Error::Sqlite { operation: "open", path: "/p/apex.db".into(), source }.kind()
        };
        assert_eq!(of(rusqlite::ffi::SQLITE_CANTOPEN), ErrorKind::Exhausted);
        assert_eq!(of(rusqlite::ffi::SQLITE_ERROR), ErrorKind::Internal);
    }

    #[test]
    fn messages_name_the_thing_and_the_next_step() {
        let error = Error::Newer { path: "/p/apex.db".into(), found: 9, known: 1 };
        let expected = "the task store `/p/apex.db` was written by a newer apex: it has schema 9, this apex knows schema 1; \
                        upgrade apex";
        assert_eq!(error.to_string(), expected);
    }
}
