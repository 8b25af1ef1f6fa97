//! What a command works with: how it talks, where it is, and what it was told besides its own flags.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};

use crate::cli::args::Globals;
use crate::cli::caller;
use crate::cli::error::Failure;
use crate::cli::ui::Ui;
use crate::config::{self, Config, Overrides};
use crate::domain::error::ErrorKind;
use crate::domain::time::Timestamp;
use crate::paths::{Found, How, Places, Project, discover};
use crate::rpc::client::Options;

/// What a command works with.
#[derive(Debug, Clone)]
pub struct Session {
    /// How it talks.
    pub ui: Ui,
    globals: Globals,
    config: OnceCell<Config>,
}

impl Session {
    /// Begins with the flags that were typed.
    pub fn begin(globals: &Globals) -> Self {
        Self { ui: Ui::new(globals), globals: globals.clone(), config: OnceCell::new() }
    }

    /// Returns what `path` is relative to: the working directory, which is looked at only where it matters.
    ///
    /// Errors: there is no working directory.
    pub fn base_of(&self, path: &Path) -> Result<PathBuf, Failure> {
        if path.is_absolute() { Ok(PathBuf::from("/")) } else { caller::working_directory() }
    }

    /// Returns the directory named with `-C`, if one was.
    pub fn named_project(&self) -> Option<&PathBuf> {
        self.globals.project.as_ref()
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

    /// Returns `--deadline`.
    pub fn deadline(&self) -> Option<Duration> {
        self.globals.deadline
    }

    /// Finds the project that is meant: by `-g`, by `-C` or `APEX_PROJECT_PATH`, or from the working directory upwards. Says
    /// so if it is the per-user one for want of another.
    ///
    /// Errors: none is there, or the one that is may not be trusted.
    pub fn project(&self) -> Result<Project, Failure> {
        let from_env = || std::env::var_os("APEX_PROJECT_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
        let how = match (&self.globals.project, self.globals.user) {
            (_, true) => How::Global,
            (Some(directory), false) => How::At(directory.clone()),
            (None, false) => from_env().map_or(How::Walk, How::At),
        };
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

    /// Returns the settings for the command's project, read once; the defaults, with a warning, if they cannot be used:
    /// whoever has a daemon needs little of them.
    pub fn configuration(&self, project: &Project) -> &Config {
        self.config.get_or_init(|| {
            config::load(&project.config_file(), Overrides::default()).unwrap_or_else(|error| {
                self.ui.warn(&format!("the configuration cannot be used: {error}"));
                Config::default()
            })
        })
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

/// Returns the time on the wall.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
