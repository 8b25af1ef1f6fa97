//! What came of `daemon install` and `daemon uninstall`.

use std::path::Path;

use serde::Serialize;

/// The unit by which the system's supervisor runs the daemon of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitView {
    unit: String,
    path: String,
    installed: bool,
    changed: bool,
    enabled: Option<bool>,
    started: Option<bool>,
}

/// How the supervisor says that a unit stands; what it does not say is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// It is started at login.
    pub enabled: Option<bool>,
    /// The daemon runs as this unit.
    pub started: Option<bool>,
}

impl UnitView {
    /// Returns the view of unit `name` in the file `path`; `changed` if that was written or removed just now.
    pub fn of(name: &str, path: &Path, installed: bool, changed: bool, standing: Standing) -> Self {
        let Standing { enabled, started } = standing;
        let path = path.to_string_lossy().into_owned();
        Self { unit: name.to_owned(), path, installed, changed, enabled, started }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    #[test]
    fn what_the_supervisor_does_not_say_is_null() {
        let standing = Standing { enabled: Some(true), started: None };
        let view = UnitView::of("apex-p-0.service", Path::new("/u/apex-p-0.service"), true, false, standing);
        insta::assert_snapshot!(json::line(&view).unwrap(), @r#"{"unit":"apex-p-0.service","path":"/u/apex-p-0.service","installed":true,"changed":false,"enabled":true,"started":null}"#);
    }
}
