//! `task wait`, and waiting wherever else it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::timeout;

use crate::cli::args::task::Wait;
use crate::cli::args::value::Filter;
use crate::cli::command::chosen;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::progress::{self, Waiting};
use crate::cli::render;
use crate::cli::session::{Session, block_on};
use crate::domain::error::ErrorKind;
use crate::domain::id::TaskId;
use crate::domain::selection::Selection;
use crate::domain::task::{State, Task};
use crate::exit::{self, Exit};
use crate::paths::Project;
use crate::rpc::client::{self, Client};
use crate::view::task::TaskView;

/// Waits until tasks have ended, or are in a state.
pub fn run(session: &Session, args: &Wait) -> Result<i32, Failure> {
    let single = is_single(args);
    let result = session.project().and_then(|project| block_on(waited(session, &project, args)));
    result.map_err(|failure| match failure.problem.kind {
        _ if single => failure.broken(),
        // Also where the daemon itself said that it stops: nobody knows how the tasks end.
        ErrorKind::Unavailable => failure.with_exit(Exit::Unreachable),
        _ => failure,
    })
}

fn selection(args: &Wait) -> Selection {
    Selection {
        queue: args.queue.clone(),
        labels: args.labels.clone(),
        name: args.name.clone(),
        condition: args.filter.as_ref().map(Filter::now),
        ..Selection::named(&args.named)
    }
}

/// Returns whether a single task was named.
fn is_single(args: &Wait) -> bool {
    selection(args).plain_ids().is_some_and(|ids| ids.len() == 1)
}

async fn waited(session: &Session, project: &Project, args: &Wait) -> Result<i32, Failure> {
    let connection = connect::connect(session, project).await?;
    let client = &connection.client;
    let selection = selection(args);
    let ids = chosen::ids(client, &selection).await?;
    let mut watching = Watching::new(&ids, &args.states);
    let mut all_known = true;
    if args.timeout.is_some() {
        // What has come about already has, however short the limit is.
        all_known = watching.look(session, client).await?;
    }
    if watching.is_open() {
        let limit = args.timeout.unwrap_or(Duration::MAX);
        match timeout(limit, watching.to_the_end(session, client)).await {
            Ok(known) => all_known &= known?,
            Err(_) => return still_open(session, project, client, &watching, args).await,
        }
    }
    let tasks = watching.tasks();
    if tasks.is_empty() {
        return Ok(Exit::NotFound.code());
    }
    if session.ui.json {
        print_whole(session, project, client, &tasks, is_single(args)).await?;
    }
    for task in &tasks {
        session.ui.note(&render::task::ended(task));
    }
    let code = match args.states.is_empty() {
        false => reached(session, &tasks, &args.states),
        true if selection.plain_ids().is_some() => exit::for_tasks(&tasks),
        // Whoever chooses cannot know that it is one, whose code would be told.
        true => exit::for_tasks(&tasks).min(Exit::Refused.code()),
    };
    Ok(if all_known { code } else { Exit::Refused.code() })
}

/// Says what is waited for no longer; with JSON prints the tasks as they stand.
async fn still_open(
    session: &Session,
    project: &Project,
    client: &Client,
    watching: &Watching,
    args: &Wait,
) -> Result<i32, Failure> {
    if session.ui.json {
        print_whole(session, project, client, &watching.tasks(), is_single(args)).await?;
    }
    for task in watching.open() {
        session.ui.remark(&format!("task {} is still {}", task.id, task.state.shown().as_str()));
    }
    Ok(Exit::StillRunning.code())
}

/// Returns 0 if every task is in one of the states; says which are not.
fn reached(session: &Session, tasks: &[Task], states: &[State]) -> i32 {
    let mut code = Exit::Done.code();
    for task in tasks.iter().filter(|task| !states.contains(&task.state.shown())) {
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        session.ui.note(&format!("task {} will not be {} any more", task.id, words.join(" or ")));
        code = Exit::Refused.code();
    }
    code
}

/// Prints tasks with everything about them: one as an object, several as an array.
pub async fn print_whole(
    session: &Session,
    project: &Project,
    client: &Client,
    tasks: &[Task],
    single: bool,
) -> Result<(), Failure> {
    let mut views = Vec::with_capacity(tasks.len());
    for task in tasks {
        views.push(TaskView::of(&whole(client, task).await?, project.data()));
    }
    match views.as_slice() {
        [view] if single => session.ui.json(view),
        views => session.ui.json(views),
    }
}

