//! What a task is to do, or a schedule is, as a sheet that people change: in a file, or key by key.
//!
//! The words are those of the lines of `task add --from`. Only what was changed on the sheet is read again, so that everything
//! else stays exactly as it was, also what cannot be written on a sheet: arguments that are not UTF-8, an input that was handed over.
//! Values of the environment are never on it.
//!
//! Reading order: here (the sheet) → `file` (as TOML) → `spec` (what a changed sheet makes of a task) → `schedule` (and of a
//! schedule) → `wish` (what is typed key by key) → `draft` (a sheet in an editor).

use std::collections::BTreeMap;

use crate::cli::command::add::{OPEN, TERMINAL};
use crate::cli::error::Failure;
use crate::cli::render::confine;
use crate::domain::error::ErrorKind;
use crate::domain::id::TaskId;
use crate::domain::outcome::SignalName;
use crate::domain::task::{Backoff, OnInterrupt, Stdin, TaskSpec};
use crate::units::{format_duration, format_size};
use crate::view::time::rfc3339;

mod draft;
mod file;
mod schedule;
mod spec;
mod wish;

pub use draft::in_editor;
pub use file::{Head, text};
pub use schedule::changed as changed_schedule;
pub use spec::{Wrong, changed};
pub use wish::{Variables, Wishes};

use file::{at_line, parse};

/// What sort of value a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; a number is taken as its digits.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// Several texts or numbers.
    List,
    /// Names with texts.
    Labels,
}

/// A key of a sheet, what sort of value it has, and an example.
pub type Key = (&'static str, Kind, &'static str);

/// The keys of a sheet in their order.
pub type Keys = &'static [&'static [Key]];

/// The keys of a task.
pub const TASK: Keys = &[&WHAT, &WAITS, &HOW];

/// The keys of a schedule; it decides itself when its tasks run.
pub const SCHEDULE: Keys = &[&TIMES, &WHAT, &HOW];

/// What is run.
const WHAT: [Key; 7] = [
    ("argv", Kind::List, "[\"cargo\", \"test\"]"),
    ("shell", Kind::Text, "\"make && make check\""),
    ("cwd", Kind::Text, "\"/srv/app\""),
    ("name", Kind::Text, "\"nightly\""),
    ("labels", Kind::Labels, "{ team = \"core\" }"),
    ("queue", Kind::Text, "\"default\""),
    ("priority", Kind::Number, "0"),
];

/// What a task waits for.
const WAITS: [Key; 3] =
    [("at", Kind::Text, "\"tomorrow 9am\""), ("after", Kind::List, "[3, 4]"), ("after_any", Kind::List, "[3, 4]")];

/// How it is run.
const HOW: [Key; 20] = [
    ("retries", Kind::Number, "3"),
    ("retry_delay", Kind::Text, "\"1s\""),
    ("retry_backoff", Kind::Text, "\"exponential\""),
    ("retry_max_delay", Kind::Text, "\"5m\""),
    ("retry_on", Kind::List, "[1, 75]"),
    ("on_interrupt", Kind::Text, "\"rerun\""),
    ("timeout", Kind::Text, "\"1h\""),
    ("output_limit", Kind::Text, "\"10MiB\""),
    ("nice", Kind::Number, "10"),
    ("cpus", Kind::Text, "\"0-3\""),
    ("rlimits", Kind::List, "[\"nofile=1024\"]"),
    ("memory", Kind::Text, "\"2GiB\""),
    ("cpu_limit", Kind::Text, "\"1.5\""),
    ("kill_signal", Kind::Text, "\"INT\""),
    ("kill_grace", Kind::Text, "\"10s\""),
    ("stdin", Kind::Text, "\"/srv/input\""),
    ("split_output", Kind::Flag, "true"),
    ("key", Kind::Text, "\"nightly\""),
    ("needs", Kind::Labels, "{ gpu = 1, mem = \"8GiB\" }"),
    ("hooks", Kind::Labels, "{ failure = \"./tell.sh\" }"),
];

/// When a schedule adds tasks.
const TIMES: [Key; 6] = [
    ("cron", Kind::Text, "\"30 3 * * *\""),
    ("every", Kind::Text, "\"10m\""),
    ("at", Kind::Text, "\"tomorrow 9am\""),
    ("tz", Kind::Text, "\"Europe/Vienna\""),
    ("missed", Kind::Text, "\"once\""),
    ("overlap", Kind::Text, "\"skip\""),
];

