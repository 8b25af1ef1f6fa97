//! Verbs that steer tasks: hold, release, pause, resume, retry, remove.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::domain::change::Actor;
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::place::Place;
use crate::domain::query::{PerTask, Refused, TaskFilter};
use crate::domain::selection::RETRIED;
use crate::domain::task::{State, Task};
use crate::engine::handle::Command;
use crate::engine::select::Named;
use crate::engine::{Error, Handle, run};
use crate::fault::crash_point;
use crate::store::task as verb;

/// How long a pause waits for a process that is just being started.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// How long a removal waits for the files to be deleted; well within a client's deadline.
const TIDY_PATIENCE: Duration = Duration::from_secs(1);
/// How long a removal waits for hooks of what has just ended; well within a client's deadline.
const HOOK_PATIENCE: Duration = Duration::from_secs(2);
/// How often is looked whether they have run, if others have all the time.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How many tasks are begun anew in one transaction.
const RETRY_MAX: u32 = 1_000;

impl Handle {
    /// Keeps waiting tasks back until they are released.
    pub async fn hold(&self, named: impl Into<Named>, by: Actor) -> Result<PerTask<(), Error>, Error> {
        let answers = self.shared.store.hold(self.steer(named.into(), by)).await?;
        Ok(refusals(answers, "hold", "waiting"))
    }

    /// Lets held tasks go.
    pub async fn release(&self, named: impl Into<Named>, by: Actor) -> Result<PerTask<(), Error>, Error> {
        self.refuse_if_draining()?;
        if self.is_untrusted().await {
            return Err(Error::Untrusted);
        }
        let answers = self.shared.store.release(self.steer(named.into(), by)).await?;
        self.shared.unsettled.store(true, Ordering::Release);
        self.clock_changed();
        Ok(refusals(answers, "release", "held"))
    }

    /// Stops all processes in the sessions of running tasks; they keep their slots. Resolves when that is stored and the signals were
    /// sent.
    pub async fn pause(&self, named: impl Into<Named>, by: Actor) -> Result<PerTask<(), Error>, Error> {
        self.pause_piece(named.into(), by, Instant::now()).await
    }

    /// Does the same for a piece of what a call is for, which began then: all its pieces together wait no longer than one.
    pub(super) async fn pause_piece(
        &self,
        Named { ids, only }: Named,
        by: Actor,
        began: Instant,
    ) -> Result<PerTask<(), Error>, Error> {
        let (ids, outlived) = self.without_outlived(ids, "pause").await?;
        // The wish is stored before the deed: an apexd that takes over stops what should stand still once more.
        let patience = began + START_PATIENCE;
        let mut changes = self.changes();
        let mut answers: PerTask<AssignmentId> = ids.iter().map(|id| (*id, Err(Refused::NotFound))).collect();
        let mut open: Vec<usize> = (0..ids.len()).collect();
        loop {
            changes.mark_unchanged();
            // One that is just being started holds nobody else up, here or elsewhere.
            let turn = self.shared.pausing.lock().await;
            let pending = open.iter().filter_map(|place| ids.get(*place).copied()).collect();
            let pause = self.pause_of(Named { ids: pending, only: only.clone() }, by.clone());
            for (place, answer) in open.iter().zip(self.shared.store.pause(pause).await?) {
                // What is stored as paused is stopped at once, however long another one of them takes to start.
                if let Ok(assignment) = &answer.1 {
                    crash_point("apexd.pause.committed");
                    self.tell_attempt(*assignment, true).await?;
                }
                answers[*place] = answer;
            }
            drop(turn);
            let is_starting = |answer: &Result<AssignmentId, Refused>| matches!(answer, Err(Refused::State(task)) if task.state == State::Starting);
            open.retain(|place| is_starting(&answers[*place].1));
            if open.is_empty() || !has_changed_until(patience, &mut changes).await {
                break;
            }
        }
        Ok(with(refusals(without_value(answers), "pause", "running"), outlived))
    }

