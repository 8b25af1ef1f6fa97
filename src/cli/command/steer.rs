//! `task cancel`, `kill`, `release`, `hold`, `pause`, `resume`, `retry`, `rm`: a verb for several tasks, each of which may
//! refuse.

use crate::cli::args::steer::{Hold, Pause, Remove, Resume, Retry};
use crate::cli::args::task::{Cancel, Kill, Release};
use crate::cli::command::wait::{self, Watching, print_whole};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::{Session, block_on};
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::outcome::SignalName;
use crate::exit::Exit;
use crate::paths::Project;
use crate::rpc::client::{Cancelled, Client, Results};
use crate::view::task::TaskView;

/// Cancels tasks.
pub fn cancel(session: &Session, args: &Cancel) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let results = client.cancel(&args.ids, args.reason.as_deref()).await?;
        let (done, code) = tell(session, results)?;
        let asked: Vec<TaskId> = done.iter().map(|(id, _)| *id).collect();
        for (id, how) in &done {
            match how {
                Cancelled::Ended => session.ui.note(&format!("task {id} cancelled")),
                Cancelled::Asked => session.ui.note(&format!("task {id} is being cancelled")),
            }
        }
        if args.wait && !asked.is_empty() {
            let mut watching = Watching::new(&asked, &[]);
            watching.to_the_end(session, client).await?;
            let was_running = |id| done.iter().any(|(asked, how)| *asked == id && *how == Cancelled::Asked);
            for task in watching.tasks().iter().filter(|task| was_running(task.id)) {
                session.ui.note(&render::task::ended(task));
            }
        }
        print(session, &project, client, &asked, args.ids.len() == 1).await?;
        Ok(code)
    })
}

/// Sends a signal to tasks.
pub fn kill(session: &Session, args: &Kill) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let results = connection.client.kill(&args.ids, args.signal).await?;
        let (done, code) = tell(session, results)?;
        let ids: Vec<TaskId> = done.iter().map(|(id, ())| *id).collect();
        for id in &ids {
            session.ui.note(&format!("{} sent to task {id}", SignalName(args.signal)));
        }
        print(session, &project, &connection.client, &ids, args.ids.len() == 1).await?;
        Ok(code)
    })
}

/// Lets held tasks go.
pub fn release(session: &Session, args: &Release) -> Result<i32, Failure> {
    steer(session, &args.ids, "released", async |client| client.release(&args.ids).await)
}

/// Keeps waiting tasks back.
pub fn hold(session: &Session, args: &Hold) -> Result<i32, Failure> {
    steer(session, &args.ids, "held", async |client| client.hold(&args.ids).await)
}

/// Stops the processes of tasks.
pub fn pause(session: &Session, args: &Pause) -> Result<i32, Failure> {
    steer(session, &args.ids, "paused", async |client| client.pause(&args.ids).await)
}

/// Lets the processes of tasks go on.
pub fn resume(session: &Session, args: &Resume) -> Result<i32, Failure> {
    steer(session, &args.ids, "resumed", async |client| client.resume(&args.ids).await)
}

/// Runs tasks again.
pub fn retry(session: &Session, args: &Retry) -> Result<i32, Failure> {
    const DID: &str = "will run again";
    if !args.failed {
        return steer(session, &args.ids, DID, async |client| client.retry(&args.ids).await);
    }
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let results = connection.client.retry_failed().await?;
        if results.is_empty() {
            session.ui.note("no task to retry");
        }
        let (done, code) = tell_all(session, results);
        let ids = note(session, &done, DID);
        // However many there are, it is a list that was asked for.
        print(session, &project, &connection.client, &ids, false).await?;
        Ok(code)
    })
}

/// Removes tasks.
pub fn remove(session: &Session, args: &Remove) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let mut stood = Vec::new();
        if session.ui.json {
            // Afterwards there is nothing left to print. What is not there is told by the removal.
            for id in &args.ids {
                let task = wait::as_it_stands(client, *id).await;
                stood.extend(task.ok().map(|task| TaskView::of(&task, project.data())));
            }
        }
        let (done, code) = tell(session, client.remove(&args.ids).await?)?;
        let ids = note(session, &done, "removed");
        if session.ui.json {
            stood.retain(|view| ids.iter().any(|id| id.get() == view.id()));
            match stood.as_slice() {
                [view] if args.ids.len() == 1 => session.ui.json(view)?,
                views => session.ui.json(views)?,
            }
        }
        Ok(code)
    })
}

/// Does something to the tasks named, and tells what came of it: `did` is said of each for which it was done.
fn steer(
    session: &Session,
    named: &[TaskId],
    did: &str,
    verb: impl AsyncFnOnce(&Client) -> Results<()>,
) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let results = verb(&connection.client).await?;
        let (done, code) = tell(session, results)?;
        let ids = note(session, &done, did);
        print(session, &project, &connection.client, &ids, named.len() == 1).await?;
        Ok(code)
    })
}

fn note(session: &Session, done: &[(TaskId, ())], did: &str) -> Vec<TaskId> {
    let ids: Vec<TaskId> = done.iter().map(|(id, ())| *id).collect();
    for id in &ids {
        session.ui.note(&format!("task {id} {did}"));
    }
    ids
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

fn code_of(refusals: &[Problem], nothing_done: bool) -> Exit {
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
