//! Assembles apexd and takes it apart again.
//!
//! [`main`] reads from top to bottom as the architecture: configuration, log, store, guardian, engine, server. What was
//! started last is stopped first. apexd is always started by the guardian, which hands it three descriptors: the link,
//! the listening socket and the lock.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::config::{self, Overrides};
use crate::daemon::reload::{Configuration, log_settings, settings};
use crate::domain::backoff::{EXIT_CONFIG, EXIT_DRAINED, EXIT_REPLACE};
use crate::domain::error::{ErrorKind, Problem};
use crate::engine::{Ended, Engine, Guardian, Handle, Setup, World};
use crate::fault::crash_point;
use crate::guardian;
use crate::link::machine::{monotonic_now, wall_now};
use crate::link::{Fact, Order};
use crate::output::Outputs;
use crate::paths::{self, Project};
use crate::process;
use crate::rpc::server;
use crate::store::{self, Store, sqlite};
use crate::telemetry;

mod clock;
mod hooks;
mod reload;
mod signals;

/// apexd's exit code when it failed in a way that starting it again may mend.
const EXIT_FAILED: i32 = 1;
/// How long clients have to take their last answers once everything has ended; then their connections are cut.
const LAST_ANSWERS: Duration = Duration::from_millis(150);
/// How long the server has to end, connections cut; it is dropped after that, whatever it still does.
const SERVER_ENDS: Duration = Duration::from_millis(250);
/// How many threads answer clients. Two would wake each other up for every request.
const SERVER_THREADS: usize = 1;
/// How long jobs that hang in the kernel may hold up the end.
const LAST_JOBS: Duration = Duration::from_millis(100);

/// Why apexd cannot serve.
#[derive(Debug)]
struct Failure {
    error: anyhow::Error,
    /// Starting it again would not help.
    final_: bool,
}

impl Failure {
    fn passing(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), final_: false }
    }

    fn lasting(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), final_: true }
    }
}

/// Runs apexd for a project until it is drained or replaced, and returns its exit code: 0 drained, 71 replace me, 78 no
/// restart will mend, anything else start again.
///
/// Must be called in a process that the guardian started: descriptors 3, 4 and 5 are the link, the listening socket and
/// the lock. A reason to give up is left in `daemon.failed`, where the guardian looks for it.
pub fn main(project: &Project, overrides: Overrides) -> i32 {
    match assemble(project, overrides) {
        Ok(ended) => ended,
        Err(failure) => {
            let reason = format!("{:#}", failure.error);
            error!("Cannot serve: {reason}");
            leave_reason(&project.failed_file(), &reason);
            if failure.final_ { EXIT_CONFIG } else { EXIT_FAILED }
        }
    }
}

/// Checks that nobody has put something else where the project's directories are, before anything in them is read.
fn check_places(project: &Project) -> Result<(), Failure> {
    let of = |kind: ErrorKind| if kind == ErrorKind::Exhausted { Failure::passing } else { Failure::lasting };
    for directory in [project.dir(), project.data()] {
        paths::verify(directory).map_err(|error| of(error.kind())(anyhow::Error::from(error)))?;
    }
    let checked = Outputs::new(project.data().to_owned()).check();
    checked.map_err(|error| of(error.kind())(anyhow::Error::from(error)))
}

/// Leaves the reason where whoever waits for the start can read it.
fn leave_reason(path: &Path, reason: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
        .and_then(|mut file| writeln!(file, "{reason}"));
    if let Err(error) = written {
        // The guardian writes a reason of its own if it finds none.
        warn!(%error, "Cannot leave the reason in `{}`", path.display());
    }
}

