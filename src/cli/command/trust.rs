//! `trust`: takes a project that came from elsewhere as one's own.

use uuid::Uuid;

use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::session::{Session, block_on};
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::paths::{self, Origin, Places, Project};
use crate::store::{self, sqlite};
use crate::view::trust::TrustView;

/// Enters the project with the database that it has now, and tells a daemon that runs. Never starts one.
pub fn run(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let places = Places::from_env()?;
    let database = database(&project)?;
    let changed = !is_own(&project, &places, database)?;
    let id = match database {
        Some(Database { id, .. }) => id,
        None => None,
    };
    if changed {
        paths::register(&project, &places, id)?;
    }
    // Also where nothing had to be entered: an earlier call may not have come this far.
    block_on(async {
        match connect::if_running(session, &project).await? {
            Ok(connection) => Ok(connection.client.trust().await?),
            Err(_) => Ok(()),
        }
    })?;
    if session.ui.json {
        session.ui.json(&TrustView::of(project.root(), changed))?;
    } else if !session.ui.quiet {
        let root = project.root().to_string_lossy();
        let what = if changed { "accepted: its tasks may run" } else { "is your own already" };
        session.ui.data(&format!("project `{}` {what}", neutralize(&root)))?;
    }
    Ok(Exit::Done.code())
}

/// Returns whether the project has tasks that came from elsewhere and that nobody has accepted.
pub fn is_untrusted(project: &Project) -> Result<bool, Failure> {
    Ok(!is_own(project, &Places::from_env()?, database(project)?)?)
}

/// A database that is there.
#[derive(Debug, Clone, Copy)]
struct Database {
    /// `None` if it is of a version that had none.
    id: Option<Uuid>,
}

fn database(project: &Project) -> Result<Option<Database>, Failure> {
    match sqlite::open_reader(&project.database()) {
        Ok(None) => Ok(None),
        Ok(Some(mut reader)) => Ok(Some(Database { id: reader.id()? })),
        Err(store::Error::Older { .. }) => Ok(Some(Database { id: None })),
        Err(error) => Err(error.into()),
    }
}

fn is_own(project: &Project, places: &Places, database: Option<Database>) -> Result<bool, Failure> {
    let entry = paths::entry(project, places)?;
    Ok(match database {
        None => entry != paths::Entry::Absent,
        Some(Database { id: Some(id) }) => paths::is_own(entry, id, Origin::Found),
        // It is of nobody's project.
        Some(Database { id: None }) => paths::is_own(entry, Uuid::nil(), Origin::Found),
    })
}
