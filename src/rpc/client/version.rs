//! The version of the daemon, which every answer of it names.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::transport::{Channel, Error};

/// Says which version of apex gave an answer.
pub(in crate::rpc) const VERSION_HEADER: &str = "apex-version";

/// A connection that takes note of who answers.
#[derive(Debug, Clone)]
pub(super) struct Noting {
    channel: Channel,
    version: Arc<Mutex<Option<String>>>,
}

impl Noting {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, version: Arc::default() }
    }

    /// Returns the version that answered last, which may be another than before; `None` before there was an answer, and
    /// for one that does not say.
    pub(super) fn version(&self) -> Option<String> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Service<http::Request<Body>> for Noting {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (answer, version) = (self.channel.call(request), Arc::clone(&self.version));
        Box::pin(async move {
            let answer = answer.await?;
            let told = answer.headers().get(VERSION_HEADER).and_then(|value| value.to_str().ok());
            *version.lock().unwrap_or_else(PoisonError::into_inner) = told.map(str::to_owned);
            Ok(answer)
        })
    }
}
