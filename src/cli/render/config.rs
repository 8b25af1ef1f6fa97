//! Settings, and whether they are right.

use std::path::PathBuf;

use crate::domain::setting::ChangedSetting;
use crate::domain::text::neutralize;

/// Returns the line of `config check` for settings that can be used; `files` are those that were read.
pub fn valid(files: &[PathBuf]) -> String {
    let shown: Vec<String> = files.iter().map(|file| format!("`{}`", neutralize(&file.to_string_lossy()))).collect();
    let shown = if shown.is_empty() { "no file, only defaults".to_owned() } else { shown.join(", ") };
    format!("configuration is valid ({shown})")
}

/// Returns what has changed in a running daemon, a line for each setting.
pub fn changed(changed: &[ChangedSetting]) -> String {
    if changed.is_empty() {
        return "nothing changed".to_owned();
    }
    let line = |ChangedSetting { key, from, to, needs_restart }: &ChangedSetting| {
        let shown = |value: &Option<String>| neutralize(value.as_deref().unwrap_or("unset")).into_owned();
        let when = if *needs_restart { " (after `apex daemon restart`)" } else { "" };
        format!("{}: {} -> {}{when}", neutralize(key), shown(from), shown(to))
    };
    changed.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_stands_line_by_line() {
        let change = |key: &str, from: Option<&str>, to: Option<&str>, needs_restart| ChangedSetting {
            key: key.to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            needs_restart,
        };
        let changes = [
            change("daemon.max_concurrent", Some("3"), Some("8"), false),
            change("log.keep", Some("5"), Some("9"), true),
            change("queues.a\u{1b}.slots", None, Some("2"), false),
        ];
        insta::assert_snapshot!(changed(&changes), @r"
        daemon.max_concurrent: 3 -> 8
        log.keep: 5 -> 9 (after `apex daemon restart`)
        queues.a\u001b.slots: unset -> 2
        ");
        assert_eq!(changed(&[]), "nothing changed");
    }

    #[test]
    fn the_files_that_were_read_are_named() {
        let files = [PathBuf::from("/u/config.toml"), PathBuf::from("/p/\u{1b}/config.toml")];
        assert_eq!(valid(&files), "configuration is valid (`/u/config.toml`, `/p/\\u001b/config.toml`)");
        assert_eq!(valid(&[]), "configuration is valid (no file, only defaults)");
    }
}
