//! Time windows, as they stand.

use serde::Serialize;

use crate::domain::window::{NextChange, OpenWindow, Standing};
use crate::view::task::instant;

/// Which windows are open, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowsView {
    open: Vec<OpenView>,
    next_change: Option<ChangeView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct OpenView {
    name: String,
    opened_at: Option<String>,
    closes_at: Option<String>,
    time_zone: Option<String>,
    max_concurrent: Option<u32>,
    pause: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ChangeView {
    at: Option<String>,
    opens: Vec<String>,
    closes: Vec<String>,
}

impl WindowsView {
    /// Returns the view of how windows stand.
    pub fn of(standing: &Standing) -> Self {
        let open = standing.open.iter().cloned();
        let view = |OpenWindow { name, opened_at, closes_at, time_zone, max_concurrent, pause }| OpenView {
            name,
            opened_at: instant(Some(opened_at)),
            closes_at: instant(closes_at),
            time_zone,
            max_concurrent,
            pause,
        };
        let change = |NextChange { at, opens, closes, .. }| ChangeView { at: instant(Some(at)), opens, closes };
        Self { open: open.map(view).collect(), next_change: standing.next.clone().map(change) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{json, samples};

    #[test]
    fn one_that_is_open_and_what_comes_next() {
        insta::assert_snapshot!(json::line(&WindowsView::of(&samples::windows())).unwrap(), @r#"{"open":[{"name":"day","opened_at":"2026-01-15T08:00:00.000Z","closes_at":"2026-01-15T17:00:00.000Z","time_zone":"Europe/Vienna","max_concurrent":1,"pause":["gpu"]}],"next_change":{"at":"2026-01-15T17:00:00.000Z","opens":["night"],"closes":["day"]}}"#);
        insta::assert_snapshot!(json::line(&WindowsView::of(&Standing::default())).unwrap(), @r#"{"open":[],"next_change":null}"#);
    }
}
