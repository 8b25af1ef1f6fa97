//! The one connection that writes, on a thread of its own.
//!
//! Group commit: whatever waits goes into one transaction, and is answered after the one commit. If one verb must be
//! undone that has written something, all of them are done again, each in a savepoint of its own. The same thread merges the write-ahead log into the database, after it has answered.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::id::Seq;
use crate::fault::crash_point;
use crate::store::Error;
use crate::store::sqlite::fault;
use crate::store::sqlite::reserve::Reserve;
use crate::store::sqlite::verb::{Part, Undone};

/// With so many verbs a transaction takes no more.
const GROUP_MAX: usize = 256;
/// From so many pages on the write-ahead log is merged; 4 MiB.
const MERGE_PAGES: i32 = 1_000;
/// From so many pages on nobody may read on in it, so that it starts over; 64 MiB.
const TRUNCATE_PAGES: i32 = 16_000;

/// What the writer is told.
pub(super) enum Message {
    /// Do these in one transaction.
    Work(Vec<Box<dyn Job>>),
    /// Do what waits, then end.
    Close,
    /// Look at the connection, outside of a transaction.
    #[cfg(test)]
    Probe(Box<dyn FnOnce(&mut Connection) + Send>),
}

/// A verb, its answer, and who waits for it.
pub(super) trait Job: Send {
    /// Does it; what it wrote is undone if it fails.
    fn run(&mut self, part: &mut Part<'_>) -> Result<(), Undone>;
    /// Answers: what came of it, or the error because of which it is undone.
    fn answer(self: Box<Self>, undone: Option<Error>);
    /// What it is for.
    fn purpose(&self) -> Purpose;
}

/// What a verb is for, which matters when the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Takes on work, or begins it.
    Work,
    /// Records what has happened or is wished, or makes room: for this the reserve is there.
    Record,
}

/// Where the answer to a job comes.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, Error>>;

/// Makes a job of a verb.
pub(super) fn job<T, V>(purpose: Purpose, verb: V) -> (Box<dyn Job>, Answer<T>)
where
    T: Send + 'static,
    V: FnMut(&mut Part<'_>) -> Result<T, Undone> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Call { purpose, verb, answer: None, reply }), answer)
}

