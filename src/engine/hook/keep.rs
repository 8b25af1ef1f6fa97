//! Who follows the feed, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::hook::{Hook, HookEvent, OF_TASKS};
use crate::domain::id::Seq;
use crate::engine::handle::{Closing, Handle};
use crate::engine::hook::follow::{self, Follower, Runner, What};
use crate::engine::hook::order::Order;
use crate::engine::hook::{AGAIN_AFTER, HookWorld, Hooks, LINGER};
use crate::engine::job::tell;
use crate::link::{HOOK_MARK, MARK};
use crate::process;

/// Has the hooks followed that there are, anew whenever they are others, until the engine ends.
pub(super) async fn keep(handle: Handle, world: Arc<HookWorld>) {
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
