//! The connections that read, each on a thread of its own; whoever is free takes what comes next.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::Error;
use crate::store::sqlite::{fault, guard};

/// How many read at once. One may be busy with a full check.
const READERS: usize = 3;
/// How many may wait before the next one has to wait for room.
const WAITING_MAX: usize = 256;

/// After so many steps of SQLite's machine a reader looks whether it is to end; well under a millisecond.
const STEPS: i32 = 10_000;

pub(super) enum Message {
    Work(Box<dyn FnOnce(&Connection) + Send>),
    Close,
}

/// The way to the readers.
pub(super) struct Pool {
    messages: mpsc::Sender<Message>,
    closing: Arc<AtomicBool>,
    path: PathBuf,
}

impl Pool {
    /// Opens the connections.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Vec<JoinHandle<()>>), Error> {
        let (messages, received) = mpsc::channel(WAITING_MAX);
        let received = Arc::new(Mutex::new(received));
        let closing = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for number in 0..READERS {
            let fault = |error| fault::of("open", &path, error);
            let mut db = guard::connect_reading(&path, false).map_err(fault)?;
            // A flag that is looked at, and not sqlite3_interrupt(), which does nothing to a statement about to begin.
            let closing = Arc::clone(&closing);
            db.progress_handler(STEPS, Some(move || closing.load(Ordering::Relaxed))).map_err(fault)?;
            let received = Arc::clone(&received);
            let thread = thread::Builder::new().name(format!("apex-read-{number}")).spawn(move || run(&db, &received));
            let io = |source| Error::Io { operation: "start a reader of", path: path.clone(), source };
            threads.push(thread.map_err(io)?);
        }
        Ok((Self { messages, closing, path }, threads))
    }

    /// Reads, all of it as of one moment.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let work = move |db: &Connection| {
            // Whoever asked may have gone.
            let _ = reply.send(at_once(db, read));
        };
        self.messages.send(Message::Work(Box::new(work))).await.map_err(|_| Error::Closed)?;
        let answer = answer.await.map_err(|_| Error::Closed)?;
        answer.map_err(|error| fault::of(fault::READ, &self.path, error))
    }

    /// Lets the readers end after what waits; what takes long is broken off.
    pub(super) async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        // They may have ended already.
        let _ = self.messages.send(Message::Close).await;
    }
}

/// Runs `read` in one transaction, so that all it sees is of one moment.
pub(super) fn at_once<T>(
    db: &Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    db.prepare_cached("BEGIN")?.execute([])?;
    let answer = read(db);
    let ended = db.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
    let answer = answer?;
    ended?;
    Ok(answer)
}

fn run(db: &Connection, messages: &Mutex<mpsc::Receiver<Message>>) {
    loop {
        // The lock is held while waiting: one reader waits for work, the others for the lock.
        let next = {
            let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
            let next = messages.blocking_recv();
            if let Some(Message::Close) = next {
                messages.close();
            }
            next
        };
        match next {
            Some(Message::Work(work)) => work(db),
            Some(Message::Close) => {}
            None => return,
        }
    }
}
