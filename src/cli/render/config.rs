//! Settings, and whether they are right.

use std::path::PathBuf;

use crate::domain::text::neutralize;

/// Returns the line of `config check` for settings that can be used; `files` are those that were read.
pub fn valid(files: &[PathBuf]) -> String {
    let shown: Vec<String> = files.iter().map(|file| format!("`{}`", neutralize(&file.to_string_lossy()))).collect();
    let shown = if shown.is_empty() { "no file, only defaults".to_owned() } else { shown.join(", ") };
    format!("configuration is valid ({shown})")
}
