//! What people see: tables, details, sentences. Everything here is a function from values to text; nothing prints.
//!
//! Every text that came from a user, a task or a file goes through [`crate::domain::text::neutralize`] on its way.
//! Programs get the same values as JSON from [`crate::view`].

pub mod column;
pub mod config;
pub mod confine;
pub mod daemon;
pub mod doctor;
pub mod event;
pub mod instant;
pub mod progress;
pub mod ps;
pub mod queue;
pub mod resource;
pub mod room;
pub mod schedule;
pub mod sheet;
pub mod stats;
pub mod status;
pub mod table;
pub mod task;
pub mod why;
pub mod window;
pub mod wrap;

#[cfg(test)]
mod tests;

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::domain::daemon::DaemonStatus;
use crate::domain::outcome::{ExitStatus, SignalName};
use crate::domain::query::Counts;
use crate::domain::task::State;
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::units::format_elapsed;

/// Returns the colour in which a state is shown. The word stands there, too: colour carries no meaning alone.
pub fn state_style(state: State) -> Style {
    match state.shown() {
        State::Succeeded => AnsiColor::Green.on_default(),
        State::Failed | State::TimedOut | State::Lost => AnsiColor::Red.on_default(),
        State::Cancelled | State::Skipped | State::Interrupted => AnsiColor::Yellow.on_default(),
        State::Running | State::Starting | State::Paused => AnsiColor::Cyan.on_default(),
        State::Scheduled | State::Blocked | State::Held | State::Queued | State::Retrying => Style::new(),
    }
}

/// Returns text that steers no terminal.
pub fn harmless(text: &str) -> String {
    crate::domain::text::neutralize(text).into_owned()
}

/// The style of headings.
pub const HEADING: Style = Style::new().bold();

/// Returns how long ago `at` was: `3m05s ago`, `just now`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let since = now.since(at);
    if since < Duration::from_secs(1) { "just now".to_owned() } else { format!("{} ago", rough(since)) }
}

/// Returns how long it is until `at`: `in 3m05s`, `now`.
pub fn ahead(at: Timestamp, now: Timestamp) -> String {
    let until = at.since(now);
    if until < Duration::from_secs(1) { "now".to_owned() } else { format!("in {}", rough(until)) }
}

/// Returns how far `at` is from now: `in 3m05s`, `3m05s ago`.
pub fn distance(at: Timestamp, now: Timestamp) -> String {
    if at > now { ahead(at, now) } else { ago(at, now) }
}

/// Returns a number of things: `1 task`, `2 tasks`.
pub fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Returns a length of time in whole seconds or coarser units: `12s`, `3m05s`.
pub fn rough(length: Duration) -> String {
    if length < Duration::from_secs(60) { format!("{}s", length.as_secs()) } else { format_elapsed(length) }
}

/// Returns how a process ended: `exit code 3`, `SIGKILL`.
pub fn exit_in_words(exit: ExitStatus) -> String {
    match exit {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(signal) => SignalName(signal).to_string(),
    }
}

/// Returns the tasks that wait, by what they wait for: `2 queued, 1 held`; `None` if none does.
pub fn waiting_in_words(counts: &Counts) -> Option<String> {
    let states = [State::Queued, State::Scheduled, State::Blocked, State::Held, State::Retrying];
    let parts: Vec<String> = states
        .into_iter()
        .filter(|state| counts.of(*state) > 0)
        .map(|state| format!("{} {}", counts.of(state), state.as_str()))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What is said of a project that came from elsewhere.
pub const UNTRUSTED: &str = "the project came from elsewhere and nothing of it is run (`apex trust` accepts it)";

/// Returns how a running daemon stands, on one line.
pub fn running_in_words(status: &DaemonStatus) -> String {
    let lower = status.windows.tightest().filter(|(_, most)| *most < status.max_concurrent);
    let by = lower.map(|(window, _)| format!(" (window `{}`)", neutralize(&window.name))).unwrap_or_default();
    let draining = if status.draining { ", draining" } else { "" };
    let lent = u32::try_from(status.lending.len()).unwrap_or(u32::MAX);
    let lent = if lent > 0 { format!(", {lent} lent") } else { String::new() };
    let slots = match lower {
        Some((_, 0)) => format!("{} used, nothing starts{by}{lent}", counted(status.used().into(), "slot")),
        _ => format!("{} of {} slots used{by}{lent}", status.used(), status.slots()),
    };
    format!("running{draining} (pid {}), up {}, {slots}", status.guardian_pid, format_elapsed(status.uptime))
}

/// Returns a number of bytes, rounded for people.
pub fn bytes(count: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| count >= *size) {
        #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
        Some((size, unit)) => format!("{:.1} {unit}", count as f64 / size as f64),
        None => counted(count, "byte"),
    }
}
