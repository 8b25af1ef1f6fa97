//! Reads the database of a project that may have no daemon: never writes, and needs no thread.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use uuid::Uuid;

use crate::domain::change::Change;
use crate::domain::id::{Seq, TaskId};
use crate::domain::queue::Queue;
use crate::domain::schedule::Schedule;
use crate::domain::stats::{By, Groups};
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::guard::{self, Found};
use crate::store::sqlite::{check, fault, known, list, pool, read, schedule, schema, stats};
use crate::store::task::{Counts, Holdings, TaskFilter, TaskPage};

/// Opens the database at `path` for reading; `None` if there is none. Nothing is made or changed, whether a daemon is
/// running, was stopped or has crashed; after a crash what it had not merged yet is read too.
///
/// Errors: [`Error::Newer`], [`Error::Older`], [`Error::Foreign`], [`Error::NotADatabase`], [`Error::NotAFile`],
/// [`Error::Damaged`], [`Error::Io`]. Blocks the thread.
pub fn open_reader(path: &Path) -> Result<Option<Reader>, Error> {
    let known = schema::latest(schema::MIGRATIONS);
    match path.parent().map(fs::symlink_metadata) {
        Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound && !path.as_os_str().is_empty() => {
            return Ok(None);
        }
        _ => {}
    }
    let path = guard::resolve(path)?;
    if guard::look(&path, known)? == Found::Nothing {
        return Ok(None);
    }
    let stamp = Stamp::of(&path).filter(|stamp| !stamp.shared);
    let db = connect(&path, stamp.is_some())?;
    let mut reader = Reader { db, path, stamp };
    let found = reader.read(|db| db.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)))?;
    guard::version(&reader.db, &reader.path, known)?;
    if found < known {
        return Err(Error::Older { path: reader.path, found, known });
    }
    Ok(Some(reader))
}

/// Reads a database that others may be writing. Every call sees the state of one moment. Calls block the thread.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    path: PathBuf,
    /// Set while nobody has the database open: then it is read as it lies there, without the files that are needed to
    /// share it, which nobody would take away again.
    stamp: Option<Stamp>,
}

impl Reader {
    /// Returns the tasks that match.
    pub fn tasks(&mut self, filter: &TaskFilter) -> Result<TaskPage, Error> {
        self.read(|db| list::tasks(db, filter))
    }

    /// Returns a task with its attempts; `None` if there is none with that id.
    pub fn task(&mut self, id: TaskId) -> Result<Option<Task>, Error> {
        self.read(|db| read::whole_task(db, id))
    }

    /// Returns which database this is; `None` before its first start.
    pub fn id(&mut self) -> Result<Option<Uuid>, Error> {
        self.read(|db| db.query_row("SELECT project FROM meta WHERE id = 1", [], |row| Columns::new(row).maybe()))
    }

    /// Returns all queues, by name.
    pub fn queues(&mut self) -> Result<Vec<Queue>, Error> {
        self.read(read::queues)
    }

    /// Returns who holds what of the resources, and who waits for it.
    pub fn holdings(&mut self) -> Result<Holdings, Error> {
        self.read(read::holdings)
    }

    /// Returns all schedules, by name.
    pub fn schedules(&mut self) -> Result<Vec<Schedule>, Error> {
        self.read(schedule::all)
    }

    /// Returns how many there are of each.
    pub fn counts(&mut self) -> Result<Counts, Error> {
        self.read(read::counts)
    }

    /// Returns how what ended since then went, the `most` largest groups. Goes through all of it.
    pub fn stats(&mut self, by: &By, since: Timestamp, most: usize) -> Result<Groups, Error> {
        self.read(|db| stats::groups(db, by, since, most))
    }

    /// Returns names of tasks that begin so, in their order, at most `limit`.
    pub fn names(&mut self, beginning: &str, limit: usize) -> Result<Vec<String>, Error> {
        self.read(|db| known::names(db, beginning, limit))
    }

    /// Returns labels, key and value, whose keys begin so, in their order, at most `limit`; with a value those of that key whose
    /// values begin so.
    pub fn labels(&mut self, key: &str, value: Option<&str>, limit: usize) -> Result<Vec<(String, String)>, Error> {
        self.read(|db| known::labels(db, key, value, limit))
    }

    /// Returns the hooks of the configuration that failed when they were run last, by name: when, and what is told of it.
    pub fn failed_hooks(&mut self) -> Result<Vec<(String, Timestamp, String)>, Error> {
        self.read(known::failed_hooks)
    }

    /// Returns the changes after `since`, oldest first, at most `limit`.
    pub fn changes(&mut self, since: Seq, limit: usize) -> Result<Vec<Change>, Error> {
        self.read(|db| read::changes(db, since, limit))
    }

    /// Looks through the whole file and returns what is wrong with it, the first few faults.
    pub fn check(&mut self) -> Result<Vec<String>, Error> {
        self.read(|db| check::faults(db, "PRAGMA quick_check(5)"))
    }

    /// Returns the number of the last change; 0 if there was none.
    pub fn last_seq(&mut self) -> Result<Seq, Error> {
        self.read(read::last_seq)
    }

    /// Reads every row of it, and returns what is wrong, by SQLite's rules and by our own: nothing, if it is sound.
    pub fn findings(&mut self) -> Result<Vec<String>, Error> {
        self.read(check::findings)
    }

    pub(super) fn read<T>(&mut self, read: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let answer = pool::at_once(&self.db, &read);
        if self.stamp.is_some() && self.stamp != Stamp::of(&self.path) {
            // Somebody has opened it meanwhile: what was read may be of two moments. From now on it is shared.
            self.stamp = None;
            self.db = connect(&self.path, false)?;
            let answer = pool::at_once(&self.db, read);
            return answer.map_err(|error| fault::of(fault::READ, &self.path, error));
        }
        answer.map_err(|error| fault::of(fault::READ, &self.path, error))
    }
}

fn connect(path: &Path, still: bool) -> Result<Connection, Error> {
    guard::connect_reading(path, still).map_err(|error| fault::of("open", path, error))
}

/// What tells that a database was touched.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// Somebody has it open, or died with it open.
    shared: bool,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        Some(Self {
            file: (found.dev(), found.ino()),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            shared: fs::symlink_metadata(guard::beside(path, "-wal")).is_ok(),
        })
    }
}
