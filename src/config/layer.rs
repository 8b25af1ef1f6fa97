//! One layer of settings after the other: a file, the environment, the flags.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::error::{Error, Fault, Place};
use crate::config::origin::Origins;
use crate::config::schema::{self, Key};
use crate::config::value::Given;
use crate::config::{Config, Overrides, list};
use crate::domain::hook::Hook;
use crate::domain::resource::variable;
use crate::domain::window::Window;

/// Short names of variables that people set by hand.
const SHORT: [(&str, &str, &str); 3] = [
    ("APEX_POLL_INTERVAL", "daemon", "poll_interval"),
    ("APEX_MAX_CONCURRENT", "daemon", "max_concurrent"),
    ("APEX_LOG_LEVEL", "daemon", "log_level"),
];

/// Settings as far as they were put together.
#[derive(Default)]
pub(super) struct Layered {
    pub(super) config: Config,
    pub(super) origins: Origins,
}

/// Puts the settings of one file over what there is.
pub(super) fn apply_file(layered: &mut Layered, path: &Path, text: &str) -> Result<(), Error> {
    if !sets_nothing(text) {
        apply_text(layered, path, text)?;
    }
    layered.origins.read(path);
    Ok(())
}

/// Returns whether a text holds nothing but comments, empty lines and names of sections, as the file does that `apex
/// init` writes. It is read for each task that is added, and most are never changed.
///
/// Shape: what is not sure to be right, say a section that is there twice, counts as something.
fn sets_nothing(text: &str) -> bool {
    let mut sections = Vec::new();
    text.lines().all(|line| {
        if line.is_empty() || line.starts_with('#') {
            // What may not stand in a comment is told by whoever reads it in earnest.
            return line.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
        }
        let name = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        name.is_some_and(|name| {
            let is_new = !sections.contains(&name);
            sections.push(name);
            is_new && (name == schema::RESOURCES || schema::KEYS.iter().any(|key| key.section == name))
        })
    })
}

fn apply_text(layered: &mut Layered, path: &Path, text: &str) -> Result<(), Error> {
    let place = |offset: usize| {
        let line = 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        Place::File { path: path.to_owned(), line }
    };
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        Error::Syntax { place: place(span.start), message: in_words(text, &span, error.message()) }
    })?;
    for (section, content) in in_order(document.get_ref()) {
        let name = section.get_ref().as_ref();
        let here = || place(section.span().start);
        if !schema::SECTIONS.contains(&name) {
            return Err(unknown_section(here(), name, content));
        }
        if name == schema::WINDOWS {
            list::apply::<Window>(layered, content, &place)?;
            continue;
        }
        if name == schema::HOOKS {
            list::apply::<Hook>(layered, content, &place)?;
            continue;
        }
        let table = as_table(content, name, &place)?;
        if name == schema::QUEUES {
            for (queue, content) in in_order(table) {
                let queue_name = queue.get_ref().as_ref();
                let full = format!("{name}.{queue_name}");
                for (key, value) in in_order(as_table(content, &full, &place)?) {
                    let key_name = key.get_ref().as_ref();
                    if !schema::QUEUE_KEYS.contains(&key_name) {
                        return Err(unknown_key(place(key.span().start), &full, key_name, &schema::QUEUE_KEYS));
                    }
                    let set = |config: &mut _, value: &_| schema::set_queue(config, queue_name, key_name, value);
                    let (key, place) = (format!("{full}.{key_name}"), place(value.span().start));
                    take(layered, key, place, &read(value.get_ref()), set)?;
                }
            }
            continue;
        }
        if name == schema::RESOURCES {
            apply_resources(layered, table, &place)?;
            continue;
        }
        for (key, value) in in_order(table) {
            let key_name = key.get_ref().as_ref();
            let Some(known) = find(name, key_name) else {
                return Err(unknown_key(place(key.span().start), name, key_name, &keys_of(name)));
            };
            set(layered, known, &read(value.get_ref()), place(value.span().start))?;
        }
    }
    Ok(())
}

/// Takes over what there is of each resource, and by which variables tasks are told of it.
fn apply_resources(layered: &mut Layered, table: &DeTable<'_>, place: &impl Fn(usize) -> Place) -> Result<(), Error> {
    for (name, value) in in_order(table) {
        let (name, at) = (name.get_ref().as_ref(), place(value.span().start));
        let full = format!("{}.{name}", schema::RESOURCES);
        if name != schema::VARIABLES {
            let set = |config: &mut _, value: &_| schema::set_resource(config, name, value);
            take(layered, full, at, &read(value.get_ref()), set)?;
            continue;
        }
        for (resource, value) in in_order(as_table(value, &full, place)?) {
            let resource = resource.get_ref().as_ref();
            let set = |config: &mut _, value: &_| schema::set_variables(config, resource, value);
            let key = format!("{full}.{resource}");
            take(layered, key, place(value.span().start), &read(value.get_ref()), set)?;
        }
    }
    Ok(())
}

