//! What happened.

use serde::Serialize;

use crate::domain::change::Change;
use crate::domain::id::Seq;
use crate::domain::task::State;
use crate::view::progress::ProgressView;
use crate::view::time::rfc3339;

/// A change of a task, a queue or a schedule, or a place where changes are missing, as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventView {
    seq: u64,
    at: Option<String>,
    kind: &'static str,
    task: Option<u64>,
    attempt: Option<u32>,
    from: Option<&'static str>,
    to: Option<&'static str>,
    by: Option<String>,
    reason: Option<String>,
    queue: Option<String>,
    schedule: Option<String>,
    progress: Option<ProgressView>,
}

impl EventView {
    /// Returns the view of `change`, with the states as [`Change::states_shown`] has them.
    pub fn of(change: &Change) -> Self {
        let (from, to) = change.states_shown();
        Self {
            seq: change.seq.0,
            at: Some(rfc3339(change.at)),
            kind: change.kind.as_str(),
            task: change.task.map(|id| id.get()),
            attempt: change.attempt,
            from: from.map(State::as_str),
            to: to.map(State::as_str),
            by: Some(change.by.to_string()),
            reason: change.reason.clone(),
            queue: change.queue.clone(),
            schedule: change.schedule.clone(),
            progress: change.progress.as_ref().map(ProgressView::of),
        }
    }

    /// Returns the view of a place where changes are missing because they were forgotten, up to number `until`.
    pub fn gap(until: Seq) -> Self {
        Self {
            seq: until.0,
            at: None,
            kind: "gap",
            task: None,
            attempt: None,
            from: None,
            to: None,
            by: None,
            reason: None,
            queue: None,
            schedule: None,
            progress: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::ChangeKind;
    use crate::view::{json, samples};

    fn shown(change: &Change) -> String {
        json::line(&EventView::of(change)).unwrap()
    }

    #[test]
    fn a_task_that_started() {
        insta::assert_snapshot!(shown(&samples::started()), @r#"{"seq":7,"at":"2026-01-15T10:30:00.000Z","kind":"task.started","task":12,"attempt":1,"from":"queued","to":"running","by":"daemon","reason":null,"queue":null,"schedule":null,"progress":null}"#);
    }

    #[test]
    fn a_claim_is_no_move() {
        let change = Change {
            kind: ChangeKind::Claimed,
            from: Some(State::Queued),
            to: Some(State::Starting),
            ..samples::started()
        };
        let value = serde_json::to_value(EventView::of(&change)).unwrap();
        assert_eq!((&value["from"], &value["to"]), (&"queued".into(), &"queued".into()));
    }

    #[test]
    fn a_queue_that_was_paused() {
        insta::assert_snapshot!(shown(&samples::queue_paused()), @r#"{"seq":8,"at":"2026-01-15T10:30:00.000Z","kind":"queue.paused","task":null,"attempt":null,"from":null,"to":null,"by":"cli:4711","reason":"new driver","queue":"gpu","schedule":null,"progress":null}"#);
    }

    #[test]
    fn a_gap_has_the_same_keys() {
        insta::assert_snapshot!(json::line(&EventView::gap(Seq(41))).unwrap(), @r#"{"seq":41,"at":null,"kind":"gap","task":null,"attempt":null,"from":null,"to":null,"by":null,"reason":null,"queue":null,"schedule":null,"progress":null}"#);
    }
}
