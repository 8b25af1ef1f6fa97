//! Merges the write-ahead log into the database, on a thread and a connection of its own: nobody who writes waits for it.
//!
//! What is written meanwhile stays in the log. When the log is merged to its end, the next one who writes begins it anew
//! (sqlite.org/wal.html, "Checkpointing").

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use crate::store::Error;
use crate::store::sqlite::{fault, schema};

/// The way to the thread that merges.
pub(super) struct Merger {
    /// One that waits is enough: it takes in all that is there when its turn comes.
    begin: SyncSender<()>,
    merged: Arc<AtomicI32>,
    thread: JoinHandle<()>,
}

impl Merger {
    /// Opens the connection and starts the thread.
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let db = schema::connect(path).map_err(|error| fault::of("open", path, error))?;
        let (begin, wanted) = sync_channel(1);
        let merged = Arc::new(AtomicI32::new(0));
        let thread = thread::Builder::new().name("apex-merge".to_owned()).spawn({
            let merged = Arc::clone(&merged);
            move || run(&db, &wanted, &merged)
        });
        let io = |source| Error::Io { operation: "start the merger of", path: path.to_owned(), source };
        Ok(Self { begin, merged, thread: thread.map_err(io)? })
    }

    /// Has the log merged as soon as may be.
    pub(super) fn begin(&self) {
        // Full: that is wanted already. Gone: the writer merges when the log has become long.
        let _ = self.begin.try_send(());
    }

    /// Returns how many pages of the log were merged when it was last done.
    pub(super) fn merged(&self) -> i32 {
        self.merged.load(Ordering::Relaxed)
    }

    /// Waits for what is being merged, and closes the connection.
    pub(super) fn end(self) {
        drop(self.begin);
        // A merger that panicked has closed its connection all the same.
        let _ = self.thread.join();
    }
}

fn run(db: &Connection, wanted: &Receiver<()>, merged: &AtomicI32) {
    while let Ok(()) = wanted.recv() {
        // A reader may be in the way, or the disk full: nothing is lost, and there will be another time.
        if let Ok(log) = checkpoint(db, "PASSIVE") {
            merged.store(log.merged, Ordering::Relaxed);
        }
    }
}

/// How the log stands after it was merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Log {
    busy: bool,
    pages: i32,
    merged: i32,
}

impl Log {
    /// Returns whether all of it was merged.
    pub(super) fn is_merged(self) -> bool {
        !self.busy && self.pages == self.merged
    }
}

/// Merges the log, as `mode` says. Nobody is waited for.
pub(super) fn checkpoint(db: &Connection, mode: &str) -> rusqlite::Result<Log> {
    db.busy_timeout(Duration::ZERO)?;
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let log = db.query_row(&sql, [], |row| Ok(Log { busy: row.get(0)?, pages: row.get(1)?, merged: row.get(2)? }));
    db.busy_timeout(Duration::from_secs(5))?;
    log
}
