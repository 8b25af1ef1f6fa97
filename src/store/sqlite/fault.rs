//! From what SQLite says to what the store says.

use std::path::Path;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::store::Error;

/// Returns the error for something that `operation` met.
///
/// Shape: damage and another program's file by name; the disk being full, failing or read-only while something was to
/// be written as [`Error::Full`]; a read that was stopped by closing as [`Error::Closed`].
pub(super) fn of(operation: &'static str, path: &Path, source: impl Into<Arc<rusqlite::Error>>) -> Error {
    let source = source.into();
    let path = path.to_owned();
    match (source.sqlite_error_code(), &*source) {
        (Some(ErrorCode::DatabaseCorrupt), _) => {
            Error::Damaged { path, what: source.to_string(), source: Some(source) }
        }
        // The number of the schema's format is one of which SQLite knows nothing; it has no code of its own for that.
        (Some(ErrorCode::Unknown), rusqlite::Error::SqliteFailure(_, Some(said)))
            if said == "unsupported file format" =>
        {
            Error::Damaged { path, what: source.to_string(), source: Some(source) }
        }
        (Some(ErrorCode::NotADatabase), _) => Error::NotADatabase { path },
        (Some(ErrorCode::OperationInterrupted), _) => Error::Closed,
        (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Error::Locked { path, source },
        (Some(ErrorCode::DiskFull), _) => Error::Full { path, source: "the disk is full".into() },
        (Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly), _) if operation != READ => {
            Error::Full { path, source: Box::new(source) }
        }
        (
            None,
            rusqlite::Error::FromSqlConversionFailure(column, ..) | rusqlite::Error::IntegralValueOutOfRange(column, _),
        ) => {
            let what = format!("column {column} of a row");
            Error::Damaged { path, what, source: Some(source) }
        }
        (None, rusqlite::Error::InvalidColumnType(_, column, _)) => {
            let what = format!("column `{column}` of a row");
            Error::Damaged { path, what, source: Some(source) }
        }
        _ => Error::Sqlite { operation, path, source },
    }
}

/// Returns whether it failed because the disk is full.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Returns whether a value was there and made no sense.
pub(super) fn is_unreadable(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(error, E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..))
}

/// Returns what the database would say if it were asked to write to a full disk.
pub(super) fn full() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// The operation of everything that only reads.
pub(super) const READ: &str = "read";
/// The operation of every verb that changes something.
pub(super) const WRITE: &str = "write";

/// Returns the error for something that contradicts itself.
pub(super) fn damaged(path: &Path, what: &str) -> Error {
    Error::Damaged { path: path.to_owned(), what: what.to_owned(), source: None }
}
