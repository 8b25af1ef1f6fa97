//! `daemon start`, `run`, `stop`, `restart`, `reload`, `status`, `metrics`, `install`, `uninstall`. Its log is
//! [`super::daemon_log`].

pub mod install;
pub mod reload;
pub mod restart;
pub mod start;
pub mod stop;

use std::io::Read as _;
use std::path::Path;

use crate::cli::command::lock;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::{Session, block_on, now};
use crate::cli::ui::Target;
use crate::domain::daemon::DaemonStatus;
use crate::domain::query::Counts;
use crate::exit::Exit;
use crate::paths::Project;
use crate::store::sqlite;
use crate::view::daemon::{DaemonView, Places};
use crate::view::text::TextView;

/// Longest reason that is shown of a daemon that gave up, in bytes.
const REASON_BYTES_MAX: u64 = 4 << 10;

/// Tells how the daemon stands.
pub fn status(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let status = block_on(async {
        match connect::if_reachable(session, &project).await? {
            Some(connection) => Ok(Some(connection.client.status().await?)),
            None => Ok(None),
        }
    })?;
    let out_of_reach = if status.is_none() { tell_out_of_reach(session, &project) } else { None };
    if let Some(status) = &status {
        session.tell_if_version_is_older(&status.version);
        // What it has read is still in force; the next one could not start.
        session.configuration(&project);
    }
    if session.ui.json {
        session.ui.json(&view(status.as_ref(), &project))?;
    } else {
        let width = session.ui.width();
        let text = match &status {
            Some(status) => render::daemon::running(status, &project, now(), width),
            None => {
                let failed = reason(&project.failed_file());
                render::daemon::stopped(&project, out_of_reach.as_deref(), failed.as_deref(), width)
            }
        };
        session.ui.data(&text)?;
    }
    Ok(if status.is_some() { Exit::Done } else { Exit::Unreachable }.code())
}

/// Warns of a daemon that lives and cannot be reached, and returns how it stands.
pub(super) fn tell_out_of_reach(session: &Session, project: &Project) -> Option<String> {
    let daemon = connect::out_of_reach(project)?;
    let standing = daemon.in_words();
    // Not an end: what else there is to say is said.
    let problem = Failure::from(daemon).as_problem();
    let hint = problem.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    session.ui.warn(&format!("{}{hint}", problem.message));
    Some(standing)
}

/// Prints what is measured; with JSON the text in an object.
pub fn metrics(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let text = block_on(async {
        let connection = connect::connect(session, &project).await?;
        Ok(connection.client.metrics().await?)
    })?;
    if session.ui.json {
        session.ui.json(&TextView::of(&text))?;
    } else {
        session.ui.bytes(Target::Stdout, text.as_bytes())?;
    }
    Ok(Exit::Done.code())
}

/// Returns the view of a daemon, or of there being none.
pub(super) fn view(status: Option<&DaemonStatus>, project: &Project) -> DaemonView {
    let (socket, log_file) = (project.socket(), project.log_file());
    let places = Places { project: project.root(), socket: &socket, log_file: &log_file };
    match (status, status.is_none().then(|| counts(project)).flatten()) {
        (Some(status), _) => DaemonView::running(status, places),
        (None, Some(counts)) => DaemonView::stopped(places).with_counts(&counts),
        (None, None) => DaemonView::stopped(places),
    }
}

/// Returns how many tasks there are, as the store says; `None` if it cannot be read: that is another's to tell.
fn counts(project: &Project) -> Option<Counts> {
    sqlite::open_reader(&project.database()).ok()??.counts().ok()
}

/// Returns why the last daemon gave up, if it did.
pub(in crate::cli) fn reason(path: &Path) -> Option<String> {
    let mut text = Vec::new();
    lock::open(path).ok()?.take(REASON_BYTES_MAX).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_what_the_file_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.failed");
        assert_eq!(reason(&path), None);
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(reason(&path), None);
        std::fs::write(&path, "no room\n").unwrap();
        assert_eq!(reason(&path).as_deref(), Some("no room"));
    }
}
