//! A project in a temporary directory, a guardian that serves it, and the test as its apexd.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use tempfile::TempDir;
use uuid::Uuid;

use super::relay;
use crate::domain::adoption::{Child, LastWords};
use crate::domain::id::AssignmentId;
use crate::domain::outcome::Exit;
use crate::domain::time::Moment;
use crate::guardian::daemonize::close_all_but;
use crate::guardian::readiness::{Answer, wait};
use crate::guardian::run::run;
use crate::guardian::{Options, Places, processes};
use crate::link::codec::{Reader, encode};
use crate::link::machine::Stat;
use crate::link::{Fact, Order, Scope, Spawn, VERSION};

/// Longer than anything takes; only so that a broken test ends.
const PATIENCE: Duration = Duration::from_secs(60);

thread_local! {
    /// What the ids of this test have in common, and with no other's: processes are known by them.
    static OF_TEST: u128 = Uuid::new_v4().as_u128() << 32;
}

/// The assignment that a test knows as number `n`. To be called in the test's own thread.
pub(super) fn id(n: u128) -> AssignmentId {
    AssignmentId(Uuid::from_u128(OF_TEST.with(|of_test| of_test | n)))
}

/// The number of an assignment.
pub(super) fn number(assignment: AssignmentId) -> u128 {
    assignment.0.as_u128() & u128::from(u32::MAX)
}

