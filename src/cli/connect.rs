//! Reaching the project's daemon, and starting it if it may be started.

use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use uuid::Uuid;

use crate::cli::command::lock::{self, Guardian};
use crate::cli::error::Failure;
use crate::cli::migration;
use crate::cli::session::Session;
use crate::config::{self, Overrides};
use crate::domain::error::{ErrorKind, Problem};
use crate::exit::Exit;
use crate::paths::{Project, SocketPath, short_socket};
use crate::rpc::client::{self, Client, Options};

/// A connection to a project's daemon.
#[derive(Debug)]
pub struct Connection {
    /// The daemon.
    pub client: Client,
    /// The way to the socket may lead through a descriptor, which is needed again when the connection breaks.
    _socket: SocketPath,
}

/// Connects to the daemon and starts it if it is not running and may be started.
///
/// Errors: as [`if_running`]; it is not running and may not be started, or does not start.
pub async fn connect(session: &Session, project: &Project) -> Result<Connection, Failure> {
    // That the daemon lives says more than what stands in the socket's place.
    let or_out_of_reach = |failure| out_of_reach(project).map_or(failure, Failure::from);
    let not_running = match if_running(session, project).await.map_err(or_out_of_reach)? {
        Ok(connection) => {
            return Ok(reviving(connection, session, project));
        }
        Err(error) => error,
    };
    if !may_start(session, project) {
        return Err(or_out_of_reach(not_running.into()));
    }
    start(session, project).inspect_err(|_| session.leave_to_start())?;
    let connection = if_running(session, project).await?.map_err(Failure::from)?;
    Ok(reviving(connection, session, project))
}

/// Lets the connection start another daemon if the one that took it dies before it has answered.
fn reviving(connection: Connection, session: &Session, project: &Project) -> Connection {
    // A configuration that has become wrong does not matter to a daemon that runs, but to the next one.
    let auto_start = session.configuration(project).client.auto_start;
    if !session.may_start() || !auto_start {
        return connection;
    }
    let (project, deadline) = (project.clone(), session.deadline());
    let client = connection.client.clone().reviving(move || start_within(deadline, &project).is_ok());
    Connection { client, ..connection }
}

/// Connects to the daemon; what comes back as a value is that it is not running.
///
/// Errors: the socket belongs to somebody else, cannot be used, or nobody takes the connection.
pub async fn if_running(session: &Session, project: &Project) -> Result<Result<Connection, client::Error>, Failure> {
    let socket = short_socket(project)?;
    let options = Options { waiter: waiter(project), ..session.options() };
    match Client::connect(socket.path(), options).await {
        Ok(client) => {
            session.asks(&client);
            Ok(Ok(Connection { client, _socket: socket }))
        }
        Err(error @ client::Error::NotRunning { .. }) => Ok(Err(error)),
        Err(error) => Err(error.into()),
    }
}

/// Returns the attempt inside which this process runs, if that is one of the same project: while it waits for a task, that
/// attempt lends what it holds.
fn waiter(project: &Project) -> Option<Uuid> {
    let attempt = std::env::var("APEX_ASSIGNMENT_ID").ok()?.parse().ok()?;
    let root = std::env::var_os("APEX_PROJECT_PATH")?;
    is_inside(project, Path::new(&root)).then_some(attempt)
}

/// Connects to the daemon with a patience of one's own; that it is not running is an error like any other.
///
/// Errors: those of [`Client::connect`]; the path of the socket cannot be made short enough.
pub async fn within(project: &Project, options: Options) -> Result<Connection, client::Error> {
    let socket = short_socket(project).map_err(|error| client::Error::Answered(Problem::from(&error)))?;
    let client = Client::connect(socket.path(), options).await?;
    Ok(Connection { client, _socket: socket })
}

/// A daemon that lives, and that nobody can connect to: its socket is not there, or something else is in its place.
#[derive(Debug)]
pub struct OutOfReach {
    guardian: Option<u32>,
    socket: PathBuf,
    is_gone: bool,
}

impl OutOfReach {
    /// How it stands, in a few words.
    pub fn in_words(&self) -> String {
        format!("running{}, but cannot be reached", self.of_pid())
    }

    fn of_pid(&self) -> String {
        self.guardian.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    }
}

