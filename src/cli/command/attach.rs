//! `task attach`, and `run --pty`: the terminal of a task, here.
//!
//! What the task writes goes to its file and is followed there, as `logs -f` does: the connection may break, and nobody
//! waits for a terminal that does not read. What is typed is sent, piece after piece.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::cli::args::steer::Attach;
use crate::cli::command::follow::{needs_a_word, whole, without_end};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::keys::{Keys, Scanner, Typed};
use crate::cli::render::task::ended;
use crate::cli::screen::Screen;
use crate::cli::session::{Session, block_on};
use crate::cli::terminal::{self, Raw};
use crate::cli::ui::Target;
use crate::domain::attempt::Stream;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::input::{Input, Size, Taken};
use crate::domain::task::{Stdin, Task};
use crate::exit::{self, Exit};
use crate::rpc::client::{self, Client, Follow, Piece};

/// How much of what was written last makes up the screen: a screen is some kilobytes, and what is drawn on it once and
/// stays may be older than what changes all the time.
const REPLAY_BYTES: u64 = 1 << 20;

/// So much may be typed ahead of a task that does not read; further keys wait in the terminal.
const AHEAD_BYTES: usize = 64 * 1024;

/// When keys are sent again that could not be.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What a terminal is taken for that does not say how large it is.
const SIZE: Size = Size { rows: 24, columns: 80 };

/// Attaches to the terminal of a task.
pub fn run(session: &Session, args: &Attach) -> Result<i32, Failure> {
    let work = || {
        let project = session.project()?;
        block_on(async {
            let connection = connect::connect(session, &project).await?;
            let client = &connection.client;
            let (task, _) = client.task(args.id, false).await?;
            check(&task)?;
            attached(session, client, args.id, &args.detach_keys, None).await
        })
    };
    work().map_err(|failure| if failure.exit == Exit::Usage { failure } else { failure.broken() })
}

/// Refuses what cannot be attached to.
fn check(task: &Task) -> Result<(), Failure> {
    let id = task.id;
    let refuse = |message: String, hint: String| {
        Err(Failure::from(Problem::new(ErrorKind::Conflict, message).with_hint(hint).with_id(id)))
    };
    if task.spec.stdin != Stdin::Terminal {
        let hint =
            format!("see what it writes with `apex logs -f {id}`; a task has a terminal if it is added with `--pty`");
        return refuse(format!("cannot attach to task `{id}`: it has no terminal"), hint);
    }
    if task.state.is_ended() {
        let hint = format!("see what it wrote with `apex logs {id}`");
        return refuse(format!("cannot attach to task `{id}`: it has ended as `{}`", task.state.as_str()), hint);
    }
    if !terminal::is_there() {
        let message = format!("cannot attach to task `{id}`: standard input and output are not a terminal");
        let hint = format!("see what it writes with `apex logs -f {id}`, and type with `apex task send {id} TEXT`");
        return Err(Failure::from(Problem::new(ErrorKind::Invalid, message).with_hint(hint).with_id(id)));
    }
    Ok(())
}

/// Shows the terminal of a task until the task has ended or somebody detaches, and returns the exit code.
pub async fn attached(
    session: &Session,
    client: &Client,
    id: TaskId,
    keys: &Keys,
    detach_after: Option<Duration>,
) -> Result<i32, Failure> {
    let mut signals = Signals::listen()?;
    let mut attached = Attached::begin(session, client, id, keys, detach_after).await?;
    let end = loop {
        let event = attached.next_event(&mut signals).await;
        match attached.decide(event) {
            Ok(None) => {}
            end => break end,
        }
    };
    let left = attached.leave();
    let end = end?.ok_or_else(|| without_end(id))?;
    left?;
    Ok(match end {
        End::Ended(task) => {
            if needs_a_word(&task) {
                session.ui.remark(&ended(&task));
            }
            exit::for_task(&task)
        }
        End::Detached => {
            session.ui.remark(&format!("task {id} goes on; come back with `apex task attach {id}`"));
            Exit::StillRunning.code()
        }
    })
}

/// How it came to an end.
#[derive(Debug)]
enum End {
    Ended(Box<Task>),
    Detached,
}

/// What can happen meanwhile.
#[derive(Debug)]
enum Event {
    /// Something was written, or the task has ended; `None` if the stream has ended without saying so.
    Piece(Option<Result<Piece, client::Error>>),
    /// So much was typed; nothing if the terminal is gone.
    Typed(std::io::Result<usize>),
    /// What was sent last was taken, as far as it was.
    Sent(Result<Taken, client::Error>),
    /// The task's terminal has another size.
    Resized,
    /// The terminal here has another size.
    SizeChanged,
    /// This process was stopped, and goes on.
    Continued,
    /// SIGTERM, SIGHUP, SIGINT or SIGQUIT, or the time to leave has come.
    Leave,
}

