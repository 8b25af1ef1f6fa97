//! What there is in the project that is meant, read from its store.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::render;
use crate::domain::id::TaskId;
use crate::domain::query::TaskFilter;
use crate::domain::task::{State, Task};
use crate::paths::{How, Places, discover};
use crate::store::sqlite::{self, Reader};

/// So many of a kind are named: more than a screen is of no use.
const MOST: usize = 50;

/// A project, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Its database; `None` if there is no project.
    database: Option<PathBuf>,
    /// What was found to stand where the cursor is.
    told: Arc<Mutex<Told>>,
}

/// What stands where the cursor is, of which the shell knows more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Told {
    #[default]
    Nothing,
    /// A word of a command to run.
    Command,
    /// A path that begins so.
    File(String),
    /// The path of a directory that begins so.
    Directory(String),
}

impl Known {
    /// Returns what is known of the project that a command line is about.
    pub(super) fn of(words: &[OsString]) -> Self {
        Self { database: database(&how(words)), ..Self::default() }
    }

    /// Takes note of what stands where the cursor is.
    pub(super) fn tell(&self, told: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// Returns that, and forgets it.
    pub(super) fn take(&self) -> Told {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn reader(&self) -> Option<Reader> {
        sqlite::open_reader(self.database.as_deref()?).ok()?
    }

    /// Returns the newest tasks in one of these states whose numbers begin so, with what each is.
    pub(super) fn tasks(&self, states: &[State], beginning: &str) -> Vec<(String, String)> {
        let Some(mut reader) = self.reader() else { return Vec::new() };
        let mut found: Vec<Task> = Vec::new();
        for (first, last) in ranges(beginning) {
            let filter = TaskFilter {
                states: states.to_vec(),
                above: TaskId::new(first - 1),
                below: TaskId::new(last.saturating_add(1)),
                limit: u32::try_from(MOST).ok(),
                ..TaskFilter::default()
            };
            found.extend(reader.tasks(&filter).unwrap_or_default().tasks);
        }
        found.sort_by_key(|task| std::cmp::Reverse(task.id));
        found.truncate(MOST);
        found.iter().map(|task| (task.id.to_string(), told(task))).collect()
    }

    /// Returns names of tasks that begin so.
    pub(super) fn names(&self, beginning: &str) -> Vec<String> {
        self.reader().and_then(|mut reader| reader.names(beginning, MOST).ok()).unwrap_or_default()
    }

    /// Returns labels that begin so: keys alone, and with their values.
    pub(super) fn labels(&self, beginning: &str) -> Vec<String> {
        let Some(mut reader) = self.reader() else { return Vec::new() };
        let (key, value) = beginning.split_once('=').map_or((beginning, None), |(key, value)| (key, Some(value)));
        let mut words = Vec::new();
        for (key, value) in reader.labels(key, value, MOST).unwrap_or_default() {
            if words.last().is_none_or(|last: &String| last.split('=').next() != Some(key.as_str())) {
                words.push(key.clone());
            }
            words.extend((!value.is_empty()).then(|| format!("{key}={value}")));
        }
        words
    }

    /// Returns all queues, with how they stand.
    pub(super) fn queues(&self) -> Vec<(String, String)> {
        let queues = self.reader().and_then(|mut reader| reader.queues().ok()).unwrap_or_default();
        let told = |queue: &crate::domain::queue::Queue| {
            let paused = if queue.pause.is_some() { ", paused" } else { "" };
            format!("{} running, {} queued{paused}", queue.active, queue.queued)
        };
        queues.iter().map(|queue| (queue.name.clone(), told(queue))).collect()
    }

    /// Returns all schedules, with what they run.
    pub(super) fn schedules(&self) -> Vec<(String, String)> {
        let schedules = self.reader().and_then(|mut reader| reader.schedules().ok()).unwrap_or_default();
        schedules.iter().map(|schedule| (schedule.name.clone(), schedule.spec.command_line())).collect()
    }
}

/// Returns what a task is, in few words.
fn told(task: &Task) -> String {
    let name = task.spec.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    format!("{} {name}{}", task.state.shown().as_str(), render::task::command(task))
}

/// Returns between which numbers those lie that begin with these digits: 12, 120 to 129, 1200 to 1299 and so on.
fn ranges(beginning: &str) -> Vec<(u64, u64)> {
    if beginning.is_empty() {
        return vec![(1, i64::MAX.unsigned_abs() - 1)];
    }
    let (Ok(first), false) = (beginning.parse::<u64>(), beginning.starts_with(['0', '+'])) else { return Vec::new() };
    let mut ranges = Vec::new();
    let (mut low, mut high) = (first, first);
    // No project has more tasks than have eleven digits.
    while high < 100_000_000_000 {
        ranges.push((low, high));
        (low, high) = (low * 10, high * 10 + 9);
    }
    ranges
}

/// Returns how the project is asked for by the words before the cursor.
fn how(words: &[OsString]) -> How {
    let before = words.iter().take_while(|word| *word != "--");
    let typed: Vec<&OsString> = before.collect();
    for (place, word) in typed.iter().enumerate().skip(1) {
        match word.to_str() {
            Some("-g" | "--global") => return How::Global,
            Some("-C" | "--project") if place + 1 < typed.len() => return How::At(expanded(typed[place + 1])),
            Some(word) => {
                if let Some(directory) = word.strip_prefix("--project=") {
                    return How::At(expanded(&OsString::from(directory)));
                }
            }
            None => {}
        }
    }
    let named = std::env::var_os("APEX_PROJECT_PATH").filter(|path| !path.is_empty());
    named.map_or(How::Walk, |path| How::At(path.into()))
}

/// The shell would put the home directory in place of `~`.
fn expanded(path: &OsString) -> PathBuf {
    let path = Path::new(path);
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}

/// Returns the database of the project; nothing is made on the way.
fn database(how: &How) -> Option<PathBuf> {
    let (cwd, places) = (std::env::current_dir().ok()?, Places::from_env().ok()?);
    let is_anywhere = match how {
        How::At(_) => true,
        How::Walk => cwd.ancestors().any(|above| above.join(".apex").symlink_metadata().is_ok()),
        How::Global => false,
    };
    if !is_anywhere && !places.global().dir().exists() {
        return None;
    }
    Some(discover(how, &cwd, &places).ok()?.project.database())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_begin_so_lie_in_ranges() {
        assert_eq!(ranges("12")[..3], [(12, 12), (120, 129), (1_200, 1_299)]);
        assert_eq!(ranges("").len(), 1);
        for wrong in ["0", "x", "-1", "+1", "99999999999999999999"] {
            assert!(ranges(wrong).is_empty(), "{wrong}");
        }
    }

    #[test]
    fn the_project_is_the_one_that_was_typed() {
        let of = |words: &[&str]| how(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of(&["apex", "-g", "cancel", ""]), How::Global);
        assert_eq!(of(&["apex", "cancel", "-C", "/x", ""]), How::At("/x".into()));
        assert_eq!(of(&["apex", "--project=/y", "cancel", ""]), How::At("/y".into()));
        assert_eq!(of(&["apex", "run", "--", "-g", ""]), How::Walk);
    }
}
