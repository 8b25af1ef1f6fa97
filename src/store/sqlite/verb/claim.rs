//! Taking tasks that are ready: which of them is decided in [`crate::domain::dispatch`], and here is read what that goes by.
//!
//! Tasks that need nothing are read off one index, those of each queue that has room. What needs resources is read only
//! where there are any: then one step on an index for each queue and sort of needs that is waited for.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{OptionalExtension, params};

use crate::domain::dispatch::{Lane, Line, Rank, Room, Runner, choose, reserves_at};
use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::queue::{free_in_queue, lowest_free_slot};
use crate::domain::resource::{Free, Granted, Needs, Pools};
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::fault::crash_point;
use crate::store::sqlite::code::Columns;
use crate::store::sqlite::read::{self, Held, Stored};
use crate::store::sqlite::verb::{Part, Undone};
use crate::store::sqlite::write;
use crate::store::task::{Claim, Claimed};
use crate::store::transition;

/// A queue of which tasks may start.
struct Open {
    queue: i64,
    lane: Lane,
}

impl Part<'_> {
    pub(in crate::store::sqlite) fn claim(&mut self, claim: &Claim) -> Result<Vec<Claimed>, Undone> {
        let mut assignments = claim.assignments.as_slice();
        for attempt in &claim.after {
            if self.db.prepare_cached(OPEN)?.exists([attempt.0.as_bytes()])? {
                assignments = assignments.split_last().map_or(&[], |(_, rest)| rest);
            }
        }
        let lending = self.lending(&claim.terms.lent)?;
        let open = self.open_queues(&claim.shut, &lending)?;
        let most = assignments.len();
        let mut lines = self.ready(&open, most)?;
        let (mut free, mut runners, mut short) = (Free::default(), Vec::new(), BTreeMap::new());
        let terms = &claim.terms;
        if !terms.pools.is_empty() {
            short = self.waiting_for_resources(claim.now)?;
            let held = self.held(&terms.pools)?;
            let held = held.iter().filter(|(attempt, _)| !terms.lent.contains(attempt));
            free = Free::of(&terms.pools, held.map(|(_, granted)| granted));
            let reserves = |since: &Timestamp| reserves_at(*since, terms.reserve_after) <= claim.now;
            let reserving: Vec<TaskId> = short.iter().filter(|(_, since)| reserves(since)).map(|(id, _)| *id).collect();
            lines.extend(self.needy(&open, most, claim, &free, &reserving)?);
            if !reserving.is_empty() {
                runners = self.runners(&open, &terms.lent)?;
            }
        }
        let choice = choose(
            Room {
                slots: terms.slots as usize,
                free_slots: most,
                lanes: open.iter().map(|open| open.lane).collect(),
                pools: &terms.pools,
                free,
                short: &short,
                reserve_after: terms.reserve_after,
                runners,
                now: claim.now,
            },
            &lines,
        );
        for id in choice.short {
            let sql =
                "INSERT OR REPLACE INTO short (task, since, seen) SELECT id, ?2, updated_at FROM task WHERE id = ?1";
            self.db.prepare_cached(sql)?.execute(params![id.as_i64(), claim.now.0])?;
        }
        let (mut claimed, mut held) = (Vec::new(), false);
        let mut taken: HashMap<i64, Vec<u32>> = HashMap::new();
        for ((line, id, granted), assignment) in choice.taken.into_iter().zip(assignments) {
            let queue = open[lines[line].lane].queue;
            let slots = match taken.entry(queue) {
                Entry::Occupied(slots) => slots.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.slots(queue, &lending)?),
            };
            let Some(stored) = self.task_or_hold(id, State::Queued, claim.now)? else {
                held = true;
                continue;
            };
            if short.contains_key(&id) {
                self.db.prepare_cached("DELETE FROM short WHERE task = ?1")?.execute([id.as_i64()])?;
            }
            let Stored { mut task, cancel_reason } = stored;
            let env = read::environment(self.db, id)?.ok_or_else(|| self.damaged("table `environment`"))?;
            let slot = lowest_free_slot(slots);
            let (attempt, note) = transition::claim(&mut task, claim, *assignment, slot, granted);
            slots.push(attempt.slot);
            write::task(self.db, &task, cancel_reason.as_deref())?;
            write::new_attempt(self.db, id, &attempt, claim.boot)?;
            self.note(note)?;
            claimed.push(Claimed { task, attempt, env });
            crash_point("apexd.claim.written");
        }
        // What it stood in front of has its turn now.
        if held && claimed.is_empty() { self.claim(claim) } else { Ok(claimed) }
    }

    /// Returns the queues that are neither paused nor shut.
    fn open_queues(&self, shut: &[String], lending: &HashSet<TaskId>) -> Result<Vec<Open>, Undone> {
        let sql = "SELECT id, slots, weight FROM queue WHERE gone = 0 AND paused_at IS NULL";
        let mut open = self.db.prepare_cached(sql)?;
        let open = open.query_map([], |row| {
            let mut c = Columns::new(row);
            let queue = c.plain()?;
            Ok(Open { queue, lane: Lane { slots: c.plain()?, active: 0, weight: c.plain()? } })
        })?;
        let mut open: Vec<Open> = open.collect::<Result<_, _>>()?;
        for name in shut {
            let shut = self.queue_id(name)?;
            open.retain(|open| Some(open.queue) != shut);
        }
        let takes_turns = open.iter().any(|open| open.lane.weight.is_some());
        for Open { queue, lane } in &mut open {
            if takes_turns || lane.slots > 0 {
                lane.active = self.slots(*queue, lending)?.len();
            }
        }
        Ok(open)
    }

    /// Returns the first tasks of each queue that need nothing, as many as could be started.
    fn ready(&self, open: &[Open], most: usize) -> Result<Vec<Line>, Undone> {
        let mut lines = Vec::with_capacity(open.len());
        for (lane, Open { queue, lane: of }) in open.iter().enumerate() {
            let most = free_in_queue(of.slots, of.active).min(most);
            let mut first = self.db.prepare_cached(READY)?;
            let first = first.query_map(params![queue, i64::try_from(most).unwrap_or(i64::MAX)], rank)?;
            let tasks: Vec<Rank> = first.collect::<Result<_, _>>()?;
            if !tasks.is_empty() {
                lines.push(Line { lane, needs: Needs::default(), tasks });
            }
        }
        Ok(lines)
    }

    /// Returns the first tasks of each queue that need resources, those that need the same together.
    fn needy(
        &self,
        open: &[Open],
        most: usize,
        claim: &Claim,
        free: &Free,
        reserving: &[TaskId],
    ) -> Result<Vec<Line>, Undone> {
        let mut reserved: HashMap<(i64, String), Vec<Rank>> = HashMap::new();
        for id in reserving {
            let mut task =
                self.db.prepare_cached("SELECT priority, position, id, queue, needs FROM task WHERE id = ?1")?;
            let (rank, line) = task.query_row([id.as_i64()], |row| Ok((rank(row)?, (row.get(3)?, row.get(4)?))))?;
            reserved.entry(line).or_default().push(rank);
        }
        let mut lines = Vec::new();
        let (mut next, mut first) = (self.db.prepare_cached(NEXT_NEEDS)?, self.db.prepare_cached(NEEDY)?);
        for (lane, Open { queue, lane: Lane { slots, active, .. } }) in open.iter().enumerate() {
            let mut last = String::new();
            while most > 0
                && let Some(text) = next.query_row(params![queue, last], |row| row.get::<_, String>(0)).optional()?
            {
                last.clone_from(&text);
                // One that cannot be understood is told by whoever reads the task.
                let Some(needs) = Needs::parse(&text) else { continue };
                if claim.terms.pools.check(&needs).is_err() {
                    continue;
                }
                // Where there is not enough for one, or no room, only the first matters, which may begin to wait.
                let most = if free.fits(&needs) { free_in_queue(*slots, *active).clamp(1, most) } else { 1 };
                let tasks = first.query_map(params![queue, text, i64::try_from(most).unwrap_or(i64::MAX)], rank)?;
                let mut tasks: Vec<Rank> = tasks.collect::<Result<_, _>>()?;
                if let Some(reserved) = reserved.remove(&(*queue, text)) {
                    tasks.extend(reserved);
                    tasks.sort_unstable();
                    tasks.dedup();
                }
                lines.push(Line { lane, needs, tasks });
            }
        }
        Ok(lines)
    }

    /// Returns what attempts hold that have not ended. Where that cannot be read it is written anew, as what the task may hold at most,
    /// and the log says so: one row that is damaged must not keep all others from starting, and nothing is to be granted twice.
    fn held(&self, pools: &Pools) -> Result<Vec<(AssignmentId, Granted)>, Undone> {
        let mut held = Vec::new();
        for Held { row, task, assignment, granted } in read::held(self.db)? {
            let granted = match granted {
                Some(granted) => granted,
                None => {
                    let sql = "SELECT needs FROM task WHERE id = ?1";
                    let needs = self.db.prepare_cached(sql)?.query_row([task.as_i64()], |row| row.get::<_, String>(0));
                    let needs = needs.ok().and_then(|needs| Needs::parse(&needs)).unwrap_or_default();
                    let granted = Granted::at_most(&needs, pools);
                    let sql = "UPDATE attempt SET granted = ?2 WHERE id = ?1";
                    let text = (!granted.is_empty()).then(|| granted.to_string());
                    self.db.prepare_cached(sql)?.execute(params![row, text])?;
                    tracing::error!(
                        "What task {task} was granted of resources cannot be read; until it ends it counts as holding {}",
                        text.as_deref().unwrap_or("nothing")
                    );
                    granted
                }
            };
            held.push((assignment, granted));
        }
        Ok(held)
    }

    /// Returns since when tasks wait for a resource, and forgets those that do not any more.
    fn waiting_for_resources(&self, now: Timestamp) -> Result<BTreeMap<TaskId, Timestamp>, Undone> {
        let (mut short, stale) = read::short(self.db)?;
        for id in stale {
            self.db.prepare_cached("DELETE FROM short WHERE task = ?1")?.execute([id.as_i64()])?;
        }
        // Since a time to come: the clock was set back.
        for (id, since) in short.iter_mut().filter(|(_, since)| **since > now) {
            *since = now;
            let sql = "UPDATE short SET since = ?2 WHERE task = ?1";
            self.db.prepare_cached(sql)?.execute(params![id.as_i64(), now.0])?;
        }
        Ok(short)
    }

    /// Returns the tasks that hold a slot and do not lend it.
    fn runners(&self, open: &[Open], lent: &HashSet<AssignmentId>) -> Result<Vec<Runner>, Undone> {
        let mut running = self.db.prepare_cached(RUNNERS)?;
        let mut rows = running.query([])?;
        let mut runners = Vec::new();
        while let Some(row) = rows.next()? {
            let rank = rank(row)?;
            let (assignment, claimed_at, queue): (uuid::Uuid, Timestamp, i64) = {
                let mut c = Columns::after(row, 3);
                (c.cell()?, c.cell()?, c.plain()?)
            };
            let granted = Columns::after(row, 6).maybe::<Granted>()?.unwrap_or_default();
            if lent.contains(&AssignmentId(assignment)) {
                continue;
            }
            let lane = open.iter().position(|open| open.queue == queue);
            runners.push(Runner { rank, lane, claimed_at, granted });
        }
        Ok(runners)
    }

    /// Returns the tasks that lend what they hold.
    fn lending(&self, lent: &HashSet<AssignmentId>) -> Result<HashSet<TaskId>, Undone> {
        let mut tasks = HashSet::new();
        for assignment in lent {
            let mut task = self.db.prepare_cached("SELECT task FROM attempt WHERE assignment = ?1")?;
            let task =
                task.query_row([assignment.0.as_bytes()], |row| Columns::new(row).cell::<TaskId>()).optional()?;
            tasks.extend(task);
        }
        Ok(tasks)
    }

    /// Returns the slots that are taken in a queue.
    fn slots(&self, queue: i64, lending: &HashSet<TaskId>) -> rusqlite::Result<Vec<u32>> {
        let mut taken = self.db.prepare_cached(SLOTS)?;
        let taken = taken.query_map([queue], |row| {
            let mut c = Columns::new(row);
            Ok((c.plain()?, c.cell()?))
        })?;
        let is_held = |taken: &rusqlite::Result<(u32, TaskId)>| !matches!(taken, Ok((_, id)) if lending.contains(id));
        taken.filter(is_held).map(|taken| Ok(taken?.0)).collect()
    }
}

