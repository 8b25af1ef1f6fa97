//! What one turn of the loop brings to the store: starts, ends and claims, in one transaction.
//!
//! A commit costs as much for one as for twenty. So what has happened when the loop looks is stored together, and while
//! one turn is being stored the next one gathers. An end carries its start along; a start that is still to be stored when
//! its end is there is left out.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::domain::attempt::Output;
use crate::domain::id::AssignmentId;
use crate::engine::handle::Shared;
use crate::engine::job::{Done, Move, Record, on_disk};
use crate::engine::supervise::tell_end;
use crate::engine::{Error, jitter};
use crate::fault::crash_point;
use crate::output;
use crate::store::task::{Claim, Finished, Step, Stepped};

/// Adds a move to those that wait for the next turn.
pub(super) fn push(turn: &mut Vec<Move>, one: Move) {
    if let Move::Record(record) = &one {
        turn.retain(|other| !matches!(other, Move::Start(start) if start.assignment == record.assignment));
    }
    turn.push(one);
}

/// What a step was asked for: its answer alone does not say whose it is.
enum Asked {
    Claim { room: usize },
    Start(AssignmentId),
    Unclaim(AssignmentId, String),
    Record(AssignmentId),
}

/// Stores what a turn brings, and returns what it came to.
///
/// # Cancel safety
/// Not cancel-safe: what it came to would be lost.
pub(super) async fn perform(shared: Arc<Shared>, turn: Vec<Move>) -> Vec<Done> {
    let (mut steps, mut asked, mut records, mut done) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut claims = Vec::new();
    for one in turn {
        match one {
            Move::Start(start) => {
                asked.push(Asked::Start(start.assignment));
                steps.push(Step::Start(start));
            }
            Move::Unclaim(unclaim) => {
                asked.push(Asked::Unclaim(unclaim.assignment, unclaim.reason.clone()));
                steps.push(Step::Unclaim(unclaim));
            }
            Move::Record(record) => records.push(*record),
            Move::Claim { room, after, shut, owner, boot, now, lease_until, terms } => {
                let assignments = (0..room).map(|_| AssignmentId(Uuid::now_v7())).collect();
                claims.push((room, Claim { owner, boot, assignments, after, shut, now, lease_until, terms }));
            }
        }
    }
    if !records.is_empty() {
        let ids: Vec<_> = records.iter().map(|record| record.id).collect();
        shared.save_progress(Some(&ids)).await;
    }
    for (record, outputs) in seal(&shared, records).await {
        let assignment = record.assignment;
        match outputs {
            Ok(outputs) => {
                asked.push(Asked::Record(assignment));
                steps.push(Step::Finish(Box::new(record.into_finish(outputs, jitter()))));
            }
            Err(error) => done.push(Done::Recorded { assignment, finished: Err(error.into()) }),
        }
    }
    // Last, so that it finds the slots free that are given back here.
    for (room, claim) in claims {
        asked.push(Asked::Claim { room });
        steps.push(Step::Claim(claim));
    }
    if !steps.is_empty() {
        let stepped = shared.store.steps(steps).await;
        done.extend(asked.into_iter().zip(stepped).filter_map(|(asked, stepped)| answer(&shared, asked, stepped)));
    }
    done
}

/// Finishes the outputs of attempts that have ended.
async fn seal(shared: &Arc<Shared>, records: Vec<Record>) -> Vec<(Record, Result<Vec<Output>, output::Error>)> {
    if records.is_empty() {
        return Vec::new();
    }
    let attempts: Vec<_> = records.iter().map(|record| (record.id, record.number, record.split_output)).collect();
    let sealed = if shared.finishes_at_once() {
        // Quicker than waking another thread for it.
        shared.outputs.seal_all(attempts)
    } else {
        on_disk(shared, move |shared| shared.outputs.seal_all(attempts)).await
    };
    crash_point("apexd.output.sealed");
    records.into_iter().zip(sealed).collect()
}

/// Returns what a step came to. Each is answered with its own kind.
fn answer(shared: &Shared, asked: Asked, stepped: Stepped) -> Option<Done> {
    Some(match (asked, stepped) {
        (Asked::Claim { room }, Stepped::Claimed(claimed)) => {
            crash_point("apexd.claim.committed");
            Done::Claimed { claimed, asked: room }
        }
        (Asked::Start(assignment), Stepped::Started(started)) => {
            crash_point("apexd.start.committed");
            Done::Started { assignment, started }
        }
        (Asked::Unclaim(assignment, reason), Stepped::Unclaimed(released)) => {
            crash_point("apexd.unclaim.committed");
            Done::Released { assignment, released, reason }
        }
        (Asked::Record(assignment), Stepped::Finished(finished)) => {
            if let Ok(finished) = &finished {
                crash_point("apexd.finish.committed");
                tell_end(&finished.task);
                measure(shared, finished);
            }
            Done::Recorded { assignment, finished: finished.map_err(Error::from) }
        }
        _ => return None,
    })
}

fn measure(shared: &Shared, finished: &Finished) {
    if let (true, Some(started)) = (finished.recorded, finished.task.started_at) {
        let length: Duration = finished.task.ended_at.unwrap_or(finished.task.updated_at).since(started);
        shared.run_time.lock().unwrap_or_else(PoisonError::into_inner).observe(length);
    }
}
