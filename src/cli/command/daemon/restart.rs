//! `daemon restart`: this program in place of the one that runs.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use crate::cli::command::daemon::view;
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::migration;
use crate::cli::session::{Session, block_on};
use crate::config::{self, Overrides};
use crate::domain::daemon::DaemonStatus;
use crate::domain::error::ErrorKind;
use crate::exit::Exit;
use crate::rpc::client::{self, Client};

/// How long another apexd may take to come up, unless `--deadline` says otherwise.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the one that answers is asked whether it is the other one.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// Replaces apexd, or starts it if none runs.
pub fn run(session: &Session) -> Result<i32, Failure> {
    let project = session.project()?;
    // The one that runs has read a configuration that was right; the next one would end over one that is not.
    config::load(&project.config_file(), Overrides::default())
        .map_err(|error| Failure::from(error).while_doing("the daemon was not restarted"))?;
    let binary = std::env::current_exe().map_err(|error| Failure::io("cannot tell which program this is", &error))?;
    block_on(async {
        let connection = match connect::if_running(session, &project).await? {
            Ok(connection) => connection,
            Err(not_running) if !connect::may_start(session, &project) => return Err(not_running.into()),
            Err(_) => {
                connect::start(session, &project)?;
                let connection = connect::if_running(session, &project).await?.map_err(Failure::from)?;
                let status = connection.client.status().await?;
                return told(session, &project, &status, "it was not running; daemon started");
            }
        };
        let client = &connection.client;
        let before = client.status().await?;
        let patience = session.deadline().or_else(|| migration::patience(session, &project)).unwrap_or(PATIENCE);
        match client.restart(&binary).await {
            // The answer may be lost with the one that gave it: whether another one answers is what counts.
            Ok(()) | Err(client::Error::Broken { .. }) => {}
            Err(error) => return Err(Failure::from(error).while_doing("cannot restart the daemon")),
        }
        let after = another(client, &before, patience).await?;
        if !runs_this_program(after.guardian_pid) {
            session.ui.note("the guardian goes on with its old program; see why with `apex daemon logs`");
        }
        told(session, &project, &after, "daemon restarted")
    })
}

/// Returns whether a process runs the program that this one runs; `true` if that cannot be found out.
///
/// Source: proc_pid_exe(5).
fn runs_this_program(pid: u32) -> bool {
    let program = |process: &str| {
        let found = std::fs::metadata(format!("/proc/{process}/exe")).ok()?;
        Some((found.dev(), found.ino()))
    };
    match (program(&pid.to_string()), program("self")) {
        (Some(other), Some(own)) => other == own,
        _ => true,
    }
}

async fn another(client: &Client, before: &DaemonStatus, patience: Duration) -> Result<DaemonStatus, Failure> {
    let began = Instant::now();
    loop {
        match client.status().await {
            Ok(status) if status.pid != before.pid => return Ok(status),
            // One that has much to do before it answers lets a call wait until that gives up.
            Ok(_) | Err(client::Error::Broken { .. } | client::Error::NoAnswer { .. })
                if began.elapsed() < patience =>
            {
                tokio::time::sleep(ASK_EVERY).await;
            }
            Ok(_) => {
                let message = format!("the daemon was not replaced: pid `{}` still answers", before.pid);
                return Err(Failure::new(ErrorKind::Unavailable, message)
                    .with_hint("see why with `apex daemon logs`")
                    .with_exit(Exit::Unreachable));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn told(session: &Session, project: &crate::paths::Project, status: &DaemonStatus, what: &str) -> Result<i32, Failure> {
    if session.ui.json {
        session.ui.json(&view(Some(status), project))?;
    } else if !session.ui.quiet {
        session.ui.data(&format!("{what} (pid {}, apexd {})", status.guardian_pid, status.pid))?;
    }
    Ok(Exit::Done.code())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::runs_this_program;

    #[test]
    fn another_program_is_told_from_this_one() {
        assert!(runs_this_program(std::process::id()));
        assert!(runs_this_program(u32::MAX), "nobody can tell");
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(!runs_this_program(other.id()));
        drop(other.stdin.take());
        other.wait().unwrap();
    }
}
