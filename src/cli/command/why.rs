//! `task why`: gathers what decides whether a task may run, and says what is missing.

use std::cmp::Reverse;

use crate::cli::args::steer::Why;
use crate::cli::command::wait::as_it_stands;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render::why::{Facts, Place, sentence};
use crate::cli::session::{Session, block_on, now};
use crate::domain::error::ErrorKind;
use crate::domain::id::TaskId;
use crate::domain::query::TaskFilter;
use crate::domain::task::{State, Task};
use crate::exit::Exit;
use crate::rpc::client::Client;
use crate::view::why::WhyView;

/// How many tasks of a queue are looked at to tell how many are ahead.
const LOOKED_AT: u32 = 1_000;

/// Says what a task waits for.
pub fn run(session: &Session, args: &Why) -> Result<i32, Failure> {
    let project = session.project()?;
    let facts = block_on(async {
        let connection = connect::connect(session, &project).await?;
        let task = as_it_stands(&connection.client, args.id).await?;
        gather(&connection.client, task).await
    })?;
    let why = sentence(&facts, now());
    if session.ui.json {
        session.ui.json(&WhyView::of(&facts.task, why))?;
    } else {
        session.ui.data(&why)?;
    }
    Ok(Exit::Done.code())
}

/// Asks for what matters in the state that the task is in.
pub async fn gather(client: &Client, task: Task) -> Result<Facts, Failure> {
    let (mut needs, mut place) = (Vec::new(), None);
    match task.state {
        State::Blocked | State::Skipped => {
            for id in task.spec.after.iter().chain(&task.spec.after_any) {
                match as_it_stands(client, *id).await {
                    Ok(need) => needs.push(need),
                    Err(failure) if failure.problem.kind == ErrorKind::NotFound => {}
                    Err(failure) => return Err(failure),
                }
            }
        }
        State::Queued => place = Some(self::place(client, &task).await?),
        _ => {}
    }
    Ok(Facts { task, needs, place })
}

async fn place(client: &Client, task: &Task) -> Result<Place, Failure> {
    let active = TaskFilter {
        states: State::ALL.into_iter().filter(|state| state.is_active()).collect(),
        ..TaskFilter::default()
    };
    let queued = TaskFilter {
        states: vec![State::Queued],
        queue: Some(task.spec.queue.clone()),
        limit: Some(LOOKED_AT),
        next_first: true,
        ..TaskFilter::default()
    };
    // At the same time, on one connection.
    let (status, queues, active, queued) =
        tokio::join!(client.status(), client.queues(), client.tasks(&active), client.tasks(&queued));
    let queue = queues?.into_iter().find(|queue| queue.name == task.spec.queue);
    let queued = queued?;
    // Who is among those that start first knows all that start before it.
    let is_cut = queued.cut && !queued.tasks.iter().any(|other| other.id == task.id);
    let ahead = queued.tasks.iter().filter(|other| rank(other) < rank(task)).count();
    Ok(Place { status: status?, queue, active: active?.tasks, ahead, is_cut })
}

/// Returns the place of a task in its queue: lower ones start first.
fn rank(task: &Task) -> (Reverse<i32>, i64, TaskId) {
    (Reverse(task.spec.priority), task.position, task.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn priority_then_position_then_number_decide_who_is_ahead() {
        let task = |id, priority, position| {
            let mut task = samples::queued();
            (task.id, task.spec.priority, task.position) = (samples::task_id(id), priority, position);
            task
        };
        let mut tasks = [task(4, 0, 5), task(1, 0, 9), task(3, 1, 9), task(2, 0, 5)];
        tasks.sort_by_key(rank);
        assert_eq!(tasks.map(|task| task.id.get()), [3, 2, 4, 1]);
    }
}
