//! When to come back after a connection broke.

use std::time::Duration;

use tokio::time::Instant;

use crate::rpc::client::Error;

/// The first pause, doubled up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Counts from the first failure after the last success.
#[derive(Debug)]
pub(super) struct Retry {
    patience: Duration,
    failing_since: Option<Instant>,
    pause: Duration,
}

impl Retry {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, failing_since: None, pause: PAUSE_MIN }
    }

    /// Something came through: patience is as it was.
    pub(super) fn succeeded(&mut self) {
        self.failing_since = None;
        self.pause = PAUSE_MIN;
    }

    /// Returns how much patience is left; all of it while nothing has failed.
    pub(super) fn left(&self) -> Duration {
        self.patience.saturating_sub(self.failing_since.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    /// Returns whether the connection is being made again.
    pub(super) fn is_failing(&self) -> bool {
        self.failing_since.is_some()
    }

    /// Returns how long to wait before coming back; `None` if `error` is final or patience is over.
    ///
    /// A daemon that is started again keeps its socket open. So one that refuses connections was stopped, which is final.
    pub(super) fn pause_after(&mut self, error: &Error) -> Option<Duration> {
        self.failing_since.get_or_insert_with(Instant::now);
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE_MAX);
        (error.is_broken() && pause < self.left()).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_their_bound_until_patience_is_over() {
        let mut retry = Retry::new(Duration::from_secs(1));
        let broken = Error::Broken { source: "x".into() };
        let mut pauses = Vec::new();
        while let Some(pause) = retry.pause_after(&broken) {
            pauses.push(pause.as_millis());
            tokio::time::advance(pause).await;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 200, 200, 200]);
        retry.succeeded();
        assert_eq!(retry.pause_after(&broken), Some(PAUSE_MIN));
        assert_eq!(retry.pause_after(&Error::NoAnswer { after: Duration::ZERO }), None);
    }
}
