//! Tells how tasks go on.

use std::collections::HashMap;

use crate::domain::id::{AssignmentId, TaskId};
use crate::domain::task::{State, Task};
use crate::engine::Lending;
use crate::rpc::convert::task::to_proto;
use crate::rpc::proto;
use crate::rpc::server::feed::{Feed, Over, Woken, recorded};
use crate::rpc::server::{Service, farewell};

/// Sends each of `ids` as it stands, and again whenever it changed, until all have ended or are in one of `until`. Meanwhile
/// the attempt `waiter` lends what it holds.
pub(super) async fn watch(
    service: Service,
    mut ids: Vec<TaskId>,
    until: Vec<State>,
    waiter: Option<AssignmentId>,
    mut feed: Feed<proto::WatchTasksResponse>,
) -> Result<(), Over> {
    let mut changes = service.handle.changes();
    let mut told: HashMap<TaskId, Task> = HashMap::new();
    let mut last_look = None;
    let mut lending: Option<Lending> = None;
    ids.sort_unstable();
    ids.dedup();
    loop {
        // First this, then reading: what is recorded in between wakes again.
        changes.mark_unchanged();
        let (mut going_on, mut news, mut failed) = (Vec::with_capacity(ids.len()), Vec::new(), None);
        for id in ids {
            let task = match service.handle.stored_task(id).await {
                Ok(task) => task,
                Err(error) => {
                    failed = Some(service.refuse(&error));
                    break;
                }
            };
            let is_news = told.get(&id) != Some(&task);
            if task.state.is_ended() || until.contains(&task.state) {
                told.remove(&id);
            } else {
                told.insert(id, task.clone());
                going_on.push(id);
            }
            news.extend(is_news.then_some(task));
        }
        if going_on.is_empty()
            && failed.is_none()
            && let Some(lending) = lending.take()
        {
            // The end is not told before the task that waits for it has again what it lent.
            if let Woken::Closing(closing) = feed.wait(lending.take_back()).await? {
                return Err(feed.fail(farewell(closing)));
            }
        }
        for task in news {
            feed.send(proto::WatchTasksResponse { task: Some(to_proto(task)) }).await?;
        }
        if let Some(status) = failed {
            return Err(feed.fail(status));
        }
        if going_on.is_empty() {
            return Ok(());
        }
        if let Some(closing) = last_look {
            return Err(feed.fail(farewell(closing)));
        }
        ids = going_on;
        if let (Some(attempt), None) = (waiter, &lending) {
            lending = Some(service.handle.lend(attempt).await);
        }
        if let Woken::Closing(closing) = feed.wait(recorded(&mut changes)).await? {
            last_look = Some(closing);
        }
    }
}
