//! What is wrong with a project and the machine it is on, and what to do about it.
//!
//! [`gather`] looks and [`examine`] judges: a check is a function over [`Facts`], so each of them can be tried with facts
//! that no test could bring about. Nothing here starts a daemon, and nothing is changed.

mod daemon;
mod files;
pub mod gather;
mod machine;
mod store;
mod unit;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::config::MissingQueue;
use crate::domain::time::Timestamp;

pub use daemon::{Answer, Daemon};
pub use files::{Entry, Kind};
pub use machine::{Limits, Space, Temporary};
pub use store::Database;
pub use unit::Installed;

/// How serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// As it should be.
    Fine,
    /// It works, but may not for long, or not as expected.
    Warning,
    /// Something does not work, or is not safe.
    Wrong,
}

impl Standing {
    /// Returns the word that programs see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warn",
            Self::Wrong => "fail",
        }
    }
}

/// What came of looking at one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at; the same word for every finding about it.
    pub name: &'static str,
    /// How serious it is.
    pub standing: Standing,
    /// What was found.
    pub message: String,
    /// What to do; `None` only where nothing is to be done.
    pub hint: Option<String>,
}

impl Check {
    fn fine(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, standing: Standing::Fine, message: message.into(), hint: None }
    }

    fn warning(name: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, standing: Standing::Warning, message: message.into(), hint: Some(hint.into()) }
    }

    /// Makes the finding that something does not work or is not safe.
    pub fn wrong(name: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, standing: Standing::Wrong, message: message.into(), hint: Some(hint.into()) }
    }
}

/// Everything that is looked at.
#[derive(Debug)]
pub struct Facts {
    /// Who asks, as uid.
    pub user: u32,
    /// What the clock on the wall says.
    pub now: Timestamp,
    /// The version of this program.
    pub version: &'static str,
    /// Where the project's data are: its `.apex/`, or another directory if that is on a network file system.
    pub data: PathBuf,
    /// Both directories themselves and what is in them, as far as it is apex's.
    pub entries: Vec<Entry>,
    /// There was more than could be looked at.
    pub is_cut: bool,
    /// The daemon, and what a daemon leaves behind.
    pub daemon: Daemon,
    /// What is stored.
    pub database: Result<Option<Database>, crate::store::Error>,
    /// Whether nobody has accepted a project that came from elsewhere; `None` if that cannot be told.
    pub untrusted: Option<bool>,
    /// What is wrong with the settings.
    pub configuration: Option<String>,
    /// Queues that the settings name and that are not there.
    pub missing_queues: Vec<MissingQueue>,
    /// How many tasks may run at once.
    pub max_concurrent: u32,
    /// Room on the file system of the data.
    pub space: Option<Space>,
    /// The kind of that file system, as mount(8) names it.
    pub filesystem: Option<String>,
    /// What a process may have, of the daemon if one runs.
    pub limits: Limits,
    /// Directories in which files must be made and cannot be, and why.
    pub not_writable: Vec<(PathBuf, String)>,
    /// Where temporary files go.
    pub temporary: Temporary,
    /// The unit of the project; `None` if none is installed.
    pub unit: Option<Installed>,
}

/// Returns what came of every check, in the order in which they are read; each has at least one finding.
pub fn examine(facts: &Facts) -> Vec<Check> {
    let checks: [fn(&Facts) -> Vec<Check>; 16] = [
        files::permissions,
        files::places,
        machine::output,
        configuration,
        daemon::standing,
        |facts| vec![daemon::version(facts)],
        |facts| vec![store::database(facts)],
        |facts| vec![store::trust(facts)],
        store::hooks,
        machine::disk,
        |facts| vec![machine::filesystem(facts)],
        machine::limits,
        |facts| vec![machine::clock(facts)],
        |facts| vec![machine::temporary(facts)],
        |facts| vec![unit::unit(facts)],
        |facts| vec![unit::lingering(facts)],
    ];
    checks.iter().flat_map(|check| check(facts)).collect()
}

fn configuration(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "config";
    if let Some(why) = &facts.configuration {
        return vec![Check::wrong(NAME, why, "mend it, and see whether it is right with `apex config check`")];
    }
    let missing = |queue: &MissingQueue| {
        let hint = format!("mend the name with `apex config edit`, or add it with `apex queue add {}`", queue.name);
        Check::warning(NAME, queue.to_string(), hint)
    };
    match &facts.missing_queues[..] {
        [] => vec![Check::fine(NAME, "the settings can be used")],
        queues => queues.iter().map(missing).collect(),
    }
}

/// Returns a path as a shell takes it.
fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}
