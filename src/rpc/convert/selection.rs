//! Which tasks are meant, and what is done to them.

use crate::domain::error::Problem;
use crate::domain::id::TaskId;
use crate::domain::query::PerTask;
use crate::domain::selection::{Deed, Done, Selection, Span};
use crate::rpc::convert::attempt::state_to_proto;
use crate::rpc::convert::{Error, Result, condition, plain_ids, query, signal, task_id, task_ids};
use crate::rpc::proto;

const SIGKILL: i32 = 9;

pub(in crate::rpc) fn to_proto(selection: &Selection) -> proto::Selection {
    let label = |(key, value): &(String, Option<String>)| proto::LabelFilter { key: key.clone(), value: value.clone() };
    let range = |span: &Span| proto::IdRange { first: span.first.get(), last: span.last.get() };
    proto::Selection {
        ids: plain_ids(&selection.ids),
        ranges: selection.spans.iter().map(range).collect(),
        states: selection.states.iter().map(|state| state_to_proto(*state).into()).collect(),
        queue: selection.queue.clone(),
        labels: selection.labels.iter().map(label).collect(),
        name: selection.name.clone(),
        condition: selection.condition.as_ref().map(condition::to_proto),
    }
}

/// Errors: also where nothing is named at all, which must never mean everything.
pub(in crate::rpc) fn from_proto(selection: Option<proto::Selection>) -> Result<Selection> {
    let selection = selection.ok_or(Error::Missing("selection"))?;
    let span = |range: &proto::IdRange| {
        let span = Span { first: task_id(range.first)?, last: task_id(range.last)? };
        if span.last < span.first { Err(Error::Backwards(range.first, range.last)) } else { Ok(span) }
    };
    let selection = Selection {
        ids: task_ids(&selection.ids)?,
        spans: selection.ranges.iter().map(span).collect::<Result<_>>()?,
        states: query::states_from_proto(&selection.states)?,
        queue: selection.queue,
        labels: selection.labels.into_iter().map(|label| (label.key, label.value)).collect(),
        name: selection.name,
        condition: selection.condition.map(condition::from_proto).transpose()?,
    };
    let names_nothing = selection.ids.is_empty() && selection.spans.is_empty() && !selection.has_conditions();
    if names_nothing { Err(Error::Missing("selection")) } else { Ok(selection) }
}

pub(in crate::rpc) fn request_to_proto(
    selection: &Selection,
    deed: &Deed,
    after: Option<TaskId>,
) -> proto::SteerTasksRequest {
    use proto::TaskDeed as Wire;
    let mut request = proto::SteerTasksRequest {
        selection: Some(to_proto(selection)),
        after: after.map(TaskId::get),
        ..proto::SteerTasksRequest::default()
    };
    let deed = match deed {
        Deed::Cancel { reason } => {
            request.reason.clone_from(reason);
            Wire::Cancel
        }
        Deed::Kill { signal } => {
            request.signal = *signal;
            Wire::Kill
        }
        Deed::Release => Wire::Release,
        Deed::Hold => Wire::Hold,
        Deed::Pause => Wire::Pause,
        Deed::Resume => Wire::Resume,
        Deed::Retry => Wire::Retry,
        Deed::Remove => Wire::Remove,
    };
    request.set_deed(deed);
    request
}

pub(in crate::rpc) fn request_from_proto(
    request: proto::SteerTasksRequest,
) -> Result<(Selection, Deed, Option<TaskId>)> {
    use proto::TaskDeed as Wire;
    let deed = match Wire::try_from(request.deed) {
        Ok(Wire::Cancel) => Deed::Cancel { reason: request.reason },
        Ok(Wire::Kill) if request.signal == 0 => Deed::Kill { signal: SIGKILL },
        Ok(Wire::Kill) => Deed::Kill { signal: signal(request.signal)? },
        Ok(Wire::Release) => Deed::Release,
        Ok(Wire::Hold) => Deed::Hold,
        Ok(Wire::Pause) => Deed::Pause,
        Ok(Wire::Resume) => Deed::Resume,
        Ok(Wire::Retry) => Deed::Retry,
        Ok(Wire::Remove) => Deed::Remove,
        Ok(Wire::Unspecified) => return Err(Error::Missing("deed")),
        Err(_) => return Err(Error::Unknown { field: "deed", value: request.deed }),
    };
    let after = request.after.map(task_id).transpose()?;
    Ok((from_proto(request.selection)?, deed, after))
}

pub(in crate::rpc) fn results_to_proto(results: PerTask<Done, Problem>) -> proto::TaskResults {
    let is_asked =
        |(id, result): (TaskId, std::result::Result<Done, Problem>)| (id, result.map(|done| done == Done::Asked));
    query::results_to_proto(results.into_iter().map(is_asked).collect())
}

pub(in crate::rpc) fn results_from_proto(results: Vec<proto::TaskResult>) -> Result<PerTask<Done, Problem>> {
    let done = |is_asked| if is_asked { Done::Asked } else { Done::Whole };
    let results = query::results_from_proto(proto::TaskResults { results })?;
    Ok(results.into_iter().map(|(id, result)| (id, result.map(done))).collect())
}
