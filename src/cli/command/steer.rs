//! `task cancel`, `kill`, `release`, `hold`, `pause`, `resume`, `retry`, `rm`: a verb for several tasks, each of which may
//! refuse.

use std::collections::BTreeSet;

use crate::cli::args::steer::{Hold, Pause, Remove, Resume, Retry};
use crate::cli::args::task::{Cancel, Kill, Release};
use crate::cli::args::which::Which;
use crate::cli::command::chosen;
use crate::cli::command::wait::{self, Watching, print_whole};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::{Session, block_on};
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::outcome::SignalName;
use crate::domain::query::PerTask;
use crate::domain::selection::{Deed, Done, Selection};
use crate::exit::Exit;
use crate::paths::Project;
use crate::rpc::client::{Cancelled, Client, Results};
use crate::view::task::TaskView;

/// Of so many tasks that were chosen each is told on a line of its own; of more, how many they are.
const LINES_MAX: usize = 32;

/// Cancels tasks.
pub fn cancel(session: &Session, args: &Cancel) -> Result<i32, Failure> {
    let project = session.project()?;
    let deed = Deed::Cancel { reason: args.reason.clone() };
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let by_ids = async |ids: &[TaskId]| {
            let done = |how| if how == Cancelled::Asked { Done::Asked } else { Done::Whole };
            let results = client.cancel(ids, args.reason.as_deref()).await?;
            Ok(results.into_iter().map(|(id, result)| (id, result.map(done))).collect())
        };
        let (done, code) = steer(session, client, &args.which, &deed, by_ids).await?;
        let asked: Vec<TaskId> = done.iter().map(|(id, _)| *id).collect();
        if args.wait && !asked.is_empty() {
            let mut watching = Watching::new(&asked, &[]);
            watching.to_the_end(session, client).await?;
            let was_running: BTreeSet<TaskId> =
                done.iter().filter(|(_, how)| *how == Done::Asked).map(|(id, _)| *id).collect();
            for task in watching.tasks().iter().filter(|task| was_running.contains(&task.id)) {
                session.ui.note(&render::task::ended(task));
            }
        }
        print(session, &project, client, &asked, is_single(&args.which)).await?;
        Ok(code)
    })
}

/// Sends a signal to tasks.
pub fn kill(session: &Session, args: &Kill) -> Result<i32, Failure> {
    let deed = Deed::Kill { signal: args.signal };
    plain(session, &args.which, &deed, async |client, ids| client.kill(ids, args.signal).await)
}

/// Lets held tasks go.
pub fn release(session: &Session, args: &Release) -> Result<i32, Failure> {
    plain(session, &args.which, &Deed::Release, async |client, ids| client.release(ids).await)
}

/// Keeps waiting tasks back.
pub fn hold(session: &Session, args: &Hold) -> Result<i32, Failure> {
    plain(session, &args.which, &Deed::Hold, async |client, ids| client.hold(ids).await)
}

/// Stops the processes of tasks.
pub fn pause(session: &Session, args: &Pause) -> Result<i32, Failure> {
    plain(session, &args.which, &Deed::Pause, async |client, ids| client.pause(ids).await)
}

/// Lets the processes of tasks go on.
pub fn resume(session: &Session, args: &Resume) -> Result<i32, Failure> {
    plain(session, &args.which, &Deed::Resume, async |client, ids| client.resume(ids).await)
}

/// Runs tasks again.
pub fn retry(session: &Session, args: &Retry) -> Result<i32, Failure> {
    let Some(selection) = args.selection() else { return retry_failed(session) };
    let is_single = is_single(&args.which);
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let by_ids = async |ids: &[TaskId]| Ok(whole(client.retry(ids).await?));
        let (done, code) = steer_selection(session, client, &selection, &Deed::Retry, by_ids).await?;
        print(session, &project, client, &ids_of(&done), is_single).await?;
        Ok(code)
    })
}

fn retry_failed(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let results = whole(connection.client.retry_failed().await?);
        if results.is_empty() {
            session.ui.note("no task to retry");
        }
        let (done, code) = tell_all(session, results);
        note(session, &Deed::Retry, &done, false);
        // However many there are, it is a list that was asked for.
        print(session, &project, &connection.client, &ids_of(&done), false).await?;
        Ok(code)
    })
}

/// Removes tasks.
pub fn remove(session: &Session, args: &Remove) -> Result<i32, Failure> {
    let project = session.project()?;
    let selection = args.which.selection();
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let mut stood = Vec::new();
        if session.ui.json {
            // Afterwards there is nothing left to print. What is not there is told by the removal.
            for id in chosen::ids(client, &selection).await? {
                let task = wait::as_it_stands(client, id).await;
                stood.extend(task.ok().map(|task| TaskView::of(&task, project.data())));
            }
        }
        let by_ids = async |ids: &[TaskId]| Ok(whole(client.remove(ids).await?));
        let (done, code) = steer_selection(session, client, &selection, &Deed::Remove, by_ids).await?;
        if session.ui.json {
            let gone: BTreeSet<u64> = done.iter().map(|(id, _)| id.get()).collect();
            stood.retain(|view| gone.contains(&view.id()));
            match stood.as_slice() {
                [view] if is_single(&args.which) => session.ui.json(view)?,
                views => session.ui.json(views)?,
            }
        }
        Ok(code)
    })
}

/// Does something to tasks, tells what came of it, and with JSON prints those for which it was done.
fn plain(
    session: &Session,
    which: &Which,
    deed: &Deed,
    verb: impl AsyncFnOnce(&Client, &[TaskId]) -> Results<()>,
) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let by_ids = async |ids: &[TaskId]| Ok(whole(verb(client, ids).await?));
        let (done, code) = steer(session, client, which, deed, by_ids).await?;
        print(session, &project, client, &ids_of(&done), is_single(which)).await?;
        Ok(code)
    })
}

