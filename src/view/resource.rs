//! Resources as they stand.

use serde::Serialize;

use crate::domain::resource::{ResourceState, ResourceWait};
use crate::view::time::rfc3339;

/// A resource as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceView {
    name: String,
    unit: &'static str,
    total: u64,
    used: u64,
    indices: Option<Vec<u32>>,
    free_indices: Option<Vec<u32>>,
}

impl ResourceView {
    /// Returns the view of `resource`.
    pub fn of(resource: &ResourceState) -> Self {
        let (indices, free_indices) = resource.pieces.clone().unzip();
        Self {
            name: resource.name.clone(),
            unit: if resource.total.is_size() { "bytes" } else { "count" },
            total: resource.total.get(),
            used: resource.held,
            indices,
            free_indices,
        }
    }
}

/// A task that is ready and waits for a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceWaitView {
    task: u64,
    since: String,
    reserves_at: String,
}

impl ResourceWaitView {
    /// Returns the view of `wait`.
    pub fn of(wait: &ResourceWait) -> Self {
        Self { task: wait.task.get(), since: rfc3339(wait.since), reserves_at: rfc3339(wait.reserves_at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resource::Amount;
    use crate::view::{json, samples};

    #[test]
    fn pieces_sizes_and_who_waits() {
        let gpu = ResourceState {
            name: "gpu".to_owned(),
            total: Amount::Count(2),
            held: 1,
            pieces: Some((vec![0, 1], vec![1])),
        };
        insta::assert_snapshot!(json::line(&ResourceView::of(&gpu)).unwrap(), @r#"{"name":"gpu","unit":"count","total":2,"used":1,"indices":[0,1],"free_indices":[1]}"#);
        let mem = ResourceState { name: "mem".to_owned(), total: Amount::Bytes(1024), held: 0, pieces: None };
        insta::assert_snapshot!(json::line(&ResourceView::of(&mem)).unwrap(), @r#"{"name":"mem","unit":"bytes","total":1024,"used":0,"indices":null,"free_indices":null}"#);
        let wait = ResourceWait { task: samples::task_id(12), since: samples::NOW, reserves_at: samples::NOW };
        insta::assert_snapshot!(json::line(&ResourceWaitView::of(&wait)).unwrap(), @r#"{"task":12,"since":"2026-01-15T10:30:00.000Z","reserves_at":"2026-01-15T10:30:00.000Z"}"#);
    }
}