    /// Lets the processes of paused tasks go on. Resolves when the signals were sent and that is stored.
    pub async fn resume(&self, named: impl Into<Named>, by: Actor) -> Result<PerTask<(), Error>, Error> {
        let Named { ids, only } = named.into();
        let (ids, outlived) = self.without_outlived(ids, "resume").await?;
        let _turn = self.shared.pausing.lock().await;
        // The deed comes before the record: what is recorded as paused and goes on is stopped again by the next apexd,
        // what is recorded as running and stands still would stand still for ever.
        let mut told = HashSet::new();
        for id in &ids {
            let task = self.shared.store.task(*id).await?;
            let paused = task.filter(|task| task.state == State::Paused);
            if let Some(attempt) = paused.as_ref().and_then(|task| task.attempts.last()) {
                self.tell_attempt(attempt.assignment, false).await?;
                told.insert(*id);
            }
        }
        crash_point("apexd.resume.signalled");
        let mut answers = without_value(self.shared.store.resume(self.pause_of(Named { ids, only }, by)).await?);
        // One that has gone on may have come to its end before that was to be recorded.
        for (_, answer) in answers.iter_mut().filter(|(id, _)| told.contains(id)) {
            if matches!(answer, Err(Refused::State(_))) {
                *answer = Ok(());
            }
        }
        Ok(with(refusals(answers, "resume", "paused"), outlived))
    }

    /// Begins tasks anew that have ended: the same ids, counted afresh. What was skipped because of them waits again.
    pub async fn retry(&self, named: impl Into<Named>, by: Actor) -> Result<PerTask<(), Error>, Error> {
        self.refuse_if_draining()?;
        let trusted = self.shared.trusted.read().await;
        if !*trusted {
            return Err(Error::Untrusted);
        }
        let answers = self.shared.store.retry(self.steer(named.into(), by)).await?;
        self.shared.unsettled.store(true, Ordering::Release);
        self.clock_changed();
        Ok(refusals(answers, "retry", "ended"))
    }

    /// Does the same with all that failed, timed out, were lost or interrupted, and tells which. Many go in pieces.
    pub async fn retry_failed(&self, by: Actor) -> Result<PerTask<(), Error>, Error> {
        let states = RETRIED.to_vec();
        let mut filter = TaskFilter { states, limit: Some(RETRY_MAX), ..TaskFilter::default() };
        let mut all: PerTask<(), Error> = Vec::new();
        loop {
            let page = self.shared.store.tasks(filter.clone()).await?;
            let ids: Vec<TaskId> = page.tasks.iter().map(|task| task.id).collect();
            // One that is refused stays among them: what comes next are those before.
            let Some(lowest) = ids.first() else {
                all.sort_by_key(|(id, _)| *id);
                return Ok(all);
            };
            filter.below = Some(*lowest);
            all.extend(self.retry(ids, by.clone()).await?);
        }
    }

    /// Puts a waiting task to another place among those of its queue and priority.
    pub async fn move_task(&self, id: TaskId, to: Place, by: Actor) -> Result<Task, Error> {
        let wish = verb::Move { id, to, by, now: (self.shared.world.now)() };
        self.shared.store.move_task(wish).await?.map_err(|refused| Error::not_moved(id, refused))
    }

    /// Forgets tasks that have ended, with all they wrote. One that has just ended and has hooks of its own is waited for a moment.
    pub async fn remove(&self, named: impl Into<Named>, by: Actor) -> Result<PerTask<(), Error>, Error> {
        let answers = self.remove_piece(named.into(), by, Instant::now()).await?;
        self.tidy_up().await;
        Ok(answers)
    }

