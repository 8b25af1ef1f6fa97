//! `task add`: from flags to a task.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::cli::args::task::{Add, TaskFlags};
use crate::cli::args::terms::Hooks;
use crate::cli::caller::{self, Missing};
use crate::cli::command::{bulk, follow, terms, wait};
use crate::cli::connect::{self, Connection};
use crate::cli::environment::{self, Asked};
use crate::cli::error::Failure;
use crate::cli::render::instant::moment;
use crate::cli::session::{Session, block_on, now};
use crate::config::{self, Config};
use crate::domain::error::ErrorKind;
use crate::domain::hook::TaskHooks;
use crate::domain::id::{TaskId, TaskUuid};
use crate::domain::outcome::ReasonCode;
use crate::domain::resource::Needs;
use crate::domain::task::{Environment, InvalidSpec, Limit, NewTask, State, Stdin, Task, TaskSpec};
use crate::exit::{self, Exit};
use crate::paths::Project;
use crate::view::task::TaskView;

/// Adds a task, and stays with it if asked to.
pub fn run(session: &Session, args: &Add) -> Result<i32, Failure> {
    if let Some(from) = &args.from {
        return bulk::run(session, args, from);
    }
    let stays = args.wait || args.follow;
    added(session, args)
        .map_err(|failure| if stays && failure.exit != Exit::Usage { failure.broken() } else { failure })
}

fn added(session: &Session, args: &Add) -> Result<i32, Failure> {
    let project = session.project()?;
    let new = prepare(session, &project, &args.task)?;
    block_on(async {
        let connection = connect::connect(session, &project).await?;
        let sent = send(&connection, session.configuration(&project), new).await?;
        warn_if_untrusted(session, &sent.task);
        let said = sent.in_words();
        let task = sent.task;
        // What was there already has its own time.
        let starts = task.spec.run_at.filter(|_| !sent.is_other && task.state == State::Scheduled);
        let starts = starts.map(|at| format!("it starts at {}", moment(at, now())));
        if !args.wait && !args.follow {
            told(session, &project, &task, &said)?;
            starts.iter().for_each(|starts| session.ui.note(starts));
            return Ok(Exit::Done.code());
        }
        session.ui.note(&said);
        starts.iter().for_each(|starts| session.ui.note(starts));
        let ended = if args.follow {
            follow::to_the_end(session, &connection.client, task.id).await?
        } else {
            wait::until_ended(session, &connection.client, task.id).await?
        };
        let end = crate::cli::render::task::ended(&ended);
        if follow::needs_a_word(&ended) {
            session.ui.remark(&end)
        } else {
            session.ui.note(&end)
        }
        if args.wait && !args.follow {
            if session.ui.json {
                let whole = wait::whole(&connection.client, &ended).await?;
                session.ui.json(&TaskView::of(&whole, project.data()))?;
            } else if session.ui.quiet {
                session.ui.data(&task.id.to_string())?;
            }
        }
        Ok(exit::for_task(&ended))
    })
}

/// Says why a task will not run that was added to a project which nobody has accepted: whoever waits for it would not
/// know what for.
pub(super) fn warn_if_untrusted(session: &Session, task: &Task) {
    if task.reason_code == Some(ReasonCode::Untrusted) {
        let text = format!("task {} is held: this project came from elsewhere; `apex trust` lets it run", task.id);
        session.ui.warn(&text);
    }
}

fn told(session: &Session, project: &Project, task: &Task, said: &str) -> Result<(), Failure> {
    if session.ui.json {
        session.ui.json(&TaskView::of(task, project.data()))
    } else if session.ui.quiet {
        session.ui.data(&task.id.to_string())
    } else {
        session.ui.data(said)
    }
}

/// A task that is ready to be sent, except that its input may have to be handed over first.
#[derive(Debug, Clone)]
pub struct Prepared {
    new: NewTask,
    uploads_stdin: bool,
}

impl Prepared {
    /// Returns what is to be done, and the environment to do it in.
    pub fn into_parts(self) -> (TaskSpec, Environment) {
        (self.new.spec, self.new.env)
    }
}

