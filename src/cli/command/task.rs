//! `task list`, `task show`

use crate::cli::args::task::{List, Show};
use crate::cli::args::value::Filter;
use crate::cli::command::chosen;
use crate::cli::command::steer::code_of;
use crate::cli::command::watch::{Watched, watch};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::reader::while_read;
use crate::cli::render;
use crate::cli::session::{Session, block_on, now};
use crate::domain::error::ErrorKind;
use crate::domain::field::Sort;
use crate::domain::query::{TaskFilter, TaskPage};
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::exit::Exit;
use crate::rpc::client::{self, Client};
use crate::view::task::TaskView;

/// How many ended tasks a list shows unless told otherwise.
const RECENT: u32 = 20;
/// How many tasks a table shows unless told otherwise. What runs is shown in any case.
const SHOWN: u32 = 100;

/// Lists tasks.
pub fn list(session: &Session, args: &List) -> Result<i32, Failure> {
    if session.ui.json || session.ui.quiet {
        let flag = if session.ui.json { "--json" } else { "--quiet" };
        if !args.columns.is_empty() {
            return Err(Failure::usage(format!("`--columns` is of no use with `{flag}`, which prints no table"))
                .with_hint("leave one of them out"));
        }
        if args.watch.is_some() {
            return Err(Failure::usage(format!("`--watch` is of no use with `{flag}`, which prints no table"))
                .with_hint("programs follow what happens with `apex events -f --json`"));
        }
    }
    let project = session.project()?;
    if let Some(pause) = args.watch {
        return block_on(async {
            let connection = connect::connect(session, &project).await?;
            let client = &connection.client;
            let ask = async || asked(client, args, &filter_of(args, true)).await;
            let draw = |page: &TaskPage, now| drawn(args, page, now, session.ui.width());
            while_read(watch(session, client, Watched { ask, draw, pause })).await
        });
    }
    // Programs get all of it.
    let filter = filter_of(args, !session.ui.json && !session.ui.quiet);
    let page = block_on(async {
        let client = connect::connect(session, &project).await?.client;
        asked(&client, args, &filter).await
    })?;
    if session.ui.json {
        let views: Vec<TaskView> = page.tasks.iter().map(|task| TaskView::of(task, project.data())).collect();
        session.ui.json(&views)?;
    } else if session.ui.quiet {
        print_ids(session, &page.tasks)?;
    } else if page.tasks.is_empty() {
        session.ui.note(nothing(args));
    } else {
        session.ui.data(&table(args, &page.tasks, now(), session.ui.width()))?;
    }
    if let Some(text) = left_out(args, &page) {
        session.ui.remark(text);
    }
    Ok(Exit::Done.code())
}

/// Returns what is asked for: shortened for people, unless they say how much they want.
fn filter_of(args: &List, is_for_people: bool) -> TaskFilter {
    let mut filter = filter(args);
    filter.limit = filter.limit.or_else(|| (is_for_people && is_shortened(args)).then_some(SHOWN));
    filter
}

fn is_shortened(args: &List) -> bool {
    args.limit.is_none() && !args.all
}

/// Asks for the tasks, and what runs besides.
async fn asked(client: &Client, args: &List, filter: &TaskFilter) -> Result<TaskPage, Failure> {
    let mut page = client.tasks(filter).await?;
    if filter.limit.is_some()
        && is_shortened(args)
        && page.tasks.len() >= SHOWN as usize
        && filter.sort.is_none()
        && let Some(running) = running(filter)
    {
        add_running(&mut page, client.tasks(&running).await?);
    }
    if let Some(name) = filter.queue.as_ref().filter(|_| page.tasks.is_empty()) {
        let is_there = client.queues().await?.iter().any(|queue| queue.name == *name);
        if !is_there {
            return Err(chosen::no_queue(name).into());
        }
    }
    Ok(page)
}

fn table(args: &List, tasks: &[Task], now: Timestamp, width: Option<usize>) -> String {
    match args.columns.as_slice() {
        [] => render::task::list(tasks, now, width),
        columns => render::column::list(tasks, columns, now, width),
    }
}

/// Returns all of what is watched: the table, and what it leaves out.
fn drawn(args: &List, page: &TaskPage, now: Timestamp, width: Option<usize>) -> String {
    let table = if page.tasks.is_empty() { nothing(args).to_owned() } else { table(args, &page.tasks, now, width) };
    match left_out(args, page) {
        Some(text) => format!("{table}\n{text}"),
        None => table,
    }
}

/// Returns what is said where a list is not whole; `None` for one that is.
fn left_out(args: &List, page: &TaskPage) -> Option<&'static str> {
    if !page.cut {
        return None;
    }
    let recent = filter(args).recent;
    let is_full = |limit: u32| page.tasks.len() >= limit as usize;
    Some(match (args.limit, recent) {
        (limit, _) if args.sort.is_some() && is_full(limit.unwrap_or(SHOWN)) => {
            "tasks further down are left out; see them with a larger `--limit`, and `--all`"
        }
        (Some(_), Some(_)) => "older tasks are left out; see them with a larger `--limit`, and `--all`",
        (Some(_), None) => "older tasks are left out; see them with a larger `--limit`",
        _ if is_shortened(args) && is_full(SHOWN) => {
            "older tasks are left out; see them with `--limit N` or `--all`, or how many there are with `apex status`"
        }
        _ => "tasks that ended earlier are left out; see them with `--all`",
    })
}

