//! `daemon start`, `daemon run`: from this process to a guardian, before any runtime exists in it.

use std::time::{Duration, Instant};

use crate::cli::apexd;
use crate::cli::args::daemon::{Overrides as Flags, Run, Start};
use crate::cli::command::daemon::{reason, view};
use crate::cli::command::lock::Guardian;
use crate::cli::connect;
use crate::cli::doctor::gather;
use crate::cli::error::Failure;
use crate::cli::migration;
use crate::cli::session::{Session, runtime};
use crate::config::{self, Overrides};
use crate::domain::daemon::DaemonStatus;
use crate::domain::error::ErrorKind;
use crate::exit::Exit;
use crate::guardian::{self, Options, Places};
use crate::paths::Project;
use crate::rpc::client;

/// How long a daemon that is there already is asked before another start is tried: whoever had the lock may have been
/// one that failed, or one that was just ending.
const ASK_FOR: Duration = Duration::from_millis(200);
/// How long the socket of a daemon may be gone before it is taken for removed.
const GONE_FOR: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_millis(5);

/// Starts the daemon in the background and waits until it answers.
pub fn run(session: &Session, args: &Start) -> Result<i32, Failure> {
    // Whatever is in the way, what was asked for has not come about: 3 says so.
    start(session, args).map_err(|failure| match failure.exit {
        // A flag that cannot be.
        Exit::Usage => failure,
        _ => failure.with_exit(Exit::Unreachable),
    })
}

fn start(session: &Session, args: &Start) -> Result<i32, Failure> {
    let project = session.project()?;
    let mut options = options(session, &project, &args.overrides)?;
    if let Some(patience) = migration::patience(session, &project) {
        options.ready_within = patience;
    }
    let began = Instant::now();
    let patience = options.ready_within;
    let started = guardian::daemonize(options.clone())?;
    if !started.already_running {
        return told(session, &project, started.guardian_pid);
    }
    let mut asked_again = false;
    loop {
        if let Some(status) = answering(session, &project)? {
            return already(session, &project, &status, &args.overrides);
        }
        // One that is just starting or ending has no socket for a moment.
        if began.elapsed() > GONE_FOR
            && let Some(daemon) = connect::out_of_reach(&project)
        {
            return Err(daemon.into());
        }
        if began.elapsed() > patience {
            let message = format!("a daemon is there for `{}` but does not answer", project.root().display());
            return Err(Failure::new(ErrorKind::Unavailable, message).with_hint("see why with `apex daemon logs`"));
        }
        let started = guardian::daemonize(options.clone())?;
        if !started.already_running {
            return told(session, &project, started.guardian_pid);
        }
        // It holds the lock, has closed its socket, and has left the reason: this one will not answer any more.
        if let Some(why) = reason(&project.failed_file()) {
            if !asked_again && let Some(guardian) = Guardian::find(&project) {
                // It guards what still runs. What was wrong may have been mended: the configuration was read just now.
                asked_again = true;
                let failed = project.failed_file();
                std::fs::remove_file(&failed)
                    .map_err(|error| Failure::io(format!("cannot remove `{}`", failed.display()), &error))?;
                // One that has ended in the meantime has left the lock for the next round.
                let _ = guardian.signal(nix::libc::SIGHUP);
                continue;
            }
            let message =
                format!("the daemon for `{}` gave up and only guards what still runs", project.root().display());
            return Err(Failure::new(ErrorKind::Unavailable, why).while_doing(message).with_hint(
                "when that is mended: `apex daemon stop`, which ends what still runs, then `apex daemon start`",
            ));
        }
    }
}

fn told(session: &Session, project: &Project, pid: Option<u32>) -> Result<i32, Failure> {
    if session.ui.json {
        let status = answering(session, project)?;
        session.ui.json(&view(status.as_ref(), project))?;
    } else if !session.ui.quiet {
        let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        session.ui.data(&format!("daemon started{pid}"))?;
    }
    Ok(Exit::Done.code())
}

fn already(session: &Session, project: &Project, status: &DaemonStatus, flags: &Flags) -> Result<i32, Failure> {
    if status.draining {
        let message = format!("the daemon drains (pid {}): it ends, and starts nothing", status.guardian_pid);
        return Err(Failure::new(ErrorKind::Unavailable, message)
            .with_hint("wait for its end with `apex daemon stop`, then `apex daemon start`"));
    }
    if flags.max_concurrent.is_some_and(|asked| asked != status.max_concurrent) || flags.poll_interval.is_some() {
        session.ui.warn("the daemon that runs keeps its settings; other flags hold after `apex daemon stop`");
    }
    if session.ui.json {
        session.ui.json(&view(Some(status), project))?;
    } else if !session.ui.quiet {
        session.ui.data(&format!("daemon is already running (pid {})", status.guardian_pid))?;
    }
    Ok(Exit::Done.code())
}

/// Asks the daemon that is there how it stands; `None` if it is not to be reached for a while. The runtime is gone when
/// this returns: another start may follow.
fn answering(session: &Session, project: &Project) -> Result<Option<DaemonStatus>, Failure> {
    runtime()?.block_on(async {
        let began = Instant::now();
        loop {
            let answer = match connect::if_running(session, project).await? {
                Ok(connection) => connection.client.status().await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(status) => return Ok(Some(status)),
                // Perhaps one that took the connection and was just ending.
                Err(client::Error::NotRunning { .. } | client::Error::Broken { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if began.elapsed() > ASK_FOR {
                return Ok(None);
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    })
}

/// Runs the daemon in this process until it is stopped.
pub fn in_foreground(session: &Session, args: &Run) -> Result<i32, Failure> {
    let project = session.project().map_err(|failure| failure.with_exit(Exit::Config))?;
    let mut options = options(session, &project, &args.overrides).map_err(|failure| failure.with_exit(Exit::Config))?;
    options.notify = std::env::var_os("NOTIFY_SOCKET");
    options.delegated = std::env::var_os(guardian::DELEGATED).is_some_and(|told| told == "yes");
    match guardian::run_foreground(options) {
        Ok(code) => Ok(code),
        Err(error) => {
            let code = error.exit_code();
            session.ui.fail(&Failure::from(error));
            Ok(code)
        }
    }
}

/// Makes what the guardian is told; the configuration is checked here, where somebody reads what is wrong with it.
fn options(session: &Session, project: &Project, flags: &Flags) -> Result<Options, Failure> {
    let overrides = Overrides { max_concurrent: flags.max_concurrent, poll_interval: flags.poll_interval };
    config::load(&project.config_file(), overrides)?;
    gather::nothing_is_in_the_way(project)?;
    let mut options = Options::new(Places::of(project));
    options.apexd_args = apexd::arguments(project, overrides);
    if let Some(deadline) = session.deadline() {
        options.ready_within = deadline;
    }
    Ok(options)
}
