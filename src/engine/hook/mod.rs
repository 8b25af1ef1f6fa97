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
//! Reading order: `keep` (who follows, and when) → `order` (what comes next) → `follow` (one hook) → `passed` (what is not stored of that).

mod follow;
mod keep;
mod order;
pub(super) mod passed;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use crate::domain::hook::{Hook, Occasion};
use crate::engine::handle::Handle;

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
        Running(tokio::spawn(keep::keep(self.clone(), Arc::new(world))))
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
