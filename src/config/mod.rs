//! Settings: defaults, under the user's file, under the project's file, under the environment, under flags.
//!
//! [`resolve`] is a pure function over texts and a map of variables; [`load`] reads the files and the environment and
//! calls it. Every value is checked when it is read, whichever layer it comes from, so that a [`Config`] that exists is
//! one that can be used.

mod change;
mod error;
mod hook;
mod layer;
mod list;
mod origin;
mod queue;
mod schema;
mod setting;
mod value;
mod window;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use change::{changed, in_force};
pub use error::{Error, Fault, Place};
pub use origin::Origins;
pub use queue::MissingQueue;
pub use setting::Setting;
pub use value::Value;

use crate::domain::hook::Hook;
use crate::domain::resource::{Capacity, Pool, Pools};
use crate::domain::window::{Window, Windows};

/// What `apex init` writes into a project's `config.toml`: every key with its default, commented out.
pub const TEMPLATE: &str = include_str!("template.toml");

/// Every setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How commands behave.
    pub client: Client,
    /// How the daemon works.
    pub daemon: Daemon,
    /// How the daemon stops.
    pub shutdown: Shutdown,
    /// The daemon's own log.
    pub log: Log,
    /// Defaults for every task.
    pub task: Task,
    /// Environments of tasks.
    pub env: Env,
    /// How long things are kept.
    pub retention: Retention,
    /// What there is of each resource, by name, as far as a file says so.
    pub resources: BTreeMap<String, Capacity>,
    /// Further variables by which a task is told what it was granted, by the name of the resource.
    pub resource_variables: BTreeMap<String, Vec<String>>,
    /// What holds at certain hours, in the order of the files.
    pub windows: Vec<Window>,
    /// What is run when something has happened, in the order of the files.
    pub hooks: Vec<Hook>,
    /// Queues that were given slots by a file or a variable, by name. One that is not here has no limit of its own.
    pub queues: BTreeMap<String, Queue>,
}

/// Section `[client]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Commands that need the daemon start it.
    pub auto_start: bool,
}

/// Section `[daemon]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// How often the daemon looks for work unasked; at least 10 ms.
    pub poll_interval: Duration,
    /// How many tasks run at once; at least 1.
    pub max_concurrent: u32,
    /// What goes into the log.
    pub log_level: Level,
    /// How long a task waits for a resource before others have to leave it room.
    pub reserve_after: Duration,
    /// How many hooks run at once; at least 1.
    pub max_hooks: u32,
}

/// Section `[shutdown]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// How long running tasks get to end by themselves.
    pub grace: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub kill_grace: Duration,
}

/// Section `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Largest size of one file, in bytes; at least 1 KiB.
    pub max_size: u64,
    /// How many old files are kept besides the current one.
    pub keep: u32,
}

/// Section `[task]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Further attempts after one that failed.
    pub retries: u32,
    /// Longest run of an attempt; `None` (written `0s`) is no limit.
    pub timeout: Option<Duration>,
    /// How much an attempt may write, in bytes; `None` (written `0B`) is no limit.
    pub output_limit: Option<u64>,
    /// Its niceness; `None` (written `0`) is the daemon's.
    pub nice: Option<i32>,
    /// How much memory all of it may use together, in bytes; `None` (written `0B`) is no limit.
    pub memory: Option<u64>,
    /// What becomes of processes that a task leaves behind in its session.
    pub leftovers: Leftovers,
}

/// Section `[env]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// Patterns of names that are never stored.
    pub exclude: Vec<String>,
}

/// Section `[retention]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// How long ended tasks, what they wrote, and changes are kept; zero is for ever.
    pub keep_for: Duration,
}

/// Section `[queues.<name>]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many of its tasks run at once; 0 is no limit of its own.
    pub slots: Option<u32>,
    /// Its share where queues take turns.
    pub weight: Option<u32>,
}

/// What becomes of processes that are left in a task's session when its first process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leftovers {
    /// They are ended before the outcome is recorded.
    Kill,
    /// They are left alone.
    Leave,
}

/// How much an entry of the log matters, most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something did not work.
    Error,
    /// Something may not work.
    Warn,
    /// What an operator wants to know.
    Info,
    /// What helps to find a mistake.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Every level, most important first.
    pub const ALL: [Level; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Returns the word used in the configuration; the log has it in capitals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// Returns the level for a word, in any case; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(word))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            client: Client { auto_start: true },
            daemon: Daemon {
                poll_interval: Duration::from_secs(5),
                max_concurrent: 3,
                log_level: Level::Info,
                reserve_after: Duration::from_secs(30),
                max_hooks: 4,
            },
            shutdown: Shutdown { grace: Duration::from_secs(30), kill_grace: Duration::from_secs(5) },
            log: Log { max_size: 10 << 20, keep: 5 },
            task: Task {
                retries: 0,
                timeout: None,
                output_limit: None,
                nice: None,
                memory: None,
                leftovers: Leftovers::Kill,
            },
            env: Env { exclude: Vec::new() },
            retention: Retention { keep_for: Duration::from_secs(30 * 24 * 3_600) },
            resources: BTreeMap::new(),
            resource_variables: BTreeMap::new(),
            windows: Vec::new(),
            hooks: Vec::new(),
            queues: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Returns the slots of the queues for which a file or a variable says how many; none is there by default.
    pub fn explicit_queues(&self) -> BTreeMap<String, u32> {
        self.queues.iter().filter_map(|(name, queue)| Some((name.clone(), queue.slots?))).collect()
    }

    /// Returns the weights of the queues for which a file says one.
    pub fn weights(&self) -> BTreeMap<String, u32> {
        self.queues.iter().filter_map(|(name, queue)| Some((name.clone(), queue.weight?))).collect()
    }
}

