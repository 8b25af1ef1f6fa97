//! Lending: a task that waits for another one gives its slot and its resources to others meanwhile, so that nested work
//! never locks itself up.
//!
//! Whoever waits inside a task says so with the wait (`waiter`, the id of the attempt, which every task has in its
//! environment). As long as at least one such wait of an attempt goes on, what the attempt holds does not count: neither
//! its slot, with its number, nor what it was granted. When the last one is over, the answer is held back until the very
//! same is free again; meanwhile nothing else is started that needs it, so whoever comes back is ahead of everybody.
//!
//! Nobody waits in a circle: who waits holds nothing, and who holds something runs, and comes to an end. A wait whose client
//! goes away without an answer (it was killed, or had a time limit) is over at once: the attempt counts again as it goes on,
//! and for a while more may be held than there is. So it is after a crash of apexd, which forgets who lends, until the
//! clients have come back and asked again: what is taken back is never taken from anybody who has it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::queue::free_slots;
use crate::domain::resource::{Free, Granted};
use crate::engine::Handle;
use crate::engine::core::{Answer, Core, Ticket};
use crate::engine::handle::Command;

/// Stands for one wait inside a task. Dropped, it is over without an answer.
pub struct Lending {
    handle: Option<Handle>,
    wait: u64,
}

impl fmt::Debug for Lending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lending").field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl Handle {
    /// Says that somebody waits inside an attempt: until the wait is over its slot and its resources are lent. Fine for an
    /// attempt that does not run, which lends nothing.
    pub async fn lend(&self, attempt: AssignmentId) -> Lending {
        let wait = self.shared.waits.fetch_add(1, Ordering::Relaxed);
        // One that has ended lends nothing, and nobody has to know.
        let sent = self.send(Command::Lend { attempt, wait }).await;
        Lending { handle: sent.is_ok().then(|| self.clone()), wait }
    }
}

impl Lending {
    /// Resolves when the attempt has again what it lent, and the wait may be answered; at once if others inside it wait still.
    pub async fn take_back(mut self) {
        let Some(handle) = self.handle.clone() else { return };
        let (reply, done) = oneshot::channel();
        if handle.send(Command::TakeBack { wait: self.wait, reply }).await.is_ok() {
            // Nobody is there to answer any more when the engine has ended.
            let _ = done.await;
        }
        self.handle = None;
    }
}

impl Drop for Lending {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        let over = Command::WaitIsOver { wait: self.wait };
        if let Err(TrySendError::Full(over)) = handle.commands.try_send(over)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // What has no room now comes as soon as there is some.
            runtime.spawn(async move { drop(handle.send(over).await) });
        }
    }
}

/// The waits inside attempts that are under way.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waits: BTreeMap<u64, (AssignmentId, Standing)>,
    /// Attempts that lend, as claims are told.
    lent: Arc<HashSet<AssignmentId>>,
}

/// How a wait stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It goes on.
    Waits,
    /// It is over, and its answer is held back until the attempt has what it lent.
    TakesBack(Ticket),
}

/// What an attempt holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holding<'a> {
    pub(super) queue: &'a str,
    pub(super) slot: u32,
    pub(super) granted: &'a Granted,
}

impl Waits {
    fn is_lending(&self, attempt: AssignmentId) -> bool {
        self.waits.values().any(|wait| *wait == (attempt, Standing::Waits))
    }

    /// Returns who takes back, the one that began to wait first first.
    fn taking_back(&self) -> Vec<(u64, AssignmentId, Ticket)> {
        let ticket = |(wait, (attempt, standing)): (&u64, &(AssignmentId, Standing))| match standing {
            Standing::TakesBack(ticket) => Some((*wait, *attempt, *ticket)),
            Standing::Waits => None,
        };
        self.waits.iter().filter_map(ticket).collect()
    }
}

impl Core {
    /// Returns the attempts that lend what they hold, apart from those whose end is being stored.
    pub(super) fn lent(&self) -> Arc<HashSet<AssignmentId>> {
        if self.recording.is_disjoint(&self.waits.lent.iter().copied().collect()) {
            return Arc::clone(&self.waits.lent);
        }
        Arc::new(self.waits.lent.iter().filter(|attempt| !self.recording.contains(attempt)).copied().collect())
    }

