//! How an attempt ended, and what follows from it for its task.

use std::fmt;

use crate::domain::resource::Amount;
use crate::domain::task::{OnInterrupt, State};
use crate::domain::time::Timestamp;

/// How a process ended, as wait(2) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It called exit(3) with this code, 0 to 255.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl ExitStatus {
    /// Returns the code a shell would show: the code itself, or 128 plus the signal's number.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// What a process and the children it waited for used up.
///
/// Source: getrusage(2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Largest resident set, in bytes.
    pub max_rss_bytes: u64,
    /// Time on a processor outside the kernel, in milliseconds.
    pub user_ms: u64,
    /// Time on a processor inside the kernel, in milliseconds.
    pub system_ms: u64,
}

/// How and when a process ended, as its parent saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it used; `None` if nobody could ask in time.
    pub usage: Option<Usage>,
    /// When it was seen to have ended.
    pub at: Timestamp,
    /// Whether other processes of its session may still be alive.
    pub leftovers: bool,
    /// Whether it had been asked to stop before it ended: by apexd, which cancels, limits and drains, or by the guardian
    /// itself, because it was told to end and no apexd was there.
    pub stopped: bool,
}

/// Why a task is in the state it is in, for programs. For people there is a sentence beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReasonCode {
    /// Ended by itself, with a code other than 0.
    Exit,
    /// Ended by a signal that apex did not send.
    Signal,
    /// Its time limit.
    Timeout,
    /// A person or a program cancelled it.
    Cancelled,
    /// Something it depends on did not succeed.
    Dependency,
    /// The daemon was stopped.
    Drain,
    /// The machine was restarted.
    Reboot,
    /// The guardian is gone, and with it the knowledge of how the process ended.
    GuardianLost,
    /// The process could not be started.
    Spawn,
    /// It wrote more than it may.
    OutputLimit,
    /// Memory ran out.
    Oom,
    /// It came with a project that its owner has not accepted yet.
    Untrusted,
}

impl ReasonCode {
    /// Every code, in the order in which the contract lists them.
    pub const ALL: [ReasonCode; 12] = [
        Self::Exit,
        Self::Signal,
        Self::Timeout,
        Self::Cancelled,
        Self::Dependency,
        Self::Drain,
        Self::Reboot,
        Self::GuardianLost,
        Self::Spawn,
        Self::OutputLimit,
        Self::Oom,
        Self::Untrusted,
    ];

    /// Returns the word used in JSON, on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Dependency => "dependency",
            Self::Drain => "drain",
            Self::Reboot => "reboot",
            Self::GuardianLost => "guardian_lost",
            Self::Spawn => "spawn",
            Self::OutputLimit => "output_limit",
            Self::Oom => "oom",
            Self::Untrusted => "untrusted",
        }
    }

    /// Returns the code for a word; `None` for one that a later version may have added.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }
}

/// Why apex itself ends an attempt. The first cause stands: a drain does not turn a cancel into an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopCause {
    /// A person or a program asked for it.
    Cancel,
    /// The attempt's time limit is over.
    Timeout,
    /// The attempt has written as many bytes as it may.
    OutputLimit(u64),
    /// The daemon is being stopped.
    Drain,
}

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `succeeded`, `failed`, `timed_out`, `cancelled`, `interrupted` or `lost`.
    pub state: State,
    /// `None` only for `succeeded`.
    pub reason_code: Option<ReasonCode>,
    /// The reason as a clause, lower case: `exit code 3`.
    pub reason: Option<String>,
    /// How its process ended; `None` if there was none or nobody saw it.
    pub exit: Option<ExitStatus>,
    /// What it used; `None` if nobody saw it end.
    pub usage: Option<Usage>,
    /// When it ended, or when apex noticed.
    pub ended_at: Timestamp,
}

impl Outcome {
    /// Returns the outcome of an attempt whose process was seen to end.
    ///
    /// Shape: with a `stop` in force the cause decides the state, whatever the process made of the signal; without one
    /// code 0 is a success and everything else a failure.
    pub fn of_exit(exit: ExitStatus, stop: Option<StopCause>, usage: Option<Usage>, ended_at: Timestamp) -> Self {
        let (state, code, reason) = match (stop, exit) {
            (Some(StopCause::Cancel), _) => {
                (State::Cancelled, Some(ReasonCode::Cancelled), Some("cancelled".to_owned()))
            }
            (Some(StopCause::Timeout), _) => {
                (State::TimedOut, Some(ReasonCode::Timeout), Some("its time limit was over".to_owned()))
            }
            (Some(StopCause::OutputLimit(bytes)), _) => {
                let reason = format!("it wrote more than the {bytes} bytes that it may");
                (State::Failed, Some(ReasonCode::OutputLimit), Some(reason))
            }
            (Some(StopCause::Drain), _) => {
                (State::Interrupted, Some(ReasonCode::Drain), Some("the daemon was stopped".to_owned()))
            }
            (None, ExitStatus::Code(0)) => (State::Succeeded, None, None),
            (None, ExitStatus::Code(code)) => {
                (State::Failed, Some(ReasonCode::Exit), Some(format!("exit code {code}")))
            }
            (None, ExitStatus::Signal(signal)) => {
                (State::Failed, Some(ReasonCode::Signal), Some(format!("ended by {}", SignalName(signal))))
            }
        };
        Self { state, reason_code: code, reason, exit: Some(exit), usage, ended_at }
    }

