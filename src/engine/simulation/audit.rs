//! What must hold whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use nix::libc;

use super::apexd::ready;
use super::lenders::Lenders;
use super::machine::{Machine, Process, now};
use crate::domain::attempt::{Attempt, Leftovers};
use crate::domain::change::{Actor, Change, ChangeKind};
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::identity::GuardianId;
use crate::domain::outcome::{ExitStatus, ReasonCode};
use crate::domain::query::TaskFilter;
use crate::domain::resource::Grant;
use crate::domain::task::{State, Task};
use crate::domain::time::{Moment, Timestamp};
use crate::engine::Settings;
use crate::link::Order;
use crate::store::memory::Memory;
use crate::store::{ChangeStore, QueueStore, ScheduleStore, TaskStore};

/// What was found to be wrong, if anything.
pub(super) type Verdict = Result<(), String>;

macro_rules! hold {
    ($holds:expr, $($what:tt)+) => {
        if !$holds { return Err(format!($($what)+)); }
    };
}

/// Watches the history and the processes.
pub(super) struct Audit {
    settings: Settings,
    lenders: Lenders,
    seen: Seq,
    states: BTreeMap<TaskId, State>,
    /// The claims that have not ended, and whose they are.
    open: BTreeMap<AssignmentId, TaskId>,
    claims: BTreeMap<(TaskId, u32), AssignmentId>,
    given_back: BTreeSet<AssignmentId>,
    /// Tasks that were cancelled while they waited.
    cancelled: BTreeSet<TaskId>,
    /// The latest time that the wall clock has shown.
    latest: Timestamp,
    /// This guardian has heard that the daemon drains.
    drains: Option<GuardianId>,
    /// How often somebody asked for a drain.
    stops: u32,
    /// The last time for which each schedule fired, by its name and when it was added.
    fired: BTreeMap<(String, Timestamp), Timestamp>,
    /// Those that have added tasks just now.
    firing: BTreeSet<String>,
    /// How many tasks schedules have added.
    pub(super) fires: u64,
    /// What was seen, for the counts.
    pub(super) ends: BTreeMap<State, u64>,
}

impl Audit {
    pub(super) fn new(settings: Settings, lenders: Lenders) -> Self {
        Self {
            settings,
            lenders,
            seen: Seq(0),
            states: BTreeMap::new(),
            open: BTreeMap::new(),
            claims: BTreeMap::new(),
            given_back: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            latest: Timestamp(0),
            drains: None,
            stops: 0,
            fired: BTreeMap::new(),
            firing: BTreeSet::new(),
            fires: 0,
            ends: BTreeMap::new(),
        }
    }

    /// Somebody asks for a drain; from the second time on nobody waits.
    pub(super) fn asked_to_stop(&mut self) {
        self.stops += 1;
    }

    /// Notes how late it is by the wall clock, which may be set back.
    pub(super) fn look_at_clock(&mut self) {
        self.latest = self.latest.max(now().wall);
    }

    /// Reads on in the history and holds it against what really happened.
    pub(super) fn read_history(&mut self, store: &Memory, machine: &Machine) -> Verdict {
        self.look_at_clock();
        if *store.watch().borrow() == self.seen {
            return Ok(());
        }
        let changes = ready(store.changes(self.seen, usize::MAX)).unwrap();
        let mut claimed = false;
        for change in &changes {
            hold!(change.seq.0 == self.seen.0 + 1, "change {:?} follows {:?}", change.seq, self.seen);
            self.seen = change.seq;
            claimed |= change.kind == ChangeKind::Claimed;
            if change.kind == ChangeKind::ScheduleAdded {
                self.fired.retain(|(name, _), _| Some(name) != change.schedule.as_ref());
            }
            if let Some(id) = change.task {
                self.follow(id, change, store, machine)?;
            }
        }
        self.check_schedules(store)?;
        if claimed { self.count(store) } else { Ok(()) }
    }

