//! `status`: the whole project on one screen. Never starts the daemon; without one it reads the store.

use std::cmp::Reverse;

use crate::cli::command::{daemon, schedule, trust};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render::room::QUEUES;
use crate::cli::render::status::{Screen, is_timed, screen};
use crate::cli::session::{Session, block_on, now};
use crate::config::Config;
use crate::domain::error::ErrorKind;
use crate::domain::field::{Field, Sort};
use crate::domain::query::TaskFilter;
use crate::domain::resource::Resources;
use crate::domain::schedule::Schedule;
use crate::domain::task::{State, Task};
use crate::domain::window::Standing;
use crate::exit::Exit;
use crate::paths::Project;
use crate::store::sqlite;
use crate::view::daemon::{DaemonView, Places};
use crate::view::status::StatusView;

/// How many tasks of a kind are looked at to find those that are shown: lists come by id, not by what matters here.
const LOOKED_AT: u32 = 50;

/// Prints the screen.
pub fn run(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    // Here is where people look first.
    let config = session.configuration(&project);
    let told = block_on(ask(session, &project))?;
    let mut told = match told {
        Some(told) => told,
        None => {
            let mut screen = read(&project, config)?;
            // As they would hold if a daemon ran.
            screen.windows = config.windows().at(now());
            screen.windows.pause(&mut screen.queues);
            Screen { out_of_reach: daemon::tell_out_of_reach(session, &project), ..screen }
        }
    };
    let (width, rows) = (session.ui.width(), session.ui.rows());
    let schedules = told.schedules.len();
    told.fit(rows.filter(|_| !session.ui.json), &project, now(), width);
    if session.ui.json {
        let (socket, log_file) = (project.socket(), project.log_file());
        let places = Places { project: project.root(), socket: &socket, log_file: &log_file };
        let counts = told.counts.clone().unwrap_or_default();
        let daemon = match &told.daemon {
            Some(status) => DaemonView::running(status, places),
            None => DaemonView::stopped(places)
                .with_counts(&counts)
                .with_trust(!told.untrusted)
                .with_resources(&told.resources),
        };
        let schedules = told.schedules.iter().map(schedule::view).collect();
        let (running, waiting, failed) = (&told.running, &told.waiting, &told.failed);
        let view = StatusView::of(daemon, &counts, running, waiting, failed, &told.queues, schedules, project.data())
            .with_windows(&told.windows);
        session.ui.json(&view)?;
    } else {
        session.ui.data(&screen(&told, &project, now(), width))?;
    }
    if let Some(text) = left_out(&told, schedules) {
        session.ui.remark(&text);
    }
    Ok(Exit::Done.code())
}

/// Returns what the lists leave out, given how many schedules there are; `None` if they are whole.
fn left_out(told: &Screen, schedules: usize) -> Option<String> {
    let counts = told.counts.as_ref()?;
    let schedules = schedules - told.schedules.len();
    let waits = |state: State| state.is_waiting() || state == State::Queued;
    let parts: Vec<String> = [
        (counts.sum(State::is_active), told.running.len(), "running"),
        (counts.sum(waits), told.waiting.len(), "waiting"),
        (counts.sum(has_failed), told.failed.len(), "failed"),
    ]
    .into_iter()
    .filter_map(|(all, shown, what)| {
        let more = all.saturating_sub(shown as u64);
        (more > 0).then(|| format!("{more} {what}"))
    })
    .collect();
    let others = match schedules {
        0 => None,
        1 => Some("1 schedule (`apex schedule list`)".to_owned()),
        more => Some(format!("{more} schedules (`apex schedule list`)")),
    };
    let tasks = (!parts.is_empty()).then(|| format!("{} (`apex ls --all`)", parts.join(", ")));
    let told: Vec<String> = tasks.into_iter().chain(others).collect();
    (!told.is_empty()).then(|| format!("not shown here: {}", told.join("; ")))
}

/// Asks the daemon; `None` if none runs.
async fn ask(session: &Session, project: &Project) -> Result<Option<Screen>, Failure> {
    let Some(connection) = connect::if_reachable(session, project).await? else { return Ok(None) };
    let client = &connection.client;
    let filters = filters();
    let [running, queued, due, others, failed] = &filters;
    // At the same time, on one connection.
    let (status, queues, schedules, running, queued, due, others, failed) = tokio::join!(
        client.status(),
        client.queues(),
        client.schedules(),
        client.tasks(running),
        client.tasks(queued),
        client.tasks(due),
        client.tasks(others),
        client.tasks(failed)
    );
    let status = status?;
    session.tell_if_version_is_older(&status.version);
    let queues = match queues {
        // An older daemon has a single queue and no word for it.
        Err(error) if error.kind() == ErrorKind::Conflict => Vec::new(),
        queues => queues?,
    };
    let schedules = match schedules {
        // Nor has it schedules.
        Err(error) if error.kind() == ErrorKind::Conflict => Vec::new(),
        schedules => due_next(schedules?),
    };
    let (counts, untrusted, windows) = (Some(status.counts.clone()), status.untrusted, status.windows.clone());
    let resources = status.resources.clone();
    let lists = lists([running?, queued?, due?, others?, failed?].map(|page| page.tasks));
    Ok(Some(Screen { daemon: Some(status), counts, untrusted, queues, resources, schedules, windows, ..lists }))
}

