//! What a changed sheet makes of a task.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::path::PathBuf;

use crate::cli::args::value;
use crate::cli::command::add::{OPEN, TERMINAL};
use crate::cli::edit::{Sheet, TASK, Value, invalid};
use crate::cli::error::Failure;
use crate::cli::usage;
use crate::domain::hook::TaskHooks;
use crate::domain::id::TaskId;
use crate::domain::resource::Needs;
use crate::domain::task::{DEFAULT_QUEUE, RetryPolicy, Stdin, TaskSpec, check_label_key};
use crate::units::format_duration;

/// What is wrong with the value of a key.
pub type Wrong = Box<(&'static str, Failure)>;

/// The most retries, as with the flag.
const RETRIES_MAX: i64 = 1_000_000;

/// Returns what a task is to do of which `before` was the sheet, and `after` is it now. What was not changed is not looked at.
///
/// Errors: the first key whose value cannot be.
pub fn changed(spec: &TaskSpec, before: &Sheet, after: &Sheet) -> Result<TaskSpec, Wrong> {
    let mut spec = spec.clone();
    for (key, ..) in TASK.iter().copied().flatten().copied() {
        let new = after.values.get(key);
        if before.values.get(key) != new {
            set(&mut spec, key, new).map_err(|failure| Box::new((key, failure)))?;
        }
    }
    command(&mut spec, before, after)?;
    let is_new = |key: &str| after.values.contains_key(key) && before.values.get(key) != after.values.get(key);
    let how = ["retry_delay", "retry_backoff", "retry_max_delay", "retry_on"].into_iter().find(|key| is_new(key));
    if let Some(key) = how.filter(|_| spec.retry.max_attempts == 1) {
        let failure = invalid(format!("`{key}` is of no use to a task that is tried once"));
        return Err(Box::new((key, failure.with_hint("say how often it is tried again with `retries`"))));
    }
    let (delay, longest) = (spec.retry.delay, spec.retry.max_delay);
    if delay > longest {
        let (delay, longest) = (format_duration(delay), format_duration(longest));
        let message = format!("`retry_delay` is `{delay}`, and longer than `retry_max_delay`, which is `{longest}`");
        return Err(Box::new(("retry_delay", invalid(message))));
    }
    spec.check().map_err(|error| Box::new(("argv", invalid(error.to_string()))))?;
    Ok(spec)
}

/// Sets the command, which is one of two keys.
fn command(spec: &mut TaskSpec, before: &Sheet, after: &Sheet) -> Result<(), Wrong> {
    let of = |sheet: &Sheet| (sheet.values.get("argv").cloned(), sheet.values.get("shell").cloned());
    if of(before) == of(after) {
        return Ok(());
    }
    match of(after) {
        (Some(_), Some(_)) => Err(Box::new(("shell", invalid("`argv` and `shell` cannot both be there")))),
        (Some(Value::List(argv)), None) => {
            (spec.argv, spec.shell) = (argv.into_iter().map(Into::into).collect(), false);
            Ok(())
        }
        (None, Some(Value::Text(line))) => {
            (spec.argv, spec.shell) = (vec![line.into()], true);
            Ok(())
        }
        _ => Err(Box::new(("argv", invalid("`argv` or `shell` is missing")))),
    }
}

/// Sets a key other than those of the command; without a value to what it is where nothing is said.
fn set(spec: &mut TaskSpec, key: &'static str, value: Option<&Value>) -> Result<(), Failure> {
    let (text, default) = (value.and_then(as_text), RetryPolicy::default());
    let retry = &mut spec.retry;
    match key {
        "cwd" => spec.cwd = PathBuf::from(text.ok_or_else(|| invalid("`cwd` is missing"))?),
        "name" => spec.name = read(key, text, value::name)?,
        "labels" => spec.labels = labels(value)?,
        "queue" => spec.queue = read(key, text, value::queue)?.unwrap_or_else(|| DEFAULT_QUEUE.to_owned()),
        "priority" => spec.priority = number(key, value, i64::from(i32::MIN)..=i64::from(i32::MAX), 0)?,
        "at" => spec.run_at = read(key, text, value::future)?,
        "after" => spec.after = ids(key, value)?,
        "after_any" => spec.after_any = ids(key, value)?,
        "retries" => retry.max_attempts = number(key, value, 0..=RETRIES_MAX, 0_u32)?.saturating_add(1),
        "retry_delay" => retry.delay = read(key, text, value::duration)?.unwrap_or(default.delay),
        "retry_backoff" => retry.backoff = read(key, text, value::backoff)?.unwrap_or(default.backoff),
        "retry_max_delay" => {
            retry.max_delay = read(key, text, value::duration)?.unwrap_or(default.max_delay.max(retry.delay));
        }
        "retry_on" => retry.on_codes = codes(key, value)?,
        "on_interrupt" => retry.on_interrupt = read(key, text, value::on_interrupt)?.unwrap_or(default.on_interrupt),
        "timeout" => spec.timeout = read(key, text, value::duration)?.filter(|timeout| !timeout.is_zero()),
        "output_limit" => spec.output_limit = read(key, text, value::size)?.filter(|limit| *limit > 0),
        "nice" => spec.confinement.nice = value.map(|_| number(key, value, -20..=19, 0)).transpose()?,
        "cpus" => spec.confinement.cpus = read(key, text, value::cpus)?,
        "rlimits" => {
            let one = |text: &String| value::rlimit(text).map_err(|error| usage::invalid_value(key, text, &error));
            spec.confinement.rlimits = texts(value).iter().map(one).collect::<Result<_, _>>()?;
        }
        "memory" => spec.confinement.memory = read(key, text, value::size)?.filter(|memory| *memory > 0),
        "cpu_limit" => spec.confinement.cpu_millis = read(key, text, value::cpu_limit)?,
        "kill_signal" => spec.kill_signal = read(key, text, value::signal)?,
        "kill_grace" => spec.kill_grace = read(key, text, value::duration)?,
        "stdin" => {
            spec.stdin = match text {
                None => Stdin::Empty,
                Some(OPEN) => Stdin::Open,
                Some(TERMINAL) => Stdin::Terminal,
                Some(file) => Stdin::File(PathBuf::from(file)),
            }
        }
        "split_output" => spec.split_output = matches!(value, Some(Value::Flag(true))),
        "key" => spec.key = read(key, text, value::key)?,
        "needs" => spec.needs = needs(value)?,
        "hooks" => spec.hooks = hooks(value)?,
        _ => {}
    }
    Ok(())
}

fn needs(value: Option<&Value>) -> Result<Needs, Failure> {
    let Some(Value::Labels(needs)) = value else { return Ok(Needs::default()) };
    let need = |(name, amount): (&String, &String)| {
        let text = format!("{name}={amount}");
        value::need(&text).map_err(|error| usage::invalid_value("needs", &text, &error))
    };
    let needs: Vec<_> = needs.iter().map(need).collect::<Result<_, _>>()?;
    Needs::of(needs).map_err(|error| invalid(error.to_string()))
}

pub(super) fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> &[String] {
    match value {
        Some(Value::List(texts)) => texts,
        _ => &[],
    }
}

/// Reads a value as that of the flag is read.
pub(super) fn read<T, E>(key: &str, text: Option<&str>, parse: fn(&str) -> Result<T, E>) -> Result<Option<T>, Failure>
where
    E: StdError + 'static,
{
    let Some(text) = text else { return Ok(None) };
    parse(text).map(Some).map_err(|error| usage::invalid_value(key, text, &error))
}

fn number<T: TryFrom<i64>>(
    key: &str,
    value: Option<&Value>,
    bounds: std::ops::RangeInclusive<i64>,
    default: T,
) -> Result<T, Failure> {
    let Some(Value::Number(number)) = value else { return Ok(default) };
    let fitting = bounds.contains(number).then(|| T::try_from(*number).ok()).flatten();
    fitting
        .ok_or_else(|| invalid(format!("`{key}` is {number}, and can be from {} to {}", bounds.start(), bounds.end())))
}

fn labels(value: Option<&Value>) -> Result<BTreeMap<String, String>, Failure> {
    let Some(Value::Labels(labels)) = value else { return Ok(BTreeMap::new()) };
    for key in labels.keys() {
        check_label_key(key).map_err(|error| usage::invalid_value("labels", key, &error))?;
    }
    Ok(labels.clone())
}

fn hooks(value: Option<&Value>) -> Result<TaskHooks, Failure> {
    let Some(Value::Labels(hooks)) = value else { return Ok(TaskHooks::new()) };
    let hook = |(event, line): (&String, &String)| {
        let typed = format!("{event}={line}");
        value::hook(&typed).map_err(|error| usage::invalid_value("hooks", &typed, &error))
    };
    hooks.iter().map(hook).collect()
}

fn ids(key: &str, value: Option<&Value>) -> Result<Vec<TaskId>, Failure> {
    let id = |text: &String| text.parse().map_err(|error| usage::invalid_value(key, text, &error));
    texts(value).iter().map(id).collect()
}

fn codes(key: &str, value: Option<&Value>) -> Result<Vec<i32>, Failure> {
    let code = |text: &String| {
        let code = text.parse().ok().filter(|code| (1..=255).contains(code));
        code.ok_or_else(|| invalid(format!("`{key}` has `{text}`, and exit codes to be tried again are from 1 to 255")))
    };
    texts(value).iter().map(code).collect()
}
