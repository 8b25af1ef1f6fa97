//! Questions about tasks, their answers, and what came of commands.

use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::TaskId;
use crate::domain::query::{PerTask, TaskFilter, TaskPage};
use crate::domain::task::State;
use crate::rpc::convert::attempt::{state_from_proto, state_to_proto};
use crate::rpc::convert::{Result, condition, task, task_id};
use crate::rpc::proto;

pub(in crate::rpc) fn filter_to_proto(filter: &TaskFilter) -> proto::ListTasksRequest {
    let label = |(key, value): &(String, Option<String>)| proto::LabelFilter { key: key.clone(), value: value.clone() };
    proto::ListTasksRequest {
        states: filter.states.iter().map(|state| state_to_proto(*state).into()).collect(),
        queue: filter.queue.clone(),
        schedule: filter.schedule.clone(),
        labels: filter.labels.iter().map(label).collect(),
        name: filter.name.clone(),
        recent: filter.recent,
        limit: filter.limit,
        next_first: filter.next_first,
        below: filter.below.map(TaskId::get),
        condition: filter.condition.as_ref().map(condition::to_proto),
        sort: filter.sort.as_ref().map(condition::sort_to_proto),
    }
}

pub(in crate::rpc) fn filter_from_proto(request: proto::ListTasksRequest) -> Result<TaskFilter> {
    Ok(TaskFilter {
        states: states_from_proto(&request.states)?,
        queue: request.queue,
        schedule: request.schedule,
        labels: request.labels.into_iter().map(|label| (label.key, label.value)).collect(),
        name: request.name,
        recent: request.recent,
        limit: request.limit,
        // No task has a number that is none.
        below: request.below.and_then(TaskId::new),
        next_first: request.next_first,
        condition: request.condition.map(condition::from_proto).transpose()?,
        sort: request.sort.map(condition::sort_from_proto).transpose()?,
        ..TaskFilter::default()
    })
}

/// Who asks for `running` means `starting` as well, which has no word of its own on the wire.
pub(in crate::rpc) fn states_from_proto(states: &[i32]) -> Result<Vec<State>> {
    let named: Vec<State> = states.iter().map(|state| state_from_proto("states", *state)).collect::<Result<_>>()?;
    Ok(State::ALL.into_iter().filter(|state| named.contains(&state.shown())).collect())
}

pub(in crate::rpc) fn page_to_proto(page: TaskPage) -> proto::ListTasksResponse {
    proto::ListTasksResponse { tasks: page.tasks.into_iter().map(task::to_proto).collect(), cut: page.cut }
}

pub(in crate::rpc) fn page_from_proto(response: proto::ListTasksResponse) -> Result<TaskPage> {
    let tasks = response.tasks.into_iter().map(task::from_proto).collect::<Result<_>>()?;
    Ok(TaskPage { tasks, cut: response.cut })
}

/// The value of what was done is [`proto::TaskResult::asked`].
pub(in crate::rpc) fn results_to_proto(results: PerTask<bool, Problem>) -> proto::TaskResults {
    let result = |(id, result): (TaskId, std::result::Result<bool, Problem>)| {
        let (asked, problem) = match result {
            Ok(asked) => (asked, None),
            Err(problem) => (false, Some(problem_to_proto(problem))),
        };
        proto::TaskResult { id: id.get(), problem, asked }
    };
    proto::TaskResults { results: results.into_iter().map(result).collect() }
}

pub(in crate::rpc) fn results_from_proto(results: proto::TaskResults) -> Result<PerTask<bool, Problem>> {
    let result = |result: proto::TaskResult| {
        let id = task_id(result.id)?;
        Ok((id, result.problem.map_or(Ok(result.asked), |problem| Err(problem_from_proto(problem)))))
    };
    results.results.into_iter().map(result).collect()
}

pub(in crate::rpc) fn problem_to_proto(problem: Problem) -> proto::Problem {
    proto::Problem {
        kind: problem.kind.as_str().to_owned(),
        message: problem.message,
        hint: problem.hint,
        id: problem.id,
    }
}

/// A kind that a later version may have added is `internal`: nothing is known about it.
pub(in crate::rpc) fn problem_from_proto(problem: proto::Problem) -> Problem {
    Problem {
        kind: ErrorKind::from_word(&problem.kind).unwrap_or(ErrorKind::Internal),
        message: problem.message,
        hint: problem.hint,
        id: problem.id,
    }
}
