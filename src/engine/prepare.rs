//! Looks up what starts need, where it holds up nobody.
//!
//! All that comes together is looked up by one thread, one after the other. When one takes long, because its disk does not
//! answer, another thread goes on with the rest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinError, JoinSet};

use crate::engine::handle::Shared;
use crate::engine::job::{Done, Preparation};
use crate::engine::spawn;
use crate::fault::crash_point;
use crate::process;

/// So long one is waited for before the others go on without it.
const PATIENCE: Duration = Duration::from_millis(20);

/// What a preparation came to, or that it panicked.
pub(super) type Prepared = Result<Done, JoinError>;

/// Returns whether everything that is looked up for a start is on file systems of this machine.
pub(super) fn answers_at_once(shared: &Shared, preparation: &Preparation) -> bool {
    let spec = &preparation.spec;
    let program = spec.argv.first().filter(|_| !spec.shell);
    let path = spawn::variable(&preparation.env, "PATH");
    let programs = program.into_iter().flat_map(|program| process::candidates(program, path, &spec.cwd));
    let places = [spec.cwd.clone(), shared.outputs.place()];
    shared.answers_at_once(places.into_iter().chain(programs))
}

/// Looks up what one start needs. May take for ever.
pub(super) fn one(shared: &Shared, preparation: &Preparation) -> Done {
    let order = spawn::prepare(shared, preparation).map(Box::new);
    crash_point("apexd.spawn.prepared");
    Done::Prepared { assignment: preparation.assignment, order }
}

/// Looks up what several starts need, and tells of each as soon as it is known.
pub(super) async fn all(shared: Arc<Shared>, preparations: Vec<Preparation>, told: UnboundedSender<Prepared>) {
    let left = Arc::new(Mutex::new(VecDeque::from(preparations)));
    let mut threads = JoinSet::new();
    loop {
        let (shared, mine, tell) = (Arc::clone(&shared), Arc::clone(&left), told.clone());
        let has_begun = Arc::new(AtomicBool::new(false));
        let begun = Arc::clone(&has_begun);
        threads.spawn_blocking(move || {
            begun.store(true, Ordering::Relaxed);
            while let Some(preparation) = next(&mine) {
                // Nobody hears it when the engine has ended.
                let _ = tell.send(Ok(one(&shared, &preparation)));
            }
        });
        loop {
            let is_more = !left.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            tokio::select! {
                ended = threads.join_next() => match ended {
                    Some(Ok(())) => {}
                    Some(Err(panic)) => drop(told.send(Err(panic))),
                    None => return,
                },
                // Where there are no threads left another one would only wait with the last.
                () = tokio::time::sleep(PATIENCE), if is_more => if has_begun.load(Ordering::Relaxed) { break },
            }
        }
    }
}

fn next(left: &Mutex<VecDeque<Preparation>>) -> Option<Preparation> {
    left.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}
