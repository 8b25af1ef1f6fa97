//! Waiting for a daemon that has to bring the task store to a newer schema before it can answer.
//!
//! That copies the whole store, so it takes some ten seconds for a million tasks: longer than a start may take otherwise.

use std::time::Duration;

use crate::cli::session::Session;
use crate::paths::Project;
use crate::store::Error;
use crate::store::sqlite;

/// How long it may take. It is work that ends by itself, so this only bounds how long one waits for a disk that hangs.
const WITHIN: Duration = Duration::from_secs(15 * 60);

/// Returns how long to wait for a daemon that has to migrate its store, and says so; `None` if it has not, or if the user
/// has said how long to wait. What else may be wrong with the store is for the daemon to say.
pub fn patience(session: &Session, project: &Project) -> Option<Duration> {
    if session.deadline().is_some() {
        return None;
    }
    let (found, known) = outstanding(project)?;
    session.ui.remark(&format!(
        "the task store is brought from schema {found} to {known} first, which takes a while if it is large; a copy is \
         kept beside it"
    ));
    Some(WITHIN)
}

fn outstanding(project: &Project) -> Option<(u32, u32)> {
    match sqlite::open_reader(&project.database()) {
        Err(Error::Older { found, known, .. }) => Some((found, known)),
        _ => None,
    }
}
