//! `task edit` and `schedule edit`: what is there, in an editor or key by key.

use jiff::Zoned;

use crate::cli::args::{schedule, steer};
use crate::cli::command::schedule::view;
use crate::cli::connect;
use crate::cli::edit::{self, Head, SCHEDULE, Sheet, TASK, Variables, Wishes};
use crate::cli::editor;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::{Session, block_on, now};
use crate::domain::edit::Edit;
use crate::domain::id::TaskId;
use crate::domain::schedule::{Schedule, ScheduleEdit, Terms};
use crate::domain::task::{Environment, Task, TaskSpec};
use crate::exit::Exit;
use crate::paths::Project;
use crate::view::task::TaskView;

/// Lets a task be changed that has not started.
pub fn task(session: &Session, args: &steer::Edit) -> Result<i32, Failure> {
    let project = session.project()?;
    if !args.set.is_empty() || !args.unset.is_empty() {
        let wishes = Wishes::of(TASK, &args.set, &args.unset)?;
        let task = block_on(look(session, &project, args.id))?;
        let before = Sheet::of(&task.spec);
        let spec = edit::changed(&task.spec, &before, &wishes.apply(&before)?);
        let spec = spec.map_err(|wrong| wrong.1.with_exit(Exit::Usage))?;
        return send(session, &project, &task, spec, wishes.variables);
    }
    let editor = editor::named(|name| std::env::var(name).ok())?;
    let task = block_on(look(session, &project, args.id))?;
    let before = Sheet::of(&task.spec);
    let text = edit::text(Head::Task(task.id), &task.spec, &before);
    let stem = format!("task-{}", task.id);
    edit::in_editor(
        session,
        &editor,
        (project.data(), &stem),
        (&before, text),
        |after| edit::changed(&task.spec, &before, after),
        |spec| send(session, &project, &task, spec.unwrap_or_else(|| task.spec.clone()), Variables::default()),
    )
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
    let (set_env, unset_env) = variables.kept(session, project);
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
    let starts = starts.map(|at| format!(", starts at {}", render::instant::moment(at, now()))).unwrap_or_default();
    session.ui.note(&format!("task {} {}{starts}", task.id, did(is_changed)));
    if session.ui.json {
        session.ui.json(&TaskView::of(&task, project.data()))?;
    }
    Ok(Exit::Done.code())
}

/// Lets a schedule be changed.
pub fn schedule(session: &Session, args: &schedule::Edit) -> Result<i32, Failure> {
    let project = session.project()?;
    if !args.set.is_empty() || !args.unset.is_empty() {
        let wishes = Wishes::of(SCHEDULE, &args.set, &args.unset)?;
        let rules: Vec<&str> = wishes.set_keys().filter(|key| ["cron", "every", "at"].contains(key)).collect();
        if let [first, second, ..] = rules[..] {
            return Err(Failure::usage(format!("`{first}` and `{second}` cannot both be set")));
        }
        let schedule = block_on(look_at_schedule(session, &project, &args.name))?;
        let before = Sheet::of_schedule(&schedule);
        let terms = edit::changed_schedule(&schedule, &before, &wishes.apply(&before)?, &Zoned::now());
        let terms = terms.map_err(|wrong| wrong.1.with_exit(Exit::Usage))?;
        return send_schedule(session, &project, &schedule, terms, wishes.variables);
    }
    let editor = editor::named(|name| std::env::var(name).ok())?;
    let schedule = block_on(look_at_schedule(session, &project, &args.name))?;
    let before = Sheet::of_schedule(&schedule);
    let text = edit::text(Head::Schedule(&schedule.name), &schedule.spec, &before);
    let stem = format!("schedule-{}", schedule.name);
    edit::in_editor(
        session,
        &editor,
        (project.data(), &stem),
        (&before, text),
        |after| edit::changed_schedule(&schedule, &before, after, &Zoned::now()),
        |terms| {
            let terms = terms.unwrap_or_else(|| Terms::of(&schedule));
            send_schedule(session, &project, &schedule, terms, Variables::default())
        },
    )
}

/// Returns the schedule, unless the daemon is one that cannot change any.
async fn look_at_schedule(session: &Session, project: &Project, name: &str) -> Result<Schedule, Failure> {
    let connection = connect::connect(session, project).await?;
    let schedule = connection.client.schedule(name).await?;
    let nothing = (Environment::default(), Vec::new());
    let wish = wish_of(&schedule, Terms::of(&schedule), nothing);
    Ok(connection.client.edit_schedule(&wish).await?)
}

fn wish_of(
    schedule: &Schedule,
    terms: Terms,
    (set_env, unset_env): (Environment, Vec<std::ffi::OsString>),
) -> ScheduleEdit {
    let (name, created_at, base) = (schedule.name.clone(), schedule.created_at, Terms::of(schedule));
    ScheduleEdit { name, created_at, base, terms, set_env, unset_env }
}

fn send_schedule(
    session: &Session,
    project: &Project,
    seen: &Schedule,
    terms: Terms,
    variables: Variables,
) -> Result<i32, Failure> {
    let wish = wish_of(seen, terms, variables.kept(session, project));
    let is_changed = !wish.is_empty();
    let schedule = if is_changed {
        block_on(async {
            let connection = connect::connect(session, project).await?;
            Ok(connection.client.edit_schedule(&wish).await?)
        })?
    } else {
        seen.clone()
    };
    let due = schedule.next_at.filter(|_| wish.terms.has_other_times(&wish.base));
    session.ui.note(&render::schedule::done(&schedule, did(is_changed), due, now()));
    if session.ui.json {
        session.ui.json(&view(&schedule))?;
    }
    Ok(Exit::Done.code())
}

fn did(is_changed: bool) -> &'static str {
    if is_changed { "changed" } else { "unchanged" }
}
