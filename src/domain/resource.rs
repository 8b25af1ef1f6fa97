//! Resources: what there is of each, what a task needs, and what it was granted.
//!
//! A resource is a name and an amount: so many pieces (`licence = 1`), so many bytes (`mem = "24GiB"`), or pieces that are
//! told apart by a number (`gpu = [0, 1]`). apex hands out amounts and knows nothing of what they stand for. Who is next when
//! they are scarce is decided in [`crate::domain::dispatch`].

use std::collections::BTreeMap;
use std::fmt;

mod free;
mod pool;
mod state;

pub use free::Free;
pub use pool::{Capacity, Pool, Pools, Unmet};
pub use state::{ResourceState, ResourceWait, Resources};

/// How much of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Amount {
    /// So many pieces.
    Count(u64),
    /// So many bytes.
    Bytes(u64),
}

impl Amount {
    /// Returns the bare number.
    pub fn get(self) -> u64 {
        match self {
            Self::Count(number) | Self::Bytes(number) => number,
        }
    }

    /// Returns whether it is a size.
    pub fn is_size(self) -> bool {
        matches!(self, Self::Bytes(_))
    }

    /// Returns the amount of this number, as a size or a count.
    pub fn new(number: u64, is_size: bool) -> Self {
        if is_size { Self::Bytes(number) } else { Self::Count(number) }
    }
}

/// The same that is read in the configuration and on the command line: `2`, `8GiB`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match self {
            Self::Count(number) => number.fmt(f),
            Self::Bytes(bytes) => {
                let whole = UNITS.iter().find(|(_, unit)| *bytes >= *unit && bytes.is_multiple_of(*unit));
                let (name, unit) = whole.unwrap_or(&("B", 1));
                write!(f, "{}{name}", bytes / unit)
            }
        }
    }
}

/// Longest name of a resource, in bytes.
pub const RESOURCE_NAME_BYTES_MAX: usize = 64;

/// What follows `APEX_` in variables that apex gives to every task: no resource can be told by them.
const TAKEN: [&str; 7] = ["TASK_ID", "ATTEMPT", "QUEUE", "SLOT", "PROJECT_PATH", "SOCKET", "ASSIGNMENT_ID"];

/// Checks the name of a resource: of it a variable is made ([`variable`]), and it has to be typed before a `=`.
pub fn check_resource_name(name: &str) -> Result<(), InvalidResource> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins || name.len() > RESOURCE_NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err(InvalidResource::Name(name.to_owned()));
    }
    if TAKEN.contains(&suffix(name).as_str()) {
        return Err(InvalidResource::Taken { name: name.to_owned(), variable: variable(name) });
    }
    Ok(())
}

/// Returns the variable by which a task is told what it was granted of a resource: `APEX_GPU`.
pub fn variable(name: &str) -> String {
    format!("APEX_{}", suffix(name))
}

fn suffix(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// What cannot be a resource, or a need of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// Its name cannot be one.
    #[error("resource name `{0}` needs a letter first, then letters, digits, `_` and `-`, and at most 64 bytes")]
    Name(String),
    /// Its variable is one that means something else.
    #[error("no resource can be named `{name}`: `{variable}` means something else to a task")]
    Taken {
        /// The name.
        name: String,
        /// What it would be told by.
        variable: String,
    },
    /// Nothing of it is needed.
    #[error("0 of resource `{0}` is nothing to ask for; leave it out")]
    Nothing(String),
    /// It is asked for twice.
    #[error("resource `{0}` is asked for twice")]
    Twice(String),
    /// Cannot be read at all.
    #[error("`{0}` is no need of a resource; write it like `gpu=1` or `mem=8GiB`")]
    Need(String),
}

/// What a task needs while it runs, by the name of the resource; nothing of most.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Needs(pub BTreeMap<String, Amount>);

impl Needs {
    /// Returns whether nothing is needed but a slot.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the needs of pairs.
    ///
    /// Errors: a name that cannot be one, or that is there twice; nothing of something.
    pub fn of(pairs: impl IntoIterator<Item = (String, Amount)>) -> Result<Self, InvalidResource> {
        let mut needs = BTreeMap::new();
        for (name, amount) in pairs {
            if needs.insert(name.clone(), amount).is_some() {
                return Err(InvalidResource::Twice(name));
            }
        }
        let needs = Self(needs);
        needs.check()?;
        Ok(needs)
    }

    /// Checks what can be checked without knowing what there is.
    pub fn check(&self) -> Result<(), InvalidResource> {
        for (name, amount) in &self.0 {
            check_resource_name(name)?;
            if amount.get() == 0 {
                return Err(InvalidResource::Nothing(name.clone()));
            }
        }
        Ok(())
    }

    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let need = |word: &str| {
            let (name, amount) = word.split_once('=')?;
            Some((name.to_owned(), read_amount(amount)?))
        };
        text.split_terminator(',').map(need).collect::<Option<_>>().map(Self)
    }
}

/// `gpu=1,mem=8GiB`, by name, so that the same needs are always the same text.
impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed(f, self.0.iter())
    }
}

fn listed<'a, T: fmt::Display + 'a>(
    f: &mut fmt::Formatter<'_>,
    pairs: impl Iterator<Item = (&'a String, &'a T)>,
) -> fmt::Result {
    for (place, (name, what)) in pairs.enumerate() {
        let comma = if place > 0 { "," } else { "" };
        write!(f, "{comma}{name}={what}")?;
    }
    Ok(())
}