/// The signals that are about the terminal, or end this process.
#[derive(Debug)]
struct Signals {
    size: Signal,
    goes_on: Signal,
    ends: [Signal; 4],
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::io("cannot listen for signals", &error));
        Ok(Self {
            size: listen(SignalKind::window_change())?,
            goes_on: listen(SignalKind::from_raw(nix::libc::SIGCONT))?,
            ends: [
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
                listen(SignalKind::interrupt())?,
                listen(SignalKind::quit())?,
            ],
        })
    }
}

struct Attached<'a> {
    session: &'a Session,
    client: &'a Client,
    task: TaskId,
    pieces: Follow,
    /// So far the screen is made up and not shown; `None` when it was.
    replay_until: Option<u64>,
    attempt: u32,
    screen: Screen,
    size: Size,
    raw: Option<Raw>,
    typing: tokio::io::Stdin,
    typed: Vec<u8>,
    scanner: Scanner,
    /// What was typed and is not taken yet, and where it begins in all that was typed.
    ahead: VecDeque<u8>,
    sent: u64,
    send: Uuid,
    sending: JoinSet<Result<Taken, client::Error>>,
    resizing: JoinSet<()>,
    detach: Pin<Box<dyn Future<Output = ()>>>,
}

impl<'a> Attached<'a> {
    async fn begin(
        session: &'a Session,
        client: &'a Client,
        id: TaskId,
        keys: &Keys,
        detach_after: Option<Duration>,
    ) -> Result<Self, Failure> {
        let (task, _) = client.task(id, false).await?;
        let attempt = task.attempts.last().filter(|attempt| attempt.ended_at.is_none());
        let (number, written) = attempt.map_or((0, 0), |attempt| {
            let output = attempt.outputs.iter().find(|output| output.stream == Stream::Merged);
            (attempt.number, output.map_or(0, |output| output.bytes))
        });
        let size = terminal::size().unwrap_or(SIZE);
        let before = if number > 0 { client.resize(id, size).await.ok() } else { None };
        let pieces = client.follow(whole(id));
        let pieces = if number > 0 {
            pieces.beginning(number, Stream::Merged, written.saturating_sub(REPLAY_BYTES))
        } else {
            pieces
        };
        match keys.name() {
            Some(keys) => session.ui.note(&format!("attached to task {id}; {keys} leaves it running")),
            None => session.ui.note(&format!("attached to task {id}")),
        }
        let raw = Raw::begin().map_err(|error| Failure::io("cannot set the terminal up", &error))?;
        let detach: Pin<Box<dyn Future<Output = ()>>> = match detach_after {
            Some(length) => Box::pin(sleep(length)),
            None => Box::pin(std::future::pending()),
        };
        let mut attached = Self {
            session,
            client,
            task: id,
            pieces,
            replay_until: (written > 0).then_some(written),
            attempt: number,
            // What was written was written for the size that it had.
            screen: Screen::new(before.unwrap_or(size)),
            size,
            raw: Some(raw),
            typing: tokio::io::stdin(),
            typed: vec![0; 4096],
            scanner: Scanner::new(keys),
            ahead: VecDeque::new(),
            sent: 0,
            send: Uuid::new_v4(),
            sending: JoinSet::new(),
            resizing: JoinSet::new(),
            detach,
        };
        if number == 0 {
            // It may just be starting.
            attached.pass_size_on();
        }
        Ok(attached)
    }

    async fn next_event(&mut self, signals: &mut Signals) -> Event {
        let [terminate, hang_up, interrupt, quit] = &mut signals.ends;
        let has_room = self.ahead.len() < AHEAD_BYTES;
        // Cancel-safe because every branch is: following keeps its cursor, signals are latched, and what was read of the
        // input stays with it until it is taken.
        tokio::select! {
            biased;
            _ = hang_up.recv() => Event::Leave,
            _ = terminate.recv() => Event::Leave,
            _ = interrupt.recv() => Event::Leave,
            _ = quit.recv() => Event::Leave,
            () = &mut self.detach => Event::Leave,
            _ = signals.size.recv() => Event::SizeChanged,
            _ = signals.goes_on.recv() => Event::Continued,
            Some(sent) = self.sending.join_next() => Event::Sent(sent.unwrap_or_else(|error| {
                Err(Problem::new(ErrorKind::Internal, format!("what was typed was lost: {error}")).into())
            })),
            Some(_) = self.resizing.join_next() => Event::Resized,
            count = self.typing.read(&mut self.typed), if has_room => Event::Typed(count),
            piece = self.pieces.next() => Event::Piece(piece),
        }
    }