struct Call<T, V> {
    purpose: Purpose,
    verb: V,
    answer: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, V> Job for Call<T, V>
where
    T: Send + 'static,
    V: FnMut(&mut Part<'_>) -> Result<T, Undone> + Send + 'static,
{
    fn run(&mut self, part: &mut Part<'_>) -> Result<(), Undone> {
        self.answer = Some((self.verb)(part)?);
        Ok(())
    }

    fn answer(self: Box<Self>, undone: Option<Error>) {
        let answer = match (undone, self.answer) {
            (None, Some(answer)) => Ok(answer),
            (Some(error), _) => Err(error),
            (None, None) => Err(Error::Closed),
        };
        // Whoever asked may have gone; what was asked for is done all the same.
        let _ = self.reply.send(answer);
    }

    fn purpose(&self) -> Purpose {
        self.purpose
    }
}

/// Returns which file stands at a path: its device and inode.
pub(super) fn file_at(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// How the closing went.
#[derive(Debug, Clone)]
pub(super) enum Closed {
    NotYet,
    Done,
    Failed(Arc<rusqlite::Error>),
}

/// How verbs of one transaction are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apart {
    /// Not at all: one that is undone after it has written something undoes all of them. That is rare, and costs nothing.
    No,
    /// Each in a savepoint of its own.
    Savepoints,
}

/// Why a whole group was undone.
enum Lost {
    /// One of it is to be undone, and was not kept apart.
    Mixed,
    Fenced,
    /// The file was deleted, or another one put in its place: what is written to it would be gone with this process.
    Removed,
    Database(Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for Lost {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl Lost {
    fn is_for_want_of_room(&self) -> bool {
        matches!(self, Self::Database(error) if fault::is_full(error))
    }
}

/// The writer's thread.
pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) reserve: Reserve,
    pub(super) path: PathBuf,
    /// Which file it is: device and inode.
    pub(super) file: (u64, u64),
    pub(super) epoch: i64,
    /// It is recorded when a queue is empty.
    pub(super) empties: AtomicBool,
    pub(super) last: watch::Sender<Seq>,
    pub(super) closed: watch::Sender<Closed>,
    /// How many pages are in the write-ahead log, as of the last commit.
    pub(super) pages: Arc<AtomicI32>,
    pub(super) readers: Vec<JoinHandle<()>>,
}

impl Writer {
    /// Works until it is told to close, or until nobody can tell it anything any more.
    pub(super) fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut merge_at = MERGE_PAGES;
        while let Some(first) = messages.blocking_recv() {
            let mut next = Some(first);
            let mut group = Vec::new();
            while let Some(message) = next.take() {
                match message {
                    Message::Work(jobs) => group.extend(jobs),
                    Message::Close => messages.close(),
                    #[cfg(test)]
                    Message::Probe(look) => look(&mut self.db),
                }
                if group.len() < GROUP_MAX {
                    next = messages.try_recv().ok();
                }
            }
            if !group.is_empty() {
                self.transact(group);
                merge_at = self.merge(merge_at);
            }
        }
        self.close();
    }

    fn transact(&mut self, mut group: Vec<Box<dyn Job>>) {
        if self.reserve.is_spent() && !self.reserve.restore() {
            group = self.refuse_work(group, &Lost::Database(Arc::new(fault::full())));
            if group.is_empty() {
                return;
            }
        }
        let mut undone = Vec::with_capacity(group.len());
        let mut outcome = self.try_as_whole(&mut group, &mut undone);
        if let Err(lost) = &outcome
            && lost.is_for_want_of_room()
            && group.iter().any(|job| job.purpose() == Purpose::Record)
            && self.reserve.spend()
        {
            self.roll_back();
            group = self.refuse_work(group, lost);
            outcome = self.try_as_whole(&mut group, &mut undone);
        }
        match outcome {
            Ok(last) => {
                if let Some(last) = last {
                    self.last.send_replace(last);
                }
                for (job, undone) in group.into_iter().zip(undone) {
                    job.answer(undone);
                }
            }
            Err(lost) => {
                self.roll_back();
                for job in group {
                    job.answer(Some(self.error(&lost)));
                }
            }
        }
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit() {
            // If even this fails, the next BEGIN does too, and its callers are told.
            let _ = self.db.execute_batch("ROLLBACK");
        }
    }

    /// Refuses what takes on work, and returns the rest.
    fn refuse_work(&self, group: Vec<Box<dyn Job>>, lost: &Lost) -> Vec<Box<dyn Job>> {
        let (work, rest): (Vec<_>, Vec<_>) = group.into_iter().partition(|job| job.purpose() == Purpose::Work);
        for job in work {
            job.answer(Some(self.error(lost)));
        }
        rest
    }

    /// Does a group in one transaction; `undone` tells of each why it was undone, if it was.
    fn try_as_whole(&self, group: &mut [Box<dyn Job>], undone: &mut Vec<Option<Error>>) -> Result<Option<Seq>, Lost> {
        undone.clear();
        match self.try_transact(group, undone, Apart::No) {
            Err(Lost::Mixed) => {
                self.roll_back();
                undone.clear();
                self.try_transact(group, undone, Apart::Savepoints)
            }
            outcome => outcome,
        }
    }

    fn try_transact(
        &self,
        group: &mut [Box<dyn Job>],
        undone: &mut Vec<Option<Error>>,
        apart: Apart,
    ) -> Result<Option<Seq>, Lost> {
        if file_at(&self.path).is_none_or(|file| file != self.file) {
            return Err(Lost::Removed);
        }
        let run = |sql| self.db.prepare_cached(sql)?.execute([]);
        let run_apart = |sql| if apart == Apart::Savepoints { run(sql) } else { Ok(0) };
        run("BEGIN IMMEDIATE")?;
        let epoch = "SELECT epoch FROM meta WHERE id = 1";
        let epoch: i64 = self.db.prepare_cached(epoch)?.query_row([], |row| row.get(0))?;
        if epoch != self.epoch {
            return Err(Lost::Fenced);
        }
        let mut last = None;
        let is_alone = group.len() == 1;
        for job in group {
            run_apart("SAVEPOINT part")?;
            let written = self.db.total_changes();
            let mut part = Part { db: &self.db, path: &self.path, last: None, empties: &self.empties };
            let (error, is_clean) = match job.run(&mut part) {
                Ok(()) => {
                    last = part.last.or(last);
                    (None, true)
                }
                // Some failures undo the whole transaction, and with it what others did in it.
                Err(Undone::Failed(error)) if self.db.is_autocommit() || fault::is_full(&error) => {
                    return Err(error.into());
                }
                // A statement that failed may have written a part of a row, which is not counted.
                Err(Undone::Failed(error)) => (Some(fault::of(fault::WRITE, &self.path, error)), false),
                Err(Undone::Refused(error)) => (Some(error), self.db.total_changes() == written),
            };
            if error.is_some() {
                if apart == Apart::No && !is_clean && is_alone {
                    // There is nobody to be kept apart from, and what took long is not done twice.
                    run("ROLLBACK")?;
                    undone.push(error);
                    return Ok(None);
                }
                if apart == Apart::No && !is_clean {
                    return Err(Lost::Mixed);
                }
                run_apart("ROLLBACK TO part")?;
            }
            undone.push(error);
            run_apart("RELEASE part")?;
        }
        crash_point("apexd.commit.before");
        run("COMMIT")?;
        crash_point("apexd.commit.after");
        Ok(last)
    }

    fn error(&self, lost: &Lost) -> Error {
        match lost {
            // It is done again, apart, and never the last word.
            Lost::Mixed | Lost::Fenced => Error::Fenced,
            Lost::Removed => Error::Removed { path: self.path.clone() },
            Lost::Database(error) => fault::of(fault::WRITE, &self.path, Arc::clone(error)),
        }
    }

    /// Merges the write-ahead log if it has grown to `at` pages, and returns when to do so next.
    fn merge(&mut self, at: i32) -> i32 {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < at {
            return at;
        }
        self.reserve.restore();
        let merged = if pages < TRUNCATE_PAGES { self.checkpoint("PASSIVE") } else { self.checkpoint("TRUNCATE") };
        // A reader may be in the way, or the disk full: nothing is lost, and there will be another time.
        if merged.unwrap_or(false) { MERGE_PAGES } else { pages.saturating_add(MERGE_PAGES) }
    }

    /// Returns whether everything was merged. Nobody is waited for.
    fn checkpoint(&self, mode: &str) -> rusqlite::Result<bool> {
        self.db.busy_timeout(std::time::Duration::ZERO)?;
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let merged = self.db.query_row(&sql, [], |row| {
            let (busy, pages, merged): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(busy == 0 && pages == merged)
        });
        self.db.busy_timeout(std::time::Duration::from_secs(5))?;
        merged
    }

    /// Closes last of all connections: the last one takes the write-ahead log away.
    fn close(self) {
        for reader in self.readers {
            // A reader that panicked has closed its connection all the same.
            let _ = reader.join();
        }
        // Merging the log may need the room.
        self.reserve.end();
        let closed = match self.db.close() {
            Ok(()) => Closed::Done,
            Err((_, error)) => Closed::Failed(Arc::new(error)),
        };
        self.closed.send_replace(closed);
    }
}
