//! Tasks: the list, and one of them in full.

use crate::cli::render::instant::moment;
use crate::cli::render::progress::{in_words, left, short};
use crate::cli::render::sheet::Sheet;
use crate::cli::render::table::{Align, Cell, Column, Table, cut};
use crate::cli::render::{ago, ahead, bytes, confine, counted, exit_in_words, state_style};
use crate::domain::attempt::Attempt;
use crate::domain::id::TaskId;
use crate::domain::outcome::{ExitStatus, SignalName};
use crate::domain::task::{
    Backoff, DEFAULT_QUEUE, Environment, OnInterrupt, RetryPolicy, State, Stdin, Task, TaskSpec,
};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::paths::Project;
use crate::units::{format_duration, format_elapsed, format_size};

/// Longest name in a table; the command is what is cut for want of space, so names must not eat it up.
const NAME_WIDTH_MAX: usize = 32;

/// Returns the table of `tasks`; names and queues have a column where there are any.
pub fn list(tasks: &[Task], now: Timestamp, width: Option<usize>) -> String {
    let has_names = tasks.iter().any(|task| task.spec.name.is_some());
    let has_queues = tasks.iter().any(|task| task.spec.queue != DEFAULT_QUEUE);
    let mut columns = vec![
        Column::new("ID", Align::Right),
        Column::new("STATE", Align::Left),
        Column::new("EXIT", Align::Left).expendable(2),
        Column::new("TIME", Align::Right).expendable(3),
        Column::new("WHEN", Align::Right).expendable(4),
    ];
    let has_progress = tasks.iter().any(|task| short(task).is_some());
    columns.extend(has_progress.then_some(Column::new("PROGRESS", Align::Left).expendable(2)));
    columns.extend(has_queues.then_some(Column::new("QUEUE", Align::Left).expendable(5)));
    columns.extend(has_names.then_some(Column::new("NAME", Align::Left).expendable(1)));
    columns.push(Column::new("COMMAND", Align::Left));
    let mut table = Table::new(columns);
    for task in tasks {
        let state = task.state.shown();
        let mut row = vec![
            Cell::new(task.id.to_string()),
            Cell::new(state.as_str()).styled(state_style(state)),
            Cell::new(short_exit(task)),
            Cell::new(time_taken(task, now).unwrap_or_else(|| "-".to_owned())),
            Cell::new(ago(task.ended_at.or(task.started_at).unwrap_or(task.created_at), now)),
        ];
        row.extend(has_progress.then(|| Cell::new(short(task).unwrap_or_else(|| "-".to_owned()))));
        row.extend(has_queues.then(|| Cell::new(cut(&neutralize(&task.spec.queue), NAME_WIDTH_MAX))));
        row.extend(has_names.then(|| {
            Cell::new(
                task.spec.name.as_deref().map_or_else(|| "-".to_owned(), |name| cut(&neutralize(name), NAME_WIDTH_MAX)),
            )
        }));
        row.push(Cell::new(command(task)));
        table.push(row);
    }
    table.draw(width)
}

/// Returns the command on one line.
pub fn command(task: &Task) -> String {
    neutralize(&task.command_line()).into_owned()
}

/// Returns how the last attempt ended, in one word.
pub fn short_exit(task: &Task) -> String {
    match task.exit {
        Some(ExitStatus::Code(code)) => code.to_string(),
        Some(ExitStatus::Signal(signal)) => SignalName(signal).to_string(),
        None => "-".to_owned(),
    }
}

/// Returns how long the current or last attempt has taken; `None` if it never started.
pub fn time_taken(task: &Task, now: Timestamp) -> Option<String> {
    let until = if task.state.is_ended() { task.ended_at? } else { now };
    // One that is tried again later is not running now.
    let started = task.started_at.filter(|_| task.state.is_ended() || task.state.is_active())?;
    Some(format_elapsed(until.since(started)))
}

/// Returns what became of a task that ended, on one line: `task 12 failed (exit code 3, 40.3s)`.
pub fn ended(task: &Task) -> String {
    let mut facts = Vec::new();
    match (&task.reason, task.exit) {
        // Where it says no more than the state does.
        (Some(reason), _) if reason == task.state.as_str() => {}
        (Some(reason), _) => facts.push(neutralize(reason).into_owned()),
        (None, Some(ExitStatus::Code(0)) | None) => {}
        (None, Some(exit)) => facts.push(exit_in_words(exit)),
    }
    facts.extend(time_taken(task, task.ended_at.unwrap_or(task.updated_at)));
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    format!("task {} {}{facts}", task.id, task.state.shown().as_str().replace('_', " "))
}

