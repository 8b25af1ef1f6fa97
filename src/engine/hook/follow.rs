//! One hook, which follows the feed by its cursor: the hooks of tasks count as one.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::domain::change::{Change, ChangeKind, ChangePage};
use crate::domain::hook::{DEFAULT_TIMEOUT, Deed, Hook, HookEvent, HookFailed, HookRan, OF_TASKS, Occasion};
use crate::domain::id::{Seq, TaskId};
use crate::domain::queue::Queue;
use crate::domain::task::Task;
use crate::engine::hook::order::Order;
use crate::engine::hook::{AGAIN_AFTER, HookWorld};
use crate::engine::{Error, Handle};
use crate::fault::crash_point;
use crate::link::{HOOK_MARK, MARK};
use crate::process::Helper;
use crate::store;

/// So many changes are read at a time.
const PAGE: usize = 256;
/// After so many changes that were nothing to it the cursor is stored all the same, so that the next apexd need not read them again;
/// of fewer when old changes are to be forgotten ([`passed::store`](super::passed::store)).
const STORE_EVERY: u64 = 2_000;

/// What the hooks of tasks are called where those of the configuration have their names.
pub(super) const OF_A_TASK: &str = "*task";

/// For whom the feed is followed.
pub(super) enum What {
    /// A hook of the configuration.
    Configured(Hook),
    /// The hooks that tasks have of their own.
    OfTasks,
}

/// Something that is to be run.
struct Call {
    occasion: Occasion,
    deed: Deed,
    timeout: Duration,
}

/// Follows the feed for one hook.
pub(super) struct Follower {
    pub(super) runner: Arc<Runner>,
    /// Runs are under way as long as something has this.
    pub(super) under_way: TaskTracker,
    /// What is to be run, and how far that came.
    pub(super) order: Order,
    /// How far of that is stored.
    pub(super) stored: Seq,
}

/// What is needed to run it.
pub(super) struct Runner {
    pub(super) handle: Handle,
    pub(super) world: Arc<HookWorld>,
    /// As many may run as there is room for.
    pub(super) room: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
    pub(super) what: What,
}

/// What came of running it for a change.
enum Ran {
    /// It was run, and this is what went wrong.
    Run(Vec<String>),
    /// There was nothing to run after all.
    Nothing,
    /// It was told to stop before.
    Stopped,
    /// What is needed for it could not be read.
    Unread(Error),
}

/// Runs that are under way, each with the change that it is for.
type Runs = JoinSet<(Change, Ran)>;

impl Follower {
    /// Runs the hook for the changes that are for it, until it is told to stop.
    pub(super) async fn follow(mut self) {
        let (mut changes, stop) = (self.runner.handle.changes(), self.runner.stop.clone());
        let mut runs = Runs::new();
        // Whoever followed before may have passed by what it looks at once more.
        self.tell_passed();
        while !stop.is_cancelled() {
            // Also while there is much to look at: others wait for what has ended.
            while let Some(ran) = runs.try_join_next() {
                self.note(ran).await;
            }
            changes.mark_unchanged();
            match self.go_on(&mut runs).await {
                Ok(true) => {}
                Ok(false) => tokio::select! {
                    () = stop.cancelled() => break,
                    Some(ran) = runs.join_next() => self.note(ran).await,
                    changed = changes.changed() => if changed.is_err() { break },
                },
                Err(error) => self.wait_after(&error).await,
            }
        }
        // Each comes to the end of what it does just now.
        while let Some(ran) = runs.join_next().await {
            self.note(ran).await;
        }
    }

