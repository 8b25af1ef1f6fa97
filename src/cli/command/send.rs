//! `task send`

use std::os::unix::ffi::OsStrExt as _;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use uuid::Uuid;

use crate::cli::args::steer::Send;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::session::{Session, block_on};
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::input::{Input, Taken};
use crate::exit::Exit;
use crate::rpc::client::Client;
use crate::view::input::SentView;

/// What is sent at once of what is read here.
const PIECE_BYTES: usize = 64 * 1024;

/// Gives a running task something to read.
pub fn run(session: &Session, args: &Send) -> Result<i32, Failure> {
    if args.text.is_none() && !args.eof {
        let usage = "nothing to send: give a text, `-` for what is read here, or `--eof`";
        return Err(Failure::usage(usage));
    }
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let mut sending = Sending { client: &connection.client, task: args.id, send: Uuid::new_v4(), sent: 0 };
        match &args.text {
            Some(dash) if dash == "-" => {
                sending.all(tokio::io::stdin()).await?;
                if args.eof {
                    sending.piece(Vec::new(), false, true).await?;
                }
            }
            Some(text) => sending.piece(text.as_bytes().to_vec(), true, args.eof).await?,
            None => sending.piece(Vec::new(), false, args.eof).await?,
        }
        let (id, bytes) = (args.id, sending.sent);
        session.ui.note(&match (&args.text, args.eof) {
            (None, _) => format!("the input of task {id} ends"),
            (Some(_), true) => format!("{} sent to task {id}, whose input ends", in_bytes(bytes)),
            (Some(_), false) => format!("{} sent to task {id}", in_bytes(bytes)),
        });
        if session.ui.json {
            session.ui.json(&SentView::of(id, bytes, args.eof))?;
        }
        Ok(Exit::Done.code())
    })
}

fn in_bytes(bytes: u64) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

/// One send, in pieces.
struct Sending<'a> {
    client: &'a Client,
    task: TaskId,
    send: Uuid,
    /// So many bytes of it were taken.
    sent: u64,
}

impl Sending<'_> {
    /// Sends what is read from `source`, as it comes.
    async fn all(&mut self, mut source: impl AsyncRead + Unpin) -> Result<(), Failure> {
        loop {
            let mut bytes = Vec::with_capacity(PIECE_BYTES);
            let count = source.read_buf(&mut bytes).await;
            match count.map_err(|error| Failure::io("cannot read standard input", &error))? {
                0 => return Ok(()),
                _ => self.piece(bytes, false, false).await?,
            }
        }
    }

    async fn piece(&mut self, bytes: Vec<u8>, line: bool, eof: bool) -> Result<(), Failure> {
        let (task, send, at, within) = (self.task, self.send, self.sent, self.client.patience());
        let taken = self.client.send_input(&Input { task, send, at, bytes, line, eof, within }).await?;
        self.sent += taken.bytes;
        if taken.whole { Ok(()) } else { Err(self.refusal(taken)) }
    }

    /// Says that not all was taken.
    fn refusal(&self, taken: Taken) -> Failure {
        let (task, sent) = (self.task, self.sent);
        let what = if taken.closed { "its standard input was closed" } else { "it does not read its standard input" };
        let kind = if taken.closed { ErrorKind::Conflict } else { ErrorKind::Exhausted };
        let problem = Problem::new(kind, format!("task `{task}` took no more than {}: {what}", in_bytes(sent)));
        let failure = Failure::from(problem.with_id(task));
        if taken.closed {
            failure.with_hint(format!("see how it stands with `apex task show {task}`"))
        } else {
            failure.with_hint("send the rest when it reads again, or wait longer with `--deadline`")
        }
    }
}
