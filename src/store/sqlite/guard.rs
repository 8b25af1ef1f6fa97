//! Looks before anything is written: is this a plain file, a database, ours, of a version we know, and is the root of
//! every table and index what it should be? Nothing here changes a byte.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::fault::is_sabotaged;
use crate::store::Error;
use crate::store::sqlite::fault;

/// Says whose database it is: `apex` in ASCII.
///
/// Source: sqlite.org/fileformat2.html, "The Database Header", offset 68.
pub(super) const APPLICATION_ID: u32 = 0x6170_6578;

/// How every database of SQLite begins.
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What stands where the database should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or an empty file.
    Nothing,
    /// A database of apex. `wal`: what was not merged into it is left beside it.
    Database { wal: bool },
}

/// Returns `path` without links in the directories above, so that a link can only be the file itself.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Error> {
    let io = |source| Error::Io { operation: "open", path: path.to_owned(), source };
    let name = path.file_name().ok_or_else(|| Error::NotAFile { path: path.to_owned() })?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(directory.canonicalize().map_err(io)?.join(name))
}

/// Returns the name of a file that belongs to the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Looks at the file and its header.
///
/// A process that opens the file a second time and closes it loses SQLite's locks on it (fcntl(2), "Record locking"): so
/// this comes before the first connection, and there is one store to a process.
pub(super) fn look(path: &Path, known: u32) -> Result<Found, Error> {
    let io = |source| Error::Io { operation: "open", path: path.to_owned(), source };
    let wal_path = beside(path, "-wal");
    let wal = match fs::symlink_metadata(&wal_path) {
        Ok(found) if !found.is_file() => return Err(Error::NotAFile { path: wal_path }),
        found => found.is_ok_and(|found| found.len() > 0),
    };
    let nothing = || if wal { Err(Error::Orphan { path: wal_path.clone() }) } else { Ok(Found::Nothing) };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return nothing(),
        Err(error) => return Err(io(error)),
        Ok(found) if !found.is_file() => return Err(Error::NotAFile { path: path.to_owned() }),
        Ok(_) => {}
    }
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| {
        if error.raw_os_error() == Some(nix::libc::ELOOP) {
            Error::NotAFile { path: path.to_owned() }
        } else {
            io(error)
        }
    })?;
    let length = file.metadata().map_err(io)?.len();
    if length == 0 {
        // One that a first start did not come to fill is no loss; one that tasks have run from is.
        let has_run = fs::read_dir(path.with_file_name("output")).is_ok_and(|mut output| output.next().is_some());
        return if has_run { Err(Error::Emptied { path: path.to_owned() }) } else { nothing() };
    }
    header(path, &file, known)?;
    let journal = beside(path, "-journal");
    if fs::symlink_metadata(&journal).is_ok_and(|found| !found.is_file() || found.len() > 0) {
        return Err(Error::Stray { path: journal });
    }
    Ok(Found::Database { wal })
}

fn header(path: &Path, mut file: &File, known: u32) -> Result<(), Error> {
    let mut header = [0; 100];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(Error::NotADatabase { path: path.to_owned() });
        }
        Err(source) => return Err(Error::Io { operation: "read", path: path.to_owned(), source }),
    }
    if !header.starts_with(MAGIC) {
        return Err(Error::NotADatabase { path: path.to_owned() });
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    versions(path, number(68), number(60), known)
}

fn versions(path: &Path, application_id: u32, found: u32, known: u32) -> Result<(), Error> {
    let path = path.to_owned();
    if application_id != APPLICATION_ID {
        return Err(Error::Foreign { path, application_id });
    }
    if found > known {
        return Err(Error::Newer { path, found, known });
    }
    if found == 0 {
        return Err(fault::damaged(&path, "schema version 0"));
    }
    Ok(())
}

/// Opens a connection that cannot write.
///
/// `still`: nobody else has the database open, and nothing is left beside it; then not even the files for sharing it are
/// made.
pub(super) fn connect_reading(path: &Path, still: bool) -> rusqlite::Result<Connection> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(*byte)),
            byte => write!(uri, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
    if still {
        uri.push_str("?immutable=1");
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(uri, flags)?;
    db.execute_batch(
        "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
        PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;",
    )?;
    remember_plans(&db)?;
    Ok(db)
}

/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 64;

/// Has a connection keep its statements as they were compiled.
///
/// Without a plan that is the same whatever is bound (`QPSG`) a statement is compiled again as soon as another value is bound
/// where the planner looked at the last one: once for every row that is read.
pub(super) fn remember_plans(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Reads the versions again, now with what is left beside the database, and returns that of the schema.
pub(super) fn version(db: &Connection, path: &Path, known: u32) -> Result<u32, Error> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let fault = |error| fault::of(fault::READ, path, error);
    let found = pragma("user_version").map_err(fault)?.cast_unsigned();
    versions(path, pragma("application_id").map_err(fault)?.cast_unsigned(), found, known)?;
    Ok(found)
}

/// Goes to the root page of every table and index, and from there to its first entry.
pub(super) fn roots(db: &Connection, path: &Path) -> Result<(), Error> {
    if is_sabotaged(10) {
        return Ok(());
    }
    let sql = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE rootpage > 0";
    let trees = || {
        let mut trees = db.prepare(sql)?;
        let trees = trees.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        trees.collect::<rusqlite::Result<Vec<(String, String, String, String)>>>()
    };
    for (kind, name, table, sql) in trees().map_err(|error| broken(path, "table", "sqlite_schema", error))? {
        let table = table.replace('"', "\"\"");
        let probe = if kind == "index" {
            // A partial index is only used under its own condition.
            let condition = sql.rsplit_once(" WHERE ").map_or("1", |(_, condition)| condition);
            let index = name.replace('"', "\"\"");
            format!("SELECT 1 FROM \"{table}\" INDEXED BY \"{index}\" WHERE {condition} LIMIT 1")
        } else if sql.ends_with("WITHOUT ROWID") {
            // Such a table is itself an index; left to choose, SQLite may read another one that has every column.
            format!("SELECT 1 FROM \"{table}\" INDEXED BY \"sqlite_autoindex_{table}_1\" LIMIT 1")
        } else {
            format!("SELECT * FROM \"{table}\" NOT INDEXED LIMIT 1")
        };
        let first = db.prepare(&probe).and_then(|mut first| first.query([])?.next().map(|_| ()));
        first.map_err(|error| broken(path, &kind, &name, error))?;
    }
    Ok(())
}

fn broken(path: &Path, kind: &str, name: &str, error: rusqlite::Error) -> Error {
    match fault::of(fault::READ, path, error) {
        Error::Damaged { path, source, .. } => Error::Damaged { path, what: format!("{kind} `{name}`"), source },
        Error::Sqlite { path, source, .. } if source.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown) => {
            Error::Damaged { path, what: format!("{kind} `{name}`"), source: Some(source) }
        }
        other => other,
    }
}
