//! How far tasks say they are.

use crate::domain::id::TaskId;
use crate::domain::progress::{Progress, Taken, Tell, Told};
use crate::domain::time::Timestamp;
use crate::rpc::convert::{Error, Result, task_id};
use crate::rpc::proto;

pub(in crate::rpc) fn to_proto(progress: Progress) -> proto::Progress {
    let Progress { attempt, done, total, message, at } = progress;
    proto::Progress { attempt, done, total, message, told_at_ms: at.0 }
}

pub(in crate::rpc) fn from_proto(progress: proto::Progress) -> Progress {
    let proto::Progress { attempt, done, total, message, told_at_ms } = progress;
    Progress { attempt, done, total, message, at: Timestamp(told_at_ms) }
}

/// `inside` is the task inside which it is told.
pub(in crate::rpc) fn tell_to_proto(tell: Tell, wait: bool, inside: Option<TaskId>) -> proto::TellProgressRequest {
    let Tell { id, attempt, told } = tell;
    proto::TellProgressRequest {
        id: id.get(),
        attempt,
        done: told.done,
        total: told.total,
        message: told.message,
        all_done: told.all_done,
        wait,
        inside: inside.map(TaskId::get),
    }
}

/// Errors: whatever the domain does not accept of it by itself.
pub(in crate::rpc) fn tell_from_proto(request: proto::TellProgressRequest) -> Result<(Tell, bool, Option<TaskId>)> {
    let proto::TellProgressRequest { id, attempt, done, total, message, all_done, wait, inside } = request;
    let told = Told { done, total, message, all_done };
    told.check()?;
    Ok((Tell { id: task_id(id)?, attempt, told }, wait, inside.map(task_id).transpose()?))
}

pub(in crate::rpc) fn taken_to_proto(taken: Taken) -> proto::TellProgressResponse {
    proto::TellProgressResponse { progress: Some(to_proto(taken.progress)), stored: taken.stored }
}

pub(in crate::rpc) fn taken_from_proto(response: proto::TellProgressResponse) -> Result<Taken> {
    let progress = response.progress.ok_or(Error::Missing("progress"))?;
    Ok(Taken { progress: from_proto(progress), stored: response.stored })
}
