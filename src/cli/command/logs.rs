//! `task logs`

use crate::cli::args::task::Logs;
use crate::cli::command::follow::{Form, Printer, without_end};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::session::{Session, block_on};
use crate::domain::attempt::Stream;
use crate::domain::error::ErrorKind;
use crate::exit::{self, Exit};
use crate::rpc::client::{FollowRequest, Piece};

/// Prints what a task wrote, and with `-f` what it writes until it ends.
pub fn run(session: &Session, args: &Logs) -> Result<i32, Failure> {
    let streams = match (args.stdout, args.stderr) {
        (true, _) => vec![Stream::Stdout],
        (_, true) => vec![Stream::Stderr],
        _ => Vec::new(),
    };
    let form = match (session.ui.json, args.raw) {
        (true, _) => Form::Json,
        (_, true) => Form::Raw,
        _ => Form::Plain,
    };
    let mut is_connected = false;
    let result = session.project().and_then(|project| {
        block_on(async {
            let connection = connect::connect(session, &project).await?;
            is_connected = true;
            let mut printer = Printer::new(&session.ui, args.id, form, !streams.is_empty());
            let request = FollowRequest {
                task: args.id,
                attempt: args.attempt,
                streams: streams.clone(),
                tail_lines: args.lines,
                follow: args.follow,
            };
            let mut pieces = connection.client.follow(request);
            while let Some(piece) = pieces.next().await {
                match piece? {
                    Piece::Chunk { attempt, stream, offset, data } => printer.print(attempt, stream, offset, &data)?,
                    Piece::Ended(task) => {
                        printer.finish()?;
                        if task.exit.is_none() {
                            session.ui.note(&crate::cli::render::task::ended(&task));
                        }
                        return Ok(exit::for_task(&task));
                    }
                }
            }
            printer.finish()?;
            if args.follow { Err(without_end(args.id)) } else { Ok(Exit::Done.code()) }
        })
    });
    result.map_err(|failure| {
        let was_stopped = is_connected && failure.problem.kind == ErrorKind::Unavailable;
        match (args.follow, was_stopped) {
            (false, _) => failure,
            // A daemon that is stopped ends the stream, and that is not to be taken for a code of the task.
            (true, true) => failure.with_exit(Exit::Unreachable),
            (true, false) => failure.broken(),
        }
    })
}