pub(super) struct World {
    pub(super) directory: TempDir,
    pub(super) options: Options,
    guardian: Option<(u32, OwnedFd)>,
    readiness: Option<OwnedFd>,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path().join(".apex");
        fs::create_dir(&dir).unwrap();
        let mut options = Options::new(places(directory.path(), &dir));
        options.binary = std::env::current_exe().unwrap();
        options.apexd_args = relay::ARGS.map(Into::into).to_vec();
        Self { directory, options, guardian: None, readiness: None }
    }

    /// With a guardian whose apexd is the shell line.
    pub(super) fn with_apexd(line: &str) -> Self {
        let mut world = Self::new();
        world.options.binary = "/bin/sh".into();
        world.options.apexd_args = vec!["-c".into(), line.into()];
        world.start();
        world
    }

    pub(super) fn started() -> Self {
        let mut world = Self::new();
        world.start();
        world
    }

    /// Starts a guardian.
    pub(super) fn start(&mut self) {
        self.start_after(|| ());
    }

    /// Starts a guardian in a process that does something else before.
    pub(super) fn start_after(&mut self, prepare: impl FnOnce()) {
        let options = self.options.clone();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let pid = self.fork(move || {
            // Descriptors of other tests, which run at the same time, would stay open here.
            let readiness = close_all_but(writer);
            prepare();
            run(options, readiness, false).unwrap_or_else(|error| error.exit_code())
        });
        self.readiness = Some(reader);
        self.guardian = Some((pid, processes::open(pid).unwrap()));
    }

    /// Runs something in a process with one thread, which writes to `errors` in the temporary directory.
    pub(super) fn fork(&self, run: impl FnOnce() -> i32) -> u32 {
        let errors = File::options().append(true).create(true).open(self.errors()).unwrap();
        // If another thread held one of these at the time of the fork, nobody in the child would ever let go of it. Held
        // by this thread they are the child's too.
        let held = (std::io::stdout().lock(), std::io::stderr().lock());
        // SAFETY: the C library keeps its memory usable across a fork, and no other lock of this process is needed.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => u32::try_from(child.as_raw()).unwrap(),
            ForkResult::Child => {
                std::mem::forget(held);
                // SAFETY: as above; both descriptors are open.
                unsafe {
                    libc::dup2(errors.as_raw_fd(), 1);
                    libc::dup2(errors.as_raw_fd(), 2);
                }
                let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                    // The harness's own hook may have kept the message; a hook of ours would wait for ever if another
                    // thread was using the old one at the time of the fork.
                    let message = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
                    // SAFETY: plain bytes to an open descriptor.
                    unsafe { libc::write(2, message.as_ptr().cast(), message.len()) };
                    99
                });
                // SAFETY: ends the process without what the test harness has registered.
                unsafe { libc::_exit(code) }
            }
        }
    }

    fn errors(&self) -> PathBuf {
        self.directory.path().join("errors")
    }

    pub(super) fn places(&self) -> &Places {
        &self.options.places
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn guardian_pid(&self) -> u32 {
        self.guardian.as_ref().unwrap().0
    }

    pub(super) fn signal_guardian(&self, signal: i32) {
        assert_eq!(processes::send(&self.guardian.as_ref().unwrap().1, signal), 0);
    }

    /// How the start went.
    pub(super) fn answer(&mut self) -> Answer {
        wait(self.readiness.take().unwrap(), PATIENCE, |_| ()).unwrap()
    }

    /// Connects to the next apexd.
    pub(super) fn connect(&self) -> Apexd {
        await_file(&self.places().socket);
        let began = Instant::now();
        // The name is there a moment before somebody listens, and nothing tells when that begins.
        let mut connection = loop {
            match UnixStream::connect(&self.places().socket) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused && began.elapsed() < PATIENCE => {
                    std::thread::yield_now();
                }
                connection => break connection.unwrap(),
            }
        };
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut pid = [0; 4];
        connection.read_exact(&mut pid).unwrap();
        let pid = u32::from_le_bytes(pid);
        let pidfd = processes::open(pid).unwrap();
        Apexd { connection, socket: self.places().socket.clone(), pid, pidfd, reader: Reader::default() }
    }

    /// Starts a guardian and is its ready apexd.
    pub(super) fn serving() -> (Self, Apexd) {
        let mut world = Self::started();
        let mut apexd = world.connect();
        assert_eq!(apexd.hello().children, []);
        apexd.send(&Order::Ready);
        assert_eq!(world.answer(), Answer::Ready);
        (world, apexd)
    }

    /// Waits for the guardian's end and returns its exit code.
    pub(super) fn end(&mut self) -> i32 {
        await_end(&self.guardian.as_ref().unwrap().1);
        let (pid, _) = self.guardian.take().unwrap();
        match waitpid(Pid::from_raw(i32::try_from(pid).unwrap()), None).unwrap() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("the guardian ended by {other:?}: {}", self.said()),
        }
    }

    pub(super) fn said(&self) -> String {
        fs::read_to_string(self.errors()).unwrap_or_default()
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.places().log).unwrap_or_default()
    }

    pub(super) fn last_words(&self) -> Vec<LastWords> {
        crate::link::last_words::parse(&fs::read_to_string(&self.places().exits).unwrap()).unwrap()
    }

    /// Asserts that a clean end left only what may stay.
    pub(super) fn expect_left(&self, expected: &[&str]) {
        let entries = fs::read_dir(&self.places().dir).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, expected);
    }

    /// A task that runs a shell line, with its output in `ID.out`.
    pub(super) fn shell(&self, n: u128, line: &str) -> Spawn {
        Spawn {
            assignment: id(n),
            program: "/bin/sh".into(),
            argv: vec!["sh".into(), "-c".into(), line.into()],
            env: vec![("PATH".into(), "/bin:/usr/bin".into())],
            cwd: self.directory.path().to_owned(),
            umask: 0o022,
            limits: Vec::new(),
            stdin: None,
            stdout: self.file(&format!("{n}.out")),
            stderr: None,
            keep: None,
        }
    }

    pub(super) fn output(&self, n: u128) -> String {
        fs::read_to_string(self.file(&format!("{n}.out"))).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some((pid, pidfd)) = self.guardian.take() {
            eprintln!("the guardian was left running; it said: {}", self.said());
            processes::send(&pidfd, libc::SIGTERM);
            processes::send(&pidfd, libc::SIGINT);
            let _ = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], 5_000_u16);
            processes::send(&pidfd, libc::SIGKILL);
            let _ = waitpid(Pid::from_raw(i32::try_from(pid).unwrap()), None);
        }
    }
}

pub(super) fn places(root: &Path, dir: &Path) -> Places {
    Places {
        root: root.to_owned(),
        dir: dir.to_owned(),
        lock: dir.join("daemon.lock"),
        pid_file: dir.join("daemon.pid"),
        socket: dir.join("daemon.sock"),
        log: dir.join("daemon.log"),
        failed: dir.join("daemon.failed"),
        exits: dir.join("guardian.exits"),
    }
}

/// Waits until a process has ended.
pub(in crate::guardian) fn await_end(pidfd: &OwnedFd) {
    let timeout = PollTimeout::try_from(PATIENCE).unwrap();
    assert_eq!(poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout), Ok(1));
}

/// Waits until a file is there and, if it is a plain one, was closed by who wrote it.
pub(super) fn await_file(path: &Path) {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE;
    inotify.add_watch(path.parent().unwrap(), flags).unwrap();
    while !fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() || found.len() > 0) {
        let timeout = PollTimeout::try_from(PATIENCE).unwrap();
        assert_eq!(poll(&mut [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)], timeout), Ok(1), "no {path:?}");
        inotify.read_events().unwrap();
    }
}

