//! `schedule add`, `list`, `show`, `run-now`, `pause`, `resume`, `rm`. `edit` stands beside that of tasks.

use jiff::Zoned;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::cli::args::schedule::{Add, Pause, Remove, Resume, RunNow, Show};
use crate::cli::command::add;
use crate::cli::command::steer::tell;
use crate::cli::connect;
use crate::cli::error::{Failure, NAME_A_ZONE};
use crate::cli::render;
use crate::cli::session::{Session, block_on, now};
use crate::cli::time;
use crate::domain::error::Problem;
use crate::domain::id::TaskUuid;
use crate::domain::query::PerSchedule;
use crate::domain::schedule::{InvalidSchedule, NewSchedule, Schedule, Timetable, When};
use crate::domain::text::neutralize;
use crate::domain::time::Timestamp;
use crate::exit::Exit;
use crate::rpc::client::Client;
use crate::view::schedule::ScheduleView;
use crate::view::task::TaskView;

/// So many of the next times are told.
const TIMES: usize = 5;

/// Lists schedules.
pub fn list(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    let schedules = block_on(async {
        let connection = connect::connect(session, &project).await?;
        Ok(connection.client.schedules().await?)
    })?;
    if session.ui.json {
        let views: Vec<ScheduleView> = schedules.iter().map(view).collect();
        session.ui.json(&views)?;
    } else if session.ui.quiet {
        let names: Vec<_> = schedules.iter().map(|schedule| neutralize(&schedule.name)).collect();
        if !names.is_empty() {
            session.ui.data(&names.join("\n"))?;
        }
    } else if schedules.is_empty() {
        session.ui.note("no schedule; add one with `apex schedule add`");
    } else {
        session.ui.data(&render::schedule::list(&schedules, now(), session.ui.width()))?;
    }
    Ok(Exit::Done.code())
}

/// Shows everything about a schedule.
pub fn show(session: &Session, args: &Show) -> Result<i32, Failure> {
    let project = session.project()?;
    let schedule = block_on(async {
        let connection = connect::connect(session, &project).await?;
        Ok(connection.client.schedule(&args.name).await?)
    })?;
    if session.ui.json {
        session.ui.json(&view(&schedule))?;
    } else if session.ui.quiet {
        session.ui.data(&neutralize(&schedule.name))?;
    } else {
        session.ui.data(&render::schedule::details(&schedule, &upcoming(&schedule), now(), session.ui.width()))?;
    }
    Ok(Exit::Done.code())
}

/// Adds a schedule.
pub fn add(session: &Session, args: &Add) -> Result<i32, Failure> {
    let project = session.project()?;
    let (time_zone, zone) = zone(args)?;
    let flags = args.task();
    let when = when(args, &zone)?;
    let prepared = add::prepare(session, &project, &flags)?;
    block_on(async {
        let new = |prepared: add::Prepared| {
            let (spec, env) = prepared.into_parts();
            NewSchedule {
                name: args.schedule.clone(),
                when: when.clone(),
                time_zone: time_zone.clone(),
                missed: args.missed.unwrap_or_default(),
                overlap: args.overlap.unwrap_or_default(),
                spec,
                env,
                paused: args.paused,
            }
        };
        // Before anything is handed over.
        let asked = new(prepared.clone());
        asked.check()?;
        Timetable { when: asked.when, zone, since: now() }.first(now())?;
        let connection = connect::connect(session, &project).await?;
        let prepared = add::upload(&connection, prepared).await?;
        let (schedule, untrusted) = connection.client.add_schedule(&new(prepared)).await?;
        if untrusted {
            let name = &schedule.name;
            session.ui.warn(&format!(
                "schedule {name} adds nothing: this project came from elsewhere; `apex trust` lets it go on"
            ));
        }
        session.ui.note(&render::schedule::added(&schedule, now()));
        if session.ui.json {
            session.ui.json(&view(&schedule))?;
        }
        Ok(Exit::Done.code())
    })
}

/// Adds a task of a schedule now.
pub fn run_now(session: &Session, args: &RunNow) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let uuid = TaskUuid(Uuid::now_v7());
        let task = connection.client.run_schedule(&args.name, uuid).await?.task;
        add::warn_if_untrusted(session, &task);
        if session.ui.json {
            session.ui.json(&TaskView::of(&task, project.data()))?;
        } else if session.ui.quiet {
            session.ui.data(&task.id.to_string())?;
        } else {
            // One that was added by this very call, before a connection broke, is no other.
            let what = if task.uuid == uuid { "added" } else { "is there already" };
            session.ui.data(&format!("task {} {what}", task.id))?;
        }
        Ok(Exit::Done.code())
    })
}

