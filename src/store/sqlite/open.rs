//! From a path to a store that works.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, params};
use tokio::sync::{Mutex, mpsc, watch};
use uuid::Uuid;

use crate::domain::id::Seq;
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::guard::{self, Found};
use crate::store::sqlite::pool::Pool;
use crate::store::sqlite::reserve::Reserve;
use crate::store::sqlite::schema::{self, MIGRATIONS, Migrations};
use crate::store::sqlite::writer::{Closed, Writer, file_at};
use crate::store::sqlite::{Sqlite, WAITING_MAX, fault, read};

/// The version of the schema that this program writes.
pub const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// The schema since which there are schedules, which add tasks.
const SCHEDULES_SINCE: usize = 7;

/// The first release of SQLite in which two connections cannot corrupt a write-ahead log.
///
/// Source: sqlite.org/wal.html, "The WAL-Reset Bug".
const SQLITE_SAFE: i32 = 3_051_003;

/// A store that was just opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<Sqlite>,
    /// Whether whoever had it open before did not close it: [`Sqlite::check`] should follow.
    pub unclean: bool,
    /// Where the database was copied to before its schema was migrated, if it was.
    pub backup: Option<PathBuf>,
    /// Which database this is: the same in every copy of it.
    pub id: Uuid,
    /// Whether it was made just now.
    pub created: bool,
    /// Whether no task is in it, nor anything that could put one there: a schedule, a trigger.
    pub empty: bool,
}

/// Opens the database at `path`, or makes it, and takes it over: whoever opened it before can write no more.
///
/// Shape: the directory must exist. Everything is looked at before the first byte is written; see `guard`. The file is
/// made with mode 0600. A database of an earlier schema is copied to `<path>.backup-<schema>`, which is kept, and
/// migrated.
/// Errors: [`Error::Newer`], [`Error::Foreign`], [`Error::NotADatabase`], [`Error::NotAFile`], [`Error::Orphan`] and
/// [`Error::Damaged`] leave everything as it was; [`Error::Full`], [`Error::Io`] and [`Error::Sqlite`] for what the
/// operating system and the database refuse. Blocks the thread.
pub fn open(path: &Path, now: Timestamp) -> Result<Opened, Error> {
    open_announced(path, now, |_| {})
}

/// Does the same, and tells the id of a database that has to be made before it is there: whoever keeps the ids of one's
/// own knows it even if this process is killed in between.
pub fn open_announced(path: &Path, now: Timestamp, announce: impl FnOnce(Uuid)) -> Result<Opened, Error> {
    open_with(path, now, MIGRATIONS, announce)
}

pub(super) fn open_with(
    path: &Path,
    now: Timestamp,
    migrations: Migrations,
    announce: impl FnOnce(Uuid),
) -> Result<Opened, Error> {
    if rusqlite::version_number() < SQLITE_SAFE {
        return Err(Error::Unsafe { found: rusqlite::version() });
    }
    let path = guard::resolve(path)?;
    let known = schema::latest(migrations);
    let mut created = false;
    let unclean = match guard::look(&path, known)? {
        Found::Nothing => {
            let id = Uuid::new_v4();
            announce(id);
            schema::create(&path, now, migrations, id)?;
            created = true;
            false
        }
        Found::Database { wal } => {
            let fault = |error| fault::of("open", &path, error);
            let db = guard::connect_reading(&path, !wal).map_err(fault)?;
            guard::version(&db, &path, known)?;
            guard::roots(&db, &path)?;
            wal
        }
    };
    only_for_owner(&path)?;
    let fault = |error| fault::of("open", &path, error);
    let db = schema::connect(&path).map_err(fault)?;
    let found = guard::version(&db, &path, known)?;
    let mut backup = None;
    if found < known {
        backup = Some(schema::back_up(&db, &path, found)?);
        schema::migrate(&db, &path, found, migrations)?;
    }
    let mut spent = false;
    let taken = take_over(&db, now, migrations).or_else(|error| {
        // Whoever had it open before may have left some room behind.
        spent = fault::is_full(&error) && Reserve::drop_left(&path);
        if spent { take_over(&db, now, migrations) } else { Err(error) }
    });
    let Taken { epoch, id, empty } = taken.map_err(fault)?;
    let (last, empties) = (read::last_seq(&db).map_err(fault)?, read::tells_empties(&db).map_err(fault)?.into());
    let store = Arc::new(serve(db, path, epoch, empties, last, spent)?);
    Ok(Opened { store, unclean, backup, id, created, empty })
}

