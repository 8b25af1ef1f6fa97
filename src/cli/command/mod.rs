//! What each command does: collect, then print through the ui. One file per command, or per noun where they are short.

pub mod add;
pub mod attach;
pub mod bulk;
pub mod chosen;
pub mod completions;
pub mod config;
pub mod daemon;
pub mod daemon_log;
pub mod db;
pub mod doctor;
pub mod edit;
pub mod event;
pub mod follow;
pub mod init;
pub mod lock;
pub mod logs;
pub mod place;
pub mod prefix;
pub mod progress;
pub mod prune;
pub mod ps;
pub mod queue;
pub mod run;
pub mod schedule;
pub mod send;
pub mod stats;
pub mod status;
pub mod steer;
pub mod task;
pub mod terms;
pub mod trust;
pub mod version;
pub mod wait;
pub mod watch;
pub mod why;

use crate::cli::args::{Command, Globals};
use crate::cli::error::Failure;
use crate::cli::session::Session;

/// Runs a command and returns the exit code.
pub fn run(globals: &Globals, command: Command) -> Result<i32, Failure> {
    let session = Session::begin(globals);
    // There is nothing to replace after that.
    let ends_daemon = matches!(command, Command::DaemonStop(_));
    let code = dispatch(&session, command);
    session.tell_if_unusable();
    let code = code?;
    if !ends_daemon {
        session.tell_if_older();
    }
    Ok(code)
}

fn dispatch(session: &Session, command: Command) -> Result<i32, Failure> {
    match command {
        Command::Init(args) => init::run(session, &args),
        Command::Version => version::run(session),
        Command::Status => status::run(session),
        Command::DbCheck => db::check(session),
        Command::DbBackup(args) => db::backup(session, &args),
        Command::DbRecover => db::recover(session),
        Command::Stats(args) => stats::run(session, &args),
        Command::Ps(args) => ps::run(session, &args),
        Command::Trust => trust::run(session),
        Command::Doctor => doctor::run(session),
        Command::Completions(args) => completions::run(session, &args),
        Command::Run(args) => run::run(session, &args),
        Command::Add(args) => add::run(session, &args),
        Command::List(args) => task::list(session, &args),
        Command::Show(args) => task::show(session, &args),
        Command::Logs(args) => logs::run(session, &args),
        Command::Wait(args) => wait::run(session, &args),
        Command::Cancel(args) => steer::cancel(session, &args),
        Command::Kill(args) => steer::kill(session, &args),
        Command::Release(args) => steer::release(session, &args),
        Command::Hold(args) => steer::hold(session, &args),
        Command::Pause(args) => steer::pause(session, &args),
        Command::Resume(args) => steer::resume(session, &args),
        Command::Retry(args) => steer::retry(session, &args),
        Command::Remove(args) => steer::remove(session, &args),
        Command::Edit(args) => edit::task(session, &args),
        Command::Move(args) => place::run(session, &args),
        Command::Attach(args) => attach::run(session, &args),
        Command::Send(args) => send::run(session, &args),
        Command::Prune(args) => prune::run(session, &args),
        Command::Why(args) => why::run(session, &args),
        Command::QueueList => queue::list(session),
        Command::QueueAdd(args) => queue::add(session, &args),
        Command::QueueSet(args) => queue::set(session, &args),
        Command::QueuePause(args) => queue::pause(session, &args),
        Command::QueueResume(args) => queue::resume(session, &args),
        Command::QueueRemove(args) => queue::remove(session, &args),
        Command::ScheduleList => schedule::list(session),
        Command::ScheduleShow(args) => schedule::show(session, &args),
        Command::ScheduleAdd(args) => schedule::add(session, &args),
        Command::ScheduleRunNow(args) => schedule::run_now(session, &args),
        Command::SchedulePause(args) => schedule::pause(session, &args),
        Command::ScheduleResume(args) => schedule::resume(session, &args),
        Command::ScheduleEdit(args) => edit::schedule(session, &args),
        Command::ScheduleRemove(args) => schedule::remove(session, &args),
        Command::Progress(args) => progress::run(session, &args),
        Command::Events(args) => event::run(session, &args),
        Command::ConfigShow(args) => config::show(session, &args),
        Command::ConfigCheck => config::check(session),
        Command::ConfigEdit => config::edit::run(session),
        Command::DaemonStart(args) => daemon::start::run(session, &args),
        Command::DaemonStop(args) => daemon::stop::run(session, &args),
        Command::DaemonRestart => daemon::restart::run(session),
        Command::DaemonReload => daemon::reload::run(session),
        Command::DaemonStatus => daemon::status(session),
        Command::DaemonLogs(args) => daemon_log::run(session, &args),
        Command::DaemonMetrics => daemon::metrics(session),
        Command::DaemonRun(args) => daemon::start::in_foreground(session, &args),
        Command::DaemonInstall(args) => daemon::install::install(session, &args),
        Command::DaemonUninstall => daemon::install::uninstall(session),
    }
}
