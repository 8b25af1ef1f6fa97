//! One guardian after the other: by exec in place, so that children, lock and socket stay where they are.
//!
//! It happens for two reasons. Another program is to be the guardian: then it is asked first whether it can be ([`check`]),
//! and if it cannot begin after all, it becomes the old one again. Or the guardian was killed: then apexd takes its place,
//! which has the lock and the socket already ([`succeed`]). What goes over stands in a file without a name, and
//! [`link::handover`](crate::link::handover) says how it is written.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;

use crate::domain::id::AssignmentId;
use crate::domain::outcome::ExitStatus;
use crate::domain::time::Moment;
use crate::fault::{crash_point, is_sabotaged};
use crate::guardian::apexd::Apexd;
use crate::guardian::hold::{Heirloom, Hold, lift};
use crate::guardian::log::Level;
use crate::guardian::poll::Source;
use crate::guardian::run::{Guardian, Parts};
use crate::guardian::spawn::{Plan, Started};
use crate::guardian::{EXIT_FAULT, Error, Options, Places, processes};
use crate::link::handover::{Handover, VERSION};

/// The word by which a program is made the guardian: `apexd __guardian HANDOVER [OLD]`, both descriptors.
pub const RESUME: &str = "__guardian";
/// The word by which it is asked whether it can be: `apexd __guardian-check VERSION`.
pub const CHECK: &str = "__guardian-check";

/// The answer to [`CHECK`]: it knows what will be handed over. No code that a program ends with by accident.
const EXIT_CAN: i32 = 97;
/// The other answer.
const EXIT_CANNOT: i32 = 98;

/// How long a program may take to answer; meanwhile the guardian goes on, and no apexd is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Answers [`CHECK`]: whether a guardian of this program can take up what has `version`.
pub fn check(version: Option<&OsStr>) -> i32 {
    let version = version.and_then(OsStr::to_str).and_then(|version| version.parse::<u16>().ok());
    if version.is_some_and(|version| version <= VERSION) { EXIT_CAN } else { EXIT_CANNOT }
}

/// Becomes the guardian by what was handed over ([`RESUME`]), and returns the exit code when it ends.
pub fn resume(handover: Option<&OsStr>, old: Option<&OsStr>) -> i32 {
    let number = |word: Option<&OsStr>| word.and_then(OsStr::to_str).and_then(|word| word.parse::<RawFd>().ok());
    let Some(handover) = number(handover) else { return EXIT_FAULT };
    let error = match Guardian::resumed(handover) {
        Ok(mut guardian) => match guardian.guard() {
            Ok(code) => return code,
            Err(error) => return error.exit_code(),
        },
        Err(error) => error,
    };
    // Whoever began it cannot be told in any other way: standard error is the daemon's log.
    eprintln!("cannot go on as the guardian: {error}");
    if let Some(old) = number(old) {
        // The one before could; what it handed over is as it was.
        let program = PathBuf::from(format!("/proc/self/fd/{old}"));
        let error = execute(&program, &[OsString::from(RESUME), handover.to_string().into()]);
        eprintln!("cannot go back to the guardian before: {error}");
    }
    EXIT_FAULT
}

/// Makes this process, an apexd whose guardian is gone, the guardian. Everything of apexd's must be closed; what the
/// descriptors in `handover` belong to must not. Returns only if that fails: why.
pub fn succeed(handover: &Handover) -> io::Error {
    hand_over(&Options::own_program(), handover, None)
}

/// Writes down what is handed over, and executes the program. Returns why that failed.
fn hand_over(program: &Path, handover: &Handover, old: Option<RawFd>) -> io::Error {
    let file = match write(handover) {
        Ok(file) => file,
        Err(error) => return error,
    };
    let mut fds: Vec<RawFd> = vec![handover.lock_fd, file.as_raw_fd()];
    fds.extend(handover.directory_fd.into_iter().chain(handover.listener_fd).chain(old));
    fds.extend(&handover.kept_fds);
    fds.extend(handover.held.iter().filter_map(|heir| heir.pidfd));
    for fd in &fds {
        if let Err(error) = close_on_exec(*fd, false) {
            return error;
        }
    }
    let mut args = vec![OsString::from(RESUME), file.as_raw_fd().to_string().into()];
    args.extend(old.map(|old| old.to_string().into()));
    let error = execute(program, &args);
    for fd in fds {
        let _ = close_on_exec(fd, true);
    }
    error
}

/// Returns the path of a program that this process, or what it becomes, keeps open.
pub(super) fn way_back(program: RawFd) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{program}", std::process::id()))
}

fn write(handover: &Handover) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"apex-guardian", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(&handover.to_bytes())?;
    Ok(file)
}

fn close_on_exec(fd: RawFd, close: bool) -> io::Result<()> {
    fcntl(borrow(fd), FcntlArg::F_SETFD(if close { FdFlag::FD_CLOEXEC } else { FdFlag::empty() }))?;
    Ok(())
}

