//! The whole project on one screen.

use crate::cli::render::sheet::Sheet;
use crate::cli::render::table::{Align, Cell, Column, Table, cut};
use crate::cli::render::task::{command, time_taken, waits_for};
use crate::cli::render::{
    UNTRUSTED, ago, progress, queue, resource, room, running_in_words, schedule, state_style, waiting_in_words, window,
};
use crate::domain::daemon::DaemonStatus;
use crate::domain::query::Counts;
use crate::domain::queue::Queue;
use crate::domain::resource::Resources;
use crate::domain::schedule::Schedule;
use crate::domain::task::{State, Task};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::domain::window::Standing;
use crate::paths::Project;

/// What the screen shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// The daemon; `None` if none runs.
    pub daemon: Option<DaemonStatus>,
    /// How a daemon stands that lives and cannot be reached.
    pub out_of_reach: Option<String>,
    /// How many tasks there are; `None` if there is no store yet.
    pub counts: Option<Counts>,
    /// The project came from elsewhere and nobody has accepted it.
    pub untrusted: bool,
    /// The queues; none if there is no store yet.
    pub queues: Vec<Queue>,
    /// The resources.
    pub resources: Resources,
    /// The schedules that are due next.
    pub schedules: Vec<Schedule>,
    /// Which time windows are open.
    pub windows: Standing,
    /// Tasks that hold a slot.
    pub running: Vec<Task>,
    /// Tasks that wait, those first that come first.
    pub waiting: Vec<Task>,
    /// Tasks that did not succeed, the last one first.
    pub failed: Vec<Task>,
    /// How many queues are shown.
    pub queues_max: usize,
}

impl Screen {
    /// Leaves out what there is no room for: on a terminal of so many rows if that is known, else beyond a few of each.
    pub fn fit(&mut self, rows: Option<usize>, project: &Project, now: Timestamp, width: Option<usize>) {
        self.queues_max = room::queues(rows);
        let [mut running, waiting, mut failed] =
            [&mut self.running, &mut self.waiting, &mut self.failed].map(std::mem::take);
        let mut schedules = std::mem::take(&mut self.schedules);
        schedules.truncate(SCHEDULES_MAX);
        let wanted = [running.len(), waiting.len(), failed.len(), schedules.len()];
        let shown = match rows {
            Some(rows) => {
                let headings = usize::from(wanted[2] > 0) + usize::from(wanted[3] > 0);
                // One for what is said of what is left out, and one for the prompt.
                let others = screen(self, project, now, width).lines().count() + headings + 2;
                room::divide(rows.saturating_sub(others), wanted, room::SHOWN_MIN)
            }
            None => wanted.map(|wanted| wanted.min(room::SHOWN)),
        };
        running.truncate(shown[0]);
        failed.truncate(shown[2]);
        schedules.truncate(shown[3]);
        // Of what is next, of what waits for its time and of what waits for somebody or something else none hides the others.
        let kinds: [fn(State) -> bool; 3] = [is_next, is_timed, |state| !is_next(state) && !is_timed(state)];
        let kinds = kinds.map(|is| waiting.iter().filter(|task| is(task.state)).cloned().collect::<Vec<Task>>());
        let shares = room::divide(shown[1], kinds.each_ref().map(Vec::len), 0);
        let waiting = kinds.into_iter().zip(shares).flat_map(|(tasks, share)| tasks.into_iter().take(share)).collect();
        self.schedules = schedules;
        (self.running, self.waiting, self.failed) = (running, waiting, failed);
    }
}

/// How many schedules are shown.
const SCHEDULES_MAX: usize = 5;
/// Widest reason and widest name.
const SHORT_WIDTH_MAX: usize = 32;

fn is_next(state: State) -> bool {
    state == State::Queued
}

/// It waits for a time.
pub fn is_timed(state: State) -> bool {
    matches!(state, State::Scheduled | State::Retrying)
}