/// Checks what can be wrong only about resources together, whichever files they stand in: each variable is of one resource,
/// and there is a resource for it.
pub(super) fn check_resources(layered: &Layered) -> Result<(), Error> {
    let Config { resources, resource_variables, .. } = &layered.config;
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    let own = resources.keys().map(|name| (name, variable(name), format!("{}.{name}", schema::RESOURCES)));
    let further = resource_variables.iter().flat_map(|(name, variables)| {
        let key = format!("{}.{}.{name}", schema::RESOURCES, schema::VARIABLES);
        variables.iter().map(move |variable| (name, variable.clone(), key.clone()))
    });
    for (name, variable, key) in own.chain(further) {
        let fault = match seen.insert(variable.clone(), name) {
            _ if !resources.contains_key(name) => Fault::NoResource { name: name.clone() },
            Some(other) => Fault::SameVariable { other: other.clone(), variable },
            None => continue,
        };
        if let Some(place) = layered.origins.of(&key).cloned() {
            return Err(Error::Value { place, key, fault: Box::new(fault) });
        }
    }
    Ok(())
}

/// Returns what is wrong with a text, with what the parser leaves to be guessed.
fn in_words(text: &str, span: &Range<usize>, message: &str) -> String {
    let message = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
    if message.starts_with("duplicate key")
        && let Some(key) = text.get(span.clone()).filter(|key| !key.is_empty())
    {
        let before = text.get(..span.start).unwrap_or_default();
        let is_section = before.ends_with('[') && !before.ends_with("[[");
        let first = text.lines().position(|line| line.trim_start().starts_with(&format!("[{key}]")));
        return match first.filter(|_| is_section) {
            Some(line) => {
                format!("section `[{key}]` stands there already, in line {}: put these keys below that", line + 1)
            }
            None => format!("duplicate key `{key}`"),
        };
    }
    let before = text.get(..span.start).unwrap_or_default();
    let line = text.lines().nth(before.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or_default();
    let bare =
        line.split_once('=').map(|(key, value)| (key.trim(), value.split('#').next().unwrap_or_default().trim()));
    let is_word =
        |value: &str| value.starts_with(|c: char| c.is_alphanumeric() || c == '*') && !value.contains(['"', '\'']);
    match bare {
        Some((key, value)) if is_word(value) => format!("text stands in quotation marks: `{key} = \"{value}\"`"),
        Some((key, "")) => format!("there is no value after `{key} =`"),
        Some(_) if message.contains("must be quoted") => "text stands in quotation marks, like `\"this\"`".to_owned(),
        _ => message,
    }
}

/// Puts the settings of the environment over what there is. What is named `APEX_…` and is not of a section is ignored,
/// and so is an empty variable.
pub(super) fn apply_variables(layered: &mut Layered, variables: &BTreeMap<String, String>) -> Result<(), Error> {
    if variables.is_empty() {
        return Ok(());
    }
    let short = SHORT.iter().filter_map(|(name, section, key)| Some(((*name).to_owned(), find(section, key)?)));
    let long = schema::KEYS.iter().map(|key| {
        let name = format!("APEX_{}_{}", key.section.replace('.', "_"), key.name);
        (name.to_ascii_uppercase(), key)
    });
    // The long name says more, so it wins.
    let known: Vec<(String, &Key)> = short.chain(long).collect();
    for name in variables.keys().filter(|name| known.iter().all(|(known, _)| known != *name)) {
        // What apex itself gives to every task is no setting.
        let section = schema::SECTIONS.iter().find_map(|section| {
            let rest = name.strip_prefix(&format!("APEX_{}_", section.to_ascii_uppercase()))?;
            (name != "APEX_TASK_ID").then_some((*section, rest))
        });
        let fixed =
            |section: &str| ![schema::QUEUES, schema::WINDOWS, schema::RESOURCES, schema::HOOKS].contains(&section);
        if let Some((section, rest)) = section.filter(|(section, _)| fixed(section)) {
            return Err(unknown_key(
                Place::Variable(name.clone()),
                section,
                &rest.to_ascii_lowercase(),
                &keys_of(section),
            ));
        }
    }
    for (name, key) in known {
        if let Some(text) = variables.get(&name).filter(|text| !text.is_empty()) {
            set(layered, key, &key.kind.read(text), Place::Variable(name))?;
        }
    }
    Ok(())
}

/// Puts what flags say over what there is, checked like everything else.
pub(super) fn apply_overrides(layered: &mut Layered, overrides: &Overrides) -> Result<(), Error> {
    if let Some(number) = overrides.max_concurrent
        && let Some(key) = find("daemon", "max_concurrent")
    {
        set(layered, key, &Given::Number(i64::from(number)), Place::Flag("--max-concurrent"))?;
    }
    if let Some(interval) = overrides.poll_interval
        && let Some(key) = find("daemon", "poll_interval")
    {
        let text = crate::units::format_duration(interval);
        set(layered, key, &Given::Text(text), Place::Flag("--poll-interval"))?;
    }
    Ok(())
}

fn set(layered: &mut Layered, key: &Key, value: &Given, place: Place) -> Result<(), Error> {
    take(layered, format!("{}.{}", key.section, key.name), place, value, key.set)
}

/// Takes one value over and remembers where it stands.
fn take(
    layered: &mut Layered,
    key: String,
    place: Place,
    value: &Given,
    set: impl FnOnce(&mut Config, &Given) -> Result<(), Fault>,
) -> Result<(), Error> {
    match set(&mut layered.config, value) {
        Ok(()) => {
            layered.origins.set(key, place);
            Ok(())
        }
        Err(fault) => Err(Error::Value { place, key, fault: Box::new(fault) }),
    }
}

fn find(section: &str, name: &str) -> Option<&'static Key> {
    static KEYS: &[Key] = &schema::KEYS;
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

fn keys_of(section: &str) -> Vec<&'static str> {
    schema::KEYS.iter().filter(|key| key.section == section).map(|key| key.name).collect()
}

