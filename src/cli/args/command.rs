//! What a command line comes to.

use crate::cli::args::{config, daemon, db, event, look, progress, project, queue, schedule, steer, task};

/// A command, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `init`
    Init(project::Init),
    /// `version`
    Version,
    /// `status`, or nothing at all.
    Status,
    /// `db check`
    DbCheck,
    /// `db backup`
    DbBackup(db::Backup),
    /// `db recover`
    DbRecover,
    /// `stats`
    Stats(look::Stats),
    /// `ps`
    Ps(look::Ps),
    /// `trust`
    Trust,
    /// `doctor`
    Doctor,
    /// `completions`
    Completions(project::Completions),
    /// `run`
    Run(task::Run),
    /// `task add`
    Add(task::Add),
    /// `task list`
    List(task::List),
    /// `task show`
    Show(task::Show),
    /// `task logs`
    Logs(task::Logs),
    /// `task wait`
    Wait(task::Wait),
    /// `task cancel`
    Cancel(task::Cancel),
    /// `task kill`
    Kill(task::Kill),
    /// `task release`
    Release(task::Release),
    /// `task hold`
    Hold(steer::Hold),
    /// `task pause`
    Pause(steer::Pause),
    /// `task resume`
    Resume(steer::Resume),
    /// `task retry`
    Retry(steer::Retry),
    /// `task rm`
    Remove(steer::Remove),
    /// `task edit`
    Edit(steer::Edit),
    /// `task move`
    Move(steer::Move),
    /// `task attach`
    Attach(steer::Attach),
    /// `task send`
    Send(steer::Send),
    /// `task prune`
    Prune(steer::Prune),
    /// `task why`
    Why(steer::Why),
    /// `queue list`
    QueueList,
    /// `queue add`
    QueueAdd(queue::Add),
    /// `queue set`
    QueueSet(queue::Set),
    /// `queue pause`
    QueuePause(queue::Pause),
    /// `queue resume`
    QueueResume(queue::Resume),
    /// `queue rm`
    QueueRemove(queue::Remove),
    /// `schedule list`
    ScheduleList,
    /// `schedule show`
    ScheduleShow(schedule::Show),
    /// `schedule add`
    ScheduleAdd(Box<schedule::Add>),
    /// `schedule run-now`
    ScheduleRunNow(schedule::RunNow),
    /// `schedule pause`
    SchedulePause(schedule::Pause),
    /// `schedule resume`
    ScheduleResume(schedule::Resume),
    /// `schedule edit`
    ScheduleEdit(schedule::Edit),
    /// `schedule rm`
    ScheduleRemove(schedule::Remove),
    /// `progress`
    Progress(progress::Progress),
    /// `events`
    Events(event::Events),
    /// `config show`
    ConfigShow(config::Show),
    /// `config check`
    ConfigCheck,
    /// `config edit`
    ConfigEdit,
    /// `daemon start`
    DaemonStart(daemon::Start),
    /// `daemon stop`
    DaemonStop(daemon::Stop),
    /// `daemon restart`
    DaemonRestart,
    /// `daemon reload`
    DaemonReload,
    /// `daemon status`
    DaemonStatus,
    /// `daemon logs`
    DaemonLogs(daemon::Logs),
    /// `daemon metrics`
    DaemonMetrics,
    /// `daemon run`
    DaemonRun(daemon::Run),
    /// `daemon install`
    DaemonInstall(daemon::Install),
    /// `daemon uninstall`
    DaemonUninstall,
}