impl From<OutOfReach> for Failure {
    fn from(daemon: OutOfReach) -> Self {
        let (pid, socket) = (daemon.of_pid(), daemon.socket.display());
        let (what, hint) = if daemon.is_gone {
            (
                format!("its socket `{socket}` is gone"),
                "end it with `apex daemon stop`, which needs no socket; then `apex daemon start` makes it anew"
                    .to_owned(),
            )
        } else {
            (
                format!("in the place of its socket is something else: `{socket}`"),
                format!(
                    "end it with `apex daemon stop`, which needs no socket; move that away with `mv '{socket}' \
                     '{socket}.old'`, then `apex daemon start`"
                ),
            )
        };
        Self::new(ErrorKind::Unavailable, format!("a daemon runs{pid}, but {what}"))
            .with_hint(hint)
            .with_exit(Exit::Unreachable)
    }
}

/// Returns what hinders connecting to a daemon that lives; `None` if none does, or there is a socket.
pub fn out_of_reach(project: &Project) -> Option<OutOfReach> {
    let socket = project.socket();
    let found = std::fs::symlink_metadata(&socket);
    if found.as_ref().is_ok_and(|found| found.file_type().is_socket()) || !lock::is_held(project).unwrap_or(false) {
        return None;
    }
    let guardian = Guardian::find(project).map(|guardian| guardian.pid);
    Some(OutOfReach { guardian, socket, is_gone: found.is_err() })
}

/// Connects to the daemon for somebody who does without one as well; `None` if none runs, or none can be reached.
///
/// Errors: as [`if_running`].
pub async fn if_reachable(session: &Session, project: &Project) -> Result<Option<Connection>, Failure> {
    match if_running(session, project).await {
        Ok(connection) => Ok(connection.ok()),
        // Whoever does without says so, and goes on.
        Err(_) if out_of_reach(project).is_some() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Returns whether a daemon that does not run may be started.
pub fn may_start(session: &Session, project: &Project) -> bool {
    session.may_start() && auto_start(session, project)
}

fn auto_start(session: &Session, project: &Project) -> bool {
    match config::load(&project.config_file(), Overrides::default()) {
        Ok(config) => config.client.auto_start,
        // The start will say so, too, and fail; but that is the answer to what was asked.
        Err(error) => {
            session.ui.detail(&format!("the configuration cannot be used: {error}"));
            true
        }
    }
}

/// Starts the daemon by this program itself, in a process of its own: nothing forks where a runtime is.
pub fn start(session: &Session, project: &Project) -> Result<(), Failure> {
    session.ui.detail("starting the daemon");
    // The start waits for it; this only says why it takes so long.
    let _ = migration::patience(session, project);
    start_within(session.deadline(), project)
}

fn start_within(deadline: Option<Duration>, project: &Project) -> Result<(), Failure> {
    let mut command = Command::new("/proc/self/exe");
    // Else the name it goes by would not say that it is apex.
    command.arg0("apex").args(["--json", "daemon", "start", "-C"]).arg(project.root());
    if let Some(deadline) = deadline {
        // Connecting may take that long, but a start is not a call; it gets at least its usual time.
        let patience = deadline.max(Duration::from_secs(10));
        command.arg("--deadline").arg(crate::units::format_duration(patience));
    }
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.map_err(|error| Failure::io("cannot start the daemon", &error).with_exit(Exit::Unreachable))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let problem = told.lines().rev().find_map(read_problem);
    let problem = problem.unwrap_or_else(|| Problem::new(ErrorKind::Unavailable, last_line(&told, &output.status)));
    Err(Failure::from(problem).while_doing("cannot start the daemon").with_exit(Exit::Unreachable))
}

/// Reads the object that a command with `--json` leaves on standard error.
fn read_problem(line: &str) -> Option<Problem> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let error = value.get("error")?;
    let text = |key: &str| error.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    Some(Problem {
        kind: ErrorKind::from_word(&text("kind")?).unwrap_or(ErrorKind::Internal),
        message: text("message")?,
        hint: text("hint"),
        id: text("id"),
    })
}

fn last_line(told: &str, status: &std::process::ExitStatus) -> String {
    let line = told.lines().rev().find(|line| !line.trim().is_empty());
    line.map_or_else(|| format!("it ended with {status}"), str::to_owned)
}

/// Returns whether the directory named in `APEX_PROJECT_PATH` is that of `project`.
pub fn is_inside(project: &Project, named: &Path) -> bool {
    std::fs::canonicalize(named).is_ok_and(|root| root == project.root())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_start_said_is_passed_on() {
        let line = r#"{"error":{"kind":"invalid","message":"`c`, line 2: no","hint":"edit it","id":null}}"#;
        let problem = read_problem(line).unwrap();
        assert_eq!((problem.kind, problem.message.as_str()), (ErrorKind::Invalid, "`c`, line 2: no"));
        assert_eq!((problem.hint.as_deref(), problem.id), (Some("edit it"), None));
        assert_eq!(read_problem("warning: something"), None);
    }
}
