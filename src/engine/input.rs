//! The input of running tasks: giving them something to read, and the size of their terminals.
//!
//! None of it passes through the loop. Whoever keeps the input open ([`Keeper`]) is asked directly, and nobody but the one
//! who sends waits for a task that reads nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::warn;

use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::input::{Input, Size, Taken};
use crate::domain::task::{State, Stdin, Task};
use crate::engine::handle::Shared;
use crate::engine::{Closing, Error, Handle};
use crate::link::keeper::Feed;
use crate::process::Keeper;

/// How long a keeper may take to keep what the task wrote last; one that was stopped would take for ever.
const END_WITHIN: Duration = Duration::from_secs(5);

/// When a keeper is told of the end once more that is still there.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

impl Handle {
    /// Gives a running task something to read. Resolves when it was taken, as far as it is within the time.
    ///
    /// Errors: [`Error::NoSuchTask`]; [`Error::NotKept`] if its input does not stay open; [`Error::NotRunning`];
    /// [`Error::InputClosed`] if it was closed before; [`Error::Stopped`] when the engine ends meanwhile.
    pub async fn send_input(&self, input: Input) -> Result<Taken, Error> {
        let until = Instant::now() + input.within;
        let (task, assignment) = self.reading(input.task, until).await?;
        let Input { send, at, mut bytes, line, eof, .. } = input;
        let length = bytes.len() as u64;
        if line {
            bytes.push(if task.spec.stdin == Stdin::Terminal { b'\r' } else { b'\n' });
        }
        let end = at.saturating_add(bytes.len() as u64);
        let mut keeper = self.keeper(&task, assignment)?;
        let mut closing = self.closing();
        let fed = tokio::select! {
            fed = keeper.feed(Feed { id: send, at, bytes, eof }, sleep_until(until)) => fed,
            // Whoever sends it comes back to the next apexd.
            _ = closing.wait_for(|closing| *closing != Closing::Open) => return Err(Error::Stopped),
        };
        let id = task.id;
        match fed.map_err(|source| Error::Keeper { id, source })? {
            Some(fed) if fed.closed && fed.taken <= at => Err(Error::InputClosed { id }),
            Some(fed) => Ok(Taken {
                bytes: fed.taken.saturating_sub(at).min(length),
                // All bytes may be taken, and the end of the input still wait for somebody else's bytes before it.
                whole: fed.taken >= end && (!eof || fed.ended),
                closed: fed.closed,
            }),
            None => Err(Error::InputClosed { id }),
        }
    }

    /// Gives the terminal of a running task a size, and returns the one it had.
    ///
    /// Errors: as [`Self::send_input`]; [`Error::NoTerminal`].
    pub async fn resize(&self, id: TaskId, size: Size, within: Duration) -> Result<Size, Error> {
        let (task, assignment) = self.reading(id, Instant::now() + within).await?;
        if task.spec.stdin != Stdin::Terminal {
            return Err(Error::NoTerminal { id });
        }
        let mut keeper = self.keeper(&task, assignment)?;
        let before = timeout(within, keeper.resize(size)).await.map_err(|_| Error::InputClosed { id })?;
        before.map_err(|source| Error::Keeper { id, source })?.ok_or(Error::InputClosed { id })
    }

    /// Returns a task that can read something, with the attempt that does. One that is just being started is waited for.
    async fn reading(&self, id: TaskId, until: Instant) -> Result<(Task, AssignmentId), Error> {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            let task = self.stored_task(id).await?;
            if !task.spec.stdin.is_kept() {
                return Err(Error::NotKept { id });
            }
            let attempt = task.attempts.last().filter(|attempt| attempt.ended_at.is_none());
            match (task.state, attempt) {
                (State::Running | State::Paused, Some(attempt)) => {
                    let assignment = attempt.assignment;
                    return Ok((task, assignment));
                }
                (State::Starting, _) if Instant::now() < until => {
                    let mut closing = self.closing();
                    tokio::select! {
                        _ = changes.changed() => {}
                        () = sleep_until(until) => {}
                        _ = closing.wait_for(|closing| *closing != Closing::Open) => return Err(Error::Stopped),
                    }
                }
                _ => return Err(Error::NotRunning(Box::new(task))),
            }
        }
    }

    fn keeper(&self, task: &Task, assignment: AssignmentId) -> Result<Keeper, Error> {
        let id = task.id;
        let keeper = Keeper::connect(&self.shared.outputs.keeper(assignment));
        keeper.map_err(|source| Error::Keeper { id, source })?.ok_or(Error::InputClosed { id })
    }
}

/// An attempt has ended: what its terminal was written to last is kept, and nothing is left of the keeper.
pub(super) async fn end(shared: &Arc<Shared>, assignment: AssignmentId) {
    let socket = shared.outputs.keeper(assignment);
    let ended = timeout(END_WITHIN, async {
        let mut keeper = Keeper::connect(&socket)?;
        while let Some(asked) = keeper {
            asked.end().await?;
            keeper = Keeper::connect(&socket)?;
            if keeper.is_some() {
                // It is asked by too many at once, and has let go of this one.
                sleep(AGAIN_AFTER).await;
            }
        }
        Ok::<_, std::io::Error>(())
    });
    if let Err(error) = ended.await.unwrap_or_else(|late| Err(late.into())) {
        warn!(%error, %assignment, "What keeps the input of a task does not end; the last of its output may be missing");
    }
    // Of one that was killed.
    let _ = std::fs::remove_file(socket);
}
