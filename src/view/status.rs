//! The whole project at a glance.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::domain::query::Counts;
use crate::domain::queue::Queue;
use crate::domain::task::{State, Task};
use crate::domain::window::Standing;
use crate::view::daemon::DaemonView;
use crate::view::queue::QueueView;
use crate::view::schedule::ScheduleView;
use crate::view::task::TaskView;
use crate::view::window::WindowsView;

/// The answer of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusView {
    daemon: DaemonView,
    counts: BTreeMap<&'static str, u64>,
    running: Vec<TaskView>,
    waiting: Vec<TaskView>,
    failed: Vec<TaskView>,
    queues: Vec<QueueView>,
    schedules: Vec<ScheduleView>,
    windows: WindowsView,
}

impl StatusView {
    /// Returns the view of a project: its daemon, how many tasks there are in each state, those that run, those that
    /// wait, those that failed last, the latest first, its queues, and the schedules that are due next.
    ///
    /// Shape: the lists of tasks may hold fewer tasks than `counts` says; `counts` is complete and has every state.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the screen")]
    pub fn of(
        daemon: DaemonView,
        counts: &Counts,
        running: &[Task],
        waiting: &[Task],
        failed: &[Task],
        queues: &[Queue],
        schedules: Vec<ScheduleView>,
        apex_dir: &Path,
    ) -> Self {
        let views = |tasks: &[Task]| tasks.iter().map(|task| TaskView::of(task, apex_dir)).collect();
        let mut by_word = BTreeMap::new();
        for state in State::ALL {
            *by_word.entry(state.shown().as_str()).or_insert(0) += counts.of(state);
        }
        Self {
            daemon,
            counts: by_word,
            running: views(running),
            waiting: views(waiting),
            failed: views(failed),
            queues: queues.iter().map(QueueView::of).collect(),
            schedules,
            windows: WindowsView::of(&Standing::default()),
        }
    }

    /// Adds which time windows are open.
    #[must_use]
    pub fn with_windows(self, windows: &Standing) -> Self {
        Self { windows: WindowsView::of(windows), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::daemon::Places;
    use crate::view::{json, samples};

    #[test]
    fn what_starts_counts_as_running() {
        let places = Places { project: Path::new("/p"), socket: Path::new("/p/s"), log_file: Path::new("/p/l") };
        let counts = samples::daemon().counts;
        let (daemon, waiting, queues) = (DaemonView::stopped(places), [samples::queued()], [samples::paused_queue()]);
        let view = StatusView::of(daemon, &counts, &[], &waiting, &[], &queues, Vec::new(), Path::new("/p"));
        let value: serde_json::Value = serde_json::from_str(&json::line(&view).unwrap()).unwrap();
        insta::assert_json_snapshot!(value["counts"], @r#"
        {
          "blocked": 0,
          "cancelled": 0,
          "failed": 2,
          "held": 1,
          "interrupted": 0,
          "lost": 0,
          "paused": 0,
          "queued": 2,
          "retrying": 1,
          "running": 1,
          "scheduled": 0,
          "skipped": 0,
          "succeeded": 40,
          "timed_out": 0
        }
        "#);
        assert_eq!(value["counts"]["starting"], serde_json::Value::Null);
        assert_eq!(value["waiting"][0]["id"], 12);
        assert_eq!(value["failed"], serde_json::json!([]));
        assert_eq!(value["daemon"]["running"], false);
        assert_eq!(value["queues"][0]["name"], "gpu");
    }
}
