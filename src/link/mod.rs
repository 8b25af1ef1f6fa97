//! What the guardian and apexd say to one another over their socket pair.
//!
//! [`Order`] goes from apexd to the guardian, [`Fact`] from the guardian to apexd. Both ends may be of different
//! versions of apex, so every message is a frame with a length and a kind, and the first one on a new link names the
//! version. Facts are a statement of what is, not a queue: whoever takes up a new link gets every child that is
//! running or waiting to be forgotten, again, so that nothing depends on an earlier link having been read to its end.
//!
//! Reading order: [`Order`] and [`Fact`] → [`codec`] (their bytes) → [`handover`] (what one guardian leaves to the next)
//! → [`last_words`] (what a guardian that ends without an apexd writes down) → [`machine`] (what both
//! ends must read off the machine in the same way) and [`mounts`] (which of its paths may not answer). [`keeper`] is another
//! conversation: of apexd with the process that keeps a task's input open.

pub mod codec;
pub mod handover;
pub mod keeper;
pub mod last_words;
pub mod machine;
pub mod mounts;

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::adoption::Child;
use crate::domain::id::AssignmentId;
use crate::domain::identity::GuardianId;
use crate::domain::outcome::Exit;
use crate::domain::task::Limit;
use crate::domain::time::{Moment, Timestamp};

/// The descriptor that apexd is started with for its link to the guardian: a stream socket, one end of a pair.
pub const LINK_FD: RawFd = 3;
/// The descriptor that apexd is started with for the listening socket, which is bound and does not block.
pub const LISTEN_FD: RawFd = 4;
/// The descriptor that apexd is started with for the lock: the same open file description as the guardian's, so the
/// lock is free only when both are gone.
pub const LOCK_FD: RawFd = 5;

/// Version of the frames below. The guardian answers the version that [`Order::Hello`] names if it knows it.
pub const VERSION: u16 = 1;

/// What apexd asks of the guardian. Orders are carried out in the order in which they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// First on every link; answered by [`Fact::Welcome`].
    Hello {
        /// The version of the frames that apexd speaks.
        version: u16,
    },
    /// apexd answers requests: whoever waits for the daemon to start may be told.
    Ready,
    /// How long the guardian leaves between SIGTERM and SIGKILL if it has to end the tasks by itself.
    Policy {
        /// The time between the two signals.
        kill_grace: Duration,
    },
    /// Start a process. Answered by [`Fact::Spawned`] or [`Fact::NotSpawned`]. Idempotent: an assignment that is
    /// already known is answered and not started again.
    Spawn(Box<Spawn>),
    /// Send a signal. Answered by [`Fact::Signalled`].
    Signal {
        /// Whose process.
        assignment: AssignmentId,
        /// The signal's number.
        signal: i32,
        /// How far it reaches.
        scope: Scope,
    },
    /// The outcome is committed: reap the process and forget it. Unknown ones are ignored.
    Forget {
        /// Whose process.
        assignment: AssignmentId,
    },
    /// apexd has begun to drain. An apexd started after this one is told to drain as well.
    Draining,
    /// The answer to [`Fact::Ask`]. Said once unasked by an apexd that will answer: only then is it asked.
    Present,
    /// The next apexd is this binary: sent before apexd ends with exit code 71.
    Replace {
        /// Absolute path of an executable that was found to work.
        binary: PathBuf,
    },
    /// The drain leaves running tasks alone until then. An apexd that takes the drain up goes on with the same moment.
    Grace {
        /// On the clock of [`machine::boottime_now`].
        until: Moment,
    },
    /// Look after this process, which an earlier guardian started and which lives without one. Answered by
    /// [`Fact::Gone`] if that very process is not there any more, else by what becomes of it.
    Adopt(Child),
}

/// Which processes of an attempt a signal goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Only the process that the guardian started.
    Leader,
    /// Every process of its session.
    Session,
    /// Every process of its session, and those that left it: known by their parents or by [`MARK`].
    Everything,
}

/// The variable that the guardian puts into the environment of every task: the assignment's id, which is never used
/// again. Processes inherit it, so one that made a session of its own is still known to be of that task.
pub const MARK: &str = "APEX_ASSIGNMENT_ID";

