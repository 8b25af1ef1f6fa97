//! Makes the database and brings it up to date. Each version of the schema is one file of SQL and one transaction.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use crate::domain::time::Timestamp;
use crate::fault::is_sabotaged;
use crate::store::Error;
use crate::store::sqlite::fault;
use crate::store::sqlite::guard::{APPLICATION_ID, beside, remember_plans};

/// What makes schema 1 of nothing, schema 2 of schema 1, and so on.
pub(super) type Migrations = &'static [&'static str];

/// Every migration there is.
pub(super) const MIGRATIONS: Migrations = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    include_str!("migrations/0007.sql"),
    include_str!("migrations/0008.sql"),
    include_str!("migrations/0009.sql"),
    include_str!("migrations/0010.sql"),
    include_str!("migrations/0011.sql"),
    include_str!("migrations/0012.sql"),
];

/// The version since which a database has an id.
const NAMED_SINCE: u32 = 2;

/// Returns the version of the schema that these lead to.
pub(super) fn latest(migrations: Migrations) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

/// Makes a new database: under another name first, so that under its own there is never half of one.
pub(super) fn create(path: &Path, now: Timestamp, migrations: Migrations, id: Uuid) -> Result<(), Error> {
    let new = beside(path, ".new");
    for left in ["-journal", "-wal", "-shm"] {
        remove(&beside(path, left))?;
        remove(&beside(&new, left))?;
    }
    empty_file(&new)?;
    let made = fill(&new, path, now, migrations, id).and_then(|()| publish(&new, path));
    if made.is_err() {
        // What it takes up may be the very room that was wanting.
        for left in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(&new, left));
        }
    }
    made
}

/// Makes a database of the empty file `new`, which is to become `path`.
fn fill(new: &Path, path: &Path, now: Timestamp, migrations: Migrations, id: Uuid) -> Result<(), Error> {
    let fault = |error| fault::of("create", path, error);
    let db = connect(new).map_err(fault)?;
    let fill = || {
        db.execute_batch("PRAGMA journal_mode = MEMORY")?;
        db.pragma_update(None, "application_id", APPLICATION_ID.cast_signed())?;
        Ok(())
    };
    fill().map_err(fault)?;
    migrate(&db, path, 0, migrations)?;
    let fill = || {
        db.execute("INSERT INTO meta (id, epoch, created_at, opened_at) VALUES (1, 0, ?1, ?1)", [now.0])?;
        if latest(migrations) >= NAMED_SINCE {
            db.execute("UPDATE meta SET project = ?1", [id.as_bytes()])?;
        }
        // Kept in the header: from now on every connection finds it so.
        db.execute_batch("PRAGMA journal_mode = WAL")
    };
    fill().map_err(fault)?;
    db.close().map_err(|(_, error)| fault(error))
}

/// Opens a connection that writes.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(path, flags)?;
    // The first pragma that reads the database comes last: what is to guard the reading must be in force by then. The
    // file is kept from growing without end by the writer, which merges it when nobody waits for an answer.
    db.execute_batch(
        "PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON;
        PRAGMA secure_delete = ON; PRAGMA mmap_size = 0; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;
        PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216;",
    )?;
    if is_sabotaged(1) {
        db.pragma_update(None, "synchronous", "OFF")?;
    }
    remember_plans(&db)?;
    Ok(db)
}

/// Brings the schema from version `from` to the latest; a step that fails is undone and ends it.
pub(super) fn migrate(db: &Connection, path: &Path, from: u32, migrations: Migrations) -> Result<(), Error> {
    for (version, sql) in (1_u32..).zip(migrations).skip(from as usize) {
        let step = || {
            db.execute_batch("BEGIN IMMEDIATE")?;
            db.execute_batch(sql)?;
            db.pragma_update(None, "user_version", version)?;
            db.execute_batch("COMMIT")
        };
        if let Err(error) = step() {
            if !db.is_autocommit() {
                // It cannot fail in a way that leaves the transaction standing: closing undoes it as well.
                let _ = db.execute_batch("ROLLBACK");
            }
            return Err(fault::of("migrate", path, error));
        }
    }
    Ok(())
}

/// Returns whether the tables, indexes, triggers and views are those that the migrations make, and no others.
pub(super) fn is_as_made(db: &Connection, migrations: Migrations) -> rusqlite::Result<bool> {
    let made = Connection::open_in_memory()?;
    migrations.iter().try_for_each(|sql| made.execute_batch(sql))?;
    Ok(objects(db)? == objects(&made)?)
}

fn objects(db: &Connection) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let mut objects = db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")?;
    let objects = objects.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    objects.collect()
}

/// Copies the database to `<path>.backup-<version>`, or with a further number if that is taken, and returns the name.
pub(super) fn back_up(db: &Connection, path: &Path, version: u32) -> Result<PathBuf, Error> {
    let mut target = beside(path, &format!(".backup-{version}"));
    for further in 1.. {
        match fs::symlink_metadata(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(source) => return Err(Error::Io { operation: "look at", path: target, source }),
            Ok(_) => target = beside(path, &format!(".backup-{version}.{further}")),
        }
    }
    let new = beside(path, ".backup.new");
    empty_file(&new)?;
    let into = new.to_str().map(str::to_owned);
    let into = into.ok_or_else(|| rusqlite::Error::InvalidPath(new.clone()));
    let copied = into.and_then(|into| db.execute("VACUUM INTO ?1", [into]));
    copied.map_err(|error| fault::of("back up", path, error))?;
    publish(&new, &target)?;
    Ok(target)
}

/// Makes an empty file that only its owner can read, in place of what was left there.
pub(super) fn empty_file(path: &Path) -> Result<(), Error> {
    remove(path)?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    // The mode above is subject to the umask, which may take away what the owner needs.
    let made = made.and_then(|file| file.set_permissions(Permissions::from_mode(0o600)));
    made.map_err(|source| Error::Io { operation: "create", path: path.to_owned(), source })
}

/// Has what was written to a file, or what was named in a directory, on the disk.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives a finished file its name, for good.
pub(super) fn publish(new: &Path, path: &Path) -> Result<(), Error> {
    let done = sync(new).and_then(|()| fs::rename(new, path)).and_then(|()| path.parent().map_or(Ok(()), sync));
    done.map_err(|source| Error::Io { operation: "create", path: path.to_owned(), source })
}

pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Io { operation: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