/// Of these one says when a schedule is due.
const RULES: [&str; 3] = ["cron", "every", "at"];

/// A value on a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
    /// Names with texts.
    Labels(BTreeMap<String, String>),
}

/// What stands on a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// What may stand there.
    pub keys: Keys,
    /// What does.
    pub values: BTreeMap<&'static str, Value>,
}

impl Sheet {
    /// Writes down what a task is to do.
    pub fn of(spec: &TaskSpec) -> Self {
        let mut values = BTreeMap::new();
        let mut put = |key: &'static str, value: Option<Value>| values.extend(value.map(|value| (key, value)));
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let argv: Option<Vec<String>> = spec.argv.iter().map(|arg| arg.to_str().map(str::to_owned)).collect();
        match argv {
            Some(argv) if spec.shell => put("shell", argv.first().map(|line| Value::Text(line.clone()))),
            argv => put("argv", argv.filter(|_| !spec.shell).map(Value::List)),
        }
        put("cwd", spec.cwd.to_str().and_then(text));
        put("name", spec.name.as_deref().and_then(text));
        put("labels", Some(spec.labels.clone()).filter(|labels| !labels.is_empty()).map(Value::Labels));
        put("queue", text(&spec.queue));
        put("priority", Some(Value::Number(spec.priority.into())));
        put("at", spec.run_at.map(|at| Value::Text(rfc3339(at))));
        let ids = |ids: &[TaskId]| {
            let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
            Some(texts).filter(|texts| !texts.is_empty()).map(Value::List)
        };
        put("after", ids(&spec.after));
        put("after_any", ids(&spec.after_any));
        let retry = &spec.retry;
        put("retries", Some(Value::Number(i64::from(retry.max_attempts) - 1)));
        if retry.max_attempts > 1 {
            put("retry_delay", text(&format_duration(retry.delay)));
            put("retry_backoff", text(if retry.backoff == Backoff::Fixed { "fixed" } else { "exponential" }));
            put("retry_max_delay", text(&format_duration(retry.max_delay)));
            let codes: Vec<String> = retry.on_codes.iter().map(ToString::to_string).collect();
            put("retry_on", Some(codes).filter(|codes| !codes.is_empty()).map(Value::List));
        }
        put("on_interrupt", text(if retry.on_interrupt == OnInterrupt::Stop { "stop" } else { "rerun" }));
        put("timeout", spec.timeout.and_then(|timeout| text(&format_duration(timeout))));
        put("output_limit", spec.output_limit.and_then(|limit| text(&format_size(limit))));
        let confinement = &spec.confinement;
        put("nice", confinement.nice.map(|nice| Value::Number(nice.into())));
        put("cpus", confinement.cpus.as_ref().and_then(|cpus| text(&cpus.to_string())));
        let rlimits: Vec<String> = confinement.rlimits.iter().map(confine::rlimit).collect();
        put("rlimits", Some(rlimits).filter(|rlimits| !rlimits.is_empty()).map(Value::List));
        put("memory", confinement.memory.and_then(|memory| text(&format_size(memory))));
        put("cpu_limit", confinement.cpu_millis.and_then(|millis| text(&confine::cpus(millis))));
        put("kill_signal", spec.kill_signal.and_then(|signal| text(&SignalName(signal).to_string())));
        put("kill_grace", spec.kill_grace.and_then(|grace| text(&format_duration(grace))));
        match &spec.stdin {
            Stdin::File(file) => put("stdin", file.to_str().and_then(text)),
            Stdin::Open => put("stdin", text(OPEN)),
            Stdin::Terminal => put("stdin", text(TERMINAL)),
            Stdin::Empty | Stdin::Upload(_) => {}
        }
        put("split_output", Some(Value::Flag(spec.split_output)));
        put("key", spec.key.as_deref().and_then(text));
        let needs = spec.needs.0.iter().map(|(name, amount)| (name.clone(), amount.to_string()));
        put("needs", Some(needs.collect::<BTreeMap<_, _>>()).filter(|needs| !needs.is_empty()).map(Value::Labels));
        let hooks: BTreeMap<String, String> =
            spec.hooks.iter().map(|(event, line)| (event.as_str().to_owned(), line.clone())).collect();
        put("hooks", Some(hooks).filter(|hooks| !hooks.is_empty()).map(Value::Labels));
        Self { keys: TASK, values }
    }