fn rank(row: &rusqlite::Row<'_>) -> rusqlite::Result<Rank> {
    let mut c = Columns::new(row);
    Ok(Rank { priority: Reverse(c.plain()?), position: c.plain()?, id: c.cell()? })
}

/// The first tasks that are ready in a queue and need nothing: read off the partial index, in its order.
pub(in crate::store::sqlite) const READY: &str =
    "SELECT priority, position, id FROM task WHERE queue = ?1 AND state = 'queued' AND needs = ''
    ORDER BY priority DESC, position, id LIMIT ?2";

/// The needs that come after others, of which there are tasks in a queue. Not by both at once, `(queue, needs) > (?1, ?2)`: of a
/// comparison of rows SQLite begins at the row itself, and would go through all that need the same. So it would with the condition
/// of the index first, which it then begins at.
pub(in crate::store::sqlite) const NEXT_NEEDS: &str = "SELECT needs FROM task INDEXED BY task_needs
    WHERE queue = ?1 AND needs > ?2 AND state = 'queued' AND needs > '' ORDER BY needs LIMIT 1";

/// The first tasks that are ready in a queue and need just this.
pub(in crate::store::sqlite) const NEEDY: &str = "SELECT priority, position, id FROM task INDEXED BY task_needs
    WHERE state = 'queued' AND needs > '' AND queue = ?1 AND needs = ?2
    ORDER BY priority DESC, position, id LIMIT ?3";

/// Whether an attempt has not ended.
const OPEN: &str = "SELECT 1 FROM attempt WHERE assignment = ?1 AND ended_at IS NULL";

/// The tasks that hold a slot.
const RUNNERS: &str = "SELECT t.priority, t.position, t.id, a.assignment, a.claimed_at, t.queue, a.granted
    FROM attempt a JOIN task t ON t.id = a.task WHERE a.ended_at IS NULL";

/// The slots that are taken in a queue, and by which tasks.
pub(in crate::store::sqlite) const SLOTS: &str = "SELECT slot, id FROM task INDEXED BY task_active
    WHERE queue = ?1 AND (state = 'starting' OR state = 'running' OR state = 'paused')";
