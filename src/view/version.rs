//! Which versions of what this program speaks.

use serde::Serialize;

/// The answer of `version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionView {
    /// The program's own version.
    pub version: &'static str,
    /// Of the wire: the number in `apex.v1`.
    pub proto: u32,
    /// Of the JSON of this room.
    pub json: u32,
    /// Of the database.
    pub schema: u32,
}

/// Version of the JSON. Keys are only ever added within one.
pub const JSON_VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::json;

    #[test]
    fn four_numbers() {
        let version = VersionView { version: "0.1.0", proto: 1, json: JSON_VERSION, schema: 1 };
        insta::assert_snapshot!(json::line(&version).unwrap(), @r#"{"version":"0.1.0","proto":1,"json":1,"schema":1}"#);
    }
}
