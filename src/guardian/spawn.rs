//! Starting a process: `clone` without a copy of the page table, and everything that is prepared for it beforehand.
//!
//! The child runs in the guardian's own memory on a stack of its own until it calls exec, while the guardian stands
//! still (`CLONE_VM | CLONE_VFORK`). So nothing in [`in_child`] may allocate, lock or panic: every string is made before.
//! Measured in November 2026: 94 µs a call, where posix_spawn takes 110 and std with `pre_exec` 230.
//!
//! Where a path may lead to a file system that does not answer ([`mounts`](crate::link::mounts)) the guardian must not stand
//! still: the child is then a copy of its own, made by fork, that says how it went ([`starting`](super::starting)). So is
//! one that joins a group with limits: a child that had used up its processor time before exec would hold the guardian up
//! for seconds (seen with `--cpu-limit 0.01`).

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::{self, c_char, c_int, c_void};
use nix::sys::resource::{Resource as Number, getrlimit, setrlimit};
use nix::unistd::pipe2;

use crate::domain::task::{Confinement, Resource, Rlimit};
use crate::guardian::DELEGATED;
use crate::guardian::supervisor::VARIABLE;
use crate::link::mounts::Mounts;
use crate::link::{MARK, Spawn, SpawnStep};

/// A process that was just started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
}

/// Nothing was started: at which step it failed, and why, as errno(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) step: SpawnStep,
    pub(super) errno: i32,
}

/// Strings as exec takes them.
#[derive(Debug)]
struct Strings {
    pointers: Vec<*const c_char>,
    /// What the pointers point to; a `CString` stays where it is when the vector moves.
    _strings: Vec<CString>,
}

impl Strings {
    fn new(strings: impl Iterator<Item = Result<CString, Failed>>) -> Result<Self, Failed> {
        let strings: Vec<CString> = strings.collect::<Result<_, _>>()?;
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Ok(Self { pointers, _strings: strings })
    }
}

/// Everything the child needs, ready for use.
#[derive(Debug)]
pub(super) struct Plan {
    program: CString,
    argv: Strings,
    /// The arguments of `/bin/sh` if the program is a script without `#!`, which exec refuses.
    script: Strings,
    env: Strings,
    cwd: CString,
    umask: libc::mode_t,
    limits: Vec<(Number, libc::rlim_t)>,
    stdin: CString,
    /// Standard output and error; the guardian's own if there are none.
    output: Option<(CString, Option<CString>)>,
    /// The file into which it writes to be in its control group.
    group: Option<CString>,
    /// How much of the machine it may use; `None` for most.
    bounds: Option<Box<Bounds>>,
    /// Descriptors the child is to have, from → to; the first are all above the second.
    fds: Vec<(RawFd, RawFd)>,
    /// What it gets instead of the files above.
    given: Option<Given>,
}

/// An open input that a task gets instead of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    /// Above all that the child is to have.
    pub(super) fd: RawFd,
    /// It is a terminal: the output as well, and the controlling one of the session.
    pub(super) is_terminal: bool,
}

impl Plan {
    /// Returns the plan for a task.
    ///
    /// Errors: the step that a string with a NUL in it belongs to, with `EINVAL`.
    pub(super) fn for_task(spawn: &Spawn) -> Result<Self, Failed> {
        let stdin = spawn.stdin.as_deref().unwrap_or(Path::new("/dev/null"));
        let output = |path: &Path| text(path.as_os_str(), SpawnStep::Output);
        let stderr = spawn.stderr.as_deref().map(output).transpose()?;
        // A task that was added by another one may have that one's mark among its variables.
        let env = spawn.env.iter().filter(|(name, _)| name != MARK);
        let env = env.map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        let mark = spawn.assignment.0.to_string();
        Ok(Self {
            argv: Strings::new(spawn.argv.iter().map(|argument| text(argument, SpawnStep::Exec)))?,
            script: script(&spawn.program, &spawn.argv)?,
            env: variables(env.chain([(OsStr::new(MARK), OsStr::new(&*mark))]))?,
            program: text(spawn.program.as_os_str(), SpawnStep::Exec)?,
            cwd: text(spawn.cwd.as_os_str(), SpawnStep::Chdir)?,
            umask: spawn.umask & 0o777,
            limits: spawn.limits.iter().map(|limit| (number(limit.resource), soft(limit.soft))).collect(),
            stdin: text(stdin.as_os_str(), SpawnStep::Stdin)?,
            output: Some((output(&spawn.stdout)?, stderr)),
            group: None,
            bounds: (!spawn.confinement.is_empty()).then(|| Box::new(Bounds::of(&spawn.confinement))),
            fds: Vec::new(),
            given: None,
        })
    }

