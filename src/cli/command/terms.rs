//! The terms of a task: what its flags say, over what the configuration says.

use std::time::Duration;

use crate::cli::args::confine::Confines;
use crate::cli::args::terms::{Limits, Tries, Waits};
use crate::cli::error::Failure;
use crate::cli::time::can_be_told;
use crate::config;
use crate::domain::task::{Confinement, OnInterrupt, RetryPolicy};
use crate::domain::time::Timestamp;
use crate::units::format_duration;

/// Returns how often and when a task is tried again.
///
/// Shape: a first delay that is longer than the longest one by default makes that longer, too.
/// Errors: it is longer than the longest one that was asked for; nothing is tried again, and a flag says how.
pub fn retry(flags: &Tries, config: &config::Task) -> Result<RetryPolicy, Failure> {
    let default = RetryPolicy::default();
    let retries = flags.retries.unwrap_or(config.retries);
    let delay = flags.retry_delay.unwrap_or(default.delay);
    if retries == 0
        && let Some(flag) = useless(flags)
    {
        return Err(Failure::usage(format!("`{flag}` is of no use to a task that is tried once"))
            .with_hint(format!("say how often it is tried again: `--retries 3 {flag} …`")));
    }
    if let Some(longest) = flags.retry_max_delay
        && let Some(delay) = flags.retry_delay
        && delay > longest
    {
        let (delay, longest) = (format_duration(delay), format_duration(longest));
        return Err(Failure::usage(format!("`--retry-delay {delay}` is longer than `--retry-max-delay {longest}`")));
    }
    let max_delay = flags.retry_max_delay.unwrap_or(default.max_delay.max(delay));
    let unless_asked = if retries > 0 { OnInterrupt::Rerun } else { OnInterrupt::Stop };
    Ok(RetryPolicy {
        max_attempts: retries.saturating_add(1),
        delay: delay.min(max_delay),
        backoff: flags.retry_backoff.unwrap_or(default.backoff),
        max_delay,
        on_codes: flags.retry_on.clone(),
        on_interrupt: flags.on_interrupt.unwrap_or(unless_asked),
    })
}

/// Returns a flag that says how to try again.
fn useless(flags: &Tries) -> Option<&'static str> {
    [
        ("--retry-delay", flags.retry_delay.is_some()),
        ("--retry-backoff", flags.retry_backoff.is_some()),
        ("--retry-max-delay", flags.retry_max_delay.is_some()),
        ("--retry-on", !flags.retry_on.is_empty()),
    ]
    .into_iter()
    .find_map(|(flag, is_there)| is_there.then_some(flag))
}

/// Returns how long an attempt may run; `None` for no limit, which `0s` asks for.
pub fn timeout(flags: &Limits, config: &config::Task) -> Option<Duration> {
    flags.timeout.map_or(config.timeout, |timeout| (timeout > Duration::ZERO).then_some(timeout))
}

/// Returns how much an attempt may write; `None` for no limit, which `0B` asks for.
pub fn output_limit(flags: &Limits, config: &config::Task) -> Option<u64> {
    flags.output_limit.map_or(config.output_limit, |limit| (limit > 0).then_some(limit))
}

/// Returns how much of the machine the task may use.
pub fn confinement(flags: &Confines, config: &config::Task) -> Confinement {
    Confinement {
        nice: flags.nice.or(config.nice),
        cpus: flags.cpus.clone(),
        rlimits: flags.rlimits.clone(),
        memory: flags.memory.map_or(config.memory, |memory| (memory > 0).then_some(memory)),
        cpu_millis: flags.cpu_limit,
    }
}

