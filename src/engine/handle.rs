//! What may be asked of the engine, from any number of places at once.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::domain::change::Actor;
use crate::domain::daemon::DaemonStatus;
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::query::{Added, Cancelled, PerTask, TaskFilter, TaskPage};
use crate::domain::resource::Resources;
use crate::domain::task::{Environment, NewTask, State, Stdin, Task, TaskSpec};
use crate::engine::reload::Reload;
use crate::engine::select::Named;
pub(super) use crate::engine::shared::{Pulse, Shared};
use crate::engine::{Error, Settings};
use crate::fault::crash_point;
use crate::output::Outputs;
use crate::process;
use crate::store::task as verb;

/// Whether the engine is about to end, and why. Streams end with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// It goes on.
    Open,
    /// Another apexd takes over in a moment: clients come back to it.
    Restarting,
    /// The daemon ends.
    Stopping,
}

/// What clients ask of the loop.
#[derive(Debug)]
pub(super) enum Command {
    /// A cancel was stored: stop the attempt. Answered when the signal was sent.
    Stop { assignment: AssignmentId, reply: oneshot::Sender<()> },
    /// Stop the processes of an attempt, or let them go on. Answered when the signal was sent.
    Pause { assignment: AssignmentId, pause: bool, reply: oneshot::Sender<()> },
    /// Send a signal to the processes of a task. Answered with an errno, 0 if it was sent, `None` if it has no process.
    Signal { task: TaskId, signal: i32, reply: oneshot::Sender<Option<i32>> },
    /// Begin to drain, or be more urgent about it.
    Drain { grace: Option<Duration>, received: &'static str },
    /// End, so that this binary takes over. It was found to work.
    Replace { binary: PathBuf, reply: oneshot::Sender<()> },
    /// Somebody waits inside an attempt: what it holds is lent.
    Lend { attempt: AssignmentId, wait: u64 },
    /// A wait is over. Answered when the attempt has again what it lent.
    TakeBack { wait: u64, reply: oneshot::Sender<()> },
    /// Whoever waited has gone away.
    WaitIsOver { wait: u64 },
    /// Follow these settings from now on.
    Apply { settings: Settings, reply: oneshot::Sender<()> },
}

/// The engine, for those who ask something of it. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) is_kept_out: Arc<dyn Fn(&OsStr) -> bool + Send + Sync>,
    pub(super) enter: Arc<dyn Fn() -> Result<(), Problem> + Send + Sync>,
    pub(super) reload: Arc<Reload>,
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::Sender<Command>) -> Self {
        let (is_kept_out, enter) = (Arc::new(|_: &OsStr| false), Arc::new(|| Ok(())));
        Self { shared, commands, is_kept_out, enter, reload: Arc::default() }
    }

    /// Returns a handle through which no variable is stored for whose name `is_kept_out` holds. Clients leave them out
    /// as well, but one that cannot read the configuration, or was written by somebody else, does not.
    #[must_use]
    pub fn keeping_out(self, is_kept_out: impl Fn(&OsStr) -> bool + Send + Sync + 'static) -> Self {
        Self { is_kept_out: Arc::new(is_kept_out), ..self }
    }

    /// Returns a handle that calls `enter` before the project is accepted: to remember that beyond this apexd. It may block.
    #[must_use]
    pub fn entering(self, enter: impl Fn() -> Result<(), Problem> + Send + Sync + 'static) -> Self {
        Self { enter: Arc::new(enter), ..self }
    }

    /// Adds a task. Resolves when it is stored for good; it may start before that is known to the caller.
    ///
    /// Errors: [`Error::Draining`], [`Error::Spec`], or the store's.
    pub async fn add(&self, mut task: NewTask, by: Actor) -> Result<Added, Error> {
        self.refuse_if_draining()?;
        task.env.0.retain(|(name, _)| !(self.is_kept_out)(name));
        task.spec.check()?;
        task.env.check()?;
        self.refuse_what_never_fits(&task.spec)?;
        refuse_what_cannot_be_had(&task.spec)?;
        if let Stdin::Upload(upload) = task.spec.stdin {
            self.shared.outputs.check_upload(upload)?;
        }
        let trusted = self.shared.trusted.read().await;
        let now = (self.shared.world.now)();
        let spec = &task.spec;
        let has_hooks = !spec.hooks.is_empty();
        let is_ready = !task.hold && spec.run_at.is_none() && spec.after.is_empty() && spec.after_any.is_empty();
        let add = self.shared.store.add(verb::Add { task, by, now, untrusted: !*trusted });
        // The loop asks for ready tasks while this one is being stored, and is served next.
        let wake = async {
            if is_ready {
                self.shared.wake.notify_one();
            }
        };
        let (added, ()) = tokio::join!(biased; add, wake);
        let added = added?;
        crash_point("apexd.add.committed");
        drop(trusted);
        self.follow_tasks(has_hooks);
        match added.task.state {
            State::Scheduled => self.clock_changed(),
            State::Queued => self.shared.wake.notify_one(),
            _ => {}
        }
        Ok(added)
    }

    /// Returns a task with its attempts, the sizes of what they have written so far, and the hash of each output of an
    /// ended attempt, which is computed when it is first asked for. One that takes longer than a few seconds is left out,
    /// and is there when the task is asked for again later.
    pub async fn task(&self, id: TaskId) -> Result<Task, Error> {
        let mut task = self.shared.store.task(id).await?.ok_or(Error::NoSuchTask(id))?;
        let split = task.spec.split_output;
        let patience = Instant::now() + HASH_PATIENCE;
        for attempt in &mut task.attempts {
            if attempt.ended_at.is_none() {
                attempt.outputs = self.shared.outputs.current(id, attempt.number, split);
                continue;
            }
            for output in attempt.outputs.iter_mut().filter(|output| output.sha256.is_none()) {
                let mut hash = self.shared.hash(attempt.assignment, output.stream, output.path.clone());
                let hash = timeout_at(patience, hash.wait_for(Option::is_some)).await;
                // One that cannot be computed, or not yet, is left out; the rest of the task is told all the same.
                output.sha256 = hash.ok().and_then(Result::ok).and_then(|hash| *hash);
            }
        }
        Ok(self.with_time_left(task))
    }

    /// Returns a task as the store has it: no sizes of running outputs, no hashes computed.
    pub async fn stored_task(&self, id: TaskId) -> Result<Task, Error> {
        let task = self.shared.store.task(id).await?.ok_or(Error::NoSuchTask(id))?;
        Ok(self.with_time_left(task))
    }

    /// Returns the environment of a task, with its values.
    pub async fn environment(&self, id: TaskId) -> Result<Environment, Error> {
        self.shared.store.environment(id).await?.ok_or(Error::NoSuchTask(id))
    }

    /// Returns the tasks that match.
    pub async fn tasks(&self, filter: TaskFilter) -> Result<TaskPage, Error> {
        let TaskPage { tasks, cut } = self.shared.store.tasks(filter).await?;
        Ok(TaskPage { tasks: tasks.into_iter().map(|task| self.with_time_left(task)).collect(), cut })
    }

    /// Cancels tasks. Resolves when the wish is stored and the signals were sent; of a task that nobody can signal it is
    /// stored, and told that this does not end it. Many go in pieces, between which others
    /// get their turn; if the store fails, those before are cancelled.
    pub async fn cancel(
        &self,
        named: impl Into<Named>,
        reason: Option<String>,
        by: Actor,
    ) -> Result<PerTask<Cancelled, Error>, Error> {
        let Named { ids, only } = named.into();
        let now = (self.shared.world.now)();
        let mut places: Vec<usize> = (0..ids.len()).collect();
        if ids.len() > CANCEL_MAX {
            // What depends on another has the higher number: it is cancelled first, and not skipped in between.
            places.sort_by_key(|place| Reverse(ids[*place]));
        }
        let mut results: Vec<_> = Vec::with_capacity(ids.len());
        // Before anything is stored, so that nothing is stored and then not done.
        let outlived = self.shared.outlived().await?;
        for piece in places.chunks(CANCEL_MAX) {
            let ids = piece.iter().map(|place| ids[*place]).collect();
            let (only, reason) = (only.clone(), reason.clone());
            let cancel = verb::Cancel { ids, only, reason, by: by.clone(), now };
            let answers = self.shared.store.cancel(cancel).await?;
            crash_point("apexd.cancel.committed");
            for (place, (id, answer)) in piece.iter().zip(answers) {
                if let Ok(Cancelled::Asked(assignment)) = answer {
                    if let Some(pid) = outlived.get(&assignment) {
                        // What is stored keeps it from being run again, but nobody can end it.
                        results.push((*place, (id, Err(Error::Outlived { verb: "end", id, pid: *pid }))));
                        continue;
                    }
                    let (reply, sent) = oneshot::channel();
                    self.send(Command::Stop { assignment, reply }).await?;
                    // The attempt may end before the signal does: that is as good.
                    let _ = sent.await;
                }
                results.push((*place, (id, answer.map_err(|refused| Error::cancel_refused(id, refused)))));
            }
        }
        results.sort_unstable_by_key(|(place, _)| *place);
        self.shared.unsettled.store(true, Ordering::Release);
        self.shared.wake.notify_one();
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Sends one signal to every process of the tasks' sessions and changes nothing else.
    pub async fn kill(&self, ids: Vec<TaskId>, signal: i32) -> Result<PerTask<(), Error>, Error> {
        let mut results = Vec::with_capacity(ids.len());
        for id in ids {
            let (reply, answer) = oneshot::channel();
            self.send(Command::Signal { task: id, signal, reply }).await?;
            let result = match answer.await.map_err(|_| Error::Stopped)? {
                Some(0) => Ok(()),
                Some(errno) if errno != nix::libc::ESRCH => {
                    Err(Error::Signal { id, signal, source: std::io::Error::from_raw_os_error(errno) })
                }
                _ => match (self.shared.store.task(id).await?, self.shared.outlived_pid(id).await?) {
                    (Some(_), Some(pid)) => Err(Error::Outlived { verb: "signal", id, pid }),
                    (Some(task), None) => Err(Error::NoProcess { id, signal, state: task.state }),
                    (None, _) => Err(Error::NoSuchTask(id)),
                },
            };
            results.push((id, result));
        }
        Ok(results)
    }

    /// Tells how the daemon stands.
    pub async fn status(&self) -> Result<DaemonStatus, Error> {
        let counts = self.shared.store.counts().await?;
        let pulse = self.shared.pulse();
        let guardian = &self.shared.guardian;
        Ok(DaemonStatus {
            pid: std::process::id(),
            guardian_pid: guardian.pid,
            restarts: guardian.restarts,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: guardian.started_at,
            uptime: (self.shared.world.now)().since(guardian.started_at),
            project: self.shared.project.clone(),
            max_concurrent: self.shared.settings().max_concurrent,
            active: u32::try_from(pulse.active).unwrap_or(u32::MAX),
            counts,
            last_poll_at: pulse.last_poll_at,
            draining: self.is_draining(),
            untrusted: self.is_untrusted().await,
            held_up: pulse.held_up,
            resources: self.resources().await?,
            lending: pulse.lending,
            windows: self.shared.settings().windows.at((self.shared.world.now)()),
        })
    }

    /// Begins to drain, with the settings' grace if none is given; asked again, nobody waits any more. `received` is
    /// what the log says was received. Resolves when the engine has heard it; the end itself shows in
    /// [`Handle::closing`].
    pub async fn stop(&self, grace: Option<Duration>, received: &'static str) -> Result<(), Error> {
        self.send(Command::Drain { grace, received }).await
    }

    /// Lets `binary` take the place of this apexd; running tasks go on. Resolves when the binary was found to work and
    /// the engine is about to end.
    ///
    /// Errors: [`Error::Binary`] if it does not answer as an apex does; [`Error::Draining`].
    pub async fn restart(&self, binary: Option<PathBuf>) -> Result<(), Error> {
        self.refuse_if_draining()?;
        let binary = match binary {
            Some(binary) => binary,
            None => std::env::current_exe().map_err(|error| Error::Binary {
                binary: PathBuf::from("/proc/self/exe"),
                reason: error.to_string(),
            })?,
        };
        self_test(binary.clone()).await?;
        let (reply, done) = oneshot::channel();
        self.send(Command::Replace { binary, reply }).await?;
        done.await.map_err(|_| Error::Stopped)
    }

    /// Returns a receiver that changes whenever something was recorded. Wake, then read.
    pub fn changes(&self) -> watch::Receiver<Seq> {
        self.shared.store.watch()
    }

    /// Returns a receiver that changes once, when the engine is about to end.
    pub fn closing(&self) -> watch::Receiver<Closing> {
        self.shared.closing.subscribe()
    }

    /// Returns where tasks write.
    pub fn outputs(&self) -> &Outputs {
        &self.shared.outputs
    }

    /// Returns whether no work is taken any more.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    pub(super) fn refuse_if_draining(&self) -> Result<(), Error> {
        if self.is_draining() { Err(Error::Draining) } else { Ok(()) }
    }

    /// Refuses what could not be started if nothing else ran.
    pub(super) fn refuse_what_never_fits(&self, spec: &TaskSpec) -> Result<(), Error> {
        if spec.needs.is_empty() {
            return Ok(());
        }
        self.shared.settings().pools.check(&spec.needs).map_err(Error::Unmet)
    }

    /// Tells of each resource how much there is, and who has it.
    async fn resources(&self) -> Result<Resources, Error> {
        let Settings { pools, reserve_after, .. } = self.shared.settings();
        if pools.is_empty() {
            return Ok(Resources::default());
        }
        let holdings = self.shared.store.holdings().await?;
        Ok(Resources::of(&pools, &holdings.held, &holdings.short, reserve_after))
    }

    pub(super) async fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::Stopped)
    }
}

