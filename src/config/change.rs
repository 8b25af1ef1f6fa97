//! What is another when a configuration is read again.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::config::schema::{self, Effect};
use crate::domain::setting::ChangedSetting;

/// Returns the settings that differ, in the order in which they are shown, those that are gone last.
///
/// Shape: values as text, strings without quotation marks. A queue that is named in one of the two alone has no value in
/// the other; the default queue always has one.
pub fn changed(old: &Config, new: &Config) -> Vec<ChangedSetting> {
    let (old, new) = (old.settings(), new.settings());
    let mut before: BTreeMap<String, String> =
        old.iter().map(|setting| (setting.key(), setting.value.to_string())).collect();
    let needs_restart = |key: &str| {
        let known = schema::KEYS.iter().find(|known| format!("{}.{}", known.section, known.name) == key);
        known.is_some_and(|known| known.effect == Effect::Restart)
    };
    let mut changed = Vec::new();
    for setting in &new {
        let (key, to) = (setting.key(), setting.value.to_string());
        let from = before.remove(&key);
        if from.as_ref() != Some(&to) {
            let needs_restart = needs_restart(&key);
            changed.push(ChangedSetting { key, from, to: Some(to), needs_restart });
        }
    }
    changed.extend(before.into_iter().map(|(key, from)| {
        let needs_restart = needs_restart(&key);
        ChangedSetting { key, from: Some(from), to: None, needs_restart }
    }));
    changed
}

/// Returns what a daemon that followed `old` follows once it has read `new`: what needs a restart stays as it was.
pub fn in_force(old: &Config, new: &Config) -> Config {
    let mut config = new.clone();
    for key in schema::KEYS.iter().filter(|key| key.effect == Effect::Restart) {
        (key.set)(&mut config, &(key.get)(old).into()).expect("a value that was checked once is taken again");
    }
    config
}