/// Returns what a task waits for, in few words and as far as it knows itself: `in 3m05s`, `after 3, 4`; `None` for one
/// that waits for a slot, and for one that does not wait.
pub fn waits_for(task: &Task, now: Timestamp) -> Option<String> {
    match task.state {
        State::Scheduled => task.spec.run_at.map(|at| ahead(at, now)),
        State::Retrying => {
            let reason = task.reason.as_deref().map(|reason| format!(", {}", neutralize(reason)));
            task.spec.run_at.map(|at| ahead(at, now) + &reason.unwrap_or_default())
        }
        State::Blocked => {
            let ids: Vec<String> =
                task.spec.after.iter().chain(&task.spec.after_any).map(ToString::to_string).collect();
            Some(format!("after {}", ids.join(", ")))
        }
        State::Held => task.reason.as_deref().map(|reason| neutralize(reason).into_owned()),
        _ => None,
    }
}

/// Returns everything about a task, a line for each fact that is known; values of its environment if they are given.
/// Every line fits into `width` columns.
pub fn details(
    task: &Task,
    env: Option<&Environment>,
    project: &Project,
    now: Timestamp,
    width: Option<usize>,
) -> String {
    let state = task.state.shown();
    let style = state_style(state);
    let reason = task.reason.as_deref().map(|reason| format!(": {}", neutralize(reason))).unwrap_or_default();
    let mut sheet = Sheet::new();
    sheet.heading(&format!("task {}", task.id), format!("{style}{}{style:#}{reason}", state.as_str()));
    let mut fact = |key: &str, value: String| sheet.fact(key, value);
    let at = |at: Timestamp| moment(at, now);
    let spec = &task.spec;
    fact("command", command(task) + if spec.shell { "  (shell)" } else { "" });
    if let Some(name) = &spec.name {
        fact("name", neutralize(name).into_owned());
    }
    if !spec.labels.is_empty() {
        let labels: Vec<String> = spec.labels.iter().map(|(key, value)| label(key, value)).collect();
        fact("labels", labels.join(", "));
    }
    fact("queue", format!("{}, priority {}", neutralize(&spec.queue), spec.priority));
    fact("directory", neutralize(&spec.cwd.to_string_lossy()).into_owned());
    match &spec.stdin {
        Stdin::Empty => {}
        Stdin::File(path) => fact("stdin", neutralize(&path.to_string_lossy()).into_owned()),
        Stdin::Upload(_) => fact("stdin", "given when it was added".to_owned()),
        Stdin::Open => fact("stdin", "open".to_owned()),
        Stdin::Terminal => fact("stdin", "a terminal".to_owned()),
    }
    if let Some(parent) = task.parent {
        fact("added by", format!("task {parent}"));
    }
    if let Some(schedule) = &task.schedule {
        fact("schedule", neutralize(schedule).into_owned());
    }
    if let Some(timeout) = spec.timeout {
        fact("timeout", format_duration(timeout));
    }
    if let Some(limit) = spec.output_limit {
        fact("output limit", format_size(limit));
    }
    if !spec.needs.is_empty() {
        fact("needs", spec.needs.to_string().replace(',', ", "));
    }
    for (name, said) in confine::facts(&spec.confinement) {
        fact(name, said);
    }
    if spec.kill_signal.is_some() || spec.kill_grace.is_some() {
        fact("ended by", ending(spec));
    }
    for (event, line) in &spec.hooks {
        fact("hook", format!("on {}: {}", event.as_str(), neutralize(line)));
    }
    if !spec.after.is_empty() {
        fact("after", format!("{}, when succeeded", ids(&spec.after)));
    }
    if !spec.after_any.is_empty() {
        fact("after any", format!("{}, when ended", ids(&spec.after_any)));
    }
    if spec.retry.max_attempts > 1 || spec.retry.on_interrupt == OnInterrupt::Rerun {
        fact("retries", retries(&spec.retry));
    }
    if spec.retry.max_attempts > 1 {
        fact("attempts", format!("{} of at most {}, {} failed", task.attempt, spec.retry.max_attempts, task.failures));
    }
    fact("uuid", task.uuid.to_string());
    fact("added", at(task.created_at));
    for (key, moment) in [
        ("not before", spec.run_at),
        ("started", task.started_at),
        ("cancelled", task.cancel_requested_at),
        ("ended", task.ended_at),
    ] {
        if let Some(moment) = moment {
            fact(key, at(moment));
        }
    }
    if let Some(taken) = time_taken(task, now) {
        fact("time", taken);
    }
    if let Some(progress) = task.progress() {
        fact("progress", in_words(progress));
    }
    let usually = task.expected.map(|expected| format!("usually takes {}", format_elapsed(expected)));
    let outlook: Vec<String> = left(task).into_iter().chain(usually).collect();
    if !outlook.is_empty() {
        fact("expected", outlook.join(", "));
    }
    environment(&mut sheet, task, env);
    for attempt in &task.attempts {
        add_attempt(&mut sheet, attempt, project);
    }
    sheet.draw(width)
}

