//! The verbs of the daemon itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tonic::{Request, Response, Status};

use crate::rpc::convert::{daemon, setting};
use crate::rpc::proto::daemon_service_server::DaemonService;
use crate::rpc::proto::{
    GetMetricsRequest, GetMetricsResponse, GetStatusRequest, GetStatusResponse, ReloadRequest, ReloadResponse,
    RestartRequest, RestartResponse, StopRequest, StopResponse, TrustRequest, TrustResponse,
};
use crate::rpc::server::Service;
use crate::view;

#[tonic::async_trait]
impl DaemonService for Service {
    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<GetStatusResponse>, Status> {
        let status = self.handle.status().await.map_err(|error| self.refuse(&error))?;
        Ok(Response::new(daemon::to_proto(status)))
    }

    async fn stop(&self, request: Request<StopRequest>) -> Result<Response<StopResponse>, Status> {
        let grace = request.into_inner().grace_ms.map(Duration::from_millis);
        let handle = self.handle.clone();
        self.whole(async move { handle.stop(grace, "a stop request").await }).await?;
        Ok(Response::new(StopResponse {}))
    }

    async fn restart(&self, request: Request<RestartRequest>) -> Result<Response<RestartResponse>, Status> {
        let binary = request.into_inner().binary;
        let binary = (!binary.is_empty()).then(|| PathBuf::from(OsString::from_vec(binary)));
        let handle = self.handle.clone();
        self.whole(async move { handle.restart(binary).await }).await?;
        Ok(Response::new(RestartResponse {}))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        let handle = self.handle.clone();
        let changed = self.whole(async move { handle.reload("a reload request").await }).await?;
        Ok(Response::new(setting::to_proto(changed)))
    }

    async fn get_metrics(&self, _: Request<GetMetricsRequest>) -> Result<Response<GetMetricsResponse>, Status> {
        let metrics = self.handle.metrics().await.map_err(|error| self.refuse(&error))?;
        Ok(Response::new(GetMetricsResponse { text: view::metrics::text(&metrics) }))
    }

    async fn trust(&self, _: Request<TrustRequest>) -> Result<Response<TrustResponse>, Status> {
        let handle = self.handle.clone();
        self.whole(async move { handle.trust().await }).await?;
        Ok(Response::new(TrustResponse {}))
    }
}
