//! Lists of tables, as `[[hooks]]` and `[[windows]]` are: each table is read whole, and known by its name.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::Config;
use crate::config::error::{Error, Fault, Place};
use crate::config::layer::{Layered, in_order, named, read, unknown_key};
use crate::config::setting::Setting;
use crate::config::value::{Given, Value};

/// What is wrong with an item, and with which of its keys.
pub(super) type Refusal = (&'static str, Fault);

/// One table of such a list.
pub(super) trait Item: Sized {
    /// The list's key.
    const LIST: &'static str;
    /// What should stand there, in words.
    const EXPECTED: &'static str;
    /// What a table may have; `name` is among them.
    const KEYS: &'static [&'static str];
    /// One as far as it was read.
    type Draft: Default;

    /// Takes in the value of one of [`Item::KEYS`].
    fn set(draft: &mut Self::Draft, key: &str, value: &Given) -> Result<(), Fault>;

    /// Makes an item of all that was read.
    fn whole(draft: Self::Draft) -> Result<Self, Refusal>;

    /// Holds it against another one that stays beside it.
    fn check_beside(&self, _other: &Self) -> Result<(), Refusal> {
        Ok(())
    }

    /// Returns its name.
    fn name(&self) -> &str;

    /// Says that there are two of a name in a file.
    fn twice(name: String) -> Fault;

    /// Returns the list.
    fn list(config: &mut Config) -> &mut Vec<Self>;
}

/// Puts the items of one file to those there are. One of the same name in a file before takes its place.
pub(super) fn apply<T: Item>(
    layered: &mut Layered,
    content: &Spanned<DeValue<'_>>,
    place: &impl Fn(usize) -> Place,
) -> Result<(), Error> {
    let refuse = |value: &Spanned<DeValue<'_>>| {
        let fault = Fault::Type { expected: T::EXPECTED, found: named(value.get_ref()) };
        wrong(place(value.span().start), T::LIST.to_owned(), fault)
    };
    let DeValue::Array(items) = content.get_ref() else { return Err(refuse(content)) };
    for item in items {
        let Some(table) = item.get_ref().as_table() else { return Err(refuse(item)) };
        apply_one::<T>(layered, table, &place(item.span().start), place)?;
    }
    Ok(())
}

fn apply_one<T: Item>(
    layered: &mut Layered,
    table: &DeTable<'_>,
    here: &Place,
    place: &impl Fn(usize) -> Place,
) -> Result<(), Error> {
    let mut draft = T::Draft::default();
    let mut places = BTreeMap::new();
    let key_of = |key: &str| format!("{}.{key}", T::LIST);
    for (key, value) in in_order(table) {
        let Some(known) = T::KEYS.iter().copied().find(|known| *known == key.get_ref().as_ref()) else {
            return Err(unknown_key(place(key.span().start), T::LIST, key.get_ref(), T::KEYS));
        };
        let place = place(value.span().start);
        T::set(&mut draft, known, &read(value.get_ref()))
            .map_err(|fault| wrong(place.clone(), key_of(known), fault))?;
        places.insert(known, place);
    }
    let refuse = |(key, fault): Refusal| wrong(places.get(key).unwrap_or(here).clone(), key_of(key), fault);
    let item = T::whole(draft).map_err(refuse)?;
    let name = item.name().to_owned();
    let full_key = |key: &str| format!("{}.{name}.{key}", T::LIST);
    let before = T::list(&mut layered.config).iter().position(|other| other.name() == name);
    if before.is_some() && layered.origins.of(&full_key("name")).is_some_and(|at| same_file(at, here)) {
        return Err(refuse(("name", T::twice(name.clone()))));
    }
    for other in T::list(&mut layered.config).iter().filter(|other| other.name() != name) {
        item.check_beside(other).map_err(refuse)?;
    }
    layered.origins.forget(&full_key(""));
    for (key, place) in &places {
        layered.origins.set(full_key(key), place.clone());
    }
    let list = T::list(&mut layered.config);
    match before {
        Some(before) => list[before] = item,
        None => list.push(item),
    }
    Ok(())
}

fn wrong(place: Place, key: String, fault: Fault) -> Error {
    Error::Value { place, key, fault: Box::new(fault) }
}

fn same_file(one: &Place, other: &Place) -> bool {
    matches!((one, other), (Place::File { path: one, .. }, Place::File { path: other, .. }) if one == other)
}

/// Returns what an item says, of which nothing is left out, under its own name.
pub(super) fn settings<T: Item>(
    item: &T,
    said: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Vec<Setting> {
    let section = vec![T::LIST.to_owned(), item.name().to_owned()];
    let setting = |(name, value): (&str, Option<_>)| {
        Some(Setting { section: section.clone(), name: name.to_owned(), value: value? })
    };
    said.into_iter().filter_map(setting).collect()
}