/// Does something to the tasks that are meant, and tells what came of it.
async fn steer(
    session: &Session,
    client: &Client,
    which: &Which,
    deed: &Deed,
    by_ids: impl AsyncFnOnce(&[TaskId]) -> Results<Done>,
) -> Result<Told<TaskId, Done>, Failure> {
    steer_selection(session, client, &which.selection(), deed, by_ids).await
}

/// The same. What is named one by one is asked for by `by_ids`: daemons of every version know that.
async fn steer_selection(
    session: &Session,
    client: &Client,
    selection: &Selection,
    deed: &Deed,
    by_ids: impl AsyncFnOnce(&[TaskId]) -> Results<Done>,
) -> Result<Told<TaskId, Done>, Failure> {
    let Some(ids) = selection.plain_ids() else {
        let tell = |done: &[(TaskId, Done)]| note(session, deed, done, done.len() > LINES_MAX);
        return chosen::steer(session, client, selection, deed, tell).await;
    };
    let (done, code) = tell(session, by_ids(ids).await?)?;
    note(session, deed, &done, false);
    Ok((done, code))
}

/// Returns whether a single task was named, which is then printed as an object.
fn is_single(which: &Which) -> bool {
    which.selection().plain_ids().is_some_and(|ids| ids.len() == 1)
}

fn ids_of(done: &[(TaskId, Done)]) -> Vec<TaskId> {
    done.iter().map(|(id, _)| *id).collect()
}

fn whole(results: PerTask<(), Problem>) -> PerTask<Done, Problem> {
    results.into_iter().map(|(id, result)| (id, result.map(|()| Done::Whole))).collect()
}

/// Says for which tasks it was done: on a line each, or, if they are `many`, how many they are.
fn note(session: &Session, deed: &Deed, done: &[(TaskId, Done)], many: bool) {
    if !many {
        for (id, how) in done {
            session.ui.note(&done_to(deed, *how, &format!("task {id}"), false));
        }
        return;
    }
    for how in [Done::Whole, Done::Asked] {
        match done.iter().filter(|(_, done)| *done == how).count() {
            0 => {}
            1 => session.ui.note(&done_to(deed, how, "1 task", false)),
            n => session.ui.note(&done_to(deed, how, &format!("{n} tasks"), true)),
        }
    }
}

/// Returns what was done to `tasks`.
fn done_to(deed: &Deed, how: Done, tasks: &str, are_many: bool) -> String {
    match deed {
        Deed::Cancel { .. } if how == Done::Asked && are_many => format!("{tasks} are being cancelled"),
        Deed::Cancel { .. } if how == Done::Asked => format!("{tasks} is being cancelled"),
        Deed::Cancel { .. } => format!("{tasks} cancelled"),
        Deed::Kill { signal } => format!("{} sent to {tasks}", SignalName(*signal)),
        Deed::Release => format!("{tasks} released"),
        Deed::Hold => format!("{tasks} held"),
        Deed::Pause => format!("{tasks} paused"),
        Deed::Resume => format!("{tasks} resumed"),
        Deed::Retry => format!("{tasks} will run again"),
        Deed::Remove => format!("{tasks} removed"),
    }
}

/// With JSON: prints the tasks for which it was done, as they stand now.
async fn print(
    session: &Session,
    project: &Project,
    client: &Client,
    done: &[TaskId],
    single: bool,
) -> Result<(), Failure> {
    if !session.ui.json {
        return Ok(());
    }
    let mut tasks = Vec::with_capacity(done.len());
    for id in done {
        tasks.push(client.task(*id, false).await?.0);
    }
    print_whole(session, project, client, &tasks, single).await
}

/// What was done, and the exit code.
type Told<K, T> = (Vec<(K, T)>, i32);

/// Tells each refusal on a line of its own and returns the rest.
///
/// Errors: the refusal, if a single thing was named.
pub(super) fn tell<K, T>(session: &Session, mut results: Vec<(K, Result<T, Problem>)>) -> Result<Told<K, T>, Failure> {
    match results.pop() {
        Some((_, Err(problem))) if results.is_empty() => Err(problem.into()),
        last => {
            results.extend(last);
            Ok(tell_all(session, results))
        }
    }
}

/// Tells each refusal on a line of its own and returns the rest.
fn tell_all<K, T>(session: &Session, results: Vec<(K, Result<T, Problem>)>) -> Told<K, T> {
    let (mut done, mut refusals) = (Vec::new(), Vec::new());
    for (named, result) in results {
        match result {
            Ok(value) => done.push((named, value)),
            Err(problem) => refusals.push(problem),
        }
    }
    for problem in &refusals {
        session.ui.fail_one(problem);
    }
    let code = code_of(&refusals, done.is_empty()).code();
    (done, code)
}

pub(super) fn code_of(refusals: &[Problem], nothing_done: bool) -> Exit {
    let all_unknown = nothing_done && refusals.iter().all(|problem| problem.kind == ErrorKind::NotFound);
    match refusals {
        [] => Exit::Done,
        _ if all_unknown => Exit::NotFound,
        _ => Exit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_if_none_is_known_the_code_says_so() {
        let unknown = || Problem::no_such_task(99);
        let refused = || Problem::new(ErrorKind::Conflict, "no");
        assert_eq!(code_of(&[], false), Exit::Done);
        assert_eq!(code_of(&[unknown(), unknown()], true), Exit::NotFound);
        assert_eq!(code_of(&[unknown()], false), Exit::Refused, "the others are done");
        assert_eq!(code_of(&[unknown(), refused()], true), Exit::Refused);
    }
}