/// Returns the lines of the screen, none wider than `width`.
pub fn screen(screen: &Screen, project: &Project, now: Timestamp, width: Option<usize>) -> String {
    let mut sheet = Sheet::new();
    sheet.topic("project", neutralize(&project.root().to_string_lossy()));
    sheet.topic(
        "daemon",
        match (&screen.daemon, &screen.out_of_reach) {
            (Some(status), _) => running_in_words(status),
            (None, Some(standing)) => standing.clone(),
            (None, None) => "not running; nothing is started (`apex daemon start` starts it)".to_owned(),
        },
    );
    if screen.untrusted {
        sheet.topic("trust", UNTRUSTED);
    }
    if let Some(lacking) = screen.daemon.as_ref().and_then(|status| status.held_up.as_ref()) {
        sheet.topic("held up", neutralize(lacking));
    }
    if let Some(overview) = resource::overview(&screen.resources, width) {
        sheet.topic("resources", "");
        sheet.block(Some(overview));
    }
    if let Some(next) = window::next(&screen.windows, now) {
        sheet.topic("windows", next);
        sheet.block(window::overview(&screen.windows, now, width));
    }
    if let Some(overview) = queue::overview(&screen.queues, screen.queues_max, now, width) {
        sheet.topic("queues", "");
        sheet.block(Some(overview));
    }
    let empty = Counts::default();
    let counts = screen.counts.as_ref().unwrap_or(&empty);
    let reason = |task: &Task| task.reason.as_deref().map(|reason| neutralize(reason).into_owned());

    let active = counts.sum(State::is_active);
    sheet.topic(
        "running",
        match (active, &screen.daemon) {
            (0, _) => "nothing".to_owned(),
            (count, Some(_)) => count.to_string(),
            // What the store says of them is how they stood when the daemon went.
            (count, None) => format!("{count} when the daemon was last seen"),
        },
    );
    sheet.block(table(
        &screen.running,
        width,
        |task| time_taken(task, now).unwrap_or_default(),
        |task| progress::whole(task).or_else(|| reason(task)),
    ));

    sheet.topic("waiting", waiting_in_words(counts).unwrap_or_else(|| "nothing".to_owned()));
    sheet.block(table(
        &screen.waiting,
        width,
        |task| ago(task.created_at, now),
        |task| {
            // Where no slot is free, more of a resource would not help.
            let is_full = screen.daemon.as_ref().is_some_and(|daemon| daemon.used() >= daemon.slots());
            let waits = resource::waits(task, &screen.resources, now);
            waits_for(task, now).or(waits.filter(|_| task.state == State::Queued && !is_full))
        },
    ));

    if let Some(overview) = schedule::overview(&screen.schedules, now, width) {
        sheet.topic("schedules", "");
        sheet.block(Some(overview));
    }
    if !screen.failed.is_empty() {
        sheet.topic("failed last", "");
        let when = |task: &Task| task.ended_at.map(|at| ago(at, now)).unwrap_or_default();
        sheet.block(table(&screen.failed, width, when, reason));
    }
    sheet.draw(width)
}

/// Returns the widest that a reason or a name may be: both together must leave room for the command.
fn short_width(width: Option<usize>) -> usize {
    width.map_or(usize::MAX, |width| (width / 4).clamp(12, SHORT_WIDTH_MAX))
}

fn table(
    tasks: &[Task],
    width: Option<usize>,
    time: impl Fn(&Task) -> String,
    why: impl Fn(&Task) -> Option<String>,
) -> Option<String> {
    if tasks.is_empty() {
        return None;
    }
    let mut table = Table::new(vec![
        Column::new("ID", Align::Right),
        Column::new("STATE", Align::Left),
        Column::new("TIME", Align::Right).expendable(3),
        Column::new("WHY", Align::Left).expendable(1),
        Column::new("NAME", Align::Left).expendable(2),
        Column::new("COMMAND", Align::Left),
    ])
    .indented(2);
    for task in tasks {
        let state = task.state.shown();
        let short = |text: Option<String>| text.map(|text| cut(&text, short_width(width))).unwrap_or_default();
        table.push(vec![
            Cell::new(task.id.to_string()),
            Cell::new(state.as_str()).styled(state_style(state)),
            Cell::new(time(task)),
            Cell::new(short(why(task))),
            Cell::new(short(task.spec.name.as_deref().map(|name| neutralize(name).into_owned()))),
            Cell::new(command(task)),
        ]);
    }
    Some(table.draw(width))
}
