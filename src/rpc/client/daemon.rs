//! The daemon itself: how it stands, its end, its replacement, its measures, its log.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use tonic::Streaming;

use crate::domain::daemon::DaemonStatus;
use crate::domain::setting::ChangedSetting;
use crate::domain::time::Timestamp;
use crate::rpc::client::version::Noting;
use crate::rpc::client::{Client, Error, Repeat, within};
use crate::rpc::convert::{daemon, setting};
use crate::rpc::proto;
use crate::rpc::proto::daemon_service_client::DaemonServiceClient;
use crate::rpc::proto::log_service_client::LogServiceClient;

impl Client {
    fn daemon_service(&self) -> DaemonServiceClient<Noting> {
        DaemonServiceClient::new(self.channel.clone())
    }

    pub(super) fn log_service(&self) -> LogServiceClient<Noting> {
        LogServiceClient::new(self.channel.clone())
    }

    /// Asks the daemon how it stands.
    pub async fn status(&self) -> Result<DaemonStatus, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.daemon_service();
            async move { service.get_status(within(allowed, proto::GetStatusRequest {})).await }
        });
        Ok(daemon::from_proto(response.await?))
    }

    /// Lets the daemon begin to drain, or skip the waiting if it drains already; `grace` is how long running tasks may
    /// go on, the daemon's setting if it is `None`. Resolves when the daemon has heard it. It is gone when its lock is
    /// free, which also decides after [`Error::Broken`]: a daemon with nothing to wait for is quick.
    pub async fn stop(&self, grace: Option<Duration>) -> Result<(), Error> {
        let grace_ms = grace.map(|grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX));
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.daemon_service();
            async move { service.stop(within(allowed, proto::StopRequest { grace_ms })).await }
        });
        response.await.map(|proto::StopResponse {}| ())
    }

    /// Lets `binary`, an absolute path, take over from the running daemon while tasks go on. Resolves when it was found
    /// to work and is about to take over; calls made from now on are answered by it.
    pub async fn restart(&self, binary: &Path) -> Result<(), Error> {
        let binary = binary.as_os_str().as_bytes();
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.daemon_service();
            let request = within(allowed, proto::RestartRequest { binary: binary.to_vec() });
            async move { service.restart(request).await }
        });
        response.await.map(|proto::RestartResponse {}| ())
    }

    /// Lets the daemon read its configuration again, and returns what is another than before.
    pub async fn reload(&self) -> Result<Vec<ChangedSetting>, Error> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.daemon_service();
            async move { service.reload(within(allowed, proto::ReloadRequest {})).await }
        });
        Ok(setting::from_proto(response.await?))
    }

    /// Returns what is measured, in the text format of OpenMetrics.
    pub async fn metrics(&self) -> Result<String, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.daemon_service();
            async move { service.get_metrics(within(allowed, proto::GetMetricsRequest {})).await }
        });
        Ok(response.await?.text)
    }

    /// Takes a project that came from elsewhere as one's own: what was held because of that is let go.
    pub async fn trust(&self) -> Result<(), Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.daemon_service();
            async move { service.trust(within(allowed, proto::TrustRequest {})).await }
        });
        response.await.map(|proto::TrustResponse {}| ())
    }

    /// Reads the daemon's own log, oldest line first. Not taken up again when the connection breaks.
    pub async fn daemon_log(&self, request: DaemonLogRequest) -> Result<DaemonLog, Error> {
        let deadline = self.options.deadline;
        let message = proto::ReadDaemonLogRequest {
            tail_lines: request.tail_lines,
            since_ms: request.since.map(|at| at.0),
            level: request.level.unwrap_or_default(),
            follow: request.follow,
        };
        let mut service = self.log_service();
        let opened = timeout(deadline, service.read_daemon_log(message)).await;
        let response = opened.map_err(|_| Error::NoAnswer { after: deadline })?;
        let stream = response.map_err(|status| Error::from_status(status, deadline))?.into_inner();
        Ok(DaemonLog { stream, deadline })
    }
}

/// What to read of the daemon's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaemonLogRequest {
    /// Begin so many lines before the end; at the beginning if absent.
    pub tail_lines: Option<u32>,
    /// Only what was written at this instant or later.
    pub since: Option<Timestamp>,
    /// `error`, `warn`, `info`, `debug` or `trace`: of this level and of more severe ones.
    pub level: Option<String>,
    /// Go on with what is written later.
    pub follow: bool,
}

/// Lines of the daemon's log.
#[derive(Debug)]
pub struct DaemonLog {
    stream: Streaming<proto::ReadDaemonLogResponse>,
    deadline: Duration,
}

impl DaemonLog {
    /// Returns the next line, without its end; `None` when there is no more to come.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<String, Error>> {
        match self.stream.message().await {
            Ok(response) => response.map(|response| Ok(response.line)),
            Err(status) => Some(Err(Error::from_status(status, self.deadline))),
        }
    }
}