    /// Sets a key, as `--set` names it: `KEY=VALUE`, `labels.NAME=VALUE` or `needs.NAME=AMOUNT`.
    pub fn set(&mut self, key: &str, typed: &str) -> Result<(), Failure> {
        if let Some((table, name)) = entry(key) {
            let mut entries = self.table(table);
            entries.insert(name.to_owned(), typed.to_owned());
            self.values.insert(table, Value::Labels(entries));
            return Ok(());
        }
        let (key, kind, example) = find(self.keys, key)?;
        let like = || {
            Failure::usage(format!("invalid value `{typed}` for `{key}`"))
                .with_hint(format!("write it like `--set '{key}={example}'`"))
        };
        let value = match kind {
            Kind::Text => Value::Text(typed.to_owned()),
            Kind::Number => Value::Number(typed.parse().map_err(|_| like())?),
            Kind::Flag => Value::Flag(typed.parse().map_err(|_| like())?),
            Kind::List if key != "argv" && !typed.starts_with('[') => {
                Value::List(typed.split(',').map(|part| part.trim().to_owned()).collect())
            }
            Kind::Labels if key == "needs" && !typed.starts_with('{') => {
                let pair = |part: &str| {
                    let (name, amount) = part.split_once('=').unwrap_or((part, "1"));
                    (name.trim().to_owned(), amount.trim().to_owned())
                };
                Value::Labels(typed.split(',').map(pair).collect())
            }
            Kind::List | Kind::Labels => file::single(typed, kind).ok_or_else(like)?,
        };
        // Either is the command.
        match key {
            "argv" => self.values.remove("shell"),
            "shell" => self.values.remove("argv"),
            _ => None,
        };
        if RULES.contains(&key) {
            self.values.retain(|known, _| !RULES.contains(known));
        }
        self.values.insert(key, value);
        Ok(())
    }

    /// Takes a key away, as `--unset` names it.
    pub fn unset(&mut self, key: &str) -> Result<(), Failure> {
        if let Some((table, name)) = entry(key) {
            let mut entries = self.table(table);
            entries.remove(name);
            self.values.remove(table);
            if !entries.is_empty() {
                self.values.insert(table, Value::Labels(entries));
            }
            return Ok(());
        }
        let (key, ..) = find(self.keys, key)?;
        self.values.remove(key);
        Ok(())
    }

    fn table(&self, key: &str) -> BTreeMap<String, String> {
        match self.values.get(key) {
            Some(Value::Labels(labels)) => labels.clone(),
            _ => BTreeMap::new(),
        }
    }
}

/// Returns the key and the name in it that `labels.NAME`, `needs.NAME` and `hooks.EVENT` mean.
pub fn entry(key: &str) -> Option<(&'static str, &str)> {
    ["labels", "needs", "hooks"]
        .into_iter()
        .find_map(|table| Some((table, key.strip_prefix(table)?.strip_prefix('.')?)))
}

/// How much alike a name must be to one of a key; 1 is the same.
const ALIKE_MIN: f64 = 0.75;

/// Returns what is known of a key.
pub fn find(keys: Keys, key: &str) -> Result<Key, Failure> {
    let all = || keys.iter().copied().flatten().copied();
    if let Some(known) = all().find(|(known, ..)| *known == key) {
        return Ok(known);
    }
    let failure = Failure::usage(format!("unknown key `{key}`"));
    if key == "env" || key.starts_with("env.") {
        return Err(failure.with_hint("set a variable with `--set env.NAME=VALUE`; values are in no file"));
    }
    if key == "in" && all().any(|(known, ..)| known == "at") {
        return Err(failure.with_hint("say it as a time: `at = \"in 10m\"`, `--set 'at=in 10m'`"));
    }
    let alike = |known: &str| strsim::jaro_winkler(key, known);
    let nearest = all().map(|(known, ..)| known).max_by(|a, b| alike(a).total_cmp(&alike(b)));
    Err(match nearest.filter(|nearest| alike(nearest) >= ALIKE_MIN) {
        Some(nearest) => failure.with_hint(format!("there is `{nearest}`")),
        None => {
            let all: Vec<&str> = all().map(|(known, ..)| known).collect();
            failure.with_hint(format!("there are {}", all.join(", ")))
        }
    })
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests;
