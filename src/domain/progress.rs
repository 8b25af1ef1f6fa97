//! How far a task says it is, and how long it will take.

use std::time::Duration;

use crate::domain::id::{AttemptNumber, TaskId};
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;

/// Longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1_000;
/// The largest number that every reader of JSON takes as it is.
///
/// Source: RFC 8259, section 6.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;
/// So many earlier runs are enough to know how long one takes.
pub const RUNS_MAX: usize = 9;
/// So many earlier tasks of the name are looked at for them, so that a look stays short.
pub const RUNS_LOOKED_AT: usize = 100;

/// How far an attempt says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// How much is done.
    pub done: Option<u64>,
    /// Of how much; not less than what is done.
    pub total: Option<u64>,
    /// What it is about just now, for people.
    pub message: Option<String>,
    /// When it said so.
    pub at: Timestamp,
}

/// What is told of a progress. What is left out stays as it was told before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// How much is done.
    pub done: Option<u64>,
    /// Of how much.
    pub total: Option<u64>,
    /// What it is about just now; an empty one takes the one before away.
    pub message: Option<String>,
    /// All of it is done, however much that is.
    pub all_done: bool,
}

/// Of which task something is told, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tell {
    /// Which task.
    pub id: TaskId,
    /// Which attempt of it; the present one if it is not named.
    pub attempt: Option<AttemptNumber>,
    /// What.
    pub told: Told,
}

/// What came of telling something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// How the progress stands now.
    pub progress: Progress,
    /// It is stored for good. If not, it soon will be, or a newer one in its place.
    pub stored: bool,
}

/// Why something cannot be a progress.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProgress {
    /// More is done than there is to do.
    #[error("`{done}` is more than the total of `{total}`")]
    Beyond {
        /// How much is done.
        done: u64,
        /// Of how much.
        total: u64,
    },
    /// Programs that read JSON would take it for another number.
    #[error("`{0}` is more than the {NUMBER_MAX} that can be told")]
    Large(u64),
    /// The message is too long.
    #[error("a message of {0} bytes is longer than the {MESSAGE_BYTES_MAX} that can be told")]
    Message(usize),
    /// There is nothing that is told.
    #[error("nothing is told: neither how much is done nor a message")]
    Nothing,
}

/// Why a progress was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTold {
    /// There is no such task.
    NotFound,
    /// It has no process.
    NotRunning(Box<Task>),
    /// Another attempt runs by now, this one.
    Late(AttemptNumber),
    /// It makes no sense.
    Invalid(InvalidProgress),
}

impl Told {
    /// Checks what can be checked without knowing what was told before.
    pub fn check(&self) -> Result<(), InvalidProgress> {
        if *self == Self::default() {
            return Err(InvalidProgress::Nothing);
        }
        if let Some(large) = [self.done, self.total].into_iter().flatten().find(|number| *number > NUMBER_MAX) {
            return Err(InvalidProgress::Large(large));
        }
        match &self.message {
            Some(message) if message.len() > MESSAGE_BYTES_MAX => Err(InvalidProgress::Message(message.len())),
            _ => Ok(()),
        }
    }

    /// Returns the progress that comes of it after `before`, if that is of the same attempt.
    pub fn after(
        &self,
        before: Option<&Progress>,
        attempt: AttemptNumber,
        at: Timestamp,
    ) -> Result<Progress, InvalidProgress> {
        self.check()?;
        let before = before.filter(|before| before.attempt == attempt);
        let mut done = self.done.or(before.and_then(|before| before.done));
        let mut total = self.total.or(before.and_then(|before| before.total));
        if self.all_done {
            // Nobody said of how much: then of as much as is done, or of one thing.
            let all = total.or(done).unwrap_or(1);
            (done, total) = (Some(all), Some(all));
        }
        if let (Some(done), Some(total)) = (done, total)
            && done > total
        {
            return Err(InvalidProgress::Beyond { done, total });
        }
        let message = match &self.message {
            None => before.and_then(|before| before.message.clone()),
            Some(message) => Some(message.clone()).filter(|message| !message.is_empty()),
        };
        Ok(Progress { attempt, done, total, message, at })
    }
}

impl Progress {
    /// Returns what has to be told for this to come of it, whatever was told before.
    pub fn as_told(&self) -> Told {
        let message = Some(self.message.clone().unwrap_or_default());
        Told { done: self.done, total: self.total, message, all_done: false }
    }

    /// Returns how much of it is done, in whole hundredths, rounded down; `None` if nobody said of how much.
    pub fn percent(&self) -> Option<u8> {
        let (done, total) = (u128::from(self.done?), u128::from(self.total?));
        // Of nothing all is done.
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        u8::try_from(percent).ok()
    }
}

impl Task {
    /// Returns how far its present or last attempt says it is; `None` while it waits for another one.
    pub fn progress(&self) -> Option<&Progress> {
        let shows = self.state.is_active() || self.state.is_ended();
        self.told.as_ref().filter(|progress| shows && progress.attempt == self.attempt)
    }
}

/// Returns how long a task takes of which earlier runs took so long: the median.
pub fn expected(mut runs: Vec<Duration>) -> Option<Duration> {
    runs.sort_unstable();
    runs.get(runs.len() / 2).copied()
}

