//! Every key there is, what it takes, and where its value goes. When you add a key: a field in [`Config`], a line here,
//! a line in the template; a test compares the three.

use std::time::Duration;

use crate::config::error::Fault;
use crate::config::{Config, Leftovers, Level, Queue};
use crate::units;

/// A value before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    /// Of a type that no key takes, by its name; a number too large for `Number` is one.
    Other(&'static str),
}

impl Value {
    fn found(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Flag(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Other(what) => what,
        }
    }
}

/// What a key takes; tells how the text of an environment variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    List,
}

impl Kind {
    /// Reads the text of a variable; text that does not fit stays text, so that the key refuses it by type.
    pub(super) fn read(self, text: &str) -> Value {
        let word = || Value::Text(text.to_owned());
        match self {
            Self::Text => word(),
            Self::Number => text.trim().parse().map_or_else(|_| word(), Value::Number),
            Self::Flag => match text.trim() {
                "true" | "1" | "yes" | "on" => Value::Flag(true),
                "false" | "0" | "no" | "off" => Value::Flag(false),
                _ => word(),
            },
            Self::List => {
                Value::List(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
        }
    }
}

/// One key of one section.
pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), Fault>,
}

/// Sections whose keys stand in [`KEYS`], and the one that holds a table per queue.
pub(super) const SECTIONS: [&str; 8] = ["client", "daemon", "shutdown", "log", "task", "env", "retention", QUEUES];
pub(super) const QUEUES: &str = "queues";
/// Keys of a queue.
pub(super) const QUEUE_KEYS: [&str; 1] = ["slots"];

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// The longest length of time that is taken for any setting: ten years.
const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3_600);

pub(super) const KEYS: [Key; 14] = [
    Key {
        section: "client",
        name: "auto_start",
        kind: Kind::Flag,
        set: |config, value| flag(value).map(|value| config.client.auto_start = value),
    },
    Key {
        section: "daemon",
        name: "poll_interval",
        kind: Kind::Text,
        set: |config, value| {
            duration(value, Duration::from_millis(10), DAY).map(|value| config.daemon.poll_interval = value)
        },
    },
    Key {
        section: "daemon",
        name: "max_concurrent",
        kind: Kind::Number,
        set: |config, value| number(value, 1, 100_000).map(|value| config.daemon.max_concurrent = value),
    },
    Key {
        section: "daemon",
        name: "log_level",
        kind: Kind::Text,
        set: |config, value| level(value).map(|value| config.daemon.log_level = value),
    },
    Key {
        section: "shutdown",
        name: "grace",
        kind: Kind::Text,
        set: |config, value| duration(value, Duration::ZERO, LONGEST).map(|value| config.shutdown.grace = value),
    },
    Key {
        section: "shutdown",
        name: "kill_grace",
        kind: Kind::Text,
        set: |config, value| duration(value, Duration::ZERO, LONGEST).map(|value| config.shutdown.kill_grace = value),
    },
    Key {
        section: "log",
        name: "max_size",
        kind: Kind::Text,
        set: |config, value| size(value, 1 << 10, 1 << 40).map(|value| config.log.max_size = value),
    },
    Key {
        section: "log",
        name: "keep",
        kind: Kind::Number,
        set: |config, value| number(value, 0, 1_000).map(|value| config.log.keep = value),
    },
    Key {
        section: "task",
        name: "retries",
        kind: Kind::Number,
        set: |config, value| number(value, 0, 1_000_000).map(|value| config.task.retries = value),
    },
    Key {
        section: "task",
        name: "timeout",
        kind: Kind::Text,
        set: |config, value| {
            duration(value, Duration::ZERO, LONGEST)
                .map(|value| config.task.timeout = (value > Duration::ZERO).then_some(value))
        },
    },
    Key {
        section: "task",
        name: "leftovers",
        kind: Kind::Text,
        set: |config, value| leftovers(value).map(|value| config.task.leftovers = value),
    },
    Key {
        section: "env",
        name: "exclude",
        kind: Kind::List,
        set: |config, value| patterns(value).map(|value| config.env.exclude = value),
    },
    Key {
        section: "retention",
        name: "keep_for",
        kind: Kind::Text,
        set: |config, value| duration(value, SECOND, LONGEST * 10).map(|value| config.retention.keep_for = value),
    },
    // Last, so that the sections above stay together: the default queue, as an environment variable can name it.
    Key {
        section: "queues.default",
        name: "slots",
        kind: Kind::Number,
        set: |config, value| set_queue(config, crate::domain::task::DEFAULT_QUEUE, "slots", value),
    },
];