fn ids(ids: &[TaskId]) -> String {
    let word = if ids.len() == 1 { "task" } else { "tasks" };
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("{word} {}", ids.join(", "))
}

/// Returns how a task is asked to end: `SIGINT, killed after 10s`.
fn ending(spec: &TaskSpec) -> String {
    let signal = SignalName(spec.kill_signal.unwrap_or(SIGTERM));
    let grace = spec.kill_grace.map(|grace| format!(", killed after {}", format_duration(grace)));
    format!("{signal}{}", grace.unwrap_or_default())
}

const SIGTERM: i32 = 15;

/// Returns when a task is tried again: `3, after 1s doubled up to 5m, on exit codes 1, 75, and when interrupted`.
fn retries(retry: &RetryPolicy) -> String {
    let delay = format_duration(retry.delay);
    let delay = match retry.backoff {
        Backoff::Fixed => delay,
        Backoff::Exponential => format!("{delay} doubled up to {}", format_duration(retry.max_delay)),
    };
    let codes: Vec<String> = retry.on_codes.iter().map(ToString::to_string).collect();
    let mut facts = match retry.max_attempts.saturating_sub(1) {
        0 => vec!["none".to_owned()],
        retries => vec![retries.to_string(), format!("after {delay}")],
    };
    facts.extend((!codes.is_empty()).then(|| format!("on exit code {}", codes.join(", "))));
    facts.extend((retry.on_interrupt == OnInterrupt::Rerun).then(|| "rerun when interrupted or lost".to_owned()));
    facts.join(", ")
}

/// Returns a label as it is typed.
pub fn label(key: &str, value: &str) -> String {
    let text = if value.is_empty() { key.to_owned() } else { format!("{key}={value}") };
    neutralize(&text).into_owned()
}

fn environment(sheet: &mut Sheet, task: &Task, env: Option<&Environment>) {
    let count = env.map_or(task.env_names.len(), |env| env.0.len());
    let count = counted(u64::try_from(count).unwrap_or(u64::MAX), "variable");
    match env {
        None => sheet.fact("environment", format!("{count}: {}", neutralize(&task.env_names.join(" ")))),
        Some(env) => {
            sheet.fact("environment", count);
            for (name, value) in &env.0 {
                let pair = format!("{}={}", name.to_string_lossy(), value.to_string_lossy());
                sheet.item(neutralize(&pair));
            }
        }
    }
}

fn add_attempt(sheet: &mut Sheet, attempt: &Attempt, project: &Project) {
    let state = attempt.state.shown();
    let style = state_style(state);
    let mut facts: Vec<String> = Vec::new();
    facts.extend(attempt.identity.map(|identity| format!("pid {}", identity.pid)));
    facts.extend(attempt.exit.map(exit_in_words));
    if let (Some(started), Some(ended)) = (attempt.started_at, attempt.ended_at) {
        facts.push(format_elapsed(ended.since(started)));
    }
    if let Some(usage) = attempt.usage {
        let ms = std::time::Duration::from_millis;
        facts.push(format!(
            "user {}, system {}",
            format_elapsed(ms(usage.user_ms)),
            format_elapsed(ms(usage.system_ms))
        ));
        facts.push(format!("{} at most", bytes(usage.max_rss_bytes)));
    }
    let facts = if facts.is_empty() { String::new() } else { format!("  ({})", facts.join(", ")) };
    let state = format!("{style}{}{style:#}{facts}", state.as_str());
    sheet.heading(&format!("attempt {}", attempt.number), state);
    if let Some(reason) = &attempt.reason {
        sheet.fact("reason", neutralize(reason));
    }
    if !attempt.granted.is_empty() {
        sheet.fact("granted", attempt.granted.to_string().replace(',', ", "));
    }
    for output in &attempt.outputs {
        let path = project.data().join(&output.path);
        let path = neutralize(&path.to_string_lossy()).into_owned();
        sheet.fact(output.stream.as_str(), format!("{path} ({})", bytes(output.bytes)));
        if let Some(hash) = output.sha256 {
            sheet.fact("sha256", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }
}