/// Returns the instant before which the task is not to run.
///
/// Errors: it is beyond the calendar.
pub fn run_at(flags: &Waits, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let at = flags.at.or_else(|| flags.delay.map(|delay| now + delay));
    match (at.filter(|at| !can_be_told(*at)), flags.delay) {
        (Some(_), Some(delay)) => Err(Failure::usage(format!("`--in {}` is too far away", format_duration(delay)))
            .with_hint("write it like `--in 10m`")),
        _ => Ok(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::task::Backoff;

    const MINUTE: Duration = Duration::from_secs(60);

    fn config(retries: u32, timeout: Option<Duration>) -> config::Task {
        config::Task { retries, timeout, ..Config::default().task }
    }

    #[test]
    fn nothing_said_is_a_single_attempt_that_is_not_repeated() {
        assert_eq!(retry(&Tries::default(), &config(0, None)), Ok(RetryPolicy::default()));
    }

    #[test]
    fn flags_win_over_the_configuration() {
        let retries = |flag| retry(&Tries { retries: flag, ..Tries::default() }, &config(2, None)).unwrap();
        assert_eq!((retries(None).max_attempts, retries(None).on_interrupt), (3, OnInterrupt::Rerun));
        assert_eq!((retries(Some(0)).max_attempts, retries(Some(0)).on_interrupt), (1, OnInterrupt::Stop));
        let timeout = |flag| timeout(&Limits { timeout: flag, ..Limits::default() }, &config(0, Some(MINUTE)));
        assert_eq!(timeout(None), Some(MINUTE));
        assert_eq!(timeout(Some(2 * MINUTE)), Some(2 * MINUTE));
        assert_eq!(timeout(Some(Duration::ZERO)), None);
        let config = config::Task { output_limit: Some(9), ..config(0, None) };
        let limit = |flag| output_limit(&Limits { output_limit: flag, ..Limits::default() }, &config);
        assert_eq!((limit(None), limit(Some(5)), limit(Some(0))), (Some(9), Some(5), None));
        let config = config::Task { nice: Some(10), memory: Some(1 << 30), ..config };
        let flags = |nice, memory| confinement(&Confines { nice, memory, ..Confines::default() }, &config);
        assert_eq!((flags(None, None).nice, flags(None, None).memory), (Some(10), Some(1 << 30)));
        assert_eq!((flags(Some(0), Some(0)).nice, flags(Some(0), Some(0)).memory), (Some(0), None));
    }

    #[test]
    fn every_flag_is_in_the_policy() {
        let flags = Tries {
            retries: Some(4),
            retry_delay: Some(MINUTE),
            retry_backoff: Some(Backoff::Fixed),
            retry_max_delay: Some(2 * MINUTE),
            retry_on: vec![1, 75],
            on_interrupt: Some(OnInterrupt::Stop),
        };
        let expected = RetryPolicy {
            max_attempts: 5,
            delay: MINUTE,
            backoff: Backoff::Fixed,
            max_delay: 2 * MINUTE,
            on_codes: vec![1, 75],
            on_interrupt: OnInterrupt::Stop,
        };
        assert_eq!(retry(&flags, &config(0, None)), Ok(expected));
    }

    #[test]
    fn how_to_try_again_is_of_no_use_where_nothing_is_tried_again() {
        let flags = Tries { retry_delay: Some(MINUTE), ..Tries::default() };
        let failure = retry(&flags, &config(0, None)).unwrap_err();
        assert!(failure.problem.message.contains("`--retry-delay`"), "{failure:?}");
        assert!(failure.problem.hint.is_some_and(|hint| hint.contains("--retries 3")));
        assert!(retry(&flags, &config(1, None)).is_ok(), "the settings may say how often");
        let none = Tries { retries: Some(0), retry_on: vec![1], ..Tries::default() };
        assert!(retry(&none, &config(1, None)).is_err());
    }

    #[test]
    fn the_first_delay_is_never_quietly_cut() {
        let of = |delay, longest| {
            let flags = Tries { retry_delay: delay, retry_max_delay: longest, ..Tries::default() };
            retry(&flags, &config(1, None)).map(|policy| (policy.delay, policy.max_delay))
        };
        assert_eq!(of(Some(10 * MINUTE), None), Ok((10 * MINUTE, 10 * MINUTE)));
        assert_eq!(of(None, Some(Duration::from_millis(5))), Ok((Duration::from_millis(5), Duration::from_millis(5))));
        let failure = of(Some(2 * MINUTE), Some(MINUTE)).unwrap_err();
        assert_eq!(failure.problem.message, "`--retry-delay 2m` is longer than `--retry-max-delay 1m`");
    }

    #[test]
    fn a_delay_counts_from_now() {
        let at = |at, delay| run_at(&Waits { at, delay, ..Waits::default() }, Timestamp(1_000));
        assert_eq!(at(None, None), Ok(None));
        assert_eq!(at(None, Some(MINUTE)), Ok(Some(Timestamp(61_000))));
        assert_eq!(at(Some(Timestamp(5)), None), Ok(Some(Timestamp(5))));
        assert!(at(None, Some(MINUTE * 1_000_000_000)).is_ok());
        assert!(at(None, Some(MINUTE * u32::MAX)).is_err(), "no calendar has it");
    }
}