/// What taking a database over tells.
struct Taken {
    epoch: i64,
    id: Uuid,
    empty: bool,
}

/// Makes sure that changes go to a write-ahead log, raises the epoch, and names the database if it has no name.
fn take_over(db: &Connection, now: Timestamp, migrations: Migrations) -> rusqlite::Result<Taken> {
    if !db.is_autocommit() {
        // Of an earlier try that failed.
        db.execute_batch("ROLLBACK")?;
    }
    db.execute_batch("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE")?;
    // Looked at first: a trigger that came along may add what it likes from the first change on.
    let mut empty: bool = db.query_row("SELECT NOT EXISTS (SELECT 1 FROM task)", [], |row| row.get(0))?;
    if migrations.len() >= SCHEDULES_SINCE {
        let scheduled: bool = db.query_row("SELECT EXISTS (SELECT 1 FROM schedule)", [], |row| row.get(0))?;
        empty &= !scheduled;
    }
    let empty = empty && schema::is_as_made(db, migrations)?;
    let sql = "UPDATE meta SET epoch = epoch + 1, opened_at = ?1, project = ifnull(project, ?2) WHERE id = 1
        RETURNING epoch, project";
    let taken = db.query_row(sql, params![now.0, Uuid::new_v4().as_bytes()], |row| {
        let mut c = Columns::new(row);
        Ok(Taken { epoch: c.plain()?, id: c.cell()?, empty })
    })?;
    db.execute_batch("COMMIT")?;
    Ok(taken)
}

/// Starts the threads. `spent`: what room was kept back is used already.
fn serve(
    mut db: Connection,
    path: PathBuf,
    epoch: i64,
    empties: AtomicBool,
    last: Seq,
    spent: bool,
) -> Result<Sqlite, Error> {
    let pages = Arc::new(AtomicI32::new(0));
    #[cfg(test)]
    let commits = Arc::new(AtomicI32::new(0));
    let hook = {
        let pages = Arc::clone(&pages);
        #[cfg(test)]
        let commits = Arc::clone(&commits);
        move |_: &mut Wal, in_wal| {
            pages.store(in_wal, Ordering::Relaxed);
            #[cfg(test)]
            commits.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    };
    db.wal_hook(Some(hook)).map_err(|error| fault::of("open", &path, error))?;
    let (reads, readers) = Pool::open(path.clone())?;
    let (writes, messages) = mpsc::channel(WAITING_MAX);
    let (last_told, last) = watch::channel(last);
    let (closed_told, closed) = watch::channel(Closed::NotYet);
    let reserve = Reserve::take(&path, spent);
    let file = file_at(&path).ok_or_else(|| Error::Removed { path: path.clone() })?;
    let writer = Writer {
        db,
        reserve,
        path: path.clone(),
        file,
        epoch,
        empties,
        last: last_told,
        closed: closed_told,
        pages,
        readers,
    };
    let thread = thread::Builder::new().name("apex-store".to_owned()).spawn(move || writer.run(messages));
    // Nobody waits for the thread by its handle: closing waits until it says that it has closed.
    thread.map_err(|source| Error::Io { operation: "start the writer of", path: path.clone(), source })?;
    Ok(Sqlite {
        path,
        writes,
        reads,
        last,
        closed,
        pending: Mutex::default(),
        #[cfg(test)]
        commits,
    })
}

/// Has databases keep what they cannot hold in memory for a moment beside the file `path`: the directory for temporary
/// files may be on another disk, and is open to others.
///
/// Shape: what is set is the process's, so whoever owns the process says it, before a database is opened.
/// Errors: SQLite refused.
pub fn keep_temporary_files_beside(path: &Path) -> Result<(), Error> {
    let Some(directory) = path.parent().and_then(Path::to_str) else { return Ok(()) };
    let fault = |error| fault::of("open", path, error);
    let db = Connection::open_in_memory().map_err(fault)?;
    db.pragma_update(None, "temp_store_directory", directory).map_err(fault)
}

fn only_for_owner(path: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { operation: "protect", path: path.to_owned(), source };
    let mode = fs::symlink_metadata(path).map_err(io)?.permissions().mode();
    if mode & 0o200 == 0 {
        return Err(Error::ReadOnly { path: path.to_owned() });
    }
    if mode & 0o777 != 0o600 {
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io)?;
    }
    Ok(())
}
