//! Where a task is to come, and which are to be forgotten.

use crate::domain::id::TaskId;
use crate::domain::place::Place;
use crate::domain::prune::{Ended, Prune, Pruned};
use crate::domain::time::Timestamp;
use crate::rpc::convert::attempt::state_to_proto;
use crate::rpc::convert::{Error, Result, query, task_id};
use crate::rpc::proto;

pub(in crate::rpc) fn move_to_proto(id: TaskId, to: Place) -> proto::MoveTaskRequest {
    let before = match to {
        Place::Top => None,
        Place::Before(before) => Some(before.get()),
    };
    proto::MoveTaskRequest { id: id.get(), top: before.is_none(), before }
}

pub(in crate::rpc) fn move_from_proto(request: proto::MoveTaskRequest) -> Result<(TaskId, Place)> {
    let to = match (request.top, request.before) {
        (true, None) => Place::Top,
        (false, Some(before)) => Place::Before(task_id(before)?),
        _ => return Err(Error::Missing("before")),
    };
    Ok((task_id(request.id)?, to))
}

fn ended_to_proto((at, id): Ended) -> proto::EndedTask {
    proto::EndedTask { ended_at_ms: at.0, id: id.get() }
}

fn ended_from_proto(ended: Option<proto::EndedTask>) -> Result<Option<Ended>> {
    ended.map(|ended| Ok((Timestamp(ended.ended_at_ms), task_id(ended.id)?))).transpose()
}

pub(in crate::rpc) fn to_proto(prune: &Prune) -> proto::PruneTasksRequest {
    proto::PruneTasksRequest {
        states: prune.states.iter().map(|state| state_to_proto(*state).into()).collect(),
        until_ms: prune.until.map(|until| until.0),
        keep: prune.keep,
        below: prune.below.map(ended_to_proto),
    }
}

pub(in crate::rpc) fn from_proto(request: proto::PruneTasksRequest) -> Result<Prune> {
    Ok(Prune {
        states: query::states_from_proto(&request.states)?,
        until: request.until_ms.map(Timestamp),
        keep: request.keep,
        below: ended_from_proto(request.below)?,
    })
}

pub(in crate::rpc) fn pruned_to_proto(pruned: Pruned) -> proto::PruneTasksResponse {
    let Pruned { removed, needed, hooks, next } = pruned;
    proto::PruneTasksResponse { removed, needed, hooks, next: next.map(ended_to_proto) }
}

pub(in crate::rpc) fn pruned_from_proto(response: proto::PruneTasksResponse) -> Result<Pruned> {
    let proto::PruneTasksResponse { removed, needed, hooks, next } = response;
    Ok(Pruned { removed, needed, hooks, next: ended_from_proto(next)? })
}