/// Sets one key of one queue; `key` is one of [`QUEUE_KEYS`].
pub(super) fn set_queue(config: &mut Config, queue: &str, key: &str, value: &Value) -> Result<(), Fault> {
    debug_assert!(QUEUE_KEYS.contains(&key));
    let slots = number(value, 0, 100_000)?;
    config.queues.entry(queue.to_owned()).or_insert(Queue { slots: 0 }).slots = slots;
    Ok(())
}

fn mismatch<T>(expected: &'static str, value: &Value) -> Result<T, Fault> {
    Err(Fault::Type { expected, found: value.found() })
}

fn flag(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Flag(flag) => Ok(*flag),
        other => mismatch("`true` or `false`", other),
    }
}

fn number(value: &Value, least: u32, greatest: u32) -> Result<u32, Fault> {
    match value {
        Value::Number(number) => u32::try_from(*number)
            .ok()
            .filter(|number| (least..=greatest).contains(number))
            .ok_or_else(|| range(number.to_string(), least.to_string(), greatest.to_string())),
        other => mismatch("a whole number such as `3`", other),
    }
}

fn duration(value: &Value, least: Duration, greatest: Duration) -> Result<Duration, Fault> {
    match value {
        Value::Text(text) => {
            let duration = units::parse_duration(text).map_err(Fault::Unit)?;
            if (least..=greatest).contains(&duration) {
                return Ok(duration);
            }
            Err(range(text.clone(), units::format_duration(least), units::format_duration(greatest)))
        }
        Value::Number(number) => Err(Fault::Unit(units::Error::DurationWithoutUnit(number.to_string()))),
        other => mismatch("a duration such as `\"5s\"`", other),
    }
}

fn size(value: &Value, least: u64, greatest: u64) -> Result<u64, Fault> {
    match value {
        Value::Text(text) => {
            let size = units::parse_size(text).map_err(Fault::Unit)?;
            if (least..=greatest).contains(&size) {
                return Ok(size);
            }
            Err(range(text.clone(), units::format_size(least), units::format_size(greatest)))
        }
        Value::Number(number) => Err(Fault::Unit(units::Error::SizeWithoutUnit(number.to_string()))),
        other => mismatch("a size such as `\"10MiB\"`", other),
    }
}

fn range(value: String, least: String, greatest: String) -> Fault {
    Fault::Range { value, least, greatest }
}

fn level(value: &Value) -> Result<Level, Fault> {
    const WORDS: &str = "`error`, `warn`, `info`, `debug`, `trace`";
    match value {
        Value::Text(text) => Level::from_word(text).ok_or_else(|| Fault::Word { value: text.clone(), words: WORDS }),
        other => mismatch("a level such as `\"info\"`", other),
    }
}

fn leftovers(value: &Value) -> Result<Leftovers, Fault> {
    match value {
        Value::Text(text) if text == "kill" => Ok(Leftovers::Kill),
        Value::Text(text) if text == "leave" => Ok(Leftovers::Leave),
        Value::Text(text) => Err(Fault::Word { value: text.clone(), words: "`kill`, `leave`" }),
        other => mismatch("`\"kill\"` or `\"leave\"`", other),
    }
}

fn patterns(value: &Value) -> Result<Vec<String>, Fault> {
    match value {
        Value::List(patterns) => {
            for pattern in patterns {
                globset::Glob::new(pattern).map_err(|source| Fault::Pattern { value: pattern.clone(), source })?;
            }
            Ok(patterns.clone())
        }
        other => mismatch("a list of patterns such as `[\"*_TOKEN\"]`", other),
    }
}
