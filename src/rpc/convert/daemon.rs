//! The daemon's account of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::daemon::DaemonStatus;
use crate::domain::id::TaskId;
use crate::domain::query::Counts;
use crate::domain::resource::{Amount, ResourceState, ResourceWait, Resources};
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::rpc::convert::{ms, path, path_bytes, plain_ids, window};
use crate::rpc::proto;

pub(in crate::rpc) fn to_proto(status: DaemonStatus) -> proto::GetStatusResponse {
    let mut tasks_by_state = std::collections::HashMap::new();
    for (state, count) in &status.counts.by_state {
        *tasks_by_state.entry(state.shown().as_str().to_owned()).or_insert(0) += count;
    }
    proto::GetStatusResponse {
        pid: status.pid,
        guardian_pid: status.guardian_pid,
        restarts: status.restarts,
        version: status.version,
        started_at_ms: status.started_at.0,
        uptime_ms: ms(status.uptime),
        project: path_bytes(&status.project),
        max_concurrent: status.max_concurrent,
        active: status.active,
        tasks_by_state,
        tasks_processed: status.counts.processed,
        tasks_succeeded: status.counts.succeeded,
        tasks_failed: status.counts.failed,
        last_poll_at_ms: status.last_poll_at.map(|at| at.0),
        draining: status.draining,
        untrusted: status.untrusted,
        held_up: status.held_up,
        resource_waits: status.resources.waiting.into_iter().map(wait_to_proto).collect(),
        resources: status.resources.all.into_iter().map(resource_to_proto).collect(),
        lending: plain_ids(&status.lending),
        windows: window::to_proto(status.windows),
    }
}

fn resource_to_proto(resource: ResourceState) -> proto::Resource {
    let is_indexed = resource.pieces.is_some();
    let (indices, free_indices) = resource.pieces.unwrap_or_default();
    let ResourceState { name, total, held, .. } = resource;
    proto::Resource { name, total: total.get(), held, is_size: total.is_size(), indices, free_indices, is_indexed }
}

fn resource_from_proto(resource: proto::Resource) -> ResourceState {
    let proto::Resource { name, total, held, is_size, indices, free_indices, is_indexed } = resource;
    let pieces = is_indexed.then_some((indices, free_indices));
    ResourceState { name, total: Amount::new(total, is_size), held, pieces }
}

fn wait_to_proto(wait: ResourceWait) -> proto::ResourceWait {
    let (since_ms, reserves_at_ms) = (wait.since.0, wait.reserves_at.0);
    proto::ResourceWait { task_id: wait.task.get(), since_ms, reserves_at_ms }
}

/// One of a task that there cannot be is left out.
fn wait_from_proto(wait: proto::ResourceWait) -> Option<ResourceWait> {
    let (since, reserves_at) = (Timestamp(wait.since_ms), Timestamp(wait.reserves_at_ms));
    TaskId::new(wait.task_id).map(|task| ResourceWait { task, since, reserves_at })
}

/// States that a later version may have added are left out.
pub(in crate::rpc) fn from_proto(status: proto::GetStatusResponse) -> DaemonStatus {
    let by_state: BTreeMap<State, u64> = status
        .tasks_by_state
        .into_iter()
        .filter_map(|(word, count)| State::from_word(&word).map(|state| (state, count)))
        .collect();
    DaemonStatus {
        pid: status.pid,
        guardian_pid: status.guardian_pid,
        restarts: status.restarts,
        version: status.version,
        started_at: Timestamp(status.started_at_ms),
        uptime: Duration::from_millis(status.uptime_ms),
        project: path(status.project),
        max_concurrent: status.max_concurrent,
        active: status.active,
        counts: Counts {
            by_state,
            processed: status.tasks_processed,
            succeeded: status.tasks_succeeded,
            failed: status.tasks_failed,
        },
        last_poll_at: status.last_poll_at_ms.map(Timestamp),
        draining: status.draining,
        untrusted: status.untrusted,
        held_up: status.held_up,
        resources: Resources {
            all: status.resources.into_iter().map(resource_from_proto).collect(),
            waiting: status.resource_waits.into_iter().filter_map(wait_from_proto).collect(),
        },
        lending: status.lending.into_iter().filter_map(TaskId::new).collect(),
        windows: window::from_proto(status.windows),
    }
}
