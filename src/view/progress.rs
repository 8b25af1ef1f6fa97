//! How far a task says it is.

use serde::Serialize;

use crate::domain::id::TaskId;
use crate::domain::progress::{Progress, Taken};
use crate::view::time::rfc3339;

/// A progress as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgressView {
    done: Option<u64>,
    total: Option<u64>,
    percent: Option<u8>,
    message: Option<String>,
    at: String,
}

impl ProgressView {
    /// Returns the view of a progress.
    pub fn of(progress: &Progress) -> Self {
        Self {
            done: progress.done,
            total: progress.total,
            percent: progress.percent(),
            message: progress.message.clone(),
            at: rfc3339(progress.at),
        }
    }
}

/// The answer of `progress`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenView {
    task: u64,
    attempt: u32,
    progress: ProgressView,
    stored: bool,
}

impl TakenView {
    /// Returns the view of what came of telling the progress of a task.
    pub fn of(id: TaskId, taken: &Taken) -> Self {
        let progress = &taken.progress;
        Self { task: id.get(), attempt: progress.attempt, progress: ProgressView::of(progress), stored: taken.stored }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{json, samples};

    #[test]
    fn what_was_taken() {
        let taken = Taken { progress: samples::progress(), stored: false };
        insta::assert_snapshot!(json::line(&TakenView::of(samples::task_id(14), &taken)).unwrap(), @r#"{"task":14,"attempt":1,"progress":{"done":40,"total":200,"percent":20,"message":"a\u001bb","at":"2026-01-15T10:30:00.000Z"},"stored":false}"#);
    }
}