/// Waits for a file with a pid in it.
pub(super) fn await_pid(path: &Path) -> u32 {
    await_file(path);
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// What the guardian answered to the hello.
pub(super) struct Welcomed {
    pub(super) restarts: u32,
    pub(super) stop_requests: u32,
    pub(super) supervised: bool,
    pub(super) grace_until: Option<Moment>,
    pub(super) children: Vec<Child>,
}

/// The test as apexd.
pub(super) struct Apexd {
    connection: UnixStream,
    socket: PathBuf,
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    reader: Reader<Fact>,
}

impl Apexd {
    pub(super) fn send(&mut self, order: &Order) {
        let mut bytes = Vec::new();
        encode(order, &mut bytes).unwrap();
        self.send_bytes(&bytes);
    }

    pub(super) fn send_bytes(&mut self, bytes: &[u8]) {
        self.connection.write_all(bytes).unwrap();
    }

    /// A second handle, for writing while this one reads.
    pub(super) fn writer(&self) -> UnixStream {
        self.connection.try_clone().unwrap()
    }

    /// Returns the next fact; `None` if the link has ended.
    pub(super) fn next(&mut self) -> Option<Fact> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(fact) = self.reader.next_message().unwrap() {
                return Some(fact);
            }
            match self.connection.read(&mut bytes) {
                Ok(0) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                count => self.reader.feed(&bytes[..count.unwrap()]),
            }
        }
    }

    pub(super) fn hello(&mut self) -> Welcomed {
        self.send(&Order::Hello { version: VERSION });
        let Some(Fact::Welcome { version: VERSION, restarts, stop_requests, .. }) = self.next() else {
            panic!("no welcome")
        };
        let mut children = Vec::new();
        let Some(Fact::Terms { supervised, grace_until, .. }) = self.next() else { panic!("no terms") };
        loop {
            match self.next().unwrap() {
                Fact::Child(child) => children.push(child),
                Fact::Keeps => {}
                Fact::Complete => break,
                other => panic!("{other:?} within the roll call"),
            }
        }
        children.sort_by_key(|child| child.assignment);
        Welcomed { restarts, stop_requests, supervised, grace_until, children }
    }

    pub(super) fn spawn(&mut self, spawn: Spawn) -> Child {
        let assignment = spawn.assignment;
        self.send(&Order::Spawn(Box::new(spawn)));
        match self.next() {
            Some(Fact::Spawned(child)) if child.assignment == assignment => child,
            other => panic!("{other:?} instead of a start"),
        }
    }

    pub(super) fn exit(&mut self, n: u128) -> Exit {
        match self.next() {
            Some(Fact::Exited { assignment, exit }) if assignment == id(n) => exit,
            other => panic!("{other:?} instead of the end of {n}"),
        }
    }

    /// Sends a signal and returns errno.
    pub(super) fn signal(&mut self, n: u128, signal: i32, scope: Scope) -> i32 {
        self.send(&Order::Signal { assignment: id(n), signal, scope });
        match self.next() {
            Some(Fact::Signalled { assignment, signal: sent, errno }) if (assignment, sent) == (id(n), signal) => errno,
            other => panic!("{other:?} instead of an answer"),
        }
    }

    /// Forgets a task, and returns when that was done.
    pub(super) fn forget(&mut self, n: u128) {
        self.send(&Order::Forget { assignment: id(n) });
        assert_eq!(self.signal(n, 0, Scope::Leader), libc::ESRCH);
    }

    /// Lets apexd's process end with a code.
    pub(super) fn end(self, code: u8) {
        // Only when the guardian has read all: what the relay has not passed on would be lost.
        let mut control = UnixStream::connect(&self.socket).unwrap();
        control.write_all(&[code]).unwrap();
        await_gone(&self.pidfd, self.pid);
    }

    pub(super) fn control(&self) -> UnixStream {
        UnixStream::connect(&self.socket).unwrap()
    }

    pub(super) fn kill(self) {
        assert_eq!(processes::send(&self.pidfd, libc::SIGKILL), 0);
        await_gone(&self.pidfd, self.pid);
    }
}

/// Waits until a process that is the guardian's child has ended.
fn await_gone(pidfd: &OwnedFd, pid: u32) {
    await_end(pidfd);
    assert!(Stat::of(pid).map_or(true, |stat| stat.zombie));
}
