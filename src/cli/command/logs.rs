//! `task logs`

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::cli::args::task::Logs;
use crate::cli::command::chosen;
use crate::cli::command::follow::{Form, Printer, needs_a_word, without_end};
use crate::cli::command::prefix::Prefix;
use crate::cli::command::wait::{Watching, as_it_stands};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::reader::while_read;
use crate::cli::render;
use crate::cli::session::{Session, block_on};
use crate::domain::attempt::Stream;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::selection::Selection;
use crate::domain::task::{State, Task};
use crate::exit::{self, Exit};
use crate::rpc::client::{self, Client, Follow, FollowRequest, Piece};

/// How many tasks are followed at once; the daemon has room for twice as many on one connection. Further ones begin when
/// others have ended.
const TOGETHER_MAX: usize = 512;

/// Prints what tasks wrote, and with `-f` what they write until they end.
pub fn run(session: &Session, args: &Logs) -> Result<i32, Failure> {
    let selection = args.which.selection();
    match selection.plain_ids() {
        Some([id, others @ ..]) if others.iter().all(|other| other == id) => alone(session, args, *id),
        _ => together(session, args, &selection),
    }
}

fn streams(args: &Logs) -> Vec<Stream> {
    match (args.stdout, args.stderr) {
        (true, _) => vec![Stream::Stdout],
        (_, true) => vec![Stream::Stderr],
        _ => Vec::new(),
    }
}

fn request(args: &Logs, task: TaskId) -> FollowRequest {
    let streams = streams(args);
    FollowRequest { task, attempt: args.attempt, streams, tail_lines: args.lines, follow: args.follow }
}

/// Refuses to print a stream of a task that keeps both in one: of that there is nothing, and nobody would know why.
async fn are_apart(client: &Client, args: &Logs, id: TaskId) -> Result<(), Failure> {
    if streams(args).is_empty() || as_it_stands(client, id).await?.spec.split_output {
        return Ok(());
    }
    Err(Failure::new(ErrorKind::Conflict, format!("task `{id}` keeps both streams in one: it has no `--split-output`"))
        .with_hint(format!("see both with `apex logs {id}`")))
}

fn printer<'a>(session: &'a Session, args: &Logs, task: TaskId) -> Printer<'a> {
    let form = match (session.ui.json, args.raw) {
        (true, _) => Form::Json,
        (_, true) => Form::Raw,
        _ => Form::Plain,
    };
    Printer::new(&session.ui, task, form, args.stdout || args.stderr)
}

fn alone(session: &Session, args: &Logs, id: TaskId) -> Result<i32, Failure> {
    let mut was_stopped = false;
    let result = session.project().and_then(|project| {
        block_on(async {
            let connection = connect::connect(session, &project).await?;
            let told = tell(session, &connection.client, args, id, &mut was_stopped);
            if args.follow { while_read(told).await } else { told.await }
        })
    });
    result.map_err(|failure| {
        match (args.follow, was_stopped) {
            (false, _) => failure,
            // A daemon that is stopped ends the stream, and that is not to be taken for a code of the task.
            (true, true) => failure.with_exit(Exit::Unreachable),
            (true, false) => failure.broken(),
        }
    })
}

/// Prints what a task wrote, and returns the exit code. Notes down whether the daemon has been stopped meanwhile.
async fn tell(
    session: &Session,
    client: &Client,
    args: &Logs,
    id: TaskId,
    was_stopped: &mut bool,
) -> Result<i32, Failure> {
    are_apart(client, args, id).await?;
    let mut printer = printer(session, args, id);
    let mut pieces = client.follow(request(args, id));
    while let Some(piece) = pieces.next().await {
        match piece.inspect_err(|error| *was_stopped = error.is_end_of_daemon())? {
            Piece::Chunk { attempt, stream, offset, data } => printer.print(attempt, stream, offset, &data)?,
            Piece::Ended(task) => {
                printer.finish()?;
                if needs_a_word(&task) && args.follow {
                    session.ui.remark(&render::task::ended(&task));
                }
                return Ok(exit::for_task(&task));
            }
        }
    }
    printer.finish()?;
    if args.follow { Err(without_end(id)) } else { Ok(Exit::Done.code()) }
}

fn together(session: &Session, args: &Logs, selection: &Selection) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        // Every state is one to be told in: this only asks which there are, and for their names.
        let ids = chosen::ids(client, selection).await?;
        let mut named = Watching::new(&ids, &State::ALL);
        let all_known = named.to_the_end(session, client).await?;
        let tasks = named.tasks();
        if tasks.is_empty() {
            return Ok(Exit::NotFound.code());
        }
        let told = Following::begin(session, client, args, &tasks).print_all();
        let told = if args.follow { while_read(told).await } else { told.await }?;
        Ok(code_of(&told, args.follow, all_known))
    })
}

/// What came of several tasks.
#[derive(Debug, Default)]
struct Told {
    /// Those that were told to their end; with `-f` as they stood then.
    done: Vec<Task>,
    /// What was refused for single ones.
    refusals: Vec<Problem>,
}

