//! Hooks: what is run when something has happened.
//!
//! Each hook of the configuration has a cursor of its own in the store and follows the feed by it: one change after the other, in their
//! order. A hook is run, and that it was is stored together with the cursor's move; whatever dies in between, it is run again for the same
//! change, and for no other. So every hook is run at least once, and a kill of apexd repeats at most the ones that were under way. It is
//! told the change's number, by which it knows one that comes twice.
//!
//! The hooks that tasks have of their own share a cursor. Those of one task are run one after the other, those of different tasks beside one
//! another, as many as may run at once: what has run while one before is under way is stored beside the cursor.
//!
//! Nothing waits for a hook: not the loop, not the store, not a drain. Where there is none, nobody follows the feed.
//!
//! apexd runs them itself and not the guardian ([`crate::process::Helper`]): what is repeated anyway needs nobody to keep it alive.
//!
//! Reading order: here (who follows, and when) → `order` (what comes next) → `follow` (one hook).

mod follow;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::domain::hook::{Hook, HookEvent, OF_TASKS, Occasion};
use crate::domain::id::Seq;
use crate::engine::handle::{Closing, Handle};
use crate::engine::hook::follow::{Follower, Runner, What};
use crate::engine::hook::order::Order;
use crate::engine::job::tell;
use crate::link::{HOOK_MARK, MARK};
use crate::process;

/// So long after the engine's end hooks that are under way may take to come to theirs; then they are killed, and run again by the
/// next apexd.
const LINGER: Duration = Duration::from_secs(1);
/// So long after that all of it may take; then whoever runs them is cut off, whatever hangs.
const CUT_OFF: Duration = Duration::from_secs(1);
/// How long to wait before the store is asked again what it could not do.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What is run, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Those of the configuration.
    pub hooks: Vec<Hook>,
    /// How many may run at once, those of tasks included; at least 1.
    pub at_once: u32,
}

/// What somebody makes of something that has happened.
pub type Telling<T> = Box<dyn Fn(&Occasion) -> T + Send + Sync>;

/// What hooks are given, which the engine knows nothing of.
pub struct HookWorld {
    /// What is run now; whoever changes it is followed.
    pub hooks: watch::Receiver<Arc<Hooks>>,
    /// Writes down what has happened, for the input of a hook.
    pub describe: Telling<Vec<u8>>,
    /// The program and the arguments that show a notification; `None` where there is none.
    pub notify: Telling<Option<Vec<OsString>>>,
    /// The environment of apexd itself, without what belongs to its supervisor or is apex's own.
    pub env: Vec<(OsString, OsString)>,
}

/// Who runs the hooks, to be waited for in the end.
pub struct Running(tokio::task::JoinHandle<()>);

impl Running {
    /// Waits until no hook is under way, which it soon is once the engine has ended, and no longer than that should take. To be called
    /// before the store is closed.
    pub async fn stop(mut self) {
        // One that panicked has said so.
        if tokio::time::timeout(LINGER + CUT_OFF, &mut self.0).await.is_err() {
            warn!("What runs the hooks does not end; it is cut off");
            self.0.abort();
        }
    }
}

impl Handle {
    /// Begins to run hooks, on the runtime that this is called on.
    pub fn run_hooks(&self, world: HookWorld) -> Running {
        Running(tokio::spawn(keep(self.clone(), Arc::new(world))))
    }

    /// Lets whoever runs hooks look again whether there are any.
    pub(super) fn hooks_changed(&self) {
        self.shared.hooks_changed.notify_one();
    }

    /// Has the hooks of tasks followed from now on, if a task was added that has some and nobody does yet.
    pub(super) fn follow_tasks(&self, has_hooks: bool) {
        if has_hooks && !self.shared.follows_tasks.load(Ordering::Acquire) {
            self.hooks_changed();
        }
    }
}

/// Has the hooks followed that there are, anew whenever they are others, until the engine ends.
async fn keep(handle: Handle, world: Arc<HookWorld>) {
    let mut configured = world.hooks.clone();
    let mut closing = handle.closing();
    end_left_behind(&handle).await;
    loop {
        let hooks = Arc::clone(&configured.borrow_and_update());
        let stop = CancellationToken::new();
        let under_way = TaskTracker::new();
        under_way.close();
        let mut followers = follow_all(&handle, &world, &hooks, &stop, &under_way).await;
        let is_over = tokio::select! {
            _ = closing.wait_for(|closing| *closing != Closing::Open) => true,
            changed = configured.changed() => changed.is_err(),
            () = handle.shared.hooks_changed.notified() => false,
        };
        // Each comes to the end of what it does just now.
        stop.cancel();
        // One may have an hour for that, and the engine may end before.
        let is_over = is_over
            || tokio::select! {
                () = all_ended(&mut followers) => false,
                _ = closing.wait_for(|closing| *closing != Closing::Open) => true,
            };
        if is_over {
            if tokio::time::timeout(LINGER, all_ended(&mut followers)).await.is_err() {
                followers.shutdown().await;
                under_way.wait().await;
            }
            return;
        }
    }
}

