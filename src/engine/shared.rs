//! What handles and the loop have in common.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{Notify, watch};

use crate::domain::attempt::Attempt;
use crate::domain::daemon::RunTime;
use crate::domain::id::{AssignmentId, Seq, TaskId};
use crate::domain::time::Timestamp;
use crate::engine::core::{Core, Wake};
use crate::engine::handle::Closing;
use crate::engine::hash::Hashing;
use crate::engine::progress::Telling;
use crate::engine::{Error, Guardian, Settings, World};
use crate::link::mounts::Mounts;
use crate::output::Outputs;
use crate::store::Store;

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
    /// How far hooks came by what was nothing to them, as far as it is not stored.
    pub(super) hooks_passed: Mutex<BTreeMap<String, Seq>>,
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
            hooks_passed: Mutex::default(),
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
    pub(super) async fn outlived(&self) -> Result<&HashMap<AssignmentId, u32>, Error> {
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
