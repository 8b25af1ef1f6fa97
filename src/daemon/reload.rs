//! What follows the configuration, and reading it again while everything goes on.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use crate::config::{self, Config, Exclusion};
use crate::daemon::hooks::hooks;
use crate::domain::attempt::Leftovers;
use crate::domain::error::Problem;
use crate::engine::{Hooks, Reloaded, Settings};
use crate::telemetry;

/// The configuration that is in force, and what follows it beside the engine.
pub(super) struct Configuration {
    read: Box<dyn Fn() -> Result<Config, config::Error> + Send + Sync>,
    set_level: Box<dyn Fn(telemetry::Level) + Send + Sync>,
    in_force: Mutex<Config>,
    /// What was read last and is not followed yet.
    next: Mutex<Option<Config>>,
    exclusion: RwLock<Exclusion>,
    hooks: watch::Sender<Arc<Hooks>>,
}

impl Configuration {
    /// Begins with what was read at the start; `read` reads it again, and `set_level` changes what is logged.
    pub(super) fn new(
        config: Config,
        read: impl Fn() -> Result<Config, config::Error> + Send + Sync + 'static,
        set_level: impl Fn(telemetry::Level) + Send + Sync + 'static,
    ) -> Self {
        let exclusion = RwLock::new(config.env.exclusion());
        let hooks = watch::Sender::new(Arc::new(hooks(&config)));
        Self {
            read: Box::new(read),
            set_level: Box::new(set_level),
            in_force: Mutex::new(config),
            next: Mutex::default(),
            exclusion,
            hooks,
        }
    }

