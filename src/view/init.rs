//! What came of `init`.

use std::path::Path;

use serde::Serialize;

/// The answer of `init`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitView {
    project: String,
    config: String,
    created: bool,
}

impl InitView {
    /// Returns the view of the project at `project` with the configuration `config`; `created` if it was not there yet.
    pub fn of(project: &Path, config: &Path, created: bool) -> Self {
        let lossy = |path: &Path| path.to_string_lossy().into_owned();
        Self { project: lossy(project), config: lossy(config), created }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    #[test]
    fn where_it_is_and_whether_it_is_new() {
        let view = InitView::of(Path::new("/home/p"), Path::new("/home/p/.apex/config.toml"), true);
        insta::assert_snapshot!(json::line(&view).unwrap(), @r#"{"project":"/home/p","config":"/home/p/.apex/config.toml","created":true}"#);
    }
}
