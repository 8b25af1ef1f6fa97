//! What a task waits for, in one sentence.

use crate::cli::render::instant::moment;
use crate::cli::render::queue::paused;
use crate::cli::render::resource;
use crate::cli::render::task::time_taken;
use crate::cli::render::{UNTRUSTED, ago, exit_in_words, window};
use crate::domain::daemon::DaemonStatus;
use crate::domain::id::TaskId;
use crate::domain::outcome::ReasonCode;
use crate::domain::queue::Queue;
use crate::domain::task::{State, Task};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;

#[cfg(test)]
mod tests;

/// What decides whether a task may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The task.
    pub task: Task,
    /// Of a task that is blocked or was skipped: those it depends on, as far as they are there.
    pub needs: Vec<Task>,
    /// Of a task that is queued: where it stands.
    pub place: Option<Place>,
}

/// Where a task stands that waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The daemon.
    pub status: DaemonStatus,
    /// The queue it is in; `None` if that is gone.
    pub queue: Option<Queue>,
    /// All tasks that hold a slot.
    pub active: Vec<Task>,
    /// How many tasks of its queue start before it.
    pub ahead: usize,
    /// There may be more of them.
    pub is_cut: bool,
}

/// How many tasks are named; the others are counted.
const NAMED_MAX: usize = 5;

/// Returns the sentence.
pub fn sentence(facts: &Facts, now: Timestamp) -> String {
    let task = &facts.task;
    let what = match task.state {
        State::Scheduled => format!("waits until {}", task.spec.run_at.map_or_else(String::new, |at| moment(at, now))),
        State::Blocked => blocked(task, &facts.needs, now),
        State::Held => held(task),
        State::Queued => {
            facts.place.as_ref().map_or_else(|| "waits for a slot".to_owned(), |place| queued(task, place, now))
        }
        State::Retrying => retrying(task, now),
        State::Starting => "does not wait: it is being started".to_owned(),
        State::Running => {
            let time = time_taken(task, now).filter(|time| !time.is_empty());
            let time = time.map_or_else(|| "a moment".to_owned(), |time| time.to_string());
            let cancelled = if task.cancel_requested_at.is_some() { ", and is being cancelled" } else { "" };
            format!("does not wait: it has been running for {time}{cancelled}")
        }
        State::Paused => format!("is paused, and keeps its slot; `apex task resume {}` lets it go on", task.id),
        State::Skipped => skipped(task, &facts.needs),
        State::Succeeded | State::Failed | State::TimedOut | State::Cancelled | State::Interrupted | State::Lost => {
            ended(task, now)
        }
    };
    format!("task {} {what}", task.id)
}

fn blocked(task: &Task, needs: &[Task], now: Timestamp) -> String {
    let state = |id: TaskId| needs.iter().find(|need| need.id == id).map(|need| need.state);
    let named = |ids: &[TaskId], is_met: fn(State) -> bool| -> Vec<String> {
        let open = ids.iter().filter(|id| !state(**id).is_some_and(is_met));
        open.map(|id| format!("{id} ({})", state(*id).map_or("gone", |state| state.shown().as_str()))).collect()
    };
    let to_succeed = named(&task.spec.after, |state| state == State::Succeeded);
    let to_end = named(&task.spec.after_any, State::is_ended);
    let mut parts = Vec::new();
    if !to_succeed.is_empty() {
        parts.push(format!("for {} to succeed", tasks(&to_succeed)));
    }
    if !to_end.is_empty() {
        parts.push(format!("for {} to end", tasks(&to_end)));
    }
    parts.extend(task.spec.run_at.filter(|at| *at > now).map(|at| format!("until {}", moment(at, now))));
    if parts.is_empty() {
        return "is about to be ready: all that it waited for has come about".to_owned();
    }
    format!("waits {}", in_words(&parts))
}

fn held(task: &Task) -> String {
    if task.reason_code == Some(ReasonCode::Untrusted) {
        return "is held because the project came from elsewhere; `apex trust` lets it go".to_owned();
    }
    let reason = task.reason.as_deref().map(|reason| format!(" ({})", neutralize(reason))).unwrap_or_default();
    format!("is held{reason}; `apex task release {}` lets it go", task.id)
}