/// Everything that is needed to start a process. All strings are raw bytes without NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spawn {
    /// The claim it belongs to.
    pub assignment: AssignmentId,
    /// Absolute path, or one relative to `cwd`, of the program; already looked up in the task's `PATH`.
    pub program: PathBuf,
    /// The arguments, the name of the program first.
    pub argv: Vec<OsString>,
    /// The whole environment, in order.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The file mode creation mask.
    pub umask: u32,
    /// Soft limits; hard ones are inherited, and a soft one is never set above them.
    pub limits: Vec<Limit>,
    /// File to read standard input from; empty input if there is none.
    pub stdin: Option<PathBuf>,
    /// File to append standard output to, made with mode 0600.
    pub stdout: PathBuf,
    /// File to append standard error to; the file of standard output if there is none.
    pub stderr: Option<PathBuf>,
    /// Instead of `stdin`: an input that stays open. Only for a guardian that has told [`Fact::Keeps`].
    pub keep: Option<Keep>,
}

/// An input that is kept open by a process of its own, a keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Where the keeper listens: a path at which nothing is.
    pub socket: PathBuf,
    /// What it keeps.
    pub kept: Kept,
}

/// What a keeper keeps open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Standard input is a pipe.
    Pipe,
    /// Input and output are a terminal, the controlling one of the session. What is written to it goes to the file of
    /// standard output.
    Terminal,
}

/// What the guardian tells apexd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The answer to [`Order::Hello`]; followed by a [`Fact::Child`] for each process, then [`Fact::Complete`].
    Welcome {
        /// The version that the guardian will speak on this link.
        version: u16,
        /// Which guardian this is.
        guardian: GuardianId,
        /// The guardian's own pid.
        guardian_pid: u32,
        /// When the guardian started.
        started_at: Timestamp,
        /// How often apexd was started again.
        restarts: u32,
        /// How often the guardian was asked to stop, 0 if it was not; a drain that an earlier apexd began counts as one.
        stop_requests: u32,
    },
    /// A process the guardian holds, running or ended and not yet forgotten.
    Child(Child),
    /// All children were named.
    Complete,
    /// A process was started.
    Spawned(Child),
    /// A process could not be started; nothing of it is left.
    NotSpawned {
        /// The claim it was for.
        assignment: AssignmentId,
        /// What failed.
        step: SpawnStep,
        /// Why, as errno(3).
        errno: i32,
    },
    /// A process has ended. It stays a zombie until [`Order::Forget`].
    Exited {
        /// Whose process.
        assignment: AssignmentId,
        /// How, when, and what it used.
        exit: Exit,
    },
    /// The answer to [`Order::Signal`].
    Signalled {
        /// Whose process.
        assignment: AssignmentId,
        /// The signal's number.
        signal: i32,
        /// 0, or why it could not be sent, as errno(3); ESRCH if no process is left.
        errno: i32,
    },
    /// The guardian got SIGTERM or SIGINT.
    Terminate {
        /// How often altogether; from the second on nobody waits.
        requests: u32,
    },
    /// The guardian got SIGHUP: read the configuration again.
    Reload,
    /// Are you there? Answered by [`Order::Present`] by whoever takes in facts; one that does not for long is aborted.
    Ask,
    /// Follows [`Fact::Welcome`]: what an apexd must know to take the guardian's place, or to go on with its drain.
    Terms {
        /// The soft limit of descriptors that tasks get, if it is not the guardian's own.
        nofile: Option<u64>,
        /// Somebody watches this very guardian and starts another one when it is gone.
        supervised: bool,
        /// Until then a drain that was begun leaves running tasks alone.
        grace_until: Option<Moment>,
    },
    /// Part of the roll call: an earlier guardian was told to start this one and was killed before it could say whether
    /// it did. It may have run. Named until [`Order::Forget`].
    Doubtful {
        /// The claim it was for.
        assignment: AssignmentId,
    },
    /// A process that an earlier guardian started has ended, and nobody knows how.
    Gone {
        /// Whose process.
        assignment: AssignmentId,
        /// When that was noticed.
        at: Timestamp,
    },
    /// Follows [`Fact::Terms`]: this guardian knows [`Spawn::keep`].
    Keeps,
}

/// The steps of starting a process that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpawnStep {
    /// Making the process: memory, processes or descriptors ran out.
    Fork,
    /// Changing to the working directory.
    Chdir,
    /// Opening the file for standard input.
    Stdin,
    /// Opening the files for the output.
    Output,
    /// Executing the program.
    Exec,
    /// Anything else: session, limits, descriptors.
    Setup,
    /// Making a terminal.
    Terminal,
}
