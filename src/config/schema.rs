//! Every key there is, what it takes, where its value goes and where it is found again. When you add a key: a field in
//! [`Config`], an entry here, a line in the template; a test compares the three.

use std::time::Duration;

use crate::config::Config;
use crate::config::error::Fault;
use crate::config::value::{
    Given, Kind, Value, capacity, duration, flag, leftovers, level, number, patterns, size, variables,
};
use crate::domain::queue::check_queue_name;
use crate::domain::resource::{Amount, Capacity, InvalidResource, check_resource_name, variable};
use crate::domain::task::DEFAULT_QUEUE;
use crate::units;

/// One key of one section.
pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) effect: Effect,
    pub(super) get: fn(&Config) -> Value,
    pub(super) set: fn(&mut Config, &Given) -> Result<(), Fault>,
}

/// When a running daemon follows a setting that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// As soon as it reads the configuration again. What only clients go by is always new to them.
    AtOnce,
    /// When it is restarted.
    Restart,
}

/// Sections whose keys stand in [`KEYS`], those that list windows and hooks, the one of the resources, and the one that holds a
/// table per queue.
pub(super) const SECTIONS: [&str; 11] =
    ["client", "daemon", "shutdown", "log", "task", "env", "retention", WINDOWS, HOOKS, RESOURCES, QUEUES];
pub(super) const QUEUES: &str = "queues";
/// A list of tables, see [`window`](crate::config::window).
pub(super) const WINDOWS: &str = "windows";
/// The section whose keys are the names of resources, but for one: the table of their variables.
pub(super) const RESOURCES: &str = "resources";
pub(super) const VARIABLES: &str = "env";
/// A list of tables as well, see [`hook`](crate::config::hook).
pub(super) const HOOKS: &str = "hooks";
/// Keys of a queue.
pub(super) const QUEUE_KEYS: [&str; 2] = ["slots", "weight"];

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// The longest length of time that is taken for any setting: ten years.
const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3_600);

pub(super) const KEYS: [Key; 17] = [
    Key {
        section: "client",
        name: "auto_start",
        kind: Kind::Flag,
        effect: Effect::AtOnce,
        get: |config| Value::Flag(config.client.auto_start),
        set: |config, value| flag(value).map(|value| config.client.auto_start = value),
    },
    Key {
        section: "daemon",
        name: "poll_interval",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| length(config.daemon.poll_interval),
        set: |config, value| {
            duration(value, Duration::from_millis(10), DAY).map(|value| config.daemon.poll_interval = value)
        },
    },
    Key {
        section: "daemon",
        name: "max_concurrent",
        kind: Kind::Number,
        effect: Effect::AtOnce,
        get: |config| Value::Number(config.daemon.max_concurrent),
        set: |config, value| number(value, 1, 100_000).map(|value| config.daemon.max_concurrent = value),
    },
    Key {
        section: "daemon",
        name: "log_level",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| word(config.daemon.log_level.as_str()),
        set: |config, value| level(value).map(|value| config.daemon.log_level = value),
    },
    Key {
        section: "daemon",
        name: "max_hooks",
        kind: Kind::Number,
        effect: Effect::AtOnce,
        get: |config| Value::Number(config.daemon.max_hooks),
        set: |config, value| number(value, 1, 100).map(|value| config.daemon.max_hooks = value),
    },
    Key {
        section: "daemon",
        name: "reserve_after",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| length(config.daemon.reserve_after),
        set: |config, value| duration(value, Duration::ZERO, LONGEST).map(|value| config.daemon.reserve_after = value),
    },
    Key {
        section: "shutdown",
        name: "grace",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| length(config.shutdown.grace),
        set: |config, value| duration(value, Duration::ZERO, LONGEST).map(|value| config.shutdown.grace = value),
    },
    Key {
        section: "shutdown",
        name: "kill_grace",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| length(config.shutdown.kill_grace),
        set: |config, value| duration(value, Duration::ZERO, LONGEST).map(|value| config.shutdown.kill_grace = value),
    },
    Key {
        section: "log",
        name: "max_size",
        kind: Kind::Text,
        effect: Effect::Restart,
        get: |config| Value::Text(units::format_size(config.log.max_size)),
        set: |config, value| size(value, 1 << 10, 1 << 40).map(|value| config.log.max_size = value),
    },
    Key {
        section: "log",
        name: "keep",
        kind: Kind::Number,
        effect: Effect::Restart,
        get: |config| Value::Number(config.log.keep),
        set: |config, value| number(value, 0, 1_000).map(|value| config.log.keep = value),
    },
    Key {
        section: "task",
        name: "retries",
        kind: Kind::Number,
        effect: Effect::AtOnce,
        get: |config| Value::Number(config.task.retries),
        set: |config, value| number(value, 0, 1_000_000).map(|value| config.task.retries = value),
    },
    Key {
        section: "task",
        name: "timeout",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| length(config.task.timeout.unwrap_or_default()),
        set: |config, value| {
            duration(value, Duration::ZERO, LONGEST)
                .map(|value| config.task.timeout = (value > Duration::ZERO).then_some(value))
        },
    },
    Key {
        section: "task",
        name: "output_limit",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| Value::Text(units::format_size(config.task.output_limit.unwrap_or_default())),
        set: |config, value| {
            size(value, 0, 1 << 60).map(|value| config.task.output_limit = (value > 0).then_some(value))
        },
    },
    Key {
        section: "task",
        name: "leftovers",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| word(config.task.leftovers.as_str()),
        set: |config, value| leftovers(value).map(|value| config.task.leftovers = value),
    },
    Key {
        section: "env",
        name: "exclude",
        kind: Kind::List,
        effect: Effect::AtOnce,
        get: |config| Value::List(config.env.exclude.clone()),
        set: |config, value| patterns(value).map(|value| config.env.exclude = value),
    },
    Key {
        section: "retention",
        name: "keep_for",
        kind: Kind::Text,
        effect: Effect::AtOnce,
        get: |config| length(config.retention.keep_for),
        set: |config, value| {
            duration(value, Duration::ZERO, LONGEST * 10).map(|value| config.retention.keep_for = value)
        },
    },
    // Last, so that the sections above stay together: the default queue, as an environment variable can name it.
    Key {
        section: "queues.default",
        name: "slots",
        kind: Kind::Number,
        effect: Effect::AtOnce,
        get: |config| slots(config, DEFAULT_QUEUE),
        set: |config, value| set_queue(config, DEFAULT_QUEUE, "slots", value),
    },
];

