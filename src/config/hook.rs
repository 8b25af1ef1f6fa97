//! `[[hooks]]`: each is read whole.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::error::{Error, Fault, Place};
use crate::config::layer::{Layered, in_order, named, read, unknown_key};
use crate::config::schema::HOOKS;
use crate::config::setting::Setting;
use crate::config::value::{Given, Value, duration, flag, mismatch, text, texts};
use crate::config::window::same_file;
use crate::domain::hook::{DEFAULT_TIMEOUT, Deed, Hook, HookEvent, InvalidHook, TIMEOUT_MAX, check_hook_name};
use crate::domain::queue::check_queue_name;
use crate::units::format_duration;

const KEYS: [&str; 6] = ["name", "on", "command", "notify", "queues", "timeout"];
/// The words of all events.
const EVENTS: &str = "`start`, `success`, `failure`, `retry`, `end`, `queue_empty`";

/// A hook as far as it was read.
#[derive(Default)]
struct Draft {
    name: Option<String>,
    on: Vec<HookEvent>,
    command: Option<Deed>,
    notify: bool,
    queues: Vec<String>,
    timeout: Option<Duration>,
}

/// Puts the hooks of one file to those there are. One of the same name in a file before takes its place.
pub(super) fn apply(
    layered: &mut Layered,
    content: &Spanned<DeValue<'_>>,
    place: &impl Fn(usize) -> Place,
) -> Result<(), Error> {
    let refuse = |value: &Spanned<DeValue<'_>>| {
        let expected = "hooks, each of them below a line `[[hooks]]`";
        wrong(place(value.span().start), HOOKS.to_owned(), Fault::Type { expected, found: named(value.get_ref()) })
    };
    let DeValue::Array(items) = content.get_ref() else { return Err(refuse(content)) };
    for item in items {
        let Some(table) = item.get_ref().as_table() else { return Err(refuse(item)) };
        apply_one(layered, table, &place(item.span().start), place)?;
    }
    Ok(())
}

fn apply_one(
    layered: &mut Layered,
    table: &DeTable<'_>,
    here: &Place,
    place: &impl Fn(usize) -> Place,
) -> Result<(), Error> {
    let mut draft = Draft::default();
    let mut places = BTreeMap::new();
    for (key, value) in in_order(table) {
        let Some(known) = KEYS.into_iter().find(|known| *known == key.get_ref().as_ref()) else {
            return Err(unknown_key(place(key.span().start), HOOKS, key.get_ref(), &KEYS));
        };
        let place = place(value.span().start);
        draft.set(known, &read(value.get_ref())).map_err(|fault| wrong(place.clone(), key_of(known), fault))?;
        places.insert(known, place);
    }
    let refuse = |key: &'static str, why: InvalidHook| {
        wrong(places.get(key).unwrap_or(here).clone(), key_of(key), Fault::Hook(why))
    };
    let name = draft.name.ok_or_else(|| refuse("name", InvalidHook::Nameless))?;
    if draft.on.is_empty() {
        return Err(refuse("on", InvalidHook::Never));
    }
    let deed = match (draft.command, draft.notify) {
        (Some(_), true) => return Err(refuse("notify", InvalidHook::Both)),
        (None, false) => return Err(refuse("command", InvalidHook::Nothing)),
        (Some(deed), false) => deed,
        (None, true) => Deed::Notify,
    };
    let timeout = draft.timeout.unwrap_or(DEFAULT_TIMEOUT);
    let hook = Hook { name, on: draft.on, deed, queues: draft.queues, timeout };
    let before = layered.config.hooks.iter().position(|other| other.name == hook.name);
    if before.is_some() && layered.origins.of(&full_key(&hook.name, "name")).is_some_and(|at| same_file(at, here)) {
        return Err(refuse("name", InvalidHook::Twice(hook.name)));
    }
    layered.origins.forget(&full_key(&hook.name, ""));
    for (key, place) in places {
        layered.origins.set(full_key(&hook.name, key), place);
    }
    match before {
        Some(before) => layered.config.hooks[before] = hook,
        None => layered.config.hooks.push(hook),
    }
    Ok(())
}

