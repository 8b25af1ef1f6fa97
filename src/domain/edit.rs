//! Changing what a task is to do, as long as it has not started.

use std::ffi::OsString;

use crate::domain::id::TaskId;
use crate::domain::place::is_placed;
use crate::domain::task::{Environment, Task, TaskSpec};

/// What is to become of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Which task.
    pub id: TaskId,
    /// What it was to do when whoever asks last looked: if that is not so any more, nothing is changed.
    pub base: TaskSpec,
    /// What it is to do from now on.
    pub spec: TaskSpec,
    /// Variables that are set over its environment.
    pub set_env: Environment,
    /// Variables that are taken out of it.
    pub unset_env: Vec<OsString>,
}

/// Why a task was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotEdited {
    /// There is no such task.
    NotFound,
    /// It has started, or has ended.
    Started(Box<Task>),
    /// Somebody else has changed it.
    Changed,
    /// This one, which has not ended, has the key.
    KeyTaken(TaskId),
    /// It would wait for itself, or for one that was added later.
    Later(TaskId),
}

impl Edit {
    /// Returns whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.base == self.spec && self.set_env.0.is_empty() && self.unset_env.is_empty()
    }

    /// Refuses what makes no sense for a task that stands like this.
    pub fn check(&self, task: &Task) -> Result<(), NotEdited> {
        // What was tried before is told with the task as it was then.
        if !is_placed(task.state) || task.attempt > 0 {
            return Err(NotEdited::Started(Box::new(task.clone())));
        }
        if task.spec != self.base {
            return Err(NotEdited::Changed);
        }
        let waits_for = self.spec.after.iter().chain(&self.spec.after_any);
        match waits_for.copied().find(|on| *on >= self.id) {
            Some(on) => Err(NotEdited::Later(on)),
            None => Ok(()),
        }
    }

    /// Returns the environment that comes of one.
    pub fn environment(&self, env: &Environment) -> Environment {
        environment_of(env, &self.set_env, &self.unset_env)
    }
}

/// Returns an environment with variables set over it and others taken out.
pub(in crate::domain) fn environment_of(env: &Environment, set: &Environment, unset: &[OsString]) -> Environment {
    let mut env = env.with(set);
    env.0.retain(|(name, _)| !unset.contains(name));
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_over_others_and_taken_out() {
        let of = |pairs: &[(&str, &str)]| {
            Environment(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
        };
        let spec = TaskSpec::command(vec!["true".into()], "/".into());
        let id = TaskId::new(3).unwrap();
        let mut edit = Edit { id, base: spec.clone(), spec, set_env: of(&[]), unset_env: Vec::new() };
        assert!(edit.is_empty());
        edit.set_env = of(&[("B", "2"), ("C", "3")]);
        edit.unset_env = vec!["A".into()];
        assert!(!edit.is_empty());
        assert_eq!(edit.environment(&of(&[("A", "1"), ("B", "1")])), of(&[("B", "2"), ("C", "3")]));
    }
}
