//! What a task waits for.

use serde::Serialize;

use crate::domain::task::Task;

/// The answer of `task why`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyView {
    id: u64,
    state: &'static str,
    why: String,
}

impl WhyView {
    /// Returns the view of `why`, a sentence about `task`.
    pub fn of(task: &Task, why: String) -> Self {
        Self { id: task.id.get(), state: task.state.shown().as_str(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{json, samples};

    #[test]
    fn a_sentence_about_a_task() {
        let view = WhyView::of(&samples::queued(), "it waits for a slot".to_owned());
        insta::assert_snapshot!(json::line(&view).unwrap(), @r#"{"id":12,"state":"queued","why":"it waits for a slot"}"#);
    }
}
