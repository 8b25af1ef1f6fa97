//! A store that forgets everything when it is dropped: for tests of what is above the store, and the measure for the
//! other backend.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::attempt::Attempt;
use crate::domain::change::Change;
use crate::domain::dependency::{Edge, Want};
use crate::domain::id::{AssignmentId, Seq, TaskId, TaskUuid};
use crate::domain::identity::BootId;
use crate::domain::task::{DEFAULT_QUEUE, Environment, Task};
use crate::domain::time::Timestamp;
use crate::store::transition::Note;
use crate::store::{Error, Reply};

mod bulk;
mod claim;
mod edit;
mod hook;
mod list;
mod place;
mod progress;
mod queue;
mod schedule;
mod steer;
mod store;
#[cfg(test)]
mod tests;
mod verb;
mod waiting;

/// A store in memory.
#[derive(Debug)]
pub struct Memory {
    tables: Mutex<Tables>,
    last: watch::Sender<Seq>,
}

#[derive(Debug)]
struct Tables {
    tasks: BTreeMap<TaskId, Entry>,
    uuids: HashMap<TaskUuid, TaskId>,
    claims: HashMap<AssignmentId, TaskId>,
    /// The claims that have not ended, by their order.
    open: BTreeMap<u64, AssignmentId>,
    claimed: u64,
    /// Since when tasks wait for a resource, and when each had last been changed by then.
    short: BTreeMap<TaskId, (Timestamp, Timestamp)>,
    /// How many tasks were ever added.
    added: u64,
    queues: BTreeMap<String, queue::Stored>,
    /// The slots of queues that were removed.
    gone: BTreeMap<String, u32>,
    schedules: BTreeMap<String, schedule::Stored>,
    /// Tasks that have ended or begun anew, and the last of those depending on them that was told.
    unsettled: VecDeque<(TaskId, Option<TaskId>)>,
    litter: Vec<PathBuf>,
    /// How far each hook came.
    hooks: BTreeMap<String, Seq>,
    /// Changes after the cursor of the hooks of tasks for which they have run.
    hooks_ahead: BTreeSet<Seq>,
    /// It is recorded when a queue is empty.
    empties: bool,
    changes: Vec<Change>,
    /// The number of the last change, also of one that was forgotten since.
    last: Seq,
    processed: u64,
    succeeded: u64,
    failed: u64,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    /// Without its attempts.
    task: Task,
    env: Arc<Environment>,
    cancel_reason: Option<String>,
    /// What it depends on, and how that stands.
    edges: Vec<(Want, TaskId, Edge)>,
    attempts: Vec<(Attempt, BootId)>,
}

impl Entry {
    fn whole(&self) -> Task {
        let attempts = self.attempts.iter().map(|(attempt, _)| attempt.clone()).collect();
        Task { attempts, ..self.task.clone() }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            tasks: BTreeMap::new(),
            uuids: HashMap::new(),
            claims: HashMap::new(),
            open: BTreeMap::new(),
            claimed: 0,
            short: BTreeMap::new(),
            added: 0,
            queues: BTreeMap::from([(DEFAULT_QUEUE.to_owned(), queue::Stored::default())]),
            gone: BTreeMap::new(),
            schedules: BTreeMap::new(),
            unsettled: VecDeque::new(),
            litter: Vec::new(),
            hooks: BTreeMap::new(),
            hooks_ahead: BTreeSet::new(),
            empties: false,
            changes: Vec::new(),
            last: Seq(0),
            processed: 0,
            succeeded: 0,
            failed: 0,
            closed: false,
        }
    }
}

impl Tables {
    fn note(&mut self, note: Note) {
        let (ended, at) = (note.ends(), note.at);
        self.last = Seq(self.last.0 + 1);
        self.changes.push(note.numbered(self.last));
        if let Some(id) = ended.filter(|_| self.empties) {
            self.note_empty(id, at);
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self { tables: Mutex::default(), last: watch::Sender::new(Seq(0)) }
    }
}

impl Memory {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<'a, T: 'a>(&'a self, verb: impl FnOnce(&mut Tables) -> Result<T, Error> + Send + 'a) -> Reply<'a, T> {
        Box::pin(async move {
            let mut tables = self.lock();
            if tables.closed {
                return Err(Error::Closed);
            }
            let answer = verb(&mut tables);
            let last = tables.last;
            self.last.send_if_modified(|seq| std::mem::replace(seq, last) != last);
            answer
        })
    }
}