    /// Returns the plan for apexd, which gets `fds` (from → to), the guardian's environment without what is for
    /// the guardian alone, its output and limits, and an empty standard input.
    pub(super) fn for_apexd(binary: &Path, args: &[OsString], fds: Vec<(RawFd, RawFd)>) -> Result<Self, Failed> {
        let argv: Vec<OsString> = [OsString::from("apexd")].into_iter().chain(args.iter().cloned()).collect();
        let env: Vec<(OsString, OsString)> =
            std::env::vars_os().filter(|(name, _)| name != VARIABLE && name != DELEGATED).collect();
        Ok(Self {
            argv: Strings::new(argv.iter().map(|argument| text(argument, SpawnStep::Exec)))?,
            script: script(binary, &argv)?,
            env: variables(env.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())))?,
            program: text(binary.as_os_str(), SpawnStep::Exec)?,
            cwd: c"/".to_owned(),
            umask: 0o077,
            limits: Vec::new(),
            stdin: c"/dev/null".to_owned(),
            output: None,
            group: None,
            bounds: None,
            fds,
            given: None,
        })
    }

    /// Returns the plan for a keeper, which gets `fds` and nothing of the guardian's output: it may outlive it.
    pub(super) fn for_keeper(binary: &Path, args: &[OsString], fds: Vec<(RawFd, RawFd)>) -> Result<Self, Failed> {
        let output = Some((c"/dev/null".to_owned(), None));
        Ok(Self { output, ..Self::for_apexd(binary, args, fds)? })
    }
}

fn text(text: &OsStr, step: SpawnStep) -> Result<CString, Failed> {
    CString::new(text.as_bytes()).map_err(|_| Failed { step, errno: libc::EINVAL })
}

fn script(program: &Path, argv: &[OsString]) -> Result<Strings, Failed> {
    let arguments = [OsStr::new("/bin/sh"), program.as_os_str()].into_iter();
    let arguments = arguments.chain(argv.iter().skip(1).map(OsString::as_os_str));
    Strings::new(arguments.map(|argument| text(argument, SpawnStep::Exec)))
}

fn variables<'a>(env: impl Iterator<Item = (&'a OsStr, &'a OsStr)>) -> Result<Strings, Failed> {
    Strings::new(env.map(|(name, value)| {
        let variable = [name.as_bytes(), value.as_bytes()].join(&b'=');
        text(OsStr::from_bytes(&variable), SpawnStep::Exec)
    }))
}

/// How much of the machine a process may use, as the system is told.
#[derive(Debug)]
struct Bounds {
    nice: Option<c_int>,
    cpus: Option<libc::cpu_set_t>,
    rlimits: Vec<(Number, libc::rlim_t, libc::rlim_t)>,
    /// Outside of its control group it would have no limits.
    must_join: bool,
}

