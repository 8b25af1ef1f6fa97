//! What a power cut leaves: a life of the store is written down, write by write, and then cut off anywhere. What the disk
//! may hold at that moment is opened as any start would, and compared with what had been answered by then.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use apex::domain::change::Change;
use apex::domain::id::{Seq, TaskId};
use apex::domain::task::{Environment, State, Task};
use apex::domain::time::Timestamp;
use apex::store::sqlite::{self, Sqlite};
use apex::store::task::TaskFilter;
use apex::store::{ChangeStore, Store, TaskStore};

use crate::support::long;

mod life;
mod shim;
mod tape;

use tape::Tape;

pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A pseudo-random number generator, so that a cut that did harm can be made again.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % n as u64).unwrap()
    }
}

/// A life that was written down.
pub struct Lived {
    tape: Arc<Mutex<Tape>>,
    /// From so many ops on there is a database whose making was answered.
    made: usize,
    /// After so many ops everything up to that change had been answered.
    answered: Vec<(usize, Seq)>,
    /// Every change, in order.
    feed: Vec<Change>,
    /// All tasks as they stood after a change.
    stood: BTreeMap<u64, Vec<Task>>,
    environments: BTreeMap<TaskId, Environment>,
    /// There is to be a copy of the database before a byte of it changes.
    backup: Option<Vec<u8>>,
}

/// Writes a life down while it happens.
pub struct Pen {
    lived: Lived,
    pub store: Arc<Sqlite>,
    pub db: std::path::PathBuf,
    pub counter: u64,
}

impl Pen {
    /// Notes that everything so far was answered.
    pub async fn answered(&mut self) {
        let at = self.lived.tape.lock().unwrap().len();
        let seq = *self.store.watch().borrow();
        self.lived.answered.push((at, seq));
        if !self.lived.stood.contains_key(&seq.0) {
            self.lived.stood.insert(seq.0, tasks(&self.store).await);
        }
    }

    pub async fn reopen(&mut self) {
        self.store.close().await.unwrap();
        self.answered_before();
        self.store = open(&self.db);
        self.answered_before();
    }

    fn answered_before(&mut self) {
        let at = self.lived.tape.lock().unwrap().len();
        let seq = *self.store.watch().borrow();
        self.lived.answered.push((at, seq));
    }
}

fn open(db: &Path) -> Arc<Sqlite> {
    sqlite::open(db, NOW).unwrap().store
}

async fn tasks(store: &Sqlite) -> Vec<Task> {
    let page = store.tasks(TaskFilter::default()).await.unwrap();
    let mut whole = Vec::new();
    for task in page.tasks {
        whole.push(store.task(task.id).await.unwrap().unwrap());
    }
    whole
}

/// Lives `life` in a directory that holds `database`, or nothing.
pub fn lived(database: Option<&Path>, life: impl AsyncFnOnce(&mut Pen)) -> Lived {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let place = tempfile::tempdir().unwrap();
        let db = place.path().join("apex.db");
        let backup = database.map(|database| {
            std::fs::copy(database, &db).unwrap();
            std::fs::read(database).unwrap()
        });
        let tape = shim::watch(place.path());
        let store = open(&db);
        let made = if backup.is_some() { 0 } else { tape.lock().unwrap().len() };
        let (answered, feed, stood) = (vec![(made, *store.watch().borrow())], Vec::new(), BTreeMap::new());
        let lived = Lived { tape, made, answered, feed, stood, environments: BTreeMap::new(), backup };
        let mut pen = Pen { lived, store, db, counter: 0 };
        pen.answered().await;
        life(&mut pen).await;
        let Pen { mut lived, store, .. } = pen;
        lived.feed = store.changes(Seq(0), usize::MAX).await.unwrap();
        for task in store.tasks(TaskFilter::default()).await.unwrap().tasks {
            lived.environments.insert(task.id, store.environment(task.id).await.unwrap().unwrap());
        }
        store.close().await.unwrap();
        lived.answered.push((lived.tape.lock().unwrap().len(), lived.answered.last().unwrap().1));
        shim::forget(place.path());
        lived
    })
}