/// Reads an amount as it is written down: in whole units.
fn read_amount(text: &str) -> Option<Amount> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let shift = match unit {
        "" => return Some(Amount::Count(number)),
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift).map(Amount::Bytes)
}

/// What an attempt was granted of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grant {
    /// So much of it.
    Amount(Amount),
    /// These pieces, ascending.
    Indices(Vec<u32>),
}

impl Grant {
    /// Returns how much it is.
    pub fn number(&self) -> u64 {
        match self {
            Self::Amount(amount) => amount.get(),
            Self::Indices(indices) => indices.len() as u64,
        }
    }

    /// Returns what a task is told in its environment: the numbers of the pieces, with commas, or the bare amount.
    pub fn in_environment(&self) -> String {
        match self {
            Self::Amount(amount) => amount.get().to_string(),
            Self::Indices(indices) => indices.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(amount) => amount.fmt(f),
            Self::Indices(indices) => {
                let indices: Vec<String> = indices.iter().map(u32::to_string).collect();
                write!(f, "#{}", indices.join("+"))
            }
        }
    }
}

/// What an attempt was granted, by the name of the resource. It is its own until the attempt has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Granted(pub BTreeMap<String, Grant>);

impl Granted {
    /// Returns whether that is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what somebody holds at most who needs this, when nobody knows what he was granted: of pieces that are told apart it may
    /// be any.
    pub fn at_most(needs: &Needs, pools: &Pools) -> Self {
        let grant = |(name, need): (&String, &Amount)| {
            let grant = match pools.0.get(name).map(|pool| &pool.capacity) {
                Some(Capacity::Indices(indices)) if !indices.is_empty() => {
                    Grant::Indices(indices.iter().copied().collect())
                }
                _ => Grant::Amount(*need),
            };
            (name.clone(), grant)
        };
        Self(needs.0.iter().map(grant).collect())
    }

    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let grant = |word: &str| {
            let (name, grant) = word.split_once('=')?;
            let grant = match grant.strip_prefix('#') {
                Some(indices) => {
                    Grant::Indices(indices.split('+').map(|index| index.parse().ok()).collect::<Option<_>>()?)
                }
                None => Grant::Amount(read_amount(grant)?),
            };
            Some((name.to_owned(), grant))
        };
        text.split_terminator(',').map(grant).collect::<Option<_>>().map(Self)
    }
}

/// `gpu=#0+1,mem=8GiB`, by name.
impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed(f, self.0.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(pairs: &[(&str, Amount)]) -> Needs {
        Needs(pairs.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect())
    }

    #[test]
    fn needs_and_grants_survive_being_written_down() {
        let needs = needs(&[("mem", Amount::Bytes(8 << 30)), ("gpu", Amount::Count(1)), ("odd", Amount::Bytes(1_025))]);
        assert_eq!(needs.to_string(), "gpu=1,mem=8GiB,odd=1025B");
        assert_eq!(Needs::parse(&needs.to_string()), Some(needs));
        assert_eq!(Needs::parse(""), Some(Needs::default()));
        for wrong in ["gpu", "gpu=", "gpu=x", "gpu=-1", "gpu=1XB", "gpu=99999999999999999999", ","] {
            assert_eq!(Needs::parse(wrong), None, "{wrong}");
        }
        let granted = Granted::parse("gpu=#0+1,mem=8GiB").unwrap();
        assert_eq!(granted.0["gpu"], Grant::Indices(vec![0, 1]));
        assert_eq!((granted.0["gpu"].in_environment(), granted.0["gpu"].number()), ("0,1".to_owned(), 2));
        assert_eq!(granted.0["mem"].in_environment(), "8589934592");
        assert_eq!(granted.to_string(), "gpu=#0+1,mem=8GiB");
        assert_eq!(Granted::parse("gpu=#"), None);
    }

    #[test]
    fn a_name_can_be_typed_and_told_by_a_variable() {
        for good in ["gpu", "a-b_c9", "LICENCE"] {
            check_resource_name(good).unwrap();
        }
        assert_eq!(variable("big-mem"), "APEX_BIG_MEM");
        for wrong in ["", "1gpu", "g=u", "a,b", "gpü", "-a", "a b"] {
            assert!(matches!(check_resource_name(wrong), Err(InvalidResource::Name(_))), "{wrong}");
        }
        for taken in ["slot", "task-id", "Queue", "assignment_id"] {
            let error = check_resource_name(taken).unwrap_err();
            assert!(error.to_string().contains("`APEX_"), "{error}");
        }
    }

    #[test]
    fn nothing_and_twice_are_refused() {
        let pair = |name: &str, number| (name.to_owned(), Amount::Count(number));
        assert_eq!(Needs::of([pair("gpu", 0)]), Err(InvalidResource::Nothing("gpu".to_owned())));
        assert_eq!(Needs::of([pair("gpu", 1), pair("gpu", 1)]), Err(InvalidResource::Twice("gpu".to_owned())));
        assert_eq!(Needs::of([pair("gpu", 1), pair("a", 2)]).unwrap().to_string(), "a=2,gpu=1");
    }
}