    fn follow(&mut self, id: TaskId, change: &Change, store: &Memory, machine: &Machine) -> Verdict {
        use ChangeKind as Kind;
        let before = self.states.get(&id).copied();
        hold!(before == change.from, "task {id} was {before:?}, and {change:?}");
        if let (Some(from), Some(to)) = (change.from, change.to) {
            let stays = matches!(change.kind, Kind::CancelRequested | Kind::Held | Kind::Hashed) && from == to;
            hold!(stays || from.may_become(to), "no way from {from:?} to {to:?}: {change:?}");
        }
        match change.to {
            Some(to) => drop(self.states.insert(id, to)),
            None => drop(self.states.remove(&id)),
        }
        match change.kind {
            Kind::Claimed => {
                hold!(!self.cancelled.contains(&id), "task {id} was cancelled and is claimed");
                let task = task(store, id)?;
                let attempt = task.attempts.last().ok_or_else(|| format!("a claim without an attempt: {change:?}"))?;
                hold!(self.open.insert(attempt.assignment, id).is_none(), "claim {} is used twice", attempt.assignment);
                self.claims.insert((id, attempt.number), attempt.assignment);
            }
            Kind::Unclaimed => {
                if let Some(claim) = self.claims.remove(&(id, change.attempt.unwrap_or(0))) {
                    self.open.remove(&claim);
                    self.given_back.insert(claim);
                    hold!(!machine.processes.contains_key(&claim), "task {id} was given back and had a process");
                }
            }
            Kind::Ended => {
                let task = task(store, id)?;
                let attempt = task.attempts.iter().find(|attempt| Some(attempt.number) == change.attempt);
                let attempt = attempt.ok_or_else(|| format!("an end without an attempt: {change:?}"))?;
                self.open.remove(&attempt.assignment);
                *self.ends.entry(attempt.state).or_default() += 1;
                self.check_end(&task, attempt, machine.processes.get(&attempt.assignment), machine)?;
            }
            Kind::Added => {
                if let Actor::Schedule(name) = &change.by {
                    self.fires += 1;
                    self.firing.insert(name.clone());
                    hold!(task(store, id)?.schedule.as_ref() == Some(name), "task {id} is not of schedule {name}");
                }
            }
            Kind::Due => {
                let run_at = task(store, id)?.spec.run_at;
                hold!(run_at.is_none_or(|at| at <= self.latest), "task {id} is ready before its time");
            }
            Kind::Cancelled => drop(self.cancelled.insert(id)),
            Kind::Retried => drop(self.cancelled.remove(&id)),
            _ => {}
        }
        Ok(())
    }

    /// No time fires twice, and none before it has come.
    fn check_schedules(&mut self, store: &Memory) -> Verdict {
        let firing = std::mem::take(&mut self.firing);
        for schedule in ready(store.schedules()).unwrap() {
            let (name, latest) = (&schedule.name, self.latest);
            let Some(last) = schedule.last_at else { continue };
            hold!(last <= latest, "schedule {name} fired for {last:?}, and it was {latest:?} at most");
            let next = schedule.next_at;
            hold!(next.is_none_or(|next| next > last), "schedule {name} fired for {last:?}, and {next:?} is next");
            let before = self.fired.insert((name.clone(), schedule.created_at), last);
            let is_new = before.is_none_or(|before| before < last);
            hold!(is_new == firing.contains(name), "schedule {name} fired for {last:?} after {before:?}");
        }
        Ok(())
    }

    /// Returns the attempts that run, so that somebody may be inside.
    pub(super) fn running(&self, machine: &Machine) -> Vec<AssignmentId> {
        let runs = |claim: &&AssignmentId| machine.processes.get(claim).is_some_and(Process::is_alive);
        self.open.keys().filter(runs).copied().collect()
    }

    /// Never more than allowed.
    pub(super) fn count(&self, store: &Memory) -> Verdict {
        let states = vec![State::Starting, State::Running, State::Paused];
        let mut active = ready(store.tasks(TaskFilter { states, ..TaskFilter::default() })).unwrap().tasks;
        // What the others have, apart from what those have lent who wait.
        let lent: BTreeSet<TaskId> =
            self.open.iter().filter(|(claim, _)| self.lenders.may_lend(**claim)).map(|(_, id)| *id).collect();
        active.retain(|task| !lent.contains(&task.id));
        let max = self.settings.max_concurrent as usize;
        hold!(active.len() <= max, "{} tasks are active, {max} may be", active.len());
        for queue in ready(store.queues()).unwrap() {
            let slots: Vec<_> = active.iter().filter(|task| task.spec.queue == queue.name).collect();
            let (len, max) = (slots.len(), queue.slots as usize);
            hold!(max == 0 || len <= max, "{len} tasks of queue {} are active, {max} may be", queue.name);
            let distinct: BTreeSet<_> = slots.iter().map(|task| task.slot).collect();
            hold!(distinct.len() == len && !distinct.contains(&None), "slots of {}: {distinct:?}", queue.name);
        }
        let mut held = ready(store.holdings()).unwrap().held;
        held.retain(|(id, ..)| !lent.contains(id));
        let mut pieces = BTreeSet::new();
        for (name, pool) in &self.settings.pools.0 {
            let grants = || held.iter().filter_map(|(id, _, granted)| Some((id, granted.0.get(name)?)));
            let (used, total) = (grants().map(|(_, grant)| grant.number()).sum::<u64>(), pool.total().get());
            hold!(used <= total, "{used} of {name} is granted, and there is {total}");
            for (id, grant) in grants() {
                let Grant::Indices(indices) = grant else { continue };
                hold!(
                    indices.iter().all(|index| pieces.insert(*index)),
                    "task {id} has {grant}, which another one has"
                );
            }
        }
        for task in &active {
            let held = held.iter().find(|(id, ..)| *id == task.id).map(|(.., granted)| granted);
            let granted = |name: &String| held.and_then(|held| held.0.get(name)).map_or(0, Grant::number);
            let is_met = task.spec.needs.0.iter().all(|(name, need)| granted(name) == need.get());
            hold!(is_met, "task {} needs {}, and has {held:?}", task.id, task.spec.needs);
        }
        Ok(())
    }