impl Bounds {
    fn of(confinement: &Confinement) -> Self {
        let cpus = confinement.cpus.as_ref().map(|cpus| {
            // SAFETY: a zeroed set is an empty one.
            let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            for cpu in cpus.numbers() {
                // SAFETY: a set holds CPU_SETSIZE bits, and what is above them is left out.
                unsafe { libc::CPU_SET(*cpu as usize, &mut set) };
            }
            set
        });
        let rlimit = |limit: &Rlimit| (number(limit.resource), soft(limit.soft), soft(limit.hard));
        Self {
            nice: confinement.nice,
            cpus,
            rlimits: confinement.rlimits.iter().map(rlimit).collect(),
            must_join: confinement.needs_group(),
        }
    }

    /// Sets them for this process. Async-signal-safe.
    fn apply(&self) -> Result<(), SpawnStep> {
        for (resource, soft, hard) in &self.rlimits {
            setrlimit(*resource, *soft, *hard).map_err(|_| SpawnStep::Rlimit)?;
        }
        // SAFETY: plain system calls on valid arguments; a zeroed set is one.
        unsafe {
            if let Some(nice) = self.nice {
                succeed(libc::setpriority(libc::PRIO_PROCESS, 0, nice), SpawnStep::Nice)?;
            }
            if let Some(cpus) = &self.cpus {
                let size = size_of::<libc::cpu_set_t>();
                succeed(libc::sched_setaffinity(0, size, cpus), SpawnStep::Cpus)?;
                // Those that a control group keeps from us are left out by the kernel without a word.
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                succeed(libc::sched_getaffinity(0, size, &raw mut set), SpawnStep::Cpus)?;
                if !libc::CPU_EQUAL(&set, cpus) {
                    Errno::set_raw(libc::EINVAL);
                    return Err(SpawnStep::Cpus);
                }
            }
        }
        Ok(())
    }
}

fn number(resource: Resource) -> Number {
    match resource {
        Resource::As => Number::RLIMIT_AS,
        Resource::Core => Number::RLIMIT_CORE,
        Resource::Cpu => Number::RLIMIT_CPU,
        Resource::Data => Number::RLIMIT_DATA,
        Resource::Fsize => Number::RLIMIT_FSIZE,
        Resource::Memlock => Number::RLIMIT_MEMLOCK,
        Resource::Nofile => Number::RLIMIT_NOFILE,
        Resource::Nproc => Number::RLIMIT_NPROC,
        Resource::Stack => Number::RLIMIT_STACK,
    }
}

fn soft(soft: Option<u64>) -> libc::rlim_t {
    soft.unwrap_or(libc::RLIM_INFINITY)
}

/// The number under which a child that was made by fork has the pipe for its news, closed on exec.
const NEWS_FD: RawFd = 3;

/// Starts processes, one at a time.
#[derive(Debug)]
pub(super) struct Spawner {
    stack: Stack,
    mounts: Mounts,
    /// Signals that this process ignores; a child would inherit that.
    ignored: Vec<c_int>,
    /// The soft limit of descriptors that tasks get, if it is not this process's own.
    nofile: Option<libc::rlim_t>,
}

impl Spawner {
    /// Makes the stack, and notes which signals are ignored now: this must not change later.
    pub(super) fn new(nofile: Option<libc::rlim_t>) -> io::Result<Self> {
        Ok(Self { stack: Stack::new()?, mounts: Mounts::default(), ignored: super::signals::ignored(), nofile })
    }

    /// Starts a task, in the control group that has this file if there is one, with the input that it is given if it is. One
    /// that may be held up on the way to its program is only begun; the descriptor tells how that goes, see
    /// [`starting`](super::starting).
    pub(super) fn start_task(
        &mut self,
        spawn: &Spawn,
        group: Option<CString>,
        given: Option<Given>,
    ) -> Result<(Started, Option<OwnedFd>), Failed> {
        let mut plan = Plan { group, given, ..Plan::for_task(spawn)? };
        if let Some(nofile) = self.nofile {
            plan.limits.insert(0, (number(Resource::Nofile), nofile));
        }
        if self.mounts.can_hang(spawn) || spawn.confinement.needs_group() {
            return self.begin(&plan).map(|(started, news)| (started, Some(news)));
        }
        self.start(&plan).map(|started| (started, None))
    }

