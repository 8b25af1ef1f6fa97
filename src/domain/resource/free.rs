//! What is left of the resources while some of it is held.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::resource::{Amount, Capacity, Grant, Granted, Needs, Pools};

/// What nobody holds, by the name of the resource.
#[derive(Debug, Clone, Default)]
pub struct Free(BTreeMap<String, Left>);

/// What is left of a resource. More may be held than there is, where there was more once.
#[derive(Debug, Clone)]
struct Left {
    is_size: bool,
    total: u64,
    held: u64,
    /// Of pieces that are told apart.
    pieces: Option<Pieces>,
}

/// Which pieces somebody holds, those included that there are no more, and which nobody does.
#[derive(Debug, Clone)]
struct Pieces {
    free: BTreeSet<u32>,
    held: BTreeSet<u32>,
}

impl Left {
    fn number(&self) -> u64 {
        let left = self.total.saturating_sub(self.held);
        // A piece that is held may be one that there is no more.
        self.pieces.as_ref().map_or(left, |pieces| left.min(pieces.free.len() as u64))
    }

    fn hold(&mut self, grant: &Grant) {
        self.held = self.held.saturating_add(grant.number());
        if let (Some(Pieces { free, held }), Grant::Indices(indices)) = (&mut self.pieces, grant) {
            for index in indices {
                free.remove(index);
                held.insert(*index);
            }
        }
    }
}

impl Free {
    /// Returns what is left of what there is.
    pub fn of<'a>(pools: &Pools, held: impl IntoIterator<Item = &'a Granted>) -> Self {
        let left = |(name, pool): (&String, &crate::domain::resource::Pool)| {
            let pieces = match &pool.capacity {
                Capacity::Amount(_) => None,
                Capacity::Indices(indices) => Some(Pieces { free: indices.clone(), held: BTreeSet::new() }),
            };
            let total = pool.total();
            (name.clone(), Left { is_size: total.is_size(), total: total.get(), held: 0, pieces })
        };
        let mut free = Self(pools.0.iter().map(left).collect());
        held.into_iter().for_each(|granted| free.hold(granted));
        free
    }

    /// Takes away what somebody holds, whether it is there or not.
    pub fn hold(&mut self, granted: &Granted) {
        for (name, grant) in &granted.0 {
            if let Some(left) = self.0.get_mut(name) {
                left.hold(grant);
            }
        }
    }

    /// Returns whether needs can be met.
    pub fn fits(&self, needs: &Needs) -> bool {
        needs.0.iter().all(|(name, need)| {
            self.0.get(name).is_some_and(|left| left.is_size == need.is_size() && left.number() >= need.get())
        })
    }

    /// Takes what is needed, of pieces that are told apart those with the lowest numbers; `None`, and nothing is taken, if
    /// there is not enough.
    pub fn take(&mut self, needs: &Needs) -> Option<Granted> {
        if !self.fits(needs) {
            return None;
        }
        let grant = |(name, need): (&String, &Amount)| {
            let left = self.0.get_mut(name)?;
            let grant = match &left.pieces {
                None => Grant::Amount(*need),
                Some(Pieces { free, .. }) => {
                    Grant::Indices(free.iter().take(usize::try_from(need.get()).ok()?).copied().collect())
                }
            };
            left.hold(&grant);
            Some((name.clone(), grant))
        };
        needs.0.iter().map(grant).collect::<Option<_>>().map(Granted)
    }

    /// Returns whether somebody can have again exactly what was granted before. What is more than there is now can be had
    /// when nobody else has any of it.
    pub fn fits_again(&self, granted: &Granted) -> bool {
        granted.0.iter().all(|(name, grant)| match self.0.get(name) {
            // Nobody counts it any more.
            None => true,
            Some(left) => {
                let is_free = match (&left.pieces, grant) {
                    (Some(pieces), Grant::Indices(indices)) => indices.iter().all(|index| !pieces.held.contains(index)),
                    _ => true,
                };
                is_free && left.held.saturating_add(grant.number()) <= left.total.max(grant.number())
            }
        })
    }

    /// Returns how much of a resource is held.
    pub fn held(&self, name: &str) -> u64 {
        self.0.get(name).map_or(0, |left| left.held)
    }

    /// Returns the pieces of a resource that nobody holds, if they are told apart.
    pub fn indices(&self, name: &str) -> Option<&BTreeSet<u32>> {
        self.0.get(name)?.pieces.as_ref().map(|pieces| &pieces.free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resource::Pool;

    fn pools(gpus: &[u32], mem: u64) -> Pools {
        let pool = |name: &str, capacity| (name.to_owned(), Pool::new(capacity));
        Pools(BTreeMap::from([
            pool("gpu", Capacity::Indices(gpus.iter().copied().collect())),
            pool("mem", Capacity::Amount(Amount::Bytes(mem))),
        ]))
    }

    fn needs(text: &str) -> Needs {
        Needs::parse(text).unwrap()
    }

    fn granted(text: &str) -> Granted {
        Granted::parse(text).unwrap()
    }

    #[test]
    fn the_lowest_free_pieces_are_taken() {
        let mut free = Free::of(&pools(&[0, 1, 5], 1_024), [&granted("gpu=#1,mem=1000B")]);
        assert_eq!(free.take(&needs("gpu=2")).unwrap(), granted("gpu=#0+5"));
        assert_eq!(free.take(&needs("gpu=1")), None);
        assert_eq!(free.take(&needs("mem=25B")), None);
        assert_eq!(free.take(&needs("mem=24B")).unwrap().to_string(), "mem=24B");
        assert!(free.fits(&needs("")) && !free.fits(&needs("mem=1B")) && !free.fits(&needs("tpu=1")));
        assert!(!free.fits(&needs("gpu=1B")));
    }

    #[test]
    fn what_was_shrunk_stays_with_who_has_it() {
        // Pieces 0 and 1 are held; of what there was, 0 and 2 are left.
        let free = Free::of(&pools(&[0, 2], 10), [&granted("gpu=#0+1,mem=20B")]);
        assert!(!free.fits(&needs("gpu=1")), "two are held, and there are two");
        assert_eq!((free.held("gpu"), free.held("mem")), (2, 20));
        assert_eq!(free.indices("gpu").unwrap().iter().copied().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn what_was_lent_is_had_again_when_nobody_has_it() {
        let pools = pools(&[0, 1], 10);
        let fits_again = |held: &[&str], again: &str| {
            let held: Vec<Granted> = held.iter().map(|text| granted(text)).collect();
            Free::of(&pools, &held).fits_again(&granted(again))
        };
        assert!(fits_again(&[], "gpu=#0,mem=10B"));
        assert!(fits_again(&["gpu=#1"], "gpu=#0"));
        assert!(!fits_again(&["gpu=#0"], "gpu=#0"), "this very piece");
        assert!(!fits_again(&["mem=1B"], "mem=10B"));
        assert!(fits_again(&[], "mem=99B"), "more than there is now, and nobody else has any");
        assert!(!fits_again(&["mem=1B"], "mem=99B"));
        assert!(fits_again(&[], "gpu=#7") && fits_again(&["gpu=#1"], "tpu=1"));
    }
}