/// Reads the store, which knows all but what runs.
fn read(project: &Project, config: &Config) -> Result<Screen, Failure> {
    let Some(mut store) = sqlite::open_reader(&project.database())? else { return Ok(lists(Default::default())) };
    let (counts, queues) = (store.counts()?, store.queues()?);
    let schedules = due_next(store.schedules()?);
    let holdings = store.holdings()?;
    let (pools, reserve_after) = (config.pools(), config.daemon.reserve_after);
    let resources = Resources::of(&pools, &holdings.held, &holdings.short, reserve_after);
    let mut found: [Vec<Task>; 5] = Default::default();
    for (found, filter) in found.iter_mut().zip(filters()) {
        *found = store.tasks(&filter)?.tasks;
    }
    let untrusted = trust::is_untrusted(project)?;
    Ok(Screen { counts: Some(counts), untrusted, queues, resources, schedules, ..lists(found) })
}

/// Returns the schedules that are due next, the first one first.
fn due_next(schedules: Vec<Schedule>) -> Vec<Schedule> {
    let mut due: Vec<Schedule> = schedules.into_iter().filter(|schedule| schedule.next_at.is_some()).collect();
    due.sort_by_key(|schedule| schedule.next_at);
    due
}

/// Returns what to ask for: what runs, what is next, what waits for its time, what waits for something else, what did not
/// succeed.
fn filters() -> [TaskFilter; 5] {
    let of = |wanted: fn(State) -> bool| TaskFilter {
        states: State::ALL.into_iter().filter(|state| wanted(*state)).collect(),
        limit: Some(LOOKED_AT),
        ..TaskFilter::default()
    };
    let first_due = Sort { by: Field::Due, descending: false, at: now() };
    [
        // There are no more than slots.
        TaskFilter { limit: None, ..of(State::is_active) },
        TaskFilter { next_first: true, ..of(|state| state == State::Queued) },
        TaskFilter { sort: Some(first_due), ..of(is_timed) },
        TaskFilter { oldest_first: true, ..of(|state| state.is_waiting() && !is_timed(state)) },
        of(has_failed),
    ]
}

fn has_failed(state: State) -> bool {
    matches!(state, State::Failed | State::TimedOut | State::Lost | State::Interrupted)
}

/// Returns the lists in the order in which they are shown: what ran longest first, what is next and then what is due first,
/// what failed last first.
fn lists([mut running, mut waiting, mut due, mut others, mut failed]: [Vec<Task>; 5]) -> Screen {
    running.sort_by_key(|task| (task.started_at, task.id));
    waiting.sort_by_key(|task| (Reverse(task.spec.priority), task.position, task.id));
    due.sort_by_key(|task| (task.spec.run_at, task.id));
    others.sort_by_key(|task| task.id);
    waiting.extend(due);
    waiting.extend(others);
    failed.sort_by_key(|task| Reverse((task.ended_at, task.id)));
    Screen {
        daemon: None,
        out_of_reach: None,
        counts: None,
        untrusted: false,
        queues: Vec::new(),
        resources: Resources::default(),
        schedules: Vec::new(),
        windows: Standing::default(),
        running,
        waiting,
        failed,
        queues_max: QUEUES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn what_matters_most_comes_first() {
        let task = |id, change: fn(&mut Task)| {
            let mut task = samples::queued();
            task.id = samples::task_id(id);
            change(&mut task);
            task
        };
        let queued = vec![task(2, |_| ()), task(3, |task| task.spec.priority = 5), task(4, |task| task.position = 0)];
        let others = vec![task(8, |task| task.state = State::Held), task(1, |task| task.state = State::Blocked)];
        let at = |seconds| Some(samples::NOW + std::time::Duration::from_secs(seconds));
        let mut due = vec![task(7, |task| task.state = State::Scheduled), task(9, |task| task.state = State::Retrying)];
        (due[0].spec.run_at, due[1].spec.run_at) = (at(9), at(1));
        let failed = vec![
            task(5, |task| task.ended_at = Some(samples::NOW + std::time::Duration::from_secs(9))),
            task(6, |task| task.ended_at = Some(samples::NOW)),
        ];
        let many = (10..40).map(|id| task(id, |_| ())).collect();
        let mut screen = lists([many, queued, due, others, failed]);
        let ids = |tasks: &[Task]| tasks.iter().map(|task| task.id.get()).collect::<Vec<_>>();
        assert_eq!(ids(&screen.waiting), [3, 4, 2, 9, 7, 1, 8]);
        assert_eq!(ids(&screen.failed), [5, 6]);
        let project = Project::new("/p");
        let fit = |rows| {
            let mut screen = screen.clone();
            screen.fit(Some(rows), &project, samples::NOW, None);
            let drawn = super::screen(&screen, &project, samples::NOW, None).lines().count();
            (screen.running.len(), ids(&screen.waiting), screen.failed.len(), drawn)
        };
        assert_eq!(fit(60), (30, vec![3, 4, 2, 9, 7, 1, 8], 2, 44));
        // With what is said below it, and the prompt; none of the three kinds that wait hides the others.
        assert_eq!(fit(18), (5, vec![3, 4, 9, 1], 2, 16));
        assert_eq!(fit(5), (2, vec![3, 9], 2, 11));
        screen.fit(None, &project, samples::NOW, None);
        assert_eq!(screen.running.len(), 10);
    }

    #[test]
    fn every_state_that_matters_is_asked_for_once() {
        let filters = filters();
        for state in State::ALL {
            let found = filters.iter().filter(|filter| filter.states.contains(&state)).count();
            let shown = !matches!(state, State::Succeeded | State::Cancelled | State::Skipped);
            assert_eq!(found, usize::from(shown), "{state:?}");
        }
    }
}
