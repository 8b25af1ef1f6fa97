//! What `doctor` found.

use serde::Serialize;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckView {
    name: &'static str,
    status: &'static str,
    message: String,
    hint: Option<String>,
}

impl CheckView {
    /// Returns the view of what was found about `name`; the status is `ok`, `warn` or `fail`.
    pub fn of(name: &'static str, status: &'static str, message: &str, hint: Option<&str>) -> Self {
        Self { name, status, message: message.to_owned(), hint: hint.map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    #[test]
    fn four_keys() {
        let view =
            [CheckView::of("disk", "warn", "full", Some("make room")), CheckView::of("unit", "ok", "none", None)];
        insta::assert_snapshot!(json::line(&view[..]).unwrap(), @r#"[{"name":"disk","status":"warn","message":"full","hint":"make room"},{"name":"unit","status":"ok","message":"none","hint":null}]"#);
    }
}
