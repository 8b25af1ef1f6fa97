//! Moving a task to another place among those of its queue and priority.

use rusqlite::{OptionalExtension, params};

use crate::domain::id::TaskId;
use crate::domain::place::{self, NotMoved, Place};
use crate::domain::queue::POSITION_STEP;
use crate::domain::task::{State, Task};
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::read::{self, Stored};
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::task::Move;
use crate::store::transition;

/// Those that share a line: queue and priority.
type Line = (i64, i32);

impl Part<'_> {
    pub(in crate::store::sqlite) fn move_task(&mut self, wish: &Move) -> Result<Result<Task, NotMoved>, Undone> {
        let Some(Stored { mut task, cancel_reason }) = read::task(self.db, wish.id)? else {
            return Ok(Err(NotMoved::NotFound(wish.id)));
        };
        let before = match wish.to {
            Place::Top => None,
            Place::Before(id) => match read::task(self.db, id)? {
                Some(stored) => Some(stored.task),
                None => return Ok(Err(NotMoved::NotFound(id))),
            },
        };
        if let Err(refused) = transition::may_move(&task, before.as_ref()) {
            return Ok(Err(refused));
        }
        let sql = "SELECT queue FROM task WHERE id = ?1";
        let queue: i64 = self.db.prepare_cached(sql)?.query_row([task.id.as_i64()], |row| row.get(0))?;
        let line = (queue, task.spec.priority);
        let position = match &before {
            Some(before) => self.place_before(line, before.id, before.position, task.id)?,
            None => match self.first(line, task.id)? {
                Some((first, at)) if at < task.position => self.place_before(line, first, at, task.id)?,
                // It is there already, or alone.
                _ => return Ok(Ok(task)),
            },
        };
        let note = transition::moved(&mut task, position, wish);
        self.set_position(task.id, position)?;
        self.put(&task, cancel_reason.as_deref(), note)?;
        Ok(Ok(task))
    }

    fn set_position(&self, id: TaskId, position: i64) -> rusqlite::Result<()> {
        let sql = "UPDATE task SET position = ?2 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![id.as_i64(), position])?;
        Ok(())
    }

    /// Returns a place before `at`, where the task `before` stands, and after whatever else of the line is before it.
    fn place_before(&mut self, line: Line, before: TaskId, at: i64, mover: TaskId) -> Result<i64, Undone> {
        let floor = place::floor(at);
        let last = self
            .db
            .prepare_cached(LAST)?
            .query_row(params![line.0, line.1, floor, at, mover.as_i64()], |row| row.get(0));
        let last: Option<i64> = last.optional()?;
        if let Some(position) = place::between(last.unwrap_or(floor), at) {
            return Ok(position);
        }
        let mut moved = self.db.prepare_cached(MOVED)?;
        let moved = moved
            .query_map(params![line.0, line.1, floor, floor.saturating_add(POSITION_STEP), mover.as_i64()], |row| {
                Columns::new(row).cell()
            })?;
        let mut order: Vec<TaskId> = moved.collect::<Result<_, _>>()?;
        let own = order.iter().position(|id| *id == before).unwrap_or(order.len());
        order.insert(own, mover);
        let mut position = at;
        for (id, place) in order.iter().zip(place::spread(floor, order.len())) {
            if *id == mover {
                position = place;
            } else {
                self.set_position(*id, place)?;
            }
        }
        Ok(position)
    }

    /// Returns the first other task of a line, as far as an index tells: in front of it there is none that waits. One that is not
    /// ready counts with the place of its number, whatever its priority.
    fn first(&self, line: Line, mover: TaskId) -> Result<Option<(TaskId, i64)>, Undone> {
        let mut found: Vec<(i64, TaskId)> = Vec::new();
        for sql in [FIRST_READY, FIRST_READY_NEEDY, FIRST_MOVED] {
            let first = self.db.prepare_cached(sql)?.query_row(params![line.0, line.1, mover.as_i64()], |row| {
                let mut c = Columns::new(row);
                Ok((c.plain()?, c.cell()?))
            });
            found.extend(first.optional()?);
        }
        for state in State::ALL.into_iter().filter(|state| state.is_waiting()) {
            let first = self
                .db
                .prepare_cached(FIRST_OF_STATE)?
                .query_row(params![line.0, state.as_str(), mover.as_i64()], |row| Columns::new(row).maybe())?;
            found.extend(first.map(|id: TaskId| (place::of_number(id), id)));
        }
        Ok(found.into_iter().min().map(|(at, id)| (id, at)))
    }
}

/// The last task of a line that was moved to between two places.
pub(in crate::store::sqlite) const LAST: &str = "SELECT position FROM task INDEXED BY task_moved
    WHERE position <> id * 1048576 AND ended_at IS NULL AND queue = ?1 AND priority = ?2 AND position > ?3
    AND position < ?4 AND id <> ?5 ORDER BY position DESC LIMIT 1";

/// All of them, in their order.
const MOVED: &str = "SELECT id FROM task INDEXED BY task_moved
    WHERE position <> id * 1048576 AND ended_at IS NULL AND queue = ?1 AND priority = ?2 AND position > ?3
    AND position < ?4 AND id <> ?5 ORDER BY position, id";

const FIRST_READY: &str = "SELECT position, id FROM task INDEXED BY task_ready
    WHERE state = 'queued' AND needs = '' AND queue = ?1 AND priority = ?2 AND id <> ?3 ORDER BY position, id LIMIT 1";

const FIRST_READY_NEEDY: &str = "SELECT position, id FROM task INDEXED BY task_ready_needy
    WHERE state = 'queued' AND needs > '' AND queue = ?1 AND priority = ?2 AND id <> ?3 ORDER BY position, id LIMIT 1";

const FIRST_MOVED: &str = "SELECT position, id FROM task INDEXED BY task_moved
    WHERE position <> id * 1048576 AND ended_at IS NULL AND queue = ?1 AND priority = ?2 AND id <> ?3
    ORDER BY position, id LIMIT 1";

const FIRST_OF_STATE: &str = "SELECT min(id) FROM task WHERE queue = ?1 AND state = ?2 AND id <> ?3";