fn assemble(project: &Project, overrides: Overrides) -> Result<i32, Failure> {
    // SAFETY: apexd comes here straight from main; nothing has been opened yet.
    let held = unsafe { process::inherited() }.map_err(Failure::lasting)?;
    // Environments of tasks are in its memory: they are not for a core file, nor for whoever may look into a process.
    let _ = nix::sys::prctl::set_dumpable(false);
    check_places(project)?;
    // The kernel has it as `exe`, from /proc/self/exe. A name that cannot be set is no reason not to serve.
    let _ = nix::sys::prctl::set_name(c"apexd");
    let config = config::load(&project.config_file(), overrides).map_err(Failure::lasting)?;
    let log = telemetry::init(&project.log_file(), log_settings(&config), false)
        .with_context(|| format!("cannot write the log `{}`", project.log_file().display()))
        .map_err(Failure::passing)?;
    // The engine and the link to the guardian have one thread, so that what follows from one another needs no other
    // thread to wake up; the server has its own, so that a long answer keeps no task from starting.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime").map_err(Failure::passing)?;
    let serving = tokio::runtime::Builder::new_multi_thread()
        .thread_name("apex-serve")
        .worker_threads(SERVER_THREADS)
        .enable_all()
        .build()
        .context("cannot start the server's runtime")
        .map_err(Failure::passing)?;
    let (file, filter) = (project.config_file(), log.filter());
    let read = move || config::load(&file, overrides);
    let configuration = Arc::new(Configuration::new(config, read, move |level| filter.set_level(level)));
    let ended = runtime.block_on(serve(project, configuration, held, serving.handle()));
    serving.shutdown_timeout(LAST_JOBS);
    runtime.shutdown_timeout(LAST_JOBS);
    drop(log);
    let (code, estate) = ended?;
    // Nothing of apexd is left: from here on this process may be another.
    Ok(estate.map_or(code, |estate| take_place(project, estate)))
}

/// What apexd has when its guardian was killed.
struct Estate {
    legacy: process::Legacy,
    lock: OwnedFd,
    listener: OwnedFd,
}

/// Becomes the guardian in place of the one that was killed. Returns the exit code if that fails: both are gone then, and
/// the next start takes up what is left.
fn take_place(project: &Project, estate: Estate) -> i32 {
    let places = guardian::Places::of(project);
    let mut handover = estate.legacy.handover;
    handover.root = places.root;
    handover.dir = places.dir;
    handover.lock = places.lock;
    handover.pid_file = places.pid_file;
    handover.socket = places.socket;
    handover.log = places.log;
    handover.failed = places.failed;
    handover.exits = places.exits;
    // The next apexd is called as this one was.
    handover.apexd_args = std::env::args_os().skip(1).collect();
    handover.lock_fd = estate.lock.as_raw_fd();
    handover.listener_fd = Some(estate.listener.as_raw_fd());
    crash_point("apexd.place.taken");
    let error = guardian::succeed(&handover);
    eprintln!("cannot take the guardian's place: {error}");
    EXIT_FAILED
}

async fn serve(
    project: &Project,
    configuration: Arc<Configuration>,
    held: process::Inherited,
    serving: &tokio::runtime::Handle,
) -> Result<(i32, Option<Estate>), Failure> {
    let (link, facts) = process::Link::take(held.link).map_err(Failure::passing)?;
    let database = project.database();
    let announced = project.clone();
    let brought = brings_hooks(project);
    let open = move || {
        sqlite::keep_temporary_files_beside(&database)?;
        let announce = |id| {
            if !brought {
                announce(&announced, id)
            }
        };
        sqlite::open_announced(&database, wall_now(), announce)
    };
    let opened = tokio::task::spawn_blocking(open).await;
    let opened = opened.map_err(Failure::passing)?.map_err(|error| match error.kind() {
        ErrorKind::Exhausted | ErrorKind::Unavailable => Failure::passing(error),
        _ => Failure::lasting(error),
    })?;
    crash_point("apexd.store.opened");
    let trusted = !brought && is_own(project, &opened);
    if opened.created {
        set_output_aside(project);
    }
    let sqlite::Opened { store, unclean, backup, id, .. } = opened;
    if let Some(backup) = backup {
        info!("The task store was migrated; what it was before is kept in `{}`", backup.display());
    }
    if unclean {
        tokio::spawn(check(store.clone()));
    }
    let store: Arc<dyn Store> = store;
    // A copy, for the next guardian if there is to be one: the server closes its own.
    let spare = held.listener.try_clone().map_err(Failure::passing)?;
    let listener = (UnixListener::from(held.listener), serving.clone());
    let own = Own { database: id, trusted };
    let result = run(project, configuration, listener, &link, facts, store.clone(), own).await;
    if let Err(error) = store.close().await {
        warn!(%error, "The store was not closed in order; nothing is lost by that");
    }
    if matches!(result, Ok(EXIT_DRAINED)) {
        info!("Daemon stopped");
    }
    crash_point("apexd.store.closed");
    // What was ordered last, reaping above all, is in the guardian's hands before this process ends.
    let legacy = link.close().await;
    crash_point("apexd.link.closed");
    let code = result?;
    // After a drain there is nothing left to guard.
    let legacy = legacy.filter(|_| code != EXIT_DRAINED);
    Ok((code, legacy.map(|legacy| Estate { legacy, lock: held.lock, listener: spare })))
}

