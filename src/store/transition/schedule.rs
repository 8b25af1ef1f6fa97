//! What a schedule makes of its tasks.

use std::sync::Arc;

use crate::domain::change::{Actor, ChangeKind};
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::schedule::{Schedule, Terms};
use crate::domain::task::{Environment, NewTask};
use crate::domain::time::Timestamp;
use crate::store::schedule::{EditSchedule, ScheduleNotEdited};
use crate::store::task::{Add, Cancel};
use crate::store::transition::Note;

/// Why a schedule is paused that cannot go on.
pub(in crate::store) const ASIDE: &str = "what is stored about it cannot be read";

/// Makes the task that a schedule adds.
pub(in crate::store) fn task_of(
    schedule: &Schedule,
    env: Environment,
    uuid: TaskUuid,
    after_any: Vec<TaskId>,
    by: Actor,
    now: Timestamp,
) -> Add {
    let mut spec = schedule.spec.clone();
    spec.after_any = after_any;
    Add { task: NewTask { uuid, spec, env, hold: false, parent: None }, by, now, untrusted: false }
}

/// Returns when a schedule is due next after an edit.
pub(in crate::store) fn edit_of_schedule(
    wish: &EditSchedule,
    schedule: &Schedule,
) -> Result<Option<Timestamp>, ScheduleNotEdited> {
    wish.edit.check(schedule)?;
    match wish.next {
        Some(next) if schedule.next_at != next.cursor => Err(ScheduleNotEdited::Moved),
        Some(next) => Ok(Some(next.at).filter(|_| schedule.pause.is_none())),
        None => Ok(schedule.next_at),
    }
}

/// Makes of a schedule what was asked for.
pub(in crate::store) fn edited_schedule(
    schedule: &mut Schedule,
    terms: &Terms,
    env_names: Arc<[String]>,
    next_at: Option<Timestamp>,
) {
    let Terms { when, time_zone, missed, overlap, spec } = terms.clone();
    (schedule.when, schedule.time_zone, schedule.missed, schedule.overlap) = (when, time_zone, missed, overlap);
    (schedule.spec, schedule.env_names, schedule.next_at) = (spec, env_names, next_at);
}

/// Makes the cancel of tasks of a schedule that is due again.
pub(in crate::store) fn cancel_of(name: &str, ids: Vec<TaskId>, now: Timestamp) -> Cancel {
    let by = Actor::Schedule(name.to_owned());
    Cancel { ids, only: None, reason: Some(format!("schedule {name} is due again")), by, now }
}

/// Makes the note of a schedule that was due and added no task.
pub(in crate::store) fn schedule_note(name: &str, kind: ChangeKind, now: Timestamp, reason: String) -> Note {
    Note::of_schedule(name, kind, now, Actor::Daemon).because(Some(reason))
}

/// Says that no task is added because of one that has not ended.
pub(in crate::store) fn waits_for(id: TaskId) -> String {
    format!("task {id} has not ended")
}

/// Says which times were missed, the first and the last of them.
pub(in crate::store) fn missed((first, last): (Timestamp, Timestamp)) -> String {
    let shown = |at: Timestamp| {
        let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
        instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    if first == last {
        format!("its time was missed: {}", shown(first))
    } else {
        format!("its times were missed: {} to {}", shown(first), shown(last))
    }
}
