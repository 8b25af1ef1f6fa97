//! How the daemon stands.

use std::path::Path;

use serde::Serialize;

use crate::domain::daemon::DaemonStatus;
use crate::domain::query::Counts;
use crate::domain::resource::Resources;
use crate::domain::task::State;
use crate::view::resource::{ResourceView, ResourceWaitView};
use crate::view::task::{instant, millis};

/// The answer of `daemon status`, running or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DaemonView {
    running: bool,
    pid: Option<u32>,
    guardian_pid: Option<u32>,
    restarts: Option<u32>,
    version: Option<String>,
    started_at: Option<String>,
    uptime_ms: Option<u64>,
    project: String,
    socket: String,
    log_file: String,
    max_concurrent: Option<u32>,
    active: Option<u32>,
    queued: Option<u64>,
    waiting: Option<u64>,
    tasks_processed: Option<u64>,
    tasks_succeeded: Option<u64>,
    tasks_failed: Option<u64>,
    last_poll_at: Option<String>,
    draining: Option<bool>,
    untrusted: Option<bool>,
    held_up: Option<String>,
    resources: Option<Vec<ResourceView>>,
    resource_waits: Option<Vec<ResourceWaitView>>,
    lending: Option<Vec<u64>>,
}

/// Where a project and its daemon are to be found.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The project's root directory.
    pub project: &'a Path,
    /// The socket.
    pub socket: &'a Path,
    /// The daemon's log.
    pub log_file: &'a Path,
}

impl DaemonView {
    /// Returns the view of a daemon that answered.
    pub fn running(status: &DaemonStatus, places: Places<'_>) -> Self {
        Self {
            running: true,
            pid: Some(status.pid),
            guardian_pid: Some(status.guardian_pid),
            restarts: Some(status.restarts),
            version: Some(status.version.clone()),
            started_at: instant(Some(status.started_at)),
            uptime_ms: Some(millis(status.uptime)),
            max_concurrent: Some(status.max_concurrent),
            active: Some(status.active),
            last_poll_at: instant(status.last_poll_at),
            draining: Some(status.draining),
            untrusted: Some(status.untrusted),
            held_up: status.held_up.clone(),
            lending: Some(status.lending.iter().map(|id| id.get()).collect()),
            ..Self::stopped(places).with_counts(&status.counts).with_resources(&status.resources)
        }
    }

    /// Returns the view of a daemon that does not run: all that only it could tell is null.
    pub fn stopped(places: Places<'_>) -> Self {
        let lossy = |path: &Path| path.to_string_lossy().into_owned();
        Self {
            running: false,
            pid: None,
            guardian_pid: None,
            restarts: None,
            version: None,
            started_at: None,
            uptime_ms: None,
            project: lossy(places.project),
            socket: lossy(places.socket),
            log_file: lossy(places.log_file),
            max_concurrent: None,
            active: None,
            queued: None,
            waiting: None,
            tasks_processed: None,
            tasks_succeeded: None,
            tasks_failed: None,
            last_poll_at: None,
            draining: None,
            untrusted: None,
            held_up: None,
            resources: None,
            resource_waits: None,
            lending: None,
        }
    }

    /// Adds whether the project is its user's own.
    #[must_use]
    pub fn with_trust(mut self, trusted: bool) -> Self {
        self.untrusted = Some(!trusted);
        self
    }

    /// Adds how the resources stand.
    #[must_use]
    pub fn with_resources(mut self, resources: &Resources) -> Self {
        self.resources = Some(resources.all.iter().map(ResourceView::of).collect());
        self.resource_waits = Some(resources.waiting.iter().map(ResourceWaitView::of).collect());
        self
    }

    /// Adds what the store knows even while no daemon runs.
    #[must_use]
    pub fn with_counts(mut self, counts: &Counts) -> Self {
        self.queued = Some(counts.of(State::Queued));
        self.waiting = Some(counts.sum(State::is_waiting));
        self.tasks_processed = Some(counts.processed);
        self.tasks_succeeded = Some(counts.succeeded);
        self.tasks_failed = Some(counts.failed);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{json, samples};

    const PLACES: fn() -> Places<'static> = || Places {
        project: Path::new("/home/project"),
        socket: Path::new("/home/project/.apex/daemon.sock"),
        log_file: Path::new("/home/project/.apex/daemon.log"),
    };

    #[test]
    fn a_daemon_that_runs() {
        insta::assert_snapshot!(json::line(&DaemonView::running(&samples::daemon(), PLACES())).unwrap(), @r#"{"running":true,"pid":4242,"guardian_pid":4241,"restarts":0,"version":"0.1.0","started_at":"2026-01-15T10:30:00.000Z","uptime_ms":3600000,"project":"/home/project","socket":"/home/project/.apex/daemon.sock","log_file":"/home/project/.apex/daemon.log","max_concurrent":3,"active":1,"queued":2,"waiting":2,"tasks_processed":42,"tasks_succeeded":40,"tasks_failed":2,"last_poll_at":"2026-01-15T11:29:59.000Z","draining":false,"untrusted":false,"held_up":null,"resources":[],"resource_waits":[],"lending":[]}"#);
    }

    #[test]
    fn a_daemon_that_does_not_run() {
        insta::assert_snapshot!(json::line(&DaemonView::stopped(PLACES())).unwrap(), @r#"{"running":false,"pid":null,"guardian_pid":null,"restarts":null,"version":null,"started_at":null,"uptime_ms":null,"project":"/home/project","socket":"/home/project/.apex/daemon.sock","log_file":"/home/project/.apex/daemon.log","max_concurrent":null,"active":null,"queued":null,"waiting":null,"tasks_processed":null,"tasks_succeeded":null,"tasks_failed":null,"last_poll_at":null,"draining":null,"untrusted":null,"held_up":null,"resources":null,"resource_waits":null,"lending":null}"#);
    }
}
