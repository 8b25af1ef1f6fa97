//! `queue list`, `add`, `set`, `pause`, `resume`, `rm`.

use crate::cli::args::queue::{Add, Pause, Remove, Resume, Set};
use crate::cli::command::steer::tell;
use crate::cli::command::wait::Watching;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::render;
use crate::cli::render::instant::moment;
use crate::cli::session::{Session, block_on, now};
use crate::domain::error::Problem;
use crate::domain::id::TaskId;
use crate::domain::query::{PerQueue, TaskFilter};
use crate::domain::queue::Queue;
use crate::domain::task::State;
use crate::domain::text::neutralize;
use crate::exit::Exit;
use crate::rpc::client::Client;
use crate::view::queue::QueueView;

/// Lists queues.
pub fn list(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let queues = block_on(async {
        let connection = connect::connect(session, &project).await?;
        Ok(connection.client.queues().await?)
    })?;
    if session.ui.json {
        let views: Vec<QueueView> = queues.iter().map(QueueView::of).collect();
        session.ui.json(&views)?;
    } else if session.ui.quiet {
        let names: Vec<_> = queues.iter().map(|queue| neutralize(&queue.name)).collect();
        session.ui.data(&names.join("\n"))?;
    } else {
        session.ui.data(&render::queue::list(&queues, now(), session.ui.width()))?;
    }
    Ok(Exit::Done.code())
}

/// Makes a queue.
pub fn add(session: &Session, args: &Add) -> Result<i32, Failure> {
    change(session, "added", async |client| Ok(client.add_queue(&args.name, args.slots, args.weight).await?))
}

/// Gives a queue another number of slots, or another weight.
pub fn set(session: &Session, args: &Set) -> Result<i32, Failure> {
    let slots = args.slots.map(|slots| match slots {
        0 => "no limit of its own".to_owned(),
        1 => "1 slot".to_owned(),
        slots => format!("{slots} slots"),
    });
    let weight = args.weight.map(|weight| match weight {
        0 => "no weight of its own".to_owned(),
        weight => format!("weight {weight}"),
    });
    let did = slots.into_iter().chain(weight).collect::<Vec<_>>().join(" and ");
    change(session, &format!("has {did}"), async |client| {
        Ok(client.set_queue(&args.name, args.slots, args.weight).await?)
    })
}

fn change(
    session: &Session,
    did: &str,
    verb: impl AsyncFnOnce(&Client) -> Result<Queue, Failure>,
) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let queue = verb(&connection.client).await?;
        session.ui.note(&format!("queue {} {did}", neutralize(&queue.name)));
        if session.ui.json {
            session.ui.json(&QueueView::of(&queue))?;
        }
        Ok(Exit::Done.code())
    })
}

/// Starts nothing of queues any more, and waits if asked to until nothing of them runs.
pub fn pause(session: &Session, args: &Pause) -> Result<i32, Failure> {
    if args.until.is_some_and(|until| until <= now()) {
        return Err(Failure::usage("`--until` has passed already").with_hint("write it like `--until 'in 10m'`"));
    }
    steer(
        session,
        &args.names,
        &match args.until {
            Some(until) => format!("paused until {}", moment(until, now())),
            None => "paused".to_owned(),
        },
        async |client| Ok(client.pause_queues(&args.names, args.reason.as_deref(), args.until).await?),
        async |client, names| {
            if args.wait { until_idle(session, client, names).await } else { Ok(()) }
        },
    )
}

/// Lets tasks of queues be started again.
pub fn resume(session: &Session, args: &Resume) -> Result<i32, Failure> {
    let verb = async |client: &Client| Ok(client.resume_queues(&args.names).await?);
    steer(session, &args.names, "resumed", verb, async |client, names| {
        // A person's pause is over, and a window's may not be.
        for queue in client.queues().await?.iter().filter(|queue| names.contains(&queue.name)) {
            if let Some(pause) = &queue.pause {
                let (name, why) = (neutralize(&queue.name), render::queue::paused(pause, now()));
                session.ui.remark(&format!("nothing of queue `{name}` is started all the same: it is {why}"));
            }
        }
        Ok(())
    })
}

/// Does something to the queues named, tells what came of it, does what is still to do for those for which it was done,
/// and with JSON prints them as they stand then.
fn steer(
    session: &Session,
    named: &[String],
    did: &str,
    verb: impl AsyncFnOnce(&Client) -> Result<PerQueue<Problem>, Failure>,
    then: impl AsyncFnOnce(&Client, &[String]) -> Result<(), Failure>,
) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let (done, code) = tell(session, verb(client).await?)?;
        let names = note(session, done, did);
        then(client, &names).await?;
        if session.ui.json {
            print(session, &client.queues().await?, &names, named.len() == 1)?;
        }
        Ok(code)
    })
}

/// Removes queues; with JSON prints them as they stood.
pub fn remove(session: &Session, args: &Remove) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let stood = if session.ui.json { client.queues().await? } else { Vec::new() };
        let (done, code) = tell(session, client.remove_queues(&args.names).await?)?;
        let names = note(session, done, "removed");
        let configured = &session.configuration(&project).queues;
        for name in names.iter().filter(|name| configured.contains_key(*name)) {
            let name = neutralize(name);
            session.ui.remark(&format!(
                "queue {name} comes back at the next start or `apex daemon reload`: the settings have `[queues.{name}]`"
            ));
        }
        if session.ui.json {
            print(session, &stood, &names, args.names.len() == 1)?;
        }
        Ok(code)
    })
}

fn note(session: &Session, done: Vec<(String, ())>, did: &str) -> Vec<String> {
    for (name, ()) in &done {
        session.ui.note(&format!("queue {} {did}", neutralize(name)));
    }
    done.into_iter().map(|(name, ())| name).collect()
}

/// Prints those of `queues` that are named, in that order: one as an object, several as an array.
fn print(session: &Session, queues: &[Queue], names: &[String], single: bool) -> Result<(), Failure> {
    let named = names.iter().filter_map(|name| queues.iter().find(|queue| queue.name == *name));
    let views: Vec<QueueView> = named.map(QueueView::of).collect();
    match views.as_slice() {
        [view] if single => session.ui.json(view),
        views => session.ui.json(views),
    }
}

/// Waits until no task of the queues holds a slot. What is tried again later, or was cut off, does not hold one.
async fn until_idle(session: &Session, client: &Client, names: &[String]) -> Result<(), Failure> {
    let idle: Vec<State> = State::ALL.into_iter().filter(|state| !state.is_active()).collect();
    for name in names {
        loop {
            let active: Vec<TaskId> = client.tasks(&active(name)).await?.tasks.iter().map(|task| task.id).collect();
            if active.is_empty() {
                break;
            }
            Watching::new(&active, &idle).to_the_end(session, client).await?;
        }
        session.ui.note(&format!("nothing of queue {} runs", neutralize(name)));
    }
    Ok(())
}

fn active(queue: &str) -> TaskFilter {
    TaskFilter {
        states: State::ALL.into_iter().filter(|state| state.is_active()).collect(),
        queue: Some(queue.to_owned()),
        ..TaskFilter::default()
    }
}
