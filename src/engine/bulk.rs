//! Adding many tasks together: all of them, or none.
//!
//! They are taken in one after the other, checked as they come, and kept in a file until all of them are there; only then
//! are they added, in one transaction. So nobody waits for a client that is slow to send them.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use crate::domain::change::Actor;
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::query::AddedMany;
use crate::domain::task::{BulkTask, Environment, Limit, Stdin};
use crate::engine::{Error, Handle};
use crate::fault::crash_point;
use crate::output;
use crate::store;
use crate::store::task::AddMany;
pub use crate::store::task::Tasks;

/// Many tasks that are to be added together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// Their name, made by the client; each has its own by its place ([`TaskUuid::at`]).
    pub uuid: TaskUuid,
    /// What they were taken in as.
    pub upload: Uuid,
    /// The environment that they have in common.
    pub env: Environment,
    /// The file mode creation mask that they have in common.
    pub umask: u32,
    /// The soft limits that they have in common.
    pub limits: Vec<Limit>,
    /// The task inside which they are added.
    pub parent: Option<TaskId>,
}

impl Handle {
    /// Checks one of many tasks that are to be added together, whose place is `place`, as far as that can be done without
    /// the store.
    ///
    /// Errors: [`Error::Line`].
    pub fn check_one_of_many(&self, task: &BulkTask, place: u64) -> Result<(), Error> {
        let check = || {
            task.check(place)?;
            self.refuse_what_never_fits(&task.spec)?;
            if let Stdin::Upload(upload) = task.spec.stdin {
                self.shared.outputs.check_upload(upload)?;
            }
            Ok(())
        };
        check().map_err(|source: Error| Error::Line { line: task.line, source: source.into() })
    }

    /// Adds many tasks that were taken in and checked; `read` reads their file. Resolves when all of them are stored for
    /// good. Asked again with the same name it answers the same and adds nothing.
    ///
    /// Errors: [`Error::Draining`]; [`Error::Line`], with what refuses one of them; the store's. Nothing was added then.
    pub async fn add_many(&self, bulk: Bulk, read: fn(File) -> Tasks, by: Actor) -> Result<AddedMany, Error> {
        let upload = bulk.upload;
        let added = self.add_taken_in(bulk, read, by).await;
        let outputs = self.shared.outputs.clone();
        // How it ends does not matter: what is left is found by the next start.
        drop(tokio::task::spawn_blocking(move || outputs.remove_tasks(upload)));
        added
    }

    async fn add_taken_in(&self, bulk: Bulk, read: fn(File) -> Tasks, by: Actor) -> Result<AddedMany, Error> {
        self.refuse_if_draining()?;
        let Bulk { uuid, upload, mut env, umask, limits, parent } = bulk;
        let is_kept_out = Arc::clone(&self.is_kept_out);
        env.0.retain(|(name, _)| !is_kept_out(name));
        env.check()?;
        // They may have been added already by an earlier call that nobody got an answer to.
        let is_there = match self.shared.outputs.tasks(upload) {
            Ok(_) => true,
            Err(output::Error::NoSuchTasks(_)) => false,
            Err(error) => return Err(error.into()),
        };
        let outputs = self.shared.outputs.clone();
        let has_hooks = Arc::new(AtomicBool::new(false));
        let found_hooks = Arc::clone(&has_hooks);
        let tasks = move || -> Tasks {
            if !is_there {
                return Box::new(std::iter::empty());
            }
            let file = match outputs.tasks(upload) {
                Ok(file) => file,
                Err(error) => return Box::new(std::iter::once(Err(std::io::Error::other(error)))),
            };
            let (is_kept_out, limits, found_hooks) =
                (Arc::clone(&is_kept_out), limits.clone(), Arc::clone(&found_hooks));
            Box::new(read(file).map(move |task| {
                let mut task = task?;
                task.env.0.retain(|(name, _)| !is_kept_out(name));
                task.spec.umask = umask;
                task.spec.limits.clone_from(&limits);
                found_hooks.fetch_or(!task.spec.hooks.is_empty(), Ordering::Relaxed);
                Ok(task)
            }))
        };
        let trusted = self.shared.trusted.read().await;
        let now = (self.shared.world.now)();
        let many = AddMany { uuid, env, parent, tasks: Arc::new(tasks), by, now, untrusted: !*trusted };
        let added = self.shared.store.add_many(many).await.map_err(|error| match error {
            // So that it is told as if it were the only one.
            store::Error::Line { line, source } => Error::Line { line, source: Box::new(Error::Store(*source)) },
            error => error.into(),
        })?;
        crash_point("apexd.add.committed");
        drop(trusted);
        if added.runs.is_empty() && !is_there {
            return Err(output::Error::NoSuchTasks(upload).into());
        }
        self.follow_tasks(has_hooks.load(Ordering::Relaxed));
        self.clock_changed();
        self.shared.wake.notify_one();
        Ok(added)
    }
}
