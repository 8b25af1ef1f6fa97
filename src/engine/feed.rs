//! What was recorded, what is measured, and whether the project is one's own.

use crate::domain::change::ChangePage;
use crate::domain::daemon::Metrics;
use crate::domain::id::Seq;
use crate::domain::task::State;
use crate::engine::{Error, Handle};

impl Handle {
    /// Returns the changes after `since`, oldest first, at most `limit`. Wake by [`Handle::changes`], then read.
    pub async fn changes_after(&self, since: Seq, limit: usize) -> Result<ChangePage, Error> {
        let changes = self.shared.store.changes(since, limit).await?;
        // Numbers follow one another, so one that is missing was forgotten.
        let first = match changes.first() {
            Some(first) => Some(first.seq),
            // If nothing is left at all, what comes next is the first.
            None => match self.shared.store.oldest().await? {
                None => Some(Seq(self.shared.store.watch().borrow().0 + 1)),
                oldest => oldest,
            },
        };
        let gap = first.filter(|first| first.0 > since.0.saturating_add(1)).map(|first| Seq(first.0 - 1));
        Ok(ChangePage { changes, gap })
    }

    /// Returns everything that is measured.
    pub async fn metrics(&self) -> Result<Metrics, Error> {
        let status = self.status().await?;
        let queues = self.shared.store.queues().await?;
        let counts = self.shared.store.queue_counts().await?;
        let waits = |state: State| state.is_waiting() || state == State::Queued;
        let waiting = counts.into_iter().filter(|(_, state, _)| waits(*state)).collect();
        let run_time = *self.shared.run_time.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Metrics { status, queues, waiting, run_time })
    }

    /// Takes the project as one's own from now on: what was held because it came from elsewhere is let go. Fine if that
    /// was done already.
    ///
    /// Errors: it cannot be remembered that it was accepted, and then it was not; the store's.
    pub async fn trust(&self) -> Result<(), Error> {
        let enter = self.enter.clone();
        let entered = tokio::task::spawn_blocking(move || enter()).await;
        entered.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map_err(Error::NotEntered)?;
        let mut trusted = self.shared.trusted.write().await;
        // In pieces, so that others get their turn in between.
        let let_go = loop {
            match self.shared.store.trust((self.shared.world.now)()).await {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        *trusted |= let_go.is_ok();
        drop(trusted);
        self.hooks_changed();
        // Also where it failed: a claim that was due in the meantime was passed over.
        self.shared.unsettled.store(true, std::sync::atomic::Ordering::Release);
        self.clock_changed();
        Ok(let_go?)
    }

    /// Returns whether the project came from elsewhere and nobody has accepted it yet.
    pub async fn is_untrusted(&self) -> bool {
        !*self.shared.trusted.read().await
    }
}
