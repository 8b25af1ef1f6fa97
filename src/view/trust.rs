//! What came of `trust`.

use std::path::Path;

use serde::Serialize;

/// The answer of `trust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrustView {
    project: String,
    trusted: bool,
    changed: bool,
}

impl TrustView {
    /// Returns the view of a project that is its user's own now; `changed` if it was not before.
    pub fn of(project: &Path, changed: bool) -> Self {
        Self { project: project.to_string_lossy().into_owned(), trusted: true, changed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    #[test]
    fn which_and_whether_it_is_new() {
        let view = TrustView::of(Path::new("/home/p"), true);
        insta::assert_snapshot!(json::line(&view).unwrap(), @r#"{"project":"/home/p","trusted":true,"changed":true}"#);
    }
}
