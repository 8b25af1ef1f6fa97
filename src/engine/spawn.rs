//! From a claimed task to the order that starts its process.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::domain::attempt::Event;
use crate::domain::resource::{Granted, Pools, variable as variable_of};
use crate::domain::task::{Environment, Stdin, TaskSpec};
use crate::domain::time::Timestamp;
use crate::engine::error::with_causes;
use crate::engine::handle::Shared;
use crate::engine::job::Preparation;
use crate::link::{Keep, Kept, Spawn, SpawnStep};
use crate::process;

/// Why an attempt cannot be started.
#[derive(Debug)]
pub(super) enum NotStartable {
    /// Its program or directory is not there, or may not be executed.
    Failed { code: i32, reason: String },
    /// The machine has no room for it at the moment.
    Refused { reason: String },
}

impl NotStartable {
    pub(super) fn into_event(self, at: Timestamp) -> Event {
        match self {
            Self::Failed { code, reason } => Event::NotStarted { code, reason, at },
            Self::Refused { .. } => Event::Refused,
        }
    }
}

/// Looks up what the order needs: the program, the directory, the files. Touches the disk.
pub(super) fn prepare(shared: &Shared, facts: &Preparation) -> Result<Spawn, NotStartable> {
    let spec = &facts.spec;
    if let Err(error) = std::fs::metadata(&spec.cwd) {
        let code = code_of(&error);
        return Err(NotStartable::Failed {
            code,
            reason: format!("working directory `{}`: {error}", spec.cwd.display()),
        });
    }
    let (program, argv) = if spec.shell {
        (PathBuf::from("/bin/sh"), shell_argv(&spec.argv))
    } else {
        let name = spec.argv.first().map(OsString::as_os_str).unwrap_or_default();
        let program = process::lookup(name, variable(&facts.env, "PATH"), &spec.cwd)
            .map_err(|error| NotStartable::Failed { code: error.exit_code(), reason: error.to_string() })?;
        (program, spec.argv.clone())
    };
    if shared.is_abandoned(facts.assignment) {
        // It took so long to come here that another start may write into these files already.
        return Err(NotStartable::Refused { reason: "it was given back meanwhile".to_owned() });
    }
    let files = shared
        .outputs
        .prepare(facts.id, facts.number, spec.split_output)
        .map_err(|error| NotStartable::Refused { reason: with_causes(&error) })?;
    Ok(Spawn {
        keep: keep(shared, facts)?,
        assignment: facts.assignment,
        program,
        argv,
        env: environment(shared, facts),
        cwd: spec.cwd.clone(),
        umask: spec.umask,
        limits: spec.limits.clone(),
        stdin: match &spec.stdin {
            Stdin::Empty | Stdin::Open | Stdin::Terminal => None,
            Stdin::File(path) => Some(path.clone()),
            Stdin::Upload(upload) => Some(shared.outputs.upload_path(*upload)),
        },
        stdout: files.stdout,
        stderr: files.stderr,
    })
}

/// Returns what is to be kept open of its input, if anything is.
fn keep(shared: &Shared, facts: &Preparation) -> Result<Option<Keep>, NotStartable> {
    let kept = match facts.spec.stdin {
        Stdin::Open => Kept::Pipe,
        Stdin::Terminal => Kept::Terminal,
        Stdin::Empty | Stdin::File(_) | Stdin::Upload(_) => return Ok(None),
    };
    if !shared.guardian.keeps {
        let reason = "the guardian is of an earlier version and cannot keep an input open; `apex daemon stop`, then \
                      `apex daemon start`, replaces it";
        return Err(NotStartable::Refused { reason: reason.to_owned() });
    }
    let socket = shared.outputs.prepare_keeper(facts.assignment);
    let socket = socket.map_err(|error| NotStartable::Refused { reason: with_causes(&error) })?;
    Ok(Some(Keep { socket, kept }))
}