/// Executes a program in this process, by the name `apexd`. Returns why that failed.
fn execute(program: &Path, args: &[OsString]) -> io::Error {
    let text = |text: &OsStr| CString::new(text.as_bytes());
    let args = [OsStr::new("apexd")].into_iter().chain(args.iter().map(OsString::as_os_str)).map(text);
    let (Ok(program), Ok(args)) = (text(program.as_os_str()), args.collect::<Result<Vec<_>, _>>()) else {
        return io::ErrorKind::InvalidInput.into();
    };
    match nix::unistd::execv(&program, &args) {
        Err(errno) => errno.into(),
        Ok(never) => match never {},
    }
}

/// Another program that is being asked whether it can be the guardian.
#[derive(Debug)]
pub(super) struct Check {
    binary: PathBuf,
    pub(super) pid: u32,
    pidfd: OwnedFd,
    by: Moment,
}

impl Check {
    /// Returns by when it must have answered.
    pub(super) fn by(&self) -> Moment {
        self.by
    }
}

impl Guardian {
    /// Begins to ask `binary`, which apexd is to be next, whether it can be the guardian as well.
    pub(super) fn begin_check(&mut self, binary: PathBuf, now: Moment) {
        let args = [OsString::from(CHECK), VERSION.to_string().into()];
        let started = Plan::for_apexd(&binary, &args, Vec::new()).and_then(|plan| self.spawner.start(&plan));
        match started {
            Ok(Started { pid, pidfd }) => {
                let by = now + ANSWER_WITHIN;
                // If nothing would be told of its end, it is found by the deadline.
                let _ = self.poll.add(&pidfd, Source::Check);
                self.check = Some(Check { binary, pid, pidfd, by });
                self.apexd = Apexd::Waiting { until: by };
            }
            Err(failed) => {
                let why = nix::errno::Errno::from_raw(failed.errno).desc();
                self.keep_program(&binary, why);
            }
        }
    }

    /// Looks whether it has answered, and if so follows the answer.
    pub(super) fn look_at_check(&mut self, now: Moment) {
        let Some(check) = &self.check else { return };
        let answer = processes::take(&check.pidfd);
        if matches!(answer, Ok(None)) && now < check.by {
            return;
        }
        let Some(check) = self.check.take() else { return };
        self.poll.remove(&check.pidfd);
        if let Apexd::Waiting { until } = &mut self.apexd {
            *until = now;
        }
        let is_free = !self.is_stopping() && matches!(self.apexd, Apexd::Waiting { .. });
        match answer {
            Ok(Some((ExitStatus::Code(EXIT_CAN), _))) if is_free => self.exchange_program(&check.binary),
            Ok(Some((ExitStatus::Code(EXIT_CAN), _))) => {}
            Ok(Some(_)) => self.keep_program(&check.binary, "it cannot take over what this one holds"),
            Ok(None) | Err(_) => {
                processes::send(&check.pidfd, libc::SIGKILL);
                processes::reap_ending(check.pid);
                self.keep_program(&check.binary, "it did not answer in time");
            }
        }
    }

    fn keep_program(&self, binary: &Path, why: &str) {
        let binary = binary.display();
        self.log.line(Level::Warn, &format!("the guardian goes on with its old program: {why} binary={binary}"));
    }

