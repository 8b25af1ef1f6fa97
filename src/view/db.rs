//! What came of `db check`, `db backup` and `db recover`.

use std::path::Path;

use serde::Serialize;

/// The answer of `db check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckView {
    database: String,
    sound: bool,
    findings: Vec<String>,
}

impl CheckView {
    /// Returns the view of what was found in a database.
    pub fn of(database: &Path, findings: &[String]) -> Self {
        let database = database.to_string_lossy().into_owned();
        Self { database, sound: findings.is_empty(), findings: findings.to_vec() }
    }
}

/// The answer of `db backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupView {
    database: String,
    file: String,
    bytes: u64,
}

impl BackupView {
    /// Returns the view of a copy.
    pub fn of(database: &Path, file: &Path, bytes: u64) -> Self {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Self { database: text(database), file: text(file), bytes }
    }
}

/// The answer of `db recover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecoverView {
    database: String,
    recovered: bool,
    kept: Option<String>,
    tasks: Option<u64>,
    had: Option<u64>,
    losses: Vec<String>,
}

impl RecoverView {
    /// Returns the view of a database in which nothing had to be done.
    pub fn sound(database: &Path) -> Self {
        let database = database.to_string_lossy().into_owned();
        Self { database, recovered: false, kept: None, tasks: None, had: None, losses: Vec::new() }
    }

    /// Returns the view of a database of which `tasks` tasks were saved.
    pub fn of(database: &Path, kept: &Path, tasks: u64, had: Option<u64>, losses: &[String]) -> Self {
        let kept = Some(kept.to_string_lossy().into_owned());
        Self { recovered: true, kept, tasks: Some(tasks), had, losses: losses.to_vec(), ..Self::sound(database) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    #[test]
    fn every_answer_names_the_database() {
        let db = Path::new("/p/.apex/apex.db");
        insta::assert_snapshot!(json::line(&CheckView::of(db, &[])).unwrap(), @r#"{"database":"/p/.apex/apex.db","sound":true,"findings":[]}"#);
        insta::assert_snapshot!(json::line(&BackupView::of(db, Path::new("/b"), 4096)).unwrap(), @r#"{"database":"/p/.apex/apex.db","file":"/b","bytes":4096}"#);
        insta::assert_snapshot!(json::line(&RecoverView::sound(db)).unwrap(), @r#"{"database":"/p/.apex/apex.db","recovered":false,"kept":null,"tasks":null,"had":null,"losses":[]}"#);
        let saved = RecoverView::of(db, Path::new("/k"), 2, Some(3), &["one".to_owned()]);
        insta::assert_snapshot!(json::line(&saved).unwrap(), @r#"{"database":"/p/.apex/apex.db","recovered":true,"kept":"/k","tasks":2,"had":3,"losses":["one"]}"#);
    }
}
