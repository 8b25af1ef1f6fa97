//! What there is of each resource, as the configuration says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::resource::{Amount, Needs};

/// How much there is of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capacity {
    /// An amount, of which any part is as good as another.
    Amount(Amount),
    /// Pieces that are told apart by their numbers.
    Indices(BTreeSet<u32>),
}

impl Capacity {
    /// Returns how much that is.
    pub fn amount(&self) -> Amount {
        match self {
            Self::Amount(amount) => *amount,
            Self::Indices(indices) => Amount::Count(indices.len() as u64),
        }
    }
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// How much there is.
    pub capacity: Capacity,
    /// Further variables by which a task is told what it was granted.
    pub variables: Vec<String>,
}

impl Pool {
    /// Makes one that is told by its own variable alone.
    pub fn new(capacity: Capacity) -> Self {
        Self { capacity, variables: Vec::new() }
    }

    /// Returns how much there is.
    pub fn total(&self) -> Amount {
        self.capacity.amount()
    }
}

/// Every resource there is, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pools(pub BTreeMap<String, Pool>);

/// Names that are less alike are not mistaken for one another.
const ALIKE_MIN: f64 = 0.6;

impl Pools {
    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how much there is of a resource; 0 of one that there is not.
    pub fn total(&self, name: &str) -> u64 {
        self.0.get(name).map_or(0, |pool| pool.total().get())
    }

    /// Returns whether needs can be met when nobody else has anything.
    ///
    /// Errors: the first that cannot, by name.
    pub fn check(&self, needs: &Needs) -> Result<(), Unmet> {
        for (name, need) in &needs.0 {
            let Some(pool) = self.0.get(name) else {
                return Err(Unmet::Unknown { name: name.clone(), nearest: self.nearest(name) });
            };
            let total = pool.total();
            if total.is_size() != need.is_size() {
                return Err(Unmet::Unit { name: name.clone(), need: *need, total });
            }
            if need.get() > total.get() {
                return Err(Unmet::Never { name: name.clone(), need: *need, total });
            }
        }
        Ok(())
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let alike = self.0.keys().map(|known| (strsim::jaro_winkler(name, known), known));
        let nearest = alike.max_by(|a, b| a.0.total_cmp(&b.0));
        // The only one there is is worth being named.
        nearest.filter(|(alike, _)| *alike >= ALIKE_MIN || self.0.len() == 1).map(|(_, known)| known.clone())
    }
}

/// Why needs can never be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// There is no such resource.
    Unknown {
        /// What was asked for.
        name: String,
        /// The one that may be meant.
        nearest: Option<String>,
    },
    /// It is counted and asked for as a size, or the other way round.
    Unit {
        /// Of what.
        name: String,
        /// What was asked for.
        need: Amount,
        /// What there is.
        total: Amount,
    },
    /// There is not that much of it, even when nobody else has anything.
    Never {
        /// Of what.
        name: String,
        /// What was asked for.
        need: Amount,
        /// What there is.
        total: Amount,
    },
}

impl Unmet {
    /// Returns the name of the resource.
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::Unit { name, .. } | Self::Never { name, .. } => name,
        }
    }

    /// Returns the next step.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => format!("there is `{nearest}`"),
            Self::Unknown { name, nearest: None } => {
                format!("say how much there is in the configuration: `[resources] {name} = 1`")
            }
            Self::Unit { name, need, total: Amount::Bytes(_) } => {
                format!("write it with a unit, like `--need {name}={}GiB`", need.get())
            }
            Self::Unit { name, .. } => format!("write it without a unit, like `--need {name}=1`"),
            Self::Never { name, .. } => {
                format!("ask for less, or say in the configuration that there is more: `[resources] {name}`")
            }
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, .. } => write!(f, "there is no resource `{name}`"),
            Self::Unit { name, need, total: Amount::Bytes(_) } => {
                write!(f, "resource `{name}` is a size, and `{need}` has no unit")
            }
            Self::Unit { name, need, .. } => write!(f, "resource `{name}` is counted, and `{need}` is a size"),
            Self::Never { name, need, total: total @ Amount::Count(1) } => {
                write!(f, "it needs {need} of resource `{name}`, of which there is {total}")
            }
            Self::Never { name, need, total } => {
                write!(f, "it needs {need} of resource `{name}`, of which there are {total}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools() -> Pools {
        let pool = |name: &str, capacity| (name.to_owned(), Pool::new(capacity));
        Pools(BTreeMap::from([
            pool("gpu", Capacity::Indices(BTreeSet::from([0, 3]))),
            pool("mem", Capacity::Amount(Amount::Bytes(24 << 30))),
            pool("licence", Capacity::Amount(Amount::Count(1))),
        ]))
    }

    fn check(text: &str) -> Result<(), (String, String)> {
        let needs = Needs::parse(text).unwrap();
        pools().check(&needs).map_err(|unmet| (unmet.to_string(), unmet.hint()))
    }

    #[test]
    fn what_fits_alone_is_taken_and_everything_else_named() {
        check("gpu=2,licence=1,mem=24GiB").unwrap();
        check("").unwrap();
        for (text, message, hint) in [
            ("gpu=3", "it needs 3 of resource `gpu`, of which there are 2", "`[resources] gpu`"),
            ("licence=2", "of which there is 1", "ask for less"),
            ("gpuu=1", "there is no resource `gpuu`", "there is `gpu`"),
            ("zebra=1", "there is no resource `zebra`", "`[resources] zebra = 1`"),
            ("mem=8", "resource `mem` is a size, and `8` has no unit", "`--need mem=8GiB`"),
            ("gpu=1GiB", "resource `gpu` is counted, and `1GiB` is a size", "`--need gpu=1`"),
        ] {
            let (found, next) = check(text).unwrap_err();
            assert!(found.contains(message) && next.contains(hint), "{found} / {next}");
        }
    }
}
