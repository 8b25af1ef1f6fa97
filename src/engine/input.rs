//! The input of running tasks: giving them something to read, and the size of their terminals.
//!
//! None of it passes through the loop. Whoever keeps the input open ([`Keeper`]) is asked directly, and nobody but the one
//! who sends waits for a task that reads nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::warn;

use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::input::{Input, Size, Taken};
use crate::domain::task::{State, Stdin, Task};
use crate::engine::handle::Shared;
use crate::engine::job::Record;
use crate::engine::{Closing, Error, Handle};
use crate::link::keeper::Feed;
use crate::process::{Found, Keeper};

/// How long a keeper may take to keep what the task wrote last; one that was stopped would take for ever.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How often is looked for a socket that is still to be made.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// When a keeper is told of the end once more that is still there.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// So long after its start an attempt may not have its keeper's socket yet, where that is on a disk that may not answer.
const NEW_FOR: Duration = Duration::from_secs(5);

/// A task that can read something, with the attempt that does.
struct Reading {
    task: Task,
    assignment: AssignmentId,
    is_new: bool,
}

impl Handle {
    /// Gives a running task something to read. Resolves when it was taken, as far as it is within the time.
    ///
    /// Errors: [`Error::NoSuchTask`]; [`Error::NotKept`] if its input does not stay open; [`Error::NotRunning`];
    /// [`Error::InputClosed`] if it was closed before; [`Error::Crowded`] if too many send to it at once; [`Error::Keeper`] if who
    /// keeps it open does not answer; [`Error::Stopped`] when the engine ends meanwhile.
    pub async fn send_input(&self, input: Input) -> Result<Taken, Error> {
        let until = Instant::now() + input.within;
        let reading = self.reading(input.task, until).await?;
        let id = reading.task.id;
        let Input { send, at, mut bytes, line, eof, .. } = input;
        let length = bytes.len() as u64;
        if line {
            bytes.push(if reading.task.spec.stdin == Stdin::Terminal { b'\r' } else { b'\n' });
        }
        let end = at.saturating_add(bytes.len() as u64);
        let feed = Feed { id: send, at, bytes, eof };
        let mut closing = self.closing();
        let give = async {
            loop {
                let mut keeper = self.keeper(&reading, until).await?;
                match keeper.feed(feed.clone(), until).await {
                    Ok(Some(fed)) => return Ok(fed),
                    Ok(None) => self.come_back(&reading, until).await?,
                    Err(source) => return Err(Error::Keeper { id, source }),
                }
            }
        };
        let fed = tokio::select! {
            fed = give => fed?,
            // Whoever sends it comes back to the next apexd.
            _ = closing.wait_for(|closing| *closing != Closing::Open) => return Err(Error::Stopped),
        };
        if fed.closed && fed.taken <= at {
            return Err(Error::InputClosed { id });
        }
        Ok(Taken {
            bytes: fed.taken.saturating_sub(at).min(length),
            // All bytes may be taken, and the end of the input still wait for somebody else's bytes before it.
            whole: fed.taken >= end && (!eof || fed.ended),
            closed: fed.closed,
        })
    }

    /// Gives the terminal of a running task a size, and returns the one it had.
    ///
    /// Errors: as [`Self::send_input`]; [`Error::NoTerminal`].
    pub async fn resize(&self, id: TaskId, size: Size, within: Duration) -> Result<Size, Error> {
        let until = Instant::now() + within;
        let reading = self.reading(id, until).await?;
        if reading.task.spec.stdin != Stdin::Terminal {
            return Err(Error::NoTerminal { id });
        }
        loop {
            let mut keeper = self.keeper(&reading, until).await?;
            match keeper.resize(size, until).await {
                Ok(Some(before)) => return Ok(before),
                Ok(None) => self.come_back(&reading, until).await?,
                Err(source) => return Err(Error::Keeper { id, source }),
            }
        }
    }

