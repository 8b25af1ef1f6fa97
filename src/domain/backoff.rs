//! How long to wait before trying again.

use std::time::Duration;

use crate::domain::outcome::ExitStatus;
use crate::domain::task::{Backoff, RetryPolicy};

/// Returns how long to wait before the next attempt of a task.
///
/// Shape: fixed; or doubled with each failure from the policy's delay, never above its longest, times `jitter`, so that
/// what failed together does not come back together. `failures` counts the failed attempts so far, at least 1.
/// Units: wall time; `jitter` is a factor in (0.5, 1.0] drawn by the caller.
/// Errors: none; overflow stays at the longest delay.
pub fn retry_delay(policy: &RetryPolicy, failures: u32, jitter: f64) -> Duration {
    match policy.backoff {
        Backoff::Fixed => policy.delay,
        Backoff::Exponential => {
            let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
            policy.delay.saturating_mul(factor).min(policy.max_delay).mul_f64(jitter.clamp(0.0, 1.0))
        }
    }
}

/// apexd's exit code after a drain.
pub const EXIT_DRAINED: i32 = 0;
/// apexd's exit code when another binary is to take its place.
pub const EXIT_REPLACE: i32 = 71;
/// apexd's exit code when starting it again would not help.
pub const EXIT_CONFIG: i32 = 78;

/// After so many starts in a row that did not come to serving, nobody tries further.
pub const UNREADY_MAX: u32 = 5;

/// One life of apexd, as the guardian saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// It had come to serving.
    pub ready: bool,
    /// How long it lived.
    pub lived: Duration,
    /// How it ended.
    pub exit: ExitStatus,
}

/// What the guardian does when apexd has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was done as asked: the guardian ends too.
    Drained,
    /// Start it again after this time.
    Start(Duration),
    /// Do not start it again: this many starts in a row failed, the last one with that exit.
    GiveUp {
        /// How many.
        starts: u32,
        /// The last one's end.
        exit: ExitStatus,
    },
}

/// Remembers how apexd's starts went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restarts {
    unready: u32,
}

impl Restarts {
    /// Takes in the end of one life and decides what follows.
    ///
    /// Shape: one that had been serving is started again after 50 ms, or 500 ms if it lived less than a second; one
    /// that was replaced, at once; one that never came to serving after 50 ms, doubled each time up to 10 s, and given
    /// up after [`UNREADY_MAX`] in a row, or at once with exit code 78.
    pub fn after(&mut self, life: Life) -> Verdict {
        match life.exit {
            ExitStatus::Code(EXIT_DRAINED) if life.ready => return Verdict::Drained,
            ExitStatus::Code(EXIT_REPLACE) if life.ready => {
                self.unready = 0;
                return Verdict::Start(Duration::ZERO);
            }
            _ => {}
        }
        if life.ready {
            self.unready = 0;
            let short = life.lived < Duration::from_secs(1);
            return Verdict::Start(Duration::from_millis(if short { 500 } else { 50 }));
        }
        self.unready += 1;
        if life.exit == ExitStatus::Code(EXIT_CONFIG) || self.unready >= UNREADY_MAX {
            return Verdict::GiveUp { starts: self.unready, exit: life.exit };
        }
        let delay = Duration::from_millis(50).saturating_mul(1 << (self.unready - 1).min(16));
        Verdict::Start(delay.min(Duration::from_secs(10)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(ready: bool, lived_ms: u64, exit: ExitStatus) -> Life {
        Life { ready, lived: Duration::from_millis(lived_ms), exit }
    }

    const KILLED: ExitStatus = ExitStatus::Signal(9);

    #[test]
    fn one_that_served_comes_back_quickly_for_ever() {
        let mut restarts = Restarts::default();
        for _ in 0..100 {
            assert_eq!(restarts.after(life(true, 5_000, KILLED)), Verdict::Start(Duration::from_millis(50)));
            assert_eq!(restarts.after(life(true, 999, KILLED)), Verdict::Start(Duration::from_millis(500)));
        }
    }

    #[test]
    fn one_that_never_served_is_given_up() {
        let mut restarts = Restarts::default();
        let mut delays = Vec::new();
        let verdict = loop {
            match restarts.after(life(false, 10, ExitStatus::Code(1))) {
                Verdict::Start(delay) => delays.push(delay.as_millis()),
                other => break other,
            }
        };
        assert_eq!(delays, [50, 100, 200, 400]);
        assert_eq!(verdict, Verdict::GiveUp { starts: 5, exit: ExitStatus::Code(1) });
    }

    #[test]
    fn serving_once_clears_the_count() {
        let mut restarts = Restarts::default();
        for _ in 0..4 {
            restarts.after(life(false, 10, KILLED));
        }
        restarts.after(life(true, 2_000, KILLED));
        assert_eq!(restarts.after(life(false, 10, KILLED)), Verdict::Start(Duration::from_millis(50)));
    }

    #[test]
    fn exit_codes_mean_what_they_say() {
        let after = |ready, code| Restarts::default().after(life(ready, 5_000, ExitStatus::Code(code)));
        assert_eq!(after(true, EXIT_DRAINED), Verdict::Drained);
        assert_eq!(after(true, EXIT_REPLACE), Verdict::Start(Duration::ZERO));
        assert_eq!(after(false, EXIT_CONFIG), Verdict::GiveUp { starts: 1, exit: ExitStatus::Code(78) });
        assert_eq!(after(true, EXIT_CONFIG), Verdict::Start(Duration::from_millis(50)));
        assert_eq!(after(false, EXIT_DRAINED), Verdict::Start(Duration::from_millis(50)), "it did not serve");
    }

    #[test]
    fn delays_between_attempts_double_up_to_the_longest() {
        let policy =
            RetryPolicy { delay: Duration::from_secs(2), max_delay: Duration::from_secs(10), ..RetryPolicy::default() };
        let seconds: Vec<u64> = (1..=6).map(|failures| retry_delay(&policy, failures, 1.0).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 10, 10, 10]);
        assert_eq!(retry_delay(&policy, u32::MAX, 1.0), policy.max_delay);
        assert_eq!(retry_delay(&policy, 1, 0.5), Duration::from_secs(1));
        let fixed = RetryPolicy { backoff: Backoff::Fixed, ..policy };
        assert_eq!(retry_delay(&fixed, 9, 0.5), Duration::from_secs(2));
    }
}