    /// Returns the tasks that lend what they hold.
    pub(super) fn lending(&self) -> Vec<TaskId> {
        self.waits.lent.iter().filter_map(|attempt| Some(self.attempts.get(attempt)?.task_id())).collect()
    }

    pub(super) fn lend_asked(&mut self, attempt: AssignmentId, wait: u64) {
        if !self.attempts.contains_key(&attempt) {
            return;
        }
        // Whoever was about to go on does so: the attempt as a whole waits again.
        for (other, of, ticket) in self.waits.taking_back() {
            if of == attempt {
                self.waits.waits.remove(&other);
                self.reply(ticket, Answer::Done);
            }
        }
        self.waits.waits.insert(wait, (attempt, Standing::Waits));
        self.lending_changed();
        // What it lends may be what another one waits to have back.
        self.take_back();
        self.claim();
    }

    pub(super) fn take_back_asked(&mut self, wait: u64, asker: Ticket) {
        let Some((attempt, _)) = self.waits.waits.remove(&wait) else {
            self.reply(asker, Answer::Done);
            return;
        };
        if self.waits.is_lending(attempt) {
            self.reply(asker, Answer::Done);
            return;
        }
        self.waits.waits.insert(wait, (attempt, Standing::TakesBack(asker)));
        self.lending_changed();
        self.take_back();
    }

    /// The client of a wait has gone away: nobody is to be answered.
    pub(super) fn wait_is_over(&mut self, wait: u64) {
        if let Some((_, standing)) = self.waits.waits.remove(&wait) {
            if let Standing::TakesBack(asker) = standing {
                // Else its place among those who are to be answered would be kept for ever.
                self.reply(asker, Answer::Done);
            }
            self.lending_changed();
            self.take_back();
        }
    }

    /// An attempt has ended: it holds nothing any more, and has nothing to be taken back.
    pub(super) fn lends_no_more(&mut self, attempt: AssignmentId) {
        let over: Vec<u64> =
            self.waits.waits.iter().filter(|(_, (of, _))| *of == attempt).map(|(wait, _)| *wait).collect();
        for wait in over {
            if let Some((_, Standing::TakesBack(asker))) = self.waits.waits.remove(&wait) {
                self.reply(asker, Answer::Done);
            }
        }
        self.lending_changed();
        self.take_back();
    }

    fn lending_changed(&mut self) {
        let lending =
            |(attempt, standing): &(AssignmentId, Standing)| (*standing == Standing::Waits).then_some(*attempt);
        let lent: HashSet<AssignmentId> = self.waits.waits.values().filter_map(lending).collect();
        if *self.waits.lent != lent {
            self.waits.lent = Arc::new(lent);
        }
    }

    /// Gives back to those who have come to the end of their waits what they lent, as far as it is free.
    pub(super) fn take_back(&mut self) {
        // What a claim under way brings may be the very same.
        if self.claiming {
            return;
        }
        let takers = self.waits.taking_back();
        if takers.is_empty() {
            return;
        }
        let comes_back: HashSet<AssignmentId> = takers.iter().map(|(_, attempt, _)| *attempt).collect();
        let is_held = |attempt: &AssignmentId| !comes_back.contains(attempt) && !self.waits.lent.contains(attempt);
        let mut held: Vec<Holding<'_>> =
            self.attempts.iter().filter(|(attempt, _)| is_held(attempt)).map(|(_, held)| held.holding()).collect();
        let mut free = Free::of(&self.settings.pools, held.iter().map(|holding| holding.granted));
        let slots = self.windows.max_concurrent(self.settings.max_concurrent);
        let mut done = Vec::new();
        for (wait, attempt, ticket) in takers {
            let Some(holding) = self.attempts.get(&attempt).map(|supervised| supervised.holding()) else {
                done.push((wait, ticket));
                continue;
            };
            let taken = held.len() + self.releasing.len();
            let has_room = taken == 0 || free_slots(slots, taken) > 0;
            let is_free = |other: &Holding<'_>| (other.queue, other.slot) != (holding.queue, holding.slot);
            if has_room && held.iter().all(is_free) && free.fits_again(holding.granted) {
                done.push((wait, ticket));
            }
            // Also where it cannot be had yet: those behind it are not to take it away.
            free.hold(holding.granted);
            held.push(holding);
        }
        for (wait, ticket) in done {
            self.waits.waits.remove(&wait);
            self.reply(ticket, Answer::Done);
        }
    }
}