    /// Returns the outcome of an attempt whose program or directory was not there: the shell's 127, or 126 for a file
    /// that may not be executed.
    ///
    /// Source: POSIX.1-2024, XCU 2.8.2, "Exit Status for Commands".
    pub fn of_spawn_failure(code: i32, reason: String, ended_at: Timestamp) -> Self {
        Self {
            state: State::Failed,
            reason_code: Some(ReasonCode::Spawn),
            reason: Some(reason),
            exit: Some(ExitStatus::Code(code)),
            usage: None,
            ended_at,
        }
    }

    /// Returns whether it may have failed because its memory was used up.
    pub fn may_lack_memory(&self) -> bool {
        matches!(self.reason_code, Some(ReasonCode::Exit | ReasonCode::Signal))
    }

    /// Returns the outcome of one that did, with no more than `limit` bytes to use.
    #[must_use]
    pub fn out_of_memory(self, limit: u64) -> Self {
        let reason = Some(format!("out of memory: it may use {}", Amount::Bytes(limit)));
        Self { reason_code: Some(ReasonCode::Oom), reason, ..self }
    }

    /// Returns the outcome of an attempt that nobody saw end.
    pub fn lost(code: ReasonCode, noticed_at: Timestamp) -> Self {
        let reason = match code {
            ReasonCode::Reboot => "the machine was restarted while it ran",
            _ => "the guardian was gone and so is the process; nobody saw how it ended",
        };
        Self {
            state: State::Lost,
            reason_code: Some(code),
            reason: Some(reason.to_owned()),
            exit: None,
            usage: None,
            ended_at: noticed_at,
        }
    }
}

/// What a task's own settings and history say about a further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryFacts {
    /// How many attempts may fail before the task has failed; at least 1.
    pub max_attempts: u32,
    /// How many have failed so far, without the one that just ended.
    pub failures: u32,
    /// What follows `interrupted` and `lost`.
    pub on_interrupt: OnInterrupt,
    /// Somebody asked for the task to be cancelled.
    pub cancel_requested: bool,
}

/// What becomes of a task after one of its attempts has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The task has ended, in the attempt's state.
    End,
    /// The task ends as cancelled: it was asked for before the attempt ended in a way that would lead to another one.
    EndCancelled,
    /// It waits for its next attempt; the delay is up to [`crate::domain::backoff`].
    Retry,
    /// It goes back to the queue at once; the attempt does not count as a failure.
    Requeue,
}

/// Decides what follows an attempt that ended in `state`.
///
/// Shape: `failed` and `timed_out` are tried again while failures stay below `max_attempts`; `interrupted` and `lost`
/// only if the task asked for it; a requested cancel wins over any further attempt.
pub fn next(state: State, facts: RetryFacts) -> Next {
    let again = match state {
        State::Failed | State::TimedOut => (facts.failures + 1 < facts.max_attempts).then_some(Next::Retry),
        State::Interrupted | State::Lost => (facts.on_interrupt == OnInterrupt::Rerun).then_some(Next::Requeue),
        _ => None,
    };
    match again {
        Some(_) if facts.cancel_requested => Next::EndCancelled,
        Some(next) => next,
        None => Next::End,
    }
}

/// Returns whether an attempt that ended in `state` counts against `max_attempts`.
pub fn counts_as_failure(state: State) -> bool {
    matches!(state, State::Failed | State::TimedOut)
}

/// Shows a signal by its name where POSIX or Linux has one for the number on the common architectures, else by number.
///
/// Source: signal(7), the column for x86 and ARM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalName(pub i32);

const SIGNALS: [(i32, &str); 31] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGSTKFLT"),
    (17, "SIGCHLD"),
    (18, "SIGCONT"),
    (19, "SIGSTOP"),
    (20, "SIGTSTP"),
    (21, "SIGTTIN"),
    (22, "SIGTTOU"),
    (23, "SIGURG"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (28, "SIGWINCH"),
    (29, "SIGIO"),
    (30, "SIGPWR"),
    (31, "SIGSYS"),
];

