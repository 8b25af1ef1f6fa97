//! Verbs for tasks that are found by what they have in common. The store finds them, page by page, and looks at each once more in
//! the transaction that changes it; others get their turn between two pages.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::change::Actor;
use crate::domain::id::TaskId;
use crate::domain::query::{PerTask, TaskFilter};
use crate::domain::selection::{Deed, Done, Selection, Span};
use crate::domain::task::State;
use crate::engine::{Error, Handle};
use crate::store::task::Only;

/// How many tasks are changed in one transaction: it takes some two milliseconds, which is what others wait.
const PIECE_MAX: usize = 64;
/// How many pieces are done for one call: well within a client's deadline, what all of them together wait for others included.
const PIECES_MAX: usize = 8;
/// How many ids are told at once.
const IDS_MAX: usize = 16_384;

/// Tasks that are named for a verb.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Which.
    pub(super) ids: Vec<TaskId>,
    /// Of these, only those that match.
    pub(super) only: Only,
}

impl From<Vec<TaskId>> for Named {
    fn from(ids: Vec<TaskId>) -> Self {
        Self { ids, only: None }
    }
}

/// What came of a deed for one page of a selection.
#[derive(Debug, Default)]
pub struct Page {
    /// What came of each task that it was tried on.
    pub results: PerTask<Done, Error>,
    /// There may be more: where to go on.
    pub next: Option<TaskId>,
    /// There are tasks that are meant, whether or not there was something to be done to them. Holds for the first page.
    pub is_any: bool,
}

/// A page of ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// The ids, those included that are named one by one and may not be there.
    pub ids: Vec<TaskId>,
    /// There may be more: where to go on.
    pub next: Option<TaskId>,
}

/// Which part of a selection to look for.
struct Part<'a> {
    selection: &'a Selection,
    /// Only in these states, if there are conditions.
    states: Option<&'a [State]>,
    is_oldest_first: bool,
    /// Beyond this one.
    after: Option<TaskId>,
    max: usize,
}

impl Handle {
    /// Does something to the next tasks of a selection: from the first, or after the one that the last page named. What is
    /// chosen by conditions and does not, or not any more, stand so that it can be done is left alone.
    pub async fn steer_selected(
        &self,
        selection: &Selection,
        after: Option<TaskId>,
        deed: &Deed,
        by: Actor,
    ) -> Result<Page, Error> {
        let began = Instant::now();
        let mut page = Page::default();
        let mut at = after;
        for _ in 0..PIECES_MAX {
            let (ids, more) = self.piece(selection, at, deed).await?;
            page.next = ids.last().copied().filter(|_| more);
            if ids.is_empty() {
                break;
            }
            page.is_any = true;
            at = ids.last().copied();
            page.results.extend(self.do_piece(selection, ids, deed, by.clone(), began).await?);
            if page.next.is_none() {
                break;
            }
        }
        if matches!(deed, Deed::Remove) && page.is_any {
            self.tidy_up().await;
        }
        if !page.is_any && after.is_none() {
            let (ids, _) = self.find(Part { max: 1, ..Part::of(selection, None) }).await?;
            page.is_any = !ids.is_empty();
        }
        Ok(page)
    }

    /// Returns the ids of the next tasks of a selection, ascending.
    pub async fn select(&self, selection: &Selection, after: Option<TaskId>) -> Result<Ids, Error> {
        let (ids, more) = self.find(Part { after, ..Part::of(selection, None) }).await?;
        let next = ids.last().copied().filter(|_| more);
        Ok(Ids { ids, next })
    }

    /// Returns the next tasks that something is to be done to, and whether there are more.
    async fn piece(
        &self,
        selection: &Selection,
        after: Option<TaskId>,
        deed: &Deed,
    ) -> Result<(Vec<TaskId>, bool), Error> {
        let states = states(selection, deed);
        let states = selection.has_conditions().then_some(states.as_slice());
        if states.is_some_and(<[State]>::is_empty) {
            return Ok((Vec::new(), false));
        }
        let is_oldest_first = deed.is_oldest_first();
        self.find(Part { is_oldest_first, after, max: PIECE_MAX, ..Part::of(selection, states) }).await
    }

