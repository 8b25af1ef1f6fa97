//! `[[windows]]`: each is read whole, and held against those before it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::error::{Error, Fault, Place};
use crate::config::layer::{Layered, in_order, named, read, unknown_key};
use crate::config::schema::WINDOWS;
use crate::config::setting::Setting;
use crate::config::value::{Given, Value, number, text, texts};
use crate::domain::queue::check_queue_name;
use crate::domain::window::{Clock, Conflict, Days, InvalidWindow, Window, Zone, check_window_name, conflict};

const KEYS: [&str; 7] = ["name", "days", "from", "to", "time_zone", "max_concurrent", "pause"];

/// A window as far as it was read.
#[derive(Default)]
struct Draft {
    name: Option<String>,
    days: Days,
    from: Option<Clock>,
    to: Option<Clock>,
    zone: Option<Zone>,
    max_concurrent: Option<u32>,
    pause: Vec<String>,
}

/// Puts the windows of one file to those there are. One of the same name in a file before takes its place.
pub(super) fn apply(
    layered: &mut Layered,
    content: &Spanned<DeValue<'_>>,
    place: &impl Fn(usize) -> Place,
) -> Result<(), Error> {
    let refuse = |value: &Spanned<DeValue<'_>>| {
        let expected = "windows, each of them below a line `[[windows]]`";
        wrong(place(value.span().start), WINDOWS.to_owned(), Fault::Type { expected, found: named(value.get_ref()) })
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
            return Err(unknown_key(place(key.span().start), WINDOWS, key.get_ref(), &KEYS));
        };
        let place = place(value.span().start);
        draft.set(known, &read(value.get_ref())).map_err(|fault| wrong(place.clone(), key_of(known), fault))?;
        places.insert(known, place);
    }
    let refuse = |key: &'static str, why: InvalidWindow| {
        wrong(places.get(key).unwrap_or(here).clone(), key_of(key), Fault::Window(why))
    };
    let (from, to) = (draft.from.unwrap_or(Clock::MIDNIGHT), draft.to.unwrap_or(Clock::END));
    let name = draft.name.ok_or_else(|| refuse("name", InvalidWindow::Nameless))?;
    if from == to {
        return Err(refuse(if places.contains_key("to") { "to" } else { "from" }, InvalidWindow::Empty(to)));
    }
    if draft.max_concurrent.is_none() && draft.pause.is_empty() {
        return Err(refuse("max_concurrent", InvalidWindow::Nothing));
    }
    let window = Window {
        name,
        days: draft.days,
        from,
        to,
        zone: draft.zone.unwrap_or_else(|| Zone { name: None, rules: TimeZone::system() }),
        max_concurrent: draft.max_concurrent,
        pause: draft.pause,
    };
    let before = layered.config.windows.iter().position(|other| other.name == window.name);
    if before.is_some() && layered.origins.of(&full_key(&window.name, "name")).is_some_and(|at| same_file(at, here)) {
        return Err(refuse("name", InvalidWindow::Twice(window.name)));
    }
    let others = layered.config.windows.iter().filter(|other| other.name != window.name);
    for other in others {
        if let (Some(Conflict { day, clock }), Some(theirs)) = (conflict(&window, other), other.max_concurrent) {
            let other = other.name.clone();
            return Err(refuse("max_concurrent", InvalidWindow::Contradicts { other, theirs, day, clock }));
        }
    }
    layered.origins.forget(&full_key(&window.name, ""));
    for (key, place) in places {
        layered.origins.set(full_key(&window.name, key), place);
    }
    match before {
        Some(before) => layered.config.windows[before] = window,
        None => layered.config.windows.push(window),
    }
    Ok(())
}

impl Draft {
    fn set(&mut self, key: &str, value: &Given) -> Result<(), Fault> {
        match key {
            "name" => {
                let name = text(value, "a name such as `\"day\"`")?;
                check_window_name(name).map_err(Fault::Window)?;
                self.name = Some(name.to_owned());
            }
            "days" => {
                let days = texts(value, "a list of days such as `[\"mon-fri\"]`")?;
                self.days = Days::parse(days).map_err(Fault::Window)?;
            }
            "from" => {
                let from = clock(value)?;
                if from == Clock::END {
                    return Err(Fault::Window(InvalidWindow::Late));
                }
                self.from = Some(from);
            }
            "to" => self.to = Some(clock(value)?),
            "time_zone" => {
                let name = text(value, "the name of a time zone such as `\"Europe/Vienna\"`")?;
                let unknown = |_| Fault::Window(InvalidWindow::TimeZone(name.to_owned()));
                self.zone = Some(Zone { name: Some(name.to_owned()), rules: TimeZone::get(name).map_err(unknown)? });
            }
            "max_concurrent" => self.max_concurrent = Some(number(value, 0, 100_000)?),
            _ => {
                let queues = texts(value, "a list of queues such as `[\"gpu\"]`")?;
                for queue in queues {
                    check_queue_name(queue).map_err(Fault::Queue)?;
                }
                self.pause = queues.to_vec();
            }
        }
        Ok(())
    }
}

fn clock(value: &Given) -> Result<Clock, Fault> {
    Clock::parse(text(value, "a time of the day such as `\"09:00\"`")?).map_err(Fault::Window)
}

fn wrong(place: Place, key: String, fault: Fault) -> Error {
    Error::Value { place, key, fault: Box::new(fault) }
}

fn key_of(key: &str) -> String {
    format!("{WINDOWS}.{key}")
}

fn full_key(window: &str, key: &str) -> String {
    format!("{WINDOWS}.{window}.{key}")
}

pub(super) fn same_file(one: &Place, other: &Place) -> bool {
    matches!((one, other), (Place::File { path: one, .. }, Place::File { path: other, .. }) if one == other)
}

/// Returns what a window says, without its name.
pub(super) fn settings(window: &Window) -> Vec<Setting> {
    let text = |text: &dyn ToString| Some(Value::Text(text.to_string()));
    let pause = (!window.pause.is_empty()).then(|| Value::List(window.pause.clone()));
    let said = [
        ("days", Some(Value::List(window.days.texts().to_vec()))),
        ("from", text(&window.from)),
        ("to", text(&window.to)),
        ("time_zone", window.zone.name.clone().map(Value::Text)),
        ("max_concurrent", window.max_concurrent.map(Value::Number)),
        ("pause", pause),
    ];
    let section = vec![WINDOWS.to_owned(), window.name.clone()];
    let setting = |(name, value): (_, Option<_>)| {
        Some(Setting { section: section.clone(), name: str::to_owned(name), value: value? })
    };
    said.into_iter().filter_map(setting).collect()
}