    /// Returns a task that can read something, with the attempt that does. One that is just being started is waited for.
    async fn reading(&self, id: TaskId, until: Instant) -> Result<Reading, Error> {
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
                    let runs_for = attempt.started_at.map(|at| (self.shared.world.now)().since(at));
                    let is_new = runs_for.is_none_or(|time| time < NEW_FOR);
                    return Ok(Reading { assignment: attempt.assignment, is_new, task });
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

    /// Connects to the keeper of an attempt.
    async fn keeper(&self, reading: &Reading, until: Instant) -> Result<Keeper, Error> {
        let (id, socket) = (reading.task.id, self.shared.outputs.keeper(reading.assignment));
        loop {
            match Keeper::find(&socket) {
                Ok(Found::There(keeper)) => return Ok(keeper),
                Ok(Found::Nothing) if reading.is_new && makes_its_socket(&self.shared, &socket) => {}
                Ok(Found::Nothing | Found::Gone) => return Err(Error::InputClosed { id }),
                // So many wait that no further one can.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(source) => return Err(Error::Keeper { id, source }),
            }
            self.come_back(reading, until).await?;
        }
    }

    /// Waits a moment before a keeper is asked again that has let go of this one, because it is asked by too many at once.
    ///
    /// Errors: it has ended; the time is over.
    async fn come_back(&self, reading: &Reading, until: Instant) -> Result<(), Error> {
        let (id, socket) = (reading.task.id, self.shared.outputs.keeper(reading.assignment));
        if !reading.is_new && matches!(Keeper::connect(&socket), Ok(None)) {
            return Err(Error::InputClosed { id });
        }
        if Instant::now() + AGAIN_AFTER >= until {
            return Err(Error::Crowded { id });
        }
        sleep(AGAIN_AFTER).await;
        Ok(())
    }
}

/// On a disk that may not answer the keeper makes its socket itself, when the task may already run; and leaves it there if it goes
/// before it is told of the end. So where there is none it is not there yet.
fn makes_its_socket(shared: &Shared, socket: &Path) -> bool {
    !shared.answers_at_once([socket.to_owned()])
}

/// Attempts have ended: what their terminals were written to last is kept, and nothing is left of the keepers. None waits for
/// another one.
pub(super) async fn end_all(shared: &Shared, ended: impl IntoIterator<Item = &Record>) {
    let mut ends: JoinSet<()> = ended.into_iter().map(|record| end_of(shared, record)).collect();
    while ends.join_next().await.is_some() {}
}

/// The same of one attempt.
pub(super) async fn end(shared: &Shared, ended: &Record) {
    end_of(shared, ended).await;
}

fn end_of(shared: &Shared, ended: &Record) -> impl Future<Output = ()> + Send + use<> {
    let socket = shared.outputs.keeper(ended.assignment);
    // Of one that was never started nothing is to come.
    let is_awaited = ended.started.is_some() && makes_its_socket(shared, &socket);
    end_at(socket, is_awaited)
}

/// Ends the keeper at a socket, which may still be about to be made.
async fn end_at(socket: PathBuf, is_awaited: bool) {
    let ended = timeout(END_WITHIN, async {
        let (mut was_there, mut was_asked) = (!is_awaited, false);
        loop {
            match Keeper::find(&socket)? {
                Found::There(keeper) => {
                    if was_asked {
                        // It is asked by too many at once, and has let go of this one.
                        sleep(AGAIN_AFTER).await;
                    }
                    (was_there, was_asked) = (true, true);
                    keeper.end().await?;
                }
                Found::Nothing if !was_there => sleep(LOOK_EVERY).await,
                Found::Nothing | Found::Gone => return Ok::<_, io::Error>(()),
            }
        }
    });
    if let Err(error) = ended.await.unwrap_or_else(|late| Err(late.into())) {
        let socket = socket.display();
        warn!(%error, %socket, "What keeps the input of a task does not end; the last of its output may be missing");
    }
    // Of one that was killed.
    let _ = std::fs::remove_file(socket);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keepers_that_do_not_answer_are_waited_for_together() {
        let dir = tempfile::tempdir().unwrap();
        let sockets = [1, 2, 3].map(|n| dir.path().join(n.to_string()));
        // They let in, and say nothing.
        let _silent = sockets.clone().map(|socket| std::os::unix::net::UnixListener::bind(socket).unwrap());
        let began = Instant::now();
        let mut ends: JoinSet<()> = sockets.map(|socket| end_at(socket, false)).into_iter().collect();
        while ends.join_next().await.is_some() {}
        assert!(began.elapsed() < 2 * END_WITHIN, "{:?}", began.elapsed());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_socket_that_is_still_to_be_made_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        end_at(socket.clone(), false).await;
        let ends = tokio::spawn(end_at(socket.clone(), true));
        tokio::task::yield_now().await;
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let told = tokio::task::spawn_blocking(move || {
            let mut bytes = [0; 64];
            let count = std::io::Read::read(&mut listener.accept().unwrap().0, &mut bytes).unwrap();
            bytes[..count].to_vec()
        });
        let mut end = Vec::new();
        crate::link::codec::encode(&crate::link::keeper::Ask::End, &mut end).unwrap();
        assert_eq!(told.await.unwrap(), end);
        ends.await.unwrap();
        assert!(!socket.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn a_keeper_that_does_not_answer_is_waited_for_only_so_long() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let until = Instant::now() + Duration::from_secs(1);
        let mut keeper = Keeper::connect(&socket).unwrap().unwrap();
        // More than a socket takes.
        let bytes = vec![b'x'; 4 << 20];
        for bytes in [bytes, b"few".to_vec()] {
            let feed = Feed { id: uuid::Uuid::nil(), at: 0, bytes, eof: false };
            let mut keeper = Keeper::connect(&socket).unwrap().unwrap();
            assert_eq!(keeper.feed(feed, until).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        let size = Size { rows: 1, columns: 1 };
        assert_eq!(keeper.resize(size, until).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
