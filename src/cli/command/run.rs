//! `run`: a task from its add to its end, with the terminal's signals passed on.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::cli::args::task::Run;
use crate::cli::command::add::{self, Prepared};
use crate::cli::command::follow::{Form, Printer, needs_a_word, whole, without_end};
use crate::cli::command::wait::as_it_stands;
use crate::cli::command::{attach, why};
use crate::cli::connect::{self, Connection};
use crate::cli::error::Failure;
use crate::cli::render::task::ended;
use crate::cli::render::why::sentence;
use crate::cli::session::{Session, block_on, now};
use crate::cli::terminal;
use crate::domain::error::ErrorKind;
use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::exit::{self, Exit};
use crate::paths::Project;
use crate::rpc::client::{self, Client, Follow, Piece};

/// How long a task may be silent before it is looked whether it waits for something.
const EXPLAIN_AFTER: Duration = Duration::from_secs(1);

/// Adds a task and follows it to its end.
pub fn run(session: &Session, args: &Run) -> Result<i32, Failure> {
    let broken = |failure: Failure| if failure.exit == Exit::Usage { failure } else { failure.broken() };
    let prepared = session.project().and_then(|project| {
        let prepared = add::prepare(session, &project, &args.add)?;
        Ok((project, prepared))
    });
    let (project, prepared) = prepared.map_err(broken)?;
    let work = async {
        let connection = connect::connect(session, &project).await?;
        let prepared = add::upload(&connection, prepared).await?;
        // From here on a Ctrl-C is the task's. It waits until there is one.
        let signals = Signals::listen()?;
        let detach = args.detach_after;
        if args.add.pty && terminal::is_there() {
            let task = begun(session, &project, &connection, prepared).await?;
            return attach::attached(session, &connection.client, task, &args.detach_keys, detach).await;
        }
        follow(session, &project, &connection, prepared, signals, detach).await
    };
    block_on(work).map_err(broken)
}

async fn follow(
    session: &Session,
    project: &Project,
    connection: &Connection,
    prepared: Prepared,
    mut signals: Signals,
    detach_after: Option<Duration>,
) -> Result<i32, Failure> {
    let task = begun(session, project, connection, prepared).await?;
    let mut run = Following::begin(session, &connection.client, task, detach_after);
    loop {
        let event = run.next_event(&mut signals).await;
        if let Some(code) = run.decide(event)? {
            return Ok(code);
        }
    }
}

/// Adds the task.
async fn begun(
    session: &Session,
    project: &Project,
    connection: &Connection,
    prepared: Prepared,
) -> Result<TaskId, Failure> {
    let sent = add::send(connection, session.configuration(project), prepared).await?;
    add::warn_if_untrusted(session, &sent.task);
    if sent.is_other {
        session.ui.remark(&sent.in_words());
    } else {
        session.ui.detail(&sent.in_words());
    }
    Ok(sent.task.id)
}

/// What can happen while a task is followed.
#[derive(Debug)]
enum Event {
    /// Something was written, or the task has ended; `None` if the stream has ended without saying so.
    Piece(Option<Result<Piece, client::Error>>),
    /// SIGINT or SIGTERM.
    Interrupted,
    /// SIGHUP.
    HungUp,
    /// What was asked of the daemon was answered.
    Steered(Result<(), Failure>),
    /// Nothing has been written for a while.
    Quiet,
    /// Why not, if the task waits for something.
    Explained(Option<String>),
    /// The time to leave has come.
    Detach,
}

/// The signals that mean the task.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::io("cannot listen for signals", &error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }
}

struct Following<'a> {
    session: &'a Session,
    client: &'a Client,
    task: TaskId,
    pieces: Follow,
    printer: Option<Printer<'a>>,
    /// Requests under way: following goes on meanwhile, and so does listening.
    steering: JoinSet<Result<(), Failure>>,
    /// Finds out why nothing happens.
    explaining: JoinSet<Option<String>>,
    /// When to do so; over with the first piece.
    quiet: std::pin::Pin<Box<dyn Future<Output = ()>>>,
    interrupts: u32,
    detach: std::pin::Pin<Box<dyn Future<Output = ()>>>,
}

impl<'a> Following<'a> {
    fn begin(session: &'a Session, client: &'a Client, task: TaskId, detach_after: Option<Duration>) -> Self {
        let detach: std::pin::Pin<Box<dyn Future<Output = ()>>> = match detach_after {
            Some(length) => Box::pin(sleep(length)),
            None => Box::pin(std::future::pending()),
        };
        Self {
            session,
            client,
            task,
            pieces: client.follow(whole(task)),
            printer: Some(Printer::new(&session.ui, task, Form::Plain, false)),
            steering: JoinSet::new(),
            explaining: JoinSet::new(),
            quiet: if session.ui.quiet || session.ui.json {
                Box::pin(std::future::pending())
            } else {
                Box::pin(sleep(EXPLAIN_AFTER))
            },
            interrupts: 0,
            detach,
        }
    }

