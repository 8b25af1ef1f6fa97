//! `task edit`: what a task is to do, in an editor or key by key.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::cli::args::steer;
use crate::cli::connect;
use crate::cli::edit::{self, Sheet};
use crate::cli::editor;
use crate::cli::error::Failure;
use crate::cli::render::understood;
use crate::cli::session::{Session, block_on, now};
use crate::domain::edit::Edit;
use crate::domain::error::ErrorKind;
use crate::domain::id::TaskId;
use crate::domain::task::{Environment, Task, TaskSpec};
use crate::exit::Exit;
use crate::paths::Project;
use crate::view::task::TaskView;

/// Lets a task be changed that has not started.
pub fn run(session: &Session, args: &steer::Edit) -> Result<i32, Failure> {
    let project = session.project()?;
    if !args.set.is_empty() || !args.unset.is_empty() {
        return by_keys(session, &project, args);
    }
    in_editor(session, &project, args.id)
}

/// What `--set` and `--unset` say of the environment.
#[derive(Debug, Default)]
struct Variables {
    set: Vec<(OsString, OsString)>,
    unset: Vec<OsString>,
}

fn by_keys(session: &Session, project: &Project, args: &steer::Edit) -> Result<i32, Failure> {
    let mut variables = Variables::default();
    let (mut set, mut unset) = (Vec::new(), Vec::new());
    for (key, value) in &args.set {
        match key.strip_prefix("env.") {
            Some(name) => variables.set.push((name.into(), value.into())),
            None => set.push((key, value)),
        }
    }
    for key in &args.unset {
        match key.strip_prefix("env.") {
            Some(name) => variables.unset.push(name.into()),
            None => unset.push(key),
        }
    }
    // What is wrong with the keys is found before anything is asked.
    for key in set.iter().map(|(key, _)| *key).chain(unset.iter().copied()).filter(|key| edit::entry(key).is_none()) {
        edit::find(key)?;
    }
    let task = block_on(look(session, project, args.id))?;
    let before = Sheet::of(&task.spec);
    let mut after = before.clone();
    for (key, value) in set {
        after.set(key, value)?;
    }
    for key in unset {
        after.unset(key)?;
    }
    let spec = edit::changed(&task.spec, &before, &after).map_err(|wrong| wrong.1.with_exit(Exit::Usage))?;
    send(session, project, &task, spec, variables)
}

fn in_editor(session: &Session, project: &Project, id: TaskId) -> Result<i32, Failure> {
    let editor = editor::named(|name| std::env::var(name).ok())?;
    let task = block_on(look(session, project, id))?;
    let before = Sheet::of(&task.spec);
    let draft = Draft::begin(project.data(), id, edit::text(id, &task.spec, &before))?;
    loop {
        if let Err(failure) = editor::open(&editor, &draft.path, session.ui.json) {
            return Err(draft.left(failure));
        }
        let done = draft.read().and_then(|text| match text.as_deref() {
            None => Ok(Some(task.spec.clone())),
            Some(text) => spec_of(text, &task.spec, &before).map(Some),
        });
        let done = done.and_then(|spec| match spec {
            Some(spec) => send(session, project, &task, spec, Variables::default()),
            None => Ok(Exit::Done.code()),
        });
        match done {
            Ok(code) => {
                draft.discard();
                return Ok(code);
            }
            Err(failure) => {
                if failure.problem.kind != ErrorKind::Invalid || !session.ui.can_ask() {
                    return Err(draft.left(failure));
                }
                session.ui.fail(&failure);
                if !session.ui.ask("edit it again?") {
                    return Err(draft.left(failure));
                }
            }
        }
    }
}

/// Reads what was written.
///
/// Errors: what is wrong, with its line.
fn spec_of(text: &str, spec: &TaskSpec, before: &Sheet) -> Result<TaskSpec, Failure> {
    let (after, lines) = edit::parse(text)?;
    edit::changed(spec, before, &after).map_err(|wrong| match (lines.get(wrong.0), wrong.1) {
        (Some(line), failure) => edit::at_line(*line, failure),
        (None, failure) => failure.with_exit(Exit::Refused),
    })
}

/// Returns the task, unless the daemon would refuse to change it.
async fn look(session: &Session, project: &Project, id: TaskId) -> Result<Task, Failure> {
    let connection = connect::connect(session, project).await?;
    let (task, _) = connection.client.task(id, false).await?;
    let (base, spec) = (task.spec.clone(), task.spec);
    let nothing = Edit { id, base, spec, set_env: Environment::default(), unset_env: Vec::new() };
    Ok(connection.client.edit(&nothing).await?)
}

fn send(
    session: &Session,
    project: &Project,
    task: &Task,
    spec: TaskSpec,
    variables: Variables,
) -> Result<i32, Failure> {
    let exclusion = session.configuration(project).env.exclusion();
    let (left_out, set): (Vec<_>, Vec<_>) = variables.set.into_iter().partition(|(name, _)| exclusion.matches(name));
    for (name, _) in left_out {
        session.ui.warn(&format!("variable `{}` is left out, as `[env] exclude` says", name.to_string_lossy()));
    }
    let (set_env, unset_env) = (Environment(set), variables.unset);
    let wish = Edit { id: task.id, base: task.spec.clone(), spec, set_env, unset_env };
    let is_changed = !wish.is_empty();
    let task = if is_changed {
        block_on(async {
            let connection = connect::connect(session, project).await?;
            Ok(connection.client.edit(&wish).await?)
        })?
    } else {
        task.clone()
    };
    let starts = task.spec.run_at.filter(|at| is_changed && Some(*at) != wish.base.run_at);
    let starts = starts.map(|at| format!(", starts at {}", understood(at, now()))).unwrap_or_default();
    session.ui.note(&format!("task {} {}{starts}", task.id, if is_changed { "changed" } else { "unchanged" }));
    if session.ui.json {
        session.ui.json(&TaskView::of(&task, project.data()))?;
    }
    Ok(Exit::Done.code())
}

/// A sheet that is being changed, in a file that nobody else can read.
#[derive(Debug)]
struct Draft {
    path: PathBuf,
    original: String,
}

impl Draft {
    fn begin(directory: &Path, id: TaskId, original: String) -> Result<Self, Failure> {
        let mark = Uuid::new_v4().simple().to_string();
        // The ending tells editors what it is.
        let path = directory.join(format!("task-{id}.edit-{}.toml", &mark[..8]));
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        written
            .and_then(|mut file| file.write_all(original.as_bytes()))
            .map_err(|error| Failure::io(format!("cannot write `{}`", path.display()), &error))?;
        Ok(Self { path, original })
    }

    /// Returns what was written; `None` if that is nothing, also where an editor took it away.
    fn read(&self) -> Result<Option<String>, Failure> {
        match fs::read(&self.path) {
            Ok(bytes) if bytes == self.original.as_bytes() => Ok(None),
            Ok(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| Failure::new(ErrorKind::Invalid, format!("`{}` is not UTF-8", self.path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::io(format!("cannot read `{}`", self.path.display()), &error)),
        }
    }

    fn discard(self) {
        // What cannot be removed is harmless.
        let _ = fs::remove_file(&self.path);
    }

    /// Leaves what was written where it is, and says where.
    fn left(self, failure: Failure) -> Failure {
        if let Ok(None) = self.read() {
            self.discard();
            return failure;
        }
        let kept = format!("what you wrote is kept in `{}`", self.path.display());
        failure.with_hint(kept)
    }
}