/// What came of an add.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The task.
    pub task: Task,
    /// Whether it is another one, which has the same key and has not ended.
    pub is_other: bool,
}

impl Sent {
    /// Says what came of it.
    pub fn in_words(&self) -> String {
        let what = if self.is_other { "is there already" } else { "added" };
        format!("task {} {what}", self.task.id)
    }
}

/// Sends a task, its input first. Where the daemon lacks what stands in `config`, it has not read that since.
pub async fn send(connection: &Connection, config: &Config, prepared: Prepared) -> Result<Sent, Failure> {
    let prepared = upload(connection, prepared).await?;
    let added = connection.client.add(&prepared.new).await;
    let task = added.map_err(|error| if_not_read(error.into(), config, &prepared.new.spec))?.task;
    // One that was added by this very call, before a connection broke, is no other.
    Ok(Sent { is_other: task.uuid != prepared.new.uuid, task })
}

/// Says what helps where a task asks for what the daemon does not know of, and the configuration does.
fn if_not_read(failure: Failure, config: &Config, spec: &TaskSpec) -> Failure {
    let lacks = |what: &str, name: &str| failure.problem.message == format!("{what} `{name}`");
    let queue = config.queues.keys().any(|name| *name == spec.queue && lacks("no queue", name));
    let resource =
        spec.needs.0.keys().any(|name| config.resources.contains_key(name) && lacks("there is no resource", name));
    if queue || resource {
        return failure
            .with_hint("it stands in the configuration, which the daemon has not read since: `apex daemon reload`");
    }
    failure
}

/// Hands over what is read on standard input, if that is to be the task's.
pub async fn upload(connection: &Connection, mut prepared: Prepared) -> Result<Prepared, Failure> {
    if std::mem::take(&mut prepared.uploads_stdin) {
        // A thread of tokio's reads it; nothing forks after this.
        let upload = connection.client.upload_stdin(tokio::io::stdin()).await?;
        prepared.new.spec.stdin = Stdin::Upload(upload);
    }
    Ok(prepared)
}

/// Makes a task of what was typed and of what holds here: directory, environment, umask, limits. Warns of what will not
/// work.
///
/// Errors: flags that make no sense, files that cannot be read.
pub fn prepare(session: &Session, project: &Project, flags: &TaskFlags) -> Result<Prepared, Failure> {
    let env = environment(session, project, flags)?;
    let (spec, uploads_stdin) = spec(flags, &Here::look(session.configuration(project)))?;
    if let Some(warning) = warning(&spec, &env) {
        session.ui.warn(&warning);
    }
    let parent = parent(project, |name| std::env::var_os(name));
    let new = NewTask { uuid: TaskUuid(Uuid::now_v7()), spec, env, hold: flags.waits.hold, parent };
    Ok(Prepared { new, uploads_stdin })
}

/// Returns the environment that was typed and holds here. Says what is left out of it.
pub fn environment(session: &Session, project: &Project, flags: &TaskFlags) -> Result<Environment, Failure> {
    let ambient: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let exclusion = session.configuration(project).env.exclusion();
    let asked = Asked { set: &flags.env, files: &flags.env_files, clean: flags.clean_env };
    let (env, left_out) = environment::collect(&ambient, asked, |name| exclusion.matches(name))?;
    for name in left_out {
        session.ui.warn(&format!("variable `{}` is left out, as `[env] exclude` says", name.to_string_lossy()));
    }
    Ok(env)
}

/// What holds where a task is added, besides the environment.
#[derive(Debug)]
pub struct Here {
    /// The working directory, which is looked at only where it matters.
    directory: OnceCell<PathBuf>,
    /// The file mode creation mask.
    pub umask: u32,
    /// The soft limits.
    pub limits: Vec<Limit>,
    task: config::Task,
}

impl Here {
    /// Looks around.
    pub fn look(config: &Config) -> Self {
        let task = config.task.clone();
        Self { directory: OnceCell::new(), umask: caller::umask(), limits: caller::limits(), task }
    }

