//! The whole project on one screen.

use crate::cli::render::table::{Align, Cell, Column, Table, cut};
use crate::cli::render::task::{command, time_taken};
use crate::cli::render::{HEADING, UNTRUSTED, ago, queue, running_in_words, state_style, waiting_in_words};
use crate::domain::daemon::DaemonStatus;
use crate::domain::query::Counts;
use crate::domain::queue::Queue;
use crate::domain::task::{State, Task};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::paths::Project;

/// What the screen shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// The daemon; `None` if none runs.
    pub daemon: Option<DaemonStatus>,
    /// How many tasks there are; `None` if there is no store yet.
    pub counts: Option<Counts>,
    /// The project came from elsewhere and nobody has accepted it.
    pub untrusted: bool,
    /// The queues; none if there is no store yet.
    pub queues: Vec<Queue>,
    /// Tasks that hold a slot.
    pub running: Vec<Task>,
    /// Tasks that wait, those first that come first.
    pub waiting: Vec<Task>,
    /// Tasks that did not succeed, the last one first.
    pub failed: Vec<Task>,
}

/// How many tasks of each kind are shown.
pub const SHOWN_MAX: usize = 10;

/// Returns the lines of the screen.
pub fn screen(screen: &Screen, project: &Project, now: Timestamp, width: Option<usize>) -> String {
    let root = neutralize(&project.root().to_string_lossy()).into_owned();
    let daemon = match &screen.daemon {
        Some(status) => running_in_words(status),
        None => "not running; nothing is started (`apex daemon start` starts it)".to_owned(),
    };
    let mut lines =
        vec![format!("{HEADING}project{HEADING:#}  {root}"), format!("{HEADING}daemon{HEADING:#}   {daemon}")];
    if screen.untrusted {
        lines.push(format!("{HEADING}trust{HEADING:#}    {UNTRUSTED}"));
    }
    if let Some(overview) = queue::overview(&screen.queues, now, width) {
        lines.extend([format!("{HEADING}queues{HEADING:#}"), overview]);
    }
    let empty = Counts::default();
    let counts = screen.counts.as_ref().unwrap_or(&empty);

    let active = counts.sum(State::is_active);
    match (active, &screen.daemon) {
        (0, _) => lines.push(format!("{HEADING}running{HEADING:#}  nothing")),
        (count, Some(_)) => lines.push(format!("{HEADING}running{HEADING:#}  {count}")),
        // What the store says of them is how they stood when the daemon went.
        (count, None) => lines.push(format!("{HEADING}running{HEADING:#}  {count} when the daemon was last seen")),
    }
    lines.extend(table(&screen.running, width, |task| time_taken(task, now).unwrap_or_default()));

    let waiting = waiting_in_words(counts).unwrap_or_else(|| "nothing".to_owned());
    lines.push(format!("{HEADING}waiting{HEADING:#}  {waiting}"));
    lines.extend(table(&screen.waiting, width, |task| ago(task.created_at, now)));

    if !screen.failed.is_empty() {
        lines.push(format!("{HEADING}failed last{HEADING:#}"));
        let when = |task: &Task| task.ended_at.map(|at| ago(at, now)).unwrap_or_default();
        lines.extend(table(&screen.failed, width, when));
    }
    lines.join("\n")
}

fn table(tasks: &[Task], width: Option<usize>, time: impl Fn(&Task) -> String) -> Option<String> {
    if tasks.is_empty() {
        return None;
    }
    let mut table = Table::new(vec![
        Column::new("ID", Align::Right),
        Column::new("STATE", Align::Left),
        Column::new("TIME", Align::Right).expendable(2),
        Column::new("WHY", Align::Left).expendable(3),
        Column::new("NAME", Align::Left).expendable(1),
        Column::new("COMMAND", Align::Left),
    ])
    .indented(2);
    for task in tasks.iter().take(SHOWN_MAX) {
        let state = task.state.shown();
        let short = |text: Option<&str>| text.map(|text| cut(&neutralize(text), 32)).unwrap_or_default();
        table.push(vec![
            Cell::new(task.id.to_string()),
            Cell::new(state.as_str()).styled(state_style(state)),
            Cell::new(time(task)),
            Cell::new(short(task.reason.as_deref())),
            Cell::new(short(task.spec.name.as_deref())),
            Cell::new(command(task)),
        ]);
    }
    Some(table.draw(width))
}
