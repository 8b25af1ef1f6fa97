//! Going to the background, by the crate `daemonize`, which is used in this file only.
//!
//! Only its `execute` is used, and no pid file and no privileged action of it: `start` reports success before it is
//! known, and the action is undefined behaviour (RUSTSEC-2025-0069 names it). Whether the daemon has come up is told
//! over a pipe of our own.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::{Mode, umask};

use crate::guardian::readiness::{Answer, Readiness, wait};
use crate::guardian::run::run;
use crate::guardian::{EXIT_FAULT, Error, Options, hold, processes, signals};

pub use ::daemonize::Error as CrateError;

/// How long a daemon that failed or was not ready in time may take to end before the caller is told.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// A daemon is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The guardian's pid; `None` only if it was running already and its pid file cannot be read.
    pub guardian_pid: Option<u32>,
    /// It was there before. Whether it answers requests is not known.
    pub already_running: bool,
}

/// Starts a guardian in the background and waits until its apexd is ready.
///
/// To be called from a process with one thread that has no runtime yet. The caller's side returns; the daemon's side
/// ends inside this call. The daemon has no descriptor of the caller's, is in a session of its own, and its standard
/// output and error go to the end of the log.
///
/// Errors: [`NotStarted`](Error::NotStarted) with the reason, nothing is left behind then;
/// [`NotReady`](Error::NotReady) when [`Options::ready_within`] is over, the daemon is told to stop then;
/// others if it did not come to a start.
pub fn daemonize(mut options: Options) -> Result<Started, Error> {
    options.leave_session = true;
    let system = |what| move |source: io::Error| Error::System { what, source };
    let threads = std::fs::read_dir("/proc/self/task").map_err(system("the background"))?.count();
    if threads != 1 {
        return Err(Error::Threads { threads });
    }
    // With SIGCHLD ignored, which may be inherited, the crate could not wait for its first child.
    signals::reset().map_err(system("signals"))?;
    hold::check_places(&options.places)?;
    // A strange umask of the caller's would make a log that the daemon cannot open.
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|errno| system("a pipe")(errno.into()))?;
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(&options.places.log)
        .map_err(|source| Error::Write { path: options.places.log.clone(), source })?;
    let stdout = log.try_clone().map_err(system("the log"))?;
    // What is buffered here would be written a second time by the child that the crate lets end.
    let _ = io::stdout().flush();
    let _ = io::stderr().flush();
    let outcome = ::daemonize::Daemonize::new().umask(0o077).working_directory("/").stdout(stdout).stderr(log);
    match outcome.execute() {
        ::daemonize::Outcome::Parent(Ok(_)) => {
            drop(writer);
            await_daemon(reader, &options)
        }
        ::daemonize::Outcome::Parent(Err(error)) => Err(Error::Daemonize(error)),
        ::daemonize::Outcome::Child(Err(error)) => {
            Readiness::new(writer).failed(&format!("cannot go to the background: {error}"));
            end(EXIT_FAULT)
        }
        ::daemonize::Outcome::Child(Ok(_)) => {
            // Ends here whatever happens: behind this call stands a command line that is not ours.
            let _ = reader.into_raw_fd();
            let code = catch_unwind(AssertUnwindSafe(|| run(options, close_all_but(writer), false)));
            end(code.unwrap_or(Ok(EXIT_FAULT)).unwrap_or_else(|error| error.exit_code()))
        }
    }
}

/// Ends this process without what the caller's side has registered or buffered.
fn end(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor from 3 up except the pipe, also those that this program does not know of: if the caller's
/// pipes stayed open here, whoever reads from them would wait for the daemon's end.
pub(super) fn close_all_but(pipe: OwnedFd) -> Readiness {
    let kept = 3;
    let pipe = pipe.into_raw_fd();
    // SAFETY: nothing of the caller's side runs here any more, so nobody else owns a descriptor.
    unsafe {
        if pipe != kept {
            libc::dup3(pipe, kept, libc::O_CLOEXEC);
        }
        libc::syscall(libc::SYS_close_range, kept + 1, libc::c_uint::MAX, 0);
        Readiness::new(OwnedFd::from_raw_fd(kept))
    }
}

fn await_daemon(pipe: OwnedFd, options: &Options) -> Result<Started, Error> {
    let mut guardian = None;
    // Opened as soon as it is named, when it certainly lives.
    let answer = wait(pipe, options.ready_within, |pid| guardian = processes::open(pid).ok().map(|fd| (pid, fd)));
    let log = options.places.log.clone();
    let not_started = |reason| Err(Error::NotStarted { reason });
    match answer.map_err(|source| Error::System { what: "waiting for the daemon", source })? {
        Answer::Ready => Ok(Started { guardian_pid: guardian.map(|(pid, _)| pid), already_running: false }),
        Answer::AlreadyRunning(guardian_pid) => Ok(Started { guardian_pid, already_running: true }),
        Answer::Failed(reason) => {
            await_end(guardian.as_ref());
            not_started(reason)
        }
        Answer::Died => not_started(format!("it ended without a word; see `{}`", log.display())),
        Answer::Nothing => {
            if let Some((_, pidfd)) = &guardian {
                processes::send(pidfd, libc::SIGTERM);
            }
            await_end(guardian.as_ref());
            Err(Error::NotReady { within: options.ready_within, log })
        }
    }
}

/// Waits a while for the guardian's end, so that its lock is free when the caller tries again.
fn await_end(guardian: Option<&(u32, OwnedFd)>) {
    let ms = u16::try_from(STOP_WITHIN.as_millis()).unwrap_or(u16::MAX);
    if let Some((_, pidfd)) = guardian {
        let _ = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], ms);
    }
}