/// Whose the project is.
#[derive(Debug, Clone, Copy)]
struct Own {
    database: uuid::Uuid,
    trusted: bool,
}

/// Enters a project with the database that is about to be made for it: killed in between, it would pass for one that came
/// from elsewhere. What goes wrong is told when it is entered once more.
fn announce(project: &Project, database: uuid::Uuid) {
    let _ = enter(project, database);
}

/// Enters the project among those of its user, in the place where the next start will look: a client that accepts it may
/// have another idea of where that is.
fn enter(project: &Project, database: uuid::Uuid) -> Result<(), Problem> {
    let entered = paths::Places::from_env().and_then(|places| paths::register(project, &places, Some(database)));
    entered.map_err(|error| Problem::from(&error))
}

/// Keeps apart what tasks of an earlier store wrote: the ids of a new one begin anew, and would meet it.
fn set_output_aside(project: &Project) {
    let output = project.output_dir();
    if !std::fs::read_dir(&output).is_ok_and(|mut output| output.next().is_some()) {
        return;
    }
    let aside = project.data().join(format!("output.before-{}", wall_now().0));
    match std::fs::rename(&output, &aside) {
        Ok(()) => info!("The task store is a new one; what tasks wrote before is kept in `{}`", aside.display()),
        Err(error) => warn!(%error, "Cannot keep apart what tasks of an earlier store wrote"),
    }
}

/// Returns whether a project that nobody has made or accepted here has hooks in its own settings: they run something, so
/// they came along like tasks, even where no task did.
fn brings_hooks(project: &Project) -> bool {
    let Ok(places) = paths::Places::from_env() else { return false };
    let is_known = !matches!(paths::entry(project, &places), Ok(paths::Entry::Absent) | Err(_));
    !is_known && config::names_hooks(&project.config_file())
}

/// Returns whether the project is its user's own, and enters it as such if it is. Who cannot be asked has accepted nothing.
fn is_own(project: &Project, opened: &sqlite::Opened) -> bool {
    // What holds no task cannot have brought any along: it is as if it were made now. So is one that was, before its
    // maker could enter it.
    let origin = if opened.created || opened.empty { paths::Origin::Made } else { paths::Origin::Found };
    let places = match paths::Places::from_env() {
        Ok(places) => places,
        Err(error) => {
            warn!(%error, "Cannot tell which projects were accepted");
            return origin == paths::Origin::Made;
        }
    };
    let entry = paths::entry(project, &places).unwrap_or_else(|error| {
        warn!(%error, "Cannot tell whether the project was accepted");
        paths::Entry::Absent
    });
    let is_own = paths::is_own(entry, opened.id, origin);
    if is_own && let Err(error) = paths::register(project, &places, Some(opened.id)) {
        warn!(%error, "Cannot enter the project among those of its user; the next start will ask to accept it");
    }
    is_own
}

/// Reads the whole store, beside everything else, after an apexd that did not close it.
async fn check(store: Arc<sqlite::Sqlite>) {
    match store.check().await {
        Ok(()) => info!("The task store was not closed in order; it was checked and is sound"),
        Err(store::Error::Closed) => {}
        Err(error) => error!("Cannot rely on the task store: {error}"),
    }
}

/// Removes uploaded input that no task names: whoever sent it went away before adding the task.
async fn sweep_uploads(outputs: Outputs, store: Arc<dyn Store>) {
    let old = tokio::task::spawn_blocking({
        let outputs = outputs.clone();
        move || {
            let now = std::time::SystemTime::now();
            outputs.remove_old_tasks(now);
            outputs.old_uploads(now)
        }
    });
    let old = old.await.unwrap_or_default();
    if old.is_empty() {
        return;
    }
    match store.uploads().await {
        Ok(named) => {
            let unnamed = old.into_iter().filter(move |id| !named.contains(id));
            // How it ends does not matter: what is left is found by the next start.
            drop(tokio::task::spawn_blocking(move || unnamed.for_each(|id| outputs.remove_upload(id))));
        }
        Err(error) => warn!(%error, "Cannot tell which uploads are still needed; all are kept"),
    }
}