    /// Returns a path as it is meant here, absolute.
    ///
    /// Errors: it is relative, and there is no working directory.
    fn absolute(&self, path: &Path) -> Result<PathBuf, Failure> {
        if path.is_absolute() {
            return Ok(directory(Path::new("/"), path));
        }
        if self.directory.get().is_none() {
            let _ = self.directory.set(caller::working_directory()?);
        }
        Ok(directory(self.directory.get().map_or(Path::new("/"), PathBuf::as_path), path))
    }
}

/// Makes a spec of what was typed, and tells whether its input is to be read here.
///
/// Errors: flags that make no sense.
pub fn spec(flags: &TaskFlags, here: &Here) -> Result<(TaskSpec, bool), Failure> {
    let cwd = here.absolute(flags.cwd.as_deref().unwrap_or(Path::new(".")))?;
    let asked = if flags.pty { Some(Path::new(TERMINAL)) } else { flags.stdin.as_deref() };
    let (stdin, reads_here) = stdin(|file| here.absolute(file), asked)?;
    let defaults = TaskSpec::command(flags.words.argv.clone(), cwd);
    let spec = TaskSpec {
        shell: flags.words.is_shell_line(),
        name: flags.name.clone(),
        labels: flags.labels.iter().map(|(key, value)| (key.clone(), value.clone().unwrap_or_default())).collect(),
        queue: flags.waits.queue.clone().unwrap_or(defaults.queue),
        priority: flags.priority,
        umask: here.umask,
        limits: here.limits.clone(),
        stdin,
        split_output: flags.split_output,
        retry: terms::retry(&flags.tries, &here.task)?,
        timeout: terms::timeout(&flags.limits, &here.task),
        output_limit: terms::output_limit(&flags.limits, &here.task),
        confinement: terms::confinement(&flags.limits.confines, &here.task),
        kill_signal: flags.limits.kill_signal,
        kill_grace: flags.limits.kill_grace,
        key: flags.key.clone(),
        run_at: terms::run_at(&flags.waits, now())?,
        after: flags.waits.after.clone(),
        after_any: flags.waits.after_any.clone(),
        needs: Needs::of(flags.waits.needs.iter().cloned()).map_err(InvalidSpec::from)?,
        hooks: hooks(&flags.hooks)?,
        ..defaults
    };
    spec.check()?;
    Ok((spec, reads_here))
}

fn hooks(flags: &Hooks) -> Result<TaskHooks, Failure> {
    flags.all().map_err(|event| {
        let failure = Failure::usage(format!("there are two hooks for `{}`", event.as_str()));
        failure.with_hint("join them into one line, with `;` or `&&` between them")
    })
}

fn directory(cwd: &Path, asked: &Path) -> PathBuf {
    let joined = cwd.join(asked);
    // Only takes `.` and doubled slashes away; it looks at no file.
    std::path::absolute(&joined).unwrap_or(joined)
}

/// The word by which an input stays open. A file of that name is `./open`.
pub const OPEN: &str = "open";
/// The word by which an input is a terminal, as with `--pty`.
pub const TERMINAL: &str = "terminal";

/// Returns where the input comes from, and whether it has to be handed over first.
fn stdin(absolute: impl Fn(&Path) -> Result<PathBuf, Failure>, asked: Option<&Path>) -> Result<(Stdin, bool), Failure> {
    match asked {
        None => Ok((Stdin::Empty, false)),
        Some(dash) if dash == "-" => Ok((Stdin::Empty, true)),
        Some(word) if word == OPEN => Ok((Stdin::Open, false)),
        Some(word) if word == TERMINAL => Ok((Stdin::Terminal, false)),
        Some(file) => {
            let path = absolute(file)?;
            let cannot = |error: &std::io::Error| {
                Failure::io(format!("cannot read the input file `{}`", path.display()), error).with_exit(Exit::Refused)
            };
            // Opened only when the task starts; but what cannot be read now is better said now. A fifo without a writer
            // must not hold this up.
            let readable = nix::unistd::access(&path, nix::unistd::AccessFlags::R_OK);
            readable.map_err(|errno| cannot(&errno.into()))?;
            if path.is_dir() {
                let message = format!("the input file `{}` is a directory", path.display());
                return Err(Failure::new(ErrorKind::Invalid, message));
            }
            Ok((Stdin::File(path), false))
        }
    }
}