    async fn next_event(&mut self, signals: &mut Signals) -> Event {
        // Cancel-safe because every branch is: following keeps its cursor, signals are latched.
        tokio::select! {
            biased;
            _ = signals.hang_up.recv() => Event::HungUp,
            _ = signals.interrupt.recv() => Event::Interrupted,
            _ = signals.terminate.recv() => Event::Interrupted,
            Some(steered) = self.steering.join_next() => Event::Steered(steered.unwrap_or_else(|error| {
                Err(Failure::new(ErrorKind::Internal, format!("a request to the daemon was lost: {error}")))
            })),
            Some(explained) = self.explaining.join_next() => Event::Explained(explained.ok().flatten()),
            () = &mut self.detach => Event::Detach,
            piece = self.pieces.next() => Event::Piece(piece),
            () = &mut self.quiet => Event::Quiet,
        }
    }

    /// Returns the exit code when it is over.
    fn decide(&mut self, event: Event) -> Result<Option<i32>, Failure> {
        let (ui, task) = (&self.session.ui, self.task);
        match event {
            Event::Piece(Some(Ok(Piece::Chunk { attempt, stream, offset, data }))) => {
                self.quiet = Box::pin(std::future::pending());
                let Some(printer) = &mut self.printer else { return Ok(None) };
                printer.print(attempt, stream, offset, &data).inspect_err(|_| ui.remark(&goes_on(task)))?;
                Ok(None)
            }
            Event::Piece(Some(Ok(Piece::Ended(task)))) => {
                self.printer.take().map_or(Ok(()), Printer::finish)?;
                if needs_a_word(&task) {
                    ui.remark(&ended(&task));
                }
                Ok(Some(exit::for_task(&task)))
            }
            Event::Piece(Some(Err(error))) => {
                let failure = Failure::from(error);
                let failure = if failure.problem.hint.is_some() {
                    failure
                } else {
                    failure.with_hint(format!("the task may go on; see it with `apex logs -f {task}`"))
                };
                Err(failure.while_doing(format!("lost sight of task `{task}`")))
            }
            Event::Piece(None) => Err(without_end(task)),
            Event::Interrupted => {
                self.interrupts += 1;
                self.steer();
                Ok(None)
            }
            Event::Steered(Ok(())) | Event::Explained(None) => Ok(None),
            Event::Quiet => {
                self.quiet = Box::pin(std::future::pending());
                self.explaining.spawn(explain(self.client.clone(), task));
                Ok(None)
            }
            Event::Explained(Some(why)) => {
                ui.note(&why);
                Ok(None)
            }
            Event::Steered(Err(failure)) => {
                // The task goes on, and so does following it: the end will tell.
                ui.warn(&failure.as_problem().message);
                Ok(None)
            }
            Event::HungUp | Event::Detach => {
                ui.remark(&goes_on(task));
                Ok(Some(Exit::StillRunning.code()))
            }
        }
    }

    /// Passes an interruption on: the first one cancels, every further one kills.
    fn steer(&mut self) {
        let (client, task, first) = (self.client.clone(), self.task, self.interrupts == 1);
        if first {
            self.session.ui.note(&format!("cancelling task {task}; once more kills it"));
        }
        self.steering.spawn(async move {
            let refused = if first {
                let results = client.cancel(&[task], None).await?;
                results.into_iter().find_map(|(_, result)| result.err())
            } else {
                let results = client.kill(&[task], nix::libc::SIGKILL).await?;
                results.into_iter().find_map(|(_, result)| result.err())
            };
            // It has ended in the meantime: what was wanted has come about.
            refused.filter(|problem| problem.kind != ErrorKind::Conflict).map_or(Ok(()), |problem| Err(problem.into()))
        });
    }
}

/// Returns what a task waits for; `None` if it does not wait, or if that cannot be found out: it is not what was asked.
async fn explain(client: Client, task: TaskId) -> Option<String> {
    let task = as_it_stands(&client, task).await.ok()?;
    if !task.state.is_waiting() && task.state != State::Queued {
        return None;
    }
    let facts = why::gather(&client, task).await.ok()?;
    Some(sentence(&facts, now()))
}

fn goes_on(task: TaskId) -> String {
    format!("task {task} goes on; follow it with `apex logs -f {task}`")
}
