//! What may be asked of the engine, from any number of places at once.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::domain::attempt::Attempt;
use crate::domain::change::Actor;
use crate::domain::daemon::{DaemonStatus, RunTime};
use crate::domain::error::{ErrorKind, Problem};
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::query::{Added, Cancelled, PerTask, TaskFilter, TaskPage};
use crate::domain::resource::Resources;
use crate::domain::task::{Environment, NewTask, State, Stdin, Task, TaskSpec};
use crate::domain::time::Timestamp;
use crate::engine::core::{Core, Wake};
use crate::engine::hash::Hashing;
use crate::engine::progress::Telling;
use crate::engine::reload::Reload;
use crate::engine::select::Named;
use crate::engine::{Error, Guardian, Settings, World};
use crate::fault::crash_point;
use crate::link::mounts::Mounts;
use crate::output::Outputs;
use crate::process;
use crate::store::{Store, task as verb};

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

/// What the loop tells about itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse {
    pub(super) active: usize,
    pub(super) last_poll_at: Option<Timestamp>,
    /// What the machine lacked when something was last to be started.
    pub(super) held_up: Option<String>,
    /// Tasks that lend their slot and their resources.
    pub(super) lending: Vec<TaskId>,
}

/// What handles and the loop have in common.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) outputs: Outputs,
    pub(super) settings: RwLock<Settings>,
    pub(super) world: World,
    pub(super) guardian: Guardian,
    pub(super) project: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) wake: Notify,
    /// There may be other hooks than before.
    pub(super) hooks_changed: Notify,
    /// Changes when it was stored that a hook has come further.
    pub(super) hooks_ran: watch::Sender<()>,
    /// Those that tasks have of their own are followed.
    pub(super) follows_tasks: AtomicBool,
    /// Somebody wants the configuration to be read again.
    pub(super) reload_asked: Notify,
    pub(super) draining: AtomicBool,
    pub(super) hashing: Hashing,
    /// What tasks said of how far they are, and is not stored yet.
    pub(super) telling: Telling,
    /// Something waits for the clock that did not before: the loop is to look when its time comes.
    pub(super) clock_changed: AtomicBool,
    /// Tasks that depend on others are to be told.
    pub(super) unsettled: AtomicBool,
    /// The project is one's own. Held while a task is added, so that none is missed when it is accepted.
    pub(super) trusted: tokio::sync::RwLock<bool>,
    /// One at a time: pausing and resuming a task are two steps each, which must not mix.
    pub(super) pausing: tokio::sync::Mutex<()>,
    /// Held while files of removed tasks are deleted.
    pub(super) tidying: tokio::sync::Mutex<()>,
    /// What is mounted, for who would rather look at a file than wake another thread for it.
    pub(super) mounts: Mutex<Mounts>,
    /// Starts that are being prepared and are not wanted any more.
    pub(super) abandoned: Mutex<HashSet<AssignmentId>>,
    /// How many waits inside tasks there were: each has its number.
    pub(super) waits: AtomicU64,
    pub(super) run_time: Mutex<RunTime>,
    pub(super) pulse: Mutex<Pulse>,
    /// The processes of attempts that outlived their guardian, found when first asked for: later ones are this one's.
    outlived: tokio::sync::OnceCell<HashMap<AssignmentId, u32>>,
    pub(super) closing: watch::Sender<Closing>,
}