    /// Becomes `binary`. Returns only if that fails, and then all is as before.
    fn exchange_program(&mut self, binary: &Path) {
        // A way back to this program, also when its file was replaced: to be the guardian again, or apexd again.
        let own = nix::fcntl::open("/proc/self/exe", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
        let own = match own.map_err(io::Error::from).and_then(lift) {
            Ok(own) => own,
            Err(error) => return self.keep_program(binary, &error.to_string()),
        };
        let mut handover = self.handover();
        handover.previous = self.previous.clone().map(|previous| {
            // Its own program by a name that means the new one afterwards.
            if previous == Options::own_program() { way_back(own.as_raw_fd()) } else { previous }
        });
        // An earlier way back may be what apexd was until now.
        handover.kept_fds.extend(self.kept.iter().chain([&own]).map(|fd| fd.as_raw_fd()));
        self.log.line(Level::Info, &format!("the guardian becomes another program binary={}", binary.display()));
        crash_point("guardian.program.exchanged");
        let error = hand_over(binary, &handover, Some(own.as_raw_fd()));
        self.keep_program(binary, &error.to_string());
    }

    fn handover(&self) -> Handover {
        let (lock_fd, directory_fd, listener_fd, socket_id) = self.hold.bequeath();
        let (mut held, doubtful) = self.table.heirs();
        if is_sabotaged(4) {
            held.clear();
        }
        let Places { root, dir, lock, pid_file, socket, log, failed, exits } = self.options.places.clone();
        Handover {
            guardian: self.id,
            started_at: self.started_at,
            root,
            dir,
            lock,
            pid_file,
            socket,
            log,
            failed,
            exits,
            apexd_args: self.options.apexd_args.clone(),
            previous: None,
            notify: self.options.notify.clone(),
            lock_fd,
            directory_fd: Some(directory_fd),
            listener_fd,
            kept_fds: Vec::new(),
            socket_id,
            nofile: self.nofile,
            starts: self.starts,
            stops: self.stops,
            draining: self.draining,
            grace_until: self.grace_until,
            kill_grace: Some(self.kill_grace),
            may_own_claims: self.may_own_claims,
            held,
            doubtful,
            murky_until: self.table.murky_until(),
            keepers: self.table.keepers().iter().copied().collect(),
        }
    }

    /// Makes the guardian from what was handed over.
    fn resumed(handover: RawFd) -> Result<Self, Error> {
        let system = |what| move |source: io::Error| Error::System { what, source };
        // Blocked already if it was a guardian that handed over; one that is pending is told.
        let signals = crate::guardian::signals::listen().map_err(system("signals"))?;
        let file = handover;
        let handover = read(file).map_err(system("what was handed over"))?;
        let Handover { root, dir, lock, pid_file, socket, log, failed, exits, .. } = handover.clone();
        let mut options = Options::new(Places { root, dir, lock, pid_file, socket, log, failed, exits });
        options.apexd_args = handover.apexd_args;
        options.notify = handover.notify;
        // Copies, until nothing can fail any more: the program before may have to go on with what it left.
        let copy = |fd: RawFd| lift(borrow(fd)).map_err(system("a descriptor"));
        let heirloom = Heirloom {
            lock: copy(handover.lock_fd)?,
            directory: handover.directory_fd.map(copy).transpose()?,
            listener: handover.listener_fd.map(copy).transpose()?,
            socket: handover.socket_id,
        };
        let kept = handover.kept_fds.iter().map(|fd| close_on_exec(*fd, true)).collect::<io::Result<Vec<()>>>();
        kept.map_err(system("a descriptor"))?;
        let parts = Parts::make(&signals, handover.nofile)?;
        let hold = Hold::inherit(&options.places, heirloom)?;
        let mut guardian = Self::assemble(options, hold, signals, handover.nofile, parts);
        guardian.id = handover.guardian;
        guardian.started_at = handover.started_at;
        guardian.starts = handover.starts;
        guardian.stops = handover.stops;
        guardian.draining = handover.draining;
        guardian.grace_until = handover.grace_until;
        guardian.kill_grace = handover.kill_grace.unwrap_or(guardian.kill_grace);
        guardian.may_own_claims = handover.may_own_claims;
        guardian.previous = handover.previous;
        // What was ordered last may have been carried out all the same, and nobody heard of it.
        let unheard = processes::started_for(&handover.doubtful);
        let is_unheard = |assignment: &AssignmentId| unheard.iter().any(|child| child.assignment == *assignment);
        let doubtful = handover.doubtful.iter().copied().filter(|assignment| !is_unheard(assignment)).collect();
        guardian.table.inherit_doubts(doubtful, handover.murky_until);
        guardian.table.inherit_keepers(handover.keepers);
        let mut ended = Vec::new();
        for child in &unheard {
            guardian.table.adopt(&guardian.poll, *child);
            if guardian.table.look(&guardian.poll, child.pid) {
                ended.push(child.pid);
            }
        }
        for heir in &handover.held {
            guardian.table.inherit(&guardian.poll, heir, heir.pidfd.map(copy).transpose()?);
            // What ended since it was last looked at is told by nothing else.
            if guardian.table.look(&guardian.poll, heir.child.pid) {
                ended.push(heir.child.pid);
            }
        }
        // SAFETY: whoever handed over has left these open for us, and nobody else in this process knows of them.
        let take = |fd: RawFd| unsafe { OwnedFd::from_raw_fd(fd) };
        let copied = [handover.lock_fd, file].into_iter().chain(handover.directory_fd).chain(handover.listener_fd);
        copied.chain(handover.held.iter().filter_map(|heir| heir.pidfd)).for_each(|fd| drop(take(fd)));
        guardian.hold.name_holder();
        guardian.kept = handover.kept_fds.into_iter().map(take).collect();
        guardian.look_at_orphans(&ended);
        let running = guardian.table.running();
        let how =
            if handover.directory_fd.is_some() { "by another program" } else { "in place of one that was killed" };
        let pid = std::process::id();
        guardian.log.line(Level::Info, &format!("going on as the guardian {how} pid={pid} running={running}"));
        crash_point("guardian.resumed");
        Ok(guardian)
    }
}

fn read(fd: RawFd) -> io::Result<Handover> {
    let mut file = File::from(borrow(fd).try_clone_to_owned()?);
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Handover::from_bytes(&bytes).map_err(io::Error::other)
}

fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: whoever names a descriptor here has it open, and keeps it so.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