    /// What is recorded is what happened, and nothing of it is left.
    fn check_end(&self, task: &Task, attempt: &Attempt, process: Option<&Process>, machine: &Machine) -> Verdict {
        let (id, state, exit) = (task.id, attempt.state, attempt.exit);
        let Some(process) = process else {
            let spawn = attempt.reason_code == Some(ReasonCode::Spawn);
            hold!(spawn || state == State::Lost, "task {id} was never started and is {state:?}");
            return Ok(());
        };
        if state == State::Lost {
            let is_held = machine.guardian.as_ref().is_some_and(|guardian| guardian.id == process.guardian);
            hold!(!is_held, "task {id} is lost, and its guardian is there");
            // A guardian that was killed before the start was stored takes with it who the process is.
            hold!(attempt.identity.is_none() || !process.is_alive(), "task {id} is recorded as lost and runs");
            return Ok(());
        }
        hold!(!process.is_alive(), "task {id} is recorded as {state:?} and runs");
        hold!(exit == process.exit, "task {id} ended with {:?}, recorded is {exit:?}", process.exit);
        match state {
            State::Succeeded => hold!(exit == Some(ExitStatus::Code(0)), "task {id} succeeded with {exit:?}"),
            State::Failed => hold!(exit != Some(ExitStatus::Code(0)), "task {id} failed with {exit:?}"),
            State::Cancelled => hold!(task.cancel_requested_at.is_some(), "nobody cancelled task {id}"),
            State::Interrupted => hold!(self.stops > 0, "task {id} was interrupted and nobody drained"),
            State::TimedOut => {
                let limit = task.spec.timeout.ok_or_else(|| format!("task {id} has no time limit"))?;
                // What a guardian writes down at its own end says that it stopped the process, and not when: one that was
                // drained, and took its time, may pass for one that ran too long.
                let told = process.told_last.filter(|_| self.drains.is_none());
                let until = told.or(process.ended).unwrap_or(process.started);
                let ran = process.started.until(until) + process.lag;
                hold!(ran.saturating_sub(process.still) >= limit, "task {id} ran {ran:?} and may {limit:?}");
            }
            _ => {}
        }
        let by_itself = matches!(state, State::Succeeded | State::Failed);
        let may_leave = self.settings.leftovers == Leftovers::Leave && by_itself;
        hold!(may_leave || !process.has_session(), "task {id} is {state:?}, and something of it is left");
        Ok(())
    }

    /// The guardian is about to carry out an order.
    pub(super) fn check_order(&mut self, sent: Moment, order: &Order, store: &Memory, machine: &Machine) -> Verdict {
        let guardian = machine.guardian.as_ref().map(|guardian| guardian.id);
        match order {
            Order::Draining => self.drains = guardian,
            Order::Spawn(spawn) => {
                let claim = spawn.assignment;
                hold!(guardian != self.drains, "a start after the drain was heard of");
                hold!(!machine.processes.contains_key(&claim), "a second start of {claim}");
                let id = self.open.get(&claim).ok_or_else(|| format!("a start of {claim}, which is not current"))?;
                let state = self.states.get(id);
                hold!(state == Some(&State::Starting), "a start of task {id}, which is {state:?}");
                let holding = self.open.keys().filter(|claim| !self.lenders.may_lend(**claim));
                let live = holding.filter_map(|claim| machine.processes.get(claim));
                let live = live.filter(|process| process.is_alive()).count();
                let max = self.settings.max_concurrent as usize;
                hold!(live < max, "{live} processes run, {max} may");
            }
            Order::Forget { assignment } => {
                // What was never started may be forgotten before it is given back.
                let is_open = self.open.get(assignment).filter(|_| machine.processes.contains_key(assignment));
                hold!(is_open.is_none(), "task {is_open:?} is reaped before its end is stored");
            }
            Order::Signal { assignment, signal: libc::SIGKILL, .. } if self.stops < 2 => {
                // Nobody reaches a process whose guardian is gone.
                let reached = |process: &&Process| Some(process.guardian) == guardian;
                let Some(process) = machine.processes.get(assignment).filter(reached) else { return Ok(()) };
                let Some(id) = self.open.get(assignment) else { return Ok(()) };
                let grace = task(store, *id)?.spec.kill_grace.unwrap_or(self.settings.kill_grace);
                let told = process.told.ok_or_else(|| format!("task {id} is killed without having been asked"))?;
                hold!(sent >= told + grace, "task {id} is killed after {:?} of {grace:?}", told.until(sent));
            }
            _ => {}
        }
        Ok(())
    }
}

fn task(store: &Memory, id: TaskId) -> Result<Task, String> {
    ready(store.task(id)).unwrap().ok_or_else(|| format!("task {id} is gone"))
}