impl Config {
    /// Returns what there is of each resource, and how tasks are told of it.
    pub fn pools(&self) -> Pools {
        let pool = |(name, capacity): (&String, &Capacity)| {
            let variables = self.resource_variables.get(name).cloned().unwrap_or_default();
            (name.clone(), Pool { capacity: capacity.clone(), variables })
        };
        Pools(self.resources.iter().map(pool).collect())
    }

    /// Returns what holds at certain hours.
    pub fn windows(&self) -> Windows {
        Windows::of(&self.windows)
    }
}

impl Leftovers {
    /// Returns the word used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Leave => "leave",
        }
    }
}

impl Env {
    /// Returns what tells whether a variable may be stored.
    ///
    /// Errors: none for a checked configuration; a pattern that is none matches nothing.
    pub fn exclusion(&self) -> Exclusion {
        let mut set = globset::GlobSetBuilder::new();
        for glob in self.exclude.iter().filter_map(|pattern| globset::Glob::new(pattern).ok()) {
            set.add(glob);
        }
        Exclusion(set.build().unwrap_or_default())
    }
}

/// Names of environment variables that are never stored.
#[derive(Debug, Clone)]
pub struct Exclusion(globset::GlobSet);

impl Exclusion {
    /// Returns whether the variable of this name must not be stored. Names are told apart by case.
    pub fn matches(&self, name: &OsStr) -> bool {
        self.0.is_match(Path::new(name))
    }
}

/// What flags of `daemon start` and `daemon run` put over everything else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--max-concurrent`.
    pub max_concurrent: Option<u32>,
    /// `--poll-interval`.
    pub poll_interval: Option<Duration>,
}

/// A configuration file that was read.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Where it stands; for messages.
    pub path: &'a Path,
    /// What it says.
    pub text: &'a str,
}

/// Everything that settings come from, besides the defaults.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// The user's file, if there is one.
    pub user: Option<Text<'a>>,
    /// The project's file, if there is one.
    pub project: Option<Text<'a>>,
    /// The environment; only what is named `APEX_<SECTION>_<KEY>` and the short names count.
    pub variables: &'a BTreeMap<String, String>,
    /// What flags say.
    pub overrides: Overrides,
}

/// Returns the settings that the layers come to, the later ones winning key by key.
///
/// Errors: the first mistake, with the place where it stands.
pub fn resolve(layers: &Layers<'_>) -> Result<Config, Error> {
    resolve_with_origins(layers).map(|(config, _)| config)
}

/// Does what [`resolve`] does, and tells where each value comes from.
pub fn resolve_with_origins(layers: &Layers<'_>) -> Result<(Config, Origins), Error> {
    let mut layered = layer::Layered::default();
    for file in [layers.user, layers.project].into_iter().flatten() {
        layer::apply_file(&mut layered, file.path, file.text)?;
    }
    layer::apply_variables(&mut layered, layers.variables)?;
    layer::apply_overrides(&mut layered, &layers.overrides)?;
    layer::check_resources(&layered)?;
    Ok((layered.config, layered.origins))
}

/// Checks what one file says, whatever the other layers say.
///
/// Errors: as [`load`].
pub fn check_file(path: &Path) -> Result<(), Error> {
    match read(path)? {
        Some(text) => layer::apply_file(&mut layer::Layered::default(), path, &text),
        None => Ok(()),
    }
}

/// Reads the settings for a project: the user's file, `project_file`, and the environment of this process.
///
/// Shape: a file that is not there counts as empty.
/// Errors: as [`resolve`], and a file that is there but cannot be read.
pub fn load(project_file: &Path, overrides: Overrides) -> Result<Config, Error> {
    load_with_origins(project_file, overrides).map(|(config, _)| config)
}

/// Does what [`load`] does, and tells where each value comes from.
pub fn load_with_origins(project_file: &Path, overrides: Overrides) -> Result<(Config, Origins), Error> {
    let user_file = user_file();
    let user = user_file.as_deref().map(read).transpose()?.flatten();
    let project = read(project_file)?;
    let variables = std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"APEX_"));
    let variables = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    // What is not UTF-8 is no value of any key; it is kept, lossily, so that the key refuses it.
    let variables = variables.map(|(name, value)| (name, value.to_string_lossy().into_owned())).collect();
    resolve_with_origins(&Layers {
        user: user_file.as_deref().zip(user.as_deref()).map(|(path, text)| Text { path, text }),
        project: project.as_deref().map(|text| Text { path: project_file, text }),
        variables: &variables,
        overrides,
    })
}

/// Returns whether a project's file has hooks in it, which run something by themselves. One that cannot be read or understood
/// counts as having some.
pub fn names_hooks(project_file: &Path) -> bool {
    match read(project_file) {
        Ok(Some(text)) => text.parse::<toml::Table>().map_or(true, |table| table.contains_key(schema::HOOKS)),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Returns where the user's own settings for all projects stand; `None` for a user without a home.
pub fn user_file() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("apex").join("config.toml"))
}

/// Largest file of settings that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

fn read(path: &Path) -> Result<Option<String>, Error> {
    match read_file(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    String::from_utf8(read_bytes(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))
}

/// Reads a plain file, also behind a link, of a size that settings can have: nothing that would have to be waited for.
///
/// Errors: those of open(2) and read(2); what is no such file is invalid.
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    // With room for all of it and a little more, by which the end is seen: else it is read in ever larger pieces.
    let mut text = Vec::with_capacity(usize::try_from(metadata.len().min(FILE_BYTES_MAX)).unwrap_or_default() + 64);
    if file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)? as u64 > FILE_BYTES_MAX {
        let bytes = metadata.len();
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{bytes} bytes are more than settings can have"),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
