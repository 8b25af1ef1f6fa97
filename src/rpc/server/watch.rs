//! Tells how tasks go on.

use std::collections::HashMap;

use crate::domain::id::TaskId;
use crate::domain::task::{State, Task};
use crate::rpc::convert::task::to_proto;
use crate::rpc::proto;
use crate::rpc::server::feed::{Feed, Over, Woken, recorded};
use crate::rpc::server::{Service, farewell};

/// Sends each of `ids` as it stands, and again whenever it changed, until all have ended or are in one of `until`.
pub(super) async fn watch(
    service: Service,
    mut ids: Vec<TaskId>,
    until: Vec<State>,
    mut feed: Feed<proto::WatchTasksResponse>,
) -> Result<(), Over> {
    let mut changes = service.handle.changes();
    let mut told: HashMap<TaskId, Task> = HashMap::new();
    let mut last_look = None;
    ids.sort_unstable();
    ids.dedup();
    loop {
        // First this, then reading: what is recorded in between wakes again.
        changes.mark_unchanged();
        let mut going_on = Vec::with_capacity(ids.len());
        for id in ids {
            let task = match service.handle.stored_task(id).await {
                Ok(task) => task,
                Err(error) => return Err(feed.fail(service.refuse(&error))),
            };
            if told.get(&id) != Some(&task) {
                feed.send(proto::WatchTasksResponse { task: Some(to_proto(task.clone())) }).await?;
            }
            if task.state.is_ended() || until.contains(&task.state) {
                told.remove(&id);
            } else {
                told.insert(id, task);
                going_on.push(id);
            }
        }
        if going_on.is_empty() {
            return Ok(());
        }
        if let Some(closing) = last_look {
            return Err(feed.fail(farewell(closing)));
        }
        ids = going_on;
        if let Woken::Closing(closing) = feed.wait(recorded(&mut changes)).await? {
            last_look = Some(closing);
        }
    }
}
