//! All projects of a user.

use crate::cli::render::table::{Align, Cell, Column, Table};
use crate::domain::text::neutralize;
use crate::view::ps::ProjectView;

/// Returns a line for each project. Where space is short the paths are cut.
pub fn table(projects: &[ProjectView], width: Option<usize>) -> String {
    let mut table = Table::new(vec![
        Column::new("PROJECT", Align::Left),
        Column::new("RUNNING", Align::Right),
        Column::new("QUEUED", Align::Right),
        Column::new("WAITING", Align::Right).expendable(1),
        Column::new("FAILED", Align::Right),
        Column::new("DAEMON", Align::Left),
    ])
    .cutting(0);
    let number = |count: Option<u64>| Cell::new(count.map_or_else(|| "-".to_owned(), |count| count.to_string()));
    for project in projects {
        let daemon = match (project.pid, &project.reason) {
            (Some(pid), _) => format!("{} (pid {pid})", project.state),
            (None, Some(reason)) => format!("{}: {}", project.state, neutralize(reason)),
            (None, None) => project.state.to_owned(),
        };
        table.push(vec![
            Cell::new(neutralize(&project.project)),
            number(project.running),
            number(project.queued),
            number(project.waiting),
            number(project.failed),
            Cell::new(daemon),
        ]);
    }
    table.draw(width)
}