/// Explains why the guardian could not start a process.
pub(super) fn explain(spec: &TaskSpec, step: SpawnStep, errno: i32) -> NotStartable {
    let error = std::io::Error::from_raw_os_error(errno);
    let scarce = [nix::libc::ENOMEM, nix::libc::EAGAIN, nix::libc::EMFILE, nix::libc::ENFILE].contains(&errno)
        // No more terminals than that.
        || (step, errno) == (SpawnStep::Terminal, nix::libc::ENOSPC);
    let what = match step {
        SpawnStep::Chdir => format!("working directory `{}`", spec.cwd.display()),
        SpawnStep::Stdin => match &spec.stdin {
            Stdin::File(path) => format!("input file `{}`", path.display()),
            _ => "input".to_owned(),
        },
        SpawnStep::Exec => {
            format!("program `{}`", spec.argv.first().map(|name| name.to_string_lossy()).unwrap_or_default())
        }
        SpawnStep::Fork => "a further process".to_owned(),
        SpawnStep::Output => "output files".to_owned(),
        SpawnStep::Setup => "session, limits or descriptors".to_owned(),
        SpawnStep::Terminal => "terminal".to_owned(),
    };
    let reason = match (step, errno) {
        (SpawnStep::Exec, nix::libc::E2BIG) => {
            format!("{what}: its arguments and environment together are longer than the system takes: {error}")
        }
        (SpawnStep::Fork, nix::libc::EAGAIN) => format!("{what}: no more are allowed (see `ulimit -u`): {error}"),
        _ => format!("{what}: {error}"),
    };
    let fault_of_the_task = matches!(step, SpawnStep::Chdir | SpawnStep::Stdin | SpawnStep::Exec | SpawnStep::Terminal);
    if fault_of_the_task && !scarce {
        NotStartable::Failed { code: code_of(&error), reason }
    } else {
        NotStartable::Refused { reason }
    }
}

/// Returns 127 for what is not there, 126 for what may not be used, as a shell does.
fn code_of(error: &std::io::Error) -> i32 {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    if matches!(error.kind(), NotFound | NotADirectory) { 127 } else { 126 }
}

fn shell_argv(line: &[OsString]) -> Vec<OsString> {
    let mut argv = vec![OsString::from("sh"), OsString::from("-c")];
    argv.extend(line.iter().cloned());
    argv
}

pub(super) fn variable<'a>(env: &'a Environment, name: &str) -> Option<&'a OsStr> {
    env.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
}

/// Variables by which a supervisor talks to a service it started: a task that inherited them would speak for that
/// service.
///
/// Source: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3), systemd.exec(5).
const OF_SUPERVISORS: [&str; 9] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "MAINPID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
];

/// Returns the whole environment of an attempt: the task's own, without what belongs to a supervisor, with a `PWD` that
/// is true, and with apex's variables.
fn environment(shared: &Shared, facts: &Preparation) -> Vec<(OsString, OsString)> {
    let mut ours: Vec<(OsString, OsString)> = vec![
        ("APEX_TASK_ID".into(), facts.id.to_string().into()),
        ("APEX_ATTEMPT".into(), facts.number.to_string().into()),
        ("APEX_QUEUE".into(), facts.spec.queue.clone().into()),
        ("APEX_SLOT".into(), facts.slot.to_string().into()),
        ("APEX_PROJECT_PATH".into(), path_text(&shared.project)),
        ("APEX_SOCKET".into(), path_text(&shared.socket)),
    ];
    if !facts.granted.is_empty() {
        ours.extend(granted(&facts.granted, &shared.settings().pools));
    }
    let is_replaced =
        |name: &OsStr| OF_SUPERVISORS.iter().any(|theirs| name == *theirs) || ours.iter().any(|(own, _)| name == own);
    let mut env: Vec<(OsString, OsString)> =
        facts.env.0.iter().filter(|(name, _)| !is_replaced(name)).cloned().collect();
    for (name, value) in &mut env {
        if name == "PWD" {
            *value = path_text(&facts.spec.cwd);
        }
    }
    if facts.spec.stdin == Stdin::Terminal && !env.iter().any(|(name, _)| name == "TERM") {
        // Whoever added it may have had none. This is what most terminals that will be attached understand.
        env.push(("TERM".into(), "xterm-256color".into()));
    }
    env.extend(ours);
    env
}

/// Returns the variables by which an attempt is told what it was granted: of each resource its own, and those that the
/// configuration names.
fn granted(granted: &Granted, pools: &Pools) -> Vec<(OsString, OsString)> {
    let mut variables = Vec::new();
    for (name, grant) in &granted.0 {
        let further = pools.0.get(name).map_or(&[][..], |pool| &pool.variables);
        for variable in further.iter().chain([&variable_of(name)]) {
            variables.push((variable.into(), grant.in_environment().into()));
        }
    }
    variables
}

fn path_text(path: &Path) -> OsString {
    path.as_os_str().to_owned()
}
