//! The daemon's account of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::daemon::DaemonStatus;
use crate::domain::query::Counts;
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::rpc::convert::{ms, path, path_bytes, window};
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
        windows: window::to_proto(status.windows),
    }
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
        windows: window::from_proto(status.windows),
    }
}