/// Returns how much longer a task runs: as its progress says if that tells of how much, else as its earlier runs do.
///
/// Shape: `None` if neither is known, if it should have been over by now, and while it stands still.
pub fn time_left(task: &Task, now: Timestamp) -> Option<Duration> {
    let started = task.started_at.filter(|_| task.state == State::Running)?;
    let by_progress = task.progress().and_then(|progress| {
        let (done, total) = (progress.done.filter(|done| *done > 0)?, progress.total?);
        let passed = progress.at.since(started);
        let whole = passed.as_millis() * u128::from(total) / u128::from(done);
        (!passed.is_zero()).then(|| (done >= total, Duration::from_millis(u64::try_from(whole).unwrap_or(u64::MAX))))
    });
    let whole = match by_progress {
        Some((true, _)) => return Some(Duration::ZERO),
        Some((false, whole)) => whole,
        None => task.expected?,
    };
    Some((started + whole).since(now)).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples::{NOW, running};

    fn told(done: Option<u64>, total: Option<u64>, message: Option<&str>) -> Told {
        Told { done, total, message: message.map(str::to_owned), all_done: false }
    }

    fn after(before: Option<&Progress>, told: &Told) -> Result<Progress, InvalidProgress> {
        told.after(before, 1, NOW)
    }

    #[test]
    fn what_is_left_out_stays_as_it_was() {
        let first = after(None, &told(Some(40), Some(200), Some("compiling"))).unwrap();
        let second = after(Some(&first), &told(Some(41), None, None)).unwrap();
        assert_eq!((second.done, second.total, second.message.as_deref()), (Some(41), Some(200), Some("compiling")));
        let third = after(Some(&second), &told(None, None, Some(""))).unwrap();
        assert_eq!((third.done, third.total, &third.message), (Some(41), Some(200), &None));
        assert_eq!(after(None, &third.as_told()), Ok(third.clone()), "told as a whole");
        let other = told(Some(1), None, None).after(Some(&third), 2, NOW).unwrap();
        assert_eq!((other.attempt, other.total), (2, None), "another attempt begins anew");
    }

    #[test]
    fn all_is_done_of_however_much() {
        let all = Told { all_done: true, ..Told::default() };
        let of = |before: Option<Progress>| {
            let after = after(before.as_ref(), &all).unwrap();
            (after.done, after.total, after.percent())
        };
        assert_eq!(of(None), (Some(1), Some(1), Some(100)));
        assert_eq!(of(after(None, &told(Some(7), None, None)).ok()), (Some(7), Some(7), Some(100)));
        assert_eq!(of(after(None, &told(Some(7), Some(9), None)).ok()), (Some(9), Some(9), Some(100)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let first = after(None, &told(Some(40), Some(200), None)).unwrap();
        let beyond = InvalidProgress::Beyond { done: 201, total: 200 };
        assert_eq!(after(Some(&first), &told(Some(201), None, None)), Err(beyond));
        let beyond = InvalidProgress::Beyond { done: 40, total: 39 };
        assert_eq!(after(Some(&first), &told(None, Some(39), None)), Err(beyond));
        assert_eq!(after(None, &Told::default()), Err(InvalidProgress::Nothing));
        assert_eq!(after(None, &told(Some(u64::MAX), None, None)), Err(InvalidProgress::Large(u64::MAX)));
        let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
        assert_eq!(after(None, &told(None, None, Some(&long))), Err(InvalidProgress::Message(long.len())));
    }

    #[test]
    fn hundredths_are_rounded_down() {
        for (done, total, percent) in
            [(0, 200, 0), (1, 3, 33), (199, 200, 99), (200, 200, 100), (0, 0, 100), (NUMBER_MAX, NUMBER_MAX, 100)]
        {
            let progress = after(None, &told(Some(done), Some(total), None)).unwrap();
            assert_eq!(progress.percent(), Some(percent), "{done} of {total}");
        }
        assert_eq!(after(None, &told(Some(3), None, None)).unwrap().percent(), None);
    }

    #[test]
    fn a_run_takes_as_long_as_half_of_those_before_it_did() {
        let s = Duration::from_secs;
        assert_eq!(expected(Vec::new()), None);
        assert_eq!(expected(vec![s(9), s(1), s(5)]), Some(s(5)));
        assert_eq!(expected(vec![s(9), s(1)]), Some(s(9)));
    }

    #[test]
    fn time_left_goes_by_progress_then_by_earlier_runs() {
        let s = Duration::from_secs;
        let mut task = running(7, &["make"], NOW);
        assert_eq!(time_left(&task, NOW + s(10)), None);
        task.expected = Some(s(60));
        assert_eq!(time_left(&task, NOW + s(10)), Some(s(50)));
        assert_eq!(time_left(&task, NOW + s(61)), None, "it should have been over");
        let says = |done, total, at| told(Some(done), Some(total), None).after(None, 1, NOW + s(at)).ok();
        task.told = says(50, 200, 10);
        assert_eq!(time_left(&task, NOW + s(20)), Some(s(20)));
        assert_eq!(time_left(&task, NOW + s(41)), None, "it stands where it stood");
        task.told = says(200, 200, 10);
        assert_eq!(time_left(&task, NOW + s(20)), Some(Duration::ZERO));
        for useless in [says(0, 200, 10), says(50, 200, 0)] {
            task.told = useless;
            assert_eq!(time_left(&task, NOW + s(20)), Some(s(40)), "there is no rate");
        }
        task.state = State::Paused;
        assert_eq!(time_left(&task, NOW + s(20)), None);
    }

    #[test]
    fn a_task_that_waits_shows_no_progress_of_the_attempt_before() {
        let mut task = running(7, &["make"], NOW);
        task.told = after(None, &told(Some(1), None, None)).ok();
        assert!(task.progress().is_some());
        for (state, shows) in [(State::Failed, true), (State::Retrying, false), (State::Queued, false)] {
            task.state = state;
            assert_eq!(task.progress().is_some(), shows, "{state:?}");
        }
        (task.state, task.attempt) = (State::Running, 2);
        assert_eq!(task.progress(), None);
    }
}
