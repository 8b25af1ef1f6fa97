//! What is recorded about one execution of a task.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::id::{AssignmentId, AttemptNumber};
use crate::domain::identity::{GuardianId, ProcessIdentity};
use crate::domain::outcome::{ExitStatus, ReasonCode, Usage};
use crate::domain::resource::Granted;
use crate::domain::task::State;
use crate::domain::time::{Moment, Timestamp};

/// Where a piece of output went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output and standard error in true order.
    Merged,
    /// Standard output alone.
    Stdout,
    /// Standard error alone.
    Stderr,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Stream; 3] = [Self::Merged, Self::Stdout, Self::Stderr];

    /// Returns the word used in JSON, on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    /// Returns the stream for a word; `None` for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.as_str() == word)
    }

    /// Returns the streams of an attempt.
    pub fn of(split_output: bool) -> &'static [Stream] {
        if split_output { &[Self::Stdout, Self::Stderr] } else { &[Self::Merged] }
    }
}

/// What one stream of an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Which stream.
    pub stream: Stream,
    /// Its file, relative to `.apex/`.
    pub path: PathBuf,
    /// Its length in bytes when the attempt ended; what is there so far while it runs.
    pub bytes: u64,
    /// SHA-256 of the whole of it; `None` until it was asked for.
    pub sha256: Option<[u8; 32]>,
}

/// One execution of a task, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which one, from 1.
    pub number: AttemptNumber,
    /// The claim it stems from.
    pub assignment: AssignmentId,
    /// Who claimed it.
    pub owner: GuardianId,
    /// `starting`, `running`, `paused`, or how it ended.
    pub state: State,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When others may take it over, if its owner does not say that it still has it.
    pub lease_until: Timestamp,
    /// The slot it got in its queue.
    pub slot: u32,
    /// What it was granted of the resources that its task needs.
    pub granted: Granted,
    /// Its first process; `None` until that is known.
    pub identity: Option<ProcessIdentity>,
    /// When its process started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How its process ended.
    pub exit: Option<ExitStatus>,
    /// Why it ended as it did, for programs.
    pub reason_code: Option<ReasonCode>,
    /// Why it ended as it did, for people.
    pub reason: Option<String>,
    /// What it used.
    pub usage: Option<Usage>,
    /// When its processes were stopped, if they are; on the clock of the run of the machine it belongs to.
    pub paused_at: Option<Moment>,
    /// How long they were stopped before, altogether.
    pub paused_for: Duration,
    /// What it wrote; a stream without output has no entry once the attempt has ended.
    pub outputs: Vec<Output>,
}