async fn run(
    project: &Project,
    configuration: Arc<Configuration>,
    (listener, serving): (UnixListener, tokio::runtime::Handle),
    link: &process::Link,
    mut facts: mpsc::Receiver<Fact>,
    store: Arc<dyn Store>,
    own: Own,
) -> Result<i32, Failure> {
    let config = configuration.in_force();
    let greeting = process::handshake(link, &mut facts).await.map_err(Failure::passing)?;
    crash_point("apexd.roll_call.heard");
    let exits = project.exits_file();
    let last_words = process::last_words(&exits).map_err(Failure::lasting)?;
    let boot = process::boot_id().map_err(Failure::passing)?;
    let orders = link.orders();
    let outputs = Outputs::new(project.data().to_owned());
    tokio::spawn(sweep_uploads(outputs.clone(), store.clone()));
    // Before anything is claimed.
    let configured = store.configure_queues(config.explicit_queues(), wall_now()).await;
    configured.context("cannot set the queues up").map_err(Failure::passing)?;
    let weighed = store.configure_weights(config.weights(), wall_now()).await;
    weighed.context("cannot set the queues up").map_err(Failure::passing)?;
    let setup = Setup {
        store,
        outputs,
        orders: Box::new(move |order| orders.send(order)),
        facts,
        guardian: Guardian {
            id: greeting.guardian,
            pid: greeting.guardian_pid,
            started_at: greeting.started_at,
            restarts: greeting.restarts,
            stop_requests: greeting.stop_requests,
            grace_until: greeting.grace_until,
            confines: greeting.confines,
            children: greeting.children,
            doubtful: greeting.doubtful,
            boot,
            keeps: greeting.keeps,
        },
        last_words,
        settings: settings(&config),
        project: project.root().to_owned(),
        socket: project.socket(),
        alarm: Box::new(process::Alarm::new().map_err(Failure::passing)?),
        world: World { now: wall_now, moment: monotonic_now, is_alive: process::is_alive, started: process::started },
        trusted: own.trusted,
    };
    let (engine, handle) = Engine::start(setup).await.map_err(Failure::passing)?;
    let excluding = configuration.clone();
    let handle = handle.keeping_out(move |name| excluding.is_kept_out(name));
    let following = configuration.clone();
    let reading = configuration.clone();
    let handle = handle.reloading(move || reading.read_again(), move || following.follow());
    let entered = project.clone();
    let handle = handle.entering(move || enter(&entered, own.database));
    if let Err(error) = process::forget_last_words(&exits) {
        warn!(%error, "What the last guardian wrote down is recorded; reading it again changes nothing");
    }
    let signals =
        signals::Signals::listen(handle.clone()).context("cannot listen for signals").map_err(Failure::passing)?;
    let clock = clock::watch(handle.clone());
    let server = Server::start(&serving, listener, &handle, project.log_file());
    let hooks = {
        // Beside the loop, like everything that may take its time.
        let _serving = serving.enter();
        handle.run_hooks(hooks::world(project, configuration.hooks()))
    };
    link.send(Order::Ready);
    // From now on the loop answers when it is asked.
    link.send(Order::Present);
    crash_point("apexd.ready.told");
    info!(
        "Daemon started (poll: {}ms, max concurrent: {})",
        config.daemon.poll_interval.as_millis(),
        config.daemon.max_concurrent
    );

    let ended = engine.run().await;
    server.stop().await;
    hooks.stop().await;
    signals.stop();
    clock.abort();
    match ended {
        Ended::Drained => Ok(EXIT_DRAINED),
        Ended::Replace => Ok(EXIT_REPLACE),
        Ended::GuardianGone | Ended::Fault => Ok(EXIT_FAILED),
    }
}

/// The server, and what ends it.
struct Server {
    running: tokio::task::JoinHandle<Result<(), server::Error>>,
}

impl Server {
    fn start(
        serving: &tokio::runtime::Handle,
        listener: UnixListener,
        handle: &Handle,
        log_file: std::path::PathBuf,
    ) -> Self {
        let mut closing = handle.closing();
        let shutdown = async move {
            // An engine that is gone is closing as well.
            let _ = closing.wait_for(|closing| *closing != crate::engine::Closing::Open).await;
        };
        let options = server::ServerOptions { log_file, linger: LAST_ANSWERS };
        Self { running: serving.spawn(server::serve(listener, handle.clone(), options, shutdown)) }
    }

    /// Gives clients a moment to take their last answers, and no more: one that says nothing would hold it for ever.
    async fn stop(mut self) {
        match tokio::time::timeout(SERVER_ENDS, &mut self.running).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => error!(%error, "The server failed"),
            Ok(Err(error)) => error!(%error, "The server failed"),
            Err(_) => self.running.abort(),
        }
    }
}