    /// Does the same for a piece of what a call is for, which began then: all its pieces together wait no longer than one. Its files
    /// are left to [`Handle::tidy_up`].
    pub(super) async fn remove_piece(
        &self,
        Named { ids, only }: Named,
        by: Actor,
        began: Instant,
    ) -> Result<PerTask<(), Error>, Error> {
        let patience = began + HOOK_PATIENCE;
        let mut hooks_ran = self.shared.hooks_ran.subscribe();
        let remove = |ids| self.shared.store.remove(self.steer(Named { ids, only: only.clone() }, by.clone()));
        let mut answers = remove(ids).await?;
        let mut ask_at = began;
        loop {
            let waits = answers.iter().filter(|(_, answer)| matches!(answer, Err(Refused::Hook(_))));
            let waits: Vec<TaskId> = waits.map(|(id, _)| *id).collect();
            if waits.is_empty() || self.is_untrusted().await || !has_changed_until(patience, &mut hooks_ran).await {
                break;
            }
            // Others have hooks as well, and nobody is to be asked after each of them.
            sleep_until(ask_at.min(patience)).await;
            hooks_ran.mark_unchanged();
            ask_at = Instant::now() + ASK_EVERY;
            let to_come: HashSet<TaskId> = self.shared.store.hooks_to_come(waits.clone()).await?.into_iter().collect();
            let over: Vec<TaskId> = waits.into_iter().filter(|id| !to_come.contains(id)).collect();
            if over.is_empty() {
                continue;
            }
            let removed: HashMap<TaskId, _> = remove(over).await?.into_iter().collect();
            for (id, answer) in &mut answers {
                if let Some(removed) = removed.get(id) {
                    *answer = removed.clone();
                }
            }
        }
        Ok(refusals(answers, "remove", "ended"))
    }

    /// Deletes the files of what was forgotten, and waits a moment for that; it goes on if there is much.
    pub(super) async fn tidy_up(&self) {
        let _ = timeout(TIDY_PATIENCE, run::tidy(&self.shared)).await;
    }

    /// Parts those from `ids` whose processes nobody can signal, each with its place and why `verb` is not done to it.
    async fn without_outlived(&self, ids: Vec<TaskId>, verb: &'static str) -> Result<(Vec<TaskId>, Outlived), Error> {
        let (mut within_reach, mut outlived) = (Vec::with_capacity(ids.len()), Vec::new());
        for (place, id) in ids.into_iter().enumerate() {
            match self.shared.outlived_pid(id).await? {
                Some(pid) => outlived.push((place, (id, Err(Error::Outlived { verb, id, pid })))),
                None => within_reach.push(id),
            }
        }
        Ok((within_reach, outlived))
    }

    fn steer(&self, Named { ids, only }: Named, by: Actor) -> verb::Steer {
        verb::Steer { ids, only, by, now: (self.shared.world.now)() }
    }

    fn pause_of(&self, Named { ids, only }: Named, by: Actor) -> verb::Pause {
        verb::Pause { ids, only, by, now: (self.shared.world.now)(), at: (self.shared.world.moment)() }
    }

    /// Lets the loop stop the processes of an attempt, or let them go on, and waits until the signal was sent.
    async fn tell_attempt(&self, assignment: AssignmentId, pause: bool) -> Result<(), Error> {
        let (reply, sent) = oneshot::channel();
        self.send(Command::Pause { assignment, pause, reply }).await?;
        // The attempt may end before the signal gets there: that is as good.
        let _ = sent.await;
        Ok(())
    }

    /// Says that the wall clock has jumped: somebody has set it, or the machine has slept.
    pub fn clock_jumped(&self) {
        self.clock_changed();
    }

    /// Lets the loop look what waits for the clock, and what is ready.
    pub(super) fn clock_changed(&self) {
        self.shared.clock_changed.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

/// Waits for a change, but not beyond a moment, however often there is one.
async fn has_changed_until<T>(patience: Instant, changes: &mut watch::Receiver<T>) -> bool {
    Instant::now() < patience && matches!(timeout_at(patience, changes.changed()).await, Ok(Ok(())))
}

/// Refusals, each with the place of its task among those named.
type Outlived = Vec<(usize, (TaskId, Result<(), Error>))>;

/// Puts refusals back in their places.
fn with(mut answers: PerTask<(), Error>, refused: Outlived) -> PerTask<(), Error> {
    for (place, refusal) in refused {
        answers.insert(place.min(answers.len()), refusal);
    }
    answers
}

fn without_value<T>(answers: PerTask<T>) -> PerTask<()> {
    answers.into_iter().map(|(id, answer)| (id, answer.map(|_| ()))).collect()
}

/// Says for each refusal why `verb` was not done to what should have been `wanted`.
fn refusals(answers: PerTask<()>, verb: &'static str, wanted: &'static str) -> PerTask<(), Error> {
    let tell = |(id, answer): (TaskId, Result<(), Refused>)| {
        (id, answer.map_err(|refused| Error::refused(id, verb, wanted, refused)))
    };
    answers.into_iter().map(tell).collect()
}