impl Draft {
    fn set(&mut self, key: &str, value: &Given) -> Result<(), Fault> {
        match key {
            "name" => {
                let name = text(value, "a name such as `\"tell\"`")?;
                check_hook_name(name).map_err(Fault::Hook)?;
                self.name = Some(name.to_owned());
            }
            "on" => self.on = events(value)?,
            "command" => self.command = Some(command(value)?),
            "notify" => self.notify = flag(value)?,
            "queues" => {
                let queues = texts(value, "a list of queues such as `[\"gpu\"]`")?;
                for queue in queues {
                    check_queue_name(queue).map_err(Fault::Queue)?;
                }
                self.queues = queues.to_vec();
            }
            _ => self.timeout = Some(duration(value, Duration::from_millis(10), TIMEOUT_MAX)?),
        }
        Ok(())
    }
}

/// Reads events; a single one may stand by itself.
fn events(value: &Given) -> Result<Vec<HookEvent>, Fault> {
    let words = match value {
        Given::Text(word) => std::slice::from_ref(word),
        value => texts(value, "a list of events such as `[\"failure\"]`")?,
    };
    if words.is_empty() {
        return Err(Fault::Hook(InvalidHook::Never));
    }
    let event = |word: &String| HookEvent::from_word(word).ok_or(Fault::Word { value: word.clone(), words: EVENTS });
    words.iter().map(event).collect()
}

/// Reads what a hook runs.
fn command(value: &Given) -> Result<Deed, Fault> {
    let empty = Fault::Hook(InvalidHook::Command);
    match value {
        Given::Text(line) if line.trim().is_empty() || line.contains('\0') => Err(empty),
        Given::Text(line) => Ok(Deed::Line(line.clone())),
        Given::List(argv) if argv.first().is_none_or(String::is_empty) => Err(empty),
        Given::List(argv) if argv.iter().any(|argument| argument.contains('\0')) => Err(empty),
        Given::List(argv) => Ok(Deed::Run(argv.iter().map(OsString::from).collect())),
        other => mismatch("a program with its arguments such as `[\"./tell.sh\"]`, or a line for the shell", other),
    }
}

fn wrong(place: Place, key: String, fault: Fault) -> Error {
    Error::Value { place, key, fault: Box::new(fault) }
}

fn key_of(key: &str) -> String {
    format!("{HOOKS}.{key}")
}

fn full_key(hook: &str, key: &str) -> String {
    format!("{HOOKS}.{hook}.{key}")
}

/// Returns what a hook says, without its name.
pub(super) fn settings(hook: &Hook) -> Vec<Setting> {
    let words = |words: &[String]| Some(Value::List(words.to_vec()));
    let on: Vec<String> = hook.on.iter().map(|event| event.as_str().to_owned()).collect();
    let command = match &hook.deed {
        Deed::Run(argv) => Some(Value::List(argv.iter().map(|word| word.to_string_lossy().into_owned()).collect())),
        Deed::Line(line) => Some(Value::Text(line.clone())),
        Deed::Notify => None,
    };
    let said = [
        ("on", words(&on)),
        ("notify", command.is_none().then_some(Value::Flag(true))),
        ("command", command),
        ("queues", words(&hook.queues).filter(|_| !hook.queues.is_empty())),
        ("timeout", Some(Value::Text(format_duration(hook.timeout)))),
    ];
    let section = vec![HOOKS.to_owned(), hook.name.clone()];
    let setting = |(name, value): (_, Option<_>)| {
        Some(Setting { section: section.clone(), name: str::to_owned(name), value: value? })
    };
    said.into_iter().filter_map(setting).collect()
}
