//! What a hook reads.

use std::path::Path;

use serde::Serialize;

use crate::domain::hook::Occasion;
use crate::view::event::EventView;
use crate::view::queue::QueueView;
use crate::view::task::TaskView;

/// An event as a hook reads it: the keys of an event, and after them what it is told besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OccasionView {
    #[serde(flatten)]
    event: EventView,
    hook: String,
    on: &'static str,
    task_details: Option<TaskView>,
    queue_details: Option<QueueView>,
}

impl OccasionView {
    /// Returns the view of something that a hook is run for, with paths of outputs under `apex_dir`.
    pub fn of(occasion: &Occasion, apex_dir: &Path) -> Self {
        let queue = occasion.queue.as_ref().filter(|_| occasion.change.queue.is_some());
        Self {
            event: EventView::of(&occasion.change),
            hook: occasion.hook.clone(),
            on: occasion.event.as_str(),
            task_details: occasion.task.as_ref().map(|task| TaskView::of(task, apex_dir)),
            queue_details: queue.map(QueueView::of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hook::HookEvent;
    use crate::view::{json, samples};

    #[test]
    fn an_event_with_its_task_and_one_of_a_queue() {
        let of_task = Occasion {
            hook: "tell".to_owned(),
            event: HookEvent::Start,
            change: samples::started(),
            task: Some(samples::queued()),
            queue: Some(samples::paused_queue()),
        };
        let value = serde_json::to_value(OccasionView::of(&of_task, Path::new("/p/.apex"))).unwrap();
        assert_eq!((&value["seq"], &value["kind"], &value["task"]), (&7.into(), &"task.started".into(), &12.into()));
        assert_eq!((&value["hook"], &value["on"]), (&"tell".into(), &"start".into()));
        assert_eq!(value["task_details"]["command"], "cargo test");
        assert_eq!(value["queue_details"], serde_json::Value::Null, "that is told with the task");
        let of_queue = Occasion { change: samples::queue_paused(), task: None, ..of_task };
        let text = json::line(&OccasionView::of(&of_queue, Path::new("/p/.apex"))).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["queue_details"]["name"], &value["task_details"]),
            (&"gpu".into(), &serde_json::Value::Null)
        );
        assert!(text.starts_with("{\"seq\":8,"), "{text}");
    }
}
