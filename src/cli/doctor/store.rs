//! What is stored, and whether it may be run.

use crate::cli::doctor::files::away;
use crate::cli::doctor::{Check, Facts, quoted};
use crate::domain::time::Timestamp;
use crate::store::Error;
use crate::view::time::rfc3339;

/// A database that could be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database {
    /// When the newest change happened.
    pub newest: Option<Timestamp>,
    /// What a check of the whole file found.
    pub faults: Vec<String>,
    /// The names of the queues.
    pub queues: Vec<String>,
    /// The hooks that failed when they were run last: name, when, and what is told of it.
    pub failed_hooks: Vec<(String, Timestamp, String)>,
}

pub(super) fn database(facts: &Facts) -> Check {
    const NAME: &str = "database";
    let path = facts.data.join("apex.db");
    let replace = format!(
        "put a backup in its place, or move it away to start anew: `mv {} {}`",
        quoted(&path),
        quoted(&away(&path))
    );
    let save = "save what can be read with `apex db recover`, or put a backup in its place";
    let error = match &facts.database {
        Ok(None) => return Check::fine(NAME, "there is none yet; the first start makes it"),
        Ok(Some(database)) => {
            return match database.faults.first() {
                None => Check::fine(NAME, "it is ours, of this version, and whole"),
                Some(fault) => Check::wrong(NAME, format!("it is damaged: {fault}"), save),
            };
        }
        Err(error) => error,
    };
    match error {
        Error::Newer { found, known, .. } => Check::wrong(
            NAME,
            format!("a newer apex wrote it: it has schema {found}, this one knows {known}"),
            "use the newer apex",
        ),
        Error::Older { found, known, .. } => Check::warning(
            NAME,
            format!("an older apex wrote it: it has schema {found}, this one has {known}"),
            "the next `apex daemon start` copies it and brings it up to date",
        ),
        Error::Foreign { .. } => Check::wrong(NAME, "it is a database of another program", replace),
        Error::NotADatabase { .. } => Check::wrong(NAME, "`.apex/apex.db` is no database", save),
        Error::NotAFile { .. } => Check::wrong(NAME, "`.apex/apex.db` is no plain file", replace),
        Error::Damaged { what, .. } => Check::wrong(NAME, format!("it is damaged: {what}"), save),
        Error::Orphan { path } => Check::wrong(
            NAME,
            "it is gone, and what was not yet merged into it is left",
            format!("put it back, or move what is left away: `mv {} {}`", quoted(path), quoted(&away(path))),
        ),
        error => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Check::wrong(NAME, format!("{error}{cause}"), "see what the daemon says about it with `apex daemon logs`")
        }
    }
}

pub(super) fn hooks(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "hooks";
    let failed = match &facts.database {
        Ok(Some(database)) => &database.failed_hooks[..],
        _ => &[],
    };
    let told = |(name, at, reason): &(String, Timestamp, String)| {
        // Its name stands in front already, and the change tells nobody much.
        let why = reason.split_once("): ").map_or(reason.as_str(), |(_, why)| why);
        Check::warning(
            NAME,
            format!("hook `{name}` failed last time: {why} (at {})", rfc3339(*at)),
            "mend what it runs; `apex events` tells for what it was run, `apex daemon logs` of each failure",
        )
    };
    match failed {
        [] => vec![Check::fine(NAME, "none failed when it was run last")],
        failed => failed.iter().map(told).collect(),
    }
}

pub(super) fn trust(facts: &Facts) -> Check {
    const NAME: &str = "trust";
    match facts.untrusted {
        Some(false) => Check::fine(NAME, "the project is your own"),
        Some(true) => Check::wrong(
            NAME,
            "the project came from elsewhere, and nothing of it is run",
            "look at its tasks with `apex ls --all`, then accept it with `apex trust`",
        ),
        None => Check::warning(
            NAME,
            "whether the project is your own cannot be told without its database",
            "see what is said of the database",
        ),
    }
}