    /// Says that it cannot go on, and waits before it is tried again.
    async fn wait_after(&self, error: &Error) {
        if !matches!(error, Error::Store(store::Error::Closed)) {
            warn!(%error, "Cannot go on with hook {} at the moment", self.runner.name());
        }
        tokio::select! {
            () = self.runner.stop.cancelled() => {}
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }

    /// Looks at the next changes, and begins what may be begun; returns whether there may be more to look at.
    async fn go_on(&mut self, runs: &mut Runs) -> Result<bool, Error> {
        let is_more = self.order.has_room() && self.look_on().await?;
        while let Some(change) = self.order.next() {
            let runner = Arc::clone(&self.runner);
            let run = async move {
                let ran = runner.run_all(&change).await;
                (change, ran)
            };
            runs.spawn(self.under_way.track_future(run));
        }
        Ok(is_more && self.order.has_room())
    }

    /// Looks at the next changes; returns whether there may be more.
    async fn look_on(&mut self) -> Result<bool, Error> {
        let ChangePage { changes, gap } = self.runner.handle.changes_after(self.order.looked_at(), PAGE).await?;
        if let Some(gap) = gap {
            // Only what was forgotten before there was a hook to be kept for.
            info!("Hook {} goes on after change {}; those before are forgotten", self.runner.name(), gap.0);
            self.order.pass(gap);
        }
        let is_more = changes.len() == PAGE;
        for change in changes {
            if !self.order.has_room() {
                return Ok(true);
            }
            if self.order.has_run(change.seq) || self.runner.calls(&change).await?.is_empty() {
                self.order.pass(change.seq);
            } else {
                self.order.take_in(change);
            }
        }
        let until = self.order.until();
        if until.0 >= self.stored.0.saturating_add(STORE_EVERY) {
            self.store(until, None, None).await?;
        }
        self.tell_passed();
        Ok(is_more)
    }

    /// Tells how far it came if that is not stored, for whoever needs it to be.
    fn tell_passed(&self) {
        let (name, until) = (self.runner.name(), self.order.until());
        self.runner.handle.shared.hook_passed(name, (until > self.stored).then_some(until));
    }

    /// Takes note of what came of a run.
    async fn note(&mut self, ran: Result<(Change, Ran), JoinError>) {
        let (change, ran) = match ran {
            Ok(ran) => ran,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Only with all of this.
            Err(_) => return,
        };
        let failed = match ran {
            Ran::Run(failed) => failed,
            Ran::Nothing => {
                self.order.ran(change.seq);
                return self.tell_passed();
            }
            Ran::Stopped => return self.order.put_back(change.seq),
            Ran::Unread(error) => {
                self.order.put_back(change.seq);
                return self.wait_after(&error).await;
            }
        };
        let run = if failed.is_empty() {
            Ok(())
        } else {
            let (task, queue, attempt) = (change.task, change.queue.clone(), change.attempt);
            Err(HookFailed { task, queue, attempt, reason: failed.join("; ") })
        };
        let (until, ahead) = self.order.ran(change.seq);
        // It fails only where all of this ends.
        if self.store(until, ahead, Some(run)).await.is_ok() {
            crash_point("apexd.hook.committed");
        }
    }

    /// Stores how far it came. A disk that is full may be so for days: then it is tried again, and the hook not run once more.
    async fn store(
        &mut self,
        until: Seq,
        ahead: Option<Seq>,
        run: Option<Result<(), HookFailed>>,
    ) -> Result<(), Error> {
        let Runner { handle, stop, .. } = &*self.runner;
        loop {
            let (hook, now) = (self.runner.name().to_owned(), (handle.shared.world.now)());
            let ran = HookRan { hook, until, ahead, run: run.clone(), now };
            match handle.shared.store.hook_ran(ran).await {
                Ok(()) => break,
                Err(error @ store::Error::Closed) => return Err(error.into()),
                Err(error) => {
                    crate::engine::job::tell("Cannot keep how far a hook came", &error);
                    tokio::select! {
                        () = stop.cancelled() => return Err(error.into()),
                        () = tokio::time::sleep(AGAIN_AFTER) => {}
                    }
                }
            }
        }
        handle.shared.hooks_ran.send_replace(());
        self.stored = until;
        self.tell_passed();
        Ok(())
    }
}

impl Runner {
    /// Runs all that is to be run because of a change, as it stands now.
    async fn run_all(&self, change: &Change) -> Ran {
        let calls = match self.calls(change).await {
            Ok(calls) if calls.is_empty() => return Ran::Nothing,
            Ok(calls) => calls,
            Err(error) => return Ran::Unread(error),
        };
        let mut failed = Vec::new();
        for call in calls {
            let Ok(_room) = self.room.clone().acquire_owned().await else { return Ran::Stopped };
            if self.stop.is_cancelled() {
                return Ran::Stopped;
            }
            failed.extend(self.run(call).await);
        }
        Ran::Run(failed)
    }

    fn name(&self) -> &str {
        match &self.what {
            What::Configured(hook) => &hook.name,
            What::OfTasks => OF_TASKS,
        }
    }

    /// Returns what is to be run because of a change.
    async fn calls(&self, change: &Change) -> Result<Vec<Call>, Error> {
        match &self.what {
            What::Configured(hook) => {
                let Some(event) = hook.event_of(change) else { return Ok(Vec::new()) };
                let (task, mut queue) = self.look(change).await?;
                if let (None, Some(id), false) = (&queue, change.task, hook.queues.is_empty()) {
                    queue = self.queue_of_removed(id, change.seq).await?;
                }
                if !hook.is_for(queue.as_ref().map(|queue| queue.name.as_str())) {
                    return Ok(Vec::new());
                }
                let occasion = Occasion { hook: hook.name.clone(), event, change: change.clone(), task, queue };
                Ok(vec![Call { occasion, deed: hook.deed.clone(), timeout: hook.timeout }])
            }
            What::OfTasks => {
                if change.task.is_none() || !HookEvent::OF_TASK.into_iter().any(|event| event.is(change)) {
                    return Ok(Vec::new());
                }
                let (Some(task), queue) = self.look(change).await? else { return Ok(Vec::new()) };
                let meant = task.spec.hooks.iter().filter(|(event, _)| event.is(change));
                let call = |(event, line): (&HookEvent, &String)| {
                    let deed = Deed::Line(line.clone());
                    let (hook, change, task) = (OF_A_TASK.to_owned(), change.clone(), Some(task.clone()));
                    let occasion = Occasion { hook, event: *event, change, task, queue: queue.clone() };
                    Call { occasion, deed, timeout: DEFAULT_TIMEOUT }
                };
                Ok(meant.map(call).collect())
            }
        }
    }