/// Returns 0 if all was told, and with `-f` all succeeded.
fn code_of(told: &Told, follow: bool, all_known: bool) -> i32 {
    let none_found = told.done.is_empty() && told.refusals.iter().all(|problem| problem.kind == ErrorKind::NotFound);
    match (none_found, all_known && told.refusals.is_empty()) {
        (true, _) => Exit::NotFound.code(),
        (false, false) => Exit::Refused.code(),
        (false, true) if follow => exit::for_tasks(&told.done),
        (false, true) => Exit::Done.code(),
    }
}

/// Tasks whose output is printed: with `-f` all of them together, else one after the other.
struct Following<'a> {
    session: &'a Session,
    client: &'a Client,
    args: &'a Logs,
    /// Those that have not begun, the next one last.
    later: Vec<&'a Task>,
    printers: BTreeMap<TaskId, (&'a Task, Printer<'a>)>,
    /// One for each that has begun and has not ended.
    pieces: JoinSet<Next>,
    told: Told,
    /// Why there is no going on. What the others have still to say is waited for all the same.
    broken: Option<Failure>,
}

/// The next piece of a task, and where to get further ones.
type Next = (TaskId, Follow, Option<Result<Piece, client::Error>>);

async fn next(id: TaskId, mut pieces: Follow) -> Next {
    let piece = pieces.next().await;
    (id, pieces, piece)
}

impl<'a> Following<'a> {
    fn begin(session: &'a Session, client: &'a Client, args: &'a Logs, tasks: &'a [Task]) -> Self {
        let printer =
            |(task, prefix): (&'a Task, Prefix)| (task.id, (task, printer(session, args, task.id).prefixed(prefix)));
        let printers = tasks.iter().zip(Prefix::of(tasks)).map(printer).collect();
        let later = tasks.iter().rev().collect();
        let (pieces, told) = (JoinSet::new(), Told::default());
        Self { session, client, args, later, printers, pieces, told, broken: None }
    }

    /// Prints all there is to print.
    ///
    /// Errors: the daemon was stopped, or the connection broke for good; nobody reads what is printed.
    async fn print_all(mut self) -> Result<Told, Failure> {
        for _ in 0..if self.args.follow { TOGETHER_MAX } else { 1 } {
            self.begin_next();
        }
        while let Some(joined) = self.pieces.join_next().await {
            let lost = |error| Failure::new(ErrorKind::Internal, format!("the output of a task was lost: {error}"));
            let (id, pieces, piece) = joined.map_err(lost)?;
            match piece {
                Some(Ok(Piece::Chunk { attempt, stream, offset, data })) => {
                    if let Some((_, printer)) = self.printers.get_mut(&id) {
                        printer.print(attempt, stream, offset, &data)?;
                    }
                    self.pieces.spawn(next(id, pieces));
                }
                end => {
                    self.ended(id, end)?;
                    self.begin_next();
                }
            }
        }
        self.broken.map_or(Ok(self.told), Err)
    }

    fn begin_next(&mut self) {
        if self.broken.is_none()
            && let Some(task) = self.later.pop()
        {
            self.pieces.spawn(next(task.id, self.client.follow(request(self.args, task.id))));
        }
    }

    /// Takes note of how the output of a task ended; `end` is no chunk of it.
    fn ended(&mut self, id: TaskId, end: Option<Result<Piece, client::Error>>) -> Result<(), Failure> {
        let Some((task, printer)) = self.printers.remove(&id) else { return Ok(()) };
        printer.finish()?;
        match end {
            Some(Ok(Piece::Ended(task))) => {
                if task.state != State::Succeeded {
                    self.session.ui.note(&render::task::ended(&task));
                }
                self.told.done.push(*task);
            }
            None if self.args.follow => self.break_off(without_end(id)),
            Some(Ok(Piece::Chunk { .. })) | None => self.told.done.push(task.clone()),
            Some(Err(client::Error::Answered(problem))) if problem.kind != ErrorKind::Unavailable => {
                self.session.ui.fail_one(&problem);
                self.told.refusals.push(problem);
            }
            Some(Err(error)) => {
                // As with a single one: a daemon that is stopped is not to be taken for a task that failed.
                let was_stopped = self.args.follow && error.is_end_of_daemon();
                let failure = Failure::from(error);
                self.break_off(if was_stopped { failure.with_exit(Exit::Unreachable) } else { failure });
            }
        }
        Ok(())
    }

    fn break_off(&mut self, failure: Failure) {
        self.broken.get_or_insert(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn several_are_all_or_nothing() {
        let succeeded = || Task { state: State::Succeeded, ..samples::ended() };
        let told = |done: Vec<Task>, refusals: Vec<Problem>| Told { done, refusals };
        let fine = told(vec![succeeded(), succeeded()], vec![]);
        assert_eq!((code_of(&fine, true, true), code_of(&fine, true, false)), (0, 1));
        let failed = told(vec![succeeded(), samples::ended()], vec![]);
        assert_eq!((code_of(&failed, true, true), code_of(&failed, false, true)), (1, 0));
        let refused = told(vec![succeeded()], vec![Problem::no_such_task(9)]);
        assert_eq!((code_of(&refused, true, true), code_of(&refused, false, true)), (1, 1));
        let unknown = told(vec![], vec![Problem::no_such_task(9), Problem::no_such_task(8)]);
        assert_eq!((code_of(&unknown, true, true), code_of(&unknown, false, true)), (4, 4));
    }
}
