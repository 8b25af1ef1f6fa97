//! Where a task stands, and where it may go from there.

/// Where a task stands.
///
/// Who enters and who leaves each state stands at its variant; [`State::may_become`] is the whole table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits for its time. Entered at add, left to `queued` by the clock.
    Scheduled,
    /// Waits for other tasks. Entered at add or by a retry up the chain, left to `queued` or `skipped` when they end.
    Blocked,
    /// Waits for `release` or `trust`. Entered at add or by `hold`.
    Held,
    /// Ready; waits for a slot or for its queue to be resumed.
    Queued,
    /// Claimed, its process not yet known to run. Shown as `running`. Left within moments.
    Starting,
    /// Has a process.
    Running,
    /// Has a process that is stopped, and keeps its slot.
    Paused,
    /// Failed, waits for its next attempt.
    Retrying,
    /// Ended by itself with code 0.
    Succeeded,
    /// Ended by itself in any other way, or could not be started.
    Failed,
    /// Ended by its time limit.
    TimedOut,
    /// Ended by a person or a program, before or while it ran.
    Cancelled,
    /// Never ran: something it depends on did not succeed.
    Skipped,
    /// Cut off by apex itself; how it ended is known.
    Interrupted,
    /// Nobody can say how it ended.
    Lost,
}

impl State {
    /// Every state, in the order in which a task may pass through them.
    pub const ALL: [State; 15] = [
        Self::Scheduled,
        Self::Blocked,
        Self::Held,
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Skipped,
        Self::Interrupted,
        Self::Lost,
    ];

    /// Returns the word for the state, as the store keeps it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
        }
    }

    /// Returns the state for a word; `None` for what is no state.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Returns the state that people and scripts see: `starting` is an inner matter and shows as `running`.
    pub fn shown(self) -> Self {
        match self {
            Self::Starting => Self::Running,
            other => other,
        }
    }

    /// Has ended; only `retry` starts it again.
    pub fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::TimedOut
                | Self::Cancelled
                | Self::Skipped
                | Self::Interrupted
                | Self::Lost
        )
    }

    /// Holds a slot: it is being started or has a process.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }

    /// Waits for something other than a slot.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Scheduled | Self::Blocked | Self::Held | Self::Retrying)
    }

    /// Returns whether a task may go from `self` to `to`.
    pub fn may_become(self, to: State) -> bool {
        use State::*;
        match self {
            Scheduled => matches!(to, Blocked | Held | Queued | Cancelled | Skipped),
            // Retrying: it was held between two attempts, and released while something that it depends on began anew.
            Blocked => matches!(to, Scheduled | Held | Queued | Retrying | Cancelled | Skipped),
            Held => matches!(to, Scheduled | Blocked | Queued | Retrying | Cancelled | Skipped),
            Queued => matches!(to, Held | Starting | Cancelled),
            // Back to queued: it was provably not started. Lost: the guardian died in between.
            Starting => matches!(
                to,
                Queued | Running | Succeeded | Failed | TimedOut | Cancelled | Interrupted | Lost | Retrying
            ),
            Running => {
                matches!(
                    to,
                    Paused | Queued | Retrying | Succeeded | Failed | TimedOut | Cancelled | Interrupted | Lost
                )
            }
            Paused => matches!(
                to,
                Running | Queued | Retrying | Succeeded | Failed | TimedOut | Cancelled | Interrupted | Lost
            ),
            Retrying => matches!(to, Queued | Held | Cancelled),
            // A retry by hand: the same task, counted afresh. What was skipped waits again when what it depends on is
            // tried again.
            Succeeded | Failed | TimedOut | Cancelled | Skipped | Interrupted | Lost => {
                matches!(to, Queued | Scheduled | Blocked | Held)
            }
        }
    }
}
