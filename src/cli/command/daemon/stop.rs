//! `daemon stop`: asks for the drain, and returns when nothing is left.

use std::convert::Infallible;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::args::daemon::Stop;
use crate::cli::command::daemon::view;
use crate::cli::command::lock::{self, Guardian};
use crate::cli::connect;
use crate::cli::error::Failure;
use crate::cli::progress::{self, Waiting};
use crate::cli::session::{Session, block_on};
use crate::domain::daemon::DaemonStatus;
use crate::domain::error::ErrorKind;
use crate::exit::Exit;
use crate::paths::Project;
use crate::rpc::client;

/// How often the lock is looked at where there is no process to wait for.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Longest time for which somebody who looks waits to be told how the daemon stands.
const ASK_FOR: Duration = Duration::from_secs(1);
/// When it is looked whether the apexd that was asked has died of something else before anybody knew of it.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often somebody who waits can interrupt before the daemon is left to itself.
const INTERRUPTS_MAX: u32 = 2;

/// Stops the daemon.
pub fn run(session: &Session, args: &Stop) -> Result<i32, Failure> {
    let project = session.project()?;
    if !lock::is_held(&project)? {
        return told(session, &project, "daemon is not running");
    }
    block_on(async {
        let mut interrupts = Interrupts::listen()?;
        // Found before it is asked: once it is gone there is nothing to find.
        let guardian = Guardian::find(&project);
        let asked = ask(session, &project, args, guardian.as_ref()).await?;
        let gone = tokio::select! {
            gone = until_gone(&project, guardian, interrupts.enough(session)) => gone?,
            never = show(session, &project) => match never {},
            never = ask_again(session, &project, args, asked) => match never {},
        };
        if gone { told(session, &project, "daemon stopped") } else { Ok(Exit::StillRunning.code()) }
    })
}

fn told(session: &Session, project: &Project, text: &str) -> Result<i32, Failure> {
    if session.ui.json {
        session.ui.json(&view(None, project))?;
    } else if !session.ui.quiet {
        session.ui.data(text)?;
    }
    Ok(Exit::Done.code())
}

/// Asks apexd, or the guardian if apexd does not answer. Returns the pid of the apexd that was asked.
async fn ask(
    session: &Session,
    project: &Project,
    args: &Stop,
    guardian: Option<&Guardian>,
) -> Result<Option<u32>, Failure> {
    let grace = if args.force { Some(Duration::ZERO) } else { args.grace };
    let asked = match connect::if_running(session, project).await {
        // First whether it answers at all: a request to stop that was given up on may be heard later, and would count as
        // another one besides the guardian's, which is to skip the waiting.
        Ok(Ok(connection)) => match connection.client.status().await {
            Ok(status) => connection.client.stop(grace).await.map(|()| status.pid).map_err(Failure::from_stop),
            Err(error) => Err(Failure::from_stop(error)),
        },
        Ok(Err(_)) => Err(None),
        Err(failure) if failure.exit == Exit::Unreachable && failure.problem.kind == ErrorKind::Unavailable => {
            Err(None)
        }
        // Something else stands in the socket's place, or the socket is gone: the guardian needs none.
        Err(_) if connect::out_of_reach(project).is_some() => Err(None),
        Err(failure) => Err(Some(failure)),
    };
    match (asked, guardian) {
        (Ok(pid), _) => Ok(Some(pid)),
        (Err(Some(failure)), None) => Err(failure),
        (Err(Some(failure)), Some(_)) if !is_unable(failure.problem.kind) => Err(failure),
        (Err(why), Some(guardian)) => {
            match why {
                Some(failure) => {
                    session.ui.note(&format!("{}; the daemon's guardian is asked instead", failure.problem.message));
                }
                None => session.ui.note("the daemon does not answer; its guardian is asked"),
            }
            // An error says that it has just ended, which is what is waited for.
            let _ = guardian.signal(nix::libc::SIGTERM);
            if args.force {
                // The second request is the one that does not wait. Another signal, because two of one may become one.
                let _ = guardian.signal(nix::libc::SIGINT);
            }
            Ok(None)
        }
        // It is about to be ready, or about to be gone. The lock will tell.
        (Err(None), None) => Ok(None),
    }
}

/// Asks the next apexd when the one that was `asked` did not live to pass it on, as long as it is polled. Never asks one
/// twice: the second time means not to wait.
async fn ask_again(session: &Session, project: &Project, args: &Stop, mut asked: Option<u32>) -> Infallible {
    loop {
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
        let status = status(session, project).await;
        if status.is_some_and(|status| asked.is_some_and(|asked| asked != status.pid) && !status.draining) {
            // Who cannot be asked is looked for again.
            asked = ask(session, project, args, None).await.ok().flatten().or(asked);
        }
    }
}

