//! Remembers in a SQLite database: for good.
//!
//! Reading order: `guard` (looks before anything is written) → `schema` (makes and migrates) → `writer` (the one thread
//! that writes, group commit) → `reserve` (room for when the disk is full) → `step` (several verbs together) → `verb` (what a verb does in its transaction) → `write`, `read`, `list`, `condition`, `sort`, `schedule`, `pending`, `code` (rows)
//! → `pool` (readers of the daemon) → `reader` (of a client without a daemon) → `check`, `copy`,
//! `recover` (what a person does with a database).
//!
//! Opened only after the last fork: POSIX locks do not survive one. One store to a process.

use std::path::PathBuf;
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::AtomicI32;

use tokio::sync::{Mutex, mpsc, watch};

use crate::domain::id::Seq;
use crate::store::{Error, Reply};

mod check;
mod code;
mod condition;
mod copy;
mod fault;
mod guard;
mod known;
mod list;
mod open;
mod pending;
mod pool;
mod read;
mod reader;
mod recover;
mod reserve;
mod schedule;
mod schema;
mod sort;
mod spec;
mod stats;
mod step;
mod store;
#[cfg(test)]
mod tests;
mod verb;
mod write;
mod writer;

pub use copy::copy;
pub use open::{Opened, SCHEMA, keep_temporary_files_beside, open, open_announced};
pub use reader::{Reader, open_reader};
pub use recover::{Recovered, recover};

use pending::Pending;
use pool::Pool;
use verb::{Part, Undone};
use writer::{Closed, Message, Purpose};

/// How many writes may wait before the next one has to wait for room.
const WAITING_MAX: usize = 1_024;

/// A store in a SQLite database. Made by [`open`].
pub struct Sqlite {
    path: PathBuf,
    writes: mpsc::Sender<Message>,
    reads: Pool,
    last: watch::Receiver<Seq>,
    closed: watch::Receiver<Closed>,
    /// What hooks of tasks had not come to when somebody asked last.
    pending: Mutex<Arc<Pending>>,
    /// How often the database was committed; for tests.
    #[cfg(test)]
    commits: Arc<AtomicI32>,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Reads the whole database and tells whether it is sound: for after an unclean stop, in the background.
    ///
    /// Errors: [`Error::Damaged`] with the first things found; [`Error::Closed`] if the store is closed meanwhile.
    pub fn check(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            let found = self.reads.read(|db| {
                let mut check = db.prepare("PRAGMA quick_check(5)")?;
                check.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
            });
            let found = found.await?;
            if found == ["ok"] { Ok(()) } else { Err(fault::damaged(&self.path, &found.join("; "))) }
        })
    }

    /// Records something, on a full disk as well.
    fn write<T, V>(&self, verb: V) -> Reply<'_, T>
    where
        T: Send + 'static,
        V: FnMut(&mut Part<'_>) -> Result<T, Undone> + Send + 'static,
    {
        self.write_for(Purpose::Record, verb)
    }

    /// Takes on work, unless the disk is full.
    fn take_on<T, V>(&self, verb: V) -> Reply<'_, T>
    where
        T: Send + 'static,
        V: FnMut(&mut Part<'_>) -> Result<T, Undone> + Send + 'static,
    {
        self.write_for(Purpose::Work, verb)
    }

    fn write_for<T, V>(&self, purpose: Purpose, verb: V) -> Reply<'_, T>
    where
        T: Send + 'static,
        V: FnMut(&mut Part<'_>) -> Result<T, Undone> + Send + 'static,
    {
        Box::pin(async move {
            let (job, answer) = writer::job(purpose, verb);
            self.writes.send(Message::Work(vec![job])).await.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    /// Returns what hooks of tasks have not come to, as far as a reader sees it.
    async fn pending(&self) -> Result<Arc<Pending>, Error> {
        let mut known = self.pending.lock().await;
        // If it cannot be read on, it is read anew the next time.
        let before = std::mem::take(&mut *known);
        let read_on = |db: &rusqlite::Connection| {
            let mut pending = Arc::unwrap_or_clone(before);
            pending.read_on(db)?;
            Ok(Arc::new(pending))
        };
        let pending = self.read(read_on).await?;
        *known = Arc::clone(&pending);
        Ok(pending)
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        Box::pin(self.reads.read(read))
    }
}