    /// Returns what is in force.
    pub(super) fn in_force(&self) -> Config {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether the variable of this name must not be stored.
    pub(super) fn is_kept_out(&self, name: &OsStr) -> bool {
        self.exclusion.read().unwrap_or_else(PoisonError::into_inner).matches(name)
    }

    /// Returns the hooks that are in force, and tells when they are others.
    pub(super) fn hooks(&self) -> watch::Receiver<Arc<Hooks>> {
        self.hooks.subscribe()
    }

    /// Reads the configuration again; nothing changes before [`Self::follow`]. What needs another start stays as it was,
    /// and is told again each time.
    ///
    /// Errors: it cannot be used.
    pub(super) fn read_again(&self) -> Result<Reloaded, Problem> {
        let read = (self.read)().map_err(problem)?;
        let in_force = self.in_force();
        let changed = config::changed(&in_force, &read);
        let next = config::in_force(&in_force, &read);
        let (queues, weights) = (next.explicit_queues(), next.weights());
        let reloaded = Reloaded { settings: settings(&next), queues, weights, changed };
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        Ok(reloaded)
    }

    /// Follows what was read last, except for what is the engine's to follow.
    pub(super) fn follow(&self) {
        let Some(next) = self.next.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        *self.exclusion.write().unwrap_or_else(PoisonError::into_inner) = next.env.exclusion();
        (self.set_level)(level(&next));
        let new = Arc::new(hooks(&next));
        self.hooks.send_if_modified(|known| {
            *known != new && {
                *known = new;
                true
            }
        });
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

fn problem(error: config::Error) -> Problem {
    let kind = error.kind();
    Problem::new(kind, format!("{:#}", anyhow::Error::from(error)))
        .with_hint("the daemon goes on as before; try again when `apex config check` finds nothing wrong")
}

/// Returns what the engine follows.
pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        max_concurrent: config.daemon.max_concurrent,
        poll_interval: config.daemon.poll_interval,
        grace: config.shutdown.grace,
        kill_grace: config.shutdown.kill_grace,
        leftovers: match config.task.leftovers {
            config::Leftovers::Kill => Leftovers::Kill,
            config::Leftovers::Leave => Leftovers::Leave,
        },
        keep_for: Some(config.retention.keep_for).filter(|keep_for| !keep_for.is_zero()),
        pools: Arc::new(config.pools()),
        reserve_after: config.daemon.reserve_after,
        windows: config.windows(),
    }
}

/// Returns what the log follows.
pub(super) fn log_settings(config: &Config) -> telemetry::Settings {
    telemetry::Settings { max_size: config.log.max_size, keep: config.log.keep, level: level(config) }
}

fn level(config: &Config) -> telemetry::Level {
    telemetry::Level::parse(config.daemon.log_level.as_str()).unwrap_or(telemetry::Level::Info)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::config::{Layers, Overrides, Text};
    use crate::domain::error::ErrorKind;

    fn resolve(text: &str) -> Result<Config, config::Error> {
        config::resolve(&Layers {
            user: None,
            project: Some(Text { path: Path::new("/p/.apex/config.toml"), text }),
            variables: &BTreeMap::new(),
            overrides: Overrides { max_concurrent: Some(7), poll_interval: None },
        })
    }

    /// A configuration whose file is a text.
    struct Stage {
        configuration: Configuration,
        text: Arc<Mutex<&'static str>>,
        level: Arc<Mutex<Option<telemetry::Level>>>,
    }

    impl Stage {
        fn new() -> Self {
            let (text, level) = (Arc::new(Mutex::new("")), Arc::new(Mutex::new(None)));
            let (read, told) = (text.clone(), level.clone());
            let read = move || resolve(*read.lock().unwrap());
            let set_level = move |level| *told.lock().unwrap() = Some(level);
            Self { configuration: Configuration::new(read().unwrap(), read, set_level), text, level }
        }

        fn write(&self, text: &'static str) {
            *self.text.lock().unwrap() = text;
        }
    }

    #[test]
    fn everybody_follows_what_is_read_again() {
        let stage = Stage::new();
        stage.write(
            "[daemon]\nmax_concurrent = 2\nlog_level = \"debug\"\n[shutdown]\ngrace = \"1s\"\n\
             [env]\nexclude = [\"*_TOKEN\"]\n",
        );
        assert!(!stage.configuration.is_kept_out("GH_TOKEN".as_ref()));
        let Reloaded { settings, changed, .. } = stage.configuration.read_again().unwrap();
        let keys: Vec<&str> = changed.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(keys, ["daemon.log_level", "shutdown.grace", "env.exclude"], "a flag of the start holds");
        assert_eq!((settings.max_concurrent, settings.grace.as_secs()), (7, 1));
        assert!(!stage.configuration.is_kept_out("GH_TOKEN".as_ref()), "only read so far");
        assert_eq!(*stage.level.lock().unwrap(), None);
        stage.configuration.follow();
        assert!(stage.configuration.is_kept_out("GH_TOKEN".as_ref()));
        assert_eq!(*stage.level.lock().unwrap(), Some(telemetry::Level::Debug));
        assert_eq!(stage.configuration.read_again().unwrap().changed, []);
    }

    #[test]
    fn what_needs_a_restart_is_told_until_there_is_one() {
        let stage = Stage::new();
        stage.write("[log]\nkeep = 9\n");
        for _ in 0..2 {
            let changed = stage.configuration.read_again().unwrap().changed;
            stage.configuration.follow();
            assert!(changed.len() == 1 && changed[0].needs_restart, "{changed:?}");
        }
        stage.write("");
        assert_eq!(stage.configuration.read_again().unwrap().changed, []);
    }

    #[test]
    fn what_cannot_be_used_changes_nothing() {
        let stage = Stage::new();
        stage.write("[daemon]\nlog_level = \"debug\"\nmax_concurent = 9\n");
        let before = stage.configuration.in_force();
        let problem = stage.configuration.read_again().unwrap_err();
        stage.configuration.follow();
        assert_eq!(problem.kind, ErrorKind::Invalid);
        assert!(problem.message.ends_with("the nearest is `daemon.max_concurrent`"), "{problem:?}");
        assert_eq!((stage.configuration.in_force(), *stage.level.lock().unwrap()), (before, None));
    }
}
