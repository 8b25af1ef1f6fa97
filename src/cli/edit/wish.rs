//! What is typed key by key, without an editor.

use std::ffi::OsString;

use crate::cli::edit::{Keys, Sheet, entry, find};
use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::domain::task::Environment;
use crate::paths::Project;

/// What `--set` and `--unset` say.
#[derive(Debug)]
pub struct Wishes<'a> {
    set: Vec<(&'a str, &'a str)>,
    unset: Vec<&'a str>,
    /// What they say of the environment.
    pub variables: Variables,
}

/// What becomes of an environment.
#[derive(Debug, Default)]
pub struct Variables {
    set: Vec<(OsString, OsString)>,
    unset: Vec<OsString>,
}

impl<'a> Wishes<'a> {
    /// Takes apart what was typed of a sheet with these keys.
    ///
    /// Errors: a key that there is not. That is found before anything is asked.
    pub fn of(keys: Keys, set: &'a [(String, String)], unset: &'a [String]) -> Result<Self, Failure> {
        let mut wishes = Self { set: Vec::new(), unset: Vec::new(), variables: Variables::default() };
        for (key, value) in set {
            match key.strip_prefix("env.") {
                Some(name) => wishes.variables.set.push((name.into(), value.into())),
                None => wishes.set.push((key, value)),
            }
        }
        for key in unset {
            match key.strip_prefix("env.") {
                Some(name) => wishes.variables.unset.push(name.into()),
                None => wishes.unset.push(key),
            }
        }
        let named = wishes.set.iter().map(|(key, _)| *key).chain(wishes.unset.iter().copied());
        for key in named.filter(|key| entry(key).is_none()) {
            find(keys, key)?;
        }
        Ok(wishes)
    }

    /// Returns the keys that are set.
    pub fn set_keys(&self) -> impl Iterator<Item = &'a str> {
        self.set.iter().map(|(key, _)| *key)
    }

    /// Returns what they make of a sheet.
    pub fn apply(&self, sheet: &Sheet) -> Result<Sheet, Failure> {
        let mut sheet = sheet.clone();
        for (key, value) in &self.set {
            sheet.set(key, value)?;
        }
        for key in &self.unset {
            sheet.unset(key)?;
        }
        Ok(sheet)
    }
}

impl Variables {
    /// Returns what is set and what is taken out, without what the project keeps out, of which a warning tells.
    pub fn kept(self, session: &Session, project: &Project) -> (Environment, Vec<OsString>) {
        let exclusion = session.configuration(project).env.exclusion();
        let (left_out, set): (Vec<_>, Vec<_>) = self.set.into_iter().partition(|(name, _)| exclusion.matches(name));
        for (name, _) in left_out {
            session.ui.warn(&format!("variable `{}` is left out, as `[env] exclude` says", name.to_string_lossy()));
        }
        (Environment(set), self.unset)
    }
}