/// Entries in the order in which they stand in the file, so that the first mistake is the one that is told.
pub(super) fn in_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn as_table<'t, 'i>(
    content: &'t Spanned<DeValue<'i>>,
    name: &str,
    place: &impl Fn(usize) -> Place,
) -> Result<&'t DeTable<'i>, Error> {
    content.get_ref().as_table().ok_or_else(|| Error::Value {
        place: place(content.span().start),
        key: name.to_owned(),
        fault: Box::new(Fault::Type { expected: "a section", found: named(content.get_ref()) }),
    })
}

pub(super) fn read(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text(text.to_string()),
        DeValue::Boolean(flag) => Given::Flag(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Given::Other("a number that is too large"), Given::Number),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            let numbers = items.iter().map(|item| match read(item.get_ref()) {
                Given::Number(number) => Some(number),
                _ => None,
            });
            let texts = texts.collect::<Option<Vec<_>>>().map(Given::List);
            let either = texts.or_else(|| numbers.collect::<Option<Vec<_>>>().map(Given::Numbers));
            either.unwrap_or(Given::Other("a list of other things than strings"))
        }
        other => Given::Other(named(other)),
    }
}

pub(super) fn named(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// A key that stands outside of any section is told the nearest key, a section the nearest section.
fn unknown_section(place: Place, name: &str, content: &Spanned<DeValue<'_>>) -> Error {
    if content.get_ref().is_table() {
        let nearest = nearest(name, schema::SECTIONS).to_owned();
        return Error::Unknown { place, what: "section", name: name.to_owned(), nearest };
    }
    let key = schema::KEYS.iter().max_by(|a, b| likeness(name, a.name).total_cmp(&likeness(name, b.name)));
    let nearest = key.map_or_else(String::new, |key| format!("{}.{}", key.section, key.name));
    Error::Unknown { place, what: "key", name: name.to_owned(), nearest }
}

pub(super) fn unknown_key(place: Place, section: &str, name: &str, known: &[&'static str]) -> Error {
    let nearest = nearest(name, known.iter().copied());
    Error::Unknown { place, what: "key", name: format!("{section}.{name}"), nearest: format!("{section}.{nearest}") }
}

fn nearest(name: &str, known: impl IntoIterator<Item = &'static str>) -> &'static str {
    known.into_iter().max_by(|a, b| likeness(name, a).total_cmp(&likeness(name, b))).unwrap_or_default()
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TEMPLATE;

    #[test]
    fn what_is_passed_over_would_set_nothing() {
        assert!(sets_nothing(TEMPLATE) && sets_nothing("") && sets_nothing("# a\r\n\r\n[log]\r\n"));
        for text in [
            "[log]\n[log]",
            "[logs]",
            "[log",
            "[log] # x",
            " [log]",
            "# \u{1}",
            "#\u{7f}",
            "# \r x",
            "keep = 5",
            "[log]\nkeep = 5",
            "[[log]]",
            "\u{feff}",
        ] {
            assert!(!sets_nothing(text), "{text:?}");
        }
        for text in [TEMPLATE, "", "# ä\n[queues.default]\n[log]"] {
            assert!(sets_nothing(text), "{text:?}");
            let mut layered = Layered::default();
            apply_text(&mut layered, Path::new("config.toml"), text).unwrap();
            assert_eq!(layered.config, Config::default());
            assert_eq!(layered.origins, Origins::default());
        }
    }
}
