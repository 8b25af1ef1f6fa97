//! Signals that somebody sends to apexd itself. Usually they go to the guardian, which passes them on.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::error;

use crate::engine::Handle;

/// Listens until it is stopped.
pub(super) struct Signals([JoinHandle<()>; 2]);

impl Signals {
    /// Begins to listen: SIGTERM and SIGINT drain, SIGHUP reads the configuration again, also one that the guardian got.
    pub(super) fn listen(handle: Handle) -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let hang_up = signal(SignalKind::hangup())?;
        // Two, so that a file that is slow to read keeps nobody from stopping the daemon.
        let reload = tokio::spawn(reload(handle.clone(), hang_up));
        Ok(Self([tokio::spawn(stop(handle, terminate, interrupt)), reload]))
    }

    pub(super) fn stop(self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn stop(handle: Handle, mut terminate: Signal, mut interrupt: Signal) {
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        if handle.stop(None, name).await.is_err() {
            return;
        }
    }
}

async fn reload(handle: Handle, mut hang_up: Signal) {
    loop {
        tokio::select! {
            _ = hang_up.recv() => {}
            () = handle.reload_asked() => {}
        }
        if let Err(error) = handle.reload("SIGHUP").await {
            error!("Received SIGHUP, but the configuration cannot be reloaded: {}", error.problem().message);
        }
    }
}