/// Returns a task with everything about it. One that was told already is not lost with the daemon: it may have ended
/// because the daemon did, and then the hashes of its outputs are all that is missing.
pub async fn whole(client: &Client, told: &Task) -> Result<Task, Failure> {
    match client.task(told.id, false).await {
        Ok((whole, _)) => Ok(whole),
        Err(error) if error.kind() == ErrorKind::Unavailable => Ok(told.clone()),
        Err(error) => Err(error.into()),
    }
}

/// Returns a task as it stands, without what would have to be computed first: hashes of its outputs.
///
/// Errors: there is no such task.
pub async fn as_it_stands(client: &Client, id: TaskId) -> Result<Task, Failure> {
    let told = client.watch(&[id], &State::ALL).next().await;
    Ok(told.ok_or_else(|| super::follow::without_end(id))??)
}

/// Waits until a task has ended, and returns it.
pub async fn until_ended(session: &Session, client: &Client, id: TaskId) -> Result<Task, Failure> {
    let mut watching = Watching::new(&[id], &[]);
    watching.watch(session, client).await?;
    watching.tasks().pop().ok_or_else(|| super::follow::without_end(id))
}

/// Tasks that are waited for, as they were told last.
#[derive(Debug)]
pub struct Watching {
    ids: Vec<TaskId>,
    until: Vec<State>,
    seen: BTreeMap<TaskId, Task>,
}

impl Watching {
    /// Begins to wait for tasks to end, or to be in one of the states of `until`.
    pub fn new(ids: &[TaskId], until: &[State]) -> Self {
        let mut named = BTreeSet::new();
        let unique = ids.iter().copied().filter(|id| named.insert(*id)).collect();
        Self { ids: unique, until: until.to_vec(), seen: BTreeMap::new() }
    }

    /// Learns how the tasks stand, without waiting. Returns whether all exist, as [`Self::to_the_end`] does.
    pub async fn look(&mut self, session: &Session, client: &Client) -> Result<bool, Failure> {
        // Every state is one to be told in.
        let until = std::mem::replace(&mut self.until, State::ALL.to_vec());
        let all_known = self.to_the_end(session, client).await;
        self.until = until;
        all_known
    }

    /// Returns whether there is something left to wait for, as far as is known.
    fn is_open(&self) -> bool {
        self.open().next().is_some() || self.ids.iter().any(|id| !self.seen.contains_key(id))
    }

    /// Waits until nothing is left to wait for. Where there are several, each one that does not exist is told, and the
    /// others are waited for; returns whether all existed.
    pub async fn to_the_end(&mut self, session: &Session, client: &Client) -> Result<bool, Failure> {
        let single = self.ids.len() == 1;
        let mut all_known = true;
        while !self.ids.is_empty() {
            match self.watch(session, client).await {
                Ok(()) => break,
                Err(client::Error::Answered(problem)) if problem.kind == ErrorKind::NotFound && !single => {
                    let unknown: Option<TaskId> = problem.id.as_deref().and_then(|id| id.parse().ok());
                    let Some(at) = self.ids.iter().position(|id| Some(*id) == unknown) else {
                        return Err(problem.into());
                    };
                    session.ui.fail_one(&problem);
                    self.ids.remove(at);
                    all_known = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(all_known)
    }

    async fn watch(&mut self, session: &Session, client: &Client) -> Result<(), client::Error> {
        let mut watch = client.watch(&self.ids, &self.until);
        let mut waiting = Waiting::begin(&session.ui);
        loop {
            // Cancel-safe because both are: what was told is kept, and a moment does not pass twice.
            tokio::select! {
                task = watch.next() => {
                    let Some(task) = task.transpose()? else { return Ok(()) };
                    self.seen.insert(task.id, task);
                }
                () = waiting.due() => {}
            }
            waiting.show(|waited| progress::for_tasks(self.open(), waited));
        }
    }

    /// Returns the tasks that exist, in the order in which they were named.
    pub fn tasks(&self) -> Vec<Task> {
        self.ids.iter().filter_map(|id| self.seen.get(id).cloned()).collect()
    }

    fn open(&self) -> impl Iterator<Item = &Task> {
        self.seen.values().filter(|task| !task.state.is_ended() && !self.until.contains(&task.state.shown()))
    }
}
