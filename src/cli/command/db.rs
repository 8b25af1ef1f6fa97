//! `db check`, `db backup`, `db recover`: what a person does with the task store. None of them needs the daemon or starts it.

use std::io;
use std::path::Path;

use crate::cli::args::db::Backup;
use crate::cli::command::lock;
use crate::cli::error::Failure;
use crate::cli::session::{Session, now};
use crate::domain::error::ErrorKind;
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::paths::Project;
use crate::store::{Error, sqlite};
use crate::view::db::{BackupView, CheckView, RecoverView};

/// Reads all of it.
pub fn check(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let database = project.database();
    let findings = match sqlite::open_reader(&database) {
        Ok(None) => return Err(nothing_there(&project)),
        Ok(Some(mut reader)) => reader.findings(),
        Err(error) => Err(error),
    };
    let findings = match findings {
        // That it cannot be read to the end is what was asked. What to do about it is told below.
        Err(Error::Damaged { what, source, .. }) => {
            let cause = source.map(|source| source.to_string()).filter(|cause| *cause != what);
            vec![cause.map_or_else(|| what.clone(), |cause| format!("{what}: {cause}"))]
        }
        Err(Error::NotADatabase { path }) => vec![format!("`{}` is not a database", path.display())],
        Err(Error::Orphan { path }) => {
            vec![format!("`{}` is there, but the task store it belongs to is gone", path.display())]
        }
        findings => findings?,
    };
    if session.ui.json {
        session.ui.json(&CheckView::of(&database, &findings))?;
    } else if findings.is_empty() {
        if !session.ui.quiet {
            session.ui.data(&format!("`{}` is sound", neutralize(&database.to_string_lossy())))?;
        }
    } else {
        let lines: Vec<_> = findings.iter().map(|finding| neutralize(finding)).collect();
        session.ui.data(&lines.join("\n"))?;
        session.ui.remark("save what can be read with `apex db recover`, or put a backup in its place");
    }
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Refused }.code())
}

/// Copies it.
pub fn backup(session: &Session, args: &Backup) -> Result<i32, Failure> {
    let project = session.project()?;
    let database = project.database();
    let file = session.base_of(&args.file)?.join(&args.file);
    let bytes = sqlite::copy(&database, &file).map_err(|error| match error {
        Error::Io { path, source, .. } if source.kind() == io::ErrorKind::AlreadyExists => is_taken(&path),
        error => error.into(),
    })?;
    let bytes = bytes.ok_or_else(|| nothing_there(&project))?;
    if session.ui.json {
        session.ui.json(&BackupView::of(&database, &file, bytes))?;
    } else {
        session.ui.note(&format!("copied to `{}`, {bytes} bytes", neutralize(&file.to_string_lossy())));
    }
    Ok(Exit::Done.code())
}

/// Saves what can be read of it.
pub fn recover(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let database = project.database();
    let Some(_held) = lock::take(&project)? else {
        let message = "the daemon runs: nobody else may touch the task store";
        return Err(Failure::new(ErrorKind::Conflict, message).with_hint("stop it with `apex daemon stop`"));
    };
    sqlite::keep_temporary_files_beside(&database)?;
    if let Ok(None) = sqlite::open_reader(&database) {
        return Err(nothing_there(&project));
    }
    let Some(done) = sqlite::recover(&database, now())? else {
        if session.ui.json {
            session.ui.json(&RecoverView::sound(&database))?;
        } else {
            session.ui.note("the task store is sound: nothing was done");
        }
        return Ok(Exit::Done.code());
    };
    // A store that never had a task has lost none.
    let nothing_saved = done.tasks == 0 && done.had != Some(0);
    let code = if nothing_saved { Exit::Refused } else { Exit::Done }.code();
    if session.ui.json {
        session.ui.json(&RecoverView::of(&database, &done.kept, done.tasks, done.had, &done.losses))?;
        return Ok(code);
    }
    let of = done.had.map(|had| format!(" of {had}")).unwrap_or_default();
    session.ui.data(&if nothing_saved {
        format!("no task{of} could be saved: the new task store is empty")
    } else {
        format!("{}{of} task(s) saved", done.tasks)
    })?;
    for loss in &done.losses {
        session.ui.data(&neutralize(loss))?;
    }
    session.ui.note(&format!("the damaged task store is kept as `{}`", neutralize(&done.kept.to_string_lossy())));
    if nothing_saved {
        session.ui.remark("if there is a backup, put it in the place of the new one");
    }
    Ok(code)
}

fn is_taken(file: &Path) -> Failure {
    let message = format!("`{}` is there already, and a backup is written over nothing", file.display());
    Failure::new(ErrorKind::Conflict, message).with_hint("name a file that is not there yet, or move that one away")
}

fn nothing_there(project: &Project) -> Failure {
    let message = format!("there is no task store `{}`: nothing was stored yet", project.database().display());
    Failure::new(ErrorKind::NotFound, message)
}
