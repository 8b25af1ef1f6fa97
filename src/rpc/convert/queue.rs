//! Queues, and what came of commands for them.

use crate::domain::error::Problem;
use crate::domain::query::PerQueue;
use crate::domain::queue::{Queue, QueuePause};
use crate::domain::time::Timestamp;
use crate::rpc::convert::query::{problem_from_proto, problem_to_proto};
use crate::rpc::convert::{Error, Result};
use crate::rpc::proto;

pub(in crate::rpc) fn to_proto(queue: Queue) -> proto::Queue {
    proto::Queue {
        name: queue.name,
        slots: queue.slots,
        pause: queue.pause.map(|pause| proto::QueuePause {
            paused_at_ms: pause.at.0,
            reason: pause.reason,
            until_ms: pause.until.map(|at| at.0),
        }),
        active: queue.active,
        queued: queue.queued,
        waiting: queue.waiting,
        weight: queue.weight,
    }
}

pub(in crate::rpc) fn from_proto(queue: proto::Queue) -> Queue {
    Queue {
        name: queue.name,
        slots: queue.slots,
        weight: queue.weight,
        pause: queue.pause.map(|pause| QueuePause {
            at: Timestamp(pause.paused_at_ms),
            reason: pause.reason,
            until: pause.until_ms.map(Timestamp),
        }),
        active: queue.active,
        queued: queue.queued,
        waiting: queue.waiting,
    }
}

/// Returns the queue in a field that must be there.
pub(in crate::rpc) fn required(queue: Option<proto::Queue>) -> Result<Queue> {
    queue.map(from_proto).ok_or(Error::Missing("queue"))
}

pub(in crate::rpc) fn results_to_proto(results: PerQueue<Problem>) -> proto::QueueResults {
    let result = |(name, result): (String, std::result::Result<(), Problem>)| {
        let problem = result.err().map(problem_to_proto);
        proto::QueueResult { name, problem }
    };
    proto::QueueResults { results: results.into_iter().map(result).collect() }
}

pub(in crate::rpc) fn results_from_proto(results: proto::QueueResults) -> PerQueue<Problem> {
    let result = |result: proto::QueueResult| {
        (result.name, result.problem.map_or(Ok(()), |problem| Err(problem_from_proto(problem))))
    };
    results.results.into_iter().map(result).collect()
}