    /// Begins to start what `plan` describes in a process that shares nothing with this one.
    fn begin(&self, plan: &Plan) -> Result<(Started, OwnedFd), Failed> {
        let failed = |errno: Errno| Failed { step: SpawnStep::Fork, errno: errno as i32 };
        let (news, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(failed)?;
        let unblocked = Blocked::all();
        // SAFETY: the child only makes system calls and touches what was prepared before.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            become_program(plan, &self.ignored, writer.as_raw_fd());
        }
        let errno = Errno::last();
        drop(unblocked);
        let pid = u32::try_from(pid).map_err(|_| failed(errno))?;
        match super::processes::open(pid) {
            Ok(pidfd) => Ok((Started { pid, pidfd }, news)),
            Err(error) => {
                // It is our child and not reaped, so the pid is its own. It is reaped like an orphan.
                // SAFETY: no memory is touched.
                unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) };
                Err(Failed { step: SpawnStep::Fork, errno: error.raw_os_error().unwrap_or(libc::EMFILE) })
            }
        }
    }

    /// Starts what `plan` describes, and returns when it has begun to run or has failed to.
    pub(super) fn start(&self, plan: &Plan) -> Result<Started, Failed> {
        let mut job = Job { plan, ignored: &self.ignored, failed: None };
        let job: *mut Job = &raw mut job;
        let mut pidfd: c_int = -1;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let unblocked = Blocked::all();
        // SAFETY: the stack is ours alone, because this thread stands still until the child has left our memory, and
        // for the same reason everything that `job` points to outlives its use. No signal handler can run on the
        // stack: all signals are blocked. `pidfd` is where CLONE_PIDFD puts the descriptor.
        let pid = unsafe { libc::clone(child_main, self.stack.top(), flags, job.cast::<c_void>(), &raw mut pidfd) };
        let errno = Errno::last_raw();
        drop(unblocked);
        let Ok(pid) = u32::try_from(pid) else { return Err(Failed { step: SpawnStep::Fork, errno }) };
        // SAFETY: the kernel has just made this descriptor for us.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        // SAFETY: `job` still points to our variable; the child, which wrote to it, is gone from our memory.
        match unsafe { ptr::read_volatile(&raw const (*job).failed) } {
            None => Ok(Started { pid, pidfd }),
            Some(failed) => {
                super::processes::reap_ending(pid);
                Err(failed)
            }
        }
    }
}

/// What parent and child share.
struct Job<'a> {
    plan: &'a Plan,
    ignored: &'a [c_int],
    failed: Option<Failed>,
}

extern "C" fn child_main(job: *mut c_void) -> c_int {
    let job = job.cast::<Job<'_>>();
    // SAFETY: the parent passed a valid job and does not touch it before this process has gone.
    let step = in_child(unsafe { (*job).plan }, unsafe { (*job).ignored }, false);
    let failed = Failed { step, errno: Errno::last_raw() };
    // SAFETY: as above.
    unsafe { ptr::write_volatile(&raw mut (*job).failed, Some(failed)) };
    // SAFETY: ends this process without running what the parent has registered for its own end.
    unsafe { libc::_exit(127) }
}

