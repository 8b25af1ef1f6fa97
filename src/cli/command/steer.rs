//! `task cancel`, `task kill`, `task release`: a verb for several tasks, each of which may refuse.

use crate::cli::args::task::{Cancel, Kill, Release};
use crate::cli::command::wait::{Watching, print_whole};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::session::{Session, block_on};
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::outcome::SignalName;
use crate::domain::query::PerTask;
use crate::exit::Exit;
use crate::paths::Project;
use crate::rpc::client::{Cancelled, Client};

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
        print(session, &project, client, &asked, &args.ids).await?;
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
        print(session, &project, &connection.client, &ids, &args.ids).await?;
        Ok(code)
    })
}

/// Lets held tasks go.
pub fn release(session: &Session, args: &Release) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let results = connection.client.release(&args.ids).await?;
        let (done, code) = tell(session, results)?;
        let ids: Vec<TaskId> = done.iter().map(|(id, ())| *id).collect();
        for id in &ids {
            session.ui.note(&format!("task {id} released"));
        }
        print(session, &project, &connection.client, &ids, &args.ids).await?;
        Ok(code)
    })
}

/// With JSON: prints the tasks for which it was done, as they stand now.
async fn print(
    session: &Session,
    project: &Project,
    client: &Client,
    done: &[TaskId],
    named: &[TaskId],
) -> Result<(), Failure> {
    if !session.ui.json {
        return Ok(());
    }
    let mut tasks = Vec::with_capacity(done.len());
    for id in done {
        tasks.push(client.task(*id, false).await?.0);
    }
    print_whole(session, project, client, &tasks, named.len() == 1).await
}

/// What was done, and the exit code.
type Told<T> = (Vec<(TaskId, T)>, i32);

/// Tells each refusal on a line of its own and returns the rest.
///
/// Errors: the refusal, if a single task was named.
fn tell<T>(session: &Session, results: PerTask<T, Problem>) -> Result<Told<T>, Failure> {
    let single = results.len() == 1;
    let (mut done, mut refusals) = (Vec::new(), Vec::new());
    for (id, result) in results {
        match result {
            Ok(value) => done.push((id, value)),
            Err(problem) if single => return Err(problem.into()),
            Err(problem) => refusals.push(problem),
        }
    }
    for problem in &refusals {
        session.ui.fail_one(problem);
    }
    let code = code_of(&refusals, done.is_empty()).code();
    Ok((done, code))
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
