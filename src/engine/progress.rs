//! How far tasks say they are, and what is expected of them.
//!
//! A task may say so as often as it likes, and is never made to wait for it: what comes within half a second of what was stored is
//! kept in memory, the newest in the place of the one before, and stored when that time is over. Its end is not stored before, nor
//! does this apexd end: so only a kill of apexd can lose the last word, and whoever was told that it is stored has nothing to lose.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::change::Actor;
use crate::domain::id::TaskId;
use crate::domain::progress::{InvalidProgress, NotTold, Progress, Taken, Tell, time_left};
use crate::domain::task::Task;
use crate::engine::handle::Shared;
use crate::engine::{Error, Handle};
use crate::fault::crash_point;
use crate::store::task::TellProgress;

/// So long after something was stored of a task nothing more is.
const PAUSE: Duration = Duration::from_millis(500);

/// What was told within the last moment.
#[derive(Debug, Default)]
pub(super) struct Telling {
    tasks: Mutex<HashMap<TaskId, Latest>>,
}

/// What a task said last.
#[derive(Debug)]
struct Latest {
    progress: Progress,
    by: Actor,
    /// It is not stored yet.
    unsaved: bool,
    /// Who waits until it, or a newer one, is.
    waiting: Vec<oneshot::Sender<()>>,
}

/// What is to be done with what is told.
enum Turn {
    /// It is stored at once.
    Store,
    /// It is kept for a moment.
    Kept(Progress),
    /// The same, and whoever said it wants to know when it is stored.
    Waits(Progress, oneshot::Receiver<()>),
}

/// Something that is to be stored now, and who waits for it.
type Unsaved = (TellProgress, Vec<oneshot::Sender<()>>);

impl Telling {
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Latest>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is told, if something of the same attempt was stored a moment ago.
    fn take(&self, wish: &TellProgress, wait: bool) -> Result<Turn, InvalidProgress> {
        let mut tasks = self.lock();
        let Some(latest) = tasks.get_mut(&wish.tell.id) else { return Ok(Turn::Store) };
        let attempt = latest.progress.attempt;
        if wish.tell.attempt.is_some_and(|named| named != attempt) {
            // The store knows which of the two is the present one.
            return Ok(Turn::Store);
        }
        let progress = wish.tell.told.after(Some(&latest.progress), attempt, wish.at)?;
        latest.progress = progress.clone();
        latest.by = wish.by.clone();
        latest.unsaved = true;
        if !wait {
            return Ok(Turn::Kept(progress));
        }
        let (stored, waits) = oneshot::channel();
        latest.waiting.push(stored);
        Ok(Turn::Waits(progress, waits))
    }

    /// Takes note of what was just stored; returns whether it is the first of the task within this moment.
    fn stored(&self, id: TaskId, progress: Progress, by: Actor) -> bool {
        match self.lock().entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(Latest { progress, by, unsaved: false, waiting: Vec::new() });
                true
            }
            Entry::Occupied(mut entry) => {
                // Of an older attempt nothing more is to be stored.
                if entry.get().progress.attempt != progress.attempt {
                    entry.insert(Latest { progress, by, unsaved: false, waiting: Vec::new() });
                }
                false
            }
        }
    }

    /// Returns what is to be stored of tasks that are about to end; of all if none are named. What they say after this is for the
    /// store to judge.
    fn last_words(&self, ids: Option<&[TaskId]>) -> Vec<Unsaved> {
        let mut tasks = self.lock();
        if tasks.is_empty() {
            return Vec::new();
        }
        let ended = tasks.extract_if(|id, _| ids.is_none_or(|ids| ids.contains(id)));
        ended.filter_map(|(id, mut latest)| latest.take(id)).collect()
    }

    /// Returns what is to be stored of a task now that the moment is over; if there is nothing, it is over for good.
    fn next(&self, id: TaskId) -> Option<Unsaved> {
        let mut tasks = self.lock();
        let unsaved = tasks.get_mut(&id)?.take(id);
        if unsaved.is_none() {
            tasks.remove(&id);
        }
        unsaved
    }
}

impl Latest {
    fn take(&mut self, id: TaskId) -> Option<Unsaved> {
        if !std::mem::take(&mut self.unsaved) {
            return None;
        }
        let Progress { attempt, at, .. } = self.progress;
        let tell = Tell { id, attempt: Some(attempt), told: self.progress.as_told() };
        Some((TellProgress { tell, by: self.by.clone(), at }, std::mem::take(&mut self.waiting)))
    }
}

impl Shared {
    /// Stores what tasks said last that are about to end; what all of them did if none are named.
    pub(super) async fn save_progress(&self, ids: Option<&[TaskId]>) {
        for unsaved in self.telling.last_words(ids) {
            self.save(unsaved).await;
        }
    }

    /// Stores what was kept for a moment. Where that fails nobody hears that it is stored, and the log says why.
    async fn save(&self, (tell, waiting): Unsaved) {
        let id = tell.tell.id;
        match self.store.tell_progress(tell).await {
            Ok(Ok(_)) => {
                crash_point("apexd.progress.committed");
                // Whoever waited may have gone.
                for waits in waiting {
                    let _ = waits.send(());
                }
            }
            // It has ended, and what it left behind goes on talking.
            Ok(Err(_)) => {}
            Err(error) => tracing::warn!(%error, task_id = %id, "Cannot keep how far a task is"),
        }
    }
}