    async fn do_piece(
        &self,
        selection: &Selection,
        ids: Vec<TaskId>,
        deed: &Deed,
        by: Actor,
        began: Instant,
    ) -> Result<PerTask<Done, Error>, Error> {
        let has_conditions = selection.has_conditions();
        let only =
            has_conditions.then(|| Arc::new(TaskFilter { states: states(selection, deed), ..filter(selection) }));
        let named = Named { ids, only };
        let whole =
            |answers: PerTask<(), Error>| answers.into_iter().map(|(id, done)| (id, done.map(|()| Done::Whole)));
        let results: PerTask<Done, Error> = match deed {
            Deed::Cancel { reason } => {
                let answers = self.cancel(named, reason.clone(), by).await?;
                answers.into_iter().map(|(id, done)| (id, done.map(Done::from))).collect()
            }
            Deed::Kill { signal } => whole(self.kill(named.ids, *signal).await?).collect(),
            Deed::Release => whole(self.release(named, by).await?).collect(),
            Deed::Hold => whole(self.hold(named, by).await?).collect(),
            Deed::Pause => whole(self.pause_piece(named, by, began).await?).collect(),
            Deed::Resume => whole(self.resume(named, by).await?).collect(),
            Deed::Retry => whole(self.retry(named, by).await?).collect(),
            Deed::Remove => whole(self.remove_piece(named, by, began).await?).collect(),
        };
        let is_told = |(id, result): &(TaskId, Result<Done, Error>)| match result {
            Err(Error::NotMeant(_)) => false,
            // Gone since it was found, unless it was never found, but named.
            Err(Error::NoSuchTask(_)) => !has_conditions && selection.ids.contains(id),
            // Changed since it was found.
            Err(Error::AlreadyEnded(_) | Error::NoProcess { .. }) => !has_conditions,
            Err(Error::Wrong { task, .. }) => !has_conditions || task.state == State::Starting,
            _ => true,
        };
        Ok(results.into_iter().filter(is_told).collect())
    }

    /// Returns the first `max` ids in the order that is wanted, and whether there are more.
    async fn find(&self, part: Part<'_>) -> Result<(Vec<TaskId>, bool), Error> {
        let is_beyond = |id: TaskId| match part.after {
            None => true,
            Some(after) if part.is_oldest_first => id > after,
            Some(after) => id < after,
        };
        let required = part.selection.required();
        let mut found: BTreeSet<TaskId> = required.into_iter().filter(|id| is_beyond(*id)).collect();
        let mut spans = part.selection.spans();
        if !part.is_oldest_first {
            spans.reverse();
        }
        let mut left = part.max + 1;
        for span in spans {
            let Some(span) = part.beyond(span) else { continue };
            let ids = self.shared.store.select(part.filter(span, left)).await?;
            left -= ids.len().min(left);
            found.extend(ids);
            if left == 0 {
                break;
            }
        }
        let more = found.len() > part.max;
        let ids: Vec<TaskId> = match part.is_oldest_first {
            true => found.into_iter().take(part.max).collect(),
            false => found.into_iter().rev().take(part.max).collect(),
        };
        Ok((ids, more))
    }
}

impl<'a> Part<'a> {
    /// The whole of a selection, ascending.
    fn of(selection: &'a Selection, states: Option<&'a [State]>) -> Self {
        Self { selection, states, is_oldest_first: true, after: None, max: IDS_MAX }
    }

    /// Returns what of a range is still to be looked at.
    fn beyond(&self, mut span: Span) -> Option<Span> {
        match self.after {
            None => {}
            Some(after) if self.is_oldest_first => span.first = span.first.max(TaskId::new(after.get() + 1)?),
            Some(after) => span.last = span.last.min(TaskId::new(after.get() - 1)?),
        }
        (span.first <= span.last).then_some(span)
    }

    fn filter(&self, span: Span, limit: usize) -> TaskFilter {
        let mut filter = filter(self.selection);
        if let Some(states) = self.states {
            filter.states = states.to_vec();
        }
        filter.limit = Some(u32::try_from(limit).unwrap_or(u32::MAX));
        // Beyond the first and the last there is none.
        filter.above = TaskId::new(span.first.get() - 1);
        filter.below = TaskId::new(span.last.get() + 1);
        filter.oldest_first = self.is_oldest_first;
        filter
    }
}

fn filter(selection: &Selection) -> TaskFilter {
    TaskFilter {
        states: selection.states.clone(),
        queue: selection.queue.clone(),
        labels: selection.labels.clone(),
        name: selection.name.clone(),
        condition: selection.condition.clone(),
        ..TaskFilter::default()
    }
}

/// Returns the states in which what is chosen is to be.
fn states(selection: &Selection, deed: &Deed) -> Vec<State> {
    let is_chosen = |state: &State| selection.states.is_empty() || selection.states.contains(state);
    State::ALL.into_iter().filter(|state| is_chosen(state) && deed.suits(*state, &selection.states)).collect()
}