impl Shared {
    /// `places` are the project's root and the daemon's socket.
    pub(super) fn new(
        store: Arc<dyn Store>,
        outputs: Outputs,
        settings: Settings,
        world: World,
        guardian: Guardian,
        places: (PathBuf, PathBuf),
        trusted: bool,
    ) -> Self {
        let (project, socket) = places;
        Self {
            store,
            outputs,
            settings: settings.into(),
            world,
            guardian,
            project,
            socket,
            wake: Notify::new(),
            hooks_changed: Notify::new(),
            hooks_ran: watch::Sender::new(()),
            follows_tasks: false.into(),
            reload_asked: Notify::new(),
            draining: false.into(),
            hashing: Hashing::default(),
            telling: Telling::default(),
            clock_changed: false.into(),
            unsettled: false.into(),
            trusted: tokio::sync::RwLock::new(trusted),
            pausing: tokio::sync::Mutex::default(),
            tidying: tokio::sync::Mutex::default(),
            mounts: Mutex::default(),
            abandoned: Mutex::default(),
            waits: AtomicU64::new(0),
            run_time: Mutex::default(),
            pulse: Mutex::default(),
            outlived: tokio::sync::OnceCell::new(),
            closing: watch::Sender::new(Closing::Open),
        }
    }

    /// Returns what handles have said there may be to be done, and forgets that they said it.
    pub(super) fn take_wake(&self) -> Wake {
        Wake {
            // Whoever accepts the project just now wakes the loop again.
            trusted: self.trusted.try_read().is_ok_and(|trusted| *trusted),
            clock_changed: self.clock_changed.swap(false, Ordering::AcqRel),
            unsettled: self.unsettled.swap(false, Ordering::AcqRel),
        }
    }

    /// Shows how the core stands.
    pub(super) fn show(&self, core: &Core) {
        let pulse = core.pulse();
        self.set_pulse(|shown| *shown = pulse);
        self.draining.store(core.is_draining(), Ordering::Release);
    }

    pub(super) fn pulse(&self) -> Pulse {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether all these paths are on file systems of this machine, which answer at once.
    pub(super) fn answers_at_once(&self, paths: impl IntoIterator<Item = PathBuf>) -> bool {
        !self.mounts.lock().unwrap_or_else(PoisonError::into_inner).can_hang_at(paths.into_iter())
    }

    /// Returns whether outputs are finished on a file system of this machine.
    pub(super) fn finishes_at_once(&self) -> bool {
        self.answers_at_once([self.outputs.place()])
    }

    /// Wants a start no more that is being prepared.
    pub(super) fn abandon(&self, assignment: AssignmentId) {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).insert(assignment);
    }

    pub(super) fn is_abandoned(&self, assignment: AssignmentId) -> bool {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).contains(&assignment)
    }

    /// What is wanted for a start has been looked up.
    pub(super) fn is_prepared(&self, assignment: AssignmentId) {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).remove(&assignment);
    }

    /// Returns the attempts that run on although the guardian that started them is gone, with their pids: nobody can signal
    /// them, and they end by themselves. Some may have ended in the meantime.
    async fn outlived(&self) -> Result<&HashMap<AssignmentId, u32>, Error> {
        let find = async || {
            let in_flight = self.store.in_flight().await?;
            let is_held = |assignment| self.guardian.children.iter().any(|child| child.assignment == assignment);
            let others = in_flight.into_iter().map(|entry| entry.attempt);
            let others = others.filter(|attempt| attempt.owner != self.guardian.id && !is_held(attempt.assignment));
            let pid = |attempt: Attempt| Some((attempt.assignment, attempt.identity?.pid));
            Ok(others.filter_map(pid).collect())
        };
        self.outlived.get_or_try_init(find).await
    }

    /// Returns the pid of a task whose process has outlived its guardian; `None` for every other.
    pub(super) async fn outlived_pid(&self, id: TaskId) -> Result<Option<u32>, Error> {
        let outlived = self.outlived().await?;
        if outlived.is_empty() {
            return Ok(None);
        }
        let task = self.store.task(id).await?;
        let attempt = task.as_ref().and_then(|task| task.attempts.last());
        let attempt = attempt.filter(|attempt| attempt.ended_at.is_none());
        Ok(attempt.and_then(|attempt| outlived.get(&attempt.assignment)).copied())
    }

    fn set_pulse(&self, change: impl FnOnce(&mut Pulse)) {
        change(&mut self.pulse.lock().unwrap_or_else(PoisonError::into_inner));
    }
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
