//! Jumps of the wall clock.

use tokio::task::JoinHandle;
use tracing::warn;

use crate::engine::Handle;
use crate::process::ClockWatch;

/// Lets the engine look at the clock whenever it has jumped, until the task is aborted.
pub(super) fn watch(handle: Handle) -> JoinHandle<()> {
    tokio::spawn(async move {
        // Without it the next regular look notices as well, only later.
        let watch = match ClockWatch::new() {
            Ok(watch) => watch,
            Err(error) => return warn!(%error, "Cannot watch the wall clock; jumps are noticed at the next poll"),
        };
        while watch.jumped().await.is_ok() {
            handle.clock_jumped();
        }
    })
}