/// Returns what finds those of the same tasks that run; `None` if none of them does.
fn running(filter: &TaskFilter) -> Option<TaskFilter> {
    let is_asked_for = |state: &State| filter.states.is_empty() || filter.states.contains(state);
    let states: Vec<State> = State::ALL.into_iter().filter(|state| state.is_active() && is_asked_for(state)).collect();
    (!states.is_empty()).then(|| TaskFilter { states, recent: None, limit: None, ..filter.clone() })
}

/// Adds what runs to a page of newer tasks.
fn add_running(page: &mut TaskPage, running: TaskPage) {
    let first = page.tasks.first().map(|task| task.id);
    let older = running.tasks.into_iter().filter(|task| Some(task.id) < first);
    page.tasks.splice(0..0, older.collect::<Vec<_>>());
}

/// Returns what is said instead of an empty table.
fn nothing(args: &List) -> &'static str {
    let shape = List {
        limit: args.limit,
        all: args.all,
        columns: args.columns.clone(),
        sort: args.sort.clone(),
        watch: args.watch,
        ..List::default()
    };
    let selects = *args != shape;
    match (selects, args.all) {
        (false, _) => "no tasks; add one with `apex add -- COMMAND`",
        (true, _) if args.filter.is_some() => "no tasks match",
        (true, true) => "no tasks match",
        (true, false) => "no tasks match; see what there is with `apex ls --all`",
    }
}

fn print_ids(session: &Session, tasks: &[Task]) -> Result<(), Failure> {
    let ids: Vec<String> = tasks.iter().map(|task| task.id.to_string()).collect();
    if ids.is_empty() { Ok(()) } else { session.ui.data(&ids.join("\n")) }
}

fn filter(args: &List) -> TaskFilter {
    let mut states = args.states.clone();
    if states.contains(&State::Running) {
        // What is being started shows as running.
        states.push(State::Starting);
    }
    let condition = args.filter.as_ref().map(Filter::now);
    // Whoever says which ones wants all of them.
    let recent = (!args.all && states.is_empty() && condition.is_none()).then_some(RECENT);
    TaskFilter {
        states,
        queue: args.queue.clone(),
        schedule: args.schedule.clone(),
        labels: args.labels.clone(),
        name: args.name.clone(),
        recent,
        condition,
        sort: args.sort.clone().map(|sort| Sort { at: now(), ..sort }),
        limit: args.limit,
        ..TaskFilter::default()
    }
}

/// Shows everything about a task.
pub fn show(session: &Session, args: &Show) -> Result<i32, Failure> {
    let project = session.project()?;
    let selection = args.which.selection();
    let is_single = selection.plain_ids().is_some_and(|ids| ids.len() == 1);
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let (mut views, mut refusals, mut is_first) = (Vec::new(), Vec::new(), true);
        for id in chosen::ids(client, &selection).await? {
            let (task, env) = match client.task(id, args.show_env).await {
                Ok(found) => found,
                Err(client::Error::Answered(problem)) if problem.kind == ErrorKind::NotFound && !is_single => {
                    session.ui.fail_one(&problem);
                    refusals.push(problem);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if session.ui.json {
                let view = TaskView::of(&task, project.data());
                views.push(match &env {
                    Some(env) => view.with_env(env),
                    None => view,
                });
            } else {
                let details = render::task::details(&task, env.as_ref(), &project, now(), session.ui.width());
                session.ui.data(&if is_first { details } else { format!("\n{details}") })?;
            }
            is_first = false;
        }
        match views.as_slice() {
            _ if !session.ui.json => {}
            [view] if is_single => session.ui.json(view)?,
            views => session.ui.json(views)?,
        }
        Ok(code_of(&refusals, is_first).code())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_says_whether_something_was_looked_for() {
        assert!(nothing(&List { limit: Some(3), ..List::default() }).contains("add one"));
        assert!(nothing(&List { queue: Some("x".to_owned()), ..List::default() }).contains("--all"));
        assert_eq!(nothing(&List { name: Some("x".to_owned()), all: true, ..List::default() }), "no tasks match");
    }

    #[test]
    fn without_states_the_latest_ended_ones_are_enough() {
        assert_eq!(filter(&List::default()).recent, Some(RECENT));
        assert_eq!(filter(&List { all: true, ..List::default() }).recent, None);
        let failed = filter(&List { states: vec![State::Failed], ..List::default() });
        assert_eq!((failed.recent, failed.states), (None, vec![State::Failed]));
        let running = filter(&List { states: vec![State::Running], ..List::default() });
        assert_eq!(running.states, [State::Running, State::Starting]);
    }
}
