//! `ps`: what runs in this project, and how all projects of this user stand. Never starts a daemon.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::cli::args::look::Ps;
use crate::cli::command::lock::{self, Guardian};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::{Session, block_on, now};
use crate::domain::query::{Counts, TaskFilter};
use crate::domain::task::State;
use crate::exit::Exit;
use crate::paths::{self, How, Places, Registered, discover};
use crate::store::sqlite;
use crate::view::ps::ProjectView;
use crate::view::task::TaskView;

/// How long all projects together may take: one on a file system that does not answer holds up no other.
const PATIENCE: Duration = Duration::from_secs(2);

/// Prints what runs.
pub fn run(session: &Session, args: &Ps) -> Result<i32, Failure> {
    if args.all_projects { all(session) } else { own(session) }
}

fn own(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let states = State::ALL.into_iter().filter(|state| state.is_active()).collect();
    let filter = TaskFilter { states, ..TaskFilter::default() };
    let page = block_on(async {
        let Some(connection) = connect::if_reachable(session, &project).await? else { return Ok(None) };
        Ok(Some(connection.client.tasks(&filter).await?))
    })?;
    let is_running = page.is_some();
    let tasks = page.unwrap_or_default().tasks;
    if session.ui.json {
        let views: Vec<TaskView> = tasks.iter().map(|task| TaskView::of(task, project.data())).collect();
        session.ui.json(&views)?;
    } else if !tasks.is_empty() {
        let ids: Vec<String> = tasks.iter().map(|task| task.id.to_string()).collect();
        let table = || render::task::list(&tasks, now(), session.ui.width());
        session.ui.data(&if session.ui.quiet { ids.join("\n") } else { table() })?;
    } else if is_running {
        session.ui.note("nothing runs; see all with `apex ls`");
    }
    if !is_running {
        session.ui.remark("the daemon is not running; `apex daemon start` starts it");
    }
    Ok(Exit::Done.code())
}

fn all(session: &Session) -> Result<i32, Failure> {
    let places = Places::from_env()?;
    let global = places.global();
    let mut entries = paths::registered(&places)?;
    if global.dir().exists() && !entries.iter().any(|entry| entry.root == global.root()) {
        entries.push(Registered { root: global.root().to_owned(), file: PathBuf::new() });
    }
    entries.sort_by(|a, b| a.root.cmp(&b.root));
    let (reply, answers) = mpsc::channel();
    for (place, entry) in entries.iter().enumerate() {
        let (reply, root, places) = (reply.clone(), entry.root.clone(), places.clone());
        // Never waited for: one that does not come back ends with the program.
        thread::spawn(move || {
            // Nobody may be waiting any more.
            let _ = reply.send((place, look(&root, &places)));
        });
    }
    drop(reply);
    let mut found: Vec<Option<ProjectView>> = vec![None; entries.len()];
    let until = std::time::Instant::now() + PATIENCE;
    while let Ok((place, view)) = answers.recv_timeout(until.saturating_duration_since(std::time::Instant::now())) {
        found[place] = Some(view);
    }
    let silent =
        |root: &Path| ProjectView { reason: Some("it does not answer".to_owned()), ..bare(root, "unreadable") };
    let views: Vec<ProjectView> =
        found.into_iter().zip(&entries).map(|(view, entry)| view.unwrap_or_else(|| silent(&entry.root))).collect();
    if session.ui.json {
        session.ui.json(&views)?;
    } else if views.is_empty() {
        session.ui.note("no projects; make one with `apex init`");
    } else {
        session.ui.data(&render::ps::table(&views, session.ui.width()))?;
    }
    for (view, entry) in views.iter().zip(&entries) {
        if view.state == "gone" {
            let (root, file) = (entry.root.display(), entry.file.display());
            session.ui.remark(&render::harmless(&format!("`{root}` is gone; forget it with `rm '{file}'`")));
        }
    }
    Ok(Exit::Done.code())
}

fn bare(root: &Path, state: &'static str) -> ProjectView {
    ProjectView {
        project: root.to_string_lossy().into_owned(),
        state,
        pid: None,
        running: None,
        queued: None,
        waiting: None,
        failed: None,
        reason: None,
    }
}

/// Returns how a project stands.
fn look(root: &Path, places: &Places) -> ProjectView {
    if !root.join(paths::DIR_NAME).is_dir() {
        return bare(root, "gone");
    }
    let unreadable = |reason: String| ProjectView { reason: Some(reason), ..bare(root, "unreadable") };
    let project = match discover(&How::At(root.to_owned()), Path::new("/"), places) {
        Ok(found) => found.project,
        Err(error) => return unreadable(error.to_string()),
    };
    let is_running = match lock::is_held(&project) {
        Ok(is_held) => is_held,
        Err(failure) => return unreadable(failure.problem.message),
    };
    let counts = match sqlite::open_reader(&project.database())
        .and_then(|store| store.map_or(Ok(Counts::default()), |mut store| store.counts()))
    {
        Ok(counts) => counts,
        Err(error) => return unreadable(error.to_string()),
    };
    let has_failed = |state| matches!(state, State::Failed | State::TimedOut | State::Lost | State::Interrupted);
    ProjectView {
        pid: if is_running { Guardian::find(&project).map(|guardian| guardian.pid) } else { None },
        running: Some(counts.sum(State::is_active)),
        queued: Some(counts.of(State::Queued)),
        waiting: Some(counts.sum(State::is_waiting)),
        failed: Some(counts.sum(has_failed)),
        ..bare(root, if is_running { "running" } else { "stopped" })
    }
}
