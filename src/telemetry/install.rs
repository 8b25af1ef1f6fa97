//! Puts the log in its place: from here on every event of the process goes to the file, through a thread of its own.

use std::io::{self, BufWriter};
use std::panic::PanicHookInfo;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use super::Settings;
use super::format::{self, Fields, Lines};
use super::level::Level;
use super::rotate::Rotating;

/// So many bytes of lines are written at once at most.
const GATHERED_MAX: usize = 64 * 1024;

/// Keeps the log going; what is still on its way to the file when this is dropped is written first, for which a second
/// is allowed. Events after that are lost. To be dropped before the process ends by `exit` or `exec`.
#[must_use = "the log ends when this is dropped"]
pub struct Guard {
    filter: Filter,
    errors: Arc<AtomicU64>,
    dropped: ErrorCounter,
    _workers: Vec<WorkerGuard>,
}

/// What is logged, for whoever changes it. Cheap to clone; does not keep the log going.
#[derive(Debug, Clone)]
pub struct Filter(reload::Handle<Targets, Registry>);

impl Filter {
    /// Changes what is logged from now on: apex's own events up to `level`, those of the crates below up to
    /// [`Level::Warn`] at most.
    pub fn set_level(&self, level: Level) {
        // Fails only when the subscriber is gone, and then nothing is logged anyway.
        let _ = self.0.reload(targets(level));
    }
}

impl Guard {
    /// Returns what decides what is logged.
    pub fn filter(&self) -> Filter {
        self.filter.clone()
    }

    /// Returns how many lines did not reach the file since the start, because it could not be written or because they
    /// came faster than it could be, plus the rotations that failed.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed).saturating_add(self.dropped.dropped_lines() as u64)
    }
}

/// Starts the log of this process, once, and from then on logs panics at [`Level::Error`] with their place, instead of
/// what Rust prints by itself.
///
/// It starts a thread, so it must come after every fork. Lines that cannot be written do not stop anything: they are
/// counted in [`Guard::errors`]. With `also_stderr` every line goes to standard error as well.
///
/// # Errors
///
/// The process has a log already ([`io::ErrorKind::AlreadyExists`]).
pub fn init(log_file: &Path, settings: Settings, also_stderr: bool) -> io::Result<Guard> {
    let (subscriber, guard) = assemble(log_file, settings, also_stderr);
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| io::Error::new(io::ErrorKind::AlreadyExists, error))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(guard)
}

fn assemble(log_file: &Path, settings: Settings, also_stderr: bool) -> (impl Subscriber + Send + Sync, Guard) {
    let rotating = Rotating::new(log_file, &settings);
    let errors = rotating.errors();
    // Whole lines come together while there are more of them, and go out when there are no more.
    let (file, worker) = detached("log", BufWriter::with_capacity(GATHERED_MAX, rotating));
    let dropped = file.error_counter();
    let mut workers = vec![worker];
    // A thread of its own: a terminal that was stopped with Ctrl-S must not keep lines out of the file.
    let stderr = also_stderr.then(|| {
        let (stderr, worker) = detached("log-stderr", io::stderr());
        workers.push(worker);
        lines(stderr)
    });
    let (filter, handle) = reload::Layer::new(targets(settings.level));
    let subscriber = Registry::default().with(filter).with(lines(file)).with(stderr);
    (subscriber, Guard { filter: Filter(handle), errors, dropped, _workers: workers })
}

/// Lossy: a full disk or a stopped terminal costs lines, and does not make the daemon wait.
fn detached(name: &str, writer: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(16 * 1024).thread_name(name).finish(writer)
}

fn lines<S>(writer: NonBlocking) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fmt::layer()
        .event_format(Lines::new(format::now))
        .fmt_fields(Fields)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(writer)
}

fn targets(level: Level) -> Targets {
    Targets::new().with_default(level.filter().min(LevelFilter::WARN)).with_target("apex", level.filter())
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a value that is not text");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(location, thread = thread.name().unwrap_or_default(), "Panicked: {message}");
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tracing::{debug, error, info, warn};

    use super::*;

    fn settings(level: Level) -> Settings {
        Settings { max_size: 1 << 20, keep: 1, level }
    }

    fn logged(log: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(log).unwrap();
        text.lines().map(|line| line.split_once("] ").expect("a line has a head").1.to_owned()).collect()
    }

    #[test]
    fn own_events_are_filtered_by_level_and_others_by_warn() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("daemon.log");
        let (subscriber, guard) = assemble(&log, settings(Level::Info), false);
        tracing::subscriber::with_default(subscriber, || {
            info!("1 yes");
            debug!("1 no");
            warn!(target: "h2::proto", "1 yes");
            info!(target: "h2::proto", "1 no");
            guard.filter().set_level(Level::Trace);
            debug!("2 yes");
            info!(target: "hyper", "2 no");
            guard.filter().set_level(Level::Error);
            error!("3 yes");
            warn!("3 no");
            warn!(target: "tonic", "3 no");
        });
        drop(guard);
        let expected =
            ["[INFO] 1 yes", "[WARN] 1 yes target=h2::proto", "[DEBUG] 2 yes", "[ERROR] 3 yes"].map(str::to_owned);
        assert_eq!(logged(&log), expected);
    }

    #[test]
    fn a_log_that_cannot_be_written_is_counted_and_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let (subscriber, guard) = assemble(&dir.path().join("absent/daemon.log"), settings(Level::Info), false);
        tracing::subscriber::with_default(subscriber, || {
            info!("one");
            info!("two");
        });
        let errors = guard.errors.clone();
        drop(guard);
        assert_eq!(errors.load(Ordering::Relaxed), 2);
    }

    /// A log is there once per process, so this one needs a process of its own: the test program itself, asked for
    /// [`child`].
    #[test]
    fn panics_are_logged_and_the_rest_is_flushed() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("daemon.log");
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "telemetry::install::tests::child", "--nocapture", "--test-threads=1"])
            .env("APEX_TEST_LOG_FILE", &log)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = logged(&log);
        assert_eq!(lines.len(), 1002);
        assert!(lines[0].starts_with("[ERROR] Panicked: at \\u001b[31m work location=src/telemetry/"), "{}", lines[0]);
        assert!(lines[0].ends_with(" thread=worker"), "{}", lines[0]);
        assert_eq!(lines[1001], "[INFO] the end");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.matches("Panicked: ").count(), 1, "{stderr}");
        assert_eq!(stderr.matches("[INFO] line ").count(), 1000);
    }

    #[test]
    fn child() {
        let Some(log) = std::env::var_os("APEX_TEST_LOG_FILE") else { return };
        let guard = init(log.as_ref(), settings(Level::Info), true).unwrap();
        let again = init(log.as_ref(), settings(Level::Info), false);
        assert_eq!(again.err().map(|error| error.kind()), Some(io::ErrorKind::AlreadyExists));
        let worker = std::thread::Builder::new().name("worker".to_owned());
        worker.spawn(|| panic!("at \u{1b}[31m work")).unwrap().join().unwrap_err();
        for n in 0..1000 {
            info!("line {n}");
        }
        info!("the end");
        drop(guard);
    }
}