impl Lived {
    /// Cuts the power `cuts` times, at the very moment of an answer or at any other, and fails if anything is lost that
    /// was answered, half there or damaged.
    #[track_caller]
    pub fn is_kept_over(&self, cuts: u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tape = self.tape.lock().unwrap();
        for seed in 0..u64::from(cuts) {
            let mut dice = Dice::new(seed + 1);
            let cut = match dice.below(2) {
                0 => self.answered[dice.below(self.answered.len())].0,
                _ => dice.below(tape.len() + 1),
            };
            let place = tempfile::tempdir().unwrap();
            let image = tape.image(cut, &mut dice);
            for (name, content) in &image {
                std::fs::write(place.path().join(name), content).unwrap();
            }
            // What was shared in memory is garbage now, if its name is there at all.
            if dice.below(4) == 0 && image.contains_key("apex.db-wal") {
                std::fs::write(place.path().join("apex.db-shm"), [0xA5; 32_768]).unwrap();
            }
            let found = runtime.block_on(self.look(cut, place.path(), &image));
            if let Err(what) = found {
                panic!("cut {seed}, after {cut} of {} ops: {what}", tape.len());
            }
        }
    }

    async fn look(&self, cut: usize, place: &Path, image: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
        let opened = sqlite::open(&place.join("apex.db"), NOW).map_err(|error| format!("not opened: {error:?}"))?;
        if opened.created && cut >= self.made {
            return Err("the database is gone".to_owned());
        }
        let store = opened.store;
        let found = self.compare(cut, &store).await;
        let sound = store.check().await.map_err(|error| format!("not sound: {error:?}"));
        store.close().await.map_err(|error| format!("not closed: {error:?}"))?;
        found.and(sound).and(self.backup_is_there(place, image))
    }

    async fn compare(&self, cut: usize, store: &Sqlite) -> Result<(), String> {
        let until = self.answered.iter().rev().find(|(at, _)| *at <= cut).map_or(0, |(_, seq)| seq.0);
        let feed = store.changes(Seq(0), usize::MAX).await.map_err(|error| error.to_string())?;
        let last = feed.last().map_or(0, |change| change.seq.0);
        if last < until {
            return Err(format!("change {until} was answered, and {last} is the last"));
        }
        if feed[..] != self.feed[..feed.len().min(self.feed.len())] {
            return Err("another past".to_owned());
        }
        let mut states: BTreeMap<TaskId, State> = BTreeMap::new();
        for change in feed {
            match (change.task, change.to) {
                (Some(task), Some(state)) => drop(states.insert(task, state)),
                (Some(task), None) => drop(states.remove(&task)),
                (None, _) => {}
            }
        }
        let tasks = tasks(store).await;
        let found: BTreeMap<TaskId, State> = tasks.iter().map(|task| (task.id, task.state)).collect();
        if found != states {
            return Err(format!("tasks and changes do not go together: {found:?}, {states:?}"));
        }
        if let Some(stood) = self.stood.get(&last)
            && *stood != tasks
        {
            return Err(format!("after change {last} it was {stood:?}, and is {tasks:?}"));
        }
        for id in states.keys().filter(|id| self.environments.contains_key(id)) {
            let found = store.environment(*id).await.map_err(|error| error.to_string())?;
            if found.as_ref() != self.environments.get(id) {
                return Err(format!("another environment of task {id}"));
            }
        }
        let counted = store.counts().await.map_err(|error| error.to_string())?;
        let mut counts = BTreeMap::new();
        states.into_values().for_each(|state| *counts.entry(state).or_insert(0) += 1);
        if counted.by_state.into_iter().collect::<BTreeMap<_, _>>() != counts {
            return Err("counters that are not true".to_owned());
        }
        Ok(())
    }

    fn backup_is_there(&self, place: &Path, image: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
        let Some(before) = &self.backup else { return Ok(()) };
        let touched =
            image.get("apex.db") != Some(before) || image.get("apex.db-wal").is_some_and(|log| !log.is_empty());
        let Some(copy) = image.get("apex.db.backup-1") else {
            return if touched { Err("changed before there was a copy".to_owned()) } else { Ok(()) };
        };
        let copied = place.join("copy.db");
        std::fs::write(&copied, copy).unwrap();
        let reader = sqlite::open_reader(&copied);
        match reader {
            Err(apex::store::Error::Older { found: 1, .. }) => Ok(()),
            other => Err(format!("the copy is no database of the old schema: {other:?}")),
        }
    }
}

#[test]
fn whatever_happens_to_a_store_survives_a_power_cut() {
    lived(None, life::every_verb).is_kept_over(100 * long());
}

#[test]
fn a_log_is_merged_and_begun_again_without_a_moment_of_danger() {
    lived(None, life::big_tasks).is_kept_over(50 * long());
}

#[test]
fn a_migration_has_a_copy_and_is_there_wholly_or_not_at_all() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema-1.db");
    lived(Some(&fixture), life::add_a_few).is_kept_over(50 * long());
}

pub use life::add_a_few;