async fn status(session: &Session, project: &Project) -> Option<DaemonStatus> {
    let status = async { connect::if_running(session, project).await.ok()?.ok()?.client.status().await.ok() };
    tokio::time::timeout(ASK_FOR, status).await.ok().flatten()
}

/// Whether an answer says that apexd cannot do it, say for want of room or because of its store: the guardian needs neither.
fn is_unable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Exhausted | ErrorKind::Internal)
}

impl Failure {
    /// `None` if nobody answered: there are other ways to ask.
    fn from_stop(error: client::Error) -> Option<Self> {
        match error {
            client::Error::Answered(problem) => Some(problem.into()),
            error if error.answered() => Some(error.into()),
            _ => None,
        }
    }
}

/// The signals of somebody who does not want to wait any more.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    count: u32,
}

impl Interrupts {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::io("cannot listen for signals", &error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())?, count: 0 })
    }

    /// Resolves when that was said often enough; the first time it is explained.
    async fn enough(&mut self, session: &Session) {
        while self.count < INTERRUPTS_MAX {
            // Cancel-safe because signals are latched.
            tokio::select! {
                _ = self.interrupt.recv() => self.count += 1,
                _ = self.terminate.recv() => self.count = INTERRUPTS_MAX,
            }
            if self.count < INTERRUPTS_MAX {
                session.ui.note(
                    "the daemon drains; interrupt again to leave it to that (`apex daemon stop --force` does not wait)",
                );
            }
        }
        session.ui.note("the daemon goes on draining; see how it stands with `apex daemon status`");
    }
}

/// Shows on a terminal what is waited for, as long as it is polled.
async fn show(session: &Session, project: &Project) -> Infallible {
    let mut waiting = Waiting::begin(&session.ui);
    loop {
        waiting.due().await;
        // A connection for each look: one that stays open could be what is waited for.
        let status = status(session, project).await;
        waiting.show(|waited| Some(progress::for_daemon(status.as_ref(), waited)));
    }
}

/// Waits until guardian and apexd are gone; `false` if whoever waited lost patience.
async fn until_gone(
    project: &Project,
    guardian: Option<Guardian>,
    enough: impl Future<Output = ()>,
) -> Result<bool, Failure> {
    let gone = async {
        let pid = guardian.as_ref().map(|guardian| guardian.pid);
        if let Some(guardian) = guardian {
            // SAFETY: the descriptor is open, belongs to the value that owns it, and lives as long as that does.
            let pidfd = unsafe { AsyncFd::register_with_interest(guardian.into_pidfd(), Interest::READABLE) };
            let pidfd = pidfd.map_err(|error| Failure::io("cannot wait for the daemon", &error.into()))?;
            // Readable when it has ended; pidfd_open(2).
            let ended = pidfd.readable().await;
            ended.map_err(|error| Failure::io("cannot wait for the daemon", &error))?.retain_ready();
        }
        while lock::is_held(project)? {
            // Somebody has started another one already, which got the lock because all of this one is gone.
            let is_another = |found: Guardian| pid.is_some_and(|pid| pid != found.pid);
            if Guardian::find(project).is_some_and(is_another) {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    };
    tokio::select! {
        gone = gone => gone.map(|()| true),
        () = enough => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn another_daemon_that_was_started_at_once_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let project = Project::new(dir.path());
        fs::create_dir(project.dir()).unwrap();
        let lock = File::create(project.lock_file()).unwrap();
        let mut old = Command::new("cat").stdin(Stdio::piped()).stdout(lock.try_clone().unwrap()).spawn().unwrap();
        fs::write(project.pid_file(), format!("{}\n", old.id())).unwrap();
        let guardian = Guardian::find(&project).expect("it has the lock open");
        // The other one: this process.
        // SAFETY: a plain system call on an open descriptor.
        assert_eq!(unsafe { nix::libc::flock(std::os::fd::AsRawFd::as_raw_fd(&lock), nix::libc::LOCK_EX) }, 0);
        fs::write(project.pid_file(), format!("{}\n", std::process::id())).unwrap();
        drop(old.stdin.take());
        let gone = block_on(async {
            // No signals are listened for: a test program that does can no longer be interrupted.
            let waited = until_gone(&project, Some(guardian), std::future::pending());
            Ok(tokio::time::timeout(Duration::from_secs(20), waited).await)
        });
        old.wait().unwrap();
        assert_eq!(gone, Ok(Ok(Ok(true))));
    }
}
