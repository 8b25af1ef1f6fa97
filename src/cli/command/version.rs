//! `version`

use crate::cli::error::Failure;
use crate::cli::session::Session;
use crate::exit::Exit;
use crate::store::sqlite::SCHEMA;
use crate::view::version::{JSON_VERSION, VersionView};

/// The number in `apex.v1`.
const PROTO_VERSION: u32 = 1;

/// Prints what this program speaks.
pub fn run(session: &Session) -> Result<i32, Failure> {
    let version =
        VersionView { version: env!("CARGO_PKG_VERSION"), proto: PROTO_VERSION, json: JSON_VERSION, schema: SCHEMA };
    if session.ui.json {
        session.ui.json(&version)?;
    } else if session.ui.quiet {
        session.ui.data(version.version)?;
    } else {
        let VersionView { version, proto, json, schema } = version;
        session.ui.data(&format!("apex {version} (proto {proto}, json {json}, schema {schema})"))?;
    }
    Ok(Exit::Done.code())
}