fn queued(task: &Task, place: &Place, now: Timestamp) -> String {
    let name = neutralize(&task.spec.queue);
    let count = |count: usize| if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") };
    let ahead = match (place.ahead, place.is_cut) {
        (ahead, true) => Some(format!("at least {}", count(ahead))),
        (0, false) => None,
        (ahead, false) => Some(count(ahead)),
    };
    let then = ahead.as_ref().map(|ahead| format!(", with {ahead} ahead of it")).unwrap_or_default();
    let status = &place.status;
    if status.draining {
        return "waits for the next daemon: this one is draining and starts nothing more".to_owned();
    }
    if status.untrusted {
        return format!("waits because {UNTRUSTED}");
    }
    let windows = &status.windows;
    if let Some(window) = windows.pauses(&task.spec.queue) {
        return format!("waits for {}: it pauses queue `{name}`", window::to_close(window, now));
    }
    let Some(queue) = &place.queue else {
        return format!("waits in queue `{name}`, which is gone");
    };
    if let Some(pause) = &queue.pause {
        let paused = paused(pause, now);
        return format!("waits because queue `{name}` is {paused}; `apex queue resume {name}` lets it start");
    }
    if let Some(never) = resource::waits(task, &status.resources, now).filter(|waits| waits.starts_with("can never")) {
        return never;
    }
    // Nothing that would end makes room.
    if let Some((window, 0)) = windows.tightest() {
        return format!("waits for {}: nothing starts while it is open{then}", window::to_close(window, now));
    }
    let holders = |in_queue: bool| {
        let of = |other: &&Task| !in_queue || other.spec.queue == task.spec.queue;
        let holding = place.active.iter().filter(of).filter(|other| !status.lending.contains(&other.id));
        let named: Vec<String> = holding.map(named_if_odd).collect();
        let verb = if named.len() == 1 { "uses" } else { "use" };
        if named.is_empty() { String::new() } else { format!(", which {} {verb}", tasks(&named)) }
    };
    let lent = |other: &&Task| other.spec.queue == task.spec.queue && status.lending.contains(&other.id);
    let active = queue.active.saturating_sub(place.active.iter().filter(lent).count() as u64);
    if queue.slots > 0 && active >= u64::from(queue.slots) {
        return format!("waits for {} of queue `{name}`{}{then}", one_of(queue.slots), holders(true));
    }
    let lower = windows.tightest().filter(|(_, most)| *most < status.max_concurrent);
    if let Some((window, most)) = lower.filter(|(_, most)| status.used() >= *most) {
        let window = window::to_close(window, now);
        return format!("waits for {window}: it allows {most} at a time{}{then}", holders(false));
    }
    if status.used() >= status.max_concurrent {
        return format!("waits for {} of the daemon{}{then}", one_of(status.max_concurrent), holders(false));
    }
    if let Some(lacking) = &status.held_up {
        return format!("waits for the machine: {}; it is tried again by itself{then}", neutralize(lacking));
    }
    if let Some(waits) = resource::waits(task, &status.resources, now) {
        return format!("{waits}{then}");
    }
    if let Some(behind) = resource::behind(task, &status.resources, now) {
        return format!("{behind}{then}");
    }
    match ahead {
        Some(ahead) => format!("waits for its turn, with {ahead} ahead of it in queue `{name}`"),
        None => "is about to start".to_owned(),
    }
}

fn one_of(slots: u32) -> String {
    if slots == 1 { "the only slot".to_owned() } else { format!("one of the {slots} slots") }
}

/// Returns a task's number, with its state if that is not what one expects of a task that holds a slot.
fn named_if_odd(task: &Task) -> String {
    if task.state == State::Paused { format!("{} (paused)", task.id) } else { task.id.to_string() }
}

fn retrying(task: &Task, now: Timestamp) -> String {
    let last = task.attempts.last();
    let how = last.map_or("failed".to_owned(), |attempt| attempt.state.shown().as_str().replace('_', " "));
    let why = reason(task);
    let when = task.spec.run_at.map(|at| format!(" at {}", moment(at, now))).unwrap_or_default();
    format!("is tried again{when}: attempt {} {how}{why}", task.attempt)
}

fn skipped(task: &Task, needs: &[Task]) -> String {
    let is_to_blame = |need: &&Task| need.state.is_ended() && need.state != State::Succeeded;
    let culprit = needs.iter().filter(|need| task.spec.after.contains(&need.id)).find(is_to_blame);
    match culprit {
        Some(need) if need.state == State::Skipped => {
            format!("was skipped because task {0} was skipped; `apex task why {0}` tells more", need.id)
        }
        Some(need) => {
            let (id, how, why) = (need.id, how_it_ended(need.state), reason(need));
            format!("was skipped because task {id} {how}{why}; `apex task retry {id}` runs both")
        }
        None if task.spec.after.iter().any(|id| !needs.iter().any(|need| need.id == *id)) => {
            format!("was skipped{}, and what it depended on is gone: add it again to run it", reason(task))
        }
        None => format!("was skipped{}; `apex task retry {}` runs it", reason(task), task.id),
    }
}

fn ended(task: &Task, now: Timestamp) -> String {
    let when = task.ended_at.map(|at| format!(" {}", ago(at, now))).unwrap_or_default();
    let why = reason(task);
    let how = how_it_ended(task.state);
    let again = match task.state {
        State::Succeeded => String::new(),
        _ => format!("; `apex task retry {}` runs it again", task.id),
    };
    format!("does not wait: it {how}{when}{why}{again}")
}

fn how_it_ended(state: State) -> &'static str {
    match state {
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::TimedOut => "timed out",
        State::Cancelled => "was cancelled",
        State::Skipped => "was skipped",
        State::Interrupted => "was interrupted",
        State::Lost => "was lost",
        other => other.as_str(),
    }
}

/// Returns why a task stands as it does, in brackets, if that is known.
fn reason(task: &Task) -> String {
    let exit = || task.exit.filter(|_| task.state != State::Succeeded).map(exit_in_words);
    let reason = task.reason.as_deref().map(|reason| neutralize(reason).into_owned()).or_else(exit);
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

/// Returns `task 3`, `tasks 3 and 4`, or the first of many and how many more there are.
fn tasks(named: &[String]) -> String {
    let word = if named.len() == 1 { "task" } else { "tasks" };
    if named.len() <= NAMED_MAX {
        return format!("{word} {}", in_words(named));
    }
    let others = named.len() - NAMED_MAX;
    format!("{word} {} and {others} more", named[..NAMED_MAX].join(", "))
}

fn in_words(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