/// Lets schedules add nothing.
pub fn pause(session: &Session, args: &Pause) -> Result<i32, Failure> {
    let verb = async |client: &Client| Ok(client.pause_schedules(&args.names).await?);
    steer(session, &args.names, "paused", verb)
}

/// Lets paused schedules add tasks again.
pub fn resume(session: &Session, args: &Resume) -> Result<i32, Failure> {
    let verb = async |client: &Client| Ok(client.resume_schedules(&args.names).await?);
    steer(session, &args.names, "resumed", verb)
}

/// Removes schedules; with JSON prints them as they stood.
pub fn remove(session: &Session, args: &Remove) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let stood = if session.ui.json { client.schedules().await? } else { Vec::new() };
        let (done, code) = tell(session, client.remove_schedules(&args.names).await?)?;
        let names = note(session, done, "removed");
        print(session, &stood, &names, args.names.len() == 1)?;
        Ok(code)
    })
}

/// Does something to the schedules named, tells what came of it, and with JSON prints them as they stand then.
fn steer(
    session: &Session,
    named: &[String],
    did: &str,
    verb: impl AsyncFnOnce(&Client) -> Result<PerSchedule<Problem>, Failure>,
) -> Result<i32, Failure> {
    let project = session.project()?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let client = &connection.client;
        let (done, code) = tell(session, verb(client).await?)?;
        let names = note(session, done, did);
        let stand = if session.ui.json { client.schedules().await? } else { Vec::new() };
        print(session, &stand, &names, named.len() == 1)?;
        Ok(code)
    })
}

fn note(session: &Session, done: Vec<(String, ())>, did: &str) -> Vec<String> {
    for (name, ()) in &done {
        session.ui.note(&format!("schedule {} {did}", neutralize(name)));
    }
    done.into_iter().map(|(name, ())| name).collect()
}

/// With JSON prints those of `schedules` that are named, in that order: one as an object, several as an array.
fn print(session: &Session, schedules: &[Schedule], names: &[String], single: bool) -> Result<(), Failure> {
    if !session.ui.json {
        return Ok(());
    }
    let named = names.iter().filter_map(|name| schedules.iter().find(|schedule| schedule.name == *name));
    let views: Vec<ScheduleView> = named.map(view).collect();
    match views.as_slice() {
        [view] if single => session.ui.json(view),
        views => session.ui.json(views),
    }
}

/// Returns a schedule as programs see it, with its next times.
pub fn view(schedule: &Schedule) -> ScheduleView {
    ScheduleView::of(schedule, &upcoming(schedule))
}

/// Returns the next times of a schedule; no more than the next one if its time zone is not known here.
fn upcoming(schedule: &Schedule) -> Vec<Timestamp> {
    match TimeZone::get(&schedule.time_zone) {
        Ok(zone) => {
            let table = Timetable { when: schedule.when.clone(), zone, since: schedule.created_at };
            table.upcoming(schedule.next_at, TIMES)
        }
        Err(_) => schedule.next_at.into_iter().collect(),
    }
}

/// Returns the time zone that is meant, and its name.
fn zone(args: &Add) -> Result<(String, TimeZone), Failure> {
    if let Some(name) = &args.tz {
        let zone = TimeZone::get(name).map_err(|_| InvalidSchedule::TimeZone(name.clone()))?;
        // As the database writes it, whatever case was typed.
        return Ok((zone.iana_name().unwrap_or(name).to_owned(), zone));
    }
    let zone = TimeZone::system();
    match zone.iana_name() {
        _ if zone.is_unknown() => Ok(("UTC".to_owned(), TimeZone::UTC)),
        Some(name) => Ok((name.to_owned(), zone)),
        // It goes by no clock on a wall.
        None if args.times.every.is_some() => Ok(("UTC".to_owned(), TimeZone::UTC)),
        None => Err(Failure::usage("the time zone of this machine has no name").with_hint(NAME_A_ZONE)),
    }
}

/// Returns when it is due.
fn when(args: &Add, zone: &TimeZone) -> Result<When, Failure> {
    let times = &args.times;
    match (&times.cron, times.every, &times.at) {
        (Some(cron), ..) => Ok(When::Cron(cron.clone())),
        (_, Some(every), _) => Ok(When::Every(every)),
        (_, _, Some(at)) => {
            let at = time::parse_future(at, &Zoned::now().with_time_zone(zone.clone()));
            Ok(When::At(at.map_err(|wrong| Failure::usage(wrong.to_string()))?))
        }
        (None, None, None) => Err(Failure::usage("one of `--cron`, `--every` and `--at` is needed")),
    }
}
