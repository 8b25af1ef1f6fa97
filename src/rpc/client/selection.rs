//! Tasks that are found by what they have in common.

use crate::domain::edit::Edit;
use crate::domain::error::Problem;
use crate::domain::id::TaskId;
use crate::domain::place::Place;
use crate::domain::prune::{Prune, Pruned};
use crate::domain::query::PerTask;
use crate::domain::selection::{Deed, Done, Selection};
use crate::domain::task::Task;
use crate::rpc::client::{Client, Error, Repeat, within};
use crate::rpc::convert::{edit, prune, selection, task, task_id, task_ids};
use crate::rpc::proto;

/// What came of a deed for one page of a selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steered {
    /// What came of each task that it was tried on.
    pub results: PerTask<Done, Problem>,
    /// There may be more: where to go on.
    pub next: Option<TaskId>,
    /// Of the first page: there are tasks that are meant, whether or not there was something to be done to them.
    pub is_any: bool,
}

impl Client {
    /// Does something to the next tasks of a selection. A cancel is repeated when the connection breaks, nothing else is.
    ///
    /// Shape: `after` is what the last page had in `next`.
    pub async fn steer(&self, chosen: &Selection, deed: &Deed, after: Option<TaskId>) -> Result<Steered, Error> {
        let repeat = if matches!(deed, Deed::Cancel { .. }) { Repeat::WithinDeadline } else { Repeat::Never };
        let response = self.call(repeat, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, selection::request_to_proto(chosen, deed, after));
            async move { service.steer_tasks(request).await }
        });
        let proto::SteerTasksResponse { results, next, any } = response.await?;
        let next = next.map(task_id).transpose()?;
        Ok(Steered { results: selection::results_from_proto(results)?, next, is_any: any })
    }

    /// Returns the ids of a selection, ascending; those that are named one by one are among them whether or not they are
    /// there.
    pub async fn select(&self, chosen: &Selection) -> Result<Vec<TaskId>, Error> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let response = self.call(Repeat::WithinDeadline, |allowed| {
                let mut service = self.task_service();
                let message = proto::SelectTasksRequest { selection: Some(selection::to_proto(chosen)), after };
                async move { service.select_tasks(within(allowed, message)).await }
            });
            let page = response.await?;
            ids.extend(task_ids(&page.ids)?);
            after = page.next;
            if after.is_none() {
                return Ok(ids);
            }
        }
    }

    /// Changes what a task is to do that has not started. Not repeated when the connection breaks: what was changed already is not
    /// what it was.
    pub async fn edit(&self, wish: &Edit) -> Result<Task, Error> {
        let response = self.call(Repeat::Never, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, edit::to_proto(wish.clone()));
            async move { service.edit_task(request).await }
        });
        task::required(response.await?.task).map_err(Error::from)
    }

    /// Puts a waiting task to another place among those of its queue and priority.
    pub async fn move_task(&self, id: TaskId, to: Place) -> Result<Task, Error> {
        let response = self.call(Repeat::WithinDeadline, |allowed| {
            let mut service = self.task_service();
            let request = within(allowed, prune::move_to_proto(id, to));
            async move { service.move_task(request).await }
        });
        Ok(task::required(response.await?.task)?)
    }

    /// Forgets tasks that have ended, with all they wrote. Repeated when the connection breaks: what is gone then is not counted.
    pub async fn prune(&self, wish: &Prune) -> Result<Pruned, Error> {
        let (mut wish, mut all) = (wish.clone(), Pruned::default());
        loop {
            let response = self.call(Repeat::WithinDeadline, |allowed| {
                let mut service = self.task_service();
                let request = within(allowed, prune::to_proto(&wish));
                async move { service.prune_tasks(request).await }
            });
            let page = prune::pruned_from_proto(response.await?)?;
            all.removed += page.removed;
            all.needed += page.needed;
            all.hooks += page.hooks;
            wish.below = page.next;
            if wish.below.is_none() {
                return Ok(all);
            }
        }
    }
}
