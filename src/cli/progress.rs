//! The line below everything else, by which a terminal that waits says for what.
//!
//! Drawn when something changes and once a second, by whoever waits: there is no thread. [`crate::cli::ui::Ui`] takes it
//! away before it prints anything. Where nobody looks nothing is drawn, and no clock runs.

use std::cell::RefCell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, sleep_until};

use crate::cli::render::{counted, rough};
use crate::cli::ui::{Target, Ui};
use crate::domain::daemon::DaemonStatus;
use crate::domain::task::{State, Task};

/// What takes less time than this is over before anybody could read about it.
const FIRST_AFTER: Duration = Duration::from_millis(400);
/// Time between two drawings while nothing changes.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How many changes are drawn in a second at most.
const DRAWINGS_PER_SECOND: u8 = 10;

/// The line itself, on standard error.
#[derive(Debug, Clone, Default)]
pub struct Line {
    bar: RefCell<Option<ProgressBar>>,
}

impl Line {
    /// Draws `text`, cut where the terminal ends.
    fn draw(&self, text: String) {
        let new = || {
            let target = ProgressDrawTarget::stderr_with_hz(DRAWINGS_PER_SECOND);
            let bar = ProgressBar::with_draw_target(None, target);
            // The template is a constant: if it were wrong, the bar's own form would do.
            match ProgressStyle::with_template("{wide_msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        };
        self.bar.borrow_mut().get_or_insert_with(new).set_message(text);
    }

    /// Takes it away, if it is there.
    pub fn clear(&self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Somebody who waits. The line goes when this does.
#[derive(Debug)]
pub struct Waiting<'a> {
    ui: &'a Ui,
    began: Instant,
    /// When to draw; `None` where nobody looks.
    next: Option<Instant>,
}

impl<'a> Waiting<'a> {
    /// Begins to wait. Nothing is shown where standard error is no terminal, and nothing with `--quiet` and `--json`.
    pub fn begin(ui: &'a Ui) -> Self {
        let is_seen = !ui.quiet && !ui.json && Target::Stderr.is_terminal();
        let began = Instant::now();
        Self { ui, began, next: is_seen.then(|| began + FIRST_AFTER) }
    }

    /// Resolves when the line is to be drawn; never where nobody looks.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn due(&self) {
        match self.next {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Draws what `text` makes of the time waited so far; nothing if there is nothing to say, or if it is too early.
    pub fn show(&mut self, text: impl FnOnce(Duration) -> Option<String>) {
        let Some(next) = &mut self.next else { return };
        let now = Instant::now();
        if now < self.began + FIRST_AFTER {
            return;
        }
        *next = now + AGAIN_AFTER;
        match text(now - self.began) {
            Some(text) => self.ui.line().draw(text),
            None => self.ui.line().clear(),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.ui.line().clear();
    }
}

/// Returns what is waited for: `waiting for 3 tasks: 2 running, 1 queued (12s)`; `None` without tasks.
pub fn for_tasks<'a>(tasks: impl IntoIterator<Item = &'a Task>, waited: Duration) -> Option<String> {
    let tasks: Vec<&Task> = tasks.into_iter().collect();
    let waited = rough(waited);
    if let [task] = tasks.as_slice() {
        return Some(format!("waiting for task {}: {} ({waited})", task.id, task.state.shown().as_str()));
    }
    let active = [State::Running, State::Paused, State::Retrying, State::Queued];
    let states = active.into_iter().chain(State::ALL.into_iter().filter(|state| !active.contains(state)));
    let parts: Vec<String> = states
        .map(|state| (state, tasks.iter().filter(|task| task.state.shown() == state).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {}", state.as_str()))
        .collect();
    (!tasks.is_empty()).then(|| format!("waiting for {} tasks: {} ({waited})", tasks.len(), parts.join(", ")))
}

/// Returns what is waited for while a daemon stops; `None` as its status: it does not say.
pub fn for_daemon(status: Option<&DaemonStatus>, waited: Duration) -> String {
    let what = match status.map(|status| status.active) {
        Some(active @ 1..) => format!("{} to end", counted(u64::from(active), "running task")),
        Some(0) | None => "the daemon to end".to_owned(),
    };
    format!("waiting for {what} ({})", rough(waited))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Globals;
    use crate::view::samples;

    fn task(state: State) -> Task {
        Task { state, ..samples::queued() }
    }

    #[test]
    fn tasks_are_counted_by_state_those_that_run_first() {
        let words = |states: &[State], s: u64| {
            let tasks: Vec<Task> = states.iter().map(|state| task(*state)).collect();
            for_tasks(&tasks, Duration::from_secs(s)).unwrap_or_default()
        };
        use State::{Blocked, Held, Queued, Running, Starting};
        assert_eq!(words(&[Queued, Running, Starting], 12), "waiting for 3 tasks: 2 running, 1 queued (12s)");
        assert_eq!(words(&[Held, Blocked], 185), "waiting for 2 tasks: 1 blocked, 1 held (3m05s)");
        assert_eq!(words(&[Running], 0), "waiting for task 12: running (0s)");
        assert_eq!(words(&[], 1), "");
    }

    #[test]
    fn a_daemon_that_stops_waits_for_what_runs() {
        let words = |active| {
            let status = DaemonStatus { active, ..samples::daemon() };
            for_daemon(Some(&status), Duration::from_secs(3))
        };
        assert_eq!(words(2), "waiting for 2 running tasks to end (3s)");
        assert_eq!(words(1), "waiting for 1 running task to end (3s)");
        assert_eq!(words(0), "waiting for the daemon to end (3s)");
        assert_eq!(for_daemon(None, Duration::from_secs(60)), "waiting for the daemon to end (1m00s)");
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_looks_no_clock_runs_and_nothing_is_said() {
        let ui = Ui::new(&Globals { quiet: true, ..Globals::default() });
        let mut waiting = Waiting::begin(&ui);
        assert!(tokio::time::timeout(Duration::from_secs(3600), waiting.due()).await.is_err());
        waiting.show(|_| panic!("nobody reads it"));
    }
}
