//! Signals that somebody sends to apexd itself. Usually they go to the guardian, which passes them on.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::warn;

use crate::engine::Handle;

/// Listens until it is stopped.
pub(super) struct Signals(JoinHandle<()>);

impl Signals {
    /// Begins to listen: SIGTERM and SIGINT drain, SIGHUP only says that it was heard.
    pub(super) fn listen(handle: Handle) -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let hang_up = signal(SignalKind::hangup())?;
        Ok(Self(tokio::spawn(pass_on(handle, terminate, interrupt, hang_up))))
    }

    pub(super) fn stop(self) {
        self.0.abort();
    }
}

async fn pass_on(handle: Handle, mut terminate: Signal, mut interrupt: Signal, mut hang_up: Signal) {
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = hang_up.recv() => {
                warn!("Received SIGHUP; the configuration is read when the daemon starts");
                continue;
            }
        };
        if handle.stop(None, name).await.is_err() {
            return;
        }
    }
}
