//! Changes, as the feed tells them.

use crate::domain::change::{Actor, Change, ChangeKind};
use crate::domain::id::Seq;
use crate::domain::task::State;
use crate::domain::time::Timestamp;
use crate::rpc::convert::attempt::{state_from_proto, state_to_proto};
use crate::rpc::convert::{Result, progress, task_id};
use crate::rpc::proto;

pub(in crate::rpc) fn to_proto(change: Change) -> proto::Event {
    let (from, to) = change.states_shown();
    let state = |state: State| state_to_proto(state).into();
    proto::Event {
        seq: change.seq.0,
        occurred_at_ms: change.at.0,
        kind: change.kind.as_str().to_owned(),
        task: change.task.map(|id| id.get()),
        queue: change.queue,
        attempt: change.attempt,
        from: from.map(state),
        to: to.map(state),
        by: change.by.to_string(),
        reason: change.reason,
        schedule: change.schedule,
        progress: change.progress.map(progress::to_proto),
    }
}

/// `None` for a change of a sort, or by somebody of a sort, that a later version may have added.
pub(in crate::rpc) fn from_proto(event: proto::Event) -> Result<Option<Change>> {
    let (Some(kind), Some(by)) = (ChangeKind::from_word(&event.kind), Actor::parse(&event.by)) else { return Ok(None) };
    Ok(Some(Change {
        seq: Seq(event.seq),
        at: Timestamp(event.occurred_at_ms),
        kind,
        task: event.task.map(task_id).transpose()?,
        queue: event.queue,
        schedule: event.schedule,
        attempt: event.attempt,
        from: event.from.map(|state| state_from_proto("event.from", state)).transpose()?,
        to: event.to.map(|state| state_from_proto("event.to", state)).transpose()?,
        by,
        reason: event.reason,
        progress: event.progress.map(progress::from_proto),
    }))
}