    /// Returns how it ended, when it has.
    fn decide(&mut self, event: Event) -> Result<Option<End>, Failure> {
        match event {
            Event::Piece(Some(Ok(Piece::Chunk { attempt, offset, data, .. }))) => {
                self.written(attempt, offset, &data)?
            }
            Event::Piece(Some(Ok(Piece::Ended(task)))) => return Ok(Some(End::Ended(task))),
            Event::Piece(Some(Err(error))) => {
                let hint = format!("the task may go on; come back with `apex task attach {}`", self.task);
                let failure = Failure::from(error);
                let failure = if failure.problem.hint.is_some() { failure } else { failure.with_hint(hint) };
                return Err(failure.while_doing(format!("lost sight of task `{}`", self.task)));
            }
            Event::Piece(None) => return Err(without_end(self.task)),
            // The terminal is gone: whoever sat at it is as well.
            Event::Typed(Ok(0) | Err(_)) | Event::Leave => return Ok(Some(End::Detached)),
            Event::Typed(Ok(count)) => {
                let Typed { bytes, detached } = self.scanner.pass(&self.typed[..count]);
                if detached {
                    return Ok(Some(End::Detached));
                }
                self.ahead.extend(bytes);
                self.send(Duration::ZERO);
            }
            Event::Sent(sent) => {
                let taken = match sent {
                    Ok(taken) => taken.bytes,
                    // It does not run (any more), so that nobody types to it.
                    Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                        self.ahead.len() as u64
                    }
                    // What is wrong otherwise may pass. What was taken all the same is not given again.
                    Err(_) => {
                        self.send(AGAIN_AFTER);
                        return Ok(None);
                    }
                };
                self.sent += taken;
                self.ahead.drain(..usize::try_from(taken).unwrap_or(usize::MAX).min(self.ahead.len()));
                self.send(Duration::ZERO);
            }
            Event::Resized => {}
            Event::SizeChanged => {
                self.size = terminal::size().unwrap_or(self.size);
                self.screen.resize(self.size);
                self.pass_size_on();
            }
            Event::Continued => {
                if let Some(raw) = &self.raw {
                    raw.again().map_err(|error| Failure::io("cannot set the terminal up", &error))?;
                }
                self.show(&self.screen.draw(self.size))?;
            }
        }
        Ok(None)
    }

    /// Takes in what the task has written.
    fn written(&mut self, attempt: u32, offset: u64, data: &[u8]) -> Result<(), Failure> {
        if attempt != self.attempt {
            // The terminal of another attempt is another one.
            (self.attempt, self.replay_until) = (attempt, None);
            self.pass_size_on();
        }
        let before = self.replay_until.map_or(0, |until| until.saturating_sub(offset));
        let before = usize::try_from(before).unwrap_or(usize::MAX).min(data.len());
        let (before, now) = data.split_at(before);
        self.screen.write(before);
        let end = offset + before.len() as u64;
        if self.replay_until.take_if(|until| *until <= end).is_some() {
            self.screen.resize(self.size);
            self.show(&self.screen.draw(self.size))?;
        }
        if !now.is_empty() {
            self.screen.write(now);
            self.show(now)?;
        }
        Ok(())
    }

    fn show(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.session.ui.bytes(Target::Stdout, bytes)
    }

    /// Sends what was typed, one piece after the other, the next one after so long.
    fn send(&mut self, after: Duration) {
        if self.ahead.is_empty() || !self.sending.is_empty() {
            return;
        }
        let (client, task, send, at) = (self.client.clone(), self.task, self.send, self.sent);
        let bytes: Vec<u8> = self.ahead.iter().copied().collect();
        let within = client.patience();
        let input = Input { task, send, at, bytes, line: false, eof: false, within };
        self.sending.spawn(async move {
            sleep(after).await;
            client.send_input(&input).await
        });
    }

    fn pass_size_on(&mut self) {
        let (client, task, size) = (self.client.clone(), self.task, self.size);
        // One size overtakes another: only the last one counts.
        self.resizing.abort_all();
        self.resizing.spawn(async move {
            let _ = client.resize(task, size).await;
        });
    }

    /// Gives the terminal back as it was.
    fn leave(mut self) -> Result<(), Failure> {
        let reset = self.show(&self.screen.reset());
        self.raw = None;
        reset
    }
}
