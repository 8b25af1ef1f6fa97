//! Tasks that wait for others, and lend what they hold meanwhile: who asks for it, and who may be doing it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::apexd::Apexd;
use super::random::Random;
use crate::domain::id::AssignmentId;
use crate::engine::Lending;

/// Clients that wait inside attempts.
#[derive(Default, Clone)]
pub(super) struct Lenders(Rc<Inner>);

#[derive(Default)]
struct Inner {
    /// Waits that go on.
    waits: RefCell<Vec<(AssignmentId, Lending)>>,
    /// How many waits of each attempt were begun and not answered: what such an attempt holds may be lent.
    asked: RefCell<BTreeMap<AssignmentId, u32>>,
    /// Attempts that count again without having been given back what they lent: their client was killed, or apexd was.
    over: RefCell<BTreeSet<AssignmentId>>,
    /// All that have ever lent something.
    have_lent: RefCell<BTreeSet<AssignmentId>>,
    /// How many wait to have back what they lent.
    taking_back: Cell<usize>,
    /// How many had it back in the end.
    back: Cell<u64>,
}

impl Lenders {
    /// Returns whether others may have what this attempt holds.
    pub(super) fn may_lend(&self, attempt: AssignmentId) -> bool {
        self.0.asked.borrow().contains_key(&attempt) || self.0.over.borrow().contains(&attempt)
    }

    /// Returns how many wait to have back what they lent.
    pub(super) fn taking_back(&self) -> usize {
        self.0.taking_back.get()
    }

    /// Returns how many have had back what they lent.
    pub(super) fn back(&self) -> u64 {
        self.0.back.get()
    }

    /// Returns those that have ever lent something.
    pub(super) fn have_lent(&self) -> BTreeSet<AssignmentId> {
        self.0.have_lent.borrow().clone()
    }

    /// Has somebody begin to wait inside one of these attempts, or come to the end of a wait.
    pub(super) fn ask_for_something(&self, apexd: &mut Apexd, open: &[AssignmentId], random: &mut Random) -> String {
        let waits = self.0.waits.borrow().len();
        if waits > 0 && (open.is_empty() || random.percent(55)) {
            let (attempt, lending) = self.0.waits.borrow_mut().swap_remove(random.index(waits));
            if random.percent(20) {
                self.0.asked.borrow_mut().remove(&attempt);
                self.0.over.borrow_mut().insert(attempt);
                drop(lending);
                apexd.go_on();
                return format!("a client that waits inside {attempt} is killed");
            }
            self.take_back(apexd, attempt, lending);
            return format!("a wait inside {attempt} is over");
        }
        if open.is_empty() {
            return "nobody waits inside a task".to_owned();
        }
        let attempt = open[random.index(open.len())];
        let (handle, lenders) = (apexd.handle.clone(), self.clone());
        self.0.have_lent.borrow_mut().insert(attempt);
        *self.0.asked.borrow_mut().entry(attempt).or_default() += 1;
        apexd.ask(async move {
            let lending = handle.lend(attempt).await;
            lenders.0.waits.borrow_mut().push((attempt, lending));
        });
        format!("somebody waits inside {attempt}")
    }

    /// Brings all waits to an end.
    pub(super) fn end_all(&self, apexd: &mut Apexd) {
        let waits = self.0.waits.take();
        waits.into_iter().for_each(|(attempt, lending)| self.take_back(apexd, attempt, lending));
    }

    fn take_back(&self, apexd: &mut Apexd, attempt: AssignmentId, lending: Lending) {
        let inner = Rc::clone(&self.0);
        inner.taking_back.set(inner.taking_back.get() + 1);
        apexd.ask(async move {
            lending.take_back().await;
            inner.taking_back.set(inner.taking_back.get() - 1);
            inner.back.set(inner.back.get() + 1);
            let mut asked = inner.asked.borrow_mut();
            if let Some(left) = asked.get_mut(&attempt) {
                *left -= 1;
                asked.retain(|_, left| *left > 0);
            }
        });
    }

    /// Another apexd begins, which knows nothing of who lends.
    pub(super) fn are_forgotten(&self) {
        self.0.waits.take();
        self.0.over.borrow_mut().extend(self.0.asked.take().into_keys());
        self.0.taking_back.set(0);
    }
}