impl SignalName {
    /// Reads `TERM`, `sigterm`, `SIGTERM` or `15`; `None` for what is no signal.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<i32>() {
            return (1..=64).contains(&number).then_some(Self(number));
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        SIGNALS.iter().find(|(_, known)| &known[3..] == name).map(|(number, _)| Self(*number))
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIGNALS.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_may_have_lacked_memory_and_says_how_much_it_had() {
        let of = |exit, stop| Outcome::of_exit(exit, stop, None, NOW);
        let killed = of(ExitStatus::Signal(9), None);
        let oom = killed.clone().out_of_memory(1_048_576);
        assert_eq!((oom.state, oom.reason_code, oom.exit), (State::Failed, Some(ReasonCode::Oom), killed.exit));
        assert_eq!(oom.reason.as_deref(), Some("out of memory: it may use 1MiB"));
        assert!(killed.may_lack_memory() && of(ExitStatus::Code(1), None).may_lack_memory());
        for other in [of(ExitStatus::Code(0), None), of(ExitStatus::Signal(9), Some(StopCause::Cancel))] {
            assert!(!other.may_lack_memory(), "{other:?}");
        }
    }

    const NOW: Timestamp = Timestamp(1_000);

    #[test]
    fn without_a_stop_the_process_decides() {
        let of = |exit| Outcome::of_exit(exit, None, None, NOW);
        assert_eq!(of(ExitStatus::Code(0)).state, State::Succeeded);
        assert_eq!(of(ExitStatus::Code(0)).reason_code, None);
        for code in 1..=255 {
            assert_eq!(of(ExitStatus::Code(code)).state, State::Failed);
            assert_eq!(of(ExitStatus::Code(code)).reason.as_deref(), Some(format!("exit code {code}").as_str()));
        }
        assert_eq!(of(ExitStatus::Signal(11)).reason.as_deref(), Some("ended by SIGSEGV"));
        assert_eq!(of(ExitStatus::Signal(11)).reason_code, Some(ReasonCode::Signal));
    }

    #[test]
    fn with_a_stop_the_cause_decides_and_the_exit_is_kept() {
        let causes = [
            (StopCause::Cancel, State::Cancelled, ReasonCode::Cancelled),
            (StopCause::Timeout, State::TimedOut, ReasonCode::Timeout),
            (StopCause::Drain, State::Interrupted, ReasonCode::Drain),
        ];
        for (cause, state, code) in causes {
            for exit in [ExitStatus::Code(0), ExitStatus::Code(7), ExitStatus::Signal(15)] {
                let outcome = Outcome::of_exit(exit, Some(cause), None, NOW);
                assert_eq!((outcome.state, outcome.reason_code, outcome.exit), (state, Some(code), Some(exit)));
            }
        }
    }

    #[test]
    fn what_follows_every_ending() {
        for max_attempts in 1..4 {
            for failures in 0..max_attempts {
                for on_interrupt in [OnInterrupt::Stop, OnInterrupt::Rerun] {
                    for cancel_requested in [false, true] {
                        for state in State::ALL.into_iter().filter(|state| state.is_ended()) {
                            let facts = RetryFacts { max_attempts, failures, on_interrupt, cancel_requested };
                            let again = match state {
                                State::Failed | State::TimedOut => failures + 1 < max_attempts,
                                State::Interrupted | State::Lost => on_interrupt == OnInterrupt::Rerun,
                                _ => false,
                            };
                            let expected = match (again, cancel_requested, state) {
                                (false, ..) => Next::End,
                                (true, true, _) => Next::EndCancelled,
                                (true, false, State::Failed | State::TimedOut) => Next::Retry,
                                (true, false, _) => Next::Requeue,
                            };
                            assert_eq!(next(state, facts), expected, "{state:?} {facts:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn signals_by_name_and_number() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(SignalName::parse(text), Some(SignalName(15)), "{text}");
        }
        for wrong in ["", "SIG", "TERMINATE", "0", "-9", "65"] {
            assert_eq!(SignalName::parse(wrong), None, "{wrong}");
        }
        for (number, name) in SIGNALS {
            assert_eq!(SignalName::parse(name), Some(SignalName(number)));
            assert_eq!(SignalName(number).to_string(), name);
        }
        assert_eq!(SignalName(40).to_string(), "signal 40");
    }

    #[test]
    fn shells_add_128_to_a_signal() {
        assert_eq!(ExitStatus::Code(3).shell_code(), 3);
        assert_eq!(ExitStatus::Signal(9).shell_code(), 137);
    }

    proptest::proptest! {
        #[test]
        fn what_reads_as_a_signal_is_one(text in "(SIG|sig)?[-+A-Za-z0-9]{0,8}|\\PC{0,12}") {
            if let Some(signal) = SignalName::parse(&text) {
                proptest::prop_assert!((1..=64).contains(&signal.0));
            }
        }
    }
}
