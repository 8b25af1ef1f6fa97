//! Many tasks that are added together: all of them, or none.

use crate::domain::task::{Environment, InvalidSpec, TaskSpec};

/// One of many tasks that are added together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkTask {
    /// The line it was read from, from 1: what is refused names it.
    pub line: u64,
    /// What is to be done.
    pub spec: TaskSpec,
    /// Variables that are set over those which all have in common.
    pub env: Environment,
    /// Not eligible until it is released.
    pub hold: bool,
    /// Runs when these have succeeded: places among the tasks that are added together, from 0, each before its own.
    pub after_places: Vec<u64>,
    /// Runs when these have ended.
    pub after_any_places: Vec<u64>,
}

impl BulkTask {
    /// Checks what can be checked without looking at anything else; `place` is its own, from 0.
    ///
    /// Errors: what is wrong with the spec or a variable; it would wait for itself or for one after it, and so perhaps in
    /// a circle.
    pub fn check(&self, place: u64) -> Result<(), InvalidSpec> {
        self.spec.check()?;
        self.env.check()?;
        if place >= BULK_MAX {
            return Err(InvalidSpec::Many);
        }
        match self.after_places.iter().chain(&self.after_any_places).find(|on| **on >= place) {
            Some(_) => Err(InvalidSpec::Later),
            None => Ok(()),
        }
    }
}

/// The most tasks that can be added together.
///
/// Source: the last 32 bits of a [`crate::domain::id::TaskUuid`] tell them apart.
pub const BULK_MAX: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_can_only_wait_for_one_before_it() {
        let spec = TaskSpec::command(vec!["true".into()], "/".into());
        let of = |places: &[u64], any: &[u64], place| {
            let (after_places, after_any_places) = (places.to_vec(), any.to_vec());
            let (spec, env) = (spec.clone(), Environment::default());
            BulkTask { line: 1, spec, env, hold: false, after_places, after_any_places }.check(place)
        };
        assert_eq!(of(&[0, 1], &[0], 2), Ok(()));
        assert_eq!(of(&[2], &[], 2), Err(InvalidSpec::Later));
        assert_eq!(of(&[], &[3], 2), Err(InvalidSpec::Later));
        assert_eq!(of(&[], &[], BULK_MAX), Err(InvalidSpec::Many));
    }
}
