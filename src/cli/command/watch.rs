//! `task list --watch`: the list again whenever something changes.
//!
//! It follows the feed: while nothing happens nobody is asked. Only the times of what runs go on by the clock, on a terminal and
//! without asking.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::cli::error::Failure;
use crate::cli::page::Page;
use crate::cli::session::{Session, now};
use crate::cli::ui::Target;
use crate::domain::error::ErrorKind;
use crate::domain::query::TaskPage;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::exit::Exit;
use crate::rpc::client::{self, Client};

/// Time between two drawings of what runs while nothing changes.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is asked for again and again, and how it looks.
pub struct Watched<A, D> {
    /// Asks for the tasks.
    pub ask: A,
    /// Draws them.
    pub draw: D,
    /// Time between two drawings at least.
    pub pause: Duration,
}

/// Draws the list, and again whenever something changes, until a signal comes or the daemon is stopped.
pub async fn watch<A, D>(session: &Session, client: &Client, watched: Watched<A, D>) -> Result<i32, Failure>
where
    A: AsyncFn() -> Result<TaskPage, Failure>,
    D: Fn(&TaskPage, Timestamp) -> String,
{
    // From before the first look on: what happens in between is looked at again.
    let mut events = client.events(None, true);
    events.begin().await?;
    let is_terminal = Target::Stdout.is_terminal();
    let trouble = |error| Failure::io("cannot wait for signals", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(trouble)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(trouble)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(trouble)?;
    let mut resized = signal(SignalKind::window_change()).map_err(trouble)?;
    let mut suspended = signal(SignalKind::from_raw(nix::libc::SIGTSTP)).map_err(trouble)?;
    let mut page = (watched.ask)().await?;
    // Taken last: whatever fails before that is told on the page that stands there.
    let mut screen = if is_terminal { Some(Page::open(&session.ui)?) } else { None };
    let mut last = String::new();
    // When it is asked again: what has changed waits for as much as comes with it.
    let mut due: Option<Instant> = None;
    loop {
        let text = (watched.draw)(&page, now());
        match &mut screen {
            Some(screen) => screen.draw(&text)?,
            // The same once more says nothing.
            None if text == last => {}
            None => session.ui.data(&if last.is_empty() { text.clone() } else { format!("\n{text}") })?,
        }
        last = text;
        let runs = page.tasks.iter().any(|task: &Task| task.state.is_active());
        let again = (is_terminal && runs).then(|| Instant::now() + AGAIN_AFTER);
        loop {
            tokio::select! {
                event = events.next() => {
                    event.ok_or_else(stopped)?.map_err(unreachable)?;
                    due = due.or_else(|| Some(Instant::now() + watched.pause));
                    continue;
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    due = None;
                    page = (watched.ask)().await?;
                }
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
                _ = resized.recv(), if is_terminal => {}
                _ = suspended.recv() => {
                    if let Some(screen) = &mut screen {
                        screen.suspend()?;
                    }
                }
                _ = interrupt.recv() => return Ok(by_signal(nix::libc::SIGINT)),
                _ = terminate.recv() => return Ok(by_signal(nix::libc::SIGTERM)),
                _ = hangup.recv() => return Ok(by_signal(nix::libc::SIGHUP)),
            }
            break;
        }
    }
}

fn stopped() -> Failure {
    Failure::new(ErrorKind::Unavailable, "the daemon was stopped").with_exit(Exit::Unreachable)
}

fn unreachable(error: client::Error) -> Failure {
    Failure::from(error).with_exit(Exit::Unreachable)
}

/// Returns what a program ends with that a signal has ended.
const fn by_signal(signal: i32) -> i32 {
    128 + signal
}