/// Stores what a task says, each time half a second after the last one, until it has said nothing for so long.
async fn follow(shared: Arc<Shared>, id: TaskId) {
    loop {
        tokio::time::sleep(PAUSE).await;
        match shared.telling.next(id) {
            Some(unsaved) => shared.save(unsaved).await,
            None => return,
        }
    }
}

impl Handle {
    /// Takes what is told of how far a task is that has a process. Resolves when it was taken; if `wait` holds, when it, or a newer one
    /// of the same task, is stored.
    ///
    /// Errors: [`Error::NoSuchTask`]; it has no process, or runs for another time by now; [`Error::Progress`]; the store's.
    pub async fn tell_progress(&self, tell: Tell, wait: bool, by: Actor) -> Result<Taken, Error> {
        let id = tell.id;
        let wish = TellProgress { tell, by: by.clone(), at: (self.shared.world.now)() };
        let attempt = wish.tell.attempt;
        match self.shared.telling.take(&wish, wait)? {
            Turn::Kept(progress) => Ok(Taken { progress, stored: false }),
            Turn::Waits(progress, stored) => match stored.await {
                Ok(()) => Ok(Taken { progress, stored: true }),
                // It was not, because the task has ended meanwhile or the store could not.
                Err(_) => Err(self.not_kept(id).await),
            },
            Turn::Store => {
                let told = self.shared.store.tell_progress(wish).await?;
                let progress = told.map_err(|refused| Error::not_told(id, attempt, refused))?;
                crash_point("apexd.progress.committed");
                if self.shared.telling.stored(id, progress.clone(), by) {
                    tokio::spawn(follow(Arc::clone(&self.shared), id));
                }
                Ok(Taken { progress, stored: true })
            }
        }
    }

    /// Returns why what was taken was not stored.
    async fn not_kept(&self, id: TaskId) -> Error {
        match self.shared.store.task(id).await {
            Ok(Some(task)) => Error::not_told(id, None, NotTold::NotRunning(Box::new(task))),
            Ok(None) => Error::NoSuchTask(id),
            Err(error) => error.into(),
        }
    }

    /// Adds how much longer a task runs, as of now.
    pub(super) fn with_time_left(&self, mut task: Task) -> Task {
        task.time_left = time_left(&task, (self.shared.world.now)());
        task
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::progress::Told;
    use crate::domain::time::Timestamp;

    fn id() -> TaskId {
        TaskId::new(7).unwrap()
    }

    fn wish(attempt: Option<u32>, done: u64) -> TellProgress {
        let told = Told { done: Some(done), ..Told::default() };
        TellProgress { tell: Tell { id: id(), attempt, told }, by: Actor::Daemon, at: Timestamp(5) }
    }

    fn progress(attempt: u32, done: u64) -> Progress {
        Progress { attempt, done: Some(done), total: None, message: None, at: Timestamp(5) }
    }

    fn done_of(unsaved: &[Unsaved]) -> Vec<Option<u64>> {
        unsaved.iter().map(|(tell, _)| tell.tell.told.done).collect()
    }

    #[test]
    fn what_comes_within_a_moment_is_kept_and_the_newest_wins() {
        let telling = Telling::default();
        assert!(matches!(telling.take(&wish(Some(1), 1), false), Ok(Turn::Store)));
        assert!(telling.stored(id(), progress(1, 1), Actor::Daemon), "the first one");
        for done in [2, 3] {
            assert!(
                matches!(telling.take(&wish(Some(1), done), false), Ok(Turn::Kept(kept)) if kept.done == Some(done))
            );
        }
        assert!(matches!(telling.take(&wish(None, 4), true), Ok(Turn::Waits(..))), "of the present attempt");
        let next = telling.next(id()).unwrap();
        assert_eq!((next.0.tell.told.done, next.0.tell.attempt, next.1.len()), (Some(4), Some(1), 1));
        assert!(telling.next(id()).is_none());
        assert!(telling.lock().is_empty(), "nothing stays of one that says nothing more");
    }

    #[test]
    fn what_is_of_another_attempt_is_for_the_store_to_judge() {
        let telling = Telling::default();
        telling.stored(id(), progress(1, 1), Actor::Daemon);
        assert!(matches!(telling.take(&wish(Some(1), 2), false), Ok(Turn::Kept(_))));
        assert!(matches!(telling.take(&wish(Some(2), 1), false), Ok(Turn::Store)));
        assert!(!telling.stored(id(), progress(2, 1), Actor::Daemon), "somebody follows it already");
        assert_eq!(telling.last_words(None).len(), 0, "of the first attempt nothing more is stored");
    }

    #[test]
    fn what_is_about_to_end_is_stored_first_and_takes_nothing_more() {
        let telling = Telling::default();
        telling.stored(id(), progress(1, 1), Actor::Daemon);
        assert_eq!(done_of(&telling.last_words(Some(&[id()]))), []);
        assert!(matches!(telling.take(&wish(Some(1), 2), false), Ok(Turn::Store)), "whether it runs is not known here");
        telling.stored(id(), progress(1, 2), Actor::Daemon);
        telling.take(&wish(Some(1), 3), false).ok().unwrap();
        assert_eq!(done_of(&telling.last_words(Some(&[TaskId::new(8).unwrap()]))), []);
        assert_eq!(done_of(&telling.last_words(Some(&[id()]))), [Some(3)]);
        assert_eq!(done_of(&telling.last_words(None)), [], "once");
    }
}
