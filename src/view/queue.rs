//! A queue.

use serde::Serialize;

use crate::domain::queue::Queue;
use crate::view::task::instant;

/// A queue as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueView {
    name: String,
    slots: u32,
    weight: Option<u32>,
    paused: bool,
    paused_reason: Option<String>,
    paused_until: Option<String>,
    running: u64,
    queued: u64,
    waiting: u64,
}

impl QueueView {
    /// Returns the view of `queue`. Those that hold a slot are its running ones, whether they are paused or not.
    pub fn of(queue: &Queue) -> Self {
        let pause = queue.pause.as_ref();
        Self {
            name: queue.name.clone(),
            slots: queue.slots,
            weight: queue.weight,
            paused: pause.is_some(),
            paused_reason: pause.and_then(|pause| pause.reason.clone()),
            paused_until: instant(pause.and_then(|pause| pause.until)),
            running: queue.active,
            queued: queue.queued,
            waiting: queue.waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{json, samples};

    #[test]
    fn one_that_is_paused_and_one_that_is_not() {
        insta::assert_snapshot!(json::line(&QueueView::of(&samples::paused_queue())).unwrap(), @r#"{"name":"gpu","slots":2,"weight":null,"paused":true,"paused_reason":"new driver","paused_until":"2026-01-15T11:30:00.000Z","running":1,"queued":5,"waiting":0}"#);
        insta::assert_snapshot!(json::line(&QueueView::of(&samples::queue())).unwrap(), @r#"{"name":"default","slots":0,"weight":null,"paused":false,"paused_reason":null,"paused_until":null,"running":1,"queued":2,"waiting":2}"#);
    }
}