/// How many tasks are cancelled in one transaction: it takes some two milliseconds, which is what others wait.
const CANCEL_MAX: usize = 64;

/// How long a question about a task waits for the hashes of its outputs; well within a client's deadline.
const HASH_PATIENCE: Duration = Duration::from_secs(5);

/// Refuses what a task is to be kept to if that cannot be had on this machine.
pub(super) fn refuse_what_cannot_be_had(spec: &TaskSpec) -> Result<(), Error> {
    Ok(process::check_confinement(&spec.confinement)?)
}

/// How long a binary may take to say who it is.
const SELF_TEST: Duration = Duration::from_secs(5);

/// Asks a binary for its version, the way a person would, to see that it runs here and is an apex.
async fn self_test(binary: PathBuf) -> Result<(), Error> {
    let failed = |reason: String| Error::Binary { binary: binary.clone(), reason };
    if !binary.is_absolute() {
        return Err(failed("the path is not absolute".to_owned()));
    }
    let output = tokio::process::Command::new(&binary)
        .args(["version", "--json"])
        .env_clear()
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SELF_TEST, output)
        .await
        .map_err(|_| failed(format!("it did not tell its version within {} s", SELF_TEST.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    let version: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
    match version.as_ref().and_then(|version| version.get("proto")) {
        Some(_) if output.status.success() => Ok(()),
        _ => Err(failed("it does not tell its version as apex does".to_owned())),
    }
}

/// Returns whether an error means that the disk or the memory is full, which passes.
pub(super) fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Exhausted)
}
