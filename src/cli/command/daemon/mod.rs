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
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::paths::Project;
use crate::view::daemon::{DaemonView, Places};

/// Longest reason that is shown of a daemon that gave up, in bytes.
const REASON_BYTES_MAX: u64 = 4 << 10;

/// Tells how the daemon stands.
pub fn status(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let status = block_on(async {
        match connect::if_running(session, &project).await? {
            Ok(connection) => Ok(Some(connection.client.status().await?)),
            Err(_) => Ok(None),
        }
    })?;
    if let Some(status) = &status {
        tell_if_older(session, status);
        // What it has read is still in force; the next one could not start.
        session.configuration(&project);
    }
    if session.ui.json {
        session.ui.json(&view(status.as_ref(), &project))?;
    } else {
        let width = session.ui.width();
        let text = match &status {
            Some(status) => render::daemon::running(status, &project, now(), width),
            None => render::daemon::stopped(&project, reason(&project.failed_file()).as_deref(), width),
        };
        session.ui.data(&text)?;
    }
    Ok(if status.is_some() { Exit::Done } else { Exit::Unreachable }.code())
}

/// Prints what is measured. The text is what it is for: with JSON it is printed as it is, too.
pub fn metrics(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let text = block_on(async {
        let connection = connect::connect(session, &project).await?;
        Ok(connection.client.metrics().await?)
    })?;
    session.ui.bytes(Target::Stdout, text.as_bytes())?;
    Ok(Exit::Done.code())
}

/// Returns the view of a daemon, or of there being none.
pub(super) fn view(status: Option<&DaemonStatus>, project: &Project) -> DaemonView {
    let (socket, log_file) = (project.socket(), project.log_file());
    let places = Places { project: project.root(), socket: &socket, log_file: &log_file };
    status.map_or_else(|| DaemonView::stopped(places), |status| DaemonView::running(status, places))
}

/// Returns why the last daemon gave up, if it did.
pub(in crate::cli) fn reason(path: &Path) -> Option<String> {
    let mut text = Vec::new();
    lock::open(path).ok()?.take(REASON_BYTES_MAX).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Says so if the daemon is of an older version than this program.
pub(super) fn tell_if_older(session: &Session, status: &DaemonStatus) {
    let own = env!("CARGO_PKG_VERSION");
    if is_older(&status.version, own) {
        let version = neutralize(&status.version);
        session.ui.remark(&format!(
            "the daemon is of version {version}, this is {own}; replace it with `apex daemon restart`"
        ));
    }
}

/// Returns whether `version` comes before `other`; never for one that cannot be read.
pub(in crate::cli) fn is_older(version: &str, other: &str) -> bool {
    let read = |text: &str| -> Option<Vec<u64>> {
        let core = text.split(['-', '+']).next()?;
        core.split('.').map(|part| part.parse().ok()).collect()
    };
    matches!((read(version), read(other)), (Some(version), Some(other)) if version < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_number_by_number() {
        for (version, other, older) in [
            ("0.1.0", "0.1.0", false),
            ("0.1.0", "0.1.1", true),
            ("0.9.0", "0.10.0", true),
            ("1.0.0", "0.10.0", false),
            ("0.1.0-dev", "0.2.0", true),
            ("", "0.1.0", false),
            ("next", "0.1.0", false),
        ] {
            assert_eq!(is_older(version, other), older, "{version} {other}");
        }
    }

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