    /// Returns the task and the queue that something has happened to, as they stand now. What is stored about them and cannot be read
    /// counts as gone: it would not be read the next time either, and the hook would never come further.
    async fn look(&self, change: &Change) -> Result<(Option<Task>, Option<Queue>), Error> {
        let store = &self.handle.shared.store;
        let task = match change.task {
            Some(id) => self.unless_damaged(change, store.task(id).await)?.flatten(),
            None => None,
        };
        let name = task.as_ref().map(|task| task.spec.queue.clone()).or_else(|| change.queue.clone());
        let Some(name) = name else { return Ok((task, None)) };
        if task.is_some() {
            return Ok((task, Some(Queue { name, ..Queue::default() })));
        }
        let queues = self.unless_damaged(change, store.queues().await)?.unwrap_or_default();
        let queue = queues.into_iter().find(|queue| queue.name == name);
        Ok((None, Some(queue.unwrap_or(Queue { name, ..Queue::default() }))))
    }

    /// Returns the queue of a task that is gone: the change says so by which it went.
    async fn queue_of_removed(&self, id: TaskId, mut since: Seq) -> Result<Option<Queue>, Error> {
        loop {
            let changes = self.handle.changes_after(since, PAGE).await?.changes;
            let is_removal = |change: &&Change| change.kind == ChangeKind::Removed && change.task == Some(id);
            if let Some(removal) = changes.iter().find(is_removal) {
                return Ok(removal.queue.clone().map(|name| Queue { name, ..Queue::default() }));
            }
            let Some(last) = changes.last() else { return Ok(None) };
            since = last.seq;
        }
    }

    /// Returns what was read; `None` if it is damaged, and the log says so.
    fn unless_damaged<T>(&self, change: &Change, read: Result<T, store::Error>) -> Result<Option<T>, store::Error> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error @ store::Error::Damaged { .. }) => {
                let (hook, seq) = (self.name(), change.seq.0);
                warn!(%error, "Hook {hook} goes on without what is stored about what change {seq} happened to");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Runs a hook to its end; returns what went wrong.
    async fn run(&self, call: Call) -> Option<String> {
        let Call { occasion, deed, timeout } = call;
        let argv = match deed {
            Deed::Run(argv) => argv,
            Deed::Line(line) => ["/bin/sh", "-c", &line].map(OsString::from).to_vec(),
            // Where there is nothing to show it, that was told when the hook was read.
            Deed::Notify => (self.world.notify)(&occasion)?,
        };
        let env = self.environment(&occasion);
        let cwd = self.handle.shared.project.clone();
        let helper = Helper { argv, env, cwd, input: (self.world.describe)(&occasion), timeout };
        let error = helper.run().await.err()?;
        let Occasion { hook, event, change, .. } = &occasion;
        warn!(task_id = change.task.map(|id| id.get()), seq = change.seq.0, "Hook {hook} failed: {error}");
        let whose = if matches!(self.what, What::OfTasks) { "its hook".to_owned() } else { format!("hook {hook}") };
        Some(format!("{whose} on {} (change {}): {error}", event.as_str(), change.seq.0))
    }

    /// Returns the environment of a hook. None of its variables is one by which a task knows itself: a hook is no task.
    fn environment(&self, occasion: &Occasion) -> Vec<(OsString, OsString)> {
        let shared = &self.handle.shared;
        let mut env = self.world.env.clone();
        let mut set = |name: &str, value: OsString| env.push((name.into(), value));
        set(MARK, HOOK_MARK.to_string().into());
        set("APEX_PROJECT_PATH", shared.project.clone().into());
        set("APEX_SOCKET", shared.socket.clone().into());
        set("APEX_HOOK", occasion.hook.clone().into());
        set("APEX_EVENT", occasion.event.as_str().into());
        set("APEX_EVENT_SEQ", occasion.change.seq.0.to_string().into());
        if let Some(id) = occasion.change.task {
            set("APEX_EVENT_TASK", id.to_string().into());
        }
        if let Some(attempt) = occasion.change.attempt {
            set("APEX_EVENT_ATTEMPT", attempt.to_string().into());
        }
        if let Some(queue) = &occasion.queue {
            set("APEX_EVENT_QUEUE", queue.name.clone().into());
        }
        if let Some(task) = &occasion.task {
            set("APEX_EVENT_STATE", task.state.shown().as_str().into());
        }
        env
    }
}
