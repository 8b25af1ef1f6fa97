//! Settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::domain::setting::ChangedSetting;

/// The answer of `config show`: an object for each section, a value for each key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigView(BTreeMap<String, Node>);

/// One setting, to be put in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingView {
    /// Section and key, part by part: `["queues", "gpu", "slots"]`.
    pub path: Vec<String>,
    /// What it is.
    pub value: Plain,
    /// Where it comes from, if that is asked: the value becomes an object that says so.
    pub origin: Option<String>,
}

/// What a setting is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Plain {
    /// A string; lengths of time and sizes are strings, too.
    Text(String),
    /// A number.
    Number(u32),
    /// A boolean.
    Flag(bool),
    /// An array of strings.
    List(Vec<String>),
    /// An array of numbers.
    Numbers(Vec<u32>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Node {
    Section(BTreeMap<String, Node>),
    Value(Plain),
    Originated { value: Plain, origin: String },
}

impl ConfigView {
    /// Returns the view of all settings.
    pub fn of(settings: impl IntoIterator<Item = SettingView>) -> Self {
        let mut root = BTreeMap::new();
        for SettingView { path, value, origin } in settings {
            let node = match origin {
                Some(origin) => Node::Originated { value, origin },
                None => Node::Value(value),
            };
            insert(&mut root, path.into_iter(), node);
        }
        Self(root)
    }
}

fn insert(section: &mut BTreeMap<String, Node>, mut path: impl ExactSizeIterator<Item = String>, node: Node) {
    let Some(part) = path.next() else { return };
    if path.len() == 0 {
        section.insert(part, node);
    } else if let Node::Section(inner) = section.entry(part).or_insert_with(|| Node::Section(BTreeMap::new())) {
        insert(inner, path, node);
    }
}

/// The answer of `config check` for settings that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckView {
    valid: bool,
    files: Vec<String>,
    warnings: Vec<String>,
}

impl CheckView {
    /// Returns the view of settings that can be used, with the files that they were read from and what may not be as it was meant.
    pub fn valid(files: &[PathBuf], warnings: Vec<String>) -> Self {
        Self { valid: true, files: files.iter().map(|file| file.to_string_lossy().into_owned()).collect(), warnings }
    }
}

/// The answer of `config edit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EditView {
    changed: bool,
    file: String,
}

impl EditView {
    /// Returns the view of `file` after it was edited.
    pub fn of(changed: bool, file: &Path) -> Self {
        Self { changed, file: file.to_string_lossy().into_owned() }
    }
}

/// The answer of `daemon reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReloadView {
    changed: Vec<ChangedView>,
    warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ChangedView {
    key: String,
    from: Option<String>,
    to: Option<String>,
    needs_restart: bool,
}

impl ReloadView {
    /// Returns the view of what has changed, and of what may not be as it was meant; a value that is not set is null.
    pub fn of(changed: &[ChangedSetting], warnings: Vec<String>) -> Self {
        let changed = changed.iter().cloned();
        let view = |ChangedSetting { key, from, to, needs_restart }| ChangedView { key, from, to, needs_restart };
        Self { changed: changed.map(view).collect(), warnings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    fn settings(with_origins: bool) -> ConfigView {
        let of = |path: &str, value, origin: &str| SettingView {
            path: path.split('.').map(str::to_owned).collect(),
            value,
            origin: with_origins.then(|| origin.to_owned()),
        };
        ConfigView::of([
            of("client.auto_start", Plain::Flag(true), "default"),
            of("daemon.poll_interval", Plain::Text("5s".into()), "/p/.apex/config.toml:3"),
            of("daemon.max_concurrent", Plain::Number(3), "APEX_MAX_CONCURRENT"),
            of("env.exclude", Plain::List(vec!["*_TOKEN".into()]), "default"),
            of("queues.default.slots", Plain::Number(0), "default"),
            of("queues.gpu.slots", Plain::Number(2), "/p/.apex/config.toml:9"),
        ])
    }

    #[test]
    fn values_stand_in_their_sections() {
        insta::assert_snapshot!(json::line(&settings(false)).unwrap(), @r#"{"client":{"auto_start":true},"daemon":{"max_concurrent":3,"poll_interval":"5s"},"env":{"exclude":["*_TOKEN"]},"queues":{"default":{"slots":0},"gpu":{"slots":2}}}"#);
    }

    #[test]
    fn with_origins_a_value_is_an_object() {
        insta::assert_snapshot!(json::line(&settings(true)).unwrap(), @r#"{"client":{"auto_start":{"value":true,"origin":"default"}},"daemon":{"max_concurrent":{"value":3,"origin":"APEX_MAX_CONCURRENT"},"poll_interval":{"value":"5s","origin":"/p/.apex/config.toml:3"}},"env":{"exclude":{"value":["*_TOKEN"],"origin":"default"}},"queues":{"default":{"slots":{"value":0,"origin":"default"}},"gpu":{"slots":{"value":2,"origin":"/p/.apex/config.toml:9"}}}}"#);
    }

    #[test]
    fn what_was_checked_and_what_was_edited() {
        let file = PathBuf::from("/p/.apex/config.toml");
        insta::assert_snapshot!(json::line(&CheckView::valid(std::slice::from_ref(&file), Vec::new())).unwrap(), @r#"{"valid":true,"files":["/p/.apex/config.toml"],"warnings":[]}"#);
        insta::assert_snapshot!(json::line(&EditView::of(true, &file)).unwrap(), @r#"{"changed":true,"file":"/p/.apex/config.toml"}"#);
    }

    #[test]
    fn what_has_changed() {
        let change = |key: &str, from: Option<&str>, needs_restart| ChangedSetting {
            key: key.to_owned(),
            from: from.map(str::to_owned),
            to: Some("9".to_owned()),
            needs_restart,
        };
        let changed = [change("log.keep", Some("5"), true), change("queues.gpu.slots", None, false)];
        insta::assert_snapshot!(json::line(&ReloadView::of(&changed, vec!["odd".to_owned()])).unwrap(), @r#"{"changed":[{"key":"log.keep","from":"5","to":"9","needs_restart":true},{"key":"queues.gpu.slots","from":null,"to":"9","needs_restart":false}],"warnings":["odd"]}"#);
    }
}