/// Returns what will keep the task from starting, as far as it can be seen from here.
pub fn warning(spec: &TaskSpec, env: &Environment) -> Option<String> {
    const STILL: &str = "the task is added all the same";
    if !spec.cwd.is_dir() {
        return Some(format!("there is no directory `{}`; {STILL}", spec.cwd.display()));
    }
    let program: &OsStr = if spec.shell { OsStr::new("/bin/sh") } else { spec.argv.first()? };
    let path = env.0.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    let shown = program.to_string_lossy();
    match caller::missing(program, &spec.cwd, path)? {
        // A line for the shell in quotation marks, after `--`.
        Missing::NotFound if spec.argv.len() == 1 && shown.contains(char::is_whitespace) => Some(format!(
            "there is no program `{shown}`: what comes after `--` is run as it is, and without `--` it is a line for the shell; {STILL}"
        )),
        Missing::NotFound => Some(format!("there is no program `{shown}`; {STILL}")),
        Missing::NotExecutable => Some(format!("program `{shown}` may not be executed; {STILL}")),
    }
}

/// Returns the task that this process is part of, if that is one of the same project.
pub fn parent(project: &Project, variable: impl Fn(&str) -> Option<OsString>) -> Option<TaskId> {
    let id = variable("APEX_TASK_ID")?.to_str()?.parse().ok()?;
    let root = variable("APEX_PROJECT_PATH")?;
    connect::is_inside(project, Path::new(&root)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_absolute() {
        let of = |asked: &str| directory(Path::new("/home"), Path::new(asked));
        assert_eq!(of("."), Path::new("/home"));
        assert_eq!(of("sub"), Path::new("/home/sub"));
        assert_eq!(of("./sub/."), Path::new("/home/sub"));
        assert_eq!(of("/tmp"), Path::new("/tmp"));
    }

    #[test]
    fn input_is_nothing_a_file_or_read_here() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("in"), "x").unwrap();
        let of = |asked: Option<&str>| stdin(|file| Ok(directory(dir.path(), file)), asked.map(Path::new));
        assert_eq!(of(None), Ok((Stdin::Empty, false)));
        assert_eq!(of(Some("-")), Ok((Stdin::Empty, true)));
        assert_eq!(of(Some("open")), Ok((Stdin::Open, false)));
        assert!(of(Some("./open")).is_err(), "a file that is not there");
        assert_eq!(of(Some("in")), Ok((Stdin::File(dir.path().join("in")), false)));
        for wrong in ["none", "."] {
            let failure = of(Some(wrong)).unwrap_err();
            assert_eq!(failure.exit, Exit::Refused, "{failure:?}");
            assert!(failure.problem.message.contains("input file"), "{failure:?}");
        }
    }

    #[test]
    fn the_parent_is_a_task_of_the_same_project() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let project = Project::new(&root);
        let of = |id: Option<&str>, path: Option<&Path>| {
            parent(&project, |name| match name {
                "APEX_TASK_ID" => id.map(OsString::from),
                "APEX_PROJECT_PATH" => path.map(OsString::from),
                _ => None,
            })
        };
        assert_eq!(of(Some("7"), Some(&root)), TaskId::new(7));
        assert_eq!(of(Some("7"), Some(Path::new("/"))), None);
        assert_eq!(of(Some("7"), None), None);
        assert_eq!(of(None, Some(&root)), None);
        assert_eq!(of(Some("x"), Some(&root)), None);
    }

    #[test]
    fn what_will_not_start_is_named() {
        let spec = |program: &str, cwd: &str| TaskSpec::command(vec![program.into()], cwd.into());
        let env = Environment(vec![("PATH".into(), "/usr/bin:/bin".into())]);
        assert_eq!(warning(&spec("sh", "/"), &env), None);
        let text = warning(&spec("no-such-program", "/"), &env).unwrap();
        assert!(text.contains("`no-such-program`"), "{text}");
        let text = warning(&spec("sh", "/nowhere"), &env).unwrap();
        assert!(text.contains("`/nowhere`"), "{text}");
        let shell = TaskSpec { shell: true, ..spec("no-such-program | sort", "/") };
        assert_eq!(warning(&shell, &env), None);
    }
}
