//! Changing what a task is to do.

use rusqlite::{OptionalExtension, params};

use crate::domain::dependency::{Edge, Want, standing, wants};
use crate::domain::edit::NotEdited;
use crate::domain::id::TaskId;
use crate::domain::task::{Task, TaskSpec};
use crate::store::Error;
use crate::store::sqlite::read::{self, Stored};
use crate::store::sqlite::verb::{Part, StoredEdge, Undone};
use crate::store::sqlite::write;
use crate::store::task::EditTask;
use crate::store::transition;

impl Part<'_> {
    pub(in crate::store::sqlite) fn edit(&mut self, wish: &EditTask) -> Result<Result<Task, NotEdited>, Undone> {
        let (edit, id) = (&wish.edit, wish.edit.id);
        let Some(Stored { mut task, cancel_reason }) = read::task(self.db, id)? else {
            return Ok(Err(NotEdited::NotFound));
        };
        if let Err(refused) = edit.check(&task) {
            return Ok(Err(refused));
        }
        if edit.is_empty() {
            return Ok(Ok(task));
        }
        let spec = &edit.spec;
        if let Some(key) = spec.key.as_ref().filter(|key| task.spec.key.as_ref() != Some(key))
            && let Some(other) = self.of_key(key)?
        {
            return Ok(Err(NotEdited::KeyTaken(other)));
        }
        if spec.queue != task.spec.queue {
            let queue = self.queue_of(&spec.queue)?;
            self.put_into(id, queue, task.state.as_str())?;
        }
        let waits_for = |spec: &TaskSpec| (spec.after.clone(), spec.after_any.clone());
        let standing = if waits_for(spec) == waits_for(&task.spec) {
            self.standing(id)?
        } else {
            let edges = self.edges_of(id, spec)?;
            self.db.prepare_cached("DELETE FROM dependency WHERE task = ?1")?.execute([id.as_i64()])?;
            write::edges(self.db, id, &edges)?;
            standing(edges.iter().map(|(_, on, edge)| (*on, *edge)))
        };
        let mut env_names = task.env_names.clone();
        if !edit.set_env.0.is_empty() || !edit.unset_env.is_empty() {
            let env = read::environment(self.db, id)?.ok_or_else(|| self.damaged("table `environment`"))?;
            let env = edit.environment(&env);
            env_names = env.names().into();
            let new = write::environment(self.db, &env)?;
            self.give_environment(id, new)?;
        }
        let note = transition::edited(&mut task, edit, env_names, standing, wish.by.clone(), wish.now);
        self.follow_hooks_of(&task.spec)?;
        write::spec(self.db, &task)?;
        self.db.prepare_cached("DELETE FROM label WHERE task = ?1")?.execute([id.as_i64()])?;
        write::labels(self.db, &task)?;
        self.put(&task, cancel_reason.as_deref(), note)?;
        self.tell_again(standing)?;
        self.settle(wish.now)?;
        // It is skipped if it waits for what will not come about any more.
        let whole = read::whole_task(self.db, id)?.ok_or_else(|| self.damaged("table `task`"))?;
        Ok(Ok(whole))
    }

    /// Puts a task into another queue, and counts it there: the triggers count changes of the state.
    fn put_into(&self, id: TaskId, queue: i64, state: &str) -> rusqlite::Result<()> {
        let out = "UPDATE counter SET n = n - 1 WHERE state = ?2 AND queue = (SELECT queue FROM task WHERE id = ?1)";
        self.db.prepare_cached(out)?.execute(params![id.as_i64(), state])?;
        let into = "INSERT INTO counter (queue, state, n) VALUES (?1, ?2, 1)
            ON CONFLICT (queue, state) DO UPDATE SET n = n + 1";
        self.db.prepare_cached(into)?.execute(params![queue, state])?;
        let sql = "UPDATE task SET queue = ?2 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![id.as_i64(), queue])?;
        Ok(())
    }

    /// Gives a task another environment, and forgets the one it had if nothing has it any more.
    fn give_environment(&mut self, id: TaskId, new: i64) -> rusqlite::Result<()> {
        let sql = "SELECT environment FROM task WHERE id = ?1";
        let old: i64 = self.db.prepare_cached(sql)?.query_row([id.as_i64()], |row| row.get(0))?;
        let sql = "UPDATE task SET environment = ?2 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![id.as_i64(), new])?;
        self.forget_environment(old)
    }

    /// Returns what a task depends on from now on, and how that stands. One that is forgotten stands as it did.
    fn edges_of(&self, id: TaskId, spec: &TaskSpec) -> Result<Vec<StoredEdge>, Undone> {
        let known = "SELECT edge FROM dependency WHERE task = ?1 AND kind = ?2 AND on_task = ?3";
        let mut edges = Vec::new();
        for (want, on) in wants(spec) {
            let edge = match read::state(self.db, on)? {
                Some(state) => want.of(state),
                None => self.known_edge(known, id, want, on)?.ok_or(Error::NoSuchTask(on))?,
            };
            edges.push((want, on, edge));
        }
        Ok(edges)
    }

    fn known_edge(&self, sql: &str, id: TaskId, want: Want, on: TaskId) -> rusqlite::Result<Option<Edge>> {
        let known = params![id.as_i64(), want.as_str(), on.as_i64()];
        let word: Option<String> = self.db.prepare_cached(sql)?.query_row(known, |row| row.get(0)).optional()?;
        Ok(word.and_then(|word| Edge::from_word(&word)))
    }
}
