//! What a command works with: how it talks, where it is, and what it was told besides its own flags.

use std::cell::{Cell, OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};

use crate::cli::args::Globals;
use crate::cli::caller;
use crate::cli::error::Failure;
use crate::cli::ui::Ui;
use crate::config::{self, Config, Overrides};
use crate::domain::error::ErrorKind;
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::paths::{Found, How, Places, Project, discover};
use crate::rpc::client::{Client, Options};

/// What a command works with.
#[derive(Debug, Clone)]
pub struct Session {
    /// How it talks.
    pub ui: Ui,
    globals: Globals,
    config: OnceCell<Config>,
    /// The daemon that was asked.
    daemon: OnceCell<Client>,
    /// Why the settings cannot be used, until that is told.
    unusable: RefCell<Option<(String, Option<String>)>>,
    has_told_of_older: Cell<bool>,
}

impl Session {
    /// Begins with the flags that were typed.
    pub fn begin(globals: &Globals) -> Self {
        Self {
            ui: Ui::new(globals),
            globals: globals.clone(),
            config: OnceCell::new(),
            daemon: OnceCell::new(),
            unusable: RefCell::default(),
            has_told_of_older: Cell::new(false),
        }
    }

    /// Returns what `path` is relative to: the working directory, which is looked at only where it matters.
    ///
    /// Errors: there is no working directory.
    pub fn base_of(&self, path: &Path) -> Result<PathBuf, Failure> {
        if path.is_absolute() { Ok(PathBuf::from("/")) } else { caller::working_directory() }
    }

    /// Returns how a project is asked for: by `-g`, by `-C` or `APEX_PROJECT_PATH`, or not at all.
    pub fn how(&self) -> How {
        let from_env = || std::env::var_os("APEX_PROJECT_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
        match (&self.globals.project, self.globals.user) {
            (_, true) => How::Global,
            (Some(directory), false) => How::At(directory.clone()),
            (None, false) => from_env().map_or(How::Walk, How::At),
        }
    }

    /// Returns whether the daemon may be started as far as the command line is concerned.
    pub fn may_start(&self) -> bool {
        !self.globals.no_start
    }

    /// Returns how patient a client is.
    pub fn options(&self) -> Options {
        let default = Options::default();
        Options { deadline: self.deadline().unwrap_or(default.deadline), ..default }
    }

    /// Takes note of the daemon that is asked, so that it can be told afterwards whether it is an older one.
    pub fn asks(&self, daemon: &Client) {
        let _ = self.daemon.set(daemon.clone());
        self.tell_if_unusable();
    }

    /// Says so if the settings cannot be used, and nobody has said so yet.
    pub fn tell_if_unusable(&self) {
        if let Some((why, hint)) = self.unusable.take() {
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            self.ui.warn(&format!("the configuration cannot be used: {why}{hint}"));
        }
    }

    /// Takes note that whatever is wrong with the settings is told by a start that fails because of it.
    pub fn leave_to_start(&self) {
        self.unusable.take();
    }

    /// Says so if the daemon that was asked is of an older version than this program.
    pub fn tell_if_older(&self) {
        if let Some(version) = self.daemon.get().and_then(Client::daemon_version) {
            self.tell_if_version_is_older(&version);
        }
    }

    /// Says so once if the daemon's `version` is older than that of this program.
    pub fn tell_if_version_is_older(&self, version: &str) {
        let own = env!("CARGO_PKG_VERSION");
        if is_older(version, own) && !self.has_told_of_older.replace(true) {
            let version = neutralize(version);
            self.ui.remark(&format!(
                "the daemon is of version {version}, this is {own}; replace it with `apex daemon restart`"
            ));
        }
    }

    /// Returns `--deadline`.
    pub fn deadline(&self) -> Option<Duration> {
        self.globals.deadline
    }

    /// Finds the project that is meant: by `-g`, by `-C` or `APEX_PROJECT_PATH`, or from the working directory upwards. Says
    /// so if it is the per-user one for want of another.
    ///
    /// Errors: none is there, or the one that is may not be trusted.
    pub fn project(&self) -> Result<Project, Failure> {
        let how = self.how();
        let cwd = match &how {
            How::Walk => caller::working_directory()?,
            How::At(directory) => self.base_of(directory)?,
            How::Global => PathBuf::from("/"),
        };
        let Found { project, fallback, .. } = discover(&how, &cwd, &Places::from_env()?)?;
        if fallback {
            self.ui.remark("no project here, so the per-user one is used; make one of this directory with `apex init`");
        }
        self.ui.detail(&format!("project `{}`", project.root().display()));
        Ok(project)
    }

    /// Returns the settings for the command's project, read once; the defaults if they cannot be used: whoever has a daemon needs
    /// little of them. That is told as soon as there is one, or at the end.
    pub fn configuration(&self, project: &Project) -> &Config {
        let config = self.config.get_or_init(|| {
            config::load(&project.config_file(), Overrides::default()).unwrap_or_else(|error| {
                let why = error.to_string();
                self.unusable.replace(Some((why, Failure::from(error).problem.hint)));
                Config::default()
            })
        });
        if self.daemon.get().is_some() {
            self.tell_if_unusable();
        }
        config
    }
}

/// Returns a runtime of a single thread: starting more of them takes longer than most commands.
pub fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(|error| {
        let mut failure = Failure::new(ErrorKind::Exhausted, "cannot start the runtime");
        failure.causes.push(error.to_string());
        failure
    })
}

/// Runs a command's asynchronous part to its end. The runtime is not taken down: the program is about to end, and
/// nothing in it has to be waited for.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(work);
    std::mem::forget(runtime);
    result
}

/// Returns whether `version` comes before `other`; never for one that cannot be read.
pub fn is_older(version: &str, other: &str) -> bool {
    let read = |text: &str| -> Option<Vec<u64>> {
        let core = text.split(['-', '+']).next()?;
        core.split('.').map(|part| part.parse().ok()).collect()
    };
    matches!((read(version), read(other)), (Some(version), Some(other)) if version < other)
}

/// Returns the time on the wall.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_number_by_number() {
        for (version, other, older) in [
            ("0.1.0", "0.1.0", false),
            ("0.1.0", "0.1.1", true),
            ("0.9.0", "0.10.0", true),
            ("1.0.0", "0.10.0", false),
            ("0.1.0-dev", "0.2.0", true),
            ("", "0.1.0", false),
            ("next", "0.1.0", false),
        ] {
            assert_eq!(is_older(version, other), older, "{version} {other}");
        }
    }
}