/// Sets one key of one queue; `key` is one of [`QUEUE_KEYS`].
pub(super) fn set_queue(config: &mut Config, queue: &str, key: &str, value: &Given) -> Result<(), Fault> {
    debug_assert!(QUEUE_KEYS.contains(&key));
    check_queue_name(queue).map_err(Fault::Queue)?;
    let number = if key == "weight" { number(value, 1, 1_000)? } else { number(value, 0, 100_000)? };
    let queue = config.queues.entry(queue.to_owned()).or_default();
    if key == "weight" {
        queue.weight = Some(number)
    } else {
        queue.slots = Some(number)
    }
    Ok(())
}

/// Says how much there is of a resource.
pub(super) fn set_resource(config: &mut Config, name: &str, value: &Given) -> Result<(), Fault> {
    check_resource_name(name).map_err(Fault::Resource)?;
    let variable = variable(name);
    if is_setting(&variable) {
        return Err(Fault::Resource(InvalidResource::Taken { name: name.to_owned(), variable }));
    }
    config.resources.insert(name.to_owned(), capacity(value)?);
    Ok(())
}

/// Returns whether a variable is, or looks like, a setting: apex inside a task would take it for one.
fn is_setting(name: &str) -> bool {
    let sections = SECTIONS.iter().filter(|section| **section != QUEUES && **section != RESOURCES);
    let mut sections = sections.map(|section| format!("APEX_{}_", section.to_ascii_uppercase()));
    ["APEX_POLL_INTERVAL", "APEX_MAX_CONCURRENT", "APEX_LOG_LEVEL", "APEX_QUEUES_DEFAULT_SLOTS"].contains(&name)
        || sections.any(|section| name.starts_with(&section))
}

/// Names further variables by which a task is told what it was granted of a resource.
pub(super) fn set_variables(config: &mut Config, name: &str, value: &Given) -> Result<(), Fault> {
    check_resource_name(name).map_err(Fault::Resource)?;
    config.resource_variables.insert(name.to_owned(), variables(value)?);
    Ok(())
}

/// Returns a resource as a file has it.
pub(super) fn resource(capacity: &Capacity) -> Value {
    match capacity {
        Capacity::Amount(Amount::Count(count)) => Value::Number(u32::try_from(*count).unwrap_or(u32::MAX)),
        Capacity::Amount(size @ Amount::Bytes(_)) => Value::Text(size.to_string()),
        Capacity::Indices(indices) => Value::Numbers(indices.iter().copied().collect()),
    }
}

/// Returns the slots of a queue; those of one that was not named are without limit.
pub(super) fn slots(config: &Config, queue: &str) -> Value {
    Value::Number(config.queues.get(queue).and_then(|queue| queue.slots).unwrap_or(0))
}

fn length(duration: Duration) -> Value {
    Value::Text(units::format_duration(duration))
}

fn word(word: &str) -> Value {
    Value::Text(word.to_owned())
}
