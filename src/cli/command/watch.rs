//! `task list --watch`: the list again whenever something changes.
//!
//! It follows the feed: while nothing happens nobody is asked. Only the times of what runs go on by the clock, on a terminal and
//! without asking.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};

use crate::cli::error::Failure;
use crate::cli::page::Page;
use crate::cli::session::{Session, now};
use crate::cli::ui::Target;
use crate::domain::error::ErrorKind;
use crate::domain::query::TaskPage;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::exit::Exit;
use crate::rpc::client::{Client, Events};

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
        tokio::select! {
            event = changed(&mut events, watched.pause) => {
                event?;
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
    }
}

/// Returns what a program ends with that a signal has ended.
const fn by_signal(signal: i32) -> i32 {
    128 + signal
}

/// Waits for something to change, and then for as much as comes with it.
async fn changed(events: &mut Events, pause: Duration) -> Result<(), Failure> {
    let stopped = || Failure::new(ErrorKind::Unavailable, "the daemon was stopped").with_exit(Exit::Unreachable);
    let unreachable = |error| Failure::from(error).with_exit(Exit::Unreachable);
    events.next().await.ok_or_else(stopped)?.map_err(unreachable)?;
    let until = Instant::now() + pause;
    while let Ok(event) = timeout(until.saturating_duration_since(Instant::now()), events.next()).await {
        event.ok_or_else(stopped)?.map_err(unreachable)?;
    }
    Ok(())
}
