//! `[[hooks]]`: each is read whole.

use std::ffi::OsString;
use std::time::Duration;

use crate::config::Config;
use crate::config::error::Fault;
use crate::config::list::{self, Item, Refusal};
use crate::config::schema::HOOKS;
use crate::config::setting::Setting;
use crate::config::value::{Given, Value, duration, flag, mismatch, text, texts};
use crate::domain::hook::{DEFAULT_TIMEOUT, Deed, Hook, HookEvent, InvalidHook, TIMEOUT_MAX, check_hook_name};
use crate::domain::queue::check_queue_name;
use crate::units::format_duration;

/// The words of all events.
const EVENTS: &str = "`start`, `success`, `failure`, `retry`, `end`, `queue_empty`";

/// A hook as far as it was read.
#[derive(Default)]
pub(super) struct Draft {
    name: Option<String>,
    on: Vec<HookEvent>,
    command: Option<Deed>,
    notify: bool,
    queues: Vec<String>,
    timeout: Option<Duration>,
}

impl Item for Hook {
    const LIST: &'static str = HOOKS;
    const EXPECTED: &'static str = "hooks, each of them below a line `[[hooks]]`";
    const KEYS: &'static [&'static str] = &["name", "on", "command", "notify", "queues", "timeout"];
    type Draft = Draft;

    fn set(draft: &mut Draft, key: &str, value: &Given) -> Result<(), Fault> {
        draft.set(key, value)
    }

    fn whole(draft: Draft) -> Result<Self, Refusal> {
        let refuse = |key, why| (key, Fault::Hook(why));
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
        Ok(Self { name, on: draft.on, deed, queues: draft.queues, timeout })
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn twice(name: String) -> Fault {
        Fault::Hook(InvalidHook::Twice(name))
    }

    fn list(config: &mut Config) -> &mut Vec<Self> {
        &mut config.hooks
    }
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
    list::settings(hook, said)
}
