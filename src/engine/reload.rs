//! Following other settings while everything goes on.
//!
//! Where they come from is nothing that the engine knows: it is given a function that reads them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, oneshot};
use tracing::info;

use crate::domain::error::{ErrorKind, Problem};
use crate::domain::queue::Queue;
use crate::domain::setting::ChangedSetting;
use crate::engine::core::Core;
use crate::engine::handle::{Command, Handle, Shared};
use crate::engine::{Error, Settings};
use crate::link::Order;

/// What reading the configuration again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// What the engine is to follow.
    pub settings: Settings,
    /// The slots of the queues for which the configuration says how many.
    pub queues: BTreeMap<String, u32>,
    /// The weights of the queues for which it says one.
    pub weights: BTreeMap<String, u32>,
    /// Every setting that is another one, the engine's or not.
    pub changed: Vec<ChangedSetting>,
}

/// How the configuration is read again.
pub(super) struct Reload {
    read: Box<dyn Fn() -> Result<Reloaded, Problem> + Send + Sync>,
    /// Lets what was read last be followed by what is not the engine's.
    follow: Box<dyn Fn() + Send + Sync>,
    /// One at a time, or what was read first might be followed last.
    turn: Mutex<()>,
}

impl Default for Reload {
    fn default() -> Self {
        let nothing = || Err(Problem::new(ErrorKind::Internal, "there is no configuration to read again"));
        Self { read: Box::new(nothing), follow: Box::new(|| ()), turn: Mutex::default() }
    }
}

impl Shared {
    /// Returns what is followed now.
    pub(super) fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Handle {
    /// Returns a handle through which the configuration can be read again, by `read`, which may block and changes
    /// nothing. `follow` is called once the store has taken what concerns it, so that all of it is followed or nothing.
    #[must_use]
    pub fn reloading(
        self,
        read: impl Fn() -> Result<Reloaded, Problem> + Send + Sync + 'static,
        follow: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let reload = Reload { read: Box::new(read), follow: Box::new(follow), turn: Mutex::default() };
        Self { reload: Arc::new(reload), ..self }
    }

    /// Reads the configuration again and follows it; returns what is another than before. `received` is what the log
    /// says was received.
    ///
    /// Errors: [`Error::Configuration`] if it cannot be used, or the store's if it cannot keep the queues, and nothing has
    /// changed then; [`Error::Stopped`].
    pub async fn reload(&self, received: &'static str) -> Result<Vec<ChangedSetting>, Error> {
        let _turn = self.reload.turn.lock().await;
        let reload = self.reload.clone();
        let read = tokio::task::spawn_blocking(move || (reload.read)()).await.map_err(|_| Error::Stopped)?;
        let Reloaded { settings, queues, weights, changed } = read.map_err(Error::Configuration)?;
        let stood = self.shared.store.queues().await?;
        self.shared.store.configure_queues(queues, (self.shared.world.now)()).await?;
        self.shared.store.configure_weights(weights, (self.shared.world.now)()).await?;
        // What could not be read is only not told.
        let stand = self.shared.store.queues().await.unwrap_or_else(|_| stood.clone());
        let changed = with_queues(changed, &stood, &stand);
        (self.reload.follow)();
        self.apply(settings).await?;
        info!(changed = changed.len(), "Received {received}, configuration reloaded");
        for ChangedSetting { key, from, to, needs_restart } in &changed {
            let (from, to) = (from.as_deref().unwrap_or_default(), to.as_deref().unwrap_or_default());
            info!(key, from, to, needs_restart, "A setting has changed");
        }
        Ok(changed)
    }

    /// Lets the engine follow other settings. Resolves when it does.
    pub async fn apply(&self, settings: Settings) -> Result<(), Error> {
        let (reply, done) = oneshot::channel();
        self.send(Command::Apply { settings, reply }).await?;
        done.await.map_err(|_| Error::Stopped)
    }

    /// Resolves when the guardian was asked to let the configuration be read again; once for several times in between.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn reload_asked(&self) {
        self.shared.reload_asked.notified().await;
    }
}

/// Adds the queues that somebody had removed by hand: the configuration says the same as before, but they are back.
fn with_queues(mut changed: Vec<ChangedSetting>, stood: &[Queue], stand: &[Queue]) -> Vec<ChangedSetting> {
    for queue in stand {
        let key = format!("queues.{}.slots", queue.name);
        let from = stood.iter().find(|other| other.name == queue.name).map(|other| other.slots);
        if from != Some(queue.slots) && changed.iter().all(|change| change.key != key) {
            let (from, to) = (from.map(|slots| slots.to_string()), Some(queue.slots.to_string()));
            changed.push(ChangedSetting { key, from, to, needs_restart: false });
        }
    }
    changed
}

impl Core {
    /// Follows other settings: how many tasks run, how often is looked for more, how they are ended.
    pub(super) fn apply(&mut self, settings: Settings) {
        let before = std::mem::replace(&mut self.settings, settings.clone());
        if settings.kill_grace != before.kill_grace {
            self.order(Order::Policy { kill_grace: settings.kill_grace });
            self.attempts.values_mut().for_each(|supervised| supervised.set_kill_grace(settings.kill_grace));
        }
        if settings.leftovers != before.leftovers {
            self.attempts.values_mut().for_each(|supervised| supervised.set_leftovers(settings.leftovers));
        }
        if settings.keep_for != before.keep_for {
            self.expire_anew();
        }
        if settings.poll_interval != before.poll_interval {
            self.poll_anew();
        }
        if settings.windows != before.windows {
            self.look_at_windows();
        }
        // There may be room for more.
        self.take_back();
        self.claim();
    }
}
