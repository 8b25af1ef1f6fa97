//! A copy of a database as of one moment, while others read and write it.

use std::fs;
use std::io;
use std::path::Path;

use crate::store::Error;
use crate::store::sqlite::fault;
use crate::store::sqlite::guard::{self, Found, beside};
use crate::store::sqlite::schema::{self, MIGRATIONS};

/// Copies the database at `path` to `target`, and returns how many bytes that are; `None` if there is no database.
///
/// Shape: `target` is made with mode 0600, under another name first, so that under its own there is never half of one; it
/// is on the disk when this returns. It is a whole database: put in the place of another one, it is opened like that.
/// Errors: those of [`super::open_reader`]; [`Error::Io`] if there is something at `target`, or it cannot be written.
/// Blocks the thread.
pub fn copy(path: &Path, target: &Path) -> Result<Option<u64>, Error> {
    let io = |operation| move |source| Error::Io { operation, path: target.to_owned(), source };
    let known = schema::latest(MIGRATIONS);
    let path = guard::resolve(path)?;
    let Found::Database { wal } = guard::look(&path, known)? else { return Ok(None) };
    let taken = || io("create")(io::Error::from(io::ErrorKind::AlreadyExists));
    if fs::symlink_metadata(target).is_ok() {
        return Err(taken());
    }
    let target = guard::resolve(target)?;
    // Who writes leaves a file for sharing beside it, whether there is something in it or not.
    let still = !wal && fs::symlink_metadata(beside(&path, "-wal")).is_err();
    let failed = |error| fault::of("back up", &path, error);
    let db = guard::connect_reading(&path, still).map_err(failed)?;
    guard::version(&db, &path, known)?;
    let new = beside(&target, &format!(".{}.new", std::process::id()));
    schema::empty_file(&new)?;
    let copied = || {
        let into = new.to_str().ok_or_else(|| rusqlite::Error::InvalidPath(new.clone()))?;
        // It keeps from writing into the new file as well; the old one is open for reading only all the same.
        db.execute_batch("PRAGMA query_only = OFF")?;
        db.execute("VACUUM INTO ?1", [into])
    };
    let published = copied().map_err(failed).and_then(|_| {
        let bytes = fs::metadata(&new).map_err(io("read"))?.len();
        schema::sync(&new).map_err(io("write"))?;
        // Unlike a rename it takes the place of nothing.
        fs::hard_link(&new, &target).map_err(io("create"))?;
        fs::remove_file(&new).map_err(io("finish"))?;
        target.parent().map_or(Ok(()), schema::sync).map_err(io("finish"))?;
        Ok(Some(bytes))
    });
    if published.is_err() {
        // It may not be there any more.
        let _ = fs::remove_file(&new);
    }
    published
}