/// Waits until nobody follows any more. May be dropped and called again.
async fn all_ended(followers: &mut JoinSet<()>) {
    while followers.join_next().await.is_some() {}
}

/// Ends what an apexd that was killed had under way: it is run again, and its time limit died with whoever watched it.
async fn end_left_behind(handle: &Handle) {
    let store = &handle.shared.store;
    let (Ok(cursors), Ok(ahead)) = (store.hook_cursors().await, store.hooks_ahead().await) else { return };
    if cursors.is_empty() {
        return;
    }
    let (mark, project) = (HOOK_MARK.to_string(), handle.shared.project.to_string_lossy().into_owned());
    let was_under_way = move |variable: &dyn Fn(&str) -> Option<String>| {
        let is_ours = variable(MARK).is_some_and(|found| found == mark)
            && variable("APEX_PROJECT_PATH").is_some_and(|found| found == project);
        let Some(name) = variable("APEX_HOOK").filter(|_| is_ours) else { return false };
        let is_of_task = name == follow::OF_A_TASK;
        let cursor = cursors.get(if is_of_task { OF_TASKS } else { &name }).copied();
        // What it left behind in order, of a change for which it has run, lives on.
        let seq = variable("APEX_EVENT_SEQ").and_then(|seq| seq.parse().ok()).map(Seq);
        cursor.zip(seq).is_some_and(|(cursor, seq)| seq > cursor && !(is_of_task && ahead.contains(&seq)))
    };
    let ended = tokio::task::spawn_blocking(move || process::end_left(was_under_way)).await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic.into_panic());
    }
}

/// Begins to follow the feed for each hook.
async fn follow_all(
    handle: &Handle,
    world: &Arc<HookWorld>,
    hooks: &Hooks,
    stop: &CancellationToken,
    under_way: &TaskTracker,
) -> JoinSet<()> {
    let mut followers = JoinSet::new();
    // What came with a project from elsewhere runs nothing.
    if handle.is_untrusted().await {
        return followers;
    }
    let (cursors, mut ahead) = loop {
        // Where there is nothing to be remembered, and nothing to be forgotten, nothing is written.
        let known = handle.shared.store.hook_cursors().await;
        if hooks.hooks.is_empty() && known.is_ok_and(|known| known.is_empty()) {
            return followers;
        }
        let names = hooks.hooks.iter().map(|hook| (hook.name.clone(), hook.on.contains(&HookEvent::QueueEmpty)));
        // Before it is asked: whoever adds a task while those of tasks are forgotten has to say so.
        handle.shared.follows_tasks.store(false, Ordering::Release);
        let told = async {
            let cursors = handle.shared.store.set_hooks(names.collect()).await?;
            Ok((cursors, handle.shared.store.hooks_ahead().await?))
        };
        match told.await {
            Ok(told) => break told,
            Err(error) => {
                tell("Cannot tell how far the hooks came", &error);
                let mut closing = handle.closing();
                let closed = closing.wait_for(|closing| *closing != Closing::Open);
                if tokio::time::timeout(AGAIN_AFTER, closed).await.is_ok() {
                    return followers;
                }
            }
        }
    };
    handle.shared.follows_tasks.store(cursors.contains_key(OF_TASKS), Ordering::Release);
    let at_once = usize::try_from(hooks.at_once).unwrap_or(1).max(1);
    let room = Arc::new(Semaphore::new(at_once));
    let named: BTreeMap<&str, &Hook> = hooks.hooks.iter().map(|hook| (hook.name.as_str(), hook)).collect();
    for (name, cursor) in cursors {
        let (what, order) = match named.get(name.as_str()) {
            Some(hook) => (What::Configured((*hook).clone()), Order::new(1, cursor, BTreeSet::new())),
            None if name == OF_TASKS => (What::OfTasks, Order::new(at_once, cursor, std::mem::take(&mut ahead))),
            None => continue,
        };
        let (handle, world, room, stop) = (handle.clone(), Arc::clone(world), Arc::clone(&room), stop.clone());
        let runner = Arc::new(Runner { handle, world, room, stop, what });
        let follower = Follower { runner, under_way: under_way.clone(), order, stored: cursor };
        followers.spawn(follower.follow());
    }
    followers
}
