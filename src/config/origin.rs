//! Where settings come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::error::Place;

/// Where the values of a [`Config`](crate::config::Config) come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    places: BTreeMap<String, Place>,
    files: Vec<PathBuf>,
}

impl Origins {
    /// Returns where the value of a key stands, `daemon.max_concurrent` or `queues.gpu.slots`; `None` for a default.
    pub fn of(&self, key: &str) -> Option<&Place> {
        self.places.get(key)
    }

    /// Returns the same in short: `default`, `/p/.apex/config.toml:12`, `APEX_MAX_CONCURRENT`, `--max-concurrent`.
    pub fn in_short(&self, key: &str) -> String {
        match self.of(key) {
            None => "default".to_owned(),
            Some(Place::File { path, line }) => format!("{}:{line}", path.display()),
            Some(Place::Variable(name)) => name.clone(),
            Some(Place::Flag(name)) => (*name).to_owned(),
        }
    }

    /// Returns the files that were read, in the order in which they count; the later ones win.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    pub(super) fn set(&mut self, key: String, place: Place) {
        self.places.insert(key, place);
    }

    /// Forgets where all keys stand that begin so.
    pub(super) fn forget(&mut self, beginning: &str) {
        self.places.retain(|key, _| !key.starts_with(beginning));
    }

    pub(super) fn read(&mut self, file: &Path) {
        self.files.push(file.to_owned());
    }
}