/// Becomes the program in a process of its own, or says why not and ends with the shell's code for that.
fn become_program(plan: &Plan, ignored: &[c_int], news: RawFd) -> ! {
    // SAFETY: plain system calls on valid arguments. From the moment when the signals are let through this process can
    // be ended, however long it waits for a file system.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"apex-start".as_ptr());
        if news != NEWS_FD {
            libc::dup2(news, NEWS_FD);
            libc::fcntl(NEWS_FD, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    let step = in_child(plan, ignored, true);
    let errno = Errno::last_raw();
    super::starting::report(NEWS_FD, Failed { step, errno });
    // SAFETY: ends this process without running what the guardian has registered for its own end.
    unsafe { libc::_exit(if matches!(errno, libc::ENOENT | libc::ENOTDIR) { 127 } else { 126 }) }
}

/// Becomes the program. Returns only if that failed: at which step; errno(3) says why. `apart` says that the memory is
/// this process's own and that [`NEWS_FD`] is to be kept.
fn in_child(plan: &Plan, ignored: &[c_int], apart: bool) -> SpawnStep {
    match prepare(plan, ignored, apart) {
        Err(step) => step,
        Ok(()) => {
            // SAFETY: all pointers are to NUL-terminated strings, the arrays end with a null pointer.
            unsafe {
                libc::execve(plan.program.as_ptr(), plan.argv.pointers.as_ptr(), plan.env.pointers.as_ptr());
                if Errno::last_raw() == libc::ENOEXEC {
                    // What a shell and execvp(3) do with such a file.
                    libc::execve(c"/bin/sh".as_ptr(), plan.script.pointers.as_ptr(), plan.env.pointers.as_ptr());
                }
            }
            SpawnStep::Exec
        }
    }
}

fn prepare(plan: &Plan, ignored: &[c_int], apart: bool) -> Result<(), SpawnStep> {
    // SAFETY: plain system calls on valid arguments, all of them async-signal-safe; signal-safety(7).
    unsafe {
        succeed(libc::setsid(), SpawnStep::Setup)?;
        // Before anything is opened: until here this process has as many descriptors as the guardian, perhaps all. And
        // one that hangs must hold neither the lock nor the listening socket.
        let mut first_closed = if apart { NEWS_FD + 1 } else { 3 };
        for (from, to) in &plan.fds {
            succeed(libc::dup2(*from, *to), SpawnStep::Setup)?;
            first_closed = first_closed.max(*to + 1);
        }
        if let Some(given) = &plan.given {
            succeed(libc::dup2(given.fd, 0), SpawnStep::Stdin)?;
        }
        let closed = libc::syscall(libc::SYS_close_range, first_closed, libc::c_uint::MAX, 0);
        succeed(if closed == 0 { 0 } else { -1 }, SpawnStep::Setup)?;
        if let Some(group) = &plan.group {
            let has_joined = join(group);
            if plan.bounds.as_ref().is_some_and(|bounds| bounds.must_join) {
                succeed(if has_joined { 0 } else { -1 }, SpawnStep::Group)?;
            }
        }
        if apart {
            reset_signals(ignored)?;
        }
        succeed(libc::chdir(plan.cwd.as_ptr()), SpawnStep::Chdir)?;
        if plan.given.is_none() {
            open(&plan.stdin, libc::O_RDONLY, 0, SpawnStep::Stdin)?;
        }
        if plan.given.is_some_and(|given| given.is_terminal) {
            succeed(libc::ioctl(0, libc::TIOCSCTTY, 0), SpawnStep::Terminal)?;
            succeed(libc::dup2(0, 1), SpawnStep::Terminal)?;
            succeed(libc::dup2(0, 2), SpawnStep::Terminal)?;
        } else if let Some((stdout, stderr)) = &plan.output {
            let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NOFOLLOW;
            open(stdout, flags, 1, SpawnStep::Output)?;
            match stderr {
                Some(stderr) => open(stderr, flags, 2, SpawnStep::Output)?,
                None => succeed(libc::dup2(1, 2), SpawnStep::Output)?,
            }
        }
        // After the files are made: their mode is ours, not the task's.
        libc::umask(plan.umask);
        for (resource, soft) in &plan.limits {
            let (_, hard) = getrlimit(*resource).map_err(|_| SpawnStep::Setup)?;
            setrlimit(*resource, if *soft < hard { *soft } else { hard }, hard).map_err(|_| SpawnStep::Setup)?;
        }
        if let Some(bounds) = &plan.bounds {
            bounds.apply()?;
        }
        reset_signals(ignored)
    }
}

/// Lets all signals through, and gives those that this process ignored their default action.
fn reset_signals(ignored: &[c_int]) -> Result<(), SpawnStep> {
    for signal in ignored {
        super::signals::set_default(*signal);
    }
    // SAFETY: plain system calls on valid arguments; a zeroed set is one.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        succeed(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()), SpawnStep::Setup)
    }
}

/// Joins a control group, and returns whether that was done; errno(3) says why not. Without limits it is done without.
fn join(group: &CString) -> bool {
    // SAFETY: plain system calls on valid arguments.
    unsafe {
        let fd = libc::open(group.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return false;
        }
        // 0 is the process that writes.
        let has_joined = libc::write(fd, c"0".as_ptr().cast(), 1) == 1;
        let errno = Errno::last_raw();
        libc::close(fd);
        Errno::set_raw(errno);
        has_joined
    }
}

/// Opens a file as descriptor `target`. Without blocking, since the guardian stands still meanwhile: a FIFO that nobody
/// writes to would stop it for ever.
fn open(path: &CString, flags: c_int, target: c_int, step: SpawnStep) -> Result<(), SpawnStep> {
    // SAFETY: plain system calls on valid arguments.
    unsafe {
        let extra = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
        let fd = libc::open(path.as_ptr(), flags | extra, 0o600);
        succeed(fd, step)?;
        if flags & libc::O_CREAT != 0 {
            succeed(if is_anothers(fd) { -1 } else { 0 }, step)?;
        }
        succeed(libc::fcntl(fd, libc::F_SETFL, flags & libc::O_APPEND), step)?;
        succeed(libc::dup2(fd, target), step)
    }
}

/// Returns whether an open file is a plain one that belongs to somebody else, who would read what is written to it. Sets
/// errno(3) then.
pub(super) fn is_anothers(fd: c_int) -> bool {
    // SAFETY: plain system calls on valid arguments; a zeroed structure is one.
    unsafe {
        let mut found: libc::stat = std::mem::zeroed();
        let is_known = libc::fstat(fd, &raw mut found) == 0;
        let is_plain = found.st_mode & libc::S_IFMT == libc::S_IFREG;
        let is_anothers = !is_known || (is_plain && found.st_uid != libc::geteuid());
        if is_anothers {
            Errno::set_raw(libc::EPERM);
        }
        is_anothers
    }
}

fn succeed(result: c_int, step: SpawnStep) -> Result<(), SpawnStep> {
    if result < 0 { Err(step) } else { Ok(()) }
}

/// All signals, blocked as long as it lives.
struct Blocked(libc::sigset_t);

impl Blocked {
    fn all() -> Self {
        // SAFETY: both sets are valid places; a zeroed set is one.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set came from the same call.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// The stack on which children run until exec: it is made once, and its lowest page may not be touched.
#[derive(Debug)]
struct Stack(*mut c_void);

const STACK_BYTES: usize = 128 * 1024;
const GUARD_BYTES: usize = 64 * 1024;

impl Stack {
    fn new() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: a new mapping touches nothing that exists.
        let base = unsafe { libc::mmap(ptr::null_mut(), STACK_BYTES, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self(base);
        // SAFETY: the upper part of the mapping just made; GUARD_BYTES is a multiple of every page size in use.
        let usable = unsafe {
            libc::mprotect(base.byte_add(GUARD_BYTES), STACK_BYTES - GUARD_BYTES, libc::PROT_READ | libc::PROT_WRITE)
        };
        if usable == 0 { Ok(stack) } else { Err(io::Error::last_os_error()) }
    }

    /// It grows downwards.
    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping, which is a multiple of 16.
        unsafe { self.0.byte_add(STACK_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no child runs on it.
        unsafe { libc::munmap(self.0, STACK_BYTES) };
    }
}
